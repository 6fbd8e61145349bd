//! One record inside a batch (L7), and the walk over all of them.
//!
//! Keys, values and headers are slices of the batch's bytes. This file must not know how batches are stored.

use bytes::Bytes;

use super::batch::{Batch, COMPRESSION, CorruptBatch, HEADER_SIZE};
use super::varint::{read_varint, read_varlong};
use crate::names::Offset;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub offset: Offset,
    /// Milliseconds since the Unix epoch, as the producer said.
    pub timestamp: i64,
    /// Decides partition and compaction, where present.
    pub key: Option<Bytes>,
    /// The payload; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// In the order given; the same key may occur again.
    pub headers: Vec<Header>,
}

/// One header of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// UTF-8, though nobody checks.
    pub key: Bytes,
    /// Anything, or nothing.
    pub value: Option<Bytes>,
}

/// The records of one batch, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Records {
    bytes: Bytes,
    at: usize,
    left: u32,
    base_offset: Offset,
    last_offset_delta: u32,
    base_timestamp: i64,
    compressed: bool,
}

impl Records {
    pub(super) fn of(batch: &Batch) -> Self {
        Self {
            bytes: batch.bytes().clone(),
            at: HEADER_SIZE,
            left: batch.records_count(),
            base_offset: batch.base_offset(),
            last_offset_delta: batch.last_offset_delta(),
            base_timestamp: batch.base_timestamp(),
            compressed: batch.attributes() & COMPRESSION != 0,
        }
    }

    fn record(&mut self) -> Result<Record, CorruptBatch> {
        if self.compressed {
            return Err(CorruptBatch("compressed records cannot be read"));
        }
        let length = self.varint()?;
        let end = match usize::try_from(length) {
            Ok(length) if length <= self.bytes.len() - self.at => self.at + length,
            _ => return Err(CorruptBatch("a record longer than its batch")),
        };
        self.take(1)?; // attributes, unused
        let timestamp_delta = read_varlong(&self.bytes, &mut self.at).ok_or(CorruptBatch("timestamp delta"))?;
        let offset_delta = match u32::try_from(self.varint()?) {
            Ok(delta) if delta <= self.last_offset_delta => delta,
            _ => return Err(CorruptBatch("a record's offset lies outside its batch")),
        };
        let record = Record {
            offset: self.base_offset.plus(u64::from(offset_delta)),
            timestamp: self.base_timestamp.wrapping_add(timestamp_delta),
            key: self.nullable()?,
            value: self.nullable()?,
            headers: self.headers()?,
        };
        if self.at != end {
            return Err(CorruptBatch("a record that is not as long as it says"));
        }
        Ok(record)
    }

    fn headers(&mut self) -> Result<Vec<Header>, CorruptBatch> {
        let count = self.varint()?;
        // Each takes two bytes at least, so a count beyond that is nonsense and must not be reserved.
        match usize::try_from(count) {
            Ok(count) if count <= (self.bytes.len() - self.at) / 2 => {
                (0..count).map(|_| Ok(Header { key: self.required()?, value: self.nullable()? })).collect()
            }
            _ => Err(CorruptBatch("a count of headers that cannot be")),
        }
    }

    fn required(&mut self) -> Result<Bytes, CorruptBatch> {
        self.nullable()?.ok_or(CorruptBatch("a header without a key"))
    }

    fn nullable(&mut self) -> Result<Option<Bytes>, CorruptBatch> {
        match self.varint()? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) => self.take(length).map(Some),
                Err(_) => Err(CorruptBatch("a negative length")),
            },
        }
    }

    fn take(&mut self, length: usize) -> Result<Bytes, CorruptBatch> {
        if length > self.bytes.len() - self.at {
            return Err(CorruptBatch("a field longer than its batch"));
        }
        let start = self.at;
        self.at += length;
        Ok(self.bytes.slice(start..self.at))
    }

    fn varint(&mut self) -> Result<i32, CorruptBatch> {
        read_varint(&self.bytes, &mut self.at).ok_or(CorruptBatch("a number that cannot be read"))
    }
}

impl Iterator for Records {
    type Item = Result<Record, CorruptBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return (self.at < self.bytes.len() && !self.compressed).then(|| {
                self.at = self.bytes.len();
                Err(CorruptBatch("bytes behind the last record"))
            });
        }
        self.left -= 1;
        let record = self.record();
        if record.is_err() {
            self.left = 0;
            self.at = self.bytes.len();
        }
        Some(record)
    }
}
