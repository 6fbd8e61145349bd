//! Brokers that come back: before anybody has noticed, with less than they had, one after another.

use std::time::Duration;

use model::names::BrokerId;
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fault::{Fault, Target};

/// A registration outlives a restart.
fn patient() -> Cluster {
    brisk(Cluster::of(3).min_isr(2)).property("broker.session.timeout.ms", 9_000)
}

/// The process is gone for less time than its session lasts.
fn bounces(w: &mut World, broker: BrokerId, loses_its_tail: bool) {
    if loses_its_tail {
        w.power_off(broker);
    } else {
        w.crash(broker);
    }
    w.run_for(Duration::from_millis(150));
    w.restart(broker);
}

#[test]
fn a_leader_bounces_within_its_session() {
    scenario(patient(), |w| {
        w.produce(20);
        w.send(10);
        bounces(w, w.leader(), false);
        w.produce(10);
        w.quiet();
    });
}

/// KAFKA-18106, R90: a new incarnation is treated as if the old one had been fenced, or it would lead without its tail.
#[test]
fn a_leader_bounces_within_its_session_and_loses_its_tail() {
    let told = scenario(patient(), |w| {
        w.produce(20);
        w.send(10);
        w.until(seen::acked);
        bounces(w, w.leader(), true);
        w.produce(10);
        w.quiet();
    });
    for (seed, outcome) in told.runs() {
        assert_eq!(outcome.lost.lost, 0, "seed {seed}");
    }
}

#[test]
fn followers_bounce_within_their_sessions_and_lose_their_tails() {
    scenario(patient(), |w| {
        w.produce(20);
        for follower in w.followers() {
            w.send(10);
            bounces(w, follower, true);
            w.produce(10);
        }
        bounces(w, w.leader(), true);
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn kills_and_power_losses_take_turns() {
    scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(10);
        for round in 0..6 {
            let victim = if round % 3 == 0 { w.leader() } else { w.followers()[round % 2] };
            w.send(10);
            if round % 2 == 0 {
                w.power_off(victim);
            } else {
                w.crash(victim);
            }
            w.produce(5);
            w.restart(victim);
            w.until_in_world(|w| w.isr_of(0).len() == 3);
        }
        w.quiet();
    });
}

/// T4 without eligible leader replicas: the last one standing loses its tail, leads all the same, and the contract allows it.
#[test]
fn without_eligible_replicas_the_last_one_standing_takes_what_it_lost_from_all() {
    let told = scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(20);
        let (leader, followers) = (w.leader(), w.followers());
        w.isolate(followers[0]);
        w.until_in_world(|w| w.isr_of(0).len() == 2);
        w.isolate(followers[1]);
        w.until_in_world(|w| w.isr_of(0).len() == 1);
        w.power_off(leader);
        w.restart(leader);
        w.run_for(Duration::from_secs(4));
        w.heal_network();
        w.produce(10);
        w.quiet();
    });
    assert!(told.runs().iter().any(|(_, outcome)| outcome.lost.lost > 0), "the loss is seen");
    assert!(
        told.runs().iter().all(|(_, outcome)| outcome.lost.lost == outcome.lost.excused),
        "and within the contract"
    );
}

/// A broker that hears from its leader and not from the controller is fenced, follows on, and is no member until it is heard of.
#[test]
fn a_fenced_broker_that_still_follows_is_in_no_set() {
    scenario(brisk(Cluster::of(3).min_isr(1)), |w| {
        w.produce(10);
        let fenced = w.followers()[0];
        let cut = Fault::CutBoth { between: vec![fenced.into()], and: vec![Target::Controllers] };
        w.inflict(&cut);
        w.until_in_world(|w| !w.isr_of(0).contains(&fenced));
        w.produce(20);
        w.run_for(Duration::from_secs(6));
        assert!(!w.isr_of(0).contains(&fenced), "KIP-841: nobody who is fenced joins");
        w.heal_network();
        w.produce(10);
        w.quiet();
        assert!(w.isr_of(0).contains(&fenced));
    });
}

/// KIP-903: the leader proposes who is about to lose its power; the proposal comes late, and the newcomer is another one by then.
#[test]
fn a_proposal_arrives_after_the_newcomer_has_rebooted() {
    scenario(patient().min_isr(1), |w| {
        w.produce(20);
        let (leader, newcomer) = (w.leader(), w.followers()[0]);
        w.pause(newcomer, Duration::from_secs(8));
        w.until_in_world(|w| !w.isr_of(0).contains(&newcomer));
        let controller = w.controller();
        w.hold(leader, controller);
        w.produce(5);
        w.run_for(Duration::from_millis(2_500));
        bounces(w, newcomer, true);
        w.run_for(Duration::from_millis(1_500));
        w.release(leader, controller);
        w.run_for(Duration::from_millis(100));
        w.crash(leader);
        w.restart_all();
        w.produce(10);
        w.quiet();
    });
}
