//! A producer: takes records from the application, chooses their partition and leaves the rest to the [`Sender`].
//!
//! Not idempotent yet. `send` blocks in Kafka while metadata or memory is missing; here the record waits in a list, and
//! every later one behind it, for the application would not have come to send it (P3).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::accumulator::{Append, NewRecord, size_alone};
use super::partitioner::{Sticky, murmur2, partition_for_key};
use super::routing::Topic;
use super::sender::Sender;
use crate::config::ProducerConfig;
use crate::disk::Disk;
use crate::event::{Event, Value};
use crate::machine::{Chance, Command, Effects, Input, Machine, Stop};
use crate::names::{BrokerId, ClientId, Partition, Time, TopicId, earliest};
use crate::protocol::Protocol;
use crate::wire::ErrorCode;

/// A Kafka producer (P1-P11).
///
/// It notes [`Event::SendCalled`] for each record in the order of the calls, [`Event::BatchSent`] for each attempt, and
/// for each record exactly one end: [`Event::Acked`] or [`Event::SendFailed`].
#[derive(Clone, Debug)]
pub struct Producer {
    config: ProducerConfig,
    sender: Sender,
    chance: Chance,
    sticky: BTreeMap<TopicId, Sticky>,
    /// Calls of `send` that have not returned, oldest first.
    blocked: VecDeque<Blocked>,
    /// Sends what it has, and then ends.
    closing: bool,
}

/// A call of `send` that waits for metadata or for memory, up to `max.block.ms`.
#[derive(Clone, Debug)]
struct Blocked {
    topic: String,
    /// Where it goes, once that was chosen.
    partition: Option<Partition>,
    key: Option<Bytes>,
    value: Bytes,
    until: Time,
    /// The application will call `flush` when this call has returned.
    then_flush: bool,
}

impl Producer {
    /// A producer that knows these brokers to begin with.
    #[must_use]
    pub fn new(id: ClientId, bootstrap: Vec<BrokerId>, config: ProducerConfig, protocol: Protocol) -> Self {
        Self {
            sender: Sender::new(id, bootstrap, config.clone(), protocol),
            config,
            chance: Chance(0),
            sticky: BTreeMap::new(),
            blocked: VecDeque::new(),
            closing: false,
        }
    }

    fn send(&mut self, now: Time, topic: String, key: Option<Bytes>, value: Bytes, effects: &mut Effects) {
        let partition =
            if self.blocked.is_empty() && !self.closing { self.choose(&topic, key.as_deref()) } else { None };
        effects.note(Event::SendCalled {
            topic: topic.clone(),
            partition,
            key: key.as_deref().map(|key| u64::from(murmur2(key).cast_unsigned())),
            value: Value::of(&value),
        });
        if self.closing {
            fail(partition, &value, ErrorCode::OperationNotAttempted, effects);
            return;
        }
        self.sender.routing.want(&topic);
        let until = now + self.config.max_block;
        let call = Blocked { topic, partition, key, value, until, then_flush: false };
        self.blocked.push_back(call);
    }

    fn flush(&mut self) {
        match self.blocked.back_mut() {
            Some(last) => last.then_flush = true,
            None => self.sender.accumulator.flush(),
        }
    }

    /// Lets calls of `send` return, oldest first, as far as they can.
    fn unblock(&mut self, now: Time, effects: &mut Effects) {
        while let Some(call) = self.blocked.pop_front() {
            match self.try_append(now, call, effects) {
                None => {}
                Some(call) if call.until <= now => {
                    fail(call.partition, &call.value, ErrorCode::RequestTimedOut, effects);
                    self.returned(call.then_flush);
                }
                Some(call) => {
                    self.blocked.push_front(call);
                    return;
                }
            }
        }
    }

    /// Puts the record into a batch, or fails it for good; gives the call back if something is missing that may
    /// still come.
    fn try_append(&mut self, now: Time, mut call: Blocked, effects: &mut Effects) -> Option<Blocked> {
        if call.partition.is_none() {
            call.partition = self.choose(&call.topic, call.key.as_deref());
        }
        let Some(partition) = call.partition else {
            if self.sender.routing.topic(&call.topic).is_some_and(Topic::is_invalid) {
                fail(None, &call.value, ErrorCode::InvalidTopicException, effects);
                self.returned(call.then_flush);
                return None;
            }
            return Some(call);
        };
        let record = NewRecord { key: call.key.as_deref(), value: &call.value };
        let too_large = size_alone(record) > self.config.max_request_size;
        if too_large || self.sender.accumulator.never_fits(record) {
            fail(Some(partition), &call.value, ErrorCode::MessageTooLarge, effects);
            self.returned(call.then_flush);
            return None;
        }
        match self.sender.accumulator.append(now, partition, record) {
            Append::NoMemory => Some(call),
            Append::Done { bytes, batch_ended } => {
                if call.key.is_none() {
                    let sticky = self.sticky.entry(partition.topic).or_default();
                    sticky.produced(bytes, self.config.batch_size, batch_ended);
                }
                self.returned(call.then_flush);
                None
            }
        }
    }

    fn dispatch(&mut self, now: Time, effects: &mut Effects) {
        // A call that waits for memory is waiting for batches to leave (P4).
        let urgent = self.closing || self.blocked.front().is_some_and(|call| call.partition.is_some());
        self.sender.dispatch(now, urgent, effects);
    }

    fn returned(&mut self, then_flush: bool) {
        if then_flush {
            self.sender.accumulator.flush();
        }
    }

    /// The partition of a record, if the topic is known (P1, P2).
    fn choose(&mut self, topic: &str, key: Option<&[u8]>) -> Option<Partition> {
        let known = self.sender.routing.topic(topic)?;
        let (topic, partitions) = (known.id?, known.partitions);
        if partitions == 0 {
            return None;
        }
        let index = match key {
            Some(key) => partition_for_key(key, partitions),
            None => {
                let routing = &self.sender.routing;
                let led = |index| routing.leader(Partition { topic, index }).is_some();
                self.sticky.entry(topic).or_default().partition(self.chance, partitions, led)
            }
        };
        Some(Partition { topic, index })
    }
}

impl Machine for Producer {
    fn step(&mut self, now: Time, input: Input, _: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match input {
            Input::Start(chance) => {
                self.chance = chance;
                self.sender.start(chance);
            }
            Input::Submit(Command::Send { topic, key, value }) => self.send(now, topic, key, value, effects),
            Input::Submit(Command::Flush) => self.flush(),
            Input::Receive(answer) => self.sender.receive(now, *answer, effects),
            Input::Severed(severed) => self.sender.severed(now, &severed, effects),
            Input::Terminate => self.closing = true,
            // Not for a producer, or only a reason to look at the time.
            Input::Submit(_) | Input::Later(_) | Input::Tick => {}
        }
        self.sender.give_up(now, effects);
        self.unblock(now, effects);
        self.dispatch(now, effects);
        // With `acks=0` what was sent is done already, so that there may be memory again.
        loop {
            let waiting = self.blocked.len();
            self.unblock(now, effects);
            if self.blocked.len() == waiting {
                break;
            }
            self.dispatch(now, effects);
        }
        if self.closing && self.blocked.is_empty() && self.sender.accumulator.is_empty() {
            effects.exit();
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        earliest([self.sender.deadline(), self.blocked.front().map(|call| call.until)])
    }
}

/// The record failed before it was ever in a batch: nothing can have come of it.
fn fail(partition: Option<Partition>, value: &Bytes, error: ErrorCode, effects: &mut Effects) {
    effects.note(Event::SendFailed { partition, values: vec![Value::of(value)], error, definite: true });
}
