//! How batches get into the log: checked and stamped on a leader (L15-L19), taken as they are on a follower (L21-L24).
//!
//! Everything that can be refused is refused before anything is written, but for the epoch cache (L16). This file must
//! not know whether enough replicas are in sync, nor who will be answered.

use bytes::Bytes;

use super::batch::{Batch, BatchId, COMPRESSION, CorruptBatch};
use super::log::Log;
use super::segment::LIMIT;
use super::slices::Slices;
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};

/// What a leader appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The batch as stored.
    pub id: BatchId,
    /// A new segment was begun here: everything below is to be flushed by another thread (L28).
    pub rolled: Option<EndOffset>,
}

/// What a follower appended; nothing at all if it was sent nothing it could use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replicated {
    /// The batches, in order.
    pub ids: Vec<BatchId>,
    /// A new segment was begun here: everything below is to be flushed by another thread (L28).
    pub rolled: Option<EndOffset>,
    /// The log was empty, and now begins here, before where it did (L22): the recovery point went back, so that its
    /// checkpoint is due, and the high watermark is to be clamped.
    pub restarted: Option<EndOffset>,
}

/// Why nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk failed; the log is not to be used any more.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// `CORRUPT_MESSAGE`: a checksum does not hold, or what came is no batch.
    #[error("the batch is corrupt")]
    Corrupt,
    /// `MESSAGE_TOO_LARGE`: beyond `max.message.bytes`; or `RECORD_LIST_TOO_LARGE`: beyond `segment.bytes`.
    #[error("the batch is too large")]
    TooLarge,
    /// `INVALID_RECORD`, and what is wrong with it.
    #[error("invalid batch: {0}")]
    Invalid(&'static str),
    /// Replicated batches that do not go on where the log, or the batch before, ends (L17, L22).
    #[error("offset {found} where {expected} or above was to come")]
    OutOfOrder {
        /// The lowest offset that could have been appended.
        expected: EndOffset,
        /// What came.
        found: Offset,
    },
}

impl From<CorruptBatch> for AppendError {
    fn from(_: CorruptBatch) -> Self {
        Self::Corrupt
    }
}

impl Log {
    /// Appends a client's batch at the end of the log, in this epoch.
    ///
    /// # Errors
    /// [`AppendError`]; all but `Disk` leave the batches as they were.
    pub fn append_as_leader(
        &mut self,
        disk: &mut dyn Disk,
        batch: &Batch,
        epoch: LeaderEpoch,
        now: Time,
    ) -> Result<Appended, AppendError> {
        self.validate(batch)?;
        let stamped = batch.stamp(self.end.next(), epoch);
        let (id, bytes) = (stamped.id(), stamped.bytes().clone());
        let rolled = self.write(disk, bytes, &[stamped], now)?;
        Ok(Appended { id, rolled })
    }

    /// Appends what a leader sent, offsets and epochs as they are.
    ///
    /// `fetched_in` is the leader epoch of the fetch. From the first batch of a later epoch on, all is skipped: the
    /// sender had already lost its leadership when it read the bytes (L23, KAFKA-18723). A torn tail is ignored. Empty
    /// input is fine.
    ///
    /// # Errors
    /// [`AppendError`]; all but `Disk` leave the batches as they were.
    pub fn append_as_follower(
        &mut self,
        disk: &mut dyn Disk,
        batches: &Slices,
        fetched_in: LeaderEpoch,
        now: Time,
    ) -> Result<Replicated, AppendError> {
        let (accepted, length) = acceptable(batches, fetched_in)?;
        let (Some(first), Some(last)) = (accepted.first(), accepted.last()) else {
            return Ok(Replicated::default());
        };
        let mut restarted = None;
        if first.base_offset().bound() < self.end {
            let spans_the_end_of_nothing = self.start == self.end && last.end() > self.end;
            if !spans_the_end_of_nothing {
                return Err(AppendError::OutOfOrder { expected: self.end, found: first.base_offset() });
            }
            self.truncate_fully_and_start_at(disk, first.base_offset().bound(), now)?;
            restarted = Some(first.base_offset().bound());
        }
        let rolled = self.write(disk, batches.together(length), &accepted, now)?;
        Ok(Replicated { ids: accepted.iter().map(Batch::id).collect(), rolled, restarted })
    }

    /// What a client may send (L17, L18).
    fn validate(&self, batch: &Batch) -> Result<(), AppendError> {
        if batch.base_offset() != Offset::ZERO {
            return Err(AppendError::Invalid("base offset is not 0"));
        }
        if batch.size() > self.config.max_message_bytes as usize {
            return Err(AppendError::TooLarge);
        }
        if !batch.is_valid() {
            return Err(AppendError::Corrupt);
        }
        if batch.records_count() == 0 || batch.records_count() != batch.last_offset_delta() + 1 {
            return Err(AppendError::Invalid("count of records and last offset do not agree"));
        }
        if batch.is_control() {
            return Err(AppendError::Invalid("clients do not write control batches"));
        }
        if batch.attributes() & COMPRESSION != 0 {
            return Err(AppendError::Invalid("compression is not supported"));
        }
        if batch.producer_id() >= 0 && batch.base_sequence() < 0 {
            return Err(AppendError::Invalid("a producer id without a sequence number"));
        }
        for (expected, record) in batch.records().enumerate() {
            let record = record.map_err(|CorruptBatch(what)| AppendError::Invalid(what))?;
            if record.offset != Offset(expected as u64) {
                return Err(AppendError::Invalid("offsets inside the batch are not consecutive"));
            }
            if self.config.compact && record.key.is_none() {
                return Err(AppendError::Invalid("a record without a key in a compacted topic"));
            }
        }
        Ok(())
    }

    /// The part that leader and follower share: L15, steps 6 to 14 as far as they exist.
    fn write(
        &mut self,
        disk: &mut dyn Disk,
        bytes: Bytes,
        batches: &[Batch],
        now: Time,
    ) -> Result<Option<EndOffset>, AppendError> {
        let Some(last) = batches.last() else { return Ok(None) };
        for batch in batches {
            self.note_epoch(disk, batch.leader_epoch(), batch.base_offset().bound())?;
        }
        let length = bytes.len() as u64;
        if length > self.limits().bytes {
            return Err(AppendError::TooLarge);
        }
        let rolled = self.roll_for(disk, batches, length, now)?;
        let (interval, trust) = (self.config.index_interval_bytes, self.config.storage.trust);
        let active = self.active_mut();
        if trust.syncs_cuts() {
            active.sync_cut(disk)?;
        }
        active.append(disk, bytes, batches, interval, now)?;
        batches.iter().for_each(|batch| self.producers.update(batch));
        self.end = last.end();
        if self.end.0 - self.recovery_point.0 >= self.config.flush_messages {
            self.flush(disk, self.end, now)?;
        }
        Ok(rolled)
    }

    /// Begins a new segment if the active one cannot take the append (L26, L27).
    fn roll_for(
        &mut self,
        disk: &mut dyn Disk,
        batches: &[Batch],
        length: u64,
        now: Time,
    ) -> Result<Option<EndOffset>, DiskError> {
        let first = batches.first().map_or(self.end.next(), Batch::base_offset);
        let adjoining = self.active().end().next();
        let in_reach = batches.last().is_none_or(|last| last.last_offset().0 - adjoining.0 <= LIMIT);
        let base = match self.config.storage.trust.rolls_without_holes() && in_reach {
            true => adjoining,
            false => first.max(self.end.next()),
        };
        if base == self.active().base() || !self.active().is_full(&self.limits(), length, batches, now) {
            return Ok(None);
        }
        self.roll(disk, base, now)?;
        Ok(Some(base.bound()))
    }
}

/// The batches a follower may take, and how many bytes of the input they are.
fn acceptable(batches: &Slices, fetched_in: LeaderEpoch) -> Result<(Vec<Batch>, usize), AppendError> {
    let mut accepted: Vec<Batch> = Vec::new();
    let mut length = 0;
    for batch in batches.batches() {
        let batch = batch?;
        if batch.leader_epoch() > fetched_in {
            break;
        }
        if !batch.is_valid() {
            return Err(AppendError::Corrupt);
        }
        if let Some(before) = accepted.last()
            && batch.base_offset().bound() < before.end()
        {
            return Err(AppendError::OutOfOrder { expected: before.end(), found: batch.base_offset() });
        }
        length += batch.size();
        accepted.push(batch);
    }
    Ok((accepted, length))
}
