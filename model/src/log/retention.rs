//! How a log loses what is old: its start moves, and segments that lie before it go (L72-L75).
//!
//! This file must not know who asks for records to be deleted, nor whether this replica leads.

use serde::{Deserialize, Serialize};

use super::log::{Log, millis};
use super::segment::Segment;
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Offset, Time};

/// A segment that retention took out of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedSegment {
    /// Where it began.
    pub base: Offset,
    /// The bound behind it: where the next one begins.
    pub end: EndOffset,
    /// Its length.
    pub bytes: u64,
    /// Its largest timestamp in milliseconds; when it was written to last if no record has any.
    pub largest_timestamp: i64,
    /// Why it went.
    pub cause: DeletionCause,
}

/// Why a segment goes, in the order in which Kafka asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DeletionCause {
    /// Its youngest record is older than `retention.ms`.
    Time,
    /// The log stays larger than `retention.bytes` without it.
    Size,
    /// It lies below the log start offset.
    StartOffset,
}

impl Log {
    /// Moves the log start offset up to `start`, which the high watermark must have reached (L25, L75). Returns whether it
    /// moved. Only memory changes: [`Log::write_epochs`] and the checkpoint of log start offsets are due some time later
    /// (L37, L45).
    pub fn raise_start(&mut self, start: EndOffset) -> bool {
        let start = start.min(self.end);
        if start <= self.start {
            return false;
        }
        self.start = start;
        self.first_dirty = self.first_dirty.max(start);
        self.epochs.truncate_from_start(start);
        true
    }

    /// Takes segments out of the log, oldest first, up to the first one that has to stay (L72). What is not below the high
    /// watermark always has to. If all segments go, a new one is begun first. The log start offset moves before a file is
    /// renamed; [`Log::write_epochs`] is due afterwards if anything went.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn delete_old_segments(
        &mut self,
        disk: &mut dyn Disk,
        now: Time,
        high_watermark: EndOffset,
    ) -> Result<Vec<DeletedSegment>, DiskError> {
        let mut deleted = Vec::new();
        if self.config.delete {
            if let Some(oldest) = self.config.retention_ms.map(|span| now.millis().saturating_sub(millis(span))) {
                let too_old = |segment: &Segment, _, _| segment.largest_timestamp() < oldest;
                self.delete_while(disk, now, high_watermark, DeletionCause::Time, too_old, &mut deleted)?;
            }
            if let Some(most) = self.config.retention_bytes {
                let too_much = |segment: &Segment, left: u64, _| left - segment.size() >= most;
                self.delete_while(disk, now, high_watermark, DeletionCause::Size, too_much, &mut deleted)?;
            }
        }
        let start = self.start;
        let below = |_: &Segment, _, end: EndOffset| end <= start;
        self.delete_while(disk, now, high_watermark, DeletionCause::StartOffset, below, &mut deleted)?;
        Ok(deleted)
    }

    fn delete_while(
        &mut self,
        disk: &mut dyn Disk,
        now: Time,
        high_watermark: EndOffset,
        cause: DeletionCause,
        goes: impl Fn(&Segment, u64, EndOffset) -> bool,
        deleted: &mut Vec<DeletedSegment>,
    ) -> Result<(), DiskError> {
        let mut left = self.size_bytes();
        let mut count = 0;
        for (index, segment) in self.segments.iter().enumerate() {
            let next = self.segments.get(index + 1);
            let end = next.map_or(self.end, |next| next.base().bound());
            let last_and_empty = next.is_none() && segment.entries().is_empty();
            if high_watermark < end || last_and_empty || !goes(segment, left, end) {
                break;
            }
            left -= segment.size();
            count += 1;
            let (base, bytes, largest_timestamp) = (segment.base(), segment.size(), segment.largest_timestamp());
            deleted.push(DeletedSegment { base, end, bytes, largest_timestamp, cause });
        }
        if count == 0 {
            return Ok(());
        }
        if count == self.segments.len() {
            self.roll(disk, self.end.next(), now)?;
        }
        let kept = self.segments.split_off(count);
        let gone = std::mem::replace(&mut self.segments, kept);
        self.raise_start(self.segments[0].base().bound());
        for segment in gone {
            self.discard(disk, segment.base(), now)?;
            if self.config.storage.trust.syncs_deletions() {
                disk.sync_dir(&self.directory)?;
            }
        }
        Ok(())
    }
}
