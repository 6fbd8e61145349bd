//! Several elections in a row: whoever leads goes, and so does the next one, before the others have come to rest.

use std::time::Duration;

use model::wire::AdminRequest;
use rand::Rng;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::Ground;
use crate::storm::Storm;

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

pub(super) fn storm(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "elections"));
    let mut strikes = Vec::new();
    let begins = millis(&mut draw, 500, 3_000);
    leader_goes(&mut draw, ground, &When::At(begins), &mut strikes);
    for _ in 0..draw.gen_range(1..5) {
        let on = SIGHTS[draw.gen_range(0..SIGHTS.len())];
        let skip = draw.gen_range(0..if matches!(on, Sight::HighWatermarkMoved) { 60 } else { 5 });
        let after =
            Duration::from_micros([0, draw.gen_range(0..5_000), draw.gen_range(0..800_000)][draw.gen_range(0..3)]);
        leader_goes(&mut draw, ground, &When::Ambush { on, skip, after }, &mut strikes);
    }
    Storm { strikes }
}

/// The leader of some partition, or a follower that may be the next one, goes for a while, one way or another.
fn leader_goes(draw: &mut Draw, ground: &Ground, when: &When, strikes: &mut Vec<Strike>) {
    let partition = draw.gen_range(0..ground.cluster.partitions.max(1));
    let whom = match draw.gen_range(0..10) {
        0..6 => Target::Leader(partition),
        6..8 => Target::InSync(partition, draw.gen_range(0..3)),
        8 => Target::Follower(partition, draw.gen_range(0..3)),
        _ => Target::Controller,
    };
    let away = millis(draw, 1, 6_000);
    let brokers = vec![Target::Brokers];
    let (fault, end) = match draw.gen_range(0..12) {
        0..4 => (Fault::Crash(whom), Some(Fault::Start(Target::Everyone))),
        4 => (Fault::Restart(whom), None),
        5 => (Fault::PowerOff(whom), Some(Fault::Start(Target::Everyone))),
        6 => (Fault::Pause(whom, away), None),
        7 => (Fault::Terminate(whom), Some(Fault::Start(Target::Everyone))),
        8 => (Fault::Isolate(whom), Some(Fault::Heal)),
        9 => (Fault::CutBoth { between: vec![whom], and: vec![Target::Controllers] }, Some(Fault::Heal)),
        10 => (Fault::Hold { from: vec![whom], to: brokers }, Some(Fault::Heal)),
        _ => {
            let topic = ground.cluster.all_topics()[0].name.clone();
            (Fault::Administer(AdminRequest::ElectLeaders { topic, partition: 0, unclean: false }), None)
        }
    };
    strikes.push(Strike { when: when.clone(), fault });
    strikes.extend(end.map(|fault| Strike { when: put_off(when, away), fault }));
}

/// The same time or sight, and so long after it.
pub(super) fn put_off(when: &When, by: Duration) -> When {
    match when {
        When::At(time) => When::At(*time + by),
        When::Ambush { on, skip, after } => When::Ambush { on: *on, skip: *skip, after: *after + by },
    }
}

/// A span between the two, in milliseconds, short ones as often as long ones.
pub(super) fn millis(draw: &mut Draw, least: u32, most: u32) -> Duration {
    let (least, most) = (f64::from(least.max(1)).ln(), f64::from(most).ln());
    Duration::from_secs_f64(draw.gen_range(least..most).exp() / 1_000.0)
}
