//! What a producer guarantees, rule by rule.

use std::time::Duration;

use bytes::Bytes;

use crate::client::Producer;
use crate::client::stage::{CLIENT, Stage, metadata, partition};
use crate::config::{Acks, ProducerConfig};
use crate::event::{Event, Value};
use crate::log::Batch;
use crate::machine::{Command, Input};
use crate::names::{BrokerId, LeaderEpoch, Offset};
use crate::protocol::{Muting, Protocol, Resending};
use crate::wire::{
    Body, Envelope, ErrorCode, ProducePartitionResponse, ProduceRequest, ProduceResponse, Request, Response,
};

const B1: BrokerId = BrokerId(1);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A producer that knows topic "t" with these leaders.
fn producer_of(config: ProducerConfig, protocol: Protocol, leaders: &[Option<(u32, i32)>]) -> Stage<Producer> {
    let mut stage = Stage::new(Producer::new(CLIENT, vec![B1], config, protocol));
    send(&mut stage, None, 0);
    stage.submit(Command::Flush);
    stage.tell(metadata("t", leaders));
    for envelope in stage.sent() {
        answer(&mut stage, &envelope, ErrorCode::None);
    }
    stage.notes();
    stage
}

fn producer(config: ProducerConfig) -> Stage<Producer> {
    producer_of(config, Protocol::LATEST, &[Some((1, 5))])
}

fn send(stage: &mut Stage<Producer>, key: Option<&'static [u8]>, value: u64) {
    let value = Bytes::copy_from_slice(&value.to_be_bytes());
    stage.submit(Command::Send { topic: "t".to_owned(), key: key.map(Bytes::from_static), value });
}

/// Sends and flushes, so that the record leaves as a batch of its own.
fn send_alone(stage: &mut Stage<Producer>, value: u64) {
    send(stage, None, value);
    stage.submit(Command::Flush);
}

fn produce(envelope: &Envelope) -> &ProduceRequest {
    match &envelope.body {
        Body::Request(Request::Produce(produce)) => produce,
        other => panic!("{other:?}"),
    }
}

/// The values in a produce request, by partition.
fn values(envelope: &Envelope) -> Vec<(u32, Vec<u64>)> {
    let values = |records: &Bytes| {
        let batch = Batch::split_first(&mut records.clone()).unwrap().unwrap();
        batch.records().map(|record| Value::of(&record.unwrap().value.unwrap()).0).collect()
    };
    produce(envelope).partitions.iter().map(|part| (part.partition.index, values(&part.records))).collect()
}

fn answer(stage: &mut Stage<Producer>, request: &Envelope, error: ErrorCode) {
    answer_with(stage, request, error, None);
}

fn answer_with(stage: &mut Stage<Producer>, request: &Envelope, error: ErrorCode, leader: Option<(BrokerId, LeaderEpoch)>) {
    let one = |part: &crate::wire::ProducePartition| ProducePartitionResponse {
        partition: part.partition,
        error,
        base_offset: (error == ErrorCode::None).then_some(Offset(40)),
        current_leader: leader,
    };
    let partitions = produce(request).partitions.iter().map(one).collect();
    stage.answer(request, Response::Produce(ProduceResponse { partitions }));
}

/// The one produce request since the last look.
fn only_produce(stage: &mut Stage<Producer>) -> Envelope {
    let mut sent = produces(stage);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

fn produces(stage: &mut Stage<Producer>) -> Vec<Envelope> {
    let mut sent = stage.sent();
    sent.retain(|envelope| matches!(envelope.body, Body::Request(Request::Produce(_))));
    sent
}

/// How records ended: values, error if they failed, and whether that is definite.
fn ends(stage: &mut Stage<Producer>) -> Vec<(Vec<u64>, Option<(ErrorCode, bool)>)> {
    let plain = |values: Vec<Value>| values.into_iter().map(|value| value.0).collect();
    let end = |event| match event {
        Event::Acked { values, .. } => Some((plain(values), None)),
        Event::SendFailed { values, error, definite, .. } => Some((plain(values), Some((error, definite)))),
        _ => None,
    };
    stage.notes().into_iter().filter_map(end).collect()
}

#[test]
fn a_record_of_an_unknown_topic_waits_for_metadata_and_all_later_ones_behind_it() {
    let mut stage = Stage::new(Producer::new(CLIENT, vec![B1], ProducerConfig::default(), Protocol::LATEST));
    send(&mut stage, Some(b"foobar"), 1);
    send(&mut stage, Some(b"foobar"), 2);
    let called = stage.notes();
    assert!(called.iter().all(|event| matches!(event, Event::SendCalled { partition: None, key: Some(_), .. })));
    stage.tell(metadata("t", &[Some((1, 5)), Some((1, 5)), Some((1, 5)), Some((1, 5))]));
    send(&mut stage, Some(b"foobar"), 3);
    let expected = u32::try_from((-790_332_482_i32 & 0x7fff_ffff) % 4).unwrap();
    match &stage.notes()[..] {
        [Event::SendCalled { partition: Some(chosen), value, .. }] => {
            assert_eq!((chosen.index, *value), (expected, Value(3)));
        }
        other => panic!("{other:?}"),
    }
    stage.pass(ms(5));
    assert_eq!(values(&only_produce(&mut stage)), [(expected, vec![1, 2, 3])]);
}

#[test]
fn a_record_whose_topic_stays_unknown_fails_for_certain_after_max_block() {
    let mut stage = Stage::new(Producer::new(CLIENT, vec![B1], ProducerConfig::default(), Protocol::LATEST));
    send(&mut stage, None, 1);
    let mut ignorant = metadata("t", &[]);
    ignorant.topics[0].error = ErrorCode::UnknownTopicOrPartition;
    ignorant.topics[0].id = None;
    stage.tell(ignorant);
    stage.pass(ms(59_999));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, true)))]);
}

#[test]
fn a_topic_name_that_is_not_allowed_fails_at_once() {
    let mut stage = Stage::new(Producer::new(CLIENT, vec![B1], ProducerConfig::default(), Protocol::LATEST));
    send(&mut stage, None, 1);
    let mut invalid = metadata("t", &[]);
    invalid.topics[0].error = ErrorCode::InvalidTopicException;
    invalid.topics[0].id = None;
    stage.tell(invalid);
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::InvalidTopicException, true)))]);
}

#[test]
fn an_acknowledged_batch_is_noted_once_with_the_checksum_that_the_broker_stored() {
    let mut stage = producer(ProducerConfig::default());
    send(&mut stage, None, 1);
    send(&mut stage, None, 2);
    stage.pass(ms(5));
    let request = only_produce(&mut stage);
    let stored = Batch::split_first(&mut produce(&request).partitions[0].records.clone()).unwrap().unwrap();
    stage.notes();
    answer(&mut stage, &request, ErrorCode::None);
    let acked = Event::Acked {
        partition: partition(0),
        base: Some(Offset(40)),
        crc: stored.stamp(Offset(40), LeaderEpoch(5)).crc(),
        values: vec![Value(1), Value(2)],
        acks: Acks::All,
    };
    assert_eq!(stage.notes(), [acked]);
    answer(&mut stage, &request, ErrorCode::None);
    stage.pass(ms(200_000));
    assert_eq!(ends(&mut stage), []);
}

#[test]
fn one_request_to_a_broker_carries_the_first_batch_of_each_of_its_partitions() {
    let mut stage = producer_of(
        ProducerConfig { batch_size: 16, ..ProducerConfig::default() },
        Protocol::LATEST,
        &[Some((1, 5)), Some((2, 5)), Some((1, 5)), Some((1, 5))],
    );
    for value in 1..=24 {
        send(&mut stage, None, value);
    }
    stage.pass(ms(5));
    let sent = produces(&mut stage);
    for request in &sent {
        let mut partitions: Vec<_> = values(request).into_iter().map(|(index, _)| index).collect();
        partitions.sort_unstable();
        let count = partitions.len();
        partitions.dedup();
        assert_eq!(partitions.len(), count, "two batches of one partition in one request");
        assert!(partitions.iter().all(|&index| (index == 1) == (request.to == BrokerId(2).into())));
    }
}

#[test]
fn a_request_is_no_larger_than_max_request_size_but_always_carries_one_batch() {
    let mut config = ProducerConfig { max_request_size: 100, linger: ms(50), ..ProducerConfig::default() };
    config.max_in_flight_requests_per_connection = 100;
    let leaders = [Some((1, 5)); 8];
    let mut stage = producer_of(config, Protocol::LATEST, &leaders);
    for key in [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"] {
        send(&mut stage, Some(key), 1);
    }
    assert_eq!(produces(&mut stage), []);
    stage.pass(ms(50));
    let sent = produces(&mut stage);
    assert!(sent.len() > 2);
    assert!(sent.iter().all(|request| produce(request).partitions.len() == 1), "two do not fit");
}

#[test]
fn without_acks_what_was_sent_is_done_at_once_and_without_an_offset() {
    let mut stage = producer(ProducerConfig { acks: Acks::None, ..ProducerConfig::default() });
    send_alone(&mut stage, 1);
    assert_eq!(produce(&only_produce(&mut stage)).acks, Acks::None);
    assert!(matches!(&stage.notes()[..], [.., Event::Acked { base: None, acks: Acks::None, .. }]));
    stage.sever(B1);
    stage.pass(ms(200_000));
    assert_eq!(ends(&mut stage), [], "whatever becomes of it");
}

#[test]
fn without_acks_a_send_that_waits_for_memory_goes_on_as_soon_as_the_batch_before_it_left() {
    let config = ProducerConfig { acks: Acks::None, batch_size: 100, buffer_memory: 100, ..ProducerConfig::default() };
    let mut stage = producer(config);
    for value in 1..=20 {
        send(&mut stage, None, value);
    }
    stage.pass(ms(5));
    let acked: Vec<u64> = ends(&mut stage).into_iter().flat_map(|(values, _)| values).collect();
    assert_eq!(acked, (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_retriable_error_sends_the_same_bytes_again_after_a_backoff() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let first = only_produce(&mut stage);
    answer(&mut stage, &first, ErrorCode::NotEnoughReplicas);
    stage.pass(ms(79));
    assert_eq!(produces(&mut stage), []);
    stage.pass(ms(42));
    let second = only_produce(&mut stage);
    assert_eq!(produce(&first), produce(&second));
    assert_ne!(first.correlation, second.correlation);
    let attempts: Vec<u32> = stage
        .notes()
        .into_iter()
        .filter_map(|event| if let Event::BatchSent { attempt, .. } = event { Some(attempt) } else { None })
        .collect();
    assert_eq!(attempts, [1, 2]);
}

#[test]
fn a_failure_is_definite_only_if_no_attempt_can_have_appended_anything() {
    use ErrorCode::{NotEnoughReplicas, NotLeaderOrFollower, RequestTimedOut};
    for (first, last, definite) in [
        (NotEnoughReplicas, NotEnoughReplicas, true),
        (NotEnoughReplicas, RequestTimedOut, false),
        (RequestTimedOut, NotEnoughReplicas, false),
        (NotLeaderOrFollower, NotEnoughReplicas, false),
    ] {
        let mut stage = producer(ProducerConfig { retries: 1, ..ProducerConfig::default() });
        send_alone(&mut stage, 1);
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, first);
        assert_eq!(ends(&mut stage), []);
        stage.pass(ms(121));
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, last);
        assert_eq!(ends(&mut stage), [(vec![1], Some((last, definite)))], "{first} then {last}");
    }
}

#[test]
fn a_batch_lost_with_its_connection_may_have_been_appended() {
    let mut stage = producer(ProducerConfig { retries: 0, ..ProducerConfig::default() });
    send_alone(&mut stage, 1);
    stage.sever(B1);
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::NetworkException, false)))]);
}

#[test]
fn an_error_that_is_not_retriable_ends_it() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    answer(&mut stage, &request, ErrorCode::InvalidRecord);
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::InvalidRecord, true)))]);
}

#[test]
fn without_retries_a_batch_is_sent_once_unless_the_bug_is_planted() {
    for (resending, attempts) in [(Resending::AsConfigured, 0), (Resending::BeyondRetries, 1)] {
        let config = ProducerConfig { retries: 0, ..ProducerConfig::default() };
        let mut stage = producer_of(config, Protocol { resending, ..Protocol::LATEST }, &[Some((1, 5))]);
        send_alone(&mut stage, 1);
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, ErrorCode::RequestTimedOut);
        stage.pass(ms(121));
        assert_eq!(produces(&mut stage).len(), attempts);
    }
}

#[test]
fn a_request_without_an_answer_costs_the_connection_and_is_sent_again() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    only_produce(&mut stage);
    stage.pass(ms(29_999));
    assert_eq!(stage.closed, []);
    stage.pass(ms(1));
    assert_eq!(stage.closed.len(), 1);
    stage.pass(ms(130));
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![1])]);
}

#[test]
fn with_one_request_under_way_a_partition_waits_for_it_and_order_survives_the_retry() {
    let config = ProducerConfig { max_in_flight_requests_per_connection: 1, ..ProducerConfig::default() };
    let mut stage = producer(config.clone());
    send_alone(&mut stage, 1);
    send_alone(&mut stage, 2);
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![1])]);
    answer(&mut stage, &request, ErrorCode::NotEnoughReplicas);
    stage.pass(ms(121));
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![1])], "2 does not overtake");
    answer(&mut stage, &request, ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![2])]);

    // The planted bug lets it overtake.
    let mut stage = producer_of(config, Protocol { muting: Muting::Never, ..Protocol::LATEST }, &[Some((1, 5))]);
    send_alone(&mut stage, 1);
    send_alone(&mut stage, 2);
    let sent: Vec<_> = produces(&mut stage).iter().flat_map(values).collect();
    assert_eq!(sent, [(0, vec![1]), (0, vec![2])]);
}

#[test]
fn no_more_than_max_in_flight_requests_are_under_way_to_a_broker() {
    let mut stage = producer(ProducerConfig::default());
    for value in 1..=8 {
        send_alone(&mut stage, value);
    }
    let sent = produces(&mut stage);
    assert_eq!(sent.len(), 5);
    answer(&mut stage, &sent[0], ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![6])]);
}

#[test]
fn a_batch_that_was_never_sent_fails_for_certain_after_delivery_timeout() {
    let mut stage = producer_of(ProducerConfig::default(), Protocol::LATEST, &[Some((1, 5)), None]);
    // Keyed, so that it goes to the partition that nobody leads.
    let key = [b"a", b"b", b"c", b"d"].into_iter().find(|key| crate::client::partition_for_key(*key, 2) == 1).unwrap();
    send(&mut stage, Some(key), 1);
    stage.pass(ms(119_999));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, true)))]);
}

#[test]
fn a_batch_that_expires_under_way_is_unknown_and_a_late_answer_changes_nothing() {
    let config = ProducerConfig { delivery_timeout: ms(20_000), request_timeout: ms(15_000), ..ProducerConfig::default() };
    let mut stage = producer(config);
    send_alone(&mut stage, 1);
    only_produce(&mut stage);
    stage.pass(ms(15_500));
    let again = only_produce(&mut stage);
    stage.pass(ms(4_499));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, false)))]);
    answer(&mut stage, &again, ErrorCode::None);
    assert_eq!(ends(&mut stage), []);
}

#[test]
fn an_expired_batch_under_way_still_keeps_its_partition_waiting() {
    let config = ProducerConfig {
        max_in_flight_requests_per_connection: 1,
        delivery_timeout: ms(10_000),
        request_timeout: ms(30_000),
        ..ProducerConfig::default()
    };
    let mut stage = producer(config);
    send_alone(&mut stage, 1);
    let first = only_produce(&mut stage);
    stage.pass(ms(9_000));
    send_alone(&mut stage, 2);
    stage.pass(ms(1_500));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, false)))]);
    assert_eq!(produces(&mut stage), [], "1 may still be appended");
    answer(&mut stage, &first, ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![2])]);
}

#[test]
fn a_batch_too_large_for_the_broker_is_split_and_its_records_stay_in_order() {
    let config = ProducerConfig { max_in_flight_requests_per_connection: 1, ..ProducerConfig::default() };
    let mut stage = producer(config);
    for value in 1..=5 {
        send(&mut stage, None, value);
    }
    stage.pass(ms(5));
    let whole = only_produce(&mut stage);
    answer(&mut stage, &whole, ErrorCode::MessageTooLarge);
    let mut sent = Vec::new();
    loop {
        let mut requests = produces(&mut stage);
        let Some(request) = requests.pop() else { break };
        let (_, values) = values(&request).remove(0);
        // This broker takes single records only.
        if values.len() > 1 {
            answer(&mut stage, &request, ErrorCode::MessageTooLarge);
        } else {
            sent.extend(values);
            answer(&mut stage, &request, ErrorCode::None);
        }
    }
    assert_eq!(sent, [1, 2, 3, 4, 5]);
    assert_eq!(ends(&mut stage), (1..=5).map(|value| (vec![value], None)).collect::<Vec<_>>());

    send_alone(&mut stage, 6);
    let single = only_produce(&mut stage);
    answer(&mut stage, &single, ErrorCode::MessageTooLarge);
    assert_eq!(ends(&mut stage), [(vec![6], Some((ErrorCode::MessageTooLarge, true)))]);
}

#[test]
fn a_refusal_that_names_the_new_leader_is_followed_at_once() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    let leader = Some((BrokerId(2), LeaderEpoch(6)));
    answer_with(&mut stage, &request, ErrorCode::NotLeaderOrFollower, leader);
    assert_eq!(only_produce(&mut stage).to, BrokerId(2).into());
}

#[test]
fn a_refusal_that_names_nobody_asks_for_metadata_and_finds_the_new_leader() {
    let mut stage = producer(ProducerConfig::default());
    stage.pass(ms(1_000));
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    answer(&mut stage, &request, ErrorCode::NotLeaderOrFollower);
    stage.tell(metadata("t", &[Some((3, 6))]));
    assert_eq!(only_produce(&mut stage).to, BrokerId(3).into(), "a new leader ends the backoff");
}

#[test]
fn a_record_too_large_for_any_request_fails_before_it_is_queued() {
    let mut stage = producer(ProducerConfig { max_request_size: 100, ..ProducerConfig::default() });
    let value = Bytes::from(vec![0; 100]);
    stage.submit(Command::Send { topic: "t".to_owned(), key: None, value });
    stage.pass(ms(10));
    assert_eq!(produces(&mut stage), []);
    assert_eq!(ends(&mut stage), [(vec![0], Some((ErrorCode::MessageTooLarge, true)))]);
}

#[test]
fn a_send_without_memory_waits_and_fails_for_certain_after_max_block() {
    let config = ProducerConfig { batch_size: 75, buffer_memory: 75, max_block: ms(500), ..ProducerConfig::default() };
    let mut stage = producer(config);
    send(&mut stage, None, 1);
    send(&mut stage, None, 2);
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![1])], "memory is used up, so nothing waits for linger.ms");
    answer(&mut stage, &request, ErrorCode::None);
    stage.pass(ms(5));
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![2])]);
    stage.notes();
    send(&mut stage, None, 3);
    stage.pass(ms(499));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![3], Some((ErrorCode::RequestTimedOut, true)))]);
}

#[test]
fn a_producer_that_is_told_to_stop_ends_when_every_record_has_its_end() {
    let mut stage = producer(ProducerConfig { linger: ms(60_000), ..ProducerConfig::default() });
    send(&mut stage, None, 1);
    stage.step(Input::Terminate);
    assert!(!stage.exited);
    let request = only_produce(&mut stage);
    send(&mut stage, None, 2);
    assert_eq!(ends(&mut stage), [(vec![2], Some((ErrorCode::OperationNotAttempted, true)))]);
    answer(&mut stage, &request, ErrorCode::None);
    assert_eq!(ends(&mut stage), [(vec![1], None)]);
    assert!(stage.exited);
}

#[test]
fn nothing_is_asked_of_a_broker_in_backoff() {
    let mut stage = producer(ProducerConfig::default());
    stage.sever(B1);
    send_alone(&mut stage, 1);
    assert_eq!(produces(&mut stage), []);
    stage.pass(ms(61));
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![1])]);
}
