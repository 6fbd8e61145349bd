//! One fact: the unit of the trace. Everything that happens in a run is one of these, and nothing else is looked at.
//!
//! The world states what befell wires, disks, clocks and processes; machines state the rest as [`Event`]s. This file
//! knows no world: facts are plain data, written and read as JSON lines.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use model::event::Event;
use model::machine::Command;
use model::names::{Node, nanos};
use model::wire::{Channel, ErrorCode};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// True time: nanoseconds since the run began. Only the world knows it; what hosts believe is
/// [`Time`](model::names::Time).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Counts the facts of a run from 0.
    pub number: u64,
    /// When, in true time.
    pub at: Moment,
    /// To whom, or by whom; nobody for what befalls the world as a whole.
    pub node: Option<Node>,
    /// What.
    pub what: What,
}

/// What happened. New variants go to the end: the digest counts on their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// The machine said so.
    Noted(Event),
    /// A message was handed to `node`.
    Delivered {
        /// Who sent it.
        from: Node,
        /// Over which channel.
        channel: Channel,
        /// Which API, request or response.
        api: Api,
        /// Pairs request and response.
        correlation: u64,
        /// The first error in a response, if there is one.
        error: Option<ErrorCode>,
    },
    /// A connection of `node` was cut under it.
    Severed {
        /// Who was at the other end.
        peer: Node,
        /// Which connection.
        channel: Channel,
    },
    /// A process started: `life` counts from 1.
    Started {
        /// The how-manieth process of this host.
        life: u32,
    },
    /// The process is over.
    Stopped {
        /// How.
        how: Ending,
    },
    /// The process stands still, as in a long garbage collection.
    Paused,
    /// It goes on.
    Resumed,
    /// The application asked for something.
    Submitted(Command),
    /// A fault struck; `node` is whom the role in it resolved to.
    Struck(Fault),
    /// A named moment of the scenario.
    Chapter(Chapter),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// In an orderly way.
    Exited,
    /// Killed: what was written stays in the page cache.
    Crashed,
    /// The power went: what was not synced may be gone.
    PoweredOff,
    /// It halted because its disk failed.
    StorageFailed,
    /// The machine and its disk are gone for good.
    Destroyed,
}

/// Parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Chapter {
    /// The cluster is up, topics exist, clients are assigned: the scenario begins.
    Begun,
    /// All faults were taken back and all hosts that can return were restarted.
    Healed,
    /// No more records are submitted.
    LoadEnded,
    /// A fresh consumer has begun to read everything from the start.
    ReadBack,
    /// The run is over.
    Ended,
}

/// Which API a message belongs to; the trace needs no more of it. New variants go to the end: the digest counts on their
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Api {
    /// Produce.
    ProduceRequest,
    /// Its answer.
    ProduceResponse,
    /// Fetch.
    FetchRequest,
    /// Its answer.
    FetchResponse,
    /// ListOffsets.
    ListOffsetsRequest,
    /// Its answer.
    ListOffsetsResponse,
    /// OffsetsForLeaderEpoch.
    OffsetsForLeaderEpochRequest,
    /// Its answer.
    OffsetsForLeaderEpochResponse,
    /// Metadata.
    MetadataRequest,
    /// Its answer.
    MetadataResponse,
    /// AlterPartition.
    AlterPartitionRequest,
    /// Its answer.
    AlterPartitionResponse,
    /// BrokerRegistration.
    BrokerRegistrationRequest,
    /// Its answer.
    BrokerRegistrationResponse,
    /// BrokerHeartbeat.
    BrokerHeartbeatRequest,
    /// Its answer.
    BrokerHeartbeatResponse,
    /// CreateTopics.
    CreateTopicsRequest,
    /// Its answer.
    CreateTopicsResponse,
    /// DeleteRecords.
    DeleteRecordsRequest,
    /// Its answer.
    DeleteRecordsResponse,
    /// Vote.
    VoteRequest,
    /// Its answer.
    VoteResponse,
    /// BeginQuorumEpoch.
    BeginQuorumEpochRequest,
    /// Its answer.
    BeginQuorumEpochResponse,
    /// EndQuorumEpoch.
    EndQuorumEpochRequest,
    /// Its answer.
    EndQuorumEpochResponse,
    /// Fetch, of the metadata log.
    FetchMetadataRequest,
    /// Its answer.
    FetchMetadataResponse,
    /// FetchSnapshot.
    FetchSnapshotRequest,
    /// Its answer.
    FetchSnapshotResponse,
    /// An operator's request to the controller.
    AdministerRequest,
    /// Its answer.
    AdministerResponse,
    /// Within a session with the ZooKeeper ensemble.
    ZooKeeperRequest,
    /// From the ensemble.
    ZooKeeperResponse,
    /// LeaderAndIsr.
    LeaderAndIsrRequest,
    /// Its answer.
    LeaderAndIsrResponse,
    /// UpdateMetadata.
    UpdateMetadataRequest,
    /// Its answer.
    UpdateMetadataResponse,
    /// StopReplica.
    StopReplicaRequest,
    /// Its answer.
    StopReplicaResponse,
    /// ControlledShutdown.
    ControlledShutdownRequest,
    /// Its answer.
    ControlledShutdownResponse,
}

impl Fact {
    /// The event, if a machine noted one.
    #[must_use]
    pub fn event(&self) -> Option<&Event> {
        match &self.what {
            What::Noted(event) => Some(event),
            _ => None,
        }
    }
}

impl Moment {
    /// The beginning of the run.
    pub const ZERO: Self = Self(0);

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the beginning, for figures.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 100_000)
    }
}
