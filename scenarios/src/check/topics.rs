//! Topics as the controller has committed them: their properties, which may change while they are used, and their end.
//!
//! A part of the reconstruction that all checks share. It demands nothing.

use model::config::TopicConfig;
use model::metadata::ConfigResource;
use model::names::{Partition, TopicId};

use super::replicas::Replicas;
use crate::promise::TopicPromise;

/// A topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicView {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: String,
    /// Its own properties now.
    pub config: TopicConfig,
    /// What it promises now.
    pub promise: TopicPromise,
    /// Places in `partitions`, by index within the topic.
    pub places: Vec<Option<u32>>,
}

impl Replicas {
    /// A topic was created.
    pub(super) fn create(&mut self, id: TopicId, name: &str, config: &TopicConfig) {
        let promise = self.promise.topic(config);
        let topic = self.topic(id);
        let view = &mut self.topics[topic];
        (view.name, view.config, view.promise) = (name.to_owned(), config.clone(), promise);
    }

    /// Whether somebody asked for another set of replicas of this partition, ever.
    pub(crate) fn was_to_be_reassigned(&self, partition: Partition) -> bool {
        let topic = self.topics.iter().find(|topic| topic.id == partition.topic);
        topic.is_some_and(|topic| self.reassigned.contains_key(&(topic.name.clone(), partition.index)))
    }

    /// How many sets of replicas were asked for since the last reassignment of this partition ended.
    pub(crate) fn reassignments_asked(&self, partition: Partition) -> u32 {
        let topic = self.topics.iter().find(|topic| topic.id == partition.topic);
        let asked = topic.and_then(|topic| self.reassigned.get(&(topic.name.clone(), partition.index)));
        asked.copied().unwrap_or_default()
    }

    /// A reassignment of this partition has ended.
    pub(crate) fn reassignment_ended(&mut self, partition: Partition) {
        let topic = self.topics.iter().find(|topic| topic.id == partition.topic);
        let asked = topic.and_then(|topic| self.reassigned.get_mut(&(topic.name.clone(), partition.index)));
        if let Some(asked) = asked {
            *asked = 0;
        }
    }

    /// Whether somebody has led one of its partitions, so that records may be on their way.
    pub(crate) fn is_in_use(&self, id: TopicId) -> bool {
        self.partitions.iter().any(|view| view.partition.topic == id && !view.epochs.is_empty())
    }

    /// A topic was deleted: nobody leads its partitions any more, and nobody is held to what they had (R99).
    pub(super) fn remove(&mut self, id: TopicId) {
        for view in self.partitions.iter_mut().filter(|view| view.partition.topic == id) {
            view.topic_deleted = true;
            view.registration = None;
        }
    }

    /// A dynamic property was set, or forgotten (C48). Those of one broker are taken as those of all: less can be demanded.
    pub(super) fn configure(&mut self, resource: ConfigResource, name: &str, value: Option<&str>) {
        let changed = match resource {
            ConfigResource::Topic(id) => {
                let topic = self.topic(id);
                let config = &mut self.topics[topic].config;
                // The controller has refused what cannot be, and nothing changes then.
                if let Ok(changed) = config.with_property(name, value) {
                    *config = changed;
                }
                topic..topic + 1
            }
            ConfigResource::Cluster | ConfigResource::Broker(_) => {
                // What holds again is what they were told at their start, which may differ from broker to broker.
                if let Some(value) = value {
                    self.promise.configure_brokers(name, value);
                }
                0..self.topics.len()
            }
        };
        for topic in changed {
            let now = self.promise.topic(&self.topics[topic].config);
            self.topics[topic].promise = now;
            for place in self.topics[topic].places.iter().flatten() {
                let view = &mut self.partitions[*place as usize];
                view.promise = view.promise.or(now);
                view.now = now;
                view.highest_min_isr = view.highest_min_isr.max(now.min_isr);
            }
        }
    }

    /// The topic's place in the list, made if it is new.
    pub(super) fn topic(&mut self, id: TopicId) -> usize {
        if let Some(known) = self.topics.iter().position(|topic| topic.id == id) {
            return known;
        }
        let config = TopicConfig::default();
        let promise = self.promise.topic(&config);
        self.topics.push(TopicView { id, name: String::new(), config, promise, places: Vec::new() });
        self.topics.len() - 1
    }
}
