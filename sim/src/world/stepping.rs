//! How a host takes things in, one at a time, and what comes of it.
//!
//! A step takes time: that of its disk calls and a little more. Its effects leave when it is over, and only then the
//! host takes in the next thing. Whoever dies in between leaves nothing but what is on disk.

use std::time::Duration;

use model::machine::{Effect, Input, Machine, Stop};
use model::wire::Envelope;

use super::doom::Doom;
use super::hosts::Condition;
use super::label::{api, first_error};
use super::{Happening, Observer, World};
use crate::fact::{Ending, What};
use crate::fault::{Fault, Target};
use crate::hermetic;

/// So many ticks in a row at one host, each due at once again, are taken for an endless loop.
const RESTLESS: u32 = 10_000;
/// After so long a process that has ended but is wanted is started again.
const RETURN: Duration = Duration::from_millis(100);

impl<O: Observer> World<O> {
    /// Something for the process on a host; lost if there is none.
    pub(super) fn offer(&mut self, index: usize, input: Input) {
        let host = &mut self.hosts[index];
        if host.condition != Condition::Up {
            return;
        }
        if host.is_free() && host.inbox.is_empty() {
            host.restless = 0;
            self.begin(index, input);
        } else {
            host.inbox.push_back(input);
        }
    }

    /// Makes a fresh process on a host that can have one.
    pub(super) fn start(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let Some((life, chance)) = host.launch(self.dice) else { return };
        let node = host.node;
        for command in host.routine.clone() {
            host.inbox.push_back(Input::Submit(command));
        }
        self.state(Some(node), What::Started { life });
        self.with_network(|network, out| network.process_started(index, out));
        self.begin(index, Input::Start(chance));
    }

    /// Ends a process, and with some endings more than that.
    pub(super) fn stop(&mut self, index: usize, how: Ending) {
        self.stop_by(index, how, None);
    }

    fn stop_by(&mut self, index: usize, how: Ending, doom: Option<&Doom>) {
        let dice = self.dice;
        let host = &mut self.hosts[index];
        let was_up = host.condition == Condition::Up;
        if host.condition == Condition::Destroyed {
            return;
        }
        host.empty();
        let powerless = match how {
            Ending::Exited | Ending::Crashed | Ending::StorageFailed => {
                host.disk.crash();
                host.condition = Condition::Down;
                false
            }
            Ending::PoweredOff => {
                host.lose_power(dice, doom);
                true
            }
            Ending::Destroyed => {
                host.disk.wipe();
                host.condition = Condition::Destroyed;
                true
            }
        };
        let node = host.node;
        if was_up || how == Ending::Destroyed {
            self.state(Some(node), What::Stopped { how });
        }
        if how == Ending::Exited && self.hosts[index].wanted {
            let restart = Box::new(Fault::Restart(Target::Node(node)));
            self.queue.push(self.now + RETURN, Happening::Strike(self.truce, restart));
        }
        if powerless {
            self.network.powered_off(index);
        } else {
            self.with_network(|network, out| network.process_stopped(index, out));
        }
        if was_up {
            self.stop_housemate(index, how);
        }
    }

    /// Who runs in the same process ends with it. A broker that has ended in an orderly way leaves the controller to do so.
    fn stop_housemate(&mut self, index: usize, how: Ending) {
        let Some(other) = self.housemate_of(index).filter(|other| self.hosts[*other].condition == Condition::Up) else {
            return;
        };
        if how == Ending::Exited {
            self.offer(other, Input::Terminate);
        } else {
            self.stop(other, how);
        }
    }

    /// The process stands still for a while.
    pub(super) fn stand_still(&mut self, index: usize, span: Duration) {
        let end = self.now + span;
        let host = &mut self.hosts[index];
        if host.condition != Condition::Up || host.paused.is_some_and(|known| known >= end) {
            return;
        }
        let (node, was_paused) = (host.node, host.paused.replace(end).is_some());
        self.queue.push(end, Happening::Resume(index));
        if !was_paused {
            self.state(Some(node), What::Paused);
        }
    }

    /// A pause is over, unless it was prolonged.
    pub(super) fn resume(&mut self, index: usize) {
        if self.hosts[index].paused == Some(self.now) {
            self.wake(index);
        }
    }

    /// Ends a pause.
    pub(super) fn wake(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if host.paused.take().is_none() {
            return;
        }
        let (node, overdue, steps) = (host.node, std::mem::take(&mut host.overdue), host.steps);
        self.state(Some(node), What::Resumed);
        if overdue {
            self.finish(index, steps);
        } else if self.hosts[index].is_free() {
            self.go_on(index);
        }
    }

    /// A tick's time has come, unless the machine has changed its mind meanwhile.
    pub(super) fn tick(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if host.tick != Some(self.now) {
            return;
        }
        host.tick = None;
        if host.is_free() {
            host.restless = 0;
            self.go_on(index);
        }
    }

    /// A clock was changed: what it was to wake for comes at another time.
    pub(super) fn retime(&mut self, index: usize) {
        self.hosts[index].tick = None;
        if self.hosts[index].is_free() {
            self.go_on(index);
        }
    }

    /// A step is over: its effects leave.
    pub(super) fn finish(&mut self, index: usize, step: u64) {
        let host = &mut self.hosts[index];
        if !host.busy || host.steps != step {
            return;
        }
        if host.paused.is_some() {
            host.overdue = true;
            return;
        }
        host.busy = false;
        let (node, life) = (host.node, host.life);
        let mut effects = std::mem::take(&mut host.effects);
        let mut exits = false;
        for effect in effects.drain() {
            match effect {
                Effect::Note(event) => self.state(Some(node), What::Noted(event)),
                Effect::Send(envelope) => self.post(index, envelope),
                Effect::Close(closing) => {
                    if let Some(peer) = self.index_of(closing.peer) {
                        self.with_network(|network, out| network.close(index, peer, closing, out));
                    }
                }
                Effect::Later(task) => {
                    let at = self.hosts[index].draw_turn(&task, self.now);
                    self.queue.push(at, Happening::Turn(index, life, task));
                }
                Effect::Exit => exits = true,
            }
        }
        self.hosts[index].effects = effects;
        if exits {
            self.stop(index, Ending::Exited);
        } else {
            self.go_on(index);
        }
    }

    fn post(&mut self, from: usize, envelope: Box<Envelope>) {
        // What is addressed to nobody goes nowhere.
        if let Some(to) = self.index_of(envelope.to) {
            self.with_network(|network, out| network.send(from, to, envelope, out));
        }
    }

    /// A host that is free takes in the next thing, or sees to it that it will be woken.
    fn go_on(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if let Some(deadline) = host.process.as_ref().and_then(Machine::deadline) {
            let at = host.when(deadline, self.now);
            if at <= self.now {
                host.restless += 1;
                assert!(
                    host.restless < RESTLESS,
                    "{}: {RESTLESS} ticks in a row and the deadline is still {deadline:?}: an endless loop",
                    host.node,
                );
                return self.begin(index, Input::Tick);
            }
            if host.tick.is_none_or(|known| at < known) {
                host.tick = Some(at);
                self.queue.push(at, Happening::Tick(index));
            }
        }
        let host = &mut self.hosts[index];
        host.restless = 0;
        if let Some(input) = host.inbox.pop_front() {
            self.begin(index, input);
        }
    }

    /// A host takes something in.
    fn begin(&mut self, index: usize, input: Input) {
        self.note_input(index, &input);
        let now = self.now;
        let host = &mut self.hosts[index];
        hermetic::mark(now, host.node);
        let reading = host.read_clock(now);
        let cpu = Duration::from_nanos(host.draw_cpu(&input));
        let process = host.process.as_mut().expect("a host that is up has a process");
        let result = process.step(reading, input, &mut host.disk, &mut host.effects);
        if let Some(heard) = &mut host.heard {
            heard.take(&host.disk, now, host.life);
        }
        let cost = host.disk.take_cost(now) + cpu;
        match result {
            _ if host.disk.is_dead() => self.fulfil_doom(index),
            Err(Stop::Crashed) => self.stop(index, Ending::Crashed),
            Err(Stop::Storage(_)) => self.stop(index, Ending::StorageFailed),
            Ok(()) => {
                host.busy = true;
                self.queue.push(now + cost, Happening::Done(index, host.steps));
            }
        }
    }

    /// The disk has ended the process in a call that was doomed.
    fn fulfil_doom(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        let node = host.node;
        let doom = host.take_doom();
        let how = doom.as_ref().map_or(Ending::Crashed, Doom::ending);
        self.stop_by(index, how, doom.as_ref());
        if let Some(back) = doom.and_then(|doom| doom.back) {
            let start = Box::new(Fault::Start(Target::Node(node)));
            self.queue.push(self.now + back, Happening::Strike(self.truce, start));
        }
    }

    fn note_input(&mut self, index: usize, input: &Input) {
        let node = Some(self.hosts[index].node);
        match input {
            Input::Receive(envelope) => {
                let delivered = What::Delivered {
                    from: envelope.from,
                    channel: envelope.channel,
                    api: api(&envelope.body),
                    correlation: envelope.correlation,
                    error: first_error(&envelope.body),
                };
                self.state(node, delivered);
            }
            Input::Severed(severed) => {
                self.network.told(index, *severed);
                self.state(node, What::Severed { peer: severed.peer, channel: severed.channel });
            }
            Input::Submit(command) => self.state(node, What::Submitted(command.clone())),
            Input::Start(_) | Input::Later(_) | Input::Tick | Input::Terminate => {}
        }
    }
}
