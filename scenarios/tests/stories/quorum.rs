//! Controllers that go: whoever leads the quorum dies, is cut off, stands still or loses power, and no committed record and
//! no committed decision goes with it.

use std::time::Duration;

use model::event::Event;
use model::protocol::{Protocol, Trust};
use scenarios::strategies::brisk;
use scenarios::{World, scenario};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;
use sim::fault::{Fault, Target};

fn three() -> Cluster {
    brisk(Cluster::of(3).controllers(3).min_isr(2))
}

fn controls(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::ControllerLed { .. }))
}

/// Something befalls the active controller under load, another takes over, and a broker's death is noticed by that one.
fn without_the_active_controller(w: &mut World, befalls: impl Fn(&mut World, model::names::ControllerId)) {
    w.produce(10);
    let active = w.controller();
    befalls(w, active);
    w.send(20);
    assert!(w.until(|fact| controls(fact) && fact.node != Some(active.into())), "another takes over");
    let leader = w.leader();
    w.crash(leader);
    w.produce(10);
    assert_ne!(w.leader(), leader, "the new one has noticed");
    w.quiet();
}

#[test]
fn the_active_controller_crashes() {
    scenario(three(), |w| without_the_active_controller(w, |w, active| w.crash(active)));
}

#[test]
fn the_active_controller_loses_power() {
    scenario(three(), |w| without_the_active_controller(w, |w, active| w.power_off(active)));
}

#[test]
fn the_active_controller_is_cut_off_and_finds_itself_deposed() {
    scenario(three(), |w| without_the_active_controller(w, |w, active| w.isolate(active)))
        .sometimes("it resigned", |fact| matches!(fact.event(), Some(Event::ControllerResigned { .. })));
}

#[test]
fn the_active_controller_stands_still_and_wakes_up_deposed() {
    scenario(three(), |w| {
        without_the_active_controller(w, |w, active| w.pause(active, Duration::from_secs(8)));
    });
}

#[test]
fn a_controller_that_is_told_to_stop_hands_over_at_once() {
    scenario(three(), |w| {
        w.produce(10);
        let active = w.controller();
        let told = w.now();
        w.terminate(active);
        assert!(w.until(|fact| controls(fact) && fact.node != Some(active.into())));
        assert!(w.now().since(told) < Duration::from_millis(900), "C16: nobody waits for a timeout");
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn two_of_five_controllers_are_destroyed_for_good() {
    scenario(brisk(Cluster::of(3).controllers(5).min_isr(2)), |w| {
        w.produce(10);
        for _ in 0..2 {
            let active = w.controller();
            w.destroy(active);
            assert!(w.until(|fact| controls(fact) && fact.node != Some(active.into())));
        }
        let leader = w.leader();
        w.crash(leader);
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn a_majority_of_the_controllers_goes_and_comes_back() {
    scenario(three(), |w| {
        w.produce(10);
        for standby in w.standbys() {
            w.power_off(standby);
        }
        let leader = w.leader();
        w.crash(leader);
        w.run_for(Duration::from_secs(6));
        assert_eq!(w.leader(), leader, "nobody can decide anything");
        for id in w.controllers() {
            w.inflict(&Fault::Start(id.into()));
        }
        w.produce(10);
        w.quiet();
    });
}

#[test]
fn a_split_with_brokers_on_both_sides_leaves_the_larger_side_at_work() {
    scenario(three(), |w| {
        w.produce(10);
        let (active, leader) = (w.controller(), w.leader());
        let here: Vec<Target> = vec![active.into(), leader.into()];
        let mut there: Vec<Target> = w.standbys().into_iter().map(Target::from).collect();
        there.extend(w.followers().into_iter().map(Target::from));
        w.inflict(&Fault::CutBoth { between: here, and: there });
        w.send(10);
        assert!(w.until(|fact| controls(fact) && fact.node != Some(active.into())));
        w.run_for(Duration::from_secs(10));
        assert_ne!(w.leader(), leader);
        w.heal_network();
        w.quiet();
    });
}

#[test]
fn in_combined_roles_a_machine_takes_its_controller_with_its_broker() {
    scenario(brisk(Cluster::of(3).controllers(3).combined().min_isr(2)), |w| {
        w.produce(10);
        for broker in w.brokers() {
            w.power_off(broker);
            w.run_for(Duration::from_secs(5));
            w.produce(5);
            w.restart(broker);
            w.run_for(Duration::from_secs(5));
        }
        w.quiet();
    });
}

#[test]
fn every_broker_is_upgraded_in_turn_while_records_are_written() {
    let before = Protocol { storage: model::protocol::Storage::KAFKA, ..Protocol::LATEST };
    assert_eq!(before.storage.trust, Trust::AnyValidBatch);
    scenario(three().protocol(before), |w| {
        for broker in w.brokers() {
            w.inflict(&Fault::Upgrade(broker.into(), Box::new(Protocol::LATEST)));
            w.terminate(broker);
            assert!(w.until(|fact| fact.node == Some(broker.into()) && matches!(fact.event(), Some(Event::ShutDown))));
            w.produce(5);
            w.run_for(Duration::from_secs(1));
            w.restart(broker);
            w.run_for(Duration::from_secs(4));
            w.produce(5);
        }
        w.quiet();
    });
}
