//! What the runs of a campaign add up to. Runs are added in order, so the same runs give the same findings.
//!
//! Knows outcomes and plans; runs nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scenarios::catalogue::Scenario;
use scenarios::judge::LossSummary;
use scenarios::measure::Measures;
use scenarios::{Guarantee, Outcome, Plan, Verdict};

use crate::ledger::Ledger;
use crate::matrix::MatrixTally;
use crate::report::{InconclusiveRow, Losses};
use crate::scope::in_scope;

/// Runs of one fingerprint that are remembered by scenario and seed.
const SEEN: usize = 20;
/// Runs that showed nothing of which it is said why.
const EXPLAINED: usize = 20;

/// Which run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Which of the campaign's scenarios.
    pub(crate) scenario: usize,
    /// The seed.
    pub(crate) seed: u64,
    /// Where that run was struck, by name, if this is what the campaign is about.
    pub(crate) point: Option<String>,
}

/// One run, and what is needed of its plan once it is over.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// Which.
    pub(crate) case: Case,
    /// The guarantees that it was about.
    pub(crate) scope: BTreeSet<Guarantee>,
    /// The largest replication factor among its topics.
    pub(crate) replicas: u32,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

impl Ran {
    /// A run of this plan.
    pub(crate) fn new(scenario: usize, plan: &Plan, outcome: Outcome) -> Self {
        let replicas = plan.cluster.all_topics().iter().map(|topic| u32::from(topic.replication_factor)).max();
        Self {
            case: Case { scenario, seed: plan.seed, point: None },
            scope: Guarantee::ALL.into_iter().filter(|guarantee| in_scope(*guarantee, plan)).collect(),
            replicas: replicas.unwrap_or_default(),
            outcome,
        }
    }
}

impl Ran {
    /// The same, struck there.
    pub(crate) fn at(mut self, point: String) -> Self {
        self.case.point = Some(point);
        self
    }
}

/// What the runs so far add up to.
#[derive(Clone, Debug)]
pub(crate) struct Findings {
    /// All of them.
    pub(crate) total: Sum,
    /// By scenario.
    pub(crate) scenarios: Vec<(&'static Scenario, Sum)>,
    /// Failures by fingerprint, in the order in which the first of each was met.
    pub(crate) failures: Vec<Alike>,
    /// Runs that showed nothing, the first few.
    pub(crate) inconclusive: Vec<InconclusiveRow>,
    /// Runs in which brokers were destroyed, by replication factor and number destroyed: all, and those with a loss.
    pub(crate) cliff: BTreeMap<(u32, u32), (u64, u64)>,
    /// The durability table.
    pub(crate) matrix: MatrixTally,
    /// The digest of each run, if digests are to be compared.
    pub(crate) digests: Option<Vec<String>>,
}

/// What some runs add up to.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    /// How many.
    pub(crate) runs: u64,
    /// By what they showed.
    pub(crate) by_verdict: BTreeMap<Verdict, u64>,
    /// Simulated time.
    pub(crate) simulated: Duration,
    /// Facts.
    pub(crate) facts: u64,
    /// Steps of machines.
    pub(crate) steps: u64,
    /// The evidence.
    pub(crate) ledger: Ledger,
    /// The runs in numbers.
    pub(crate) measures: Measures,
    /// What was lost.
    pub(crate) losses: Losses,
    /// Runs that ended with something that will never come to rest, within the contract, by reason.
    pub(crate) stuck: BTreeMap<&'static str, u64>,
}

/// Failures that have the same cause, as far as one can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alike {
    /// What they share.
    pub(crate) fingerprint: String,
    /// How many runs.
    pub(crate) runs: u64,
    /// The first few.
    pub(crate) seen: Vec<Case>,
}

impl Findings {
    /// Nothing found yet.
    pub(crate) fn new(scenarios: &[&'static Scenario], keep_digests: bool) -> Self {
        Self {
            total: Sum::new(),
            scenarios: scenarios.iter().map(|scenario| (*scenario, Sum::new())).collect(),
            failures: Vec::new(),
            inconclusive: Vec::new(),
            cliff: BTreeMap::new(),
            matrix: MatrixTally::default(),
            digests: keep_digests.then(Vec::new),
        }
    }

    /// Adds the next run.
    pub(crate) fn add(&mut self, ran: &Ran) {
        self.total.add(ran);
        let (scenario, sum) = &mut self.scenarios[ran.case.scenario];
        sum.add(ran);
        if scenario.name == "cliff" && ran.outcome.verdict() != Verdict::Inconclusive {
            let destroyed = u32::try_from(ran.outcome.measures.counts.destroyed).unwrap_or(u32::MAX);
            let (runs, lossy) = self.cliff.entry((ran.replicas, destroyed)).or_default();
            *runs += 1;
            *lossy += u64::from(has_loss(&ran.outcome.lost));
        }
        if scenario.name == scenarios::matrix::SCENARIO {
            self.matrix.add(ran.case.seed, &ran.outcome);
        }
        if let Some(fingerprint) = ran.outcome.fingerprint() {
            self.add_failure(fingerprint, &ran.case);
        } else if let Some(why) = &ran.outcome.inconclusive
            && self.inconclusive.len() < EXPLAINED
        {
            let scenario = self.scenarios[ran.case.scenario].0.name.to_owned();
            self.inconclusive.push(InconclusiveRow { scenario, seed: ran.case.seed, why: why.clone() });
        }
        if let Some(digests) = &mut self.digests {
            digests.push(ran.outcome.digest.clone());
        }
    }

    fn add_failure(&mut self, fingerprint: String, case: &Case) {
        let known = self.failures.iter_mut().find(|known| known.fingerprint == fingerprint);
        match known {
            Some(known) => {
                known.runs += 1;
                if known.seen.len() < SEEN {
                    known.seen.push(case.clone());
                }
            }
            None => self.failures.push(Alike { fingerprint, runs: 1, seen: vec![case.clone()] }),
        }
    }
}

impl Sum {
    fn new() -> Self {
        Self {
            runs: 0,
            by_verdict: BTreeMap::new(),
            simulated: Duration::ZERO,
            facts: 0,
            steps: 0,
            ledger: Ledger::new(),
            measures: Measures::default(),
            losses: Losses::default(),
            stuck: BTreeMap::new(),
        }
    }

    /// Runs that showed this.
    pub(crate) fn count(&self, verdict: Verdict) -> u64 {
        self.by_verdict.get(&verdict).copied().unwrap_or_default()
    }

    /// Runs in which something was broken or panicked.
    pub(crate) fn failed(&self) -> u64 {
        self.count(Verdict::Violated) + self.count(Verdict::Panicked)
    }

    fn add(&mut self, ran: &Ran) {
        let outcome = &ran.outcome;
        let verdict = outcome.verdict();
        self.runs += 1;
        *self.by_verdict.entry(verdict).or_default() += 1;
        self.simulated += outcome.simulated;
        self.facts += outcome.facts;
        self.steps += outcome.steps;
        self.measures.add(&outcome.measures);
        self.losses.add(&outcome.lost);
        for reason in outcome.stuck.keys() {
            *self.stuck.entry(reason).or_default() += 1;
        }
        // A run that ended early counts as evidence for nothing.
        if matches!(verdict, Verdict::Held | Verdict::Violated) {
            self.ledger.add(&ran.scope, outcome);
        }
    }
}

impl Losses {
    fn add(&mut self, lost: &LossSummary) {
        self.runs += u64::from(has_loss(lost));
        self.committed += lost.committed;
        self.lost += lost.lost;
        self.excused += lost.excused;
        self.acknowledged += lost.acknowledged;
        self.acknowledged_lost += lost.acknowledged_lost;
    }
}

/// Whether a committed record is gone, whether somebody had promised to keep it or not.
fn has_loss(lost: &LossSummary) -> bool {
    lost.lost > 0
}

#[cfg(test)]
mod tests {
    use scenarios::catalogue;
    use sim::Panicked;

    use super::*;

    /// A run that panicked costs nothing to make.
    fn panicked(seed: u64, location: &str) -> Ran {
        let scenario = catalogue::named("cliff").unwrap();
        let mut outcome = crate::samples::outcome();
        outcome.panicked = Some(Panicked { message: "m".to_owned(), location: Some(location.to_owned()), at: None });
        Ran::new(0, &scenario.plan(seed), outcome)
    }

    fn findings() -> Findings {
        Findings::new(&[catalogue::named("cliff").unwrap()], true)
    }

    #[test]
    fn equal_failures_are_one_failure_with_many_seeds() {
        let mut findings = findings();
        for (seed, place) in [(1, "a.rs:1"), (2, "b.rs:2"), (3, "a.rs:1"), (9, "a.rs:1")] {
            findings.add(&panicked(seed, place));
        }
        let seen = [1, 3, 9].map(|seed| Case { scenario: 0, seed, point: None }).to_vec();
        let first = Alike { fingerprint: "panic/a.rs:1".to_owned(), runs: 3, seen };
        assert_eq!(findings.failures[0], first);
        assert_eq!((findings.failures.len(), findings.total.failed()), (2, 4));
    }

    #[test]
    fn a_run_that_panicked_is_evidence_for_nothing() {
        let mut findings = findings();
        findings.add(&panicked(1, "a.rs:1"));
        assert!(findings.total.ledger.rows().iter().all(|row| row.runs == 0));
        assert!(findings.total.ledger.vacuous().is_empty());
    }

    #[test]
    fn the_cliff_counts_runs_and_losses_by_what_was_destroyed() {
        let mut findings = findings();
        let scenario = catalogue::named("cliff").unwrap();
        for (seed, lost) in [(1, 0), (1, 5)] {
            let mut outcome = crate::samples::outcome();
            outcome.measures.counts.destroyed = 2;
            outcome.lost.lost = lost;
            findings.add(&Ran::new(0, &scenario.plan(seed), outcome));
        }
        let replicas = u32::from(scenario.plan(1).cluster.all_topics()[0].replication_factor);
        assert_eq!(findings.cliff, BTreeMap::from([((replicas, 2), (2, 1))]));
    }
}
