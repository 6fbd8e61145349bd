//! The hands that may touch a running cluster, whichever scheduler turns it: what a script is written in.
//!
//! [`Hands`] is what a scheduler must offer; the [`Verbs`] follow from it, and read like stage directions. It knows no scheduler.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::client::partition_for_key;
use model::event::{Event, Value};
use model::machine::Command;
use model::names::{BrokerId, ClientId, ControllerId, Node, Partition};
use model::wire::Channel;

use crate::cast::Cast;
use crate::cluster::Cluster;
use crate::fact::{Fact, Moment, What};
use crate::fault::{Fault, Target};
use crate::world::{Decided, roles};

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

/// The verbs of a script: what follows from the hands, on every scheduler.
pub trait Verbs: Hands {
    /// A value that no record of this run has yet, and the payload that carries it.
    fn fresh_value(&mut self) -> (Value, Bytes) {
        let value = self.fresh();
        let mut payload = BytesMut::zeroed(self.cluster().payload.max(8));
        (&mut payload[..8]).put_u64(value.0);
        (value, payload.freeze())
    }

    /// Has the first producer send so many keyed records with fresh values, spread over all topics and partitions; does
    /// not wait.
    fn send(&mut self, records: usize) -> Vec<Value> {
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

    /// Like [`Verbs::send`], then runs until each record is acknowledged or has failed.
    fn produce(&mut self, records: usize) -> Decided {
        let values = self.send(records);
        self.decide(values)
    }

    /// Has the first producer send so many records to the nth partition, in order of creation, by a key that leads
    /// there, and runs until each is acknowledged or has failed.
    ///
    /// # Panics
    /// If there is no such partition.
    fn produce_to(&mut self, partition: u32, records: usize) -> Decided {
        let producer = self.producer().into();
        let (topic, key) = self.key_for(partition);
        let mut values = Vec::with_capacity(records);
        for _ in 0..records {
            let (value, payload) = self.fresh_value();
            self.ask(producer, Command::Send { topic: topic.clone(), key: Some(key.clone()), value: payload });
            values.push(value);
        }
        self.ask(producer, Command::Flush);
        self.decide(values)
    }

    /// The topic of the nth partition, in order of creation, and a key that leads to that partition (P1).
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    fn key_for(&self, partition: u32) -> (String, Bytes) {
        let partition = self.cast().partition(partition).expect("the partition exists");
        let topic = &self.cast().image().topics[&partition.topic];
        let keys = (0_u32..).map(|number| format!("key-{number}"));
        let mut keys = keys.filter(|key| partition_for_key(key.as_bytes(), topic.partitions) == partition.index);
        (topic.name.clone(), Bytes::from(keys.next().expect("some key leads to every partition")))
    }

    /// Runs until each of these records, handed to a producer already, is acknowledged or has failed.
    fn decide(&mut self, values: Vec<Value>) -> Decided {
        let producer = Node::from(self.producer());
        let mut decided = Decided { undecided: values, ..Decided::default() };
        let mut life_is_over = !self.is_running(producer);
        if !life_is_over {
            self.until_said(&mut |fact| {
                match fact.event() {
                    Some(Event::Acked { values, .. }) => decided.settle(values, true),
                    Some(Event::SendFailed { values, .. }) => decided.settle(values, false),
                    _ => {
                        life_is_over |= matches!(fact.what, What::Stopped { .. }) && fact.node == Some(producer);
                    }
                }
                decided.undecided.is_empty() || life_is_over
            });
        }
        if life_is_over {
            let lost = std::mem::take(&mut decided.undecided);
            decided.failed.extend(lost);
        }
        decided
    }

    /// Lets everything happen that happens in this span.
    fn run_for(&mut self, span: Duration) {
        self.run_up_to(self.now() + span);
    }

    /// Runs until a fact is stated that is looked for; `false` if patience runs out.
    fn until(&mut self, mut wanted: impl FnMut(&Fact) -> bool) -> bool {
        self.until_said(&mut wanted)
    }

    /// Runs until something holds of the cluster; `false` if patience runs out.
    fn until_in_world(&mut self, mut holds: impl FnMut(&dyn Hands) -> bool) -> bool {
        self.until_held(&mut holds)
    }

    /// Heals everything and runs until nothing is left to be done: every replica that is left is in sync and has the
    /// whole log, every record is decided, and every high watermark is at its log's end, all for a while.
    ///
    /// Returns whether that came to be within [`Hands::patience`].
    fn quiet(&mut self) -> bool {
        self.heal();
        self.settle()
    }

    /// `kill -9`: what was written stays in the page cache.
    fn crash(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Crash(Target::Node(node.into())));
    }

    /// The power of a host goes: what was not synced may be gone.
    fn power_off(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::PowerOff(Target::Node(node.into())));
    }

    /// Starts a process; one that runs is killed first.
    fn restart(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Restart(Target::Node(node.into())));
    }

    /// `SIGTERM`: an orderly shutdown, which takes a while.
    fn terminate(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Terminate(Target::Node(node.into())));
    }

    /// Machine and disk are gone for good.
    fn destroy(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Destroy(Target::Node(node.into())));
    }

    /// The power goes and the disk is replaced by an empty one.
    fn wipe(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Wipe(Target::Node(node.into())));
    }

    /// The process stands still for a while.
    fn pause(&mut self, node: impl Into<Node>, span: Duration) {
        self.inflict(&Fault::Pause(Target::Node(node.into()), span));
    }

    /// Cuts a node off from everyone.
    fn isolate(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Isolate(Target::Node(node.into())));
    }

    /// Cuts two nodes off from each other.
    fn cut(&mut self, one: impl Into<Node>, other: impl Into<Node>) {
        self.inflict(&Fault::CutBoth { between: only(one), and: only(other) });
    }

    /// Nothing gets through from one node to another; the other way it does.
    fn cut_one_way(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Cut { from: only(from), to: only(to) });
    }

    /// What one node sends to another waits in the network.
    fn hold(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Hold { from: only(from), to: only(to) });
    }

    /// What waited arrives.
    fn release(&mut self, from: impl Into<Node>, to: impl Into<Node>) {
        self.inflict(&Fault::Release { from: only(from), to: only(to) });
    }

    /// Every connection between two nodes is reset.
    fn sever(&mut self, one: impl Into<Node>, other: impl Into<Node>) {
        self.inflict(&Fault::Sever { between: only(one), and: only(other) });
    }

    /// What one node sends to another takes longer.
    fn delay(&mut self, from: impl Into<Node>, to: impl Into<Node>, extra: Duration) {
        self.inflict(&Fault::Delay { from: only(from), to: only(to), extra, jitter: Duration::ZERO });
    }

    /// What one node sends to another in this conversation takes longer.
    fn lag(&mut self, channel: Channel, from: impl Into<Node>, to: impl Into<Node>, extra: Duration) {
        self.inflict(&Fault::Lag { channel, from: only(from), to: only(to), extra });
    }

    /// Lifts every rule of the network.
    fn heal_network(&mut self) {
        self.inflict(&Fault::Heal);
    }

    /// Who leads the first partition.
    ///
    /// # Panics
    /// If nobody does, as far as the controller has committed: wait for an election first.
    #[must_use]
    fn leader(&self) -> BrokerId {
        self.leader_of(0).expect("somebody leads the first partition")
    }

    /// Who leads the nth partition, in order of creation, from 0.
    #[must_use]
    fn leader_of(&self, nth: u32) -> Option<BrokerId> {
        self.cast().leader(self.cast().partition(nth)?)
    }

    /// The replicas of the first partition that do not lead it, in order of assignment.
    #[must_use]
    fn followers(&self) -> Vec<BrokerId> {
        self.followers_of(0)
    }

    /// The replicas of the nth partition that do not lead it, in order of assignment.
    #[must_use]
    fn followers_of(&self, nth: u32) -> Vec<BrokerId> {
        self.cast().partition(nth).map(|partition| self.cast().followers(partition)).unwrap_or_default()
    }

    /// The committed ISR of the nth partition.
    #[must_use]
    fn isr_of(&self, nth: u32) -> Vec<BrokerId> {
        self.cast().partition(nth).map(|partition| self.cast().isr(partition).to_vec()).unwrap_or_default()
    }

    /// All partitions, in order of creation.
    #[must_use]
    fn partitions(&self) -> Vec<Partition> {
        self.cast().partitions().to_vec()
    }

    /// The active controller; if there is none, the one that was last, or the first.
    #[must_use]
    fn controller(&self) -> ControllerId {
        roles::controller(self.cluster(), self.cast())
    }

    /// In ZooKeeper mode: the broker that is the controller; if none is, the one that was last, or the first.
    #[must_use]
    fn controlling_broker(&self) -> BrokerId {
        roles::controlling_broker(self.cast())
    }

    /// All controllers, running or not.
    #[must_use]
    fn controllers(&self) -> Vec<ControllerId> {
        self.cluster().controller_ids().collect()
    }

    /// All controllers but [`Verbs::controller`].
    #[must_use]
    fn standbys(&self) -> Vec<ControllerId> {
        let active = self.controller();
        self.cluster().controller_ids().filter(|id| *id != active).collect()
    }

    /// All brokers, running or not.
    #[must_use]
    fn brokers(&self) -> Vec<BrokerId> {
        self.cluster().broker_ids().collect()
    }

    /// The first producer.
    #[must_use]
    fn producer(&self) -> ClientId {
        self.cluster().producer_ids().next().expect("the cluster has a producer")
    }

    /// All producers.
    #[must_use]
    fn producers(&self) -> Vec<ClientId> {
        self.cluster().producer_ids().collect()
    }

    /// The first consumer.
    #[must_use]
    fn consumer(&self) -> ClientId {
        self.cluster().consumer_ids().next().expect("the cluster has a consumer")
    }

    /// All consumers, without those that read everything back.
    #[must_use]
    fn consumers(&self) -> Vec<ClientId> {
        self.cluster().consumer_ids().collect()
    }

    /// The admin client.
    #[must_use]
    fn admin(&self) -> ClientId {
        self.cluster().admin_id()
    }

    /// The consumer that reads the first topic back; off until [`World::read_back`](crate::World::read_back).
    #[must_use]
    fn reader(&self) -> ClientId {
        self.cluster().reader_id()
    }

    /// The consumers that read everything back, one for each topic; off until [`World::read_back`](crate::World::read_back).
    #[must_use]
    fn readers(&self) -> Vec<ClientId> {
        self.cluster().reader_ids().collect()
    }
}

impl<H: Hands + ?Sized> Verbs for H {}

fn only(node: impl Into<Node>) -> Vec<Target> {
    vec![Target::Node(node.into())]
}
