//! What an admin client guarantees.

use std::time::Duration;

use crate::client::Admin;
use crate::client::stage::{CLIENT, Stage, TOPIC, metadata, partition};
use crate::event::Event;
use crate::machine::Command;
use crate::names::{BrokerId, ControllerId, Node, TopicId};
use crate::wire::{Body, CreateTopicsResponse, CreatedTopic, Envelope, ErrorCode, Request, Response};

const CONTROLLER: Node = Node::Controller(ControllerId(100));

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn admin() -> Stage<Admin> {
    Stage::new(Admin::new(CLIENT, vec![ControllerId(100)], vec![BrokerId(1), BrokerId(2)], ms(60_000)))
}

fn create(stage: &mut Stage<Admin>) -> Envelope {
    stage.submit(Command::CreateTopic {
        name: "t".to_owned(),
        partitions: 2,
        replication_factor: 3,
        config: Vec::new(),
    });
    let (envelope, request) = stage.only_request();
    assert_eq!(envelope.to, CONTROLLER);
    let Request::CreateTopics(created) = request else { panic!("{request:?}") };
    assert_eq!((created.topics[0].partitions, created.topics[0].replication_factor), (2, 3));
    envelope
}

fn answer(stage: &mut Stage<Admin>, request: &Envelope, result: Result<TopicId, ErrorCode>) {
    let result = result.map_err(|error| (error, "because".to_owned()));
    let topics = vec![CreatedTopic { name: "t".to_owned(), result }];
    stage.answer(request, Response::CreateTopics(CreateTopicsResponse { topics }));
}

fn created() -> Event {
    Event::TopicCreated { name: "t".to_owned(), partitions: vec![partition(0), partition(1)] }
}

fn refused(error: ErrorCode, message: &str) -> Event {
    Event::TopicRefused { name: "t".to_owned(), error, message: message.to_owned() }
}

#[test]
fn a_topic_counts_as_created_when_a_broker_shows_a_leader_for_every_partition() {
    let mut stage = admin();
    let request = create(&mut stage);
    answer(&mut stage, &request, Ok(TOPIC));
    let mut ignorant = metadata("t", &[]);
    ignorant.topics[0].error = ErrorCode::UnknownTopicOrPartition;
    ignorant.topics[0].id = None;
    stage.tell(ignorant);
    stage.pass(ms(130));
    stage.tell(metadata("t", &[Some((1, 0)), None]));
    stage.pass(ms(260));
    assert_eq!(stage.notes(), []);
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 0))]));
    assert_eq!(stage.notes(), [created()]);
    stage.pass(ms(120_000));
    assert_eq!((stage.notes(), stage.sent()), (vec![], vec![]));
}

#[test]
fn brokers_that_are_still_registering_are_waited_for_up_to_the_timeout() {
    let mut stage = admin();
    let mut request = create(&mut stage);
    for _ in 0..5 {
        answer(&mut stage, &request, Err(ErrorCode::InvalidReplicationFactor));
        stage.pass(ms(1_200));
        request = stage.only_request().0;
    }
    assert_eq!(stage.notes(), []);
    answer(&mut stage, &request, Err(ErrorCode::InvalidReplicationFactor));
    stage.pass(ms(1_200));
    stage.sent();
    stage.pass(ms(60_000));
    assert_eq!(stage.notes().len(), 1);

    let mut stage = admin();
    let request = create(&mut stage);
    answer(&mut stage, &request, Err(ErrorCode::NotController));
    stage.pass(ms(121));
    let request = stage.only_request().0;
    answer(&mut stage, &request, Ok(TOPIC));
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 0))]));
    assert_eq!(stage.notes(), [created()]);
}

#[test]
fn a_refusal_for_good_is_told_at_once_with_its_reason() {
    for error in [ErrorCode::TopicAlreadyExists, ErrorCode::InvalidPartitions, ErrorCode::InvalidConfig] {
        let mut stage = admin();
        let request = create(&mut stage);
        answer(&mut stage, &request, Err(error));
        assert_eq!(stage.notes(), [refused(error, "because")]);
    }
}

#[test]
fn a_topic_that_exists_after_a_lost_answer_was_created_by_that_attempt() {
    let mut stage = admin();
    create(&mut stage);
    stage.sever(CONTROLLER);
    stage.pass(ms(200));
    let request = stage.only_request().0;
    answer(&mut stage, &request, Err(ErrorCode::TopicAlreadyExists));
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 0))]));
    assert_eq!(stage.notes(), [created()]);
}

#[test]
fn a_call_that_nobody_answers_ends_with_the_timeout() {
    let mut stage = admin();
    create(&mut stage);
    stage.pass(ms(59_999));
    assert_eq!(stage.notes(), []);
    stage.pass(ms(1));
    assert!(matches!(&stage.notes()[..], [Event::TopicRefused { error: ErrorCode::RequestTimedOut, .. }]));
}

#[test]
fn a_broker_that_does_not_answer_is_left_for_another() {
    let mut stage = admin();
    let request = create(&mut stage);
    answer(&mut stage, &request, Ok(TOPIC));
    let (first, _) = stage.only_request();
    let Node::Broker(silent) = first.to else { panic!() };
    stage.sever(silent);
    stage.pass(ms(121));
    let sent = stage.sent();
    assert_eq!(sent.len(), 1);
    assert!(matches!(sent[0].body, Body::Request(Request::Metadata(_))));
}

#[test]
fn a_topic_is_described_by_leader_and_isr_of_each_partition() {
    let mut stage = admin();
    stage.submit(Command::DescribeTopic { name: "t".to_owned() });
    stage.tell(metadata("t", &[Some((1, 0)), None]));
    let isr = vec![BrokerId(1), BrokerId(2)];
    let partitions = vec![(partition(0), Some(BrokerId(1)), isr.clone()), (partition(1), None, isr)];
    assert_eq!(stage.notes(), [Event::TopicDescribed { name: "t".to_owned(), partitions }]);
}

#[test]
fn a_topic_that_no_broker_knows_in_time_is_described_as_having_no_partitions() {
    let mut stage = admin();
    stage.submit(Command::DescribeTopic { name: "u".to_owned() });
    stage.tell(metadata("t", &[Some((1, 0))]));
    stage.pass(ms(60_000));
    assert_eq!(stage.notes(), [Event::TopicDescribed { name: "u".to_owned(), partitions: Vec::new() }]);
}

#[test]
fn calls_do_not_wait_for_each_other() {
    let mut stage = admin();
    let request = create(&mut stage);
    stage.submit(Command::DescribeTopic { name: "t".to_owned() });
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 0))]));
    assert!(matches!(&stage.notes()[..], [Event::TopicDescribed { .. }]));
    answer(&mut stage, &request, Ok(TOPIC));
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 0))]));
    assert_eq!(stage.notes(), [created()]);
}
