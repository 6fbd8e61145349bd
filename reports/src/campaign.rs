//! A campaign: the canary first, then every scenario with every seed on all cores, and, if asked for, all of it again.
//!
//! Runs plans and adds up outcomes. What is asked is a value, what comes out follows from it, whatever the number of
//! jobs: only a time budget or an interrupt decides how far along the plan it gets.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use model::config::ConfigError;
use scenarios::catalogue::{self, Scenario};
use scenarios::known_bugs;
use scenarios::listener::Listener;
use scenarios::run::run;
use scenarios::search::{Strategy, hunt};
use scenarios::{Plan, Verdict};

use crate::asked::Seeds;
use crate::findings::{Case, Findings, Ran};
use crate::interrupt;
use crate::pool::in_order;
use crate::progress::{self, Done, Goal};
use crate::report::{Canary, KnownBug};
use crate::sentinel::{self, Runner};
use crate::telling::Asked;

/// Seeds of the canary that are tried before it counts as not found. About one seed in three finds it.
const CANARY_SEEDS: u64 = 60;

/// Seeds that are tried for each known bug before it counts as not found; a few dozen find each of them.
const KNOWN_BUG_SEEDS: u64 = 600;

/// What is to be run.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Which scenarios.
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// Which seeds of each.
    pub(crate) seeds: Seeds,
    /// Whether the seeds are many enough to be ended by time alone.
    pub(crate) endless: bool,
    /// How long at most.
    pub(crate) time: Option<Duration>,
    /// How many runs at once.
    pub(crate) jobs: usize,
    /// Properties on top of every scenario's own.
    pub(crate) properties: Vec<(String, String)>,
    /// Whether to go on after what makes the rest worth little: a canary that is not found, digests that differ.
    pub(crate) keep_going: bool,
    /// Whether to run everything twice and compare digests.
    pub(crate) check_determinism: bool,
}

/// What a campaign came to.
#[derive(Debug)]
pub(crate) struct Conducted {
    /// What the runs added up to.
    pub(crate) findings: Findings,
    /// Whether the planted bug was found.
    pub(crate) canary: Canary,
    /// Runs whose digests were compared, and the differences that were found.
    pub(crate) compared: Option<(u64, Vec<Difference>)>,
    /// Why less was run than was planned, if so.
    pub(crate) cut_short: Option<&'static str>,
}

/// A seed that gave two digests.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// The scenario.
    pub(crate) scenario: &'static str,
    /// The seed.
    pub(crate) seed: u64,
    /// What differs first, as far as it could be seen, in one line.
    pub(crate) first: String,
}

impl Order {
    /// How many runs that is.
    pub(crate) fn runs(&self) -> u64 {
        self.seeds.count().saturating_mul(self.scenarios.len() as u64)
    }

    /// The nth run: the seeds go round the scenarios, so that a campaign that is cut short has met all of them.
    pub(crate) fn nth(&self, item: u64) -> (usize, u64) {
        let scenarios = self.scenarios.len() as u64;
        ((item % scenarios) as usize, self.seeds.from + item / scenarios)
    }

    /// What to run for it.
    ///
    /// # Errors
    /// If the user's properties contradict the scenario's own.
    pub(crate) fn plan(&self, scenario: usize, seed: u64) -> Result<Plan, ConfigError> {
        self.scenarios[scenario].plan_with(seed, &self.properties)
    }
}

impl Asked for Order {
    fn plan(&self, case: &Case) -> Option<Plan> {
        self.plan(case.scenario, case.seed).ok()
    }

    fn scenario(&self, case: &Case) -> &str {
        self.scenarios[case.scenario].name
    }

    fn replay(&self, case: &Case) -> String {
        format!("highwater replay --scenario {} --seed {}", self.scenarios[case.scenario].name, case.seed)
    }

    fn jobs(&self) -> usize {
        self.jobs
    }
}

/// Conducts a campaign.
///
/// # Errors
/// If the user's properties contradict what a scenario sets; then nothing comes of it.
pub(crate) fn conduct(order: &Order) -> Result<Conducted, ConfigError> {
    let mut conducted = Conducted {
        findings: Findings::new(&order.scenarios, order.check_determinism),
        canary: find_canary(order.jobs),
        compared: None,
        cut_short: None,
    };
    if conducted.canary.found_by_seed.is_some() {
        conducted.canary.known_bugs = find_known_bugs(order.jobs);
    }
    let is_worth_it = conducted.canary.found_by_seed.is_some() && conducted.canary.missed().is_empty();
    if !is_worth_it && !order.keep_going {
        conducted.cut_short = Some("what was planted was not found, so nothing else was run");
        return Ok(conducted);
    }
    let covered = run_all(order, &mut conducted.findings)?;
    if interrupt::requested() {
        conducted.cut_short = Some("it was interrupted");
    } else if covered < order.runs() && !order.endless {
        conducted.cut_short = Some("its time was up");
    }
    if let Some(digests) = &conducted.findings.digests {
        conducted.compared = Some(compare_all(order, digests, sentinel::RUN));
    }
    Ok(conducted)
}

/// Runs the canary until a seed finds its planted bug.
pub(crate) fn find_canary(jobs: usize) -> Canary {
    let Some(scenario) = catalogue::ALL.iter().find(|scenario| scenario.canary) else { return Canary::default() };
    let mut canary = Canary { scenario: scenario.name.to_owned(), ..Canary::default() };
    let work = |seed| {
        let outcome = run(&scenario.plan(seed));
        (outcome.verdict() == Verdict::Violated).then(|| outcome.fingerprint()).flatten()
    };
    in_order(jobs, CANARY_SEEDS, &|| !interrupt::requested(), work, |seed, found| {
        canary.seeds_tried = seed + 1;
        if found.is_none() {
            return ControlFlow::Continue(());
        }
        canary.found_by_seed = Some(seed);
        canary.fingerprint = found;
        ControlFlow::Break(())
    });
    canary
}

/// Looks for the known bugs that every campaign has to find.
fn find_known_bugs(jobs: usize) -> Vec<KnownBug> {
    let bugs: Vec<_> = known_bugs::canaries().collect();
    let mut looked_for = Vec::new();
    let go_on = || !interrupt::requested();
    let work = |item: u64| {
        let bug = bugs[item as usize];
        let hunt = hunt(bug, Strategy::Mixed, 0, &mut |hunt| hunt.seeds < KNOWN_BUG_SEEDS && go_on());
        // Whoever is called off has not looked in vain.
        let is_over = hunt.found.is_some() || hunt.seeds >= KNOWN_BUG_SEEDS;
        is_over.then_some(KnownBug {
            id: bug.id,
            name: bug.name,
            breaks: bug.breaks.name(),
            seeds: hunt.seeds,
            found: hunt.found.is_some(),
        })
    };
    in_order(jobs, bugs.len() as u64, &go_on, work, |_, bug| {
        looked_for.extend(bug);
        ControlFlow::Continue(())
    });
    looked_for
}

/// Runs what was ordered, as far as time allows; says how much of it that was.
fn run_all(order: &Order, findings: &mut Findings) -> Result<u64, ConfigError> {
    let done = Done::default();
    let goal = match order.time {
        Some(time) if order.endless => Goal::Time(time),
        _ => Goal::Runs(order.runs()),
    };
    let begun = Instant::now();
    let go_on = || !interrupt::requested() && order.time.is_none_or(|time| begun.elapsed() < time);
    let work = |item| {
        let (scenario, seed) = order.nth(item);
        let plan = order.plan(scenario, seed)?;
        let ran = Ran::new(scenario, &plan, run(&plan));
        let failed = matches!(ran.outcome.verdict(), Verdict::Violated | Verdict::Panicked);
        done.add(ran.outcome.simulated, failed);
        Ok(ran)
    };
    let mut refused = None;
    let covered = progress::shown("running", goal, &done, || {
        in_order(order.jobs, order.runs(), &go_on, work, |_, ran| match ran {
            Ok(ran) => {
                findings.add(&ran);
                ControlFlow::Continue(())
            }
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        })
    });
    refused.map_or(Ok(covered), Err)
}

/// Runs everything a second time, backwards: each seed in another thread and after another seed than before. What differs is
/// told on stderr at once, with what both runs say around it.
fn compare_all(order: &Order, digests: &[String], again: Runner<'_>) -> (u64, Vec<Difference>) {
    let done = Done::default();
    let mut differences = Vec::new();
    let runs = digests.len() as u64;
    let backwards = |item: u64| runs - 1 - item;
    let work = |item| {
        let (scenario, seed) = order.nth(backwards(item));
        let plan = order.plan(scenario, seed).ok()?;
        let outcome = again(&plan, Listener::default());
        let differs = outcome.digest != digests[backwards(item) as usize];
        done.add(outcome.simulated, differs);
        if !differs {
            return None;
        }
        let name = order.scenarios[scenario].name;
        let found = sentinel::first_difference(&plan, &outcome.checkpoints, again);
        if let Some(context) = &found.context {
            eprintln!("\nNOT DETERMINISTIC  {name} seed {seed}\n{context}");
        }
        Some(Difference { scenario: name, seed, first: found.line })
    };
    let compared = progress::shown("comparing", Goal::Runs(runs), &done, || {
        in_order(order.jobs, runs, &|| !interrupt::requested(), work, |_, difference| {
            let differs = difference.is_some();
            differences.extend(difference);
            if differs && !order.keep_going { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    (compared, differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seeds: Seeds) -> Order {
        Order {
            scenarios: vec![&catalogue::ALL[0], &catalogue::ALL[1], &catalogue::ALL[2]],
            seeds,
            endless: false,
            time: None,
            jobs: 1,
            properties: Vec::new(),
            keep_going: false,
            check_determinism: false,
        }
    }

    #[test]
    fn seeds_go_round_the_scenarios() {
        let order = order(Seeds { from: 10, to: 12 });
        let all: Vec<_> = (0..order.runs()).map(|item| order.nth(item)).collect();
        assert_eq!(all, [(0, 10), (1, 10), (2, 10), (0, 11), (1, 11), (2, 11)]);
    }

    #[test]
    fn the_largest_seeds_can_be_ordered() {
        let order = order(Seeds { from: 0, to: u64::MAX });
        assert_eq!(order.runs(), u64::MAX);
        assert_eq!(order.nth(7), (1, 2));
    }

    /// A runner into whose plans something gets that no two runs share.
    fn leaky(plan: &Plan, listener: Listener) -> scenarios::Outcome {
        static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let mut plan = plan.clone();
        plan.length = Duration::from_secs(2);
        plan.load.rate += RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        scenarios::run::run_heard(&plan, listener)
    }

    #[test]
    fn a_leak_is_seen_by_the_second_run_and_its_first_fact_is_named() {
        let order = order(Seeds { from: 3, to: 4 });
        let digests: Vec<String> = (0..order.runs())
            .map(|item| {
                let (scenario, seed) = order.nth(item);
                leaky(&order.plan(scenario, seed).expect("nothing contradicts it"), Listener::default()).digest
            })
            .collect();
        let (compared, differences) = compare_all(&order, &digests, &leaky);
        assert_eq!((compared, differences.len()), (1, 1), "the first one ends it");
        let Difference { scenario, seed, first } = &differences[0];
        assert_eq!((*scenario, *seed), (order.scenarios[2].name, 3), "they are compared backwards");
        assert!(first.contains("once and") && first.contains("is asked to send value"), "{first}");
    }

    #[test]
    fn the_canary_is_found_whatever_the_number_of_jobs() {
        let (alone, together) = (find_canary(1), find_canary(3));
        assert!(alone.found_by_seed.is_some(), "{alone:?}");
        assert_eq!(alone.found_by_seed, together.found_by_seed);
        assert_eq!(alone.fingerprint, together.fingerprint);
        assert_eq!(alone.seeds_tried, together.seeds_tried);
    }
}
