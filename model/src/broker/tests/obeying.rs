//! What was decided becomes what replicas do (R8-R19, C45-C47).

use super::stage::{
    P, Stage, accepted, elected, isr_changed, joined, metadata_batch, metadata_elsewhere, metadata_from, ms,
    records_from, registration, three, topic,
};
use crate::config::Acks;
use crate::event::Event;
use crate::machine::Task;
use crate::metadata::MetadataRecord;
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Partition, PartitionEpoch};
use crate::replica::Role;
use crate::wire::{Channel, ErrorCode};

fn leader_up(isr: &[u32], min_isr: u32) -> Stage {
    Stage::up(1, &three(1, isr, min_isr))
}

#[test]
fn an_answer_that_is_newer_than_the_record_is_not_undone_by_the_record() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.follower_fetches(3, 0, 0);
    stage.run_all();
    let (request, _) = stage.proposal().expect("b3 is to join");
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2, 3], 2)))]);
    assert_eq!(stage.isr(), (vec![1, 2, 3], vec![1, 2, 3]));
    stage.learn(&[isr_changed(&[1])]);
    assert_eq!(stage.isr(), (vec![1, 2, 3], vec![1, 2, 3]), "R9: partition epoch 1 is behind 2");
    assert_eq!(stage.replica(P).partition_epoch, Some(PartitionEpoch(2)));
}

#[test]
fn the_record_of_an_isr_that_is_known_already_leaves_a_pending_change_alone() {
    let mut stage = leader_up(&[1], 1);
    stage.follower_fetches(2, 0, 0);
    stage.run_all();
    let (request, _) = stage.proposal().expect("b2 is to join");
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2], 1)))]);
    stage.follower_fetches(3, 0, 0);
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2, 3]));
    stage.learn(&[isr_changed(&[1, 2])]);
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2, 3]), "C47");
    stage.learn(&[isr_changed(&[1, 2, 3])]);
    assert_eq!(stage.isr(), (vec![1, 2, 3], vec![1, 2, 3]), "and the next record settles it");
}

#[test]
fn a_leader_notes_its_epoch_before_it_has_written_anything() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.learn(&[elected(Some(1), &[1, 2, 3]), elected(Some(1), &[1, 2, 3])]);
    assert_eq!(stage.disk.text("t-0/leader-epoch-checkpoint").as_deref(), Some("0\n1\n2 0\n"), "R11, R39");
    stage.produce(1, Acks::Leader, &[1]);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    assert_eq!(stage.disk.text("t-0/leader-epoch-checkpoint").as_deref(), Some("0\n2\n2 0\n3 1\n"));
    assert_eq!(stage.replica(P).leader().map(|leader| leader.epoch_start), Some(EndOffset(1)));
}

#[test]
fn an_isr_change_alone_keeps_the_epoch_start_and_what_the_others_have() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::Leader, &[1]);
    stage.follower_fetches(2, 0, 1);
    stage.learn(&[isr_changed(&[1, 2])]);
    assert_eq!(stage.high_watermark(), 1, "R11, R13: b2 has it, and b3 is out");
    assert_eq!(stage.replica(P).leader().map(|leader| leader.epoch_start), Some(EndOffset(0)));
}

#[test]
fn a_leader_that_is_elected_again_remembers_what_the_others_have() {
    let mut stage = leader_up(&[1, 2, 3], 3);
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.follower_fetches(2, 0, 2);
    stage.follower_fetches(3, 0, 1);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.follower_fetches(3, 1, 2);
    assert_eq!(stage.high_watermark(), 2, "R12: b2 need not fetch again");
}

#[test]
fn a_new_leader_waits_for_every_in_sync_replica_to_fetch_once() {
    let mut stage = Stage::up(1, &three(2, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(0), super::stage::stored(0, 0, &[1]).bytes().to_vec()));
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.follower_fetches(2, 1, 1);
    assert_eq!(stage.high_watermark(), 0, "R14: of b3 nothing is known");
    stage.follower_fetches(3, 1, 1);
    assert_eq!(stage.high_watermark(), 1);
}

#[test]
fn a_leader_without_others_in_sync_commits_all_it_has_at_once() {
    let mut stage = Stage::up(1, &three(2, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(0), super::stage::stored(0, 0, &[1]).bytes().to_vec()));
    stage.learn(&[elected(Some(1), &[1])]);
    assert_eq!(stage.high_watermark(), 1, "R13");
}

#[test]
fn a_fetcher_is_restarted_by_a_new_leader_epoch_and_by_nothing_else() {
    let mut stage = Stage::up(2, &three(1, &[1, 2, 3], 1));
    stage.expect_sent(Channel::ReplicaFetch);
    stage.learn(&[isr_changed(&[1, 2])]);
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R15: one is under way, and stays");
    let Role::Follower(follower) = &stage.replica(P).role else { panic!("it follows") };
    assert_eq!(follower.leader, Some(BrokerId(1)));
    stage.learn(&[elected(Some(3), &[2, 3])]);
    stage.run_all();
    assert_eq!(stage.expect_sent(Channel::ReplicaFetch).to, BrokerId(3).into());
}

#[test]
fn a_partition_without_a_leader_has_a_log_all_the_same() {
    let mut records = three(1, &[1], 1);
    records.push(elected(None, &[1]));
    let stage = Stage::up(2, &records);
    assert_eq!(stage.replica(P).role, Role::Follower(crate::replica::Follower { leader: None }), "R15");
}

#[test]
fn without_the_leaders_node_in_the_image_no_fetcher_starts_before_the_next_epoch() {
    let mut records: Vec<MetadataRecord> = joined(2).into();
    records.extend([topic(1), MetadataRecord::Partition(registration(P, 1, &[1, 2]))]);
    let mut stage = Stage::up(2, &records);
    stage.learn(&joined(1));
    stage.pass(ms(5_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R16");
    stage.learn(&[elected(Some(1), &[1, 2])]);
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
}

#[test]
fn who_waits_on_a_leader_is_told_when_it_steps_down_after_the_fetchers_were_started() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::All, &[1]);
    stage.follower_fetches(2, 0, 1);
    stage.run_all();
    assert_eq!(stage.answers(), []);
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    let fetch = stage.tasks.iter().position(|task| matches!(task, Task::Fetch { .. }));
    let answer = stage.tasks.iter().position(|task| matches!(task, Task::AnswerFetch { .. }));
    assert!(fetch.expect("a fetcher") < answer.expect("a woken fetch"), "R17");
    stage.run_all();
    let errors: Vec<_> =
        stage.answers().into_iter().map(|(_, response)| super::producing::error_of(&response)).collect();
    assert_eq!(errors, [ErrorCode::NotLeaderOrFollower, ErrorCode::FencedLeaderEpoch]);
}

#[test]
fn a_produce_of_an_earlier_leadership_is_never_acknowledged_by_a_later_one() {
    for parked in [true, false] {
        let mut stage = leader_up(&[1, 2, 3], 1);
        stage.produce(1, Acks::All, &[1]);
        if parked {
            stage.run_all();
        }
        stage.learn(&[elected(Some(2), &[1, 2, 3])]);
        let (park, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut stage.tasks).into_iter().partition(|task| matches!(task, Task::ParkProduce { .. }));
        stage.tasks = rest;
        stage.run_all();
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        let diverging = super::following::diverging(0, 0);
        stage.answer(&fetch, diverging);
        stage.run_all();
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&fetch, records_from(P, EndOffset(1), super::stage::stored(0, 1, &[9]).bytes().to_vec()));
        stage.learn(&[elected(Some(1), &[1])]);
        assert_eq!((stage.values(), stage.high_watermark()), (vec![9], 1), "another record is committed there");
        stage.tasks.extend(park);
        stage.run_all();
        assert_eq!(stage.produced(), [[(ErrorCode::NotLeaderOrFollower, None)]], "R63c, parked: {parked}");
    }
}

#[test]
fn of_one_change_leaders_come_before_followers() {
    let other = Partition { topic: P.topic, index: 1 };
    let mut records = three(2, &[1, 2, 3], 1);
    records.push(MetadataRecord::Partition(registration(other, 1, &[1, 2, 3])));
    let stage = Stage::up(1, &records);
    let roles: Vec<_> = stage
        .notes
        .iter()
        .filter_map(|event| match event {
            Event::Led { partition, .. } | Event::Followed { partition, .. } => Some(*partition),
            _ => None,
        })
        .collect();
    assert_eq!(roles, [other, P], "R8");
}

#[test]
fn several_records_of_one_fetch_are_one_change() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    stage.fetch_metadata(&[elected(Some(2), &[2])]);
    stage.fetch_metadata(&[elected(Some(1), &[1])]);
    stage.run_all();
    assert_eq!(stage.replica(P).leader_epoch, Some(LeaderEpoch(2)));
    assert_eq!(stage.noted(|event| matches!(event, Event::Followed { .. })), 0, "C45, N7");
}

#[test]
fn nothing_is_applied_before_it_is_committed() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    let place = stage.metadata.len() as u64;
    let request = stage.expect_sent(Channel::Metadata);
    let bytes = metadata_batch(place, &elected(Some(2), &[2])).bytes().to_vec();
    stage.answer(&request, metadata_from(EndOffset(place), bytes));
    stage.run_all();
    assert!(stage.replica(P).leads(), "C45");
}

#[test]
fn a_metadata_batch_that_cannot_be_read_is_fetched_again_and_none_behind_it_is_applied() {
    let mut stage = leader_up(&[1, 2, 3], 1);
    let place = stage.metadata.len() as u64;
    let mut bytes = metadata_batch(place, &elected(Some(2), &[2])).bytes().to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    bytes.extend_from_slice(metadata_batch(place + 1, &isr_changed(&[1, 2])).bytes());
    let request = stage.expect_sent(Channel::Metadata);
    stage.answer(&request, metadata_from(EndOffset(place + 2), bytes));
    stage.run_all();
    assert_eq!(stage.replica(P).partition_epoch, Some(PartitionEpoch(0)));
    stage.pass(ms(1_000));
    stage.learn(&[elected(Some(2), &[2]), isr_changed(&[1, 2])]);
    assert_eq!(stage.replica(P).leader_epoch, Some(LeaderEpoch(1)));
    assert_eq!(stage.replica(P).partition_epoch, Some(PartitionEpoch(2)));
}

#[test]
fn the_metadata_log_is_asked_for_again_after_an_error_a_silence_and_a_lost_connection() {
    let mut stage = leader_up(&[1], 1);
    let request = stage.expect_sent(Channel::Metadata);
    stage.answer(&request, metadata_elsewhere(None));
    assert!(stage.take_sent(Channel::Metadata).is_none());
    stage.pass(ms(20));
    stage.expect_sent(Channel::Metadata);
    stage.pass(ms(2_000 + 40));
    stage.expect_sent(Channel::Metadata);
    assert!(stage.closed.iter().any(|closed| closed.channel == Channel::Metadata), "a silent connection is given up");
    stage.take(crate::machine::Input::Severed(crate::machine::Severed {
        peer: super::stage::CONTROLLER,
        channel: Channel::Metadata,
        connection: crate::wire::ConnectionId(3),
    }));
    stage.pass(ms(80));
    stage.learn(&[elected(Some(2), &[2])]);
    assert!(!stage.replica(P).leads());
}

#[test]
fn a_late_answer_to_a_request_that_was_given_up_is_not_taken_for_the_next() {
    let mut stage = leader_up(&[1], 1);
    let first = stage.expect_sent(Channel::Metadata);
    stage.pass(ms(2_020));
    let place = stage.metadata.len() as u64;
    let bytes = metadata_batch(place, &elected(Some(2), &[2])).bytes().to_vec();
    stage.answer(&first, metadata_from(EndOffset(place + 1), bytes));
    stage.run_all();
    assert!(stage.replica(P).leads());
}
