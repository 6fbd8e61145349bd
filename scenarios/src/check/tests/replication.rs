//! Logs, leaders, epochs, in-sync sets, high watermarks, progress.

use model::config::Acks;
use model::event::Event;
use model::metadata::{ConfigResource, MetadataRecord, PartitionChange};
use model::names::{BrokerEpoch, BrokerId, ControllerId, DirectoryId, EndOffset, LeaderEpoch, PartitionEpoch};
use model::wire::{AdminRequest, ErrorCode, Voter};
use sim::fact::{Chapter, Ending, What};
use sim::fault::Fault;

use crate::check::play::{B1, B2, B3, P, Play, Q, batch, one};
use crate::guarantee::Guarantee;

#[test]
fn log_matching_a_follower_has_what_its_leader_wrote() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.holds();
    play.appended(B1, one(1, 0, 8));
    play.replicated(B2, one(1, 0, 9));
    play.breaks("log-matching/same-offset-and-epoch-other-record");
}

#[test]
fn log_matching_the_same_record_has_the_same_past() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.replicated(B2, one(0, 0, 7));
    play.elect(Some(B2), &[B2, B3]);
    play.led(B2, (1, 1), 0, &[B2, B3]);
    play.appended(B2, one(1, 1, 8));
    play.appended(B1, one(1, 0, 9));
    let mut cut_too_high = play.clone();
    play.followed(B1, (1, 1), B2);
    play.truncated(B1, 1, 1);
    play.replicated(B1, one(1, 1, 8));
    play.holds();
    cut_too_high.appended(B2, one(2, 1, 10));
    cut_too_high.followed(B1, (1, 1), B2);
    cut_too_high.replicated(B1, one(2, 1, 10));
    cut_too_high.breaks("log-matching/same-offset-and-epoch-other-past");
}

#[test]
fn log_matching_logs_have_no_holes() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.appended(B1, one(2, 0, 8));
    play.breaks("log-matching/hole-in-log");
}

#[test]
fn log_matching_logs_are_the_same_below_high_watermarks() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.follower_high_watermark(B2, 0, 1);
    play.holds();
    play.truncated(B3, 0, 0);
    play.breaks("leader-completeness/in-sync-replica-cut-committed-record");
    play.elect(Some(B3), &[B3, B2]);
    play.appended(B3, one(0, 1, 9));
    play.follower_high_watermark(B3, 1, 1);
    play.breaks("log-matching/differs-below-high-watermark");
}

#[test]
fn log_matching_an_epoch_is_written_once() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.truncated(B1, 0, 0);
    play.holds();
    play.appended(B1, one(0, 0, 8));
    play.breaks("log-matching/epoch-written-twice");
}

#[test]
fn log_matching_epochs_begin_in_order() {
    let opened = |epochs: &[(i32, u64)]| {
        let mut play = Play::new();
        let epochs = epochs.iter().map(|&(epoch, start)| (LeaderEpoch(epoch), EndOffset(start))).collect();
        let (start, high_watermark, recovery_point) = Default::default();
        let (end, batches) = (EndOffset(9), Vec::new());
        play.starts_again(B3);
        let event = Event::Opened { partition: P, start, end, high_watermark, recovery_point, batches, epochs };
        play.note(B3, event);
        play
    };
    opened(&[(0, 0), (2, 5)]).holds();
    opened(&[(2, 0), (2, 5)]).breaks("log-matching/epoch-cache-out-of-order");
    opened(&[(0, 5), (1, 3)]).breaks("log-matching/epoch-cache-out-of-order");
}

#[test]
fn nothing_made_up_a_follower_has_only_what_a_leader_wrote() {
    let mut play = Play::new();
    play.replicated(B2, one(0, 0, 7));
    play.breaks("nothing-made-up/record-from-nowhere");
}

#[test]
fn one_leader_nobody_else_writes_in_an_epoch() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.holds();
    assert!(play.exercised(Guarantee::OneLeader) > 0);
    play.appended(B2, one(0, 0, 8));
    play.breaks("one-leader/two-leaders-in-epoch");
}

#[test]
fn one_leader_whoever_leads_was_named() {
    let mut play = Play::new();
    play.elect(Some(B2), &[B2, B3]);
    play.led(B3, (1, 1), 0, &[B2, B3]);
    play.breaks("one-leader/leads-without-mandate");
}

#[test]
fn leader_completeness_who_joins_has_everything() {
    let mut play = Play::new();
    play.change_isr(&[B1, B2]);
    play.isr_known(B1, (0, 1), &[B1, B2], &[B1, B2]);
    play.appended(B1, one(0, 0, 7));
    play.replicated(B2, one(0, 0, 7));
    play.high_watermark(B1, 0, 1);
    let mut too_early = play.clone();
    play.replicated(B3, one(0, 0, 7));
    play.change_isr(&[B1, B2, B3]);
    play.holds();
    too_early.change_isr(&[B1, B2, B3]);
    too_early.breaks("leader-completeness/newcomer-lacks-committed-record");
}

#[test]
fn leader_completeness_an_in_sync_replica_does_not_cut_what_is_committed() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.appended(B1, one(1, 0, 8));
    play.replicated(B2, one(1, 0, 8));
    play.truncated(B2, 0, 1);
    play.holds();
    play.truncated(B2, 0, 0);
    play.breaks("leader-completeness/in-sync-replica-cut-committed-record");
}

#[test]
fn in_sync_set_the_leader_is_in_it() {
    let mut play = Play::new();
    play.elect(Some(B2), &[B1, B3]);
    play.breaks("in-sync-set/leader-not-in-isr");
    let mut play = Play::new();
    play.change_isr(&[]);
    play.breaks("in-sync-set/isr-malformed");
}

#[test]
fn in_sync_set_the_eligible_are_replicas_that_are_not_in_sync() {
    let change = |isr: &[BrokerId], elr: &[BrokerId], leader: Option<BrokerId>| PartitionChange {
        leader: Some(leader),
        isr: Some(isr.to_vec()),
        elr: Some(elr.to_vec()),
        ..PartitionChange::of(P)
    };
    let mut play = Play::new();
    play.commit(MetadataRecord::PartitionChange(change(&[B1], &[B2], Some(B1))));
    play.commit(MetadataRecord::PartitionChange(change(&[], &[B1, B2], None)));
    play.holds();
    // R86: min.insync.replicas was altered, and nobody is eligible any more.
    let mut forgotten = play.clone();
    forgotten.commit(MetadataRecord::PartitionChange(PartitionChange {
        elr: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..PartitionChange::of(P)
    }));
    forgotten.holds();
    let mut stranger = play.clone();
    stranger.commit(MetadataRecord::PartitionChange(change(&[B2], &[B2, B1], Some(B2))));
    stranger.breaks("in-sync-set/elr-malformed");
    let mut by_other = play.clone();
    by_other.commit(MetadataRecord::PartitionChange(change(&[B3], &[], Some(B3))));
    by_other.breaks("leader-completeness/unclean-election");
    play.commit(MetadataRecord::PartitionChange(change(&[B2], &[B1], Some(B2))));
    play.holds();
}

#[test]
fn in_sync_set_a_leader_waits_for_all_of_it() {
    let mut play = Play::new();
    play.isr_known(B1, (0, 0), &[B1, B2, B3], &[B1, B2, B3]);
    play.holds();
    let mut at_once = play.clone();
    at_once.isr_known(B1, (0, 0), &[B1, B2, B3], &[B1, B2]);
    at_once.breaks("in-sync-set/leader-does-not-wait-for-member");
    play.change_isr(&[B1]);
    play.isr_known(B1, (0, 1), &[B1], &[B1]);
    play.holds();
    play.change_isr(&[B1, B2]);
    play.isr_known(B1, (0, 2), &[B1], &[B1]);
    play.breaks("in-sync-set/leader-does-not-wait-for-in-sync-replica");
}

#[test]
fn in_sync_set_a_leader_waits_for_others_only_if_it_proposes_them() {
    let (partition, epoch, partition_epoch) = (P, LeaderEpoch(0), PartitionEpoch(0));
    let mut play = Play::new();
    play.change_isr(&[B1, B2]);
    for pending in [true, false] {
        let (committed, required) = (vec![B1, B2], vec![B1, B2, B3]);
        play.note(B1, Event::IsrKnown { partition, epoch, partition_epoch, committed, required, pending });
        if pending {
            play.holds();
        }
    }
    play.breaks("in-sync-set/waits-for-others-without-proposal");
}

#[test]
fn in_sync_set_a_fenced_broker_leaves_it() {
    let mut play = Play::new();
    play.fence(B3, BrokerEpoch(5), true);
    play.change_isr(&[B1, B2]);
    play.breaks("in-sync-set/fenced-broker-in-sync");
    let mut play = Play::new();
    play.change_isr(&[B1, B2]);
    play.commit(MetadataRecord::PartitionChange(PartitionChange { isr: Some(vec![B1, B2]), ..PartitionChange::of(Q) }));
    play.fence(B3, BrokerEpoch(5), true);
    play.change_isr(&[B1]);
    play.holds();
}

#[test]
fn in_sync_set_nobody_joins_it_who_is_fenced() {
    let mut play = Play::new();
    play.change_isr(&[B1, B2]);
    play.fence(B3, BrokerEpoch(5), true);
    play.change_isr(&[B1, B2, B3]);
    play.breaks("in-sync-set/inactive-broker-joined");
}

#[test]
fn epochs_never_fall_in_a_life() {
    let mut play = Play::new();
    play.elect(Some(B2), &[B2, B3]);
    play.followed(B3, (1, 1), B2);
    play.holds();
    let mut restarted = play.clone();
    play.followed(B3, (0, 0), B1);
    play.breaks("epochs/replica-epoch-fell");
    restarted.stopped(B3, Ending::Crashed);
    restarted.followed(B3, (0, 0), B1);
    restarted.holds();
}

#[test]
fn epochs_applied_metadata_does_not_fall_in_a_life() {
    let mut play = at_rest();
    play.holds();
    play.note(B1, Event::MetadataApplied { upto: EndOffset(3) });
    play.breaks("epochs/applied-metadata-fell");
}

#[test]
fn epochs_nobody_is_ahead_of_the_controller() {
    let mut play = Play::new();
    let end = play.metadata_end();
    play.note(B1, Event::MetadataApplied { upto: end });
    play.holds();
    let mut ahead = play.clone();
    ahead.note(B1, Event::MetadataApplied { upto: EndOffset(end.0 + 1) });
    ahead.breaks("epochs/ahead-of-committed-metadata");
    play.followed(B3, (1, 1), B2);
    play.breaks("epochs/ahead-of-controller");
}

#[test]
fn epochs_a_controller_votes_once_in_an_epoch_whatever_befalls_it() {
    let voter = |id: u32| Voter { id: ControllerId(id), directory: DirectoryId(id.into()) };
    let votes = |play: &mut Play, epoch, candidate| {
        let event = Event::Voted { epoch: LeaderEpoch(epoch), candidate: voter(candidate) };
        play.note(ControllerId(3), event);
    };
    let mut play = Play::new();
    votes(&mut play, 2, 1);
    votes(&mut play, 2, 1);
    votes(&mut play, 3, 2);
    play.stopped(ControllerId(3), Ending::Crashed);
    play.holds();
    votes(&mut play, 3, 1);
    play.breaks("epochs/voted-twice");
}

#[test]
fn epochs_what_is_committed_in_the_metadata_log_stays_so_and_comes_before_its_answer() {
    let mut play = Play::new();
    let end = play.metadata_end();
    let answered = |committed: u64| Event::ControllerAnswered {
        peer: B1.into(),
        decided: (model::names::Offset(end.0 - 1), end),
        committed: EndOffset(committed),
    };
    play.note(ControllerId(1), answered(end.0));
    play.holds();
    let mut early = play.clone();
    early.note(ControllerId(1), answered(end.0 - 1));
    early.breaks("epochs/answered-before-committed");
    let offset = model::names::Offset(end.0 - 1);
    play.note(ControllerId(2), Event::Committed { offset, record: MetadataRecord::NoOp });
    play.breaks("epochs/committed-metadata-changed");
}

#[test]
fn metadata_is_lost_with_a_majority_of_the_controllers_only() {
    let mut play = Play::new();
    for id in 1..=3 {
        play.say(ControllerId(id), What::Started { life: 1 });
    }
    play.stopped(ControllerId(1), Ending::Destroyed);
    assert!(!play.judge.is_blind(), "G15");
    play.stopped(ControllerId(2), Ending::Destroyed);
    assert!(play.judge.is_blind());
}

#[test]
fn epochs_of_controllers_and_registrations_rise() {
    let mut play = Play::new();
    let controller = model::names::ControllerId(1);
    play.note(controller, Event::ControllerLed { epoch: LeaderEpoch(2) });
    play.holds();
    play.note(controller, Event::ControllerLed { epoch: LeaderEpoch(2) });
    play.breaks("epochs/controller-epoch-did-not-rise");
    play.note(B1, Event::Registered { epoch: BrokerEpoch(0) });
    play.breaks("epochs/broker-epoch-did-not-rise");
}

#[test]
fn no_epoch_has_two_brokers_that_control() {
    let mut play = Play::new();
    for (broker, epoch) in [(B1, 3), (B2, 4), (B1, 3)] {
        play.note(broker, Event::ControllerLed { epoch: LeaderEpoch(epoch) });
    }
    play.holds();
    play.note(B2, Event::ControllerLed { epoch: LeaderEpoch(3) });
    play.breaks("epochs/two-controllers-in-one-epoch");
}

#[test]
fn high_watermark_waits_for_everybody_in_sync() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.replicated(B2, one(0, 0, 7));
    let mut hasty = play.clone();
    play.replicated(B3, one(0, 0, 7));
    play.high_watermark(B1, 0, 1);
    play.holds();
    hasty.high_watermark(B1, 0, 1);
    hasty.breaks("high-watermark/above-in-sync-replica");
}

#[test]
fn high_watermark_does_not_fall_in_an_epoch() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    play.high_watermark(B1, 0, 0);
    play.breaks("high-watermark/fell-within-epoch");
}

#[test]
fn high_watermark_of_a_follower_keeps_to_what_is_committed() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.replicated(B2, one(0, 0, 7));
    play.follower_high_watermark(B2, 0, 0);
    play.holds();
    let mut beyond = play.clone();
    beyond.follower_high_watermark(B2, 0, 2);
    beyond.breaks("high-watermark/above-own-log");
    play.follower_high_watermark(B2, 0, 1);
    play.breaks("high-watermark/follower-above-committed");
}

#[test]
fn a_zombie_leader_commits_what_everybody_in_sync_has_fetched() {
    let mut play = Play::new();
    play.appended(B1, one(0, 0, 7));
    play.replicated(B2, one(0, 0, 7));
    play.replicated(B3, one(0, 0, 7));
    play.elect(Some(B2), &[B2, B3]);
    play.high_watermark(B1, 0, 1);
    play.led(B2, (1, 1), 0, &[B2, B3]);
    play.holds();
    assert_eq!(play.judge.lost().committed, 1);
}

/// Everything is at rest: metadata applied, logs equal, roles known.
fn at_rest() -> Play {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    let end = play.metadata_end();
    for broker in [B1, B2, B3] {
        play.note(broker, Event::MetadataApplied { upto: end });
    }
    play
}

#[test]
fn progress_comes_to_rest_after_a_heal() {
    let mut play = at_rest();
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    assert_eq!(play.judge.unsettled(), []);
    play.chapter(Chapter::Ended);
    play.holds();
    assert_eq!(play.exercised(Guarantee::Progress), 1);
}

#[test]
fn progress_is_not_judged_before_its_bound_or_during_faults() {
    for wait in [1, 1_000] {
        let mut play = at_rest();
        play.change_isr(&[B1, B2]);
        play.chapter(Chapter::Healed);
        if wait > 1 {
            play.struck(B3, Fault::Isolate);
        }
        play.wait(wait);
        play.chapter(Chapter::Ended);
        play.holds();
        assert_eq!(play.exercised(Guarantee::Progress), 0);
    }
}

#[test]
fn progress_every_live_replica_is_in_sync() {
    let mut play = at_rest();
    play.change_isr(&[B1, B2]);
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/replica-not-in-sync");
}

#[test]
fn progress_every_partition_is_led() {
    let mut play = at_rest();
    play.elect(None, &[B1]);
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/partition-without-leader");
}

#[test]
fn progress_everything_is_committed_and_replicated() {
    let mut play = at_rest();
    play.appended(B1, one(1, 0, 8));
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/high-watermark-stands-still");
}

#[test]
fn progress_every_broker_runs_and_knows_what_was_decided() {
    let mut play = at_rest();
    play.commit(model::metadata::MetadataRecord::NoOp);
    play.stopped(B3, Ending::StorageFailed);
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/broker-is-down");
    play.breaks("progress/metadata-stands-still");
}

/// Everything was healed, and the longest bound has passed.
fn waited(mut play: Play) -> Play {
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play
}

#[test]
fn progress_is_expected_although_somebody_is_started() {
    let mut play = at_rest();
    play.change_isr(&[B1, B2]);
    play.chapter(Chapter::Healed);
    play.struck(B3, Fault::Start);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/replica-not-in-sync");
}

#[test]
fn progress_who_runs_is_not_fenced() {
    let mut play = at_rest();
    let epoch = play.register(B3);
    play.fence(B3, epoch, true);
    waited(play).breaks("progress/live-broker-is-fenced");
}

#[test]
fn progress_who_was_elected_knows_it() {
    let mut play = at_rest();
    play.elect(Some(B2), &[B2, B1, B3]);
    waited(play).breaks("progress/leader-does-not-know");
}

#[test]
fn progress_who_is_gone_for_good_leaves_the_isr() {
    let mut play = at_rest();
    play.stopped(B3, Ending::Destroyed);
    waited(play).breaks("progress/dead-replica-in-sync");
}

#[test]
fn progress_every_live_replica_has_everything() {
    let mut play = at_rest();
    play.appended(B1, one(1, 0, 8));
    play.replicated(B2, one(1, 0, 8));
    play.high_watermark(B1, 0, 2);
    waited(play).breaks("progress/replica-behind");
}

#[test]
fn progress_what_a_power_loss_brought_back_is_told_apart() {
    let old = one(0, 0, 7);
    let mut play = Play::new();
    play.appended(B1, old);
    play.replicated(B3, old);
    play.elect(Some(B2), &[B2, B1]);
    play.led(B2, (1, 1), 0, &[B2, B1]);
    play.followed(B1, (1, 1), B2);
    play.truncated(B1, 1, 0);
    play.followed(B3, (1, 1), B2);
    play.truncated(B3, 1, 0);
    play.appended(B2, one(0, 1, 8));
    play.replicated(B1, one(0, 1, 8));
    play.high_watermark(B2, 1, 1);
    play.holds();
    play.stopped(B3, Ending::PoweredOff);
    let mut gone = play.clone();
    play.returns(B3, &[old]);
    waited(play).breaks("progress/power-loss-brought-back-cut-records");
    gone.returns(B3, &[]);
    waited(gone).breaks("progress/replica-not-in-sync");
}

#[test]
fn progress_every_send_is_decided() {
    let mut play = at_rest();
    play.sent(1, None);
    let mut crashed = play.clone();
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.breaks("progress/undecided-send");
    crashed.stopped(crate::check::play::PRODUCER, Ending::Crashed);
    crashed.chapter(Chapter::Healed);
    crashed.wait(1_000);
    crashed.chapter(Chapter::Ended);
    crashed.holds();
}

#[test]
fn progress_below_the_minimum_is_told_apart() {
    let mut play = at_rest();
    play.appended(B1, batch(1, 2, 0, 8));
    for broker in [B2, B3] {
        play.stopped(broker, Ending::Destroyed);
    }
    for partition in [P, Q] {
        play.commit(MetadataRecord::PartitionChange(PartitionChange {
            isr: Some(vec![B1]),
            ..PartitionChange::of(partition)
        }));
    }
    let end = play.metadata_end();
    play.note(B1, Event::MetadataApplied { upto: end });
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.holds();
    assert_eq!(
        play.judge.stuck().keys().copied().collect::<Vec<_>>(),
        ["fewer replicas are left than min.insync.replicas"]
    );
}

#[test]
fn nothing_can_be_demanded_once_the_controller_has_lost_its_disk() {
    let mut play = at_rest();
    play.struck(model::names::ControllerId(1), Fault::Wipe);
    play.elect(Some(B2), &[B1, B3]);
    play.chapter(Chapter::Ended);
    play.holds();
    assert!(play.judge.is_blind());
    let unsettled = play.judge.unsettled();
    assert_eq!((unsettled.len(), unsettled[0].kind), (1, "metadata-lost"));
    assert_eq!(unsettled[0].excuse, Some("the controller lost its disk"));
}

#[test]
fn a_failed_sync_of_the_controller_is_forgiven_unless_the_power_goes_after_it() {
    let mut play = at_rest();
    let controller = model::names::ControllerId(1);
    play.struck(controller, Fault::SyncError);
    play.stopped(controller, Ending::StorageFailed);
    assert!(!play.judge.is_blind());
    play.stopped(controller, Ending::PoweredOff);
    assert!(play.judge.is_blind());
}

#[test]
fn progress_a_broker_that_was_told_to_stop_may_stay_down() {
    let mut play = at_rest();
    play.struck(B3, Fault::Terminate);
    play.chapter(Chapter::Healed);
    play.stopped(B3, Ending::Exited);
    play.change_isr(&[B1, B2]);
    let end = play.metadata_end();
    for broker in [B1, B2] {
        play.note(broker, Event::MetadataApplied { upto: end });
    }
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.holds();
}

/// A change of the partition's replicas.
fn reassign(play: &mut Play, replicas: &[u32], adding: &[u32], removing: &[u32], isr: &[u32]) {
    let list = |ids: &[u32]| Some(ids.iter().copied().map(BrokerId).collect());
    play.commit(MetadataRecord::PartitionChange(PartitionChange {
        replicas: list(replicas),
        adding: list(adding),
        removing: list(removing),
        isr: list(isr),
        ..PartitionChange::of(P)
    }));
}

#[test]
fn in_sync_set_replicas_come_and_go_by_reassignment_only() {
    let mut play = Play::new();
    let mut lowered = play.clone();
    reassign(&mut lowered, &[1, 2], &[], &[], &[1, 2]);
    lowered.breaks("in-sync-set/replicas-changed-outside-reassignment");
    let (topic, partition) = ("t".to_owned(), P.index);
    let asked =
        AdminRequest::AlterPartitionReassignments { topic, partition, replicas: Some(vec![B1, B2, BrokerId(4)]) };
    play.say(ControllerId(1), What::Struck(Fault::Administer(asked)));
    reassign(&mut play, &[1, 2, 3, 4], &[4], &[3], &[1, 2, 3]);
    play.holds();
    let mut early = play.clone();
    reassign(&mut early, &[1, 2, 4], &[], &[], &[1, 2]);
    early.breaks("in-sync-set/reassignment-ended-too-early");
    // R97: asked again, who was still to come counts as one that was there.
    let mut replaced = play.clone();
    let (topic, partition) = ("t".to_owned(), P.index);
    let again =
        AdminRequest::AlterPartitionReassignments { topic, partition, replicas: Some(vec![BrokerId(4), B1, B2, B3]) };
    replaced.say(ControllerId(1), What::Struck(Fault::Administer(again)));
    reassign(&mut replaced, &[4, 1, 2, 3], &[], &[], &[1, 2, 3]);
    replaced.holds();
    let mut cancelled = play.clone();
    reassign(&mut cancelled, &[1, 2, 3], &[], &[], &[1, 2, 3]);
    cancelled.holds();
    reassign(&mut play, &[1, 2, 4], &[], &[], &[1, 2, 4]);
    play.holds();
}

/// A leader whose partition was moved away, and that has not heard of it, commits what all the others have (R45).
#[test]
fn high_watermark_of_a_leader_that_was_moved_away_counts_until_it_hears_of_that() {
    let mut play = Play::new();
    play.committed(one(0, 0, 7));
    let (topic, partition) = ("t".to_owned(), P.index);
    let asked = AdminRequest::AlterPartitionReassignments { topic, partition, replicas: Some(vec![B2, B3]) };
    play.say(ControllerId(1), What::Struck(Fault::Administer(asked)));
    let (replicas, isr) = (Some(vec![B2, B3]), Some(vec![B2, B3]));
    play.commit(MetadataRecord::PartitionChange(PartitionChange {
        leader: Some(Some(B2)),
        replicas,
        isr,
        ..PartitionChange::of(P)
    }));
    let mut early = play.clone();
    early.appended(B1, one(1, 0, 8));
    early.answered(B1, Acks::All, Some(one(1, 0, 8)), ErrorCode::None);
    early.breaks("acks-all/acknowledged-before-committed");
    let mut followed = play.clone();
    followed.appended(B1, one(1, 0, 8));
    followed.replicated(B2, one(1, 0, 8));
    followed.replicated(B3, one(1, 0, 8));
    followed.followed(B1, (1, 1), B2);
    followed.high_watermark(B1, 0, 2);
    followed.follower_high_watermark(B3, 0, 2);
    followed.breaks("high-watermark/follower-above-committed");
    play.committed(one(1, 0, 8));
    play.answered(B1, Acks::All, Some(one(1, 0, 8)), ErrorCode::None);
    play.follower_high_watermark(B3, 0, 2);
    play.holds();
    play.truncated(B2, 0, 1);
    play.led(B2, (1, 1), 1, &[B2, B3]);
    play.breaks("durability/elected-leader-lacks-committed-record");
}

#[test]
fn progress_a_reassignment_ends_unless_it_waits_for_the_dead() {
    let mut play = at_rest();
    reassign(&mut play, &[1, 2, 3], &[], &[3], &[1, 2, 3]);
    let end = play.metadata_end();
    for broker in [B1, B2, B3] {
        play.note(broker, Event::MetadataApplied { upto: end });
    }
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    let mut waits = play.clone();
    play.chapter(Chapter::Ended);
    play.breaks("progress/reassignment-goes-on");
    waits.stopped(B3, Ending::Destroyed);
    let found = waits.judge.unsettled().into_iter().find(|found| found.kind == "reassignment-goes-on");
    assert_eq!(found.unwrap().excuse, Some("a reassignment waits for a broker that does not run"));
}

#[test]
fn a_deleted_topic_keeps_nothing_and_nobody_waits_for_it() {
    let mut play = at_rest();
    play.commit(MetadataRecord::RemoveTopic { id: P.topic });
    let end = play.metadata_end();
    for broker in [B1, B2, B3] {
        play.note(broker, Event::MetadataApplied { upto: end });
    }
    play.chapter(Chapter::Healed);
    play.wait(1_000);
    play.chapter(Chapter::Ended);
    play.holds();
    let lost = play.judge.lost();
    assert_eq!((lost.lost, lost.excused), (1, 1));
    assert!(lost.reasons.contains_key("its topic was deleted"));
}

#[test]
fn a_minimum_that_was_lowered_is_the_one_that_counts() {
    let mut play = Play::new();
    let lower = |play: &mut Play, value: &str| {
        let (resource, name) = (ConfigResource::Topic(P.topic), "min.insync.replicas".to_owned());
        play.commit(MetadataRecord::Config { resource, name, value: Some(value.to_owned()) });
    };
    play.change_isr(&[B1]);
    play.isr_known(B1, (0, 1), &[B1], &[B1]);
    let appended = |play: &mut Play| {
        play.appended(B1, one(0, 0, 7));
        play.answered(B1, Acks::All, Some(one(0, 0, 7)), ErrorCode::None);
    };
    let mut as_it_was = play.clone();
    appended(&mut as_it_was);
    as_it_was.breaks("min-isr/appended-below-min-isr");
    lower(&mut play, "1");
    lower(&mut play, "3");
    appended(&mut play);
    assert!(!play.broken().iter().any(|kind| kind == "min-isr/appended-below-min-isr"), "{:?}", play.broken());
}

#[test]
fn a_broker_has_the_image_that_is_committed() {
    let mut play = at_rest();
    let applied = |play: &mut Play, checksum: Option<u32>| {
        if let Some(checksum) = checksum {
            play.note(B1, Event::ImageChanged { checksum });
        }
        let upto = play.metadata_end();
        play.note(B1, Event::MetadataApplied { upto });
    };
    let checksum = play.image.checksum();
    applied(&mut play, Some(checksum));
    play.commit(MetadataRecord::NoOp);
    applied(&mut play, None);
    play.holds();
    let (mut another, mut restarted) = (play.clone(), play.clone());
    for play in [&mut play, &mut restarted] {
        play.commit(MetadataRecord::RemoveTopic { id: P.topic });
    }
    applied(&mut play, None);
    play.breaks("metadata-log/image-differs");
    applied(&mut another, Some(!checksum));
    another.breaks("metadata-log/image-differs");
    restarted.stopped(B1, Ending::Crashed);
    restarted.say(B1, What::Started { life: 2 });
    let checksum = restarted.image.checksum();
    applied(&mut restarted, Some(checksum));
    restarted.holds();
}
