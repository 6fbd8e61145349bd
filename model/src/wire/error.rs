//! Kafka's error codes, with Kafka's names and numbers. What to do about one is for whoever receives it.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $name:literal;)+) => {
        /// An error code of Kafka's protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl ErrorCode {
            /// The number on the wire.
            #[must_use]
            pub fn code(self) -> i16 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            /// Kafka's name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

error_codes! {
    /// No error.
    None = 0, "NONE";
    /// Something unexpected on the server.
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR";
    /// The offset is outside of the log.
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE";
    /// A batch's checksum is wrong.
    CorruptMessage = 2, "CORRUPT_MESSAGE";
    /// This broker does not know the partition.
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION";
    /// Nobody leads the partition now.
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE";
    /// This broker does not lead the partition, or no longer.
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER";
    /// The wait for replicas took longer than the request allowed.
    RequestTimedOut = 7, "REQUEST_TIMED_OUT";
    /// The replica is not available here.
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE";
    /// The batch is larger than `max.message.bytes`.
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE";
    /// The connection was lost before the answer came. Made up by clients, never on the wire.
    NetworkException = 13, "NETWORK_EXCEPTION";
    /// The topic's name is not allowed.
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION";
    /// The batch is larger than a segment.
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE";
    /// Fewer in-sync replicas than `min.insync.replicas`; nothing was appended.
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS";
    /// Fewer in-sync replicas than `min.insync.replicas` after the append: the record may survive or not.
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND";
    /// `acks` is none of 0, 1 and -1.
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS";
    /// That is not supported here.
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION";
    /// A topic of that name exists.
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS";
    /// The number of partitions makes no sense.
    InvalidPartitions = 37, "INVALID_PARTITIONS";
    /// There are not that many usable brokers.
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR";
    /// The replica assignment makes no sense.
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT";
    /// A topic property makes no sense.
    InvalidConfig = 40, "INVALID_CONFIG";
    /// This controller is not the active one, or is behind the asker.
    NotController = 41, "NOT_CONTROLLER";
    /// The request contradicts itself.
    InvalidRequest = 42, "INVALID_REQUEST";
    /// The request asks for more than is allowed.
    PolicyViolation = 44, "POLICY_VIOLATION";
    /// The operation was not attempted because another is pending.
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED";
    /// The log directory failed.
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR";
    /// The leader epoch in the request is older than the broker's.
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH";
    /// The leader epoch in the request is newer than the broker's.
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH";
    /// The broker epoch is not the registered one.
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH";
    /// The new leader does not know its high watermark yet.
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE";
    /// The preferred leader may not lead now.
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE";
    /// There is a leader, or the preferred one leads already.
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED";
    /// Nothing is being reassigned here.
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS";
    /// Nobody is eligible to lead.
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE";
    /// A record is not valid; nothing was appended.
    InvalidRecord = 87, "INVALID_RECORD";
    /// The partition epoch in the request is older than the controller's.
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION";
    /// The snapshot is not here.
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND";
    /// The snapshot has no such byte.
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE";
    /// No topic has that id.
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID";
    /// Another live process is registered under this broker id.
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION";
    /// No broker is registered under this id.
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED";
    /// The topic id is not the one that this broker has for the name.
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID";
    /// A proposed ISR member may not be in the ISR.
    IneligibleReplica = 107, "INELIGIBLE_REPLICA";
    /// The ISR change was applied and moved the leadership.
    NewLeaderElected = 108, "NEW_LEADER_ELECTED";
    /// The request is for another voter, or another disk of this one.
    InvalidVoterKey = 125, "INVALID_VOTER_KEY";
    /// The message is from a controller that was succeeded.
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH";
    /// The partitions of the topic are being reassigned.
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS";
}

impl ErrorCode {
    /// Whether a producer may send the same batch again after this error (P10).
    #[must_use]
    pub fn is_retriable(self) -> bool {
        matches!(
            self,
            Self::CorruptMessage
                | Self::UnknownTopicOrPartition
                | Self::LeaderNotAvailable
                | Self::NotLeaderOrFollower
                | Self::RequestTimedOut
                | Self::ReplicaNotAvailable
                | Self::NetworkException
                | Self::NotEnoughReplicas
                | Self::NotEnoughReplicasAfterAppend
                | Self::NotController
                | Self::KafkaStorageError
                | Self::FencedLeaderEpoch
                | Self::UnknownLeaderEpoch
                | Self::OffsetNotAvailable
                | Self::UnknownTopicId
                | Self::InconsistentTopicId
        )
    }

    /// Whether this error says that the asker's metadata is out of date (P8, K7).
    #[must_use]
    pub fn is_invalid_metadata(self) -> bool {
        matches!(
            self,
            Self::UnknownTopicOrPartition
                | Self::LeaderNotAvailable
                | Self::NotLeaderOrFollower
                | Self::ReplicaNotAvailable
                | Self::KafkaStorageError
                | Self::NetworkException
                | Self::FencedLeaderEpoch
                | Self::UnknownLeaderEpoch
                | Self::UnknownTopicId
                | Self::InconsistentTopicId
                | Self::OffsetNotAvailable
        )
    }

    /// Whether this error, in answer to a produce, leaves open if the batch is or will be in the log (G17).
    #[must_use]
    pub fn is_ambiguous(self) -> bool {
        matches!(
            self,
            Self::UnknownServerError
                | Self::NotLeaderOrFollower
                | Self::RequestTimedOut
                | Self::NetworkException
                | Self::NotEnoughReplicasAfterAppend
                | Self::KafkaStorageError
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
