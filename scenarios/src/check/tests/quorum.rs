//! The controllers' metadata logs.

use std::time::Duration;

use model::event::{Event, QuorumRole};
use model::log::BatchId;
use model::names::{ControllerId, DirectoryId, EndOffset, LeaderEpoch, SnapshotId};
use model::wire::{Channel, Voter};
use sim::fact::{Api, Chapter, Ending, What};
use sim::fault::Fault;

use crate::check::play::{B1, Play, one};

const C1: ControllerId = ControllerId(3001);
const C2: ControllerId = ControllerId(3002);
const C3: ControllerId = ControllerId(3003);

/// Three controllers; the first leads epoch 1, and its first record is committed and known to be by all.
fn three() -> Play {
    let mut play = Play::new();
    for id in [C1, C2, C3] {
        play.say(id, What::Started { life: 1 });
        opened(&mut play, id, &[]);
    }
    leads(&mut play, C1, 1);
    appends(&mut play, C1, one(0, 1, 7), true);
    for id in [C2, C3] {
        appends(&mut play, id, one(0, 1, 7), false);
    }
    commits(&mut play, C1, 1, 1, true);
    for id in [C2, C3] {
        commits(&mut play, id, 1, 1, false);
    }
    play
}

fn opened(play: &mut Play, id: ControllerId, batches: &[BatchId]) {
    let end = batches.last().map_or(EndOffset::ZERO, |batch| batch.end());
    let voter = Voter { id, directory: DirectoryId(1) };
    let (epoch, start, batches) = (LeaderEpoch(1), EndOffset::ZERO, batches.to_vec());
    play.note(id, Event::QuorumOpened { voter, epoch, start, end, batches, snapshot: None });
}

fn leads(play: &mut Play, id: ControllerId, epoch: i32) {
    play.note(id, Event::QuorumRole { epoch: LeaderEpoch(epoch), role: QuorumRole::Leader, leader: Some(id) });
}

fn appends(play: &mut Play, id: ControllerId, batch: BatchId, leads: bool) {
    append_without_sync(play, id, batch, leads);
    play.note(id, Event::MetadataSynced { upto: batch.end() });
}

fn append_without_sync(play: &mut Play, id: ControllerId, batch: BatchId, leads: bool) {
    play.note(id, Event::MetadataAppended { epoch: batch.epoch, batch, leads });
}

fn cuts(play: &mut Play, id: ControllerId, end: u64) {
    play.note(id, Event::MetadataTruncated { end: EndOffset(end) });
}

fn commits(play: &mut Play, id: ControllerId, epoch: i32, at: u64, leads: bool) {
    play.note(id, Event::MetadataHighWatermark { epoch: LeaderEpoch(epoch), at: EndOffset(at), leads });
}

#[test]
fn metadata_log_one_controller_leads_an_epoch() {
    let mut play = three();
    leads(&mut play, C1, 1);
    leads(&mut play, C2, 2);
    play.holds();
    leads(&mut play, C3, 2);
    play.breaks("metadata-log/two-controllers-lead-an-epoch");
}

#[test]
fn metadata_log_who_leads_has_what_is_committed() {
    let mut play = three();
    cuts(&mut play, C3, 0);
    play.breaks("metadata-log/committed-metadata-cut");
    leads(&mut play, C3, 2);
    play.breaks("metadata-log/elected-controller-lacks-committed-metadata");
}

#[test]
fn metadata_log_only_the_leader_of_an_epoch_writes_in_it_and_leaves_no_holes() {
    let mut play = three();
    appends(&mut play, C1, one(1, 1, 8), true);
    cuts(&mut play, C1, 1);
    appends(&mut play, C1, one(1, 1, 8), true);
    play.holds();
    let mut hole = play.clone();
    appends(&mut hole, C2, one(2, 1, 9), false);
    hole.breaks("metadata-log/hole-in-metadata-log");
    let mut stranger = play.clone();
    appends(&mut stranger, C2, one(1, 1, 8), true);
    stranger.breaks("metadata-log/appends-without-mandate");
    appends(&mut play, C2, one(1, 1, 9), false);
    play.breaks("metadata-log/metadata-differs-within-epoch");
}

#[test]
fn metadata_log_a_leader_commits_what_a_majority_has_synced_and_a_record_of_its_own_with_it() {
    let mut play = three();
    appends(&mut play, C1, one(1, 1, 8), true);
    let mut alone = play.clone();
    append_without_sync(&mut alone, C2, one(1, 1, 8), false);
    commits(&mut alone, C1, 1, 2, true);
    alone.breaks("metadata-log/committed-without-majority");
    appends(&mut play, C2, one(1, 1, 8), false);
    leads(&mut play, C2, 2);
    let mut older = play.clone();
    commits(&mut older, C2, 2, 2, true);
    older.breaks("metadata-log/older-epoch-committed-by-counting");
    appends(&mut play, C2, one(2, 2, 9), true);
    appends(&mut play, C1, one(2, 2, 9), false);
    commits(&mut play, C2, 2, 3, true);
    play.holds();
}

#[test]
fn metadata_log_high_watermarks_rise_within_the_log_and_followers_learn_of_them() {
    let mut play = three();
    let mut falls = play.clone();
    commits(&mut falls, C2, 1, 0, false);
    falls.breaks("metadata-log/metadata-high-watermark-fell");
    appends(&mut play, C2, one(1, 1, 8), false);
    let mut too_far = play.clone();
    commits(&mut too_far, C2, 1, 3, false);
    too_far.breaks("metadata-log/metadata-high-watermark-above-log");
    commits(&mut play, C2, 1, 2, false);
    play.breaks("metadata-log/follower-commits-alone");
}

#[test]
fn metadata_log_all_logs_are_the_same_below_high_watermarks() {
    let mut play = three();
    appends(&mut play, C1, one(1, 1, 8), true);
    appends(&mut play, C2, one(1, 1, 8), false);
    commits(&mut play, C1, 1, 2, true);
    appends(&mut play, C3, one(1, 0, 9), false);
    play.holds();
    let mut cut = play.clone();
    cuts(&mut cut, C3, 1);
    appends(&mut cut, C3, one(1, 1, 8), false);
    commits(&mut cut, C3, 1, 2, false);
    cut.holds();
    commits(&mut play, C3, 1, 2, false);
    play.breaks("metadata-log/metadata-differs-below-high-watermark");
}

#[test]
fn metadata_log_what_was_synced_is_there_after_a_start_unless_the_disk_was_replaced() {
    let mut play = three();
    opened(&mut play, C2, &[one(0, 1, 7)]);
    append_without_sync(&mut play, C2, one(1, 1, 8), false);
    opened(&mut play, C2, &[one(0, 1, 7)]);
    play.holds();
    let mut replaced = play.clone();
    replaced.struck(C2, Fault::Wipe);
    opened(&mut replaced, C2, &[]);
    replaced.holds();
    opened(&mut play, C2, &[]);
    play.breaks("metadata-log/synced-metadata-lost");
}

#[test]
fn metadata_log_a_snapshot_takes_the_place_of_what_is_committed_only() {
    let mut play = three();
    let snapshot = |end, fetched| Event::MetadataSnapshot {
        id: SnapshotId { end: EndOffset(end), epoch: LeaderEpoch(1) },
        fetched,
        log_start: EndOffset(end),
    };
    play.note(C3, snapshot(1, true));
    appends(&mut play, C3, one(1, 1, 8), false);
    leads(&mut play, C3, 2);
    play.holds();
    play.note(C3, snapshot(2, false));
    play.breaks("metadata-log/snapshot-of-what-is-not-committed");
}

#[test]
fn progress_one_controller_leads_if_a_majority_runs() {
    let mut play = three();
    assert!(!play.judge.unsettled().iter().any(|found| found.kind == "no-metadata-leader"));
    play.note(C1, Event::QuorumRole { epoch: LeaderEpoch(1), role: QuorumRole::Resigned, leader: None });
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    let mut too_few = play.clone();
    play.chapter(Chapter::Ended);
    play.breaks("progress/no-metadata-leader");
    for id in [C2, C3] {
        too_few.stopped(id, Ending::Destroyed);
    }
    let found = too_few.judge.unsettled();
    assert!(found.iter().all(|found| found.excuse.is_some()), "{found:?}");
}

/// A controller asks another one for what it has.
fn asks(play: &mut Play, from: ControllerId, of: ControllerId) {
    let (channel, api) = (Channel::Quorum, Api::FetchMetadataRequest);
    play.say(of, What::Delivered { from: from.into(), channel, api, correlation: 1, error: None });
}

#[test]
fn metadata_log_who_leads_is_heard_by_a_majority() {
    let mut play = three();
    for _ in 0..5 {
        play.wait(3);
        asks(&mut play, C2, C1);
        play.note(B1, Event::Fenced { fenced: false });
    }
    play.holds();
    let mut punctual = play.clone();
    punctual.wait(3);
    punctual.note(C1, Event::QuorumRole { epoch: LeaderEpoch(1), role: QuorumRole::Resigned, leader: None });
    punctual.wait(60);
    punctual.note(B1, Event::Fenced { fenced: false });
    punctual.holds();
    let mut stands_still = play.clone();
    stands_still.struck(C1, |target| Fault::Pause(target, Duration::from_secs(9)));
    stands_still.wait(9);
    stands_still.note(B1, Event::Fenced { fenced: false });
    stands_still.holds();
    play.wait(4);
    play.note(B1, Event::Fenced { fenced: false });
    play.breaks("metadata-log/leads-unheard");
}
