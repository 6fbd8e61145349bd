//! Proposing another ISR: who joins, who leaves, and what becomes of the answer (R47-R61).

use super::stage::{
    P, Q, Stage, accepted, elected, fenced, follower_fetch, isr_changed, life, ms, registration, rejoined, three,
};
use crate::config::Acks;
use crate::machine::{Input, Severed};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, BrokerId, PartitionEpoch};
use crate::wire::{AlterPartitionResponse, Channel, ConnectionId, ErrorCode, Fetcher, IsrMember, Response};

fn leader_up(isr: &[u32], min_isr: u32) -> Stage {
    Stage::up(1, &three(1, isr, min_isr))
}

/// A leader that has proposed b2, and the request is on its way.
fn proposing() -> (Stage, crate::wire::Envelope) {
    let mut stage = leader_up(&[1], 1);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    let (request, _) = stage.proposal().expect("b2 is to join");
    (stage, request)
}

fn pending(stage: &Stage) -> bool {
    stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending())
}

#[test]
fn a_follower_joins_from_the_high_watermark_and_the_epoch_start_on() {
    let mut stage = leader_up(&[1], 1);
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.follower_fetches(2, 0, 1);
    assert!(!pending(&stage), "R47: the high watermark is 2");
    stage.follower_fetches(2, 0, 2);
    assert!(pending(&stage));
}

#[test]
fn who_is_fenced_or_unregistered_or_rebooted_does_not_join() {
    let mut stage = leader_up(&[1], 1);
    stage.learn(&[fenced(2, life(2), true)]);
    stage.follower_fetches(2, 0, 0);
    assert!(!pending(&stage), "R48: fenced");
    stage.learn(&rejoined(2, BrokerEpoch(50)));
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    assert_eq!(stage.fetched().pop().map(|part| part.error), Some(ErrorCode::NotLeaderOrFollower), "R28");
    assert!(!pending(&stage), "R48: another life");
    let mut fetch = follower_fetch(2, 0, 0);
    fetch.fetcher = Fetcher::Replica { id: BrokerId(2), epoch: Some(BrokerEpoch(50)) };
    stage.follower_asks(2, fetch);
    assert!(pending(&stage));
}

#[test]
fn a_proposal_names_the_life_of_each_member() {
    let mut stage = leader_up(&[1, 3], 1);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    let (_, items) = stage.proposal().expect("b2 is to join");
    let member = |id, epoch| IsrMember { id: BrokerId(id), epoch };
    let expected = [member(1, Some(life(1))), member(3, None), member(2, Some(life(2)))];
    assert_eq!(items[0].new_isr, expected, "R52: b3 has not fetched yet");
    assert_eq!(items[0].partition_epoch, PartitionEpoch(0));
}

#[test]
fn laggards_leave_all_at_once_after_the_lag_and_the_leader_never_does() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.follower_fetches(2, 0, 0);
    stage.follower_fetches(3, 0, 0);
    stage.produce(1, Acks::Leader, &[1]);
    stage.pass(ms(30_000));
    assert!(!pending(&stage), "R50: not before the lag is over");
    stage.pass(ms(15_001));
    stage.run_all();
    let (_, items) = stage.proposal().expect("both are to leave");
    assert_eq!(items[0].new_isr.iter().map(|member| member.id.0).collect::<Vec<_>>(), [1], "R51");
    assert_eq!(stage.isr(), (vec![1, 2, 3], vec![1, 2, 3]), "R50: they count until the controller agrees");
}

#[test]
fn a_silent_follower_stays_while_there_is_nothing_to_fetch() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.follower_fetches(2, 0, 0);
    stage.follower_fetches(3, 0, 0);
    stage.pass(ms(600_000));
    assert!(!pending(&stage), "R7");
}

#[test]
fn one_change_at_a_time() {
    let mut stage = leader_up(&[1], 1);
    stage.follower_fetches(2, 0, 0);
    stage.follower_fetches(3, 0, 0);
    assert_eq!(stage.isr(), (vec![1], vec![1, 2]), "R53");
    stage.run_all();
    let (request, _) = stage.proposal().expect("b2 is to join");
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2], 1)))]);
    stage.follower_fetches(3, 0, 0);
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2, 3]), "the next fetch asks again");
}

#[test]
fn one_request_at_a_time_carries_all_that_waits() {
    let mut records = three(1, &[1], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1])));
    let mut stage = Stage::up(1, &records);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    let (first, items) = stage.proposal().expect("P");
    assert_eq!(items.len(), 1);
    let mut fetch = follower_fetch(2, 0, 0);
    fetch.partitions[0].partition = Q;
    stage.follower_asks(2, fetch);
    stage.run_all();
    assert!(stage.proposal().is_none(), "R54: one in flight");
    stage.answer_proposal(&first, &[]);
    stage.run_all();
    let (second, items) = stage.proposal().expect("both");
    assert_eq!(items.iter().map(|item| item.partition).collect::<Vec<_>>(), [P, Q], "R56: what was not answered stays");
    stage.answer_proposal(&second, &[(P, Ok(accepted(1, 0, &[1, 2], 1))), (Q, Ok(accepted(1, 0, &[1, 2], 1)))]);
    stage.run_all();
    assert!(stage.proposal().is_none());
    assert!(!pending(&stage));
}

#[test]
fn a_lost_request_is_sent_again_for_ever() {
    let (mut stage, mut request) = proposing();
    let top_level = |error| Response::AlterPartition(AlterPartitionResponse { error, partitions: Vec::new() });
    for round in 0..3 {
        match round {
            0 => stage.answer(&request, top_level(ErrorCode::StaleBrokerEpoch)),
            1 => stage.take(Input::Severed(Severed {
                peer: super::stage::CONTROLLER,
                channel: Channel::AlterPartition,
                connection: ConnectionId(3),
            })),
            _ => stage.pass(ms(30_000)),
        }
        assert!(stage.proposal().is_none(), "R56: after 50 ms");
        stage.pass(ms(50));
        stage.run_all();
        let (again, items) = stage.proposal().expect("R56");
        assert_ne!(again.correlation, request.correlation);
        assert_eq!(items.len(), 1);
        assert!(pending(&stage), "R53: no timeout");
        request = again;
    }
}

#[test]
fn a_change_that_was_certainly_not_made_is_taken_back() {
    for error in [ErrorCode::OperationNotAttempted, ErrorCode::IneligibleReplica] {
        let (mut stage, request) = proposing();
        stage.produce(1, Acks::Leader, &[1]);
        stage.answer_proposal(&request, &[(P, Err(error))]);
        assert_eq!(stage.isr(), (vec![1], vec![1]), "R59");
        assert_eq!(stage.high_watermark(), 0, "R40: that is no reason to try");
        stage.pass(ms(60_000));
        stage.run_all();
        assert!(stage.proposal().is_none());
        stage.produce(1, Acks::Leader, &[2]);
        assert_eq!(stage.high_watermark(), 2);
    }
}

#[test]
fn a_change_that_may_have_been_made_stays_pending_until_metadata_comes() {
    let errors = [
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::FencedLeaderEpoch,
        ErrorCode::InvalidUpdateVersion,
        ErrorCode::InvalidRequest,
        ErrorCode::NewLeaderElected,
    ];
    for error in errors {
        let (mut stage, request) = proposing();
        stage.answer_proposal(&request, &[(P, Err(error))]);
        stage.pass(ms(1_000));
        stage.run_all();
        assert!(stage.proposal().is_none(), "R59: {error} is not asked again");
        assert_eq!(stage.isr(), (vec![1], vec![1, 2]), "R60");
        stage.learn(&[isr_changed(&[1, 2])]);
        assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2]), "R61");
        stage.follower_fetches(3, 0, 0);
        stage.run_all();
        assert!(stage.proposal().is_some(), "and the next change can come");
    }
}

#[test]
fn any_other_error_is_asked_again() {
    for error in [ErrorCode::NotController, ErrorCode::UnknownServerError] {
        let (mut stage, request) = proposing();
        stage.answer_proposal(&request, &[(P, Err(error))]);
        assert!(pending(&stage));
        stage.pass(ms(50));
        stage.run_all();
        let (_, items) = stage.proposal().expect("R59");
        assert_eq!(items[0].partition_epoch, PartitionEpoch(0));
    }
}

#[test]
fn an_answer_that_metadata_has_overtaken_means_nothing() {
    let (mut stage, request) = proposing();
    stage.learn(&[elected(Some(1), &[1])]);
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2], 1)))]);
    assert_eq!(stage.isr(), (vec![1], vec![1]), "R57, R58");
}

#[test]
fn a_proposal_of_an_earlier_leadership_holds_up_the_next_until_it_is_answered() {
    let (mut stage, request) = proposing();
    stage.learn(&[elected(Some(1), &[1])]);
    stage.follower_fetches(2, 1, 0);
    assert!(!pending(&stage), "R54: OPERATION_NOT_ATTEMPTED");
    stage.answer_proposal(&request, &[(P, Err(ErrorCode::FencedLeaderEpoch))]);
    stage.follower_fetches(2, 1, 0);
    assert!(pending(&stage));
    stage.run_all();
    assert!(stage.proposal().is_some());
}

#[test]
fn an_answer_that_changes_nothing_settles_all_the_same() {
    let (mut stage, request) = proposing();
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2], 0)))]);
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2]), "R58: the same partition epoch");
}

#[test]
fn who_steps_down_forgets_its_proposal_when_it_is_answered() {
    let (mut stage, request) = proposing();
    stage.learn(&[elected(Some(2), &[1, 2])]);
    stage.answer_proposal(&request, &[(P, Err(ErrorCode::NotController))]);
    stage.pass(ms(1_000));
    stage.run_all();
    assert!(stage.proposal().is_none(), "R57");
}
