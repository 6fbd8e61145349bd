//! Faults that wait for a sight.

use std::time::Duration;

use crate::cast::Turn;
use crate::fact::{Fact, What};
use crate::fault::{Fault, Sight};

/// Faults that wait, in the order in which they were armed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ambushes(Vec<Ambush>);

#[derive(Clone, Debug)]
struct Ambush {
    on: Sight,
    skip: u32,
    after: Duration,
    fault: Fault,
}

impl Ambushes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn lay(&mut self, on: Sight, skip: u32, after: Duration, fault: Fault) {
        self.0.push(Ambush { on, skip, after, fault });
    }

    pub(crate) fn lift(&mut self) {
        self.0.clear();
    }

    /// Lets everyone in ambush see a fact. Each strikes once, `after` the sight.
    pub(crate) fn see(&mut self, fact: &Fact, turn: Turn, mut strike: impl FnMut(Duration, Fault)) {
        // Most facts are of messages, for which nobody lies in wait.
        if matches!(fact.what, What::Delivered { .. }) {
            return;
        }
        self.0.retain_mut(|ambush| {
            if !ambush.on.matches(fact, turn) {
                return true;
            }
            if ambush.skip > 0 {
                ambush.skip -= 1;
                return true;
            }
            let mut fault = std::mem::replace(&mut ambush.fault, Fault::Heal);
            if let Some(seen) = ambush.on.about(fact, turn) {
                fault.reveal(seen);
            }
            strike(ambush.after, fault);
            false
        });
    }
}
