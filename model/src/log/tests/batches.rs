//! The record batch, byte for byte.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::{batch, stored, together};
use crate::log::batch::CONTROL;
use crate::log::{Batch, BatchBuilder, BatchId, Batches, CorruptBatch, Header, Record};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// Worked out by hand from L1 and L7; the checksum by a bitwise CRC-32C in another language.
const GOLDEN: &[(&str, &str)] = &[
    ("base offset", "0000000000000000"),
    ("length: 99 - 12", "00000057"),
    ("leader epoch: none", "ffffffff"),
    ("magic", "02"),
    ("crc", "17a8765a"),
    ("attributes", "0000"),
    ("last offset delta", "00000002"),
    ("base timestamp 1700000000000", "0000018bcfe56800"),
    ("max timestamp, 300 later", "0000018bcfe5692c"),
    ("producer id", "ffffffffffffffff"),
    ("producer epoch", "ffff"),
    ("base sequence", "ffffffff"),
    ("count of records", "00000003"),
    ("record 0: length 16, attributes, both deltas 0", "20 00 00 00"),
    ("   key k, value v1", "02 6b 04 7631"),
    ("   2 headers: h = x, h = null", "04 02 68 02 78 02 68 01"),
    ("record 1: length 11, attributes, 5 earlier, offset 1", "16 00 09 02"),
    ("   no key, value hello, no headers", "01 0a 68656c6c6f 00"),
    ("record 2: length 8, attributes, 300 later, offset 2", "10 00 d804 04"),
    ("   key k, no value: a tombstone, no headers", "02 6b 01 00"),
];

const BASE_TIMESTAMP: i64 = 1_700_000_000_000;

fn golden_bytes() -> Vec<u8> {
    let hex: String = GOLDEN.iter().flat_map(|(_, hex)| hex.chars()).filter(|c| *c != ' ').collect();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn golden_records() -> Vec<Record> {
    let header = |value: Option<&'static str>| Header { key: Bytes::from("h"), value: value.map(Bytes::from) };
    let record = |offset, timestamp, key: Option<&'static str>, value: Option<&'static str>, headers| Record {
        offset: Offset(offset),
        timestamp,
        key: key.map(Bytes::from),
        value: value.map(Bytes::from),
        headers,
    };
    vec![
        record(0, BASE_TIMESTAMP, Some("k"), Some("v1"), vec![header(Some("x")), header(None)]),
        record(1, BASE_TIMESTAMP - 5, None, Some("hello"), vec![]),
        record(2, BASE_TIMESTAMP + 300, Some("k"), None, vec![]),
    ]
}

fn build(base_timestamp: i64, records: &[Record]) -> Batch {
    let mut builder = BatchBuilder::new(base_timestamp);
    for record in records {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let expected = builder.size_with(record.timestamp, key, value, &record.headers);
        builder.push(record.timestamp, key, value, &record.headers);
        assert_eq!(builder.size(), expected);
    }
    let (size, count) = (builder.size(), builder.count());
    let batch = builder.build();
    assert_eq!((batch.size(), batch.records_count()), (size, count));
    batch
}

fn read(batch: &Batch) -> Vec<Record> {
    batch.records().collect::<Result<_, _>>().expect("well-formed")
}

#[test]
fn a_batch_has_kafkas_bytes() {
    assert_eq!(build(BASE_TIMESTAMP, &golden_records()).bytes(), &golden_bytes());
}

#[test]
fn kafkas_bytes_are_read_field_by_field() {
    let mut bytes = Bytes::from(golden_bytes());
    let batch = Batch::split_first(&mut bytes).expect("sound").expect("whole");
    assert!(bytes.is_empty());
    assert!(batch.is_valid());
    assert_eq!(batch.size(), 99);
    assert_eq!(batch.crc(), 0x17a8_765a);
    assert_eq!((batch.base_offset(), batch.last_offset(), batch.end()), (Offset(0), Offset(2), EndOffset(3)));
    assert_eq!(batch.leader_epoch(), LeaderEpoch(-1));
    assert_eq!((batch.attributes(), batch.is_control()), (0, false));
    assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (BASE_TIMESTAMP, BASE_TIMESTAMP + 300));
    assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (-1, -1, -1));
    assert_eq!(read(&batch), golden_records());
}

#[test]
fn producer_and_attributes_go_into_the_header_and_under_the_checksum() {
    let mut builder = BatchBuilder::new(7);
    builder.push(7, None, None, &[]);
    builder.producer(0x0102_0304_0506_0708, 9, 10);
    builder.attributes(CONTROL);
    let batch = builder.build();
    assert!(batch.is_valid() && batch.is_control());
    assert_eq!((batch.producer_id(), batch.producer_epoch(), batch.base_sequence()), (0x0102_0304_0506_0708, 9, 10));
    assert_eq!(batch.bytes()[43..57], [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 0, 0, 10]);
}

#[test]
fn a_stamp_changes_offset_and_epoch_and_leaves_the_checksum_good() {
    let before = batch(&["a", "b"]);
    let after = before.stamp(Offset(0x1122), LeaderEpoch(0x33));
    assert!(after.is_valid());
    assert_eq!(after.id(), BatchId { base: Offset(0x1122), records: 2, epoch: LeaderEpoch(0x33), crc: before.crc() });
    assert_eq!((after.id().last(), after.id().end()), (Offset(0x1123), EndOffset(0x1124)));
    assert_eq!(before.base_offset(), Offset(0), "a copy was stamped");
    assert_eq!(after.bytes()[12 + 4..], before.bytes()[12 + 4..]);
    assert_eq!(read(&after)[1].offset, Offset(0x1123));
}

#[test]
fn a_flipped_bit_shows_unless_it_is_in_offset_or_epoch() {
    let good = stored(5, 1, &["some value"]);
    for bit in 0..good.size() * 8 {
        let mut bytes = BytesMut::from(&good.bytes()[..]);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let noticed = !matches!(Batch::split_first(&mut bytes.freeze()), Ok(Some(batch)) if batch.is_valid());
        let covered = bit / 8 >= 16 || (8..12).contains(&(bit / 8));
        // The highest bit of the offset makes it negative, which no offset is.
        assert_eq!(noticed, covered || bit == 7, "bit {bit}");
    }
}

#[test]
fn batches_are_taken_one_by_one_and_a_torn_tail_is_left() {
    let (first, second) = (stored(0, 0, &["a"]), stored(1, 0, &["b", "c"]));
    let whole = together([&first, &second]);
    for length in first.size()..whole.len() {
        let mut batches = Batches::new(whole.slice(..length));
        assert_eq!(batches.next(), Some(Ok(first.clone())));
        assert_eq!(batches.next(), None);
        assert_eq!(batches.rest(), &whole.slice(first.size()..length));
    }
    assert_eq!(Batches::new(whole).collect::<Result<Vec<_>, _>>(), Ok(vec![first, second]));
}

#[test]
fn nonsense_is_an_error_and_takes_nothing() {
    let good = stored(0, 0, &["a"]);
    let with = |at: usize, field: &[u8]| {
        let mut bytes = BytesMut::from(&good.bytes()[..]);
        bytes[at..at + field.len()].copy_from_slice(field);
        bytes.freeze()
    };
    for bytes in [
        Bytes::from(vec![0; 100]),
        with(8, &[0xff; 4]),
        with(8, &[0, 0, 0, 48]),
        with(16, &[1]),
        with(0, &[0xff]),
        with(0, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        with(23, &[0xff; 4]),
        with(57, &[0xff; 4]),
    ] {
        let mut rest = bytes.clone();
        assert!(matches!(Batch::split_first(&mut rest), Err(CorruptBatch(_))));
        assert_eq!(rest, bytes);
        let mut batches = Batches::new(bytes);
        assert!(matches!(batches.next(), Some(Err(_))));
        assert_eq!(batches.next(), None, "ends after the first error");
    }
}

#[test]
fn records_that_are_not_what_the_header_says_are_an_error() {
    let good = batch(&["abc", "def"]);
    let with = |at: usize, byte: u8| {
        let mut bytes = BytesMut::from(&good.bytes()[..]);
        bytes[at] = byte;
        Batch::split_first(&mut bytes.freeze()).expect("sound").expect("whole")
    };
    let broken = |batch: Batch| batch.records().any(|record| record.is_err());
    assert!(!broken(good.clone()));
    for (at, byte, what) in [
        (60, 3, "three records"),
        (60, 1, "one record"),
        (61, 0x7e, "a record longer than the batch"),
        (61, 0x10, "a record shorter than its fields"),
        (61, 0x01, "a record of negative length"),
        (64, 0x06, "an offset behind the last"),
        (64, 0x01, "an offset before the first"),
        (65, 0x7e, "a key longer than the batch"),
        (65, 0x03, "a key of length -2"),
        (70, 0x7e, "more headers than bytes"),
        (70, 0x01, "minus one header"),
        (22, 0x01, "gzip"),
    ] {
        assert!(broken(with(at, byte)), "{what}");
    }
}

fn any_bytes(length: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..length).prop_map(Bytes::from)
}

fn any_header() -> impl Strategy<Value = Header> {
    (any_bytes(5), prop::option::of(any_bytes(5))).prop_map(|(key, value)| Header { key, value })
}

fn any_record() -> impl Strategy<Value = Record> {
    let timestamp = prop_oneof![0..2_000_000_000_000_i64, any::<i64>()];
    let headers = prop::collection::vec(any_header(), 0..4);
    (timestamp, prop::option::of(any_bytes(200)), prop::option::of(any_bytes(200)), headers)
        .prop_map(|(timestamp, key, value, headers)| Record { offset: Offset(0), timestamp, key, value, headers })
}

proptest! {
    #[test]
    fn every_batch_is_read_as_it_was_built(
        base_timestamp: i64,
        mut records in prop::collection::vec(any_record(), 1..20),
        base in 0..1_u64 << 62,
        epoch in 0..i32::MAX,
    ) {
        let stamped = build(base_timestamp, &records).stamp(Offset(base), LeaderEpoch(epoch));
        for (index, record) in records.iter_mut().enumerate() {
            record.offset = Offset(base + index as u64);
        }
        let mut bytes = stamped.bytes().clone();
        let batch = Batch::split_first(&mut bytes).expect("sound").expect("whole");
        prop_assert!(batch.is_valid());
        prop_assert_eq!(batch.max_timestamp(), records.iter().map(|record| record.timestamp).max().expect("one"));
        prop_assert_eq!(batch.end(), EndOffset(base + records.len() as u64));
        prop_assert_eq!(read(&batch), records);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        records in prop::collection::vec(any_record(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        cut: prop::sample::Index,
        junk in any_bytes(100),
    ) {
        let mut bytes = BytesMut::from(&build(0, &records).bytes()[..]);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        bytes.extend_from_slice(&junk);
        for batch in Batches::new(bytes.freeze()).flatten() {
            let (mut count, mut failed) = (0_u32, false);
            for record in batch.records() {
                prop_assert!(!failed, "ends after the first error");
                failed = record.is_err();
                count += 1;
            }
            prop_assert!(failed || count == batch.records_count());
            let _ = (batch.id().end(), batch.is_valid());
        }
    }
}
