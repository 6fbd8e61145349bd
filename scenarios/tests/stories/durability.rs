//! Committed records survive the failures that they are promised to survive, and the checker sees those that do not.

use std::time::Duration;

use model::names::BrokerId;
use scenarios::scripted::tell;
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Ending;

#[test]
fn acked_records_survive_the_leader_crashing() {
    scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(20);
        w.crash(w.leader());
        w.produce(20);
        w.restart_all();
        w.quiet();
    })
    .sometimes("a leader was killed", |fact| seen::stopped(fact, Ending::Crashed))
    .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn acked_records_survive_a_follower_that_crashes_and_returns() {
    scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(20);
        let follower = w.followers()[0];
        w.crash(follower);
        w.until(|fact| seen::left_isr(fact, follower));
        w.produce(20);
        w.restart(follower);
        w.until(|fact| seen::joined_isr(fact, follower));
        w.crash(w.leader());
        w.produce(20);
        w.quiet();
    })
    .sometimes("a follower returned to the ISR", |fact| seen::committed_isr(fact).is_some_and(|isr| isr.len() == 3));
}

#[test]
fn acked_records_survive_every_set_of_up_to_n_minus_1_crashed_brokers() {
    every_set_of_brokers(|w, doomed, at_once| {
        for &broker in doomed {
            w.crash(broker);
            if !at_once {
                w.produce(5);
            }
        }
    });
}

#[test]
fn acked_records_survive_every_set_of_up_to_n_minus_1_destroyed_brokers() {
    every_set_of_brokers(|w, doomed, at_once| {
        for &broker in doomed {
            w.destroy(broker);
            if !at_once {
                w.produce(5);
            }
        }
    });
}

#[test]
fn the_loss_is_seen_when_all_n_brokers_are_destroyed_and_nobody_had_promised_otherwise() {
    for brokers in 1..=5 {
        let cluster = brisk(Cluster::of(brokers)).replication_factor(brokers as u16).min_isr(1);
        for at_once in [true, false] {
            let outcome = tell(&cluster, u64::from(brokers), &|w: &mut World| {
                w.produce(20);
                for broker in w.brokers() {
                    w.destroy(broker);
                    if !at_once {
                        w.run_for(Duration::from_secs(5));
                    }
                }
            });
            assert_eq!(outcome.panicked, None);
            assert_eq!(outcome.violations, Vec::new(), "{brokers} brokers: nobody promises that");
            assert_eq!(outcome.lost.lost, 20, "{brokers} brokers: every acknowledged record is gone");
        }
    }
}

/// For every N in 1..=5 and every set of up to N-1 brokers: from a full ISR, the set is struck at once or one after
/// another, and everything that was acknowledged is still there.
fn every_set_of_brokers(strike: impl Fn(&mut World, &[BrokerId], bool) + Sync) {
    for brokers in 1..=5_u32 {
        // A client may ask several dead brokers, one timeout each, before it finds the one that is left.
        let cluster = brisk(Cluster::of(brokers))
            .replication_factor(brokers as u16)
            .min_isr(1)
            .property("producer.delivery.timeout.ms", 60_000);
        for set in 0..(1_u32 << brokers) - 1 {
            for at_once in [true, false] {
                let doomed: Vec<BrokerId> = cluster.broker_ids().filter(|id| set & 1 << (id.0 - 1) != 0).collect();
                let outcome = tell(&cluster, u64::from(set), &|w: &mut World| {
                    w.produce(10);
                    w.quiet();
                    strike(w, &doomed, at_once);
                    w.produce(5);
                });
                let case = format!("{brokers} brokers, {doomed:?} at once: {at_once}");
                assert_eq!(outcome.panicked, None, "{case}");
                assert_eq!(outcome.inconclusive, None, "{case}");
                assert_eq!(outcome.violations, Vec::new(), "{case}");
                assert_eq!(outcome.lost.lost, 0, "{case}");
                assert!(outcome.measures.counts.acked >= 15, "{case}: somebody went on taking records");
            }
        }
    }
}
