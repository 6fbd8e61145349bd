//! One replica's log: what it is, how it is opened, synced and removed. Appending, reading and truncating are next door.
//!
//! It must not know who leads, what is committed, or what time it is.

use super::batch::BatchId;
use super::epochs::{self, EpochCache};
use super::recovery::{self, Loading, Recovery};
use super::segment::{DELETED, Segment};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// The topic's properties that matter to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `segment.bytes`: no segment grows beyond this.
    pub segment_bytes: u64,
    /// `flush.messages`: sync once so many records are not; `u64::MAX` for never.
    pub flush_messages: u64,
    /// `max.message.bytes`: the largest batch a client may send.
    pub max_message_bytes: u32,
}

/// One replica's log.
///
/// After any error but a refusal ([`super::AppendError`] other than `Disk`) memory and disk may differ: the process is over
/// (L56, S4) and the log must be opened again.
#[derive(Clone, Debug)]
pub struct Log {
    pub(super) directory: String,
    pub(super) config: LogConfig,
    /// Never empty; the last one is active.
    pub(super) segments: Vec<Segment>,
    pub(super) start: EndOffset,
    pub(super) end: EndOffset,
    pub(super) recovery_point: EndOffset,
    pub(super) epochs: EpochCache,
}

impl Log {
    /// Opens the log in `directory`, or begins one there.
    ///
    /// # Errors
    /// Whatever the disk says; what it holds is never an error (L9, L49).
    pub fn open(
        disk: &mut dyn Disk,
        directory: &str,
        config: LogConfig,
        loading: Loading,
    ) -> Result<(Self, Recovery), DiskError> {
        let mut recovery = Recovery::default();
        let mut epochs = recovery::read_epochs(disk, directory, &mut recovery)?;
        let mut segments = recovery::load(disk, directory, loading, &mut epochs, &mut recovery)?;
        if segments.is_empty() {
            segments.push(Segment::create(disk, directory, Offset::ZERO)?);
        }
        let start = segments[0].base().bound();
        let end = segments[segments.len() - 1].end();
        let recovery_point = if loading.clean { end } else { end.min(loading.recovery_point) };
        recovery.epochs_cut = epochs.truncate_from_end(end) | epochs.truncate_from_start(start);
        let directory = directory.to_owned();
        Ok((Self { directory, config, segments, start, end, recovery_point, epochs }, recovery))
    }

    /// Log start offset (LST).
    #[must_use]
    pub fn start(&self) -> EndOffset {
        self.start
    }

    /// Log end offset (LEO).
    #[must_use]
    pub fn end(&self) -> EndOffset {
        self.end
    }

    /// Everything below was synced (RP).
    #[must_use]
    pub fn recovery_point(&self) -> EndOffset {
        self.recovery_point
    }

    /// The leader-epoch cache.
    #[must_use]
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// The newest leader epoch this log knows of; with what a follower asks for more (R35).
    #[must_use]
    pub fn last_epoch(&self) -> Option<LeaderEpoch> {
        self.epochs.latest()
    }

    /// Where the largest epoch not above `epoch` ends in this log, and which that is (L36).
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, EndOffset)> {
        self.epochs.end_offset_for(epoch, self.end)
    }

    /// Its directory, `<topic>-<partition>`.
    #[must_use]
    pub fn directory(&self) -> &str {
        &self.directory
    }

    /// What it was configured with.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// Length of all segments in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.segments.iter().map(Segment::size).sum()
    }

    /// The base offsets of its segments, ascending; the last one is active.
    pub fn segment_bases(&self) -> impl DoubleEndedIterator<Item = Offset> {
        self.segments.iter().map(Segment::base)
    }

    /// Every batch, in the order of the log.
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = BatchId> {
        self.segments.iter().flat_map(|segment| segment.entries().iter().map(|entry| entry.id))
    }

    /// Notes that an epoch begins at the end of the log, and writes the checkpoint at once: what a new leader does
    /// before it serves, even if it never appends (L39).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn assign_epoch(&mut self, disk: &mut dyn Disk, epoch: LeaderEpoch) -> Result<(), DiskError> {
        self.note_epoch(disk, epoch, self.end)
    }

    /// Writes the epoch checkpoint: after a truncation another thread does so, later (L37).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write_epochs(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        epochs::write(disk, &self.directory, &self.epochs)
    }

    /// Syncs everything below `upto` and moves the recovery point there (L31). Returns the recovery point if it moved.
    ///
    /// A bound beyond the end of the log, from a task older than a truncation, counts as the end.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn flush(&mut self, disk: &mut dyn Disk, upto: EndOffset) -> Result<Option<EndOffset>, DiskError> {
        let upto = upto.min(self.end);
        if upto <= self.recovery_point {
            return Ok(None);
        }
        self.sync(disk, upto)?;
        self.recovery_point = upto;
        Ok(Some(upto))
    }

    /// Syncs everything, the active segment too if it is empty: the end of an orderly stop (L32, L46).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn close(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.sync(disk, EndOffset(self.end.0 + 1))?;
        self.recovery_point = self.end;
        Ok(())
    }

    /// Removes the log and its directory for good.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn remove(self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        remove_directory(disk, &self.directory)
    }

    /// Removes the files of discarded segments, `file.delete.delay.ms` after they were (L40). A start does so, too.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn sweep(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        for path in disk.list(&self.directory)? {
            if path.ends_with(DELETED) {
                disk.remove(&path)?;
            }
        }
        Ok(())
    }

    /// Notes where an epoch begins; a change is written at once (L35).
    pub(super) fn note_epoch(
        &mut self,
        disk: &mut dyn Disk,
        epoch: LeaderEpoch,
        start: EndOffset,
    ) -> Result<(), DiskError> {
        if self.epochs.assign(epoch, start) { self.write_epochs(disk) } else { Ok(()) }
    }

    pub(super) fn active(&self) -> &Segment {
        self.segments.last().expect("a log always has an active segment")
    }

    /// The index of the segment in which `place` lies, or of the first.
    pub(super) fn floor(&self, place: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base() <= place).saturating_sub(1)
    }

    /// Syncs the files of the segments that intersect [recovery point, `upto`), and the directory if one of them is new
    /// since the last time (L10, L31).
    fn sync(&self, disk: &mut dyn Disk, upto: EndOffset) -> Result<(), DiskError> {
        let mut new_file = false;
        for segment in &self.segments[self.floor(self.recovery_point.next())..] {
            if segment.base().bound() >= upto {
                break;
            }
            disk.sync(segment.file())?;
            new_file |= segment.base().bound() >= self.recovery_point;
        }
        if new_file { disk.sync_dir(&self.directory) } else { Ok(()) }
    }
}

/// Removes a replica's directory for good, wherever an earlier attempt stopped.
///
/// Kafka renames the directory first, in one step; here `partition.metadata` goes first. Without it no start takes the
/// rest for a replica.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_directory(disk: &mut dyn Disk, directory: &str) -> Result<(), DiskError> {
    let metadata = super::folder::metadata_path(directory);
    match disk.remove(&metadata) {
        Ok(()) => disk.sync_dir(directory)?,
        Err(DiskError::NotFound) => {}
        Err(error) => return Err(error),
    }
    for path in disk.list(directory)? {
        disk.remove(&path)?;
    }
    disk.sync_dir(directory)
}
