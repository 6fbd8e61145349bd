//! What only a leader knows: when its epoch began, who is in sync, and how far each other replica has come.
//!
//! All of it is memory, and gone when the process dies or the leadership goes (R6). This file does not know how requests
//! arrive or wait, and does no I/O.

use std::time::Duration;

use super::isr::{Isr, count};
use crate::metadata::{PartitionRegistration, RecoveryState};
use crate::names::{BrokerEpoch, BrokerId, EndOffset, LeaderEpoch, PartitionEpoch, Time};
use crate::protocol::{Newcomer, Protocol, WatermarkView};
use crate::wire::{AlterPartitionItem, IsrMember};

/// The role of a replica that leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The log end offset when this epoch began here (LESO, R11).
    pub epoch_start: EndOffset,
    /// Who is in sync.
    pub isr: Isr,
    /// Whether the controller still thinks that this leader recovers from an unclean election; the next proposal says
    /// that it does not (R10).
    pub recovery_state: RecoveryState,
    /// How many replicas the partition has, this one included (R5).
    replication_factor: u32,
    /// The other replicas, in order of assignment.
    others: Vec<Other>,
}

/// Another replica, as far as its fetches have told (R6).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Other {
    id: BrokerId,
    /// Its log end offset; unknown before it has fetched in this leadership (R12, R14).
    end: Option<EndOffset>,
    /// Its log start offset; unknown likewise.
    log_start: Option<EndOffset>,
    /// The broker epoch with which it last fetched.
    fetched_in: Option<BrokerEpoch>,
    last_fetch: Option<Time>,
    /// The leader's own end when that fetch was read.
    leader_end_at_fetch: EndOffset,
    last_caught_up: Option<Time>,
}

/// What a follower's fetch says, once it has been read (R24-R28).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowerFetch {
    /// Who fetched.
    pub from: BrokerId,
    /// In which registration.
    pub broker_epoch: Option<BrokerEpoch>,
    /// From where: its log end offset.
    pub end: EndOffset,
    /// Its log start offset.
    pub log_start: EndOffset,
    /// The leader's log end offset when the fetch was read.
    pub leader_end: EndOffset,
}

/// What a leader must ask its broker's metadata image about another broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Registered, not fenced, not shutting down.
    pub active: bool,
    /// Its registration.
    pub registered_in: Option<BrokerEpoch>,
}

/// What a leader's high watermark depends on besides the leader itself.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The log end offset.
    pub log_end: EndOffset,
    /// The high watermark so far.
    pub high_watermark: EndOffset,
    /// The topic's `min.insync.replicas`, as this broker knows it.
    pub min_insync_replicas: u32,
    /// What the host believes the time is.
    pub now: Time,
    /// `replica.lag.time.max.ms`.
    pub lag: Duration,
}

impl Leader {
    /// Begins a leadership at `epoch_start` (R10-R12).
    #[must_use]
    pub fn begin(own: BrokerId, registration: &PartitionRegistration, epoch_start: EndOffset, now: Time) -> Self {
        let mut leader = Self {
            epoch_start,
            isr: Isr::Settled { members: Vec::new() },
            recovery_state: RecoveryState::Recovered,
            replication_factor: 0,
            others: Vec::new(),
        };
        leader.learn(own, registration, now);
        leader
    }

    /// Takes over a newer registration of the same leadership: only the ISR, the assignment and the partition epoch can
    /// have changed (R11).
    pub fn learn(&mut self, own: BrokerId, registration: &PartitionRegistration, now: Time) {
        self.isr = Isr::Settled { members: registration.isr.clone() };
        self.recovery_state = registration.recovery_state;
        self.replication_factor = count(&registration.replicas);
        let mut known = std::mem::take(&mut self.others);
        for &id in registration.replicas.iter().filter(|&&id| id != own) {
            let in_sync = registration.isr.contains(&id);
            let before = known.iter().position(|other| other.id == id).map(|at| known.swap_remove(at));
            self.others.push(before.unwrap_or_else(|| Other::unknown(id, in_sync.then_some(now))));
        }
    }

    /// The same broker is elected again, in a higher epoch: what the others have is still known, their time to keep up
    /// starts anew (R12).
    pub fn begin_again(&mut self, own: BrokerId, registration: &PartitionRegistration, log_end: EndOffset, now: Time) {
        self.epoch_start = log_end;
        self.learn(own, registration, now);
        for other in &mut self.others {
            let since = registration.isr.contains(&other.id).then_some(now);
            other.leader_end_at_fetch = log_end;
            other.last_fetch = since;
            other.last_caught_up = since;
        }
    }

    /// The effective `min.insync.replicas`: never more than there are replicas (R5).
    #[must_use]
    pub fn min_isr(&self, min_insync_replicas: u32) -> u32 {
        min_insync_replicas.min(self.replication_factor)
    }

    /// Whether this broker is among the replicas.
    #[must_use]
    pub fn has_replica(&self, broker: BrokerId) -> bool {
        self.others.iter().any(|other| other.id == broker)
    }

    /// Counts a fetch (R28). `true` if the follower's log end offset is news.
    pub fn count(&mut self, fetch: &FollowerFetch, now: Time) -> bool {
        let Some(other) = self.others.iter_mut().find(|other| other.id == fetch.from) else { return false };
        if fetch.end >= fetch.leader_end {
            other.last_caught_up = other.last_caught_up.max(Some(now));
        } else if fetch.end >= other.leader_end_at_fetch {
            other.last_caught_up = other.last_caught_up.max(other.last_fetch);
        }
        other.fetched_in = fetch.broker_epoch;
        other.log_start = Some(fetch.log_start);
        other.last_fetch = Some(now);
        other.leader_end_at_fetch = other.leader_end_at_fetch.max(fetch.leader_end);
        other.end.replace(fetch.end) != Some(fetch.end)
    }

    /// Whether this replica, which has just fetched, is to be proposed for the ISR (R47). The caller then calls
    /// [`Isr::grow`].
    #[must_use]
    pub fn may_join(
        &self,
        broker: BrokerId,
        high_watermark: EndOffset,
        standing: Standing,
        protocol: &Protocol,
    ) -> bool {
        if self.isr.is_pending() || self.isr.committed().contains(&broker) {
            return false;
        }
        self.others
            .iter()
            .find(|other| other.id == broker)
            .and_then(|other| self.newcomer(other, high_watermark, standing))
            .is_some_and(|newcomer| protocol.admission.admits(&newcomer))
    }

    /// Members of the ISR that have not caught up for `lag` (R7, R50): all of them at once, never the leader (R51).
    #[must_use]
    pub fn laggards(&self, log_end: EndOffset, now: Time, lag: Duration) -> Vec<BrokerId> {
        let in_sync = self.others.iter().filter(|other| self.isr.committed().contains(&other.id));
        in_sync.filter(|other| !other.is_caught_up(log_end, now, lag)).map(|other| other.id).collect()
    }

    /// How far all have come (R37): the high watermark that is allowed now, or `None`.
    #[must_use]
    pub fn watermark(
        &self,
        view: &View,
        standing: &dyn Fn(BrokerId) -> Standing,
        protocol: &Protocol,
    ) -> Option<EndOffset> {
        let waited_for = |other: &Other| {
            if !protocol.watermark.waits_for_newcomers() {
                return self.isr.committed().contains(&other.id);
            }
            self.isr.requires(other.id, protocol.shrinking)
                || (other.is_caught_up(view.log_end, view.now, view.lag)
                    && self
                        .newcomer(other, view.high_watermark, standing(other.id))
                        .is_some_and(|newcomer| protocol.admission.is_eligible(&newcomer)))
        };
        let mut ends = [EndOffset::ZERO; MOST_REPLICAS];
        let mut count = 0;
        for other in self.others.iter().filter(|other| waited_for(other)).take(MOST_REPLICAS) {
            ends[count] = other.end.unwrap_or_default();
            count += 1;
        }
        protocol.watermark.candidate(&WatermarkView {
            leader_end: view.log_end,
            committed_isr: self.isr.committed_count(),
            min_isr: self.min_isr(view.min_insync_replicas),
            others: &ends[..count],
        })
    }

    /// The lowest log start offset of this leader, whose log begins at `own`, and of the other replicas that are alive;
    /// none before each of those has said its own (L75).
    #[must_use]
    pub fn low_watermark(&self, own: EndOffset, alive: &dyn Fn(BrokerId) -> bool) -> Option<EndOffset> {
        let others = self.others.iter().filter(|other| alive(other.id));
        others.map(|other| other.log_start).try_fold(own, |low, start| start.map(|start| low.min(start)))
    }

    /// The proposal for the controller (R52, R55).
    #[must_use]
    pub fn proposal(
        &self,
        (own, own_epoch): (BrokerId, BrokerEpoch),
        partition: crate::names::Partition,
        leader_epoch: LeaderEpoch,
        partition_epoch: PartitionEpoch,
        protocol: &Protocol,
    ) -> AlterPartitionItem {
        let fetched_in =
            |id: BrokerId| self.others.iter().find(|other| other.id == id).and_then(|other| other.fetched_in);
        let member = |id: BrokerId| IsrMember {
            id,
            epoch: if !protocol.admission.names_broker_epochs() {
                None
            } else if id == own {
                Some(own_epoch)
            } else {
                fetched_in(id)
            },
        };
        AlterPartitionItem {
            partition,
            leader_epoch,
            partition_epoch,
            new_isr: self.isr.proposed().into_iter().map(member).collect(),
            recovery_state: RecoveryState::Recovered,
        }
    }

    fn newcomer(&self, other: &Other, high_watermark: EndOffset, standing: Standing) -> Option<Newcomer> {
        Some(Newcomer {
            end: other.end?,
            high_watermark,
            epoch_start: self.epoch_start,
            active: standing.active,
            fetched_in: other.fetched_in,
            registered_in: standing.registered_in,
        })
    }
}

/// More replicas than any partition has; a bound that lets the watermark be computed without allocating.
const MOST_REPLICAS: usize = 64;

impl Other {
    fn unknown(id: BrokerId, caught_up: Option<Time>) -> Self {
        Self {
            id,
            end: None,
            log_start: None,
            fetched_in: None,
            last_fetch: None,
            leader_end_at_fetch: EndOffset::ZERO,
            last_caught_up: caught_up,
        }
    }

    /// R7. The test of equality needs no recency: while nothing is produced a dead follower stays caught up, and it is
    /// the controller's fencing that removes it.
    fn is_caught_up(&self, log_end: EndOffset, now: Time, lag: Duration) -> bool {
        self.end == Some(log_end) || self.last_caught_up.is_some_and(|at| now.since(at) <= lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{Partition, TopicId};

    const LAG: Duration = Duration::from_secs(30);
    const ACTIVE: Standing = Standing { active: true, registered_in: Some(BrokerEpoch(7)) };

    fn registration(isr: &[u32]) -> PartitionRegistration {
        PartitionRegistration {
            partition: Partition { topic: TopicId(1), index: 0 },
            replicas: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
            isr: isr.iter().copied().map(BrokerId).collect(),
            leader: Some(BrokerId(1)),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            recovery_state: RecoveryState::Recovered,
            adding: Vec::new(),
            removing: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    fn leader(isr: &[u32], start: u64) -> Leader {
        Leader::begin(BrokerId(1), &registration(isr), EndOffset(start), Time(0))
    }

    fn fetch(from: u32, end: u64, leader_end: u64) -> FollowerFetch {
        FollowerFetch {
            from: BrokerId(from),
            broker_epoch: Some(BrokerEpoch(7)),
            end: EndOffset(end),
            log_start: EndOffset::ZERO,
            leader_end: EndOffset(leader_end),
        }
    }

    fn watermark(leader: &Leader, end: u64, min_isr: u32) -> Option<EndOffset> {
        let view = View {
            log_end: EndOffset(end),
            high_watermark: EndOffset::ZERO,
            min_insync_replicas: min_isr,
            now: Time(0),
            lag: LAG,
        };
        leader.watermark(&view, &|_| ACTIVE, &Protocol::LATEST)
    }

    #[test]
    fn the_high_watermark_waits_for_the_slowest_in_sync_replica() {
        let mut leader = leader(&[1, 2, 3], 0);
        leader.count(&fetch(2, 5, 5), Time(1));
        assert_eq!(watermark(&leader, 5, 2), Some(EndOffset(0)), "b3 has not fetched in this epoch yet (R14)");
        leader.count(&fetch(3, 3, 5), Time(1));
        assert_eq!(watermark(&leader, 5, 2), Some(EndOffset(3)));
    }

    #[test]
    fn the_high_watermark_stands_still_below_min_insync_replicas() {
        let leader = leader(&[1], 0);
        assert_eq!(watermark(&leader, 5, 2), None);
        assert_eq!(watermark(&leader, 5, 1), Some(EndOffset(5)));
    }

    #[test]
    fn min_insync_replicas_is_never_more_than_there_are_replicas() {
        assert_eq!(leader(&[1], 0).min_isr(9), 3);
    }

    #[test]
    fn a_follower_joins_only_from_the_start_of_the_epoch_on() {
        let mut leader = leader(&[1], 120);
        leader.count(&fetch(3, 105, 120), Time(1));
        assert!(!leader.may_join(BrokerId(3), EndOffset(100), ACTIVE, &Protocol::LATEST), "T12, KAFKA-7128");
        leader.count(&fetch(3, 120, 120), Time(2));
        assert!(leader.may_join(BrokerId(3), EndOffset(100), ACTIVE, &Protocol::LATEST));
    }

    #[test]
    fn a_follower_of_an_earlier_registration_does_not_join() {
        let mut leader = leader(&[1], 0);
        leader.count(&fetch(2, 0, 0), Time(1));
        let rebooted = Standing { active: true, registered_in: Some(BrokerEpoch(9)) };
        assert!(!leader.may_join(BrokerId(2), EndOffset(0), rebooted, &Protocol::LATEST), "KIP-903");
    }

    #[test]
    fn the_low_watermark_is_the_lowest_start_of_all_live_replicas() {
        let mut leader = leader(&[1, 2, 3], 0);
        let low = |leader: &Leader, alive: &[u32]| leader.low_watermark(EndOffset(7), &|id| alive.contains(&id.0));
        assert_eq!(low(&leader, &[2, 3]), None, "nobody has said anything");
        assert_eq!(low(&leader, &[]), Some(EndOffset(7)), "who is not alive is not waited for");
        leader.count(&FollowerFetch { log_start: EndOffset(5), ..fetch(2, 8, 9) }, Time(1));
        assert_eq!((low(&leader, &[2, 3]), low(&leader, &[2])), (None, Some(EndOffset(5))));
        leader.count(&FollowerFetch { log_start: EndOffset(9), ..fetch(3, 9, 9) }, Time(1));
        assert_eq!((low(&leader, &[2, 3]), low(&leader, &[3])), (Some(EndOffset(5)), Some(EndOffset(7))));
    }

    #[test]
    fn a_silent_follower_lags_once_there_is_something_to_fetch() {
        let mut leader = leader(&[1, 2], 0);
        leader.count(&fetch(2, 4, 4), Time(0));
        let late = Time(0) + LAG + Duration::from_millis(1);
        assert_eq!(leader.laggards(EndOffset(4), late, LAG), [], "equality needs no recency (R7)");
        assert_eq!(leader.laggards(EndOffset(5), late, LAG), [BrokerId(2)]);
    }

    #[test]
    fn a_follower_that_reads_what_there_was_keeps_up() {
        let mut leader = leader(&[1, 2], 0);
        leader.count(&fetch(2, 0, 10), Time(0));
        leader.count(&fetch(2, 10, 20), Time(0) + LAG / 2);
        leader.count(&fetch(2, 20, 30), Time(0) + LAG);
        let now = Time(0) + LAG + LAG / 2;
        assert_eq!(leader.laggards(EndOffset(40), now, LAG), [], "it had all that there was half a lag ago");
        assert_eq!(leader.laggards(EndOffset(40), now + Duration::from_millis(1), LAG), [BrokerId(2)]);
    }
}
