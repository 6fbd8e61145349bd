//! The record batch v2 as it lies in the file (L1-L6): a header of 61 bytes that is read in place, then records.
//!
//! Everything here is a view of shared bytes; nothing is copied but for a stamp. This file must not know where the
//! bytes came from.

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::record::Records;
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// The bytes of a batch without any record (L1).
pub const HEADER_SIZE: usize = 61;

/// `magic` of the only format there is here.
pub const MAGIC: u8 = 2;

/// Bits 0-2 of the attributes: compression. Zero here, always (S1).
pub const COMPRESSION: i16 = 0b0111;

/// Bit 4 of the attributes: the batch belongs to a transaction.
pub const TRANSACTIONAL: i16 = 1 << 4;

/// Bit 5 of the attributes: the batch is a marker, not data (L8).
pub const CONTROL: i16 = 1 << 5;

/// Bit 6 of the attributes: compaction has stamped the batch, whose base timestamp is its delete horizon (L3, L80).
pub const DELETE_HORIZON: i16 = 1 << 6;

/// The sequence number of a batch that has none.
pub const NO_SEQUENCE: i32 = -1;

/// Where each field starts (L1), and where the checksum starts to cover (L2).
pub(super) mod at {
    pub(in super::super) const BASE_OFFSET: usize = 0;
    pub(in super::super) const LENGTH: usize = 8;
    pub(in super::super) const LEADER_EPOCH: usize = 12;
    pub(in super::super) const MAGIC: usize = 16;
    pub(in super::super) const CRC: usize = 17;
    pub(in super::super) const COVERED: usize = 21;
    pub(in super::super) const ATTRIBUTES: usize = 21;
    pub(in super::super) const LAST_OFFSET_DELTA: usize = 23;
    pub(in super::super) const BASE_TIMESTAMP: usize = 27;
    pub(in super::super) const MAX_TIMESTAMP: usize = 35;
    pub(in super::super) const PRODUCER_ID: usize = 43;
    pub(in super::super) const PRODUCER_EPOCH: usize = 51;
    pub(in super::super) const BASE_SEQUENCE: usize = 53;
    pub(in super::super) const RECORDS_COUNT: usize = 57;
}

/// The length field counts from behind itself (L1).
pub(super) const BEFORE_LENGTH_COUNTS: usize = 12;

/// Bytes that cannot be a record batch, or records that cannot be what the header says: `CORRUPT_MESSAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corrupt record batch: {0}")]
pub struct CorruptBatch(pub &'static str);

/// What tells one stored batch from another: where it lies, in which epoch it was appended, and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BatchId {
    /// The offset of its first record.
    pub base: Offset,
    /// How many offsets it takes: `lastOffsetDelta + 1`.
    pub records: u32,
    /// The epoch of the leader that appended it.
    pub epoch: LeaderEpoch,
    /// The checksum that the producer computed; neither offset nor epoch are under it.
    pub crc: u32,
}

impl BatchId {
    /// The offset of its last record.
    #[must_use]
    pub fn last(self) -> Offset {
        Offset(self.end().0.saturating_sub(1))
    }

    /// The bound just behind its last record.
    #[must_use]
    pub fn end(self) -> EndOffset {
        EndOffset(self.base.0.saturating_add(u64::from(self.records)))
    }
}

/// Exactly one whole record batch whose header makes sense. Whether its checksum holds is asked with [`Batch::is_valid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch(Bytes);

impl Batch {
    /// Takes the first batch off the front of `bytes`, sharing them.
    ///
    /// `Ok(None)` when nothing whole is left: either nothing at all, or the torn front of a batch (L55), which stays in
    /// `bytes`. An error takes nothing either.
    ///
    /// # Errors
    /// [`CorruptBatch`] when no batch can start with these bytes.
    pub fn split_first(bytes: &mut Bytes) -> Result<Option<Self>, CorruptBatch> {
        Ok(whole_batch(bytes)?.map(|size| Self(bytes.split_to(size))))
    }

    /// Takes bytes that the builder has just laid out.
    pub(super) fn trusted(bytes: Bytes) -> Self {
        debug_assert_eq!(whole_batch(&bytes), Ok(Some(bytes.len())));
        Self(bytes)
    }

    /// Where its first record goes. Not covered by the checksum.
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        Offset(u64::from_be_bytes(self.field(at::BASE_OFFSET)))
    }

    /// The offset of its last record (L4).
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        self.base_offset().plus(u64::from(self.last_offset_delta()))
    }

    /// The bound just behind its last record.
    #[must_use]
    pub fn end(&self) -> EndOffset {
        self.last_offset().end()
    }

    /// The epoch of the leader that appended it, -1 before one has. Not covered by the checksum.
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(i32::from_be_bytes(self.field(at::LEADER_EPOCH)))
    }

    /// The checksum as stored.
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(self.field(at::CRC))
    }

    /// Compression, timestamp type, transactional, control (L3).
    #[must_use]
    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes(self.field(at::ATTRIBUTES))
    }

    /// Whether this is a marker, which no consumer's application ever sees (L8).
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    /// The time in milliseconds from which on compaction may remove its tombstones, if it has been stamped (L80).
    #[must_use]
    pub fn delete_horizon(&self) -> Option<i64> {
        (self.attributes() & DELETE_HORIZON != 0).then(|| self.base_timestamp())
    }

    /// Milliseconds to which the records' timestamps are relative.
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(self.field(at::BASE_TIMESTAMP))
    }

    /// The largest timestamp of its records, in milliseconds.
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(self.field(at::MAX_TIMESTAMP))
    }

    /// The idempotent producer's id, or -1.
    #[must_use]
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(self.field(at::PRODUCER_ID))
    }

    /// The idempotent producer's epoch, or -1.
    #[must_use]
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(self.field(at::PRODUCER_EPOCH))
    }

    /// The sequence number of its first record, or -1.
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(self.field(at::BASE_SEQUENCE))
    }

    /// The sequence number of its last record, or -1 (L4).
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence() {
            NO_SEQUENCE => NO_SEQUENCE,
            first => sequence_plus(first, i64::from(self.last_offset_delta())),
        }
    }

    /// How many records it holds. After compaction fewer than the offsets it takes (L5).
    #[must_use]
    pub fn records_count(&self) -> u32 {
        u32::from_be_bytes(self.field(at::RECORDS_COUNT))
    }

    /// Its length in bytes, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// What identifies it once it is stored.
    #[must_use]
    pub fn id(&self) -> BatchId {
        BatchId {
            base: self.base_offset(),
            records: self.last_offset_delta() + 1,
            epoch: self.leader_epoch(),
            crc: self.crc(),
        }
    }

    /// The batch as it is sent and stored.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether the CRC-32C holds, which covers all from the attributes on (L2, L6).
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.crc() == crc32c::crc32c(&self.0[at::COVERED..])
    }

    /// Its records, in order. Ends after the first error.
    #[must_use]
    pub fn records(&self) -> Records {
        Records::of(self)
    }

    /// The same batch at another place in another epoch: what a leader stores (L19). The checksum stays good (L2).
    #[must_use]
    pub fn stamp(&self, base: Offset, epoch: LeaderEpoch) -> Self {
        let mut bytes = BytesMut::from(&self.0[..]);
        bytes[at::BASE_OFFSET..][..8].copy_from_slice(&base.0.to_be_bytes());
        bytes[at::LEADER_EPOCH..][..4].copy_from_slice(&epoch.0.to_be_bytes());
        Self(bytes.freeze())
    }

    pub(super) fn last_offset_delta(&self) -> u32 {
        u32::from_be_bytes(self.field(at::LAST_OFFSET_DELTA))
    }

    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        field(&self.0, at)
    }
}

/// The batches at the front of a buffer, in order, sharing its bytes. Ends at a torn tail, or after the first error;
/// [`Batches::rest`] is what was not taken.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    more: std::vec::IntoIter<Bytes>,
    broken: bool,
}

impl Batches {
    /// The batches of `bytes`.
    #[must_use]
    pub fn new(bytes: Bytes) -> Self {
        Self { rest: bytes, more: Vec::new().into_iter(), broken: false }
    }

    /// The batches of bytes that lie in pieces. Only one that lies in several of them is copied.
    pub(super) fn of(pieces: Vec<Bytes>) -> Self {
        Self { rest: Bytes::new(), more: pieces.into_iter(), broken: false }
    }

    /// What has not been taken yet: nothing, a torn tail, or what is no batch; of bytes in pieces, what has been looked at.
    #[must_use]
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// More bytes, behind a batch that has only begun. `false` if there are none.
    fn go_on(&mut self) -> bool {
        let Some(piece) = self.more.next() else { return false };
        self.rest = match self.rest.is_empty() {
            true => piece,
            false => [&self.rest[..], &piece[..]].concat().into(),
        };
        true
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, CorruptBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        loop {
            match Batch::split_first(&mut self.rest).transpose() {
                None if self.go_on() => {}
                next => {
                    self.broken = matches!(next, Some(Err(_)));
                    return next;
                }
            }
        }
    }
}

/// The sequence number so many records further on, or back: after 2^31 - 1 comes 0 (L4).
pub(super) fn sequence_plus(sequence: i32, records: i64) -> i32 {
    (i64::from(sequence) + records).rem_euclid(1 << 31) as i32
}

/// The size of the batch that `bytes` start with, if all of it is there.
fn whole_batch(bytes: &[u8]) -> Result<Option<usize>, CorruptBatch> {
    if bytes.len() < BEFORE_LENGTH_COUNTS {
        return Ok(None);
    }
    let Ok(length) = usize::try_from(i32::from_be_bytes(field(bytes, at::LENGTH))) else {
        return Err(CorruptBatch("negative length"));
    };
    let size = BEFORE_LENGTH_COUNTS + length;
    if size < HEADER_SIZE {
        return Err(CorruptBatch("shorter than a header"));
    }
    if bytes.len() > at::MAGIC && bytes[at::MAGIC] != MAGIC {
        return Err(CorruptBatch("magic is not 2"));
    }
    if bytes.len() < size {
        return Ok(None);
    }
    let base = i64::from_be_bytes(field(bytes, at::BASE_OFFSET));
    let last_offset_delta = i32::from_be_bytes(field(bytes, at::LAST_OFFSET_DELTA));
    if base < 0 || last_offset_delta < 0 || base.checked_add(i64::from(last_offset_delta) + 1).is_none() {
        return Err(CorruptBatch("offsets out of range"));
    }
    if i32::from_be_bytes(field(bytes, at::RECORDS_COUNT)) < 0 {
        return Err(CorruptBatch("negative count of records"));
    }
    Ok(Some(size))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("the caller has seen that the field is there")
}
