//! The hands that may touch a running cluster; they read like stage directions.

use std::fmt;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use model::client::partition_for_key;
use model::event::{Event, Value};
use model::machine::Command;
use model::names::Node;
use model::wire::Channel;

use super::boot::Reasons;
use super::{Observer, World};
use crate::fact::{Chapter, Moment};
use crate::fault::{Fault, Target};

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

/// How many keys the records of the world's own hands have: enough to reach every partition, few enough to repeat.
const KEYS: u64 = 64;

/// For how long nothing must change before a cluster counts as quiet.
const REST: Duration = Duration::from_millis(600);

impl<O: Observer> World<O> {
    /// `kill -9`: what was written stays in the page cache.
    pub fn crash(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Crash(Target::Node(node.into())));
    }

    /// The power of a host goes: what was not synced may be gone.
    pub fn power_off(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::PowerOff(Target::Node(node.into())));
    }

    /// Starts a process; one that runs is killed first.
    pub fn restart(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Restart(Target::Node(node.into())));
    }

    /// `SIGTERM`: an orderly shutdown, which takes a while.
    pub fn terminate(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Terminate(Target::Node(node.into())));
    }

    /// Machine and disk are gone for good.
    pub fn destroy(&mut self, node: impl Into<Node>) {
        self.inflict(&Fault::Destroy(Target::Node(node.into())));
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

    /// A value that no record of this run has yet, and the payload that carries it.
    pub fn fresh_value(&mut self) -> (Value, Bytes) {
        self.last_value += 1;
        let mut payload = BytesMut::zeroed(self.cluster.payload.max(8));
        (&mut payload[..8]).put_u64(self.last_value);
        (Value(self.last_value), payload.freeze())
    }

    /// Has the first producer send so many keyed records with fresh values, spread over all topics and partitions; does
    /// not wait.
    pub fn send(&mut self, records: usize) -> Vec<Value> {
        let topics: Vec<String> = self.cluster.all_topics().into_iter().map(|topic| topic.name).collect();
        let producer = self.producer();
        let mut values = Vec::with_capacity(records);
        for nth in 0..records {
            let (value, payload) = self.fresh_value();
            let topic = topics[nth % topics.len()].clone();
            let key = Some(Bytes::from(format!("key-{}", value.0 % KEYS)));
            self.submit(producer, Command::Send { topic, key, value: payload });
            values.push(value);
        }
        self.submit(producer, Command::Flush);
        values
    }

    /// Like [`World::send`], then runs until each record is acknowledged or has failed.
    pub fn produce(&mut self, records: usize) -> Decided {
        let values = self.send(records);
        self.decide(values)
    }

    /// Has the first producer send so many records to the nth partition, in order of creation, by a key that leads
    /// there, and runs until each is acknowledged or has failed.
    ///
    /// # Panics
    /// If there is no such partition.
    pub fn produce_to(&mut self, partition: u32, records: usize) -> Decided {
        let producer = self.producer();
        let (topic, key) = self.key_for(partition);
        let mut values = Vec::with_capacity(records);
        for _ in 0..records {
            let (value, payload) = self.fresh_value();
            self.submit(producer, Command::Send { topic: topic.clone(), key: Some(key.clone()), value: payload });
            values.push(value);
        }
        self.submit(producer, Command::Flush);
        self.decide(values)
    }

    /// The topic of the nth partition, in order of creation, and a key that leads to that partition (P1).
    ///
    /// # Panics
    /// If there is no such partition.
    #[must_use]
    pub fn key_for(&self, partition: u32) -> (String, Bytes) {
        let partition = self.cast().partition(partition).expect("the partition exists");
        let topic = &self.cast().image().topics[&partition.topic];
        let keys = (0_u32..).map(|number| format!("key-{number}"));
        let mut keys = keys.filter(|key| partition_for_key(key.as_bytes(), topic.partitions) == partition.index);
        (topic.name.clone(), Bytes::from(keys.next().expect("some key leads to every partition")))
    }

    /// Runs until each of these records, handed to a producer already, is acknowledged or has failed.
    pub fn decide(&mut self, values: Vec<Value>) -> Decided {
        let producer = self.producer();
        let mut decided = Decided { undecided: values, ..Decided::default() };
        if !self.is_up(producer) {
            decided.failed = std::mem::take(&mut decided.undecided);
            return decided;
        }
        let mut life_is_over = false;
        self.until(|fact| {
            match fact.event() {
                Some(Event::Acked { values, .. }) => decided.settle(values, true),
                Some(Event::SendFailed { values, .. }) => decided.settle(values, false),
                _ => {
                    let stopped = matches!(fact.what, crate::fact::What::Stopped { .. });
                    life_is_over |= stopped && fact.node == Some(producer.into());
                }
            }
            decided.undecided.is_empty() || life_is_over
        });
        if life_is_over {
            let lost = std::mem::take(&mut decided.undecided);
            decided.failed.extend(lost);
        }
        decided
    }

    /// Starts the readers, fresh consumers that read everything from the start.
    pub fn read_back(&mut self) {
        self.chapter(Chapter::ReadBack);
        for reader in self.readers() {
            if let Some(index) = self.index_of(reader.into()) {
                self.start(index);
            }
        }
    }

    /// Heals everything and runs until nothing is left to be done: every replica that is left is in sync and has the
    /// whole log, every record is decided, and every high watermark is at its log's end, all for a while.
    ///
    /// Returns whether that came to be within [`World::patience`]; [`World::unsettled`] says what is missing if not.
    pub fn quiet(&mut self) -> bool {
        self.heal();
        self.settle()
    }

    /// Like [`World::quiet`], but heals nothing.
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

fn only(node: impl Into<Node>) -> Vec<Target> {
    vec![Target::Node(node.into())]
}
