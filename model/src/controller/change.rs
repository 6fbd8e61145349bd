//! The one builder of partition changes (R75-R83, R88, R95): given what is wanted of a partition, the record that makes it
//! so, with everything that follows from it.
//!
//! It must not know why a change is wanted, nor the other partitions.

use std::collections::BTreeSet;

use crate::metadata::{MetadataRecord, PartitionChange, PartitionRegistration, RecoveryState};
use crate::names::BrokerId;
use crate::protocol::{Elected, Protocol};

/// A change of one partition in the making. Nothing else makes one that elects (R75).
pub(super) struct Change<'a> {
    pub(super) before: &'a PartitionRegistration,
    /// Whether a replica could serve at all (R74).
    pub(super) acceptable: &'a dyn Fn(BrokerId) -> bool,
    pub(super) protocol: Protocol,
    /// As the controller's own image has it, not yet clamped (R81).
    pub(super) min_insync_replicas: u32,
    /// The ISR to come; empty if its last member is to leave.
    pub(super) isr: Vec<BrokerId>,
    /// Who came back without what it had, as far as one knows (R90).
    pub(super) distrusted: Option<BrokerId>,
    /// The assignment to come, with those that are being added and removed.
    pub(super) replicas: Vec<BrokerId>,
    pub(super) adding: Vec<BrokerId>,
    pub(super) removing: Vec<BrokerId>,
    pub(super) recovery_state: RecoveryState,
    pub(super) choice: Choice,
}

/// How a leader is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The present one if possible, else another one that is in sync or eligible (R77).
    Online,
    /// The same, else one that is neither.
    OnlineOrUnclean,
    /// The preferred one if possible, else as [`Choice::Online`] (R78).
    Preferred,
}

impl Change<'_> {
    /// The record that makes the change; `None` if there is nothing to change. The steps are those of R75, in their order.
    pub(super) fn build(mut self) -> Option<MetadataRecord> {
        self.complete_reassignment();
        let mut elr = self.eligible();
        let elected = self.elect(&elr);
        let leader = elected.map(|elected| elected.leader);
        if let Some(Elected { leader, unclean }) = elected {
            if unclean && Some(leader) != self.before.leader {
                // Whoever else was in sync may know more than the leader from now on (R79).
                self.isr = vec![leader];
                self.recovery_state = RecoveryState::Recovering;
                elr.clear();
            } else if self.isr.is_empty() {
                // R79: elected for being eligible. Without that feature nobody is elected out of an empty set.
                self.isr = vec![leader];
                elr.retain(|&member| member != leader);
            }
        }
        if self.has_enough_in_sync() {
            elr.clear();
        }
        self.record(leader, elr)
    }

    /// R95: the new replicas are all in sync, so the old ones may go.
    fn complete_reassignment(&mut self) {
        if self.adding.is_empty() && self.removing.is_empty() {
            return;
        }
        let stays = |broker: &BrokerId| !self.removing.contains(broker);
        let target: Vec<BrokerId> = self.replicas.iter().copied().filter(stays).collect();
        let Some(isr) = self.protocol.moving.ends_with(&target, &self.isr, &self.removing) else { return };
        (self.replicas, self.isr) = (target, isr);
        (self.adding, self.removing) = (Vec::new(), Vec::new());
    }

    /// R80: who is not in sync, and was when nothing more could be committed without it.
    fn eligible(&self) -> Vec<BrokerId> {
        if !self.protocol.candidates.has_elr() || self.has_enough_in_sync() {
            return Vec::new();
        }
        let candidates: BTreeSet<BrokerId> = self.before.elr.iter().chain(&self.before.isr).copied().collect();
        let stays = |broker: &BrokerId| {
            self.replicas.contains(broker) && !self.isr.contains(broker) && Some(*broker) != self.distrusted
        };
        candidates.into_iter().filter(stays).collect()
    }

    /// R81: by the assignment to come.
    fn has_enough_in_sync(&self) -> bool {
        let enough = usize::try_from(self.min_insync_replicas).unwrap_or(usize::MAX);
        self.isr.len() >= enough.min(self.replicas.len())
    }

    fn elect(&self, elr: &[BrokerId]) -> Option<Elected> {
        let (present, preferred) = (self.before.leader, self.replicas.first().copied());
        match self.choice {
            Choice::Online => self.elect_favouring(present, elr, false),
            Choice::OnlineOrUnclean => self.elect_favouring(present, elr, true),
            Choice::Preferred => self
                .elect_favouring(preferred, elr, false)
                .filter(|elected| Some(elected.leader) == preferred && !elected.unclean)
                .or_else(|| self.elect_favouring(present, elr, false)),
        }
    }

    /// R77: one that has everything, else the last leader known, else anybody where that is allowed.
    fn elect_favouring(&self, favourite: Option<BrokerId>, elr: &[BrokerId], unclean_allowed: bool) -> Option<Elected> {
        let has_everything = if self.isr.is_empty() { elr } else { &self.isr };
        let elect = |unclean_allowed| {
            let election = self.protocol.election;
            election.elect(favourite, &self.replicas, has_everything, self.acceptable, unclean_allowed)
        };
        elect(false).or_else(|| self.last_known_leader(elr)).or_else(|| elect(unclean_allowed))
    }

    /// R82: when nobody is in sync or eligible. It may have lost what it had, so this is an unclean election; that it must be
    /// there at all was forgotten at first (KAFKA-19522).
    fn last_known_leader(&self, elr: &[BrokerId]) -> Option<Elected> {
        match self.before.last_known_elr[..] {
            [leader] if self.isr.is_empty() && elr.is_empty() && (self.acceptable)(leader) => {
                Some(Elected { leader, unclean: true })
            }
            _ => None,
        }
    }

    fn record(self, leader: Option<BrokerId>, elr: Vec<BrokerId>) -> Option<MetadataRecord> {
        let last_known = self.last_known_after(leader);
        let before = self.before;
        let has_elr = self.protocol.candidates.has_elr();
        let lost_a_replica = before.replicas.iter().any(|replica| !self.replicas.contains(replica));
        // Whoever was removed must not go on for a leader that stays (step 4).
        let leader_changes = leader != before.leader || (lost_a_replica && self.protocol.moving.ends_the_epoch());
        // Step 6: without eligible leader replicas an ISR is never empty, as its last member is the only one that is known to
        // have all that was committed (R83).
        let isr_may_be_written = has_elr || !self.isr.is_empty();
        let changed = |new: Vec<BrokerId>, old: &Vec<BrokerId>| Some(new).filter(|new| new != old);
        let change = PartitionChange {
            partition: before.partition,
            leader: leader_changes.then_some(leader),
            isr: changed(self.isr, &before.isr).filter(|_| isr_may_be_written),
            recovery_state: Some(self.recovery_state).filter(|&state| state != before.recovery_state),
            replicas: changed(self.replicas, &before.replicas),
            adding: changed(self.adding, &before.adding),
            removing: changed(self.removing, &before.removing),
            elr: changed(elr, &before.elr),
            last_known_elr: changed(last_known, &before.last_known_elr),
        };
        (change != PartitionChange::of(before.partition)).then_some(MetadataRecord::PartitionChange(change))
    }

    /// R82: whoever led last, from the time on when nobody is in sync, until somebody leads.
    fn last_known_after(&self, leader: Option<BrokerId>) -> Vec<BrokerId> {
        if !self.protocol.candidates.has_elr() || leader.is_some() {
            return Vec::new();
        }
        match self.before.leader {
            Some(last) if self.isr.is_empty() => vec![last],
            _ => self.before.last_known_elr.clone(),
        }
    }
}
