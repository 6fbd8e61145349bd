//! The data plane: produce, fetch, offsets, metadata for clients.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ErrorCode;
use crate::config::Acks;
use crate::log::Slices;
use crate::names::{BrokerEpoch, BrokerId, EndOffset, LeaderEpoch, Offset, Partition, TopicId};

/// Produce. It carries no leader epoch: a zombie leader accepts it (R22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceRequest {
    /// How many replicas must have the records before the answer.
    pub acks: Acks,
    /// How long the broker may wait for replicas (`request.timeout.ms` of the client).
    pub timeout: Duration,
    /// One batch per partition (L18).
    pub partitions: Vec<ProducePartition>,
}

/// One partition's part of a [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducePartition {
    /// Where to append.
    pub partition: Partition,
    /// One record batch.
    pub records: Bytes,
}

/// Answers a [`ProduceRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProduceResponse {
    /// One answer per partition, in the order of the request.
    pub partitions: Vec<ProducePartitionResponse>,
}

/// One partition's part of a [`ProduceResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProducePartitionResponse {
    /// The partition.
    pub partition: Partition,
    /// What happened.
    pub error: ErrorCode,
    /// The offset given to the first record, where it was appended.
    pub base_offset: Option<Offset>,
    /// Whom this broker believes to lead, and since which epoch (KIP-951).
    pub current_leader: Option<(BrokerId, LeaderEpoch)>,
}

/// Who fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetcher {
    /// A consumer: reads below the high watermark.
    Consumer,
    /// A follower, or a broker reading the metadata log: reads up to the log end, and its fetch is its acknowledgement.
    Replica {
        /// Which broker.
        id: BrokerId,
        /// Its broker epoch, where it has one (KIP-903).
        epoch: Option<BrokerEpoch>,
    },
}

/// Fetch (R24, R34).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchRequest {
    /// Who asks.
    pub fetcher: Fetcher,
    /// How long the broker may wait for `min_bytes`.
    pub max_wait: Duration,
    /// Answer as soon as there are so many bytes.
    pub min_bytes: u32,
    /// Never answer with more bytes than this in all, but always with one batch.
    pub max_bytes: u32,
    /// What to read.
    pub partitions: Vec<FetchPartition>,
}

/// One partition's part of a [`FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPartition {
    /// The partition.
    pub partition: Partition,
    /// Where to read. For a follower: its log end offset.
    pub fetch_offset: Offset,
    /// The leader epoch that the asker knows; checked if present (R21).
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The epoch of the last record that the asker has; checked for divergence if present (R25).
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// The asker's log start offset; followers only.
    pub log_start: EndOffset,
    /// At most so many bytes of this partition, but at least one batch.
    pub max_bytes: u32,
}

/// Answers a [`FetchRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchResponse {
    /// One answer per partition, in the order of the request.
    pub partitions: Vec<FetchPartitionResponse>,
}

/// One partition's part of a [`FetchResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPartitionResponse {
    /// The partition.
    pub partition: Partition,
    /// What happened.
    pub error: ErrorCode,
    /// The high watermark as it was when the fetch arrived (R31). `None` beside an error.
    pub high_watermark: Option<EndOffset>,
    /// The log start offset. `None` beside an error.
    pub log_start: Option<EndOffset>,
    /// Set instead of records when the asker's log is not a prefix of this one.
    pub diverging_epoch: Option<DivergingEpoch>,
    /// Whole batches, the first of which contains the fetch offset; the last may be torn off by a size limit. Slices of
    /// the log's own bytes.
    pub records: Slices,
}

/// The largest epoch that both may share, and where it ends here (R25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DivergingEpoch {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Where it ends in this log.
    pub end: EndOffset,
}

/// Which offset is asked for (L76).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OffsetSpec {
    /// `-2`: the log start offset.
    Earliest,
    /// `-1`: the high watermark for clients, the log end offset for replicas.
    Latest,
    /// `-3`: the first record with the largest timestamp of all.
    MaxTimestamp,
    /// The first record whose timestamp is this one, in milliseconds, or a later one.
    Timestamp(i64),
}

/// ListOffsets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsRequest {
    /// Who asks.
    pub fetcher: Fetcher,
    /// About which partitions.
    pub partitions: Vec<ListOffsetsPartition>,
}

/// One partition's part of a [`ListOffsetsRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsPartition {
    /// The partition.
    pub partition: Partition,
    /// The leader epoch that the asker knows; checked if present (R21).
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// Which offset.
    pub spec: OffsetSpec,
}

/// Answers a [`ListOffsetsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsResponse {
    /// One answer per partition, in the order of the request.
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

/// One partition's part of a [`ListOffsetsResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOffsetsPartitionResponse {
    /// The partition.
    pub partition: Partition,
    /// What happened.
    pub error: ErrorCode,
    /// The offset; zero where no record was found.
    pub offset: EndOffset,
    /// The timestamp of the record that was found, where a timestamp was asked for; `None` if there is no such record.
    pub timestamp: Option<i64>,
    /// The leader epoch in which it was answered.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// OffsetsForLeaderEpoch (R42, K5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetsForLeaderEpochRequest {
    /// Who asks.
    pub fetcher: Fetcher,
    /// About which partitions.
    pub partitions: Vec<OffsetsForLeaderEpochPartition>,
}

/// One partition's part of an [`OffsetsForLeaderEpochRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetsForLeaderEpochPartition {
    /// The partition.
    pub partition: Partition,
    /// The leader epoch that the asker knows; checked if present (R21).
    pub current_leader_epoch: Option<LeaderEpoch>,
    /// The epoch whose end is asked for.
    pub leader_epoch: LeaderEpoch,
}

/// Answers an [`OffsetsForLeaderEpochRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetsForLeaderEpochResponse {
    /// One answer per partition, in the order of the request.
    pub partitions: Vec<OffsetsForLeaderEpochPartitionResponse>,
}

/// One partition's part of an [`OffsetsForLeaderEpochResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetsForLeaderEpochPartitionResponse {
    /// The partition.
    pub partition: Partition,
    /// What happened.
    pub error: ErrorCode,
    /// The largest epoch not above the one asked for, and its end; `None` if this log cannot tell (L36).
    pub end: Option<DivergingEpoch>,
}

/// DeleteRecords: everything below an offset is to be no part of a partition any more (L75).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsRequest {
    /// How long the broker may wait for replicas.
    pub timeout: Duration,
    /// Where.
    pub partitions: Vec<DeleteRecordsPartition>,
}

/// One partition's part of a [`DeleteRecordsRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsPartition {
    /// The partition.
    pub partition: Partition,
    /// The first record that stays; `None`, `-1` in Kafka, for the one at the high watermark.
    pub before: Option<Offset>,
}

/// Answers a [`DeleteRecordsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsResponse {
    /// One answer per partition, in the order of the request.
    pub partitions: Vec<DeleteRecordsPartitionResponse>,
}

/// One partition's part of a [`DeleteRecordsResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecordsPartitionResponse {
    /// The partition.
    pub partition: Partition,
    /// What happened.
    pub error: ErrorCode,
    /// The lowest log start offset of the leader and all live replicas; `None` beside an error.
    pub low_watermark: Option<EndOffset>,
}

/// Metadata, by topic name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataRequest {
    /// Which topics; all where empty.
    pub topics: Vec<String>,
}

/// Answers a [`MetadataRequest`] from the broker's own image, which may be old (C49).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataResponse {
    /// Brokers that this broker believes to be alive.
    pub brokers: Vec<BrokerId>,
    /// What it knows of the topics.
    pub topics: Vec<MetadataTopic>,
}

/// One topic in a [`MetadataResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataTopic {
    /// Its name.
    pub name: String,
    /// `UNKNOWN_TOPIC_OR_PARTITION` if this broker does not know it.
    pub error: ErrorCode,
    /// Its id, if known.
    pub id: Option<TopicId>,
    /// Its partitions in order of index.
    pub partitions: Vec<MetadataPartition>,
}

/// One partition in a [`MetadataResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataPartition {
    /// Its index.
    pub index: u32,
    /// `LEADER_NOT_AVAILABLE` if nobody leads it.
    pub error: ErrorCode,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// Since which epoch.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Those in sync.
    pub isr: Vec<BrokerId>,
}
