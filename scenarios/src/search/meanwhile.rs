//! What happens while messages of one class are late: short chains of misfortunes, of which each waits for what the one before has
//! brought about, so that it falls into the time for which such a message is under way.
//!
//! A chain says what such messages are about, and nothing about a bug: who is proposed goes while the proposal is under way, who
//! returns finds its leader gone, elections follow each other faster than the news of them.

use std::time::Duration;

use model::wire::Channel;
use rand::Rng;
use sim::dice::Draw;
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::Ground;
use super::elections::{anybody, departure, elects, millis};
use super::lags::lateness;
use crate::storm::Family;

/// Something that messages of this class are about.
pub(super) fn happens(draw: &mut Draw, ground: &Ground, channel: Channel, strikes: &mut Vec<Strike>) {
    match channel {
        Channel::AlterPartition => a_newcomer_goes(draw, ground, strikes),
        Channel::ReplicaFetch if draw.gen_bool(0.6) => the_leader_goes_when_somebody_is_back(draw, ground, strikes),
        Channel::ReplicaFetch | Channel::Control => leaders_are_elected_in_a_row(draw, ground, strikes),
        Channel::Metadata => elections_overtake_the_news(draw, ground, strikes),
        Channel::Quorum => voters_go(draw, ground, strikes),
        _ => somebody_goes(draw, ground, strikes),
    }
}

/// A follower goes and is back; as soon as it is proposed it goes again, or somebody who is in sync does. The proposal takes its time,
/// whoever leads.
fn a_newcomer_goes(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    a_follower_is_away(draw, ground, strikes);
    if draw.gen_bool(0.7) {
        let (from, to) = (vec![Target::Brokers], vec![Target::Controllers]);
        let fault = Fault::Lag { channel: Channel::AlterPartition, from, to, extra: lateness(draw, 100) };
        strikes.push(Strike { when: When::At(millis(draw, 1, 1_000)), fault });
    }
    for _ in 0..draw.gen_range(1..=2) {
        let when = ambush(draw, &[Sight::IsrProposed], 3, 600);
        let whom = if draw.gen_bool(0.7) { Target::Seen } else { Target::InSync(0, draw.gen_range(0..3)) };
        is_away(draw, ground, whom, &when, 800, strikes);
        if draw.gen_bool(0.5) {
            // It takes its time to catch up once more.
            let (from, to) = (vec![Target::Brokers], vec![Target::Brokers]);
            let extra = millis(draw, 2, 400);
            strikes.push(Strike { when, fault: Fault::Lag { channel: Channel::ReplicaFetch, from, to, extra } });
        }
    }
}

/// A follower goes and is back; while it catches up, for which it takes its time, its leader goes, and maybe it does when the next one
/// proposes it.
fn the_leader_goes_when_somebody_is_back(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    let (when, whom) = (When::At(millis(draw, 500, 4_000)), Target::Follower(0, draw.gen_range(0..3)));
    if draw.gen_bool(0.7) {
        let (from, to) = (vec![Target::Brokers], vec![whom]);
        let fault = Fault::Lag { channel: Channel::ReplicaFetch, from, to, extra: millis(draw, 5, 400) };
        strikes.push(Strike { when: when.clone(), fault });
    }
    is_away(draw, ground, whom, &when, 2_500, strikes);
    let when = ambush(draw, &[Sight::Registered, Sight::Unfenced, Sight::Followed, Sight::IsrShrunk], 2, 3_000);
    is_away(draw, ground, Target::Leader(0), &when, 8_000, strikes);
    if draw.gen_bool(0.4) {
        let when = ambush(draw, &[Sight::IsrProposed], 3, 10);
        is_away(draw, ground, Target::Seen, &when, 8_000, strikes);
    }
}

/// One election after the other: whoever led is back among those in sync, or never left them, when the next one is elected.
fn leaders_are_elected_in_a_row(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    let mut when = When::At(millis(draw, 800, 5_000));
    if draw.gen_bool(0.3) {
        is_away(draw, ground, Target::Leader(0), &when, 4_000, strikes);
        when = ambush(draw, &[Sight::IsrGrew, Sight::Led, Sight::Unfenced], 2, 300);
    }
    let (one, other) = (anybody(draw, ground), anybody(draw, ground));
    for nth in 0..draw.gen_range(2..=4) {
        elects(draw, ground, Some(if nth % 2 == 0 { one } else { other }), &when, strikes);
        when = when.later(millis(draw, 20, 1_500));
    }
}

/// The same, and from one of them on each broker hears of them with a delay of its own, some of them at once. Whoever fetches metadata
/// already is told of that one, and only later of those that follow.
fn elections_overtake_the_news(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    let one = anybody(draw, ground);
    let begins = millis(draw, 500, 4_000);
    elects(draw, ground, Some(one), &When::At(begins), strikes);
    let mut when = When::At(begins + millis(draw, 100, 3_000));
    for nth in 0..ground.cluster.brokers {
        if draw.gen_bool(0.6) {
            let (from, to) = (vec![Target::Controllers], vec![Target::AnyBroker(nth)]);
            let fault = Fault::Lag { channel: Channel::Metadata, from, to, extra: lateness(draw, 50) };
            strikes.push(Strike { when: when.clone(), fault });
        }
    }
    for nth in 0..draw.gen_range(2..=4) {
        let whom = if nth % 2 == 0 { anybody(draw, ground) } else { one };
        elects(draw, ground, Some(whom), &when, strikes);
        when = when.later(millis(draw, 20, 1_500));
    }
}

/// Controllers that have voted, or lead, go and are back before the election is over.
fn voters_go(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    let when = When::At(millis(draw, 500, 3_000));
    is_away(draw, ground, Target::Controller, &when, 4_000, strikes);
    for _ in 0..draw.gen_range(1..=4) {
        let when = ambush(draw, &[Sight::Voted, Sight::Voted, Sight::ControllerLed], 6, 20);
        is_away(draw, ground, Target::Seen, &when, 300, strikes);
    }
}

/// Whoever is seen registering, being fenced or taking up a role goes.
fn somebody_goes(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    a_follower_is_away(draw, ground, strikes);
    const SIGHTS: [Sight; 6] =
        [Sight::Registered, Sight::Fenced, Sight::LeaderChanged, Sight::IsrShrunk, Sight::IsrGrew, Sight::Truncated];
    let when = ambush(draw, &SIGHTS, 3, 300);
    let whom = if draw.gen_bool(0.5) { Target::Seen } else { Target::Leader(0) };
    is_away(draw, ground, whom, &when, 2_000, strikes);
}

fn a_follower_is_away(draw: &mut Draw, ground: &Ground, strikes: &mut Vec<Strike>) {
    let when = When::At(millis(draw, 500, 5_000));
    let whom = Target::Follower(0, draw.gen_range(0..3));
    is_away(draw, ground, whom, &when, 1_500, strikes);
}

/// Goes as another process, by a power loss if there are any; now and then in another way.
fn is_away(draw: &mut Draw, ground: &Ground, whom: Target, when: &When, most: u32, strikes: &mut Vec<Strike>) {
    let away = millis(draw, 1, most);
    let back = Some(Fault::Start(Target::Everyone));
    let (fault, end) = match draw.gen_range(0..10) {
        0..7 if ground.families.contains(&Family::PowerLosses) => (Fault::PowerOff(whom), back),
        0..4 => (Fault::Crash(whom), back),
        4..7 => (Fault::Terminate(whom), back),
        _ => departure(draw, ground, whom, away),
    };
    strikes.push(Strike { when: when.clone(), fault });
    strikes.extend(end.map(|fault| Strike { when: when.later(away), fault }));
}

/// One of these sights, mostly the first or after up to so many others, and up to so many milliseconds later.
fn ambush(draw: &mut Draw, sights: &[Sight], skip: u32, after: u32) -> When {
    let on = sights[draw.gen_range(0..sights.len())];
    let after = if draw.gen_bool(0.4) { Duration::ZERO } else { millis(draw, 1, after + 1) };
    let skip = if draw.gen_bool(0.5) { 0 } else { draw.gen_range(0..=skip) };
    When::Ambush { on, skip, after }
}
