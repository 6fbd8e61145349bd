//! Logs that are compacted: what goes is superseded, and every check goes on by the batches as they were first written.

use model::config::{Acks, CleanupPolicy, TopicConfig};
use model::event::Event;
use model::log::{BatchId, CleanedBatch};
use model::names::{BrokerId, EndOffset};
use model::wire::ErrorCode;
use sim::fact::{Chapter, Ending};

use super::deletion::reads_back_from;
use crate::check::play::{B1, B2, B3, P, Play, one, settings};
use crate::guarantee::Guarantee;

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
    play.change_isr(&[B1, B2]);
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
    // Nothing but an empty segment may lie behind what it took.
    let mut play = compacted();
    play.follower_high_watermark(B2, 0, 4);
    play.stopped(B2, Ending::Crashed);
    play.returns_between(B2, (0, 4), &[one(0, 0, 7)]);
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
    play.chapter(Chapter::Ended);
    play.breaks("compaction/last-value-of-key-unseen");
}
