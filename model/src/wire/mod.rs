//! Every message, by conversation. Types only: who may say what, with the fields that matter (the catalogue in
//! `protocol/03-control-plane.md` §3.11). Messages are typed values, not bytes (S9); record batches inside them are
//! always the real bytes. Nothing here decides anything.

mod control;
mod data;
mod error;
mod quorum;
mod zookeeper;

use serde::{Deserialize, Serialize};

pub use control::{
    AdminRequest, AdminResponse, AlterPartitionItem, AlterPartitionRequest, AlterPartitionResponse,
    AlterPartitionResult, AlteredResource, BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    BrokerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse, CreatedTopic, IsrMember, NewTopic,
    PartitionChangeAccepted,
};
pub use data::{
    DeleteRecordsPartition, DeleteRecordsPartitionResponse, DeleteRecordsRequest, DeleteRecordsResponse,
    DivergingEpoch, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse, Fetcher, ListOffsetsPartition,
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, MetadataPartition, MetadataRequest,
    MetadataResponse, MetadataTopic, OffsetSpec, OffsetsForLeaderEpochPartition,
    OffsetsForLeaderEpochPartitionResponse, OffsetsForLeaderEpochRequest, OffsetsForLeaderEpochResponse,
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceResponse,
};
pub use error::ErrorCode;
pub use quorum::{
    BeginQuorumEpochRequest, EndQuorumEpochRequest, FetchMetadataRequest, FetchMetadataResponse, FetchSnapshotRequest,
    FetchSnapshotResponse, LogReader, QuorumEpochResponse, VoteRequest, VoteResponse, Voter,
};

pub use zookeeper::{
    Answer, Call, ControlledShutdownRequest, ControlledShutdownResponse, CreateMode, LeaderAndIsrRequest,
    LeadershipTold, Operation, Sender, Stat, StopReplicaRequest, Told, ToldTopic, UpdateMetadataRequest, WatchEvent,
    WatchKind, ZooKeeperError, ZooKeeperRequest, ZooKeeperResponse,
};

use crate::names::Node;

/// One message with its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Who says it.
    pub from: Node,
    /// To whom.
    pub to: Node,
    /// Over which of the connections between the two. The client end of a connection opened it; requests go one way
    /// over it and responses the other.
    pub channel: Channel,
    /// The connection. A client leaves [`ConnectionId::UNSET`] and the network stamps the one it has open, opening one
    /// if there is none; a server answers with the id it received, and if that connection is gone so is the answer.
    pub connection: ConnectionId,
    /// Pairs a response with its request on one connection.
    pub correlation: u64,
    /// What is said.
    pub body: Body,
}

/// One TCP connection, named by the network. Never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// "Whichever is open, or a new one".
    pub const UNSET: Self = Self(0);
}

/// Which of a node's threads owns the connection (C80: one TCP connection per client thread and broker).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Channel {
    /// A client's network thread: produce, consumer fetch, offsets, metadata.
    Client,
    /// A replica fetcher (R34).
    ReplicaFetch,
    /// A broker's metadata observer, fetching the metadata log (C45).
    Metadata,
    /// The broker lifecycle: registration and heartbeats (C36, C39).
    Lifecycle,
    /// ISR changes (R54).
    AlterPartition,
    /// A controller's raft thread.
    Quorum,
    /// A session with the ZooKeeper ensemble (C60).
    ZooKeeper,
    /// ZooKeeper mode: a controller's thread for one broker (C65).
    Control,
}

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// From the client end of a connection.
    Request(Request),
    /// From the server end.
    Response(Response),
}

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Append record batches.
    Produce(ProduceRequest),
    /// Read record batches: a consumer, a follower, or a broker reading the metadata log.
    Fetch(FetchRequest),
    /// Where does the log start, or end?
    ListOffsets(ListOffsetsRequest),
    /// Where did that epoch end?
    OffsetsForLeaderEpoch(OffsetsForLeaderEpochRequest),
    /// Who leads what?
    Metadata(MetadataRequest),
    /// A leader proposes another ISR.
    AlterPartition(AlterPartitionRequest),
    /// A broker process announces itself.
    BrokerRegistration(BrokerRegistrationRequest),
    /// A broker process says that it lives.
    BrokerHeartbeat(BrokerHeartbeatRequest),
    /// Create topics.
    CreateTopics(CreateTopicsRequest),
    /// Move the start of logs.
    DeleteRecords(DeleteRecordsRequest),
    /// A voter stands for election.
    Vote(VoteRequest),
    /// A leader of the quorum was elected.
    BeginQuorumEpoch(BeginQuorumEpochRequest),
    /// A leader of the quorum leads no more.
    EndQuorumEpoch(EndQuorumEpochRequest),
    /// Read the metadata log.
    FetchMetadata(FetchMetadataRequest),
    /// Read a snapshot of it.
    FetchSnapshot(FetchSnapshotRequest),
    /// Change what the controller has decided.
    Administer(AdminRequest),
    /// Within a session with the ZooKeeper ensemble.
    ZooKeeper(ZooKeeperRequest),
    /// ZooKeeper mode: lead or follow (C65).
    LeaderAndIsr(LeaderAndIsrRequest),
    /// ZooKeeper mode: what clients are to be told (C65).
    UpdateMetadata(UpdateMetadataRequest),
    /// ZooKeeper mode: neither lead nor follow (C65).
    StopReplica(StopReplicaRequest),
    /// ZooKeeper mode: a broker wants to go in an orderly way (C73).
    ControlledShutdown(ControlledShutdownRequest),
}

/// What may be answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Response {
    /// To [`Request::Produce`]; none is sent for `acks=0`.
    Produce(ProduceResponse),
    /// To [`Request::Fetch`].
    Fetch(FetchResponse),
    /// To [`Request::ListOffsets`].
    ListOffsets(ListOffsetsResponse),
    /// To [`Request::OffsetsForLeaderEpoch`].
    OffsetsForLeaderEpoch(OffsetsForLeaderEpochResponse),
    /// To [`Request::Metadata`].
    Metadata(MetadataResponse),
    /// To [`Request::AlterPartition`].
    AlterPartition(AlterPartitionResponse),
    /// To [`Request::BrokerRegistration`].
    BrokerRegistration(BrokerRegistrationResponse),
    /// To [`Request::BrokerHeartbeat`].
    BrokerHeartbeat(BrokerHeartbeatResponse),
    /// To [`Request::CreateTopics`].
    CreateTopics(CreateTopicsResponse),
    /// To [`Request::DeleteRecords`].
    DeleteRecords(DeleteRecordsResponse),
    /// To [`Request::Vote`].
    Vote(VoteResponse),
    /// To [`Request::BeginQuorumEpoch`].
    BeginQuorumEpoch(QuorumEpochResponse),
    /// To [`Request::EndQuorumEpoch`].
    EndQuorumEpoch(QuorumEpochResponse),
    /// To [`Request::FetchMetadata`].
    FetchMetadata(FetchMetadataResponse),
    /// To [`Request::FetchSnapshot`].
    FetchSnapshot(FetchSnapshotResponse),
    /// To [`Request::Administer`].
    Administer(AdminResponse),
    /// To [`Request::ZooKeeper`], or of the ensemble's own accord within a session.
    ZooKeeper(ZooKeeperResponse),
    /// To [`Request::LeaderAndIsr`].
    LeaderAndIsr(Told),
    /// To [`Request::UpdateMetadata`].
    UpdateMetadata(Told),
    /// To [`Request::StopReplica`].
    StopReplica(Told),
    /// To [`Request::ControlledShutdown`].
    ControlledShutdown(ControlledShutdownResponse),
}

impl Envelope {
    /// A request over whatever connection is open on that channel.
    #[must_use]
    pub fn request(
        from: impl Into<Node>,
        to: impl Into<Node>,
        channel: Channel,
        correlation: u64,
        request: Request,
    ) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            channel,
            connection: ConnectionId::UNSET,
            correlation,
            body: Body::Request(request),
        }
    }

    /// The answer to a request, over the connection it came in by.
    #[must_use]
    pub fn response(to: &ReplyTo, from: impl Into<Node>, response: Response) -> Self {
        Self {
            from: from.into(),
            to: to.peer,
            channel: to.channel,
            connection: to.connection,
            correlation: to.correlation,
            body: Body::Response(response),
        }
    }

    /// Where the answer to this request goes.
    #[must_use]
    pub fn reply_to(&self) -> ReplyTo {
        ReplyTo { peer: self.from, channel: self.channel, connection: self.connection, correlation: self.correlation }
    }
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTo {
    /// Who asked.
    pub peer: Node,
    /// Over which channel.
    pub channel: Channel,
    /// Over which connection.
    pub connection: ConnectionId,
    /// Under which number.
    pub correlation: u64,
}

impl Body {
    /// The API's name, for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Request(request) => match request {
                Request::Produce(_) => "Produce",
                Request::Fetch(_) => "Fetch",
                Request::ListOffsets(_) => "ListOffsets",
                Request::OffsetsForLeaderEpoch(_) => "OffsetsForLeaderEpoch",
                Request::Metadata(_) => "Metadata",
                Request::AlterPartition(_) => "AlterPartition",
                Request::BrokerRegistration(_) => "BrokerRegistration",
                Request::BrokerHeartbeat(_) => "BrokerHeartbeat",
                Request::CreateTopics(_) => "CreateTopics",
                Request::DeleteRecords(_) => "DeleteRecords",
                Request::Vote(_) => "Vote",
                Request::BeginQuorumEpoch(_) => "BeginQuorumEpoch",
                Request::EndQuorumEpoch(_) => "EndQuorumEpoch",
                Request::FetchMetadata(_) => "FetchMetadata",
                Request::FetchSnapshot(_) => "FetchSnapshot",
                Request::Administer(request) => request.name(),
                Request::ZooKeeper(request) => request.name(),
                Request::LeaderAndIsr(_) => "LeaderAndIsr",
                Request::UpdateMetadata(_) => "UpdateMetadata",
                Request::StopReplica(_) => "StopReplica",
                Request::ControlledShutdown(_) => "ControlledShutdown",
            },
            Self::Response(response) => match response {
                Response::Produce(_) => "ProduceResponse",
                Response::Fetch(_) => "FetchResponse",
                Response::ListOffsets(_) => "ListOffsetsResponse",
                Response::OffsetsForLeaderEpoch(_) => "OffsetsForLeaderEpochResponse",
                Response::Metadata(_) => "MetadataResponse",
                Response::AlterPartition(_) => "AlterPartitionResponse",
                Response::BrokerRegistration(_) => "BrokerRegistrationResponse",
                Response::BrokerHeartbeat(_) => "BrokerHeartbeatResponse",
                Response::CreateTopics(_) => "CreateTopicsResponse",
                Response::DeleteRecords(_) => "DeleteRecordsResponse",
                Response::Vote(_) => "VoteResponse",
                Response::BeginQuorumEpoch(_) => "BeginQuorumEpochResponse",
                Response::EndQuorumEpoch(_) => "EndQuorumEpochResponse",
                Response::FetchMetadata(_) => "FetchMetadataResponse",
                Response::FetchSnapshot(_) => "FetchSnapshotResponse",
                Response::Administer(_) => "AdminResponse",
                Response::ZooKeeper(response) => response.name(),
                Response::LeaderAndIsr(_) => "LeaderAndIsrResponse",
                Response::UpdateMetadata(_) => "UpdateMetadataResponse",
                Response::StopReplica(_) => "StopReplicaResponse",
                Response::ControlledShutdown(_) => "ControlledShutdownResponse",
            },
        }
    }

    /// Roughly how many bytes the message would be on a wire: what a slow link charges for. Payloads are exact, the
    /// rest is a constant per message.
    #[must_use]
    pub fn size(&self) -> usize {
        const OVERHEAD: usize = 64;
        let payload = match self {
            Self::Request(Request::Produce(produce)) => produce.partitions.iter().map(|p| p.records.len()).sum(),
            Self::Response(Response::Fetch(fetch)) => fetch.partitions.iter().map(|p| p.records.len()).sum(),
            Self::Response(Response::FetchMetadata(fetch)) => fetch.records.len(),
            Self::Response(Response::FetchSnapshot(fetch)) => fetch.bytes.len(),
            Self::Request(_) | Self::Response(_) => 0,
        };
        OVERHEAD + payload
    }
}
