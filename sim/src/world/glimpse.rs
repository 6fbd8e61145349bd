//! A look into a host without a call, for whoever audits what is there. Nothing in a run depends on it.

use model::broker::Broker;
use model::names::{BrokerId, Node};

use super::process::Process;
use super::{Observer, World};
use crate::disk::SimDisk;

impl<O: Observer> World<O> {
    /// The disk of a node, as a process on it would see it.
    #[must_use]
    pub fn disk(&self, node: impl Into<Node>) -> Option<&SimDisk> {
        self.index_of(node.into()).map(|index| &self.hosts[index].disk)
    }

    /// The process of a broker, if it runs.
    #[must_use]
    pub fn broker(&self, broker: BrokerId) -> Option<&Broker> {
        let host = &self.hosts[self.index_of(broker.into())?];
        match host.process.as_ref()? {
            Process::Broker(broker) => Some(broker),
            _ => None,
        }
    }
}
