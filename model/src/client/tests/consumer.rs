//! What a consumer guarantees, rule by rule.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::client::Consumer;
use crate::client::stage::{CLIENT, Stage, metadata, partition};
use crate::config::{ConsumerConfig, OffsetReset};
use crate::event::{Event, SeekReason};
use crate::log::BatchBuilder;
use crate::machine::{Command, Input};
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Offset};
use crate::protocol::Protocol;
use crate::wire::{
    Body, DivergingEpoch, Envelope, ErrorCode, FetchPartitionResponse, FetchRequest, FetchResponse,
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, OffsetSpec,
    OffsetsForLeaderEpochPartitionResponse, OffsetsForLeaderEpochRequest, OffsetsForLeaderEpochResponse, Request,
    Response,
};

const B1: BrokerId = BrokerId(1);
const B2: BrokerId = BrokerId(2);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn new(auto_offset_reset: OffsetReset) -> Stage<Consumer> {
    let config = ConsumerConfig { auto_offset_reset, ..ConsumerConfig::default() };
    Stage::new(Consumer::new(CLIENT, vec![B1], config, Protocol::LATEST))
}

fn assign(stage: &mut Stage<Consumer>, partitions: &[u32]) {
    stage.submit(Command::Assign { topic: "t".to_owned(), partitions: partitions.to_vec() });
}

/// A consumer that reads partition 0 from the start, led by broker 1 in epoch 5, with its first fetch under way.
fn reading(policy: OffsetReset) -> (Stage<Consumer>, Envelope) {
    let mut stage = new(policy);
    assign(&mut stage, &[0]);
    if policy == OffsetReset::None {
        stage.submit(Command::Seek { topic: "t".to_owned(), partition: 0, offset: Offset(0) });
    }
    stage.tell(metadata("t", &[Some((1, 5))]));
    if policy != OffsetReset::None {
        let (request, _) = stage.only_request();
        list(&mut stage, &request, ErrorCode::None, 0);
    }
    let (request, _) = fetch_of(&mut stage);
    stage.notes();
    (stage, request)
}

/// The one fetch since the last look; whatever else was sent is not looked at.
fn fetch_of(stage: &mut Stage<Consumer>) -> (Envelope, FetchRequest) {
    let mut fetches = Vec::new();
    for envelope in stage.sent() {
        if let Body::Request(Request::Fetch(fetch)) = envelope.body.clone() {
            fetches.push((envelope, fetch));
        }
    }
    assert_eq!(fetches.len(), 1, "{fetches:?}");
    fetches.remove(0)
}

fn offset_of(fetch: &FetchRequest) -> u64 {
    assert_eq!(fetch.partitions.len(), 1, "{fetch:?}");
    fetch.partitions[0].fetch_offset.0
}

fn list_request(request: &Request) -> &ListOffsetsRequest {
    let Request::ListOffsets(list) = request else { panic!("{request:?}") };
    list
}

fn epochs_request(request: &Request) -> &OffsetsForLeaderEpochRequest {
    let Request::OffsetsForLeaderEpoch(epochs) = request else { panic!("{request:?}") };
    epochs
}

fn list(stage: &mut Stage<Consumer>, request: &Envelope, error: ErrorCode, offset: u64) {
    let Body::Request(asked) = &request.body else { panic!() };
    let one = |asked: &crate::wire::ListOffsetsPartition| ListOffsetsPartitionResponse {
        partition: asked.partition,
        error,
        offset: EndOffset(offset),
        timestamp: None,
        leader_epoch: asked.current_leader_epoch,
    };
    let partitions = list_request(asked).partitions.iter().map(one).collect();
    stage.answer(request, Response::ListOffsets(ListOffsetsResponse { partitions }));
}

fn tell_end(stage: &mut Stage<Consumer>, request: &Envelope, error: ErrorCode, end: Option<(i32, u64)>) {
    let end = end.map(|(epoch, end)| DivergingEpoch { epoch: LeaderEpoch(epoch), end: EndOffset(end) });
    let partitions = vec![OffsetsForLeaderEpochPartitionResponse { partition: partition(0), error, end }];
    stage.answer(request, Response::OffsetsForLeaderEpoch(OffsetsForLeaderEpochResponse { partitions }));
}

/// A batch whose values are its offsets.
fn batch(epoch: i32, offsets: std::ops::Range<u64>) -> Bytes {
    let mut builder = BatchBuilder::new(1_000);
    for value in offsets.clone() {
        builder.push(1_000, None, Some(&value.to_be_bytes()), &[]);
    }
    builder.build().stamp(Offset(offsets.start), LeaderEpoch(epoch)).bytes().clone()
}

fn served(index: u32, error: ErrorCode, records: Bytes) -> FetchPartitionResponse {
    let known = (error == ErrorCode::None).then_some(EndOffset(1_000));
    FetchPartitionResponse {
        partition: partition(index),
        error,
        high_watermark: known,
        log_start: known.map(|_| EndOffset::ZERO),
        diverging_epoch: None,
        records: records.into(),
    }
}

fn serve(stage: &mut Stage<Consumer>, request: &Envelope, error: ErrorCode, records: Bytes) {
    let partitions = vec![served(0, error, records)];
    stage.answer(request, Response::Fetch(FetchResponse { partitions }));
}

/// What was handed out since the last look: offsets, poll by poll.
fn polled(stage: &mut Stage<Consumer>) -> Vec<Vec<u64>> {
    let offsets = |event| match event {
        Event::Polled { records, .. } => {
            assert!(records.iter().all(|(offset, value)| offset.0 == value.0));
            Some(records.into_iter().map(|(offset, _)| offset.0).collect())
        }
        _ => None,
    };
    stage.notes().into_iter().filter_map(offsets).collect()
}

/// The metadata request under way among other requests is answered so.
fn move_leader(stage: &mut Stage<Consumer>, broker: u32, epoch: i32) {
    for envelope in stage.sent() {
        if matches!(envelope.body, Body::Request(Request::Metadata(_))) {
            return stage.answer(&envelope, Response::Metadata(metadata("t", &[Some((broker, epoch))])));
        }
    }
    panic!("no metadata request");
}

#[test]
fn an_assignment_begins_when_the_topic_is_known_where_the_policy_says() {
    for (policy, spec) in [(OffsetReset::Earliest, OffsetSpec::Earliest), (OffsetReset::Latest, OffsetSpec::Latest)] {
        let mut stage = new(policy);
        assign(&mut stage, &[]);
        assert_eq!(stage.notes(), []);
        stage.tell(metadata("t", &[Some((1, 5)), Some((1, 5))]));
        assert_eq!(stage.notes(), [Event::Assigned { partitions: vec![partition(0), partition(1)] }]);
        let (request, asked) = stage.only_request();
        let asked = list_request(&asked);
        assert!(asked.partitions.iter().all(|part| part.spec == spec));
        assert_eq!(asked.partitions[0].current_leader_epoch, Some(LeaderEpoch(5)));
        list(&mut stage, &request, ErrorCode::None, 12);
        let sought =
            |index| Event::Sought { partition: partition(index), position: Offset(12), reason: SeekReason::Initial };
        assert_eq!(stage.notes(), [sought(0), sought(1)]);
        let (_, fetch) = fetch_of(&mut stage);
        assert_eq!(fetch.partitions.len(), 2);
        assert!(fetch.partitions.iter().all(|part| part.fetch_offset == Offset(12)));
    }
}

#[test]
fn without_a_policy_nothing_is_read_until_the_application_seeks() {
    let mut stage = new(OffsetReset::None);
    assign(&mut stage, &[0]);
    stage.tell(metadata("t", &[Some((1, 5))]));
    stage.pass(ms(5_000));
    assert_eq!(stage.sent(), []);
    stage.submit(Command::Seek { topic: "t".to_owned(), partition: 0, offset: Offset(7) });
    let (_, fetch) = fetch_of(&mut stage);
    assert_eq!(offset_of(&fetch), 7);
    assert!(stage.notes().contains(&Event::Sought {
        partition: partition(0),
        position: Offset(7),
        reason: SeekReason::Application
    }));
}

#[test]
fn a_seek_before_the_topic_is_known_counts_when_it_is() {
    let mut stage = new(OffsetReset::Latest);
    assign(&mut stage, &[0, 1]);
    stage.submit(Command::Seek { topic: "t".to_owned(), partition: 1, offset: Offset(7) });
    stage.submit(Command::Seek { topic: "other".to_owned(), partition: 0, offset: Offset(9) });
    stage.tell(metadata("t", &[Some((1, 5)), Some((1, 5))]));
    let requests = stage.sent();
    assert!(matches!(&requests[0].body, Body::Request(Request::ListOffsets(list)) if list.partitions.len() == 1));
    assert!(
        matches!(&requests[1].body, Body::Request(Request::Fetch(fetch)) if fetch.partitions[0].fetch_offset == Offset(7))
    );
}

#[test]
fn records_are_handed_out_at_once_and_the_next_fetch_begins_behind_them() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    assert_eq!(polled(&mut stage), [[0, 1, 2]]);
    let (request, fetch) = fetch_of(&mut stage);
    assert_eq!(offset_of(&fetch), 3);
    assert_eq!(fetch.partitions[0].current_leader_epoch, Some(LeaderEpoch(5)));
    assert_eq!(fetch.partitions[0].last_fetched_epoch, None);
    serve(&mut stage, &request, ErrorCode::None, Bytes::new());
    assert_eq!(polled(&mut stage), Vec::<Vec<u64>>::new());
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 3);
}

#[test]
fn an_answer_for_a_position_that_was_left_is_dropped() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    stage.submit(Command::Seek { topic: "t".to_owned(), partition: 0, offset: Offset(2) });
    assert_eq!(stage.sent(), [], "one fetch at a time to each leader");
    stage.notes();
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    assert_eq!(polled(&mut stage), Vec::<Vec<u64>>::new());
    let (request, fetch) = fetch_of(&mut stage);
    assert_eq!(offset_of(&fetch), 2);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    assert_eq!(polled(&mut stage), [[2]], "the batch begins before the position");
}

#[test]
fn to_the_beginning_means_where_the_log_starts_now() {
    let (mut stage, request) = reading(OffsetReset::Latest);
    stage.submit(Command::SeekToBeginning);
    let (listing, asked) = stage.only_request();
    assert_eq!(list_request(&asked).partitions[0].spec, OffsetSpec::Earliest);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    list(&mut stage, &listing, ErrorCode::None, 4);
    let sought = Event::Sought { partition: partition(0), position: Offset(4), reason: SeekReason::Application };
    assert_eq!(stage.notes(), [sought]);
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 4);
}

#[test]
fn a_leader_that_does_not_know_its_high_watermark_yet_is_asked_again() {
    let mut stage = new(OffsetReset::Latest);
    assign(&mut stage, &[0]);
    stage.tell(metadata("t", &[Some((1, 5))]));
    let (request, _) = stage.only_request();
    list(&mut stage, &request, ErrorCode::OffsetNotAvailable, 0);
    assert_eq!(stage.notes(), [Event::Assigned { partitions: vec![partition(0)] }]);
    stage.sent();
    stage.pass(ms(121));
    let lists = stage.sent().into_iter().filter(|sent| matches!(sent.body, Body::Request(Request::ListOffsets(_))));
    assert_eq!(lists.count(), 1);
}

#[test]
fn a_new_leader_has_the_position_validated_before_anything_is_read_from_it() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    let (request, _) = fetch_of(&mut stage);
    serve(&mut stage, &request, ErrorCode::NotLeaderOrFollower, Bytes::new());
    polled(&mut stage);
    stage.pass(ms(121));
    move_leader(&mut stage, 2, 6);
    let (request, asked) = stage.only_request();
    assert_eq!(request.to, B2.into());
    let asked = &epochs_request(&asked).partitions[0];
    assert_eq!((asked.leader_epoch, asked.current_leader_epoch), (LeaderEpoch(5), Some(LeaderEpoch(6))));
    tell_end(&mut stage, &request, ErrorCode::None, Some((5, 3)));
    assert_eq!(stage.notes(), [], "unharmed");
    let (request, fetch) = fetch_of(&mut stage);
    assert_eq!((request.to, offset_of(&fetch)), (B2.into(), 3));
    assert_eq!(fetch.partitions[0].current_leader_epoch, Some(LeaderEpoch(6)));
}

/// Reads three records of epoch 5, and has the leader move; the validation is under way.
fn in_validation(policy: OffsetReset) -> (Stage<Consumer>, Envelope) {
    let (mut stage, request) = reading(policy);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    let (request, _) = fetch_of(&mut stage);
    serve(&mut stage, &request, ErrorCode::FencedLeaderEpoch, Bytes::new());
    stage.pass(ms(121));
    move_leader(&mut stage, 2, 6);
    let (request, asked) = stage.only_request();
    epochs_request(&asked);
    stage.notes();
    (stage, request)
}

#[test]
fn a_truncated_log_takes_the_consumer_back_to_where_it_was_cut() {
    let (mut stage, request) = in_validation(OffsetReset::Latest);
    tell_end(&mut stage, &request, ErrorCode::None, Some((5, 1)));
    let sought = Event::Sought { partition: partition(0), position: Offset(1), reason: SeekReason::Truncation };
    assert_eq!(stage.notes(), [sought]);
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 1);
}

#[test]
fn an_epoch_that_the_leader_does_not_know_resets_by_policy() {
    let (mut stage, request) = in_validation(OffsetReset::Earliest);
    tell_end(&mut stage, &request, ErrorCode::None, None);
    let (request, asked) = stage.only_request();
    assert_eq!(list_request(&asked).partitions[0].spec, OffsetSpec::Earliest);
    list(&mut stage, &request, ErrorCode::None, 0);
    let sought = Event::Sought { partition: partition(0), position: Offset(0), reason: SeekReason::Truncation };
    assert_eq!(stage.notes(), [sought]);
}

#[test]
fn a_validation_that_fails_or_is_lost_is_asked_again() {
    let (mut stage, request) = in_validation(OffsetReset::Latest);
    tell_end(&mut stage, &request, ErrorCode::FencedLeaderEpoch, None);
    stage.sent();
    stage.pass(ms(121));
    let again =
        stage.sent().into_iter().find(|sent| matches!(sent.body, Body::Request(Request::OffsetsForLeaderEpoch(_))));
    assert!(again.is_some());
    stage.sever(B2);
    stage.pass(ms(121));
    let again =
        stage.sent().into_iter().find(|sent| matches!(sent.body, Body::Request(Request::OffsetsForLeaderEpoch(_))));
    tell_end(&mut stage, &again.unwrap(), ErrorCode::None, Some((5, 3)));
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 3);
}

#[test]
fn a_position_out_of_range_is_reset_by_policy_and_only_if_it_is_still_the_position() {
    let (mut stage, request) = reading(OffsetReset::Latest);
    serve(&mut stage, &request, ErrorCode::OffsetOutOfRange, Bytes::new());
    let (request, asked) = stage.only_request();
    assert_eq!(list_request(&asked).partitions[0].spec, OffsetSpec::Latest);
    list(&mut stage, &request, ErrorCode::None, 9);
    let sought = Event::Sought { partition: partition(0), position: Offset(9), reason: SeekReason::OutOfRange };
    assert_eq!(stage.notes(), [sought]);

    let (request, _) = fetch_of(&mut stage);
    stage.submit(Command::Seek { topic: "t".to_owned(), partition: 0, offset: Offset(2) });
    serve(&mut stage, &request, ErrorCode::OffsetOutOfRange, Bytes::new());
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 2);

    let (mut stage, request) = reading(OffsetReset::None);
    serve(&mut stage, &request, ErrorCode::OffsetOutOfRange, Bytes::new());
    stage.pass(ms(5_000));
    assert_eq!(stage.sent(), [], "without a policy the application has to decide");
}

#[test]
fn a_corrupt_batch_is_never_handed_out_nor_passed_over() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    let mut bytes = BytesMut::from(&batch(5, 0..3)[..]);
    let last = bytes.len() - 1;
    bytes[last - 4] ^= 1;
    serve(&mut stage, &request, ErrorCode::None, bytes.freeze());
    assert_eq!(polled(&mut stage), Vec::<Vec<u64>>::new());
    stage.pass(ms(121));
    let (request, fetch) = fetch_of(&mut stage);
    assert_eq!(offset_of(&fetch), 0);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    assert_eq!(polled(&mut stage), [[0, 1, 2]]);
}

#[test]
fn a_lost_connection_loses_no_record_and_repeats_none() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    polled(&mut stage);
    let (lost, _) = fetch_of(&mut stage);
    stage.sever(B1);
    stage.pass(ms(61));
    let (request, fetch) = fetch_of(&mut stage);
    assert_eq!(offset_of(&fetch), 3);
    serve(&mut stage, &lost, ErrorCode::None, batch(5, 3..5));
    assert_eq!(polled(&mut stage), Vec::<Vec<u64>>::new(), "an answer out of a connection that is gone");
    serve(&mut stage, &request, ErrorCode::None, batch(5, 3..5));
    assert_eq!(polled(&mut stage), [[3, 4]]);
}

#[test]
fn a_fetch_without_an_answer_costs_the_connection() {
    let (mut stage, _) = reading(OffsetReset::Earliest);
    stage.pass(ms(29_999));
    assert_eq!(stage.closed, []);
    stage.pass(ms(100));
    assert_eq!(stage.closed.len(), 1);
    assert_eq!(offset_of(&fetch_of(&mut stage).1), 0);
}

#[test]
fn each_leader_has_one_fetch_under_way_with_all_its_partitions() {
    let mut stage = new(OffsetReset::None);
    assign(&mut stage, &[0, 1, 2]);
    for partition in 0..3 {
        stage.submit(Command::Seek { topic: "t".to_owned(), partition, offset: Offset(0) });
    }
    stage.tell(metadata("t", &[Some((1, 5)), Some((2, 5)), Some((1, 5))]));
    let sent = stage.sent();
    let fetch = |at: usize| match &sent[at].body {
        Body::Request(Request::Fetch(fetch)) => fetch.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((sent.len(), sent[0].to, sent[1].to), (2, B1.into(), B2.into()));
    assert_eq!((fetch(0).partitions.len(), fetch(1).partitions.len()), (2, 1));
    serve(&mut stage, &sent[1], ErrorCode::None, Bytes::new());
    stage.sent();
    // Whoever comes first changes from fetch to fetch.
    let mut firsts = Vec::new();
    let mut request = sent[0].clone();
    for _ in 0..4 {
        let partitions = vec![served(0, ErrorCode::None, Bytes::new()), served(2, ErrorCode::None, Bytes::new())];
        stage.answer(&request, Response::Fetch(FetchResponse { partitions }));
        let (next, fetch) = fetch_of(&mut stage);
        firsts.push(fetch.partitions[0].partition.index);
        request = next;
    }
    assert!(firsts.contains(&0) && firsts.contains(&2), "{firsts:?}");
}

#[test]
fn a_new_assignment_replaces_the_old_one() {
    let (mut stage, request) = reading(OffsetReset::Earliest);
    assign(&mut stage, &[]);
    assert_eq!(stage.notes(), [Event::Assigned { partitions: vec![partition(0)] }]);
    serve(&mut stage, &request, ErrorCode::None, batch(5, 0..3));
    assert_eq!(polled(&mut stage), Vec::<Vec<u64>>::new());
}

#[test]
fn a_consumer_that_is_told_to_stop_stops() {
    let (mut stage, _) = reading(OffsetReset::Earliest);
    stage.step(Input::Terminate);
    assert!(stage.exited);
}
