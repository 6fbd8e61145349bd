//! Checkpoint files, the clean-shutdown marker, and what a process finds when it starts.

use std::collections::BTreeMap;

use super::disk::{Death, FakeDisk};
use crate::disk::{Disk, DiskError};
use crate::log::{LogFolder, checkpoint};
use crate::names::{BrokerEpoch, EndOffset, TopicId};
use crate::protocol::{Marker, Replacing};

const SAFELY: Replacing = Replacing::SyncedThenRenamed;

fn points(points: &[(&str, u64)]) -> BTreeMap<String, EndOffset> {
    points.iter().map(|&(name, point)| (name.to_owned(), EndOffset(point))).collect()
}

#[test]
fn offsets_are_kafkas_text() {
    let written = points(&[("__cluster_metadata-0", 7), ("a-b-12", 0)]);
    let text = checkpoint::offsets_to_text(written.clone());
    assert_eq!(text, "0\n2\n__cluster_metadata 0 7\na-b 12 0\n");
    assert_eq!(checkpoint::parse_offsets(&text), Ok(written));
    assert_eq!(checkpoint::parse_offsets(""), Ok(BTreeMap::new()), "Kafka creates the file empty");
    for text in [
        "1\n0\n",
        "0\n",
        "0\n1\n",
        "0\n1\nt 0\n",
        "0\n1\nt 0 1 2\n",
        "0\n1\nt x 1\n",
        "0\n1\nt 01 1\n",
        "0\n1\nt 0 -1\n",
        "0\n1\nt 0 9223372036854775808\n",
        "0\n2\nt 0 1\n",
        "\u{fffd}",
    ] {
        assert!(checkpoint::parse_offsets(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_checkpoint_is_replaced_in_an_order_that_survives_a_power_cut() {
    let mut disk = FakeDisk::default();
    checkpoint::replace(&mut disk, "t1-0/file", "new", SAFELY).expect("works");
    let expected = [
        "create t1-0/file.tmp",
        "append t1-0/file.tmp",
        "sync t1-0/file.tmp",
        "rename t1-0/file.tmp t1-0/file",
        "sync_dir t1-0",
    ];
    assert_eq!(disk.journal, expected);
}

#[test]
fn whenever_the_power_goes_the_old_or_the_new_checkpoint_is_there() {
    let mut disk = FakeDisk::default();
    checkpoint::replace(&mut disk, "file", "old content", SAFELY).expect("works");
    let before = disk.calls;
    let mut seen = [false; 2];
    for call in before + 1..=before + 6 {
        for dice in 0..50 {
            let mut disk = disk.clone();
            disk.die_in(call, if dice % 2 == 0 { Death::Torn } else { Death::After });
            let done = checkpoint::replace(&mut disk, "file", "the new content, longer", SAFELY);
            assert_eq!(done.is_ok(), call == before + 6);
            disk.power_off(dice);
            let text = checkpoint::read(&mut disk, "file").expect("works").expect("there");
            assert!(text == "old content" || text == "the new content, longer", "{text:?}");
            assert!(done.is_err() || text != "old content", "completed");
            seen[usize::from(text != "old content")] = true;
        }
    }
    assert_eq!(seen, [true, true]);
}

#[test]
fn an_empty_disk_is_a_first_start() {
    let mut disk = FakeDisk::default();
    assert_eq!(LogFolder::open(&mut disk, Marker::GoneBeforeLoading), Ok(LogFolder::default()));
}

#[test]
fn a_clean_stop_is_told_to_the_next_life_and_to_no_other() {
    let mut disk = FakeDisk::default();
    LogFolder::mark_clean(&mut disk, Some(BrokerEpoch(42))).expect("works");
    let expected = ["create .kafka_cleanshutdown", "append .kafka_cleanshutdown", "sync .kafka_cleanshutdown"];
    assert_eq!(disk.journal, expected);
    assert_eq!(disk.text(".kafka_cleanshutdown").as_deref(), Some(r#"{"version":0,"brokerEpoch":42}"#));
    let next = LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works");
    assert_eq!((next.clean, next.previous_broker_epoch), (true, Some(BrokerEpoch(42))));
    let after = LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works");
    assert_eq!((after.clean, after.previous_broker_epoch), (false, None));
}

#[test]
fn a_crash_while_loading_counts_as_unclean() {
    let mut disk = FakeDisk::default();
    LogFolder::mark_clean(&mut disk, Some(BrokerEpoch(42))).expect("works");
    disk.die_in(disk.calls + 1, Death::After);
    assert_eq!(LogFolder::open(&mut disk, Marker::GoneBeforeLoading), Err(DiskError::Crashed));
    disk.restart();
    assert!(!LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works").clean);
}

#[test]
fn a_marker_without_a_readable_epoch_is_a_marker_all_the_same() {
    for text in ["", "{", r#"{"version":0,"brokerEpoch":-1}"#, r#"{"version":1,"brokerEpoch":3}"#] {
        let mut disk = FakeDisk::default();
        disk.plant(".kafka_cleanshutdown", text);
        let folder = LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works");
        assert_eq!((folder.clean, folder.previous_broker_epoch), (true, None), "{text:?}");
    }
}

#[test]
fn the_next_life_finds_checkpoints_and_partitions() {
    let mut disk = FakeDisk::default();
    LogFolder::write_recovery_points(&mut disk, [("t1-0", EndOffset(5)), ("t1-1", EndOffset(6))], SAFELY)
        .expect("works");
    LogFolder::write_high_watermarks(&mut disk, points(&[("t1-0", 4)]), SAFELY).expect("works");
    LogFolder::write_partition_metadata(&mut disk, "t1-0", TopicId(1), SAFELY).expect("works");
    disk.create("t1-1/00000000000000000000.log").expect("works");
    disk.create("lost+found/x").expect("works");
    assert_eq!(disk.text("t1-0/partition.metadata").as_deref(), Some("version: 0\ntopic_id: 1\n"));
    let folder = LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works");
    assert_eq!(folder.recovery_points, points(&[("t1-0", 5), ("t1-1", 6)]));
    assert_eq!(folder.high_watermarks, points(&[("t1-0", 4)]));
    let expected = [("t1-0".to_owned(), Some(TopicId(1))), ("t1-1".to_owned(), None)];
    assert_eq!(folder.directories, BTreeMap::from(expected));
    assert!(folder.malformed.is_empty());
}

#[test]
fn a_checkpoint_that_cannot_be_read_counts_as_absent() {
    let mut disk = FakeDisk::default();
    disk.plant("recovery-point-offset-checkpoint", [0xff, 0, 0]);
    disk.plant("replication-offset-checkpoint", "0\n1\nt1 0 9\n");
    disk.plant("t1-0/partition.metadata", "version: 7\n");
    let folder = LogFolder::open(&mut disk, Marker::GoneBeforeLoading).expect("works");
    assert_eq!(folder.recovery_points, BTreeMap::new());
    assert_eq!(folder.high_watermarks, points(&[("t1-0", 9)]));
    assert_eq!(folder.directories, BTreeMap::from([("t1-0".to_owned(), None)]));
    assert_eq!(folder.malformed, ["recovery-point-offset-checkpoint"]);
}
