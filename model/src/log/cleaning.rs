//! The files' half of the cleaner: it reads segments, writes what is kept of them, and swaps that in (L77-L82, L84). Which
//! records are kept is decided in `compaction`.
//!
//! A round goes in parts, so that whoever has it cleaned may append and truncate in between, as Kafka's threads do. This file
//! must not know when a round is due to begin, nor what else its broker has to do.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::batch::{Batch, BatchId, CorruptBatch};
use super::compaction::{Cleanable, Filled, Filter, Kept, OffsetMap, SegmentFacts, group_by_size};
use super::files::{self, Standing};
use super::log::{Log, millis};
use super::segment::Segment;
use super::slices::Slices;
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Offset, Time};

/// A batch that the cleaner has rewritten, emptied or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanedBatch {
    /// What it was.
    pub before: BatchId,
    /// What it is now; nothing if it is gone.
    pub after: Option<BatchId>,
    /// The offsets, counted from its base, of the records that are left in it.
    pub kept: Vec<u32>,
}

/// A round of cleaning that has begun: what is the last record of each key, and what is still to be rewritten.
#[derive(Clone, Debug)]
pub struct Cleaning {
    map: OffsetMap,
    upper_bound: EndOffset,
    began: Time,
    /// The base offsets of segments that become one each, in order.
    groups: VecDeque<Vec<Offset>>,
    /// How often the log had been cut when the round began.
    cuts: u64,
}

/// How far a round has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// These batches are not what they were, and there is more to do.
    More(Vec<CleanedBatch>),
    /// These are not what they were either, and the round is over: the checkpoint of the cleaner's offsets is due.
    Done(Vec<CleanedBatch>),
    /// The log was cut, or has lost segments, since the round began: nothing more is done, and it may begin anew (L84).
    Aborted,
}

impl Cleaning {
    /// The last record of each key was looked for below this bound.
    #[must_use]
    pub fn upto(&self) -> EndOffset {
        self.map.end()
    }
}

impl Log {
    /// What the cleaner has not looked at yet begins here (L77).
    #[must_use]
    pub fn first_dirty(&self) -> EndOffset {
        self.first_dirty
    }

    /// The process before has cleaned the log up to here, as `cleaner-offset-checkpoint` says; outside of the log it counts
    /// as the start (L84).
    pub fn resume_cleaning_at(&mut self, checkpoint: EndOffset) {
        self.first_dirty = super::compaction::first_dirty(Some(checkpoint), self.start, self.end);
    }

    /// How dirty the log is, if it is due to be cleaned; the dirtiest goes first (L77).
    #[must_use]
    pub fn dirtiness(&self, now: Time, high_watermark: EndOffset) -> Option<f64> {
        if !self.config.compact {
            return None;
        }
        let cleanable = self.cleanable(now, high_watermark);
        let max_lag = self.config.max_compaction_lag.map_or(i64::MAX, millis);
        cleanable
            .is_eligible(self.config.min_cleanable_dirty_ratio, now.millis(), max_lag)
            .then(|| cleanable.dirty_ratio())
    }

    /// Begins a round: reads what is dirty and notes the last record of each key (L79, first pass). `None` if there is
    /// nothing to clean, or if a batch cannot be read, in which case the log is left alone. If the cleaner keeps
    /// [to what is synced](crate::protocol::Trust::cleans_only_what_is_synced) the checkpoint of recovery points is due before
    /// [`Log::clean_next`].
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn begin_cleaning(
        &self,
        disk: &mut dyn Disk,
        now: Time,
        high_watermark: EndOffset,
    ) -> Result<Option<Cleaning>, DiskError> {
        let Cleanable { first_uncleanable, .. } = self.cleanable(now, high_watermark);
        if first_uncleanable <= self.first_dirty {
            return Ok(None);
        }
        let mut map = OffsetMap::new(self.first_dirty, self.config.cleaner_map_entries);
        let round = self.segments.partition_point(|segment| segment.base().bound() < first_uncleanable);
        for (index, segment) in self.segments[..round].iter().enumerate().skip(self.floor(self.first_dirty.next())) {
            let end = self.segments[index + 1].base().bound();
            let dirty = segment.entries_from(self.first_dirty.next());
            let batches = Slices::from(segment.read(disk, dirty)?).batches();
            match map.fill(batches.map(sound), end) {
                Ok(Filled::Whole) => {}
                Ok(Filled::Full) => break,
                Err(_) => return Ok(None),
            }
        }
        let facts = self.facts();
        let covered = facts[..round].partition_point(|segment| segment.base.bound() < map.end());
        let groups =
            group_by_size(&facts[..covered], self.limits().bytes, self.config.segment_index_bytes, first_uncleanable);
        let groups = groups.into_iter().map(|group| group.iter().map(|segment| segment.base).collect()).collect();
        Ok(Some(Cleaning { map, upper_bound: first_uncleanable, began: now, groups, cuts: self.cuts }))
    }

    /// Does the next part of a round: makes one segment of one group, whole and synced, and swaps it in (L79, second pass,
    /// L82).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn clean_next(
        &mut self,
        disk: &mut dyn Disk,
        cleaning: &mut Cleaning,
        now: Time,
    ) -> Result<Progress, DiskError> {
        let Some(group) = cleaning.groups.pop_front() else {
            return Ok(self.finish_cleaning(cleaning, Vec::new()));
        };
        let first = self.segments.iter().position(|segment| segment.base() == group[0]);
        let Some(range) = first.map(|first| first..first + group.len()) else { return Ok(Progress::Aborted) };
        let still_there = self.segments.get(range.clone()).is_some_and(|segments| {
            segments.iter().map(Segment::base).eq(group.iter().copied()) && range.end < self.segments.len()
        });
        if !still_there || cleaning.cuts != self.cuts {
            return Ok(Progress::Aborted);
        }
        let base = group[0];
        let mut cleaned = Segment::create(disk, &self.directory, base, Standing::Cleaned, now)?;
        let mut changed = Vec::new();
        for segment in &self.segments[range.clone()] {
            let batches = Slices::from(segment.read(disk, segment.entries())?).batches();
            let filter = Filter {
                map: &cleaning.map,
                producers: &self.producers,
                upper_bound: cleaning.upper_bound,
                now_ms: cleaning.began.millis(),
                delete_retention_ms: millis(self.config.delete_retention),
            };
            let Some((bytes, kept)) = rewrite(batches, &filter, &mut changed) else {
                // Left there, it would make a start undo what is swapped in later (KAFKA-6264).
                files::remove(disk, &self.directory, base, Standing::Cleaned)?;
                return Ok(Progress::Aborted);
            };
            if !kept.is_empty() {
                cleaned.append(disk, bytes, &kept, self.config.index_interval_bytes, now)?;
            }
        }
        cleaned.finish(disk)?;
        cleaned.sync(disk)?;
        self.swap_in(disk, range, cleaned, now)?;
        Ok(match cleaning.groups.is_empty() {
            true => self.finish_cleaning(cleaning, changed),
            false => Progress::More(changed),
        })
    }

    fn finish_cleaning(&mut self, cleaning: &Cleaning, changed: Vec<CleanedBatch>) -> Progress {
        if cleaning.cuts != self.cuts {
            return Progress::Aborted;
        }
        self.first_dirty = cleaning.upto().max(self.start);
        Progress::Done(changed)
    }

    /// Puts one segment in the place of several, in an order that every crash leaves repairable (L48, L82).
    fn swap_in(
        &mut self,
        disk: &mut dyn Disk,
        range: std::ops::Range<usize>,
        cleaned: Segment,
        now: Time,
    ) -> Result<(), DiskError> {
        let base = cleaned.base();
        files::remark(disk, &self.directory, base, (Standing::Cleaned, Standing::Swap))?;
        let syncs_in_between = self.config.storage.swapping.syncs_in_between();
        if syncs_in_between {
            disk.sync_dir(&self.directory)?;
        }
        let old: Vec<Segment> = self.segments.splice(range, [cleaned]).collect();
        for segment in old {
            if segment.base() == base {
                // What is known of producers where it begins stays true.
                files::discard(disk, &self.directory, base)?;
                self.discarded.push_back((base, now + self.config.file_delete_delay));
            } else {
                self.discard(disk, segment.base(), now)?;
            }
        }
        if syncs_in_between {
            // Once the new segment has lost its mark nothing says any more which of the others it was made of.
            disk.sync_dir(&self.directory)?;
        }
        files::remark(disk, &self.directory, base, (Standing::Swap, Standing::Live))?;
        disk.sync_dir(&self.directory)
    }

    fn cleanable(&self, now: Time, high_watermark: EndOffset) -> Cleanable {
        let unstable = self.producers.entries().filter_map(|(_, entry)| entry.current_txn_first_offset()).min();
        let last_stable = unstable.map_or(high_watermark, |first| first.bound().min(high_watermark));
        // A hole must not be taken for what a power cut has left of unsynced segments, nor the other way round.
        let bound = match self.config.storage.trust.cleans_only_what_is_synced() {
            true => last_stable.min(self.recovery_point),
            false => last_stable,
        };
        let min_lag = millis(self.config.min_compaction_lag);
        Cleanable::of(&self.facts(), self.first_dirty, bound, now.millis(), min_lag)
    }

    fn facts(&self) -> Vec<SegmentFacts> {
        let facts = |segment: &Segment| {
            let (offsets, times) = segment.indexes();
            SegmentFacts {
                base: segment.base(),
                size: segment.size(),
                index_size: offsets.size() as u64,
                time_index_size: times.size() as u64,
                largest_timestamp: segment.largest_timestamp(),
                first_batch_timestamp: segment.entries().first().map_or(0, |first| first.max_timestamp()),
            }
        };
        self.segments.iter().map(facts).collect()
    }
}

/// A batch whose checksum holds. What has rotten must not come out of the cleaner with a right one.
fn sound(batch: Result<Batch, CorruptBatch>) -> Result<Batch, CorruptBatch> {
    let batch = batch?;
    if batch.is_valid() { Ok(batch) } else { Err(CorruptBatch("wrong checksum")) }
}

/// What is kept of some batches, one behind the other, and each of them. `None` if one cannot be read.
fn rewrite(
    batches: impl Iterator<Item = Result<Batch, CorruptBatch>>,
    filter: &Filter<'_>,
    changed: &mut Vec<CleanedBatch>,
) -> Option<(Bytes, Vec<Batch>)> {
    let mut bytes = BytesMut::new();
    let mut all = Vec::new();
    for batch in batches {
        let batch = sound(batch).ok()?;
        let kept = match filter.retain(&batch).ok()? {
            Kept::AsItIs => Some(batch.clone()),
            Kept::Rewritten(other) | Kept::Emptied(other) => Some(other),
            Kept::Gone => None,
        };
        if kept.as_ref() != Some(&batch) {
            let records = kept.iter().flat_map(|kept| kept.records().map_while(Result::ok));
            let deltas =
                records.map(|record| u32::try_from(record.offset.0 - batch.base_offset().0).unwrap_or(u32::MAX));
            let kept_deltas = deltas.collect();
            let after = kept.as_ref().map(Batch::id);
            changed.push(CleanedBatch { before: batch.id(), after, kept: kept_deltas });
        }
        if let Some(kept) = kept {
            bytes.extend_from_slice(kept.bytes());
            all.push(kept);
        }
    }
    Some((bytes.freeze(), all))
}
