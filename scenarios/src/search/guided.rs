//! A search that keeps the storms which reached new states of the protocol, and changes them a little: those the more that reached what
//! hardly any other has.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Strike, When};

use super::{Ground, Searcher, States, Strategy};
use crate::run::Plan;
use crate::storm::Storm;

/// Plans that reached something new, the newest last.
#[derive(Default)]
pub(super) struct Guided {
    /// In how many runs each state was reached.
    runs: BTreeMap<u64, u32>,
    kept: Vec<Kept>,
}

struct Kept {
    storm: Storm,
    seed: u64,
    /// The states that nobody had reached before.
    new: Vec<u64>,
    /// How often it was changed already: the more often, the less is to be expected of it.
    tried: u32,
}

impl Guided {
    /// How little is to be expected of a storm: how often it was changed, times how many have reached the rarest state that it reached
    /// first.
    fn worn(&self, kept: &Kept) -> u32 {
        let rarest = kept.new.iter().filter_map(|state| self.runs.get(state)).min().copied().unwrap_or(u32::MAX);
        rarest.saturating_mul(kept.tried + 1)
    }
}

/// The share of plans that are no changed copies: a chain of misfortunes that is changed anywhere is mostly a chain no more.
const FRESH: f64 = 0.5;
/// So many are kept at most.
const MOST: usize = 200;
/// Of so many, drawn, the least worn is changed.
const CANDIDATES: usize = 5;
/// Strikes in a storm at most: what is spliced again and again grows.
const LONGEST: usize = 24;

impl Searcher for Guided {
    fn next(&mut self, ground: &Ground, seed: u64) -> Plan {
        let dice = Dice::new(seed);
        let mut draw = dice.draw(&("search", "guided"));
        let fresh = Strategy::Mixed.storm(ground, dice);
        if self.kept.is_empty() || draw.gen_bool(FRESH) {
            return ground.plan(fresh, seed);
        }
        let places: Vec<usize> = (0..CANDIDATES).map(|_| draw.gen_range(0..self.kept.len())).collect();
        let place = places.into_iter().min_by_key(|place| self.worn(&self.kept[*place])).unwrap_or_default();
        self.kept[place].tried += 1;
        let other = draw.gen_range(0..self.kept.len());
        let mut storm = self.kept[place].storm.clone();
        for _ in 0..draw.gen_range(1..=3) {
            change(&mut draw, &mut storm, &fresh, &self.kept[other].storm);
        }
        if storm.strikes.is_empty() {
            storm = fresh;
        }
        // With the same dice, everything before the change goes as it went.
        let dice = if draw.gen_bool(0.6) { self.kept[place].seed } else { seed };
        ground.plan(storm, dice)
    }

    fn learn(&mut self, plan: &Plan, states: &States) {
        let mut new = Vec::new();
        for state in states.iter() {
            let runs = self.runs.entry(state).or_default();
            *runs += 1;
            if *runs == 1 {
                new.push(state);
            }
        }
        if new.is_empty() {
            return;
        }
        self.kept.push(Kept { storm: plan.storm.clone(), seed: plan.seed, new, tried: 0 });
        if self.kept.len() > MOST {
            let worn = (0..self.kept.len()).max_by_key(|place| self.worn(&self.kept[*place]));
            self.kept.remove(worn.unwrap_or_default());
        }
    }

    fn is_curious(&self) -> bool {
        true
    }
}

/// One small change.
fn change(draw: &mut Draw, storm: &mut Storm, fresh: &Storm, other: &Storm) {
    let strikes = &mut storm.strikes;
    if strikes.is_empty() {
        strikes.clone_from(&fresh.strikes);
        return;
    }
    let place = draw.gen_range(0..strikes.len());
    match draw.gen_range(0..6) {
        0 => {
            strikes.remove(place);
        }
        1 => strikes[place].when = moved(draw, &strikes[place].when),
        2 => {
            let cut = draw.gen_range(0..=other.strikes.len());
            strikes.truncate(place);
            strikes.extend(other.strikes[cut..].iter().cloned());
        }
        3 => strikes.extend(fresh.strikes.iter().take(2).cloned()),
        4 => strikes[place].fault = lasting(draw, &strikes[place].fault),
        _ => {
            let Strike { when, .. } = &fresh.strikes[draw.gen_range(0..fresh.strikes.len())];
            strikes[place].when = when.clone();
        }
    }
    strikes.truncate(LONGEST);
}

/// A little earlier or later, or at the sight before or after.
fn moved(draw: &mut Draw, when: &When) -> When {
    let by = draw.gen_range(0.3..2.5);
    match when {
        When::At(time) => When::At(time.mul_f64(by)),
        When::Ambush { on, skip, after } if draw.gen_bool(0.5) => {
            let skip = (f64::from(*skip) * by) as u32 + draw.gen_range(0..2);
            When::Ambush { on: *on, skip, after: *after }
        }
        When::Ambush { on, skip, after } => {
            let after = after.mul_f64(by) + Duration::from_micros(draw.gen_range(0..3_000));
            When::Ambush { on: *on, skip: *skip, after }
        }
    }
}

/// The same for a longer or a shorter time, if it has one.
fn lasting(draw: &mut Draw, fault: &Fault) -> Fault {
    let by = draw.gen_range(0.3..2.5);
    match fault.clone() {
        Fault::Pause(whom, span) => Fault::Pause(whom, span.mul_f64(by)),
        Fault::DiskStall(whom, span) => Fault::DiskStall(whom, span.mul_f64(by)),
        Fault::Delay { from, to, extra, jitter } => Fault::Delay { from, to, extra: extra.mul_f64(by), jitter },
        Fault::Lag { channel, from, to, extra } => Fault::Lag { channel, from, to, extra: extra.mul_f64(by) },
        other => other,
    }
}
