//! ListOffsets by timestamp: what is found, and what is not told (L76).

use bytes::Bytes;

use super::stage::{P, Stage, elected, follower_fetch_of, three};
use crate::config::Acks;
use crate::log::BatchBuilder;
use crate::names::{BrokerId, LeaderEpoch};
use crate::wire::{
    ErrorCode, Fetcher, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, OffsetSpec,
    ProducePartition, ProduceRequest, Request, Response,
};

const FOLLOWER: Fetcher = Fetcher::Replica { id: BrokerId(2), epoch: None };

/// A leader with one batch of these timestamps after the other. The followers have fetched up to `fetched`.
fn leader(batches: &[&[i64]], fetched: u64) -> Stage {
    let mut stage = Stage::up(1, &three(1, &[1, 2, 3], 1));
    for timestamps in batches {
        produce(&mut stage, timestamps);
    }
    for follower in [2, 3] {
        stage.follower_asks(follower, follower_fetch_of(follower, 0, fetched, 0));
        stage.run_all();
    }
    stage.answers();
    stage
}

fn produce(stage: &mut Stage, timestamps: &[i64]) {
    let mut builder = BatchBuilder::new(timestamps[0]);
    for (value, &timestamp) in (0_u64..).zip(timestamps) {
        builder.push(timestamp, None, Some(&Bytes::copy_from_slice(&value.to_be_bytes())), &[]);
    }
    let partitions = vec![ProducePartition { partition: P, records: builder.build().bytes().clone() }];
    let timeout = std::time::Duration::from_secs(30);
    stage.ask(1, Request::Produce(ProduceRequest { acks: Acks::Leader, timeout, partitions }));
    stage.run_all();
}

fn ask(stage: &mut Stage, fetcher: Fetcher, spec: OffsetSpec) -> ListOffsetsPartitionResponse {
    let partitions = vec![ListOffsetsPartition { partition: P, current_leader_epoch: None, spec }];
    stage.ask(40, Request::ListOffsets(ListOffsetsRequest { fetcher, partitions }));
    let answers = stage.answers();
    let Some((_, Response::ListOffsets(answer))) = answers.last() else { panic!("{answers:?}") };
    answer.partitions[0]
}

fn found(stage: &mut Stage, spec: OffsetSpec) -> (ErrorCode, Option<(u64, i64)>) {
    let answer = ask(stage, Fetcher::Consumer, spec);
    (answer.error, answer.timestamp.map(|timestamp| (answer.offset.0, timestamp)))
}

#[test]
fn the_first_record_that_is_not_older_is_found() {
    let mut stage = leader(&[&[10, 20], &[30, 25, 40]], 5);
    for (asked, expected) in [(0, (0, 10)), (10, (0, 10)), (11, (1, 20)), (21, (2, 30)), (31, (4, 40)), (40, (4, 40))] {
        assert_eq!(found(&mut stage, OffsetSpec::Timestamp(asked)), (ErrorCode::None, Some(expected)), "{asked}");
    }
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(41)), (ErrorCode::None, None));
    assert_eq!(found(&mut stage, OffsetSpec::MaxTimestamp), (ErrorCode::None, Some((4, 40))));
    let answer = ask(&mut stage, Fetcher::Consumer, OffsetSpec::Timestamp(21));
    assert_eq!(answer.leader_epoch, Some(LeaderEpoch(0)), "that of the record");
}

#[test]
fn a_client_is_not_told_of_what_is_not_committed_and_a_replica_is() {
    let mut stage = leader(&[&[10, 20], &[30]], 2);
    assert_eq!(stage.high_watermark(), 2);
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(15)), (ErrorCode::None, Some((1, 20))));
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(25)), (ErrorCode::None, None));
    assert_eq!(found(&mut stage, OffsetSpec::MaxTimestamp), (ErrorCode::None, None), "as in Kafka");
    let told = ask(&mut stage, FOLLOWER, OffsetSpec::Timestamp(25));
    assert_eq!((told.offset.0, told.timestamp), (2, Some(30)));
}

#[test]
fn a_leader_that_does_not_know_its_high_watermark_yet_does_not_say_that_there_is_no_record() {
    let mut stage = leader(&[&[10, 20], &[30]], 2);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.run_all();
    stage.answers();
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(15)), (ErrorCode::None, Some((1, 20))), "this it knows");
    for spec in [OffsetSpec::Timestamp(25), OffsetSpec::Timestamp(99), OffsetSpec::MaxTimestamp, OffsetSpec::Latest] {
        assert_eq!(found(&mut stage, spec).0, ErrorCode::OffsetNotAvailable, "{spec:?}");
    }
    assert_eq!(ask(&mut stage, Fetcher::Consumer, OffsetSpec::Earliest).error, ErrorCode::None);
    for follower in [2, 3] {
        stage.follower_asks(follower, follower_fetch_of(follower, 1, 3, 0));
        stage.run_all();
    }
    stage.answers();
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(25)), (ErrorCode::None, Some((2, 30))));
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(99)), (ErrorCode::None, None));
}

#[test]
fn records_below_the_start_of_the_log_are_not_found() {
    let mut stage = leader(&[&[10, 20, 30]], 3);
    stage.delete_records(9, Some(2));
    stage.answers();
    assert_eq!(found(&mut stage, OffsetSpec::Timestamp(5)), (ErrorCode::None, Some((2, 30))));
    assert_eq!(ask(&mut stage, Fetcher::Consumer, OffsetSpec::Earliest).offset.0, 2);
}
