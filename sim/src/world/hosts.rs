//! Hosts: a process, the disk that outlives it, and a clock. Knows neither network nor trace.

use std::collections::VecDeque;

use model::machine::{Chance, Command, Effects, Input, Task};
use model::names::{Node, Time};
use model::wire::Body;
use rand::Rng;

use super::calls::Heard;
use super::doom::Dooms;
use super::process::{Process, Program};
use crate::clock::Clock;
use crate::dice::{Dice, Meaning};
use crate::disk::SimDisk;
use crate::fact::Moment;

/// What a host is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
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
pub(crate) struct Host {
    pub(crate) node: Node,
    pub(crate) condition: Condition,
    pub(crate) program: Program,
    pub(crate) process: Option<Process>,
    pub(crate) disk: SimDisk,
    pub(crate) clock: Clock,
    /// How many nanoseconds of falling back the running process was spared; see [`Host::read_clock`].
    spared: u64,
    /// The how-manieth process of this host runs, or ran last.
    pub(crate) life: u32,
    /// What its application asks for at the start of every life.
    pub(crate) routine: Vec<Command>,
    /// What came in and has not been taken in yet, in order.
    pub(crate) inbox: VecDeque<Input>,
    /// The consequences of the step that is going on.
    pub(crate) effects: Effects,
    /// Whether a step is going on.
    pub(crate) busy: bool,
    /// A step has ended while the process stood still.
    pub(crate) overdue: bool,
    /// Until when the process stands still.
    pub(crate) paused: Option<Moment>,
    /// For when the next tick is in the queue.
    pub(crate) tick: Option<Moment>,
    /// In which disk calls it is to stop.
    pub(crate) dooms: Dooms,
    /// Its disk calls, if they are kept.
    pub(crate) heard: Option<Heard>,
    /// Whoever runs the cluster wants this process up: since the world was healed nobody has told it to end.
    pub(crate) wanted: bool,
    /// Ticks in a row that were followed by another one at once.
    pub(crate) restless: u32,
    /// How many bits have rotted.
    pub(crate) rots: u64,
    /// How often the disk was replaced.
    pub(crate) disks: u32,
    /// How often the power went.
    pub(crate) power_offs: u64,
    /// Steps of all lives.
    pub(crate) steps: u64,
    cpu: Meaning,
    /// How often each kind of input was taken in.
    taken: [u64; KINDS],
    lanes: [Lane; LANES],
}

/// Tasks of one kind: one thread takes them up in order.
#[derive(Clone, Debug)]
struct Lane {
    delay: Meaning,
    tasks: u64,
    last: Moment,
}

const LANES: usize = 12;

/// Which thread takes up a task.
pub(crate) fn lane(task: &Task) -> usize {
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
        Task::Clean { .. } => 10,
        Task::WakeDeleteRecords { .. } => 11,
    }
}

/// What the time that a host's steps take is drawn from.
fn cpu(dice: Dice, node: Node) -> Meaning {
    dice.of("cpu").and(&node)
}

/// What it is drawn from how long a task waits.
fn delay(dice: Dice, node: Node, lane: usize) -> Meaning {
    dice.of("later").and(&(node, lane))
}

const KINDS: usize = LANES + 6;

/// Which kind of input it is.
fn kind(input: &Input) -> usize {
    match input {
        Input::Later(task) => lane(task),
        Input::Start(_) => LANES,
        Input::Receive(_) => LANES + 1,
        Input::Severed(_) => LANES + 2,
        Input::Submit(_) => LANES + 3,
        Input::Tick => LANES + 4,
        Input::Terminate => LANES + 5,
    }
}

impl Host {
    pub(crate) fn new(node: Node, program: Program, disk: SimDisk, dice: Dice) -> Self {
        Self {
            node,
            condition: Condition::Down,
            program,
            process: None,
            disk,
            clock: Clock::default(),
            spared: 0,
            life: 0,
            routine: Vec::new(),
            inbox: VecDeque::new(),
            effects: Effects::new(),
            busy: false,
            overdue: false,
            paused: None,
            tick: None,
            dooms: Dooms::default(),
            heard: None,
            wanted: false,
            restless: 0,
            rots: 0,
            disks: 0,
            power_offs: 0,
            steps: 0,
            cpu: cpu(dice, node),
            taken: [0; KINDS],
            lanes: std::array::from_fn(|lane| Lane { delay: delay(dice, node, lane), tasks: 0, last: Moment::ZERO }),
        }
    }

    /// From now on these dice are drawn from. A process that runs keeps the chance that it was started with.
    pub(super) fn reroll(&mut self, dice: Dice) {
        self.disk.reroll(dice);
        self.cpu = cpu(dice, self.node);
        for (lane, own) in self.lanes.iter_mut().enumerate() {
            own.delay = delay(dice, self.node, lane);
        }
    }

    /// Makes a fresh process, if there is none and can be one. Says which life it is, and what it draws from.
    pub(crate) fn launch(&mut self, dice: Dice) -> Option<(u32, Chance)> {
        if matches!(self.condition, Condition::Up | Condition::Destroyed) {
            return None;
        }
        self.condition = Condition::Up;
        self.life += 1;
        self.process = Some(self.program.launch(self.disks));
        Some((self.life, dice.chance(self.node, self.life)))
    }

    /// What the process believes the time is. It follows the host's clock, but never falls: what Kafka waits for it
    /// mostly measures with a monotonic clock, and a process whose deadlines all lay an hour ahead would stand still
    /// for an hour. The next process believes the host's clock as it then is.
    pub(super) fn read_clock(&self, now: Moment) -> Time {
        Time(self.clock.read(now).0.saturating_add(self.spared))
    }

    /// The first moment, not before `now`, at which the process will believe that it is `reading` or later.
    pub(super) fn when(&self, reading: Time, now: Moment) -> Moment {
        self.clock.when(Time(reading.0.saturating_sub(self.spared)), now)
    }

    /// Changes the clock under the process.
    pub(super) fn change_clock(&mut self, now: Moment, change: impl FnOnce(&mut Clock)) {
        let before = self.clock.read(now);
        change(&mut self.clock);
        self.spared += before.0.saturating_sub(self.clock.read(now).0);
    }

    /// Whether the process can take something in now.
    pub(crate) fn is_free(&self) -> bool {
        self.condition == Condition::Up && !self.busy && self.paused.is_none()
    }

    /// What the next step costs in nanoseconds, beside its disk calls. Drawn by what is taken in, so that one more
    /// step of one kind moves no other.
    pub(crate) fn draw_cpu(&mut self, input: &Input) -> u64 {
        self.steps += 1;
        let mut draw = if let Input::Receive(envelope) = input {
            let asks = matches!(envelope.body, Body::Request(_));
            self.cpu.and(&(self.life, envelope.from, envelope.channel, asks)).nth(envelope.correlation)
        } else {
            let kind = kind(input);
            self.taken[kind] += 1;
            self.cpu.and(&kind).nth(self.taken[kind])
        };
        draw.gen_range(5_000..=20_000)
    }

    /// When a task that is handed over `now` is taken up: mostly soon, sometimes after milliseconds, never before an
    /// earlier one of its kind (R147).
    pub(crate) fn draw_turn(&mut self, task: &Task, now: Moment) -> Moment {
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

    /// The disk is replaced by an empty one.
    pub(crate) fn replace_disk(&mut self) {
        self.disk.wipe();
        self.disks += 1;
    }

    /// Forgets everything that the process had.
    pub(crate) fn empty(&mut self) {
        self.process = None;
        self.spared = 0;
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
