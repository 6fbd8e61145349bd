//! ZooKeeper mode: what is said within a session with the ensemble (C60), and between a controller and brokers (C65, §3.11).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::ErrorCode;
use crate::config::TopicConfig;
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerEpoch, BrokerId, ControllerEpoch, Partition, SessionId, TopicId, Zxid};

/// From a client of the ensemble. But for the first, each belongs to the session of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZooKeeperRequest {
    /// Begin a session, or go on with one over a new connection.
    Connect {
        /// The one to go on with.
        session: Option<SessionId>,
        /// After so long a silence it is to end.
        timeout: Duration,
    },
    /// The session goes on.
    Ping,
    /// Several calls in a row, each for itself, answered together: a pipeline.
    Submit(Vec<Call>),
    /// The session is over: its ephemeral nodes go at once.
    Close,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `getData`; with a watch, `exists` first, so that one is told of a node that is not there yet, too.
    Get {
        /// Which node.
        path: String,
        /// Whether to be told, once, when it changes.
        watch: bool,
    },
    /// `getChildren`.
    Children {
        /// Of which node.
        path: String,
        /// Whether to be told, once, when there are others.
        watch: bool,
    },
    /// `multi`: all of it, or nothing.
    Multi(Vec<Operation>),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// `create`.
    Create {
        /// Its path; of a sequential one, what its number is appended to.
        path: String,
        /// Its content.
        data: Bytes,
        /// How long it lives, and what it is called.
        mode: CreateMode,
    },
    /// `setData`.
    SetData {
        /// Which node.
        path: String,
        /// Its new content.
        data: Bytes,
        /// Only if it is of this version.
        version: Option<i32>,
    },
    /// `delete`.
    Delete {
        /// Which node.
        path: String,
    },
    /// `check`: changes nothing.
    Check {
        /// Which node.
        path: String,
        /// Which version it must have.
        version: i32,
    },
}

/// How long a znode lives, and what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreateMode {
    /// Until it is deleted.
    Persistent,
    /// At most as long as the session that made it.
    Ephemeral,
    /// Until it is deleted; its name ends in a number of its own.
    PersistentSequential,
}

/// From the ensemble.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZooKeeperResponse {
    /// The session has begun, or goes on; watches that were set before are gone.
    Connected {
        /// Which.
        session: SessionId,
    },
    /// The session has ended.
    Expired,
    /// To [`ZooKeeperRequest::Ping`].
    Pong,
    /// To [`ZooKeeperRequest::Submit`]: one answer a call.
    Answered(Vec<Result<Answer, ZooKeeperError>>),
    /// Watches fire; nobody has asked just now.
    Fired(Vec<WatchEvent>),
    /// To [`ZooKeeperRequest::Close`].
    Closed,
}

/// To one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A node.
    Node {
        /// Its content.
        data: Bytes,
        /// What else is known of it.
        stat: Stat,
    },
    /// The names of a node's children, sorted.
    Children(Vec<String>),
    /// All was done: how each node is now. For one that was deleted or only checked, how it was.
    Done(Vec<Stat>),
}

/// What is known of a znode beside its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// How often its content was changed.
    pub version: i32,
    /// Which transaction made it.
    pub czxid: Zxid,
    /// With which session it ends.
    pub owner: Option<SessionId>,
}

/// Why a call did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ZooKeeperError {
    /// There is no such node.
    NoNode,
    /// There is one already.
    NodeExists,
    /// It is of another version.
    BadVersion,
    /// It has children.
    NotEmpty,
}

/// A watch has fired, and is no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchEvent {
    /// Where.
    pub path: String,
    /// What was watched.
    pub kind: WatchKind,
}

/// What is watched of a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WatchKind {
    /// That it is there, and its content.
    Node,
    /// Which children it has.
    Children,
}

impl ZooKeeperRequest {
    /// What it is called, for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "ZooKeeperConnect",
            Self::Ping => "ZooKeeperPing",
            Self::Submit(_) => "ZooKeeperSubmit",
            Self::Close => "ZooKeeperClose",
        }
    }
}

impl ZooKeeperResponse {
    /// What it is called, for traces.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "ZooKeeperConnected",
            Self::Expired => "ZooKeeperExpired",
            Self::Pong => "ZooKeeperPong",
            Self::Answered(_) => "ZooKeeperAnswered",
            Self::Fired(_) => "ZooKeeperFired",
            Self::Closed => "ZooKeeperClosed",
        }
    }
}

/// Who a controller is, and to which life of a broker it speaks (C65).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The broker that is the controller.
    pub controller: BrokerId,
    /// Since which election.
    pub epoch: ControllerEpoch,
    /// The registration that is meant (KIP-380).
    pub to: BrokerEpoch,
}

/// A topic, as far as a broker must know it to host its partitions. Kafka's brokers read the properties from
/// `/config/topics` themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldTopic {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: u32,
    /// Its own properties.
    pub config: Box<TopicConfig>,
    /// Of which version of their znode.
    pub config_version: i32,
}

/// The state of one partition, as a controller tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadershipTold {
    /// Who leads, who is in sync; the partition epoch is the version of the znode.
    pub state: PartitionRegistration,
    /// Of the controller that wrote it.
    pub controller_epoch: ControllerEpoch,
}

/// LeaderAndIsr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaderAndIsrRequest {
    /// Who says so.
    pub sender: Sender,
    /// The topics of these partitions.
    pub topics: Vec<ToldTopic>,
    /// Partitions of which the receiver holds a replica.
    pub partitions: Vec<LeadershipTold>,
}

/// UpdateMetadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateMetadataRequest {
    /// Who says so.
    pub sender: Sender,
    /// The brokers that are alive: all of them.
    pub brokers: Vec<(BrokerId, BrokerEpoch)>,
    /// The topics of these partitions.
    pub topics: Vec<ToldTopic>,
    /// Partitions that are not as they were.
    pub partitions: Vec<PartitionRegistration>,
    /// Topics that are being deleted (C74). Kafka says so by a leader of their partitions that nobody is, -2.
    pub gone: Vec<TopicId>,
}

/// StopReplica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReplicaRequest {
    /// Who says so.
    pub sender: Sender,
    /// Which.
    pub partitions: Vec<Partition>,
    /// Whether the log goes, too.
    pub delete: bool,
}

/// Answers what a controller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What happened.
    pub error: ErrorCode,
}

/// ControlledShutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlledShutdownRequest {
    /// Who wants to go.
    pub broker: BrokerId,
    /// In which registration.
    pub broker_epoch: BrokerEpoch,
}

/// Answers a [`ControlledShutdownRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlledShutdownResponse {
    /// What happened.
    pub error: ErrorCode,
    /// What it still leads.
    pub remaining: Vec<Partition>,
}
