//! What was decided, told as the records of a metadata log would tell it: so that one judge understands both modes.
//!
//! It reads committed znodes and changes none. It must not know sessions, watches or messages.

use std::collections::BTreeMap;

use crate::metadata::{MetadataRecord, PartitionChange};
use crate::names::{BrokerEpoch, BrokerId, Incarnation, LeaderEpoch, Offset, Partition, TopicId};
use crate::zookeeper::znodes::{Content, Kind, StateNode, TopicConfigNode, TopicNode, topic_config_path, topic_path};

use super::tree::{Change, ChangeKind, Tree};

/// What has been told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chronicle {
    next: u64,
    brokers: BTreeMap<BrokerId, BrokerEpoch>,
    states: BTreeMap<String, StateNode>,
}

impl Chronicle {
    /// What these changes, which the tree has seen already, decide.
    pub(super) fn tell(&mut self, tree: &Tree, changes: &[Change]) -> Vec<(Offset, MetadataRecord)> {
        let mut records = Vec::new();
        for change in changes {
            match (Kind::of(&change.path), change.kind) {
                (Some(Kind::ControllerEpoch), _) => records.extend(controller_epoch(tree, &change.path)),
                (Some(Kind::Broker(broker)), ChangeKind::Deleted) => records.extend(self.broker_gone(broker)),
                (Some(Kind::Broker(broker)), ChangeKind::Created) => {
                    records.extend(self.broker_came(broker, tree, &change.path));
                }
                (Some(Kind::Topic(name)), ChangeKind::Created) => records.extend(topic(tree, name)),
                (Some(Kind::State(topic, index)), ChangeKind::Created | ChangeKind::Set) => {
                    records.extend(self.state(tree, &change.path, topic, index));
                }
                _ => {}
            }
        }
        let first = self.next;
        self.next += records.len() as u64;
        (first..).map(Offset).zip(records).collect()
    }

    /// A broker is alive: registered, and not fenced.
    fn broker_came(&mut self, broker: BrokerId, tree: &Tree, path: &str) -> Vec<MetadataRecord> {
        let Some(node) = tree.get(path) else { return Vec::new() };
        let epoch = BrokerEpoch(node.stat.czxid.0);
        let incarnation = Incarnation(node.stat.owner.map_or(0, |session| session.0));
        self.brokers.insert(broker, epoch);
        vec![MetadataRecord::RegisterBroker { broker, incarnation, epoch }, fencing(broker, epoch, false)]
    }

    fn broker_gone(&mut self, broker: BrokerId) -> Option<MetadataRecord> {
        self.brokers.remove(&broker).map(|epoch| fencing(broker, epoch, true))
    }

    fn state(&mut self, tree: &Tree, path: &str, topic: &str, index: u32) -> Option<MetadataRecord> {
        let node = tree.get(path)?;
        let now = StateNode::decode(&node.data)?;
        let assigned = tree.get(&topic_path(topic))?;
        let partition = Partition { topic: topic_id(assigned.stat.czxid.0), index };
        let Some(before) = self.states.insert(path.to_owned(), now.clone()) else {
            let replicas = TopicNode::decode(&assigned.data)?.replicas(index);
            return Some(MetadataRecord::Partition(now.registration(partition, replicas, node.stat.version)));
        };
        Some(MetadataRecord::PartitionChange(PartitionChange {
            leader: (now.leader_epoch != before.leader_epoch).then(|| now.leader()),
            isr: (now.isr != before.isr).then(|| now.isr()),
            ..PartitionChange::of(partition)
        }))
    }
}

fn controller_epoch(tree: &Tree, path: &str) -> Option<MetadataRecord> {
    let node = tree.get(path)?;
    let epoch = std::str::from_utf8(&node.data).ok()?.parse().ok()?;
    Some(MetadataRecord::LeaderChange { epoch: LeaderEpoch(epoch) })
}

fn topic(tree: &Tree, name: &str) -> Option<MetadataRecord> {
    let id = topic_id(tree.get(&topic_path(name))?.stat.czxid.0);
    let config = tree.get(&topic_config_path(name)).and_then(|node| TopicConfigNode::decode(&node.data));
    let config = Box::new(config.unwrap_or_default().config);
    Some(MetadataRecord::Topic { name: name.to_owned(), id, config })
}

fn fencing(broker: BrokerId, epoch: BrokerEpoch, fenced: bool) -> MetadataRecord {
    let fenced = Some(fenced);
    MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown: false }
}

/// A topic's id is the transaction that made it.
fn topic_id(czxid: i64) -> TopicId {
    TopicId(czxid.unsigned_abs())
}
