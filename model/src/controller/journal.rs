//! The metadata log on the controller's own disk: what was decided, in order (C8, C26, C31).
//!
//! One event's records are one batch, and a batch counts once it is synced. With a quorum only that will change: then a
//! batch counts once a majority has synced it. This file must not know what the records mean.

use crate::disk::{Disk, DiskError};
use crate::log::{AppendError, Batch, BatchBuilder, Loading, Log, LogConfig, Slices};
use crate::machine::Stop;
use crate::metadata::MetadataRecord;
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};
use crate::protocol::Storage;
use crate::wire::{DivergingEpoch, ErrorCode, FetchPartition};

/// Kafka's name for the directory of `__cluster_metadata-0`.
const DIRECTORY: &str = "__cluster_metadata-0";
/// No smaller segments, whatever `metadata.log.segment.bytes` says: an event's batch must fit into one (C31), and
/// several hundred partitions may change at once. Kafka's own floor is 8 MiB.
const SEGMENT_BYTES_MIN: u64 = 65_536;
/// How much is read at once when the log is loaded.
const LOAD_BYTES: usize = 1 << 20;

/// The metadata log, led by this process.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    log: Log,
    epoch: LeaderEpoch,
    /// Everything below is committed.
    committed: EndOffset,
}

/// What was in the log when it was opened.
#[derive(Clone, Debug, Default)]
pub(super) struct Loaded {
    /// All records, in order.
    pub(super) records: Vec<(Offset, MetadataRecord)>,
    /// From here on the process before may have died after a record was durable and before it could say so.
    pub(super) perhaps_untold: EndOffset,
}

/// What an observer may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whole batches; empty if there is nothing new.
    Records(Slices),
    /// The observer's log is not a prefix of this one.
    Diverging(DivergingEpoch),
    /// There is nothing to read for it.
    Refused(ErrorCode),
}

/// Why records were not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotAppended {
    /// They are too many for one batch. Nothing was written.
    TooLarge,
    /// The process is over.
    Stop(Stop),
}

impl Journal {
    /// Opens the log as after an unclean stop, checking every batch (C26), and takes the next epoch in it. What was
    /// found is not committed before the first [`Journal::append`] in the new epoch, which is to be the leader change.
    ///
    /// # Errors
    /// Whatever the disk says; [`DiskError::Io`] if a record cannot be read as one.
    pub(super) fn open(disk: &mut dyn Disk, segment_bytes: u64, now: Time) -> Result<(Self, Loaded), Stop> {
        let config = LogConfig {
            segment_bytes: segment_bytes.max(SEGMENT_BYTES_MIN),
            max_message_bytes: u32::MAX,
            storage: Storage::KAFKA,
            ..LogConfig::default()
        };
        let loading = Loading { now, ..Loading::default() };
        let (log, recovery) = Log::open(disk, DIRECTORY, config, loading)?;
        if recovery.epochs_cut {
            log.write_epochs(disk)?;
        }
        let loaded = load(&log, disk)?;
        let last = log.batches().next_back().map(|batch| batch.epoch);
        let epoch = last.max(log.last_epoch()).map_or(LeaderEpoch::ZERO, LeaderEpoch::next);
        Ok((Self { log, epoch, committed: EndOffset::ZERO }, loaded))
    }

    /// The epoch in which this process leads.
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Everything below is committed: on one node, whatever is synced (C8).
    pub(super) fn committed(&self) -> EndOffset {
        self.committed
    }

    /// The log start offset.
    pub(super) fn start(&self) -> EndOffset {
        self.log.start()
    }

    /// Appends the records of one event as one batch (C31), and syncs it. Returns the place of the first.
    ///
    /// # Errors
    /// [`NotAppended`]; there must be a record.
    pub(super) fn append(
        &mut self,
        disk: &mut dyn Disk,
        now: Time,
        records: &[MetadataRecord],
    ) -> Result<Offset, NotAppended> {
        let batch = encode(now, records);
        let appended = self.log.append_as_leader(disk, &batch, self.epoch, now).map_err(|error| match error {
            AppendError::TooLarge => NotAppended::TooLarge,
            AppendError::Disk(error) => NotAppended::Stop(error.into()),
            AppendError::Corrupt | AppendError::Invalid(_) | AppendError::OutOfOrder { .. } => {
                unreachable!("a batch of the controller's own making is refused: {error}")
            }
        })?;
        self.log.flush(disk, self.log.end(), now)?;
        self.committed = self.log.end();
        Ok(appended.id.base)
    }

    /// Reads what is committed, for an observer that has everything below the fetch offset (C19, C45).
    ///
    /// Kafka also refuses an observer that names an older leader epoch, and tells it the present one. Here it is served:
    /// the response has no room for an epoch, so it learns of it from the leader-change record that it asks for.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn read(
        &self,
        disk: &mut dyn Disk,
        asked: &FetchPartition,
        max_bytes: usize,
        min_one: bool,
    ) -> Result<Reading, DiskError> {
        if asked.current_leader_epoch.is_some_and(|known| known > self.epoch) {
            return Ok(Reading::Refused(ErrorCode::UnknownLeaderEpoch));
        }
        if let Some(last_epoch) = asked.last_fetched_epoch {
            let Some((epoch, end)) = self.log.end_offset_for(last_epoch) else {
                return Ok(Reading::Refused(ErrorCode::OffsetOutOfRange));
            };
            if epoch < last_epoch || end < asked.fetch_offset.bound() {
                return Ok(Reading::Diverging(DivergingEpoch { epoch, end }));
            }
        }
        match self.log.locate(asked.fetch_offset, self.committed, max_bytes, min_one) {
            Ok(None) => Ok(Reading::Records(Slices::default())),
            Ok(Some(span)) => self.log.read(disk, &span).map(Reading::Records),
            Err(_) => Ok(Reading::Refused(ErrorCode::OffsetOutOfRange)),
        }
    }
}

#[cfg(test)]
impl Journal {
    /// Every batch in it, in order.
    pub(super) fn batches(&self) -> impl Iterator<Item = crate::log::BatchId> {
        self.log.batches()
    }

    /// Appends something that is no metadata record.
    pub(super) fn append_raw(&mut self, disk: &mut dyn Disk, value: &[u8]) {
        let mut builder = BatchBuilder::new(0);
        builder.push(0, None, Some(value), &[]);
        self.log.append_as_leader(disk, &builder.build(), self.epoch, Time(0)).expect("the log takes any batch");
    }
}

impl From<DiskError> for NotAppended {
    fn from(error: DiskError) -> Self {
        Self::Stop(error.into())
    }
}

/// Each record is the value of a Kafka record, without a key (S9).
fn encode(now: Time, records: &[MetadataRecord]) -> Batch {
    let mut builder = BatchBuilder::new(now.millis());
    for record in records {
        builder.push(now.millis(), None, Some(&record.encode()), &[]);
    }
    builder.build()
}

fn load(log: &Log, disk: &mut dyn Disk) -> Result<Loaded, Stop> {
    let mut loaded = Loaded::default();
    let mut next = log.start().next();
    while let Ok(Some(span)) = log.locate(next, log.end(), LOAD_BYTES, true) {
        for batch in log.read(disk, &span)?.batches() {
            let batch = batch.map_err(|_| unreadable())?;
            let of_batch = loaded.records.len();
            for record in batch.records() {
                let record = record.map_err(|_| unreadable())?;
                let value = record.value.ok_or_else(unreadable)?;
                let decoded = MetadataRecord::decode(&value).map_err(|_| unreadable())?;
                loaded.records.push((record.offset, decoded));
            }
            // A step appends one batch at most, and the process that began the next step had told of the one before. But
            // a process whose first step, the leader change, is the last thing here may have died in it.
            let is_leader_change = matches!(loaded.records[of_batch..], [(_, MetadataRecord::LeaderChange { .. })]);
            if !is_leader_change {
                loaded.perhaps_untold = batch.base_offset().bound();
            }
        }
        next = span.end().next();
    }
    Ok(loaded)
}

/// The checksums hold, so these are not bytes that this program wrote.
fn unreadable() -> Stop {
    Stop::Storage(DiskError::Io)
}
