//! Replicas move, those who are there go meanwhile, and the operator thinks better of it.

use model::names::BrokerId;
use model::wire::AdminRequest;
use rand::Rng;
use rand::seq::SliceRandom;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::Ground;
use super::elections::{departure, millis};
use crate::storm::{Family, Intensity, Storm};

/// What a move consists of, seen from the controller.
const SIGHTS: [Sight; 5] = [Sight::IsrGrew, Sight::IsrGrew, Sight::IsrShrunk, Sight::LeaderChanged, Sight::IsrProposed];

/// Whether this seed is one of those in which replicas move: half of them, where an operator has a hand in it.
pub(super) fn suit(ground: &Ground, dice: Dice) -> bool {
    ground.families.contains(&Family::Administration) && dice.draw(&("search", "moves or not")).gen_bool(0.5)
}

pub(super) fn storm(ground: &Ground, dice: Dice) -> Storm {
    let mut draw = dice.draw(&("search", "moves"));
    let mut strikes = Vec::new();
    let begins = millis(&mut draw, 300, 4_000);
    if draw.gen_bool(0.6) {
        // Somebody who may have to be waited for is not there.
        let absent = Target::AnyBroker(draw.gen_range(0..ground.cluster.brokers));
        goes(&mut draw, ground, absent, &When::At(begins / 2), 12_000, &mut strikes);
    }
    let request = asks(&mut draw, ground, false);
    strikes.push(Strike { when: When::At(begins), fault: request });
    for _ in 0..draw.gen_range(1..=3) {
        let whom = match draw.gen_range(0..4) {
            0..2 => Target::Leader(0),
            2 => Target::InSync(0, draw.gen_range(0..3)),
            _ => Target::Seen,
        };
        let when = ambush(&mut draw, 500);
        goes(&mut draw, ground, whom, &when, 10_000, &mut strikes);
    }
    for _ in 0..draw.gen_range(1..=2) {
        let when = ambush(&mut draw, 2_500);
        let takes_back = draw.gen_bool(0.6);
        strikes.push(Strike { when, fault: asks(&mut draw, ground, takes_back) });
    }
    let few = Intensity { ambushes: 50, ..Intensity::of(draw.gen_range(0..=2), ground.length, &ground.families) };
    strikes.extend(Storm::draw(dice, &ground.cluster, &few).strikes);
    Storm { strikes }
}

fn goes(draw: &mut Draw, ground: &Ground, whom: Target, when: &When, most: u32, strikes: &mut Vec<Strike>) {
    let away = millis(draw, 10, most);
    let (fault, end) = departure(draw, ground, whom, away);
    strikes.push(Strike { when: when.clone(), fault });
    strikes.extend(end.map(|fault| Strike { when: when.later(away), fault }));
}

/// The first partition is to move to as many brokers as it has replicas, or the move is to be called off.
fn asks(draw: &mut Draw, ground: &Ground, takes_back: bool) -> Fault {
    let topic = ground.cluster.all_topics()[0].clone();
    let mut brokers: Vec<BrokerId> = ground.cluster.broker_ids().collect();
    brokers.shuffle(draw);
    brokers.truncate(usize::from(topic.replication_factor));
    let replicas = (!takes_back).then_some(brokers);
    Fault::Administer(AdminRequest::AlterPartitionReassignments { topic: topic.name, partition: 0, replicas })
}

fn ambush(draw: &mut Draw, after: u32) -> When {
    let on = SIGHTS[draw.gen_range(0..SIGHTS.len())];
    When::Ambush { on, skip: draw.gen_range(0..3), after: millis(draw, 1, after) }
}
