//! What is late: one class of message to one node, or every conversation by its priority.

use std::time::Duration;

use model::wire::Channel;
use rand::Rng;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Strike, Target, When};

use super::elections::millis;
use super::{Ground, meanwhile};
use crate::storm::{Intensity, Storm};

/// How late at most. Conversations give up after two seconds and more, and begin anew: what is later never arrives.
const LATEST: u32 = 1_900;

/// One class of message is late, from some time on and mostly to the end; what makes such messages matter happens meanwhile, and a few
/// misfortunes, in ambush or not.
pub(super) fn late(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "late"));
    let mut strikes = Vec::new();
    let channel = class(&mut draw, ground);
    // What happens meanwhile may bring lags of its own.
    for _ in 0..draw.gen_range(0..=2) {
        let begins = When::At(millis(&mut draw, 1, 4_000));
        strikes.push(Strike { when: begins, fault: lag(&mut draw, ground, channel, 50) });
    }
    if strikes.is_empty() || draw.gen_bool(0.75) {
        meanwhile::happens(&mut draw, ground, channel, &mut strikes);
    }
    if draw.gen_bool(0.2) {
        strikes.push(Strike { when: When::At(millis(&mut draw, 5_000, 12_000)), fault: Fault::Heal });
    }
    let few = Intensity { ambushes: 50, ..Intensity::of(draw.gen_range(0..=2), ground.length, &ground.families) };
    strikes.extend(Storm::draw(dice, &ground.cluster, &few).strikes);
    Storm { strikes }
}

/// Every conversation has a priority, and waits the longer the lower it is; now and then all priorities change. What PCT does with
/// threads, by delays: with few changes it is likely that some run orders just the few events that matter.
pub(super) fn priorities(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "priorities"));
    let mut strikes = Vec::new();
    let mut at = Duration::ZERO;
    for change in 0..draw.gen_range(2..=4) {
        if change > 0 {
            strikes.push(Strike { when: When::At(at), fault: Fault::Heal });
        }
        for _ in 0..draw.gen_range(2..=6) {
            let channel = class(&mut draw, ground);
            strikes.push(Strike { when: When::At(at), fault: lag(&mut draw, ground, channel, 1) });
        }
        at += millis(&mut draw, 800, 6_000);
    }
    let few = Intensity { ambushes: 50, ..Intensity::of(draw.gen_range(1..=3), ground.length, &ground.families) };
    strikes.extend(Storm::draw(dice, &ground.cluster, &few).strikes);
    Storm { strikes }
}

/// A class of message on which replication depends.
fn class(draw: &mut Draw, ground: &Ground) -> Channel {
    const CLASSES: [Channel; 7] = [
        Channel::Metadata,
        Channel::Metadata,
        Channel::AlterPartition,
        Channel::AlterPartition,
        Channel::ReplicaFetch,
        Channel::ReplicaFetch,
        Channel::Lifecycle,
    ];
    const OF_ZOOKEEPER: [Channel; 3] = [Channel::Control, Channel::ZooKeeper, Channel::ReplicaFetch];
    if ground.cluster.zookeeper {
        OF_ZOOKEEPER[draw.gen_range(0..OF_ZOOKEEPER.len())]
    } else if ground.cluster.controllers > 1 && draw.gen_bool(0.5) {
        Channel::Quorum
    } else {
        CLASSES[draw.gen_range(0..CLASSES.len())]
    }
}

/// Messages of this class between one server and another, or all of them. What is late is mostly what says something new: metadata on
/// its way to a broker, a proposal on its way to the controller.
fn lag(draw: &mut Draw, ground: &Ground, channel: Channel, least: u32) -> Fault {
    let cluster = &ground.cluster;
    let broker = match draw.gen_range(0..6) {
        0..2 => Target::AnyBroker(draw.gen_range(0..cluster.brokers)),
        2..4 => Target::Follower(0, draw.gen_range(0..3)),
        4 => Target::Leader(0),
        _ => Target::Brokers,
    };
    let other = match channel {
        Channel::ReplicaFetch | Channel::Control => Target::Brokers,
        _ => Target::Controllers,
    };
    let one =
        if channel == Channel::Quorum { Target::AnyController(draw.gen_range(0..cluster.controllers)) } else { broker };
    let from_it = match channel {
        Channel::AlterPartition => 0.8,
        Channel::Metadata => 0.2,
        _ => 0.5,
    };
    let (from, to) = if draw.gen_bool(from_it) { (one, other) } else { (other, one) };
    Fault::Lag { channel, from: vec![from], to: vec![to], extra: lateness(draw, least) }
}

/// By how much: of any order of magnitude, or so much that other conversations overtake it.
pub(super) fn lateness(draw: &mut Draw, least: u32) -> Duration {
    if draw.gen_bool(0.5) {
        millis(draw, least, LATEST)
    } else {
        Duration::from_millis(u64::from(draw.gen_range(300..LATEST)))
    }
}
