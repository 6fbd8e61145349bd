//! What a start makes of the files it finds.

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch, ends, epochs, ids, lead, new_log, open, read_all, segments, stored, together};
use crate::log::{Loading, Log, LogConfig, Recovery};
use crate::names::{EndOffset, LeaderEpoch};
use crate::protocol::Storage;

const FIRST: &str = "t1-0/00000000000000000000.log";
const SECOND: &str = "t1-0/00000000000000000002.log";

fn size() -> usize {
    batch(&["a"]).size()
}

fn segment_bytes() -> u64 {
    2 * size() as u64
}

/// Six batches of one record, in epochs 0 to 5, two to a segment.
fn six_batches(disk: &mut FakeDisk) -> Log {
    let mut log = new_log(disk, segment_bytes());
    for epoch in 0..6 {
        lead(&mut log, disk, epoch, &["a"]).expect("fine");
    }
    assert_eq!(segments(&log), [0, 2, 4]);
    log
}

fn reopen(disk: &mut FakeDisk, clean: bool, recovery_point: u64) -> (Log, Recovery) {
    open(disk, segment_bytes(), clean, recovery_point)
}

#[test]
fn a_crash_loses_nothing_that_was_written() {
    let disk = &mut FakeDisk::default();
    let before = six_batches(disk);
    let (after, recovery) = reopen(disk, false, 0);
    assert_eq!(read_all(&after, disk), read_all(&before, disk));
    assert_eq!((after.end(), epochs(&after)), (before.end(), epochs(&before)));
    assert_eq!(recovery, Recovery { segments_scanned: 3, batches_scanned: 6, ..Recovery::default() });
}

#[test]
fn recovered_data_is_neither_synced_nor_counted_as_synced() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    lead(&mut log, disk, 0, &["a", "b"]).expect("fine");
    log.flush(disk, EndOffset(2), NOW).expect("works");
    lead(&mut log, disk, 0, &["c", "d"]).expect("fine");
    disk.journal.clear();
    let (log, recovery) = open(disk, 1_000, false, 2);
    assert_eq!((log.recovery_point(), log.end(), recovery.batches_scanned), (EndOffset(2), EndOffset(4), 2));
    assert!(!disk.journal.contains(&format!("sync {FIRST}")), "{:?}", disk.journal);
    disk.power_off_losing_all();
    assert_eq!(open(disk, 1_000, false, 2).0.end(), EndOffset(2), "served, and gone with the next power cut");
}

/// Between a roll and the flush that follows it, all of a segment can be lost while the next one is there. Nothing was
/// cut, so nothing is wrong for Kafka.
#[test]
fn a_segment_that_lost_all_its_content_leaves_a_hole_below_the_end() {
    let disk = &mut FakeDisk::default();
    six_batches(disk).flush(disk, EndOffset(2), NOW).expect("works");
    disk.power_off_losing_all();
    let (log, recovery) = reopen(disk, false, 2);
    assert_eq!((ends(&log), segments(&log), log.end()), (vec![1, 2], vec![0, 2, 4], EndOffset(4)));
    assert_eq!((recovery.bytes_cut, recovery.holes), (0, 1));
}

#[test]
fn the_log_is_cut_at_the_first_bad_batch_though_good_ones_follow() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.rot(SECOND, |file| file[70 - 61 + 30] ^= 1);
    let (log, recovery) = reopen(disk, false, 0);
    assert_eq!((log.end(), ends(&log), segments(&log)), (EndOffset(2), vec![1, 2], vec![0, 2]));
    assert_eq!(epochs(&log), [(0, 0), (1, 1)]);
    assert_eq!((recovery.bytes_cut, recovery.segments_dropped), (segment_bytes(), 1));
    assert!(recovery.epochs_cut, "its file still has epochs up to 5");
    assert_eq!(disk.content(SECOND), Some(vec![]));
    assert!(disk.content("t1-0/00000000000000000004.log").is_none());
}

#[test]
fn a_torn_or_blank_tail_is_cut_off() {
    for damage in [|file: &mut Vec<u8>| file.truncate(file.len() - 1), |file: &mut Vec<u8>| file.extend([0; 40])] {
        let disk = &mut FakeDisk::default();
        six_batches(disk);
        disk.rot("t1-0/00000000000000000004.log", damage);
        let length = disk.content("t1-0/00000000000000000004.log").expect("there").len();
        let (mut log, recovery) = reopen(disk, false, 0);
        let kept = log.size_bytes() - 4 * size() as u64;
        assert_eq!(recovery.bytes_cut, length as u64 - kept);
        assert!(log.end() >= EndOffset(5) && recovery.segments_dropped == 0);
        lead(&mut log, disk, 9, &["x"]).expect("goes on");
        assert_eq!(read_all(&log, disk).len(), log.end().0 as usize);
    }
}

#[test]
fn what_lies_in_segments_below_the_recovery_point_is_trusted() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.rot(FIRST, |file| file[40] ^= 1);
    let (log, recovery) = reopen(disk, false, 2);
    assert_eq!((log.end(), recovery.segments_scanned, recovery.bytes_cut), (EndOffset(6), 2, 0));
    let (log, recovery) = reopen(disk, false, 1);
    assert_eq!((log.end(), recovery.segments_scanned), (EndOffset(0), 1), "the segment that contains it is not");
}

#[test]
fn a_clean_start_checks_nothing_and_counts_everything_as_synced() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.rot(SECOND, |file| file[40] ^= 1);
    let (log, recovery) = reopen(disk, true, 0);
    assert_eq!((log.recovery_point(), log.end()), (EndOffset(6), EndOffset(6)));
    assert_eq!(recovery, Recovery::default());
}

#[test]
fn a_trusted_segment_that_cannot_be_read_is_cut_by_itself() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.rot(FIRST, |file| file[size() + 16] = 7);
    let (log, recovery) = reopen(disk, true, 0);
    assert_eq!(ends(&log), [1, 3, 4, 5, 6]);
    assert_eq!((recovery.bytes_cut, recovery.segments_dropped, recovery.holes), (size() as u64, 0, 1));
}

#[test]
fn a_batch_that_does_not_go_on_where_the_one_before_ended_is_bad() {
    let disk = &mut FakeDisk::default();
    let batches = [stored(0, 0, &["a"]), stored(1, 0, &["b", "c"]), stored(2, 0, &["d"])];
    disk.plant(FIRST, together(&batches));
    let (log, _) = open(disk, 1_000, false, 0);
    assert_eq!(ends(&log), [1, 3]);
    let disk = &mut FakeDisk::default();
    disk.plant(SECOND, together(&[stored(1, 0, &["a"])]));
    assert_eq!(open(disk, 1_000, false, 0).0.end(), EndOffset(2), "an offset below the segment's own");
}

#[test]
fn recovery_learns_epochs_that_the_checkpoint_did_not_have_and_no_older_ones() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.plant("t1-0/leader-epoch-checkpoint", "0\n1\n3 1\n");
    let (log, _) = reopen(disk, false, 0);
    assert_eq!(epochs(&log), [(3, 1), (4, 4), (5, 5)], "the hole below 3 stays");
    let rewritten = disk.text("t1-0/leader-epoch-checkpoint");
    assert_eq!(rewritten.as_deref(), Some("0\n3\n3 1\n4 4\n5 5\n"), "written as it is learnt");
}

#[test]
fn epochs_of_segments_below_the_recovery_point_are_not_rebuilt() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    disk.plant("t1-0/leader-epoch-checkpoint", "garbage");
    let (log, recovery) = reopen(disk, false, 4);
    assert!(recovery.epochs_malformed);
    assert_eq!(epochs(&log), [(4, 4), (5, 5)]);
    disk.plant("t1-0/leader-epoch-checkpoint", "garbage");
    assert_eq!(epochs(&reopen(disk, true, 0).0), []);
}

#[test]
fn epochs_beyond_the_end_of_the_log_are_dropped_at_a_start() {
    let disk = &mut FakeDisk::default();
    let mut log = six_batches(disk);
    log.assign_epoch(disk, LeaderEpoch(9)).expect("works");
    let (log, recovery) = reopen(disk, false, 0);
    assert_eq!(log.last_epoch(), Some(LeaderEpoch(5)), "an epoch without a record is forgotten");
    assert!(recovery.epochs_cut);
}

/// The asynchronous rewrite of the epoch checkpoint after a truncation may be lost (1.19).
#[test]
fn epochs_that_were_truncated_only_in_memory_are_truncated_again() {
    let disk = &mut FakeDisk::default();
    six_batches(disk).truncate_to(disk, EndOffset(3), NOW).expect("works");
    assert_eq!(disk.text("t1-0/leader-epoch-checkpoint").as_deref(), Some("0\n6\n0 0\n1 1\n2 2\n3 3\n4 4\n5 5\n"));
    let (log, recovery) = reopen(disk, false, 0);
    assert_eq!(epochs(&log), [(0, 0), (1, 1), (2, 2)]);
    assert!(recovery.epochs_cut);
}

/// L34: the cut was not synced, so what was cut off is back, good checksums and all.
#[test]
fn what_was_truncated_may_come_back_after_a_power_cut() {
    let disk = &mut FakeDisk::default();
    let mut log = six_batches(disk);
    log.flush(disk, EndOffset(6), NOW).expect("works");
    log.truncate_to(disk, EndOffset(3), NOW).expect("works");
    let recovery_point = log.recovery_point().0;
    disk.power_off_losing_all();
    let (log, _) = reopen(disk, false, recovery_point);
    assert_eq!((log.end(), log.recovery_point()), (EndOffset(6), EndOffset(3)));
    assert_eq!(epochs(&log), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]);
}

/// By the latest answer not once something was written behind the cut, though the process that cut was killed before that and
/// the next one found a file without fault.
#[test]
fn what_was_truncated_does_not_come_back_once_something_was_written_behind_the_cut() {
    let disk = &mut FakeDisk::default();
    let config = LogConfig { storage: Storage::LATEST, ..LogConfig::default() };
    let (mut log, _) = Log::open(disk, DIRECTORY, config.clone(), Loading::default()).expect("works");
    lead(&mut log, disk, 0, &["old", "old"]).expect("fine");
    log.flush(disk, EndOffset(2), NOW).expect("works");
    log.truncate_to(disk, EndOffset(0), NOW).expect("works");
    log.write_epochs(disk).expect("works");
    let (mut log, recovery) = Log::open(disk, DIRECTORY, config.clone(), Loading::default()).expect("works");
    assert_eq!((log.end(), recovery.bytes_cut), (EndOffset(0), 0));
    lead(&mut log, disk, 0, &["new"]).expect("fine");
    disk.power_off_losing_all();
    let (log, _) = Log::open(disk, DIRECTORY, config, Loading::default()).expect("works");
    assert_eq!(ids(&log), [], "neither the old nor the new");
}

#[test]
fn a_segment_that_is_missing_between_two_others_is_not_noticed_but_counted() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    crate::disk::Disk::remove(disk, SECOND).expect("works");
    let (log, recovery) = reopen(disk, false, 0);
    assert_eq!((ends(&log), recovery.holes, recovery.overlaps), (vec![1, 2, 5, 6], 1, 0));
}

#[test]
fn a_segment_that_came_back_below_the_end_of_the_one_before_is_counted() {
    let disk = &mut FakeDisk::default();
    six_batches(disk);
    let mut first = disk.content(FIRST).expect("there");
    first.extend_from_slice(stored(2, 9, &["new"]).bytes());
    disk.plant(FIRST, first);
    let (log, recovery) = reopen(disk, false, 0);
    assert_eq!((ends(&log), recovery.holes, recovery.overlaps), (vec![1, 2, 3, 3, 4, 5, 6], 0, 1));
}

#[test]
fn files_that_are_no_segments_are_left_alone() {
    let disk = &mut FakeDisk::default();
    let strangers = ["t1-0/1.log", "t1-0/0000000000000000000x.log", "t1-0/99999999999999999999.log", "t1-0/x.tmp"];
    for path in strangers {
        disk.plant(path, "stranger");
    }
    let (log, _) = reopen(disk, false, 0);
    assert_eq!(segments(&log), [0]);
    assert!(strangers.iter().all(|path| disk.text(path).as_deref() == Some("stranger")));
}
