//! One segment: whole batches one behind the other in a `.log` file, and two sparse indexes beside it (§1.2, L29).
//!
//! In memory it has where every batch lies; the indexes say where to begin to look. This file must not know what a log does
//! with several segments.

use std::time::Duration;

use bytes::Bytes;

use super::batch::{Batch, BatchId};
use super::files::{self, Kind, Standing};
use super::index::{NO_TIMESTAMP, OffsetIndex, TimeIndex};
use crate::disk::{Disk, DiskError, FileId};
use crate::names::{EndOffset, Offset, Time};

/// No file and no distance between offsets in one segment is larger than this (L26): Kafka counts both in 31 bits.
pub(super) const LIMIT: u64 = i32::MAX as u64;

/// One segment of a log.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    base: Offset,
    log: FileId,
    entries: Vec<Entry>,
    offsets: OffsetIndex,
    offsets_file: FileId,
    times: TimeIndex,
    times_file: FileId,
    /// There was a batch of a producer with an id in it.
    has_producers: bool,
    /// Bytes behind the last entry of the indexes.
    unindexed: u64,
    /// The largest timestamp, and the last offset of the batch that brought it.
    largest: (i64, Offset),
    /// When the file was made, or opened, as the host believes.
    created: Time,
    /// When it was written to last.
    modified: Time,
    /// It was cut, or another process may have cut it, and the platter may not have seen that.
    cut_unsynced: bool,
    /// Its indexes were written anew, and the platter may not have seen that.
    indexes_unsynced: bool,
}

/// One batch in a segment. Positions and sizes fit 31 bits, as does the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: BatchId,
    position: u32,
    size: u32,
    max_timestamp: i64,
}

/// What decides whether a segment is full (L26).
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// `segment.bytes`.
    pub(super) bytes: u64,
    /// `segment.ms`, less the jitter of this segment.
    pub(super) age: Duration,
    /// `segment.index.bytes`.
    pub(super) index_bytes: u64,
}

impl Entry {
    pub(super) fn position(&self) -> u64 {
        u64::from(self.position)
    }

    /// The position just behind it.
    pub(super) fn position_end(&self) -> u64 {
        u64::from(self.position) + u64::from(self.size)
    }

    pub(super) fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }
}

impl Segment {
    /// Makes an empty segment that begins at `base`, with the files that it has at first.
    pub(super) fn create(
        disk: &mut dyn Disk,
        directory: &str,
        base: Offset,
        standing: Standing,
        now: Time,
    ) -> Result<Self, DiskError> {
        let mut file = |kind| disk.create(&files::path(directory, base, kind, standing));
        let (log, offsets_file, times_file) = (file(Kind::Log)?, file(Kind::OffsetIndex)?, file(Kind::TimeIndex)?);
        let indexes = (OffsetIndex::new(base), TimeIndex::new(base));
        Ok(Self::of_files((log, offsets_file, times_file), indexes, base, now))
    }

    /// A segment of files that are there, with indexes as they were found; [`Segment::note`] must be told of its batches.
    pub(super) fn of_files(
        (log, offsets_file, times_file): (FileId, FileId, FileId),
        (offsets, times): (OffsetIndex, TimeIndex),
        base: Offset,
        now: Time,
    ) -> Self {
        Self {
            base,
            log,
            entries: Vec::new(),
            offsets,
            offsets_file,
            times,
            times_file,
            has_producers: false,
            unindexed: 0,
            largest: (NO_TIMESTAMP, base),
            created: now,
            modified: now,
            cut_unsynced: false,
            indexes_unsynced: false,
        }
    }

    /// Whether a batch may come next: not below the segment nor what is in it, and within [`LIMIT`].
    pub(super) fn takes(&self, batch: &Batch) -> bool {
        let id = batch.id();
        id.base.bound() >= self.end()
            && id.last().0 - self.base.0 <= LIMIT
            && self.size().saturating_add(batch.size() as u64) <= LIMIT
    }

    /// Notes a batch that is in the file behind all others. Only what [`Segment::takes`].
    pub(super) fn note(&mut self, batch: &Batch) {
        debug_assert!(self.takes(batch));
        let (position, size, max_timestamp) = (self.size() as u32, batch.size() as u32, batch.max_timestamp());
        self.entries.push(Entry { id: batch.id(), position, size, max_timestamp });
        self.has_producers |= batch.producer_id() >= 0;
        if max_timestamp > self.largest.0 {
            self.largest = (max_timestamp, batch.last_offset());
        }
    }

    /// Writes batches that lie in `bytes` one behind the other. Once more than `interval` bytes were written since the last
    /// time both indexes get an entry (L29).
    pub(super) fn append(
        &mut self,
        disk: &mut dyn Disk,
        bytes: Bytes,
        batches: &[Batch],
        interval: u64,
        now: Time,
    ) -> Result<(), DiskError> {
        let (position, length) = (self.size() as u32, bytes.len() as u64);
        disk.append(self.log, bytes)?;
        self.modified = now;
        batches.iter().for_each(|batch| self.note(batch));
        if self.unindexed > interval {
            self.unindexed = 0;
            let last = self.end().0.saturating_sub(1);
            if self.offsets.takes(Offset(last)) {
                let entry = self.offsets.push(Offset(last), position);
                disk.append(self.offsets_file, Bytes::copy_from_slice(&entry))?;
            }
            self.index_time(disk)?;
        }
        self.unindexed += length;
        Ok(())
    }

    /// Builds the indexes anew from the batches, as recovery does (L49), and writes their files.
    pub(super) fn rebuild_indexes(&mut self, disk: &mut dyn Disk, interval: u64) -> Result<(), DiskError> {
        (self.offsets, self.times) = (OffsetIndex::new(self.base), TimeIndex::new(self.base));
        let mut largest = (NO_TIMESTAMP, self.base);
        let mut indexed = 0;
        for entry in &self.entries {
            if entry.max_timestamp > largest.0 {
                largest = (entry.max_timestamp, entry.id.last());
            }
            if entry.position() - indexed > interval {
                self.offsets.push(entry.id.last(), entry.position);
                self.times.maybe_push(largest.0, largest.1);
                indexed = entry.position();
            }
        }
        self.times.maybe_push(largest.0, largest.1);
        self.unindexed = self.size() - indexed;
        self.largest = largest;
        self.indexes_unsynced = true;
        rewrite(disk, self.offsets_file, self.offsets.encode())?;
        rewrite(disk, self.times_file, self.times.encode())
    }

    /// No batch comes any more, or none before the next start: the time index gets its last entry (L28).
    pub(super) fn finish(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.index_time(disk)
    }

    /// All batches are noted and the indexes were found in order: counts how much of the file they do not cover yet.
    pub(super) fn settle_indexes(&mut self) {
        let indexed = self.offsets.last().map_or(0, |(_, position)| u64::from(position));
        self.unindexed = self.size().saturating_sub(indexed);
    }

    fn index_time(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        match self.times.maybe_push(self.largest.0, self.largest.1) {
            Some(entry) => disk.append(self.times_file, Bytes::copy_from_slice(&entry)),
            None => Ok(()),
        }
    }

    /// Syncs all its files (L31).
    pub(super) fn sync(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        disk.sync(self.log)?;
        disk.sync(self.offsets_file)?;
        disk.sync(self.times_file)?;
        (self.cut_unsynced, self.indexes_unsynced) = (false, false);
        Ok(())
    }

    /// Syncs all its files if one of them was cut or written anew and not synced since.
    pub(super) fn sync_changes(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if self.cut_unsynced || self.indexes_unsynced { self.sync(disk) } else { Ok(()) }
    }

    /// Syncs the `.log` file alone if it was cut and not synced since.
    pub(super) fn sync_cut(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if std::mem::take(&mut self.cut_unsynced) { disk.sync(self.log) } else { Ok(()) }
    }

    /// Nobody knows whether it was cut and not synced since: it counts as if.
    pub(super) fn doubt_cuts(&mut self) {
        self.cut_unsynced = true;
    }

    /// Cuts at the first batch whose last offset is `end` or above, and both indexes there (L40, L41).
    pub(super) fn truncate(&mut self, disk: &mut dyn Disk, end: EndOffset) -> Result<(), DiskError> {
        let kept = self.entries.partition_point(|entry| entry.id.end() <= end);
        let Some(first_cut) = self.entries.get(kept) else {
            return Ok(());
        };
        let size = first_cut.position();
        disk.truncate(self.log, size)?;
        self.cut_unsynced = true;
        self.entries.truncate(kept);
        if self.offsets.truncate_to(end.next()) {
            disk.truncate(self.offsets_file, self.offsets.size() as u64)?;
        }
        if self.times.truncate_to(end.next()) {
            disk.truncate(self.times_file, self.times.size() as u64)?;
        }
        self.settle_indexes();
        let largest = self.entries.iter().rev().max_by_key(|entry| entry.max_timestamp);
        self.largest = largest.map_or((NO_TIMESTAMP, self.base), |entry| (entry.max_timestamp, entry.id.last()));
        Ok(())
    }

    /// Cuts off the bytes behind the last batch that was noted.
    pub(super) fn cut_tail(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.cut_unsynced = true;
        disk.truncate(self.log, self.size())
    }

    /// Forgets all but the first `kept` batches; their bytes are still there.
    pub(super) fn forget_behind(&mut self, kept: usize) {
        self.entries.truncate(kept);
    }

    /// The batches from the one that contains `from`, or the next above it, on: the index says where to begin to look
    /// (L29).
    pub(super) fn entries_from(&self, from: Offset) -> &[Entry] {
        let (_, position) = self.offsets.lookup(from);
        // Most reads are at the end of the log.
        if let [.., before, last] = &*self.entries
            && !before.id.end().covers(from)
            && last.position >= position
        {
            let last_is_below = usize::from(!last.id.end().covers(from));
            return &self.entries[self.entries.len() - 1 + last_is_below..];
        }
        let near = self.entries.partition_point(|entry| entry.position < position);
        // Kafka reads on batch by batch; all of them are known here, and what is below is found sooner.
        let further = self.entries[near..].partition_point(|entry| !entry.id.end().covers(from));
        &self.entries[near + further..]
    }

    /// The first batch at or behind `from` with a record of this timestamp or a later one: the time index says where to
    /// begin (L29).
    pub(super) fn entry_at_time(&self, timestamp: i64, from: Offset) -> Option<&Entry> {
        let (_, offset) = self.times.lookup(timestamp);
        self.entries_from(offset.max(from)).iter().find(|entry| entry.max_timestamp >= timestamp)
    }

    /// Whether the segment has to be closed before these batches of `length` bytes come (L26).
    pub(super) fn is_full(&self, limits: &Limits, length: u64, batches: &[Batch], now: Time) -> bool {
        let latest = batches.iter().map(Batch::max_timestamp).max().unwrap_or(NO_TIMESTAMP);
        let last = batches.last().map_or(self.base, Batch::last_offset);
        self.size() > limits.bytes.saturating_sub(length)
            || (!self.entries.is_empty() && self.age(latest, now) > limits.age)
            || self.offsets.is_full(usize::try_from(limits.index_bytes).unwrap_or(usize::MAX))
            || self.times.is_full(usize::try_from(limits.index_bytes).unwrap_or(usize::MAX))
            || last.0.saturating_sub(self.base.0) > LIMIT
    }

    /// How old the segment is when a batch with this timestamp comes: by timestamps, or by the host's clock if its first
    /// batch has none.
    fn age(&self, latest: i64, now: Time) -> Duration {
        match self.entries.first() {
            Some(first) if first.max_timestamp >= 0 => {
                Duration::from_millis(u64::try_from(latest.saturating_sub(first.max_timestamp)).unwrap_or(0))
            }
            _ => now.since(self.created),
        }
    }

    /// The largest timestamp in milliseconds; when the file was written to last if no record has any (L73).
    pub(super) fn largest_timestamp(&self) -> i64 {
        if self.largest.0 >= 0 { self.largest.0 } else { self.modified.millis() }
    }

    /// All its batches.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether it says anything about producers: nobody else has to be replayed.
    pub(super) fn has_producers(&self) -> bool {
        self.has_producers
    }

    /// The offset in its name.
    pub(super) fn base(&self) -> Offset {
        self.base
    }

    /// The bound behind its last batch.
    pub(super) fn end(&self) -> EndOffset {
        self.entries.last().map_or(self.base.bound(), |entry| entry.id.end())
    }

    /// Its length in bytes.
    pub(super) fn size(&self) -> u64 {
        self.entries.last().map_or(0, Entry::position_end)
    }

    /// The `.log` file.
    pub(super) fn log(&self) -> FileId {
        self.log
    }

    /// Where the indexes say that batches lie, and since when they say that timestamps were reached.
    pub(super) fn indexes(&self) -> (&OffsetIndex, &TimeIndex) {
        (&self.offsets, &self.times)
    }

    /// The bytes of the batches that these entries, which lie one behind the other, stand for.
    pub(super) fn read(&self, disk: &mut dyn Disk, entries: &[Entry]) -> Result<Vec<Bytes>, DiskError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(Vec::new()) };
        let length = last.position_end() - first.position();
        disk.read_slices(self.log, first.position(), usize::try_from(length).unwrap_or(usize::MAX))
    }
}

/// Replaces the content of an index file.
fn rewrite(disk: &mut dyn Disk, file: FileId, content: Vec<u8>) -> Result<(), DiskError> {
    disk.truncate(file, 0)?;
    if content.is_empty() { Ok(()) } else { disk.append(file, Bytes::from(content)) }
}
