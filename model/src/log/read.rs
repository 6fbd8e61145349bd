//! Reading in two steps (L70, L71): first where the bytes lie, then, when the answer leaves, what lies there.
//!
//! Kafka hands a slice of the file to the network thread. Between the two steps the log may be truncated and written
//! again, and the reader gets what is there by then (L23, N15). This file must not know who reads.

use std::cmp::Reverse;

use super::log::Log;
use super::record::Record;
use super::segment::{Entry, Segment};
use super::slices::Slices;
use crate::disk::{Disk, DiskError, FileId};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// Where some whole batches lay when they were located: a stretch of one segment's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    file: FileId,
    position: u64,
    length: usize,
    first: Offset,
    end: EndOffset,
}

impl Span {
    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.length
    }

    /// The first offset of the first batch; may lie below what was asked for.
    #[must_use]
    pub fn first(&self) -> Offset {
        self.first
    }

    /// The bound behind the last batch, when it was located.
    #[must_use]
    pub fn end(&self) -> EndOffset {
        self.end
    }
}

/// `OFFSET_OUT_OF_RANGE`: the log holds nothing at this place and will not go on there either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not within {start} to {end}")]
pub struct OutOfRange {
    /// Log start offset.
    pub start: EndOffset,
    /// Log end offset.
    pub end: EndOffset,
}

impl Log {
    /// Finds whole batches, from the one that contains `from` on, all of them below `upto`, not more than `max_bytes`.
    ///
    /// With `min_one` at least one batch is found, however large, if there is one below `upto`. Never crosses a segment.
    /// `Ok(None)`: nothing to read there, now.
    ///
    /// # Errors
    /// [`OutOfRange`] if `from` lies below the start or above the end of the log.
    pub fn locate(
        &self,
        from: Offset,
        upto: EndOffset,
        max_bytes: usize,
        min_one: bool,
    ) -> Result<Option<Span>, OutOfRange> {
        if from.bound() < self.start || from.bound() > self.end {
            return Err(OutOfRange { start: self.start, end: self.end });
        }
        if !upto.covers(from) {
            // Nothing new: what most fetches of a follower that keeps up find.
            return Ok(None);
        }
        for segment in &self.segments[self.floor(from)..] {
            let entries = segment.entries_from(from);
            if let Some(first) = entries.first() {
                return Ok(span(segment.log(), first, entries, upto, max_bytes, min_one));
            }
        }
        Ok(None)
    }

    /// Reads what lies there now: other bytes than when it was located, or fewer, if the log was truncated since. They are
    /// slices of the log's own bytes: none is copied, so the cost does not grow with the size of the records (L71).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn read(&self, disk: &mut dyn Disk, span: &Span) -> Result<Slices, DiskError> {
        disk.read_slices(span.file, span.position, span.length).map(Slices::from)
    }

    /// The first record below `upto` with this timestamp, in milliseconds, or a later one (L76).
    ///
    /// # Errors
    /// Whatever the disk says. A batch that cannot be read as one counts as if it had no records.
    pub fn offset_for_timestamp(
        &self,
        disk: &mut dyn Disk,
        timestamp: i64,
        upto: EndOffset,
    ) -> Result<Option<Found>, DiskError> {
        let late_enough =
            |segment: &&Segment| segment.largest_timestamp() >= timestamp && !segment.entries().is_empty();
        for segment in self.segments.iter().filter(late_enough) {
            let Some(entry) = segment.entry_at_time(timestamp, self.start.next()) else { continue };
            let entries = segment.entries_from(entry.id.base);
            for entry in entries.iter().filter(|entry| entry.max_timestamp() >= timestamp) {
                if !upto.covers(entry.id.base) {
                    return Ok(None);
                }
                let records = self.visible_records(disk, segment, entry, upto)?;
                if let Some(found) = records.into_iter().find(|record| record.timestamp >= timestamp) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The first record below `upto` with the largest timestamp of all (L76, KIP-734).
    ///
    /// # Errors
    /// As for [`Log::offset_for_timestamp`].
    pub fn max_timestamp(&self, disk: &mut dyn Disk, upto: EndOffset) -> Result<Option<Found>, DiskError> {
        let from = self.start.next();
        let entries = self
            .segments
            .iter()
            .flat_map(|segment| segment.entries_from(from).iter().map(move |entry| (segment, entry)));
        let mut visible: Vec<_> = entries.take_while(|(_, entry)| upto.covers(entry.id.base)).collect();
        visible.sort_by_key(|(_, entry)| Reverse(entry.max_timestamp()));
        // Not always in the first of them: the record may lie below the start, or compaction may have taken it.
        let mut newest: Option<Found> = None;
        for (segment, entry) in visible {
            let no_newer = |found: Found| {
                (entry.max_timestamp(), Reverse(entry.id.base)) <= (found.timestamp, Reverse(found.offset))
            };
            if newest.is_some_and(no_newer) {
                break;
            }
            let records = self.visible_records(disk, segment, entry, upto)?;
            newest = newest.into_iter().chain(records).max_by_key(|found| (found.timestamp, Reverse(found.offset)));
        }
        Ok(newest)
    }

    fn visible_records(
        &self,
        disk: &mut dyn Disk,
        segment: &Segment,
        entry: &Entry,
        upto: EndOffset,
    ) -> Result<Vec<Found>, DiskError> {
        let bytes = Slices::from(segment.read(disk, std::slice::from_ref(entry))?);
        let batch = bytes.batches().next().and_then(Result::ok);
        let records = batch.iter().flat_map(|batch| batch.records().map_while(Result::ok));
        let visible = records.filter(|record| record.offset.bound() >= self.start && upto.covers(record.offset));
        let found =
            |record: Record| Found { offset: record.offset, timestamp: record.timestamp, epoch: entry.id.epoch };
        Ok(visible.map(found).collect())
    }
}

/// A record that was looked up by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub offset: Offset,
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
    /// The leader epoch in which it was appended.
    pub epoch: LeaderEpoch,
}

fn span(
    file: FileId,
    first: &Entry,
    entries: &[Entry],
    upto: EndOffset,
    max_bytes: usize,
    min_one: bool,
) -> Option<Span> {
    let limit = first.position().saturating_add(max_bytes as u64);
    let fitting = entries.partition_point(|entry| entry.id.end() <= upto && entry.position_end() <= limit);
    let one = usize::from(min_one && first.id.end() <= upto);
    let last = entries.get(fitting.max(one).checked_sub(1)?)?;
    Some(Span {
        file,
        position: first.position(),
        length: usize::try_from(last.position_end() - first.position()).ok()?,
        first: first.id.base,
        end: last.id.end(),
    })
}
