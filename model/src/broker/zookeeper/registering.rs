//! How a broker comes to be known: it reads which topics there are, opens its logs, and makes its ephemeral node (C61, C72).
//!
//! While the session of an earlier life has not ended, its node stands in the way, so a broker that returns quickly has to
//! wait (and the process of Kafka ends and is started again until then). It must not know partitions.

use std::time::Duration;

use bytes::Bytes;

use super::Tag;
use crate::broker::Process;
use crate::broker::step::Step;
use crate::log::checkpoint;
use crate::machine::Stop;
use crate::metadata::TopicRegistration;
use crate::names::{BrokerEpoch, Partition, Time, TopicId};
use crate::wire::{Answer, Call, CreateMode, Operation, ZooKeeperError};
use crate::zookeeper::controller::Answers;
use crate::zookeeper::znodes::{
    Content, TOPICS, TopicConfigNode, TopicNode, broker_path, topic_config_path, topic_path,
};

/// Wait before a node that stands in the way is looked at again.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// How far that has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registering {
    retry_at: Option<Time>,
    /// Without a registration by then the process ends.
    give_up_at: Option<Time>,
}

impl Registering {
    pub(super) fn new(give_up_at: Time) -> Self {
        Self { retry_at: None, give_up_at: Some(give_up_at) }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.retry_at.into_iter().chain(self.give_up_at).min()
    }
}

impl Process {
    pub(super) fn list_topics(&mut self, step: &mut Step<'_>) {
        let topics = Call::Children { path: TOPICS.to_owned(), watch: false };
        let calls = std::iter::once(topics).chain(self.own_config_calls()).collect();
        self.ask(Tag::Topics, calls, step);
    }

    pub(super) fn topics_listed(&mut self, answers: &Answers, step: &mut Step<'_>) {
        let names = match answers.first() {
            Some(Ok(Answer::Children(names))) => names.clone(),
            _ => Vec::new(),
        };
        self.own_configs_read(answers.get(1..).unwrap_or_default());
        let get = |path: String| Call::Get { path, watch: false };
        let calls = names.iter().flat_map(|name| [get(topic_path(name)), get(topic_config_path(name))]).collect();
        self.ask(Tag::TopicNodes(names), calls, step);
    }

    /// What there is decides which of the directories here are logs, and by which properties (L46-L56).
    pub(super) fn topics_known(
        &mut self,
        names: Vec<String>,
        answers: &Answers,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        for (name, pair) in names.into_iter().zip(answers.chunks(2)) {
            let Some(Ok(Answer::Node { data, stat })) = pair.first() else { continue };
            let Some(node) = TopicNode::decode(data) else { continue };
            let Some(zookeeper) = &mut self.zookeeper else { continue };
            let (config, version) = match pair.get(1) {
                Some(Ok(Answer::Node { data, stat })) => {
                    (TopicConfigNode::decode(data).unwrap_or_default().config, stat.version)
                }
                _ => Default::default(),
            };
            let id = TopicId(stat.czxid.0.unsigned_abs());
            let config = zookeeper.configs.learn(id, version, config);
            let partitions = u32::try_from(node.partitions.len()).unwrap_or(u32::MAX);
            self.image.topics.insert(id, TopicRegistration { name, config, partitions });
        }
        if self.replicas.is_empty() {
            let here = self.folder.directories.iter();
            let partition = |(name, topic): (&String, &Option<TopicId>)| {
                let (topic, (_, index)) = ((*topic)?, checkpoint::split_directory(name)?);
                let partition = Partition { topic, index };
                (self.image.directory(partition).as_deref() == Some(name)).then_some(partition)
            };
            let here: Vec<Partition> = here.filter_map(partition).collect();
            self.open_logs_of(here, step)?;
        }
        self.register(step);
        Ok(())
    }

    /// Makes the node that says that this broker is alive.
    pub(super) fn register(&mut self, step: &mut Step<'_>) {
        if self.lifecycle.is_shutting_down() && self.lifecycle.epoch().is_none() {
            return;
        }
        let path = broker_path(self.own.id);
        let create = Operation::Create { path, data: Bytes::new(), mode: CreateMode::Ephemeral };
        self.ask(Tag::Register, vec![Call::Multi(vec![create])], step);
    }

    pub(super) fn register_answered(&mut self, answers: &Answers, step: &mut Step<'_>) -> Result<(), Stop> {
        match answers.first() {
            Some(Ok(Answer::Done(stats))) => {
                let czxid = stats.first().map_or(0, |stat| stat.czxid.0);
                self.is_registered(czxid, step)
            }
            _ => {
                self.ask(Tag::WhoIsIt, vec![Call::Get { path: broker_path(self.own.id), watch: false }], step);
                Ok(())
            }
        }
    }

    /// The node is there already: made by this very session, if an answer got lost, or by one that has not ended.
    pub(super) fn registered_instead(&mut self, answers: &Answers, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(zookeeper) = &mut self.zookeeper else { return Ok(()) };
        match answers.first() {
            Some(Ok(Answer::Node { stat, .. })) if stat.owner == zookeeper.session.id() => {
                let czxid = stat.czxid.0;
                return self.is_registered(czxid, step);
            }
            Some(Err(ZooKeeperError::NoNode)) => self.register(step),
            _ => zookeeper.registering.retry_at = Some(step.now + RETRY_AFTER),
        }
        Ok(())
    }

    pub(super) fn tick_registering(&mut self, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        let registering = &mut zookeeper.registering;
        if registering.give_up_at.take_if(|at| step.now >= *at).is_some() {
            registering.retry_at = None;
            return step.effects.exit();
        }
        if registering.retry_at.take_if(|at| step.now >= *at).is_some() {
            self.register(step);
        }
    }

    fn is_registered(&mut self, czxid: i64, step: &mut Step<'_>) -> Result<(), Stop> {
        if let Some(zookeeper) = &mut self.zookeeper {
            (zookeeper.registering.retry_at, zookeeper.registering.give_up_at) = (None, None);
        }
        self.registered_as(BrokerEpoch(czxid), step)
    }

    pub(super) fn ask(&mut self, tag: Tag, calls: Vec<Call>, step: &mut Step<'_>) {
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.session.ask(tag, calls, step.now, step.effects);
        }
    }
}
