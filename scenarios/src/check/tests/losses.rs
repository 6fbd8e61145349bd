//! Durability, within the contract and outside of it.

use model::config::{Acks, TopicConfig};
use model::wire::ErrorCode;
use sim::fact::{Chapter, Ending};
use sim::fault::Fault;

use crate::check::play::{B1, B2, B3, Play, one, settings};
use crate::guarantee::Guarantee;

/// b1 led and is fenced; b2 is elected in epoch 1 with what it has.
fn succession(play: &mut Play) {
    play.stopped(B1, Ending::Crashed);
    play.elect(Some(B2), &[B2, B3]);
    play.led(B2, (1, 1), 0, &[B2, B3]);
}

#[test]
fn durability_whoever_is_elected_has_what_is_committed() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    succession(&mut play);
    play.holds();
    assert_eq!(play.exercised(Guarantee::Durability), 1);
}

#[test]
fn durability_is_broken_by_a_leader_without_a_committed_record() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.truncated(B2, -1, 0);
    succession(&mut play);
    play.breaks("durability/elected-leader-lacks-committed-record");
    assert_eq!((play.judge.lost().lost, play.judge.lost().excused), (1, 0));
}

#[test]
fn durability_is_broken_by_a_leader_without_an_acknowledged_record() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::None);
    succession(&mut play);
    play.breaks("durability/elected-leader-lacks-acked-record");
}

#[test]
fn durability_is_broken_by_a_restart_that_forgets_what_was_written() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.stopped(B2, Ending::Crashed);
    let mut forgetful = play.clone();
    play.returns(B2, &[one(0, 0, 7)]);
    play.holds();
    forgetful.returns(B2, &[]);
    forgetful.breaks("durability/restart-lost-committed-record");
}

#[test]
fn durability_is_broken_by_a_leader_that_forgets_and_goes_on_leading() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.led(B1, (0, 0), 1, &[B1, B2, B3]);
    play.holds();
    play.stopped(B1, Ending::Crashed);
    play.returns_to_its_seats(B1, &[]);
    play.led(B1, (0, 0), 0, &[B1, B2, B3]);
    play.breaks("durability/leader-lost-committed-record");
}

#[test]
fn n_minus_1_the_loss_of_all_but_one_loses_nothing() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.stopped(B1, Ending::Destroyed);
    play.stopped(B2, Ending::Destroyed);
    play.elect(Some(B3), &[B3]);
    play.led(B3, (1, 1), 0, &[B3]);
    play.holds();
    assert_eq!(play.exercised(Guarantee::NMinusOne), 1);
}

#[test]
fn n_minus_1_is_broken_if_the_last_one_has_not_everything() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.truncated(B3, -1, 0);
    play.stopped(B1, Ending::Destroyed);
    play.stopped(B2, Ending::Destroyed);
    play.elect(Some(B3), &[B3]);
    play.led(B3, (1, 1), 0, &[B3]);
    play.breaks("n-minus-1/elected-leader-lacks-committed-record");
}

#[test]
fn n_destroyed_brokers_are_reported_and_break_no_promise() {
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    for broker in [B1, B2, B3] {
        play.stopped(broker, Ending::Destroyed);
    }
    play.elect(None, &[B3]);
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.holds();
    let lost = play.judge.lost();
    assert_eq!((lost.committed, lost.lost, lost.excused), (1, 1, 1));
    assert_eq!((lost.acknowledged, lost.acknowledged_lost), (1, 1));
    assert_eq!(play.judge.stuck().keys().copied().collect::<Vec<_>>(), ["no in-sync replica is left"]);
}

#[test]
fn a_copy_out_of_sync_makes_records_unavailable_and_not_lost() {
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    play.change_isr(&[B1]);
    play.stopped(B1, Ending::Destroyed);
    play.elect(None, &[B1]);
    play.chapter(Chapter::Ended);
    let lost = play.judge.lost();
    assert_eq!((lost.lost, lost.unavailable, lost.acknowledged_lost), (0, 1, 0));
}

/// b1, last in sync, loses its power and comes back with `left`.
fn last_one_loses_power(play: &mut Play, left: &[model::log::BatchId]) {
    play.change_isr(&[B1]);
    play.stopped(B1, Ending::PoweredOff);
    play.elect(None, &[B1]);
    play.returns(B1, left);
    play.elect(Some(B1), &[B1]);
    play.led(B1, (2, 3), 0, &[B1]);
}

#[test]
fn power_loss_of_the_last_in_sync_replica_may_take_what_was_not_synced() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    last_one_loses_power(&mut play, &[]);
    play.holds();
    assert_eq!((play.judge.lost().lost, play.judge.lost().excused), (1, 1));
    assert_eq!(play.exercised(Guarantee::PowerLoss), 1);
}

#[test]
fn power_loss_takes_nothing_that_was_synced() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.flushed(B1, 1);
    last_one_loses_power(&mut play, &[]);
    play.breaks("power-loss/power-loss-took-synced-record");
    play.breaks("power-loss/elected-leader-lacks-committed-record");
}

#[test]
fn power_loss_is_no_excuse_while_another_in_sync_replica_kept_the_record() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.stopped(B2, Ending::PoweredOff);
    play.returns_to_its_seats(B2, &[]);
    play.breaks("leader-completeness/in-sync-replica-lacks-committed-record");
    succession(&mut play);
    play.breaks("power-loss/elected-leader-lacks-committed-record");
}

#[test]
fn power_loss_of_a_host_that_was_down_counts_as_well() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.change_isr(&[B1]);
    play.stopped(B1, Ending::Crashed);
    play.struck(B1, Fault::PowerOff);
    play.elect(None, &[B1]);
    play.returns(B1, &[]);
    play.elect(Some(B1), &[B1]);
    play.led(B1, (2, 3), 0, &[B1]);
    play.holds();
}

#[test]
fn an_unclean_election_may_lose_records_where_the_topic_allows_it() {
    let allowed = TopicConfig { unclean_leader_election_enable: Some(true), ..TopicConfig::default() };
    for (config, excused) in [(allowed, true), (TopicConfig::default(), false)] {
        let mut play = Play::with(&settings(), config);
        play.appended(B1, one(0, 0, 7));
        play.replicated(B3, one(0, 0, 7));
        play.change_isr(&[B1, B3]);
        play.isr_known(B1, (0, 1), &[B1, B3], &[B1, B3]);
        play.high_watermark(B1, 0, 1);
        play.stopped(B1, Ending::Crashed);
        play.stopped(B3, Ending::Crashed);
        play.elect(Some(B2), &[B2]);
        play.led(B2, (1, 2), 0, &[B2]);
        if excused {
            play.holds();
            assert_eq!(play.judge.lost().excused, 1);
        } else {
            play.breaks("leader-completeness/unclean-election");
            play.breaks("durability/elected-leader-lacks-committed-record");
        }
    }
}

#[test]
fn an_unclean_election_excuses_even_if_its_winner_dies_before_it_leads() {
    let allowed = TopicConfig { unclean_leader_election_enable: Some(true), ..TopicConfig::default() };
    let mut play = Play::with(&settings(), allowed);
    play.appended(B1, one(0, 0, 7));
    play.replicated(B3, one(0, 0, 7));
    play.change_isr(&[B1, B3]);
    play.isr_known(B1, (0, 1), &[B1, B3], &[B1, B3]);
    play.high_watermark(B1, 0, 1);
    play.elect(Some(B2), &[B2]);
    play.stopped(B2, Ending::Crashed);
    play.elect(None, &[B2]);
    play.returns(B2, &[]);
    play.elect(Some(B2), &[B2]);
    play.led(B2, (3, 4), 0, &[B2]);
    play.holds();
    assert_eq!(play.judge.lost().excused, 1);
}

#[test]
fn an_excused_loss_does_not_blind_the_judge_to_the_next() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    last_one_loses_power(&mut play, &[]);
    play.appended(B1, one(0, 2, 8));
    play.replicated(B2, one(0, 2, 8));
    play.breaks("log-matching/hole-in-log");
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    last_one_loses_power(&mut play, &[]);
    play.truncated(B2, 2, 0);
    play.appended(B1, one(0, 2, 8));
    play.replicated(B2, one(0, 2, 8));
    play.change_isr(&[B1, B2]);
    play.isr_known(B1, (2, 4), &[B1, B2], &[B1, B2]);
    play.high_watermark(B1, 2, 1);
    play.holds();
    play.truncated(B2, 2, 0);
    play.breaks("leader-completeness/in-sync-replica-cut-committed-record");
    play.elect(Some(B2), &[B2]);
    play.led(B2, (3, 5), 0, &[B2]);
    play.breaks("power-loss/elected-leader-lacks-committed-record");
}
