//! What a controller tells this broker: LeaderAndIsr, UpdateMetadata, StopReplica (C65).
//!
//! The first decides what replicas do, the second what clients are told; nothing keeps the two together. It must not know
//! whether the controller is this very process.

use std::collections::BTreeSet;

use super::{Step, Stop};
use crate::broker::Process;
use crate::metadata::{BrokerRegistration, PartitionRegistration, TopicRegistration};
use crate::names::{Incarnation, Partition, TopicId};
use crate::replica::Replica;
use crate::wire::{
    ErrorCode, LeaderAndIsrRequest, LeadershipTold, Request, Response, Sender, StopReplicaRequest, Told, ToldTopic,
    UpdateMetadataRequest,
};

impl Process {
    /// Obeys, if it is a controller that says so, and if this life is meant.
    pub(super) fn obey_controller(&mut self, request: Request, step: &mut Step<'_>) -> Result<Response, Stop> {
        Ok(match request {
            Request::LeaderAndIsr(request) => Response::LeaderAndIsr(self.lead_or_follow(request, step)?),
            Request::UpdateMetadata(request) => Response::UpdateMetadata(self.update_metadata(request)),
            Request::StopReplica(request) => Response::StopReplica(self.stop_replicas(&request, step)?),
            _ => Response::StopReplica(Told { error: ErrorCode::InvalidRequest }),
        })
    }

    /// C63, C65: a controller that was succeeded is not obeyed, nor is what is meant for an earlier life.
    fn judge(&mut self, sender: Sender) -> Result<(), ErrorCode> {
        let own = self.lifecycle.epoch();
        let zookeeper = self.zookeeper.as_mut().ok_or(ErrorCode::InvalidRequest)?;
        if own.is_some_and(|own| self.own.protocol.bouncing.is_stale(sender.to, own)) {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        if sender.epoch < zookeeper.controller_epoch {
            return Err(ErrorCode::StaleControllerEpoch);
        }
        zookeeper.controller_epoch = sender.epoch;
        Ok(())
    }

    /// A partition's state is obeyed if its leader epoch is news; an ISR alone is not (C65).
    fn lead_or_follow(&mut self, request: LeaderAndIsrRequest, step: &mut Step<'_>) -> Result<Told, Stop> {
        if let Err(error) = self.judge(request.sender) {
            return Ok(Told { error });
        }
        self.learn_topics(&request.topics);
        let mut states = Vec::new();
        for LeadershipTold { state, controller_epoch } in request.partitions {
            let obeyed = self.replicas.get(&state.partition).and_then(|replica| replica.leader_epoch);
            if obeyed.is_some_and(|obeyed| state.leader_epoch <= obeyed) {
                continue;
            }
            if let Some(zookeeper) = &mut self.zookeeper {
                zookeeper.obeyed.insert(state.partition, controller_epoch);
            }
            states.push(state);
        }
        self.make_room(&states, step)?;
        self.take_roles(states, step)?;
        Ok(Told { error: ErrorCode::None })
    }

    fn update_metadata(&mut self, request: UpdateMetadataRequest) -> Told {
        if let Err(error) = self.judge(request.sender) {
            return Told { error };
        }
        self.learn_topics(&request.topics);
        let alive = request.brokers.into_iter().map(|(id, epoch)| {
            let (incarnation, fenced, in_controlled_shutdown) = (Incarnation(0), false, false);
            (id, BrokerRegistration { incarnation, epoch, fenced, in_controlled_shutdown })
        });
        self.image.brokers = alive.collect();
        let states = request.partitions.into_iter().map(|state: PartitionRegistration| (state.partition, state));
        self.image.partitions.extend(states);
        for id in request.gone {
            self.forget_topic(id);
        }
        Told { error: ErrorCode::None }
    }

    /// The replica follows nobody from now on. With deletion it is none any more: the answer leaves when its directory has
    /// another name for good (C74).
    fn stop_replicas(&mut self, request: &StopReplicaRequest, step: &mut Step<'_>) -> Result<Told, Stop> {
        if let Err(error) = self.judge(request.sender) {
            return Ok(Told { error });
        }
        if request.delete {
            self.remove_replicas(&request.partitions, step)?;
        } else {
            for partition in &request.partitions {
                self.stop_following(*partition);
            }
        }
        Ok(Told { error: ErrorCode::None })
    }

    /// Whatever is here of another topic of the same name: nobody has told this broker to delete it, because it was no replica
    /// any more when the topic was. Before topics had ids its records would have been taken for the new topic's; later Kafka
    /// refuses the new one, `INCONSISTENT_TOPIC_ID`, until somebody has tidied up (KIP-516). Here the old one goes.
    fn make_room(&mut self, states: &[PartitionRegistration], step: &mut Step<'_>) -> Result<(), Stop> {
        let wanted: BTreeSet<(Partition, String)> =
            states.iter().filter_map(|state| Some((state.partition, self.image.directory(state.partition)?))).collect();
        let in_the_way = |replica: &&Replica| {
            let is_another = |(partition, directory): &(Partition, String)| {
                directory == replica.log.directory() && *partition != replica.partition
            };
            wanted.iter().any(is_another)
        };
        let old: Vec<Partition> = self.replicas.values().filter(in_the_way).map(|replica| replica.partition).collect();
        self.remove_replicas(&old, step)
    }

    /// Clients are told of it no more.
    fn forget_topic(&mut self, id: TopicId) {
        self.image.topics.remove(&id);
        self.image.partitions.retain(|partition, _| partition.topic != id);
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.configs.forget(id);
        }
    }

    fn learn_topics(&mut self, topics: &[ToldTopic]) {
        let mut changed: BTreeSet<TopicId> = BTreeSet::new();
        for topic in topics {
            // Kafka's brokers know topics by name: of two of one name the newer is meant.
            let namesakes = self.image.topics.iter().filter(|(id, other)| **id != topic.id && other.name == topic.name);
            let older: Vec<TopicId> = namesakes.map(|(id, _)| *id).collect();
            older.into_iter().for_each(|id| self.forget_topic(id));
            let Some(zookeeper) = &mut self.zookeeper else { return };
            let (name, partitions) = (topic.name.clone(), topic.partitions);
            let config = zookeeper.configs.learn_told(topic);
            let now = TopicRegistration { name, config, partitions };
            if self.image.topics.insert(topic.id, now.clone()) != Some(now) {
                changed.insert(topic.id);
            }
        }
        self.reconfigure(&changed);
    }
}
