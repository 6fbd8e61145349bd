//! What was synced is there, a start finds what a stop has left, and what is derived agrees with its log.

use model::event::Event;
use model::log::{BatchId, Recovery};
use model::names::{EndOffset, LeaderEpoch};
use sim::fact::{Ending, What};
use sim::fault::Fault;

use crate::check::play::{B1, B2, B3, P, Play, batch, one};
use crate::guarantee::Guarantee;

/// b2 follows and has three records of which only the first is committed and the first two are synced.
fn two_of_three_synced() -> Play {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    for record in [one(1, 0, 8), one(2, 0, 9)] {
        play.appended(B1, record);
        play.replicated(B2, record);
    }
    play.flushed(B2, 2);
    play
}

#[test]
fn storage_the_power_takes_what_was_not_synced_and_nothing_else() {
    let mut play = two_of_three_synced();
    play.stopped(B2, Ending::PoweredOff);
    let mut broken = play.clone();
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 8)]);
    play.holds();
    assert_eq!(play.exercised(Guarantee::Storage), 8, "a recovery point for each of seven, and what was synced of one");
    broken.returns(B2, &[one(0, 0, 7)]);
    broken.breaks("storage/synced-batch-lost");
}

#[test]
fn storage_is_broken_by_another_record_where_one_was_synced() {
    let mut play = two_of_three_synced();
    play.stopped(B2, Ending::PoweredOff);
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 99)]);
    play.breaks("storage/synced-batch-lost");
}

#[test]
fn storage_what_was_cut_since_is_not_asked_for() {
    let mut play = two_of_three_synced();
    play.truncated(B2, 0, 1);
    play.stopped(B2, Ending::PoweredOff);
    play.returns(B2, &[one(0, 0, 7)]);
    play.holds();
}

#[test]
fn storage_disks_that_rot_fail_a_sync_or_are_replaced_are_excused() {
    for fault in [Fault::Rot, Fault::SyncError, Fault::Wipe] {
        let mut play = two_of_three_synced();
        play.struck(B2, fault);
        play.stopped(B2, Ending::PoweredOff);
        play.returns(B2, &[]);
        play.holds();
    }
}

#[test]
fn storage_a_follower_that_was_about_to_cut_its_log_may_have_cut_it() {
    let mut play = two_of_three_synced();
    play.elect(Some(B3), &[B1, B2, B3]);
    play.led(B3, (1, 1), 1, &[B1, B2, B3]);
    play.followed(B2, (1, 1), B3);
    play.stopped(B2, Ending::Crashed);
    play.returns(B2, &[one(0, 0, 7)]);
    play.holds();
}

/// A log without leader epochs is cut to the high watermark by whoever begins to follow (R35), and a start opens it and
/// follows in one step.
#[test]
fn storage_a_start_that_died_before_it_said_anything_may_have_cut_its_log_to_the_high_watermark() {
    let opens = |play: &mut Play, batches: &[BatchId], high_watermark: u64| {
        play.starts_again(B2);
        let end = EndOffset(batches.len() as u64);
        let (start, high_watermark, recovery_point) = (EndOffset(0), EndOffset(high_watermark).min(end), EndOffset(0));
        let (batches, epochs) = (batches.to_vec(), vec![(LeaderEpoch(0), EndOffset(0))]);
        play.note(B2, Event::Opened { partition: P, start, end, high_watermark, recovery_point, batches, epochs });
    };
    let story = |high_watermark: u64| {
        let all = [one(0, 0, 7), one(1, 0, 8)];
        let mut play = Play::new();
        all.into_iter().for_each(|record| play.committed(record));
        play.flushed(B2, 2);
        play.stopped(B2, Ending::Crashed);
        opens(&mut play, &all, high_watermark);
        play.stopped(B2, Ending::PoweredOff);
        play.starts_again(B2);
        play.stopped(B2, Ending::Crashed);
        opens(&mut play, &all[..1], high_watermark);
        play.broken()
    };
    assert_eq!(story(1), Vec::<String>::new());
    let lost = ["power-loss/power-loss-took-synced-record", "storage/synced-batch-lost"];
    assert_eq!(story(2), lost, "it lay below the high watermark");
    // Whoever follows already has cut it when it began to.
    let mut play = two_of_three_synced();
    play.followed(B2, (0, 0), B1);
    play.stopped(B2, Ending::PoweredOff);
    opens(&mut play, &[one(0, 0, 7)], 1);
    assert_eq!(play.broken(), ["storage/synced-batch-lost"], "it followed already");
}

#[test]
fn storage_the_recovery_point_is_never_ahead_of_what_was_synced() {
    let at = |recovery_point: u64| {
        let mut play = two_of_three_synced();
        play.stopped(B2, Ending::PoweredOff);
        play.starts_again(B2);
        let batches = vec![one(0, 0, 7), one(1, 0, 8), one(2, 0, 9)];
        let epochs = vec![(LeaderEpoch(0), EndOffset(0))];
        let (start, end, recovery_point) = (EndOffset(0), EndOffset(3), EndOffset(recovery_point));
        let high_watermark = start;
        play.note(B2, Event::Opened { partition: P, start, end, high_watermark, recovery_point, batches, epochs });
        play
    };
    at(2).holds();
    at(3).breaks("storage/recovery-point-ahead");
}

#[test]
fn recovery_a_crash_of_the_process_takes_nothing() {
    let mut play = two_of_three_synced();
    play.stopped(B2, Ending::Crashed);
    let mut broken = play.clone();
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 8), one(2, 0, 9)]);
    play.holds();
    assert_eq!(play.exercised(Guarantee::Recovery), 2, "that it was looked at, and that nothing is missing");
    broken.returns(B2, &[one(0, 0, 7), one(1, 0, 8)]);
    assert_eq!(broken.broken(), ["recovery/start-lost-what-was-there"]);
}

#[test]
fn recovery_a_record_that_was_on_its_way_into_the_log_may_be_found_there() {
    let mut play = two_of_three_synced();
    play.appended(B1, one(3, 0, 10));
    play.stopped(B2, Ending::Crashed);
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 8), one(2, 0, 9), one(3, 0, 10)]);
    play.holds();
}

#[test]
fn recovery_is_broken_by_a_record_that_nobody_wrote() {
    let mut play = two_of_three_synced();
    play.stopped(B2, Ending::PoweredOff);
    let mut broken = play.clone();
    play.returns(B2, &[one(0, 0, 7), one(1, 0, 8), one(2, 0, 9)]);
    play.holds();
    broken.returns(B2, &[one(0, 0, 7), one(1, 0, 8), one(2, 3, 9)]);
    broken.breaks("recovery/opened-batch-nobody-wrote");
}

#[test]
fn recovery_only_an_orderly_stop_is_believed() {
    let all = [one(0, 0, 7), one(1, 0, 8), one(2, 0, 9)];
    // Without a word a start believes what it finds, and says so if it did something all the same.
    for says_so in [false, true] {
        let believes = |play: &mut Play| {
            play.say(B2, What::Started { life: 2 });
            if says_so {
                play.note(B2, Event::Recovered { partition: P, clean: true, recovery: Recovery::default() });
            }
            play.opened(B2, &all);
        };
        let mut play = two_of_three_synced();
        let mut broken = play.clone();
        play.struck(B2, Fault::Terminate);
        play.stopped(B2, Ending::Exited);
        believes(&mut play);
        play.holds();
        broken.stopped(B2, Ending::Crashed);
        believes(&mut broken);
        assert_eq!(broken.broken(), ["recovery/clean-start-after-a-crash"]);
    }
}

#[test]
fn derived_state_the_leader_epochs_are_those_of_the_batches() {
    let with = |epochs: &[(i32, u64)]| {
        let mut play = Play::new();
        play.committed(batch(0, 5, 0, 7));
        play.stopped(B2, Ending::Crashed);
        play.starts_again(B2);
        let (start, end, high_watermark, recovery_point) = (EndOffset(0), EndOffset(5), EndOffset(0), EndOffset(0));
        let batches = vec![batch(0, 5, 0, 7)];
        let epochs = epochs.iter().map(|&(epoch, since)| (LeaderEpoch(epoch), EndOffset(since))).collect();
        play.note(B2, Event::Opened { partition: P, start, end, high_watermark, recovery_point, batches, epochs });
        play
    };
    with(&[(0, 0)]).holds();
    with(&[(0, 0), (4, 5)]).holds();
    with(&[]).breaks("derived-state/epochs-contradict-batches");
    with(&[(0, 0), (4, 3)]).breaks("derived-state/epochs-contradict-batches");
}

#[test]
fn derived_state_the_bounds_of_a_log_enclose_each_other() {
    let mut play = Play::new();
    let (start, end, high_watermark, recovery_point) = (EndOffset(5), EndOffset(9), EndOffset(4), EndOffset(0));
    let (batches, epochs) = (Vec::new(), Vec::new());
    play.note(B3, Event::Opened { partition: P, start, end, high_watermark, recovery_point, batches, epochs });
    play.breaks("derived-state/bounds-out-of-order");
}
