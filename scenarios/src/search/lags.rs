//! What is late: one class of message to one node, or every conversation by its priority.

use std::time::Duration;

use model::wire::Channel;
use rand::Rng;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::Ground;
use super::elections::{elect, millis};
use crate::storm::{Family, Intensity, Storm};

/// How late at most. Conversations give up after two seconds and more, and begin anew: what is later never arrives.
const LATEST: u32 = 1_900;

/// One class of message is late at one node, from some time on and mostly to the end; and a few misfortunes, in ambush or not.
pub(super) fn late(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "late"));
    let mut strikes = Vec::new();
    for _ in 0..draw.gen_range(1..=2) {
        let begins = When::At(millis(&mut draw, 1, 4_000));
        let late = lag(&mut draw, ground, 50);
        if draw.gen_bool(0.6) {
            meanwhile(&mut draw, ground, &late, &mut strikes);
        }
        strikes.push(Strike { when: begins, fault: late });
    }
    if draw.gen_bool(0.3) {
        strikes.push(Strike { when: When::At(millis(&mut draw, 5_000, 12_000)), fault: Fault::Heal });
    }
    for _ in 0..draw.gen_range(0..3) {
        strikes.push(Strike { when: When::At(millis(&mut draw, 1_000, 12_000)), fault: elect(ground) });
    }
    let few = Intensity { ambushes: 50, ..Intensity::of(draw.gen_range(1..=3), ground.length, &ground.families) };
    strikes.extend(Storm::draw(dice, &ground.cluster, &few).strikes);
    Storm { strikes }
}

/// While such a message is under way, whom it is about goes, and is soon back as another process.
fn meanwhile(draw: &mut Draw, ground: &Ground, late: &Fault, strikes: &mut Vec<Strike>) {
    let Fault::Lag { channel, extra, .. } = late else { return };
    let on = match channel {
        Channel::AlterPartition => Sight::IsrProposed,
        Channel::ReplicaFetch => [Sight::Appended, Sight::Followed][draw.gen_range(0..2)],
        Channel::Lifecycle => [Sight::Registered, Sight::Fenced][draw.gen_range(0..2)],
        Channel::Quorum => [Sight::Voted, Sight::ControllerLed][draw.gen_range(0..2)],
        _ => [Sight::LeaderChanged, Sight::IsrShrunk, Sight::IsrGrew][draw.gen_range(0..3)],
    };
    let whom = match draw.gen_range(0..4) {
        _ if *channel == Channel::Quorum => Target::AnyController(draw.gen_range(0..ground.cluster.controllers)),
        0 => Target::Leader(0),
        _ => Target::Follower(0, draw.gen_range(0..3)),
    };
    let power = ground.families.contains(&Family::PowerLosses);
    let fault = if power { Fault::PowerOff(whom) } else { Fault::Crash(whom) };
    let when = When::Ambush { on, skip: draw.gen_range(0..4), after: extra.mul_f64(draw.gen_range(0.0..0.5)) };
    let back = when.later(extra.mul_f64(draw.gen_range(0.0..0.3)));
    strikes.push(Strike { when, fault });
    strikes.push(Strike { when: back, fault: Fault::Start(Target::Everyone) });
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
            strikes.push(Strike { when: When::At(at), fault: lag(&mut draw, ground, 1) });
        }
        at += millis(&mut draw, 800, 6_000);
    }
    let few = Intensity { ambushes: 50, ..Intensity::of(draw.gen_range(1..=3), ground.length, &ground.families) };
    strikes.extend(Storm::draw(dice, &ground.cluster, &few).strikes);
    Storm { strikes }
}

/// One class of message between one server and another, or all of them.
fn lag(draw: &mut Draw, ground: &Ground, least: u32) -> Fault {
    const CLASSES: [Channel; 5] =
        [Channel::Metadata, Channel::Metadata, Channel::AlterPartition, Channel::ReplicaFetch, Channel::Lifecycle];
    const OF_ZOOKEEPER: [Channel; 3] = [Channel::Control, Channel::ZooKeeper, Channel::ReplicaFetch];
    let cluster = &ground.cluster;
    let channel = if cluster.zookeeper {
        OF_ZOOKEEPER[draw.gen_range(0..OF_ZOOKEEPER.len())]
    } else if cluster.controllers > 1 && draw.gen_bool(0.5) {
        Channel::Quorum
    } else {
        CLASSES[draw.gen_range(0..CLASSES.len())]
    };
    let broker = Target::AnyBroker(draw.gen_range(0..cluster.brokers));
    let other = match channel {
        Channel::ReplicaFetch | Channel::Control => Target::Brokers,
        _ => Target::Controllers,
    };
    let one =
        if channel == Channel::Quorum { Target::AnyController(draw.gen_range(0..cluster.controllers)) } else { broker };
    let (from, to) = if draw.gen_bool(0.5) { (one, other) } else { (other, one) };
    Fault::Lag { channel, from: vec![from], to: vec![to], extra: millis(draw, least, LATEST) }
}
