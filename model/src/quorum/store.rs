//! What a controller keeps on its disk: the metadata log, its snapshots, and whose disk it is (C1, C20, C24-C26).
//!
//! This file must not know who leads, nor how far the log is committed.

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId};
use crate::log::{AppendError, Batch, BatchBuilder, BatchId, Loading, Log, LogConfig, Slices, checkpoint};
use crate::machine::Stop;
use crate::names::{EndOffset, LeaderEpoch, Offset, SnapshotId, Time};
use crate::protocol::{Replacing, Storage};
use crate::wire::DivergingEpoch;

use super::NotAppended;

/// Kafka's name for the directory of `__cluster_metadata-0`.
pub(super) const DIRECTORY: &str = "__cluster_metadata-0";
/// No smaller segments, whatever `metadata.log.segment.bytes` says: an event's batch must fit into one (C31), and
/// several hundred partitions may change at once. Kafka's own floor is 8 MiB.
const SEGMENT_BYTES_MIN: u64 = 65_536;
/// How much is read at once when the log is replayed.
const READ_BYTES: usize = 1 << 20;

/// The metadata log and its snapshots.
#[derive(Clone, Debug)]
pub(super) struct Store {
    log: Log,
    /// Oldest first, with the time at which each was made, or found.
    snapshots: Vec<(SnapshotId, Time)>,
    bytes_since_snapshot: u64,
    /// A snapshot that is being fetched: what is there of it so far.
    partial: Option<Partial>,
}

/// Part of a snapshot, in a file of its own.
#[derive(Clone, Copy, Debug)]
struct Partial {
    id: SnapshotId,
    file: FileId,
    length: u64,
}

/// What a reader may read (C19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whole batches; empty if there is nothing behind what it has.
    Records(Slices),
    /// Its log is not a prefix of this one.
    Diverging(DivergingEpoch),
    /// What it wants is gone: this snapshot comes first.
    Snapshot(SnapshotId),
}

impl Store {
    /// Opens the log as after an unclean stop, checking every batch, and finds the snapshots (C26). What the process before
    /// had not synced is synced: what is said to be there will be (N4).
    pub(super) fn open(disk: &mut dyn Disk, segment_bytes: u64, now: Time) -> Result<Self, Stop> {
        let config = LogConfig {
            segment_bytes: segment_bytes.max(SEGMENT_BYTES_MIN),
            max_message_bytes: u32::MAX,
            retention_bytes: None,
            retention_ms: None,
            // It is cut: what a cut has left must still be so after a power cut.
            storage: Storage::LATEST,
            ..LogConfig::default()
        };
        let (log, recovery) = Log::open(disk, DIRECTORY, config, Loading { now, ..Loading::default() })?;
        if recovery.epochs_cut {
            log.write_epochs(disk)?;
        }
        let mut snapshots = Vec::new();
        for path in disk.list(DIRECTORY)? {
            if path.ends_with(PART) {
                disk.remove(&path)?;
            } else if let Some(id) = snapshot_of(&path) {
                snapshots.push((id, now));
            }
        }
        let bytes_since_snapshot = log.size_bytes();
        let mut store = Self { log, snapshots, bytes_since_snapshot, partial: None };
        store.begin_behind_latest_snapshot(disk, now)?;
        store.log.flush(disk, store.log.end(), now)?;
        Ok(store)
    }

    /// Log start offset.
    pub(super) fn start(&self) -> EndOffset {
        self.log.start()
    }

    /// Log end offset.
    pub(super) fn end(&self) -> EndOffset {
        self.log.end()
    }

    /// The epoch of the last record, in the log or in the snapshot that it begins with.
    pub(super) fn last_epoch(&self) -> Option<LeaderEpoch> {
        let last = self.log.batches().next_back().map(|batch| batch.epoch);
        last.or(self.latest_snapshot().map(|id| id.epoch))
    }

    /// Every batch, in order.
    pub(super) fn batches(&self) -> Vec<BatchId> {
        self.log.batches().collect()
    }

    /// The epoch of the last record below this bound.
    pub(super) fn epoch_of(&self, end: EndOffset) -> LeaderEpoch {
        let in_snapshot = self.snapshots.iter().find(|(id, _)| id.end == end).map(|(id, _)| id.epoch);
        let in_log = || self.log.epochs().at(Offset(end.0.checked_sub(1)?));
        in_snapshot.or_else(in_log).unwrap_or(LeaderEpoch::ZERO)
    }

    /// A leader's epoch begins at the end of the log, whether or not it will ever write a record (C14).
    pub(super) fn begin_epoch(&mut self, disk: &mut dyn Disk, epoch: LeaderEpoch) -> Result<(), Stop> {
        Ok(self.log.assign_epoch(disk, epoch)?)
    }

    /// Whether one batch can hold it (C31).
    pub(super) fn takes(&self, batch: &Batch) -> bool {
        batch.size() as u64 <= self.log.config().segment_bytes
    }

    /// Appends one batch in this epoch.
    pub(super) fn append(
        &mut self,
        disk: &mut dyn Disk,
        now: Time,
        epoch: LeaderEpoch,
        batch: &Batch,
    ) -> Result<BatchId, NotAppended> {
        let appended = self.log.append_as_leader(disk, batch, epoch, now).map_err(|error| match error {
            AppendError::TooLarge => NotAppended::TooLarge,
            AppendError::Disk(error) => NotAppended::Stop(error.into()),
            AppendError::Corrupt | AppendError::Invalid(_) | AppendError::OutOfOrder { .. } => {
                unreachable!("a batch of the controller's own making is refused: {error}")
            }
        })?;
        self.bytes_since_snapshot += batch.size() as u64;
        Ok(appended.id)
    }

    /// Appends what the leader sent, as it is. `None` if it is not what was asked for: nothing is appended then.
    pub(super) fn replicate(
        &mut self,
        disk: &mut dyn Disk,
        now: Time,
        epoch: LeaderEpoch,
        records: &Slices,
    ) -> Result<Option<Vec<BatchId>>, Stop> {
        match self.log.append_as_follower(disk, records, epoch, now) {
            Ok(replicated) => {
                self.bytes_since_snapshot += records.len() as u64;
                Ok(Some(replicated.ids))
            }
            Err(AppendError::Disk(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Everything in the log is on the disk from now on (C8, C21).
    pub(super) fn sync(&mut self, disk: &mut dyn Disk, now: Time) -> Result<(), Stop> {
        self.log.flush(disk, self.log.end(), now)?;
        Ok(())
    }

    /// Where to cut a log of which the leader says that an epoch ends there (C22, KIP-101).
    pub(super) fn cut_for(&self, diverging: DivergingEpoch) -> EndOffset {
        let (epoch, end) = self.log.end_offset_for(diverging.epoch).unwrap_or((LeaderEpoch::ZERO, self.log.start()));
        if epoch == diverging.epoch { end.min(diverging.end) } else { end }
    }

    /// Cuts everything at and above `end`.
    pub(super) fn truncate(&mut self, disk: &mut dyn Disk, end: EndOffset, now: Time) -> Result<(), Stop> {
        self.log.truncate_to(disk, end, now)?;
        self.log.write_epochs(disk)?;
        Ok(())
    }

    /// Reads for somebody who has everything below the fetch offset, whose last record is of this epoch (C19).
    pub(super) fn read_for(
        &self,
        disk: &mut dyn Disk,
        fetch_offset: Offset,
        last_epoch: Option<LeaderEpoch>,
        max_bytes: usize,
    ) -> Result<Reading, DiskError> {
        let from = fetch_offset.bound();
        if from < self.log.start() || !self.knows_what_precedes(from, last_epoch) {
            if let Some(id) = self.latest_snapshot() {
                return Ok(Reading::Snapshot(id));
            }
        } else if let Some(last_epoch) = last_epoch
            && let Some((epoch, end)) = self.log.end_offset_for(last_epoch)
            && (epoch < last_epoch || end < from)
        {
            return Ok(Reading::Diverging(DivergingEpoch { epoch, end }));
        }
        match self.log.locate(fetch_offset, self.log.end(), max_bytes, true) {
            Ok(Some(span)) => self.log.read(disk, &span).map(Reading::Records),
            Ok(None) => Ok(Reading::Records(Slices::default())),
            // It has more than there is here, and says nothing of what.
            Err(_) => Ok(Reading::Diverging(DivergingEpoch { epoch: LeaderEpoch::ZERO, end: self.log.start() })),
        }
    }

    /// Whether the epochs of this log say anything of a log that ends with this epoch: where the log begins with a snapshot,
    /// the record before its first one is of the snapshot's epoch.
    fn knows_what_precedes(&self, from: EndOffset, last_epoch: Option<LeaderEpoch>) -> bool {
        let start = self.log.start();
        if start == EndOffset::ZERO {
            return true;
        }
        let Some(last_epoch) = last_epoch else { return false };
        if from == start && self.snapshots.iter().any(|(id, _)| id.end == start && id.epoch == last_epoch) {
            return true;
        }
        self.log.epochs().entries().first().is_some_and(|&(first, _)| last_epoch >= first)
    }

    /// The values of the records from one bound to another, each with its place.
    pub(super) fn values(
        &self,
        disk: &mut dyn Disk,
        from: EndOffset,
        upto: EndOffset,
    ) -> Result<Vec<(Offset, Bytes)>, Stop> {
        let mut values = Vec::new();
        let mut next = from.next();
        while let Ok(Some(span)) = self.log.locate(next, upto, READ_BYTES, true) {
            for batch in self.log.read(disk, &span)?.into_batches() {
                for record in batch.map_err(|_| unreadable())?.records() {
                    let record = record.map_err(|_| unreadable())?;
                    // A batch that begins before is whole all the same.
                    if record.offset.bound() >= from {
                        values.push((record.offset, record.value.ok_or_else(unreadable)?));
                    }
                }
            }
            next = span.end().next();
        }
        Ok(values)
    }

    /// The latest snapshot.
    pub(super) fn latest_snapshot(&self) -> Option<SnapshotId> {
        self.snapshots.last().map(|(id, _)| *id)
    }

    /// Bytes of batches since the latest snapshot; since this process began with it, after a start.
    pub(super) fn bytes_since_snapshot(&self) -> u64 {
        self.bytes_since_snapshot
    }

    /// Writes a snapshot of what is below its end (C25).
    pub(super) fn write_snapshot(
        &mut self,
        disk: &mut dyn Disk,
        id: SnapshotId,
        content: Bytes,
        now: Time,
    ) -> Result<(), Stop> {
        checkpoint_at(disk, id, content)?;
        self.snapshots.push((id, now));
        self.bytes_since_snapshot = 0;
        Ok(())
    }

    /// What is in a snapshot.
    pub(super) fn read_snapshot(&self, disk: &mut dyn Disk, id: SnapshotId) -> Result<Bytes, Stop> {
        let file = disk.open(&path_of(id))?;
        let length = disk.len(file)?;
        Ok(disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?)
    }

    /// Part of a snapshot and how long all of it is, if it is there.
    pub(super) fn snapshot_part(
        &self,
        disk: &mut dyn Disk,
        id: SnapshotId,
        position: u64,
        max_bytes: usize,
    ) -> Result<Option<(Bytes, u64)>, DiskError> {
        if !self.snapshots.iter().any(|(known, _)| *known == id) {
            return Ok(None);
        }
        let file = disk.open(&path_of(id))?;
        let size = disk.len(file)?;
        Ok(Some((disk.read(file, position, max_bytes)?, size)))
    }

    /// Begins to fetch a snapshot: what was there of another is thrown away (C24).
    pub(super) fn begin_fetching(&mut self, disk: &mut dyn Disk, id: SnapshotId) -> Result<(), Stop> {
        let file = disk.create(&format!("{}{PART}", path_of(id)))?;
        self.partial = Some(Partial { id, file, length: 0 });
        Ok(())
    }

    /// The snapshot that is being fetched, and how much of it is there.
    pub(super) fn fetching(&self) -> Option<(SnapshotId, u64)> {
        self.partial.map(|partial| (partial.id, partial.length))
    }

    /// Forgets what is there of a snapshot.
    pub(super) fn stop_fetching(&mut self) {
        self.partial = None;
    }

    /// One more piece of it.
    pub(super) fn add_part(&mut self, disk: &mut dyn Disk, bytes: Bytes) -> Result<(), Stop> {
        if let Some(partial) = &mut self.partial {
            partial.length += bytes.len() as u64;
            disk.append(partial.file, bytes)?;
        }
        Ok(())
    }

    /// All of it is there: the log begins, and ends, with it (C24).
    pub(super) fn finish_fetching(&mut self, disk: &mut dyn Disk, now: Time) -> Result<(), Stop> {
        let Some(Partial { id, file, .. }) = self.partial.take() else { return Ok(()) };
        disk.sync(file)?;
        disk.rename(&format!("{}{PART}", path_of(id)), &path_of(id))?;
        disk.sync_dir(DIRECTORY)?;
        self.snapshots.push((id, now));
        self.bytes_since_snapshot = 0;
        self.begin_behind_latest_snapshot(disk, now)
    }

    /// C26: a log that is not as new as the latest snapshot is of no use.
    fn begin_behind_latest_snapshot(&mut self, disk: &mut dyn Disk, now: Time) -> Result<(), Stop> {
        let Some(id) = self.latest_snapshot() else { return Ok(()) };
        let last = self.log.batches().next_back().map(|batch| batch.epoch);
        if last.is_some_and(|last| (last, self.log.end()) >= (id.epoch, id.end)) {
            return Ok(());
        }
        if self.log.start() != id.end || self.log.end() != id.end {
            self.log.truncate_fully_and_start_at(disk, id.end, now)?;
        }
        Ok(())
    }

    /// Lets go of old snapshots, and of the log below the oldest one that stays: while there is more than `most_bytes` of
    /// both, and what is older than `oldest`. The latest snapshot always stays (C25).
    pub(super) fn retain(&mut self, disk: &mut dyn Disk, now: Time, most_bytes: u64, oldest: Time) -> Result<(), Stop> {
        let mut removed = false;
        while let [(first, made), (next, _), ..] = self.snapshots[..] {
            if made >= oldest && self.size_bytes(disk)? <= most_bytes {
                break;
            }
            disk.remove(&path_of(first))?;
            self.snapshots.remove(0);
            self.log.raise_start(next.end);
            self.log.delete_old_segments(disk, now, self.log.end())?;
            removed = true;
        }
        if removed {
            self.log.write_epochs(disk)?;
        }
        self.log.sweep(disk, now)?;
        Ok(())
    }

    fn size_bytes(&self, disk: &mut dyn Disk) -> Result<u64, DiskError> {
        let mut size = self.log.size_bytes();
        for (id, _) in &self.snapshots {
            let file = disk.open(&path_of(*id))?;
            size += disk.len(file)?;
        }
        Ok(size)
    }
}

/// The records of one event as one batch: each is the value of a Kafka record without a key (S9, C31).
pub(super) fn batch_of(values: &[Bytes], now: Time) -> Batch {
    let mut builder = BatchBuilder::new(now.millis());
    for value in values {
        builder.push(now.millis(), None, Some(value), &[]);
    }
    builder.build()
}

/// What a snapshot is called that is not complete.
const PART: &str = ".part";

/// Kafka's name for a snapshot: `<end>-<epoch>.checkpoint`.
fn path_of(id: SnapshotId) -> String {
    format!("{DIRECTORY}/{:020}-{:010}.checkpoint", id.end.0, id.epoch.0)
}

fn snapshot_of(path: &str) -> Option<SnapshotId> {
    let name = path.strip_prefix(DIRECTORY)?.strip_prefix('/')?.strip_suffix(".checkpoint")?;
    let (end, epoch) = name.split_once('-')?;
    Some(SnapshotId { end: EndOffset(end.parse().ok()?), epoch: LeaderEpoch(epoch.parse().ok()?) })
}

/// Written beside, synced, then renamed: there is never half a snapshot (C25).
fn checkpoint_at(disk: &mut dyn Disk, id: SnapshotId, content: Bytes) -> Result<(), DiskError> {
    let part = format!("{}{PART}", path_of(id));
    let file = disk.create(&part)?;
    disk.append(file, content)?;
    disk.sync(file)?;
    disk.rename(&part, &path_of(id))?;
    disk.sync_dir(DIRECTORY)
}

/// The checksums hold, so these are not bytes that this program wrote.
fn unreadable() -> Stop {
    Stop::Storage(DiskError::Io)
}

/// Replaces a small file of the quorum's.
pub(super) fn replace(disk: &mut dyn Disk, name: &str, text: String) -> Result<(), DiskError> {
    checkpoint::replace(disk, name, text, Replacing::SyncedThenRenamed)
}
