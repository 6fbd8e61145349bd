//! How a cluster on madsim's nodes comes up. The order is that of our own world.

use std::time::Duration;

use model::machine::Command;
use model::names::Node;
use rand::Rng;

use super::Nodes;
use crate::cast::Cast;
use crate::fact::Chapter;
use crate::world::{BootFailure, Observer};

/// How long a cluster may take to come up, in simulated time.
const PATIENCE: Duration = Duration::from_secs(60);

impl<O: Observer> Nodes<O> {
    /// Brings the cluster up: starts everybody but the readers, creates the topics, and runs until every partition is led
    /// with a full ISR and every consumer is assigned. Then the scenario has begun.
    ///
    /// # Errors
    /// If one of that takes more than 60 simulated seconds, or a topic is refused.
    pub fn boot(&mut self) -> Result<(), BootFailure> {
        let patience = std::mem::replace(&mut self.patience, PATIENCE);
        let booted = self.bring_up();
        self.patience = patience;
        booted
    }

    fn bring_up(&mut self) -> Result<(), BootFailure> {
        let nodes: Vec<Node> = self.ground.lock().places.iter().map(|place| place.host.node).collect();
        for node in nodes.into_iter().filter(|node| !node.is_client()) {
            self.start_staggered(node);
        }
        let brokers: Vec<_> = self.cluster.broker_ids().collect();
        self.wait("not all brokers were unfenced", |cast| {
            brokers.iter().all(|broker| cast.image().is_active(*broker))
        })?;
        let admin = self.cluster.admin_id();
        self.start_staggered(admin.into());
        let topics = self.cluster.all_topics();
        for topic in &topics {
            let command = Command::CreateTopic {
                name: topic.name.clone(),
                partitions: topic.partitions,
                replication_factor: topic.replication_factor,
                config: topic.config.clone(),
            };
            self.submit(admin, command);
        }
        self.wait("not all topics were created", |cast| {
            topics.iter().all(|topic| cast.is_created(&topic.name) || cast.refusal(&topic.name).is_some())
        })?;
        for topic in &topics {
            if let Some(reason) = self.cast().refusal(&topic.name) {
                return Err(BootFailure::TopicRefused { topic: topic.name.clone(), reason: reason.to_owned() });
            }
        }
        self.wait("not all replicas had taken up their roles", |cast| {
            cast.partitions().iter().all(|partition| cast.settled(*partition).is_ok())
        })?;
        let consumers: Vec<_> = self.cluster.consumer_ids().collect();
        for client in self.cluster.producer_ids().chain(consumers.iter().copied()) {
            self.start_staggered(client.into());
        }
        self.wait("not all consumers were assigned", |cast| consumers.iter().all(|id| cast.is_assigned(*id)))?;
        self.chapter(Chapter::Begun);
        Ok(())
    }

    /// Starts a node that is down, each a little later than the last.
    fn start_staggered(&mut self, node: Node) {
        let nanos = self.dice.draw(&("boot", node)).gen_range(0..10_000_000);
        self.run_for(Duration::from_nanos(nanos));
        if let Some(index) = self.ground.index_of(node) {
            self.start(index);
        }
    }

    fn wait(&mut self, missing: &str, holds: impl Fn(&Cast) -> bool) -> Result<(), BootFailure> {
        if holds(self.cast()) || self.until_in_world(|nodes| holds(nodes.cast())) {
            return Ok(());
        }
        Err(BootFailure::Late { at: self.now(), missing: missing.to_owned() })
    }
}
