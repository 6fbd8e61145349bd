//! The shape of a cluster before it exists: who is in it, what they are told, which protocol they speak.
//!
//! A value: it is drawn, printed and kept beside the seed that ran it. Nothing here runs.

use model::config::{Acks, ConfigError, Settings};
use model::names::{BrokerId, ClientId, ControllerId, Node};
use model::protocol::Protocol;
use serde::{Deserialize, Serialize};

use crate::disk::DiskTimings;
use crate::net::Weather;

/// The shape of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// How many brokers: `b1`, `b2`, ...
    pub brokers: u32,
    /// How many controllers: all of them voters of one quorum.
    pub controllers: u32,
    /// Controller `c1` runs in one process with broker `b1`, `c2` with `b2`, and so on: `process.roles=broker,controller`.
    #[serde(default)]
    pub combined: bool,
    /// There is no quorum of controllers but a ZooKeeper ensemble, and brokers elect the controller among themselves (§3.10).
    #[serde(default)]
    pub zookeeper: bool,
    /// How many producers: the first clients.
    pub producers: u32,
    /// How many consumers: the next clients. Each is assigned every partition of one topic, taken in turns.
    pub consumers: u32,
    /// The topics; see [`Cluster::all_topics`] where there is none.
    pub topics: Vec<Topic>,
    /// Partitions of a topic that does not say.
    pub partitions: u32,
    /// Replicas of each partition of a topic that does not say; `None` for as many as there are brokers, but at most 3.
    pub replication_factor: Option<u16>,
    /// Bytes of each payload that the world's own hands produce; at least 8.
    pub payload: usize,
    /// What everybody is told.
    pub settings: Settings,
    /// What everybody speaks, but for [`Cluster::protocols`].
    pub protocol: Protocol,
    /// What single brokers speak.
    pub protocols: Vec<(BrokerId, Protocol)>,
    /// How long messages take on a good day.
    pub weather: Weather,
    /// How long disk calls take on a good day.
    pub disk: DiskTimings,
}

/// A topic to be created before the scenario begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas of each.
    pub replication_factor: u16,
    /// Topic-level properties, by Kafka's names.
    pub config: Vec<(String, String)>,
}

/// The topic of a cluster that names none.
pub const DEFAULT_TOPIC: &str = "records";

/// Nodes of one kind: the network has a place for every pair of nodes.
const MOST_NODES: u64 = 100;
/// Voters of a quorum.
const MOST_CONTROLLERS: u64 = 9;
/// Bytes of a payload; a producer's buffer has half as many.
const MOST_PAYLOAD: u64 = 64 << 20;
/// Partitions of all topics together.
const MOST_PARTITIONS: u64 = 10_000;

impl Cluster {
    /// So many brokers, one controller, one producer, one consumer, one topic with one partition that is replicated to
    /// all brokers but at most three, Kafka's defaults for everything that has one, and the latest protocol.
    #[must_use]
    pub fn of(brokers: u32) -> Self {
        assert!(brokers > 0, "a cluster needs at least one broker");
        Self {
            brokers,
            controllers: 1,
            combined: false,
            zookeeper: false,
            producers: 1,
            consumers: 1,
            topics: Vec::new(),
            partitions: 1,
            replication_factor: None,
            payload: 100,
            settings: Settings::default(),
            protocol: Protocol::LATEST,
            protocols: Vec::new(),
            weather: Weather::default(),
            disk: DiskTimings::default(),
        }
    }

    /// How many controllers: all of them voters of one quorum.
    #[must_use]
    pub fn controllers(mut self, controllers: u32) -> Self {
        self.controllers = controllers;
        self
    }

    /// Controllers run in one process with brokers, as far as there are both.
    #[must_use]
    pub fn combined(mut self) -> Self {
        self.combined = true;
        self
    }

    /// No controllers, but a ZooKeeper ensemble, and brokers that elect the controller among themselves (§3.10), as in the
    /// last Kafka that had it.
    #[must_use]
    pub fn zookeeper(mut self) -> Self {
        self.controllers = 0;
        self.combined = false;
        self.zookeeper = true;
        self.protocol(Protocol::ZOOKEEPER)
    }

    /// Who runs in the same process as this node, if anybody does.
    #[must_use]
    pub fn housemate(&self, node: Node) -> Option<Node> {
        let housed = |id: u32| self.combined && id <= self.controllers.min(self.brokers);
        match node {
            Node::Controller(ControllerId(id)) if housed(id) => Some(BrokerId(id).into()),
            Node::Broker(BrokerId(id)) if housed(id) => Some(ControllerId(id).into()),
            Node::Controller(_) | Node::Broker(_) | Node::Client(_) | Node::Ensemble => None,
        }
    }

    /// How many producers.
    #[must_use]
    pub fn producers(mut self, producers: u32) -> Self {
        self.producers = producers;
        self
    }

    /// How many consumers.
    #[must_use]
    pub fn consumers(mut self, consumers: u32) -> Self {
        self.consumers = consumers;
        self
    }

    /// Replicas of each partition of topics that do not say.
    #[must_use]
    pub fn replication_factor(mut self, replicas: u16) -> Self {
        self.replication_factor = Some(replicas);
        self
    }

    /// Partitions of topics that do not say.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// One more topic, with properties by Kafka's names. The first one replaces the default topic.
    #[must_use]
    pub fn topic(
        mut self,
        name: impl Into<String>,
        partitions: u32,
        replication_factor: u16,
        config: &[(&str, &str)],
    ) -> Self {
        let config = config.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.topics.push(Topic { name: name.into(), partitions, replication_factor, config });
        self
    }

    /// `min.insync.replicas` of all topics that do not say.
    #[must_use]
    pub fn min_isr(self, replicas: u32) -> Self {
        self.property("min.insync.replicas", replicas)
    }

    /// `unclean.leader.election.enable` of all topics that do not say.
    #[must_use]
    pub fn unclean_leader_election(self, enable: bool) -> Self {
        self.property("unclean.leader.election.enable", enable)
    }

    /// `acks` of all producers.
    #[must_use]
    pub fn acks(mut self, acks: Acks) -> Self {
        self.settings.producer.acks = acks;
        self
    }

    /// What everybody speaks.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// What one broker speaks: a rolling upgrade is a cluster whose brokers differ.
    #[must_use]
    pub fn protocol_of(mut self, broker: BrokerId, protocol: Protocol) -> Self {
        self.protocols.retain(|(known, _)| *known != broker);
        self.protocols.push((broker, protocol));
        self
    }

    /// How long messages take on a good day.
    #[must_use]
    pub fn latency(mut self, weather: Weather) -> Self {
        self.weather = weather;
        self
    }

    /// How long disk calls take on a good day.
    #[must_use]
    pub fn disk_timings(mut self, timings: DiskTimings) -> Self {
        self.disk = timings;
        self
    }

    /// Bytes of each payload that the world's own hands produce; less than 8 count as 8, the size of a value.
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes.max(8);
        self
    }

    /// What everybody is told, all of it; whatever was set before is forgotten.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// One property by Kafka's name, as it would stand in one flat file for the whole cluster: a producer's behind
    /// `producer.`, a consumer's behind `consumer.`, a topic's behind `topic.`.
    ///
    /// # Panics
    /// If there is no such property or it cannot have this value; [`Cluster::try_property`] returns that.
    #[must_use]
    pub fn property(self, name: &str, value: impl ToString) -> Self {
        match self.try_property(name, value) {
            Ok(cluster) => cluster,
            Err(error) => panic!("{error}"),
        }
    }

    /// Several properties at once, where each alone would contradict what is set already.
    ///
    /// # Panics
    /// Like [`Cluster::property`]; [`Cluster::try_properties`] returns that.
    #[must_use]
    pub fn properties(self, properties: &[(&str, &str)]) -> Self {
        match self.try_properties(properties) {
            Ok(cluster) => cluster,
            Err(error) => panic!("{error}"),
        }
    }

    /// Like [`Cluster::property`].
    ///
    /// # Errors
    /// If there is no such property or it cannot have this value.
    pub fn try_property(self, name: &str, value: impl ToString) -> Result<Self, ConfigError> {
        self.try_properties(&[(name, &value.to_string())])
    }

    /// Several properties at once, where each alone would contradict what is set already.
    ///
    /// # Errors
    /// If there is no such property or it cannot have this value.
    pub fn try_properties(mut self, properties: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let mut text = self.settings.to_properties();
        for (name, value) in properties {
            text.push_str(&format!("\n{name}={value}"));
        }
        self.settings = Settings::parse("cluster", &text)?.0;
        Ok(self)
    }

    /// The topics to create: those that were named, or else [`DEFAULT_TOPIC`]. What [`Settings::topic`] says is among
    /// their properties.
    #[must_use]
    pub fn all_topics(&self) -> Vec<Topic> {
        let replication_factor =
            self.replication_factor.unwrap_or_else(|| u16::try_from(self.brokers.min(3)).unwrap_or(3));
        let default = Topic {
            name: DEFAULT_TOPIC.to_owned(),
            partitions: self.partitions,
            replication_factor,
            config: Vec::new(),
        };
        let mut topics = if self.topics.is_empty() { vec![default] } else { self.topics.clone() };
        for topic in &mut topics {
            for (name, value) in self.settings.topic.entries() {
                if !topic.config.iter().any(|(known, _)| known == name) {
                    topic.config.push((name.to_owned(), value));
                }
            }
        }
        topics
    }

    /// The controllers' ids, in order.
    pub fn controller_ids(&self) -> impl Iterator<Item = ControllerId> + use<> {
        (1..=self.controllers).map(ControllerId)
    }

    /// The brokers' ids, in order.
    pub fn broker_ids(&self) -> impl Iterator<Item = BrokerId> + use<> {
        (1..=self.brokers).map(BrokerId)
    }

    /// The producers' ids, in order: the first clients.
    pub fn producer_ids(&self) -> impl Iterator<Item = ClientId> + use<> {
        (1..=self.producers).map(ClientId)
    }

    /// The consumers' ids, in order: the clients behind the producers.
    pub fn consumer_ids(&self) -> impl Iterator<Item = ClientId> + use<> {
        (self.producers + 1..=self.producers + self.consumers).map(ClientId)
    }

    /// The admin client, behind the consumers.
    #[must_use]
    pub fn admin_id(&self) -> ClientId {
        ClientId(self.producers + self.consumers + 1)
    }

    /// The first of [`Cluster::reader_ids`].
    #[must_use]
    pub fn reader_id(&self) -> ClientId {
        ClientId(self.admin_id().0 + 1)
    }

    /// Consumers that stay off until somebody wants to read everything back: one for each topic, in order of
    /// [`Cluster::all_topics`], since a consumer reads one topic. The last clients.
    pub fn reader_ids(&self) -> impl Iterator<Item = ClientId> + use<> {
        let first = self.reader_id().0;
        (first..first + self.all_topics().len() as u32).map(ClientId)
    }

    /// Whether it can be run at all. A cluster that was built by these methods can; one that was read may say anything.
    ///
    /// # Errors
    /// What cannot be, naming the field.
    pub fn check(&self) -> Result<(), String> {
        let within = |field: &str, value: u64, least: u64, most: u64| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            let allowed = if least == most { format!("only be {least}") } else { format!("be {least} to {most}") };
            Err(format!("{field} is {value}, and can {allowed}"))
        };
        within("brokers", self.brokers.into(), 1, MOST_NODES)?;
        match self.zookeeper {
            true => within("controllers in ZooKeeper mode", self.controllers.into(), 0, 0)?,
            false => within("controllers", self.controllers.into(), 1, MOST_CONTROLLERS)?,
        }
        within("producers", self.producers.into(), 0, MOST_NODES)?;
        within("consumers", self.consumers.into(), 0, MOST_NODES)?;
        within("topics", self.topics.len() as u64, 0, MOST_NODES)?;
        within("payload", self.payload as u64, 0, MOST_PAYLOAD)?;
        let partitions = self.all_topics().iter().map(|topic| u64::from(topic.partitions)).sum();
        within("partitions", partitions, 1, MOST_PARTITIONS)?;
        Settings::parse("settings", &self.settings.to_properties()).map_err(|error| error.to_string())?;
        Ok(())
    }

    /// What a broker speaks.
    #[must_use]
    pub fn protocol_spoken_by(&self, broker: BrokerId) -> Protocol {
        self.protocols.iter().find(|(known, _)| *known == broker).map_or(self.protocol, |(_, protocol)| *protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_reaches_everybody_who_has_it() {
        let cluster = Cluster::of(3).min_isr(2).property("broker.session.timeout.ms", 6_000);
        assert_eq!(cluster.settings.broker.min_insync_replicas, 2);
        assert_eq!(cluster.settings.controller.min_insync_replicas, 2);
        assert_eq!(cluster.settings.controller.broker_session_timeout.as_millis(), 6_000);
        assert_eq!(cluster.property("producer.acks", "1").settings.producer.acks, Acks::Leader);
    }

    #[test]
    fn an_unknown_property_is_an_error_that_names_it() {
        let error = Cluster::of(1).try_property("min.insync.replica", 2).unwrap_err().to_string();
        assert!(error.contains("min.insync.replica") && error.contains("min.insync.replicas"), "{error}");
    }

    #[test]
    fn the_default_topic_has_at_most_three_replicas() {
        assert_eq!(Cluster::of(2).all_topics()[0].replication_factor, 2);
        assert_eq!(Cluster::of(5).all_topics()[0].replication_factor, 3);
        assert_eq!(Cluster::of(5).replication_factor(5).all_topics()[0].replication_factor, 5);
        let named = Cluster::of(3).topic("a", 2, 1, &[("segment.bytes", "1000")]).all_topics();
        assert_eq!((named.len(), named[0].partitions, named[0].config.len()), (1, 2, 1));
    }

    #[test]
    fn a_cluster_that_cannot_be_names_the_field() {
        assert_eq!(Cluster::of(5).topic("a", 40, 3, &[]).check(), Ok(()));
        let complaint = |change: fn(&mut Cluster)| {
            let mut cluster = Cluster::of(3);
            change(&mut cluster);
            cluster.check().unwrap_err()
        };
        assert_eq!(complaint(|cluster| cluster.controllers = 0), "controllers is 0, and can be 1 to 9");
        assert!(complaint(|cluster| cluster.controllers = 10).starts_with("controllers is 10"));
        assert!(complaint(|cluster| cluster.brokers = 0).starts_with("brokers is 0"));
        assert!(complaint(|cluster| cluster.brokers = 100_000).starts_with("brokers is 100000"));
        assert!(complaint(|cluster| cluster.consumers = u32::MAX).starts_with("consumers is"));
        assert!(complaint(|cluster| cluster.payload = usize::MAX).starts_with("payload is"));
        assert!(complaint(|cluster| cluster.partitions = 0).starts_with("partitions is 0"));
        let complaint = complaint(|cluster| cluster.settings.broker.log_segment_bytes = 0);
        assert!(complaint.contains("log.segment.bytes: 0 is out of range"), "{complaint}");
    }

    #[test]
    fn a_cluster_is_read_back_from_json() {
        let cluster = Cluster::of(3).min_isr(2).protocol_of(BrokerId(2), Protocol::KAFKA_0_10);
        let text = serde_json::to_string(&cluster).unwrap();
        assert_eq!(serde_json::from_str::<Cluster>(&text).unwrap(), cluster);
    }
}
