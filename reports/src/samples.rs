//! Outcomes for tests, without a run.

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::Outcome;
use scenarios::judge::LossSummary;
use scenarios::measure::Measures;

/// A run of nothing, in which nothing happened and all of it held.
pub(crate) fn outcome() -> Outcome {
    Outcome {
        violations: Vec::new(),
        violation_count: 0,
        lost: LossSummary::default(),
        stuck: BTreeMap::new(),
        exercised: Vec::new(),
        measures: Measures::default(),
        digest: "00".repeat(16),
        checkpoints: sim::Checkpoints::new(),
        facts: 0,
        steps: 0,
        simulated: Duration::ZERO,
        trace: None,
        panicked: None,
        inconclusive: None,
    }
}
