//! What the controller decided: the records of the metadata log, and the image they add up to.
//!
//! The controller and every broker build their image with the same [`Image::apply`], each from the log, each at its own
//! pace (C45, C46). Nothing here decides: that is `controller/`. Nothing here knows how the records travel.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{BrokerConfig, TopicConfig};
use crate::names::{
    BrokerEpoch, BrokerId, EndOffset, Incarnation, LeaderEpoch, Offset, Partition, PartitionEpoch, TopicId,
};

/// One record of the metadata log. In the log it is the value of a Kafka record, as JSON (S9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MetadataRecord {
    /// A broker process registered; it starts out fenced (C37).
    RegisterBroker {
        /// The broker.
        broker: BrokerId,
        /// The process's own name.
        incarnation: Incarnation,
        /// The offset of this record.
        epoch: BrokerEpoch,
    },
    /// A broker's state changed (C40).
    BrokerRegistrationChange {
        /// The broker.
        broker: BrokerId,
        /// Of which registration.
        epoch: BrokerEpoch,
        /// `Some` if it is now fenced or unfenced.
        fenced: Option<bool>,
        /// Whether it is now in controlled shutdown.
        in_controlled_shutdown: bool,
    },
    /// A topic was created.
    Topic {
        /// Its name.
        name: String,
        /// Its id.
        id: TopicId,
        /// Its own properties; far more than any other record holds.
        config: Box<TopicConfig>,
    },
    /// A partition was created.
    Partition(PartitionRegistration),
    /// A partition changed (R75, R76).
    PartitionChange(PartitionChange),
    /// A topic was deleted, with its partitions; its name is free at once (R99). In ZooKeeper mode it is free when all replicas
    /// are gone (C74).
    RemoveTopic {
        /// Its id.
        id: TopicId,
    },
    /// A dynamic property was set, or set back to what holds without it (C48).
    Config {
        /// Of what.
        resource: ConfigResource,
        /// Kafka's name for it.
        name: String,
        /// Its value; `None` to forget it.
        value: Option<String>,
    },
    /// A broker was taken off the books for good (R92).
    UnregisterBroker {
        /// The broker.
        broker: BrokerId,
        /// Of which registration.
        epoch: BrokerEpoch,
    },
    /// A new leader of the metadata quorum took over (C14).
    LeaderChange {
        /// Its epoch.
        epoch: LeaderEpoch,
    },
    /// Nothing; keeps the high watermark of the metadata log moving (C27).
    NoOp,
    /// ZooKeeper mode: a partition has other replicas, or others that come and go. They are in another znode than who leads
    /// and who is in sync, so no epoch rises (C61, KIP-455).
    Assignment {
        /// Which.
        partition: Partition,
        /// Its replicas.
        replicas: Vec<BrokerId>,
        /// Among them, those that come.
        adding: Vec<BrokerId>,
        /// Among them, those that go.
        removing: Vec<BrokerId>,
    },
}

/// What of a partition changes: `None` is "as before" (R76). A change raises the partition epoch always, and the leader
/// epoch if `leader` is present, even if it names the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionChange {
    /// The partition.
    pub partition: Partition,
    /// The new leader; `Some(None)` is nobody.
    #[serde(with = "new_leader")]
    pub leader: Option<Option<BrokerId>>,
    /// The new ISR.
    pub isr: Option<Vec<BrokerId>>,
    /// The new recovery state.
    pub recovery_state: Option<RecoveryState>,
    /// The new assignment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Vec<BrokerId>>,
    /// The replicas that a reassignment now adds (R95).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adding: Option<Vec<BrokerId>>,
    /// The replicas that a reassignment now removes (R95).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removing: Option<Vec<BrokerId>>,
    /// The new eligible leader replicas (KIP-966).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elr: Option<Vec<BrokerId>>,
    /// The replicas, or the leader, last known to be eligible (R80, R82).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_known_elr: Option<Vec<BrokerId>>,
}

impl PartitionChange {
    /// A change that changes nothing of this partition but its partition epoch.
    #[must_use]
    pub fn of(partition: Partition) -> Self {
        Self {
            partition,
            leader: None,
            isr: None,
            recovery_state: None,
            replicas: None,
            adding: None,
            removing: None,
            elr: None,
            last_known_elr: None,
        }
    }
}

/// What a dynamic property belongs to. A property of a broker stands above the cluster's, a topic's above both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConfigResource {
    /// A topic.
    Topic(TopicId),
    /// All brokers: Kafka's resource `BROKER` without a name.
    Cluster,
    /// One broker.
    Broker(BrokerId),
}

/// How a change of leader is written: in JSON `None` and `Some(None)` would both be `null`, and "nobody leads" would read
/// as "whoever led, leads on".
mod new_leader {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::names::BrokerId;

    #[derive(Serialize, Deserialize)]
    enum NewLeader {
        Nobody,
        Broker(BrokerId),
    }

    pub(super) fn serialize<S: Serializer>(leader: &Option<Option<BrokerId>>, to: S) -> Result<S::Ok, S::Error> {
        leader.map(|leader| leader.map_or(NewLeader::Nobody, NewLeader::Broker)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<BrokerId>>, D::Error> {
        let leader = Option::<NewLeader>::deserialize(from)?;
        Ok(leader.map(|leader| match leader {
            NewLeader::Nobody => None,
            NewLeader::Broker(id) => Some(id),
        }))
    }
}

/// Whether a leader still has to recover from an unclean election (R10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryState {
    /// The usual state.
    #[default]
    Recovered,
    /// Elected uncleanly, and not yet reported back.
    Recovering,
}

/// A partition as the controller knows it: the only truth about who leads and who is in sync (R1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionRegistration {
    /// The partition.
    pub partition: Partition,
    /// The assigned replicas, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// The in-sync replicas.
    pub isr: Vec<BrokerId>,
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// Since which leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// The version of this registration.
    pub partition_epoch: PartitionEpoch,
    /// Whether the leader has recovered from an unclean election.
    pub recovery_state: RecoveryState,
    /// Among the replicas, those that a reassignment adds (R95, R96).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adding: Vec<BrokerId>,
    /// Among the replicas, those that a reassignment removes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removing: Vec<BrokerId>,
    /// Eligible leader replicas: not in sync, and known to have all that is committed (KIP-966, R84). Empty without
    /// that feature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elr: Vec<BrokerId>,
    /// Who was last known to be eligible, when nobody is any more (R80, R82).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_known_elr: Vec<BrokerId>,
}

/// A broker as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRegistration {
    /// The process's own name.
    pub incarnation: Incarnation,
    /// The identity of this registration.
    pub epoch: BrokerEpoch,
    /// Fenced brokers lead nothing and join no ISR.
    pub fenced: bool,
    /// On its way out, in an orderly way (R103).
    pub in_controlled_shutdown: bool,
}

impl MetadataRecord {
    /// The value of the Kafka record that carries this one (S9).
    ///
    /// # Panics
    /// Never: every record has a form in JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every metadata record has a form in JSON")
    }

    /// Reads what [`MetadataRecord::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are anything else.
    pub fn decode(value: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(value)
    }
}

impl BrokerRegistration {
    /// Whether the broker may lead and join ISRs (R74).
    #[must_use]
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

/// A topic as the controller knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRegistration {
    /// Its name.
    pub name: String,
    /// Its own properties.
    pub config: TopicConfig,
    /// How many partitions it has.
    pub partitions: u32,
}

/// What the metadata log adds up to, up to some offset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Everything below has been applied.
    pub end: EndOffset,
    /// The registered brokers.
    #[serde(with = "pairs")]
    pub brokers: BTreeMap<BrokerId, BrokerRegistration>,
    /// The topics.
    #[serde(with = "pairs")]
    pub topics: BTreeMap<TopicId, TopicRegistration>,
    /// The partitions.
    #[serde(with = "pairs")]
    pub partitions: BTreeMap<Partition, PartitionRegistration>,
    /// Dynamic properties of all brokers, and of single ones. Those of topics are with the topics.
    #[serde(with = "pairs")]
    pub configs: BTreeMap<ConfigResource, BTreeMap<String, String>>,
}

impl Image {
    /// A checksum over what the image says of the cluster, though not over how far it goes: two images of one offset must
    /// have the same, however their records came, one by one or as a snapshot.
    ///
    /// # Panics
    /// Never: an image can be written down.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        let content = Self { end: EndOffset::ZERO, ..self.clone() };
        crc32c::crc32c(&serde_json::to_vec(&content).expect("an image can be written down"))
    }

    /// Adds the record at `offset`. One that is in already is passed over: a fetch starts with a whole batch, and a
    /// controller may tell twice of the last one before its restart.
    pub fn apply(&mut self, offset: Offset, record: &MetadataRecord) {
        if self.end.covers(offset) {
            return;
        }
        self.end = offset.end();
        match record {
            MetadataRecord::RegisterBroker { broker, incarnation, epoch } => {
                self.brokers.insert(
                    *broker,
                    BrokerRegistration {
                        incarnation: *incarnation,
                        epoch: *epoch,
                        fenced: true,
                        in_controlled_shutdown: false,
                    },
                );
            }
            MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown } => {
                if let Some(registration) = self.brokers.get_mut(broker).filter(|known| known.epoch == *epoch) {
                    registration.fenced = fenced.unwrap_or(registration.fenced);
                    registration.in_controlled_shutdown = *in_controlled_shutdown;
                }
            }
            MetadataRecord::Topic { name, id, config } => {
                let topic = TopicRegistration { name: name.clone(), config: TopicConfig::clone(config), partitions: 0 };
                self.topics.insert(*id, topic);
            }
            MetadataRecord::Partition(registration) => {
                if let Some(topic) = self.topics.get_mut(&registration.partition.topic) {
                    topic.partitions = topic.partitions.max(registration.partition.index.saturating_add(1));
                }
                self.partitions.insert(registration.partition, registration.clone());
            }
            MetadataRecord::PartitionChange(change) => {
                if let Some(registration) = self.partitions.get_mut(&change.partition) {
                    registration.merge(change);
                }
            }
            MetadataRecord::Assignment { partition, replicas, adding, removing } => {
                if let Some(registration) = self.partitions.get_mut(partition) {
                    registration.assign(replicas, adding, removing);
                }
            }
            MetadataRecord::RemoveTopic { id } => {
                self.topics.remove(id);
                self.partitions.retain(|partition, _| partition.topic != *id);
            }
            MetadataRecord::Config { resource, name, value } => self.configure(*resource, name, value.as_deref()),
            MetadataRecord::UnregisterBroker { broker, epoch } => {
                if self.brokers.get(broker).is_some_and(|known| known.epoch == *epoch) {
                    self.brokers.remove(broker);
                }
            }
            MetadataRecord::LeaderChange { .. } | MetadataRecord::NoOp => {}
        }
    }

    /// Sets a dynamic property, or forgets it.
    fn configure(&mut self, resource: ConfigResource, name: &str, value: Option<&str>) {
        if let ConfigResource::Topic(id) = resource {
            if let Some(topic) = self.topics.get_mut(&id) {
                topic.configure(name, value);
            }
            return;
        }
        let properties = self.configs.entry(resource).or_default();
        match value {
            Some(value) => properties.insert(name.to_owned(), value.to_owned()),
            None => properties.remove(name),
        };
        self.configs.retain(|_, properties| !properties.is_empty());
    }

    /// What holds on a broker, or where no broker is meant, given what it was told at its start: dynamic properties of all
    /// brokers stand above that, and its own above those (C48).
    #[must_use]
    pub fn broker_config(&self, broker: Option<BrokerId>, fixed: &BrokerConfig) -> BrokerConfig {
        let resources = [Some(ConfigResource::Cluster), broker.map(ConfigResource::Broker)];
        let layers = resources.into_iter().flatten().filter_map(|resource| self.configs.get(&resource));
        let mut config = fixed.clone();
        for (name, value) in layers.flatten() {
            // The controller has refused what cannot be, and nothing changes then.
            let _ = config.set(name, value);
        }
        config
    }

    /// The content of a snapshot up to [`Image::end`] (C25).
    ///
    /// # Panics
    /// Never: every image has a form in JSON.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("every image has a form in JSON")
    }

    /// Reads what [`Image::encode`] wrote.
    ///
    /// # Errors
    /// If the bytes are anything else.
    pub fn decode(snapshot: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(snapshot)
    }

    /// Whether the broker may lead and join ISRs (R74), as far as this image knows.
    #[must_use]
    pub fn is_active(&self, broker: BrokerId) -> bool {
        self.brokers.get(&broker).is_some_and(BrokerRegistration::is_active)
    }

    /// The topic of that name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<(TopicId, &TopicRegistration)> {
        self.topics.iter().find(|(_, topic)| topic.name == name).map(|(id, topic)| (*id, topic))
    }

    /// Kafka's name for the partition's directory: `<topic>-<index>`.
    #[must_use]
    pub fn directory(&self, partition: Partition) -> Option<String> {
        self.topics.get(&partition.topic).map(|topic| format!("{}-{}", topic.name, partition.index))
    }
}

impl TopicRegistration {
    /// A property that cannot be is not there: the controller refuses it before it is written.
    fn configure(&mut self, name: &str, value: Option<&str>) {
        if let Ok(config) = self.config.with_property(name, value) {
            self.config = config;
        }
    }
}

impl PartitionRegistration {
    /// Adds one change: every change raises the partition epoch, a leader field raises the leader epoch even if it
    /// names the same leader (R76).
    pub fn merge(&mut self, change: &PartitionChange) {
        if let Some(leader) = change.leader {
            self.leader = leader;
            self.leader_epoch = self.leader_epoch.next();
        }
        let lists = [
            (&change.isr, &mut self.isr),
            (&change.replicas, &mut self.replicas),
            (&change.adding, &mut self.adding),
            (&change.removing, &mut self.removing),
            (&change.elr, &mut self.elr),
            (&change.last_known_elr, &mut self.last_known_elr),
        ];
        for (changed, list) in lists {
            if let Some(changed) = changed {
                list.clone_from(changed);
            }
        }
        if let Some(recovery_state) = change.recovery_state {
            self.recovery_state = recovery_state;
        }
        self.partition_epoch = self.partition_epoch.next();
    }

    /// Other replicas, in the same version.
    pub fn assign(&mut self, replicas: &[BrokerId], adding: &[BrokerId], removing: &[BrokerId]) {
        self.replicas = replicas.to_vec();
        self.adding = adding.to_vec();
        self.removing = removing.to_vec();
    }
}

/// Maps whose keys are no text: in JSON, lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
