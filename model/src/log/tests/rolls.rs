//! When a segment is closed and where the next one begins (L26, L27).

use std::time::Duration;

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch_of, segments, served};
use crate::log::{Loading, Log, LogConfig};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};
use crate::protocol::Storage;

fn open(disk: &mut FakeDisk, config: LogConfig) -> Log {
    Log::open(disk, DIRECTORY, config, Loading::default()).expect("works").0
}

fn lead(log: &mut Log, disk: &mut FakeDisk, timestamp: i64, now: Time) -> Option<EndOffset> {
    let sent = batch_of(&[(timestamp, None, Some("v"))], None);
    log.append_as_leader(disk, &sent, LeaderEpoch(0), now).expect("fine").rolled
}

#[test]
fn a_segment_takes_no_record_that_is_too_much_younger_than_its_first_batch() {
    let disk = &mut FakeDisk::default();
    let (segment_ms, segment_jitter) = (Duration::from_millis(1_000), Duration::from_millis(100));
    let mut log = open(disk, LogConfig { segment_ms, segment_jitter, ..LogConfig::default() });
    // The clock says nothing where timestamps do.
    let later = NOW + Duration::from_secs(1_000);
    assert_eq!(lead(&mut log, disk, 5_000, NOW), None);
    assert_eq!(lead(&mut log, disk, 5_900, later), None);
    assert_eq!(lead(&mut log, disk, 1_000, later), None, "an older one is as good");
    assert_eq!(lead(&mut log, disk, 5_901, later), Some(EndOffset(3)));
    assert_eq!(lead(&mut log, disk, 6_801, later), None);
    assert_eq!(segments(&log), [0, 3]);
}

#[test]
fn without_timestamps_the_clock_says_how_old_a_segment_is() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, LogConfig { segment_ms: Duration::from_millis(1_000), ..LogConfig::default() });
    assert_eq!(lead(&mut log, disk, -1, NOW + Duration::from_secs(5)), None, "an empty segment is never too old");
    assert_eq!(lead(&mut log, disk, 9_000, NOW + Duration::from_secs(1)), None);
    assert_eq!(lead(&mut log, disk, -1, NOW + Duration::from_millis(1_001)), Some(EndOffset(2)));
    assert_eq!(lead(&mut log, disk, -1, NOW + Duration::from_millis(2_001)), None, "it was made at 1,001");
    assert_eq!(lead(&mut log, disk, -1, NOW + Duration::from_millis(2_002)), Some(EndOffset(4)));
}

#[test]
fn a_segment_is_closed_when_an_index_has_no_room() {
    let config = || LogConfig { segment_index_bytes: 36, index_interval_bytes: 0, ..LogConfig::default() };
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, config());
    let rolled: Vec<_> = (0..7).filter_map(|_| lead(&mut log, disk, 1_000, NOW)).collect();
    assert_eq!(rolled, [EndOffset(5)], "four entries of eight bytes, and none for the first batch");
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, config());
    let rolled: Vec<_> = (0..7).filter_map(|nth| lead(&mut log, disk, 1_000 + nth, NOW)).collect();
    assert_eq!(rolled, [EndOffset(3), EndOffset(6)], "two entries of twelve bytes; the third is for the roll");
    let times = disk.content("t1-0/00000000000000000000.timeindex").expect("there");
    assert_eq!(times.len(), 24, "the roll had nothing to add");
}

#[test]
fn a_new_segment_begins_where_the_last_one_ended_and_kafkas_where_the_append_does() {
    for (storage, base) in [(Storage::LATEST, 1), (Storage::KAFKA, 40)] {
        let disk = &mut FakeDisk::default();
        let config = || LogConfig { segment_bytes: 100, storage, ..LogConfig::default() };
        let mut log = open(disk, config());
        lead(&mut log, disk, 1_000, NOW);
        // From a leader whose log was compacted: nothing lies between.
        let sent = batch_of(&[(1_000, Some("k"), Some("v"))], None).stamp(Offset(40), LeaderEpoch(0));
        let taken = log.append_as_follower(disk, &served([&sent]), LeaderEpoch(0), NOW).expect("fine");
        assert_eq!((taken.rolled, segments(&log)), (Some(EndOffset(base)), vec![0, base]));
        assert_eq!(lead(&mut log, disk, 1_000, NOW), Some(EndOffset(41)));
        let again = open(disk, config());
        assert!(again.batches().eq(log.batches()), "what nobody has synced outlives the process, {storage:?}");
    }
}

#[test]
fn a_new_segment_begins_further_on_where_its_offsets_would_be_out_of_reach() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, LogConfig { segment_bytes: 100, ..LogConfig::default() });
    lead(&mut log, disk, 1_000, NOW);
    let far = 1 + i32::MAX as u64;
    for (place, base) in [(far, 1), (2 * far, far + 1), (4 * far, 4 * far)] {
        let sent = batch_of(&[(1_000, Some("k"), Some("v"))], None).stamp(Offset(place), LeaderEpoch(0));
        log.append_as_follower(disk, &served([&sent]), LeaderEpoch(0), NOW).expect("fine");
        assert_eq!(segments(&log).last(), Some(&base), "L26");
    }
}

/// Where a cut fell inside a batch what is synced is more than the last segment holds.
#[test]
fn a_new_segment_below_the_recovery_point_is_synced_at_once() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, LogConfig { segment_bytes: 100, ..LogConfig::default() });
    lead(&mut log, disk, 1_000, NOW);
    let sent = batch_of(&[(1_000, None, Some("v")); 3], None).stamp(Offset(1), LeaderEpoch(0));
    log.append_as_follower(disk, &served([&sent]), LeaderEpoch(0), NOW).expect("fine");
    log.flush(disk, EndOffset(4), NOW).expect("works");
    log.truncate_to(disk, EndOffset(3), NOW).expect("works");
    lead(&mut log, disk, 1_000, NOW);
    lead(&mut log, disk, 1_000, NOW);
    assert_eq!((log.recovery_point(), log.end()), (EndOffset(3), EndOffset(5)));
    log.flush(disk, EndOffset(5), NOW).expect("works");
    disk.power_off_losing_all();
    let loading = Loading { recovery_point: EndOffset(5), ..Loading::default() };
    let config = LogConfig { segment_bytes: 100, ..LogConfig::default() };
    let (again, _) = Log::open(disk, DIRECTORY, config, loading).expect("works");
    assert!(again.batches().eq(log.batches()) && again.end() == EndOffset(5));
}
