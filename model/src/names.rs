//! The nouns: who, where, how far, since when.
//!
//! Every number of the protocol is a type of its own, so that a place in a log cannot be passed for the end of one,
//! nor a leader epoch for a broker epoch (rule N8: the three epochs are never merged). This file knows no behaviour.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A broker's `node.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BrokerId(pub u32);

/// A controller's `node.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ControllerId(pub u32);

/// One client process: a producer, a consumer or an admin client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(pub u32);

/// Anything that has an address on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Node {
    /// A member of the controller quorum.
    Controller(ControllerId),
    /// A broker.
    Broker(BrokerId),
    /// A client.
    Client(ClientId),
    /// The ZooKeeper ensemble, taken as one.
    Ensemble,
}

/// A topic's identity. Kafka's is a UUID; ours is the metadata offset of the record that created the topic, which is
/// just as unique within one cluster and can be read. Recreating a topic under the same name gives a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TopicId(pub u64);

/// One partition of one topic: the unit of replication and of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Partition {
    /// The topic.
    pub topic: TopicId,
    /// The index within the topic, from 0.
    pub index: u32,
}

/// A place in a log: the offset of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Offset(pub u64);

/// A bound in a log: everything below it is meant, the record at it is not. Log end offset, high watermark, log start
/// offset and recovery point are bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndOffset(pub u64);

/// A partition's leader epoch: raised by the controller with every change of leader (R76).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LeaderEpoch(pub i32);

/// A partition's partition epoch: raised by the controller with every change at all (R76).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartitionEpoch(pub i32);

/// The identity of one registration of a broker, thus of one process life (C38): the offset of its register record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BrokerEpoch(pub i64);

/// ZooKeeper mode: how often a controller was elected; every message of a controller carries it (C63).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ControllerEpoch(pub i32);

/// A session between the ZooKeeper ensemble and one of its clients (C60).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(pub u64);

/// The place of a transaction in the order of all that the ensemble has committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Zxid(pub i64);

/// Which disk: the `directory.id` of `meta.properties`, drawn when a disk is formatted. One that was replaced has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DirectoryId(pub u64);

/// A snapshot of the metadata log: everything below `end`, whose last record is of `epoch` (C25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SnapshotId {
    /// Everything below is in it.
    pub end: EndOffset,
    /// The epoch of the last record in it.
    pub epoch: LeaderEpoch,
}

/// A random name that a broker process gives itself at its start (C36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Incarnation(pub u64);

/// What a host believes the time is: nanoseconds since the Unix epoch by its own clock, which may be skewed, drift or
/// jump. Only the world knows better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

impl Node {
    /// The broker's id, if this is a broker.
    #[must_use]
    pub fn broker(self) -> Option<BrokerId> {
        match self {
            Self::Broker(id) => Some(id),
            Self::Controller(_) | Self::Client(_) | Self::Ensemble => None,
        }
    }

    /// Whether this is a client.
    #[must_use]
    pub fn is_client(self) -> bool {
        matches!(self, Self::Client(_))
    }
}

impl From<BrokerId> for Node {
    fn from(id: BrokerId) -> Self {
        Self::Broker(id)
    }
}

impl From<ControllerId> for Node {
    fn from(id: ControllerId) -> Self {
        Self::Controller(id)
    }
}

impl From<ClientId> for Node {
    fn from(id: ClientId) -> Self {
        Self::Client(id)
    }
}

impl Partition {
    /// `__cluster_metadata-0`, the log in which the controller keeps what it decided.
    pub const METADATA: Self = Self { topic: TopicId(0), index: 0 };
}

impl Offset {
    /// The first offset of every log.
    pub const ZERO: Self = Self(0);

    /// The bound just behind this place.
    #[must_use]
    pub fn end(self) -> EndOffset {
        EndOffset(self.0 + 1)
    }

    /// The bound just before this place.
    #[must_use]
    pub fn bound(self) -> EndOffset {
        EndOffset(self.0)
    }

    /// The place `records` further on.
    #[must_use]
    pub fn plus(self, records: u64) -> Self {
        Self(self.0 + records)
    }
}

impl EndOffset {
    /// The bound before the first record.
    pub const ZERO: Self = Self(0);

    /// The place that this bound excludes and that will be written, or read, next.
    #[must_use]
    pub fn next(self) -> Offset {
        Offset(self.0)
    }

    /// Whether the place lies below this bound.
    #[must_use]
    pub fn covers(self, place: Offset) -> bool {
        place.0 < self.0
    }
}

impl LeaderEpoch {
    /// The epoch of a partition that has just been created (R76).
    pub const ZERO: Self = Self(0);

    /// The next epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl ControllerEpoch {
    /// The next epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl PartitionEpoch {
    /// The next epoch.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Time {
    /// How long after `earlier` this is; zero if a clock that jumped says it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the Unix epoch, Kafka's unit for timestamps.
    #[must_use]
    pub fn millis(self) -> i64 {
        i64::try_from(self.0 / 1_000_000).unwrap_or(i64::MAX)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

/// A span in nanoseconds; the longest that fits if it is longer. In 64 bits all the way: deadlines are added up in every
/// step.
#[must_use]
pub fn nanos(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(span.subsec_nanos()))
}

/// The earliest of some times, if there is any.
pub(crate) fn earliest<const N: usize>(times: [Option<Time>; N]) -> Option<Time> {
    // By reference, and not `flatten().min()`: this is asked after every step, and the loop is unrolled.
    let mut earliest = None;
    for &time in &times {
        earliest = match (earliest, time) {
            (Some(one), Some(other)) => Some(Ord::min(one, other)),
            (one, other) => one.or(other),
        };
    }
    earliest
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

impl fmt::Display for ControllerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ctl{}", self.0)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller(id) => id.fmt(f),
            Self::Broker(id) => id.fmt(f),
            Self::Client(id) => id.fmt(f),
            Self::Ensemble => f.write_str("zk"),
        }
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::METADATA {
            return f.write_str("__cluster_metadata-0");
        }
        write!(f, "t{}-{}", self.topic.0, self.index)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ControllerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for EndOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PartitionEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BrokerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
