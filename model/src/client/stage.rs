//! A stage for tests of one client: no world, every message handed over by hand.

use std::time::Duration;

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId};
use crate::event::Event;
use crate::machine::{Chance, Command, Effect, Effects, Input, Machine, Severed};
use crate::names::{BrokerId, ClientId, LeaderEpoch, Node, Partition, Time, TopicId};
use crate::wire::{
    Body, Channel, ConnectionId, Envelope, ErrorCode, MetadataPartition, MetadataResponse, MetadataTopic, Request,
    Response,
};

/// The topic that [`metadata`] speaks of.
pub(super) const TOPIC: TopicId = TopicId(9);

/// One machine, its clock, and what it did and nobody has looked at yet.
#[derive(Clone, Debug)]
pub(super) struct Stage<M> {
    pub(super) machine: M,
    pub(super) now: Time,
    requests: Vec<Envelope>,
    notes: Vec<Event>,
    pub(super) closed: Vec<Severed>,
    pub(super) exited: bool,
}

pub(super) fn millis(millis: u64) -> Time {
    Time(millis * 1_000_000)
}

impl<M: Machine> Stage<M> {
    pub(super) fn new(machine: M) -> Self {
        let mut stage = Self {
            machine,
            now: millis(1_000_000),
            requests: Vec::new(),
            notes: Vec::new(),
            closed: Vec::new(),
            exited: false,
        };
        stage.step(Input::Start(Chance(42)));
        stage
    }

    pub(super) fn step(&mut self, input: Input) {
        let mut effects = Effects::new();
        self.machine.step(self.now, input, &mut NoDisk, &mut effects).expect("a client has no disk to fail");
        for effect in effects.drain() {
            match effect {
                Effect::Send(envelope) => self.requests.push(*envelope),
                Effect::Close(severed) => self.closed.push(severed),
                Effect::Note(event) => self.notes.push(event),
                Effect::Exit => self.exited = true,
                Effect::Later(task) => panic!("a client has one thread: {task:?}"),
            }
        }
        let deadline = self.machine.deadline();
        assert!(deadline.is_none_or(|at| at > self.now), "{deadline:?} asks for a tick at once, at {:?}", self.now);
    }

    pub(super) fn submit(&mut self, command: Command) {
        self.step(Input::Submit(command));
    }

    /// Lets time pass, with a tick whenever the machine asks for one.
    pub(super) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.machine.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        self.now = end;
    }

    /// What was sent since the last look, all of it.
    pub(super) fn sent(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.requests)
    }

    /// The one request that was sent since the last look.
    pub(super) fn only_request(&mut self) -> (Envelope, Request) {
        let mut sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        let envelope = sent.remove(0);
        let Body::Request(request) = envelope.body.clone() else { panic!("a client does not answer") };
        (envelope, request)
    }

    /// What was noted since the last look.
    pub(super) fn notes(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.notes)
    }

    pub(super) fn answer(&mut self, request: &Envelope, response: Response) {
        let reply_to = crate::wire::ReplyTo { connection: ConnectionId(7), ..request.reply_to() };
        self.step(Input::Receive(Box::new(Envelope::response(&reply_to, request.to, response))));
    }

    pub(super) fn sever(&mut self, peer: impl Into<Node>) {
        let connection = ConnectionId(8);
        self.step(Input::Severed(Severed { peer: peer.into(), channel: Channel::Client, connection }));
    }

    /// Answers the one metadata request under way.
    pub(super) fn tell(&mut self, metadata: MetadataResponse) {
        let (envelope, request) = self.only_request();
        assert!(matches!(request, Request::Metadata(_)), "{request:?}");
        self.answer(&envelope, Response::Metadata(metadata));
    }
}

/// The client on the stage.
pub(super) const CLIENT: ClientId = ClientId(1);

/// A partition of the topic.
pub(super) fn partition(index: u32) -> Partition {
    Partition { topic: TOPIC, index }
}

/// What a broker says of the topic: leader and leader epoch of each partition.
pub(super) fn metadata(topic: &str, leaders: &[Option<(u32, i32)>]) -> MetadataResponse {
    let partition = |(index, leader): (usize, &Option<(u32, i32)>)| MetadataPartition {
        index: u32::try_from(index).unwrap(),
        error: if leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        leader: leader.map(|(broker, _)| BrokerId(broker)),
        leader_epoch: LeaderEpoch(leader.map_or(0, |(_, epoch)| epoch)),
        replicas: vec![BrokerId(1), BrokerId(2), BrokerId(3)],
        isr: vec![BrokerId(1), BrokerId(2)],
    };
    let topic = MetadataTopic {
        name: topic.to_owned(),
        error: ErrorCode::None,
        id: Some(TOPIC),
        partitions: leaders.iter().enumerate().map(partition).collect(),
    };
    MetadataResponse { brokers: vec![BrokerId(1), BrokerId(2), BrokerId(3)], topics: vec![topic] }
}

/// Clients keep nothing on disk.
struct NoDisk;

impl Disk for NoDisk {
    fn create(&mut self, _: &str) -> Result<FileId, DiskError> {
        unreachable!("a client uses no disk")
    }

    fn open(&mut self, _: &str) -> Result<FileId, DiskError> {
        unreachable!("a client uses no disk")
    }

    fn len(&mut self, _: FileId) -> Result<u64, DiskError> {
        unreachable!("a client uses no disk")
    }

    fn append(&mut self, _: FileId, _: Bytes) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn read(&mut self, _: FileId, _: u64, _: usize) -> Result<Bytes, DiskError> {
        unreachable!("a client uses no disk")
    }

    fn truncate(&mut self, _: FileId, _: u64) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn sync(&mut self, _: FileId) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn rename(&mut self, _: &str, _: &str) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn rename_dir(&mut self, _: &str, _: &str) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn remove(&mut self, _: &str) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }

    fn list(&mut self, _: &str) -> Result<Vec<String>, DiskError> {
        unreachable!("a client uses no disk")
    }

    fn sync_dir(&mut self, _: &str) -> Result<(), DiskError> {
        unreachable!("a client uses no disk")
    }
}
