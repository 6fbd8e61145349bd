//! Logs that lose their beginning, by age, by size and on request, and logs that are compacted.

use std::time::Duration;

use model::config::{Acks, CleanupPolicy, Limit, TopicConfig};
use model::event::{Event, SeekReason, StartCause};
use model::log::{BatchId, CleanedBatch, DeletedSegment, DeletionCause};
use model::names::{BrokerId, ControllerId, EndOffset, LeaderEpoch, Node, Offset};
use model::wire::ErrorCode;
use sim::fact::{Chapter, Ending};
use sim::fault::{Fault, Target};

use crate::check::play::{B1, B2, B3, CONSUMER, P, PRODUCER, Play, batch, one, settings};
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

fn reads_back_from(play: &mut Play, position: u64) {
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

// ---- compaction ----

/// Three records of one key, a batch each, then one of another.
fn compacted() -> Play {
    let config = TopicConfig { cleanup_policy: Some(CleanupPolicy::COMPACT), ..TopicConfig::default() };
    let mut play = Play::with(&settings(), config);
    for (offset, key) in [(0, 1), (1, 1), (2, 1), (3, 2)] {
        let value = 70 + offset;
        play.sent(value, Some(key));
        play.left(&[value], 1);
        play.committed(one(offset, 0, 7));
        play.answered(B1, Acks::All, Some(one(offset, 0, 7)), ErrorCode::None);
        play.acked(Acks::All, one(offset, 0, 7), &[value]);
    }
    play
}

fn cleaned(play: &mut Play, broker: BrokerId, upto: u64, batches: &[(BatchId, Option<BatchId>, &[u32])]) {
    let cleaned = |&(before, after, kept): &(BatchId, Option<BatchId>, &[u32])| CleanedBatch {
        before,
        after,
        kept: kept.to_vec(),
    };
    let (upto, batches) = (EndOffset(upto), batches.iter().map(cleaned).collect());
    play.note(broker, Event::Cleaned { partition: P, upto, batches });
}

/// b1 has removed the first record, emptied the batch of the second, and rewritten the third.
fn clean(play: &mut Play) {
    let batches: [(BatchId, Option<BatchId>, &[u32]); 3] = [
        (one(0, 0, 7), None, &[]),
        (one(1, 0, 7), Some(one(1, 0, 50)), &[]),
        (one(2, 0, 7), Some(one(2, 0, 51)), &[0]),
    ];
    cleaned(play, B1, 3, &batches);
}

#[test]
fn compaction_takes_what_is_superseded_and_readers_do_not_miss_it() {
    let mut play = compacted();
    clean(&mut play);
    reads_back_from(&mut play, 0);
    play.polled(&[(2, 72), (3, 73)]);
    play.chapter(Chapter::Ended);
    play.holds();
    assert!(play.exercised(Guarantee::Compaction) >= 6);
}

#[test]
fn compaction_logs_agree_whether_they_are_cleaned_or_not() {
    let mut play = compacted();
    clean(&mut play);
    // A follower that has nothing fetches what is left.
    play.truncated(B3, -1, 0);
    for batch in [one(1, 0, 50), one(2, 0, 51), one(3, 0, 7)] {
        play.replicated(B3, batch);
    }
    play.follower_high_watermark(B3, 0, 4);
    // Whoever has cleaned opens what is left, and whoever has not opens all.
    play.stopped(B2, Ending::Crashed);
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 7), one(2, 0, 7), one(3, 0, 7)]);
    play.stopped(B3, Ending::Crashed);
    play.returns(B3, &[one(1, 0, 50), one(2, 0, 51), one(3, 0, 7)]);
    play.holds();
}

#[test]
fn compaction_who_dies_in_the_middle_of_it_has_cleaned() {
    let mut play = compacted();
    play.follower_high_watermark(B2, 0, 4);
    play.stopped(B2, Ending::Crashed);
    play.returns(B2, &[one(1, 0, 50), one(2, 0, 51), one(3, 0, 7)]);
    play.polled(&[(2, 72), (3, 73)]);
    play.holds();
}

#[test]
fn compaction_is_broken_by_the_removal_of_a_last_record() {
    let mut play = compacted();
    cleaned(&mut play, B1, 4, &[(one(3, 0, 7), None, &[])]);
    play.breaks("compaction/last-value-of-key-removed");
}

#[test]
fn compaction_what_follows_may_turn_up_later() {
    let mut play = compacted();
    // Committed, and its producer has not heard of it yet.
    for value in [74, 75] {
        play.sent(value, Some(if value == 74 { 2 } else { 3 }));
    }
    play.committed(one(4, 0, 7));
    let mut broken = play.clone();
    cleaned(&mut play, B1, 5, &[(one(3, 0, 7), None, &[])]);
    play.acked(Acks::All, one(4, 0, 7), &[74]);
    play.chapter(Chapter::Ended);
    assert!(!play.broken().contains(&"compaction/last-value-of-key-removed".to_owned()));
    cleaned(&mut broken, B1, 5, &[(one(3, 0, 7), None, &[])]);
    broken.acked(Acks::All, one(4, 0, 7), &[75]);
    reads_back_from(&mut broken, 0);
    broken.chapter(Chapter::Ended);
    broken.breaks("compaction/last-value-of-key-removed");
}

#[test]
fn compaction_counts_only_what_lies_below_its_bound() {
    let mut play = compacted();
    cleaned(&mut play, B1, 2, &[(one(1, 0, 7), None, &[])]);
    play.breaks("compaction/last-value-of-key-removed");
}

#[test]
fn compaction_counts_only_what_is_committed() {
    let mut play = compacted();
    play.sent(80, Some(2));
    play.left(&[80], 1);
    play.appended(B1, one(4, 0, 7));
    play.polled(&[(4, 80)]);
    cleaned(&mut play, B1, 4, &[(one(3, 0, 7), None, &[])]);
    play.breaks("compaction/last-value-of-key-removed");
}

#[test]
fn compaction_is_broken_above_the_high_watermark_and_where_nobody_asked_for_it() {
    let mut play = compacted();
    for (value, offset) in [(80, 4), (81, 5)] {
        play.sent(value, Some(3));
        play.appended(B1, one(offset, 0, 7));
    }
    cleaned(&mut play, B1, 5, &[(one(4, 0, 7), None, &[])]);
    play.breaks("compaction/cleaned-above-high-watermark");
    let mut play = Play::new();
    play.produced(one(0, 0, 7), &[70]);
    cleaned(&mut play, B1, 1, &[(one(0, 0, 7), Some(one(0, 0, 8)), &[0])]);
    play.breaks("compaction/cleaned-without-policy");
}

#[test]
fn compaction_is_broken_by_another_offset_or_another_order() {
    let moved: (BatchId, Option<BatchId>, &[u32]) = (one(1, 0, 7), Some(one(0, 0, 9)), &[0]);
    let stranger: (BatchId, Option<BatchId>, &[u32]) = (one(1, 0, 99), Some(one(1, 0, 9)), &[0]);
    let twice: (BatchId, Option<BatchId>, &[u32]) = (one(1, 0, 7), Some(one(1, 0, 9)), &[0, 0]);
    for wrong in [moved, stranger, twice] {
        let mut play = compacted();
        cleaned(&mut play, B1, 4, &[wrong]);
        play.breaks("compaction/cleaned-batch-out-of-place");
    }
}

#[test]
fn compaction_is_broken_if_the_last_record_of_a_key_is_not_read_at_the_end() {
    let mut play = compacted();
    clean(&mut play);
    reads_back_from(&mut play, 0);
    play.polled(&[(2, 72)]);
    play.polled(&[(4, 99)]);
    play.note(ControllerId(1), Event::ControllerLed { epoch: LeaderEpoch(9) });
    play.chapter(Chapter::Ended);
    play.breaks("compaction/last-value-of-key-unseen");
}
