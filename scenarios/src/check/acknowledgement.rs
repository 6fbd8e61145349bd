//! Answers to producers: what was promised with `NONE`, and what was refused.
//!
//! Implements W17, R62, R63a, G16, mission 8. An answer may leave later than it was decided, because a request waits for
//! all its partitions; so it is compared with what is committed, not with what its leader knows by then.

use model::config::Acks;
use model::event::Event;
use model::log::BatchId;
use model::names::{BrokerId, LeaderEpoch, Offset};
use model::wire::ErrorCode;

use super::durability::{Durability, may_have_lost};
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// An answer to a produce.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    /// Who answered.
    pub broker: BrokerId,
    /// In which epoch.
    pub epoch: LeaderEpoch,
    /// What was asked for.
    pub acks: Acks,
    /// What was appended.
    pub batch: Option<BatchId>,
    /// What was answered.
    pub error: ErrorCode,
    /// The effective `min.insync.replicas`.
    pub min_isr: u32,
}

impl Answer {
    /// Reads it from the event.
    pub(crate) fn of(broker: BrokerId, event: &Event) -> Option<Self> {
        let Event::ProduceAnswered { epoch, acks, batch, error, min_isr, .. } = event else { return None };
        Some(Self { broker, epoch: *epoch, acks: *acks, batch: *batch, error: *error, min_isr: *min_isr })
    }
}

/// A broker answered a producer.
pub(crate) fn answered(
    shared: &mut Replicas,
    place: usize,
    answer: &Answer,
    durability: &mut Durability,
    verdicts: &mut Verdicts,
) {
    match (answer.error, answer.batch) {
        (ErrorCode::None, Some(batch)) => accepted(shared, place, answer, batch, durability, verdicts),
        (ErrorCode::None, None) => verdicts.broken(of(answer.acks), "acknowledged-nothing", || {
            format!("{} answered NONE and had appended nothing", answer.broker)
        }),
        (ErrorCode::NotEnoughReplicas, batch) => refused(shared, place, answer, batch, verdicts),
        (ErrorCode::NotEnoughReplicasAfterAppend, None) => {
            verdicts.broken(Guarantee::MinIsr, "refused-after-append-of-nothing", || {
                format!("{} answered NOT_ENOUGH_REPLICAS_AFTER_APPEND and had appended nothing", answer.broker)
            });
        }
        _ => {}
    }
    if answer.acks == Acks::All
        && let Some(batch) = answer.batch
    {
        appended_with_enough_in_sync(shared, place, answer, batch, verdicts);
    }
}

fn of(acks: Acks) -> Guarantee {
    match acks {
        Acks::All => Guarantee::AcksAll,
        Acks::Leader => Guarantee::AcksOne,
        Acks::None => Guarantee::AcksNone,
    }
}

fn accepted(
    shared: &mut Replicas,
    place: usize,
    answer: &Answer,
    batch: BatchId,
    durability: &mut Durability,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    if let Some(written) = view.written(batch.base, batch.crc) {
        written.answered = true;
    }
    verdicts.exercised(of(answer.acks));
    if answer.acks != Acks::All {
        let broker = answer.broker;
        let has = view.replica(broker).has(&batch) || answer.epoch != batch.epoch;
        let partition = view.partition;
        if !has {
            verdicts.broken(of(answer.acks), "acknowledged-without-append", || {
                format!("{broker} acknowledged {} of {partition} and does not have it", batch.base)
            });
        }
        return;
    }
    if view.replica(answer.broker).distrusted || view.is_history_broken_at(batch.base) {
        return;
    }
    if !is_committed(&view.committed, &batch) {
        let (partition, end) = (view.partition, view.committed_end());
        verdicts.broken(Guarantee::AcksAll, "acknowledged-before-committed", || {
            format!(
                "{} acknowledged {} of {partition} with acks=all, and {end} is all that is committed",
                answer.broker, batch.base
            )
        });
        durability.owes(view, batch);
    }
    let holders = holders(shared, place, &batch);
    verdicts.demand(Guarantee::MinIsr, holders >= answer.min_isr, "acknowledged-on-too-few", || {
        format!(
            "{} acknowledged {} of {} with acks=all, which {holders} replicas have; min.insync.replicas is {}",
            answer.broker, batch.base, shared.partitions[place].partition, answer.min_isr
        )
    });
}

fn is_committed(committed: &[BatchId], batch: &BatchId) -> bool {
    for known in committed.iter().rev().take(8) {
        if known.base == batch.base {
            return known == batch;
        }
    }
    committed.binary_search_by_key(&batch.base, |known| known.base).is_ok_and(|at| committed[at] == *batch)
}

fn holders(shared: &Replicas, place: usize, batch: &BatchId) -> u32 {
    let view = &shared.partitions[place];
    let replicas = view.replicas.iter().enumerate().filter(|(_, replica)| replica.known);
    let holding = replicas.filter(|(slot, replica)| {
        let lost = || u32::try_from(*slot).is_ok_and(|id| may_have_lost(shared, place, BrokerId(id), batch));
        replica.has(batch) || lost()
    });
    u32::try_from(holding.count()).unwrap_or(u32::MAX)
}

/// `NOT_ENOUGH_REPLICAS` says that nothing was appended, is only for `acks=all`, and needs a cause.
fn refused(shared: &Replicas, place: usize, answer: &Answer, batch: Option<BatchId>, verdicts: &mut Verdicts) {
    let view = &shared.partitions[place];
    let partition = view.partition;
    verdicts.demand(Guarantee::MinIsr, batch.is_none(), "refused-but-appended", || {
        format!("{} answered NOT_ENOUGH_REPLICAS for {partition} and appended", answer.broker)
    });
    verdicts.demand(Guarantee::MinIsr, answer.acks == Acks::All, "other-acks-refused", || {
        format!("{} refused {:?} on {partition} for want of in-sync replicas", answer.broker, answer.acks)
    });
    let leader = view.known(answer.broker).and_then(|replica| replica.leader());
    // The minimum may have been raised since, and lowered again.
    let was_enough = |in_sync: u32| in_sync >= view.highest_min_isr();
    // Of a topic that is deleted it is not known any more how many replicas it had; whoever has not heard goes on.
    let without_cause = !view.topic_deleted
        && leader.is_some_and(|leader| {
            leader.epoch == answer.epoch && !leader.ever_below_minimum && was_enough(leader.in_sync)
        });
    verdicts.demand(Guarantee::MinIsr, !without_cause, "refused-without-cause", || {
        format!(
            "{} answered NOT_ENOUGH_REPLICAS for {partition}, and its ISR was never below {} in epoch {}",
            answer.broker, answer.min_isr, answer.epoch
        )
    });
}

/// With `acks=all` nothing is appended while the in-sync set is too small (R62).
fn appended_with_enough_in_sync(
    shared: &Replicas,
    place: usize,
    answer: &Answer,
    batch: BatchId,
    verdicts: &mut Verdicts,
) {
    let view = &shared.partitions[place];
    let Some(leader) = view.known(answer.broker).and_then(|replica| replica.leader()) else { return };
    // The minimum may have been lowered since.
    let below = leader.in_sync < view.min_isr() && leader.epoch == batch.epoch;
    let Some(since) = leader.below_minimum_since.filter(|_| below) else { return };
    verdicts.demand(Guarantee::MinIsr, batch.base.bound() < since, "appended-below-min-isr", || {
        format!(
            "{} appended {} to {} for acks=all with {} in-sync replicas; min.insync.replicas is {}",
            answer.broker, batch.base, view.partition, leader.in_sync, answer.min_isr
        )
    });
}

/// A producer says that a record is acknowledged: a broker must have said so, of this very batch.
pub(crate) fn acked(
    shared: &mut Replicas,
    place: usize,
    (acks, base, crc): (Acks, Option<Offset>, u32),
    verdicts: &mut Verdicts,
) {
    if acks == Acks::None {
        return;
    }
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let answered = base.is_some_and(|base| view.written(base, crc).is_some_and(|written| written.answered));
    verdicts.demand(of(acks), answered, "acked-without-answer", || {
        format!(
            "a producer takes the batch {crc:08x} at {base:?} of {partition} for acknowledged, and no broker said so"
        )
    });
}
