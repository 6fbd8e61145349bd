//! One broker, cranked by hand: every effect lands in a list, and nothing happens that a test does not ask for.

use std::time::Duration;

pub(super) use super::messages::*;
use crate::broker::Broker;
use crate::config::{Acks, BrokerConfig};
use crate::event::Event;
use crate::log::tests::disk::FakeDisk;
use crate::machine::{Chance, Effect, Effects, Input, Machine, Severed, Stop, Task};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, BrokerId, ClientId, ControllerId, EndOffset, Node, Offset, Partition, Time, TopicId};
use crate::protocol::Protocol;
use crate::replica::Replica;
use crate::wire::{
    AlterPartitionItem, AlterPartitionResponse, AlterPartitionResult, Body, BrokerHeartbeatResponse,
    BrokerRegistrationResponse, Channel, ConnectionId, Envelope, ErrorCode, FetchPartitionResponse, FetchRequest,
    PartitionChangeAccepted, Request, Response,
};

/// The partition that most tests are about.
pub(super) const P: Partition = Partition { topic: TopicId(1), index: 0 };
/// Another one.
pub(super) const Q: Partition = Partition { topic: TopicId(1), index: 1 };
pub(super) const CONTROLLER: Node = Node::Controller(ControllerId(0));
pub(super) const CLIENT: Node = Node::Client(ClientId(1));
/// An hour, so that a clock that is a little earlier still has somewhere to be.
pub(super) const NOON: Time = Time(3_600_000_000_000);

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The broker epoch that a broker's first life has in these tests.
pub(super) fn life(broker: u32) -> BrokerEpoch {
    BrokerEpoch(10 + i64::from(broker))
}

pub(super) fn brokers(ids: &[u32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

/// One broker and everything that it said.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) id: BrokerId,
    pub(super) broker: Broker,
    pub(super) disk: FakeDisk,
    pub(super) now: Time,
    /// Tasks that wait for their turn.
    pub(super) tasks: Vec<Task>,
    /// Messages that nobody has taken.
    pub(super) sent: Vec<Envelope>,
    pub(super) closed: Vec<Severed>,
    pub(super) notes: Vec<Event>,
    pub(super) exited: bool,
    /// The metadata log as the controller has it.
    pub(super) metadata: Vec<MetadataRecord>,
    asked: u64,
}

impl Stage {
    pub(super) fn new(id: u32) -> Self {
        Self::with(id, BrokerConfig::default(), Protocol::LATEST)
    }

    pub(super) fn with(id: u32, config: BrokerConfig, protocol: Protocol) -> Self {
        Self {
            id: BrokerId(id),
            broker: Broker::new(BrokerId(id), vec![ControllerId(0)], config, protocol),
            disk: FakeDisk::default(),
            now: NOON,
            tasks: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            notes: Vec::new(),
            exited: false,
            metadata: Vec::new(),
            asked: 0,
        }
    }

    /// A broker that runs, is registered in its first life, knows these records and has obeyed them.
    pub(super) fn up(id: u32, records: &[MetadataRecord]) -> Self {
        Self::new(id).brought_up(records)
    }

    pub(super) fn brought_up(mut self, records: &[MetadataRecord]) -> Self {
        self.start();
        self.register(life(id_of(&self)));
        self.learn(records);
        self.answer_heartbeat(false, false);
        self.run_all();
        self
    }

    // ---- stepping ----

    pub(super) fn step(&mut self, input: Input) -> Result<(), Stop> {
        let mut effects = Effects::new();
        self.broker.step(self.now, input, &mut self.disk, &mut effects)?;
        for effect in effects.drain() {
            match effect {
                Effect::Send(envelope) => self.sent.push(*envelope),
                Effect::Close(severed) => self.closed.push(severed),
                Effect::Later(task) => self.tasks.push(task),
                Effect::Note(event) => self.notes.push(event),
                Effect::Exit => self.exited = true,
            }
        }
        Ok(())
    }

    pub(super) fn take(&mut self, input: Input) {
        self.step(input).expect("the process goes on");
    }

    /// Starts a process on what is on the disk. What the last one had said and had to do is gone.
    pub(super) fn start(&mut self) {
        self.try_start().expect("the process goes on");
    }

    pub(super) fn try_start(&mut self) -> Result<(), Stop> {
        (self.tasks, self.sent, self.closed) = (Vec::new(), Vec::new(), Vec::new());
        self.exited = false;
        self.step(Input::Start(Chance(7)))
    }

    /// Gives every task that is there its turn, and those that follow from them, in order.
    pub(super) fn run_all(&mut self) {
        self.try_run_all().expect("the process goes on");
    }

    pub(super) fn try_run_all(&mut self) -> Result<(), Stop> {
        let mut turns = 0;
        while !self.tasks.is_empty() {
            let task = self.tasks.remove(0);
            self.step(Input::Later(task))?;
            turns += 1;
            assert!(turns < 1_000, "tasks without end: {:?}", self.tasks);
        }
        Ok(())
    }

    /// Gives only the tasks of this kind that are there now their turn.
    pub(super) fn run(&mut self, kind: impl Fn(&Task) -> bool) -> usize {
        let (turns, rest) = std::mem::take(&mut self.tasks).into_iter().partition::<Vec<_>, _>(kind);
        self.tasks = rest;
        let count = turns.len();
        for task in turns {
            self.take(Input::Later(task));
        }
        count
    }

    /// Lets time pass; a tick comes whenever the broker asked for it.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        let mut at_once = 0;
        while let Some(deadline) = self.broker.deadline().filter(|&deadline| deadline <= end) {
            at_once = if deadline <= self.now { at_once + 1 } else { 0 };
            assert!(at_once < 10, "the deadline stays in the past: {deadline:?}");
            self.now = self.now.max(deadline);
            self.take(Input::Tick);
        }
        self.now = end;
    }

    // ---- the controller's part ----

    pub(super) fn register(&mut self, epoch: BrokerEpoch) {
        let request = self.expect_sent(Channel::Lifecycle);
        let answer = BrokerRegistrationResponse { error: ErrorCode::None, broker_epoch: Some(epoch) };
        self.answer(&request, Response::BrokerRegistration(answer));
    }

    /// Answers the last heartbeat.
    pub(super) fn answer_heartbeat(&mut self, is_fenced: bool, should_shut_down: bool) {
        let request = self.expect_sent(Channel::Lifecycle);
        let error = ErrorCode::None;
        let answer = BrokerHeartbeatResponse { error, is_caught_up: true, is_fenced, should_shut_down };
        self.answer(&request, Response::BrokerHeartbeat(answer));
    }

    /// The controller decides; the broker fetches it and applies it.
    pub(super) fn learn(&mut self, records: &[MetadataRecord]) {
        self.fetch_metadata(records);
        assert!(self.run(|task| matches!(task, Task::ApplyMetadata { .. })) > 0);
    }

    /// The controller decides; the broker fetches it.
    pub(super) fn fetch_metadata(&mut self, records: &[MetadataRecord]) {
        self.metadata.extend_from_slice(records);
        let request = self.expect_sent(Channel::Metadata);
        let Body::Request(Request::FetchMetadata(fetch)) = &request.body else { panic!("a fetch of the metadata log") };
        let from = fetch.fetch_offset.0 as usize;
        let mut bytes = Vec::new();
        for (place, record) in self.metadata.iter().enumerate().skip(from) {
            bytes.extend_from_slice(metadata_batch(place as u64, record).bytes());
        }
        let end = EndOffset(self.metadata.len() as u64);
        self.answer(&request, metadata_from(end, bytes));
    }

    /// What the broker asks the controller to change, if it has asked.
    pub(super) fn proposal(&mut self) -> Option<(Envelope, Vec<AlterPartitionItem>)> {
        let envelope = self.take_sent(Channel::AlterPartition)?;
        let Body::Request(Request::AlterPartition(asked)) = &envelope.body else { panic!("an AlterPartition") };
        let items = asked.partitions.clone();
        Some((envelope, items))
    }

    pub(super) fn answer_proposal(
        &mut self,
        request: &Envelope,
        answers: &[(Partition, Result<PartitionChangeAccepted, ErrorCode>)],
    ) {
        let partitions = answers
            .iter()
            .map(|(partition, result)| AlterPartitionResult { partition: *partition, result: result.clone() })
            .collect();
        let answer = AlterPartitionResponse { error: ErrorCode::None, partitions };
        self.answer(request, Response::AlterPartition(answer));
    }

    // ---- messages ----

    /// Hands the broker the answer to one of its requests.
    pub(super) fn answer(&mut self, request: &Envelope, response: Response) {
        self.try_answer(request, response).expect("the process goes on");
    }

    pub(super) fn try_answer(&mut self, request: &Envelope, response: Response) -> Result<(), Stop> {
        let reply = request.reply_to();
        let envelope = Envelope {
            from: request.to,
            to: request.from,
            channel: reply.channel,
            connection: ConnectionId(900),
            correlation: reply.correlation,
            body: Body::Response(response),
        };
        self.step(Input::Receive(Box::new(envelope)))
    }

    /// The last request that it sent over this channel, if nobody took it.
    pub(super) fn take_sent(&mut self, channel: Channel) -> Option<Envelope> {
        let is_request = |sent: &Envelope| matches!(sent.body, Body::Request(_)) && sent.channel == channel;
        let place = self.sent.iter().rposition(is_request)?;
        Some(self.sent.remove(place))
    }

    pub(super) fn expect_sent(&mut self, channel: Channel) -> Envelope {
        self.take_sent(channel).unwrap_or_else(|| panic!("nothing was sent over {channel:?}"))
    }

    /// A request comes in from a client over a connection. Returns its number.
    pub(super) fn ask(&mut self, connection: u64, request: Request) -> u64 {
        self.ask_as(CLIENT, Channel::Client, connection, request)
    }

    pub(super) fn ask_as(&mut self, from: Node, channel: Channel, connection: u64, request: Request) -> u64 {
        self.try_ask(from, channel, connection, request).expect("the process goes on")
    }

    pub(super) fn try_ask(
        &mut self,
        from: Node,
        channel: Channel,
        connection: u64,
        request: Request,
    ) -> Result<u64, Stop> {
        self.asked += 1;
        let to = self.id.into();
        let (connection, correlation) = (ConnectionId(connection), self.asked);
        let body = Body::Request(request);
        self.step(Input::Receive(Box::new(Envelope { from, to, channel, connection, correlation, body })))?;
        Ok(correlation)
    }

    /// The answers that left since the last look, with the numbers of their requests.
    pub(super) fn answers(&mut self) -> Vec<(u64, Response)> {
        self.take_answers(|_| true)
    }

    fn take_answers(&mut self, kind: impl Fn(&Response) -> bool) -> Vec<(u64, Response)> {
        let (answers, rest) = std::mem::take(&mut self.sent)
            .into_iter()
            .partition::<Vec<_>, _>(|sent| matches!(&sent.body, Body::Response(response) if kind(response)));
        self.sent = rest;
        let split = |sent: Envelope| match sent.body {
            Body::Response(response) => (sent.correlation, response),
            Body::Request(_) => unreachable!("only responses were taken"),
        };
        answers.into_iter().map(split).collect()
    }

    pub(super) fn produce(&mut self, connection: u64, acks: Acks, values: &[u64]) -> u64 {
        self.ask(connection, Request::Produce(produce(acks, &[(P, values)])))
    }

    /// What was answered to produces since the last look: error and base offset of each partition.
    pub(super) fn produced(&mut self) -> Vec<Vec<(ErrorCode, Option<u64>)>> {
        let answers = self.take_answers(|response| matches!(response, Response::Produce(_)));
        let said = |(_, response)| {
            let Response::Produce(produce) = response else { unreachable!("only these were taken") };
            let parts = produce.partitions.into_iter();
            parts.map(|part| (part.error, part.base_offset.map(|base: Offset| base.0))).collect()
        };
        answers.into_iter().map(said).collect()
    }

    /// An admin client wants the records of `P` below an offset to be deleted.
    pub(super) fn delete_records(&mut self, connection: u64, before: Option<u64>) -> u64 {
        self.ask(connection, Request::DeleteRecords(delete_records(before)))
    }

    /// What was answered to DeleteRecords since the last look: error and low watermark.
    pub(super) fn deleted(&mut self) -> Vec<(ErrorCode, Option<u64>)> {
        let answers = self.take_answers(|response| matches!(response, Response::DeleteRecords(_)));
        let said = |(_, response)| {
            let Response::DeleteRecords(answer) = response else { unreachable!("only these were taken") };
            (answer.partitions[0].error, answer.partitions[0].low_watermark.map(|low| low.0))
        };
        answers.into_iter().map(said).collect()
    }

    /// A follower fetches `P`; the leader reads and counts it.
    pub(super) fn follower_fetches(&mut self, from: u32, epoch: i32, offset: u64) -> u64 {
        self.follower_asks(from, follower_fetch(from, epoch, offset))
    }

    pub(super) fn follower_asks(&mut self, from: u32, fetch: FetchRequest) -> u64 {
        let asked = self.follower_asks_only(from, fetch);
        self.run(|task| matches!(task, Task::CountFetch { .. }));
        asked
    }

    /// A follower's fetch comes, and is read, and nothing else.
    pub(super) fn follower_asks_only(&mut self, from: u32, fetch: FetchRequest) -> u64 {
        let (node, connection) = (Node::Broker(BrokerId(from)), 500 + u64::from(from));
        // Whatever it asked before, it has given up.
        let severed = Severed { peer: node, channel: Channel::ReplicaFetch, connection: ConnectionId(connection) };
        self.take(Input::Severed(severed));
        self.ask_as(node, Channel::ReplicaFetch, connection, Request::Fetch(fetch))
    }

    /// What was answered to fetches since the last look, one partition each.
    pub(super) fn fetched(&mut self) -> Vec<FetchPartitionResponse> {
        let answers = self.take_answers(|response| matches!(response, Response::Fetch(_)));
        let part = |(_, response)| {
            let Response::Fetch(fetch) = response else { unreachable!("only these were taken") };
            fetch.partitions.into_iter().next().expect("one partition")
        };
        answers.into_iter().map(part).collect()
    }

    // ---- looking ----

    pub(super) fn replica(&self, partition: Partition) -> &Replica {
        self.broker.replicas().find(|replica| replica.partition == partition).expect("the partition is hosted")
    }

    pub(super) fn high_watermark(&self) -> u64 {
        self.replica(P).high_watermark.0
    }

    pub(super) fn start_offset(&self) -> u64 {
        self.replica(P).log.start().0
    }

    pub(super) fn end(&self) -> u64 {
        self.replica(P).log.end().0
    }

    /// Committed and required ISR as this leader knows them.
    pub(super) fn isr(&self) -> (Vec<u32>, Vec<u32>) {
        let leader = self.replica(P).leader().expect("it leads");
        let plain = |ids: &[BrokerId]| ids.iter().map(|id| id.0).collect();
        (plain(leader.isr.committed()), plain(&leader.isr.required(Protocol::LATEST.shrinking)))
    }

    /// Every record of the log: offset, epoch of its batch, value.
    pub(super) fn records(&mut self) -> Vec<(u64, i32, u64)> {
        let log = self.replica(P).log.clone();
        let mut all = Vec::new();
        for id in log.batches() {
            let span =
                log.locate(id.base.max(log.start().next()), log.end(), 1, true).expect("in range").expect("there");
            all.extend(values_in(log.read(&mut self.disk, &span).expect("the disk works")));
        }
        all
    }

    pub(super) fn values(&mut self) -> Vec<u64> {
        self.records().into_iter().map(|(_, _, value)| value).collect()
    }

    pub(super) fn noted(&self, what: impl Fn(&Event) -> bool) -> usize {
        self.notes.iter().filter(|event| what(event)).count()
    }
}

fn id_of(stage: &Stage) -> u32 {
    stage.id.0
}
