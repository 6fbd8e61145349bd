//! What an admin client asks the leader of a partition, and what it makes of the answer.

use std::time::Duration;

use crate::client::Admin;
use crate::client::stage::{CLIENT, Stage, metadata, partition};
use crate::event::Event;
use crate::machine::Command;
use crate::names::{BrokerId, ControllerId, EndOffset, Node, Offset};
use crate::wire::{
    DeleteRecordsPartition, DeleteRecordsPartitionResponse, DeleteRecordsResponse, Envelope, ErrorCode, Fetcher,
    ListOffsetsPartitionResponse, ListOffsetsResponse, OffsetSpec, Request, Response,
};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn admin() -> Stage<Admin> {
    Stage::new(Admin::new(CLIENT, vec![ControllerId(100)], vec![BrokerId(1), BrokerId(2)], ms(60_000)))
}

fn delete(stage: &mut Stage<Admin>) {
    stage.submit(Command::DeleteRecords { topic: "t".to_owned(), partition: 1, before: Some(Offset(5)) });
}

/// The request that went to the leader.
fn asked_leader(stage: &mut Stage<Admin>, leader: u32) -> (Envelope, Request) {
    let (envelope, request) = stage.only_request();
    assert_eq!(envelope.to, Node::Broker(BrokerId(leader)));
    (envelope, request)
}

fn deleted(stage: &mut Stage<Admin>, request: &Envelope, error: ErrorCode, low: Option<u64>) {
    let low_watermark = low.map(EndOffset);
    let partitions = vec![DeleteRecordsPartitionResponse { partition: partition(1), error, low_watermark }];
    stage.answer(request, Response::DeleteRecords(DeleteRecordsResponse { partitions }));
}

fn listed(stage: &mut Stage<Admin>, request: &Envelope, error: ErrorCode, offset: u64, timestamp: Option<i64>) {
    let offset = EndOffset(offset);
    let part = ListOffsetsPartitionResponse { partition: partition(1), error, offset, timestamp, leader_epoch: None };
    stage.answer(request, Response::ListOffsets(ListOffsetsResponse { partitions: vec![part] }));
}

#[test]
fn records_are_deleted_at_the_leader_of_the_partition() {
    let mut stage = admin();
    delete(&mut stage);
    stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
    let (envelope, request) = asked_leader(&mut stage, 3);
    let Request::DeleteRecords(request) = request else { panic!("{request:?}") };
    let expected = DeleteRecordsPartition { partition: partition(1), before: Some(Offset(5)) };
    assert_eq!((request.partitions, request.timeout), (vec![expected], ms(30_000)));
    deleted(&mut stage, &envelope, ErrorCode::None, Some(5));
    let told =
        Event::RecordsDeleted { partition: partition(1), low_watermark: Some(EndOffset(5)), error: ErrorCode::None };
    assert_eq!(stage.notes(), [told]);
    stage.pass(ms(120_000));
    assert_eq!((stage.notes(), stage.sent()), (vec![], vec![]));
}

#[test]
fn who_leads_is_asked_again_after_an_answer_of_somebody_else_and_after_a_lost_connection() {
    let mut stage = admin();
    delete(&mut stage);
    stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
    let (envelope, _) = asked_leader(&mut stage, 3);
    deleted(&mut stage, &envelope, ErrorCode::NotLeaderOrFollower, None);
    stage.pass(ms(130));
    stage.tell(metadata("t", &[Some((1, 0)), None]));
    stage.pass(ms(260));
    stage.tell(metadata("t", &[Some((1, 0)), Some((2, 1))]));
    asked_leader(&mut stage, 2);
    stage.sever(BrokerId(2));
    // Some broker is asked; it may be one that has to be connected to again.
    stage.pass(ms(130));
    stage.tell(metadata("t", &[Some((1, 0)), Some((1, 2))]));
    let (envelope, _) = asked_leader(&mut stage, 1);
    assert_eq!(stage.notes(), []);
    deleted(&mut stage, &envelope, ErrorCode::None, Some(7));
    assert!(matches!(stage.notes()[..], [Event::RecordsDeleted { low_watermark: Some(EndOffset(7)), .. }]));
}

#[test]
fn a_refusal_for_good_is_told_at_once() {
    for error in [ErrorCode::PolicyViolation, ErrorCode::OffsetOutOfRange] {
        let mut stage = admin();
        delete(&mut stage);
        stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
        let (envelope, _) = asked_leader(&mut stage, 3);
        deleted(&mut stage, &envelope, error, None);
        assert_eq!(stage.notes(), [Event::RecordsDeleted { partition: partition(1), low_watermark: None, error }]);
    }
}

#[test]
fn a_question_that_nobody_answers_ends_with_the_timeout() {
    let mut stage = admin();
    delete(&mut stage);
    stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
    let (envelope, _) = asked_leader(&mut stage, 3);
    deleted(&mut stage, &envelope, ErrorCode::RequestTimedOut, None);
    stage.pass(ms(59_999));
    stage.sent();
    assert_eq!(stage.notes(), []);
    stage.pass(ms(1));
    let error = ErrorCode::RequestTimedOut;
    assert_eq!(stage.notes(), [Event::RecordsDeleted { partition: partition(1), low_watermark: None, error }]);

    let mut stage = admin();
    stage.submit(Command::ListOffsets { topic: "u".to_owned(), partition: 0, spec: OffsetSpec::Latest });
    stage.pass(ms(60_000));
    assert_eq!(stage.notes(), [Event::TopicDescribed { name: "u".to_owned(), partitions: Vec::new() }]);
}

#[test]
fn an_offset_is_listed_by_what_was_asked_for() {
    let cases = [
        (OffsetSpec::Latest, (9, None), Some((EndOffset(9), None))),
        (OffsetSpec::Timestamp(77), (4, Some(80)), Some((EndOffset(4), Some(80)))),
        (OffsetSpec::Timestamp(99), (0, None), None),
        (OffsetSpec::MaxTimestamp, (0, None), None),
    ];
    for (spec, (offset, timestamp), found) in cases {
        let mut stage = admin();
        stage.submit(Command::ListOffsets { topic: "t".to_owned(), partition: 1, spec });
        stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
        let (envelope, request) = asked_leader(&mut stage, 3);
        let Request::ListOffsets(request) = request else { panic!("{request:?}") };
        assert_eq!((request.fetcher, request.partitions[0].spec), (Fetcher::Consumer, spec));
        listed(&mut stage, &envelope, ErrorCode::OffsetNotAvailable, 0, None);
        assert_eq!(stage.notes(), [], "a new leader does not know yet: ask again");
        stage.pass(ms(130));
        stage.tell(metadata("t", &[Some((1, 0)), Some((3, 0))]));
        let (envelope, _) = asked_leader(&mut stage, 3);
        listed(&mut stage, &envelope, ErrorCode::None, offset, timestamp);
        let partition = partition(1);
        assert_eq!(stage.notes(), [Event::OffsetListed { partition, spec, found, error: ErrorCode::None }]);
    }
}
