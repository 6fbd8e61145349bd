//! Produce: what is refused, what is appended, when it is answered (R22, R62-R63d, R140, C80).

use super::stage::{
    CLIENT, P, Q, Stage, batch, elected, isr_changed, joined, life, ms, produce, registration, three, topic,
};
use crate::config::{Acks, BrokerConfig};
use crate::event::Event;
use crate::machine::{Input, Severed, Task};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerId, LeaderEpoch, Partition, TopicId};
use crate::protocol::Protocol;
use crate::wire::{
    AlterPartitionRequest, Channel, ConnectionId, ErrorCode, MetadataRequest, ProducePartition, ProduceRequest,
    Request, Response,
};

/// The error of the first partition of a response.
pub(super) fn error_of(response: &Response) -> ErrorCode {
    match response {
        Response::Produce(produce) => produce.partitions[0].error,
        Response::Fetch(fetch) => fetch.partitions[0].error,
        Response::ListOffsets(list) => list.partitions[0].error,
        Response::OffsetsForLeaderEpoch(ends) => ends.partitions[0].error,
        other => panic!("no partitions in {other:?}"),
    }
}

fn leader_up(isr: &[u32], min_isr: u32) -> Stage {
    Stage::up(1, &three(1, isr, min_isr))
}

#[test]
fn acks_0_is_not_answered_and_what_follows_on_the_connection_is_served() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::None, &[1]);
    let asked = stage.produce(1, Acks::Leader, &[2]);
    assert_eq!(stage.answers().into_iter().map(|(of, _)| of).collect::<Vec<_>>(), [asked], "R63");
    assert_eq!(stage.values(), [1, 2]);
    assert_eq!(stage.closed, []);
}

#[test]
fn acks_0_that_fails_closes_the_connection_and_what_was_behind_it_is_lost() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    stage.produce(1, Acks::None, &[1]);
    let severed = Severed { peer: CLIENT, channel: Channel::Client, connection: ConnectionId(1) };
    assert_eq!(stage.closed, [severed], "R63");
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.produce(1, Acks::None, &[2]);
    assert_eq!(stage.values(), [0_u64; 0], "what the host had still in hand came before the end of the connection");
    stage.produce(2, Acks::None, &[3]);
    assert_eq!(stage.values(), [3]);
}

#[test]
fn acks_1_is_answered_as_soon_as_the_leader_has_it() {
    let mut stage = leader_up(&[1, 2, 3], 3);
    stage.produce(1, Acks::Leader, &[1, 2]);
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]]);
    assert_eq!(stage.high_watermark(), 0);
}

#[test]
fn acks_all_is_answered_once_the_high_watermark_has_passed_it() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::All, &[1, 2]);
    stage.run_all();
    stage.follower_fetches(2, 0, 2);
    stage.follower_fetches(3, 0, 1);
    stage.run_all();
    assert_eq!(stage.produced(), Vec::<Vec<_>>::new(), "the high watermark is 1");
    stage.follower_fetches(3, 0, 2);
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "R63a");
}

#[test]
fn acks_all_below_min_insync_replicas_is_refused_and_nothing_is_appended() {
    let mut stage = leader_up(&[1], 2);
    stage.produce(1, Acks::All, &[1]);
    assert_eq!(stage.produced(), [[(ErrorCode::NotEnoughReplicas, None)]], "R62");
    assert_eq!(stage.values(), [0_u64; 0]);
    stage.produce(1, Acks::Leader, &[2]);
    stage.produce(1, Acks::None, &[3]);
    assert_eq!(stage.values(), [2, 3], "the others never ask");
}

#[test]
fn min_insync_replicas_counts_no_more_than_there_are_replicas() {
    let mut stage = leader_up(&[1, 2, 3], 9);
    stage.produce(1, Acks::All, &[1]);
    stage.follower_fetches(2, 0, 1);
    stage.follower_fetches(3, 0, 1);
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "R5");
}

#[test]
fn a_produce_that_waits_times_out_and_its_record_stays() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.run_all();
    stage.pass(ms(29_999));
    assert_eq!(stage.produced(), Vec::<Vec<_>>::new());
    stage.pass(ms(1));
    assert_eq!(stage.produced(), [[(ErrorCode::RequestTimedOut, None)]], "R63a");
    stage.follower_fetches(2, 0, 1);
    stage.follower_fetches(3, 0, 1);
    assert_eq!(stage.high_watermark(), 1, "and may commit yet");
}

#[test]
fn an_isr_that_shrinks_below_the_minimum_after_the_append_freezes_the_high_watermark() {
    let mut stage = leader_up(&[1, 2], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.run_all();
    stage.learn(&[isr_changed(&[1])]);
    stage.run_all();
    stage.pass(ms(30_000));
    assert_eq!(stage.produced(), [[(ErrorCode::RequestTimedOut, None)]], "R63d");
    assert_eq!(stage.high_watermark(), 0);
}

#[test]
fn before_the_strict_gate_a_shrunken_isr_commits_and_the_answer_says_so() {
    let protocol = Protocol { watermark: crate::protocol::Watermark::MaximalIsr, ..Protocol::LATEST };
    let mut stage = Stage::with(1, BrokerConfig::default(), protocol).brought_up(&three(1, &[1, 2], 2));
    stage.produce(1, Acks::All, &[1]);
    stage.run_all();
    stage.learn(&[isr_changed(&[1])]);
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::NotEnoughReplicasAfterAppend, None)]], "R63d before 3.7");
    assert_eq!(stage.high_watermark(), 1);
}

#[test]
fn a_leader_that_is_elected_again_still_acknowledges_what_it_had_appended() {
    let mut stage = leader_up(&[1, 2], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.run_all();
    stage.learn(&[elected(Some(1), &[1, 2])]);
    stage.follower_fetches(2, 1, 1);
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "R63b");
}

#[test]
fn a_request_for_several_partitions_is_answered_when_all_are_decided() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1, 2])));
    let mut stage = Stage::up(1, &records);
    stage.ask(1, Request::Produce(produce(Acks::All, &[(P, &[1]), (Q, &[2])])));
    stage.run_all();
    assert_eq!(stage.produced(), Vec::<Vec<_>>::new());
    stage.pass(ms(30_000));
    let answer = (ErrorCode::None, Some(0));
    assert_eq!(stage.produced(), [[answer, (ErrorCode::RequestTimedOut, None)]], "what was decided stays decided");
}

#[test]
fn one_partition_that_is_refused_does_not_keep_another_from_being_appended() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 2, &[1, 2])));
    let mut stage = Stage::up(1, &records);
    stage.ask(1, Request::Produce(produce(Acks::All, &[(Q, &[2]), (P, &[1])])));
    stage.run_all();
    assert_eq!(stage.produced(), [[(ErrorCode::NotLeaderOrFollower, None), (ErrorCode::None, Some(0))]]);
}

#[test]
fn who_is_not_the_leader_says_who_is() {
    let mut stage = Stage::up(1, &three(2, &[1, 2, 3], 1));
    stage.produce(1, Acks::Leader, &[1]);
    let (_, Response::Produce(answer)) = stage.answers().remove(0) else { panic!("the answer to a produce") };
    assert_eq!(answer.partitions[0].current_leader, Some((BrokerId(2), LeaderEpoch(0))), "KIP-951");
}

#[test]
fn a_partition_that_is_not_here_is_refused_by_what_the_image_knows() {
    let mut records: Vec<MetadataRecord> = joined(1).into();
    records.extend(joined(2));
    records.push(topic(1));
    let mut elsewhere = registration(P, 2, &[2]);
    elsewhere.replicas = vec![BrokerId(2)];
    records.push(MetadataRecord::Partition(elsewhere));
    let mut stage = Stage::up(1, &records);
    let nowhere = Partition { topic: TopicId(77), index: 0 };
    for partition in [P, Q, nowhere] {
        stage.ask(1, Request::Produce(produce(Acks::Leader, &[(partition, &[1])])));
    }
    let errors: Vec<_> = stage.answers().iter().map(|(_, response)| error_of(response)).collect();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    assert_eq!(errors, [ErrorCode::NotLeaderOrFollower, unknown, ErrorCode::UnknownTopicId], "R21");
}

#[test]
fn what_is_no_single_sound_batch_is_refused() {
    let mut stage = leader_up(&[1], 1);
    let sound = batch(&[1]).bytes().to_vec();
    let mut rotten = sound.clone();
    *rotten.last_mut().expect("bytes") ^= 1;
    let cases: [(Vec<u8>, ErrorCode); 4] = [
        (Vec::new(), ErrorCode::InvalidRecord),
        ([sound.clone(), sound.clone()].concat(), ErrorCode::InvalidRecord),
        (sound[..20].to_vec(), ErrorCode::InvalidRecord),
        (rotten, ErrorCode::CorruptMessage),
    ];
    for (bytes, error) in cases {
        let partitions = vec![ProducePartition { partition: P, records: bytes.into() }];
        let request = ProduceRequest { acks: Acks::All, timeout: ms(1_000), partitions };
        stage.ask(1, Request::Produce(request));
        assert_eq!(stage.produced(), [[(error, None)]]);
    }
    assert_eq!(stage.values(), [0_u64; 0]);
}

#[test]
fn a_zombie_leader_accepts_because_a_produce_names_no_epoch() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.metadata.push(elected(Some(2), &[2, 3]));
    stage.produce(1, Acks::Leader, &[1]);
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "R22");
}

#[test]
fn pipelined_requests_on_one_connection_are_answered_in_order() {
    let mut stage = leader_up(&[1, 2], 2);
    let first = stage.produce(1, Acks::All, &[1]);
    let second = stage.produce(1, Acks::Leader, &[2]);
    let third = stage.ask(1, Request::Metadata(MetadataRequest { topics: Vec::new() }));
    let other = stage.produce(2, Acks::Leader, &[3]);
    stage.run_all();
    assert_eq!(stage.answers().iter().map(|(of, _)| *of).collect::<Vec<_>>(), [other]);
    assert_eq!(stage.values(), [1, 3], "C80: the second is not even read yet");
    stage.follower_fetches(2, 0, 2);
    stage.run_all();
    assert_eq!(
        stage.answers().iter().filter(|(of, _)| *of <= third).map(|(of, _)| *of).collect::<Vec<_>>(),
        [first, second, third]
    );
    assert_eq!(stage.values(), [1, 3, 2]);
}

#[test]
fn a_long_pipeline_is_served_without_a_deep_stack() {
    let mut stage = leader_up(&[1, 2], 2);
    stage.produce(1, Acks::All, &[1]);
    for _ in 0..50_000 {
        stage.ask(1, Request::Metadata(MetadataRequest { topics: vec!["none".to_owned()] }));
    }
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    assert_eq!(stage.answers().len(), 50_001);
}

#[test]
fn a_request_that_only_a_controller_serves_closes_the_connection() {
    let mut stage = leader_up(&[1], 1);
    let request = AlterPartitionRequest { broker: BrokerId(2), broker_epoch: life(2), partitions: Vec::new() };
    stage.ask(4, Request::AlterPartition(request));
    assert_eq!(stage.closed.len(), 1);
}

#[test]
fn a_connection_that_is_gone_takes_what_waited_on_it_along() {
    let mut stage = leader_up(&[1, 2], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.produce(1, Acks::Leader, &[2]);
    stage.run_all();
    stage.take(Input::Severed(Severed { peer: CLIENT, channel: Channel::Client, connection: ConnectionId(1) }));
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    assert_eq!(stage.values(), [1], "it was never read");
}

#[test]
fn a_log_that_syncs_by_count_says_so() {
    let config = BrokerConfig { log_flush_interval_messages: 2, ..BrokerConfig::default() };
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
    stage.produce(1, Acks::Leader, &[1]);
    assert_eq!(stage.noted(|event| matches!(event, Event::Flushed { .. })), 0);
    stage.produce(1, Acks::Leader, &[2]);
    assert_eq!(stage.noted(|event| matches!(event, Event::Flushed { upto, .. } if upto.0 == 2)), 1);
}

#[test]
fn a_metadata_change_may_fall_between_the_append_and_the_wait() {
    let mut stage = leader_up(&[1, 2], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.follower_fetches(2, 0, 1);
    stage.run(|task| matches!(task, Task::Wake { .. }));
    assert_eq!(stage.produced(), Vec::<Vec<_>>::new(), "the wake came before it waited");
    stage.run(|task| matches!(task, Task::ParkProduce { .. }));
    assert_eq!(stage.produced(), [[(ErrorCode::None, Some(0))]], "R64: it looks before it waits");
}
