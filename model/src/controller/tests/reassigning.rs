//! Replicas that move: R95-R98.

use super::bench::{Bench, NOTHING};
use crate::names::BrokerId;
use crate::wire::{AdminRequest, AdminResponse, ErrorCode};

fn ids(list: &[BrokerId]) -> Vec<u32> {
    list.iter().map(|broker| broker.0).collect()
}

/// One partition on brokers 1 to 3 of six.
fn bench() -> Bench {
    let mut bench = Bench::with_brokers(3, 1);
    for id in 4..=6 {
        bench.join(id);
    }
    bench
}

fn ask(bench: &mut Bench, target: Option<&[u32]>) -> AdminResponse {
    let replicas = target.map(|target| target.iter().copied().map(BrokerId).collect());
    bench.administer(AdminRequest::AlterPartitionReassignments { topic: "t".to_owned(), partition: 0, replicas })
}

fn assignment(bench: &Bench) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let now = bench.partition(0);
    (ids(&now.replicas), ids(&now.adding), ids(&now.removing))
}

#[test]
fn a_reassignment_ends_once_all_new_replicas_are_in_sync() {
    let mut bench = bench();
    assert_eq!(ask(&mut bench, Some(&[4, 5, 1])).error, ErrorCode::None);
    assert_eq!(assignment(&bench), (vec![4, 5, 1, 2, 3], vec![4, 5], vec![2, 3]), "R95");
    let before = bench.partition(0).clone();
    bench.settle(&[1, 2, 3, 4]);
    assert_eq!(assignment(&bench), (vec![4, 5, 1, 2, 3], vec![4, 5], vec![2, 3]), "5 is not in sync yet");
    assert_eq!(bench.partition(0).leader_epoch, before.leader_epoch);
    bench.settle(&[1, 2, 3, 4, 5]);
    assert_eq!(assignment(&bench), (vec![4, 5, 1], vec![], vec![]), "R95");
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 4, 5]));
    assert_eq!(bench.partition(0).leader_epoch, before.leader_epoch.next(), "R95: some were removed");
}

#[test]
fn a_leader_that_is_removed_hears_that_another_one_leads() {
    let mut bench = bench();
    ask(&mut bench, Some(&[4, 5, 6]));
    let proposal = bench.proposal(&[1, 2, 3, 4, 5, 6]);
    let answer = bench.alter(1, vec![proposal]);
    assert_eq!(answer.partitions[0].result, Err(ErrorCode::NewLeaderElected), "R72");
    assert_eq!(bench.leader_and_isr(), (Some(4), vec![4, 5, 6]));
}

#[test]
fn fewer_replicas_in_another_order_is_a_reassignment_that_ends_at_once() {
    let mut bench = bench();
    assert_eq!(ask(&mut bench, Some(&[2, 1])).error, ErrorCode::None);
    assert_eq!(assignment(&bench), (vec![2, 1], vec![], vec![]));
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2]));
    assert_eq!(ask(&mut bench, Some(&[2, 1])).error, ErrorCode::None, "there is nothing to do");
}

#[test]
fn a_new_replica_that_dies_keeps_the_reassignment_waiting() {
    let mut bench = bench();
    ask(&mut bench, Some(&[1, 2, 4]));
    bench.fence(4);
    bench.fence(3);
    assert_eq!(assignment(&bench), (vec![1, 2, 4, 3], vec![4], vec![3]));
    bench.heartbeat(4, NOTHING);
    bench.settle(&[1, 2, 4]);
    assert_eq!(assignment(&bench), (vec![1, 2, 4], vec![], vec![]));
}

#[test]
fn a_reassignment_can_be_cancelled_and_replaced() {
    let mut bench = bench();
    assert_eq!(ask(&mut bench, None).error, ErrorCode::NoReassignmentInProgress, "R97");
    ask(&mut bench, Some(&[4, 5, 6]));
    bench.settle(&[1, 2, 3, 4]);
    ask(&mut bench, Some(&[4, 1, 2]));
    assert_eq!(
        assignment(&bench),
        (vec![4, 1, 2], vec![], vec![]),
        "R97: reckoned from the replicas of now, 4 among them"
    );
    ask(&mut bench, Some(&[5, 6]));
    assert_eq!(assignment(&bench), (vec![5, 6, 4, 1, 2], vec![5, 6], vec![4, 1, 2]));
    assert_eq!(ask(&mut bench, None).error, ErrorCode::None);
    assert_eq!(assignment(&bench), (vec![4, 1, 2], vec![], vec![]), "R97");
}

#[test]
fn a_cancellation_that_would_leave_nobody_in_sync_is_refused() {
    let mut bench = bench();
    ask(&mut bench, Some(&[4, 5, 6]));
    bench.settle(&[1, 4]);
    bench.fence(1);
    assert_eq!(bench.leader_and_isr(), (Some(4), vec![4]));
    assert_eq!(ask(&mut bench, None).error, ErrorCode::InvalidReplicaAssignment, "R97");
    assert_eq!(assignment(&bench).1, [4, 5, 6]);
}

#[test]
fn a_target_that_cannot_be_is_refused() {
    let mut bench = bench();
    for target in [&[][..], &[1, 1], &[1, 9]] {
        let answer = ask(&mut bench, Some(target));
        assert_eq!(answer.error, ErrorCode::InvalidReplicaAssignment, "R97");
        assert!(!answer.message.is_empty());
    }
}
