//! One process on one of madsim's nodes: a task that steps a machine, which nobody else does.
//!
//! It takes in what its connections read, its machine's deadline and the turns of its tasks. Steps are not free: the time of disk calls and
//! of the processor is owed, and as soon as it is a millisecond, the least that madsim can let pass, it is slept before
//! the effects leave. Its machine lies with the host, where it can be looked at; it knows no fault.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use madsim::net::Endpoint;
use madsim::runtime::Handle;
use model::event::Event;
use model::machine::{Chance, Effect, Effects, Input, Machine, Stop, Task};
use model::names::Node;

use super::ground::{Ground, address};
use super::inbox::{Alarm, Inbox};
use super::lines::Lines;
use rand::Rng;

use crate::clock::Clock;
use crate::fact::{Ending, Moment, What};
use crate::hermetic;
use crate::world::doom::Doom;
use crate::world::hosts::lane;
use crate::world::label::{api, first_error};

/// Why there is a machine: the task of a process that is over does not run any more.
const LIVES: &str = "a task runs as long as its process does";
/// The least span that madsim lets pass.
const LEAST: Duration = Duration::from_millis(1);
/// So many ticks in a row, each due at once again, are taken for an endless loop.
const RESTLESS: u32 = 10_000;

/// A process from its beginning to its end.
pub(super) struct Living {
    ground: Arc<Ground>,
    index: usize,
    node: Node,
    lines: Arc<Lines>,
    inbox: Arc<Inbox>,
    /// Tasks that wait for their turn.
    turns: BTreeMap<(Moment, u64), Task>,
    handed: u64,
    /// When the last task of each kind has its turn: no later one of its kind has it before (R147).
    last: BTreeMap<usize, Moment>,
    life: u32,
    owed: Duration,
    restless: u32,
    alarm: Alarm,
}

/// How a step went.
enum Stepped {
    Done { exits: bool },
    Over(Ending, Option<Doom>),
}

/// Runs the process on this host, which was launched a moment ago.
pub(super) async fn live(ground: Arc<Ground>, index: usize, inbox: Arc<Inbox>) {
    let endpoint = Endpoint::bind(address(index)).await.expect("nobody else is on this node");
    let (node, life, chance) = {
        let mut held = ground.lock();
        let place = &mut held.places[index];
        let chance = place.chance.take().expect("the process was launched before its task was");
        (place.host.node, place.host.life, chance)
    };
    let lines = Lines::new(ground.clone(), node, endpoint, inbox.clone());
    ground.lock().places[index].lines = Arc::downgrade(&lines);
    madsim::task::spawn(lines.clone().accept());
    let living = Living {
        ground,
        index,
        node,
        lines,
        inbox,
        turns: BTreeMap::new(),
        handed: 0,
        last: BTreeMap::new(),
        life,
        owed: Duration::ZERO,
        restless: 0,
        alarm: Alarm::default(),
    };
    living.run(chance).await;
}

impl Living {
    async fn run(mut self, chance: Chance) {
        let mut effects = Effects::new();
        let mut input = Input::Start(chance);
        loop {
            self.note(&input);
            let stepped = match self.step(input, &mut effects) {
                Ok(()) => {
                    if self.owed >= LEAST {
                        madsim::time::sleep(std::mem::take(&mut self.owed)).await;
                    }
                    self.let_leave(&mut effects)
                }
                Err((how, doom)) => Stepped::Over(how, doom),
            };
            let (how, doom) = match stepped {
                Stepped::Done { exits: false } => {
                    input = self.next().await;
                    continue;
                }
                Stepped::Done { exits: true } => (Ending::Exited, None),
                Stepped::Over(how, doom) => (how, doom),
            };
            self.ground.end(&Handle::current(), self.index, how, doom.as_ref());
            if let Some(back) = doom.and_then(|doom| doom.back) {
                let at = self.ground.now() + back;
                self.ground.lock().returning.push((at, self.index));
            }
            // The node is dead: this task is dropped the next time that it would run.
            return pending().await;
        }
    }

    fn step(&mut self, input: Input, effects: &mut Effects) -> Result<(), (Ending, Option<Doom>)> {
        let now = self.ground.now();
        hermetic::mark(now, self.node);
        let mut held = self.ground.lock();
        let host = &mut held.places[self.index].host;
        let cpu = Duration::from_nanos(host.draw_cpu(&input));
        let process = host.process.as_mut().expect(LIVES);
        let result = process.step(Clock::default().read(now), input, &mut host.disk, effects);
        self.owed += host.disk.take_cost(now) + cpu;
        if host.disk.is_dead() {
            let doom = host.take_doom();
            return Err((doom.as_ref().map_or(Ending::Crashed, Doom::ending), doom));
        }
        match result {
            Ok(()) => Ok(()),
            Err(Stop::Crashed) => Err((Ending::Crashed, None)),
            Err(Stop::Storage(_)) => Err((Ending::StorageFailed, None)),
        }
    }

    fn let_leave(&mut self, effects: &mut Effects) -> Stepped {
        let mut exits = false;
        for effect in effects.drain() {
            match effect {
                Effect::Note(event) => self.state(event),
                Effect::Send(envelope) => self.lines.send(envelope),
                Effect::Close(closing) => self.lines.close(closing),
                Effect::Later(task) => {
                    let now = self.ground.now();
                    let at = self.ground.lock().places[self.index].host.draw_turn(&task, now);
                    self.handed += 1;
                    let at = self.rounded(now, at);
                    let last = self.last.entry(lane(&task)).or_default();
                    let at = at.max(*last);
                    *last = at;
                    self.turns.insert((at, self.handed), task);
                }
                Effect::Exit => exits = true,
            }
        }
        Stepped::Done { exits }
    }

    /// When the turn of a task is taken that was to be taken at `at`: a wait of less than a millisecond is all of one or none, as likely as
    /// it is long. If all took one, no message could ever arrive in between.
    fn rounded(&self, now: Moment, at: Moment) -> Moment {
        let wait = at.since(now);
        if wait >= LEAST {
            return at;
        }
        let luck = self.ground.dice.draw(&("grain", self.node, self.life, self.handed)).gen_range(0..LEAST.as_nanos());
        if luck < wait.as_nanos() { now + LEAST } else { now }
    }

    /// Sleeps until there is something to take in.
    async fn next(&mut self) -> Input {
        loop {
            let now = self.ground.now();
            let deadline = {
                let held = self.ground.lock();
                let process = held.places[self.index].host.process.as_ref().expect(LIVES);
                process.deadline().map(|deadline| Clock::default().when(deadline, now))
            };
            if deadline.is_some_and(|at| at <= now) {
                self.restless += 1;
                assert!(self.restless < RESTLESS, "{}: {RESTLESS} ticks in a row: an endless loop", self.node);
                return Input::Tick;
            }
            self.restless = 0;
            let turn = self.turns.first_key_value().map(|((at, _), _)| *at);
            if turn.is_some_and(|at| at <= now)
                && let Some((_, task)) = self.turns.pop_first()
            {
                return Input::Later(task);
            }
            if let Some(input) = self.inbox.pop() {
                return input;
            }
            let until = [deadline, turn].into_iter().flatten().min();
            self.inbox.wait(&self.ground.time, &mut self.alarm, until).await;
        }
    }

    fn note(&self, input: &Input) {
        let what = match input {
            Input::Receive(envelope) => What::Delivered {
                from: envelope.from,
                channel: envelope.channel,
                api: api(&envelope.body),
                correlation: envelope.correlation,
                error: first_error(&envelope.body),
            },
            Input::Severed(severed) => {
                self.lines.told(*severed);
                What::Severed { peer: severed.peer, channel: severed.channel }
            }
            Input::Submit(command) => What::Submitted(command.clone()),
            Input::Start(_) | Input::Later(_) | Input::Tick | Input::Terminate => return,
        };
        self.ground.state(Some(self.node), what);
    }

    fn state(&self, event: Event) {
        self.ground.state(Some(self.node), What::Noted(event));
    }
}
