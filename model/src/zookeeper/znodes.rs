//! Which znodes there are, and what Kafka writes into them (C61).
//!
//! Paths and contents only. It must not know who reads or writes them, nor when.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::TopicConfig;
use crate::metadata::{PartitionRegistration, RecoveryState};
use crate::names::{BrokerId, ControllerEpoch, LeaderEpoch, Partition, PartitionEpoch};

use super::assignment::Assignment;

/// The brokers that are alive, by ephemeral nodes.
pub const BROKER_IDS: &str = "/brokers/ids";
/// The topics, each with its assignment.
pub const TOPICS: &str = "/brokers/topics";
/// Who is the controller: ephemeral.
pub const CONTROLLER: &str = "/controller";
/// How often one was elected.
pub const CONTROLLER_EPOCH: &str = "/controller_epoch";
/// What leaders have done to ISRs.
pub const ISR_CHANGES: &str = "/isr_change_notification";
/// The topics' own properties.
pub const TOPIC_CONFIGS: &str = "/config/topics";
/// Properties of all brokers, and of single ones (KIP-226).
pub const BROKER_CONFIGS: &str = "/config/brokers";
/// That some property is another one: sequential.
pub const CONFIG_CHANGES: &str = "/config/changes";
/// Topics that are to be deleted, by name (C74).
pub const DELETED_TOPICS: &str = "/admin/delete_topics";

/// Ours: the registrations that controllers have dealt with. See [`crate::protocol::Bouncing`].
pub const KNOWN_BROKERS: &str = "/brokers/known";

/// What is there before the first broker comes.
pub(super) const ROOTS: [&str; 12] = [
    "/brokers",
    BROKER_IDS,
    TOPICS,
    CONTROLLER_EPOCH,
    ISR_CHANGES,
    "/config",
    TOPIC_CONFIGS,
    BROKER_CONFIGS,
    CONFIG_CHANGES,
    "/admin",
    DELETED_TOPICS,
    KNOWN_BROKERS,
];

/// A znode that is written as JSON.
pub trait Content: Serialize + for<'de> Deserialize<'de> {
    /// The bytes.
    ///
    /// # Panics
    /// Never: each has a form in JSON.
    #[must_use]
    fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("every znode has a form in JSON").into()
    }

    /// What the bytes say; `None` if they are anything else.
    #[must_use]
    fn decode(data: &[u8]) -> Option<Self> {
        serde_json::from_slice(data).ok()
    }
}

/// `/controller`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerNode {
    /// Who.
    pub brokerid: u32,
}

/// `/brokers/topics/<topic>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicNode {
    /// The replicas of each partition, the preferred leader first.
    pub partitions: BTreeMap<u32, Vec<u32>>,
    /// Of those partitions that are being reassigned: the replicas that come (KIP-455).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adding_replicas: BTreeMap<u32, Vec<u32>>,
    /// Of the same: the replicas that go.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub removing_replicas: BTreeMap<u32, Vec<u32>>,
}

/// `/config/topics/<topic>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicConfigNode {
    /// Its own properties.
    pub config: TopicConfig,
}

/// `/config/brokers/<id>`, and `/config/brokers/<default>` for all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerConfigNode {
    /// The properties.
    pub config: BTreeMap<String, String>,
}

/// `/config/changes/config_change_<n>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChangeNode {
    /// Whose: the path of its znode below `/config/`.
    pub entity_path: String,
}

/// `/brokers/topics/<topic>/partitions/<index>/state`: the only truth about who leads and who is in sync. Its version is the
/// partition epoch (C61).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateNode {
    /// Of the controller that wrote it last, or whose word the leader has that wrote it (C66).
    pub controller_epoch: i32,
    /// -1 for nobody.
    pub leader: i64,
    /// Raised by controllers with every write of theirs (C65).
    pub leader_epoch: i32,
    /// Who is in sync.
    pub isr: Vec<u32>,
}

/// `/isr_change_notification/isr_change_<n>`: partitions by topic and index (C67).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsrChangeNode {
    /// Which.
    pub partitions: Vec<Partition>,
}

/// `/brokers/known`: by broker, its registration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownBrokersNode {
    /// The epochs.
    pub epochs: BTreeMap<u32, i64>,
}

impl Content for KnownBrokersNode {}
impl Content for ControllerNode {}
impl Content for TopicNode {}
impl Content for TopicConfigNode {}
impl Content for BrokerConfigNode {}
impl Content for ConfigChangeNode {}
impl Content for StateNode {}
impl Content for IsrChangeNode {}

/// `/brokers/ids/<id>`.
#[must_use]
pub fn broker_path(id: BrokerId) -> String {
    format!("{BROKER_IDS}/{}", id.0)
}

/// `/brokers/topics/<topic>`.
#[must_use]
pub fn topic_path(topic: &str) -> String {
    format!("{TOPICS}/{topic}")
}

/// `/config/topics/<topic>`.
#[must_use]
pub fn topic_config_path(topic: &str) -> String {
    format!("{TOPIC_CONFIGS}/{topic}")
}

/// The state of one partition.
#[must_use]
pub fn state_path(topic: &str, index: u32) -> String {
    format!("{TOPICS}/{topic}/partitions/{index}/state")
}

/// `/config/brokers/<id>`; without one that of all brokers.
#[must_use]
pub fn broker_config_path(id: Option<BrokerId>) -> String {
    id.map_or_else(|| format!("{BROKER_CONFIGS}/<default>"), |id| format!("{BROKER_CONFIGS}/{}", id.0))
}

/// `/admin/delete_topics/<topic>`.
#[must_use]
pub fn deleted_topic_path(topic: &str) -> String {
    format!("{DELETED_TOPICS}/{topic}")
}

/// What comes before the number of a notification.
#[must_use]
pub fn isr_change_prefix() -> String {
    format!("{ISR_CHANGES}/isr_change_")
}

/// The same, of one about properties.
#[must_use]
pub fn config_change_prefix() -> String {
    format!("{CONFIG_CHANGES}/config_change_")
}

/// What a path is the path of, if it is of any consequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A broker's.
    Broker(BrokerId),
    /// A topic's.
    Topic(&'a str),
    /// A partition's state.
    State(&'a str, u32),
    /// The controller epoch.
    ControllerEpoch,
    /// A topic's properties.
    TopicConfig(&'a str),
    /// A broker's properties, or those of all.
    BrokerConfig(Option<BrokerId>),
    /// That a topic is to be deleted.
    DeletedTopic(&'a str),
}

impl<'a> Kind<'a> {
    /// Reads a path.
    #[must_use]
    pub fn of(path: &'a str) -> Option<Self> {
        if path == CONTROLLER_EPOCH {
            return Some(Self::ControllerEpoch);
        }
        let below = |root: &str| path.strip_prefix(root)?.strip_prefix('/');
        if let Some(topic) = below(TOPIC_CONFIGS) {
            return Some(Self::TopicConfig(topic));
        }
        if let Some(topic) = below(DELETED_TOPICS) {
            return Some(Self::DeletedTopic(topic));
        }
        if let Some(broker) = below(BROKER_CONFIGS) {
            return match broker {
                "<default>" => Some(Self::BrokerConfig(None)),
                id => id.parse().ok().map(|id| Self::BrokerConfig(Some(BrokerId(id)))),
            };
        }
        if let Some(id) = path.strip_prefix(BROKER_IDS) {
            return id.strip_prefix('/')?.parse().ok().map(|id| Self::Broker(BrokerId(id)));
        }
        let rest = path.strip_prefix(TOPICS)?.strip_prefix('/')?;
        let parts: Vec<&str> = rest.split('/').collect();
        match parts[..] {
            [topic] => Some(Self::Topic(topic)),
            [topic, "partitions", index, "state"] => Some(Self::State(topic, index.parse().ok()?)),
            _ => None,
        }
    }
}

impl TopicNode {
    /// The replicas of a partition.
    #[must_use]
    pub fn assignment(&self, index: u32) -> Assignment {
        let of =
            |list: &BTreeMap<u32, Vec<u32>>| list.get(&index).into_iter().flatten().copied().map(BrokerId).collect();
        let (adding, removing) = (of(&self.adding_replicas), of(&self.removing_replicas));
        Assignment { replicas: of(&self.partitions), adding, removing }
    }

    /// The same with other replicas of one partition.
    #[must_use]
    pub fn with(&self, index: u32, assignment: &Assignment) -> Self {
        let mut node = self.clone();
        let lists = [
            (&mut node.partitions, &assignment.replicas),
            (&mut node.adding_replicas, &assignment.adding),
            (&mut node.removing_replicas, &assignment.removing),
        ];
        for (map, list) in lists {
            map.insert(index, list.iter().map(|id| id.0).collect());
        }
        node.adding_replicas.retain(|_, list| !list.is_empty());
        node.removing_replicas.retain(|_, list| !list.is_empty());
        node
    }
}

impl StateNode {
    /// Who leads.
    #[must_use]
    pub fn leader(&self) -> Option<BrokerId> {
        u32::try_from(self.leader).ok().map(BrokerId)
    }

    /// Who is in sync.
    #[must_use]
    pub fn isr(&self) -> Vec<BrokerId> {
        self.isr.iter().copied().map(BrokerId).collect()
    }

    /// What a registration is as a znode.
    #[must_use]
    pub fn of(registration: &PartitionRegistration, controller_epoch: ControllerEpoch) -> Self {
        Self {
            controller_epoch: controller_epoch.0,
            leader: registration.leader.map_or(-1, |id| i64::from(id.0)),
            leader_epoch: registration.leader_epoch.0,
            isr: registration.isr.iter().map(|id| id.0).collect(),
        }
    }

    /// The partition's registration, in this version of the znode.
    #[must_use]
    pub fn registration(&self, partition: Partition, assignment: Assignment, version: i32) -> PartitionRegistration {
        PartitionRegistration {
            partition,
            replicas: assignment.replicas,
            isr: self.isr(),
            leader: self.leader(),
            leader_epoch: LeaderEpoch(self.leader_epoch),
            partition_epoch: PartitionEpoch(version),
            recovery_state: RecoveryState::Recovered,
            adding: assignment.adding,
            removing: assignment.removing,
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_it_is() {
        assert_eq!(Kind::of(&broker_path(BrokerId(3))), Some(Kind::Broker(BrokerId(3))));
        assert_eq!(Kind::of(&topic_path("t")), Some(Kind::Topic("t")));
        assert_eq!(Kind::of(&state_path("t", 4)), Some(Kind::State("t", 4)));
        assert_eq!(Kind::of(CONTROLLER_EPOCH), Some(Kind::ControllerEpoch));
        assert_eq!(Kind::of(&topic_config_path("t")), Some(Kind::TopicConfig("t")));
        assert_eq!(Kind::of(&deleted_topic_path("t")), Some(Kind::DeletedTopic("t")));
        for broker in [None, Some(BrokerId(2))] {
            assert_eq!(Kind::of(&broker_config_path(broker)), Some(Kind::BrokerConfig(broker)));
        }
        for nothing in [BROKER_IDS, TOPICS, "/brokers/topics/t/partitions", "/controller", "/brokers/ids/x"] {
            assert_eq!(Kind::of(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_reassignment_is_written_beside_the_replicas_and_leaves_no_trace() {
        let node = TopicNode { partitions: BTreeMap::from([(0, vec![1]), (1, vec![2])]), ..TopicNode::default() };
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let moving = node.with(1, &node.assignment(1).reassigned_to(&ids(&[3])));
        let text = String::from_utf8(moving.encode().to_vec()).unwrap();
        let expected =
            r#"{"partitions":{"0":[1],"1":[3,2]},"adding_replicas":{"1":[3]},"removing_replicas":{"1":[2]}}"#;
        assert_eq!(text, expected);
        let moved = moving.with(1, &moving.assignment(1).completed());
        assert_eq!(String::from_utf8(moved.encode().to_vec()).unwrap(), r#"{"partitions":{"0":[1],"1":[3]}}"#);
    }

    #[test]
    fn a_state_is_written_as_kafka_writes_it() {
        let state = StateNode { controller_epoch: 2, leader: -1, leader_epoch: 5, isr: vec![1, 3] };
        let text = String::from_utf8(state.encode().to_vec()).unwrap();
        assert_eq!(text, r#"{"controller_epoch":2,"leader":-1,"leader_epoch":5,"isr":[1,3]}"#);
        assert_eq!(StateNode::decode(text.as_bytes()), Some(state));
    }
}
