//! Lays out a record batch v2, record by record (L1, L7).
//!
//! The bytes grow in place, so the size is known at every moment and building copies nothing. This file must not know
//! when a batch is full: that is the producer's to say.

use bytes::{BufMut, BytesMut};

use super::batch::{BEFORE_LENGTH_COUNTS, Batch, DELETE_HORIZON, HEADER_SIZE, MAGIC, at};
use super::record::{Header, Record};
use super::varint::{varint_size, varlong_size, write_varint, write_varlong};

/// The base timestamp of a batch that compaction has left without records.
const NO_TIMESTAMP: i64 = -1;

/// A record batch under construction: base offset 0, no leader epoch, no producer, until somebody says otherwise.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    bytes: BytesMut,
    count: u32,
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: Option<i64>,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
}

impl BatchBuilder {
    /// Starts a batch whose records' timestamps are relative to `base_timestamp`, in milliseconds; Kafka takes that of
    /// the first record.
    #[must_use]
    pub fn new(base_timestamp: i64) -> Self {
        let mut bytes = BytesMut::with_capacity(512);
        bytes.put_bytes(0, HEADER_SIZE);
        Self {
            bytes,
            count: 0,
            attributes: 0,
            base_timestamp,
            max_timestamp: None,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
        }
    }

    /// Adds a record. A `value` of `None` is a tombstone.
    ///
    /// # Panics
    /// When a length or the count exceeds what 32 bits hold: a bug of the caller, who bounds sizes far below.
    pub fn push(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) {
        self.push_at(self.count, timestamp, key, value, headers);
    }

    /// What compaction puts in the place of a batch of which it keeps these records, or none: offsets, sequence numbers,
    /// producer and leader epoch stay (L5), and without records the largest timestamp does, too. The base timestamp becomes
    /// the delete horizon, if there is one (L80).
    pub(super) fn rewrite(original: &Batch, records: &[Record], delete_horizon: Option<i64>) -> Batch {
        let first = records.first().map(|first| first.timestamp);
        let mut builder = Self::new(delete_horizon.or(first).unwrap_or(NO_TIMESTAMP));
        for record in records {
            let offset_delta = (record.offset.0 - original.base_offset().0) as u32;
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.push_at(offset_delta, record.timestamp, key, value, &record.headers);
        }
        let horizon = if delete_horizon.is_some() { DELETE_HORIZON } else { 0 };
        builder.attributes(original.attributes() & !DELETE_HORIZON | horizon);
        builder.producer(original.producer_id(), original.producer_epoch(), original.base_sequence());
        let max_timestamp = builder.max_timestamp.unwrap_or(original.max_timestamp());
        let built = builder.finish(original.last_offset_delta(), max_timestamp);
        built.stamp(original.base_offset(), original.leader_epoch())
    }

    fn push_at(
        &mut self,
        offset_delta: u32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) {
        let body = self.body_size(offset_delta, timestamp, key, value, headers);
        write_varint(&mut self.bytes, as_length(body));
        self.bytes.put_u8(0);
        write_varlong(&mut self.bytes, timestamp.wrapping_sub(self.base_timestamp));
        write_varint(&mut self.bytes, as_length(offset_delta as usize));
        write_nullable(&mut self.bytes, key);
        write_nullable(&mut self.bytes, value);
        write_varint(&mut self.bytes, as_length(headers.len()));
        for header in headers {
            write_nullable(&mut self.bytes, Some(&header.key));
            write_nullable(&mut self.bytes, header.value.as_deref());
        }
        self.count += 1;
        self.max_timestamp = self.max_timestamp.max(Some(timestamp));
    }

    /// How many records it holds.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The size in bytes if it were built now.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The size in bytes if it were built after this record had been pushed, too.
    #[must_use]
    pub fn size_with(&self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
        let body = self.body_size(self.count, timestamp, key, value, headers);
        self.size() + varint_size(as_length(body)) + body
    }

    /// Sets the attribute bits (L3), such as [`super::batch::CONTROL`].
    pub fn attributes(&mut self, bits: i16) {
        self.attributes = bits;
    }

    /// Says which idempotent producer sends this, and the sequence number of the first record.
    pub fn producer(&mut self, id: i64, epoch: i16, base_sequence: i32) {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
    }

    /// Fills in the header and the checksum.
    ///
    /// # Panics
    /// When there is no record: a producer never sends such a batch.
    #[must_use]
    pub fn build(self) -> Batch {
        let max_timestamp = self.max_timestamp.expect("a batch holds at least one record");
        let last_offset_delta = self.count - 1;
        self.finish(last_offset_delta, max_timestamp)
    }

    fn finish(mut self, last_offset_delta: u32, max_timestamp: i64) -> Batch {
        let length = as_length(self.bytes.len() - BEFORE_LENGTH_COUNTS);
        let count = as_length(self.count as usize);
        self.put(at::BASE_OFFSET, &0_i64.to_be_bytes());
        self.put(at::LENGTH, &length.to_be_bytes());
        self.put(at::LEADER_EPOCH, &(-1_i32).to_be_bytes());
        self.put(at::MAGIC, &[MAGIC]);
        self.put(at::ATTRIBUTES, &self.attributes.to_be_bytes());
        self.put(at::LAST_OFFSET_DELTA, &last_offset_delta.to_be_bytes());
        self.put(at::BASE_TIMESTAMP, &self.base_timestamp.to_be_bytes());
        self.put(at::MAX_TIMESTAMP, &max_timestamp.to_be_bytes());
        self.put(at::PRODUCER_ID, &self.producer_id.to_be_bytes());
        self.put(at::PRODUCER_EPOCH, &self.producer_epoch.to_be_bytes());
        self.put(at::BASE_SEQUENCE, &self.base_sequence.to_be_bytes());
        self.put(at::RECORDS_COUNT, &count.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes[at::COVERED..]);
        self.put(at::CRC, &crc.to_be_bytes());
        Batch::trusted(self.bytes.freeze())
    }

    fn put(&mut self, at: usize, field: &[u8]) {
        self.bytes[at..][..field.len()].copy_from_slice(field);
    }

    /// The bytes of a record behind its length field.
    fn body_size(
        &self,
        offset_delta: u32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> usize {
        let headers_size: usize = headers
            .iter()
            .map(|header| nullable_size(Some(&header.key)) + nullable_size(header.value.as_deref()))
            .sum();
        1 + varlong_size(timestamp.wrapping_sub(self.base_timestamp))
            + varint_size(as_length(offset_delta as usize))
            + nullable_size(key)
            + nullable_size(value)
            + varint_size(as_length(headers.len()))
            + headers_size
    }
}

fn write_nullable(out: &mut BytesMut, field: Option<&[u8]>) {
    match field {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, as_length(bytes.len()));
            out.put_slice(bytes);
        }
    }
}

fn nullable_size(field: Option<&[u8]>) -> usize {
    field.map_or(varint_size(-1), |bytes| varint_size(as_length(bytes.len())) + bytes.len())
}

fn as_length(length: usize) -> i32 {
    i32::try_from(length).expect("lengths and counts inside a batch fit 31 bits")
}
