//! ZooKeeper mode: brokers come and go with their sessions, one of them is the controller, leaders write in-sync sets
//! themselves; and the promise is the same.

use std::time::Duration;

use model::event::Event;
use model::names::BrokerId;
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::cluster::Cluster;
use sim::fact::Fact;

fn three() -> Cluster {
    brisk(Cluster::of(3).zookeeper().min_isr(2))
}

fn controls(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::ControllerLed { .. }))
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
    .sometimes("somebody else led", |fact| seen::led(fact));
}
