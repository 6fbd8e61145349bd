//! DeleteRecords: who may, how far, and how long the answer waits (L75, L25).

use super::following::asked;
use super::stage::{
    P, Stage, delete_records, elected, fenced, follower_fetch_of, isr_changed, life, ms, records_behind, stored, three,
    two,
};
use crate::config::{Acks, BrokerConfig, CleanupPolicy};
use crate::event::{Event, StartCause};
use crate::machine::Task;
use crate::names::EndOffset;
use crate::protocol::Protocol;
use crate::wire::{Channel, ErrorCode, Request};

/// A leader with two followers, and five committed records in five batches.
fn leader() -> Stage {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    fill(&mut stage);
    stage
}

fn fill(stage: &mut Stage) {
    for value in 0..5 {
        stage.produce(1, Acks::Leader, &[value]);
        stage.run_all();
    }
    for follower in [2, 3] {
        stage.follower_asks(follower, follower_fetch_of(follower, 0, 5, 0));
    }
    stage.run_all();
    stage.answers();
    assert_eq!(stage.high_watermark(), 5);
}

fn fetches(stage: &mut Stage, follower: u32, log_start: u64) {
    stage.follower_asks(follower, follower_fetch_of(follower, 0, 5, log_start));
    stage.run_all();
}

fn answered(stage: &Stage) -> Vec<(ErrorCode, Option<EndOffset>)> {
    let said = |event: &Event| match event {
        Event::DeleteRecordsAnswered { error, low_watermark, .. } => Some((*error, *low_watermark)),
        _ => None,
    };
    stage.notes.iter().filter_map(said).collect()
}

#[test]
fn the_leaders_log_begins_later_at_once_and_the_answer_waits_for_every_live_replica() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    assert_eq!((stage.start_offset(), stage.deleted()), (3, vec![]), "followers have not said so yet");
    let moved = Event::LogStartMoved {
        partition: P,
        start: EndOffset(3),
        cause: StartCause::DeleteRecords,
        high_watermark: EndOffset(5),
    };
    assert!(stage.notes.contains(&moved));
    assert_eq!(stage.run(|task| matches!(task, Task::WriteEpochs { .. })), 1, "L37");
    fetches(&mut stage, 2, 3);
    assert_eq!(stage.deleted(), []);
    fetches(&mut stage, 3, 4);
    assert_eq!(stage.deleted(), [(ErrorCode::None, Some(3))]);
    assert_eq!(answered(&stage), [(ErrorCode::None, Some(EndOffset(3)))]);
}

#[test]
fn without_an_offset_everything_committed_goes() {
    let mut stage = leader();
    stage.produce(1, Acks::Leader, &[5]);
    stage.run_all();
    stage.delete_records(9, None);
    assert_eq!((stage.start_offset(), stage.end()), (5, 6), "the sixth is not committed");
    for follower in [2, 3] {
        fetches(&mut stage, follower, 5);
    }
    assert_eq!(stage.deleted(), [(ErrorCode::None, Some(5))]);
}

#[test]
fn what_is_not_committed_cannot_be_deleted() {
    let mut stage = leader();
    stage.produce(1, Acks::Leader, &[5]);
    stage.run_all();
    stage.delete_records(9, Some(6));
    assert_eq!((stage.deleted(), stage.start_offset()), (vec![(ErrorCode::OffsetOutOfRange, None)], 0));
}

#[test]
fn a_log_never_begins_earlier_again() {
    let mut stage = leader();
    stage.delete_records(8, Some(4));
    for follower in [2, 3] {
        fetches(&mut stage, follower, 4);
    }
    assert_eq!(stage.deleted(), [(ErrorCode::None, Some(4))]);
    stage.delete_records(9, Some(2));
    assert_eq!(stage.deleted(), [(ErrorCode::None, Some(4))], "it is true already");
    assert_eq!((stage.start_offset(), stage.noted(|event| matches!(event, Event::LogStartMoved { .. }))), (4, 1));
}

#[test]
fn a_follower_refuses_and_so_does_a_leader_of_a_log_that_is_only_compacted() {
    let mut follower = Stage::up(2, &three(1, &[1, 2, 3], 1));
    follower.delete_records(9, Some(0));
    assert_eq!(follower.deleted(), [(ErrorCode::NotLeaderOrFollower, None)]);

    let config = BrokerConfig { log_cleanup_policy: CleanupPolicy::COMPACT, ..BrokerConfig::default() };
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1, 2, 3], 1));
    stage.delete_records(9, Some(0));
    assert_eq!(stage.deleted(), [(ErrorCode::PolicyViolation, None)]);

    let mut stranger = Stage::up(3, &two(1, &[1, 2], 1));
    stranger.delete_records(9, Some(0));
    assert_eq!(stranger.deleted(), [(ErrorCode::NotLeaderOrFollower, None)]);
}

#[test]
fn a_replica_that_is_not_alive_is_not_waited_for() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    fetches(&mut stage, 2, 3);
    assert_eq!(stage.deleted(), []);
    stage.learn(&[fenced(3, life(3), true)]);
    stage.run_all();
    fetches(&mut stage, 2, 4);
    assert_eq!(stage.deleted(), [], "as in Kafka nobody looks again for that alone");
    // Somebody does when the high watermark moves.
    stage.learn(&[isr_changed(&[1, 2])]);
    stage.produce(1, Acks::Leader, &[5]);
    stage.run_all();
    stage.follower_asks(2, follower_fetch_of(2, 0, 6, 3));
    stage.run_all();
    assert_eq!((stage.high_watermark(), stage.deleted()), (6, vec![(ErrorCode::None, Some(3))]));
}

#[test]
fn a_client_waits_no_longer_than_it_said() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    stage.pass(ms(29_999));
    assert_eq!(stage.deleted(), []);
    stage.pass(ms(1));
    assert_eq!(stage.deleted(), [(ErrorCode::RequestTimedOut, None)]);
    assert_eq!(stage.start_offset(), 3, "it is done here all the same");
    for follower in [2, 3] {
        fetches(&mut stage, follower, 3);
    }
    assert_eq!(stage.deleted(), []);
}

#[test]
fn who_waits_is_told_when_the_leadership_is_lost() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    stage.run_all();
    assert_eq!(stage.deleted(), [(ErrorCode::NotLeaderOrFollower, None)]);
}

#[test]
fn a_request_behind_another_on_its_connection_is_served_when_that_is_answered() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    stage.delete_records(9, Some(4));
    assert_eq!(stage.start_offset(), 3);
    for follower in [2, 3] {
        fetches(&mut stage, follower, 4);
    }
    assert_eq!((stage.start_offset(), stage.deleted().len()), (4, 2));
}

#[test]
fn nothing_below_the_start_of_the_log_is_served() {
    let mut stage = leader();
    stage.delete_records(9, Some(3));
    stage.answers();
    for (offset, error) in [(2, ErrorCode::OffsetOutOfRange), (3, ErrorCode::None)] {
        stage.ask(7, Request::Fetch(super::stage::consumer_fetch(offset)));
        stage.run_all();
        assert_eq!(stage.fetched().pop().expect("an answer").error, error, "from {offset}");
    }
}

#[test]
fn a_follower_learns_where_its_leaders_log_begins() {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_behind(0, 3, &[stored(0, 0, &[1, 2]), stored(2, 0, &[3, 4])]));
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!(asked(&fetch).log_start.0, 0);
    stage.answer(&fetch, records_behind(3, 4, &[]));
    stage.run_all();
    assert_eq!((stage.start_offset(), stage.high_watermark()), (3, 4), "L25");
    let cause = |event: &Event| matches!(event, Event::LogStartMoved { cause: StartCause::Leader, .. });
    assert_eq!(stage.noted(cause), 1);
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!((asked(&fetch).log_start.0, asked(&fetch).fetch_offset.0), (3, 4), "and says so");
    stage.answer(&fetch, records_behind(1, 4, &[]));
    stage.run_all();
    assert_eq!(stage.start_offset(), 3, "never back");
}

#[test]
fn a_start_above_the_followers_high_watermark_fails_the_partition() {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_behind(2, 1, &[stored(0, 0, &[1, 2])]));
    stage.run_all();
    assert_eq!((stage.start_offset(), stage.high_watermark()), (0, 1), "L25");
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "until the next epoch");
}

/// T18: a leader whose log begins inside a batch sends all of it to a follower that is empty.
#[test]
fn an_empty_follower_takes_the_whole_batch_in_which_its_leaders_log_begins() {
    let mut leader = leader();
    leader.produce(1, Acks::Leader, &[5, 6, 7, 8]);
    leader.run_all();
    for follower in [2, 3] {
        leader.follower_asks(follower, follower_fetch_of(follower, 0, 9, 0));
        leader.run_all();
    }
    leader.delete_records(9, Some(7));
    assert_eq!(leader.start_offset(), 7);
    leader.answers();
    leader.follower_asks(3, follower_fetch_of(3, 0, 7, 7));
    leader.run_all();
    let served = leader.fetched().pop().expect("an answer");
    assert_eq!((served.error, served.log_start), (ErrorCode::None, Some(EndOffset(7))));

    let mut follower = Stage::up(3, &three(1, &[1, 2, 3], 1));
    super::following::restart_log_at(&mut follower, 7);
    let fetch = follower.expect_sent(Channel::ReplicaFetch);
    assert_eq!(asked(&fetch).fetch_offset.0, 7);
    let answer = crate::wire::FetchResponse { partitions: vec![served] };
    follower.answer(&fetch, crate::wire::Response::Fetch(answer));
    follower.run_all();
    assert_eq!(follower.records(), [(5, 0, 5), (6, 0, 6), (7, 0, 7), (8, 0, 8)], "L22");
    assert_eq!((follower.start_offset(), follower.end(), follower.high_watermark()), (7, 9, 9));
}

#[test]
fn several_partitions_are_decided_one_by_one() {
    let mut stage = leader();
    let mut request = delete_records(Some(3));
    request.partitions.push(crate::wire::DeleteRecordsPartition { partition: super::stage::Q, before: None });
    stage.ask(9, Request::DeleteRecords(request));
    assert_eq!((stage.start_offset(), stage.answers().len()), (3, 0), "one of the two waits");
    for follower in [2, 3] {
        fetches(&mut stage, follower, 3);
    }
    let is_deletion = |response: &crate::wire::Response| matches!(response, crate::wire::Response::DeleteRecords(_));
    let answers: Vec<_> = stage.answers().into_iter().filter(|(_, response)| is_deletion(response)).collect();
    let [(_, crate::wire::Response::DeleteRecords(answer))] = &answers[..] else { panic!("{answers:?}") };
    let errors: Vec<_> = answer.partitions.iter().map(|part| part.error).collect();
    assert_eq!(errors, [ErrorCode::None, ErrorCode::UnknownTopicOrPartition]);
}
