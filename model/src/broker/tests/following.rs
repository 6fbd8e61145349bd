//! Following: what is appended, what is cut, which high watermark is learned (R36a, R41, R43, R46, L21-L25).

use super::stage::{P, Stage, elected, ms, records_from, stored, three};
use crate::event::Event;
use crate::names::{EndOffset, LeaderEpoch};
use crate::wire::{
    Body, Channel, DivergingEpoch, Envelope, ErrorCode, FetchPartition, FetchPartitionResponse, FetchResponse,
    ListOffsetsPartitionResponse, ListOffsetsResponse, Request, Response,
};

/// A leader's word that the logs part.
pub(super) fn diverging(epoch: i32, end: u64) -> Response {
    let diverging_epoch = Some(DivergingEpoch { epoch: LeaderEpoch(epoch), end: EndOffset(end) });
    let Response::Fetch(FetchResponse { partitions }) = records_from(P, EndOffset(99), Vec::new()) else {
        unreachable!("it is a fetch response")
    };
    let part = |part| FetchPartitionResponse { diverging_epoch, ..part };
    Response::Fetch(FetchResponse { partitions: partitions.into_iter().map(part).collect() })
}

/// Where the leader's log ends and begins.
pub(super) fn bounds(end: u64, start: u64) -> Response {
    let part = |offset| ListOffsetsPartitionResponse {
        partition: P,
        error: ErrorCode::None,
        offset: EndOffset(offset),
        timestamp: None,
        leader_epoch: None,
    };
    Response::ListOffsets(ListOffsetsResponse { partitions: vec![part(end), part(start)] })
}

/// Has a follower whose fetch is out of range throw its log away and begin again.
pub(super) fn restart_log_at(stage: &mut Stage, start: u64) {
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, super::stage::refused(ErrorCode::OffsetOutOfRange));
    stage.run_all();
    let asked = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&asked, bounds(start + 5, start));
    stage.run_all();
}

/// What a follower asks for.
pub(super) fn asked(request: &Envelope) -> FetchPartition {
    let Body::Request(Request::Fetch(fetch)) = &request.body else { panic!("a fetch: {request:?}") };
    fetch.partitions[0]
}

/// A follower of b1 that has 1 and 2 in epoch 0.
fn follower() -> Stage {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    receive(&mut stage, 1, &[stored(0, 0, &[1, 2])]);
    stage
}

fn receive(stage: &mut Stage, high_watermark: u64, batches: &[crate::log::Batch]) {
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    let bytes = batches.iter().flat_map(|batch| batch.bytes().to_vec()).collect();
    stage.answer(&fetch, records_from(P, EndOffset(high_watermark), bytes));
    stage.run_all();
}

fn next_fetch(stage: &Stage) -> FetchPartition {
    let sent = stage.sent.iter().rev().find(|sent| sent.channel == Channel::ReplicaFetch);
    asked(sent.expect("the fetcher goes on"))
}

#[test]
fn what_was_fetched_is_appended_and_the_next_fetch_begins_behind_it() {
    let stage = follower();
    let next = next_fetch(&stage);
    assert_eq!((next.fetch_offset.0, next.last_fetched_epoch), (2, Some(LeaderEpoch(0))), "R36a");
    assert_eq!(next.current_leader_epoch, Some(LeaderEpoch(0)));
    assert_eq!(stage.high_watermark(), 1, "L25");
}

#[test]
fn a_high_watermark_is_clamped_to_the_log_and_may_fall() {
    let mut stage = follower();
    receive(&mut stage, 77, &[]);
    assert_eq!(stage.high_watermark(), 2, "L13");
    receive(&mut stage, 1, &[]);
    assert_eq!(stage.high_watermark(), 1, "R46: a new leader may know less");
}

#[test]
fn an_empty_answer_keeps_the_last_epoch() {
    let mut stage = follower();
    receive(&mut stage, 2, &[]);
    assert_eq!(next_fetch(&stage).last_fetched_epoch, Some(LeaderEpoch(0)), "KAFKA-15510");
}

#[test]
fn batches_of_a_later_epoch_than_the_fetch_are_skipped() {
    let mut stage = follower();
    receive(&mut stage, 2, &[stored(2, 0, &[3]), stored(3, 1, &[9]), stored(4, 0, &[10])]);
    assert_eq!(stage.values(), [1, 2, 3], "L23, KAFKA-18723");
    assert_eq!(next_fetch(&stage).fetch_offset.0, 3, "no error: it goes on");
}

#[test]
fn an_answer_to_a_fetch_of_an_earlier_epoch_is_used_if_the_offset_fits_but_not_its_later_batches() {
    let mut stage = follower();
    let old = stage.expect_sent(Channel::ReplicaFetch);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.answer(
        &old,
        records_from(
            P,
            EndOffset(2),
            [stored(2, 0, &[3]), stored(3, 1, &[9])].iter().flat_map(|batch| batch.bytes().to_vec()).collect(),
        ),
    );
    stage.run_all();
    assert_eq!(stage.values(), [1, 2, 3], "R36, N20");
    assert_eq!(next_fetch(&stage).current_leader_epoch, Some(LeaderEpoch(1)));
}

#[test]
fn a_diverging_log_is_cut_and_nothing_else_is_taken_from_the_answer() {
    let mut stage = follower();
    stage.learn(&[elected(Some(3), &[1, 2, 3])]);
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!(fetch.to, crate::names::BrokerId(3).into());
    stage.answer(&fetch, diverging(0, 1));
    stage.run_all();
    assert_eq!(stage.end(), 1, "the whole batch is gone, and the log ends at 1 (L41)");
    assert_eq!(stage.high_watermark(), 1, "KAFKA-14704: 99 was not learned");
    assert_eq!(
        stage.noted(|event| matches!(event, Event::Truncated { from, end, .. } if (from.0, end.0) == (2, 1))),
        1
    );
    assert_eq!(stage.disk.text("recovery-point-offset-checkpoint").as_deref(), Some("0\n1\nt 0 0\n"), "L34: at once");
    assert_eq!(next_fetch(&stage).fetch_offset.0, 1);
}

#[test]
fn truncation_goes_on_until_the_epochs_agree() {
    let mut stage = follower();
    stage.learn(&[elected(Some(3), &[1, 2, 3]), elected(Some(3), &[1, 2, 3]), elected(Some(3), &[1, 2, 3])]);
    stage.run_all();
    // An answer to the fetch of epoch 0 comes to nothing now: the fetcher is another.
    receive(&mut stage, 0, &[stored(2, 1, &[3]), stored(3, 2, &[4])]);
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!(asked(&fetch).last_fetched_epoch, Some(LeaderEpoch(2)));
    stage.answer(&fetch, diverging(1, 9));
    stage.run_all();
    assert_eq!((stage.end(), next_fetch(&stage).last_fetched_epoch), (3, Some(LeaderEpoch(1))));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, diverging(0, 2));
    stage.run_all();
    assert_eq!((stage.values(), next_fetch(&stage).last_fetched_epoch), (vec![1, 2], Some(LeaderEpoch(0))), "R41a");
}

#[test]
fn an_empty_epoch_at_the_end_of_the_log_is_cut_too() {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!(asked(&fetch).last_fetched_epoch, Some(LeaderEpoch(0)), "it led, and wrote nothing");
    stage.answer(&fetch, diverging(-1, 0));
    stage.run_all();
    assert_eq!(stage.replica(P).log.epochs().entries(), [], "L38, KAFKA-10706");
}

#[test]
fn a_follower_ahead_of_the_leader_is_cut_to_the_leaders_end() {
    let mut stage = follower();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, super::stage::refused(ErrorCode::OffsetOutOfRange));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    assert!(matches!(request.body, Body::Request(Request::ListOffsets(_))), "R43");
    stage.answer(&request, bounds(0, 0));
    stage.run_all();
    assert_eq!((stage.end(), next_fetch(&stage).fetch_offset.0), (0, 0));
}

#[test]
fn a_follower_behind_the_start_of_the_leaders_log_begins_anew_there() {
    let mut stage = follower();
    restart_log_at(&mut stage, 50);
    assert_eq!((stage.replica(P).log.start().0, stage.end(), stage.high_watermark()), (50, 50, 50), "R43, L42");
    let next = next_fetch(&stage);
    assert_eq!((next.fetch_offset.0, next.last_fetched_epoch), (50, None));
    assert_eq!(stage.noted(|event| matches!(event, Event::Restarted { start, .. } if start.0 == 50)), 1);
}

#[test]
fn a_follower_within_the_leaders_log_keeps_what_it_has() {
    let mut stage = follower();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, super::stage::refused(ErrorCode::OffsetOutOfRange));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&request, bounds(5, 1));
    stage.run_all();
    assert_eq!((stage.values(), next_fetch(&stage).fetch_offset.0), (vec![1, 2], 2), "R43");
}

#[test]
fn bounds_that_are_refused_or_missing_are_asked_for_later() {
    for answer in [Response::ListOffsets(ListOffsetsResponse { partitions: Vec::new() }), refused_bounds()] {
        let mut stage = follower();
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&fetch, super::stage::refused(ErrorCode::OffsetOutOfRange));
        stage.run_all();
        let request = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&request, answer);
        stage.run_all();
        assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "not at once");
        stage.pass(ms(1_000));
        stage.run_all();
        assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
    }
}

fn refused_bounds() -> Response {
    let Response::ListOffsets(mut list) = bounds(0, 0) else { unreachable!("it is one") };
    for part in &mut list.partitions {
        part.error = ErrorCode::UnknownLeaderEpoch;
    }
    Response::ListOffsets(list)
}

#[test]
fn an_empty_log_takes_a_batch_that_spans_its_end() {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    restart_log_at(&mut stage, 7);
    receive(&mut stage, 10, &[stored(5, 0, &[1, 2, 3, 4, 5])]);
    assert_eq!((stage.replica(P).log.start().0, stage.end(), stage.high_watermark()), (5, 10, 10), "L22, T18");
}

#[test]
fn a_log_that_knows_of_no_epoch_is_cut_at_its_high_watermark() {
    let mut stage = follower();
    stage.pass(ms(5_000));
    stage.disk.plant("t-0/leader-epoch-checkpoint", "0\n0\n");
    stage.disk.plant(".kafka_cleanshutdown", r#"{"version":0,"brokerEpoch":12}"#);
    stage.disk.plant("replication-offset-checkpoint", "0\n1\nt 0 0\n");
    let records = std::mem::take(&mut stage.metadata);
    let mut stage = stage.brought_up(&records);
    let next = next_fetch(&stage);
    assert_eq!((next.fetch_offset.0, next.last_fetched_epoch), (0, None), "R35");
    assert_eq!(stage.values(), [0_u64; 0]);
}
