//! What an operator asks for: topics deleted and grown, replicas reassigned, leaders elected, properties altered, brokers
//! unregistered (R86, R92, R94-R99, C48).
//!
//! Decisions only, from an image to records. It must not know the log, nor how long a decision takes to reach brokers.

use crate::config::{BrokerConfig, TopicConfig};
use crate::metadata::{ConfigResource, Image, MetadataRecord};
use crate::names::{BrokerId, Offset, Partition, TopicId};
use crate::wire::{AdminRequest, AdminResponse, AlteredResource, ErrorCode};

use super::partitions::Partitions;
use super::topics::{self, Refusal};

/// The property by which it is judged who is eligible.
const MIN_ISR: &str = "min.insync.replicas";

/// Decides on a request: what changes, and what to answer once that is committed.
pub(super) fn administer(partitions: Partitions<'_>, request: &AdminRequest) -> (Vec<MetadataRecord>, AdminResponse) {
    match decide(partitions, request) {
        Ok(records) => (records, AdminResponse { error: ErrorCode::None, message: String::new() }),
        Err((error, message)) => (Vec::new(), AdminResponse { error, message }),
    }
}

fn decide(partitions: Partitions<'_>, request: &AdminRequest) -> Result<Vec<MetadataRecord>, Refusal> {
    let image = partitions.image;
    match request {
        AdminRequest::DeleteTopic { name } => Ok(vec![MetadataRecord::RemoveTopic { id: topic(image, name)? }]),
        AdminRequest::CreatePartitions { name, partitions } => topics::grow(image, topic(image, name)?, *partitions),
        AdminRequest::ElectLeaders { topic: name, partition, unclean } => {
            let id = topic(image, name)?;
            partitions.elect_on_request(id, *partition, *unclean)
        }
        AdminRequest::IncrementalAlterConfigs { resource, name, value } => {
            alter(partitions, resource, name, value.as_deref())
        }
        AdminRequest::UnregisterBroker { broker } => unregister(partitions, *broker),
        AdminRequest::AlterPartitionReassignments { topic: name, partition, replicas } => {
            let partition = Partition { topic: topic(image, name)?, index: *partition };
            match replicas {
                Some(target) => partitions.reassign(partition, target),
                None => partitions.cancel_reassignment(partition),
            }
        }
    }
}

fn topic(image: &Image, name: &str) -> Result<TopicId, Refusal> {
    let known = image.topic(name).map(|(id, _)| id);
    known.ok_or_else(|| (ErrorCode::UnknownTopicOrPartition, format!("there is no topic {name}")))
}

/// C48.
fn alter(
    partitions: Partitions<'_>,
    resource: &AlteredResource,
    name: &str,
    value: Option<&str>,
) -> Result<Vec<MetadataRecord>, Refusal> {
    let image = partitions.image;
    judge_property(resource, name, value, partitions.defaults)?;
    let resource = match resource {
        AlteredResource::Topic(topic_name) => ConfigResource::Topic(topic(image, topic_name)?),
        AlteredResource::Cluster => ConfigResource::Cluster,
        AlteredResource::Broker(broker) => ConfigResource::Broker(*broker),
    };
    let mut records = Vec::new();
    if name == MIN_ISR && partitions.protocol.candidates.has_elr() {
        match resource {
            ConfigResource::Topic(id) => records.extend(partitions.without_eligible(Some(id))),
            ConfigResource::Cluster => records.extend(partitions.without_eligible(None)),
            ConfigResource::Broker(_) => {
                let why = format!("with eligible leader replicas {MIN_ISR} is the same on all brokers");
                return Err((ErrorCode::InvalidConfig, why));
            }
        }
    }
    let value = value.map(str::to_owned);
    records.push(MetadataRecord::Config { resource, name: name.to_owned(), value: value.clone() });
    // R94: whoever would rather lose records than be unavailable does not wait for the next look.
    if name == "unclean.leader.election.enable" && value.as_deref() == Some("true") {
        let mut after = image.clone();
        for (place, record) in (image.end.next().0..).zip(&records) {
            after.apply(Offset(place), record);
        }
        let defaults = after.broker_config(None, partitions.defaults);
        let partitions = Partitions { image: &after, defaults: &defaults, ..partitions };
        records.extend(partitions.elect_uncleanly(usize::MAX));
    }
    Ok(records)
}

/// C48: what cannot be is refused before it is written, in either mode, so that everybody who reads it can.
///
/// # Errors
/// `INVALID_CONFIG`, with a sentence for people.
pub(crate) fn judge_property(
    resource: &AlteredResource,
    name: &str,
    value: Option<&str>,
    defaults: &BrokerConfig,
) -> Result<(), Refusal> {
    if name == "replication.factor" || name == "default.replication.factor" {
        let why = "the replication factor of a topic is no property: only a reassignment of its partitions changes it";
        return Err((ErrorCode::InvalidConfig, why.to_owned()));
    }
    if let AlteredResource::Topic(_) = resource {
        if TopicConfig::broker_property(name).is_none() {
            return Err((ErrorCode::InvalidConfig, format!("topics have no property {name}")));
        }
        if let Some(value) = value {
            TopicConfig::from_pairs(&[(name.to_owned(), value.to_owned())])
                .map_err(|error| (ErrorCode::InvalidConfig, error.to_string()))?;
        }
    } else if let Some(value) = value {
        let mut tried = defaults.clone();
        tried.set(name, value).map_err(|fault| (ErrorCode::InvalidConfig, fault.to_string()))?;
    }
    Ok(())
}

/// R92: what it holds is taken away first.
fn unregister(partitions: Partitions<'_>, broker: BrokerId) -> Result<Vec<MetadataRecord>, Refusal> {
    let Some(registered) = partitions.image.brokers.get(&broker) else {
        return Err((ErrorCode::BrokerIdNotRegistered, format!("{broker} is not registered")));
    };
    let mut records = partitions.without(broker);
    records.push(MetadataRecord::UnregisterBroker { broker, epoch: registered.epoch });
    Ok(records)
}
