//! The same machines with no engine at all, cranked by hand.
//!
//! Messages pile up until somebody delivers them, the clock stands still until somebody moves it, and steps take no
//! time. For transcripts, in which every message matters. This room must not know how a script is written.

mod asking;
mod commands;
mod hands;
mod links;
mod show;
mod speaking;
#[cfg(test)]
mod tests;
mod words;

use std::collections::VecDeque;
use std::time::Duration;

use model::disk::DiskError;
use model::machine::{Effect, Input, Machine, Severed, Stop, Task};
use model::names::Node;
use model::wire::{Body, Envelope};

pub use commands::run;
use hands::Kept;
use links::Links;
pub use words::say;

use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::fact::{Ending, Fact, Moment, What};
use crate::story;
use crate::world::boot;
use crate::world::hosts::{Condition, Host};

/// A cluster on a stage.
#[derive(Clone, Debug)]
pub struct Stage {
    cluster: Cluster,
    dice: Dice,
    now: Moment,
    hosts: Vec<Host>,
    links: Links,
    cast: Cast,
    /// What was handed to other threads in the step that is going on.
    tasks: VecDeque<(usize, u32, Task)>,
    /// What was said since the last command.
    said: Vec<String>,
    /// Whether messages are said, too.
    wordy: bool,
    /// Whether lost connections are said.
    tells_lost_connections: bool,
    trace: Vec<Fact>,
    last_value: u64,
}

/// Steps without moving the clock after which something is taken for an endless loop.
const ENDLESS: usize = 100_000;

impl Stage {
    /// A cluster with nobody running. Chance is that of seed 0.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let dice = Dice::new(0);
        Self {
            cluster: cluster.clone(),
            dice,
            now: Moment::ZERO,
            hosts: boot::hosts(cluster, dice),
            links: Links::default(),
            cast: Cast::default(),
            tasks: VecDeque::new(),
            said: Vec::new(),
            wordy: false,
            tells_lost_connections: true,
            trace: Vec::new(),
            last_value: 0,
        }
    }

    /// Who plays which part.
    #[must_use]
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.now
    }

    /// The facts so far.
    #[must_use]
    pub fn trace(&self) -> &[Fact] {
        &self.trace
    }

    /// What was said since the last call.
    pub fn take_said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }

    /// Whether messages that are sent or delivered are said, too.
    pub fn set_wordy(&mut self, wordy: bool) {
        self.wordy = wordy;
    }

    /// Starts a node that does not run.
    pub fn start(&mut self, node: Node) {
        let Some(index) = self.index_of(node) else { return };
        let host = &mut self.hosts[index];
        let Some((life, chance)) = host.launch(self.dice) else { return };
        let routine = host.routine.clone();
        self.state(node, What::Started { life });
        self.step(index, Input::Start(chance));
        for command in routine {
            self.step(index, Input::Submit(command));
        }
    }

    /// Ends the process of a node. Whoever was connected to it will be told when that message is delivered; of a node
    /// that lost its power nobody is told anything.
    pub fn stop(&mut self, node: Node, how: Ending) {
        self.stop_keeping(node, how, Kept::AsDrawn);
    }

    /// Gives something to a node that runs.
    pub fn give(&mut self, node: Node, input: Input) {
        if let Some(index) = self.index_of(node) {
            self.step(index, input);
        }
    }

    /// Delivers the message of this number, wherever it lies in the pile. `false` if there is none.
    pub fn deliver(&mut self, number: u64) -> bool {
        let Some(pending) = self.links.take(number) else { return false };
        let node = pending.to;
        if !self.is_up(node) {
            if let (Input::Receive(envelope), Some(index)) = (&pending.input, self.index_of(node)) {
                let refused = self.hosts[index].condition == Condition::Down;
                self.links.undeliverable(envelope, refused);
            }
            return true;
        }
        if let Input::Receive(envelope) = &pending.input
            && self.wordy
        {
            self.said.push(format!("{} <- {}  {}", envelope.to, envelope.from, say(&envelope.body)));
        }
        if let Input::Severed(severed) = &pending.input {
            self.state(node, What::Severed { peer: severed.peer, channel: severed.channel });
        }
        self.give(node, pending.input);
        true
    }

    /// The pile, oldest first: number, from, to, and what it is.
    pub fn pile(&self) -> impl Iterator<Item = (u64, Node, Node, String)> {
        self.links.pile().map(|pending| {
            let what = match &pending.input {
                Input::Receive(envelope) => say(&envelope.body),
                _ => "(connection lost)".to_owned(),
            };
            (pending.number, pending.from, pending.to, what)
        })
    }

    /// Delivers the pile, oldest first, and what comes of it, but for what is held, until nothing is left.
    ///
    /// # Panics
    /// If that never ends.
    pub fn deliver_all(&mut self, wanted: impl Fn(Node, Node) -> bool) {
        for _ in 0..ENDLESS {
            let next =
                self.links.pile().find(|pending| wanted(pending.from, pending.to) && !self.links.is_held(pending));
            let Some(number) = next.map(|pending| pending.number) else { return };
            self.deliver(number);
        }
        panic!("{ENDLESS} messages were delivered and there are always more");
    }

    /// Moves the clock on. Whoever wants a tick on the way gets it; with `delivering`, whatever is not held is
    /// delivered on the way, too.
    ///
    /// # Panics
    /// If a machine never stops wanting a tick.
    pub fn pass(&mut self, span: Duration, delivering: bool) {
        let end = self.now + span;
        for _ in 0..ENDLESS {
            if delivering {
                self.deliver_all(|_, _| true);
            }
            let deadlines = self.hosts.iter().enumerate().filter_map(|(index, host)| {
                let deadline = host.process.as_ref()?.deadline()?;
                Some((host.clock.when(deadline, self.now), index))
            });
            match deadlines.min() {
                Some((at, index)) if at <= end => {
                    self.now = at;
                    self.step(index, Input::Tick);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("{ENDLESS} ticks and the clock has not come to its goal");
    }

    fn is_up(&self, node: Node) -> bool {
        self.index_of(node).is_some_and(|index| self.hosts[index].condition == Condition::Up)
    }

    fn index_of(&self, node: Node) -> Option<usize> {
        self.hosts.iter().position(|host| host.node == node)
    }

    fn state(&mut self, node: Node, what: What) {
        let fact = Fact { number: self.trace.len() as u64, at: self.now, node: Some(node), what };
        self.cast.see(&fact);
        let is_told = self.tells_lost_connections || !matches!(fact.what, What::Severed { .. });
        if is_told && story::matters(&fact) {
            let line = story::line(&fact);
            // The clock of a stage says little: who and what is enough.
            self.said.push(line.trim_start().split_once("s  ").map_or(line.clone(), |(_, rest)| rest.to_owned()));
        }
        self.trace.push(fact);
    }

    /// One step, and then those of the tasks that it hands to other threads, in order.
    fn step(&mut self, index: usize, input: Input) {
        self.step_once(index, input);
        while let Some((index, life, task)) = self.tasks.pop_front() {
            if self.hosts[index].life == life {
                self.step_once(index, Input::Later(task));
            }
        }
    }

    fn step_once(&mut self, index: usize, input: Input) {
        let host = &mut self.hosts[index];
        let Some(process) = host.process.as_mut() else { return };
        let reading = host.clock.read(self.now);
        let result = process.step(reading, input, &mut host.disk, &mut host.effects);
        let node = host.node;
        match result {
            Ok(()) => {}
            Err(Stop::Crashed | Stop::Storage(DiskError::Crashed)) => return self.stop(node, Ending::Crashed),
            Err(Stop::Storage(_)) => return self.stop(node, Ending::StorageFailed),
        }
        let life = host.life;
        let mut effects = std::mem::take(&mut host.effects);
        let mut exits = false;
        for effect in effects.drain() {
            match effect {
                Effect::Note(event) => self.state(node, What::Noted(event)),
                Effect::Send(envelope) => self.send(envelope),
                Effect::Close(closing) => self.close(node, closing),
                Effect::Later(task) => self.tasks.push_back((index, life, task)),
                Effect::Exit => exits = true,
            }
        }
        self.hosts[index].effects = effects;
        if exits {
            self.stop(node, Ending::Exited);
        }
    }

    fn send(&mut self, envelope: Box<Envelope>) {
        if self.wordy {
            self.said.push(format!("{} -> {}  {}", envelope.from, envelope.to, say(&envelope.body)));
        }
        match envelope.body {
            Body::Request(_) => self.links.request(envelope),
            Body::Response(_) => self.links.response(envelope),
        }
    }

    fn close(&mut self, node: Node, closing: Severed) {
        self.links.close(node, closing);
    }
}
