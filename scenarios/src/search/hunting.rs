//! A hunt: one plan after another until a bug shows, and what the run that shows it says.

use std::time::Duration;

use sim::fact::Moment;

use super::{Ground, States, Strategy};
use crate::guarantee::Guarantee;
use crate::known_bugs::KnownBug;
use crate::run::{Course, Outcome, Plan, run};

/// What came of one plan.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The outcome.
    pub outcome: Outcome,
    /// The states that it has been in, if somebody wanted to know.
    pub states: States,
}

/// What came of a hunt.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// How many plans were tried, the last one included.
    pub seeds: u64,
    /// Steps of machines in all of them.
    pub steps: u64,
    /// Simulated time of all of them.
    pub simulated: Duration,
    /// Plans that failed for another reason than the bug's own.
    pub strays: u64,
    /// The plan that showed it; `None` if the hunt was called off before.
    pub found: Option<Found>,
}

/// The run that shows a bug.
#[derive(Clone, Debug)]
pub struct Found {
    /// What was run.
    pub plan: Plan,
    /// What it is known by.
    pub fingerprint: String,
    /// What was broken, each guarantee once, in the order in which it showed, and when.
    pub detectors: Vec<(Guarantee, Moment)>,
    /// What came of it.
    pub outcome: Outcome,
}

/// Looks for a bug, one plan after another, until it shows or `go_on`, which is shown the hunt before each of them, says no. Hunts of
/// different numbers try different seeds.
#[must_use]
pub fn hunt(bug: &KnownBug, strategy: Strategy, number: u64, go_on: &mut dyn FnMut(&Hunt) -> bool) -> Hunt {
    let ground = Ground::of(bug);
    let mut searcher = strategy.begin();
    let mut hunt = Hunt { seeds: 0, steps: 0, simulated: Duration::ZERO, strays: 0, found: None };
    while hunt.found.is_none() && go_on(&hunt) {
        let seed = (number << 32) + hunt.seeds;
        let plan = searcher.next(&ground, seed);
        let Attempt { outcome, states } = attempt(&plan, searcher.is_curious());
        hunt.seeds += 1;
        hunt.steps += outcome.steps;
        hunt.simulated += outcome.simulated;
        searcher.learn(&plan, &states);
        if bug.breaks.shown_by(&outcome) {
            hunt.found = Some(Found::of(bug, plan, outcome));
        } else {
            hunt.strays += u64::from(outcome.fingerprint().is_some());
        }
    }
    hunt
}

/// Runs a plan, and notes which states it has been in if that is wanted.
#[must_use]
pub fn attempt(plan: &Plan, curious: bool) -> Attempt {
    if !curious {
        return Attempt { outcome: run(plan), states: States::new() };
    }
    let ran = sim::hermetic(plan.seed, || match Course::begin(plan, |_| {}) {
        Ok(mut course) => {
            let mut states = States::new();
            course.go_on_while(plan.length, plan.length, |world| {
                states.see(world.cast(), world.latest());
                true
            });
            course.conclude(plan.length);
            (Outcome::of(&course.world, false, None), states)
        }
        Err((world, why)) => (Outcome::of(&world, false, Some(why)), States::new()),
    });
    let (outcome, states) = ran.unwrap_or_else(|panicked| (Outcome::of_panic(panicked), States::new()));
    Attempt { outcome, states }
}

impl Found {
    fn of(bug: &KnownBug, plan: Plan, outcome: Outcome) -> Self {
        let detectors = outcome.broken();
        let fingerprint = outcome.fingerprint().unwrap_or_else(|| bug.breaks.name().to_owned());
        Self { plan, fingerprint, detectors, outcome }
    }
}
