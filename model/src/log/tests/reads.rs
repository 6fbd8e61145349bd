//! Reading in two steps.

use super::disk::FakeDisk;
use super::{NOW, batch, lead, new_log, segments, served, stored};
use crate::log::{Log, OutOfRange};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// Batches [0,2) [2,4) | [4,6) [6,8) | [8,10), each of `size` bytes, two to a segment.
fn five_batches(disk: &mut FakeDisk) -> (Log, usize) {
    let size = batch(&["a", "b"]).size();
    let mut log = new_log(disk, 2 * size as u64);
    for _ in 0..5 {
        lead(&mut log, disk, 0, &["a", "b"]).expect("fine");
    }
    assert_eq!(segments(&log), [0, 4, 8]);
    (log, size)
}

fn located(log: &Log, from: u64, upto: u64, max_bytes: usize, min_one: bool) -> Option<(u64, u64)> {
    let span = log.locate(Offset(from), EndOffset(upto), max_bytes, min_one).expect("in range")?;
    Some((span.first().0, span.end().0))
}

#[test]
fn a_read_begins_with_the_batch_that_contains_the_offset() {
    let (log, _) = five_batches(&mut FakeDisk::default());
    assert_eq!(located(&log, 0, 10, 1_000, true), Some((0, 4)), "a whole segment");
    assert_eq!(located(&log, 3, 10, 1_000, true), Some((2, 4)));
    assert_eq!(located(&log, 4, 10, 1_000, true), Some((4, 8)), "never crosses a segment");
    assert_eq!(located(&log, 9, 10, 1_000, true), Some((8, 10)));
}

#[test]
fn a_read_ends_below_the_bound_with_a_whole_batch() {
    let (log, _) = five_batches(&mut FakeDisk::default());
    assert_eq!(located(&log, 0, 3, 1_000, true), Some((0, 2)));
    assert_eq!(located(&log, 2, 3, 1_000, true), None, "the batch is not below the bound");
    assert_eq!(located(&log, 3, 3, 1_000, true), None);
    assert_eq!(located(&log, 5, 3, 1_000, true), None, "beyond the bound but within the log");
    assert_eq!(located(&log, 10, 10, 1_000, true), None, "at the end");
    assert_eq!(located(&log, 10, 99, 1_000, true), None, "at the end");
}

#[test]
fn a_read_is_cut_to_size_but_holds_one_batch_if_it_must() {
    let (log, size) = five_batches(&mut FakeDisk::default());
    assert_eq!(located(&log, 0, 10, 2 * size, false), Some((0, 4)));
    assert_eq!(located(&log, 0, 10, 2 * size - 1, false), Some((0, 2)));
    assert_eq!(located(&log, 0, 10, size - 1, false), None);
    assert_eq!(located(&log, 0, 10, size - 1, true), Some((0, 2)));
    assert_eq!(located(&log, 0, 10, 0, true), Some((0, 2)));
    assert_eq!(located(&log, 0, 10, 0, false), None);
    assert_eq!(located(&log, 0, 10, usize::MAX, false), Some((0, 4)));
}

#[test]
fn an_offset_outside_the_log_is_out_of_range() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    log.truncate_fully_and_start_at(disk, EndOffset(5), NOW).expect("works");
    lead(&mut log, disk, 0, &["a"]).expect("fine");
    let refused = OutOfRange { start: EndOffset(5), end: EndOffset(6) };
    assert_eq!(log.locate(Offset(4), EndOffset(6), 100, true), Err(refused));
    assert_eq!(log.locate(Offset(7), EndOffset(6), 100, true), Err(refused));
    assert_eq!(located(&log, 5, 6, 100, true), Some((5, 6)));
}

#[test]
fn a_gap_is_read_over() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 70);
    for base in [0, 10, 20] {
        log.append_as_follower(disk, &served(&[stored(base, 0, &["a"])]), LeaderEpoch(0), NOW).expect("fine");
    }
    assert_eq!(segments(&log), [0, 10, 20]);
    assert_eq!(located(&log, 5, 21, 1_000, true), Some((10, 11)));
    assert_eq!(located(&log, 5, 10, 1_000, true), None);
}

/// L23: the leader locates, loses its leadership, truncates and appends what the new leader has; then the answer leaves.
#[test]
fn bytes_are_read_as_they_are_when_the_answer_leaves() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    let old = [stored(0, 1, &["kept"]), stored(1, 1, &["lost"]), stored(2, 1, &["gone"])];
    log.append_as_follower(disk, &served(&old), LeaderEpoch(1), NOW).expect("fine");
    let span = log.locate(Offset(0), log.end(), 1_000, true).expect("in range").expect("there");
    assert_eq!(log.read(disk, &span), Ok(served(&old)));

    log.truncate_to(disk, EndOffset(1), NOW).expect("works");
    assert_eq!(log.read(disk, &span), Ok(served(&old[..1])), "shorter");

    let new = [stored(1, 2, &["here"]), stored(2, 2, &["anew"])];
    log.append_as_follower(disk, &served(&new), LeaderEpoch(2), NOW).expect("fine");
    assert_eq!(log.read(disk, &span), Ok(served([&old[0], &new[0], &new[1]])), "other bytes, same place");
}

#[test]
fn a_discarded_segment_can_be_read_by_whoever_located_it_before() {
    let disk = &mut FakeDisk::default();
    let (mut log, _) = five_batches(disk);
    let span = log.locate(Offset(8), log.end(), 1_000, true).expect("in range").expect("there");
    let before = log.read(disk, &span).expect("works");
    log.truncate_to(disk, EndOffset(6), NOW).expect("works");
    assert_eq!(log.read(disk, &span), Ok(before));
    assert_eq!(
        log.locate(Offset(8), EndOffset(9), 1, true),
        Err(OutOfRange { start: EndOffset(0), end: EndOffset(6) })
    );
}

#[test]
fn a_span_says_how_long_it_is() {
    let disk = &mut FakeDisk::default();
    let (log, size) = five_batches(disk);
    let span = log.locate(Offset(1), EndOffset(9), 1_000, true).expect("in range").expect("there");
    assert_eq!(span.size(), 2 * size);
    let bytes = log.read(disk, &span).expect("works");
    assert_eq!(bytes.batches().count(), 2);
}
