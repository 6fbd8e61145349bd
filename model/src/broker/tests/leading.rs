//! How far all have come: the high watermark on a leader (R37-R40b, R45).

use super::stage::{P, Stage, accepted, elected, fenced, isr_changed, life, ms, three};
use crate::config::{Acks, BrokerConfig};
use crate::event::Event;
use crate::names::Time;
use crate::protocol::{Protocol, Watermark};
use crate::wire::ErrorCode;

fn leader_up(isr: &[u32], min_isr: u32) -> Stage {
    Stage::up(1, &three(1, isr, min_isr))
}

#[test]
fn below_min_insync_replicas_nothing_becomes_visible() {
    let mut stage = leader_up(&[1], 2);
    stage.produce(1, Acks::Leader, &[1]);
    stage.run_all();
    assert_eq!(stage.high_watermark(), 0, "R37, R40b");
    stage.learn(&[isr_changed(&[1, 2])]);
    stage.follower_fetches(2, 0, 1);
    assert_eq!(stage.high_watermark(), 1, "what accumulated is committed then");
}

#[test]
fn before_3_7_a_leader_alone_commits_even_below_the_minimum() {
    let protocol = Protocol { watermark: Watermark::MaximalIsr, ..Protocol::LATEST };
    let mut stage = Stage::with(1, BrokerConfig::default(), protocol).brought_up(&three(1, &[1], 2));
    stage.produce(1, Acks::Leader, &[1]);
    assert_eq!(stage.high_watermark(), 1, "R40a");
}

#[test]
fn a_proposed_newcomer_holds_the_high_watermark_back_at_once() {
    let mut stage = leader_up(&[1], 1);
    stage.follower_fetches(2, 0, 0);
    assert_eq!(stage.isr(), (vec![1], vec![1, 2]));
    stage.produce(1, Acks::Leader, &[1]);
    assert_eq!(stage.high_watermark(), 0, "R38: the maximal ISR");
    stage.follower_fetches(2, 0, 1);
    assert_eq!(stage.high_watermark(), 1);
}

#[test]
fn the_gate_counts_the_confirmed_isr_only() {
    let mut stage = leader_up(&[1], 2);
    stage.produce(1, Acks::Leader, &[1]);
    stage.follower_fetches(2, 0, 1);
    assert_eq!(stage.isr(), (vec![1], vec![1, 2]));
    assert_eq!(stage.high_watermark(), 0, "R38: two proposed are not two");
    stage.run_all();
    let (request, _) = stage.proposal().expect("b2 is to join");
    stage.answer_proposal(&request, &[(P, Ok(accepted(1, 0, &[1, 2], 1)))]);
    assert_eq!(stage.high_watermark(), 1, "R40: tried after the answer");
}

#[test]
fn a_follower_that_keeps_up_but_is_not_in_sync_yet_is_waited_for() {
    let mut stage = leader_up(&[1], 1);
    // A fenced broker cannot join and does not count.
    stage.learn(&[fenced(2, life(2), true)]);
    stage.follower_fetches(2, 0, 0);
    stage.produce(1, Acks::Leader, &[1]);
    assert_eq!(stage.high_watermark(), 1);
    stage.follower_fetches(3, 0, 0);
    assert_eq!(stage.isr(), (vec![1], vec![1]), "it is below the high watermark");
    stage.follower_fetches(3, 0, 1);
    let (_, required) = stage.isr();
    assert_eq!(required, [1, 3]);
    stage.learn(&[isr_changed(&[1])]);
    stage.produce(1, Acks::Leader, &[2]);
    assert_eq!(stage.high_watermark(), 1, "R39: b3 had all there was a moment ago");
    stage.pass(ms(30_001));
    stage.produce(1, Acks::Leader, &[3]);
    assert_eq!(stage.high_watermark(), 3, "and not for ever");
}

#[test]
fn nothing_but_an_append_a_fetch_a_leadership_or_an_answer_moves_the_high_watermark() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.produce(1, Acks::Leader, &[1]);
    stage.follower_fetches(2, 0, 0);
    stage.pass(ms(14_000));
    assert_eq!(stage.high_watermark(), 0, "R40: not by time");
    stage.pass(ms(40_000));
    assert!(stage.replica(P).leader().is_some_and(|leader| leader.isr.is_pending()));
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2]), "a shrink is proposed, not believed");
    assert_eq!(stage.high_watermark(), 0, "N9");
}

#[test]
fn the_high_watermark_never_falls_within_an_epoch() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.produce(1, Acks::Leader, &[1, 2]);
    stage.follower_fetches(2, 0, 2);
    stage.follower_fetches(2, 0, 0);
    assert_eq!(stage.high_watermark(), 2, "L13, though b2 lost its log");
    let marks: Vec<_> = stage
        .notes
        .iter()
        .filter_map(|event| match event {
            Event::HighWatermark { at, leads: true, .. } => Some(at.0),
            _ => None,
        })
        .collect();
    assert_eq!(marks, [2]);
}

#[test]
fn a_zombie_leader_cannot_commit() {
    let mut stage = leader_up(&[1, 2, 3], 2);
    stage.produce(1, Acks::Leader, &[1]);
    stage.run_all();
    // b2 and b3 follow another leader, in epoch 1; this broker has not heard of it.
    for follower in [2, 3] {
        stage.follower_fetches(follower, 1, 1);
        stage.run_all();
    }
    let errors: Vec<_> = stage.fetched().into_iter().map(|part| part.error).collect();
    assert_eq!(errors, [ErrorCode::UnknownLeaderEpoch; 2], "R45 (i)");
    stage.pass(ms(60_000));
    stage.run_all();
    let (request, items) = stage.proposal().expect("it wants them out");
    assert_eq!(items[0].new_isr.len(), 1);
    stage.answer_proposal(&request, &[(P, Err(ErrorCode::FencedLeaderEpoch))]);
    stage.produce(1, Acks::All, &[2]);
    stage.run_all();
    stage.pass(ms(30_000));
    assert_eq!(stage.high_watermark(), 0, "R45 (ii)");
    assert_eq!(stage.produced().pop(), Some(vec![(ErrorCode::RequestTimedOut, None)]));
    stage.learn(&[elected(Some(2), &[2, 3])]);
    assert!(!stage.replica(P).leads());
}

#[test]
fn a_clock_that_jumps_back_makes_nobody_lag() {
    let mut stage = leader_up(&[1, 2], 1);
    stage.follower_fetches(2, 0, 0);
    stage.now = Time(stage.now.0 / 2);
    stage.produce(1, Acks::Leader, &[1]);
    stage.pass(ms(20_000));
    assert_eq!(stage.isr(), (vec![1, 2], vec![1, 2]));
}
