//! Properties that are changed while brokers run (C48 in ZooKeeper mode, KIP-226): the ensemble tells that there was a change,
//! and each broker reads what has become of it, late and at its own pace.
//!
//! Notifications are numbered and stay where they are, so that nobody misses one whose session was interrupted. (Kafka deletes
//! them after a quarter of an hour.) It must not know what a property is for.

use std::collections::{BTreeMap, BTreeSet};

use super::Tag;
use crate::broker::Process;
use crate::broker::step::Step;
use crate::config::TopicConfig;
use crate::metadata::ConfigResource;
use crate::names::{BrokerId, TopicId};
use crate::wire::{Answer, Call, ToldTopic, ZooKeeperError};
use crate::zookeeper::controller::Answers;
use crate::zookeeper::znodes::{
    BrokerConfigNode, CONFIG_CHANGES, ConfigChangeNode, Content, Kind, TopicConfigNode, broker_config_path,
    topic_config_path, topic_path,
};

/// What this broker has taken in.
#[derive(Clone, Debug, Default)]
pub(super) struct Configs {
    /// Of which notifications.
    upto: Option<String>,
    /// The newest properties of each topic, and their version.
    topics: BTreeMap<TopicId, (i32, TopicConfig)>,
}

/// Whose properties are read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    Topic(String),
    Broker(Option<BrokerId>),
}

impl Configs {
    /// The properties of a topic, as they were read; the newest count.
    pub(super) fn learn(&mut self, id: TopicId, version: i32, config: TopicConfig) -> TopicConfig {
        let known = self.topics.entry(id).or_insert((version, config.clone()));
        if version > known.0 {
            *known = (version, config);
        }
        known.1.clone()
    }

    /// The same of a topic that a controller has told. What it tells of one that is known is not listened to: the broker reads
    /// that for itself.
    pub(super) fn learn_told(&mut self, told: &ToldTopic) -> TopicConfig {
        match self.topics.get(&told.id) {
            Some((_, known)) => known.clone(),
            None => self.learn(told.id, told.config_version, (*told.config).clone()),
        }
    }

    pub(super) fn forget(&mut self, id: TopicId) {
        self.topics.remove(&id);
    }
}

impl Entity {
    fn of(notice: &ConfigChangeNode) -> Option<Self> {
        match Kind::of(&format!("/config/{}", notice.entity_path))? {
            Kind::TopicConfig(name) => Some(Self::Topic(name.to_owned())),
            Kind::BrokerConfig(broker) => Some(Self::Broker(broker)),
            _ => None,
        }
    }

    fn calls(&self) -> Vec<Call> {
        let get = |path: String| Call::Get { path, watch: false };
        match self {
            Self::Topic(name) => vec![get(topic_path(name)), get(topic_config_path(name))],
            Self::Broker(broker) => vec![get(broker_config_path(*broker))],
        }
    }
}

impl Process {
    /// What this broker has to know of properties before it opens its logs: those of all brokers and its own.
    pub(super) fn own_config_calls(&self) -> Vec<Call> {
        self.own_entities().iter().flat_map(Entity::calls).collect()
    }

    pub(super) fn own_configs_read(&mut self, answers: &[Result<Answer, ZooKeeperError>]) {
        let entities = self.own_entities();
        self.take_in(&entities, answers);
    }

    /// Looks for changes, and asks to be told of the next.
    pub(super) fn look_for_changes(&mut self, step: &mut Step<'_>) {
        self.ask(Tag::ConfigChanges, vec![Call::Children { path: CONFIG_CHANGES.to_owned(), watch: true }], step);
    }

    pub(super) fn changes_listed(&mut self, answers: &Answers, step: &mut Step<'_>) {
        let Some(Ok(Answer::Children(names))) = answers.first() else { return };
        let Some(zookeeper) = &self.zookeeper else { return };
        let upto = &zookeeper.configs.upto;
        let new: Vec<String> = names.iter().filter(|name| Some(*name) > upto.as_ref()).cloned().collect();
        let Some(last) = new.last().cloned() else { return };
        let get = |name: &String| Call::Get { path: format!("{CONFIG_CHANGES}/{name}"), watch: false };
        self.ask(Tag::ConfigChangeNodes(last), new.iter().map(get).collect(), step);
    }

    /// Of whom the changes are: each is read once, however often it was changed.
    pub(super) fn changes_read(&mut self, upto: String, answers: &Answers, step: &mut Step<'_>) {
        let notice = |answer: &Result<Answer, ZooKeeperError>| match answer {
            Ok(Answer::Node { data, .. }) => Entity::of(&ConfigChangeNode::decode(data)?),
            _ => None,
        };
        let all: BTreeSet<Entity> = answers.iter().filter_map(notice).collect();
        let concerned = |entity: &Entity| match entity {
            Entity::Topic(_) => true,
            Entity::Broker(broker) => broker.is_none_or(|broker| broker == self.own.id),
        };
        let entities: Vec<Entity> = all.into_iter().filter(concerned).collect();
        let calls = entities.iter().flat_map(Entity::calls).collect();
        self.ask(Tag::Configs(upto, entities), calls, step);
    }

    /// What they are now.
    pub(super) fn configs_read(&mut self, upto: String, entities: &[Entity], answers: &Answers, step: &mut Step<'_>) {
        self.take_in(entities, answers);
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.configs.upto = zookeeper.configs.upto.take().max(Some(upto));
        }
        self.with_controller(step, |controller, hands| controller.reconfigured(hands));
    }

    fn own_entities(&self) -> [Entity; 2] {
        [Entity::Broker(None), Entity::Broker(Some(self.own.id))]
    }

    /// Takes in what was read. Another minimum alone moves no high watermark (R40).
    fn take_in(&mut self, entities: &[Entity], answers: &[Result<Answer, ZooKeeperError>]) {
        let mut answers = answers.iter();
        let mut changed = BTreeSet::new();
        let mut servers = false;
        for entity in entities {
            match entity {
                Entity::Topic(_) => {
                    let (topic, config) = (answers.next(), answers.next());
                    changed.extend(self.take_in_topic(topic, config));
                }
                Entity::Broker(broker) => {
                    let resource = broker.map_or(ConfigResource::Cluster, ConfigResource::Broker);
                    let properties = match answers.next() {
                        Some(Ok(Answer::Node { data, .. })) => {
                            BrokerConfigNode::decode(data).unwrap_or_default().config
                        }
                        _ => BTreeMap::new(),
                    };
                    servers |=
                        self.image.configs.insert(resource, properties.clone()).unwrap_or_default() != properties;
                }
            }
        }
        if servers {
            self.own.config = self.image.broker_config(Some(self.own.id), &self.own.fixed);
            self.reconfigure_all();
        } else {
            self.reconfigure(&changed);
        }
    }

    /// A topic's properties, with the node that says which topic of that name it is.
    fn take_in_topic(
        &mut self,
        topic: Option<&Result<Answer, ZooKeeperError>>,
        config: Option<&Result<Answer, ZooKeeperError>>,
    ) -> Option<TopicId> {
        let (Some(Ok(Answer::Node { stat: of, .. })), Some(Ok(Answer::Node { data, stat }))) = (topic, config) else {
            return None;
        };
        let id = TopicId(of.czxid.0.unsigned_abs());
        let read = TopicConfigNode::decode(data)?.config;
        let config = self.zookeeper.as_mut()?.configs.learn(id, stat.version, read);
        let known = self.image.topics.get_mut(&id)?;
        known.config = config;
        Some(id)
    }
}
