//! Whoever leads, leads alone in its epoch and with everything that is committed: through cuts, pauses and wrong clocks.

use std::time::Duration;

use model::config::Acks;
use model::wire::ErrorCode;
use scenarios::scripted::other_servers;
use scenarios::strategies::brisk;
use scenarios::{World, known_bugs, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;

fn three() -> Cluster {
    brisk(Cluster::of(3).min_isr(2))
}

#[test]
fn a_leader_that_is_cut_off_from_everyone_is_replaced_and_its_uncommitted_records_are_cut() {
    scenario(three(), |w| {
        w.produce(10);
        let zombie = w.leader();
        w.isolate(zombie);
        w.send(5);
        w.until(|fact| seen::led(fact) && fact.node != Some(zombie.into()));
        w.produce(5);
        w.heal_network();
        w.quiet();
    })
    .sometimes("the zombie left the ISR", seen::leaves_isr)
    .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn a_zombie_leader_that_its_clients_still_reach_acknowledges_nothing_that_is_lost() {
    scenario(three(), |world| known_bugs::stories::a_zombie_leader_returns(world))
        .sometimes("the zombie cut its log", seen::truncated)
        .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn a_leader_that_is_cut_off_from_the_controller_only_is_fenced_and_replaced() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.cut(leader, w.controller());
        w.send(10);
        w.until(|fact| seen::fenced_by_controller(fact, leader));
        w.until(|fact| seen::led(fact) && fact.node != Some(leader.into()));
        w.produce(10);
        w.heal_network();
        w.quiet();
    })
    .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn a_leader_that_is_cut_off_from_its_followers_only_gives_them_up_and_refuses_acks_all() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        for follower in w.followers() {
            w.cut(leader, follower);
        }
        w.send(10);
        w.until(|fact| seen::committed_isr(fact).is_some_and(|isr| isr == [leader]));
        w.send(10);
        w.run_for(Duration::from_secs(2));
        w.heal_network();
        w.quiet();
    })
    .sometimes("the ISR was the leader alone", |fact| seen::committed_isr(fact).is_some_and(|isr| isr.len() == 1))
    .sometimes("acks=all was refused", |fact| seen::answered(fact, Acks::All, ErrorCode::NotEnoughReplicas));
}

#[test]
fn a_link_that_is_cut_one_way_only_costs_no_committed_record() {
    for towards_leader in [true, false] {
        scenario(three(), |w: &mut World| {
            w.produce(10);
            let (leader, follower) = (w.leader(), w.followers()[0]);
            if towards_leader {
                w.cut_one_way(follower, leader);
            } else {
                w.cut_one_way(leader, follower);
            }
            w.send(10);
            w.until(|fact| seen::left_isr(fact, follower));
            w.produce(10);
            w.heal_network();
            w.quiet();
        })
        .sometimes("the follower left the ISR", seen::leaves_isr);
    }
}

#[test]
fn a_leader_that_hears_nobody_but_is_heard_by_all_does_no_harm() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        for other in other_servers(w, leader) {
            w.cut_one_way(other, leader);
        }
        w.send(10);
        w.run_for(Duration::from_secs(10));
        w.heal_network();
        w.quiet();
    })
    .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn a_leader_that_stands_still_for_longer_than_its_session_is_replaced() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.send(10);
        w.pause(leader, Duration::from_secs(8));
        w.until(|fact| seen::led(fact) && fact.node != Some(leader.into()));
        w.produce(10);
        w.until(|fact| seen::followed_by(fact, leader));
        w.quiet();
    })
    .sometimes("there was another leader", seen::led_anew);
}

#[test]
fn clocks_that_are_wrong_by_hours_and_run_wrong_cost_nothing() {
    use sim::fault::{Fault, Target};
    const HOUR: i64 = 3_600_000_000_000;
    scenario(three(), |w| {
        // Under a process that runs, and while it is down.
        for (broker, hours) in w.brokers().into_iter().zip([3, -2, -5]) {
            w.produce(5);
            w.inflict(&Fault::ClockSkew(broker.into(), -hours * HOUR));
            w.produce(5);
            w.crash(broker);
            w.inflict(&Fault::ClockSkew(broker.into(), hours * HOUR));
            w.restart(broker);
            w.settle();
        }
        w.inflict(&Fault::ClockDrift(w.followers()[1].into(), 50_000));
        w.produce(20);
        for hours in [1, -3] {
            for whom in [Target::Leader(0), Target::Follower(0, 0), Target::Controller] {
                w.inflict(&Fault::ClockJump(whom, hours * HOUR));
                w.produce(20);
            }
        }
        w.crash(w.leader());
        w.produce(20);
        w.quiet();
    })
    .sometimes("there was another leader", seen::led_anew);
}
