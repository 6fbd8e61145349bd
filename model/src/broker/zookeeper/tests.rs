//! Three brokers and the ensemble, over wires without delay: who registers, who controls, who is obeyed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::event::Event;
use crate::log::tests::disk::FakeDisk;
use crate::machine::{Chance, Effect, Effects, Input, Machine, Severed};
use crate::metadata::{MetadataRecord, PartitionChange};
use crate::names::{BrokerEpoch, BrokerId, ClientId, ControllerEpoch, LeaderEpoch, Node, Time};
use crate::protocol::Protocol;
use crate::wire::{
    AdminRequest, AlteredResource, Body, Channel, ConnectionId, CreateTopicsRequest, Envelope, ErrorCode,
    LeaderAndIsrRequest, LeadershipTold, NewTopic, Request, Response, Sender, Told,
};
use crate::zookeeper::Ensemble;
use crate::zookeeper::assignment::Assignment;

const CLIENT: Node = Node::Client(ClientId(1));
const SECOND: Duration = Duration::from_secs(1);

/// Everybody, and everything that was said.
struct Bench {
    now: Time,
    ensemble: (Ensemble, FakeDisk),
    brokers: BTreeMap<BrokerId, (Broker, FakeDisk)>,
    wire: VecDeque<Envelope>,
    /// Who does not hear the ensemble, nor is heard by it.
    cut: BTreeSet<BrokerId>,
    /// How often the connection over this channel, by its client and server, was opened anew.
    reopened: BTreeMap<(Node, Node, Channel), u64>,
    notes: Vec<(Node, Event)>,
    answers: Vec<Response>,
    asked: u64,
}

impl Bench {
    /// Brokers 1 to 3 are registered.
    fn new() -> Self {
        let config = BrokerConfig { zookeeper_session_timeout: 6 * SECOND, ..BrokerConfig::default() };
        let broker = |id| Broker::with_zookeeper(BrokerId(id), config.clone(), Protocol::ZOOKEEPER);
        let mut bench = Self {
            now: Time(3_600_000_000_000),
            ensemble: (Ensemble::new(), FakeDisk::default()),
            brokers: (1..=3).map(|id| (BrokerId(id), (broker(id), FakeDisk::default()))).collect(),
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            reopened: BTreeMap::new(),
            notes: Vec::new(),
            answers: Vec::new(),
            asked: 0,
        };
        bench.step(Node::Ensemble, Input::Start(Chance(0)));
        for id in 1..=3 {
            bench.step(Node::Broker(BrokerId(id)), Input::Start(Chance(id.into())));
            bench.run();
        }
        bench
    }

    fn step(&mut self, node: Node, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut effects = Effects::new();
            let (machine, disk): (&mut dyn Machine, _) = match node {
                Node::Ensemble => (&mut self.ensemble.0, &mut self.ensemble.1),
                Node::Broker(id) => {
                    let (broker, disk) = self.brokers.get_mut(&id).expect("there is such a broker");
                    (broker, disk)
                }
                other => panic!("{other} is no machine"),
            };
            machine.step(self.now, input, disk, &mut effects).expect("disks are sound");
            for effect in effects.drain() {
                match effect {
                    Effect::Send(envelope) => self.wire.push_back(*envelope),
                    Effect::Close(Severed { peer, channel, .. }) => {
                        *self.reopened.entry((node, peer, channel)).or_default() += 1;
                    }
                    Effect::Later(task) => inputs.push_back(Input::Later(task)),
                    Effect::Note(event) => self.notes.push((node, event)),
                    Effect::Exit => {}
                }
            }
        }
    }

    /// Delivers all that is on the wire, and what follows.
    fn run(&mut self) {
        while let Some(mut envelope) = self.wire.pop_front() {
            let lost = |node: Node| node.broker().is_some_and(|id| self.cut.contains(&id));
            let with_ensemble = envelope.from == Node::Ensemble || envelope.to == Node::Ensemble;
            if with_ensemble && (lost(envelope.from) || lost(envelope.to)) {
                continue;
            }
            if matches!(envelope.body, Body::Request(_)) {
                envelope.connection = self.connection(envelope.from, envelope.to, envelope.channel);
            }
            match (envelope.to, envelope.body) {
                (Node::Client(_), Body::Response(response)) => self.answers.push(response),
                (to, body) => self.step(to, Input::Receive(Box::new(Envelope { body, ..envelope }))),
            }
        }
    }

    fn connection(&self, client: Node, server: Node, channel: Channel) -> ConnectionId {
        let number = |node: Node| match node {
            Node::Ensemble => 0,
            Node::Broker(id) => u64::from(id.0),
            _ => 9,
        };
        let generation = self.reopened.get(&(client, server, channel)).copied().unwrap_or_default();
        ConnectionId(1 + number(client) + 10 * number(server) + 100 * channel as u64 + 10_000 * generation)
    }

    /// Time passes, in small steps.
    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.now = self.now + Duration::from_millis(100);
            let nodes: Vec<Node> = self.brokers.keys().copied().map(Node::from).chain([Node::Ensemble]).collect();
            for node in nodes {
                self.step(node, Input::Tick);
                self.run();
            }
        }
    }

    fn ask(&mut self, to: BrokerId, channel: Channel, request: Request) -> Response {
        self.asked += 1;
        self.wire.push_back(Envelope::request(CLIENT, to, channel, self.asked, request));
        self.run();
        self.answers.pop().expect("an answer")
    }

    fn controller(&self) -> BrokerId {
        let led = self.notes.iter().rev().find(|(_, event)| matches!(event, Event::ControllerLed { .. }));
        led.and_then(|(node, _)| node.broker()).expect("somebody controls")
    }

    fn create_topic(&mut self, to: BrokerId) -> Result<(), ErrorCode> {
        let topic = NewTopic { name: "t".to_owned(), partitions: 3, replication_factor: 3, config: Vec::new() };
        let request = Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] });
        match self.ask(to, Channel::Client, request) {
            Response::CreateTopics(answer) => match &answer.topics[0].result {
                Ok(_) => Ok(()),
                Err((error, _)) => Err(*error),
            },
            other => panic!("{other:?}"),
        }
    }

    fn administer(&mut self, to: BrokerId, request: AdminRequest) -> ErrorCode {
        match self.ask(to, Channel::Client, Request::Administer(request)) {
            Response::Administer(answer) => answer.error,
            other => panic!("{other:?}"),
        }
    }

    /// How many replicas each broker has.
    fn replicas(&self) -> Vec<usize> {
        self.brokers.values().map(|(broker, _)| broker.replicas().count()).collect()
    }

    /// What was decided about partitions since, in order.
    fn changes(&self, since: usize) -> Vec<PartitionChange> {
        let change = |(_, event): &(Node, Event)| match event {
            Event::Committed { record: MetadataRecord::PartitionChange(change), .. } => Some(change.clone()),
            _ => None,
        };
        self.notes[since..].iter().filter_map(change).collect()
    }

    fn epochs(&self, broker: BrokerId) -> Vec<BrokerEpoch> {
        let epoch = |(node, event): &(Node, Event)| match event {
            Event::Registered { epoch } if *node == broker.into() => Some(*epoch),
            _ => None,
        };
        self.notes.iter().filter_map(epoch).collect()
    }

    fn leaders(&self) -> BTreeMap<BrokerId, usize> {
        let mut leaders = BTreeMap::new();
        for (id, (broker, _)) in &self.brokers {
            leaders.insert(*id, broker.replicas().filter(|replica| replica.leads()).count());
        }
        leaders
    }
}

#[test]
fn one_broker_controls_and_a_topic_is_led_by_all() {
    let mut bench = Bench::new();
    let controllers = bench.notes.iter().filter(|(_, event)| matches!(event, Event::ControllerLed { .. })).count();
    assert_eq!((controllers, bench.controller()), (1, BrokerId(1)), "the first to ask");
    assert_eq!(bench.create_topic(BrokerId(2)), Err(ErrorCode::NotController));
    assert_eq!(bench.create_topic(BrokerId(1)), Ok(()));
    assert_eq!(bench.leaders().into_values().collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(bench.create_topic(BrokerId(1)), Err(ErrorCode::TopicAlreadyExists));
}

#[test]
fn who_does_not_hear_the_ensemble_is_succeeded_and_registers_anew() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    let since = bench.notes.len();
    bench.cut.insert(BrokerId(3));
    bench.wait(8 * SECOND);
    let changes = bench.changes(since);
    assert_eq!(changes.len(), 3, "it led one partition and was in sync in all");
    assert!(changes.iter().all(|change| change.isr.as_ref().is_some_and(|isr| !isr.contains(&BrokerId(3)))), "C72");
    assert!(changes.iter().all(|change| change.leader.is_some()), "C65: each raises the leader epoch");
    assert_eq!(bench.leaders()[&BrokerId(3)], 1, "C75: nobody speaks to who is gone, so it leads on");
    assert_eq!(bench.epochs(BrokerId(3)).len(), 1, "it has not learned of the end of its session");
    bench.cut.clear();
    bench.wait(2 * SECOND);
    let epochs = bench.epochs(BrokerId(3));
    assert!(epochs.len() == 2 && epochs[0] < epochs[1], "{epochs:?}");
    assert_eq!(bench.leaders()[&BrokerId(3)], 0, "and was told what has become of it");
}

#[test]
fn the_next_controller_has_a_higher_epoch_and_the_one_before_is_not_obeyed() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    bench.cut.insert(BrokerId(1));
    bench.wait(8 * SECOND);
    assert_ne!(bench.controller(), BrokerId(1));
    let resigned =
        |bench: &Bench| bench.notes.iter().any(|(_, event)| matches!(event, Event::ControllerResigned { .. }));
    assert!(!resigned(&bench), "C75: it believes that it still controls");
    let (broker, _) = &bench.brokers[&BrokerId(2)];
    let replica = broker.replicas().next().expect("it has replicas");
    let (partition, known) = (replica.partition, replica.leader_epoch.expect("told"));
    let state = crate::zookeeper::znodes::StateNode { controller_epoch: 1, leader: 2, leader_epoch: 9, isr: vec![2] }
        .registration(partition, Assignment { replicas: (1..=3).map(BrokerId).collect(), ..Assignment::default() }, 9);
    let own = *bench.epochs(BrokerId(2)).last().expect("registered");
    let mut tell = |epoch: i32, to: BrokerEpoch, leader_epoch: LeaderEpoch| {
        let sender = Sender { controller: BrokerId(1), epoch: ControllerEpoch(epoch), to };
        let mut state = state.clone();
        state.leader_epoch = leader_epoch;
        let partitions = vec![LeadershipTold { state, controller_epoch: ControllerEpoch(epoch) }];
        let request = LeaderAndIsrRequest { sender, topics: Vec::new(), partitions };
        match bench.ask(BrokerId(2), Channel::Control, Request::LeaderAndIsr(request)) {
            Response::LeaderAndIsr(Told { error }) => error,
            other => panic!("{other:?}"),
        }
    };
    let news = LeaderEpoch(known.0 + 1);
    assert_eq!(tell(1, own, news), ErrorCode::StaleControllerEpoch, "C63");
    assert_eq!(tell(2, BrokerEpoch(own.0 - 1), news), ErrorCode::StaleBrokerEpoch, "KIP-380");
    assert_eq!(tell(2, own, known), ErrorCode::None, "passed over: no news (C65)");
    let epoch = |bench: &Bench| {
        let (broker, _) = &bench.brokers[&BrokerId(2)];
        broker.replicas().find(|replica| replica.partition == partition).and_then(|replica| replica.leader_epoch)
    };
    assert_eq!(epoch(&bench), Some(known));
    bench.cut.clear();
    bench.wait(2 * SECOND);
    assert!(resigned(&bench), "C62: now it knows");
}

#[test]
fn whoever_is_told_to_stop_hands_over_and_is_gone_at_once() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    let since = bench.notes.len();
    bench.step(Node::Broker(BrokerId(2)), Input::Terminate);
    bench.run();
    assert!(bench.notes.contains(&(Node::Broker(BrokerId(2)), Event::ShutDown)), "C73");
    let changes = bench.changes(since);
    assert!(changes.iter().all(|change| change.isr.as_ref().is_some_and(|isr| !isr.contains(&BrokerId(2)))));
    let gone = |event: &Event| {
        matches!(
            event,
            Event::Committed {
                record: MetadataRecord::BrokerRegistrationChange { broker: BrokerId(2), fenced: Some(true), .. },
                ..
            }
        )
    };
    assert!(bench.notes.iter().any(|(_, event)| gone(event)), "its session was closed");
}

#[test]
fn the_name_of_a_topic_is_free_when_its_last_replica_is_gone() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    bench.cut.insert(BrokerId(3));
    bench.wait(8 * SECOND);
    let delete = || AdminRequest::DeleteTopic { name: "t".to_owned() };
    assert_eq!(bench.administer(BrokerId(2), delete()), ErrorCode::NotController);
    assert_eq!(bench.administer(BrokerId(1), delete()), ErrorCode::None);
    assert_eq!(bench.replicas(), [0, 0, 3], "C74: nobody speaks to who is gone");
    assert_eq!(bench.create_topic(BrokerId(1)), Err(ErrorCode::TopicAlreadyExists));
    bench.cut.clear();
    bench.wait(2 * SECOND);
    assert_eq!(bench.replicas(), [0, 0, 0]);
    assert_eq!(bench.administer(BrokerId(1), delete()), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(bench.create_topic(BrokerId(1)), Ok(()));
    assert_eq!(bench.replicas(), [3, 3, 3]);
}

#[test]
fn what_an_operator_asks_for_is_judged_first() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    let topic = || "t".to_owned();
    let elect = |partition| AdminRequest::ElectLeaders { topic: topic(), partition, unclean: false };
    let set = |name: &str, value: &str| AdminRequest::IncrementalAlterConfigs {
        resource: AlteredResource::Topic(topic()),
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let reassign = |replicas| AdminRequest::AlterPartitionReassignments { topic: topic(), partition: 0, replicas };
    let asked = [
        (elect(0), ErrorCode::ElectionNotNeeded),
        (elect(7), ErrorCode::UnknownTopicOrPartition),
        (set("replication.factor", "2"), ErrorCode::InvalidConfig),
        (set("min.insync.replicas", "none"), ErrorCode::InvalidConfig),
        (set("min.insync.replicas", "2"), ErrorCode::None),
        (reassign(None), ErrorCode::NoReassignmentInProgress),
        (reassign(Some(vec![BrokerId(4)])), ErrorCode::InvalidReplicaAssignment),
        (AdminRequest::CreatePartitions { name: topic(), partitions: 3 }, ErrorCode::InvalidPartitions),
        (AdminRequest::CreatePartitions { name: topic(), partitions: 5 }, ErrorCode::None),
        (AdminRequest::UnregisterBroker { broker: BrokerId(1) }, ErrorCode::UnsupportedVersion),
    ];
    for (request, error) in asked {
        assert_eq!(bench.administer(BrokerId(1), request.clone()), error, "{request:?}");
    }
    assert_eq!(bench.replicas(), [5, 5, 5]);
}

#[test]
fn fewer_replicas_are_left_at_once_and_the_leader_among_them() {
    let mut bench = Bench::new();
    bench.create_topic(BrokerId(1)).expect("created");
    for partition in 0..3 {
        let replicas = Some(vec![BrokerId(2)]);
        let request = AdminRequest::AlterPartitionReassignments { topic: "t".to_owned(), partition, replicas };
        assert_eq!(bench.administer(BrokerId(1), request), ErrorCode::None);
    }
    assert_eq!(bench.replicas(), [0, 3, 0]);
    assert_eq!(bench.leaders()[&BrokerId(2)], 3);
}
