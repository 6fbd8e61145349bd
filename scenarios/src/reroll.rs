//! The dice of a failing run rolled again: how likely was what followed, given all that had happened by then?
//!
//! The run is forked at an instant, the fork gets another seed for everything that is drawn from there on, and is let go on
//! until the same promise breaks or to the end. Storm and load are the run's own. This room counts nothing: what many forks
//! add up to is for whoever asks for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngCore;
use sim::Panicked;
use sim::dice::Dice;
use sim::fact::{Chapter, Fact, Moment, What};

use crate::World;
use crate::guarantee::Guarantee;
use crate::judge::Violation;
use crate::run::{Course, Outcome, Plan, Verdict, run_traced};

/// A run that breaks a promise, or panics, and everything it said.
#[derive(Debug)]
pub struct Failing {
    /// What was run.
    pub plan: Plan,
    /// What came of it.
    pub outcome: Outcome,
    /// What it said; up to the last moment before the panic, if it panicked.
    pub trace: Vec<Fact>,
    /// When the scenario began.
    pub begun: Moment,
    /// How long after that the promise was broken.
    pub shown: Duration,
    /// What two failures share that have the same cause, as far as one can tell.
    pub fingerprint: String,
    /// The guarantee that it broke; `None` if it panicked.
    pub guarantee: Option<Guarantee>,
}

/// Why there is nothing to be rolled again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFailing {
    /// Every promise was kept.
    #[error("every promise was kept in this run: there is nothing to explain")]
    Held,
    /// It showed nothing.
    #[error("the run is inconclusive: {0}")]
    Inconclusive(String),
    /// It failed before the scenario began.
    #[error("it fails before the scenario begins, where nothing can be rolled again: {0}")]
    TooEarly(String),
}

/// From where on chance is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// From before the cluster boots.
    Boot,
    /// From so long after the scenario began.
    Begun(Duration),
}

/// What came of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It broke the same guarantee in the same way.
    Alike,
    /// It broke the same guarantee in another way; or it panicked as the run did, but elsewhere.
    SameGuarantee,
    /// It broke only other promises, or panicked where the run did not.
    Otherwise,
    /// It kept every promise.
    Held,
}

/// A fork that was let go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolled {
    /// What came of it.
    pub came: Came,
    /// Steps of machines since the fork.
    pub steps: u64,
    /// Simulated time since the fork.
    pub simulated: Duration,
}

/// The forks of a failing run.
#[derive(Debug)]
pub struct Forks<'a> {
    failing: &'a Failing,
    /// Copies of the run.
    courses: Mutex<BTreeMap<Place, Arc<Course>>>,
}

/// The fault that a copy lacks, and how far it is.
type Place = (Option<usize>, Duration);

impl Failing {
    /// Runs the plan, and listens.
    ///
    /// # Errors
    /// [`NotFailing`], if it keeps its promises or shows nothing.
    pub fn of(plan: &Plan) -> Result<Self, NotFailing> {
        let mut outcome = run_traced(plan);
        let fingerprint = match (outcome.verdict(), outcome.fingerprint()) {
            (Verdict::Violated | Verdict::Panicked, Some(fingerprint)) => fingerprint,
            (Verdict::Inconclusive, _) => {
                return Err(NotFailing::Inconclusive(outcome.inconclusive.unwrap_or_default()));
            }
            _ => return Err(NotFailing::Held),
        };
        let trace = outcome.trace.take().unwrap_or_else(|| trace_before(plan, outcome.panicked.as_ref()));
        let begun = trace.iter().find(|fact| fact.what == What::Chapter(Chapter::Begun)).map(|fact| fact.at);
        let begun = begun.ok_or_else(|| NotFailing::TooEarly(fingerprint.clone()))?;
        let panicked = outcome.panicked.as_ref().map(|panicked| panicked.at.map(|(at, _)| at));
        let violated = outcome.violations.first();
        let at = match panicked {
            Some(at) => at.or(trace.last().map(|fact| fact.at)),
            None => violated.map(|violation| violation.at),
        };
        let guarantee = violated.map(|violation| violation.guarantee).filter(|_| panicked.is_none());
        let shown = at.map_or(Duration::ZERO, |at| at.since(begun));
        Ok(Self { plan: plan.clone(), trace, begun, shown, fingerprint, guarantee, outcome })
    }

    /// The violation that is to be explained; `None` for a panic.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.outcome.violations.first().filter(|_| self.guarantee.is_some())
    }

    /// When each fault of the storm struck first, by its place in the storm: how long after the scenario began. A fault
    /// struck when a fact says that one like it did; faults that are alike strike in their order.
    #[must_use]
    pub fn struck(&self) -> Vec<Option<Duration>> {
        // What strikes after the load is how the run is healed.
        let scenario = self.trace.iter().filter(|fact| fact.at >= self.begun);
        let scenario = scenario.take_while(|fact| fact.what != What::Chapter(Chapter::LoadEnded));
        let mut facts: Vec<_> = scenario
            .filter_map(|fact| match &fact.what {
                What::Struck(fault) => Some((fault, fact.at.since(self.begun))),
                _ => None,
            })
            .collect();
        let strikes = &self.plan.storm.strikes;
        let mut struck = vec![None; strikes.len()];
        // Those whose time is known first: what lay in ambush takes what is left.
        let timed = |place: &usize| match strikes[*place].when {
            sim::When::At(time) => (0, time),
            sim::When::Ambush { .. } => (1, Duration::ZERO),
        };
        let mut places: Vec<usize> = (0..strikes.len()).collect();
        places.sort_by_key(timed);
        for place in places {
            let fits = |(fault, at): &(&sim::Fault, Duration)| {
                **fault == strikes[place].fault
                    && *at >= timed(&place).1
                    && (timed(&place).0 == 1 || *at == timed(&place).1)
            };
            if let Some(found) = facts.iter().position(fits) {
                struck[place] = Some(facts.remove(found).1);
            }
        }
        struck
    }

    /// What came of a run of this cluster: compared with this one.
    fn compare(&self, outcome: &Outcome) -> Came {
        if let Some(fingerprint) = outcome.panicked.as_ref().and_then(|_| outcome.fingerprint()) {
            return match self.guarantee {
                None if fingerprint == self.fingerprint => Came::Alike,
                None => Came::SameGuarantee,
                Some(_) => Came::Otherwise,
            };
        }
        let same = outcome.violations.iter().find(|violation| Some(violation.guarantee) == self.guarantee);
        match same {
            Some(violation) if violation.fingerprint().0 == self.fingerprint => Came::Alike,
            Some(_) => Came::SameGuarantee,
            None if outcome.violations.is_empty() => Came::Held,
            None => Came::Otherwise,
        }
    }

    /// What is run without one of the faults.
    fn plan_without(&self, without: Option<usize>) -> Plan {
        let mut plan = self.plan.clone();
        if let Some(place) = without {
            plan.storm.strikes.remove(place);
        }
        plan
    }
}

impl<'a> Forks<'a> {
    /// The forks of this run.
    #[must_use]
    pub fn of(failing: &'a Failing) -> Self {
        Self { failing, courses: Mutex::default() }
    }

    /// Runs up to each of these moments, without one of the faults if it is named, and keeps a copy there. Forks from
    /// elsewhere are got by running up to there each time.
    pub fn reach(&self, moments: &[Duration], without: Option<usize>) {
        for at in moments {
            // A run that panics on its way to there is seen to do so when it is forked.
            drop(self.course(without, *at));
        }
    }

    /// The `nth` fork since this moment, in a run without one of the faults if it is named.
    #[must_use]
    pub fn roll(&self, since: Since, without: Option<usize>, nth: u64) -> Rolled {
        let at = match since {
            Since::Boot => None,
            Since::Begun(at) => Some(at.as_nanos() as u64),
        };
        let seed = Dice::new(self.failing.plan.seed).draw(&("reroll", at, nth)).next_u64();
        let plan = self.failing.plan_without(without);
        let rolled = match since {
            Since::Boot => sim::hermetic(seed, || match Course::begin_in(&plan, seed, |_| {}) {
                Ok(course) => self.conclude(course, (0, Moment::ZERO)),
                Err((world, why)) => self.said(&Outcome::of(&world, false, Some(why)), (0, Moment::ZERO)),
            }),
            Since::Begun(at) => self.course(without, at).and_then(|course| {
                sim::hermetic(seed, || {
                    let mut course = Course::clone(&course);
                    let from = (course.world.steps(), course.world.now());
                    course.world.reroll(seed);
                    self.conclude(course, from)
                })
            }),
        };
        rolled.unwrap_or_else(|panicked| self.said(&Outcome::of_panic(panicked), (0, Moment::ZERO)))
    }

    /// The run without one of its faults, with the dice that it had.
    #[must_use]
    pub fn without(&self, place: usize) -> Rolled {
        let plan = self.failing.plan_without(Some(place));
        self.said(&crate::run(&plan), (0, Moment::ZERO))
    }

    fn conclude(&self, mut course: Course, from: (u64, Moment)) -> Rolled {
        let (length, guarantee) = (self.failing.plan.length, self.failing.guarantee);
        let broken = |world: &World| {
            let judge = &world.observer().judge;
            judge.violation_count() > 0
                && judge.violations().iter().any(|violation| Some(violation.guarantee) == guarantee)
        };
        // What is broken stays broken: there is no need to see the end.
        course.conclude_while(length, |world| !broken(world));
        self.said(&Outcome::of(&course.world, false, None), from)
    }

    fn said(&self, outcome: &Outcome, (steps, now): (u64, Moment)) -> Rolled {
        Rolled {
            came: self.failing.compare(outcome),
            steps: outcome.steps.saturating_sub(steps),
            simulated: outcome.simulated.saturating_sub(now.since(Moment::ZERO)),
        }
    }

    /// The run as it is at this moment; from the nearest copy before it, if there is one.
    fn course(&self, without: Option<usize>, at: Duration) -> Result<Arc<Course>, Panicked> {
        let nearest = {
            let courses = self.courses.lock().expect("no thread panicked with it");
            courses
                .range((without, Duration::ZERO)..=(without, at))
                .next_back()
                .map(|(key, course)| (key.1, course.clone()))
        };
        if let Some((reached, course)) = &nearest
            && *reached == at
        {
            return Ok(course.clone());
        }
        let plan = self.failing.plan_without(without);
        let course = sim::hermetic(plan.seed, || {
            let mut course = match nearest {
                Some((_, course)) => Course::clone(&course),
                None => Course::begin(&plan, |_| {}).unwrap_or_else(|(_, why)| panic!("it booted once: {why}")),
            };
            if !at.is_zero() {
                course.reach(at, plan.length);
            }
            course
        })?;
        let course = Arc::new(course);
        self.courses.lock().expect("no thread panicked with it").insert((without, at), course.clone());
        Ok(course)
    }
}

/// What a run that panics says before it does: a panic leaves no trace, so the run is stopped just before.
fn trace_before(plan: &Plan, panicked: Option<&Panicked>) -> Vec<Fact> {
    let end = panicked.and_then(|panicked| panicked.at).map(|(at, _)| at);
    let told = sim::hermetic(plan.seed, || {
        let begun = Course::begin(plan, |world| world.keep_trace(true));
        let Ok(mut course) = begun else { return Vec::new() };
        let begun = course.world.now();
        let before = end.map_or(plan.length, |end| end.since(begun).saturating_sub(Duration::from_nanos(1)));
        course.reach(before, plan.length);
        course.world.trace().to_vec()
    });
    told.unwrap_or_default()
}

#[cfg(test)]
mod tests;
