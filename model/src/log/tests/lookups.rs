//! Where an offset lies and where a timestamp is reached first, with sparse indexes, several segments, clocks that go back,
//! holes and a start inside a batch (L29, L75, L76).

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch_of, segments, served};
use crate::log::{Found, Loading, Log, LogConfig};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// Batches of these timestamps, two batches to a segment, an index entry for every second one.
fn log(disk: &mut FakeDisk, batches: &[(u64, &[i64])]) -> Log {
    let config = LogConfig { segment_bytes: 160, index_interval_bytes: 0, ..LogConfig::default() };
    let mut log = Log::open(disk, DIRECTORY, config, Loading::default()).expect("works").0;
    for (base, timestamps) in batches {
        let records: Vec<_> = timestamps.iter().map(|timestamp| (*timestamp, Some("k"), Some("v"))).collect();
        let sent = batch_of(&records, None).stamp(Offset(*base), LeaderEpoch(*base as i32 / 4));
        log.append_as_follower(disk, &served([&sent]), LeaderEpoch(99), NOW).expect("fine");
    }
    log
}

fn at(log: &Log, disk: &mut FakeDisk, timestamp: i64, upto: u64) -> Option<(u64, i64, i32)> {
    let found = log.offset_for_timestamp(disk, timestamp, EndOffset(upto)).expect("works");
    found.map(|Found { offset, timestamp, epoch }| (offset.0, timestamp, epoch.0))
}

fn newest(log: &Log, disk: &mut FakeDisk, upto: u64) -> Option<(u64, i64)> {
    log.max_timestamp(disk, EndOffset(upto)).expect("works").map(|found| (found.offset.0, found.timestamp))
}

#[test]
fn the_first_record_that_is_as_young_is_found_though_clocks_went_back() {
    let disk = &mut FakeDisk::default();
    let log = log(disk, &[(0, &[10]), (1, &[50]), (2, &[20]), (3, &[30]), (4, &[50]), (5, &[40, 60])]);
    assert_eq!(segments(&log), [0, 2, 4]);
    assert_eq!(at(&log, disk, 0, 99), Some((0, 10, 0)));
    assert_eq!(at(&log, disk, 11, 99), Some((1, 50, 0)), "not 2, though 20 is nearer");
    assert_eq!(at(&log, disk, 50, 99), Some((1, 50, 0)));
    assert_eq!(at(&log, disk, 51, 99), Some((6, 60, 1)), "inside a batch");
    assert_eq!(at(&log, disk, 61, 99), None);
    assert_eq!(at(&log, disk, 51, 5), None, "what one may not see yet");
    assert_eq!(newest(&log, disk, 99), Some((6, 60)));
    assert_eq!(newest(&log, disk, 5), Some((1, 50)), "the first of two");
    assert_eq!(newest(&log, disk, 0), None);
}

#[test]
fn what_lies_below_the_start_is_not_found_though_its_batch_is_still_there() {
    let disk = &mut FakeDisk::default();
    let mut log = log(disk, &[(0, &[90, 10, 20]), (3, &[30]), (4, &[40])]);
    log.raise_start(EndOffset(1));
    assert_eq!(at(&log, disk, 0, 99), Some((1, 10, 0)));
    assert_eq!(at(&log, disk, 21, 99), Some((3, 30, 0)));
    assert_eq!(at(&log, disk, 41, 99), None);
    assert_eq!(newest(&log, disk, 99), Some((4, 40)), "not nothing, though the batch at the start says 90");
    assert_eq!(log.locate(Offset(0), EndOffset(99), 1_000, true).expect_err("out of range").start, EndOffset(1));
    let span = log.locate(Offset(1), EndOffset(99), 1, true).expect("in range").expect("there");
    assert_eq!(
        (span.first(), span.end()),
        (Offset(0), EndOffset(3)),
        "T18: a whole batch, and its front is not asked for"
    );
}

#[test]
fn holes_are_looked_over() {
    let disk = &mut FakeDisk::default();
    let log = log(disk, &[(0, &[10]), (7, &[20]), (30, &[15]), (31, &[35]), (90, &[40])]);
    assert_eq!(segments(&log), [0, 8, 32], "Kafka: 0, 30, 90");
    for (from, first) in [(0, 0), (1, 7), (7, 7), (8, 30), (30, 30), (32, 90), (90, 90)] {
        let span = log.locate(Offset(from), EndOffset(99), 1, true).expect("in range").expect("there");
        assert_eq!(span.first(), Offset(first), "from {from}");
    }
    assert_eq!(at(&log, disk, 16, 99), Some((7, 20, 1)));
    assert_eq!(at(&log, disk, 21, 99), Some((31, 35, 7)));
    assert_eq!(newest(&log, disk, 40), Some((31, 35)));
}
