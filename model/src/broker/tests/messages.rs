//! What a test lays before a broker: records of the metadata log, batches, requests, answers.

use bytes::Bytes;

use super::stage::{P, brokers, life};
use crate::config::{Acks, TopicConfig};
use crate::event::Value;
use crate::log::{Batch, BatchBuilder, Slices};
use crate::metadata::{MetadataRecord, PartitionChange, PartitionRegistration, RecoveryState};
use crate::names::{
    BrokerEpoch, BrokerId, ControllerId, EndOffset, Incarnation, LeaderEpoch, Offset, Partition, PartitionEpoch,
    TopicId,
};
use crate::wire::{
    DeleteRecordsPartition, DeleteRecordsRequest, ErrorCode, FetchMetadataResponse, FetchPartition,
    FetchPartitionResponse, FetchRequest, FetchResponse, Fetcher, PartitionChangeAccepted, ProducePartition,
    ProduceRequest, Response,
};

/// A broker is registered in its first life, and unfenced.
pub(super) fn joined(id: u32) -> [MetadataRecord; 2] {
    rejoined(id, life(id))
}

pub(super) fn rejoined(id: u32, epoch: BrokerEpoch) -> [MetadataRecord; 2] {
    let broker = BrokerId(id);
    [
        MetadataRecord::RegisterBroker { broker, incarnation: Incarnation(epoch.0 as u64), epoch },
        fenced(id, epoch, false),
    ]
}

pub(super) fn fenced(id: u32, epoch: BrokerEpoch, fenced: bool) -> MetadataRecord {
    let broker = BrokerId(id);
    MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced: Some(fenced), in_controlled_shutdown: false }
}

pub(super) fn topic(min_isr: u32) -> MetadataRecord {
    let config = TopicConfig { min_insync_replicas: Some(min_isr), ..TopicConfig::default() };
    MetadataRecord::Topic { name: "t".to_owned(), id: TopicId(1), config: Box::new(config) }
}

pub(super) fn registration(partition: Partition, leader: u32, isr: &[u32]) -> PartitionRegistration {
    PartitionRegistration {
        partition,
        replicas: brokers(&[1, 2, 3]),
        isr: brokers(isr),
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(0),
        partition_epoch: PartitionEpoch(0),
        recovery_state: RecoveryState::Recovered,
        adding: Vec::new(),
        removing: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
    }
}

/// Three brokers and one partition on all of them.
pub(super) fn three(leader: u32, isr: &[u32], min_isr: u32) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    records.extend((1..=3).flat_map(joined));
    records.push(topic(min_isr));
    records.push(MetadataRecord::Partition(registration(P, leader, isr)));
    records
}

/// Three brokers, and one partition on the first two of them.
pub(super) fn two(leader: u32, isr: &[u32], min_isr: u32) -> Vec<MetadataRecord> {
    let mut records = three(leader, isr, min_isr);
    if let Some(MetadataRecord::Partition(registration)) = records.last_mut() {
        registration.replicas = brokers(&[1, 2]);
    }
    records
}

pub(super) fn elected(leader: Option<u32>, isr: &[u32]) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChange {
        leader: Some(leader.map(BrokerId)),
        isr: Some(brokers(isr)),
        ..PartitionChange::of(P)
    })
}

pub(super) fn isr_changed(isr: &[u32]) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChange { isr: Some(brokers(isr)), ..PartitionChange::of(P) })
}

pub(super) fn accepted(leader: u32, epoch: i32, isr: &[u32], partition_epoch: i32) -> PartitionChangeAccepted {
    PartitionChangeAccepted {
        leader: Some(BrokerId(leader)),
        leader_epoch: LeaderEpoch(epoch),
        isr: brokers(isr),
        recovery_state: RecoveryState::Recovered,
        partition_epoch: PartitionEpoch(partition_epoch),
    }
}

pub(super) fn metadata_batch(place: u64, record: &MetadataRecord) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, None, Some(&record.encode()), &[]);
    builder.build().stamp(Offset(place), LeaderEpoch(1))
}

// ---- requests ----

/// A batch as a client sends it.
pub(super) fn batch(values: &[u64]) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    for value in values {
        builder.push(1_000, None, Some(&value.to_be_bytes()), &[]);
    }
    builder.build()
}

/// A batch of one record with a key, as a client sends it.
pub(super) fn keyed(key: &str, value: u64) -> Batch {
    let mut builder = BatchBuilder::new(1_000);
    builder.push(1_000, Some(key.as_bytes()), Some(&value.to_be_bytes()), &[]);
    builder.build()
}

/// A produce of one batch to `P`.
pub(super) fn produce_batch(acks: Acks, batch: &Batch) -> ProduceRequest {
    ProduceRequest {
        acks,
        timeout: std::time::Duration::from_millis(30_000),
        partitions: vec![ProducePartition { partition: P, records: batch.bytes().clone() }],
    }
}

/// A batch as a leader sends it.
pub(super) fn stored(base: u64, epoch: i32, values: &[u64]) -> Batch {
    batch(values).stamp(Offset(base), LeaderEpoch(epoch))
}

pub(super) fn values_in(bytes: Slices) -> Vec<(u64, i32, u64)> {
    let mut all = Vec::new();
    for batch in bytes.batches() {
        let batch = batch.expect("a whole batch");
        for record in batch.records() {
            let record = record.expect("a whole record");
            let value = Value::of(&record.value.expect("a payload"));
            all.push((record.offset.0, batch.leader_epoch().0, value.0));
        }
    }
    all
}

pub(super) fn produce(acks: Acks, parts: &[(Partition, &[u64])]) -> ProduceRequest {
    let part = |&(partition, values): &(Partition, &[u64])| ProducePartition {
        partition,
        records: batch(values).bytes().clone(),
    };
    ProduceRequest {
        acks,
        timeout: std::time::Duration::from_millis(30_000),
        partitions: parts.iter().map(part).collect(),
    }
}

fn fetch(fetcher: Fetcher, epoch: Option<i32>, offset: u64, last_epoch: Option<i32>) -> FetchRequest {
    FetchRequest {
        fetcher,
        max_wait: std::time::Duration::from_millis(500),
        min_bytes: 1,
        max_bytes: 1 << 20,
        partitions: vec![FetchPartition {
            partition: P,
            fetch_offset: Offset(offset),
            current_leader_epoch: epoch.map(LeaderEpoch),
            last_fetched_epoch: last_epoch.map(LeaderEpoch),
            log_start: EndOffset::ZERO,
            max_bytes: 1 << 20,
        }],
    }
}

/// A fetch by a follower in its first life that says nothing of its last epoch.
pub(super) fn follower_fetch(from: u32, epoch: i32, offset: u64) -> FetchRequest {
    fetch(Fetcher::Replica { id: BrokerId(from), epoch: Some(life(from)) }, Some(epoch), offset, None)
}

pub(super) fn follower_fetch_from(from: u32, epoch: i32, offset: u64, last_epoch: i32) -> FetchRequest {
    fetch(Fetcher::Replica { id: BrokerId(from), epoch: Some(life(from)) }, Some(epoch), offset, Some(last_epoch))
}

pub(super) fn consumer_fetch(offset: u64) -> FetchRequest {
    fetch(Fetcher::Consumer, None, offset, None)
}

/// A fetch by a follower in its first life whose own log begins at `log_start`.
pub(super) fn follower_fetch_of(from: u32, epoch: i32, offset: u64, log_start: u64) -> FetchRequest {
    let mut fetch = follower_fetch(from, epoch, offset);
    fetch.partitions[0].log_start = EndOffset(log_start);
    fetch
}

/// Asks for the records of `P` below an offset to be deleted; none for the high watermark.
pub(super) fn delete_records(before: Option<u64>) -> DeleteRecordsRequest {
    DeleteRecordsRequest {
        timeout: std::time::Duration::from_millis(30_000),
        partitions: vec![DeleteRecordsPartition { partition: P, before: before.map(Offset) }],
    }
}

/// What the active controller answers to a fetch of the metadata log.
pub(super) fn metadata_from(high_watermark: EndOffset, bytes: Vec<u8>) -> Response {
    Response::FetchMetadata(FetchMetadataResponse {
        error: ErrorCode::None,
        leader: Some(ControllerId(0)),
        epoch: LeaderEpoch(1),
        high_watermark: Some(high_watermark),
        log_start: EndOffset::ZERO,
        diverging_epoch: None,
        snapshot: None,
        records: Slices::from(Bytes::from(bytes)),
    })
}

/// What another controller answers to it.
pub(super) fn metadata_elsewhere(leader: Option<u32>) -> Response {
    Response::FetchMetadata(FetchMetadataResponse {
        error: ErrorCode::NotLeaderOrFollower,
        leader: leader.map(ControllerId),
        epoch: LeaderEpoch(1),
        high_watermark: None,
        log_start: EndOffset::ZERO,
        diverging_epoch: None,
        snapshot: None,
        records: Slices::default(),
    })
}

/// What a leader answers to a fetch.
pub(super) fn records_from(partition: Partition, high_watermark: EndOffset, bytes: Vec<u8>) -> Response {
    Response::Fetch(FetchResponse { partitions: vec![served(partition, high_watermark, EndOffset::ZERO, bytes)] })
}

/// What a leader of `P` answers whose log begins at `log_start`.
pub(super) fn records_behind(log_start: u64, high_watermark: u64, batches: &[Batch]) -> Response {
    let bytes = batches.iter().flat_map(|batch| batch.bytes().to_vec()).collect();
    let part = served(P, EndOffset(high_watermark), EndOffset(log_start), bytes);
    Response::Fetch(FetchResponse { partitions: vec![part] })
}

fn served(
    partition: Partition,
    high_watermark: EndOffset,
    log_start: EndOffset,
    bytes: Vec<u8>,
) -> FetchPartitionResponse {
    FetchPartitionResponse {
        partition,
        error: ErrorCode::None,
        high_watermark: Some(high_watermark),
        log_start: Some(log_start),
        diverging_epoch: None,
        records: Slices::from(Bytes::from(bytes)),
    }
}

pub(super) fn refused(error: ErrorCode) -> Response {
    Response::Fetch(FetchResponse {
        partitions: vec![FetchPartitionResponse {
            partition: P,
            error,
            high_watermark: None,
            log_start: None,
            diverging_epoch: None,
            records: Slices::default(),
        }],
    })
}
