//! What an operator asks for (§3.11): each request is judged by what this controller knows, and written for the brokers and for
//! whoever controls next.
//!
//! Kafka has some of it written by whichever broker is asked; here the controller is. It must not know how replicas are moved
//! or deleted.

use bytes::Bytes;

use super::elections::Strategy;
use super::jobs::{Alteration, Job, Written, administered};
use super::reign::{Moved, Reign};
use super::{Answers, Hands, Question};
use crate::config::{BrokerConfig, TopicConfig};
use crate::controller::{Refusal, grow_topic, judge_property};
use crate::names::{BrokerId, Partition, TopicId};
use crate::wire::{
    AdminRequest, AlteredResource, Answer, Call, CreateMode, ErrorCode, Operation, ReplyTo, ZooKeeperError,
};
use crate::zookeeper::znodes::{
    BrokerConfigNode, ConfigChangeNode, Content, TopicConfigNode, TopicNode, broker_config_path, config_change_prefix,
    deleted_topic_path, topic_config_path, topic_path,
};

use super::topics::assignment;

impl Reign {
    pub(super) fn plan_administration<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        request: AdminRequest,
        hands: &mut Hands<'_, T>,
    ) {
        match self.judge(reply, request, hands.config) {
            Ok(jobs) if jobs.is_empty() => hands.answer(reply, administered(ErrorCode::None, String::new())),
            Ok(jobs) => self.jobs.extend(jobs),
            Err((error, message)) => hands.answer(reply, administered(error, message)),
        }
    }

    /// Partitions are given back to their preferred leaders. Kafka leaves a broker alone that has not lost more than a tenth of
    /// its own; as in the other mode, here none is.
    pub(super) fn plan_balance(&mut self) {
        let elsewhere = |partition: &Partition| {
            let state = self.context.state(*partition);
            state.is_some_and(|state| state.leader != state.replicas.first().copied() && state.adding.is_empty())
        };
        let partitions = self.context.partitions().into_iter().filter(elsewhere).collect();
        self.jobs.push_back(Job::Elect(Strategy::Preferred, partitions));
    }

    /// What is to be done, in order; nothing if it is so already.
    fn judge(&self, reply: ReplyTo, request: AdminRequest, config: &BrokerConfig) -> Result<Vec<Job>, Refusal> {
        Ok(match request {
            AdminRequest::DeleteTopic { name } if self.context.is_going(&name) => Vec::new(),
            AdminRequest::DeleteTopic { name } => {
                self.topic(&name)?;
                vec![Job::Doom(reply, name)]
            }
            AdminRequest::CreatePartitions { name, partitions } => vec![self.grow(reply, &name, partitions)?],
            AdminRequest::AlterPartitionReassignments { topic, partition, replicas } => {
                let partition = Partition { topic: self.topic(&topic)?, index: partition };
                self.known(partition)?;
                self.plan_reassignment(reply, partition, replicas.as_deref())?.into_iter().collect()
            }
            AdminRequest::ElectLeaders { topic, partition, unclean } => {
                self.refuse_going(&topic)?;
                let partition = Partition { topic: self.topic(&topic)?, index: partition };
                self.plan_election(reply, partition, unclean)?
            }
            AdminRequest::IncrementalAlterConfigs { resource, name, value } => {
                if let AlteredResource::Topic(topic) = &resource {
                    self.topic(topic)?;
                }
                judge_property(&resource, &name, value.as_deref(), config)?;
                vec![Job::Configure(reply, Alteration { resource, name, value })]
            }
            AdminRequest::UnregisterBroker { .. } => {
                let why = "a broker is registered as long as its session, and no longer".to_owned();
                return Err((ErrorCode::UnsupportedVersion, why));
            }
        })
    }

    fn plan_election(&self, reply: ReplyTo, partition: Partition, unclean: bool) -> Result<Vec<Job>, Refusal> {
        self.known(partition)?;
        let leader = self.context.state(partition).and_then(|state| state.leader);
        let (is_needed, strategy) = if unclean {
            (!leader.is_some_and(|leader| self.context.live.contains_key(&leader)), Strategy::Uncleanly)
        } else {
            (leader != self.context.replicas(partition).first().copied(), Strategy::Preferred)
        };
        if !is_needed {
            return Err((ErrorCode::ElectionNotNeeded, format!("{partition} has the leader that it should have")));
        }
        Ok(vec![Job::Elect(strategy, vec![partition]), Job::Elected(reply, partition, unclean)])
    }

    /// The election that was asked for has been held.
    pub(super) fn say_elected<T: Clone + From<Question>>(
        &self,
        reply: ReplyTo,
        partition: Partition,
        unclean: bool,
        hands: &mut Hands<'_, T>,
    ) {
        let leader = self.context.state(partition).and_then(|state| state.leader);
        let leads_well = |leader: BrokerId| {
            if unclean {
                self.context.is_online(leader)
            } else {
                self.context.replicas(partition).first() == Some(&leader)
            }
        };
        let (error, message) = match (leader.is_some_and(leads_well), unclean) {
            (true, _) => (ErrorCode::None, String::new()),
            (false, true) => (ErrorCode::EligibleLeadersNotAvailable, format!("nobody can lead {partition}")),
            (false, false) => {
                let why = format!("the preferred leader of {partition} is not in sync, or not there");
                (ErrorCode::PreferredLeaderNotAvailable, why)
            }
        };
        hands.answer(reply, administered(error, message));
    }

    fn grow(&self, reply: ReplyTo, name: &str, partitions: u32) -> Result<Job, Refusal> {
        self.refuse_going(name)?;
        let id = self.topic(name)?;
        if self.context.moving().iter().any(|partition| partition.topic == id) {
            return Err((ErrorCode::ReassignmentInProgress, format!("partitions of {name} are being reassigned")));
        }
        let records = grow_topic(&self.image(), id, partitions)?;
        let mut node = self.context.topics.get(&id).map(|topic| topic.assignment.clone()).unwrap_or_default();
        node.partitions.extend(assignment(id, &records));
        Ok(Job::Grow(reply, id, node))
    }

    fn topic(&self, name: &str) -> Result<TopicId, Refusal> {
        let known = self.context.named(name).filter(|_| !self.context.is_going(name));
        known.ok_or_else(|| (ErrorCode::UnknownTopicOrPartition, format!("there is no topic {name}")))
    }

    fn known(&self, partition: Partition) -> Result<(), Refusal> {
        let is_known = !self.context.replicas(partition).is_empty();
        let unknown = || (ErrorCode::UnknownTopicOrPartition, format!("there is no partition {partition}"));
        is_known.then_some(()).ok_or_else(unknown)
    }

    fn refuse_going(&self, name: &str) -> Result<(), Refusal> {
        let is_going = self.context.is_going(name);
        let why = || (ErrorCode::InvalidTopicException, format!("the topic {name} is being deleted"));
        if is_going { Err(why()) } else { Ok(()) }
    }

    /// What is to be asked for a job of these; `None` if it is none.
    pub(super) fn administering_calls(&self, job: &Job) -> Option<Vec<Call>> {
        let create = |path, data, mode| Operation::Create { path, data, mode };
        Some(match job {
            Job::Grow(_, id, node) => {
                let path = topic_path(self.context.name(*id));
                let version = self.context.topics.get(id).map(|topic| topic.version);
                vec![Call::Multi(vec![self.check(), Operation::SetData { path, data: node.encode(), version }])]
            }
            Job::Doom(_, name) => {
                let create = create(deleted_topic_path(name), Bytes::new(), CreateMode::Persistent);
                vec![Call::Multi(vec![self.check(), create])]
            }
            Job::Configure(_, alteration) => {
                vec![Self::epoch_call(), Call::Get { path: path(&alteration.resource), watch: false }]
            }
            Job::Configured(_, alteration, written) => {
                let (path, data) = (path(&alteration.resource), written.data.clone());
                let set = match written.version {
                    Some(version) => Operation::SetData { path, data, version: Some(version) },
                    None => create(path, data, CreateMode::Persistent),
                };
                let notice = ConfigChangeNode { entity_path: entity(&alteration.resource) }.encode();
                let notify = create(config_change_prefix(), notice, CreateMode::PersistentSequential);
                vec![Call::Multi(vec![self.check(), set, notify])]
            }
            _ => return None,
        })
    }

    /// Takes in what the ensemble says to it.
    ///
    /// # Errors
    /// [`Moved`] if this controller is not the one any more.
    pub(super) fn administered<T: Clone + From<Question>>(
        &mut self,
        job: Job,
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        match (job, answers.first()) {
            (Job::Grow(reply, id, node), Some(Ok(_))) => {
                self.grown(id, node);
                hands.answer(reply, administered(ErrorCode::None, String::new()));
            }
            (Job::Grow(reply, id, node), _) => {
                self.jobs.push_front(Job::Grow(reply, id, node));
                self.jobs.push_front(Job::Look(id));
            }
            // Whoever watches learns of it, and that may be this controller.
            (Job::Doom(reply, _), Some(Ok(_) | Err(ZooKeeperError::NodeExists))) => {
                hands.answer(reply, administered(ErrorCode::None, String::new()));
            }
            (Job::Doom(..), _) => return Err(Moved),
            (Job::Configure(reply, alteration), epoch) => {
                self.still_controls(epoch)?;
                match altered(&alteration, answers.get(1)) {
                    Some(written) => self.jobs.push_front(Job::Configured(reply, alteration, written)),
                    None => {
                        let why = format!("{} cannot be so", alteration.name);
                        hands.answer(reply, administered(ErrorCode::InvalidConfig, why));
                    }
                }
            }
            (Job::Configured(reply, alteration, written), Some(Ok(_))) => {
                self.configured(&alteration, &written);
                hands.answer(reply, administered(ErrorCode::None, String::new()));
            }
            // It was written, and the answer got lost; or another one controls.
            (Job::Configured(reply, alteration, _), _) => self.jobs.push_front(Job::Configure(reply, alteration)),
            _ => {}
        }
        Ok(())
    }

    fn grown(&mut self, id: TopicId, node: TopicNode) {
        self.seen_written(id);
        if let Some(topic) = self.context.topics.get_mut(&id) {
            topic.assignment = node;
        }
        self.jobs.push_front(Job::Create);
    }

    /// Elections go by what is written now. What holds for brokers each of them finds out for itself, this one included.
    fn configured(&mut self, alteration: &Alteration, written: &Written) {
        let AlteredResource::Topic(name) = &alteration.resource else { return };
        let Some(topic) = self.context.named(name).and_then(|id| self.context.topics.get_mut(&id)) else { return };
        topic.config = TopicConfigNode::decode(&written.data).unwrap_or_default().config;
        topic.config_version = written.version.map_or(0, |version| version + 1);
    }
}

/// All properties, with the one that is altered; `None` if they cannot be so.
fn altered(alteration: &Alteration, answer: Option<&Result<Answer, ZooKeeperError>>) -> Option<Written> {
    let (before, version) = match answer {
        Some(Ok(Answer::Node { data, stat })) => (&data[..], Some(stat.version)),
        _ => (&[][..], None),
    };
    let Alteration { resource, name, value } = alteration;
    let data = if let AlteredResource::Topic(_) = resource {
        let before: TopicConfig = TopicConfigNode::decode(before).unwrap_or_default().config;
        TopicConfigNode { config: before.with_property(name, value.as_deref()).ok()? }.encode()
    } else {
        let mut node = BrokerConfigNode::decode(before).unwrap_or_default();
        match value {
            Some(value) => node.config.insert(name.clone(), value.clone()),
            None => node.config.remove(name),
        };
        node.encode()
    };
    Some(Written { data, version })
}

fn path(resource: &AlteredResource) -> String {
    match resource {
        AlteredResource::Topic(name) => topic_config_path(name),
        AlteredResource::Cluster => broker_config_path(None),
        AlteredResource::Broker(broker) => broker_config_path(Some(*broker)),
    }
}

/// The same below `/config/`.
fn entity(resource: &AlteredResource) -> String {
    path(resource).trim_start_matches("/config/").to_owned()
}
