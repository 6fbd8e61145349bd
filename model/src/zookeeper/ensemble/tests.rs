//! Sessions, watches and transactions, as clients of the ensemble see them.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::config::TopicConfig;
use crate::log::tests::disk::FakeDisk;
use crate::machine::{Chance, Effect};
use crate::metadata::ConfigResource;
use crate::names::{BrokerId, Partition};
use crate::wire::{Channel, ConnectionId, CreateMode, Operation, WatchEvent};
use crate::zookeeper::znodes::{Content, TopicConfigNode};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    ensemble: Ensemble,
    disk: FakeDisk,
    now: Time,
    closed: Vec<ConnectionId>,
    committed: Vec<MetadataRecord>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            ensemble: Ensemble::new(),
            disk: FakeDisk::default(),
            now: Time(0),
            closed: Vec::new(),
            committed: Vec::new(),
        };
        bench.step(Input::Start(Chance(0)));
        bench
    }

    fn restart(&mut self) {
        self.disk.power_off_losing_all();
        self.ensemble = Ensemble::new();
        self.step(Input::Start(Chance(1)));
    }

    fn step(&mut self, input: Input) -> Vec<(ConnectionId, ZooKeeperResponse)> {
        let mut effects = Effects::new();
        self.ensemble.step(self.now, input, &mut self.disk, &mut effects).expect("the disk is sound");
        let mut said = Vec::new();
        for effect in effects.drain() {
            match effect {
                Effect::Send(envelope) => match *envelope {
                    Envelope { connection, body: Body::Response(Response::ZooKeeper(response)), .. } => {
                        said.push((connection, response));
                    }
                    other => panic!("{other:?}"),
                },
                Effect::Close(severed) => self.closed.push(severed.connection),
                Effect::Note(Event::Committed { record, .. }) => self.committed.push(record),
                other => panic!("{other:?}"),
            }
        }
        said
    }

    fn say(&mut self, connection: u64, request: ZooKeeperRequest) -> Vec<(ConnectionId, ZooKeeperResponse)> {
        let request = Request::ZooKeeper(request);
        let mut envelope = Envelope::request(BrokerId(1), Node::Ensemble, Channel::ZooKeeper, 1, request);
        envelope.connection = ConnectionId(connection);
        self.step(Input::Receive(Box::new(envelope)))
    }

    fn connect(&mut self, connection: u64, session: Option<SessionId>) -> Option<SessionId> {
        let said = self.say(connection, ZooKeeperRequest::Connect { session, timeout: SECOND });
        match said.last().expect("an answer").1 {
            ZooKeeperResponse::Connected { session } => Some(session),
            _ => None,
        }
    }

    fn submit(&mut self, connection: u64, calls: Vec<Call>) -> Vec<Result<Answer, ZooKeeperError>> {
        match self.say(connection, ZooKeeperRequest::Submit(calls)).pop() {
            Some((_, ZooKeeperResponse::Answered(answers))) => answers,
            other => panic!("{other:?}"),
        }
    }

    fn create(&mut self, connection: u64, path: &str, mode: CreateMode) -> Result<Answer, ZooKeeperError> {
        let create = Operation::Create { path: path.to_owned(), data: Bytes::new(), mode };
        self.submit(connection, vec![Call::Multi(vec![create])]).remove(0)
    }

    fn exists(&mut self, connection: u64, path: &str, watch: bool) -> bool {
        self.submit(connection, vec![Call::Get { path: path.to_owned(), watch }])[0].is_ok()
    }

    fn wait(&mut self, span: Duration) -> Vec<(ConnectionId, ZooKeeperResponse)> {
        self.now = self.now + span;
        self.step(Input::Tick)
    }
}

fn fired(path: &str, kind: WatchKind) -> ZooKeeperResponse {
    ZooKeeperResponse::Fired(vec![WatchEvent { path: path.to_owned(), kind }])
}

#[test]
fn a_silent_session_ends_with_its_nodes_and_whoever_watches_is_told() {
    let mut bench = Bench::new();
    bench.connect(1, None).expect("a session");
    bench.connect(2, None).expect("a session");
    bench.create(1, "/brokers/ids/1", CreateMode::Ephemeral).expect("made");
    assert!(bench.exists(2, "/brokers/ids/1", true));
    bench.now = bench.now + SECOND / 2;
    bench.say(2, ZooKeeperRequest::Ping);
    let said = bench.wait(SECOND / 2);
    assert_eq!(said, [(ConnectionId(2), fired("/brokers/ids/1", WatchKind::Node))]);
    assert!(!bench.exists(2, "/brokers/ids/1", false));
    assert_eq!(bench.closed, [ConnectionId(1)]);
    let fences =
        |record: &MetadataRecord| matches!(record, MetadataRecord::BrokerRegistrationChange { fenced: Some(true), .. });
    assert_eq!(bench.committed.iter().filter(|record| fences(record)).count(), 1);
}

#[test]
fn a_session_goes_on_over_another_connection_and_the_old_one_counts_no_more() {
    let mut bench = Bench::new();
    let session = bench.connect(1, None).expect("a session");
    bench.create(1, "/controller", CreateMode::Ephemeral).expect("made");
    bench.now = bench.now + SECOND / 2;
    assert_eq!(bench.connect(2, Some(session)), Some(session));
    assert_eq!(bench.closed, [ConnectionId(1)]);
    let late = bench.say(1, ZooKeeperRequest::Close);
    assert!(late.is_empty(), "the session has moved");
    bench.wait(SECOND / 2 + SECOND / 4);
    assert!(bench.exists(2, "/controller", false), "it was heard when it connected");
    bench.wait(SECOND);
    assert_eq!(bench.connect(3, Some(session)), None, "expired");
}

#[test]
fn who_closes_its_session_is_gone_at_once() {
    let mut bench = Bench::new();
    bench.connect(1, None).expect("a session");
    bench.connect(2, None).expect("a session");
    bench.create(1, "/controller", CreateMode::Ephemeral).expect("made");
    assert_eq!(bench.create(2, "/controller", CreateMode::Ephemeral), Err(ZooKeeperError::NodeExists));
    bench.say(1, ZooKeeperRequest::Close);
    assert!(bench.create(2, "/controller", CreateMode::Ephemeral).is_ok());
}

#[test]
fn whatever_was_answered_is_there_after_a_power_cut_and_sessions_have_their_time_again() {
    let mut bench = Bench::new();
    let session = bench.connect(1, None).expect("a session");
    bench.create(1, "/brokers/ids/1", CreateMode::Ephemeral).expect("made");
    let told = bench.committed.clone();
    bench.now = bench.now + SECOND * 5;
    bench.restart();
    assert_eq!(bench.committed[told.len()..], told, "the last step is told once more");
    assert_eq!(bench.connect(2, Some(session)), Some(session));
    assert!(bench.exists(2, "/brokers/ids/1", false));
    assert_eq!(bench.connect(3, None), Some(SessionId(session.0 + 1)), "no session has the name of another");
}

#[test]
fn a_failed_transaction_is_none() {
    let mut bench = Bench::new();
    bench.connect(1, None).expect("a session");
    let set = |version| Operation::SetData {
        path: CONTROLLER_EPOCH.to_owned(),
        data: Bytes::from_static(b"1"),
        version: Some(version),
    };
    let create = Operation::Create { path: "/controller".to_owned(), data: Bytes::new(), mode: CreateMode::Ephemeral };
    let answers = bench.submit(1, vec![Call::Multi(vec![create.clone(), set(3)]), Call::Multi(vec![create, set(0)])]);
    assert_eq!(answers[0], Err(ZooKeeperError::BadVersion));
    assert!(answers[1].is_ok());
    assert_eq!(bench.committed.len(), 1);
}

/// What is written about a topic is told as a metadata log would tell it; what befalls one that is to be deleted is not.
#[test]
fn a_topics_replicas_properties_and_end_are_told_as_records() {
    let mut bench = Bench::new();
    bench.connect(1, None).expect("a session");
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let create = |path: &str, data: &str| Operation::Create {
        path: path.to_owned(),
        data: bytes(data),
        mode: CreateMode::Persistent,
    };
    let set = |path: &str, data: &str| Operation::SetData { path: path.to_owned(), data: bytes(data), version: None };
    let config = |minimum: u32| {
        let config = TopicConfig { min_insync_replicas: Some(minimum), ..TopicConfig::default() };
        String::from_utf8(TopicConfigNode { config }.encode().to_vec()).expect("JSON is text")
    };
    let (topic, state) = ("/brokers/topics/t", "/brokers/topics/t/partitions/0/state");
    let moving = r#"{"partitions":{"0":[2,1]},"adding_replicas":{"0":[2]},"removing_replicas":{"0":[1]}}"#;
    let operations = [
        create("/config/topics/t", &config(1)),
        create(topic, r#"{"partitions":{"0":[1]}}"#),
        create("/brokers/topics/t/partitions", ""),
        create("/brokers/topics/t/partitions/0", ""),
        create(state, r#"{"controller_epoch":1,"leader":1,"leader_epoch":0,"isr":[1]}"#),
        set(topic, moving),
        set("/config/topics/t", &config(2)),
        create("/config/brokers/<default>", r#"{"config":{"min.insync.replicas":"3"}}"#),
        create("/admin/delete_topics/t", ""),
        set(state, r#"{"controller_epoch":1,"leader":-1,"leader_epoch":1,"isr":[1]}"#),
        set(topic, r#"{"partitions":{"0":[2]}}"#),
        set("/config/topics/t", &config(1)),
    ];
    let answers = bench.submit(1, operations.into_iter().map(|operation| Call::Multi(vec![operation])).collect());
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let MetadataRecord::Topic { id, .. } = bench.committed[0] else { panic!("{:?}", bench.committed) };
    assert!(matches!(bench.committed[1], MetadataRecord::Partition(_)));
    let partition = Partition { topic: id, index: 0 };
    let told = |resource, value: &str| MetadataRecord::Config {
        resource,
        name: "min.insync.replicas".to_owned(),
        value: Some(value.to_owned()),
    };
    let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let (replicas, adding, removing) = (ids(&[2, 1]), ids(&[2]), ids(&[1]));
    let expected = [
        MetadataRecord::Assignment { partition, replicas, adding, removing },
        told(ConfigResource::Topic(id), "2"),
        told(ConfigResource::Cluster, "3"),
        MetadataRecord::RemoveTopic { id },
    ];
    assert_eq!(bench.committed[2..], expected);
}
