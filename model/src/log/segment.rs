//! One `.log` file: whole batches one behind the other, and in memory where each of them lies.
//!
//! The list of batches is what Kafka's offset index is a sparse form of (S6). This file must not know what a log does
//! with several segments.

use bytes::Bytes;

use super::batch::BatchId;
use crate::disk::{Disk, DiskError, FileId};
use crate::names::{EndOffset, Offset};

/// No file and no distance between offsets in one segment is larger than this (L26): Kafka counts both in 31 bits.
pub(super) const LIMIT: u64 = i32::MAX as u64;

/// What a segment that is no longer part of the log is called until it is removed (L40).
pub(super) const DELETED: &str = ".deleted";

/// One segment of a log.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    base: Offset,
    file: FileId,
    entries: Vec<Entry>,
}

/// One batch in a segment. Positions and sizes fit 31 bits, as does the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: BatchId,
    position: u32,
    size: u32,
}

impl Entry {
    pub(super) fn position(&self) -> u64 {
        u64::from(self.position)
    }

    /// The position just behind it.
    pub(super) fn position_end(&self) -> u64 {
        u64::from(self.position) + u64::from(self.size)
    }
}

impl Segment {
    /// Makes an empty segment that begins at `base`.
    pub(super) fn create(disk: &mut dyn Disk, directory: &str, base: Offset) -> Result<Self, DiskError> {
        let file = disk.create(&path(directory, base))?;
        Ok(Self { base, file, entries: Vec::new() })
    }

    /// Opens a segment that is there and reads all its bytes; [`Segment::index`] must be told what they are.
    pub(super) fn open(disk: &mut dyn Disk, directory: &str, base: Offset) -> Result<(Self, Bytes), DiskError> {
        let file = disk.open(&path(directory, base))?;
        let length = disk.len(file)?;
        let bytes = disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok((Self { base, file, entries: Vec::new() }, bytes))
    }

    /// Whether a batch may come next: not below the segment nor what is in it, and within [`LIMIT`].
    pub(super) fn takes(&self, id: BatchId, size: usize) -> bool {
        id.base.bound() >= self.end()
            && id.last().0 - self.base.0 <= LIMIT
            && self.size().saturating_add(size as u64) <= LIMIT
    }

    /// Notes a batch that is in the file behind all others. Only what [`Segment::takes`].
    pub(super) fn index(&mut self, id: BatchId, size: usize) {
        debug_assert!(self.takes(id, size));
        self.entries.push(Entry { id, position: self.size() as u32, size: size as u32 });
    }

    /// Writes batches that lie in `bytes` one behind the other.
    pub(super) fn append(
        &mut self,
        disk: &mut dyn Disk,
        bytes: Bytes,
        batches: &[(BatchId, usize)],
    ) -> Result<(), DiskError> {
        disk.append(self.file, bytes)?;
        for &(id, size) in batches {
            self.index(id, size);
        }
        Ok(())
    }

    /// Cuts at the first batch whose last offset is `end` or above (L40, L41). Returns whether there was one.
    pub(super) fn truncate(&mut self, disk: &mut dyn Disk, end: EndOffset) -> Result<bool, DiskError> {
        let kept = self.entries.partition_point(|entry| entry.id.end() <= end);
        let Some(first_cut) = self.entries.get(kept) else {
            return Ok(false);
        };
        disk.truncate(self.file, first_cut.position())?;
        self.entries.truncate(kept);
        Ok(true)
    }

    /// Cuts off the bytes behind the last indexed batch.
    pub(super) fn cut_tail(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        disk.truncate(self.file, self.size())
    }

    /// The batches from the one that contains `from`, or the next above it, on.
    pub(super) fn entries_from(&self, from: Offset) -> &[Entry] {
        let first = self.entries.partition_point(|entry| entry.id.end() <= from.bound());
        &self.entries[first..]
    }

    /// All its batches.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
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

    pub(super) fn file(&self) -> FileId {
        self.file
    }
}

/// Where the segment that begins at `base` lies.
pub(super) fn path(directory: &str, base: Offset) -> String {
    format!("{directory}/{:020}.log", base.0)
}

/// The base offset in a segment's path; `None` for every other file.
pub(super) fn base_in(path: &str) -> Option<Offset> {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    let digits = name.strip_suffix(".log")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let base: u64 = all_digits.then(|| digits.parse().ok())??;
    i64::try_from(base).is_ok().then_some(Offset(base))
}

/// Takes a segment out of the log without losing its bytes yet: readers may still hold on to them (L40, L71).
pub(super) fn discard(disk: &mut dyn Disk, directory: &str, base: Offset) -> Result<(), DiskError> {
    let path = path(directory, base);
    disk.rename(&path, &format!("{path}{DELETED}"))
}
