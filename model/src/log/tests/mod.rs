//! What the log promises, rule by rule, on a disk that forgets.

mod appends;
mod batches;
mod checkpoints;
pub(crate) mod disk;
mod epochs;
mod indexes;
mod producers;
mod programs;
mod reads;
mod recoveries;
mod truncations;

use bytes::{Bytes, BytesMut};

use self::disk::FakeDisk;
use super::{AppendError, Appended, Batch, BatchBuilder, BatchId, Loading, Log, LogConfig, Recovery};
use crate::names::{EndOffset, LeaderEpoch, Offset};
use crate::protocol::Trust;

const DIRECTORY: &str = "t1-0";

/// A batch as a client sends it: one record per value.
fn batch(values: &[&str]) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    for value in values {
        builder.push(1_000, None, Some(value.as_bytes()), &[]);
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

fn config(segment_bytes: u64) -> LogConfig {
    LogConfig { segment_bytes, flush_messages: u64::MAX, max_message_bytes: 1_000 }
}

fn open(disk: &mut FakeDisk, segment_bytes: u64, clean: bool, recovery_point: u64) -> (Log, Recovery) {
    let loading = Loading { clean, recovery_point: EndOffset(recovery_point), trust: Trust::AnyValidBatch };
    Log::open(disk, DIRECTORY, config(segment_bytes), loading).expect("the disk works")
}

fn new_log(disk: &mut FakeDisk, segment_bytes: u64) -> Log {
    open(disk, segment_bytes, false, 0).0
}

fn lead(log: &mut Log, disk: &mut FakeDisk, epoch: i32, values: &[&str]) -> Result<Appended, AppendError> {
    log.append_as_leader(disk, &batch(values), LeaderEpoch(epoch))
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
            let mut bytes = log.read(disk, &span).expect("the disk works");
            let batch = Batch::split_first(&mut bytes).expect("a batch").expect("whole");
            assert!(bytes.is_empty());
            batch
        })
        .collect()
}
