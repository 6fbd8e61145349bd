//! What was decided, told as the records of a metadata log would tell it: so that one judge understands both modes.
//!
//! It reads committed znodes and changes none. It must not know sessions, watches or messages.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::TopicConfig;
use crate::metadata::{ConfigResource, MetadataRecord, PartitionChange};
use crate::names::{BrokerEpoch, BrokerId, Incarnation, LeaderEpoch, Offset, Partition, TopicId};
use crate::zookeeper::znodes::{
    BrokerConfigNode, Content, Kind, StateNode, TopicConfigNode, TopicNode, broker_config_path, topic_config_path,
    topic_path,
};

use super::tree::{Change, ChangeKind, Tree};

/// What has been told so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chronicle {
    next: u64,
    brokers: BTreeMap<BrokerId, BrokerEpoch>,
    states: BTreeMap<String, StateNode>,
    topics: BTreeMap<String, TopicNode>,
    /// By the path of the znode.
    configs: BTreeMap<String, BTreeMap<String, String>>,
    /// Topics that are to be deleted. What still befalls them is of no interest.
    deleted: BTreeSet<TopicId>,
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
                (Some(Kind::Topic(name)), ChangeKind::Created) => records.extend(self.topic_came(tree, name)),
                (Some(Kind::Topic(name)), ChangeKind::Set) => records.extend(self.topic_changed(tree, name)),
                (Some(Kind::Topic(name)), ChangeKind::Deleted) => {
                    self.topics.remove(name);
                }
                (Some(Kind::State(topic, index)), ChangeKind::Created | ChangeKind::Set) => {
                    records.extend(self.state(tree, &change.path, topic, index));
                }
                (Some(Kind::State(..)), ChangeKind::Deleted) => {
                    self.states.remove(&change.path);
                }
                (Some(Kind::TopicConfig(name)), ChangeKind::Set) => {
                    let id = id_of(tree, name).filter(|id| !self.deleted.contains(id));
                    let records_of = |id| self.properties(tree, &change.path, ConfigResource::Topic(id));
                    records.extend(id.map(records_of).unwrap_or_default());
                }
                (Some(Kind::BrokerConfig(broker)), ChangeKind::Created | ChangeKind::Set) => {
                    let resource = broker.map_or(ConfigResource::Cluster, ConfigResource::Broker);
                    records.extend(self.properties(tree, &broker_config_path(broker), resource));
                }
                (Some(Kind::DeletedTopic(name)), ChangeKind::Created) => records.extend(self.topic_goes(tree, name)),
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
        let before = self.states.insert(path.to_owned(), now.clone());
        if self.deleted.contains(&partition.topic) {
            return None;
        }
        let Some(before) = before else {
            let assignment = TopicNode::decode(&assigned.data)?.assignment(index);
            return Some(MetadataRecord::Partition(now.registration(partition, assignment, node.stat.version)));
        };
        Some(MetadataRecord::PartitionChange(PartitionChange {
            leader: (now.leader_epoch != before.leader_epoch).then(|| now.leader()),
            isr: (now.isr != before.isr).then(|| now.isr()),
            ..PartitionChange::of(partition)
        }))
    }

    fn topic_came(&mut self, tree: &Tree, name: &str) -> Option<MetadataRecord> {
        let node = tree.get(&topic_path(name))?;
        let path = topic_config_path(name);
        let config = tree.get(&path).and_then(|node| TopicConfigNode::decode(&node.data)).unwrap_or_default().config;
        self.topics.insert(name.to_owned(), TopicNode::decode(&node.data)?);
        self.configs.insert(path, pairs(&config));
        let id = topic_id(node.stat.czxid.0);
        Some(MetadataRecord::Topic { name: name.to_owned(), id, config: Box::new(config) })
    }

    /// Replicas of partitions that are new are told with the first state.
    fn topic_changed(&mut self, tree: &Tree, name: &str) -> Vec<MetadataRecord> {
        let node = tree.get(&topic_path(name));
        let Some((id, now)) = node.and_then(|node| Some((topic_id(node.stat.czxid.0), TopicNode::decode(&node.data)?)))
        else {
            return Vec::new();
        };
        let before = self.topics.insert(name.to_owned(), now.clone()).unwrap_or_default();
        if self.deleted.contains(&id) {
            return Vec::new();
        }
        let known = before.partitions.keys().copied();
        let changed = known.filter(|index| before.assignment(*index) != now.assignment(*index));
        let record = |index| {
            let assignment = now.assignment(index);
            MetadataRecord::Assignment {
                partition: Partition { topic: id, index },
                replicas: assignment.replicas,
                adding: assignment.adding,
                removing: assignment.removing,
            }
        };
        changed.map(record).collect()
    }

    /// Nothing is promised of it from now on, though its znodes stay until all replicas are gone (C74).
    fn topic_goes(&mut self, tree: &Tree, name: &str) -> Option<MetadataRecord> {
        let id = id_of(tree, name)?;
        self.deleted.insert(id).then_some(MetadataRecord::RemoveTopic { id })
    }

    /// Each property that is another one.
    fn properties(&mut self, tree: &Tree, path: &str, resource: ConfigResource) -> Vec<MetadataRecord> {
        let data = tree.get(path).map(|node| &node.data[..]).unwrap_or_default();
        let now = match resource {
            ConfigResource::Topic(_) => pairs(&TopicConfigNode::decode(data).unwrap_or_default().config),
            ConfigResource::Cluster | ConfigResource::Broker(_) => {
                BrokerConfigNode::decode(data).unwrap_or_default().config
            }
        };
        let before = self.configs.insert(path.to_owned(), now.clone()).unwrap_or_default();
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let changed = names.into_iter().filter(|name| before.get(*name) != now.get(*name));
        let record = |name: &String| {
            let value = now.get(name).cloned();
            MetadataRecord::Config { resource, name: name.clone(), value }
        };
        changed.map(record).collect()
    }
}

fn pairs(config: &TopicConfig) -> BTreeMap<String, String> {
    config.entries().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn controller_epoch(tree: &Tree, path: &str) -> Option<MetadataRecord> {
    let node = tree.get(path)?;
    let epoch = std::str::from_utf8(&node.data).ok()?.parse().ok()?;
    Some(MetadataRecord::LeaderChange { epoch: LeaderEpoch(epoch) })
}

fn fencing(broker: BrokerId, epoch: BrokerEpoch, fenced: bool) -> MetadataRecord {
    let fenced = Some(fenced);
    MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown: false }
}

fn id_of(tree: &Tree, name: &str) -> Option<TopicId> {
    tree.get(&topic_path(name)).map(|node| topic_id(node.stat.czxid.0))
}

/// A topic's id is the transaction that made it.
fn topic_id(czxid: i64) -> TopicId {
    TopicId(czxid.unsigned_abs())
}
