//! The quorum of controllers: what voters say to each other, and how the metadata log is read (C9-C27, §3.11).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DivergingEpoch, ErrorCode};
use crate::log::Slices;
use crate::names::{BrokerId, ControllerId, DirectoryId, EndOffset, LeaderEpoch, Offset, SnapshotId};

/// A voter with the disk that it votes from: one whose disk was replaced is another (C20, KIP-853).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Voter {
    /// Which controller.
    pub id: ControllerId,
    /// The disk that it was formatted with.
    pub directory: DirectoryId,
}

/// Who reads the metadata log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LogReader {
    /// A controller. What a voter asks for says what it has, synced (C21).
    Controller(Voter),
    /// A broker, which only looks on (C45).
    Broker(BrokerId),
}

/// Vote (C9-C13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRequest {
    /// Who is asked.
    pub voter: Voter,
    /// Who stands.
    pub candidate: Voter,
    /// In which epoch.
    pub epoch: LeaderEpoch,
    /// The epoch of the last record of the candidate's log.
    pub last_epoch: LeaderEpoch,
    /// The end of the candidate's log.
    pub last_offset: EndOffset,
    /// Only asks what the answer would be (KIP-996).
    pub pre_vote: bool,
}

/// Answers a [`VoteRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteResponse {
    /// What is wrong with the request.
    pub error: ErrorCode,
    /// Who answers.
    pub voter: Voter,
    /// Who leads, as far as the voter knows.
    pub leader: Option<ControllerId>,
    /// The voter's epoch.
    pub epoch: LeaderEpoch,
    /// Whether it votes for the candidate.
    pub granted: bool,
}

/// BeginQuorumEpoch: a leader says that it was elected (C15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginQuorumEpochRequest {
    /// Who is told.
    pub voter: Voter,
    /// Who leads.
    pub leader: ControllerId,
    /// In which epoch.
    pub epoch: LeaderEpoch,
}

/// EndQuorumEpoch: a leader says that it leads no more (C16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndQuorumEpochRequest {
    /// Who led.
    pub leader: ControllerId,
    /// In which epoch.
    pub epoch: LeaderEpoch,
    /// Who is to stand next, best first.
    pub preferred_successors: Vec<Voter>,
}

/// Answers a [`BeginQuorumEpochRequest`] or an [`EndQuorumEpochRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuorumEpochResponse {
    /// What is wrong with the request.
    pub error: ErrorCode,
    /// Who answers.
    pub voter: Voter,
    /// Who leads, as far as it knows.
    pub leader: Option<ControllerId>,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

/// Fetch, of the metadata log (C19). Kafka has one API for it and for the data plane; the fields that matter differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMetadataRequest {
    /// Who asks.
    pub reader: LogReader,
    /// The epoch that the reader knows.
    pub current_leader_epoch: LeaderEpoch,
    /// From where on it wants to read: it has everything below.
    pub fetch_offset: Offset,
    /// The epoch of the last record that it has; none if it has none.
    pub last_fetched_epoch: Option<LeaderEpoch>,
    /// How far the log is committed, as far as it knows: the leader answers at once if it knows better.
    pub high_watermark: Option<EndOffset>,
    /// How long the leader may wait for something to say.
    pub max_wait: Duration,
    /// No more bytes than this, but always one batch.
    pub max_bytes: u32,
}

/// Answers a [`FetchMetadataRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchMetadataResponse {
    /// What happened. With an error only `leader` and `epoch` mean something.
    pub error: ErrorCode,
    /// Who leads, as far as whoever answers knows: this is how a reader finds the leader.
    pub leader: Option<ControllerId>,
    /// The epoch of whoever answers.
    pub epoch: LeaderEpoch,
    /// How far the log is committed, if the leader knows yet (C18).
    pub high_watermark: Option<EndOffset>,
    /// Where the log begins.
    pub log_start: EndOffset,
    /// The reader's log is not a prefix of the leader's (C22).
    pub diverging_epoch: Option<DivergingEpoch>,
    /// What the reader wants to read is gone: it is to fetch this snapshot first (C24).
    pub snapshot: Option<SnapshotId>,
    /// Whole batches, up to the log end (C19).
    pub records: Slices,
}

/// FetchSnapshot (C24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchSnapshotRequest {
    /// Who asks.
    pub reader: LogReader,
    /// The epoch that the reader knows.
    pub current_leader_epoch: LeaderEpoch,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// From which byte on.
    pub position: u64,
    /// So many bytes at most.
    pub max_bytes: u32,
}

/// Answers a [`FetchSnapshotRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchSnapshotResponse {
    /// What happened. With an error only `leader` and `epoch` mean something.
    pub error: ErrorCode,
    /// Who leads, as far as whoever answers knows.
    pub leader: Option<ControllerId>,
    /// The epoch of whoever answers.
    pub epoch: LeaderEpoch,
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// How many bytes it has in all.
    pub size: u64,
    /// From which byte on.
    pub position: u64,
    /// Some of it.
    pub bytes: Bytes,
}
