//! What a producer guarantees from the call of `send` to the first request (P1-P6).

use std::time::Duration;

use bytes::Bytes;

use crate::client::Producer;
use crate::client::stage::{CLIENT, Stage, metadata, partition};
use crate::config::{Acks, ProducerConfig};
use crate::event::{Event, Value};
use crate::log::Batch;
use crate::machine::{Command, Input};
use crate::names::{BrokerId, LeaderEpoch, Offset};
use crate::protocol::Protocol;
use crate::wire::{
    Body, Envelope, ErrorCode, ProducePartitionResponse, ProduceRequest, ProduceResponse, Request, Response,
};

pub(super) const B1: BrokerId = BrokerId(1);

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A producer that knows topic "t" with these leaders.
pub(super) fn producer_of(
    config: ProducerConfig,
    protocol: Protocol,
    leaders: &[Option<(u32, i32)>],
) -> Stage<Producer> {
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

pub(super) fn producer(config: ProducerConfig) -> Stage<Producer> {
    producer_of(config, Protocol::LATEST, &[Some((1, 5))])
}

pub(super) fn send(stage: &mut Stage<Producer>, key: Option<&'static [u8]>, value: u64) {
    let value = Bytes::copy_from_slice(&value.to_be_bytes());
    stage.submit(Command::Send { topic: "t".to_owned(), key: key.map(Bytes::from_static), value });
}

/// Sends and flushes, so that the record leaves as a batch of its own.
pub(super) fn send_alone(stage: &mut Stage<Producer>, value: u64) {
    send(stage, None, value);
    stage.submit(Command::Flush);
}

pub(super) fn produce(envelope: &Envelope) -> &ProduceRequest {
    match &envelope.body {
        Body::Request(Request::Produce(produce)) => produce,
        other => panic!("{other:?}"),
    }
}

/// The values in a produce request, by partition.
pub(super) fn values(envelope: &Envelope) -> Vec<(u32, Vec<u64>)> {
    let values = |records: &Bytes| {
        let batch = Batch::split_first(&mut records.clone()).unwrap().unwrap();
        batch.records().map(|record| Value::of(&record.unwrap().value.unwrap()).0).collect()
    };
    produce(envelope).partitions.iter().map(|part| (part.partition.index, values(&part.records))).collect()
}

pub(super) fn answer(stage: &mut Stage<Producer>, request: &Envelope, error: ErrorCode) {
    answer_with(stage, request, error, None);
}

pub(super) fn answer_with(
    stage: &mut Stage<Producer>,
    request: &Envelope,
    error: ErrorCode,
    leader: Option<(BrokerId, LeaderEpoch)>,
) {
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
pub(super) fn only_produce(stage: &mut Stage<Producer>) -> Envelope {
    let mut sent = produces(stage);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

pub(super) fn produces(stage: &mut Stage<Producer>) -> Vec<Envelope> {
    let mut sent = stage.sent();
    sent.retain(|envelope| matches!(envelope.body, Body::Request(Request::Produce(_))));
    sent
}

/// How records ended: values, error if they failed, and whether that is definite.
pub(super) type End = (Vec<u64>, Option<(ErrorCode, bool)>);

/// How records ended since the last look.
pub(super) fn ends(stage: &mut Stage<Producer>) -> Vec<End> {
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
    let config = ProducerConfig { batch_size: 90, buffer_memory: 90, max_block: ms(500), ..ProducerConfig::default() };
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
