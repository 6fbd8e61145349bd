//! How a cluster comes to be: controller and brokers start, topics are created, clients are assigned.

use std::fmt;
use std::time::Duration;

use model::config::{ConsumerConfig, OffsetReset};
use model::machine::Command;
use model::names::{BrokerId, ControllerId, DirectoryId, Node};
use model::wire::Voter;
use rand::Rng;

use super::hosts::Host;
use super::process::Program;
use super::{Observer, World};
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::disk::SimDisk;
use crate::fact::{Chapter, Moment};
use crate::hands::Verbs;

/// How long a cluster may take to come up, in simulated time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the admin client tries to create a topic; less, so that it is heard why a topic is refused.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A cluster did not come up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BootFailure {
    /// A topic was refused.
    #[error("topic {topic} was refused: {reason}")]
    TopicRefused {
        /// Its name.
        topic: String,
        /// The error's name, and why.
        reason: String,
    },
    /// Something did not happen in time.
    #[error("the cluster did not come up: after {at} {missing}")]
    Late {
        /// When it was given up.
        at: Moment,
        /// What was missing.
        missing: String,
    },
}

/// The hosts of a cluster: controllers, brokers, then clients, each in order of id.
pub(crate) fn hosts(cluster: &Cluster, dice: Dice) -> Vec<Host> {
    let settings = &cluster.settings;
    let brokers: Vec<BrokerId> = cluster.broker_ids().collect();
    let controllers: Vec<ControllerId> = cluster.controller_ids().collect();
    let voters: Vec<Voter> = controllers.iter().map(|&id| Voter { id, directory: first_directory(id) }).collect();
    let mut hosts = Vec::new();
    let mut add = |node: Node, program: Program| {
        hosts.push(Host::new(node, program, SimDisk::new(node, dice, cluster.disk), dice));
    };
    for &own in &voters {
        let (config, defaults) = (Box::new(settings.controller.clone()), Box::new(settings.broker.clone()));
        add(own.id.into(), Program::Controller(own, voters.clone(), config, defaults, cluster.protocol));
    }
    if cluster.zookeeper {
        add(Node::Ensemble, Program::Ensemble);
    }
    for id in cluster.broker_ids() {
        let protocol = cluster.protocol_spoken_by(id);
        if cluster.zookeeper {
            add(id.into(), Program::BrokerWithZooKeeper(id, Box::new(settings.broker.clone()), protocol));
            continue;
        }
        add(id.into(), Program::Broker(id, controllers.clone(), Box::new(settings.broker.clone()), protocol));
    }
    for id in cluster.producer_ids() {
        let config = Box::new(settings.producer.clone());
        add(id.into(), Program::Producer(id, brokers.clone(), config, cluster.protocol));
    }
    for id in cluster.consumer_ids() {
        let config = Box::new(settings.consumer.clone());
        add(id.into(), Program::Consumer(id, brokers.clone(), config, cluster.protocol));
    }
    let admin = cluster.admin_id();
    let deciders = if cluster.zookeeper {
        brokers.iter().copied().map(Node::from).collect()
    } else {
        controllers.into_iter().map(Node::from).collect()
    };
    add(admin.into(), Program::Admin(admin, deciders, brokers.clone(), ADMIN_TIMEOUT));
    for id in cluster.reader_ids() {
        let config = ConsumerConfig { auto_offset_reset: OffsetReset::Earliest, ..settings.consumer.clone() };
        add(id.into(), Program::Consumer(id, brokers.clone(), Box::new(config), cluster.protocol));
    }
    let topics = cluster.all_topics();
    let readers = cluster.reader_ids().enumerate();
    for (nth, id) in cluster.consumer_ids().enumerate().chain(readers) {
        let topic = topics[nth % topics.len()].name.clone();
        let assign = Command::Assign { topic, partitions: Vec::new() };
        hosts.iter_mut().filter(|host| host.node == Node::from(id)).for_each(|host| host.routine.push(assign.clone()));
    }
    hosts
}

/// The disk with which a controller was formatted as a voter.
fn first_directory(id: ControllerId) -> DirectoryId {
    DirectoryId(u64::from(id.0))
}

impl<O: Observer> World<O> {
    /// Brings the cluster up: starts everybody but the reader, creates the topics, and runs until every partition is led
    /// with a full ISR and every consumer is assigned. Then the scenario has begun.
    ///
    /// # Errors
    /// If that takes more than 60 simulated seconds, or a topic is refused.
    pub fn boot(&mut self) -> Result<(), BootFailure> {
        let patience = std::mem::replace(&mut self.patience, PATIENCE);
        let booted = self.bring_up();
        self.patience = patience;
        booted
    }

    fn bring_up(&mut self) -> Result<(), BootFailure> {
        for node in self.nodes(|node| !node.is_client()) {
            self.start_staggered(node);
        }
        let brokers = self.brokers();
        self.wait("not all brokers were unfenced", |world| {
            brokers.iter().all(|broker| world.cast().image().is_active(*broker))
        })?;
        let admin = self.admin();
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
        self.wait("not all topics were created", |world| {
            let cast = world.cast();
            topics.iter().all(|topic| cast.is_created(&topic.name) || cast.refusal(&topic.name).is_some())
        })?;
        for topic in &topics {
            if let Some(reason) = self.cast().refusal(&topic.name) {
                return Err(BootFailure::TopicRefused { topic: topic.name.clone(), reason: reason.to_owned() });
            }
        }
        self.wait("not all replicas had taken up their roles", |world| {
            world.cast().partitions().iter().all(|partition| world.cast().settled(*partition).is_ok())
        })?;
        let (producers, consumers) = (self.producers(), self.consumers());
        for client in producers.into_iter().chain(consumers.clone()) {
            self.start_staggered(client.into());
        }
        self.wait("not all consumers were assigned", |world| {
            consumers.iter().all(|consumer| world.cast().is_assigned(*consumer))
        })?;
        self.chapter(Chapter::Begun);
        Ok(())
    }

    fn nodes(&self, wanted: impl Fn(Node) -> bool) -> Vec<Node> {
        self.hosts.iter().map(|host| host.node).filter(|node| wanted(*node)).collect()
    }

    /// Starts a node that is down, each a little later than the last.
    fn start_staggered(&mut self, node: Node) {
        let nanos = self.dice.draw(&("boot", node)).gen_range(0..10_000_000);
        self.run_for(Duration::from_nanos(nanos));
        if let Some(index) = self.index_of(node) {
            self.start(index);
        }
    }

    fn wait(&mut self, missing: &str, holds: impl Fn(&Self) -> bool) -> Result<(), BootFailure> {
        if holds(self) || self.until_in_world(holds) {
            return Ok(());
        }
        Err(BootFailure::Late { at: self.now, missing: missing.to_owned() })
    }
}

/// Several reasons in one sentence.
pub(super) struct Reasons<'a>(pub(super) &'a [String]);

impl fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
