//! Logs agree: one leader writes in an epoch, and whoever has its records has them at the same places with the same
//! past. In-sync replicas never cut what is committed.
//!
//! Implements R124, W1, W3, W9, W16, and of R122 what a truncation can break. Compares each new batch with the one its
//! leader wrote, never whole logs.

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, LeaderEpoch};

use super::replicas::{Replicas, Written};
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log as it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opened<'a> {
    /// Log start offset.
    pub start: EndOffset,
    /// Log end offset.
    pub end: EndOffset,
    /// The recovery point.
    pub recovery_point: EndOffset,
    /// The high watermark from the checkpoint.
    pub high_watermark: EndOffset,
    /// Everything in it.
    pub batches: &'a [BatchId],
    /// The leader-epoch cache.
    pub epochs: &'a [(LeaderEpoch, EndOffset)],
}

/// A broker opened a log, at its start or a new one. What was committed must still be there, unless the power went.
pub(crate) fn opened(shared: &mut Replicas, place: usize, broker: BrokerId, log: &Opened<'_>, verdicts: &mut Verdicts) {
    let rotten = shared.known_broker(broker).is_some_and(|known| known.rotten);
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let named = view.named.clone();
    let committed = std::mem::take(&mut view.committed);
    let replica = view.replica(broker);
    let same = replica.batches.iter().zip(log.batches).take_while(|(before, now)| before == now).count();
    let (was_known, hurt, distrusted) = (replica.known, replica.hurt, replica.distrusted);
    let safe = replica.agreed(&committed);
    replica.open(log.start, log.end, log.batches, &committed);
    replica.flushed = log.recovery_point;
    replica.high_watermark = log.high_watermark;
    let gone = committed[..safe].get(replica.agreed(&committed)).copied();
    view.committed = committed;
    if was_known {
        verdicts.exercised(Guarantee::LeaderCompleteness);
    }
    if let Some(gone) = gone
        && hurt.is_none_or(|hurt| gone.end() <= hurt.from)
        && !rotten
    {
        let (guarantee, kind) = match hurt {
            None => (Guarantee::Durability, "restart-lost-committed-record"),
            Some(_) => (Guarantee::PowerLoss, "power-loss-took-synced-record"),
        };
        verdicts.broken(guarantee, kind, || {
            format!("{broker} opened {partition} without the committed record at {}, which it had and kept", gone.base)
        });
    }
    let increasing = log.epochs.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
    verdicts.demand(Guarantee::LogMatching, increasing, "epoch-cache-out-of-order", || {
        format!("{broker} opened {partition} with the leader epochs {:?}", log.epochs)
    });
    for batch in log.batches.iter().skip(same) {
        let led_by_it = named.iter().any(|&(epoch, leader)| epoch == batch.epoch && leader == Some(broker));
        recognise(shared, place, broker, *batch, led_by_it, distrusted, verdicts);
    }
}

/// A batch turns up in a log that was opened. Its leader may have died between the write and the note of it.
fn recognise(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    batch: BatchId,
    led_by_it: bool,
    distrusted: bool,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let known =
        view.epoch_mut(batch.epoch).and_then(|epoch| epoch.position(batch.base).map(|at| epoch.batches[at].batch));
    match known {
        Some(known) => {
            verdicts.demand(Guarantee::LogMatching, known == batch, "same-offset-and-epoch-other-record", || {
                format!("{broker} opened {partition} with another record at {} of epoch {}", batch.base, batch.epoch)
            })
        }
        None if led_by_it => {
            let view = &mut shared.partitions[place];
            if view.acts_as_leader(broker, batch.epoch).is_none()
                && let Some(epoch) = view.epoch_mut(batch.epoch)
                && epoch.batches.last().is_none_or(|last| last.batch.end() <= batch.base.bound())
            {
                epoch.batches.push(super::partition::Canonical { batch, answered: false });
            }
        }
        None if distrusted => {}
        None => verdicts.broken(Guarantee::NothingMadeUp, "record-from-nowhere", || {
            format!(
                "{broker} opened {partition} with a record at {} that no leader of epoch {} wrote",
                batch.base, batch.epoch
            )
        }),
    }
}

/// A leader appended.
pub(crate) fn appended_as_leader(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    epoch: LeaderEpoch,
    batch: BatchId,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let end = view.replica(broker).end;
    verdicts.exercised(Guarantee::OneLeader);
    if end.next() != batch.base || batch.epoch != epoch {
        verdicts.broken(Guarantee::LogMatching, "hole-in-log", || {
            format!("{broker} appended {} of epoch {} to {partition}, which ended at {end}", batch.base, batch.epoch)
        });
    }
    match view.write(broker, epoch, batch) {
        Written::Here => {}
        Written::LedByOther(other) => verdicts.broken(Guarantee::OneLeader, "two-leaders-in-epoch", || {
            format!("{broker} and {other} both wrote as leaders of {partition} in epoch {epoch}")
        }),
        Written::Again(last) => verdicts.broken(Guarantee::LogMatching, "epoch-written-twice", || {
            format!(
                "{broker} wrote {} in epoch {epoch} of {partition}, which went up to {} before",
                batch.base,
                last.end()
            )
        }),
    }
}

/// A follower appended what it fetched.
pub(crate) fn appended_as_follower(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    batch: BatchId,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let found = view.epoch_mut(batch.epoch).and_then(|epoch| {
        let at = epoch.position(batch.base)?;
        Some((epoch.batches[at].batch, epoch.predecessor(at)))
    });
    let replica = view.replica(broker);
    let (end, before, distrusted) = (replica.end, replica.batches.last().copied(), replica.distrusted);
    verdicts.exercised(Guarantee::LogMatching);
    verdicts.exercised(Guarantee::NothingMadeUp);
    if end.next() != batch.base {
        verdicts.broken(Guarantee::LogMatching, "hole-in-log", || {
            format!("{broker} appended {} to {partition}, which ended at {end}", batch.base)
        });
    }
    match found {
        None => verdicts.broken(Guarantee::NothingMadeUp, "record-from-nowhere", || {
            format!(
                "{broker} appended a record at {} of {partition} that no leader of epoch {} wrote",
                batch.base, batch.epoch
            )
        }),
        Some((written, _)) if written != batch => {
            verdicts.broken(Guarantee::LogMatching, "same-offset-and-epoch-other-record", || {
                format!("{broker} appended another record at {} of epoch {} to {partition}", batch.base, batch.epoch)
            });
        }
        Some((_, past)) if past != before && !distrusted => {
            verdicts.broken(Guarantee::LogMatching, "same-offset-and-epoch-other-past", || {
                format!(
                    "{broker} has the record at {} of epoch {} of {partition}, but not what its leader had before it",
                    batch.base, batch.epoch
                )
            });
        }
        Some(_) => {}
    }
    view.replica(broker).append(batch);
}

/// A replica threw its log away and starts again, empty.
pub(crate) fn restarted(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    epoch: LeaderEpoch,
    start: EndOffset,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let deleted = view.replica(broker).batches.iter().take_while(|batch| batch.end() <= start).last().copied();
    cut(shared, place, broker, epoch, deleted.map_or(EndOffset::ZERO, |last| last.end()), verdicts);
    let view = &mut shared.partitions[place];
    let committed = std::mem::take(&mut view.committed);
    view.replica(broker).open(start, start, &[], &committed);
    view.committed = committed;
}

/// A replica cut its log.
pub(crate) fn cut(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    epoch: LeaderEpoch,
    end: EndOffset,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let obeys_present_leader = view.epoch() == Some(epoch) && view.isr().contains(&broker);
    let committed = std::mem::take(&mut view.committed);
    let replica = view.replica(broker);
    let had = replica.agreed(&committed);
    replica.cut(end);
    let kept = replica.agreed(&committed);
    let demanded = obeys_present_leader && !replica.distrusted;
    let cut_off = committed[..had].get(kept).copied();
    view.committed = committed;
    if demanded {
        verdicts.exercised(Guarantee::LeaderCompleteness);
        if let Some(cut_off) = cut_off {
            verdicts.broken(Guarantee::LeaderCompleteness, "in-sync-replica-cut-committed-record", || {
                format!(
                    "{broker}, in sync, cut {partition} to {end} and with it the committed record at {}",
                    cut_off.base
                )
            });
        }
    }
}

/// A broker says that it leads: the controller must have named it.
pub(crate) fn led(shared: &mut Replicas, place: usize, broker: BrokerId, epoch: LeaderEpoch, verdicts: &mut Verdicts) {
    let view = &mut shared.partitions[place];
    let (partition, named) = (view.partition, view.named_in(epoch));
    let other = view.acts_as_leader(broker, epoch);
    verdicts.exercised(Guarantee::OneLeader);
    if let Some(other) = other {
        verdicts.broken(Guarantee::OneLeader, "two-leaders-in-epoch", || {
            format!("{broker} and {other} both lead {partition} in epoch {epoch}")
        });
    } else if named.is_some_and(|named| named != Some(broker)) {
        verdicts.broken(Guarantee::OneLeader, "leads-without-mandate", || {
            format!("{broker} leads {partition} in epoch {epoch}, but the controller named {named:?}")
        });
    }
}
