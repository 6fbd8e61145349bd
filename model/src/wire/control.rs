//! The control plane: what brokers and admin clients say to the controller.

use serde::{Deserialize, Serialize};

use super::ErrorCode;
use crate::metadata::RecoveryState;
use crate::names::{BrokerEpoch, BrokerId, EndOffset, Incarnation, LeaderEpoch, Partition, PartitionEpoch, TopicId};

/// AlterPartition: leaders of one broker propose ISR changes (R54, R55).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionRequest {
    /// The sender.
    pub broker: BrokerId,
    /// The sender's broker epoch.
    pub broker_epoch: BrokerEpoch,
    /// One item per partition.
    pub partitions: Vec<AlterPartitionItem>,
}

/// One partition's part of an [`AlterPartitionRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionItem {
    /// The partition.
    pub partition: Partition,
    /// The epoch in which the sender leads.
    pub leader_epoch: LeaderEpoch,
    /// The partition epoch on which the proposal builds.
    pub partition_epoch: PartitionEpoch,
    /// The proposed ISR.
    pub new_isr: Vec<IsrMember>,
    /// Whether the leader has recovered from an unclean election.
    pub recovery_state: RecoveryState,
}

/// A proposed member with the broker epoch in which it was seen to fetch; `None` allows any (R52, KIP-903).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IsrMember {
    /// The broker.
    pub id: BrokerId,
    /// Its epoch as the leader saw it.
    pub epoch: Option<BrokerEpoch>,
}

/// Answers an [`AlterPartitionRequest`]. Sent only when the record is committed (R73).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionResponse {
    /// For the request as a whole.
    pub error: ErrorCode,
    /// One result per partition; empty beside an error.
    pub partitions: Vec<AlterPartitionResult>,
}

impl AlterPartitionResponse {
    /// Nothing of the request was looked at, for this reason.
    #[must_use]
    pub fn refused(error: ErrorCode) -> Self {
        Self { error, partitions: Vec::new() }
    }
}

/// One partition's part of an [`AlterPartitionResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlterPartitionResult {
    /// The partition.
    pub partition: Partition,
    /// The state after the change, or why it was refused.
    pub result: Result<PartitionChangeAccepted, ErrorCode>,
}

/// The partition's state at the controller after an accepted change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionChangeAccepted {
    /// Who leads.
    pub leader: Option<BrokerId>,
    /// Since which epoch.
    pub leader_epoch: LeaderEpoch,
    /// The ISR.
    pub isr: Vec<BrokerId>,
    /// Whether the leader has recovered from an unclean election.
    pub recovery_state: RecoveryState,
    /// The partition epoch.
    pub partition_epoch: PartitionEpoch,
}

/// BrokerRegistration (C36, R89).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRegistrationRequest {
    /// The sender.
    pub broker: BrokerId,
    /// The process's own random name.
    pub incarnation: Incarnation,
    /// The epoch found in the clean-shutdown marker; `None` after an unclean stop.
    pub previous_broker_epoch: Option<BrokerEpoch>,
}

/// Answers a [`BrokerRegistrationRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerRegistrationResponse {
    /// What happened.
    pub error: ErrorCode,
    /// The epoch given to this process.
    pub broker_epoch: Option<BrokerEpoch>,
}

impl BrokerRegistrationResponse {
    /// There is no epoch, for this reason.
    #[must_use]
    pub fn refused(error: ErrorCode) -> Self {
        Self { error, broker_epoch: None }
    }
}

/// BrokerHeartbeat (C39).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerHeartbeatRequest {
    /// The sender.
    pub broker: BrokerId,
    /// Its epoch.
    pub broker_epoch: BrokerEpoch,
    /// How far it has applied the metadata log.
    pub metadata_offset: EndOffset,
    /// It is not ready to be used.
    pub want_fence: bool,
    /// It wants to shut down in an orderly way.
    pub want_shut_down: bool,
}

/// Answers a [`BrokerHeartbeatRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerHeartbeatResponse {
    /// What happened.
    pub error: ErrorCode,
    /// The broker's metadata is recent enough.
    pub is_caught_up: bool,
    /// The broker is fenced.
    pub is_fenced: bool,
    /// The broker may go.
    pub should_shut_down: bool,
}

/// What an operator asks of the controller, besides CreateTopics: Kafka has an API for each (§3.11, R94-R99). One thing
/// at a time, because each is answered for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// DeleteTopics (R99).
    DeleteTopic {
        /// Which.
        name: String,
    },
    /// CreatePartitions: a topic gets more of them (R99).
    CreatePartitions {
        /// Which.
        name: String,
        /// How many it is to have in all.
        partitions: u32,
    },
    /// AlterPartitionReassignments: the only way to another replication factor (R95-R98).
    AlterPartitionReassignments {
        /// Which topic.
        topic: String,
        /// Which of its partitions.
        partition: u32,
        /// The replicas that it is to have, the preferred leader first; `None` cancels a reassignment.
        replicas: Option<Vec<BrokerId>>,
    },
    /// ElectLeaders (R94).
    ElectLeaders {
        /// Which topic.
        topic: String,
        /// Which of its partitions.
        partition: u32,
        /// Elect a replica that is not in sync, if no other is there; otherwise the preferred leader.
        unclean: bool,
    },
    /// IncrementalAlterConfigs, one property: a topic's by its name, a broker's, or that of all brokers (C48).
    IncrementalAlterConfigs {
        /// Of what.
        resource: AlteredResource,
        /// Kafka's name for the property.
        name: String,
        /// Its value; `None` to forget it.
        value: Option<String>,
    },
    /// UnregisterBroker (R92).
    UnregisterBroker {
        /// Which.
        broker: BrokerId,
    },
}

/// What a property is altered of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlteredResource {
    /// A topic.
    Topic(String),
    /// All brokers.
    Cluster,
    /// One broker.
    Broker(BrokerId),
}

/// Answers an [`AdminRequest`]. Sent only when what it asks for is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminResponse {
    /// What happened.
    pub error: ErrorCode,
    /// Why, for people; empty without an error.
    pub message: String,
}

impl AdminRequest {
    /// The API's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::DeleteTopic { .. } => "DeleteTopics",
            Self::CreatePartitions { .. } => "CreatePartitions",
            Self::AlterPartitionReassignments { .. } => "AlterPartitionReassignments",
            Self::ElectLeaders { .. } => "ElectLeaders",
            Self::IncrementalAlterConfigs { .. } => "IncrementalAlterConfigs",
            Self::UnregisterBroker { .. } => "UnregisterBroker",
        }
    }
}

impl BrokerHeartbeatResponse {
    /// The heartbeat does not count, for this reason.
    #[must_use]
    pub fn refused(error: ErrorCode) -> Self {
        Self { error, is_caught_up: false, is_fenced: true, should_shut_down: false }
    }
}

/// CreateTopics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopicsRequest {
    /// What to create.
    pub topics: Vec<NewTopic>,
}

/// One topic to create.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: u32,
    /// How many replicas of each.
    pub replication_factor: u16,
    /// Topic-level properties.
    pub config: Vec<(String, String)>,
}

/// Answers a [`CreateTopicsRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateTopicsResponse {
    /// One answer per topic, in the order of the request.
    pub topics: Vec<CreatedTopic>,
}

/// One topic's part of a [`CreateTopicsResponse`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedTopic {
    /// Its name.
    pub name: String,
    /// Its id, or why it was not created, with a sentence for people.
    pub result: Result<TopicId, (ErrorCode, String)>,
}
