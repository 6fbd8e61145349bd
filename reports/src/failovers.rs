//! How long failovers took against the timeouts that cause them, as plain data: a part of `report.json`.

use scenarios::catalogue;
use scenarios::failover;
use scenarios::measure::Histogram;
use serde::Serialize;

use crate::exit::Exit;
use crate::findings::Findings;

/// Failovers of one kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FailoverRow {
    /// Of what.
    pub(crate) of: &'static str,
    /// How many.
    pub(crate) samples: u64,
    /// Half of them took no longer.
    pub(crate) p50_seconds: f64,
    /// 99 of 100 took no longer.
    pub(crate) p99_seconds: f64,
    /// None took longer.
    pub(crate) longest_seconds: f64,
    /// What the timeouts that cause it add up to.
    pub(crate) timeouts_seconds: f64,
}

/// What the scenario `failover` has measured, by name, in simulated microseconds; none if it was not run.
pub(crate) fn samples(findings: &Findings) -> Vec<(&'static str, &Histogram)> {
    let run = findings.scenarios.iter().find(|(scenario, _)| scenario.name == failover::SCENARIO);
    let measures = run.map(|(_, sum)| &sum.measures);
    let both = measures
        .map(|measures| [("leader", &measures.unavailability), ("active controller", &measures.controller_failover)]);
    both.into_iter().flatten().filter(|(_, samples)| samples.count() > 0).collect()
}

/// A row for each kind.
pub(crate) fn rows(findings: &Findings) -> Vec<FailoverRow> {
    let Some(scenario) = catalogue::named(failover::SCENARIO) else { return Vec::new() };
    let settings = scenario.plan(0).cluster.settings;
    let bounds = [failover::of_a_broker(&settings), failover::of_a_controller(&settings)];
    let seconds = |micros: Option<u64>| micros.unwrap_or_default() as f64 / 1e6;
    let row = |((of, samples), bound): ((&'static str, &Histogram), std::time::Duration)| FailoverRow {
        of,
        samples: samples.count(),
        p50_seconds: seconds(samples.quantile(0.5)),
        p99_seconds: seconds(samples.quantile(0.99)),
        longest_seconds: seconds(samples.quantile(1.0)),
        timeouts_seconds: bound.as_secs_f64(),
    };
    samples(findings).into_iter().zip(bounds).map(row).collect()
}

/// A failover that took longer than its timeouts weighs as much as a broken guarantee. With properties of the user's on top
/// it does not: then the timeouts are others.
pub(crate) fn reasons(rows: &[FailoverRow]) -> Vec<(Exit, String)> {
    let late = rows.iter().filter(|row| row.longest_seconds > row.timeouts_seconds);
    let reason = |row: &FailoverRow| {
        let (longest, timeouts) = (row.longest_seconds, row.timeouts_seconds);
        (
            Exit::Violated,
            format!("the failover of the {} took {longest:.1} s, and its timeouts are {timeouts:.1} s", row.of),
        )
    };
    late.map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Ran;
    use crate::samples;

    fn after(micros: u64) -> Vec<FailoverRow> {
        let scenario = catalogue::named(failover::SCENARIO).unwrap();
        let mut findings = Findings::new(&[scenario], false);
        let mut outcome = samples::outcome();
        outcome.measures.unavailability.record(1_000_000);
        outcome.measures.controller_failover.record(micros);
        findings.add(&Ran::new(0, &scenario.plan(0), outcome));
        rows(&findings)
    }

    #[test]
    fn a_failover_beyond_its_timeouts_is_said() {
        let rows = after(3_000_000);
        assert_eq!(
            rows.iter().map(|row| (row.of, row.samples)).collect::<Vec<_>>(),
            [("leader", 1), ("active controller", 1)]
        );
        assert!(reasons(&rows).is_empty());
        let reasons = reasons(&after(60_000_000));
        assert_eq!(reasons.len(), 1);
        assert!(reasons[0].1.starts_with("the failover of the active controller took 6"), "{reasons:?}");
    }
}
