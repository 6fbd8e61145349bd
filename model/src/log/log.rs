//! One replica's log: what it is, how it is opened, synced and removed. Appending, reading, truncating, retention and
//! cleaning are next door.
//!
//! It must not know who leads, nor what is committed but for what it is told.

use std::collections::VecDeque;
use std::time::Duration;

use super::batch::BatchId;
use super::config::LogConfig;
use super::epochs::{self, EpochCache};
use super::files::{self, Standing};
use super::producers::Producers;
use super::recovery::{self, Loading, Recovery};
use super::segment::{LIMIT, Limits, Segment};
use super::snapshots::{self, Durability};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};

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
    pub(super) producers: Producers,
    /// When it was last synced as a whole, or opened (`flush.ms`).
    pub(super) flushed_at: Time,
    /// Segments that are out of the log and whose files are still there, with the time when they may go (L40).
    pub(super) discarded: VecDeque<(Offset, Time)>,
    /// What the cleaner has not looked at yet begins here (L77).
    pub(super) first_dirty: EndOffset,
    /// How often the log was cut, so that whoever prepared something notices (L84).
    pub(super) cuts: u64,
}

impl Log {
    /// Opens the log in `directory`, or begins one there (L46-L56).
    ///
    /// # Errors
    /// Whatever the disk says; what it holds is never an error (L9, L49).
    pub fn open(
        disk: &mut dyn Disk,
        directory: &str,
        config: LogConfig,
        loading: Loading,
    ) -> Result<(Self, Recovery), DiskError> {
        recovery::open(disk, directory, config, loading)
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

    /// The log start offset, if it has to be written down so that the next process knows it: where the first segment begins
    /// it would know by itself (L45).
    #[must_use]
    pub fn checkpointed_start(&self) -> Option<EndOffset> {
        (self.start > self.segments[0].base().bound()).then_some(self.start)
    }

    /// The leader-epoch cache.
    #[must_use]
    pub fn epochs(&self) -> &EpochCache {
        &self.epochs
    }

    /// What is known of the producers that wrote to it (L57).
    #[must_use]
    pub fn producers(&self) -> &Producers {
        &self.producers
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

    /// What it is configured with.
    #[must_use]
    pub fn config(&self) -> &LogConfig {
        &self.config
    }

    /// The topic's configuration has changed. What was written stays as it is.
    pub fn reconfigure(&mut self, config: LogConfig) {
        self.config = config;
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

    /// Every batch, in the order of the log. The first may begin below the log start offset (L75).
    pub fn batches(&self) -> impl DoubleEndedIterator<Item = BatchId> {
        self.segments.iter().flat_map(|segment| segment.entries().iter().map(|entry| entry.id))
    }

    /// Notes that an epoch begins at the end of the log, and writes the checkpoint at once: what a new leader does
    /// before it serves, even if it never appends (L39).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn assign_epoch(&mut self, disk: &mut dyn Disk, epoch: LeaderEpoch) -> Result<(), DiskError> {
        match self.config.storage.recording.begins_with_leader() {
            true => self.note_epoch(disk, epoch, self.end),
            false => Ok(()),
        }
    }

    /// Writes the epoch checkpoint: after a truncation another thread does so, later (L37).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write_epochs(&self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        epochs::write(disk, &self.directory, &self.epochs, self.config.storage)
    }

    /// Forgets producers that have been silent for longer than `producer.id.expiration.ms` (L62).
    pub fn expire_producers(&mut self, now: Time, expiration: Duration) {
        self.producers.expire(now.millis(), millis(expiration));
    }

    /// Whether `flush.ms` have passed since the log was synced, and there is something to sync (L32).
    #[must_use]
    pub fn is_flush_due(&self, now: Time) -> bool {
        self.end > self.recovery_point && now.since(self.flushed_at) >= self.config.flush_ms
    }

    /// Syncs everything below `upto` and moves the recovery point there (L31). Returns the recovery point if it moved.
    ///
    /// A bound beyond the end of the log, from a task older than a truncation, counts as the end.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn flush(&mut self, disk: &mut dyn Disk, upto: EndOffset, now: Time) -> Result<Option<EndOffset>, DiskError> {
        let upto = upto.min(self.end);
        if upto <= self.recovery_point {
            return Ok(None);
        }
        self.sync(disk, upto)?;
        self.recovery_point = upto;
        self.flushed_at = now;
        Ok(Some(upto))
    }

    /// Syncs everything, the active segment too if it is empty, and writes down what is known of producers: the end of an
    /// orderly stop (L32, L46).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn close(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        self.active_mut().finish(disk)?;
        self.sync(disk, EndOffset(self.end.0 + 1))?;
        self.recovery_point = self.end;
        snapshots::write(disk, &self.directory, self.end, &self.producers, Durability::Synced)
    }

    /// Removes the files of segments that were discarded `file.delete.delay.ms` ago (L40). A start removes all of them.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn sweep(&mut self, disk: &mut dyn Disk, now: Time) -> Result<(), DiskError> {
        while let Some((base, _)) = self.discarded.pop_front_if(|(_, due)| *due <= now) {
            files::remove(disk, &self.directory, base, Standing::Deleted)?;
            snapshots::remove_discarded(disk, &self.directory, base.bound())?;
        }
        Ok(())
    }

    /// When there is something to [sweep](Self::sweep).
    #[must_use]
    pub fn sweep_due(&self) -> Option<Time> {
        self.discarded.front().map(|&(_, due)| due)
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

    pub(super) fn active_mut(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("a log always has an active segment")
    }

    /// The index of the segment in which `place` lies, or of the first.
    pub(super) fn floor(&self, place: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base() <= place).saturating_sub(1)
    }

    /// Takes the segment that begins at `base`, which is no longer in memory, out of the log's files.
    pub(super) fn discard(&mut self, disk: &mut dyn Disk, base: Offset, now: Time) -> Result<(), DiskError> {
        files::discard(disk, &self.directory, base)?;
        snapshots::discard(disk, &self.directory, base.bound())?;
        self.discarded.push_back((base, now + self.config.file_delete_delay));
        Ok(())
    }

    /// Closes the active segment and begins another at `base` (L27, L28).
    pub(super) fn roll(&mut self, disk: &mut dyn Disk, base: Offset, now: Time) -> Result<(), DiskError> {
        // If it ends at the recovery point no flush will ever look at it again, and every start will believe it: its last
        // entry, a cut, indexes that recovery has written.
        let is_last_chance = self.config.storage.trust.syncs_cuts() && self.recovery_point >= self.active().end();
        // The end of the log lay inside of a batch that was cut, and was synced. No flush looks for a new file below.
        let durability = match base.bound() < self.recovery_point {
            true => Durability::Synced,
            false => Durability::Cached,
        };
        let active = self.active_mut();
        active.finish(disk)?;
        if is_last_chance {
            active.sync(disk)?;
        }
        snapshots::write(disk, &self.directory, base.bound(), &self.producers, durability)?;
        self.segments.push(Segment::create(disk, &self.directory, base, Standing::Live, now)?);
        if durability == Durability::Synced { disk.sync_dir(&self.directory) } else { Ok(()) }
    }

    pub(super) fn limits(&self) -> Limits {
        Limits {
            bytes: self.config.segment_bytes.min(LIMIT),
            age: self.config.segment_ms.saturating_sub(self.config.segment_jitter),
            index_bytes: self.config.segment_index_bytes,
        }
    }

    /// Syncs the files of the segments that intersect [recovery point, `upto`), what is known of producers where they
    /// begin, and the directory if one of them is new since the last time (L10, L28, L31).
    fn sync(&mut self, disk: &mut dyn Disk, upto: EndOffset) -> Result<(), DiskError> {
        let flushing = self.config.storage.flushing;
        let mut new_file = false;
        let first = self.floor(self.recovery_point.next());
        for segment in &mut self.segments[first..] {
            if segment.base().bound() >= upto {
                break;
            }
            let is_new = segment.base().bound() >= self.recovery_point;
            if flushing.syncs_files() {
                segment.sync(disk)?;
                if is_new {
                    snapshots::sync(disk, &self.directory, segment.base().bound())?;
                }
            }
            new_file |= is_new;
        }
        if new_file && flushing.syncs_names() { disk.sync_dir(&self.directory) } else { Ok(()) }
    }
}

/// Whole milliseconds, as Kafka counts.
pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
