//! The stories of known bugs about disks: plain functions over a world. They do not know which bug is met in them.

use std::time::Duration;

use model::event::Event;
use model::names::BrokerId;
use sim::Verbs;
use sim::fact::{Ending, Fact};
use sim::fault::{Fault, Target};

use super::World;
use crate::scripted::other_servers;
use crate::seen;

/// T16: a broker that had stopped in an orderly way is killed in the middle of its next start.
pub fn a_clean_start_is_cut_short(w: &mut World) {
    w.produce(10);
    let broker = w.followers()[0];
    w.terminate(broker);
    w.until(|fact| seen::stopped(fact, Ending::Exited) && is_of(fact, broker));
    w.restart(broker);
    w.until(|fact| matches!(fact.event(), Some(Event::BrokerStarted { .. })) && is_of(fact, broker));
    w.crash(broker);
    w.restart(broker);
    w.quiet();
}

/// Segments are filled, closed and synced one after another, and the power of one broker after another goes.
pub fn the_power_goes_between_many_segments(w: &mut World) {
    for broker in w.brokers() {
        for _ in 0..4 {
            w.produce(15);
        }
        w.power_off(broker);
        w.restart(broker);
        w.quiet();
    }
}

/// The power of a follower goes while records are on their way into its log.
pub fn the_power_goes_in_the_middle_of_a_record(w: &mut World) {
    w.produce(5);
    for follower in w.followers() {
        w.send(12);
        w.until(|fact| matches!(fact.event(), Some(Event::AppendedAsFollower { .. })) && is_of(fact, follower));
        w.power_off(follower);
        w.restart(follower);
        w.quiet();
    }
}

/// A follower dies in the middle of an append, again and again, and leaves the beginning of a batch behind its log.
pub fn a_follower_dies_in_the_middle_of_appends(w: &mut World) {
    w.produce(10);
    let follower = w.followers()[0];
    for nth in 1..=4 {
        w.inflict(&Fault::CrashAtDiskCall(Target::from(follower), nth));
        w.send(5);
        w.until(|fact| seen::stopped(fact, Ending::Crashed) && is_of(fact, follower));
        w.restart(follower);
        w.quiet();
    }
}

/// KAFKA-10706: a leader in whose epoch nobody else has a record is replaced behind its back, cuts all of that epoch off, and
/// follows.
pub fn a_leader_whose_epoch_nobody_shares_returns(w: &mut World) {
    w.produce(10);
    w.settle();
    let first = w.leader();
    w.crash(first);
    w.until(seen::led_anew);
    let zombie = w.leader();
    for other in other_servers(w, zombie) {
        w.cut(zombie, other);
    }
    w.send(5);
    w.restart(first);
    w.until(|fact| seen::led(fact) && !is_of(fact, zombie));
    w.heal_network();
    w.run_for(Duration::from_secs(8));
}

fn is_of(fact: &Fact, broker: BrokerId) -> bool {
    fact.node == Some(broker.into())
}
