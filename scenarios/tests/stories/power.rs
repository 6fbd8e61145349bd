//! The power goes: one host's is survived, everybody's may cost what was not synced, and that was never promised.

use std::time::Duration;

use scenarios::strategies::brisk;
use scenarios::{scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Ending;
use sim::fault::Fault;

#[test]
fn acked_records_survive_the_power_loss_of_any_one_broker() {
    scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        for broker in w.brokers() {
            w.produce(10);
            w.power_off(broker);
            w.produce(10);
            w.restart(broker);
            w.quiet();
        }
    })
    .sometimes("a host lost power", |fact| seen::stopped(fact, Ending::PoweredOff))
    .sometimes(
        "a leader was replaced",
        |fact| matches!(fact.event(), Some(model::event::Event::Led { epoch, .. }) if epoch.0 > 0),
    );
}

#[test]
fn the_power_loss_of_all_within_the_flush_window_may_lose_records_and_breaks_no_promise() {
    let told = scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(30);
        w.inflict(&Fault::PowerOffAll);
        w.run_for(Duration::from_secs(1));
        w.restart_all();
        w.quiet();
        w.produce(10);
    });
    told.sometimes("all lost power", |fact| seen::stopped(fact, Ending::PoweredOff));
    let lost: Vec<u64> = told.runs().iter().map(|(_, outcome)| outcome.lost.lost).collect();
    assert!(lost.iter().any(|&lost| lost > 0), "nothing was flushed, so some seed loses something: {lost:?}");
}

#[test]
fn what_was_flushed_survives_the_power_loss_of_all() {
    let told = scenario(brisk(Cluster::of(3).min_isr(2)).property("flush.messages", 1), |w| {
        w.produce(30);
        w.quiet();
        w.inflict(&Fault::PowerOffAll);
        w.run_for(Duration::from_secs(1));
        w.restart_all();
        w.quiet();
    });
    for (seed, outcome) in told.runs() {
        assert_eq!(outcome.lost.lost, 0, "seed {seed}");
    }
}
