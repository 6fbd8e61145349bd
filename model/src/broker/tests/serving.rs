//! Serving fetches and questions: whose word is stale, what diverges, what counts (R21, R23-R31, L70, L76).

use super::producing::error_of;
use super::stage::{
    P, Stage, consumer_fetch, elected, follower_fetch, follower_fetch_from, life, ms, rejoined, three, values_in,
};
use crate::config::Acks;
use crate::event::Event;
use crate::machine::Task;
use crate::names::{BrokerEpoch, BrokerId, EndOffset, LeaderEpoch};
use crate::wire::{
    DivergingEpoch, ErrorCode, FetchRequest, Fetcher, ListOffsetsPartition, ListOffsetsRequest, MetadataRequest,
    OffsetSpec, OffsetsForLeaderEpochPartition, OffsetsForLeaderEpochRequest, Request, Response,
};

/// Leads in epoch 2; its log holds 1 and 2 of epoch 0, and 3 of epoch 2.
fn seasoned() -> Stage {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.learn(&[elected(Some(1), &[1, 2, 3]), elected(Some(1), &[1, 2, 3])]);
    stage.produce(1, Acks::Leader, &[3]);
    stage.run_all();
    stage.answers();
    stage
}

fn answer(stage: &mut Stage, fetch: FetchRequest) -> crate::wire::FetchPartitionResponse {
    let Fetcher::Replica { id, .. } = fetch.fetcher else { panic!("a follower") };
    stage.follower_asks(id.0, fetch);
    stage.run_all();
    stage.fetched().pop().expect("answered at once")
}

#[test]
fn a_fetch_in_another_epoch_than_the_leaders_is_refused() {
    let mut stage = seasoned();
    assert_eq!(answer(&mut stage, follower_fetch(2, 1, 0)).error, ErrorCode::FencedLeaderEpoch, "R21");
    assert_eq!(answer(&mut stage, follower_fetch(2, 3, 0)).error, ErrorCode::UnknownLeaderEpoch);
    assert_eq!(answer(&mut stage, follower_fetch(2, 2, 0)).error, ErrorCode::None);
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    assert_eq!(answer(&mut stage, follower_fetch(3, 2, 0)).error, ErrorCode::FencedLeaderEpoch, "before the role");
    assert_eq!(answer(&mut stage, follower_fetch(3, 3, 0)).error, ErrorCode::NotLeaderOrFollower);
}

#[test]
fn a_fetch_by_somebody_who_is_no_replica_is_retriable() {
    let mut stage = seasoned();
    assert_eq!(answer(&mut stage, follower_fetch(9, 2, 0)).error, ErrorCode::UnknownLeaderEpoch, "R23");
    let mut fetch = follower_fetch(9, 2, 0);
    fetch.partitions[0].current_leader_epoch = None;
    assert_eq!(answer(&mut stage, fetch).error, ErrorCode::NotLeaderOrFollower);
}

#[test]
fn a_log_that_is_no_prefix_of_the_leaders_is_told_where_to_cut() {
    let mut stage = seasoned();
    let diverging = |epoch, end| Some(DivergingEpoch { epoch: LeaderEpoch(epoch), end: EndOffset(end) });
    let told = answer(&mut stage, follower_fetch_from(2, 2, 3, 0));
    assert_eq!((told.diverging_epoch, told.records.len()), (diverging(0, 2), 0), "R25: epoch 0 ended at 2");
    assert_eq!(told.high_watermark, Some(EndOffset(0)));
    let told = answer(&mut stage, follower_fetch_from(2, 2, 2, 1));
    assert_eq!(told.diverging_epoch, diverging(0, 2), "epoch 1 is unknown here");
    let told = answer(&mut stage, follower_fetch_from(2, 2, 2, 0));
    assert_eq!((told.diverging_epoch, values_in(told.records)), (None, vec![(2, 2, 3)]), "a true prefix");
}

#[test]
fn an_epoch_that_the_leader_cannot_place_and_an_offset_beyond_its_log_are_out_of_range() {
    let mut stage = seasoned();
    assert_eq!(answer(&mut stage, follower_fetch_from(2, 2, 3, 5)).error, ErrorCode::OffsetOutOfRange, "R25");
    assert_eq!(answer(&mut stage, follower_fetch(2, 2, 4)).error, ErrorCode::OffsetOutOfRange, "R26");
}

#[test]
fn an_offset_below_the_start_of_the_log_comes_before_a_divergence() {
    let mut stage = Stage::up(1, &three(2, &[1, 2, 3], 1));
    super::following::restart_log_at(&mut stage, 5);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    assert_eq!(answer(&mut stage, follower_fetch_from(2, 1, 4, 0)).error, ErrorCode::OffsetOutOfRange, "R25");
}

#[test]
fn a_diverging_fetch_says_nothing_about_the_follower() {
    let mut stage = seasoned();
    stage.follower_asks(3, follower_fetch_from(3, 2, 3, 2));
    stage.follower_asks(2, follower_fetch_from(2, 2, 3, 1));
    stage.run_all();
    assert_eq!(stage.high_watermark(), 0, "R27, KAFKA-13141: b2 does not have three records of this log");
    stage.follower_asks(2, follower_fetch_from(2, 2, 3, 2));
    assert_eq!(stage.high_watermark(), 3);
}

#[test]
fn a_fetch_of_an_earlier_life_of_the_follower_does_not_count() {
    let mut stage = seasoned();
    stage.learn(&rejoined(2, BrokerEpoch(50)));
    stage.follower_fetches(3, 2, 3);
    assert_eq!(answer(&mut stage, follower_fetch(2, 2, 3)).error, ErrorCode::NotLeaderOrFollower, "R28");
    assert_eq!(stage.high_watermark(), 0);
    let mut fetch = follower_fetch(2, 2, 3);
    fetch.fetcher = Fetcher::Replica { id: BrokerId(2), epoch: Some(BrokerEpoch(50)) };
    stage.follower_asks(2, fetch);
    assert_eq!(stage.high_watermark(), 3);
}

#[test]
fn a_fetch_of_a_life_that_the_leader_has_not_heard_of_yet_counts() {
    let mut stage = seasoned();
    stage.follower_fetches(3, 2, 3);
    let mut fetch = follower_fetch(2, 2, 3);
    fetch.fetcher = Fetcher::Replica { id: BrokerId(2), epoch: Some(BrokerEpoch(50)) };
    stage.follower_asks(2, fetch);
    assert_eq!(stage.high_watermark(), 3, "R28: only an older one is refused");
}

#[test]
fn a_follower_is_caught_up_if_it_has_what_there_was_when_its_last_fetch_was_read() {
    let mut stage = Stage::up(1, &three(1, &[1, 2], 1));
    for value in 0..8 {
        stage.follower_fetches(2, 0, value);
        stage.produce(1, Acks::Leader, &[value]);
        stage.pass(ms(20_000));
    }
    assert_eq!(stage.isr().0, [1, 2], "R28: always one behind, never lagging");
    assert!(!stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending()));
    stage.produce(1, Acks::Leader, &[8]);
    stage.pass(ms(45_001));
    assert!(stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending()));
}

#[test]
fn an_epoch_that_begins_between_reading_a_fetch_and_counting_it_voids_it() {
    let mut stage = seasoned();
    stage.follower_fetches(3, 2, 3);
    stage.follower_asks_only(2, follower_fetch(2, 2, 3));
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.run(|task| matches!(task, Task::CountFetch { .. }));
    assert_eq!(stage.high_watermark(), 0, "R30");
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.error), Some(ErrorCode::FencedLeaderEpoch));
}

#[test]
fn an_answer_carries_the_high_watermark_from_before_the_fetch_counted() {
    let mut stage = Stage::up(1, &three(1, &[1, 2], 1));
    stage.produce(1, Acks::Leader, &[1]);
    stage.produce(1, Acks::Leader, &[2]);
    let told = answer(&mut stage, follower_fetch(2, 0, 1));
    assert_eq!((told.high_watermark, stage.high_watermark()), (Some(EndOffset(0)), 1), "R31");
    stage.follower_fetches(2, 0, 2);
    stage.pass(ms(500));
    stage.run_all();
    assert_eq!(stage.fetched()[0].high_watermark, Some(EndOffset(2)), "a fetch that waited is read again");
}

#[test]
fn what_comes_between_the_read_and_the_count_does_not_make_the_follower_late() {
    let mut stage = Stage::up(1, &three(1, &[1, 2], 1));
    stage.follower_asks_only(2, follower_fetch(2, 0, 0));
    stage.produce(1, Acks::Leader, &[1]);
    stage.run(|task| matches!(task, Task::CountFetch { .. }));
    stage.pass(ms(29_999));
    stage.follower_fetches(2, 0, 0);
    stage.pass(ms(15_001));
    assert_eq!(stage.isr().0, [1, 2], "R24: it had all that there was when it was read");
}

#[test]
fn a_consumer_reads_below_the_high_watermark_only() {
    let mut stage = Stage::up(1, &three(1, &[1, 2], 1));
    stage.produce(1, Acks::Leader, &[1]);
    stage.produce(1, Acks::Leader, &[2]);
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    stage.answers();
    stage.ask(3, Request::Fetch(consumer_fetch(0)));
    stage.run_all();
    assert_eq!(values_in(stage.fetched().pop().expect("an answer").records), [(0, 0, 1)], "L70");
    assert_eq!(stage.noted(|event| matches!(event, Event::Served { upto, .. } if upto.0 == 1)), 1);
    stage.ask(3, Request::Fetch(consumer_fetch(2)));
    stage.run_all();
    assert_eq!(stage.fetched(), [], "between high watermark and end: nothing, and no error (R46)");
    stage.pass(ms(500));
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.error), Some(ErrorCode::None));
    stage.ask(3, Request::Fetch(consumer_fetch(3)));
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.error), Some(ErrorCode::OffsetOutOfRange));
}

fn offset_of(stage: &mut Stage, fetcher: Fetcher, spec: OffsetSpec) -> (ErrorCode, u64) {
    let asked = ListOffsetsPartition { partition: P, current_leader_epoch: None, spec };
    stage.ask(8, Request::ListOffsets(ListOffsetsRequest { fetcher, partitions: vec![asked] }));
    match stage.answers().pop() {
        Some((_, Response::ListOffsets(list))) => (list.partitions[0].error, list.partitions[0].offset.0),
        other => panic!("not the answer: {other:?}"),
    }
}

#[test]
fn a_client_is_not_told_an_end_before_the_high_watermark_has_reached_the_epoch() {
    let mut stage = seasoned();
    let follower = Fetcher::Replica { id: BrokerId(2), epoch: Some(life(2)) };
    assert_eq!(offset_of(&mut stage, Fetcher::Consumer, OffsetSpec::Latest).0, ErrorCode::OffsetNotAvailable, "L76");
    assert_eq!(offset_of(&mut stage, follower, OffsetSpec::Latest), (ErrorCode::None, 3));
    assert_eq!(offset_of(&mut stage, Fetcher::Consumer, OffsetSpec::Earliest), (ErrorCode::None, 0));
    stage.follower_fetches(2, 2, 2);
    stage.follower_fetches(3, 2, 2);
    stage.run_all();
    stage.answers();
    assert_eq!(offset_of(&mut stage, Fetcher::Consumer, OffsetSpec::Latest), (ErrorCode::None, 2));
}

#[test]
fn the_end_of_an_epoch_is_told_by_the_leader_of_the_same_epoch_only() {
    let mut stage = seasoned();
    let mut ends = Vec::new();
    for (current, asked) in [(2, 0), (2, 1), (2, 2), (2, 7), (1, 0)] {
        let current_leader_epoch = Some(LeaderEpoch(current));
        let leader_epoch = LeaderEpoch(asked);
        let asked = OffsetsForLeaderEpochPartition { partition: P, current_leader_epoch, leader_epoch };
        let fetcher = Fetcher::Consumer;
        let request = OffsetsForLeaderEpochRequest { fetcher, partitions: vec![asked] };
        stage.ask(8, Request::OffsetsForLeaderEpoch(request));
        let (_, response) = stage.answers().pop().expect("an answer");
        let error = error_of(&response);
        let Response::OffsetsForLeaderEpoch(answer) = response else { panic!("another answer") };
        ends.push((error, answer.partitions[0].end.map(|end| (end.epoch.0, end.end.0))));
    }
    let none = ErrorCode::None;
    assert_eq!(
        ends,
        [
            (none, Some((0, 2))),
            (none, Some((0, 2))),
            (none, Some((2, 3))),
            (none, None),
            (ErrorCode::FencedLeaderEpoch, None)
        ],
        "R42"
    );
}

#[test]
fn metadata_is_what_this_brokers_image_says() {
    let mut stage = seasoned();
    stage.learn(&[elected(None, &[1])]);
    stage.ask(8, Request::Metadata(MetadataRequest { topics: vec!["t".to_owned(), "none".to_owned()] }));
    let Some((_, Response::Metadata(answer))) = stage.answers().pop() else { panic!("no answer") };
    assert_eq!(answer.brokers.len(), 3);
    assert_eq!(answer.topics[0].partitions[0].error, ErrorCode::LeaderNotAvailable, "C49");
    assert_eq!(answer.topics[1].error, ErrorCode::UnknownTopicOrPartition);
}
