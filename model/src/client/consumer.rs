//! A consumer: reads the partitions it was assigned, from the leader of each, and hands the records to the application.
//!
//! The application polls all the time, so what a fetch brings is handed out at once and nothing is buffered. No groups
//! and no committed offsets yet. This room must not know how a log is kept.

use super::assignment::Assignment;
use super::backoff::Backoff;
use super::connection::{Connections, Disconnected};
use super::fetched::Rules;
use super::position::{Position, State, Turn, Validated};
use super::routing::{Leader, Routing};
use crate::config::ConsumerConfig;
use crate::disk::Disk;
use crate::event::{Event, SeekReason};
use crate::machine::{Command, Effects, Input, Machine, Stop};
use crate::names::{BrokerId, ClientId, EndOffset, Node, Offset, Partition, Time, earliest};
use crate::protocol::Protocol;
use crate::wire::{
    Body, Envelope, ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, Fetcher, ListOffsetsPartition,
    ListOffsetsPartitionResponse, ListOffsetsRequest, OffsetSpec, OffsetsForLeaderEpochPartition,
    OffsetsForLeaderEpochPartitionResponse, OffsetsForLeaderEpochRequest, Request, Response,
};

/// `reconnect.backoff.ms` of a consumer, which is not configurable here.
const RECONNECT_BACKOFF: std::time::Duration = std::time::Duration::from_millis(50);
/// `retry.backoff.max.ms` of a consumer, which is not configurable here.
const RETRY_BACKOFF_MAX: std::time::Duration = std::time::Duration::from_millis(1_000);
/// Requests under way to one broker at once: Kafka's consumer sets 100 and never comes near.
const IN_FLIGHT_LIMIT: u32 = 100;

/// A Kafka consumer (K1-K12).
///
/// It notes [`Event::Assigned`] when it knows what it was assigned, [`Event::Sought`] whenever its position was set
/// rather than moved over records, and [`Event::Polled`] for what it hands out.
#[derive(Clone, Debug)]
pub struct Consumer {
    config: ConsumerConfig,
    protocol: Protocol,
    connections: Connections<Asked>,
    routing: Routing,
    retry: Backoff,
    assignment: Assignment,
    /// Requests so far: the partition that comes first in the next one rotates.
    fetches: usize,
    /// When the next partition may be asked about that may not be asked about yet.
    wake: Option<Time>,
    /// Room for [`Consumer::dispatch`], kept between steps.
    ready: Vec<(Leader, Partition)>,
}

/// What is remembered of a request until its answer.
#[derive(Clone, Debug)]
enum Asked {
    Metadata,
    Fetch(Vec<(Partition, Offset)>),
    Offsets(Vec<(Partition, OffsetSpec)>),
    Epochs(Vec<(Partition, Position)>),
}

impl Consumer {
    /// A consumer that knows these brokers to begin with, and reads nothing yet.
    #[must_use]
    pub fn new(id: ClientId, bootstrap: Vec<BrokerId>, config: ConsumerConfig, protocol: Protocol) -> Self {
        let backoff = |purpose| Backoff::new(config.retry_backoff, RETRY_BACKOFF_MAX, purpose);
        Self {
            connections: Connections::new(id, config.request_timeout, RECONNECT_BACKOFF),
            routing: Routing::new(bootstrap, config.metadata_max_age, backoff("metadata")),
            retry: backoff("fetch retry"),
            config,
            protocol,
            assignment: Assignment::nothing(),
            fetches: 0,
            wake: None,
            ready: Vec::new(),
        }
    }

    fn submit(&mut self, command: Command, effects: &mut Effects) {
        match command {
            Command::Assign { topic, partitions } => {
                self.routing.want(&topic);
                self.assignment = Assignment::to(topic, partitions);
            }
            Command::Seek { topic, partition, offset } => {
                self.assignment.seek(&topic, partition, offset, &self.routing, effects);
            }
            Command::SeekToBeginning => self.assignment.seek_to_beginning(),
            // Not for a consumer.
            Command::Send { .. }
            | Command::Flush
            | Command::Administer(_)
            | Command::CreateTopic { .. }
            | Command::DescribeTopic { .. }
            | Command::DeleteRecords { .. }
            | Command::ListOffsets { .. } => {}
        }
    }

    fn receive(&mut self, now: Time, answer: Envelope, effects: &mut Effects) {
        let Some(from) = answer.from.broker() else { return };
        let asked = self.connections.answered(&answer);
        match (asked, answer.body) {
            (Some(Asked::Metadata), Body::Response(Response::Metadata(metadata))) => {
                self.routing.learn(now, &metadata);
            }
            (Some(Asked::Fetch(asked)), Body::Response(Response::Fetch(fetched))) => {
                for answer in fetched.partitions {
                    let offset = asked.iter().find(|(partition, _)| *partition == answer.partition);
                    if let Some(&(_, offset)) = offset {
                        self.fetched(now, from, offset, answer, effects);
                    }
                }
            }
            (Some(Asked::Offsets(mut asked)), Body::Response(Response::ListOffsets(listed))) => {
                for answer in listed.partitions {
                    if let Some(spec) = take_out(&mut asked, answer.partition) {
                        self.listed(now, spec, answer, effects);
                    }
                }
                self.lost(now, Asked::Offsets(asked));
            }
            (Some(Asked::Epochs(mut asked)), Body::Response(Response::OffsetsForLeaderEpoch(told))) => {
                for answer in told.partitions {
                    if let Some(position) = take_out(&mut asked, answer.partition) {
                        self.validated(now, position, answer, effects);
                    }
                }
                self.lost(now, Asked::Epochs(asked));
            }
            // An answer of the wrong kind is as good as none.
            (Some(asked), _) => self.lost(now, asked),
            // Nobody waits for it any more.
            (None, _) => {}
        }
    }

    /// What a fetch brought for one partition (K3, K7, K8).
    fn fetched(
        &mut self,
        now: Time,
        from: BrokerId,
        offset: Offset,
        answer: FetchPartitionResponse,
        effects: &mut Effects,
    ) {
        let Some(state) = self.assignment.state(answer.partition) else { return };
        let Some(fetching) = state.fetching_at(offset) else { return };
        match answer.error {
            ErrorCode::None => {
                let rules = Rules {
                    check_crcs: self.config.check_crcs,
                    max_poll_records: usize::try_from(self.config.max_poll_records).unwrap_or(usize::MAX),
                    polling: self.protocol.polling,
                };
                let partition = answer.partition;
                let read = rules.read(&answer.records, &mut fetching.position, |records| {
                    effects.note(Event::Polled { partition, records, from });
                });
                if read.is_err() {
                    // Kafka throws at the application, which polls again here: never beyond what cannot be read.
                    fetching.not_before = now + self.retry.after(1);
                }
            }
            ErrorCode::OffsetOutOfRange => {
                *state = State::by_policy(self.config.auto_offset_reset, SeekReason::OutOfRange);
            }
            error => {
                fetching.not_before = now + self.retry.after(1);
                // Of UNKNOWN_LEADER_EPOCH Kafka says that the broker is behind, not the client.
                if error.is_invalid_metadata() && error != ErrorCode::UnknownLeaderEpoch {
                    self.routing.request_update();
                }
            }
        }
    }

    /// Where a log starts or ends (K9).
    fn listed(&mut self, now: Time, spec: OffsetSpec, answer: ListOffsetsPartitionResponse, effects: &mut Effects) {
        let partition = answer.partition;
        let Some(state) = self.assignment.state(partition) else { return };
        if answer.error != ErrorCode::None {
            state.retry(now + self.retry.after(1));
            self.routing.request_update();
            return;
        }
        if let Some(epoch) = answer.leader_epoch {
            self.routing.seen(partition, epoch);
        }
        let position = answer.offset.next();
        if let Some(reason) = state.reset_to(spec, position, self.routing.leader(partition)) {
            effects.note(Event::Sought { partition, position, reason });
        }
    }

    /// Whether the log below the position is still the one that was read (K6).
    fn validated(
        &mut self,
        now: Time,
        about: Position,
        answer: OffsetsForLeaderEpochPartitionResponse,
        effects: &mut Effects,
    ) {
        let partition = answer.partition;
        let Some(state) = self.assignment.state(partition) else { return };
        if answer.error != ErrorCode::None {
            state.retry(now + self.retry.after(1));
            self.routing.request_update();
            return;
        }
        match state.validated(about, answer.end, self.config.auto_offset_reset) {
            Validated::Truncated(position) => {
                effects.note(Event::Sought { partition, position, reason: SeekReason::Truncation });
            }
            // The new position is noted when it is known.
            Validated::Reset | Validated::Unchanged | Validated::Ignored => {}
        }
    }

    fn disconnected(&mut self, now: Time, disconnected: Disconnected<Asked>) {
        self.routing.request_update();
        for asked in disconnected.asked {
            self.lost(now, asked);
        }
    }

    /// No answer will come.
    fn lost(&mut self, now: Time, asked: Asked) {
        let partitions: Vec<Partition> = match asked {
            Asked::Metadata => return self.routing.unanswered(now),
            // The backoff of the connection is all that a fetch has to wait for.
            Asked::Fetch(_) => return,
            Asked::Offsets(asked) => asked.into_iter().map(|(partition, _)| partition).collect(),
            Asked::Epochs(asked) => asked.into_iter().map(|(partition, _)| partition).collect(),
        };
        for partition in partitions {
            let not_before = now + self.retry.after(1);
            if let Some(state) = self.assignment.state(partition) {
                state.retry(not_before);
            }
        }
    }

    /// Asks whatever may be asked now.
    fn dispatch(&mut self, now: Time, effects: &mut Effects) {
        self.wake = None;
        self.assignment.obey(&mut self.routing);
        self.ask_for_offsets(now, effects);
        self.ask_for_epochs(now, effects);
        self.fetch(now, effects);
        self.refresh(now, effects);
    }

    /// One ListOffsets to each leader of partitions that await a reset (K9).
    fn ask_for_offsets(&mut self, now: Time, effects: &mut Effects) {
        self.find_ready(now, |state| match state {
            State::AwaitReset(waiting) => Some(waiting.turn),
            State::Initializing(_) | State::AwaitValidation(_) | State::Fetching(_) => None,
        });
        let ready = std::mem::take(&mut self.ready);
        for group in ready.chunk_by(|one, other| one.0.broker == other.0.broker) {
            let mut partitions = Vec::with_capacity(group.len());
            let mut asked = Vec::with_capacity(group.len());
            for &(leader, partition) in group {
                let Some(State::AwaitReset(waiting)) = self.assignment.state(partition) else { continue };
                waiting.turn = Turn::Asked;
                asked.push((partition, waiting.spec));
                let current_leader_epoch = Some(leader.epoch);
                partitions.push(ListOffsetsPartition { partition, current_leader_epoch, spec: waiting.spec });
            }
            let request = Request::ListOffsets(ListOffsetsRequest { fetcher: Fetcher::Consumer, partitions });
            self.connections.send(now, group[0].0.broker.into(), request, Asked::Offsets(asked), effects);
        }
        self.ready = ready;
    }

    /// One OffsetsForLeaderEpoch to each leader of partitions whose position is to be validated (K5).
    fn ask_for_epochs(&mut self, now: Time, effects: &mut Effects) {
        self.find_ready(now, |state| match state {
            State::AwaitValidation(waiting) => Some(waiting.turn),
            State::Initializing(_) | State::AwaitReset(_) | State::Fetching(_) => None,
        });
        let ready = std::mem::take(&mut self.ready);
        for group in ready.chunk_by(|one, other| one.0.broker == other.0.broker) {
            let mut partitions = Vec::with_capacity(group.len());
            let mut asked = Vec::with_capacity(group.len());
            for &(leader, partition) in group {
                let Some(State::AwaitValidation(waiting)) = self.assignment.state(partition) else { continue };
                waiting.turn = Turn::Asked;
                asked.push((partition, waiting.position));
                let current_leader_epoch = Some(leader.epoch);
                let leader_epoch = waiting.epoch;
                partitions.push(OffsetsForLeaderEpochPartition { partition, current_leader_epoch, leader_epoch });
            }
            let fetcher = Fetcher::Consumer;
            let request = Request::OffsetsForLeaderEpoch(OffsetsForLeaderEpochRequest { fetcher, partitions });
            self.connections.send(now, group[0].0.broker.into(), request, Asked::Epochs(asked), effects);
        }
        self.ready = ready;
    }

    /// One Fetch to each leader that has none under way (K2).
    fn fetch(&mut self, now: Time, effects: &mut Effects) {
        self.find_ready(now, |state| state.fetching().map(|fetching| Turn::NotBefore(fetching.not_before)));
        let mut ready = std::mem::take(&mut self.ready);
        for group in ready.chunk_by_mut(|one, other| one.0.broker == other.0.broker) {
            let to = Node::from(group[0].0.broker);
            if self.connections.any(to, |asked| matches!(asked, Asked::Fetch(_))) {
                continue;
            }
            // Under a size limit whoever comes first is served best.
            self.fetches = self.fetches.wrapping_add(1);
            let first = self.fetches % group.len();
            group.rotate_left(first);
            let mut partitions = Vec::with_capacity(group.len());
            let mut asked = Vec::with_capacity(group.len());
            for &(_, partition) in &*group {
                let Some(State::Fetching(fetching)) = self.assignment.state(partition) else { continue };
                let Position { offset, leader, .. } = fetching.position;
                asked.push((partition, offset));
                partitions.push(FetchPartition {
                    partition,
                    fetch_offset: offset,
                    current_leader_epoch: leader.map(|leader| leader.epoch),
                    last_fetched_epoch: None,
                    log_start: EndOffset::ZERO,
                    max_bytes: bounded(self.config.max_partition_fetch_bytes),
                });
            }
            let request = Request::Fetch(FetchRequest {
                fetcher: Fetcher::Consumer,
                max_wait: self.config.fetch_max_wait,
                min_bytes: bounded(self.config.fetch_min_bytes),
                max_bytes: bounded(self.config.fetch_max_bytes),
                partitions,
            });
            self.connections.send(now, to, request, Asked::Fetch(asked), effects);
        }
        self.ready = ready;
    }

    /// Finds the partitions whose turn has come and whose leader can be asked, by leader.
    fn find_ready(&mut self, now: Time, turn: impl Fn(&State) -> Option<Turn>) {
        self.ready.clear();
        for (partition, state) in self.assignment.states() {
            let Some(Turn::NotBefore(at)) = turn(state) else { continue };
            if at > now {
                self.wake = earliest([self.wake, Some(at)]);
                continue;
            }
            let Some(leader) = self.routing.leader(partition) else { continue };
            if self.connections.takes(leader.broker.into(), IN_FLIGHT_LIMIT) {
                self.ready.push((leader, partition));
            }
        }
        self.ready.sort_unstable_by_key(|(leader, partition)| (leader.broker, *partition));
    }

    fn refresh(&mut self, now: Time, effects: &mut Effects) {
        if !self.routing.due(now) {
            return;
        }
        let (candidates, lot) = (self.routing.candidates(), self.routing.lot());
        match self.connections.least_loaded(&candidates, IN_FLIGHT_LIMIT, lot) {
            Some(broker) => {
                let request = Request::Metadata(self.routing.ask());
                self.connections.send(now, broker.into(), request, Asked::Metadata, effects);
            }
            None => self.routing.nobody_to_ask(),
        }
    }
}

impl Machine for Consumer {
    fn step(&mut self, now: Time, input: Input, _: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match input {
            Input::Start(chance) => {
                self.connections.start(chance);
                self.routing.start(chance);
                self.retry.start(chance);
            }
            Input::Submit(command) => self.submit(command, effects),
            Input::Receive(answer) => self.receive(now, *answer, effects),
            Input::Severed(severed) => {
                if let Some(disconnected) = self.connections.severed(now, &severed) {
                    self.disconnected(now, disconnected);
                }
            }
            Input::Terminate => effects.exit(),
            // Only a reason to look at the time.
            Input::Later(_) | Input::Tick => {}
        }
        self.connections.reopen(now);
        while let Some(disconnected) = self.connections.overdue(now, effects) {
            self.disconnected(now, disconnected);
        }
        self.assignment.take_up(self.config.auto_offset_reset, &mut self.routing, effects);
        self.dispatch(now, effects);
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        earliest([self.wake, self.connections.deadline(), self.routing.deadline()])
    }
}

/// Takes the entry of a partition out of what was asked.
fn take_out<T>(asked: &mut Vec<(Partition, T)>, partition: Partition) -> Option<T> {
    let at = asked.iter().position(|(about, _)| *about == partition)?;
    Some(asked.swap_remove(at).1)
}

/// Kafka's sizes are 32 bits wide on the wire.
fn bounded(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}
