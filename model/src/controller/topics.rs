//! What topics there are: creation, with the placement of replicas (R99).
//!
//! Decisions only, as in `partitions`. It must not know the log, nor how long a topic takes to reach the brokers.

use std::collections::BTreeMap;

use crate::config::TopicConfig;
use crate::metadata::{Image, MetadataRecord, PartitionRegistration, RecoveryState};
use crate::names::{BrokerId, LeaderEpoch, Partition, PartitionEpoch, TopicId};
use crate::wire::{CreateTopicsRequest, CreatedTopic, ErrorCode, NewTopic};

/// More partitions than this in one request are refused, as one batch is to hold them all (C31).
const PARTITIONS_MAX: u64 = 10_000;
/// Longer names would not fit into a directory's.
const NAME_LENGTH_MAX: usize = 249;

/// The decision on a CreateTopics request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    /// What changes.
    pub(crate) records: Vec<MetadataRecord>,
    /// What to answer once that is committed: one answer per topic, in the order of the request.
    pub(crate) topics: Vec<CreatedTopic>,
}

/// Why nothing is done, with a sentence for people.
pub(crate) type Refusal = (ErrorCode, String);

/// Creates what can be created; each topic is judged for itself.
pub(crate) fn create(image: &Image, request: &CreateTopicsRequest) -> Created {
    let wanted: u64 = request.topics.iter().map(|topic| u64::from(topic.partitions)).sum();
    if wanted > PARTITIONS_MAX {
        return refuse_all(request, &format!("more than {PARTITIONS_MAX} partitions in one request"));
    }
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for topic in &request.topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let brokers: Vec<BrokerId> = image.brokers.keys().copied().filter(|&id| image.is_active(id)).collect();
    let mut records = Vec::new();
    let mut placed = image.partitions.len();
    let mut create_one = |topic: &NewTopic| {
        let result = if times[topic.name.as_str()] > 1 {
            Err((ErrorCode::InvalidRequest, "the request names this topic more than once".to_owned()))
        } else {
            validate(image, topic, &brokers).map(|config| {
                let id = TopicId(image.end.0 + records.len() as u64);
                records.push(MetadataRecord::Topic { name: topic.name.clone(), id, config: Box::new(config) });
                for index in 0..topic.partitions {
                    let replicas = place(&brokers, placed, usize::from(topic.replication_factor));
                    records.push(new_partition(Partition { topic: id, index }, replicas));
                    placed += 1;
                }
                id
            })
        };
        CreatedTopic { name: topic.name.clone(), result }
    };
    let topics = request.topics.iter().map(&mut create_one).collect();
    Created { records, topics }
}

/// More partitions for a topic, with as many replicas as its others have: never fewer (R99).
pub(crate) fn grow(image: &Image, id: TopicId, partitions: u32) -> Result<Vec<MetadataRecord>, Refusal> {
    let present = image.topics.get(&id).map_or(0, |topic| topic.partitions);
    if partitions <= present {
        let why = format!("the topic has {present} partitions, and can only get more");
        return Err((ErrorCode::InvalidPartitions, why));
    }
    if u64::from(partitions - present) > PARTITIONS_MAX {
        return Err((ErrorCode::PolicyViolation, format!("more than {PARTITIONS_MAX} partitions in one request")));
    }
    let brokers: Vec<BrokerId> = image.brokers.keys().copied().filter(|&id| image.is_active(id)).collect();
    let first = image.partitions.get(&Partition { topic: id, index: 0 });
    let replication_factor = first.map_or(1, |first| first.replicas.len());
    if replication_factor > brokers.len() {
        let why = format!("{replication_factor} replicas, but {} brokers to hold them", brokers.len());
        return Err((ErrorCode::InvalidReplicationFactor, why));
    }
    let placed = image.partitions.len();
    let new = (present..partitions).zip(placed..);
    Ok(new
        .map(|(index, nth)| new_partition(Partition { topic: id, index }, place(&brokers, nth, replication_factor)))
        .collect())
}

/// The decision to create nothing, because all of it together is too much (C31).
pub(super) fn refuse_all(request: &CreateTopicsRequest, why: &str) -> Created {
    let refused = |topic: &NewTopic| CreatedTopic {
        name: topic.name.clone(),
        result: Err((ErrorCode::PolicyViolation, why.to_owned())),
    };
    Created { records: Vec::new(), topics: request.topics.iter().map(refused).collect() }
}

fn validate(image: &Image, topic: &NewTopic, brokers: &[BrokerId]) -> Result<TopicConfig, Refusal> {
    validate_name(&topic.name)?;
    for existing in image.topics.values() {
        if existing.name == topic.name {
            return Err((ErrorCode::TopicAlreadyExists, format!("topic {} exists", topic.name)));
        }
        if collides(&existing.name, &topic.name) {
            let why = format!("topic {} differs from {} only in dots and underscores", topic.name, existing.name);
            return Err((ErrorCode::InvalidTopicException, why));
        }
    }
    let config =
        TopicConfig::from_pairs(&topic.config).map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
    if topic.replication_factor == 0 {
        return Err((ErrorCode::InvalidReplicationFactor, "a partition has at least 1 replica".to_owned()));
    }
    if topic.partitions == 0 {
        return Err((ErrorCode::InvalidPartitions, "a topic has at least 1 partition".to_owned()));
    }
    if usize::from(topic.replication_factor) > brokers.len() {
        let why = format!("{} replicas, but {} brokers to hold them", topic.replication_factor, brokers.len());
        return Err((ErrorCode::InvalidReplicationFactor, why));
    }
    Ok(config)
}

fn validate_name(name: &str) -> Result<(), Refusal> {
    let wrong = |why: &str| Err((ErrorCode::InvalidTopicException, format!("topic name {name:?} {why}")));
    match name {
        "" => wrong("is empty"),
        "." | ".." => wrong("is that of a directory"),
        _ if name.len() > NAME_LENGTH_MAX => wrong("is longer than 249 characters"),
        _ if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) => {
            wrong("has characters other than ASCII letters, digits, '.', '_' and '-'")
        }
        _ => Ok(()),
    }
}

/// Kafka's metrics do not tell dots from underscores, so no two topics may differ in them alone.
fn collides(one: &str, other: &str) -> bool {
    let plain = |byte| if byte == b'.' { b'_' } else { byte };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}

/// The replicas of the `nth` partition of the cluster, the preferred leader first. Leaders go round; with every round
/// the followers of one leader are others, so that its partitions fall to all when it dies.
fn place(brokers: &[BrokerId], nth: usize, replication_factor: usize) -> Vec<BrokerId> {
    let count = brokers.len();
    let (round, first) = (nth / count, nth % count);
    let follower = |index: usize| brokers[(first + 1 + (round + index) % (count - 1)) % count];
    let mut replicas = vec![brokers[first]];
    replicas.extend((0..replication_factor - 1).map(follower));
    replicas
}

/// All replicas are active, so all are in sync, and the first leads.
fn new_partition(partition: Partition, replicas: Vec<BrokerId>) -> MetadataRecord {
    MetadataRecord::Partition(PartitionRegistration {
        partition,
        isr: replicas.clone(),
        leader: replicas.first().copied(),
        replicas,
        leader_epoch: LeaderEpoch::ZERO,
        partition_epoch: PartitionEpoch::default(),
        recovery_state: RecoveryState::Recovered,
        adding: Vec::new(),
        removing: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
    })
}
