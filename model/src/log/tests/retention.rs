//! What goes when it is old, too much, or below the start, and what never does (L45, L72-L75, T18).

use std::time::Duration;

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch_of, epochs, segments};
use crate::disk::DiskError;
use crate::log::{DeletedSegment, DeletionCause, Loading, Log, LogConfig};
use crate::names::{EndOffset, LeaderEpoch, Time};

const BATCH: u64 = 70;

fn config() -> LogConfig {
    LogConfig { segment_bytes: BATCH, retention_ms: None, ..LogConfig::default() }
}

/// One segment for each batch of one record with this timestamp; in epochs 0, 1 and so on.
fn log(disk: &mut FakeDisk, config: LogConfig, timestamps: &[i64]) -> Log {
    let mut log = Log::open(disk, DIRECTORY, config, Loading::default()).expect("works").0;
    for (epoch, timestamp) in timestamps.iter().enumerate() {
        let sent = batch_of(&[(*timestamp, Some("k"), Some("v"))], None);
        assert_eq!(sent.size() as u64, BATCH);
        log.append_as_leader(disk, &sent, LeaderEpoch(epoch as i32), NOW).expect("fine");
    }
    log
}

fn at(millis: u64) -> Time {
    NOW + Duration::from_millis(millis)
}

fn retain(log: &mut Log, disk: &mut FakeDisk, now: Time, high_watermark: u64) -> Vec<(u64, DeletionCause)> {
    let deleted = log.delete_old_segments(disk, now, EndOffset(high_watermark)).expect("works");
    deleted.iter().map(|DeletedSegment { base, cause, .. }| (base.0, *cause)).collect()
}

#[test]
fn segments_whose_youngest_record_is_too_old_go_up_to_the_first_that_is_not() {
    let disk = &mut FakeDisk::default();
    let config = LogConfig { retention_ms: Some(Duration::from_millis(100)), ..config() };
    let mut log = log(disk, config, &[10, 30, 99, 20, 25]);
    assert_eq!(retain(&mut log, disk, at(110), 5), [], "as old as allowed");
    assert_eq!(retain(&mut log, disk, at(131), 5), [(0, DeletionCause::Time), (1, DeletionCause::Time)]);
    assert_eq!(
        (log.start(), segments(&log)),
        (EndOffset(2), vec![2, 3, 4]),
        "L73: a future timestamp keeps what follows"
    );
    assert_eq!(epochs(&log), [(2, 2), (3, 3), (4, 4)]);
    assert_eq!(log.checkpointed_start(), None, "the first segment says it (L45)");
    assert!(disk.content("t1-0/00000000000000000001.log").is_none());
    assert!(disk.content("t1-0/00000000000000000001.log.deleted").is_some());
    log.sweep(disk, at(131) + Duration::from_secs(60)).expect("works");
    assert!(disk.paths().iter().all(|path| !path.ends_with(".deleted")), "{:?}", disk.paths());
}

#[test]
fn nothing_goes_that_is_not_below_the_high_watermark() {
    let disk = &mut FakeDisk::default();
    let config = LogConfig { retention_ms: Some(Duration::from_millis(1)), ..config() };
    let mut log = log(disk, config, &[1, 1, 1, 1]);
    for (high_watermark, gone) in [(0, 0), (1, 1), (1, 0), (3, 2)] {
        assert_eq!(retain(&mut log, disk, at(9_000), high_watermark).len(), gone, "{high_watermark}");
        assert!(log.start() <= EndOffset(high_watermark));
    }
}

#[test]
fn if_all_segments_go_a_new_one_comes_first() {
    let disk = &mut FakeDisk::default();
    let config = LogConfig { retention_ms: Some(Duration::from_millis(1)), ..config() };
    let mut log = log(disk, config, &[1, 1]);
    disk.journal.clear();
    assert_eq!(retain(&mut log, disk, at(9_000), 2).len(), 2);
    assert_eq!((log.start(), log.end(), segments(&log)), (EndOffset(2), EndOffset(2), vec![2]));
    let call = |what: &str| disk.journal.iter().position(|call| call.starts_with(what)).expect(what);
    let created = call("create t1-0/00000000000000000002.log");
    assert!(created < call("rename t1-0/00000000000000000000.log"), "{:?}", disk.journal);
    assert_eq!(retain(&mut log, disk, at(99_000), 2), [], "an empty log stays as it is");
    assert_eq!(log.last_epoch(), Some(LeaderEpoch(1)), "the newest epoch stays, for the next to ask about (L37)");
}

#[test]
fn without_timestamps_the_last_write_counts() {
    let disk = &mut FakeDisk::default();
    let config = LogConfig { retention_ms: Some(Duration::from_millis(100)), ..config() };
    let mut log = log(disk, config, &[-1, -1]);
    assert_eq!(retain(&mut log, disk, at(100), 2), []);
    assert_eq!(retain(&mut log, disk, at(101), 1), [(0, DeletionCause::Time)]);
}

#[test]
fn segments_go_while_the_log_is_as_large_as_allowed_without_them() {
    let disk = &mut FakeDisk::default();
    let mut log = log(disk, LogConfig { retention_bytes: Some(2 * BATCH), ..config() }, &[1, 1, 1, 1, 1]);
    let gone = [0, 1, 2].map(|base| (base, DeletionCause::Size));
    assert_eq!(retain(&mut log, disk, NOW, 5), gone);
    assert_eq!((log.size_bytes(), log.start()), (2 * BATCH, EndOffset(3)));
    let mut only_compacted = config();
    (only_compacted.delete, only_compacted.retention_bytes) = (false, Some(0));
    log.reconfigure(only_compacted);
    assert_eq!(retain(&mut log, disk, at(9_000_000), 5), [], "neither age nor size matter without `delete`");
}

#[test]
fn segments_below_the_start_go_and_the_one_with_the_start_inside_stays() {
    let disk = &mut FakeDisk::default();
    let mut log = log(disk, LogConfig { segment_bytes: 3 * BATCH, ..config() }, &[1, 1, 1, 1, 1, 1]);
    assert_eq!(segments(&log), [0, 3]);
    assert!(log.raise_start(EndOffset(2)) && !log.raise_start(EndOffset(1)));
    assert_eq!((log.start(), log.checkpointed_start()), (EndOffset(2), Some(EndOffset(2))));
    assert_eq!(retain(&mut log, disk, NOW, 6), []);
    log.raise_start(EndOffset(4));
    assert_eq!(retain(&mut log, disk, NOW, 6), [(0, DeletionCause::StartOffset)]);
    assert_eq!((log.checkpointed_start(), epochs(&log)), (Some(EndOffset(4)), vec![(4, 4), (5, 5)]));
    assert!(log.raise_start(EndOffset(99)));
    assert_eq!(log.start(), log.end(), "never above the end");
    let loading = Loading { log_start: EndOffset(4), clean: true, ..Loading::default() };
    let (again, _) = Log::open(disk, DIRECTORY, config(), loading).expect("works");
    assert_eq!((again.start(), again.end()), (EndOffset(4), EndOffset(6)));
    let (again, _) = Log::open(disk, DIRECTORY, config(), Loading::default()).expect("works");
    assert_eq!(again.start(), EndOffset(3), "what was not written down is forgotten (L45)");
}

/// L72: whoever reads while files are renamed sees a start above them.
#[test]
fn the_start_moves_before_a_file_is_renamed() {
    let disk = &mut FakeDisk::default();
    let mut log = log(disk, LogConfig { retention_bytes: Some(0), ..config() }, &[1, 1, 1]);
    disk.failing = Some(DiskError::Io);
    assert_eq!(log.delete_old_segments(disk, NOW, EndOffset(2)), Err(DiskError::Io));
    assert_eq!((log.start(), segments(&log)), (EndOffset(2), vec![2]));
}
