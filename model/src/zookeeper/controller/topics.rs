//! New topics, and the first states of their partitions (C61, C70).
//!
//! Where replicas are placed is decided as in the other mode. It must not know whom to tell.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Answers;
use super::reign::{Reign, creation_error};
use crate::config::TopicConfig;
use crate::controller::{Created, create_topics};
use crate::metadata::{
    BrokerRegistration, Image, MetadataRecord, PartitionRegistration, RecoveryState, TopicRegistration,
};
use crate::names::{Incarnation, LeaderEpoch, Partition, PartitionEpoch, TopicId};
use crate::wire::{Answer, Call, CreateMode, CreateTopicsRequest, CreateTopicsResponse, CreatedTopic, Operation};
use crate::zookeeper::znodes::{Content, TopicConfigNode, TopicNode, topic_config_path, topic_path};

impl Reign {
    /// One transaction for each topic that can be created.
    pub(super) fn topic_calls(&self, request: &CreateTopicsRequest) -> Vec<Call> {
        let Created { records, .. } = create_topics(&self.image(), request);
        let topics = records.iter().filter_map(|record| match record {
            MetadataRecord::Topic { name, id, config } => Some((name, *id, config.as_ref())),
            _ => None,
        });
        let call = |(name, id, config): (&String, TopicId, &TopicConfig)| {
            let create = |path: String, data: Bytes| Operation::Create { path, data, mode: CreateMode::Persistent };
            let config = TopicConfigNode { config: config.clone() };
            let topic = topic_path(name);
            Call::Multi(vec![
                create(topic_config_path(name), config.encode()),
                create(
                    topic.clone(),
                    TopicNode { partitions: assignment(id, &records), ..TopicNode::default() }.encode(),
                ),
                create(format!("{topic}/partitions"), Bytes::new()),
            ])
        };
        topics.map(call).collect()
    }

    /// What to answer, when the ensemble has. A topic's id is the transaction that made it.
    pub(super) fn topics_created(&self, request: &CreateTopicsRequest, answers: Answers) -> CreateTopicsResponse {
        let mut answers = answers.into_iter();
        let judged = |created: CreatedTopic| {
            let result = match created.result {
                Err(refusal) => Err(refusal),
                Ok(_) => match answers.next() {
                    Some(Ok(Answer::Done(stats))) => {
                        Ok(TopicId(stats.get(1).map_or(0, |stat| stat.czxid.0.unsigned_abs())))
                    }
                    Some(Err(error)) => Err(creation_error(error)),
                    Some(Ok(_)) | None => Err(creation_error(crate::wire::ZooKeeperError::NoNode)),
                },
            };
            CreatedTopic { name: created.name, result }
        };
        let topics = create_topics(&self.image(), request).topics.into_iter().map(judged).collect();
        CreateTopicsResponse { topics }
    }

    /// The first state of every partition that has none: all that are alive are in sync, the first leads. Nobody alive, no
    /// state yet.
    pub(super) fn new_states(&self) -> Vec<PartitionRegistration> {
        let new = self.context.partitions().into_iter().filter(|partition| self.context.state(*partition).is_none());
        let state = |partition: Partition| {
            let mut state = self.without_state(partition);
            state.isr = state.replicas.iter().copied().filter(|replica| self.context.is_online(*replica)).collect();
            state.leader = Some(*state.isr.first()?);
            Some(state)
        };
        new.filter_map(state).collect()
    }

    /// What is known of a partition that has no state yet.
    fn without_state(&self, partition: Partition) -> PartitionRegistration {
        let assignment = self.context.assignment(partition);
        PartitionRegistration {
            partition,
            replicas: assignment.replicas,
            isr: Vec::new(),
            leader: None,
            leader_epoch: LeaderEpoch::ZERO,
            partition_epoch: PartitionEpoch::default(),
            recovery_state: RecoveryState::Recovered,
            adding: assignment.adding,
            removing: assignment.removing,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    /// What a placement is decided on. The name of a topic that is being deleted is taken.
    pub(super) fn image(&self) -> Image {
        let mut image = Image::default();
        for (broker, epoch) in &self.context.live {
            let in_controlled_shutdown = self.context.shutting_down.contains(broker);
            let (incarnation, epoch) = (Incarnation(0), *epoch);
            let registration = BrokerRegistration { incarnation, epoch, fenced: false, in_controlled_shutdown };
            image.brokers.insert(*broker, registration);
        }
        for (id, topic) in &self.context.topics {
            let partitions = u32::try_from(topic.assignment.partitions.len()).unwrap_or(u32::MAX);
            let registration = TopicRegistration { name: topic.name.clone(), config: topic.config.clone(), partitions };
            image.topics.insert(*id, registration);
        }
        for (name, deletion) in &self.context.deleting {
            let (name, config) = (name.clone(), TopicConfig::default());
            image.topics.insert(deletion.id, TopicRegistration { name, config, partitions: 0 });
        }
        let all = self.context.partitions().into_iter();
        let state = |partition: Partition| self.context.state(partition).cloned();
        image.partitions.extend(
            all.map(|partition| (partition, state(partition).unwrap_or_else(|| self.without_state(partition)))),
        );
        image
    }
}

/// The replicas of the partitions of a topic.
pub(super) fn assignment(topic: TopicId, records: &[MetadataRecord]) -> BTreeMap<u32, Vec<u32>> {
    let of_topic = records.iter().filter_map(|record| match record {
        MetadataRecord::Partition(state) if state.partition.topic == topic => Some(state),
        _ => None,
    });
    of_topic.map(|state| (state.partition.index, state.replicas.iter().map(|id| id.0).collect())).collect()
}
