//! A controller on the workbench, cranked by hand, and watched: whatever a test does, after every committed record the
//! image has to make sense (R83, R127, R128).

use std::time::Duration;

use crate::config::{BrokerConfig, ControllerConfig};
use crate::controller::Controller;
use crate::controller::chores::Chore;
use crate::event::Event;
use crate::machine::{Chance, Effect, Effects, Input, Machine, Severed, Stop};
use crate::metadata::{Image, MetadataRecord, PartitionRegistration, RecoveryState};
use crate::names::{
    BrokerEpoch, BrokerId, ClientId, ControllerId, EndOffset, Incarnation, LeaderEpoch, Node, Offset, Time,
};
use crate::protocol::Protocol;
use crate::quorum::Hands;
use crate::quorum::tests::disk::MemoryDisk;
use crate::wire::{
    AlterPartitionItem, AlterPartitionRequest, AlterPartitionResponse, Body, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, Channel, ConnectionId,
    CreateTopicsRequest, CreatedTopic, Envelope, ErrorCode, IsrMember, NewTopic, Request, Response,
};

/// A controller, its disk, and everything it has said.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) config: ControllerConfig,
    pub(super) defaults: BrokerConfig,
    pub(super) protocol: Protocol,
    pub(super) controller: Controller,
    pub(super) disk: MemoryDisk,
    pub(super) now: Time,
    /// Everything noted, in all lives.
    pub(super) notes: Vec<Event>,
    /// Everything sent, in all lives.
    pub(super) sent: Vec<Envelope>,
    /// Connections that the controller has closed.
    pub(super) closed: Vec<Severed>,
    pub(super) exited: bool,
    /// What the noted records add up to.
    pub(super) told: Image,
    /// The records behind `told`, by offset.
    pub(super) records: Vec<MetadataRecord>,
    /// Whether the image has to make sense after every record.
    pub(super) is_watched: bool,
    correlation: u64,
}

/// What a broker says beside its name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    pub(super) fence: bool,
    pub(super) shut_down: bool,
}

pub(super) const NOTHING: Wish = Wish { fence: false, shut_down: false };
pub(super) const TO_BE_FENCED: Wish = Wish { fence: true, shut_down: false };
pub(super) const TO_SHUT_DOWN: Wish = Wish { fence: false, shut_down: true };

/// The only voter.
const OWN: crate::wire::Voter = crate::wire::Voter { id: ControllerId(0), directory: crate::names::DirectoryId(0) };

impl Bench {
    /// A controller with Kafka's defaults, that has started.
    pub(super) fn new() -> Self {
        Self::of(ControllerConfig::default(), BrokerConfig::default(), Protocol::LATEST)
    }

    /// Records do not wait for others: everything that a request decides is committed, and answered, in its own step.
    pub(super) fn of(config: ControllerConfig, defaults: BrokerConfig, protocol: Protocol) -> Self {
        let config = ControllerConfig { controller_quorum_append_linger: Duration::ZERO, ..config };
        let controller = Controller::new(OWN, vec![OWN], config.clone(), defaults.clone(), protocol);
        let mut bench = Self {
            config,
            defaults,
            protocol,
            controller,
            disk: MemoryDisk::default(),
            now: Time(1_700_000_000_000_000_000),
            notes: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            exited: false,
            told: Image::default(),
            records: Vec::new(),
            is_watched: true,
            correlation: 0,
        };
        bench.start().expect("a fresh disk has no fault");
        bench
    }

    /// With so many brokers, all unfenced, and one topic `t` of so many partitions with a replica on each broker.
    pub(super) fn with_brokers(brokers: u32, partitions: u32) -> Self {
        Self::new().having(brokers, partitions)
    }

    pub(super) fn having(mut self, brokers: u32, partitions: u32) -> Self {
        for id in 1..=brokers {
            self.join(id);
        }
        self.create("t", partitions, u16::try_from(brokers).unwrap());
        self
    }

    /// A new process on the same disk.
    pub(super) fn start(&mut self) -> Result<(), Stop> {
        let (config, defaults) = (self.config.clone(), self.defaults.clone());
        self.controller = Controller::new(OWN, vec![OWN], config, defaults, self.protocol);
        self.step(Input::Start(Chance(0)))
    }

    pub(super) fn restart(&mut self) {
        self.disk.restart();
        self.start().expect("nothing is wrong with the disk");
    }

    pub(super) fn step(&mut self, input: Input) -> Result<(), Stop> {
        let mut effects = Effects::new();
        self.controller.step(self.now, input, &mut self.disk, &mut effects)?;
        for effect in effects.drain() {
            match effect {
                Effect::Note(event) => self.note(event),
                Effect::Send(envelope) => self.sent.push(*envelope),
                Effect::Close(severed) => self.closed.push(severed),
                Effect::Exit => self.exited = true,
                Effect::Later(task) => panic!("a controller has no other threads: {task:?}"),
            }
        }
        Ok(())
    }

    fn note(&mut self, event: Event) {
        if let Event::Committed { offset, record } = &event {
            match self.records.get(usize::try_from(offset.0).unwrap()) {
                Some(known) => assert_eq!(known, record, "what was committed at {offset} has changed"),
                None => {
                    assert_eq!(*offset, self.told.end.next(), "a committed record was never told of");
                    let before = self.is_watched.then(|| self.told.clone());
                    self.told.apply(*offset, record);
                    self.records.push(record.clone());
                    if let Some(before) = before {
                        makes_sense(&before, &self.told, self.protocol);
                    }
                }
            }
        }
        self.notes.push(event);
    }

    /// What the controller itself believes.
    pub(super) fn image(&self) -> &Image {
        let process = self.controller.process.as_ref().expect("the controller was started");
        process.reign.as_ref().expect("it leads").image()
    }

    /// Lets time pass, with all ticks that the controller wants.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(deadline) = self.controller.deadline().filter(|&deadline| deadline <= end) {
            self.now = self.now.max(deadline);
            self.step(Input::Tick).unwrap();
        }
        self.now = end;
    }

    /// Has the controller give partitions back to their preferred leaders, which it does not do by itself yet.
    pub(super) fn balance(&mut self) {
        let now = self.now;
        let process = self.controller.process.as_mut().expect("the controller was started");
        process.reign.as_mut().expect("it leads").order(Chore::Balance, now);
        self.pass(Duration::ZERO);
    }

    pub(super) fn pass_ms(&mut self, millis: u64) {
        self.pass(Duration::from_millis(millis));
    }

    /// Asks over a connection of this name. `None`: not answered yet.
    pub(super) fn ask_over(&mut self, connection: u64, from: Node, request: Request) -> Option<Response> {
        self.try_ask(connection, from, request).unwrap()
    }

    pub(super) fn try_ask(&mut self, connection: u64, from: Node, request: Request) -> Result<Option<Response>, Stop> {
        self.correlation += 1;
        let mut envelope = Envelope::request(from, ControllerId(0), Channel::Lifecycle, self.correlation, request);
        envelope.connection = ConnectionId(connection);
        self.step(Input::Receive(Box::new(envelope)))?;
        Ok(self.answer_to(self.correlation))
    }

    /// The answer to the request of this number, if it was given.
    pub(super) fn answer_to(&self, correlation: u64) -> Option<Response> {
        let mut answers = self.sent.iter().filter(|envelope| envelope.correlation == correlation);
        let answer = answers.next()?;
        assert!(answers.next().is_none(), "answered twice");
        match &answer.body {
            Body::Response(response) => Some(response.clone()),
            Body::Request(request) => panic!("a controller asks nothing: {request:?}"),
        }
    }

    // ---- brokers ----

    /// Registers a process.
    pub(super) fn register(&mut self, id: u32, incarnation: u64) -> BrokerRegistrationResponse {
        self.register_after(id, incarnation, None)
    }

    /// Registers a process that found this epoch in the clean-shutdown marker (R89).
    pub(super) fn register_after(
        &mut self,
        id: u32,
        incarnation: u64,
        previous_broker_epoch: Option<BrokerEpoch>,
    ) -> BrokerRegistrationResponse {
        let (broker, incarnation) = (BrokerId(id), Incarnation(incarnation));
        let request = BrokerRegistrationRequest { broker, incarnation, previous_broker_epoch };
        match self.ask_over(1, broker.into(), Request::BrokerRegistration(request)) {
            Some(Response::BrokerRegistration(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// A heartbeat of the registered process that has applied everything.
    pub(super) fn heartbeat(&mut self, id: u32, wish: Wish) -> BrokerHeartbeatResponse {
        let (epoch, end) = (self.epoch(id), self.image().end);
        self.heartbeat_at(id, epoch, end, wish)
    }

    pub(super) fn heartbeat_at(
        &mut self,
        id: u32,
        broker_epoch: BrokerEpoch,
        metadata_offset: EndOffset,
        wish: Wish,
    ) -> BrokerHeartbeatResponse {
        let request = BrokerHeartbeatRequest {
            broker: BrokerId(id),
            broker_epoch,
            metadata_offset,
            want_fence: wish.fence,
            want_shut_down: wish.shut_down,
        };
        match self.ask_over(1, BrokerId(id).into(), Request::BrokerHeartbeat(request)) {
            Some(Response::BrokerHeartbeat(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// A process registers and is unfenced; its incarnation is a number of its own.
    pub(super) fn join(&mut self, id: u32) -> BrokerEpoch {
        let response = self.register(id, self.told.end.0 * 100 + u64::from(id));
        assert_eq!(response.error, ErrorCode::None);
        let answer = self.heartbeat(id, NOTHING);
        assert!(!answer.is_fenced);
        response.broker_epoch.unwrap()
    }

    /// Has the broker fenced, by its own wish, which is quicker than to wait.
    pub(super) fn fence(&mut self, id: u32) {
        assert!(self.heartbeat(id, TO_BE_FENCED).is_fenced);
    }

    pub(super) fn epoch(&self, id: u32) -> BrokerEpoch {
        self.image().brokers[&BrokerId(id)].epoch
    }

    pub(super) fn is_fenced(&self, id: u32) -> bool {
        self.image().brokers[&BrokerId(id)].fenced
    }

    // ---- topics and partitions ----

    pub(super) fn create_topics(&mut self, topics: Vec<NewTopic>) -> Vec<CreatedTopic> {
        let request = Request::CreateTopics(CreateTopicsRequest { topics });
        match self.ask_over(2, ClientId(0).into(), request) {
            Some(Response::CreateTopics(response)) => response.topics,
            other => panic!("{other:?}"),
        }
    }

    /// Creates a topic, which has to work.
    pub(super) fn create(&mut self, name: &str, partitions: u32, replication_factor: u16) {
        let answers = self.create_topics(vec![topic(name, partitions, replication_factor)]);
        assert!(answers[0].result.is_ok(), "{answers:?}");
    }

    /// The `nth` partition of the cluster.
    pub(super) fn partition(&self, nth: usize) -> &PartitionRegistration {
        self.image().partitions.values().nth(nth).expect("there is such a partition")
    }

    /// The leader and the ISR of the first partition.
    pub(super) fn leader_and_isr(&self) -> (Option<u32>, Vec<u32>) {
        let first = self.partition(0);
        (first.leader.map(|id| id.0), first.isr.iter().map(|id| id.0).collect())
    }

    /// What the leader of the first partition would send to have this ISR.
    pub(super) fn proposal(&self, isr: &[u32]) -> AlterPartitionItem {
        let first = self.partition(0);
        let member = |&id: &u32| IsrMember {
            id: BrokerId(id),
            epoch: self.image().brokers.get(&BrokerId(id)).map(|known| known.epoch),
        };
        AlterPartitionItem {
            partition: first.partition,
            leader_epoch: first.leader_epoch,
            partition_epoch: first.partition_epoch,
            new_isr: isr.iter().map(member).collect(),
            recovery_state: RecoveryState::Recovered,
        }
    }

    pub(super) fn alter(&mut self, id: u32, partitions: Vec<AlterPartitionItem>) -> AlterPartitionResponse {
        let (broker, broker_epoch) = (BrokerId(id), self.epoch(id));
        let request = AlterPartitionRequest { broker, broker_epoch, partitions };
        match self.ask_over(3, broker.into(), Request::AlterPartition(request)) {
            Some(Response::AlterPartition(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    /// The leader of the first partition proposes this ISR, which has to work.
    pub(super) fn settle(&mut self, isr: &[u32]) {
        let leader = self.partition(0).leader.expect("somebody leads").0;
        let response = self.alter(leader, vec![self.proposal(isr)]);
        assert!(response.partitions[0].result.is_ok(), "{response:?}");
    }

    // ---- the metadata log ----

    /// How many records of each batch are in the metadata log.
    pub(super) fn batches(&self) -> Vec<(Offset, u32, LeaderEpoch)> {
        let appended = self.notes.iter().filter_map(|event| match event {
            Event::MetadataAppended { batch, .. } => Some((batch.base, batch.records, batch.epoch)),
            _ => None,
        });
        appended.collect()
    }

    /// Has the controller append something that is no metadata record.
    pub(super) fn write_raw(&mut self, value: &'static [u8]) {
        let mut effects = Effects::new();
        let mut hands = Hands { now: self.now, disk: &mut self.disk, effects: &mut effects };
        let process = self.controller.process.as_mut().expect("the controller was started");
        process.quorum.append(&[value.into()], &mut hands).expect("the log takes any batch");
    }
}

pub(super) fn topic(name: &str, partitions: u32, replication_factor: u16) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions, replication_factor, config: Vec::new() }
}

/// R83, R127 and R128, and W4 and W14 of the checkers.
fn makes_sense(before: &Image, after: &Image, protocol: Protocol) {
    for (partition, now) in &after.partitions {
        let has_elr = protocol.candidates.has_elr();
        assert!(has_elr || !now.isr.is_empty(), "{partition}: the ISR is empty (R83)");
        assert!(
            now.elr.iter().all(|member| has_elr && now.replicas.contains(member) && !now.isr.contains(member)),
            "{partition}: eligible beside the replicas, or beyond them (R83): {now:?}"
        );
        assert!(
            now.isr.iter().all(|member| now.replicas.contains(member)),
            "{partition}: ISR beyond the replicas (R83)"
        );
        assert!(now.leader.is_none_or(|leader| now.isr.contains(&leader)), "{partition}: leader not in ISR (R83)");
        let mut members = now.isr.clone();
        members.sort_unstable();
        members.dedup();
        assert_eq!(members.len(), now.isr.len(), "{partition}: a member twice (R83)");
        if protocol.returning.loses_seats() {
            let gone = now.isr.iter().filter(|&&member| !after.is_active(member)).count();
            let is_last = now.isr.len() == 1 && now.leader.is_none();
            assert!(gone == 0 || is_last, "{partition}: a fenced or leaving broker in sync (R128): {now:?}");
        }
        let Some(then) = before.partitions.get(partition) else { continue };
        assert!(now.leader_epoch >= then.leader_epoch, "{partition}: the leader epoch fell (R127)");
        assert!(now.partition_epoch >= then.partition_epoch, "{partition}: the partition epoch fell (R127)");
        assert_eq!(now == then, now.partition_epoch == then.partition_epoch, "{partition}: changed unseen (R76)");
        assert!(now.leader == then.leader || now.leader_epoch > then.leader_epoch, "{partition}: led unseen (R76)");
    }
    for (id, broker) in &after.brokers {
        let then = before.brokers.get(id);
        assert!(then.is_none_or(|then| broker.epoch >= then.epoch), "{id}: the broker epoch fell (C38)");
        assert!(
            then.is_none_or(|then| (then.epoch == broker.epoch) == (then.incarnation == broker.incarnation)),
            "{id}: a broker epoch is one process life (C38)"
        );
    }
}
