//! ZooKeeper mode: brokers come and go with their sessions, one of them is the controller, leaders write in-sync sets
//! themselves; and the promise is the same.

use std::time::Duration;

use model::event::Event;
use model::metadata::{MetadataRecord, PartitionChange};
use model::names::{BrokerId, Node};
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;

/// A session of three seconds.
fn three() -> Cluster {
    brisk(Cluster::of(3).zookeeper().min_isr(2))
}

/// Longer than a session.
const LONG: Duration = Duration::from_secs(5);

fn controls(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::ControllerLed { .. }))
}

fn registers(fact: &Fact, broker: BrokerId) -> bool {
    fact.node == Some(broker.into()) && matches!(fact.event(), Some(Event::Registered { .. }))
}

fn shrinks(fact: &Fact) -> bool {
    let Some(Event::Committed { record: MetadataRecord::PartitionChange(change), .. }) = fact.event() else {
        return false;
    };
    matches!(change, PartitionChange { leader: None, isr: Some(isr), .. } if isr.len() == 2)
}

/// Another broker than the controller.
fn led_by_another(w: &mut World) -> (BrokerId, BrokerId) {
    let (controller, leader) = (w.controlling_broker(), w.leader());
    (controller, w.brokers().into_iter().find(|broker| *broker != controller).unwrap_or(leader))
}

#[test]
fn acked_records_survive_the_leader_crashing() {
    scenario(three(), |w| {
        w.produce(20);
        w.crash(w.leader());
        w.produce(20);
        w.restart_all();
        w.quiet();
    })
    .sometimes("somebody else led", seen::led);
}

#[test]
fn acked_records_survive_the_leader_losing_power_for_longer_than_a_session() {
    scenario(three(), |w| {
        w.produce(20);
        let leader = w.leader();
        w.power_off(leader);
        w.produce(20);
        w.run_for(LONG);
        assert_ne!(w.leader(), leader);
        w.restart(leader);
        w.produce(5);
        w.quiet();
    });
}

#[test]
fn a_leader_that_is_cut_off_is_succeeded_and_loses_nothing_that_it_promised() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.isolate(leader);
        w.send(10);
        w.run_for(LONG);
        assert_ne!(w.leader(), leader);
        w.heal_network();
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn every_broker_is_restarted_in_turn_and_hands_over_first() {
    scenario(three(), |w| {
        for broker in w.brokers() {
            w.send(10);
            w.terminate(broker);
            assert!(w.until(|fact| fact.node == Some(broker.into()) && fact.event() == Some(&Event::ShutDown)));
            w.produce(5);
            assert_ne!(w.leader(), broker, "C73");
            w.restart(broker);
            assert!(w.until(|fact| registers(fact, broker)), "its session was closed, so nobody waits for its end");
            w.run_for(LONG);
            w.produce(5);
        }
        w.quiet();
    });
}

/// C75: the leader's session ends while its followers and its clients still hear it.
#[test]
fn the_leaders_session_ends_and_it_registers_anew_without_a_restart() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.cut(leader, Node::Ensemble);
        w.send(20);
        w.run_for(LONG);
        assert_ne!(w.leader(), leader, "the ensemble knows, and so does the controller");
        w.produce(10);
        w.heal_network();
        assert!(w.until(|fact| registers(fact, leader)), "and now it knows, too");
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn a_follower_is_out_of_the_set_when_its_session_ends_though_it_keeps_up() {
    scenario(three(), |w| {
        w.produce(10);
        let follower = w.followers()[0];
        w.cut(follower, Node::Ensemble);
        w.run_for(LONG);
        w.produce(10);
        w.heal_network();
        w.produce(10);
        w.quiet();
    })
    .sometimes("the set shrank", seen::leaves_isr);
}

#[test]
fn the_controller_crashes_and_the_next_one_notices_what_it_did_not() {
    scenario(three(), |w| {
        w.produce(10);
        let (controller, _) = led_by_another(w);
        w.crash(controller);
        assert!(w.until(|fact| controls(fact) && fact.node != Some(controller.into())), "another is elected");
        w.produce(10);
        assert!(w.leader() != controller);
        w.restart_all();
        w.quiet();
    });
}

/// C63, C75: a controller that stands still for longer than its session wakes up and goes on as one.
#[test]
fn a_controller_wakes_up_after_its_session_and_is_not_obeyed() {
    scenario(three(), |w| {
        w.produce(10);
        let controller = w.controlling_broker();
        w.pause(controller, Duration::from_secs(8));
        w.send(10);
        assert!(w.until(|fact| controls(fact) && fact.node != Some(controller.into())));
        w.produce(10);
        assert!(w.until(|fact| fact.node == Some(controller.into())
            && matches!(fact.event(), Some(Event::ControllerResigned { .. }))));
        w.produce(10);
        w.quiet();
    });
}

/// C66, C67: the leader writes a smaller set at the moment at which the controller goes: the next one reads it first.
#[test]
fn the_controller_changes_while_a_leader_changes_its_set() {
    scenario(three(), |w| {
        w.produce(10);
        let follower = w.followers()[0];
        let controller = w.controlling_broker();
        w.pause(follower, Duration::from_secs(12));
        w.hold(follower, Node::Ensemble);
        w.send(40);
        w.until(shrinks);
        if controller != follower {
            w.crash(controller);
        }
        w.run_for(LONG);
        w.heal_network();
        w.restart_all();
        w.produce(10);
        w.quiet();
    });
}

/// C72: a broker that reboots within its session has to wait for its end; then it has failed and returned at once.
#[test]
fn a_broker_that_reboots_within_its_session_waits_for_its_end() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.crash(leader);
        let crashed = w.now();
        w.restart(leader);
        assert!(w.until(|fact| registers(fact, leader)));
        assert!(w.now().since(crashed) > Duration::from_millis(1_900), "nobody has two nodes");
        w.produce(10);
        w.quiet();
    });
}

/// KIP-380: an orderly stop closes the session, so a broker can be back before the controller has looked.
#[test]
fn a_broker_that_is_restarted_at_once_has_failed_and_returned() {
    scenario(three(), |w| {
        w.produce(10);
        let follower = w.followers()[0];
        w.terminate(follower);
        assert!(w.until(|fact| fact.node == Some(follower.into()) && fact.event() == Some(&Event::ShutDown)));
        w.restart(follower);
        w.produce(20);
        w.quiet();
    });
}

#[test]
fn without_the_ensemble_records_are_written_and_nothing_is_decided() {
    scenario(three(), |w| {
        w.produce(10);
        let leader = w.leader();
        w.crash(Node::Ensemble);
        w.produce(10);
        w.run_for(LONG);
        w.produce(10);
        assert_eq!(w.leader(), leader);
        w.restart(Node::Ensemble);
        w.run_for(Duration::from_secs(1));
        w.crash(leader);
        w.produce(10);
        w.restart_all();
        w.quiet();
    });
}

#[test]
fn the_ensemble_loses_power_and_remembers() {
    scenario(three(), |w| {
        w.produce(10);
        w.power_off(Node::Ensemble);
        w.run_for(LONG);
        w.restart(Node::Ensemble);
        w.crash(w.leader());
        w.produce(10);
        w.restart_all();
        w.quiet();
    });
}
