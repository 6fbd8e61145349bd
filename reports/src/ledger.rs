//! Guarantees and the evidence for them: a row each, added up over runs.
//!
//! A trial is a run that put the premise to the test at least once. Knows what a run counted, not what happened in it.

use std::collections::BTreeSet;

use scenarios::{Guarantee, Outcome};

use crate::report::{Row, ScenarioGuarantee, Status};
use crate::statistics::upper_bound_95;

/// The evidence for every guarantee.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    evidence: [Evidence; Guarantee::ALL.len()],
}

/// The evidence for one guarantee.
#[derive(Clone, Copy, Debug, Default)]
struct Evidence {
    in_scope: bool,
    runs: u64,
    exercised: u64,
    violations: u64,
}

impl Ledger {
    /// No evidence yet.
    pub(crate) fn new() -> Self {
        Self { evidence: [Evidence::default(); Guarantee::ALL.len()] }
    }

    /// Adds a run that showed something, with the guarantees that it was about.
    pub(crate) fn add(&mut self, scope: &BTreeSet<Guarantee>, outcome: &Outcome) {
        let broken: BTreeSet<Guarantee> = outcome.violations.iter().map(|violation| violation.guarantee).collect();
        for guarantee in Guarantee::ALL {
            let times = outcome.exercised.iter().find(|(known, _)| *known == guarantee).map_or(0, |(_, times)| *times);
            let evidence = &mut self.evidence[guarantee.index()];
            evidence.in_scope |= scope.contains(&guarantee);
            evidence.exercised += times;
            evidence.runs += u64::from(times > 0 || broken.contains(&guarantee));
            evidence.violations += u64::from(broken.contains(&guarantee));
        }
    }

    /// The rows of the report.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let row = |guarantee: Guarantee| {
            let evidence = self.evidence[guarantee.index()];
            Row {
                id: guarantee.id().to_owned(),
                sentence: guarantee.sentence().to_owned(),
                source: guarantee.source().to_owned(),
                preconditions: guarantee.preconditions().to_owned(),
                runs: evidence.runs,
                exercised: evidence.exercised,
                violations: evidence.violations,
                upper_bound_95: rounded(upper_bound_95(evidence.violations, evidence.runs)),
                status: evidence.status(),
            }
        };
        Guarantee::ALL.into_iter().map(row).collect()
    }

    /// The rows without the words, for one scenario's part of the report.
    pub(crate) fn brief_rows(&self) -> Vec<ScenarioGuarantee> {
        let row = |guarantee: Guarantee| {
            let evidence = self.evidence[guarantee.index()];
            let Evidence { runs, exercised, violations, .. } = evidence;
            ScenarioGuarantee { id: guarantee.id().to_owned(), runs, exercised, violations, status: evidence.status() }
        };
        Guarantee::ALL.into_iter().map(row).collect()
    }

    /// The guarantees that were in scope and never put to the test.
    pub(crate) fn vacuous(&self) -> Vec<Guarantee> {
        let is_vacuous = |guarantee: &Guarantee| self.evidence[guarantee.index()].status() == Status::Vacuous;
        Guarantee::ALL.into_iter().filter(is_vacuous).collect()
    }
}

impl Evidence {
    fn status(self) -> Status {
        match self {
            Self { violations: 1.., .. } => Status::Violated,
            Self { runs: 1.., .. } => Status::Held,
            Self { in_scope: true, .. } => Status::Vacuous,
            Self { .. } => Status::OutOfScope,
        }
    }
}

/// To nine digits after the point: what lies beyond may differ between machines' logarithms.
fn rounded(bound: f64) -> f64 {
    (bound * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use scenarios::catalogue;

    use super::*;
    use crate::scope::in_scope;

    fn outcome(exercised: &[(Guarantee, u64)], broken: &[Guarantee]) -> Outcome {
        let violation = |guarantee: &Guarantee| scenarios::judge::Violation {
            guarantee: *guarantee,
            kind: "planted",
            at: sim::Moment::ZERO,
            fact: 0,
            sentence: String::new(),
        };
        Outcome {
            violations: broken.iter().map(violation).collect(),
            exercised: exercised.to_vec(),
            ..crate::samples::outcome()
        }
    }

    fn row(ledger: &Ledger, guarantee: Guarantee) -> Row {
        ledger.rows().swap_remove(guarantee.index())
    }

    #[test]
    fn trials_are_the_runs_that_put_the_premise_to_the_test() {
        let mut ledger = Ledger::new();
        let scope = Guarantee::ALL.into_iter().collect();
        ledger.add(&scope, &outcome(&[(Guarantee::MinIsr, 7)], &[]));
        ledger.add(&scope, &outcome(&[(Guarantee::MinIsr, 0)], &[]));
        ledger.add(&scope, &outcome(&[(Guarantee::MinIsr, 5)], &[]));
        let row = row(&ledger, Guarantee::MinIsr);
        assert_eq!((row.runs, row.exercised, row.violations, row.status), (2, 12, 0, Status::Held));
        assert!((row.upper_bound_95 - (1.0 - 0.05_f64.sqrt())).abs() < 1e-9);
    }

    #[test]
    fn a_broken_guarantee_is_counted_once_a_run() {
        let mut ledger = Ledger::new();
        ledger.add(&BTreeSet::new(), &outcome(&[(Guarantee::Order, 3)], &[Guarantee::Order, Guarantee::Order]));
        let row = row(&ledger, Guarantee::Order);
        assert_eq!((row.runs, row.violations, row.status), (1, 1, Status::Violated));
        assert!((row.upper_bound_95 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_in_scope_and_never_tested_is_vacuous_and_what_nobody_promised_is_not() {
        let plan = catalogue::named("reference").unwrap().plan(0);
        let scope: BTreeSet<_> = Guarantee::ALL.into_iter().filter(|guarantee| in_scope(*guarantee, &plan)).collect();
        let mut ledger = Ledger::new();
        ledger.add(&scope, &outcome(&[], &[]));
        assert_eq!(row(&ledger, Guarantee::AcksAll).status, Status::Vacuous);
        assert_eq!(row(&ledger, Guarantee::AcksOne).status, Status::OutOfScope);
        assert!(ledger.vacuous().contains(&Guarantee::AcksAll) && !ledger.vacuous().contains(&Guarantee::AcksOne));
    }
}
