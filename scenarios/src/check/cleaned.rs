//! What cleaners have made of a partition's batches: who was who before, what is gone, and which offsets have no record any
//! more (L79-L81).
//!
//! Cleaning changes a batch's checksum and takes whole batches out of logs, one replica at a time. All checks go on by the
//! batches as they were first written; this room translates. It demands nothing, and whether a removal was right is for
//! `compaction`. Of a topic that is not compacted nothing is ever kept here.

use std::collections::{BTreeMap, BTreeSet};

use model::log::{BatchId, CleanedBatch};
use model::names::{BrokerId, Offset};

/// What cleaners have changed in one partition, on whichever replica.
#[derive(Clone, Debug, Default)]
pub(crate) struct CleanedView {
    /// The batch as first written, by what it became.
    originals: BTreeMap<(Offset, u32), BatchId>,
    /// Batches that some replica has not any more, by their base.
    vanished: BTreeMap<Offset, BatchId>,
    /// Offsets whose records some replica has not any more.
    removed: BTreeSet<u64>,
    /// Removals of which it is not known yet whether they were right.
    pub doubtful: Vec<Removal>,
}

/// A record that a cleaner took out of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removal {
    /// Whose.
    pub broker: BrokerId,
    /// Where it lay.
    pub offset: u64,
    /// What supersedes it lies below.
    pub upto: u64,
}

impl CleanedView {
    /// Whether nothing was ever cleaned.
    pub(crate) fn is_empty(&self) -> bool {
        self.originals.is_empty() && self.vanished.is_empty()
    }

    /// The batch as it was first written.
    pub(crate) fn original(&self, batch: BatchId) -> BatchId {
        if self.originals.is_empty() {
            return batch;
        }
        self.originals
            .get(&(batch.base, batch.crc))
            .copied()
            .filter(|known| known.end() == batch.end())
            .unwrap_or(batch)
    }

    /// Learns what became of a batch. Answers the batch as first written.
    pub(crate) fn learn(&mut self, cleaned: &CleanedBatch) -> BatchId {
        let original = self.original(cleaned.before);
        match cleaned.after {
            Some(after) if after.crc != original.crc => {
                self.originals.insert((after.base, after.crc), original);
            }
            Some(_) => {}
            None => {
                self.vanished.insert(original.base, original);
            }
        }
        let mut kept = cleaned.kept.iter().peekable();
        for delta in 0..original.records {
            if kept.next_if_eq(&&delta).is_none() {
                self.removed.insert(original.base.plus(u64::from(delta)).0);
            }
        }
        original
    }

    /// A cleaner died before it could say what it did: of this batch something may be gone, or all of it.
    pub(crate) fn suspect(&mut self, original: BatchId, now: Option<BatchId>) {
        match now {
            Some(now) => {
                self.originals.insert((now.base, now.crc), original);
            }
            None => {
                self.vanished.insert(original.base, original);
            }
        }
        self.removed.extend(original.base.0..original.end().0);
    }

    /// Puts vanished batches behind the end of `log`, as long as they lie one behind the other and below `upto`.
    pub(crate) fn fill(&self, log: &mut Vec<BatchId>, upto: Offset) {
        let mut next = log.last().map_or(Offset::ZERO, |last| last.end().next());
        while let Some(gone) = self.vanished.get(&next).filter(|gone| next < upto && gone.end() <= upto.bound()) {
            log.push(*gone);
            next = gone.end().next();
        }
    }

    /// Whether some replica has this batch not any more.
    pub(crate) fn is_vanished(&self, original: &BatchId) -> bool {
        self.vanished.get(&original.base) == Some(original)
    }

    /// Whether the record at this offset may be missing from a log.
    pub(crate) fn is_removed(&self, offset: Offset) -> bool {
        self.removed.contains(&offset.0)
    }
}
