//! What a disk may wake up to, under load: power cuts in every mood, deaths in the middle of everything, bad disks. Whatever is
//! committed stays, and every log is what its files say.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::event::Event;
use model::log::Recovery;
use scenarios::load::Load;
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fact::{Ending, Fact, What};
use sim::fault::{Fault, Target};

/// Small segments, and records of several sectors, so that rolls are frequent and batches tear.
fn cluster() -> Cluster {
    brisk(Cluster::of(3).min_isr(2)).property("log.segment.bytes", 16_384).payload(900)
}

/// Clients write for so long.
fn under_load(w: &mut World, length: Duration) {
    Load { rate: 60, ..Load::default() }.carry(w, Dice::new(w.seed()), length);
}

/// Strikes each replica of the first partition in turn, under load, and lets it come back.
fn strike_each_in_turn(w: &mut World, fault: impl Fn(Target) -> Fault) {
    for broker in w.brokers() {
        under_load(w, Duration::from_secs(2));
        w.inflict(&fault(broker.into()));
        under_load(w, Duration::from_secs(2));
        w.mend();
        w.restart_all();
        w.quiet();
    }
}

fn recovered(fact: &Fact, wanted: impl Fn(&Recovery) -> bool) -> bool {
    matches!(fact.event(), Some(Event::Recovered { clean: false, recovery, .. }) if wanted(recovery))
}

#[test]
fn committed_records_survive_a_torn_tail() {
    scenario(cluster(), |w| strike_each_in_turn(w, Fault::PowerOff))
        .sometimes("something behind the last good batch was cut off", |fact| {
            recovered(fact, |found| found.bytes_cut > 0)
        });
}

#[test]
fn committed_records_survive_the_loss_of_a_middle_whose_end_is_there() {
    // Nothing is synced, so any page may be gone: what lies behind the first bad batch goes with it, good or not.
    scenario(cluster().property("log.segment.bytes", 10_000_000), |w| strike_each_in_turn(w, Fault::PowerOff))
        .sometimes("much was cut off", |fact| recovered(fact, |found| found.bytes_cut > 32 * 1_024));
}

#[test]
fn committed_records_survive_the_loss_of_a_segment_with_its_name() {
    let lost = AtomicUsize::new(0);
    scenario(cluster().property("log.segment.bytes", 4_096), |w| {
        for broker in w.brokers() {
            let logs = |w: &World| -> Vec<String> {
                let files = w.disk(broker).into_iter().flat_map(|disk| disk.files());
                files.map(|(path, _)| path.to_owned()).filter(|path| path.ends_with(".log")).collect()
            };
            under_load(w, Duration::from_secs(1));
            let before = logs(w).len();
            w.send(20);
            w.until_in_world(|w| logs(w).len() > before);
            let had = logs(w);
            w.power_off(broker);
            let has = logs(w);
            lost.fetch_add(had.iter().filter(|name| !has.contains(name)).count(), Ordering::Relaxed);
            w.restart(broker);
            w.quiet();
        }
    });
    assert!(lost.into_inner() > 0, "no segment was ever gone with its name");
}

#[test]
fn committed_records_survive_power_cuts_amid_disk_calls() {
    // Among the calls are the renames of checkpoints and what follows them.
    scenario(cluster(), |w| {
        for nth in [3, 7, 12, 20, 31] {
            let follower = w.followers()[0];
            w.inflict(&Fault::PowerOffAtDiskCall(follower.into(), nth));
            under_load(w, Duration::from_secs(2));
            w.mend();
            w.restart_all();
            w.quiet();
        }
    })
    .sometimes("the power went", |fact| seen::stopped(fact, Ending::PoweredOff));
}

#[test]
fn committed_records_survive_deaths_in_the_middle_of_starts_and_rolls() {
    scenario(cluster().property("log.segment.bytes", 4_096), |w| {
        let broker = w.followers()[0];
        under_load(w, Duration::from_secs(1));
        w.crash(broker);
        for nth in [1, 2, 4, 7, 11, 16, 22, 29] {
            w.inflict(&Fault::CrashAtDiskCall(broker.into(), nth));
            w.restart(broker);
            under_load(w, Duration::from_millis(700));
        }
        w.mend();
        w.restart_all();
        w.quiet();
    })
    .sometimes("a broker started for the sixth time", |fact| matches!(fact.what, What::Started { life: 6 }));
}

#[test]
fn committed_records_survive_a_crash_during_a_clean_start() {
    scenario(cluster(), |w| {
        let broker = w.followers()[0];
        under_load(w, Duration::from_secs(1));
        w.terminate(broker);
        w.until(|fact| seen::stopped(fact, Ending::Exited) && fact.node == Some(broker.into()));
        w.inflict(&Fault::CrashAtDiskCall(broker.into(), 25));
        w.restart(broker);
        under_load(w, Duration::from_secs(2));
        w.mend();
        w.restart_all();
        w.quiet();
    })
    .sometimes("a log was looked at after an orderly stop", |fact| recovered(fact, |_| true));
}

#[test]
fn committed_records_survive_a_full_disk_on_each_broker() {
    scenario(cluster(), |w| strike_each_in_turn(w, Fault::DiskFull))
        .sometimes("a broker halted for want of space", |fact| seen::stopped(fact, Ending::StorageFailed));
}

#[test]
fn committed_records_survive_failed_syncs_on_each_broker() {
    scenario(cluster().property("flush.messages", 20), |w| strike_each_in_turn(w, Fault::SyncError))
        .sometimes("a broker halted after a failed sync", |fact| seen::stopped(fact, Ending::StorageFailed));
}

#[test]
fn a_stalled_disk_on_any_broker_delays_records_and_loses_none() {
    scenario(cluster(), |w| strike_each_in_turn(w, |whom| Fault::DiskStall(whom, Duration::from_secs(6))))
        .sometimes("a follower fell out of sync", seen::leaves_isr);
}

#[test]
fn a_wiped_and_replaced_disk_is_filled_again() {
    scenario(cluster(), |w| strike_each_in_turn(w, Fault::Wipe)).sometimes("a replica came back empty", |fact| {
        matches!(fact.event(), Some(Event::Opened { batches, epochs, .. }) if batches.is_empty() && epochs.is_empty())
    });
}
