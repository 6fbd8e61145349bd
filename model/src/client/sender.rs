//! The sending half of a producer: which batch goes to whom, what an answer means for it, and when to give up (P5-P11).
//!
//! A batch is promised once: its end is exactly one `Acked` or one `SendFailed`. This room must not know how records
//! come into the accumulator.

use super::accumulator::{Accumulator, ClosedBatch, Turn};
use super::backoff::Backoff;
use super::connection::{Connections, Disconnected};
use super::routing::{Leader, Routing};
use crate::config::{Acks, ProducerConfig};
use crate::event::Event;
use crate::machine::{Chance, Effects, Severed};
use crate::names::{BrokerId, ClientId, Node, Offset, Partition, Time, earliest};
use crate::protocol::Protocol;
use crate::wire::{Body, Envelope, ErrorCode, ProducePartition, ProduceRequest, ProduceResponse, Request, Response};

/// What a producer's network thread knows.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    config: ProducerConfig,
    protocol: Protocol,
    /// What waits to be sent.
    pub(super) accumulator: Accumulator,
    /// Who leads.
    pub(super) routing: Routing,
    connections: Connections<Asked>,
    /// Requests so far: the partition that comes first in the next one rotates (P5).
    drains: usize,
    /// When the next batch may leave that may not leave yet.
    wake: Option<Time>,
    /// Room for [`Sender::dispatch`], kept between steps.
    ready: Vec<(Leader, Partition)>,
}

/// What is remembered of a request until its answer.
#[derive(Clone, Debug)]
enum Asked {
    Metadata,
    Produce(Vec<Sent>),
}

/// A batch under way.
#[derive(Clone, Debug)]
struct Sent {
    partition: Partition,
    /// `None` once it has expired: whatever is answered comes too late (P6).
    batch: Option<ClosedBatch>,
}

impl Sender {
    /// Knows nobody but the bootstrap brokers.
    pub(super) fn new(id: ClientId, bootstrap: Vec<BrokerId>, config: ProducerConfig, protocol: Protocol) -> Self {
        let backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max, "metadata");
        Self {
            accumulator: Accumulator::new(&config),
            routing: Routing::new(bootstrap, config.metadata_max_age, backoff),
            connections: Connections::new(id, config.request_timeout, config.reconnect_backoff),
            config,
            protocol,
            drains: 0,
            wake: None,
            ready: Vec::new(),
        }
    }

    /// From now on lots and jitter come from this.
    pub(super) fn start(&mut self, chance: Chance) {
        self.accumulator.start(chance);
        self.routing.start(chance);
        self.connections.start(chance);
    }

    /// An answer came in.
    pub(super) fn receive(&mut self, now: Time, answer: Envelope, effects: &mut Effects) {
        let asked = self.connections.answered(&answer);
        match (asked, answer.body) {
            (Some(Asked::Metadata), Body::Response(Response::Metadata(metadata))) => {
                self.routing.learn(now, &metadata);
            }
            (Some(Asked::Produce(sent)), Body::Response(Response::Produce(produced))) => {
                self.answered(now, sent, &produced, effects);
            }
            // An answer of the wrong kind is as good as none.
            (Some(asked), _) => self.lost(now, asked, effects),
            // Nobody waits for it any more.
            (None, _) => {}
        }
    }

    /// A connection is gone.
    pub(super) fn severed(&mut self, now: Time, severed: &Severed, effects: &mut Effects) {
        if let Some(disconnected) = self.connections.severed(now, severed) {
            self.disconnected(now, disconnected, effects);
        }
    }

    /// Gives up on whatever took too long: requests without an answer (P9) and batches older than
    /// `delivery.timeout.ms`, in the queue or under way (P6).
    pub(super) fn give_up(&mut self, now: Time, effects: &mut Effects) {
        self.connections.reopen(now);
        while let Some(disconnected) = self.connections.overdue(now, effects) {
            self.disconnected(now, disconnected, effects);
        }
        while let Some((partition, batch)) = self.accumulator.expired(now) {
            self.fail(partition, batch, ErrorCode::RequestTimedOut, effects);
        }
        let timeout = self.config.delivery_timeout;
        let mut expired = Vec::new();
        for sent in self.connections.all_mut().filter_map(Asked::batches).flatten() {
            if sent.batch.as_ref().is_some_and(|batch| batch.created + timeout <= now) {
                expired.extend(sent.batch.take().map(|batch| (sent.partition, batch)));
            }
        }
        for (partition, mut batch) in expired {
            batch.maybe_appended = true;
            self.fail(partition, batch, ErrorCode::RequestTimedOut, effects);
        }
    }

    /// Sends what may be sent, and asks for metadata if that is due. `urgent`: nothing waits for `linger.ms`.
    pub(super) fn dispatch(&mut self, now: Time, urgent: bool, effects: &mut Effects) {
        while self.find_ready(now, urgent) {
            let mut ready = std::mem::take(&mut self.ready);
            ready.sort_unstable_by_key(|(leader, partition)| (leader.broker, *partition));
            for group in ready.chunk_by_mut(|one, other| one.0.broker == other.0.broker) {
                self.produce(now, group, effects);
            }
            self.ready = ready;
        }
        self.refresh(now, effects);
    }

    /// When [`Sender::give_up`] or [`Sender::dispatch`] have something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        let timeout = self.config.delivery_timeout;
        let expiry = |asked: &Asked| match asked {
            Asked::Metadata => None,
            Asked::Produce(sent) => sent.iter().filter_map(|sent| Some(sent.batch.as_ref()?.created + timeout)).min(),
        };
        let sent = self.connections.all().filter_map(expiry).min();
        let waiting = self.accumulator.next_expiry();
        earliest([self.wake, waiting, sent, self.connections.deadline(), self.routing.deadline()])
    }

    /// Finds the partitions whose first batch may leave and whose leader takes a request (P4). Says whether there is any.
    fn find_ready(&mut self, now: Time, urgent: bool) -> bool {
        self.ready.clear();
        self.wake = None;
        let may_wait = self.config.max_in_flight_requests_per_connection;
        let alone = self.protocol.muting.holds_back(may_wait);
        let limit = self.in_flight_limit();
        let mut leaderless = false;
        for partition in self.accumulator.waiting() {
            let leader = self.routing.leader(partition);
            match self.accumulator.turn(now, partition, urgent, alone, leader.map(|leader| leader.epoch)) {
                Turn::Now => match leader {
                    Some(leader) if self.connections.takes(leader.broker.into(), limit) => {
                        self.ready.push((leader, partition));
                    }
                    // An answer, or the end of the backoff, gives the next chance.
                    Some(_) => {}
                    None => leaderless = true,
                },
                Turn::At(at) => self.wake = earliest([self.wake, Some(at)]),
                Turn::Unknown => {}
            }
        }
        if leaderless {
            self.routing.request_update();
        }
        !self.ready.is_empty()
    }

    /// One request to one broker: the first batch of each of these partitions, up to `max.request.size` (P5).
    fn produce(&mut self, now: Time, group: &mut [(Leader, Partition)], effects: &mut Effects) {
        self.drains = self.drains.wrapping_add(1);
        let first = self.drains % group.len();
        group.rotate_left(first);
        let to = group[0].0.broker;
        let limit = usize::try_from(self.config.max_request_size).unwrap_or(usize::MAX);
        let mut size = 0;
        let mut partitions = Vec::with_capacity(group.len());
        let mut sent = Vec::with_capacity(group.len());
        for &(leader, partition) in &*group {
            size += self.accumulator.first_size(partition);
            if size > limit && !sent.is_empty() {
                break;
            }
            let Some(batch) = self.accumulator.drain(partition, leader.epoch) else { continue };
            partitions.push(ProducePartition { partition, records: batch.batch.bytes().clone() });
            effects.note(Event::BatchSent {
                partition,
                values: batch.values.clone(),
                attempt: batch.attempts,
                to,
                acks: self.config.acks,
            });
            sent.push(Sent { partition, batch: Some(batch) });
        }
        let timeout = self.config.request_timeout;
        let request = Request::Produce(ProduceRequest { acks: self.config.acks, timeout, partitions });
        if self.config.acks == Acks::None {
            self.connections.send_unanswered(to.into(), request, effects);
            self.assume_done(sent, effects);
        } else {
            self.connections.send(now, to.into(), request, Asked::Produce(sent), effects);
        }
    }

    /// With `acks=0` what was sent is done, whatever becomes of it (P9).
    fn assume_done(&mut self, sent: Vec<Sent>, effects: &mut Effects) {
        for Sent { partition, batch } in sent {
            self.accumulator.landed(partition);
            if let Some(batch) = batch {
                self.acknowledge(partition, batch, None, effects);
            }
        }
    }

    /// The batches of a request, each with what the broker says of it (P8).
    fn answered(&mut self, now: Time, sent: Vec<Sent>, produced: &ProduceResponse, effects: &mut Effects) {
        for Sent { partition, batch } in sent {
            self.accumulator.landed(partition);
            let answer = produced.partitions.iter().find(|answer| answer.partition == partition);
            let Some(answer) = answer else {
                self.refused(now, partition, batch, ErrorCode::UnknownServerError, effects);
                continue;
            };
            if let Some((leader, epoch)) = answer.current_leader {
                self.routing.hint(partition, leader, epoch);
            }
            match (answer.error, batch) {
                (ErrorCode::None, Some(batch)) => self.acknowledge(partition, batch, answer.base_offset, effects),
                (ErrorCode::None, None) => {}
                (error, batch) => self.refused(now, partition, batch, error, effects),
            }
        }
    }

    fn disconnected(&mut self, now: Time, disconnected: Disconnected<Asked>, effects: &mut Effects) {
        // Kafka takes every disconnect as a hint that the leaders may have moved.
        self.routing.request_update();
        // In the order in which they were sent, as in Kafka: of two batches of one partition the later one then comes to
        // stand before the earlier one, which is the documented hazard of several requests under way (P7).
        for asked in disconnected.asked {
            self.lost(now, asked, effects);
        }
    }

    fn lost(&mut self, now: Time, asked: Asked, effects: &mut Effects) {
        match asked {
            Asked::Metadata => self.routing.unanswered(now),
            Asked::Produce(sent) => {
                for Sent { partition, batch } in sent {
                    self.accumulator.landed(partition);
                    self.refused(now, partition, batch, ErrorCode::NetworkException, effects);
                }
            }
        }
    }

    /// A batch came back with an error: once more, in smaller pieces, or the end (P8, P10).
    fn refused(
        &mut self,
        now: Time,
        partition: Partition,
        batch: Option<ClosedBatch>,
        error: ErrorCode,
        effects: &mut Effects,
    ) {
        if error.is_invalid_metadata() {
            self.routing.request_update();
        }
        let Some(mut batch) = batch else { return };
        batch.maybe_appended |= error.is_ambiguous();
        if error == ErrorCode::MessageTooLarge {
            match self.accumulator.split(partition, batch) {
                Ok(()) => return,
                Err(whole) => batch = whole,
            }
        }
        let in_time = now < batch.created + self.config.delivery_timeout;
        if in_time && self.protocol.resending.again(error.is_retriable(), batch.attempts, self.config.retries) {
            self.accumulator.again(now, partition, batch);
        } else {
            self.fail(partition, batch, error, effects);
        }
    }

    fn acknowledge(&mut self, partition: Partition, batch: ClosedBatch, base: Option<Offset>, effects: &mut Effects) {
        self.accumulator.done(&batch);
        let (crc, acks) = (batch.batch.crc(), self.config.acks);
        effects.note(Event::Acked { partition, base, crc, values: batch.values, acks });
    }

    fn fail(&mut self, partition: Partition, batch: ClosedBatch, error: ErrorCode, effects: &mut Effects) {
        self.accumulator.done(&batch);
        let definite = !batch.maybe_appended;
        effects.note(Event::SendFailed { partition: Some(partition), values: batch.values, error, definite });
    }

    fn refresh(&mut self, now: Time, effects: &mut Effects) {
        if !self.routing.due(now) {
            return;
        }
        let (candidates, lot) = (self.routing.candidates(), self.routing.lot());
        match self.connections.least_loaded(&candidates, self.in_flight_limit(), lot) {
            Some(broker) => {
                let request = Request::Metadata(self.routing.ask());
                self.connections.send(now, Node::from(broker), request, Asked::Metadata, effects);
            }
            None => self.routing.nobody_to_ask(),
        }
    }

    fn in_flight_limit(&self) -> u32 {
        self.protocol.muting.in_flight_limit(self.config.max_in_flight_requests_per_connection)
    }
}

impl Asked {
    fn batches(&mut self) -> Option<&mut Vec<Sent>> {
        match self {
            Self::Metadata => None,
            Self::Produce(sent) => Some(sent),
        }
    }
}
