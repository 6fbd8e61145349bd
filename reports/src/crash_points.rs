//! Crash points: one run of a scenario, then each chosen point of it on all cores, and one point shown.
//!
//! Strikes and adds up; which points there are and how they are judged is for `scenarios::crash_points`. What comes out
//! follows from the order, whatever the number of jobs.

use std::ops::ControlFlow;

use model::config::ConfigError;
use scenarios::catalogue::Scenario;
use scenarios::crash_points::{Candidate, Choice, Line, PlanError, Trials, choose};
use scenarios::run::run;
use scenarios::{Plan, Verdict};
use sim::dice::Dice;

use crate::campaign::{Conducted, find_canary};
use crate::cli::{CrashPoint, Refusal};
use crate::exit::Exit;
use crate::findings::{Case, Findings, Ran};
use crate::interrupt;
use crate::pool::in_order;
use crate::progress::{self, Done, Goal};
use crate::replay::{self, Shown};
use crate::struck::{CrashPoints, Share, Tally};
use crate::telling::Asked;

/// One point in so many is one in the recovery after another.
const AGAIN: u64 = 6;
/// Recoveries that are listened to for each hundred points.
const RECOVERIES: u64 = 1;
/// And at least and at most so many.
const FEWEST_RECOVERIES: u64 = 4;
const MOST_RECOVERIES: u64 = 100;

/// What is to be struck.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The scenario.
    pub(crate) scenario: &'static Scenario,
    /// Its seed.
    pub(crate) seed: u64,
    /// How many points at most.
    pub(crate) points: u64,
    /// How many runs at once.
    pub(crate) jobs: usize,
    /// Properties on top of the scenario's own.
    pub(crate) properties: Vec<(String, String)>,
    /// Whether to go on if the canary is not found.
    pub(crate) keep_going: bool,
}

/// What striking came to.
#[derive(Debug)]
pub(crate) struct Struck {
    /// As of any campaign; the run without a crash is one of its runs.
    pub(crate) conducted: Conducted,
    /// What is special about this one.
    pub(crate) points: CrashPoints,
    /// Points that were chosen.
    chosen: u64,
    /// What was struck.
    pub(crate) striking: Striking,
}

/// A run that is struck, and on whose order.
#[derive(Debug)]
pub(crate) struct Striking {
    pub(crate) line: Line,
    pub(crate) order: Order,
}

impl Order {
    /// What is run.
    ///
    /// # Errors
    /// If the user's properties contradict the scenario's own.
    pub(crate) fn plan(&self) -> Result<Plan, ConfigError> {
        self.scenario.plan_with(self.seed, &self.properties)
    }

    /// The command that shows a point.
    fn command(&self, point: &str) -> String {
        format!("highwater crash-points {} --seed {} --at {point}", self.scenario.name, self.seed)
    }

    /// The run that is to be struck.
    ///
    /// # Errors
    /// If it shows nothing.
    pub(crate) fn line(&self) -> Result<Line, Refusal> {
        let refusal = |text: String| Refusal { exit: Exit::Harness, text };
        let plan = self.plan().map_err(|error| refusal(format!("error: --config: {error}")))?;
        Line::of(&plan).map_err(|error| refusal(format!("error: {} seed {}: {error}", self.scenario.name, self.seed)))
    }
}

impl Struck {
    /// Runs that were planned: the points, and the run without any.
    pub(crate) fn planned(&self) -> u64 {
        self.chosen + 1
    }
}

impl Asked for Striking {
    fn plan(&self, case: &Case) -> Option<Plan> {
        let Some(point) = &case.point else { return Some(self.line.plan().clone()) };
        let candidate = Trials::of(&self.line).find(point.parse().ok()?).ok()?;
        Some(self.line.plan_of(&candidate))
    }

    fn scenario(&self, _: &Case) -> &str {
        self.order.scenario.name
    }

    fn replay(&self, case: &Case) -> String {
        match &case.point {
            Some(point) => self.order.command(point),
            None => format!("highwater replay --scenario {} --seed {}", self.order.scenario.name, self.order.seed),
        }
    }

    fn jobs(&self) -> usize {
        self.order.jobs
    }
}

/// Strikes what was ordered.
///
/// # Errors
/// If the scenario itself shows nothing that could be struck.
pub(crate) fn strike_all(order: &Order) -> Result<Struck, Refusal> {
    let line = order.line()?;
    let mut conducted = begun(order, line.plan());
    let mut points = CrashPoints {
        scenario: order.scenario.name.to_owned(),
        seed: order.seed,
        disk_calls: line.calls(),
        once: Share::default(),
        again: Share::default(),
        recoveries: 0,
        outcomes: Default::default(),
        kinds: Vec::new(),
    };
    let mut chosen = order.points;
    if conducted.cut_short.is_none() {
        let trials = Trials::of(&line);
        let (choice, recoveries) = choose_all(order, &line, &trials);
        points.recoveries = recoveries;
        let tally = try_all(order, &trials, &choice, &mut conducted, &mut points);
        points.outcomes = tally.total();
        points.kinds = tally.rows(&choice);
        chosen = choice.chosen.len() as u64;
        if interrupt::requested() {
            conducted.cut_short = Some("it was interrupted");
        }
    }
    Ok(Struck { conducted, points, chosen, striking: Striking { line, order: order.clone() } })
}

/// A campaign of strikes that has begun: with the canary, and the run without a crash.
pub(crate) fn begun(order: &Order, plan: &Plan) -> Conducted {
    let mut conducted = Conducted {
        findings: Findings::new(&[order.scenario], false),
        canary: find_canary(order.jobs),
        compared: None,
        cut_short: None,
    };
    if conducted.canary.found_by_seed.is_none() && !order.keep_going {
        conducted.cut_short = Some("the canary was not found, so nothing else was run");
    } else {
        conducted.findings.add(&Ran::new(0, plan, run(plan)));
    }
    conducted
}

/// The points to be tried: of the run itself, and of some recoveries after them. Says how many recoveries those were.
fn choose_all(order: &Order, line: &Line, trials: &Trials<'_>) -> (Choice, u64) {
    let dice = Dice::new(order.seed);
    let all = line.candidates();
    let in_recovery = order.points / AGAIN;
    let mut choice = choose(all, order.points - in_recovery, dice);
    let recoveries = (order.points * RECOVERIES / 100).clamp(FEWEST_RECOVERIES, MOST_RECOVERIES);
    let firsts = spread(&choice.chosen, recoveries);
    let mut after = Vec::new();
    in_order(
        order.jobs,
        firsts.len() as u64,
        &|| !interrupt::requested(),
        |nth| trials.candidates_after(&firsts[nth as usize]),
        |_, heard: Result<Vec<Candidate>, PlanError>| {
            // One that panics is met again as a point of its own.
            after.extend(heard.unwrap_or_default());
            ControlFlow::Continue(())
        },
    );
    choice.extend(choose(after, in_recovery, dice));
    choice.chosen.sort_by_key(Candidate::place);
    (choice, firsts.len() as u64)
}

/// So many of them, evenly spread.
fn spread(chosen: &[Candidate], count: u64) -> Vec<Candidate> {
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(chosen.len());
    (0..count).map(|nth| chosen[nth * chosen.len() / count]).collect()
}

fn try_all(
    order: &Order,
    trials: &Trials<'_>,
    choice: &Choice,
    conducted: &mut Conducted,
    points: &mut CrashPoints,
) -> Tally {
    let mut tally = Tally::default();
    let done = Done::default();
    let chosen = &choice.chosen;
    let work = |nth: u64| {
        let tried = trials.strike(&chosen[nth as usize]);
        let failed = matches!(tried.outcome.verdict(), Verdict::Violated | Verdict::Panicked);
        done.add(tried.outcome.simulated, failed);
        tried
    };
    let count = chosen.len() as u64;
    progress::shown("striking", Goal::Points(count), &done, || {
        in_order(order.jobs, count, &|| !interrupt::requested(), work, |_, tried| {
            let share = if tried.candidate.point.again.is_some() { &mut points.again } else { &mut points.once };
            share.tried += 1;
            tally.add(&tried);
            let ran = Ran::new(0, &tried.plan, tried.outcome);
            conducted.findings.add(&ran.at(tried.candidate.point.to_string()));
            ControlFlow::Continue(())
        })
    });
    for ((_, class), (_, of)) in &choice.strata {
        let again = class.phase == scenarios::crash_points::Phase::Recovery;
        let share = if again { &mut points.again } else { &mut points.once };
        share.of += of;
    }
    tally
}

/// Shows one point, from the beginning.
///
/// # Errors
/// If there is no such point, or nowhere to put it.
pub(crate) fn show(wish: &CrashPoint) -> Result<Exit, Refusal> {
    let order = &wish.order;
    let line = order.line()?;
    let candidate = Trials::of(&line).find(wish.point).map_err(|error| {
        let text =
            format!("error: --at: {error}; `highwater crash-points {}` names points that are", order.scenario.name);
        Refusal { exit: Exit::Usage, text }
    })?;
    eprintln!("{}: {}, {:.4} s after the scenario began", wish.point, candidate.class, candidate.at.as_secs_f64());
    let shown = Shown { trace: wish.trace, timeline: wish.timeline.as_deref() };
    replay::show(&line.plan_of(&candidate), None, &order.command(&wish.point.to_string()), &shown)
}
