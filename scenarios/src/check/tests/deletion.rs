//! Logs that lose their beginning, by age, by size and on request.

use std::time::Duration;

use model::config::{CleanupPolicy, Limit, TopicConfig};
use model::event::{Event, SeekReason, StartCause};
use model::log::{DeletedSegment, DeletionCause};
use model::names::{BrokerId, EndOffset, LeaderEpoch, Node, Offset};
use model::wire::ErrorCode;
use sim::fact::{Chapter, Ending};
use sim::fault::{Fault, Target};

use crate::check::play::{B1, B2, B3, CONSUMER, P, PRODUCER, Play, batch, settings};
use crate::guarantee::Guarantee;

/// A topic that keeps records for ten seconds, or a thousand bytes.
fn forgetful() -> Play {
    let config = TopicConfig {
        retention: Some(Limit::At(Duration::from_secs(10))),
        retention_bytes: Some(Limit::At(1_000)),
        ..TopicConfig::default()
    };
    let mut play = Play::with(&settings(), config);
    play.produced(batch(0, 5, 0, 7), &[70, 71, 72, 73, 74]);
    play.produced(batch(5, 5, 0, 8), &[80, 81, 82, 83, 84]);
    play.follower_high_watermark(B2, 0, 10);
    play.follower_high_watermark(B3, 0, 10);
    play
}

fn start_moved(play: &mut Play, broker: BrokerId, start: u64, cause: StartCause, high_watermark: u64) {
    let (start, high_watermark) = (EndOffset(start), EndOffset(high_watermark));
    play.note(broker, Event::LogStartMoved { partition: P, start, cause, high_watermark });
}

fn segment(base: u64, end: u64, cause: DeletionCause) -> DeletedSegment {
    DeletedSegment { base: Offset(base), end: EndOffset(end), bytes: 500, largest_timestamp: 0, cause }
}

fn deleted(play: &mut Play, broker: BrokerId, segments: &[DeletedSegment], left_bytes: u64) {
    let (segments, high_watermark) = (segments.to_vec(), EndOffset(10));
    play.note(broker, Event::SegmentsDeleted { partition: P, segments, left_bytes, high_watermark });
}

/// Retention of one replica takes the first five records.
fn forgets(play: &mut Play, broker: BrokerId) {
    play.wait(20);
    start_moved(play, broker, 5, StartCause::Retention, 10);
    deleted(play, broker, &[segment(0, 5, DeletionCause::Time)], 2_000);
}

fn restarted(play: &mut Play, broker: BrokerId, start: u64) {
    let (epoch, start) = (LeaderEpoch(0), EndOffset(start));
    play.note(broker, Event::Restarted { partition: P, epoch, start });
}

fn reader_begins(play: &mut Play, position: u64, reason: SeekReason) {
    play.note(CONSUMER, Event::Sought { partition: P, position: Offset(position), reason });
}

pub(super) fn reads_back_from(play: &mut Play, position: u64) {
    play.chapter(Chapter::ReadBack);
    play.note(CONSUMER, Event::Assigned { partitions: vec![P] });
    reader_begins(play, position, SeekReason::Initial);
}

// ---- what every check makes of a log that has lost its beginning ----

#[test]
fn durability_what_retention_took_is_not_lost() {
    let mut play = forgetful();
    forgets(&mut play, B2);
    play.stopped(B1, Ending::Crashed);
    play.elect(Some(B2), &[B2, B3]);
    play.led(B2, (1, 1), 10, &[B2, B3]);
    reads_back_from(&mut play, 5);
    play.polled(&[(5, 80), (6, 81), (7, 82), (8, 83), (9, 84)]);
    play.chapter(Chapter::Ended);
    play.holds();
    assert_eq!(play.judge.lost().acknowledged_lost, 0);
}

#[test]
fn durability_a_beginning_that_nobody_deleted_is_lost() {
    let mut play = Play::new();
    play.produced(batch(0, 5, 0, 7), &[70, 71, 72, 73, 74]);
    play.produced(batch(5, 5, 0, 8), &[80, 81, 82, 83, 84]);
    play.stopped(B2, Ending::Crashed);
    play.returns_between(B2, (5, 10), &[batch(5, 5, 0, 8)]);
    play.breaks("durability/restart-lost-committed-record");
}

#[test]
fn log_matching_a_replica_opens_again_where_its_log_began() {
    let mut play = forgetful();
    forgets(&mut play, B2);
    play.stopped(B2, Ending::Crashed);
    let mut went_back = play.clone();
    for (play, start, batches) in [
        (&mut play, 5, vec![batch(5, 5, 0, 8)]),
        // L45: the checkpoint of log starts was not written, and the segment's files were still there.
        (&mut went_back, 0, vec![batch(0, 5, 0, 7), batch(5, 5, 0, 8)]),
    ] {
        play.returns_between(B2, (start, 10), &batches);
        play.holds();
    }
}

#[test]
fn recovery_who_dies_in_the_middle_of_a_deletion_has_deleted() {
    let mut play = forgetful();
    play.stopped(B2, Ending::Crashed);
    play.returns_between(B2, (5, 10), &[batch(5, 5, 0, 8)]);
    play.holds();
}

#[test]
fn log_matching_a_follower_below_the_leaders_start_begins_there() {
    let mut play = forgetful();
    play.change_isr(&[B1, B2]);
    play.truncated(B3, -1, 0);
    forgets(&mut play, B1);
    restarted(&mut play, B3, 5);
    play.replicated(B3, batch(5, 5, 0, 8));
    play.follower_high_watermark(B3, 0, 10);
    play.holds();
}

#[test]
fn log_matching_a_log_may_begin_inside_of_a_batch() {
    let mut play = forgetful();
    play.change_isr(&[B1, B2]);
    play.truncated(B3, -1, 0);
    start_moved(&mut play, B1, 7, StartCause::DeleteRecords, 10);
    restarted(&mut play, B3, 7);
    // What the leader has there begins below: the empty log begins anew with it (L22).
    restarted(&mut play, B3, 5);
    play.replicated(B3, batch(5, 5, 0, 8));
    play.follower_high_watermark(B3, 0, 10);
    start_moved(&mut play, B3, 7, StartCause::Leader, 10);
    play.holds();
}

#[test]
fn read_order_whoever_reads_what_is_deleted_is_set_anew_and_skips_nothing() {
    let mut play = forgetful();
    play.note(CONSUMER, Event::Assigned { partitions: vec![P] });
    reader_begins(&mut play, 0, SeekReason::Initial);
    play.polled(&[(0, 70), (1, 71)]);
    let mut skips = play.clone();
    forgets(&mut play, B1);
    reader_begins(&mut play, 5, SeekReason::OutOfRange);
    play.polled(&[(5, 80)]);
    play.holds();
    skips.polled(&[(5, 80)]);
    skips.breaks("read-order/poll-skip");
}

#[test]
fn order_is_followed_behind_what_was_deleted_before_anybody_read_it() {
    let mut play = Play::new();
    play.committed(batch(0, 5, 0, 7));
    start_moved(&mut play, B1, 5, StartCause::DeleteRecords, 5);
    for value in [90, 91] {
        play.sent(value, None);
    }
    play.left(&[90, 91], 1);
    play.committed(batch(5, 2, 0, 8));
    play.polled(&[(5, 91), (6, 90)]);
    play.breaks("order/sent-before-but-behind");
}

#[test]
fn at_least_once_what_lies_where_the_log_begins_has_to_be_read() {
    let mut play = forgetful();
    forgets(&mut play, B1);
    reads_back_from(&mut play, 5);
    play.polled(&[(5, 80), (6, 81), (7, 82), (8, 83)]);
    play.chapter(Chapter::Ended);
    play.breaks("at-least-once/unseen");
}

#[test]
fn high_watermark_a_log_never_begins_above_it() {
    let mut play = forgetful();
    start_moved(&mut play, B1, 5, StartCause::DeleteRecords, 10);
    start_moved(&mut play, B2, 5, StartCause::Leader, 10);
    play.holds();
    let mut above = play.clone();
    start_moved(&mut above, B2, 10, StartCause::Leader, 7);
    above.breaks("high-watermark/log-start-above-high-watermark");
    let mut nowhere = play.clone();
    start_moved(&mut nowhere, B2, 7, StartCause::Leader, 10);
    nowhere.breaks("high-watermark/log-start-moved-without-cause");
    play.follower_high_watermark(B2, 0, 4);
    play.breaks("high-watermark/below-log-start");
}

// ---- retention ----

#[test]
fn retention_takes_old_segments_one_behind_the_other() {
    let mut play = forgetful();
    forgets(&mut play, B1);
    deleted(&mut play, B1, &[segment(5, 10, DeletionCause::Time)], 2_000);
    play.holds();
    assert!(play.exercised(Guarantee::Retention) >= 8);
    let mut again = play.clone();
    deleted(&mut again, B1, &[segment(5, 10, DeletionCause::Time)], 2_000);
    again.breaks("retention/not-oldest-first");
    // Whoever is cut below its first segment begins anew there.
    play.elect(Some(B2), &[B2, B3]);
    play.truncated(B1, -1, 7);
    deleted(&mut play, B1, &[segment(7, 10, DeletionCause::Time)], 2_000);
    play.holds();
}

#[test]
fn retention_is_broken_by_a_gap_between_what_goes() {
    let mut play = forgetful();
    play.wait(20);
    deleted(&mut play, B1, &[segment(0, 3, DeletionCause::Time), segment(5, 10, DeletionCause::Time)], 2_000);
    play.breaks("retention/not-oldest-first");
}

#[test]
fn retention_is_broken_by_what_is_too_young() {
    let mut play = forgetful();
    play.wait(5);
    let mut clocks = play.clone();
    deleted(&mut play, B1, &[segment(0, 5, DeletionCause::Time)], 2_000);
    play.breaks("retention/deleted-too-young");
    clocks.say(B2, sim::fact::What::Struck(Fault::ClockJump(Target::Node(Node::Broker(B2)), 1_000_000_000)));
    deleted(&mut clocks, B1, &[segment(0, 5, DeletionCause::Time)], 2_000);
    clocks.holds();
}

#[test]
fn retention_is_broken_by_too_little_that_is_left() {
    let mut play = forgetful();
    let mut enough = play.clone();
    deleted(&mut enough, B1, &[segment(0, 5, DeletionCause::Size)], 1_000);
    enough.holds();
    deleted(&mut play, B1, &[segment(0, 5, DeletionCause::Size)], 999);
    play.breaks("retention/deleted-too-much");
}

#[test]
fn retention_is_broken_above_the_high_watermark_and_above_the_log_start() {
    let mut play = forgetful();
    play.wait(20);
    let mut start = play.clone();
    deleted(&mut play, B1, &[segment(0, 11, DeletionCause::Time)], 2_000);
    play.breaks("retention/deleted-above-high-watermark");
    deleted(&mut start, B1, &[segment(0, 5, DeletionCause::StartOffset)], 2_000);
    start.breaks("retention/deleted-above-log-start");
}

#[test]
fn retention_is_broken_where_nobody_asked_for_it() {
    let compacted = TopicConfig { cleanup_policy: Some(CleanupPolicy::COMPACT), ..TopicConfig::default() };
    let mut play = Play::with(&settings(), compacted);
    play.committed(batch(0, 5, 0, 7));
    start_moved(&mut play, B1, 5, StartCause::Retention, 5);
    deleted(&mut play, B1, &[segment(0, 5, DeletionCause::Time)], 0);
    play.breaks("retention/deleted-without-policy");
    play.breaks("retention/log-start-moved-without-cause");
}

// ---- records deleted on request ----

fn answered(play: &mut Play, before: u64, low_watermark: u64) {
    let (before, low_watermark) = (Some(Offset(before)), Some(EndOffset(low_watermark)));
    play.note(B1, Event::DeleteRecordsAnswered { partition: P, before, error: ErrorCode::None, low_watermark });
}

fn served(play: &mut Play, broker: BrokerId, epoch: i32, from: u64) {
    let (client, epoch, from) = (CONSUMER.into(), LeaderEpoch(epoch), Offset(from));
    let (upto, high_watermark) = (EndOffset(10), EndOffset(10));
    play.note(broker, Event::Served { partition: P, epoch, client, from, upto, high_watermark });
}

/// A client has deleted the first five records.
fn deleted_on_request() -> Play {
    let mut play = Play::new();
    play.produced(batch(0, 5, 0, 7), &[70, 71, 72, 73, 74]);
    play.produced(batch(5, 5, 0, 8), &[80, 81, 82, 83, 84]);
    start_moved(&mut play, B1, 5, StartCause::DeleteRecords, 10);
    for follower in [B2, B3] {
        play.follower_high_watermark(follower, 0, 10);
        start_moved(&mut play, follower, 5, StartCause::Leader, 10);
    }
    answered(&mut play, 5, 5);
    let low_watermark = Some(EndOffset(5));
    play.note(PRODUCER, Event::RecordsDeleted { partition: P, low_watermark, error: ErrorCode::None });
    play
}

#[test]
fn delete_records_all_live_replicas_begin_where_the_answer_says() {
    let mut play = deleted_on_request();
    play.holds();
    assert!(play.exercised(Guarantee::DeleteRecords) >= 4);
    let mut wrong = play.clone();
    answered(&mut wrong, 5, 4);
    wrong.breaks("delete-records/low-watermark-below-request");
    answered(&mut play, 5, 6);
    play.breaks("delete-records/low-watermark-above-live-replica");
}

#[test]
fn delete_records_is_broken_above_the_high_watermark_and_against_the_policy() {
    let mut play = Play::new();
    play.committed(batch(0, 5, 0, 7));
    answered(&mut play, 6, 6);
    play.breaks("delete-records/asked-above-high-watermark");
    start_moved(&mut play, B1, 6, StartCause::DeleteRecords, 5);
    play.breaks("delete-records/log-start-above-high-watermark");
    let compacted = TopicConfig { cleanup_policy: Some(CleanupPolicy::COMPACT), ..TopicConfig::default() };
    let mut play = Play::with(&settings(), compacted);
    play.committed(batch(0, 5, 0, 7));
    answered(&mut play, 0, 0);
    play.breaks("delete-records/deleted-against-policy");
    start_moved(&mut play, B1, 5, StartCause::DeleteRecords, 5);
    play.breaks("delete-records/log-start-moved-without-cause");
}

#[test]
fn delete_records_nobody_serves_what_is_deleted() {
    let mut play = deleted_on_request();
    served(&mut play, B1, 0, 5);
    // This one was under way when the log start moved.
    served(&mut play, B1, 0, 4);
    play.wait(30);
    served(&mut play, B1, 0, 5);
    play.holds();
    served(&mut play, B1, 0, 4);
    play.breaks("delete-records/served-below-log-start");
}

#[test]
fn delete_records_whoever_leads_next_knows_of_it_unless_all_have_crashed() {
    let mut play = deleted_on_request();
    let reopens = |play: &mut Play, broker: BrokerId| {
        play.stopped(broker, Ending::Crashed);
        play.returns_between(broker, (0, 10), &[batch(0, 5, 0, 7), batch(5, 5, 0, 8)]);
        play.change_isr(&[B1, B2, B3]);
    };
    reopens(&mut play, B2);
    play.elect(Some(B2), &[B1, B2, B3]);
    play.led(B2, (1, 3), 0, &[B1, B2, B3]);
    let mut all = play.clone();
    served(&mut play, B2, 1, 0);
    play.breaks("delete-records/deleted-record-served");
    reopens(&mut all, B1);
    reopens(&mut all, B3);
    served(&mut all, B2, 1, 0);
    all.holds();
}
