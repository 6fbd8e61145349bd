//! Whom a fault strikes.

use std::fmt;

use model::names::Node;
use serde::{Deserialize, Serialize};

/// Whom a fault strikes: a name, or a role that is looked up when the fault strikes. A role that nobody has at that
/// moment makes the fault strike nobody, which the trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// This node.
    Node(Node),
    /// Who leads the partition, counted in order of creation, as the last committed record says.
    Leader(u32),
    /// The nth replica (from 0, round and round) of the partition that does not lead it.
    Follower(u32, u32),
    /// The nth member (from 0, round and round) of the partition's ISR that does not lead it.
    InSync(u32, u32),
    /// The nth broker (from 0, round and round) that does not lead the partition, replica or not.
    OtherBroker(u32, u32),
    /// The controller: the active one, or else the one that was last.
    Controller,
    /// The nth controller (from 0, round and round) that is not the active one.
    StandbyController(u32),
    /// The nth controller (from 0, round and round).
    AnyController(u32),
    /// All controllers.
    Controllers,
    /// The nth broker (from 0, round and round).
    AnyBroker(u32),
    /// The nth producer (from 0, round and round).
    Producer(u32),
    /// The nth consumer (from 0, round and round).
    Consumer(u32),
    /// All brokers.
    Brokers,
    /// All clients.
    Clients,
    /// All nodes.
    Everyone,
    /// Whom the sight is about that the fault lay in ambush for: see [`Sight::about`](super::Sight::about). Nobody for a fault that waited for none. It
    /// becomes that node when the ambush strikes.
    Seen,
}

impl<N: Into<Node>> From<N> for Target {
    fn from(node: N) -> Self {
        Self::Node(node.into())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Leader(partition) => write!(f, "the leader of #{partition}"),
            Self::Follower(partition, nth) => write!(f, "follower {nth} of #{partition}"),
            Self::InSync(partition, nth) => write!(f, "in-sync follower {nth} of #{partition}"),
            Self::OtherBroker(partition, nth) => write!(f, "broker {nth} not leading #{partition}"),
            Self::Controller => f.write_str("the controller"),
            Self::StandbyController(nth) => write!(f, "standby controller {nth}"),
            Self::AnyController(nth) => write!(f, "controller number {nth}"),
            Self::Controllers => f.write_str("all controllers"),
            Self::AnyBroker(nth) => write!(f, "broker number {nth}"),
            Self::Producer(nth) => write!(f, "producer number {nth}"),
            Self::Consumer(nth) => write!(f, "consumer number {nth}"),
            Self::Brokers => f.write_str("all brokers"),
            Self::Clients => f.write_str("all clients"),
            Self::Everyone => f.write_str("everyone"),
            Self::Seen => f.write_str("whom that is about"),
        }
    }
}
