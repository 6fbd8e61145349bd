//! The files that keep the producers' state, and what is done when they are lost, corrupt or superfluous.

use super::DIRECTORY;
use super::disk::{Death, FakeDisk};
use crate::disk::{Disk, DiskError};
use crate::log::snapshots::{self, Durability};
use crate::log::{BatchBuilder, Producers};
use crate::names::{EndOffset, LeaderEpoch, Offset};

/// What producer 7 left in a log of `end` records.
fn producers(end: u64) -> Producers {
    let mut producers = Producers::default();
    for offset in 0..end {
        let mut builder = BatchBuilder::new(1_000);
        builder.push(1_000, None, Some(b"v"), &[]);
        builder.producer(7, 0, offset as i32);
        producers.update(&builder.build().stamp(Offset(offset), LeaderEpoch(0)));
    }
    producers
}

fn write(disk: &mut FakeDisk, end: u64, durability: Durability) -> Result<(), DiskError> {
    snapshots::write(disk, DIRECTORY, EndOffset(end), &producers(end), durability)
}

fn with(ends: &[u64]) -> FakeDisk {
    let mut disk = FakeDisk::default();
    for &end in ends {
        write(&mut disk, end, Durability::Synced).expect("the disk works");
    }
    disk
}

fn ends(disk: &mut FakeDisk) -> Vec<u64> {
    snapshots::list(disk, DIRECTORY).expect("the disk works").into_iter().map(|end| end.0).collect()
}

fn newest(disk: &mut FakeDisk, upto: u64) -> Option<u64> {
    let (end, loaded) = snapshots::load_newest(disk, DIRECTORY, EndOffset(upto)).expect("the disk works")?;
    assert!(loaded.agrees_with(&producers(end.0)), "{end}");
    Some(end.0)
}

#[test]
fn a_snapshot_is_named_after_the_end_of_what_it_covers() {
    let mut disk = with(&[10, 3]);
    assert_eq!(disk.paths(), ["t1-0/00000000000000000003.snapshot", "t1-0/00000000000000000010.snapshot"]);
    for stranger in [
        "t1-0/00000000000000000007.snapshot.deleted",
        "t1-0/0000000000000000007.snapshot",
        "t1-0/0000000000000000000x.snapshot",
        "t1-0/18446744073709551615.snapshot",
        "t1-0/00000000000000000007.log",
        "t1-0/deeper/00000000000000000007.snapshot",
        "t1-01/00000000000000000007.snapshot",
    ] {
        disk.plant(stranger, "");
    }
    assert_eq!(ends(&mut disk), [3, 10]);
}

#[test]
fn a_snapshot_is_synced_at_once_or_later_and_the_directory_never() {
    let file = "t1-0/00000000000000000003.snapshot";
    let mut disk = FakeDisk::default();
    write(&mut disk, 3, Durability::Cached).expect("works");
    assert_eq!(disk.journal, [format!("create {file}"), format!("append {file}")]);
    disk.journal.clear();
    snapshots::sync(&mut disk, DIRECTORY, EndOffset(3)).expect("works");
    snapshots::sync(&mut disk, DIRECTORY, EndOffset(4)).expect("gone is good enough");
    assert_eq!(disk.journal, [format!("sync {file}")]);
    disk.journal.clear();
    write(&mut disk, 3, Durability::Synced).expect("works");
    assert_eq!(disk.journal, ["create", "append", "sync"].map(|call| format!("{call} {file}")));
    assert_eq!(newest(&mut disk, 3), Some(3));
}

#[test]
fn the_newest_one_that_covers_nothing_beyond_the_bound_is_loaded() {
    let mut disk = with(&[0, 4, 8]);
    assert_eq!([9, 8, 7, 4, 3].map(|upto| newest(&mut disk, upto)), [Some(8), Some(8), Some(4), Some(4), Some(0)]);
    assert_eq!(newest(&mut FakeDisk::default(), 9), None);
    assert_eq!(ends(&mut disk), [0, 4, 8], "loading removes nothing that is good");
}

#[test]
fn corrupt_ones_are_removed_and_the_next_older_one_is_loaded() {
    let mut disk = with(&[2, 4, 6, 8, 10]);
    disk.rot("t1-0/00000000000000000010.snapshot", |bytes| bytes.clear());
    disk.rot("t1-0/00000000000000000006.snapshot", |bytes| bytes[20] ^= 1);
    disk.rot("t1-0/00000000000000000004.snapshot", |bytes| bytes.truncate(30));
    assert_eq!(newest(&mut disk, 7), Some(2));
    assert_eq!(ends(&mut disk), [2, 8, 10], "what lies above the bound was not looked at");
    disk.rot("t1-0/00000000000000000002.snapshot", |bytes| bytes.fill(0));
    assert_eq!(newest(&mut disk, 7), None);
}

#[test]
fn whatever_a_power_cut_leaves_is_a_whole_snapshot_or_none() {
    for durability in [Durability::Synced, Durability::Cached] {
        for dice in 0..300 {
            let mut disk = with(&[3]);
            disk.sync_dir(DIRECTORY).expect("works");
            write(&mut disk, 9, durability).expect("works");
            disk.power_off(dice);
            assert!(matches!(newest(&mut disk, 9), Some(3 | 9)));
        }
    }
    for call in 1..=3 {
        for death in [Death::Before, Death::Torn, Death::After] {
            let mut disk = with(&[3]);
            disk.die_in(disk.calls + call, death);
            assert_eq!(write(&mut disk, 9, Durability::Synced), Err(DiskError::Crashed));
            disk.restart();
            assert!(matches!(newest(&mut disk, 9), Some(3 | 9)));
        }
    }
}

#[test]
fn strays_go_but_for_the_newest_above_all_segments() {
    let left = |snapshots: &[u64], bases: &[u64]| {
        let mut disk = with(snapshots);
        let bases: Vec<_> = bases.iter().copied().map(Offset).collect();
        snapshots::remove_strays(&mut disk, DIRECTORY, &bases).expect("works");
        ends(&mut disk)
    };
    assert_eq!(left(&[0, 3, 5, 8, 9, 12], &[0, 5, 8]), [0, 5, 8, 12]);
    assert_eq!(left(&[3, 5, 7], &[0, 5, 8]), [5], "the newest stray lies below a segment");
    assert_eq!(left(&[0, 5, 8], &[0, 5, 8]), [0, 5, 8]);
    assert_eq!(left(&[3, 4], &[]), [4], "as Kafka has it where there is no segment");
    assert_eq!(left(&[], &[0]), [0; 0]);
}

#[test]
fn a_truncated_log_and_one_that_begins_later_lose_what_they_cannot_use() {
    let left = |remove: fn(&mut FakeDisk) -> Result<(), DiskError>| {
        let mut disk = with(&[2, 4, 6, 8]);
        remove(&mut disk).expect("works");
        ends(&mut disk)
    };
    assert_eq!(left(|disk| snapshots::remove_outside(disk, DIRECTORY, EndOffset(4), EndOffset(6))), [6]);
    assert_eq!(left(|disk| snapshots::remove_outside(disk, DIRECTORY, EndOffset(3), EndOffset(7))), [4, 6]);
    assert_eq!(left(|disk| snapshots::remove_below(disk, DIRECTORY, EndOffset(6))), [6, 8]);
    assert_eq!(left(|disk| snapshots::remove_above(disk, DIRECTORY, EndOffset(6))), [2, 4, 6]);
    assert_eq!(left(|disk| snapshots::remove_all(disk, DIRECTORY)), [0; 0]);
    assert_eq!(left(|disk| snapshots::remove(disk, DIRECTORY, EndOffset(5))), [2, 4, 6, 8], "it is not there");
}

#[test]
fn a_snapshot_that_goes_with_its_segment_is_only_renamed() {
    let mut disk = with(&[2]);
    for _ in 0..2 {
        snapshots::discard(&mut disk, DIRECTORY, EndOffset(2)).expect("works, and once more");
        assert_eq!(disk.paths(), ["t1-0/00000000000000000002.snapshot.deleted"]);
    }
    assert_eq!(ends(&mut disk), [0; 0]);
}
