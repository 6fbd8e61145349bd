//! Several elections in a row: whoever leads goes, and so does the next one, before the others have come to rest.

use std::time::Duration;

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

/// The same among controllers.
const SIGHTS_OF_CONTROLLERS: [Sight; 4] = [Sight::Voted, Sight::ControllerLed, Sight::Committed, Sight::LeaderChanged];

pub(super) fn storm(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "elections"));
    let among_controllers = ground.cluster.controllers > 1 && draw.gen_bool(0.6);
    let sights: &[Sight] = if among_controllers { &SIGHTS_OF_CONTROLLERS } else { &SIGHTS };
    let mut strikes = Vec::new();
    let begins = millis(&mut draw, 500, 3_000);
    goes(&mut draw, ground, among_controllers, &When::At(begins), &mut strikes);
    for _ in 0..draw.gen_range(1..5) {
        let on = sights[draw.gen_range(0..sights.len())];
        let often = matches!(on, Sight::HighWatermarkMoved | Sight::Committed);
        let skip = draw.gen_range(0..if often { 60 } else { 5 });
        let after = [0, draw.gen_range(0..5_000), draw.gen_range(0..800_000)][draw.gen_range(0..3)];
        let when = When::Ambush { on, skip, after: Duration::from_micros(after) };
        goes(&mut draw, ground, among_controllers, &when, &mut strikes);
    }
    Storm { strikes }
}

/// Who leads, or may be the next one to, goes for a while, in one of the ways that the ground has.
fn goes(draw: &mut Draw, ground: &Ground, among_controllers: bool, when: &When, strikes: &mut Vec<Strike>) {
    let partition = draw.gen_range(0..ground.cluster.partitions.max(1));
    let whom = match draw.gen_range(0..10) {
        0..4 if among_controllers => Target::Controller,
        _ if among_controllers => Target::AnyController(draw.gen_range(0..ground.cluster.controllers)),
        0..6 => Target::Leader(partition),
        6..8 => Target::InSync(partition, draw.gen_range(0..3)),
        8 => Target::Follower(partition, draw.gen_range(0..3)),
        _ => Target::Controller,
    };
    let away = millis(draw, 1, 6_000);
    let back = Some(Fault::Start(Target::Everyone));
    let family = ground.families[draw.gen_range(0..ground.families.len())];
    let (fault, end) = match (family, draw.gen_range(0..4)) {
        (_, 0) if draw.gen_bool(0.3) => (elect(ground), None),
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
    };
    strikes.push(Strike { when: when.clone(), fault });
    strikes.extend(end.map(|fault| Strike { when: when.later(away), fault }));
}

/// The preferred leader is elected, or another if that one is not in sync.
pub(super) fn elect(ground: &Ground) -> Fault {
    let topic = ground.cluster.all_topics()[0].name.clone();
    Fault::Administer(AdminRequest::ElectLeaders { topic, partition: 0, unclean: false })
}

/// A span between the two, in milliseconds, short ones as often as long ones.
pub(super) fn millis(draw: &mut Draw, least: u32, most: u32) -> Duration {
    let (least, most) = (f64::from(least.max(1)).ln(), f64::from(most).ln());
    Duration::from_secs_f64(draw.gen_range(least..most).exp() / 1_000.0)
}
