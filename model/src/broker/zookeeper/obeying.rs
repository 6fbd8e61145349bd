//! What a controller tells this broker: LeaderAndIsr, UpdateMetadata, StopReplica (C65).
//!
//! The first decides what replicas do, the second what clients are told; nothing keeps the two together. It must not know
//! whether the controller is this very process.

use std::collections::BTreeSet;

use super::{Step, Stop};
use crate::broker::Process;
use crate::metadata::{BrokerRegistration, PartitionRegistration, TopicRegistration};
use crate::names::{Incarnation, TopicId};
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
            Request::StopReplica(request) => Response::StopReplica(self.stop_replicas(&request)),
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
        Told { error: ErrorCode::None }
    }

    /// Without deletion: the replica follows nobody from now on.
    fn stop_replicas(&mut self, request: &StopReplicaRequest) -> Told {
        if let Err(error) = self.judge(request.sender) {
            return Told { error };
        }
        for partition in &request.partitions {
            self.stop_following(*partition);
        }
        Told { error: ErrorCode::None }
    }

    fn learn_topics(&mut self, topics: &[ToldTopic]) {
        let mut changed: BTreeSet<TopicId> = BTreeSet::new();
        for topic in topics {
            let (name, config, partitions) = (topic.name.clone(), (*topic.config).clone(), topic.partitions);
            let now = TopicRegistration { name, config, partitions };
            if self.image.topics.insert(topic.id, now.clone()) != Some(now) {
                changed.insert(topic.id);
            }
        }
        self.reconfigure(&changed);
    }
}
