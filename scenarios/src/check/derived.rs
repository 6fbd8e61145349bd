//! What is derived from a log agrees with it: the leader epochs are those of its batches, and its bounds enclose each other.
//!
//! Implements W20 and L12 as far as the trace shows them, with a fold of its own. Producers' state and indexes are not in the
//! trace; `crate::audit` reads them from the disk.

use model::log::BatchId;
use model::names::{BrokerId, EndOffset, LeaderEpoch};

use super::logs::Opened;
use super::partition::PartitionView;
use super::storage::DiskView;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// A log was opened. Only of one that is compacted the first batch may lie above its start. Where a log start has gone back
/// (L45), the epochs of what had been deleted are forgotten, and nothing brings them back (L53).
pub(crate) fn opened(
    view: &PartitionView,
    broker: BrokerId,
    log: &Opened<'_>,
    disk: DiskView,
    verdicts: &mut Verdicts,
) {
    let (partition, compacts, forgotten) = (view.partition, view.promise.compacts, view.released);
    if disk.rotten || disk.syncs_in_vain {
        return;
    }
    let enclosed = log.start <= log.high_watermark && log.high_watermark <= log.end && log.recovery_point <= log.end;
    let first = log.batches.first().map_or(log.start, |first| first.base.bound());
    verdicts.demand(Guarantee::DerivedState, enclosed && (first <= log.start || compacts), "bounds-out-of-order", || {
        format!(
            "{broker} opened {partition} with its first batch at {first}, start {}, high watermark {}, recovery point {}, end {}",
            log.start, log.high_watermark, log.recovery_point, log.end
        )
    });
    let wrong = first_contradiction((log.start, log.end), log.batches, log.epochs, forgotten);
    verdicts.demand(Guarantee::DerivedState, wrong.is_none(), "epochs-contradict-batches", || {
        format!("{broker} opened {partition} with the leader epochs {:?}: {}", log.epochs, wrong.unwrap_or_default())
    });
}

/// How leader epochs contradict the batches of a log; nothing if they do not. An epoch without a batch may be on record
/// (L39), unless batches of another epoch lie where it should. Below `forgotten` nothing at all may be on record.
pub(crate) fn first_contradiction(
    (start, end): (EndOffset, EndOffset),
    batches: &[BatchId],
    epochs: &[(LeaderEpoch, EndOffset)],
    forgotten: EndOffset,
) -> Option<String> {
    if let Some((epoch, since)) = epochs.iter().find(|(_, since)| *since < start || *since > end) {
        return Some(format!("epoch {epoch} begins at {since}, outside of the log"));
    }
    // Both are in order: one walk is enough.
    let mut entries = epochs.iter().copied().peekable();
    let mut recorded: Option<(LeaderEpoch, EndOffset)> = None;
    let mut latest: Option<LeaderEpoch> = None;
    for batch in batches.iter().filter(|batch| batch.end() > start) {
        let at = batch.base.bound().max(start);
        while let Some(entry) = entries.next_if(|(_, since)| *since <= at) {
            recorded = Some(entry);
        }
        if recorded.is_none() && at < forgotten {
            continue;
        }
        if recorded.map(|(epoch, _)| epoch) != Some(batch.epoch) {
            let recorded = recorded.map_or("none".to_owned(), |(epoch, _)| epoch.to_string());
            return Some(format!("at {at} lies a batch of epoch {}, and on record is {recorded}", batch.epoch));
        }
        if latest.is_some_and(|latest| batch.epoch < latest) {
            return Some(format!("at {at} lies a batch of epoch {} behind one of epoch {latest:?}", batch.epoch));
        }
        latest = Some(batch.epoch);
        // An entry inside of the batch would split it between two epochs.
        if let Some((epoch, since)) = entries.peek().filter(|(_, since)| *since < batch.end() && *since > at) {
            return Some(format!("epoch {epoch} begins at {since}, inside of the batch at {at}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use model::names::Offset;

    use super::*;

    fn batch(base: u64, records: u32, epoch: i32) -> BatchId {
        BatchId { base: Offset(base), records, epoch: LeaderEpoch(epoch), crc: 7 }
    }

    fn contradicts(start: u64, batches: &[BatchId], epochs: &[(i32, u64)]) -> bool {
        let end = batches.last().map_or(EndOffset(start), |last| last.end());
        let epochs: Vec<_> = epochs.iter().map(|&(epoch, since)| (LeaderEpoch(epoch), EndOffset(since))).collect();
        first_contradiction((EndOffset(start), end), batches, &epochs, EndOffset(2)).is_some()
    }

    #[test]
    fn the_epochs_of_the_batches_are_on_record_with_their_beginnings() {
        let batches = [batch(0, 5, 0), batch(5, 5, 0), batch(10, 5, 2)];
        assert!(!contradicts(0, &batches, &[(0, 0), (2, 10)]));
        assert!(contradicts(0, &batches, &[(0, 0)]), "one is missing");
        assert!(contradicts(0, &batches, &[(0, 0), (1, 5), (2, 10)]), "one is too many");
        assert!(contradicts(0, &batches, &[(0, 0), (2, 12)]), "one begins too late");
        assert!(contradicts(0, &batches, &[(0, 0), (2, 7)]), "one begins too early");
        assert!(contradicts(0, &[batch(0, 5, 2), batch(5, 5, 1)], &[(2, 0)]), "epochs fall");
    }

    #[test]
    fn epochs_without_a_batch_may_be_on_record_where_none_lies() {
        assert!(!contradicts(0, &[batch(0, 5, 0)], &[(0, 0), (3, 5)]), "at the end");
        assert!(
            !contradicts(0, &[batch(0, 5, 0), batch(9, 1, 2)], &[(0, 0), (1, 5), (2, 9)]),
            "its batches were cleaned"
        );
        assert!(!contradicts(7, &[batch(5, 5, 0)], &[(0, 7)]), "the log begins inside of a batch");
        assert!(contradicts(7, &[batch(5, 5, 0)], &[(0, 5)]), "an epoch begins below the log");
    }

    #[test]
    fn what_had_been_deleted_when_it_came_back_may_have_no_epoch() {
        assert!(!contradicts(0, &[batch(0, 2, 0), batch(2, 5, 0)], &[(0, 2)]), "below 2 it is forgotten");
        assert!(contradicts(0, &[batch(0, 2, 0), batch(2, 5, 0)], &[(0, 4)]));
        assert!(contradicts(0, &[batch(0, 2, 1), batch(2, 5, 1)], &[(0, 0)]), "on record, and wrong");
    }
}
