//! The files of a segment are Kafka's, byte for byte, and a reader that knows nothing of us finds in them what was written
//! (§1.2, L29).

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;

use super::disk::FakeDisk;
use super::{DIRECTORY, NOW, batch_of, served};
use crate::log::{Batch, Loading, Log, LogConfig, Progress};
use crate::names::{EndOffset, LeaderEpoch, Offset};

const BATCH: u64 = 72;

fn config() -> LogConfig {
    LogConfig {
        segment_bytes: 4 * BATCH,
        index_interval_bytes: 2 * BATCH - 1,
        compact: true,
        delete: false,
        ..LogConfig::default()
    }
}

fn open(disk: &mut FakeDisk, config: LogConfig) -> Log {
    Log::open(disk, DIRECTORY, config, Loading::default()).expect("works").0
}

/// A batch of one record, 72 bytes: key and value of two letters each.
fn one(timestamp: i64, key: &str, value: &str) -> Batch {
    let batch = batch_of(&[(timestamp, Some(key), Some(value))], Some((7, 0, 0)));
    assert_eq!(batch.size() as u64, BATCH);
    batch
}

fn lead(log: &mut Log, disk: &mut FakeDisk, epoch: i32, timestamp: i64, key: &str, value: &str) {
    log.append_as_leader(disk, &one(timestamp, key, value), LeaderEpoch(epoch), NOW).expect("fine");
}

fn file(disk: &FakeDisk, base: u64, suffix: &str) -> Vec<u8> {
    disk.content(&format!("{DIRECTORY}/{base:020}.{suffix}")).unwrap_or_else(|| panic!("{base} {suffix}"))
}

#[test]
fn a_segment_has_kafkas_names_and_bytes() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, config());
    for (nth, timestamp) in [1_000, 1_005, 1_003, 1_009, 1_001].into_iter().enumerate() {
        lead(&mut log, disk, 3, timestamp, "k0", &format!("v{nth}"));
    }
    let names: Vec<&str> = disk.paths().into_iter().map(|path| &path[DIRECTORY.len() + 1..]).collect();
    let segment = |base: &str| ["index", "log", "timeindex"].map(|suffix| format!("{base}.{suffix}")).to_vec();
    let mut expected = segment("00000000000000000000");
    expected.extend(segment("00000000000000000004"));
    expected.insert(5, "00000000000000000004.snapshot".to_owned());
    expected.push("leader-epoch-checkpoint".to_owned());
    assert_eq!(names, expected);
    // One entry per interval, with the last offset of the append and the position before it; none for the first bytes.
    assert_eq!(file(disk, 0, "index"), [0, 0, 0, 2, 0, 0, 0, 144]);
    // The largest timestamp so far and its offset; the roll added the last one (L28).
    assert_eq!(
        file(disk, 0, "timeindex"),
        [0, 0, 0, 0, 0, 0, 3, 0xed, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0xf1, 0, 0, 0, 3]
    );
    assert_eq!((file(disk, 4, "index"), file(disk, 4, "timeindex")), (vec![], vec![]));
    let snapshot = file(disk, 4, "snapshot");
    assert_eq!(snapshot[..2], [0, 1], "version");
    assert_eq!(snapshot[2..6], crc32c::crc32c(&snapshot[6..]).to_be_bytes());
    // One producer: id, epoch, last sequence, last offset, offset delta, timestamp, coordinator epoch, no transaction.
    let mut entry = vec![0, 0, 0, 1];
    entry.extend(7_i64.to_be_bytes());
    entry.extend([0; 2 + 4]);
    entry.extend(3_i64.to_be_bytes());
    entry.extend([0; 4]);
    entry.extend(1_009_i64.to_be_bytes());
    entry.extend((-1_i32).to_be_bytes());
    entry.extend((-1_i64).to_be_bytes());
    assert_eq!(snapshot[6..], entry);
    let log_file = file(disk, 0, "log");
    assert_eq!(log_file.len() as u64, 4 * BATCH);
    let header = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0, 0, 3, 2];
    assert_eq!(log_file[72..89], header, "offset, length, leader epoch, magic of the second batch");
    assert_eq!(log_file[93..99], [0, 0, 0, 0, 0, 0], "attributes and last offset delta");
    assert_eq!(log_file[144 - 11..144], [20, 0, 0, 0, 4, b'k', b'0', 4, b'v', b'1', 0], "its record");
}

#[test]
fn the_time_index_gets_its_last_entry_when_the_log_is_closed() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, config());
    lead(&mut log, disk, 0, 5, "k0", "v0");
    assert!(file(disk, 0, "timeindex").is_empty());
    log.close(disk).expect("works");
    assert_eq!(file(disk, 0, "timeindex"), [0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]);
    log.close(disk).expect("works");
    assert_eq!(file(disk, 0, "timeindex").len(), 12, "once");
}

#[test]
fn an_append_of_many_batches_gets_one_entry() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, LogConfig { segment_bytes: 10_000, ..config() });
    let sent = |from: u64| -> Vec<Batch> {
        (from..from + 3).map(|offset| one(offset as i64, "k0", "v0").stamp(Offset(offset), LeaderEpoch(0))).collect()
    };
    for from in [0, 3, 6] {
        log.append_as_follower(disk, &served(&sent(from)), LeaderEpoch(0), NOW).expect("fine");
    }
    assert_eq!(file(disk, 0, "index"), [0, 0, 0, 5, 0, 0, 0, 216, 0, 0, 0, 8, 0, 0, 1, 176]);
    assert_eq!(file(disk, 0, "timeindex").len(), 24);
    log.truncate_to(disk, EndOffset(7), NOW).expect("works");
    assert_eq!(file(disk, 0, "index"), [0, 0, 0, 5, 0, 0, 0, 216], "indexes are cut with the log");
    assert_eq!(file(disk, 0, "timeindex").len(), 12);
    lead(&mut log, disk, 0, 100, "k0", "v0");
    lead(&mut log, disk, 0, 101, "k0", "v0");
    assert_eq!(file(disk, 0, "index")[8..], [0, 0, 0, 7, 0, 0, 1, 248], "and go on");
}

/// What a reader sees of a record.
type Seen = (i64, i32, i64, Option<Bytes>, Option<Bytes>);

/// What another reader finds in the `.log` files, in the order of their names: offset, epoch, timestamp, key, value.
fn by_kafka_protocol(disk: &FakeDisk) -> Vec<Seen> {
    let logs = disk.paths().into_iter().filter(|path| path.ends_with(".log"));
    let records = logs.flat_map(|path| {
        let mut bytes = Bytes::from(disk.content(path).expect("there"));
        let sets = match bytes.is_empty() {
            true => Vec::new(),
            false => RecordBatchDecoder::decode_all(&mut bytes).expect("Kafka's format"),
        };
        sets.into_iter().flat_map(|set| set.records)
    });
    records.map(|seen| (seen.offset, seen.partition_leader_epoch, seen.timestamp, seen.key, seen.value)).collect()
}

fn by_us(log: &Log, disk: &mut FakeDisk) -> Vec<Seen> {
    let batches = super::read_all(log, disk);
    let records =
        batches.iter().flat_map(|batch| batch.records().map(|record| (batch.leader_epoch().0, record.expect("sound"))));
    records.map(|(epoch, seen)| (seen.offset.0 as i64, epoch, seen.timestamp, seen.key, seen.value)).collect()
}

#[test]
fn a_foreign_reader_finds_the_same_records_in_rolled_truncated_and_compacted_files() {
    let disk = &mut FakeDisk::default();
    let mut log = open(disk, config());
    for nth in 0..20_i32 {
        lead(&mut log, disk, nth / 6, 1_000 - i64::from(nth % 3), &format!("k{}", nth % 3), &format!("{nth:02}"));
    }
    let records = [(7, Some("k0"), None), (9, None, Some("no key")), (8, Some("k9"), Some("last"))];
    let sent = batch_of(&records, None).stamp(Offset(20), LeaderEpoch(4));
    log.append_as_follower(disk, &served([&sent]), LeaderEpoch(4), NOW).expect("fine");
    let rolled = by_kafka_protocol(disk);
    assert_eq!(rolled.len(), 23);
    assert_eq!((rolled[20].0, rolled[20].1, rolled[20].2, &rolled[20].4), (20, 4, 7, &None));
    assert_eq!(rolled, by_us(&log, disk));
    log.truncate_to(disk, EndOffset(18), NOW).expect("works");
    lead(&mut log, disk, 5, 2_000, "k1", "vv");
    let truncated = by_kafka_protocol(disk);
    assert_eq!((truncated.len(), truncated[18].1), (19, 5));
    assert_eq!(truncated, by_us(&log, disk));
    log.flush(disk, EndOffset(19), NOW).expect("works");
    let mut cleaning =
        log.begin_cleaning(disk, NOW + Duration::from_secs(1), log.end()).expect("works").expect("dirty");
    while matches!(log.clean_next(disk, &mut cleaning, NOW).expect("works"), Progress::More(_)) {}
    let compacted = by_kafka_protocol(disk);
    assert_eq!(compacted, by_us(&log, disk));
    let kept: Vec<_> = compacted.iter().map(|seen| seen.0).collect();
    assert_eq!(kept, [13, 14, 15, 16, 17, 18], "16 and 18 lie in the active segment");
}
