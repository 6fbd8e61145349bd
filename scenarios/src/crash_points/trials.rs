//! The striking itself: each point is a fork of the run shortly before its call, let go to the end and judged.
//!
//! The run goes on beside its forks, on as many threads as ask for points: whoever comes takes the copy that is nearest
//! before its point. What comes of a point follows from the point alone.

use std::sync::Mutex;
use std::time::Duration;

use model::event::Event;
use model::names::Node;
use sim::Panicked;
use sim::fact::{Fact, What};

use super::Point;
use super::line::{Candidate, Line, PlanError, QUARTER};
use crate::World;
use crate::guarantee::Guarantee;
use crate::measure::{Histogram, Measures};
use crate::run::{Course, Outcome, Plan};

/// Copies of the run that are kept at most.
const COPIES: usize = 16;
/// How long a recovery is listened to at most.
const RECOVERY: Duration = Duration::from_secs(15);

/// The forks of one run.
#[derive(Debug)]
pub struct Trials<'a> {
    pub(super) line: &'a Line,
    /// Copies of the run, each with how far it is.
    courses: Mutex<Vec<(Duration, Course)>>,
}

/// What came of a point.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The point.
    pub candidate: Candidate,
    /// What is to be run to see it again from the beginning.
    pub plan: Plan,
    /// What came of it. The digest is that of the whole run; facts, steps, simulated time, how often guarantees were put to
    /// the test and what was counted are without what the run had before the fork, for that is not this point's evidence.
    pub outcome: Outcome,
    /// Whether it recovered.
    pub recovery: Recovery,
}

/// What became of the cluster after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Recovery {
    /// It came back and kept every promise, and nothing was lost.
    Whole,
    /// It came back and kept every promise; something was lost that nobody had promised to keep.
    Excused,
    /// It came back, and a promise was broken.
    Violated,
    /// The broker did not come back, or the cluster did not come to rest, or something panicked.
    NotRecovered,
}

impl Recovery {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Excused, Self::Violated, Self::NotRecovered];
}

impl<'a> Trials<'a> {
    /// The forks of this run.
    #[must_use]
    pub fn of(line: &'a Line) -> Self {
        Self { line, courses: Mutex::new(Vec::new()) }
    }

    /// Stops the broker there, and lets the run go on to its end.
    #[must_use]
    pub fn strike(&self, candidate: &Candidate) -> Tried {
        let length = self.line.plan_of(candidate).length;
        let struck = self.fork(candidate, |mut course| {
            let before = Outcome::of(&course.world, false, None);
            course.conclude(length);
            self.judge(candidate, &course, &before)
        });
        struck.unwrap_or_else(|panicked| self.panicked(candidate, panicked))
    }

    /// Every point in the recovery after this one: at each disk call that the broker makes when it is back, until it serves.
    ///
    /// # Errors
    /// If the run panics before it serves.
    pub fn candidates_after(&self, first: &Candidate) -> Result<Vec<Candidate>, PlanError> {
        let length = first.at + RECOVERY;
        let listened = self.fork(first, |mut course| {
            course.world.keep_trace(true);
            course.world.keep_disk_calls(true);
            let mut upto = first.at;
            while upto < length && !serves_again(&course.world, first.point) {
                upto = (upto + QUARTER).min(length);
                course.go_on(upto, length);
            }
            self.line.candidates_again(&course.world, first)
        });
        listened.map_err(|panicked| PlanError::NoRun(panicked.to_string()))
    }

    /// The candidate that a point is.
    ///
    /// # Errors
    /// If the broker makes no such call.
    pub fn find(&self, point: Point) -> Result<Candidate, PlanError> {
        let first = self.line.candidate(point.without_again())?;
        let Some(again) = point.again else { return Ok(first) };
        let candidates = self.candidates_after(&first)?;
        let calls = || candidates.iter().filter_map(|candidate| candidate.point.again.map(|stop| stop.call));
        candidates.iter().find(|candidate| candidate.point.again == Some(again)).copied().ok_or_else(|| {
            PlanError::NoCall {
                broker: point.broker,
                call: again.call,
                from: calls().min().unwrap_or(1),
                upto: calls().max().unwrap_or(0),
            }
        })
    }

    /// What is judged of a fork that has been let go on to the end of its plan.
    pub(super) fn judge(&self, candidate: &Candidate, course: &Course, before: &Outcome) -> Tried {
        let (world, point) = (&course.world, candidate.point);
        let nothing = not_struck(world, point).or_else(|| not_back(world, point));
        let outcome = Outcome::of(world, false, nothing);
        let recovery = recovery(world, point, &outcome);
        let plan = self.line.plan_of(candidate);
        Tried { candidate: *candidate, plan, outcome: since(outcome, before), recovery }
    }

    /// What is known of a fork that panicked.
    pub(super) fn panicked(&self, candidate: &Candidate, panicked: Panicked) -> Tried {
        let (plan, outcome) = (self.line.plan_of(candidate), Outcome::of_panic(panicked));
        Tried { candidate: *candidate, plan, outcome, recovery: Recovery::NotRecovered }
    }

    /// Lets `on` go on with a fork in which the candidate's stops were ordered.
    pub(super) fn fork<T: Send>(
        &self,
        candidate: &Candidate,
        on: impl FnOnce(Course) -> T + Send,
    ) -> Result<T, Panicked> {
        let mut course = self.course_at(self.line.armed_at(candidate))?;
        sim::hermetic(self.line.plan().seed, move || {
            course.world.arm(self.line.strikes(candidate));
            on(course)
        })
    }

    /// The run as it is `at` this moment since the scenario began, when nothing happens.
    fn course_at(&self, at: Duration) -> Result<Course, Panicked> {
        let plan = self.line.plan();
        let nearest = self.take_nearest(at);
        let course = match nearest {
            Some((reached, course)) if reached == at => course,
            nearest => sim::hermetic(plan.seed, move || {
                let mut course = nearest.map_or_else(
                    || Course::begin(plan, |_| {}).unwrap_or_else(|(_, why)| panic!("it booted once: {why}")),
                    |(_, course)| course,
                );
                if !at.is_zero() {
                    course.go_on(at, plan.length);
                }
                course
            })?,
        };
        self.put_back(at, course.clone());
        Ok(course)
    }

    fn put_back(&self, at: Duration, course: Course) {
        let mut courses = self.courses.lock().expect("no thread panicked with it");
        courses.push((at, course));
        // Points are asked for in order, so the one that is furthest back is missed least.
        if courses.len() > COPIES
            && let Some(last) =
                courses.iter().enumerate().min_by_key(|(_, (reached, _))| *reached).map(|(place, _)| place)
        {
            courses.swap_remove(last);
        }
    }

    fn take_nearest(&self, at: Duration) -> Option<(Duration, Course)> {
        let mut courses = self.courses.lock().expect("no thread panicked with it");
        let before = courses.iter().enumerate().filter(|(_, (reached, _))| *reached <= at);
        let place = before.max_by_key(|(_, (reached, _))| *reached).map(|(place, _)| place)?;
        Some(courses.swap_remove(place))
    }
}

/// Why a run does not show what the point is about, if it does not.
fn not_struck(world: &World, point: Point) -> Option<String> {
    let (broker, last) = (point.broker, point.last());
    let made = world.disk_calls(broker);
    (made < last.call).then(|| format!("{broker} made {made} disk calls and never came to call {}", last.call))
}

/// Why the broker is not back, if it is not. Unless that breaks a promise, it shows nothing.
fn not_back(world: &World, point: Point) -> Option<String> {
    (!world.is_up(point.broker)).then(|| format!("{} did not come back", point.broker))
}

fn recovery(world: &World, point: Point, outcome: &Outcome) -> Recovery {
    let restless = outcome.violations.iter().any(|violation| violation.guarantee == Guarantee::Progress);
    if outcome.panicked.is_some() || !world.is_up(point.broker) || restless {
        Recovery::NotRecovered
    } else if outcome.violation_count > 0 {
        Recovery::Violated
    } else if outcome.lost.lost > 0 {
        Recovery::Excused
    } else {
        Recovery::Whole
    }
}

fn serves_again(world: &World, point: Point) -> bool {
    let own = world.trace().iter().filter(|fact| fact.node == Some(Node::from(point.broker)));
    let stopped = |fact: &&Fact| matches!(fact.what, What::Stopped { .. });
    let mut after = own.skip_while(|fact| !stopped(fact));
    after.any(|fact| matches!(fact.event(), Some(Event::Fenced { fenced: false })))
}

/// What came after the fork. Distributions are left out: they are those of the run.
fn since(outcome: Outcome, before: &Outcome) -> Outcome {
    let exercised = outcome.exercised.iter().zip(&before.exercised);
    let counts = outcome.measures.counts.since(&before.measures.counts);
    Outcome {
        exercised: exercised.map(|((guarantee, now), (_, then))| (*guarantee, now - then)).collect(),
        measures: Measures {
            commit_latency: Default::default(),
            unavailability: Histogram::default(),
            controller_failover: Histogram::default(),
            counts,
        },
        facts: outcome.facts - before.facts,
        steps: outcome.steps - before.steps,
        simulated: outcome.simulated - before.simulated,
        ..outcome
    }
}
