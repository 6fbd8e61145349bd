//! Requests that wait: nobody is forgotten, nobody is answered twice (R32, R64-R67).

use super::stage::{
    P, Q, Stage, consumer_fetch, elected, follower_fetch, ms, produce, records_from, registration, stored, three,
    values_in,
};
use crate::config::Acks;
use crate::machine::{Input, Task};
use crate::metadata::MetadataRecord;
use crate::names::EndOffset;
use crate::wire::{Channel, ErrorCode, FetchPartition, Request};

fn leader_up(isr: &[u32], min_isr: u32) -> Stage {
    Stage::up(1, &three(1, isr, min_isr))
}

#[test]
fn a_fetch_with_nothing_to_read_waits_for_the_append() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    assert_eq!(stage.fetched(), [], "R32");
    stage.produce(1, Acks::None, &[1]);
    stage.run_all();
    assert_eq!(values_in(stage.fetched().pop().expect("woken").records), [(0, 0, 1)], "R66");
    stage.pass(ms(10_000));
    stage.run_all();
    assert_eq!(stage.fetched(), [], "and answered once");
}

#[test]
fn an_append_between_the_read_and_the_wait_is_not_missed() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.follower_asks_only(2, follower_fetch(2, 0, 0));
    stage.produce(1, Acks::None, &[1]);
    stage.run(|task| matches!(task, Task::Wake { .. }));
    stage.run_all();
    assert_eq!(values_in(stage.fetched().pop().expect("not after 500 ms").records), [(0, 0, 1)], "R64");
}

#[test]
fn a_new_high_watermark_alone_does_not_wake_a_follower() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.produce(1, Acks::None, &[1]);
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    stage.follower_fetches(3, 0, 1);
    stage.run_all();
    assert_eq!((stage.high_watermark(), stage.fetched().len()), (1, 0), "R67");
    stage.pass(ms(500));
    stage.run_all();
    let marks: Vec<_> = stage.fetched().into_iter().map(|part| part.high_watermark).collect();
    assert_eq!(marks, [Some(EndOffset(1)); 2]);
}

#[test]
fn a_new_high_watermark_wakes_a_consumer() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.ask(3, Request::Fetch(consumer_fetch(0)));
    stage.produce(1, Acks::None, &[1]);
    stage.run_all();
    assert_eq!(stage.fetched(), []);
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    assert_eq!(values_in(stage.fetched().pop().expect("woken").records), [(0, 0, 1)]);
}

#[test]
fn min_bytes_are_waited_for_until_max_wait() {
    let mut stage = leader_up(&[1], 1);
    let mut fetch = consumer_fetch(0);
    fetch.min_bytes = 1_000;
    stage.ask(3, Request::Fetch(fetch));
    stage.produce(1, Acks::None, &[1]);
    stage.run_all();
    assert_eq!(stage.fetched(), []);
    stage.pass(ms(500));
    stage.run_all();
    assert_eq!(values_in(stage.fetched().pop().expect("what there is").records), [(0, 0, 1)]);
}

#[test]
fn a_fetch_that_will_not_wait_is_answered_at_once() {
    let mut stage = leader_up(&[1], 1);
    let mut fetch = consumer_fetch(0);
    fetch.max_wait = ms(0);
    stage.ask(3, Request::Fetch(fetch));
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.records.len()), Some(0), "R32");
}

#[test]
fn an_error_in_one_partition_answers_for_all() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 2, &[2])));
    let mut stage = Stage::up(1, &records);
    let mut fetch = consumer_fetch(0);
    fetch.partitions.push(FetchPartition { partition: Q, ..fetch.partitions[0] });
    stage.ask(3, Request::Fetch(fetch));
    stage.run_all();
    assert_eq!(stage.answers().len(), 1, "R32");
}

#[test]
fn a_log_cut_under_a_fetch_that_waits_ends_the_wait() {
    let mut stage = leader_up(&[1], 1);
    stage.produce(1, Acks::None, &[1, 2]);
    stage.ask(3, Request::Fetch(consumer_fetch(2)));
    stage.run_all();
    assert_eq!(stage.fetched(), []);
    stage.learn(&[elected(Some(2), &[2])]);
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.error), Some(ErrorCode::NotLeaderOrFollower), "R65");
}

#[test]
fn a_fetch_that_was_woken_does_not_count_as_another_fetch() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    stage.pass(ms(29_000));
    stage.produce(1, Acks::None, &[1]);
    stage.run_all();
    assert_eq!(stage.fetched().len(), 1, "answered after half a second already");
    stage.pass(ms(17_000));
    assert!(stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending()), "N16: last seen 46 s ago");
}

#[test]
fn the_bytes_are_those_that_lie_there_when_the_answer_leaves() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.produce(1, Acks::None, &[1]);
    stage.follower_fetches(2, 0, 0);
    let (late, rest): (Vec<_>, Vec<_>) =
        std::mem::take(&mut stage.tasks).into_iter().partition(|task| matches!(task, Task::AnswerFetch { .. }));
    stage.tasks = rest;
    stage.learn(&[elected(Some(3), &[1, 2, 3])]);
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, super::following::diverging(0, 0));
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(0), stored(0, 1, &[9]).bytes().to_vec()));
    for task in late {
        stage.take(Input::Later(task));
    }
    assert_eq!(values_in(stage.fetched().pop().expect("an answer").records), [(0, 1, 9)], "L71, N15");
}

#[test]
fn a_response_is_cut_at_its_limit_but_holds_at_least_one_batch() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1])));
    let mut stage = Stage::up(1, &records);
    for value in 0..3 {
        stage.ask(1, Request::Produce(produce(Acks::None, &[(P, &[value]), (Q, &[10 + value])])));
    }
    let one = stored(0, 0, &[0]).size() as u32;
    for (limit, expected) in [(1, [1, 0]), (2 * one, [2, 0]), (4 * one, [3, 1]), (100 * one, [3, 3])] {
        let mut fetch = consumer_fetch(0);
        fetch.max_bytes = limit;
        fetch.partitions.push(FetchPartition { partition: Q, ..fetch.partitions[0] });
        stage.ask(3, Request::Fetch(fetch));
        stage.run_all();
        let (_, response) = stage.answers().pop().expect("an answer");
        let crate::wire::Response::Fetch(answer) = response else { panic!("a fetch") };
        let counts: Vec<_> = answer.partitions.into_iter().map(|part| values_in(part.records).len()).collect();
        assert_eq!(counts, expected, "L70, limit {limit}");
    }
}
