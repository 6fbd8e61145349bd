//! What the log promises, rule by rule, on a disk that forgets.

mod appends;
mod batches;
mod checkpoints;
mod cleanings;
mod compaction;
pub(crate) mod disk;
mod epochs;
mod files;
mod indexes;
mod lookups;
mod producers;
mod programs;
mod reads;
mod recoveries;
mod retention;
mod rolls;
mod snapshots;
mod start_ups;
mod truncations;

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use self::disk::FakeDisk;
use super::{AppendError, Appended, Batch, BatchBuilder, BatchId, Loading, Log, LogConfig, Recovery, Slices};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};
use crate::protocol::Storage;

const DIRECTORY: &str = "t1-0";
/// Time stands still, unless a test is about time.
const NOW: Time = Time(0);

/// A batch as a client sends it: one record per value.
pub(in crate::log) fn batch(values: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    for value in values {
        builder.push(1_000, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

/// A batch of records with timestamp, key and value, from nobody or from a producer with id, epoch and first sequence.
fn batch_of(records: &[(i64, Option<&str>, Option<&str>)], producer: Option<(i64, i16, i32)>) -> Batch {
    let mut builder = BatchBuilder::new(records[0].0);
    for (timestamp, key, value) in records {
        builder.push(*timestamp, key.map(str::as_bytes), value.map(str::as_bytes), &[]);
    }
    if let Some((id, epoch, sequence)) = producer {
        builder.producer(id, epoch, sequence);
    }
    builder.build()
}

/// A batch as a leader stores it.
fn stored(base: u64, epoch: i32, values: &[&str]) -> Batch {
    batch(values).stamp(Offset(base), LeaderEpoch(epoch))
}

fn together<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Bytes {
    let mut bytes = BytesMut::new();
    for batch in batches {
        bytes.extend_from_slice(batch.bytes());
    }
    bytes.freeze()
}

/// What a follower is sent.
fn served<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Slices {
    together(batches).into()
}

fn config(segment_bytes: u64) -> LogConfig {
    LogConfig { segment_bytes, max_message_bytes: 1_000, storage: Storage::KAFKA, ..LogConfig::default() }
}

fn open(disk: &mut FakeDisk, segment_bytes: u64, clean: bool, recovery_point: u64) -> (Log, Recovery) {
    let loading = Loading { clean, recovery_point: EndOffset(recovery_point), ..Loading::default() };
    Log::open(disk, DIRECTORY, config(segment_bytes), loading).expect("the disk works")
}

fn new_log(disk: &mut FakeDisk, segment_bytes: u64) -> Log {
    open(disk, segment_bytes, false, 0).0
}

fn lead(log: &mut Log, disk: &mut FakeDisk, epoch: i32, values: &[&str]) -> Result<Appended, AppendError> {
    log.append_as_leader(disk, &batch(values), LeaderEpoch(epoch), NOW)
}

fn ids(log: &Log) -> Vec<BatchId> {
    log.batches().collect()
}

fn ends(log: &Log) -> Vec<u64> {
    log.batches().map(|id| id.end().0).collect()
}

fn epochs(log: &Log) -> Vec<(i32, u64)> {
    log.epochs().entries().iter().map(|&(epoch, start)| (epoch.0, start.0)).collect()
}

fn segments(log: &Log) -> Vec<u64> {
    log.segment_bases().map(|base| base.0).collect()
}

/// Every batch's bytes, read through the front door, one at a time.
fn read_all(log: &Log, disk: &mut FakeDisk) -> Vec<Batch> {
    log.batches()
        .map(|id| {
            let span = log.locate(id.base, log.end(), 1, true).expect("in range").expect("there");
            let bytes = log.read(disk, &span).expect("the disk works");
            let mut batches = bytes.batches();
            let batch = batches.next().expect("whole").expect("a batch");
            assert!(batches.next().is_none() && batches.rest().is_empty());
            batch
        })
        .collect()
}

/// The last value of each key, and no key whose last record is a tombstone.
fn table(batches: &[Batch]) -> BTreeMap<Bytes, Bytes> {
    let mut table = BTreeMap::new();
    for record in batches.iter().flat_map(Batch::records) {
        let record = record.expect("sound");
        match (record.key, record.value) {
            (Some(key), Some(value)) => table.insert(key, value),
            (Some(key), None) => table.remove(&key),
            (None, _) => None,
        };
    }
    table
}
