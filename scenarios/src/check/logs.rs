//! Logs agree: one leader writes in an epoch, and whoever has its records has them at the same places with the same
//! past. In-sync replicas never cut what is committed.
//!
//! Implements R124, W1, W3, W9, W16, and of R122 what a truncation can break. Compares each new batch with the one its
//! leader wrote, never whole logs.

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, LeaderEpoch};

use super::replica::Left;
use super::replicas::{Replicas, Written};
use super::storage::{DiskView, Reopened};
use super::verdicts::Verdicts;
use super::{compaction, derived, recovery, retention, storage};
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
    let disk = DiskView::of(shared, broker);
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let named = view.named.clone();
    let safe = view.replica_agreed(broker);
    retention::reopened(view, log.start);
    compaction::reopened(view, broker, log.end, log.batches);
    let was = view.replica(broker).clone();
    // A log that ends below where its leader's begins is thrown away, segment after segment (L42): who dies amid that has said
    // nothing of it, and all of it was deleted by right.
    let thrown_away = disk.died_in_call && was.end <= view.released;
    let before = view.open(broker, (log.start, log.end), log.batches);
    derived::opened(view, broker, log, disk, verdicts);
    let agreed = view.replica_agreed(broker);
    let gone = view.committed[..safe].get(agreed).copied();
    let replica = view.replica(broker);
    replica.high_watermark = log.high_watermark;
    if was.known {
        verdicts.exercised(Guarantee::LeaderCompleteness);
    }
    if let Some(gone) = gone
        && was.hurt.is_none_or(|hurt| gone.end() <= hurt.from)
        && !disk.rotten
        && !thrown_away
        && !was.left.may_have_cut(&gone)
    {
        let (guarantee, kind) = match was.hurt {
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
    let reopened = Reopened { broker, partition, was: &was, before: &before, log, disk, thrown_away };
    storage::reopened(replica, &reopened, verdicts);
    recovery::reopened(replica, &reopened, verdicts);
    replica.left =
        Left { opened: true, opened_at: verdicts.fact(), high_watermark: log.high_watermark, ..Left::default() };
    let same = replica.batches.iter().zip(&before).take_while(|(now, before)| now == before).count();
    let others: Vec<BatchId> = replica.batches[same..].to_vec();
    for batch in others {
        let led_by_it = named.iter().any(|&(epoch, leader)| epoch == batch.epoch && leader == Some(broker));
        let news = batch.base.bound() >= was.end;
        let written = Found { led_by_it: led_by_it && news, distrusted: was.distrusted, rotten: disk.rotten };
        recognise(shared, place, broker, batch, written, verdicts);
    }
}

/// Where a batch turned up in a log that was opened.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Behind all that the broker had told of, in an epoch in which it led.
    led_by_it: bool,
    /// In a log that a lossy failure had befallen.
    distrusted: bool,
    /// On a disk that rots.
    rotten: bool,
}

/// A batch turns up in a log that was opened. Its leader may have died between the write and the note of it.
fn recognise(
    shared: &mut Replicas,
    place: usize,
    broker: BrokerId,
    batch: BatchId,
    found: Found,
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
        None if found.led_by_it => {
            let view = &mut shared.partitions[place];
            if view.acts_as_leader(broker, batch.epoch).is_none()
                && let Some(epoch) = view.epoch_mut(batch.epoch)
                && epoch.batches.last().is_none_or(|last| last.batch.end() <= batch.base.bound())
            {
                epoch.batches.push(super::partition::Canonical { batch, answered: false });
            }
        }
        None if found.rotten => {}
        None => {
            let (guarantee, kind) = match found.distrusted {
                false => (Guarantee::NothingMadeUp, "record-from-nowhere"),
                true => (Guarantee::Recovery, "opened-batch-nobody-wrote"),
            };
            verdicts.broken(guarantee, kind, || {
                format!(
                    "{broker} opened {partition} with a record at {} that no leader of epoch {} wrote",
                    batch.base, batch.epoch
                )
            });
        }
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
    let batch = view.cleaned.original(batch);
    view.fill_gap(broker, batch.base);
    let found = view.epoch_mut(batch.epoch).and_then(|epoch| {
        let at = epoch.position(batch.base)?;
        Some((epoch.batches[at].batch, epoch.predecessor(at)))
    });
    let replica = view.replica(broker);
    let (end, before) = (replica.end, replica.batches.last().copied());
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
        Some((_, past)) if past != before => {
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
    start: EndOffset,
    verdicts: &mut Verdicts,
) {
    let view = &mut shared.partitions[place];
    let deleted = view.replica(broker).batches.iter().take_while(|batch| batch.end() <= start).last().copied();
    cut(shared, place, broker, deleted.map_or(EndOffset::ZERO, |last| last.end()), verdicts);
    let view = &mut shared.partitions[place];
    view.open(broker, (start, start), &[]);
    view.replica(broker).high_watermark = start;
}

/// A replica cut its log.
pub(crate) fn cut(shared: &mut Replicas, place: usize, broker: BrokerId, end: EndOffset, verdicts: &mut Verdicts) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    // Whichever epoch it obeys: whoever hears late who leads has no less to keep (W7).
    let in_sync = view.isr().contains(&broker);
    let committed = std::mem::take(&mut view.committed);
    let replica = view.replica(broker);
    let had = replica.agreed(&committed);
    replica.cut(end);
    let kept = replica.agreed(&committed);
    let demanded = in_sync && !replica.distrusted;
    let cut_off = committed[..had].get(kept).copied();
    view.committed = committed;
    if end <= view.released {
        // What lies below was deleted by right. This replica may even have an older history there, until it learns from its
        // leader where the log begins (L25): it counts as if it began where it was cut.
        view.open(broker, (end, end), &[]);
    }
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
