//! What a controller knows of the cluster: who is alive, which topics there are, how each partition was when it was last read
//! or written (C64, C67). The znodes are the truth, this is a copy of it.
//!
//! It must not know how it was read, nor what is decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{BrokerConfig, TopicConfig};
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerEpoch, BrokerId, ControllerEpoch, Partition, TopicId};
use crate::wire::{LeadershipTold, ToldTopic};
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
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) assignment: TopicNode,
    pub(super) config: TopicConfig,
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
        let topic = self.topics.get(&partition.topic);
        topic.map(|topic| topic.assignment.replicas(partition.index)).unwrap_or_default()
    }

    pub(super) fn state(&self, partition: Partition) -> Option<&PartitionRegistration> {
        self.states.get(&partition).map(|told| &told.state)
    }

    /// A state was read.
    pub(super) fn read(&mut self, partition: Partition, node: &StateNode, version: i32) {
        let state = node.registration(partition, self.replicas(partition), version);
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
            let config = Box::new(topic.config.clone());
            Some(ToldTopic { id, name: topic.name.clone(), partitions, config })
        };
        ids.into_iter().filter_map(told).collect()
    }

    pub(super) fn allows_unclean_election(&self, topic: TopicId, defaults: &BrokerConfig) -> bool {
        let topic = self.topics.get(&topic);
        topic.is_some_and(|topic| topic.config.effective(defaults).unclean_leader_election_enable)
    }
}
