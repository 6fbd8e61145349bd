//! What log compaction decides (L77-L81, L83): which log is due, what is cleaned together, which records stay.
//!
//! Plain data in, plain data out. This file must not know files, segments or threads; whoever cleans reads the batches,
//! writes what [`Filter::retain`] keeps, and swaps (L82).
//!
//! No client here opens a transaction, and there is no transaction index: control batches stay as they are, and nothing is
//! dropped for being aborted. That part of L79-L81 comes with transactions.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::batch::{Batch, CorruptBatch};
use super::builder::BatchBuilder;
use super::producers::Producers;
use super::record::Record;
use crate::names::{EndOffset, Offset};

/// The bytes that Kafka's map needs for a key: its MD5 and an offset.
const BYTES_PER_KEY: u64 = 24;

/// Offsets in one segment are at most so far from its base (L26).
const LARGEST_DISTANCE: u64 = i32::MAX as u64;

/// The last offset of each key in the dirty part of a log (L79). Kafka keeps a hash of the key, this the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetMap {
    latest: BTreeMap<Bytes, Offset>,
    keys_max: usize,
    start: EndOffset,
    end: EndOffset,
}

/// Whether a segment fitted into the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// All of it is covered; the next may follow.
    Whole,
    /// The map is full; it covers what [`OffsetMap::end`] says, and the round is about no more than that.
    Full,
}

impl OffsetMap {
    /// How many keys `log.cleaner.dedupe.buffer.size` and `log.cleaner.io.buffer.load.factor` allow.
    #[must_use]
    pub fn keys_in(buffer_bytes: u64, load_factor: f64) -> usize {
        ((buffer_bytes / BYTES_PER_KEY) as f64 * load_factor) as usize
    }

    /// An empty map for what is dirty from `first_dirty` on. Holds one key at least, so that every round gets on.
    #[must_use]
    pub fn new(first_dirty: EndOffset, keys_max: usize) -> Self {
        Self { latest: BTreeMap::new(), keys_max: keys_max.max(1), start: first_dirty, end: first_dirty }
    }

    /// Takes in the next dirty segment, whose offsets lie below `segment_end`: the base of the next one, or the round's
    /// upper bound. Of a batch that does not fit whole, some keys may be noted; its records are above the map's end and stay.
    ///
    /// # Errors
    /// [`CorruptBatch`], at which the log is not cleaned.
    pub fn fill(
        &mut self,
        batches: impl IntoIterator<Item = Result<Batch, CorruptBatch>>,
        segment_end: EndOffset,
    ) -> Result<Filled, CorruptBatch> {
        for batch in batches {
            let batch = batch?;
            if !batch.is_control() && self.note(&batch)? == Filled::Full {
                return Ok(Filled::Full);
            }
            self.end = self.end.max(batch.end());
        }
        self.end = self.end.max(segment_end);
        Ok(Filled::Whole)
    }

    /// The bound of what is covered: the next round begins here.
    #[must_use]
    pub fn end(&self) -> EndOffset {
        self.end
    }

    /// How many keys it holds.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.latest.len()
    }

    fn note(&mut self, batch: &Batch) -> Result<Filled, CorruptBatch> {
        for record in batch.records() {
            let record = record?;
            let Some(key) = record.key.filter(|_| !self.start.covers(record.offset)) else { continue };
            // As in Kafka full is full, even for a key that is there already.
            if self.latest.len() >= self.keys_max {
                return Ok(Filled::Full);
            }
            // Copied, so that the map does not hold on to whole segments.
            self.latest.insert(Bytes::copy_from_slice(&key), record.offset);
        }
        Ok(Filled::Whole)
    }

    fn is_last(&self, key: &[u8], offset: Offset) -> bool {
        self.latest.get(key).is_none_or(|latest| offset >= *latest)
    }
}

/// What one round of cleaning asks of each batch, from the log's first segment on.
#[derive(Clone, Copy, Debug)]
pub struct Filter<'a> {
    /// The last offset per key.
    pub map: &'a OffsetMap,
    /// Who has written to the log and has not expired.
    pub producers: &'a Producers,
    /// The first offset that the round must not clean ([`Cleanable::first_uncleanable`]).
    pub upper_bound: EndOffset,
    /// The time at which the round began, in milliseconds.
    pub now_ms: i64,
    /// `delete.retention.ms`.
    pub delete_retention_ms: i64,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is copied byte by byte.
    AsItIs,
    /// This comes in its place, with fewer records, or with a delete horizon.
    Rewritten(Batch),
    /// This comes in its place, without records: it says who wrote last, or where the round ended (L81).
    Emptied(Batch),
    /// Nothing comes in its place.
    Gone,
}

impl Filter<'_> {
    /// Decides what becomes of a batch (L79-L81). Offsets, order and the bounds of batches never change (L83).
    ///
    /// # Errors
    /// [`CorruptBatch`] when its records cannot be read, at which the log is not cleaned.
    pub fn retain(&self, batch: &Batch) -> Result<Kept, CorruptBatch> {
        if batch.is_control() {
            return Ok(Kept::AsItIs);
        }
        let mut records: Vec<Record> = batch.records().collect::<Result<_, _>>()?;
        let before = records.len();
        records.retain(|record| self.keeps(batch, record));
        let horizon = batch.delete_horizon();
        let due = (horizon.is_none() && records.iter().any(|record| record.value.is_none()))
            .then(|| self.now_ms.saturating_add(self.delete_retention_ms));
        Ok(match records.len() {
            0 if !self.must_stay(batch) => Kept::Gone,
            kept if kept == before && due.is_none() => Kept::AsItIs,
            0 => Kept::Emptied(BatchBuilder::rewrite(batch, &[], None)),
            _ => Kept::Rewritten(BatchBuilder::rewrite(batch, &records, due.or(horizon))),
        })
    }

    fn keeps(&self, batch: &Batch, record: &Record) -> bool {
        if !self.map.end().covers(record.offset) {
            return true;
        }
        let Some(key) = &record.key else { return false };
        let is_expired_tombstone =
            record.value.is_none() && batch.delete_horizon().is_some_and(|horizon| self.now_ms >= horizon);
        self.map.is_last(key, record.offset) && !is_expired_tombstone
    }

    /// Whether the batch stays even without records (L81).
    fn must_stay(&self, batch: &Batch) -> bool {
        let last_of_its_producer = self.producers.get(batch.producer_id()).and_then(|entry| entry.last_data_offset());
        last_of_its_producer == Some(batch.last_offset()) || batch.end() == self.upper_bound
    }
}

/// What compaction needs to know about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFacts {
    /// The offset in its name.
    pub base: Offset,
    /// The length of its `.log` in bytes.
    pub size: u64,
    /// The length of its offset index in bytes, trimmed.
    pub index_size: u64,
    /// The length of its time index in bytes, trimmed.
    pub time_index_size: u64,
    /// The largest timestamp in it, or when it was last changed, in milliseconds (L73).
    pub largest_timestamp: i64,
    /// The largest timestamp of its first batch, in milliseconds; nothing above zero counts as none.
    pub first_batch_timestamp: i64,
}

/// What a round of cleaning would be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanable {
    /// Where the dirty part begins.
    pub first_dirty: EndOffset,
    /// Where it ends for now: always the base of a segment. Not above [`Cleanable::first_dirty`] if nothing can be cleaned.
    pub first_uncleanable: EndOffset,
    /// Bytes in segments that begin below the dirty part.
    pub clean_bytes: u64,
    /// Bytes in segments that a round would clean for the first time. A segment that was cleaned in part counts here and
    /// among the clean ones, as it does in Kafka.
    pub cleanable_bytes: u64,
    /// The smallest timestamp of the first batches of the dirty segments but for the active one, in milliseconds.
    pub earliest_dirty_timestamp: Option<i64>,
}

/// Where the dirty part of a log begins: where `cleaner-offset-checkpoint` says, or with the log if that lies outside of it
/// (L77, L84).
#[must_use]
pub fn first_dirty(checkpoint: Option<EndOffset>, log_start: EndOffset, log_end: EndOffset) -> EndOffset {
    checkpoint.filter(|checkpoint| (log_start..=log_end).contains(checkpoint)).unwrap_or(log_start)
}

impl Cleanable {
    /// What could be cleaned of a log of these segments, the last of which is the active one (L77, L78): neither that one,
    /// nor what is at or above the last stable offset, nor segments from the first on whose largest timestamp is younger
    /// than `min_lag_ms` (`min.compaction.lag.ms`).
    ///
    /// # Panics
    /// Without segments: every log has an active one (L12).
    #[must_use]
    pub fn of(
        segments: &[SegmentFacts],
        first_dirty: EndOffset,
        last_stable: EndOffset,
        now_ms: i64,
        min_lag_ms: i64,
    ) -> Self {
        let (active, inactive) = segments.split_last().expect("a log has an active segment");
        let active_base = active.base.bound();
        let dirty = if first_dirty >= active_base { &[] } else { &inactive[floor(inactive, first_dirty)..] };
        let is_young = |segment: &&SegmentFacts| segment.largest_timestamp > now_ms.saturating_sub(min_lag_ms);
        let first_young = dirty.iter().filter(|_| min_lag_ms > 0).find(is_young).map(|segment| segment.base.bound());
        let bound = last_stable.min(active_base).min(first_young.unwrap_or(active_base)).max(first_dirty);
        let first_uncleanable = floor(segments, bound);
        let size = |segments: &[SegmentFacts]| segments.iter().map(|segment| segment.size).sum();
        let clean = segments.partition_point(|segment| segment.base.bound() < first_dirty);
        Self {
            first_dirty,
            first_uncleanable: segments[first_uncleanable].base.bound(),
            clean_bytes: size(&segments[..clean]),
            cleanable_bytes: size(&segments[floor(segments, first_dirty).min(first_uncleanable)..first_uncleanable]),
            earliest_dirty_timestamp: dirty
                .iter()
                .map(|segment| segment.first_batch_timestamp)
                .filter(|&t| t > 0)
                .min(),
        }
    }

    /// The share of what could be cleaned: the log with the largest goes first. Zero of an empty log.
    #[must_use]
    pub fn dirty_ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Whether the log is due (L77): dirtier than `min_ratio` (`min.cleanable.dirty.ratio`), or dirty for longer than
    /// `max_lag_ms` (`max.compaction.lag.ms`).
    #[must_use]
    pub fn is_eligible(&self, min_ratio: f64, now_ms: i64, max_lag_ms: i64) -> bool {
        let clean_until = now_ms.saturating_sub(max_lag_ms.max(0));
        let overdue = self.earliest_dirty_timestamp.is_some_and(|earliest| earliest < clean_until);
        self.cleanable_bytes > 0 && (overdue || self.dirty_ratio() > min_ratio)
    }
}

/// Which neighbours become one segment: runs of `segments`, all below the map's end, that together are not larger than
/// `segment.bytes` and `segment.index.bytes` and whose offsets fit 31 bits. Every run holds one at least.
#[must_use]
pub fn group_by_size(
    segments: &[SegmentFacts],
    max_size: u64,
    max_index_size: u64,
    first_uncleanable: EndOffset,
) -> Vec<&[SegmentFacts]> {
    let mut groups = Vec::new();
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let mut sum = (first.size, first.index_size, first.time_index_size);
        let mut taken = 1;
        while let Some(next) = rest.get(taken) {
            // Where the one behind it begins bounds its offsets, so that it need not be read.
            let end = rest.get(taken + 1).map_or(first_uncleanable, |behind| behind.base.bound());
            let fits = next.size == 0 || end.0.saturating_sub(1).saturating_sub(first.base.0) <= LARGEST_DISTANCE;
            sum = (sum.0 + next.size, sum.1 + next.index_size, sum.2 + next.time_index_size);
            if !fits || sum.0 > max_size || sum.1 > max_index_size || sum.2 > max_index_size {
                break;
            }
            taken += 1;
        }
        let (group, others) = rest.split_at(taken);
        groups.push(group);
        rest = others;
    }
    groups
}

/// The index of the segment that contains `bound`: the last that does not begin above it, or the first.
fn floor(segments: &[SegmentFacts], bound: EndOffset) -> usize {
    segments.partition_point(|segment| segment.base.bound() <= bound).saturating_sub(1)
}
