//! Which controller to turn to: the active one, as far as this broker knows, or one that may know it (C19, S10).
//!
//! What the observer of the metadata log learns serves the lifecycle and ISR changes, too. Does not know what is asked.

use crate::machine::Chance;
use crate::names::{ControllerId, LeaderEpoch, Node};

/// The controllers, and who of them leads the quorum as far as this broker knows.
#[derive(Clone, Debug)]
pub(super) struct Controllers {
    /// In order of id; never none.
    all: Vec<ControllerId>,
    leader: Option<ControllerId>,
    /// The newest epoch of the quorum that was heard of.
    epoch: LeaderEpoch,
    /// Whom to ask while nobody is known to lead, round and round.
    next: usize,
}

impl Controllers {
    /// Nobody is known to lead.
    pub(super) fn new(all: Vec<ControllerId>, chance: Chance) -> Self {
        let next = usize::try_from(chance.draw("first controller", 0) % all.len().max(1) as u64).unwrap_or(0);
        Self { all, leader: None, epoch: LeaderEpoch::ZERO, next }
    }

    /// Whom to turn to.
    pub(super) fn node(&self) -> Node {
        self.leader.unwrap_or(self.all[self.next % self.all.len()]).into()
    }

    /// The newest epoch of the quorum that was heard of.
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Somebody says who leads. What is older than what is known means nothing.
    pub(super) fn hear(&mut self, epoch: LeaderEpoch, leader: Option<ControllerId>) {
        if epoch > self.epoch {
            (self.epoch, self.leader) = (epoch, leader);
        } else if epoch == self.epoch && leader.is_some() {
            self.leader = leader;
        }
    }

    /// This one is silent, or says that it does not lead: another one may know more. Nothing changes if somebody else is
    /// believed to lead by now.
    pub(super) fn give_up(&mut self, node: Node) {
        if self.node() == node {
            self.leader = None;
            self.next = (self.next + 1) % self.all.len();
        }
    }
}
