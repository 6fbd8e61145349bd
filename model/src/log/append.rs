//! How batches get into the log: checked and stamped on a leader (L15-L19), taken as they are on a follower (L21-L24).
//!
//! Everything that can be refused is refused before anything is written, but for the epoch cache (L16). This file must
//! not know whether enough replicas are in sync, nor who will be answered.

use bytes::Bytes;

use super::batch::{Batch, BatchId, Batches, COMPRESSION, CorruptBatch};
use super::log::Log;
use super::segment::{LIMIT, Segment};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, LeaderEpoch, Offset};

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
    ) -> Result<Appended, AppendError> {
        self.validate(batch)?;
        let stamped = batch.stamp(self.end.next(), epoch);
        let id = stamped.id();
        let rolled = self.write(disk, stamped.bytes().clone(), &[(id, stamped.size())])?;
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
        batches: Bytes,
        fetched_in: LeaderEpoch,
    ) -> Result<Replicated, AppendError> {
        let (accepted, length) = acceptable(&batches, fetched_in)?;
        let (Some(&(first, _)), Some(&(last, _))) = (accepted.first(), accepted.last()) else {
            return Ok(Replicated::default());
        };
        let mut restarted = None;
        if first.base.bound() < self.end {
            let spans_the_end_of_nothing = self.start == self.end && last.end() > self.end;
            if !spans_the_end_of_nothing {
                return Err(AppendError::OutOfOrder { expected: self.end, found: first.base });
            }
            self.truncate_fully_and_start_at(disk, first.base.bound())?;
            restarted = Some(first.base.bound());
        }
        let rolled = self.write(disk, batches.slice(..length), &accepted)?;
        Ok(Replicated { ids: accepted.into_iter().map(|(id, _)| id).collect(), rolled, restarted })
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
        }
        Ok(())
    }

    /// The part that leader and follower share: L15, steps 6 to 14 as far as they exist.
    fn write(
        &mut self,
        disk: &mut dyn Disk,
        bytes: Bytes,
        batches: &[(BatchId, usize)],
    ) -> Result<Option<EndOffset>, AppendError> {
        let (Some(&(first, _)), Some(&(last, _))) = (batches.first(), batches.last()) else {
            return Ok(None);
        };
        for (id, _) in batches {
            self.note_epoch(disk, id.epoch, id.base.bound())?;
        }
        let length = bytes.len() as u64;
        if length > self.segment_bytes() {
            return Err(AppendError::TooLarge);
        }
        let rolled = self.roll_for(disk, first, last, length)?;
        let active = self.segments.last_mut().expect("a log always has an active segment");
        active.append(disk, bytes, batches)?;
        self.end = last.end();
        if self.end.0 - self.recovery_point.0 >= self.config.flush_messages {
            self.flush(disk, self.end)?;
        }
        Ok(rolled)
    }

    /// Begins a new segment if the active one cannot take the append (L26, L27). By size only; age comes later.
    fn roll_for(
        &mut self,
        disk: &mut dyn Disk,
        first: BatchId,
        last: BatchId,
        length: u64,
    ) -> Result<Option<EndOffset>, DiskError> {
        let active = self.active();
        let full = active.size() > self.segment_bytes() - length;
        let far = last.last().0 - active.base().0 > LIMIT;
        let base = first.base.max(self.end.next());
        if !(full || far) || base == active.base() {
            return Ok(None);
        }
        self.segments.push(Segment::create(disk, &self.directory, base)?);
        Ok(Some(base.bound()))
    }

    fn segment_bytes(&self) -> u64 {
        self.config.segment_bytes.min(LIMIT)
    }
}

/// The batches a follower may take, with their sizes, and how many bytes of the input they are.
fn acceptable(batches: &Bytes, fetched_in: LeaderEpoch) -> Result<(Vec<(BatchId, usize)>, usize), AppendError> {
    let mut accepted: Vec<(BatchId, usize)> = Vec::new();
    let mut length = 0;
    for batch in Batches::new(batches.clone()) {
        let batch = batch?;
        if batch.leader_epoch() > fetched_in {
            break;
        }
        if !batch.is_valid() {
            return Err(AppendError::Corrupt);
        }
        let id = batch.id();
        if let Some(&(before, _)) = accepted.last()
            && id.base.bound() < before.end()
        {
            return Err(AppendError::OutOfOrder { expected: before.end(), found: id.base });
        }
        accepted.push((id, batch.size()));
        length += batch.size();
    }
    Ok((accepted, length))
}
