//! What runs on a host: which machine, and how a fresh one is made for every life of its process.

use std::time::Duration;

use model::broker::Broker;
use model::client::{Admin, Consumer, Producer};
use model::config::{BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig};
use model::controller::Controller;
use model::disk::Disk;
use model::machine::{Effects, Input, Machine, Stop};
use model::names::{BrokerId, ClientId, ControllerId, DirectoryId, Node, Time};
use model::protocol::Protocol;
use model::wire::Voter;
use model::zookeeper::Ensemble;

/// How a process is made.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// A broker that obeys these controllers.
    Broker(BrokerId, Vec<ControllerId>, Box<BrokerConfig>, Protocol),
    /// A broker in ZooKeeper mode.
    BrokerWithZooKeeper(BrokerId, Box<BrokerConfig>, Protocol),
    /// The ZooKeeper ensemble.
    Ensemble,
    /// A controller.
    Controller(Voter, Vec<Voter>, Box<ControllerConfig>, Box<BrokerConfig>, Protocol),
    /// A producer.
    Producer(ClientId, Vec<BrokerId>, Box<ProducerConfig>, Protocol),
    /// A consumer.
    Consumer(ClientId, Vec<BrokerId>, Box<ConsumerConfig>, Protocol),
    /// An admin client, which gives up after so long.
    Admin(ClientId, Vec<Node>, Vec<BrokerId>, Duration),
    /// A machine of the tests.
    #[cfg(test)]
    Probe(super::tests::Probe),
}

/// A running process.
#[derive(Clone, Debug)]
pub(crate) enum Process {
    Broker(Box<Broker>),
    Controller(Box<Controller>),
    Ensemble(Box<Ensemble>),
    Producer(Box<Producer>),
    Consumer(Box<Consumer>),
    Admin(Box<Admin>),
    #[cfg(test)]
    Probe(Box<super::tests::Probe>),
}

impl Program {
    /// From the next process on, another protocol is spoken.
    pub(crate) fn upgrade(&mut self, to: Protocol) {
        match self {
            Self::Broker(.., protocol)
            | Self::BrokerWithZooKeeper(.., protocol)
            | Self::Controller(.., protocol)
            | Self::Producer(.., protocol)
            | Self::Consumer(.., protocol) => *protocol = to,
            Self::Admin(..) | Self::Ensemble => {}
            #[cfg(test)]
            Self::Probe(_) => {}
        }
    }

    /// A fresh process, on this disk of the host's: from 0, one more each time it was replaced.
    pub(crate) fn launch(&self, disk: u32) -> Process {
        match self {
            Self::Broker(id, controllers, config, protocol) => {
                Process::Broker(Box::new(Broker::new(*id, controllers.clone(), (**config).clone(), *protocol)))
            }
            Self::BrokerWithZooKeeper(id, config, protocol) => {
                Process::Broker(Box::new(Broker::with_zookeeper(*id, (**config).clone(), *protocol)))
            }
            Self::Ensemble => Process::Ensemble(Box::new(Ensemble::new())),
            Self::Controller(own, voters, config, defaults, protocol) => {
                let (config, defaults) = ((**config).clone(), (**defaults).clone());
                // What was formatted when the quorum was made is what the voters know.
                let directory = DirectoryId(own.directory.0 + (u64::from(disk) << 32));
                let own = Voter { directory, ..*own };
                let controller = Controller::new(own, voters.clone(), config, defaults, *protocol);
                Process::Controller(Box::new(controller))
            }
            Self::Producer(id, bootstrap, config, protocol) => {
                Process::Producer(Box::new(Producer::new(*id, bootstrap.clone(), (**config).clone(), *protocol)))
            }
            Self::Consumer(id, bootstrap, config, protocol) => {
                Process::Consumer(Box::new(Consumer::new(*id, bootstrap.clone(), (**config).clone(), *protocol)))
            }
            Self::Admin(id, controllers, bootstrap, timeout) => {
                Process::Admin(Box::new(Admin::new(*id, controllers.clone(), bootstrap.clone(), *timeout)))
            }
            #[cfg(test)]
            Self::Probe(probe) => Process::Probe(Box::new(probe.clone())),
        }
    }
}

impl Machine for Process {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match self {
            Self::Broker(machine) => machine.step(now, input, disk, effects),
            Self::Controller(machine) => machine.step(now, input, disk, effects),
            Self::Ensemble(machine) => machine.step(now, input, disk, effects),
            Self::Producer(machine) => machine.step(now, input, disk, effects),
            Self::Consumer(machine) => machine.step(now, input, disk, effects),
            Self::Admin(machine) => machine.step(now, input, disk, effects),
            #[cfg(test)]
            Self::Probe(machine) => machine.step(now, input, disk, effects),
        }
    }

    fn deadline(&self) -> Option<Time> {
        match self {
            Self::Broker(machine) => machine.deadline(),
            Self::Controller(machine) => machine.deadline(),
            Self::Ensemble(machine) => machine.deadline(),
            Self::Producer(machine) => machine.deadline(),
            Self::Consumer(machine) => machine.deadline(),
            Self::Admin(machine) => machine.deadline(),
            #[cfg(test)]
            Self::Probe(machine) => machine.deadline(),
        }
    }
}
