//! Who leads the controllers is heard by a majority of them, or gives up in time (C5, KAFKA-15489): brokers that hear only a leader
//! without a majority must not go on for ever with what it told them last.
//!
//! A request for the metadata log that is delivered counts as heard, whatever comes of it. Of a controller that was held up, or whose
//! clock is wrong, nothing is demanded.

use std::collections::{BTreeMap, BTreeSet};

use model::event::QuorumRole;
use model::names::{ControllerId, LeaderEpoch};
use sim::fact::Moment;
use sim::fault::Fault;

use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at who is heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unheard {
    leaders: BTreeMap<ControllerId, Leading>,
    /// When the next of them has to give up, unless it is heard by then.
    give_up_by: Option<Moment>,
    /// Controllers that were held up since they were started.
    held_up: BTreeSet<ControllerId>,
    /// Controllers whose clocks are wrong.
    wrong_clocks: BTreeSet<ControllerId>,
}

/// A controller that leads.
#[derive(Clone, Debug)]
struct Leading {
    epoch: LeaderEpoch,
    since: Moment,
    /// When each other controller last asked it for what it has.
    heard: BTreeMap<ControllerId, Moment>,
}

impl Unheard {
    /// A controller's process begins, or is over.
    pub(crate) fn started_or_stopped(&mut self, id: ControllerId) {
        self.leaders.remove(&id);
        self.held_up.remove(&id);
    }

    /// A controller has another role.
    pub(crate) fn role(&mut self, id: ControllerId, epoch: LeaderEpoch, role: QuorumRole, at: Moment) {
        if role == QuorumRole::Leader {
            self.leaders.insert(id, Leading { epoch, since: at, heard: BTreeMap::new() });
            // When it has to give up is reckoned the next time that anything happens.
            self.give_up_by = Some(at);
        } else {
            self.leaders.remove(&id);
        }
    }

    /// A controller was asked by another one for what it has: the sign of life that counts.
    pub(crate) fn heard(&mut self, id: ControllerId, from: ControllerId, at: Moment) {
        if let Some(leading) = self.leaders.get_mut(&id) {
            leading.heard.insert(from, at);
        }
    }

    /// A fault struck a controller.
    pub(crate) fn struck(&mut self, id: ControllerId, fault: &Fault) {
        match fault {
            Fault::ClockSkew(..) | Fault::ClockDrift(..) | Fault::ClockJump(..) => {
                self.wrong_clocks.insert(id);
            }
            Fault::Pause(..) | Fault::DiskStall(..) | Fault::DiskSlow(..) => {
                self.held_up.insert(id);
            }
            _ => {}
        }
    }

    /// Time has passed.
    #[inline]
    pub(crate) fn time_passed(&mut self, shared: &Replicas, verdicts: &mut Verdicts) {
        if self.give_up_by.is_some_and(|by| verdicts.now() > by) {
            self.look(shared, verdicts);
        }
    }

    fn look(&mut self, shared: &Replicas, verdicts: &mut Verdicts) {
        let (now, bound) = (verdicts.now(), shared.promise.unheard_leader_gives_up_within);
        let voters: BTreeSet<ControllerId> = shared.voters().collect();
        let is_punctual = |id| !self.held_up.contains(id) && !self.wrong_clocks.contains(id);
        let (mut next, mut overdue) = (None, Vec::new());
        for (id, leading) in self.leaders.iter().filter(|(id, _)| voters.len() > 1 && is_punctual(id)) {
            let by = leading.heard_by_majority_of(voters.len()) + bound;
            if now <= by {
                next = Some(next.map_or(by, |other: Moment| other.min(by)));
                continue;
            }
            overdue.push(*id);
            verdicts.broken(Guarantee::MetadataLog, "leads-unheard", || {
                format!("{id} leads in epoch {}, and no majority has fetched from it for {bound:?}", leading.epoch)
            });
        }
        self.give_up_by = next;
        // Once is enough.
        self.leaders.retain(|id, _| !overdue.contains(id));
    }
}

impl Leading {
    /// When a majority of so many, the leader among them, was last heard; the beginning counts as if all had been.
    fn heard_by_majority_of(&self, voters: usize) -> Moment {
        let mut heard: Vec<Moment> = self.heard.values().copied().collect();
        heard.sort_unstable_by(|one, other| other.cmp(one));
        let needed = voters / 2;
        heard.get(needed - 1).copied().unwrap_or_default().max(self.since)
    }
}
