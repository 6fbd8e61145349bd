//! Eligible leader replicas (KIP-966): the last replica standing, with and without them.

use model::event::Event;
use model::metadata::MetadataRecord;
use model::protocol::Protocol;
use scenarios::strategies::brisk;
use scenarios::{World, scenario};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;

fn eligible() -> Cluster {
    brisk(Cluster::of(3).min_isr(2).protocol(Protocol::KAFKA_4_1))
}

/// Somebody was made eligible.
fn is_eligible(fact: &Fact) -> bool {
    let Some(Event::Committed { record: MetadataRecord::PartitionChange(change), .. }) = fact.event() else {
        return false;
    };
    change.elr.as_ref().is_some_and(|elr| !elr.is_empty())
}

/// Both followers die, the leader is last, loses power and comes back first; the eligible one comes after it.
fn the_last_replica_standing_loses_power(w: &mut World) {
    w.produce(20);
    let (leader, followers) = (w.leader(), w.followers());
    w.crash(followers[0]);
    w.until_in_world(|w| w.isr_of(0).len() == 2);
    w.terminate(followers[1]);
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    w.send(10);
    w.run_for(std::time::Duration::from_secs(2));
    w.power_off(leader);
    w.restart(leader);
    w.run_for(std::time::Duration::from_secs(10));
    w.restart_all();
    w.produce(10);
    w.quiet();
}

#[test]
fn the_last_replica_standing_loses_power_and_an_eligible_one_leads() {
    scenario(eligible(), the_last_replica_standing_loses_power).sometimes("somebody was eligible", is_eligible);
}

#[test]
fn each_broker_crashes_in_turn_and_all_at_once_under_load() {
    scenario(eligible(), |w| {
        w.produce(10);
        for broker in w.brokers() {
            w.crash(broker);
            w.send(5);
            w.run_for(std::time::Duration::from_secs(3));
            w.restart(broker);
            w.produce(5);
        }
        for broker in w.brokers() {
            w.crash(broker);
            w.run_for(std::time::Duration::from_secs(3));
        }
        w.restart_all();
        w.produce(10);
        w.quiet();
    })
    .sometimes("somebody was eligible", is_eligible);
}

#[test]
fn each_broker_is_shut_down_in_turn_and_returns_without_losing_its_seat_as_eligible() {
    scenario(eligible(), |w| {
        w.produce(10);
        for broker in w.brokers() {
            w.terminate(broker);
            w.send(5);
            w.until_in_world(|w| !w.is_up(broker));
            w.restart(broker);
            w.produce(5);
        }
        w.quiet();
    });
}
