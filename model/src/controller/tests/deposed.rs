//! Three controllers: nothing is answered before it is committed, and what a deposed one had decided is forgotten by it
//! and may come true all the same (C30, C32, C33, C35, N10).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::config::{BrokerConfig, ControllerConfig};
use crate::controller::Controller;
use crate::event::Event;
use crate::machine::{Chance, Effect, Effects, Input, Machine};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{
    BrokerEpoch, BrokerId, ClientId, ControllerId, DirectoryId, EndOffset, Incarnation, Node, Offset, Time,
};
use crate::protocol::Protocol;
use crate::quorum::tests::disk::MemoryDisk;
use crate::wire::{
    Body, BrokerHeartbeatRequest, BrokerRegistrationRequest, Channel, ConnectionId, CreateTopicsRequest, Envelope,
    ErrorCode, Request, Response, Voter,
};

/// Three controllers and the wires between them.
struct Trio {
    controllers: BTreeMap<ControllerId, (Controller, MemoryDisk)>,
    wires: VecDeque<Envelope>,
    cut: BTreeSet<ControllerId>,
    now: Time,
    notes: Vec<(ControllerId, Event)>,
    /// What was answered to the outside, by request.
    answers: BTreeMap<u64, Response>,
    asked: u64,
    /// What was told to be committed.
    told: BTreeMap<Offset, MetadataRecord>,
}

impl Trio {
    fn new() -> Self {
        Self::of(&ControllerConfig::default())
    }

    fn of(config: &ControllerConfig) -> Self {
        let voters: Vec<Voter> =
            (1..=3).map(|id| Voter { id: ControllerId(id), directory: DirectoryId(u64::from(id)) }).collect();
        let controller = |own: &Voter| {
            Controller::new(*own, voters.clone(), config.clone(), BrokerConfig::default(), Protocol::LATEST)
        };
        let controllers = voters.iter().map(|own| (own.id, (controller(own), MemoryDisk::default()))).collect();
        let mut trio = Self {
            controllers,
            wires: VecDeque::new(),
            cut: BTreeSet::new(),
            now: Time(1_700_000_000_000_000_000),
            notes: Vec::new(),
            answers: BTreeMap::new(),
            asked: 1_000_000,
            told: BTreeMap::new(),
        };
        for own in &voters {
            trio.step(own.id, Input::Start(Chance(u64::from(own.id.0) * 7_919)));
        }
        trio
    }

    fn step(&mut self, id: ControllerId, input: Input) {
        let (controller, disk) = self.controllers.get_mut(&id).expect("there are three");
        let mut effects = Effects::new();
        controller.step(self.now, input, disk, &mut effects).expect("nothing is wrong with the disk");
        for effect in effects.drain() {
            match effect {
                Effect::Send(envelope) if self.answers_outside(&envelope) => {
                    let Body::Response(response) = envelope.body else { panic!("asks a client: {envelope:?}") };
                    assert!(self.answers.insert(envelope.correlation, response).is_none(), "answered twice");
                }
                Effect::Send(envelope) => self.wires.push_back(*envelope),
                Effect::Note(Event::Committed { offset, record }) => {
                    let known = self.told.entry(offset).or_insert_with(|| record.clone());
                    assert_eq!(*known, record, "two records are committed at {offset}");
                    self.notes.push((id, Event::Committed { offset, record }));
                }
                Effect::Note(event) => self.notes.push((id, event)),
                Effect::Close(_) | Effect::Later(_) | Effect::Exit => {}
            }
        }
    }

    fn answers_outside(&self, envelope: &Envelope) -> bool {
        !matches!(envelope.to, Node::Controller(_))
    }

    /// Delivers everything that gets through. What does not waits, as on a TCP connection.
    fn deliver(&mut self) {
        let mut held = VecDeque::new();
        while let Some(mut envelope) = self.wires.pop_front() {
            let (Node::Controller(from), Node::Controller(to)) = (envelope.from, envelope.to) else { continue };
            if self.cut.contains(&from) || self.cut.contains(&to) {
                held.push_back(envelope);
                continue;
            }
            if envelope.connection == ConnectionId::UNSET {
                envelope.connection = ConnectionId(u64::from(from.0) * 100 + u64::from(to.0));
            }
            self.step(to, Input::Receive(Box::new(envelope)));
        }
        self.wires = held;
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        self.deliver();
        loop {
            let deadlines = self.controllers.iter().filter_map(|(id, (machine, _))| Some((machine.deadline()?, *id)));
            let Some((at, id)) = deadlines.min().filter(|&(at, _)| at <= end) else { break };
            self.now = self.now.max(at);
            self.step(id, Input::Tick);
            self.deliver();
        }
        self.now = end;
    }

    /// Lets time pass until one of those that are not cut off is active.
    fn elect(&mut self) -> ControllerId {
        for _ in 0..2_000 {
            self.pass(Duration::from_millis(10));
            let active = self.controllers.keys().copied().find(|&id| !self.cut.contains(&id) && self.is_active(id));
            if let Some(active) = active {
                return active;
            }
        }
        panic!("nobody is active after 20 s");
    }

    fn is_active(&self, id: ControllerId) -> bool {
        self.controllers[&id].0.process.as_ref().is_some_and(|process| process.reign.is_some())
    }

    fn committed(&self, id: ControllerId) -> &Image {
        &self.controllers[&id].0.process.as_ref().expect("it was started").committed
    }

    /// Asks a controller; the answer comes when it comes.
    fn ask(&mut self, to: ControllerId, from: impl Into<Node>, request: Request) -> u64 {
        self.asked += 1;
        let mut envelope = Envelope::request(from, to, Channel::Lifecycle, self.asked, request);
        envelope.connection = ConnectionId(999);
        self.step(to, Input::Receive(Box::new(envelope)));
        self.asked
    }

    fn register(&mut self, to: ControllerId, broker: u32) -> u64 {
        let (broker, incarnation) = (BrokerId(broker), Incarnation(u64::from(broker)));
        let request = BrokerRegistrationRequest { broker, incarnation, previous_broker_epoch: None };
        self.ask(to, broker, Request::BrokerRegistration(request))
    }

    fn registered(&self, asked: u64) -> Option<(ErrorCode, Option<BrokerEpoch>)> {
        match self.answers.get(&asked)? {
            Response::BrokerRegistration(answer) => Some((answer.error, answer.broker_epoch)),
            other => panic!("{other:?}"),
        }
    }

    fn heartbeat(&mut self, to: ControllerId, broker: u32, broker_epoch: BrokerEpoch) -> u64 {
        let request = BrokerHeartbeatRequest {
            broker: BrokerId(broker),
            broker_epoch,
            metadata_offset: EndOffset(u64::MAX),
            want_fence: false,
            want_shut_down: false,
        };
        self.ask(to, BrokerId(broker), Request::BrokerHeartbeat(request))
    }

    fn heard(&self, asked: u64) -> Option<ErrorCode> {
        match self.answers.get(&asked)? {
            Response::BrokerHeartbeat(answer) => Some(answer.error),
            other => panic!("{other:?}"),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn one_of_three_becomes_active_and_the_others_refuse() {
    let mut trio = Trio::new();
    let active = trio.elect();
    let (mine, others): (Vec<_>, Vec<_>) = trio.controllers.keys().copied().partition(|&id| id == active);
    assert_eq!((mine.len(), others.len()), (1, 2));
    for other in others {
        let asked = trio.register(other, 1);
        assert_eq!(trio.registered(asked), Some((ErrorCode::NotController, None)));
        let asked = trio.ask(other, ClientId(1), Request::CreateTopics(CreateTopicsRequest { topics: Vec::new() }));
        assert!(trio.answers.contains_key(&asked));
    }
    let asked = trio.register(active, 1);
    trio.pass(SECOND);
    assert_eq!(trio.registered(asked).unwrap().0, ErrorCode::None);
}

#[test]
fn nothing_is_answered_before_a_majority_has_it() {
    let mut trio = Trio::new();
    let active = trio.elect();
    trio.pass(SECOND);
    trio.cut.insert(active);
    let asked = trio.register(active, 1);
    trio.pass(Duration::from_millis(400));
    assert_eq!(trio.registered(asked), None, "its record is on one disk of three");
    trio.cut.clear();
    trio.pass(SECOND);
    let (error, epoch) = trio.registered(asked).expect("by now everybody has it");
    assert_eq!(error, ErrorCode::None);
    let place = Offset(u64::try_from(epoch.unwrap().0).unwrap());
    assert!(matches!(trio.told[&place], MetadataRecord::RegisterBroker { .. }), "C38: the place of its record");
    let answered = trio.notes.iter().find_map(|(_, event)| match event {
        Event::ControllerAnswered { decided: (first, end), committed, .. } if *first == place => {
            Some((*end, *committed))
        }
        _ => None,
    });
    let (end, committed) = answered.expect("it is noted");
    assert!(end <= committed, "R73");
}

#[test]
fn what_a_deposed_controller_decided_is_refused_and_forgotten() {
    let mut trio = Trio::new();
    let old = trio.elect();
    trio.pass(SECOND);
    trio.cut.insert(old);
    let asked = trio.register(old, 1);
    let new = trio.elect();
    assert_ne!(new, old);
    let again = trio.register(new, 2);
    trio.pass(2 * SECOND);
    trio.cut.clear();
    trio.pass(5 * SECOND);
    assert_eq!(trio.registered(asked), Some((ErrorCode::NotController, None)), "C32");
    assert_eq!(trio.registered(again).unwrap().0, ErrorCode::None);
    assert!(!trio.is_active(old));
    for id in trio.controllers.keys() {
        let brokers: Vec<BrokerId> = trio.committed(*id).brokers.keys().copied().collect();
        assert_eq!(brokers, [BrokerId(2)], "{id} knows only what was committed");
    }
    assert!(
        trio.notes
            .iter()
            .any(|(id, event)| *id == old && matches!(event, Event::ControllerResigned { unanswered: 1, .. }))
    );
}

#[test]
fn a_heartbeat_that_changes_nothing_waits_behind_what_is_not_committed() {
    let mut trio = Trio::new();
    let active = trio.elect();
    let asked = trio.register(active, 1);
    trio.pass(SECOND);
    let epoch = trio.registered(asked).unwrap().1.unwrap();
    let first = trio.heartbeat(active, 1, epoch);
    trio.pass(SECOND);
    assert_eq!(trio.heard(first), Some(ErrorCode::None));
    // A moment at which nothing is under way: it is answered at once, for all it knows of others.
    trio.cut.insert(active);
    let quick = trio.heartbeat(active, 1, epoch);
    let under_way = trio.heard(quick).is_none();
    // After half a second a no-op record is (C27), and no majority has it.
    trio.pass(Duration::from_millis(700));
    let slow = trio.heartbeat(active, 1, epoch);
    assert_eq!(trio.heard(slow), None, "C35");
    trio.pass(5 * SECOND);
    assert_eq!(trio.heard(slow), Some(ErrorCode::NotController), "it has resigned: no majority has fetched");
    assert!(under_way || trio.heard(quick) == Some(ErrorCode::None));
}

#[test]
fn nobody_is_fenced_before_a_whole_session_has_passed_under_the_new_controller() {
    let mut trio = Trio::new();
    let old = trio.elect();
    let asked = trio.register(old, 1);
    trio.pass(SECOND);
    let epoch = trio.registered(asked).unwrap().1.unwrap();
    trio.heartbeat(old, 1, epoch);
    trio.pass(SECOND);
    assert!(trio.committed(old).is_active(BrokerId(1)));
    // Its last heartbeat is 8 s old when the controller dies, and its session would end in another second.
    trio.pass(6 * SECOND);
    trio.cut.insert(old);
    let new = trio.elect();
    trio.pass(7 * SECOND);
    assert!(trio.committed(new).is_active(BrokerId(1)), "C33");
    trio.pass(6 * SECOND);
    assert!(!trio.committed(new).is_active(BrokerId(1)), "and then it is");
}

#[test]
fn a_controller_that_is_far_behind_begins_with_a_snapshot() {
    let config = ControllerConfig {
        metadata_log_max_record_bytes_between_snapshots: 2_000,
        metadata_log_segment_bytes: 4_000,
        metadata_max_retention_bytes: 4_000,
        ..ControllerConfig::default()
    };
    let mut trio = Trio::of(&config);
    let active = trio.elect();
    let behind = trio.controllers.keys().copied().find(|&id| id != active).expect("there are others");
    let asked = trio.register(active, 1);
    trio.cut.insert(behind);
    trio.pass(60 * SECOND);
    assert_eq!(trio.registered(asked).unwrap().0, ErrorCode::None);
    let wrote = |event: &Event| matches!(event, Event::MetadataSnapshot { fetched: false, .. });
    assert!(trio.notes.iter().any(|(id, event)| *id == active && wrote(event)), "C25");
    trio.cut.clear();
    trio.pass(20 * SECOND);
    let fetched = |event: &Event| matches!(event, Event::MetadataSnapshot { fetched: true, .. });
    assert!(trio.notes.iter().any(|(id, event)| *id == behind && fetched(event)), "C24");
    let (of_behind, of_others) = (trio.committed(behind), trio.committed(active));
    assert!(of_behind.end.0 + 3 > of_others.end.0, "{} and {}", of_behind.end, of_others.end);
    assert_eq!(of_behind.brokers, of_others.brokers);
}
