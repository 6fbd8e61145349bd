//! What a controller knows of the cluster: who is alive, which topics there are, how each partition was when it was last read
//! or written (C64, C67). The znodes are the truth, this is a copy of it.
//!
//! It must not know how it was read, nor what is decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{BrokerConfig, TopicConfig};
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerEpoch, BrokerId, ControllerEpoch, Partition, TopicId};
use crate::wire::{LeadershipTold, ToldTopic};
use crate::zookeeper::assignment::Assignment;
use crate::zookeeper::znodes::{StateNode, TopicNode};

/// The copy.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// Who is alive, in which registration.
    pub(super) live: BTreeMap<BrokerId, BrokerEpoch>,
    /// Who is alive, but not in the registration that the controller before knew, if it knew one.
    pub(super) returned: BTreeMap<BrokerId, BrokerEpoch>,
    /// Whom the controller before knew.
    pub(super) known: BTreeMap<BrokerId, BrokerEpoch>,
    /// Who of them is on its way out.
    pub(super) shutting_down: BTreeSet<BrokerId>,
    pub(super) topics: BTreeMap<TopicId, Topic>,
    pub(super) states: BTreeMap<Partition, LeadershipTold>,
    /// Topics that are to be deleted, and are not yet because a partition of theirs is being reassigned (C74).
    pub(super) doomed: BTreeSet<String>,
    /// Topics that are being deleted, by name. They are none of the others any more.
    pub(super) deleting: BTreeMap<String, Deletion>,
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) assignment: TopicNode,
    /// Of its znode.
    pub(super) version: i32,
    pub(super) config: TopicConfig,
    /// Of the znode of that.
    pub(super) config_version: i32,
}

/// How far a topic is deleted.
#[derive(Clone, Debug)]
pub(super) struct Deletion {
    pub(super) id: TopicId,
    /// The replicas that have not said that they are gone.
    pub(super) left: BTreeSet<(Partition, BrokerId)>,
    /// Partitions that have a znode.
    pub(super) written: BTreeSet<u32>,
}

impl Context {
    /// Whether a replica there could lead.
    pub(super) fn is_online(&self, broker: BrokerId) -> bool {
        self.live.contains_key(&broker) && !self.shutting_down.contains(&broker)
    }

    /// All partitions that there are to be.
    pub(super) fn partitions(&self) -> Vec<Partition> {
        let of = |(id, topic): (&TopicId, &Topic)| {
            let topic_id = *id;
            let indices: Vec<u32> = topic.assignment.partitions.keys().copied().collect();
            indices.into_iter().map(move |index| Partition { topic: topic_id, index })
        };
        self.topics.iter().flat_map(of).collect()
    }

    pub(super) fn name(&self, topic: TopicId) -> &str {
        self.topics.get(&topic).map_or("", |topic| &topic.name)
    }

    pub(super) fn named(&self, name: &str) -> Option<TopicId> {
        self.topics.iter().find(|(_, topic)| topic.name == name).map(|(id, _)| *id)
    }

    /// The assigned replicas, the preferred leader first.
    pub(super) fn replicas(&self, partition: Partition) -> Vec<BrokerId> {
        self.assignment(partition).replicas
    }

    /// The same, with those that come and go.
    pub(super) fn assignment(&self, partition: Partition) -> Assignment {
        let topic = self.topics.get(&partition.topic);
        topic.map(|topic| topic.assignment.assignment(partition.index)).unwrap_or_default()
    }

    /// The partition has other replicas from now on.
    pub(super) fn assign(&mut self, partition: Partition, assignment: &Assignment) {
        if let Some(topic) = self.topics.get_mut(&partition.topic) {
            topic.assignment = topic.assignment.with(partition.index, assignment);
        }
        if let Some(told) = self.states.get_mut(&partition) {
            told.state.assign(&assignment.replicas, &assignment.adding, &assignment.removing);
        }
    }

    /// Partitions that are being reassigned.
    pub(super) fn moving(&self) -> Vec<Partition> {
        self.partitions().into_iter().filter(|partition| self.assignment(*partition).is_moving()).collect()
    }

    /// The topic is being deleted, and none of the others any more.
    pub(super) fn condemn(&mut self, id: TopicId) {
        let of_topic = |partition: &Partition| partition.topic == id;
        let partitions = self.partitions().into_iter().filter(of_topic);
        let replicas = |partition: Partition| self.replicas(partition).into_iter().map(move |id| (partition, id));
        let left = partitions.flat_map(replicas).collect();
        let written =
            self.states.keys().filter(|partition| of_topic(partition)).map(|partition| partition.index).collect();
        self.states.retain(|partition, _| !of_topic(partition));
        if let Some(topic) = self.topics.remove(&id) {
            self.deleting.insert(topic.name, Deletion { id, left, written });
        }
    }

    /// Whether the topic is deleted, or will be.
    pub(super) fn is_going(&self, name: &str) -> bool {
        self.doomed.contains(name) || self.deleting.contains_key(name)
    }

    pub(super) fn state(&self, partition: Partition) -> Option<&PartitionRegistration> {
        self.states.get(&partition).map(|told| &told.state)
    }

    /// A state was read.
    pub(super) fn read(&mut self, partition: Partition, node: &StateNode, version: i32) {
        let state = node.registration(partition, self.assignment(partition), version);
        let controller_epoch = ControllerEpoch(node.controller_epoch);
        self.states.insert(partition, LeadershipTold { state, controller_epoch });
    }

    /// Partitions without a leader that is alive and stays.
    pub(super) fn offline(&self) -> Vec<Partition> {
        let offline = |told: &&LeadershipTold| !told.state.leader.is_some_and(|leader| self.is_online(leader));
        self.states.values().filter(offline).map(|told| told.state.partition).collect()
    }

    /// Partitions that one of these leads.
    pub(super) fn led_by(&self, brokers: &BTreeSet<BrokerId>) -> Vec<Partition> {
        let led = |told: &&LeadershipTold| told.state.leader.is_some_and(|leader| brokers.contains(&leader));
        self.states.values().filter(led).map(|told| told.state.partition).collect()
    }

    /// Partitions of which one of these has a replica.
    pub(super) fn hosted_by(&self, brokers: &BTreeSet<BrokerId>) -> Vec<Partition> {
        let hosted = |told: &&LeadershipTold| told.state.replicas.iter().any(|replica| brokers.contains(replica));
        self.states.values().filter(hosted).map(|told| told.state.partition).collect()
    }

    /// What a broker must know of the topics of these partitions.
    pub(super) fn told_topics(&self, partitions: &[Partition]) -> Vec<ToldTopic> {
        let ids: BTreeSet<TopicId> = partitions.iter().map(|partition| partition.topic).collect();
        let told = |id: TopicId| {
            let topic = self.topics.get(&id)?;
            let partitions = u32::try_from(topic.assignment.partitions.len()).unwrap_or(u32::MAX);
            let (config, config_version) = (Box::new(topic.config.clone()), topic.config_version);
            Some(ToldTopic { id, name: topic.name.clone(), partitions, config, config_version })
        };
        ids.into_iter().filter_map(told).collect()
    }

    pub(super) fn allows_unclean_election(&self, topic: TopicId, defaults: &BrokerConfig) -> bool {
        let topic = self.topics.get(&topic);
        topic.is_some_and(|topic| topic.config.effective(defaults).unclean_leader_election_enable)
    }
}
