//! The producers' state as a fold over headers (L57, L58, L63-L65).
//!
//! Markers of transactions are not followed: nobody writes any yet.

use std::collections::BTreeMap;

use model::log::Producers;

use super::segment::Stored;

/// How many batches of a producer are remembered (L57).
const REMEMBERED: usize = 5;
/// Attributes: part of a transaction, and no data.
const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What the batches say about one producer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Writer {
    epoch: i16,
    last_timestamp: i64,
    transaction_from: Option<u64>,
    /// Last sequence number and last offset, oldest first.
    batches: Vec<(i32, u64)>,
}

/// What these batches say about all producers.
pub(super) fn fold(batches: &[Stored]) -> BTreeMap<i64, Writer> {
    let mut writers: BTreeMap<i64, Writer> = BTreeMap::new();
    for batch in batches.iter().filter(|batch| batch.producer >= 0 && batch.attributes & CONTROL == 0) {
        let writer = writers.entry(batch.producer).or_default();
        if writer.epoch != batch.producer_epoch {
            writer.batches.clear();
            writer.epoch = batch.producer_epoch;
        }
        writer.batches.push((last_sequence(batch), batch.end() - 1));
        let surplus = writer.batches.len().saturating_sub(REMEMBERED);
        writer.batches.drain(..surplus);
        writer.last_timestamp = batch.max_timestamp;
        if batch.attributes & TRANSACTIONAL != 0 {
            writer.transaction_from.get_or_insert(batch.base);
        }
    }
    writers
}

/// How memory differs from the fold; nothing if it does not. Fewer batches may be remembered, the last ones (L63). `whole`:
/// nothing was deleted from the log's beginning, so nobody is known but from what is there.
pub(super) fn difference(memory: &Producers, fold: &BTreeMap<i64, Writer>, whole: bool) -> Option<String> {
    for (id, writer) in fold {
        let Some(known) = memory.get(*id) else {
            return Some(format!("producer {id} wrote {writer:?} and is not known"));
        };
        let batches: Vec<(i32, u64)> =
            known.batches().iter().map(|batch| (batch.last_sequence, batch.last_offset.0)).collect();
        let same = known.epoch() == writer.epoch
            && known.last_timestamp() == writer.last_timestamp
            && known.current_txn_first_offset().map(|offset| offset.0) == writer.transaction_from
            && !batches.is_empty()
            && writer.batches.ends_with(&batches);
        if !same {
            return Some(format!("producer {id} wrote {writer:?}, and is known by {known:?}"));
        }
    }
    let stranger = memory.entries().map(|(id, _)| id).find(|id| !fold.contains_key(id));
    stranger.filter(|_| whole).map(|id| format!("producer {id} is known and wrote nothing that is there"))
}

/// After the largest number comes zero (L4).
fn last_sequence(batch: &Stored) -> i32 {
    if batch.sequence < 0 {
        return batch.sequence;
    }
    let last = (i64::from(batch.sequence) + i64::from(batch.last_delta)) % (1 << 31);
    i32::try_from(last).unwrap_or(0)
}
