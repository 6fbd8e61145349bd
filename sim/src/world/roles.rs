//! Nodes by the parts they play.

use model::names::{BrokerId, ControllerId, Node};

use super::hosts::Condition;
use super::{Observer, World};
use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::fault::Target;

impl<O: Observer> World<O> {
    /// Whether a process runs on the node, standing still or not.
    #[must_use]
    pub fn is_up(&self, node: impl Into<Node>) -> bool {
        self.index_of(node.into()).is_some_and(|index| self.hosts[index].condition == Condition::Up)
    }

    /// Whether the node is gone for good.
    #[must_use]
    pub fn is_destroyed(&self, node: impl Into<Node>) -> bool {
        self.index_of(node.into()).is_some_and(|index| self.hosts[index].condition == Condition::Destroyed)
    }

    /// How many disk calls the node has made, in all its lives: what [`Fault::CrashAtDiskCall`] counts on from.
    ///
    /// [`Fault::CrashAtDiskCall`]: crate::fault::Fault::CrashAtDiskCall
    #[must_use]
    pub fn disk_calls(&self, node: impl Into<Node>) -> u64 {
        self.index_of(node.into()).map_or(0, |index| self.hosts[index].disk.calls())
    }

    /// Whom a role resolves to now; nobody if nobody has it.
    #[must_use]
    pub fn resolve(&self, target: Target) -> Vec<Node> {
        let nodes: Vec<Node> = self.hosts.iter().map(|host| host.node).collect();
        resolve(&self.cluster, self.cast(), &nodes, target)
    }
}

/// Whom a role resolves to in a cluster with this cast and these nodes; nobody if nobody has it.
pub(crate) fn resolve(cluster: &Cluster, cast: &Cast, nodes: &[Node], target: Target) -> Vec<Node> {
    let nth_of = |nodes: Vec<Node>, nth: u32| {
        let count = nodes.len();
        nodes.get(nth as usize % count.max(1)).copied().into_iter().collect::<Vec<Node>>()
    };
    let brokers = |ids: &mut dyn Iterator<Item = BrokerId>| ids.map(Node::from).collect::<Vec<Node>>();
    let all = |wanted: fn(Node) -> bool| nodes.iter().copied().filter(|node| wanted(*node)).collect::<Vec<Node>>();
    let leader_of = |nth: u32| cast.leader(cast.partition(nth)?);
    let followers_of = |nth: u32| cast.partition(nth).map(|partition| cast.followers(partition)).unwrap_or_default();
    let isr_of = |nth: u32| cast.partition(nth).map(|partition| cast.isr(partition).to_vec()).unwrap_or_default();
    let controllers = || cluster.controller_ids().map(Node::from).collect::<Vec<Node>>();
    match target {
        Target::Node(node) => nodes.iter().copied().filter(|known| *known == node).collect(),
        Target::Leader(nth) => brokers(&mut leader_of(nth).into_iter()),
        Target::Follower(partition, nth) => nth_of(brokers(&mut followers_of(partition).into_iter()), nth),
        Target::InSync(partition, nth) => {
            let leader = leader_of(partition);
            let members = isr_of(partition).into_iter().filter(|member| Some(*member) != leader);
            nth_of(brokers(&mut members.into_iter()), nth)
        }
        Target::OtherBroker(partition, nth) => {
            let leader = leader_of(partition);
            nth_of(brokers(&mut cluster.broker_ids().filter(|broker| Some(*broker) != leader)), nth)
        }
        Target::Controller if cluster.zookeeper => vec![controlling_broker(cast).into()],
        Target::Controller => vec![controller(cluster, cast).into()],
        Target::StandbyController(_) if cluster.zookeeper => Vec::new(),
        Target::AnyController(_) | Target::Controllers if cluster.zookeeper => vec![Node::Ensemble],
        Target::StandbyController(nth) => {
            let active = Node::from(controller(cluster, cast));
            nth_of(controllers().into_iter().filter(|node| *node != active).collect(), nth)
        }
        Target::AnyController(nth) => nth_of(controllers(), nth),
        Target::Controllers => controllers(),
        Target::AnyBroker(nth) => nth_of(brokers(&mut cluster.broker_ids()), nth),
        Target::Producer(nth) => nth_of(cluster.producer_ids().map(Node::from).collect(), nth),
        Target::Consumer(nth) => nth_of(cluster.consumer_ids().map(Node::from).collect(), nth),
        Target::Brokers => all(|node| node.broker().is_some()),
        Target::Clients => all(Node::is_client),
        Target::Everyone => all(|_| true),
        Target::Seen => Vec::new(),
    }
}

/// The active controller; if there is none, the one that was last, or the first.
pub(crate) fn controller(cluster: &Cluster, cast: &Cast) -> ControllerId {
    let first = || cluster.controller_ids().next().expect("the cluster has controllers");
    match cast.controller() {
        Some((Node::Controller(id), _)) => id,
        _ => first(),
    }
}

/// In ZooKeeper mode: the broker that is the controller; if none is, the one that was last, or the first.
pub(crate) fn controlling_broker(cast: &Cast) -> BrokerId {
    cast.controller().and_then(|(node, _)| node.broker()).unwrap_or(BrokerId(1))
}
