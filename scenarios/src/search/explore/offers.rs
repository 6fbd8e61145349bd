//! When there is a choice, and what is offered: each deviation once between two events that its subject has a part in.
//!
//! A broker that dies before or after a message between two others leaves the same behind, so its death is offered once until it has
//! done something again. Choices are offered at events of the protocol, not at every message and tick.

use std::collections::{BTreeMap, BTreeSet};

use model::event::Event;
use model::metadata::MetadataRecord;
use model::names::{BrokerId, Node};
use sim::fact::{Fact, Moment, What};

use super::deviation::{Deviation, Menu, Subject};
use crate::World;

/// What has been offered in a run so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Offers {
    /// Offered, and nothing has happened to them since.
    untouched: BTreeSet<Subject>,
    /// Something befalls them until then.
    busy: BTreeMap<Subject, Moment>,
}

/// Whether there is a choice after this fact.
pub(super) fn is_choice(fact: &Fact) -> bool {
    match &fact.what {
        What::Noted(event) => turns(event),
        What::Started { .. } | What::Stopped { .. } => fact.node.is_some_and(|node| node.broker().is_some()),
        What::Struck(_) => true,
        _ => false,
    }
}

/// Whether the protocol takes a turn with this event.
fn turns(event: &Event) -> bool {
    match event {
        Event::Committed { record, .. } => !matches!(record, MetadataRecord::NoOp),
        Event::AppendedAsLeader { .. }
        | Event::AppendedAsFollower { .. }
        | Event::HighWatermark { .. }
        | Event::Truncated { .. }
        | Event::Diverged { .. }
        | Event::Led { .. }
        | Event::Followed { .. }
        | Event::IsrKnown { .. }
        | Event::AlterPartitionRefused { .. }
        | Event::Registered { .. }
        | Event::Fenced { .. }
        | Event::Acked { .. } => true,
        _ => false,
    }
}

impl Offers {
    /// Something happens, and those who have a part in it may be offered again.
    pub(super) fn see(&mut self, fact: &Fact) {
        if let (What::Delivered { from, channel, .. }, Some(to)) = (&fact.what, fact.node) {
            self.untouched.remove(&Subject::Conversation(*channel, *from, to));
        }
        if !is_choice(fact) {
            return;
        }
        match fact.node {
            Some(Node::Broker(broker)) => self.untouched.retain(|subject| !concerns(*subject, broker)),
            Some(Node::Controller(_) | Node::Ensemble) => {
                self.untouched.retain(|subject| !matches!(subject, Subject::ToControllers(_)));
            }
            _ => {}
        }
    }

    /// What is offered now.
    pub(super) fn now(&self, menu: &Menu, world: &World) -> Vec<Deviation> {
        let is_busy = |subject: &Subject| self.busy.get(subject).is_some_and(|until| *until > world.now());
        let mut all = menu.deviations(world);
        all.retain(|deviation| !self.untouched.contains(&deviation.subject) && !is_busy(&deviation.subject));
        all
    }

    /// All of these were offered, and none was taken.
    pub(super) fn pass(&mut self, offered: &[Deviation]) {
        self.untouched.extend(offered.iter().map(|deviation| deviation.subject));
    }

    /// The nth of these was taken. Those before it have been offered; those behind it may be taken on top, so that each set of
    /// deviations at one point is tried in one order.
    pub(super) fn take(&mut self, offered: &[Deviation], nth: usize, until: Moment) {
        let taken = offered[nth].subject;
        self.pass(&offered[..=nth]);
        self.busy.insert(taken, until);
    }
}

/// Whether the subject has a part in what this broker does, messages aside.
fn concerns(subject: Subject, broker: BrokerId) -> bool {
    match subject {
        Subject::Broker(one) | Subject::ToControllers(one) => one == broker,
        Subject::Between(one, other) => one == broker || other == broker,
        Subject::Conversation(..) => false,
    }
}
