//! What an operator asks for while it storms: the work goes on.
//!
//! Drawn in advance like misfortunes, and part of the same list, so that a storm that is shrunk loses what is not needed of
//! either. It must not know which partition is where when the time comes.

use std::time::Duration;

use model::names::BrokerId;
use model::wire::{AdminRequest, AlteredResource};
use rand::Rng;
use rand::seq::SliceRandom;
use sim::cluster::{Cluster, Topic};
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Strike};

use super::{Storm, pick};

impl Storm {
    /// The same with an operator who moves partitions, elects leaders, alters what is demanded and adds partitions meanwhile.
    /// Of several topics the last may be deleted when most is over.
    #[must_use]
    pub fn with_operator(mut self, dice: Dice, cluster: &Cluster, span: Duration) -> Self {
        let mut draw = dice.draw(&("operator", "how much"));
        let topics = cluster.all_topics();
        for nth in 0..draw.gen_range(8..=16_u32) {
            let mut draw = dice.draw(&("operator", nth));
            let at = span.mul_f64(draw.gen_range(0.02..0.9));
            self.strikes.push(Strike::at(at, Fault::Administer(request(&mut draw, cluster, &topics))));
        }
        if let (true, Some(last)) = (topics.len() > 1 && draw.gen_bool(0.5), topics.last()) {
            let at = span.mul_f64(draw.gen_range(0.5..0.95));
            let name = last.name.clone();
            self.strikes.push(Strike::at(at, Fault::Administer(AdminRequest::DeleteTopic { name })));
        }
        self
    }
}

/// One request.
pub(super) fn request(draw: &mut Draw, cluster: &Cluster, topics: &[Topic]) -> AdminRequest {
    let topic = &topics[draw.gen_range(0..topics.len())];
    let (name, partition) = (topic.name.clone(), draw.gen_range(0..topic.partitions));
    match draw.gen_range(0..20) {
        0..10 => {
            let replicas = Some(replicas(draw, cluster, usize::from(topic.replication_factor)));
            AdminRequest::AlterPartitionReassignments { topic: name, partition, replicas }
        }
        10..12 => AdminRequest::AlterPartitionReassignments { topic: name, partition, replicas: None },
        12..15 => AdminRequest::ElectLeaders { topic: name, partition, unclean: false },
        15 if topics.len() > 1 => {
            // Only of one of them, or hardly anything could be demanded any more.
            let last = topics.last().map_or(name, |last| last.name.clone());
            let (resource, name) = (AlteredResource::Topic(last), "unclean.leader.election.enable".to_owned());
            let value = Some(pick(draw, &["true", "false"]).to_owned());
            AdminRequest::IncrementalAlterConfigs { resource, name, value }
        }
        15..18 => {
            let resource = if draw.gen_bool(0.7) { AlteredResource::Topic(name) } else { AlteredResource::Cluster };
            let value = Some(pick(draw, &["1", "2", "2", "3"]).to_owned());
            AdminRequest::IncrementalAlterConfigs { resource, name: "min.insync.replicas".to_owned(), value }
        }
        _ => AdminRequest::CreatePartitions { name, partitions: topic.partitions + draw.gen_range(1..=2) },
    }
}

/// About as many as there are, and never one alone.
fn replicas(draw: &mut Draw, cluster: &Cluster, replication_factor: usize) -> Vec<BrokerId> {
    let mut brokers: Vec<BrokerId> = cluster.broker_ids().collect();
    brokers.shuffle(draw);
    let wanted = (replication_factor + draw.gen_range(0..4)).saturating_sub(1).max(2);
    brokers.truncate(if draw.gen_bool(0.6) { replication_factor } else { wanted });
    brokers
}
