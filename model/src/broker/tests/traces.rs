//! The canonical traces (`protocol/08-traces.md`): each is a story that once lost, or would have lost, a record.

use super::cluster::{Cluster, second_life};
use super::stage::{
    P, Stage, consumer_fetch, elected, isr_changed, ms, records_from, rejoined, stored, three, two, values_in,
};
use crate::config::Acks;
use crate::machine::{Input, Task};
use crate::names::{EndOffset, LeaderEpoch};
use crate::protocol::Protocol;
use crate::wire::{Channel, ErrorCode, Request};

fn epochs(cluster: &mut Cluster, id: u32) -> Vec<(i32, u64)> {
    let entries = cluster.b(id).replica(P).log.epochs().entries();
    entries.iter().map(|&(LeaderEpoch(epoch), EndOffset(start))| (epoch, start)).collect()
}

/// T1: a follower bounces, and the leader dies before the follower has fetched again.
fn bounce_a_follower_then_lose_the_leader(protocol: Protocol) -> Vec<u64> {
    let mut cluster = Cluster::with(&two(1, &[1, 2], 1), protocol);
    for value in [7, 8] {
        cluster.produce(1, Acks::All, &[value]);
        cluster.settle();
    }
    assert_eq!(cluster.b(1).produced().len(), 2, "both are promised");
    assert_eq!((cluster.b(2).end(), cluster.b(2).high_watermark()), (2, 1), "the follower's high watermark lags");
    cluster.crash(2);
    cluster.restart(2);
    cluster.decide(&rejoined(2, second_life(2)), &[1, 2]);
    cluster.crash(1);
    cluster.decide(&[elected(Some(2), &[2])], &[2]);
    cluster.settle();
    cluster.b(2).values()
}

#[test]
fn t1_a_returning_follower_keeps_what_was_promised() {
    assert_eq!(bounce_a_follower_then_lose_the_leader(Protocol::LATEST), [7, 8]);
}

#[test]
fn t1_before_kip_101_it_cut_at_its_high_watermark_and_led_without_it() {
    let kept = bounce_a_follower_then_lose_the_leader(Protocol::KAFKA_0_10);
    assert!(!kept.contains(&8), "{kept:?}");
}

#[test]
fn t2_two_quick_changes_of_leader_end_in_one_log() {
    let mut cluster = Cluster::with(&two(1, &[1, 2], 1), Protocol::LATEST);
    cluster.produce(1, Acks::All, &[5]);
    cluster.settle();
    cluster.cut(1, 2);
    cluster.produce(1, Acks::Leader, &[6]);
    cluster.decide(&[elected(Some(2), &[1, 2])], &[2]);
    cluster.produce(2, Acks::Leader, &[7]);
    cluster.settle();
    cluster.decide(&[elected(Some(1), &[1, 2])], &[1, 2]);
    assert_eq!(epochs(&mut cluster, 1), [(0, 0), (2, 2)]);
    cluster.heal();
    cluster.rounds(3);
    assert_eq!(cluster.b(2).values(), [5, 6], "KIP-279: record 7 of epoch 1 has to go");
    assert_eq!(cluster.b(1).values(), [5, 6]);
}

#[test]
fn t3_an_epoch_in_which_nothing_was_written_leaves_no_trace_at_its_deposed_leader() {
    let mut cluster = Cluster::with(&two(1, &[1, 2], 1), Protocol::LATEST);
    cluster.produce(1, Acks::All, &[5]);
    cluster.settle();
    cluster.decide(&[elected(Some(1), &[1, 2])], &[1, 2]);
    cluster.settle();
    assert_eq!(epochs(&mut cluster, 1), [(0, 0), (1, 1)]);
    cluster.decide(&[elected(Some(2), &[1, 2])], &[1, 2]);
    cluster.settle();
    cluster.produce(2, Acks::Leader, &[6]);
    cluster.rounds(2);
    assert_eq!(epochs(&mut cluster, 1), [(0, 0), (2, 1)], "KAFKA-10706");
    assert_eq!(epochs(&mut cluster, 2), [(0, 0), (2, 1)]);
    let on_disk = cluster.b(1).disk.text("t-0/leader-epoch-checkpoint");
    assert_eq!(on_disk.as_deref(), Some("0\n2\n0 0\n2 1\n"));
}

#[test]
fn t6_a_leader_cut_off_from_everyone_promises_nothing_and_comes_back_into_line() {
    let mut cluster = Cluster::of_three(1, &[1, 2, 3], 2);
    cluster.cut(1, 2);
    cluster.cut(1, 3);
    cluster.produce(1, Acks::Leader, &[1]);
    cluster.produce(1, Acks::All, &[2]);
    cluster.settle();
    assert_eq!(cluster.b(1).produced(), [[(ErrorCode::None, Some(0))]], "acks=1 says only that it has it");
    cluster.decide(&[elected(Some(2), &[2, 3])], &[2, 3]);
    cluster.settle();
    cluster.produce(2, Acks::All, &[3]);
    cluster.settle();
    assert_eq!(cluster.b(2).produced(), [[(ErrorCode::None, Some(0))]]);
    let zombie = cluster.b(1);
    zombie.ask(4, Request::Fetch(consumer_fetch(0)));
    zombie.pass(ms(510));
    zombie.run_all();
    assert_eq!((zombie.high_watermark(), values_in(zombie.fetched().pop().expect("an answer").records)), (0, vec![]));
    cluster.heal();
    cluster.catch_up(1);
    cluster.rounds(4);
    assert_eq!(cluster.b(1).produced(), [[(ErrorCode::NotLeaderOrFollower, None)]], "R17");
    for id in 1..=3 {
        assert_eq!(cluster.b(id).values(), [3]);
    }
}

#[test]
fn t7_a_newcomer_whose_admission_went_unheard_misses_nothing_that_was_promised() {
    let mut cluster = Cluster::with(&two(1, &[1], 1), Protocol::LATEST);
    let (_, items) = cluster.b(1).proposal().expect("b2 is to join");
    assert_eq!(items.len(), 1);
    // The controller agrees, and its answer is lost.
    cluster.cut(1, 2);
    cluster.decide(&[isr_changed(&[1, 2])], &[2]);
    cluster.produce(1, Acks::All, &[5]);
    cluster.settle();
    assert_eq!((cluster.b(1).high_watermark(), cluster.b(1).produced().len()), (0, 0), "it waits for b2 already");
    cluster.heal();
    cluster.rounds(1);
    assert_eq!(cluster.b(1).produced(), [[(ErrorCode::None, Some(0))]]);
    cluster.crash(1);
    cluster.decide(&[elected(Some(2), &[2])], &[2]);
    assert_eq!(cluster.b(2).values(), [5]);
}

#[test]
fn t8_a_leaver_counts_until_the_controller_has_agreed() {
    let mut cluster = Cluster::with(&two(1, &[1, 2], 1), Protocol::LATEST);
    cluster.cut(1, 2);
    cluster.produce(1, Acks::All, &[5]);
    cluster.b(1).pass(ms(10_000));
    cluster.b(1).run_all();
    cluster.b(1).pass(ms(15_000));
    cluster.b(1).run_all();
    cluster.b(1).pass(ms(20_001));
    cluster.b(1).run_all();
    let (request, items) = cluster.b(1).proposal().expect("b2 is to leave");
    assert_eq!(items[0].new_isr.len(), 1);
    assert_eq!(cluster.b(1).high_watermark(), 0, "sent, but not agreed");
    cluster.b(1).answer_proposal(&request, &[(P, Err(ErrorCode::FencedLeaderEpoch))]);
    cluster.b(1).pass(ms(60_000));
    cluster.b(1).run_all();
    assert_eq!(cluster.b(1).high_watermark(), 0);
    assert_eq!(cluster.b(1).produced(), [[(ErrorCode::RequestTimedOut, None)]]);
}

#[test]
fn t10_bytes_of_a_later_epoch_in_an_answer_to_an_earlier_one_are_not_appended() {
    let mut cluster = Cluster::of_three(1, &[1, 2, 3], 1);
    cluster.cut(1, 3);
    cluster.b(1).produce(1, Acks::Leader, &[1]);
    cluster.b(1).run(|task| matches!(task, Task::Wake { .. }));
    let late: Vec<_> = std::mem::take(&mut cluster.b(1).tasks);
    assert!(late.iter().all(|task| matches!(task, Task::AnswerFetch { .. })), "{late:?}");
    // b1 is deposed; b3, which has nothing, leads; b2 has not heard of it.
    cluster.heal();
    cluster.b(1).sent.retain(|sent| sent.channel != Channel::ReplicaFetch);
    cluster.decide(&[elected(Some(3), &[1, 2, 3])], &[1, 3]);
    cluster.b(3).produce(1, Acks::Leader, &[9]);
    cluster.settle();
    assert_eq!(cluster.b(1).records(), [(0, 1, 9)]);
    for task in late {
        cluster.b(1).take(Input::Later(task));
    }
    cluster.settle();
    assert_eq!(cluster.b(2).values(), [0_u64; 0], "KAFKA-18723");
    cluster.catch_up(2);
    cluster.rounds(4);
    assert_eq!(cluster.b(2).records(), [(0, 1, 9)]);
}

#[test]
fn t12_nobody_joins_below_the_start_of_the_epoch() {
    let mut stage = Stage::up(1, &three(2, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(1), stored(0, 0, &[1, 2, 3]).bytes().to_vec()));
    stage.learn(&[elected(Some(1), &[1, 2])]);
    let pending = |stage: &Stage| stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending());
    stage.follower_fetches(3, 1, 2);
    assert!(stage.high_watermark() < 2 && !pending(&stage), "R49, KAFKA-7128");
    stage.follower_fetches(3, 1, 3);
    assert!(pending(&stage));
}
