//! What a script may do to a cluster in this world, and when it has come to rest.

use std::fmt;
use std::time::Duration;

use model::event::Value;
use model::machine::Command;
use model::names::Node;

use super::boot::Reasons;
use super::{Observer, World};
use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::fact::{Chapter, Fact, Moment};
use crate::fault::Fault;
use crate::hands::{Hands, Verbs};

/// What became of records that were produced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Acknowledged.
    pub acked: Vec<Value>,
    /// Failed, or unknown because their producer died.
    pub failed: Vec<Value>,
    /// Neither, when patience ran out.
    pub undecided: Vec<Value>,
}

/// A wait for quiet that is under way.
#[derive(Clone, Debug)]
pub struct Settling {
    end: Moment,
    /// Since when all has been quiet.
    since: Option<Moment>,
}

/// What was still to be done when patience ran out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled(pub Vec<String>);

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cluster did not come to rest: {}", Reasons(&self.0))
    }
}

impl std::error::Error for Unsettled {}

/// For how long nothing must change before a cluster counts as quiet.
const REST: Duration = Duration::from_millis(600);

impl<O: Observer> World<O> {
    /// Starts the readers, fresh consumers that read everything from the start.
    pub fn read_back(&mut self) {
        self.chapter(Chapter::ReadBack);
        for reader in self.readers() {
            if let Some(index) = self.index_of(reader.into()) {
                self.start(index);
            }
        }
    }

    /// Runs until nothing is left to be done, for a while; heals nothing. [`World::unsettled`] says what is missing if patience ran out.
    pub fn settle(&mut self) -> bool {
        let mut settling = self.begin_to_settle();
        loop {
            match self.has_settled(&mut settling) {
                Some(settled) => return settled,
                None => self.run_for(Duration::from_millis(50)),
            }
        }
    }

    /// A wait for quiet that begins now, for those who let the world go on themselves and look every now and then.
    #[must_use]
    pub fn begin_to_settle(&self) -> Settling {
        Settling { end: self.now + self.patience, since: None }
    }

    /// Looks whether the wait is over: whether the cluster came to rest, or did not while patience lasted.
    pub fn has_settled(&self, settling: &mut Settling) -> Option<bool> {
        if self.now >= settling.end {
            return Some(false);
        }
        if !self.is_settled() {
            settling.since = None;
            return None;
        }
        let begun = *settling.since.get_or_insert(self.now);
        (self.now.since(begun) >= REST).then_some(true)
    }

    /// What is still to be done before the cluster is quiet, in words; empty if nothing is.
    #[must_use]
    pub fn unsettled(&self) -> Vec<String> {
        let cast = self.cast();
        let settled = cast.partitions().iter().map(|partition| cast.settled(*partition));
        let mut missing: Vec<String> = settled.filter_map(Result::err).collect();
        if cast.undecided() > 0 {
            missing.push(format!("{} records are neither acknowledged nor failed", cast.undecided()));
        }
        missing
    }

    fn is_settled(&self) -> bool {
        let cast = self.cast();
        cast.undecided() == 0 && cast.partitions().iter().all(|partition| cast.settled(*partition).is_ok())
    }
}

impl Decided {
    /// Whether every record was acknowledged.
    #[must_use]
    pub fn all_acked(&self) -> bool {
        self.failed.is_empty() && self.undecided.is_empty()
    }

    pub(crate) fn settle(&mut self, values: &[Value], acked: bool) {
        for value in values {
            let Some(place) = self.undecided.iter().position(|known| known == value) else { continue };
            self.undecided.remove(place);
            let decided = if acked { &mut self.acked } else { &mut self.failed };
            decided.push(*value);
        }
    }
}

impl<O: Observer> Hands for World<O> {
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
        self.patience()
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
        self.until_in_world(|world| holds(world))
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
