//! What a controller reads, and what it makes of it (C64, C67, C72).
//!
//! It must not know what is decided on it.

use std::collections::{BTreeMap, BTreeSet};

use super::Answers;
use super::context::Topic;
use super::jobs::Job;
use super::reign::Reign;
use crate::names::{BrokerEpoch, BrokerId, Partition, TopicId};
use crate::protocol::Protocol;
use crate::wire::{Answer, Call, Operation, ZooKeeperError};
use crate::zookeeper::znodes::{
    BROKER_IDS, Content, ISR_CHANGES, IsrChangeNode, KNOWN_BROKERS, KnownBrokersNode, StateNode, TOPICS,
    TopicConfigNode, TopicNode, broker_path, state_path, topic_config_path, topic_path,
};

impl Reign {
    /// What is to be asked for a job that reads; `None` if it does not.
    pub(super) fn reading_calls(&self, job: &Job) -> Option<Vec<Call>> {
        let children = |path: &str| vec![Call::Children { path: path.to_owned(), watch: true }];
        let get = |path: String| Call::Get { path, watch: false };
        Some(match job {
            Job::KnownBrokers => vec![get(KNOWN_BROKERS.to_owned())],
            Job::Brokers => children(BROKER_IDS),
            Job::BrokerNodes(ids) => ids.iter().map(|id| get(broker_path(*id))).collect(),
            Job::Topics => children(TOPICS),
            Job::TopicNodes(names) => {
                names.iter().flat_map(|name| [get(topic_path(name)), get(topic_config_path(name))]).collect()
            }
            Job::States(partitions) => self.state_calls(partitions),
            Job::IsrChanges => children(ISR_CHANGES),
            Job::IsrChangeNodes(names) => names.iter().map(|name| get(format!("{ISR_CHANGES}/{name}"))).collect(),
            Job::Forget(names) => {
                let delete = |name: &String| Operation::Delete { path: format!("{ISR_CHANGES}/{name}") };
                names.iter().map(|name| Call::Multi(vec![delete(name)])).collect()
            }
            _ => return None,
        })
    }

    pub(super) fn state_calls(&self, partitions: &[Partition]) -> Vec<Call> {
        let path = |partition: &Partition| state_path(self.context.name(partition.topic), partition.index);
        partitions.iter().map(|partition| Call::Get { path: path(partition), watch: false }).collect()
    }

    /// Takes in what was read.
    pub(super) fn read(&mut self, job: Job, answers: Answers, protocol: &Protocol) {
        match job {
            Job::KnownBrokers => {
                let known = answers.first().and_then(node::<KnownBrokersNode>).map(|(node, _)| node.epochs);
                let known = known.unwrap_or_default().into_iter();
                self.context.known = known.map(|(id, epoch)| (BrokerId(id), BrokerEpoch(epoch))).collect();
            }
            Job::Brokers => {
                let ids = names(&answers).filter_map(|name| name.parse().ok()).map(BrokerId).collect();
                self.jobs.push_front(Job::BrokerNodes(ids));
            }
            Job::BrokerNodes(ids) => {
                let epoch = |answer: Result<Answer, ZooKeeperError>| match answer {
                    Ok(Answer::Node { stat, .. }) => Some(BrokerEpoch(stat.czxid.0)),
                    _ => None,
                };
                let alive = ids.into_iter().zip(answers).filter_map(|(id, answer)| Some((id, epoch(answer)?)));
                let alive = alive.collect();
                self.alive(alive, protocol);
            }
            Job::Topics => {
                let is_known =
                    |name: &str| self.context.named(name).is_some() || self.context.deleting.contains_key(name);
                let new = names(&answers).filter(|name| !is_known(name)).cloned().collect();
                self.jobs.push_front(Job::TopicNodes(new));
            }
            Job::TopicNodes(names) => self.topics_read(names, &answers),
            Job::States(partitions) => {
                for (partition, answer) in partitions.into_iter().zip(answers) {
                    self.take_state(partition, answer);
                }
            }
            Job::IsrChanges => {
                let names = names(&answers).cloned().collect();
                self.jobs.push_front(Job::IsrChangeNodes(names));
            }
            Job::IsrChangeNodes(names) => {
                let notified = answers.iter().filter_map(node::<IsrChangeNode>).map(|(node, _)| node.partitions);
                let partitions: BTreeSet<Partition> = notified.flatten().collect();
                let partitions: Vec<Partition> = partitions.into_iter().collect();
                for job in [Job::Forget(names), Job::Announce(partitions.clone()), Job::States(partitions)] {
                    self.jobs.push_front(job);
                }
            }
            _ => {}
        }
    }

    /// A state was read. `false` if there is none.
    pub(super) fn take_state(&mut self, partition: Partition, answer: Result<Answer, ZooKeeperError>) -> bool {
        let Some((state, version)) = node::<StateNode>(&answer) else { return false };
        self.context.read(partition, &state, version);
        true
    }

    /// These are alive. Who is, but is not the one who was, has been away (KIP-380).
    fn alive(&mut self, alive: BTreeMap<BrokerId, BrokerEpoch>, protocol: &Protocol) {
        if !self.begun {
            let known = &self.context.known;
            let is_known = |broker: &BrokerId, epoch: &BrokerEpoch| {
                !protocol.bouncing.is_remembered() || known.get(broker) == Some(epoch)
            };
            let (live, returned) = alive.into_iter().partition(|(broker, epoch)| is_known(broker, epoch));
            (self.context.live, self.context.returned) = (live, returned);
            for (broker, epoch) in &self.context.live {
                self.channels.open(*broker, *epoch);
            }
            return;
        }
        let known = &self.context.live;
        let has_bounced = |broker: &BrokerId, epoch: &BrokerEpoch| {
            protocol.bouncing.is_seen() && known.get(broker).is_some_and(|known| known != epoch)
        };
        let is_there = |broker: &BrokerId| alive.get(broker).is_some_and(|epoch| !has_bounced(broker, epoch));
        let gone: BTreeSet<BrokerId> = known.keys().copied().filter(|broker| !is_there(broker)).collect();
        let new = alive.iter().filter(|(broker, epoch)| !known.contains_key(broker) || has_bounced(broker, epoch));
        let new: Vec<(BrokerId, BrokerEpoch)> = new.map(|(broker, epoch)| (*broker, *epoch)).collect();
        if protocol.bouncing.is_remembered() && !(new.is_empty() && gone.is_empty()) {
            self.jobs.push_front(Job::Remember);
        }
        if !new.is_empty() {
            self.jobs.push_front(Job::Join(new));
        }
        if !gone.is_empty() {
            self.jobs.push_front(Job::Fail(gone));
        }
    }

    fn topics_read(&mut self, names: Vec<String>, answers: &Answers) {
        let mut partitions = Vec::new();
        for (name, pair) in names.into_iter().zip(answers.chunks(2)) {
            let Some(Ok(Answer::Node { data, stat })) = pair.first() else { continue };
            let Some(assignment) = TopicNode::decode(data) else { continue };
            let id = TopicId(stat.czxid.0.unsigned_abs());
            let config = pair.get(1).and_then(node::<TopicConfigNode>);
            let (config, config_version) = config.map(|(node, version)| (node.config, version)).unwrap_or_default();
            partitions.extend(assignment.partitions.keys().map(|&index| Partition { topic: id, index }));
            let version = stat.version;
            self.context.topics.insert(id, Topic { name, assignment, version, config, config_version });
        }
        self.jobs.push_front(Job::States(partitions));
    }
}

/// The names of a node's children, as answered.
pub(super) fn names(answers: &Answers) -> impl Iterator<Item = &String> {
    let names = match answers.first() {
        Some(Ok(Answer::Children(names))) => names.as_slice(),
        _ => &[],
    };
    names.iter()
}

/// A node's content and version, as answered.
fn node<C: Content>(answer: &Result<Answer, ZooKeeperError>) -> Option<(C, i32)> {
    match answer {
        Ok(Answer::Node { data, stat }) => Some((C::decode(data)?, stat.version)),
        _ => None,
    }
}
