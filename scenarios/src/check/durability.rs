//! Nothing committed is lost: whoever is elected has all of it, and what was acknowledged is there at the end.
//!
//! A loss within the contract (unclean election where it is allowed, no in-sync replica left) is counted and no
//! violation. Implements G6, G7, G9, R121, R125, W8. Reads replicas, never clients' histories.

use std::collections::BTreeMap;

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, LeaderEpoch};
use serde::{Deserialize, Serialize};

use super::partition::PartitionView;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;
use crate::promise::{Election, Excuse};

/// What a run lost, within the contract or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossSummary {
    /// Records that were ever committed.
    pub committed: u64,
    /// Committed records that an elected leader did not have, or that no disk has at the end.
    pub lost: u64,
    /// Those of them that the contract excuses.
    pub excused: u64,
    /// Committed records that are on a disk at the end, but on none that may lead (G8).
    pub unavailable: u64,
    /// Records that producers knew to be acknowledged with `acks=all`.
    pub acknowledged: u64,
    /// Those of them that nobody can read at the end and no leader has.
    pub acknowledged_lost: u64,
    /// Records acknowledged with `acks=1` that no leader has at the end.
    pub acknowledged_by_leader_lost: u64,
    /// Records sent with `acks=0` that nobody has read.
    pub unacknowledged_lost: u64,
    /// How many of `lost` and `unavailable`, by reason.
    pub reasons: BTreeMap<String, u64>,
}

/// Looks at whoever is elected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durability {
    ended: Option<LossSummary>,
}

/// Why nobody may lead a partition.
const NOBODY_IN_SYNC: &str = "no in-sync replica is left";
/// For a loss that nothing excuses.
const UNEXCUSED: &str = "not within the contract";

impl Durability {
    /// A broker says that it leads. If it does, it must have everything that is committed or was acknowledged.
    pub(crate) fn led(
        &mut self,
        shared: &mut Replicas,
        (place, broker, epoch): (usize, BrokerId, LeaderEpoch),
        verdicts: &mut Verdicts,
    ) {
        if !shared.partitions[place].is_legitimate(broker, epoch) {
            return;
        }
        count_premises(shared, place, verdicts);
        let view = &mut shared.partitions[place];
        let unclean = view.election.unclean;
        let first_missing = view.first_missing(broker);
        let owed = std::mem::take(&mut view.owed);
        if first_missing.is_some() || !owed.is_empty() {
            let electorate = if view.election.taken_up { view.isr() } else { &view.election.electorate }.to_vec();
            judge_missing(shared, (place, broker, epoch), &electorate, verdicts);
            judge_owed(shared, (place, broker, epoch), &electorate, &owed, verdicts);
        }
        let view = &mut shared.partitions[place];
        if unclean {
            view.distrust_all_but(broker);
        }
        view.election.taken_up = true;
        view.election.unclean = false;
        view.replica(broker).trust();
    }

    /// `acks=all` was answered without an error, and the batch is not committed: it is owed.
    pub(crate) fn owes(&mut self, view: &mut PartitionView, batch: BatchId) {
        view.owed.push(batch);
    }

    /// The run is over: counts what is left.
    pub(crate) fn end(&mut self, shared: &mut Replicas) {
        let mut summary = LossSummary::default();
        for place in 0..shared.partitions.len() {
            let leaderless = is_leaderless(shared, place);
            let view = &shared.partitions[place];
            for &(batch, excuse) in &view.lost {
                summary.committed += u64::from(batch.records);
                summary.lose(batch, excuse);
            }
            for batch in &view.committed {
                summary.committed += u64::from(batch.records);
                if view.topic_deleted {
                    summary.lose(*batch, Some(Excuse::TopicDeleted));
                } else if leaderless && !nobody_has(shared, place, batch) {
                    summary.unavailable += u64::from(batch.records);
                    summary.because(NOBODY_IN_SYNC, batch);
                } else if leaderless {
                    summary.lose(*batch, Some(Excuse::NoReplicaLeft));
                }
            }
        }
        self.ended = Some(summary);
    }

    /// What was lost, for the counts that only clients' histories can add.
    pub(crate) fn summary_mut(&mut self) -> Option<&mut LossSummary> {
        self.ended.as_mut()
    }

    /// What was lost; before the end, what elections have shown so far.
    pub(crate) fn summary(&self, shared: &Replicas) -> LossSummary {
        if let Some(summary) = &self.ended {
            return summary.clone();
        }
        let mut so_far = LossSummary::default();
        for view in &shared.partitions {
            so_far.committed += view.committed.iter().map(|batch| u64::from(batch.records)).sum::<u64>();
            for &(batch, excuse) in &view.lost {
                so_far.committed += u64::from(batch.records);
                so_far.lose(batch, excuse);
            }
        }
        so_far
    }
}

impl LossSummary {
    fn lose(&mut self, batch: BatchId, excuse: Option<Excuse>) {
        self.lost += u64::from(batch.records);
        if excuse.is_some() {
            self.excused += u64::from(batch.records);
        }
        self.because(excuse.map_or(UNEXCUSED, Excuse::reason), &batch);
    }

    fn because(&mut self, reason: &str, batch: &BatchId) {
        *self.reasons.entry(reason.to_owned()).or_default() += u64::from(batch.records);
    }
}

/// Under which promise a loss of this partition falls: by what befell its replicas so far.
pub(crate) fn guarantee_at_stake(shared: &Replicas, place: usize) -> Guarantee {
    let view = &shared.partitions[place];
    let replicas = view.registration.as_ref().map_or(&[][..], |registration| &registration.replicas);
    let any = |had: fn(&super::replicas::BrokerView) -> bool| {
        replicas.iter().any(|id| shared.known_broker(*id).is_some_and(had))
    };
    if view.replicas.iter().any(|replica| replica.hurt.is_some_and(|hurt| hurt.by_power)) {
        Guarantee::PowerLoss
    } else if any(|broker| broker.destroyed || broker.wiped) {
        Guarantee::NMinusOne
    } else if any(|broker| broker.lost_power) {
        Guarantee::PowerLoss
    } else {
        Guarantee::Durability
    }
}

/// Whether nobody leads the partition and no member of its ISR can come back with its disk.
pub(crate) fn is_leaderless(shared: &Replicas, place: usize) -> bool {
    let view = &shared.partitions[place];
    let gone = |id: &BrokerId| shared.known_broker(*id).is_some_and(|broker| broker.destroyed);
    view.registration.as_ref().is_some_and(|registration| registration.isr.iter().all(gone))
}

/// Whether a lossy failure may have taken the batch from this broker since it had it.
pub(crate) fn may_have_lost(shared: &Replicas, place: usize, broker: BrokerId, batch: &BatchId) -> bool {
    let gone = shared.known_broker(broker).is_some_and(|broker| broker.destroyed || broker.rotten);
    gone || shared.partitions[place].known(broker).is_some_and(|replica| replica.may_have_lost(batch))
}

fn nobody_has(shared: &Replicas, place: usize, batch: &BatchId) -> bool {
    let mut holders = shared.partitions[place].replicas.iter().enumerate();
    !holders.any(|(slot, replica)| {
        let alive = shared.brokers.get(slot).is_some_and(|broker| broker.known && !broker.destroyed);
        alive && replica.has(batch)
    })
}

fn count_premises(shared: &Replicas, place: usize, verdicts: &mut Verdicts) {
    let view = &shared.partitions[place];
    if view.committed.is_empty() {
        return;
    }
    verdicts.exercised(Guarantee::Durability);
    let replicas = view.registration.as_ref().map_or(&[][..], |registration| &registration.replicas);
    let brokers = || replicas.iter().filter_map(|id| shared.known_broker(*id));
    if brokers().any(|broker| broker.destroyed || broker.wiped) {
        verdicts.exercised(Guarantee::NMinusOne);
    }
    if brokers().any(|broker| broker.lost_power) {
        verdicts.exercised(Guarantee::PowerLoss);
    }
}

fn judge_missing(
    shared: &mut Replicas,
    (place, broker, epoch): (usize, BrokerId, LeaderEpoch),
    electorate: &[BrokerId],
    verdicts: &mut Verdicts,
) {
    let Some(first) = shared.partitions[place].first_missing(broker) else { return };
    let excuse = excuse(shared, place, electorate, &first);
    if excuse.is_none() {
        let view = &shared.partitions[place];
        let has = view.known(broker).map_or(EndOffset::ZERO, |replica| replica.end);
        let (partition, end) = (view.partition, view.committed_end());
        let kind = if view.election.taken_up {
            "leader-lost-committed-record"
        } else {
            "elected-leader-lacks-committed-record"
        };
        verdicts.broken(guarantee_at_stake(shared, place), kind, || {
            format!(
                "{broker} leads {partition} in epoch {epoch}, its log ends at {has} and lacks what was committed at \
                 {} in epoch {} (committed up to {end})",
                first.base, first.epoch
            )
        });
    }
    shared.partitions[place].break_history(broker, excuse);
}

fn judge_owed(
    shared: &mut Replicas,
    (place, broker, epoch): (usize, BrokerId, LeaderEpoch),
    electorate: &[BrokerId],
    owed: &[BatchId],
    verdicts: &mut Verdicts,
) {
    for batch in owed {
        let view = &mut shared.partitions[place];
        if view.replica(broker).has(batch) {
            if view.committed_end() < batch.end() {
                view.owed.push(*batch);
            }
            continue;
        }
        let partition = view.partition;
        let excuse = excuse(shared, place, electorate, batch);
        if excuse.is_none() && !shared.partitions[place].lost.iter().any(|(lost, _)| lost == batch) {
            verdicts.broken(guarantee_at_stake(shared, place), "elected-leader-lacks-acked-record", || {
                format!(
                    "{broker} leads {partition} in epoch {epoch} without the record at {} of epoch {}, which was \
                     acknowledged with acks=all",
                    batch.base, batch.epoch
                )
            });
        }
        shared.partitions[place].lost.push((*batch, excuse));
    }
}

fn excuse(shared: &Replicas, place: usize, electorate: &[BrokerId], batch: &BatchId) -> Option<Excuse> {
    let view = &shared.partitions[place];
    shared.promise.excuse(Election {
        unclean_allowed: view.promise.unclean_election,
        unclean: view.election.unclean,
        all_lost_it: electorate.iter().all(|member| may_have_lost(shared, place, *member, batch)),
    })
}
