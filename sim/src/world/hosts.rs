//! Hosts: a process, the disk that outlives it, and a clock. Knows neither network nor trace.

use std::collections::VecDeque;

use model::machine::{Command, Effects, Input, Task};
use model::names::Node;
use rand::Rng;

use super::process::{Process, Program};
use crate::clock::Clock;
use crate::dice::{Dice, Meaning};
use crate::disk::SimDisk;
use crate::fact::{Ending, Moment};

/// What a host is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// No process runs; the kernel does.
    Down,
    /// A process runs.
    Up,
    /// No power.
    Off,
    /// Gone for good.
    Destroyed,
}

/// One host.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) node: Node,
    pub(super) condition: Condition,
    pub(super) program: Program,
    pub(super) process: Option<Process>,
    pub(super) disk: SimDisk,
    pub(super) clock: Clock,
    /// The how-manieth process of this host runs, or ran last.
    pub(super) life: u32,
    /// What its application asks for at the start of every life.
    pub(super) routine: Vec<Command>,
    /// What came in and has not been taken in yet, in order.
    pub(super) inbox: VecDeque<Input>,
    /// The consequences of the step that is going on.
    pub(super) effects: Effects,
    /// Whether a step is going on.
    pub(super) busy: bool,
    /// A step has ended while the process stood still.
    pub(super) overdue: bool,
    /// Until when the process stands still.
    pub(super) paused: Option<Moment>,
    /// For when the next tick is in the queue.
    pub(super) tick: Option<Moment>,
    /// How the process ends if its disk ends it.
    pub(super) doom: Ending,
    /// Ticks in a row that were followed by another one at once.
    pub(super) restless: u32,
    /// How many bits have rotted.
    pub(super) rots: u64,
    /// How often the power went.
    pub(super) power_offs: u64,
    /// Steps of all lives.
    pub(super) steps: u64,
    cpu: Meaning,
    lanes: [Lane; LANES],
}

/// Tasks of one kind: one thread takes them up in order.
#[derive(Clone, Debug)]
struct Lane {
    delay: Meaning,
    tasks: u64,
    last: Moment,
}

const LANES: usize = 10;

/// Which thread takes up a task.
fn lane(task: &Task) -> usize {
    match task {
        Task::ParkProduce { .. } => 0,
        Task::CountFetch { .. } => 1,
        Task::AnswerFetch { .. } => 2,
        Task::Wake { .. } => 3,
        Task::SendAlterPartition => 4,
        Task::ApplyMetadata { .. } => 5,
        Task::CompleteShutdown => 6,
        Task::Flush { .. } => 7,
        Task::WriteEpochs { .. } => 8,
        Task::Fetch { .. } => 9,
    }
}

impl Host {
    pub(super) fn new(node: Node, program: Program, disk: SimDisk, dice: Dice) -> Self {
        Self {
            node,
            condition: Condition::Down,
            program,
            process: None,
            disk,
            clock: Clock::default(),
            life: 0,
            routine: Vec::new(),
            inbox: VecDeque::new(),
            effects: Effects::new(),
            busy: false,
            overdue: false,
            paused: None,
            tick: None,
            doom: Ending::Crashed,
            restless: 0,
            rots: 0,
            power_offs: 0,
            steps: 0,
            cpu: dice.of("cpu").and(&node),
            lanes: std::array::from_fn(|lane| Lane {
                delay: dice.of("later").and(&(node, lane)),
                tasks: 0,
                last: Moment::ZERO,
            }),
        }
    }

    /// Whether the process can take something in now.
    pub(super) fn is_free(&self) -> bool {
        self.condition == Condition::Up && !self.busy && self.paused.is_none()
    }

    /// What the next step costs in nanoseconds, beside its disk calls.
    pub(super) fn draw_cpu(&mut self) -> u64 {
        self.steps += 1;
        self.cpu.nth(self.steps).gen_range(5_000..=20_000)
    }

    /// When a task that is handed over `now` is taken up: mostly soon, sometimes after milliseconds, never before an
    /// earlier one of its kind (R147).
    pub(super) fn draw_turn(&mut self, task: &Task, now: Moment) -> Moment {
        let lane = &mut self.lanes[lane(task)];
        lane.tasks += 1;
        let mut draw = lane.delay.nth(lane.tasks);
        let nanos = match draw.gen_range(0..100_u32) {
            0 => draw.gen_range(1_000_000..=10_000_000),
            1..=4 => draw.gen_range(200_000..=1_000_000),
            _ => draw.gen_range(10_000..=200_000_u64),
        };
        lane.last = lane.last.max(Moment(now.0 + nanos));
        lane.last
    }

    /// Forgets everything that the process had.
    pub(super) fn empty(&mut self) {
        self.process = None;
        self.inbox.clear();
        self.effects.clear();
        self.busy = false;
        self.overdue = false;
        self.paused = None;
        self.tick = None;
        self.restless = 0;
        // A step that was going on is told from the next one by its number.
        self.steps += 1;
        for lane in &mut self.lanes {
            lane.last = Moment::ZERO;
        }
    }
}
