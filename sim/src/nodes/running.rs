//! How madsim is let run: up to the next errand, or until something was said, and what is done in between.
//!
//! Facts get their numbers here, when they are heard: nothing but the order in which tasks said them counts. Knows no fault.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use model::machine::Input;

use super::inbox::{Alarm, Inbox};
use super::{Errand, Nodes, process};
use crate::fact::{Moment, What};
use crate::world::Observer;

impl<O: Observer> Nodes<O> {
    pub(super) fn plan(&mut self, at: Moment, errand: Errand) {
        self.errands += 1;
        self.agenda.insert((at, self.errands), errand);
    }

    /// Goes on up to `end`, or until `enough`, asked after every hearing. `heed` is whether it has to be asked at once.
    pub(super) fn go_on(&mut self, end: Moment, enough: &mut dyn FnMut(&Self) -> bool, heed: bool) -> bool {
        loop {
            let errand = self.agenda.first_key_value().map(|((at, _), _)| *at);
            self.slice(errand.map_or(end, |at| at.min(end)), heed || !self.ambushes.is_empty());
            self.hear();
            if enough(self) {
                return true;
            }
            self.run_errands();
            if self.now() >= end {
                return false;
            }
        }
    }

    /// Lets madsim run up to `end`, or, if that is heeded, until something was said.
    fn slice(&self, end: Moment, heed: bool) {
        let ground = self.ground.clone();
        let mut alarm = Alarm::default();
        self.runtime.block_on(poll_fn(move |context| {
            if alarm.is_due(&ground.time, end, context) {
                return Poll::Ready(());
            }
            let mut held = ground.lock();
            if heed && !held.said.is_empty() {
                return Poll::Ready(());
            }
            held.listener = heed.then(|| context.waker().clone());
            Poll::Pending
        }));
    }

    /// What was said gets its numbers and is told to everybody who listens.
    pub(super) fn hear(&mut self) {
        self.record.turn_page();
        let (said, returning) = {
            let mut held = self.ground.lock();
            (std::mem::take(&mut held.said), std::mem::take(&mut held.returning))
        };
        for (at, node, what) in said {
            if self.record.is_known(&what) {
                continue;
            }
            let (turn, fact) = self.record.add(at, node, what);
            let (truce, agenda, errands) = (self.truce, &mut self.agenda, &mut self.errands);
            self.ambushes.see(fact, turn, |after, fault| {
                *errands += 1;
                agenda.insert((at + after, *errands), Errand::Strike(truce, Box::new(fault)));
            });
        }
        for (at, index) in returning {
            self.plan(at, Errand::Start(index));
        }
    }

    fn run_errands(&mut self) {
        let now = self.now();
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Errand::Submit(index, command) => self.ground.offer(index, Input::Submit(*command)),
                Errand::Strike(truce, fault) if truce == self.truce => self.inflict(&fault),
                Errand::Strike(..) => {}
                Errand::Resume(index) => self.resume(index, now),
                Errand::Start(index) => self.start(index),
            }
        }
    }

    /// Makes a fresh process on a host that can have one.
    pub(super) fn start(&mut self, index: usize) {
        let inbox = Arc::new(Inbox::default());
        let (node, id, life) = {
            let mut held = self.ground.lock();
            let place = &mut held.places[index];
            let Some((life, chance)) = place.host.launch(self.dice) else { return };
            place.chance = Some(chance);
            place.inbox = Some(inbox.clone());
            for command in place.host.routine.clone() {
                inbox.push(Input::Submit(command));
            }
            (place.host.node, place.id, life)
        };
        self.ground.state(Some(node), What::Started { life });
        let handle = self.runtime.handle();
        if life > 1 {
            handle.restart(id);
        }
        let task = process::live(self.ground.clone(), index, inbox);
        handle.get_node(id).expect("every host has a node").spawn(task);
    }
}
