//! Cutting the log.

use super::disk::FakeDisk;
use super::{NOW, batch, ends, epochs, lead, new_log, open, segments, served, stored};
use crate::log::Log;
use crate::names::{EndOffset, LeaderEpoch, Time};

/// Epochs 1, 2, 3; batches [0,2) [2,4) | [4,6) [6,8) | [8,10), two to a segment.
fn five_batches(disk: &mut FakeDisk) -> Log {
    let mut log = new_log(disk, 2 * batch(&["a", "b"]).size() as u64);
    for epoch in [1, 1, 2, 2, 3] {
        lead(&mut log, disk, epoch, &["a", "b"]).expect("fine");
    }
    log
}

#[test]
fn a_cut_takes_whole_segments_and_the_tail_of_one() {
    let disk = &mut FakeDisk::default();
    let mut log = five_batches(disk);
    assert_eq!(log.truncate_to(disk, EndOffset(2), NOW), Ok(true));
    assert_eq!((log.end(), ends(&log), segments(&log)), (EndOffset(2), vec![2], vec![0]));
    assert_eq!(epochs(&log), [(1, 0)]);
    let renamed = ["t1-0/00000000000000000004.log.deleted", "t1-0/00000000000000000008.log.deleted"];
    assert!(renamed.iter().all(|path| disk.content(path).is_some()));
    let later = NOW + log.config().file_delete_delay;
    log.sweep(disk, Time(later.0 - 1)).expect("works");
    assert!(renamed.iter().all(|path| disk.content(path).is_some()), "readers may still hold on to them");
    assert_eq!(log.sweep_due(), Some(later));
    log.sweep(disk, later).expect("works");
    assert!(!disk.paths().iter().any(|path| path.ends_with(".deleted")));
    assert_eq!(lead(&mut log, disk, 4, &["x"]).expect("fine").id.base.0, 2);
}

#[test]
fn a_cut_at_a_segments_base_leaves_it_empty_and_active() {
    let disk = &mut FakeDisk::default();
    let mut log = five_batches(disk);
    assert_eq!(log.truncate_to(disk, EndOffset(4), NOW), Ok(true));
    assert_eq!((log.end(), ends(&log), segments(&log)), (EndOffset(4), vec![2, 4], vec![0, 4]));
    assert_eq!(epochs(&log), [(1, 0)]);
    assert_eq!(disk.content("t1-0/00000000000000000004.log"), Some(vec![]));
}

#[test]
fn a_cut_beyond_the_end_cuts_only_the_epoch_of_a_leader_that_wrote_nothing() {
    let disk = &mut FakeDisk::default();
    let mut log = five_batches(disk);
    log.assign_epoch(disk, LeaderEpoch(7)).expect("works");
    disk.journal.clear();
    for end in [10, 11] {
        assert_eq!(log.truncate_to(disk, EndOffset(end), NOW), Ok(false));
        assert_eq!((log.end(), epochs(&log)), (EndOffset(10), vec![(1, 0), (2, 4), (3, 8)]));
    }
    assert_eq!(disk.journal, [""; 0], "the checkpoint is written by another thread, later");
    log.write_epochs(disk).expect("works");
    assert_eq!(disk.text("t1-0/leader-epoch-checkpoint").as_deref(), Some("0\n3\n1 0\n2 4\n3 8\n"));
}

#[test]
fn a_cut_inside_a_batch_takes_all_of_it_though_the_log_ends_at_the_cut() {
    let disk = &mut FakeDisk::default();
    let mut log = five_batches(disk);
    assert_eq!(log.truncate_to(disk, EndOffset(7), NOW), Ok(true));
    assert_eq!((log.end(), ends(&log)), (EndOffset(7), vec![2, 4, 6]));
    let again = log.append_as_follower(disk, &served(&[stored(6, 2, &["a", "b"])]), LeaderEpoch(3), NOW);
    assert!(again.is_err(), "what a fetch from 7 brings begins at 6");
    log.append_as_follower(disk, &served(&[stored(7, 2, &["b"])]), LeaderEpoch(3), NOW).expect("fine");
    assert_eq!(ends(&log), [2, 4, 6, 8]);
}

#[test]
fn a_cut_lowers_the_recovery_point() {
    let disk = &mut FakeDisk::default();
    let mut log = five_batches(disk);
    log.flush(disk, EndOffset(10), NOW).expect("works");
    disk.journal.clear();
    log.truncate_to(disk, EndOffset(4), NOW).expect("works");
    assert_eq!(log.recovery_point(), EndOffset(4));
    assert!(disk.journal.contains(&"truncate t1-0/00000000000000000004.log 0".to_owned()));
    assert!(!disk.journal.iter().any(|call| call.starts_with("sync")), "{:?}", disk.journal);
}

#[test]
fn a_cut_below_the_first_segment_starts_the_log_there() {
    let disk = &mut FakeDisk::default();
    let mut log = new_log(disk, 1_000);
    log.truncate_fully_and_start_at(disk, EndOffset(20), NOW).expect("works");
    lead(&mut log, disk, 1, &["a"]).expect("fine");
    assert_eq!(log.truncate_to(disk, EndOffset(5), NOW), Ok(true));
    assert_eq!((log.start(), log.end(), segments(&log)), (EndOffset(5), EndOffset(5), vec![5]));
    assert_eq!(epochs(&log), []);
}

#[test]
fn a_full_truncation_forgets_everything_and_writes_that_down() {
    for start in [0, 8, 30] {
        let disk = &mut FakeDisk::default();
        let mut log = five_batches(disk);
        log.flush(disk, EndOffset(10), NOW).expect("works");
        log.truncate_fully_and_start_at(disk, EndOffset(start), NOW).expect("works");
        assert_eq!((log.start(), log.end()), (EndOffset(start), EndOffset(start)));
        assert_eq!(log.recovery_point(), EndOffset(start.min(10)));
        assert_eq!((ends(&log), epochs(&log), segments(&log)), (vec![], vec![], vec![start]));
        assert_eq!(disk.text("t1-0/leader-epoch-checkpoint").as_deref(), Some("0\n0\n"));
        let (log, _) = open(disk, 1_000, false, 0);
        assert_eq!((log.start(), log.end()), (EndOffset(start), EndOffset(start)));
        assert_eq!(disk.paths().iter().filter(|path| path.ends_with(".deleted")).count(), 0, "swept by the start");
    }
}
