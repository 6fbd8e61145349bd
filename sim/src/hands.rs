//! The hands that may touch a running cluster, whichever scheduler turns it: what a script is written in.
//!
//! [`Hands`] is what a scheduler must offer; the rest follows from it, and reads like stage directions. It knows no scheduler.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::event::{Event, Value};
use model::machine::Command;
use model::names::{BrokerId, ClientId, ControllerId, Node};
use model::wire::Channel;

use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::fact::{Fact, Moment, What};
use crate::fault::{Fault, Target};
use crate::world::{Decided, Observer, World, roles};

/// A running cluster, as far as a script may touch it.
pub trait Hands {
    /// The shape of the cluster.
    fn cluster(&self) -> &Cluster;
    /// Who plays which part, as the facts so far say.
    fn cast(&self) -> &Cast;
    /// True time.
    fn now(&self) -> Moment;
    /// How long waiting may take.
    fn patience(&self) -> Duration;
    /// The facts that were stated last.
    fn latest(&self) -> &[Fact];
    /// Whether a process runs on the node.
    fn is_running(&self, node: Node) -> bool;
    /// Lets everything happen up to this moment.
    fn run_up_to(&mut self, end: Moment);
    /// Runs until a fact is stated that is looked for; `false` if patience runs out.
    fn until_said(&mut self, wanted: &mut dyn FnMut(&Fact) -> bool) -> bool;
    /// Runs until something holds of the cluster; `false` if patience runs out.
    fn until_held(&mut self, holds: &mut dyn FnMut(&dyn Hands) -> bool) -> bool;
    /// An application on this node asks for something now.
    fn ask(&mut self, node: Node, command: Command);
    /// An application on this node asks for something at this moment.
    fn ask_at(&mut self, at: Moment, node: Node, command: Command);
    /// A value that no record of this run has yet.
    fn fresh(&mut self) -> Value;
    /// Lets a misfortune befall whom it concerns, now.
    fn inflict(&mut self, fault: &Fault);
    /// Takes back every fault and starts every host that can return.
    fn heal(&mut self);
    /// Starts every host that has no process, but can have one and has had one.
    fn restart_all(&mut self);
    /// Runs until nothing is left to be done, for a while; `false` if patience runs out.
    fn settle(&mut self) -> bool;
}

/// How many keys the records have: enough to reach every partition, few enough to repeat.
const KEYS: u64 = 64;

impl dyn Hands + '_ {
    /// A value that no record of this run has yet, and the payload that carries it.
    pub fn fresh_value(&mut self) -> (Value, Bytes) {
        let value = self.fresh();
        let mut payload = BytesMut::zeroed(self.cluster().payload.max(8));
        (&mut payload[..8]).put_u64(value.0);
        (value, payload.freeze())
    }

    /// Has the first producer send so many keyed records with fresh values, spread over all topics; does not wait.
    pub fn send(&mut self, records: usize) -> Vec<Value> {
        let topics: Vec<String> = self.cluster().all_topics().into_iter().map(|topic| topic.name).collect();
        let producer = self.producer().into();
        let mut values = Vec::with_capacity(records);
        for nth in 0..records {
            let (value, payload) = self.fresh_value();
            let key = Some(Bytes::from(format!("key-{}", value.0 % KEYS)));
            self.ask(producer, Command::Send { topic: topics[nth % topics.len()].clone(), key, value: payload });
            values.push(value);
        }
        self.ask(producer, Command::Flush);
        values
    }

    /// The same, then runs until each record is acknowledged or has failed.
    pub fn produce(&mut self, records: usize) -> Decided {
        let values = self.send(records);
        let producer = Node::from(self.producer());
        let mut decided = Decided { undecided: values, ..Decided::default() };
        let mut is_over = !self.is_running(producer);
        if !is_over {
            self.until(|fact| {
                match fact.event() {
                    Some(Event::Acked { values, .. }) => decided.settle(values, true),
                    Some(Event::SendFailed { values, .. }) => decided.settle(values, false),
                    _ => {
                        is_over |= matches!(fact.what, What::Stopped { .. }) && fact.node == Some(producer);
                    }
                }
                decided.undecided.is_empty() || is_over
            });
        }
        if is_over {
            let lost = std::mem::take(&mut decided.undecided);
            decided.failed.extend(lost);
        }
        decided
    }

    /// Lets everything happen that happens in this span.
    pub fn run_for(&mut self, span: Duration) {
        self.run_up_to(self.now() + span);
    }

    /// Runs until a fact is stated that is looked for; `false` if patience runs out.
    pub fn until(&mut self, mut wanted: impl FnMut(&Fact) -> bool) -> bool {
        self.until_said(&mut wanted)
    }

    /// Runs until something holds of the cluster; `false` if patience runs out.
    pub fn until_in_world(&mut self, mut holds: impl FnMut(&dyn Hands) -> bool) -> bool {
        self.until_held(&mut holds)
    }

    /// Heals everything and runs until nothing is left to be done.
    pub fn quiet(&mut self) -> bool {
        self.heal();
        self.settle()
    }

    /// `kill -9`.
    pub fn crash(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Crash(Target::Node(node.into())));
    }

    /// The power of a host goes.
    pub fn power_off(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::PowerOff(Target::Node(node.into())));
    }

    /// Starts a process; one that runs is killed first.
    pub fn restart(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Restart(Target::Node(node.into())));
    }

    /// `SIGTERM`.
    pub fn terminate(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Terminate(Target::Node(node.into())));
    }

    /// The power goes and the disk is replaced by an empty one.
    pub fn wipe(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Wipe(Target::Node(node.into())));
    }

    /// The process stands still for a while.
    pub fn pause(&mut self, node: impl Into<Node>, span: Duration) {
        self.inflict(&Fault::Pause(Target::Node(node.into()), span));
    }

    /// Cuts a node off from everyone.
    pub fn isolate(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Isolate(Target::Node(node.into())));
    }

    /// Cuts two nodes off from each other.
    pub fn cut(&mut self, one: impl Into<Node>, other: impl Into<Node>) {
        self.inflict(&Fault::CutBoth { between: only(one), and: only(other) });
    }

    /// Nothing gets through from one node to another; the other way it does.
    pub fn cut_one_way(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Cut { from: only(from), to: only(to) });
    }

    /// What one node sends to another waits in the network.
    pub fn hold(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Hold { from: only(from), to: only(to) });
    }

    /// What waited arrives.
    pub fn release(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Release { from: only(from), to: only(to) });
    }

    /// Every connection between two nodes is reset.
    pub fn sever(&mut self, one: impl Into<Node>, other: impl Into<Node>) {
        self.inflict(&Fault::Sever { between: only(one), and: only(other) });
    }

    /// What one node sends to another takes longer.
    pub fn delay(&mut self, from: impl Into<Node>, to: impl Into<Node>, extra: Duration) {
        self.inflict(&Fault::Delay { from: only(from), to: only(to), extra, jitter: Duration::ZERO });
    }

    /// What one node sends to another in this conversation takes longer.
    pub fn lag(&mut self, channel: Channel, from: impl Into<Node>, to: impl Into<Node>, extra: Duration) {
        self.inflict(&Fault::Lag { channel, from: only(from), to: only(to), extra });
    }

    /// Lifts every rule of the network.
    pub fn heal_network(&mut self) {
        self.inflict(&Fault::Heal);
    }

    /// Who leads the first partition.
    ///
    /// # Panics
    /// If nobody does, as far as the controller has committed: wait for an election first.
    #[must_use]
    pub fn leader(&self) -> BrokerId {
        let leader = self.cast().partition(0).and_then(|partition| self.cast().leader(partition));
        leader.expect("somebody leads the first partition")
    }

    /// The replicas of the first partition that do not lead it, in order of assignment.
    #[must_use]
    pub fn followers(&self) -> Vec<BrokerId> {
        self.cast().partition(0).map(|partition| self.cast().followers(partition)).unwrap_or_default()
    }

    /// The committed ISR of the nth partition.
    #[must_use]
    pub fn isr_of(&self, nth: u32) -> Vec<BrokerId> {
        self.cast().partition(nth).map(|partition| self.cast().isr(partition).to_vec()).unwrap_or_default()
    }

    /// The active controller; if there is none, the one that was last, or the first.
    #[must_use]
    pub fn controller(&self) -> ControllerId {
        roles::controller(self.cluster(), self.cast())
    }

    /// In ZooKeeper mode: the broker that is the controller; if none is, the one that was last, or the first.
    #[must_use]
    pub fn controlling_broker(&self) -> BrokerId {
        roles::controlling_broker(self.cast())
    }

    /// All controllers, running or not.
    #[must_use]
    pub fn controllers(&self) -> Vec<ControllerId> {
        self.cluster().controller_ids().collect()
    }

    /// All controllers but the active one.
    #[must_use]
    pub fn standbys(&self) -> Vec<ControllerId> {
        let active = self.controller();
        self.cluster().controller_ids().filter(|id| *id != active).collect()
    }

    /// All brokers, running or not.
    #[must_use]
    pub fn brokers(&self) -> Vec<BrokerId> {
        self.cluster().broker_ids().collect()
    }

    /// All producers.
    #[must_use]
    pub fn producers(&self) -> Vec<ClientId> {
        self.cluster().producer_ids().collect()
    }

    /// The first producer.
    #[must_use]
    pub fn producer(&self) -> ClientId {
        self.cluster().producer_ids().next().expect("the cluster has a producer")
    }
}

impl<O: Observer + 'static> Hands for World<O> {
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
        self.fresh_value().0
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

fn only(node: impl Into<Node>) -> Vec<Target> {
    vec![Target::Node(node.into())]
}
