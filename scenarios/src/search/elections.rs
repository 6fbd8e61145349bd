//! Several elections in a row: whoever leads goes, and so does the next one, before the others have come to rest.

use std::time::Duration;

use model::names::BrokerId;
use model::wire::AdminRequest;
use rand::Rng;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::Ground;
use crate::storm::{Family, Storm};

/// After which sights the next one goes: what an election is made of.
const SIGHTS: [Sight; 7] = [
    Sight::Led,
    Sight::Followed,
    Sight::Truncated,
    Sight::LeaderChanged,
    Sight::IsrProposed,
    Sight::IsrGrew,
    Sight::HighWatermarkMoved,
];

/// The same among controllers. Most of an election is votes.
const SIGHTS_OF_CONTROLLERS: [Sight; 5] =
    [Sight::Voted, Sight::Voted, Sight::ControllerLed, Sight::Committed, Sight::LeaderChanged];

pub(super) fn storm(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "elections"));
    let among_controllers = ground.cluster.controllers > 1 && draw.gen_bool(0.6);
    let sights: &[Sight] = if among_controllers { &SIGHTS_OF_CONTROLLERS } else { &SIGHTS };
    let mut strikes = Vec::new();
    let begins = millis(&mut draw, 500, 3_000);
    goes(&mut draw, ground, among_controllers, &When::At(begins), &mut strikes);
    for _ in 0..draw.gen_range(1..if among_controllers { 10 } else { 5 }) {
        let on = sights[draw.gen_range(0..sights.len())];
        let often = matches!(on, Sight::HighWatermarkMoved | Sight::Committed);
        let skip = draw.gen_range(0..if often { 60 } else { 5 });
        let after = [0, draw.gen_range(0..5_000), draw.gen_range(0..800_000)][draw.gen_range(0..3)];
        let when = When::Ambush { on, skip, after: Duration::from_micros(after) };
        goes(&mut draw, ground, among_controllers, &when, &mut strikes);
    }
    Storm { strikes }
}

/// Who leads, or may be the next one to, or whom that is about what was waited for, goes for a while, in one of the ways that the ground
/// has.
fn goes(draw: &mut Draw, ground: &Ground, among_controllers: bool, when: &When, strikes: &mut Vec<Strike>) {
    let partition = draw.gen_range(0..ground.cluster.partitions.max(1));
    let in_ambush = matches!(when, When::Ambush { .. });
    let whom = match draw.gen_range(0..10) {
        0..5 if among_controllers && in_ambush => Target::Seen,
        0..4 if among_controllers => Target::Controller,
        _ if among_controllers => Target::AnyController(draw.gen_range(0..ground.cluster.controllers)),
        0..2 if in_ambush => Target::Seen,
        0..6 => Target::Leader(partition),
        6..8 => Target::InSync(partition, draw.gen_range(0..3)),
        8 => Target::Follower(partition, draw.gen_range(0..3)),
        _ => Target::Controller,
    };
    if !among_controllers && draw.gen_bool(0.15) {
        let whom = draw.gen_bool(0.7).then(|| anybody(draw, ground));
        return elects(draw, ground, whom, when, strikes);
    }
    // Whoever votes or stands for an election, and is back at once, takes part in the same one.
    let away = if among_controllers && draw.gen_bool(0.5) { millis(draw, 1, 60) } else { millis(draw, 1, 6_000) };
    let (fault, end) = departure(draw, ground, whom, away);
    strikes.push(Strike { when: when.clone(), fault });
    strikes.extend(end.map(|fault| Strike { when: when.later(away), fault }));
}

/// A way in which somebody goes that the ground has, and what ends it.
pub(super) fn departure(draw: &mut Draw, ground: &Ground, whom: Target, away: Duration) -> (Fault, Option<Fault>) {
    let back = Some(Fault::Start(Target::Everyone));
    let family = ground.families[draw.gen_range(0..ground.families.len())];
    match (family, draw.gen_range(0..4)) {
        (Family::PowerLosses, _) => (Fault::PowerOff(whom), back),
        (Family::Pauses | Family::Disks | Family::Clocks, _) => (Fault::Pause(whom, away), None),
        (Family::Partitions, 0) => (Fault::Isolate(whom), Some(Fault::Heal)),
        (Family::Partitions, 1) => {
            (Fault::CutBoth { between: vec![whom], and: vec![Target::Controllers] }, Some(Fault::Heal))
        }
        // Cut off from all other servers, but not from clients: it goes on without knowing that it is deposed.
        (Family::Partitions, _) => {
            let servers = vec![Target::Brokers, Target::Controllers];
            (Fault::CutBoth { between: vec![whom], and: servers }, Some(Fault::Heal))
        }
        (Family::Weather, _) => (Fault::Hold { from: vec![whom], to: vec![Target::Brokers] }, Some(Fault::Heal)),
        (_, 0) => (Fault::Restart(whom), None),
        (_, 1) => (Fault::Terminate(whom), back),
        _ => (Fault::Crash(whom), back),
    }
}

/// An operator has a leader elected: this one, or whoever is preferred. Where all brokers are replicas it can be anybody, because another
/// one can be preferred first; that is the only way in which one who is in sync follows another without leaving the set.
pub(super) fn elects(draw: &mut Draw, ground: &Ground, whom: Option<BrokerId>, when: &When, strikes: &mut Vec<Strike>) {
    let cluster = &ground.cluster;
    let topic = cluster.all_topics()[0].clone();
    let (name, partition) = (topic.name, draw.gen_range(0..topic.partitions.max(1)));
    if let Some(whom) = whom.filter(|_| u32::from(topic.replication_factor) == cluster.brokers) {
        let others = cluster.broker_ids().filter(|broker| *broker != whom);
        let replicas = Some(std::iter::once(whom).chain(others).collect());
        let request = AdminRequest::AlterPartitionReassignments { topic: name.clone(), partition, replicas };
        strikes.push(Strike { when: when.clone(), fault: Fault::Administer(request) });
    }
    let request = AdminRequest::ElectLeaders { topic: name, partition, unclean: false };
    strikes.push(Strike { when: when.clone(), fault: Fault::Administer(request) });
}

/// Any broker.
pub(super) fn anybody(draw: &mut Draw, ground: &Ground) -> BrokerId {
    BrokerId(draw.gen_range(1..=ground.cluster.brokers))
}

/// A span between the two, in milliseconds, short ones as often as long ones.
pub(super) fn millis(draw: &mut Draw, least: u32, most: u32) -> Duration {
    let (least, most) = (f64::from(least.max(1)).ln(), f64::from(most).ln());
    Duration::from_secs_f64(draw.gen_range(least..most).exp() / 1_000.0)
}
