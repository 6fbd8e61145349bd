//! What a script may do to a cluster on madsim's nodes.

use std::time::Duration;

use model::event::Value;
use model::machine::Command;
use model::names::Node;

use super::Nodes;
use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::fact::{Chapter, Fact, Moment};
use crate::fault::Fault;
use crate::hands::Hands;
use crate::world::Observer;
use crate::world::hosts::Condition;

/// For how long nothing must change before a cluster counts as quiet.
const REST: Duration = Duration::from_millis(600);
/// How often it is looked whether anything does.
const LOOK: Duration = Duration::from_millis(50);

impl<O: Observer> Nodes<O> {
    /// Whether a process runs on the node, standing still or not.
    #[must_use]
    pub fn is_up(&self, node: impl Into<Node>) -> bool {
        let index = self.ground.index_of(node.into());
        index.is_some_and(|index| self.ground.lock().places[index].host.condition == Condition::Up)
    }

    /// Starts the readers, fresh consumers that read everything from the start.
    pub fn read_back(&mut self) {
        self.chapter(Chapter::ReadBack);
        for reader in self.cluster.reader_ids() {
            if let Some(index) = self.ground.index_of(reader.into()) {
                self.start(index);
            }
        }
    }

    /// Runs until nothing is left to be done, for a while; `false` if patience runs out. Heals nothing.
    pub fn settle(&mut self) -> bool {
        let end = self.now() + self.patience;
        let mut since = None;
        while self.now() < end {
            if self.is_settled() {
                let begun = *since.get_or_insert(self.now());
                if self.now().since(begun) >= REST {
                    return true;
                }
            } else {
                since = None;
            }
            self.run_for(LOOK);
            self.return_the_wanted();
        }
        false
    }

    fn is_settled(&self) -> bool {
        let cast = self.cast();
        cast.undecided() == 0 && cast.partitions().iter().all(|partition| cast.settled(*partition).is_ok())
    }
}

impl<O: Observer + 'static> Hands for Nodes<O> {
    fn cluster(&self) -> &Cluster {
        self.cluster()
    }

    fn cast(&self) -> &Cast {
        self.cast()
    }

    fn now(&self) -> Moment {
        self.now()
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    fn latest(&self) -> &[Fact] {
        self.latest()
    }

    fn is_running(&self, node: Node) -> bool {
        self.is_up(node)
    }

    fn run_up_to(&mut self, end: Moment) {
        self.run_until(end);
    }

    fn until_said(&mut self, wanted: &mut dyn FnMut(&Fact) -> bool) -> bool {
        self.until(wanted)
    }

    fn until_held(&mut self, holds: &mut dyn FnMut(&dyn Hands) -> bool) -> bool {
        self.until_in_world(|nodes| holds(nodes))
    }

    fn ask(&mut self, node: Node, command: Command) {
        self.submit(node, command);
    }

    fn ask_at(&mut self, at: Moment, node: Node, command: Command) {
        self.submit_at(at, node, command);
    }

    fn fresh(&mut self) -> Value {
        self.last_value += 1;
        Value(self.last_value)
    }

    fn inflict(&mut self, fault: &Fault) {
        self.inflict(fault);
    }

    fn heal(&mut self) {
        self.heal();
    }

    fn restart_all(&mut self) {
        self.restart_all();
    }

    fn settle(&mut self) -> bool {
        self.settle()
    }
}
