//! From what a campaign came to, to the report: the verdict and its reasons, the rows, the numbers.
//!
//! Decides the exit code. Runs nothing and writes nothing.

use std::time::Duration;

use scenarios::Verdict as Shown;
use scenarios::measure::Counts;

use crate::campaign::{Conducted, Order};
use crate::exit::Exit;
use crate::failovers;
use crate::findings::{Findings, Sum};
use crate::matrix;
use crate::report::{Campaign, Count, FailureRow, Figure, Program, Report, SCHEMA_VERSION, ScenarioRow, Verdict};

/// What a campaign was asked to run, as far as the report says it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    /// The first seed.
    pub(crate) seeds_from: u64,
    /// The bound of the seeds.
    pub(crate) seeds_to: u64,
    /// How many runs; `None` if time alone was to end it.
    pub(crate) runs: Option<u64>,
    /// Properties of the user's.
    pub(crate) properties: Vec<(String, String)>,
}

impl Planned {
    /// What this order asks for, seen from its end: with time as the only bound, the seeds are those that it was enough for.
    pub(crate) fn of(order: &Order, conducted: &Conducted) -> Self {
        let covered = conducted.findings.total.runs.div_ceil((order.scenarios.len() as u64).max(1));
        Self {
            seeds_from: order.seeds.from,
            seeds_to: if order.endless { order.seeds.from + covered } else { order.seeds.to },
            runs: (!order.endless).then(|| order.runs()),
            properties: order.properties.clone(),
        }
    }
}

/// The report on a campaign, and how the program is to end.
pub(crate) fn report(
    planned: &Planned,
    conducted: &Conducted,
    failures: Vec<FailureRow>,
    figures: Vec<Figure>,
) -> (Report, Exit) {
    let findings = &conducted.findings;
    let (exit, reasons) = verdict(conducted, &planned.properties);
    let report = Report {
        schema_version: SCHEMA_VERSION,
        program: Program::this(),
        verdict: Verdict { word: exit.word(), exit_code: exit.code(), reasons },
        campaign: campaign(planned, conducted),
        canary: conducted.canary.clone(),
        guarantees: findings.total.ledger.rows(),
        scenarios: findings
            .scenarios
            .iter()
            .map(|(scenario, sum)| scenario_row(scenario.name, scenario.sentence, sum))
            .collect(),
        failures,
        inconclusive: findings.inconclusive.clone(),
        crash_points: Vec::new(),
        crash_states: Vec::new(),
        matrix: findings.matrix.rows(),
        failovers: failovers::rows(findings),
        figures,
    };
    (report, exit)
}

/// What weighs most decides; every reason is said.
fn verdict(conducted: &Conducted, properties: &[(String, String)]) -> (Exit, Vec<String>) {
    let Conducted { findings, canary, compared, cut_short } = conducted;
    let mut found: Vec<(Exit, String)> = Vec::new();
    if canary.found_by_seed.is_none() {
        let tried = canary.seeds_tried;
        found.push((Exit::Harness, format!("the canary was not found by {tried} seeds: this campaign proves nothing")));
    }
    let missed = canary.missed();
    if !missed.is_empty() {
        let missed = missed.join(", ");
        found.push((Exit::Harness, format!("known bugs were not found: {missed}; this campaign proves nothing")));
    }
    if let Some((runs, differences)) = compared {
        for difference in differences {
            let (scenario, seed, first) = (difference.scenario, difference.seed, &difference.first);
            found.push((Exit::Differing, format!("{scenario} seed {seed} gave two digests: {first}")));
        }
        if differences.is_empty() && *runs < findings.total.runs {
            found.push((Exit::Inconclusive, format!("only {runs} of {} runs were compared", findings.total.runs)));
        }
    }
    let (violated, panicked) = (findings.total.count(Shown::Violated), findings.total.count(Shown::Panicked));
    if violated > 0 {
        let kinds = findings.failures.len();
        let kinds = if kinds == 1 { "1 kind".to_owned() } else { format!("{kinds} kinds") };
        found.push((Exit::Violated, format!("{} broke a guarantee, {kinds} of failure in all", runs_of(violated))));
    }
    if panicked > 0 {
        found.push((Exit::Violated, format!("{} ended in a panic", runs_of(panicked))));
    }
    if let Some(why) = cut_short {
        found.push((Exit::Inconclusive, format!("not everything that was planned was run: {why}")));
    }
    let nothing = findings.total.count(Shown::Inconclusive);
    if nothing > 0 {
        found.push((Exit::Inconclusive, format!("{} showed nothing", runs_of(nothing))));
    }
    let vacuous: Vec<_> = findings.total.ledger.vacuous().into_iter().map(|guarantee| guarantee.id()).collect();
    if !vacuous.is_empty() {
        found.push((Exit::Inconclusive, format!("never put to the test, though in scope: {}", vacuous.join(", "))));
    }
    found.extend(matrix::reasons(&findings.matrix.rows()));
    if properties.is_empty() {
        found.extend(failovers::reasons(&failovers::rows(findings)));
    }
    // Those were pushed in order of weight, but for a comparison that was cut short.
    found.sort_by_key(|(exit, _)| weight(*exit));
    match found.first() {
        Some((exit, _)) => (*exit, found.into_iter().map(|(_, reason)| reason).collect()),
        None => (Exit::Held, vec!["every guarantee in scope was put to the test and held".to_owned()]),
    }
}

/// What weighs most comes first.
fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Harness | Exit::Usage | Exit::BadInput => 0,
        Exit::Differing => 1,
        Exit::Violated => 2,
        Exit::Inconclusive => 3,
        Exit::Held => 4,
    }
}

fn runs_of(runs: u64) -> String {
    if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") }
}

fn campaign(planned: &Planned, conducted: &Conducted) -> Campaign {
    let total = &conducted.findings.total;
    Campaign {
        scenarios: conducted.findings.scenarios.iter().map(|(scenario, _)| scenario.name.to_owned()).collect(),
        seeds_from: planned.seeds_from,
        seeds_to: planned.seeds_to,
        runs_planned: planned.runs,
        runs: total.runs,
        held: total.count(Shown::Held),
        violated: total.count(Shown::Violated),
        panicked: total.count(Shown::Panicked),
        inconclusive: total.count(Shown::Inconclusive),
        compared: conducted.compared.as_ref().map(|(runs, _)| *runs),
        simulated_seconds: seconds(total.simulated),
        facts: total.facts,
        steps: total.steps,
        properties: planned.properties.clone(),
        counts: counts(&conducted.findings),
        losses: total.losses.clone(),
        stuck: total.stuck.iter().map(|(&name, &count)| Count { name, count }).collect(),
    }
}

fn counts(findings: &Findings) -> Vec<Count> {
    let Counts {
        sent,
        acked,
        failed,
        unknown,
        polled,
        messages,
        faults,
        destroyed,
        deaths,
        elections,
        isr_changes,
        truncations,
        not_enough_replicas,
    } = findings.total.measures.counts;
    [
        ("records handed to producers", sent),
        ("records acknowledged", acked),
        ("records that failed for certain", failed),
        ("records of which nobody knows", unknown),
        ("records polled", polled),
        ("messages delivered", messages),
        ("faults that struck", faults),
        ("hosts destroyed for good", destroyed),
        ("processes that died", deaths),
        ("changes of leadership", elections),
        ("changes of an in-sync set", isr_changes),
        ("logs cut", truncations),
        ("produce requests refused for too few replicas", not_enough_replicas),
    ]
    .map(|(name, count)| Count { name, count })
    .to_vec()
}

fn scenario_row(name: &str, sentence: &str, sum: &Sum) -> ScenarioRow {
    ScenarioRow {
        name: name.to_owned(),
        sentence: sentence.to_owned(),
        runs: sum.runs,
        failed: sum.failed(),
        inconclusive: sum.count(Shown::Inconclusive),
        simulated_seconds: seconds(sum.simulated),
        guarantees: sum.ledger.brief_rows(),
    }
}

/// To the millisecond: what is beyond says nothing.
fn seconds(span: Duration) -> f64 {
    span.as_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use scenarios::catalogue;
    use sim::Panicked;

    use super::*;
    use crate::campaign::Difference;
    use crate::findings::Ran;
    use crate::report::Canary;

    fn conducted() -> Conducted {
        let canary = Canary { found_by_seed: Some(2), ..Canary::default() };
        let findings = Findings::new(&[catalogue::named("crashes").unwrap()], false);
        Conducted { findings, canary, compared: None, cut_short: None }
    }

    fn add(conducted: &mut Conducted, change: impl FnOnce(&mut scenarios::Outcome)) {
        let mut outcome = crate::samples::outcome();
        // Every promise was put to the test, unless the test says otherwise.
        outcome.exercised = scenarios::Guarantee::ALL.map(|guarantee| (guarantee, 1)).to_vec();
        change(&mut outcome);
        conducted.findings.add(&Ran::new(0, &catalogue::named("crashes").unwrap().plan(1), outcome));
    }

    #[test]
    fn a_campaign_that_tested_everything_and_broke_nothing_held() {
        let mut conducted = conducted();
        add(&mut conducted, |_| {});
        assert_eq!(verdict(&conducted, &[]).0, Exit::Held);
    }

    #[test]
    fn a_guarantee_that_was_never_tested_is_inconclusive_and_named() {
        let mut conducted = conducted();
        add(&mut conducted, |outcome| outcome.exercised[scenarios::Guarantee::MinIsr.index()].1 = 0);
        let (exit, reasons) = verdict(&conducted, &[]);
        assert_eq!(exit, Exit::Inconclusive);
        assert!(reasons[0].ends_with(": min-isr"), "{reasons:?}");
    }

    #[test]
    fn a_run_that_showed_nothing_or_a_campaign_cut_short_is_inconclusive() {
        let mut shows_nothing = conducted();
        add(&mut shows_nothing, |_| {});
        add(&mut shows_nothing, |outcome| outcome.inconclusive = Some("it did not boot".to_owned()));
        assert_eq!(verdict(&shows_nothing, &[]).0, Exit::Inconclusive);
        let mut cut_short = conducted();
        add(&mut cut_short, |_| {});
        cut_short.cut_short = Some("its time was up");
        assert_eq!(verdict(&cut_short, &[]).0, Exit::Inconclusive);
    }

    #[test]
    fn a_panic_weighs_as_much_as_a_violation_and_more_than_a_gap() {
        let mut conducted = conducted();
        conducted.cut_short = Some("its time was up");
        add(&mut conducted, |outcome| {
            outcome.panicked = Some(Panicked { message: String::new(), location: None, at: None });
        });
        let (exit, reasons) = verdict(&conducted, &[]);
        assert_eq!((exit, reasons.len()), (Exit::Violated, 2));
        assert!(reasons[0].contains("panic"));
    }

    #[test]
    fn two_digests_of_one_seed_weigh_more_than_a_violation_and_a_lost_canary_more_than_all() {
        let mut conducted = conducted();
        add(&mut conducted, |outcome| {
            outcome.panicked = Some(Panicked { message: String::new(), location: None, at: None });
        });
        let difference = Difference { scenario: "crashes", seed: 1, first: "fact 3 is `a` once".to_owned() };
        conducted.compared = Some((1, vec![difference]));
        let (exit, reasons) = verdict(&conducted, &[]);
        assert_eq!(exit, Exit::Differing);
        assert!(reasons[0].contains("crashes seed 1") && reasons[0].contains("fact 3"));
        conducted.canary.found_by_seed = None;
        assert_eq!(verdict(&conducted, &[]).0, Exit::Harness);
    }
}
