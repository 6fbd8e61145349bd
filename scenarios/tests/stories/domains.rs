//! The rule of failure domains (G12): of N replicas r share a rack, and its power goes. What was acknowledged survives iff
//! `min.insync.replicas` > r; writes go on iff N - r >= `min.insync.replicas`.

use std::time::Duration;

use model::names::BrokerId;
use scenarios::strategies::brisk;
use scenarios::{World, scenario};
use sim::Verbs;
use sim::cluster::Cluster;

/// Replication factors, minima and sizes of the rack.
fn racks() -> impl Iterator<Item = (u32, u32, u32)> {
    (2..=4).flat_map(|replicas| {
        (1..=replicas).flat_map(move |min_isr| (1..replicas).map(move |rack| (replicas, min_isr, rack)))
    })
}

fn cluster(replicas: u32, min_isr: u32) -> Cluster {
    brisk(Cluster::of(replicas).replication_factor(u16::try_from(replicas).expect("small")).min_isr(min_isr))
}

/// The leader and others, which stand in one rack: those that stay in sync longest.
fn rack(w: &World, size: u32) -> Vec<BrokerId> {
    let followers = w.followers();
    std::iter::once(w.leader()).chain(followers).take(size as usize).collect()
}

#[test]
fn what_was_acknowledged_survives_the_power_loss_of_a_rack_that_is_smaller_than_the_minimum() {
    for (replicas, min_isr, size) in racks() {
        let told = scenario(cluster(replicas, min_isr), |w| {
            w.produce(10);
            let rack = rack(w, size);
            let leavers: Vec<BrokerId> = w.followers().into_iter().skip(min_isr as usize - 1).collect();
            for &leaver in &leavers {
                w.isolate(leaver);
            }
            w.until_in_world(|w| w.isr_of(0).len() == min_isr as usize);
            w.produce(10);
            for &broker in &rack {
                w.power_off(broker);
            }
            w.heal_network();
            w.run_for(Duration::from_secs(5));
            w.restart_all();
            w.produce(5);
            w.quiet();
        });
        let lossy = told.runs().iter().filter(|(_, outcome)| outcome.lost.lost > 0).count();
        assert_eq!(
            lossy > 0,
            min_isr <= size,
            "{replicas} replicas, minimum {min_isr}, rack of {size}: {lossy} runs lost"
        );
    }
}

#[test]
fn writes_go_on_without_a_rack_iff_enough_are_left_for_the_minimum() {
    for (replicas, min_isr, size) in racks() {
        scenario(cluster(replicas, min_isr), |w| {
            w.produce(10);
            for broker in rack(w, size) {
                w.power_off(broker);
            }
            w.run_for(Duration::from_secs(6));
            w.set_patience(Duration::from_secs(150));
            let values = w.send(5);
            let go_on = w.decide(values).acked.len() == 5;
            assert_eq!(go_on, replicas - size >= min_isr, "{replicas} replicas, minimum {min_isr}, rack of {size}");
            w.restart_all();
            w.quiet();
        });
    }
}
