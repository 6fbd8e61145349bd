//! Compaction takes only what is superseded, keeps offsets and order, and leaves what is not committed alone.
//!
//! Implements G38, L77-L83. Which key lies at which offset is known of what was read, and of what `acks=all` acknowledged; of
//! other records nothing is demanded. Every record of a load has a value, so nothing that is sent here is a tombstone.

use model::event::Event;
use model::log::{BatchId, CleanedBatch};
use model::names::{BrokerId, EndOffset, Offset};

use super::cleaned::Removal;
use super::partition::PartitionView;
use super::records::Records;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log was cleaned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaned<'a> {
    /// By whom.
    pub broker: BrokerId,
    /// The last record of each key was looked for below this bound.
    pub upto: EndOffset,
    /// What has changed.
    pub batches: &'a [CleanedBatch],
}

impl<'a> Cleaned<'a> {
    /// Reads it from the event.
    pub(crate) fn of(broker: BrokerId, event: &'a Event) -> Option<Self> {
        let Event::Cleaned { upto, batches, .. } = event else { return None };
        Some(Self { broker, upto: *upto, batches })
    }
}

/// A cleaner has rewritten part of a log.
pub(crate) fn cleaned(
    shared: &mut Replicas,
    records: &Records,
    place: usize,
    cleaned: Cleaned<'_>,
    verdicts: &mut Verdicts,
) {
    let Cleaned { broker, upto, batches } = cleaned;
    let view = &mut shared.partitions[place];
    let (partition, compacts) = (view.partition, view.promise.compacts);
    verdicts.demand(Guarantee::Compaction, compacts, "cleaned-without-policy", || {
        format!("{broker} cleaned {partition}, whose cleanup.policy does not have compact")
    });
    let high_watermark = view.replica(broker).high_watermark;
    let mut touched = EndOffset::ZERO;
    let mut removed = Vec::new();
    for batch in batches {
        keeps_its_place(view, broker, batch, verdicts);
        let original = view.cleaned.learn(batch);
        touched = touched.max(original.end());
        removed.extend(gone(original, &batch.kept));
    }
    verdicts.demand(Guarantee::Compaction, touched <= high_watermark, "cleaned-above-high-watermark", || {
        format!("{broker} cleaned {partition} up to {touched}, its high watermark is {high_watermark}")
    });
    superseded(view, records, place, (broker, upto), &removed, verdicts);
}

/// A batch that is left is where it was, with fewer records.
fn keeps_its_place(view: &mut PartitionView, broker: BrokerId, batch: &CleanedBatch, verdicts: &mut Verdicts) {
    let (partition, before) = (view.partition, view.cleaned.original(batch.before));
    let there = view.replica(broker).has(&before);
    let place = |batch: BatchId| (batch.base, batch.end(), batch.epoch);
    let stays = batch.after.is_none_or(|after| place(after) == place(before));
    let ordered = batch.kept.windows(2).all(|pair| pair[0] < pair[1]);
    let within = batch.kept.last().is_none_or(|last| *last < before.records);
    let emptied = batch.after.is_some() || batch.kept.is_empty();
    verdicts.demand(
        Guarantee::Compaction,
        there && stays && ordered && within && emptied,
        "cleaned-batch-out-of-place",
        || format!("{broker} cleaned {partition}: {before:?} became {:?} with {:?}", batch.after, batch.kept),
    );
}

fn gone(batch: BatchId, kept: &[u32]) -> impl Iterator<Item = u64> {
    let gone = (0..batch.records).filter(move |delta| kept.binary_search(delta).is_err());
    gone.map(move |delta| batch.base.0 + u64::from(delta))
}

/// Every record that went has a later one of the same key in the log, below the bound of the round. Where it is not known yet which records
/// follow, that is asked again at the end.
fn superseded(
    view: &mut PartitionView,
    records: &Records,
    place: usize,
    (broker, bound): (BrokerId, EndOffset),
    removed: &[u64],
    verdicts: &mut Verdicts,
) {
    let upto = bound.min(view.replica(broker).end);
    // Where history was lost, within the contract, nobody can tell any more what lies at which offset.
    if view.history_broken_from.is_some_and(|from| from < upto) {
        return;
    }
    let last = records.last_of_keys(place, upto.0);
    for &offset in removed {
        let Some(key) = records.key_at(place, offset) else { continue };
        let is_last = last.get(&key) == Some(&offset);
        let removal = Removal { broker, offset, upto: upto.0 };
        if is_last && removal.is_doubtful(records, place) {
            view.cleaned.doubtful.push(removal);
        } else {
            judge(view, removal, is_last, verdicts);
        }
    }
}

/// Where history was lost, within the contract, nobody can tell any more what lies at which offset.
fn judge(view: &PartitionView, removal: Removal, is_last: bool, verdicts: &mut Verdicts) {
    let Removal { broker, offset, upto } = removal;
    if view.history_broken_from.is_some_and(|from| from.0 < upto) {
        return;
    }
    verdicts.demand(Guarantee::Compaction, !is_last, "last-value-of-key-removed", || {
        let partition = view.partition;
        format!("{broker} removed the record at {offset} of {partition}, and below {upto} none of its key follows")
    });
}

impl Removal {
    /// Whether it is not known of all records behind it which they are.
    fn is_doubtful(self, records: &Records, place: usize) -> bool {
        (self.offset + 1..self.upto).any(|offset| records.at(place, Offset(offset)).is_none())
    }

    /// Whether a later record has the same key.
    fn is_superseded(self, records: &Records, place: usize) -> bool {
        let key = records.key_at(place, self.offset);
        (self.offset + 1..self.upto).any(|offset| records.key_at(place, offset) == key)
    }
}

/// A log is about to be opened. Who died right after a cleaning has rewritten batches and never said so: what has changed or
/// is missing below the high watermark counts as cleaned. Whether what everybody should see is there is asked at the end.
pub(crate) fn reopened(view: &mut PartitionView, broker: BrokerId, end: EndOffset, batches: &[BatchId]) {
    if !view.promise.compacts {
        return;
    }
    let PartitionView { replicas, cleaned, .. } = view;
    let Some(replica) = replicas.get(broker.0 as usize).filter(|replica| replica.known) else { return };
    for before in replica.batches.iter().filter(|before| before.end() <= end && before.end() > replica.start) {
        let now = batches.binary_search_by_key(&before.base, |batch| batch.base).map(|at| batches[at]);
        match now {
            Ok(now) if cleaned.original(now) == *before => {}
            Ok(now) if (now.end(), now.epoch) == (before.end(), before.epoch) => cleaned.suspect(*before, Some(now)),
            Ok(_) => {}
            Err(_) if cleaned.is_vanished(before) => {}
            Err(_) if before.end() <= replica.high_watermark => cleaned.suspect(*before, None),
            Err(_) => {}
        }
    }
}

/// The run is over: of every key whoever read the log from its beginning saw the last committed record.
pub(crate) fn end(
    shared: &Replicas,
    records: &Records,
    read_back_upto: &dyn Fn(usize) -> Option<EndOffset>,
    verdicts: &mut Verdicts,
) {
    for (place, view) in shared.partitions.iter().enumerate().filter(|(_, view)| view.promise.compacts) {
        for &removal in &view.cleaned.doubtful {
            let is_superseded = removal.is_superseded(records, place);
            if is_superseded || !removal.is_doubtful(records, place) {
                judge(view, removal, !is_superseded, verdicts);
            }
        }
        let Some(upto) = read_back_upto(place) else { continue };
        for (key, offset) in records.last_of_keys(place, upto.min(view.committed_end()).0) {
            let at = Offset(offset);
            if view.is_history_broken_at(at) || view.released.covers(at) {
                continue;
            }
            let seen = records.at(place, at).and_then(|value| records.find(value)).is_some_and(|found| found.read_back);
            verdicts.demand(Guarantee::Compaction, seen, "last-value-of-key-unseen", || {
                format!(
                    "the last record of key {key:016x} in {} lies at {offset}, and was not read at the end",
                    view.partition
                )
            });
        }
    }
}
