//! What an operator does in the midst of it: partitions move, leaders are elected, `min.insync.replicas` goes up and down.

use model::names::BrokerId;
use model::wire::{AdminRequest, AlteredResource};
use rand::Rng;
use rand::seq::SliceRandom;
use sim::fault::{Fault, When};

use super::hand::Hand;

impl Hand {
    /// One request, of the first partition of the first topic: what it is about is whom else it meets there.
    pub(super) fn administration(&mut self, when: &When) {
        let topic = self.place.topic.clone();
        let request = match self.draw.gen_range(0..10) {
            0..5 => {
                let mut brokers: Vec<BrokerId> = (1..=self.place.brokers).map(BrokerId).collect();
                brokers.shuffle(&mut self.draw);
                brokers.truncate(self.place.replicas as usize);
                AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas: Some(brokers) }
            }
            5 => AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas: None },
            6..8 => AdminRequest::ElectLeaders { topic, partition: 0, unclean: false },
            _ => AdminRequest::IncrementalAlterConfigs {
                resource: AlteredResource::Topic(topic),
                name: "min.insync.replicas".to_owned(),
                value: Some(self.draw.gen_range(1..=self.place.replicas).to_string()),
            },
        };
        self.strike(when, Fault::Administer(request));
    }
}
