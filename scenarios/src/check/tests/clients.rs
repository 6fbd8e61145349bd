//! Acknowledgements, order, reads and histories.

use model::config::{Acks, TopicConfig};
use model::event::Event;
use model::names::{EndOffset, LeaderEpoch, Offset};
use model::wire::{ErrorCode, OffsetSpec};
use sim::fact::Chapter;

use crate::check::play::{B1, B2, B3, CONSUMER, P, Play, Q, batch, one, settings};
use crate::guarantee::Guarantee;

#[test]
fn acks_all_means_committed() {
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    play.holds();
    assert!(play.exercised(Guarantee::AcksAll) > 0);
    play.appended(B1, one(1, 0, 8));
    play.replicated(B2, one(1, 0, 8));
    play.answered(B1, Acks::All, Some(one(1, 0, 8)), ErrorCode::None);
    play.breaks("acks-all/acknowledged-before-committed");
}

#[test]
fn acks_all_a_producer_believes_only_what_a_broker_said() {
    let mut play = Play::new();
    play.sent(70, None);
    play.left(&[70], 1);
    play.committed(one(0, 0, 7));
    play.acked(Acks::All, one(0, 0, 7), &[70]);
    play.breaks("acks-all/acked-without-answer");
}

#[test]
fn acks_all_something_was_appended() {
    let mut play = Play::new();
    play.answered(B1, Acks::All, None, ErrorCode::None);
    play.breaks("acks-all/acknowledged-nothing");
}

/// The ISR of the leader shrinks to itself.
fn alone(play: &mut Play) {
    play.change_isr(&[B1]);
    play.isr_known(B1, (0, 1), &[B1], &[B1]);
}

#[test]
fn min_isr_too_few_refuse_and_do_not_append() {
    let mut play = Play::new();
    alone(&mut play);
    play.answered(B1, Acks::All, None, ErrorCode::NotEnoughReplicas);
    play.holds();
    assert!(play.exercised(Guarantee::MinIsr) > 0);
    let mut appends = play.clone();
    appends.appended(B1, one(0, 0, 7));
    appends.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::NotEnoughReplicas);
    appends.breaks("min-isr/refused-but-appended");
    play.answered(B1, Acks::Leader, None, ErrorCode::NotEnoughReplicas);
    play.breaks("min-isr/other-acks-refused");
}

#[test]
fn min_isr_nothing_is_appended_for_acks_all_below_it() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    alone(&mut play);
    play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::NotEnoughReplicasAfterAppend);
    play.holds();
    play.appended(B1, one(1, 0, 8));
    play.answered(B1, Acks::All, Some(one(1, 0, 8)), ErrorCode::RequestTimedOut);
    play.breaks("min-isr/appended-below-min-isr");
}

#[test]
fn min_isr_only_what_was_appended_is_refused_after_the_append() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::NotEnoughReplicasAfterAppend);
    play.holds();
    play.answered(B1, Acks::All, None, ErrorCode::NotEnoughReplicasAfterAppend);
    play.breaks("min-isr/refused-after-append-of-nothing");
}

#[test]
fn min_isr_enough_do_not_refuse() {
    let mut play = Play::new();
    play.answered(B1, Acks::All, None, ErrorCode::NotEnoughReplicas);
    play.breaks("min-isr/refused-without-cause");
}

#[test]
fn min_isr_an_acknowledged_record_is_on_that_many() {
    let mut play = Play::new();
    alone(&mut play);
    play.appended(B1, one(0, 0, 7));
    play.high_watermark(B1, 0, 1);
    play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::None);
    play.breaks("min-isr/acknowledged-on-too-few");
}

fn with_acks(acks: Acks) -> Play {
    let mut settings = settings();
    settings.producer.acks = acks;
    Play::with(&settings, TopicConfig::default())
}

/// A record acknowledged by the leader alone.
fn acked_by_leader(play: &mut Play) {
    play.sent(70, None);
    play.left(&[70], 1);
    play.appended(B1, one(0, 0, 7));
    play.answered(B1, Acks::Leader, Some(one(0, 0, 7)), ErrorCode::None);
    play.acked(Acks::Leader, one(0, 0, 7), &[70]);
}

#[test]
fn acks_1_is_lost_only_with_the_leadership() {
    let mut play = with_acks(Acks::Leader);
    acked_by_leader(&mut play);
    let mut same_leader = play.clone();
    play.elect(Some(B2), &[B2, B3]);
    play.led(B2, (1, 1), 0, &[B2, B3]);
    play.chapter(Chapter::Ended);
    play.holds();
    assert_eq!(play.judge.lost().acknowledged_by_leader_lost, 1);
    assert!(play.exercised(Guarantee::AcksOne) > 0);
    same_leader.truncated(B1, 0, 0);
    same_leader.chapter(Chapter::Ended);
    same_leader.breaks("acks-1/lost-under-the-same-leader");
}

#[test]
fn acks_1_is_appended_when_it_is_acknowledged() {
    let mut play = with_acks(Acks::Leader);
    play.answered(B1, Acks::Leader, Some(one(0, 0, 7)), ErrorCode::None);
    play.breaks("acks-1/acknowledged-without-append");
}

#[test]
fn acks_0_may_lose_and_is_counted() {
    let mut play = with_acks(Acks::None);
    play.sent(70, None);
    play.left(&[70], 1);
    play.acked(Acks::None, one(0, 0, 7), &[70]);
    play.reads_back();
    play.chapter(Chapter::Ended);
    play.holds();
    assert_eq!(play.judge.lost().unacknowledged_lost, 1);
    play.answered(B1, Acks::None, None, ErrorCode::None);
    play.breaks("acks-0/acknowledged-nothing");
}

#[test]
fn order_is_the_order_of_sending() {
    let mut play = Play::new();
    play.produced(batch(0, 2, 0, 7), &[70, 71]);
    play.polled(&[(0, 70), (1, 71)]);
    play.holds();
    assert!(play.exercised(Guarantee::Order) > 0);
    play.sent(72, None);
    play.sent(73, None);
    play.left(&[73], 1);
    play.left(&[72], 1);
    play.committed(batch(2, 2, 0, 8));
    play.polled(&[(2, 73), (3, 72)]);
    play.breaks("order/sent-before-but-behind");
}

#[test]
fn order_is_not_promised_to_what_its_producer_had_given_up() {
    let mut play = Play::new();
    play.sent(70, None);
    play.left(&[70], 1);
    let mut patient = play.clone();
    play.failed(70, false);
    for play in [&mut play, &mut patient] {
        play.sent(71, None);
        play.left(&[71], 1);
        play.committed(batch(0, 2, 0, 7));
        play.polled(&[(0, 71), (1, 70)]);
    }
    play.holds();
    patient.breaks("order/sent-before-but-behind");
}

#[test]
fn order_copies_made_by_retries_do_not_count() {
    let mut play = Play::new();
    play.sent(70, None);
    play.sent(71, None);
    play.left(&[70, 71], 1);
    play.left(&[70, 71], 2);
    play.committed(batch(0, 4, 0, 7));
    play.polled(&[(0, 70), (1, 71), (2, 70), (3, 71)]);
    play.holds();
}

#[test]
fn order_is_not_promised_to_several_requests_in_flight_with_retries() {
    let mut settings = settings();
    settings.producer.max_in_flight_requests_per_connection = 5;
    let mut play = Play::with(&settings, TopicConfig::default());
    play.sent(70, None);
    play.sent(71, None);
    play.left(&[70], 1);
    play.left(&[71], 1);
    play.committed(batch(0, 2, 0, 7));
    play.polled(&[(0, 71), (1, 70)]);
    play.holds();
    assert_eq!(play.exercised(Guarantee::Order), 0);
}

#[test]
fn order_a_producer_is_told_growing_offsets() {
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    play.produced(one(1, 0, 8), &[71]);
    play.holds();
    play.acked(Acks::All, one(0, 0, 7), &[70]);
    play.breaks("order/nonmonotonic-send");
}

#[test]
fn key_order_a_key_has_one_partition() {
    let mut play = Play::new();
    play.sent(70, Some(5));
    play.sent(71, Some(5));
    play.left(&[70, 71], 1);
    play.committed(one(0, 0, 7));
    play.polled(&[(0, 70)]);
    play.holds();
    play.polled_at(Q, &[(0, 71)]);
    play.breaks("key-order/key-in-two-partitions");
}

#[test]
fn reads_show_only_what_is_committed() {
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    play.polled(&[(0, 70)]);
    play.holds();
    assert!(play.exercised(Guarantee::CommittedReads) > 0);
    play.sent(71, None);
    play.left(&[71], 1);
    play.appended(B1, one(1, 0, 8));
    play.polled(&[(1, 71)]);
    play.breaks("reads/uncommitted-record-read");
}

#[test]
fn reads_are_served_below_the_high_watermark() {
    let mut play = Play::new();
    let mut served = |upto: u64| {
        let (epoch, client, from) = (LeaderEpoch(0), CONSUMER.into(), Offset(0));
        let (upto, high_watermark) = (EndOffset(upto), EndOffset(3));
        play.note(B1, Event::Served { partition: P, epoch, client, from, upto, high_watermark });
        play.broken()
    };
    assert_eq!(served(3), [] as [String; 0]);
    assert_eq!(served(4), ["reads/served-above-high-watermark"]);
}

/// Ten records, committed; values 0 to 9 at offsets 0 to 9.
fn ten() -> Play {
    let mut play = Play::new();
    play.produced(batch(0, 10, 0, 7), &(0..10).collect::<Vec<u64>>());
    play
}

#[test]
fn read_order_nothing_twice_nothing_left_out() {
    let mut play = ten();
    play.polled(&[(0, 0), (1, 1)]);
    play.polled(&[(2, 2), (3, 3)]);
    play.holds();
    assert_eq!(play.exercised(Guarantee::ReadOrder), 2);
    for (polls, kind) in [
        (vec![(5, 5)], "read-order/poll-skip"),
        (vec![(3, 3)], "read-order/nonmonotonic-poll"),
        (vec![(4, 4), (6, 6)], "read-order/int-poll-skip"),
        (vec![(4, 4), (4, 4)], "read-order/int-nonmonotonic-poll"),
    ] {
        let mut play = play.clone();
        play.polled(&polls);
        play.breaks(kind);
    }
}

#[test]
fn read_order_a_seek_sets_the_position() {
    let mut play = ten();
    play.polled(&[(0, 0), (1, 1)]);
    play.sought(0);
    play.polled(&[(0, 0)]);
    play.note(CONSUMER, Event::Assigned { partitions: vec![P] });
    play.polled(&[(7, 7)]);
    play.holds();
}

#[test]
fn refused_records_are_never_read() {
    for read_first in [false, true] {
        let mut play = Play::new();
        play.sent(70, None);
        play.left(&[70], 1);
        play.committed(one(0, 0, 7));
        let mut unknown = play.clone();
        if read_first {
            play.polled(&[(0, 70)]);
        }
        play.failed(70, true);
        if !read_first {
            play.polled(&[(0, 70)]);
        }
        play.breaks("refused/refused-record-read");
        unknown.failed(70, false);
        unknown.polled(&[(0, 70)]);
        unknown.holds();
    }
}

#[test]
fn at_least_once_what_was_acknowledged_is_read() {
    let mut play = ten();
    play.reads_back();
    let mut blind = play.clone();
    play.polled(&(0..10).map(|at| (at, at)).collect::<Vec<_>>());
    play.chapter(Chapter::Ended);
    play.holds();
    assert!(play.exercised(Guarantee::AtLeastOnce) > 0);
    assert_eq!(play.judge.lost().acknowledged, 10);
    blind.polled(&(0..9).map(|at| (at, at)).collect::<Vec<_>>());
    blind.chapter(Chapter::Ended);
    blind.breaks("at-least-once/unseen");
    blind.breaks("at-least-once/end-not-reached");
}

#[test]
fn durability_what_was_acknowledged_is_there_at_the_end() {
    let mut play = ten();
    play.truncated(B1, 0, 0);
    play.reads_back();
    play.chapter(Chapter::Ended);
    play.breaks("durability/lost-write");
    assert_eq!(play.judge.lost().acknowledged_lost, 10);
}

#[test]
fn what_a_leader_acknowledges_that_was_replaced_uncleanly_is_nobodys_promise() {
    for allowed in [true, false] {
        let config = TopicConfig { unclean_leader_election_enable: Some(allowed), ..TopicConfig::default() };
        let mut play = Play::with(&settings(), config);
        play.change_isr(&[B1]);
        play.isr_known(B1, (0, 1), &[B1], &[B1]);
        play.elect(Some(B2), &[B2]);
        play.led(B2, (1, 2), 0, &[B2]);
        play.sent(7, None);
        play.left(&[7], 1);
        play.appended(B1, one(0, 0, 7));
        play.high_watermark(B1, 0, 1);
        play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::None);
        play.acked(Acks::All, one(0, 0, 7), &[7]);
        play.followed(B1, (1, 2), B2);
        play.truncated(B1, 1, 0);
        play.reads_back();
        play.chapter(Chapter::Ended);
        assert_eq!(play.broken().iter().any(|broken| broken.ends_with("/lost-write")), !allowed, "{:?}", play.broken());
        assert_eq!(play.judge.lost().acknowledged_lost, 1);
    }
}

#[test]
fn at_most_once_without_retries_nothing_is_doubled() {
    let mut settings = settings();
    settings.producer.retries = 0;
    let mut play = Play::with(&settings, TopicConfig::default());
    play.sent(70, None);
    play.left(&[70], 1);
    play.committed(batch(0, 2, 0, 7));
    play.polled(&[(0, 70)]);
    play.holds();
    assert!(play.exercised(Guarantee::AtMostOnce) > 0);
    let mut sent_again = play.clone();
    sent_again.left(&[70], 2);
    sent_again.breaks("at-most-once/sent-beyond-retries");
    play.polled(&[(1, 70)]);
    play.breaks("at-most-once/duplicate");
}

#[test]
fn nothing_made_up_what_is_read_was_sent_that_often() {
    let mut play = Play::new();
    play.committed(batch(0, 3, 0, 7));
    play.polled(&[(0, 70)]);
    play.breaks("nothing-made-up/read-but-never-sent");
    let mut play = Play::new();
    play.sent(70, None);
    play.left(&[70], 1);
    play.left(&[70], 2);
    play.committed(batch(0, 3, 0, 7));
    play.polled(&[(0, 70), (1, 70)]);
    play.holds();
    play.polled(&[(2, 70)]);
    play.breaks("nothing-made-up/more-copies-than-requests");
}

#[test]
fn nothing_made_up_an_offset_holds_one_record() {
    let mut play = ten();
    play.polled(&[(0, 0)]);
    play.holds();
    play.sought(1);
    play.polled(&[(1, 2)]);
    play.breaks("nothing-made-up/inconsistent-offsets");
}

#[test]
fn a_judge_can_be_forked_with_its_world() {
    let mut one = ten();
    let mut other = one.clone();
    for play in [&mut one, &mut other] {
        play.polled(&[(3, 3)]);
        play.polled(&[(5, 5)]);
    }
    assert_eq!(one.broken(), ["read-order/poll-skip"]);
    assert_eq!(one.judge.violations(), other.judge.violations());
}

/// A client is told of an offset.
fn told(play: &mut Play, spec: OffsetSpec, offset: u64) {
    let found = Some((EndOffset(offset), None));
    play.note(CONSUMER, Event::OffsetListed { partition: P, spec, found, error: ErrorCode::None });
}

#[test]
fn reads_clients_are_told_of_what_is_committed_only() {
    let mut play = Play::new();
    play.committed(batch(0, 5, 0, 7));
    told(&mut play, OffsetSpec::Latest, 5);
    told(&mut play, OffsetSpec::MaxTimestamp, 4);
    play.holds();
    let mut beyond = play.clone();
    told(&mut beyond, OffsetSpec::Latest, 6);
    beyond.breaks("reads/listed-end-not-committed");
    told(&mut play, OffsetSpec::MaxTimestamp, 5);
    play.breaks("reads/listed-record-not-committed");
}

#[test]
fn reads_the_end_of_a_log_never_falls() {
    let mut play = Play::new();
    play.committed(batch(0, 5, 0, 7));
    told(&mut play, OffsetSpec::Latest, 5);
    let mut replaced = play.clone();
    replaced.elect(Some(B2), &[B1, B2, B3]);
    told(&mut replaced, OffsetSpec::Latest, 4);
    replaced.holds();
    replaced.followed(B1, (1, 1), B2);
    told(&mut replaced, OffsetSpec::Latest, 3);
    replaced.holds();
    told(&mut replaced, OffsetSpec::Latest, 2);
    replaced.breaks("reads/listed-end-fell");
    told(&mut play, OffsetSpec::Latest, 4);
    play.breaks("reads/listed-end-fell");
}
