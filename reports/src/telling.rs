//! Failures made small and told: for each fingerprint the smallest storm found, its story, its file and its timeline.
//!
//! Runs plans again, as often as shrinking takes; which ones follows from the findings alone.

use std::ops::ControlFlow;

use scenarios::Plan;
use scenarios::failure::{Failure, ShrunkFrom};
use scenarios::run::{Outcome, run_traced};
use scenarios::shrink::{Effort, shrink};

use crate::findings::{Alike, Case, Findings};
use crate::interrupt;
use crate::lanes::{self, Wanted};
use crate::output::{Draft, OutputError, json};
use crate::pool::in_order;
use crate::report::FailureRow;

/// Fingerprints that are made small: where there are more, something is broken so badly that any of them will do.
const SHRUNK: usize = 6;
/// Fingerprints that are kept and told.
const KEPT: usize = 50;

/// A failure ready to be kept.
#[derive(Clone, Debug)]
struct Told {
    failure: Failure,
    timeline: String,
}

/// Who knows what was run in a case.
pub(crate) trait Asked: Sync {
    /// What is to be run to see it again; nothing if that cannot be said any more.
    fn plan(&self, case: &Case) -> Option<Plan>;

    /// The name of its scenario.
    fn scenario(&self, case: &Case) -> &str;

    /// The command that shows it again.
    fn replay(&self, case: &Case) -> String;

    /// How many runs at once.
    fn jobs(&self) -> usize;
}

/// Tells every failure, and writes the files that keep them into `failures/`.
///
/// # Errors
/// If a file cannot be written.
pub(crate) fn tell(asked: &dyn Asked, findings: &Findings, draft: &Draft) -> Result<Vec<FailureRow>, OutputError> {
    let kept = &findings.failures[..findings.failures.len().min(KEPT)];
    if !kept.is_empty() {
        eprintln!("making failures small enough to read: {}", kept.len());
    }
    let mut told = Vec::new();
    let work = |item| tell_one(asked, &kept[item as usize], (item as usize) < SHRUNK);
    in_order(asked.jobs(), kept.len() as u64, &|| true, work, |_, one| {
        told.push(one);
        ControlFlow::Continue(())
    });
    let mut rows: Vec<FailureRow> = Vec::new();
    for (alike, told) in kept.iter().zip(told) {
        let mut row = row_of(asked, alike);
        if let Some(told) = told {
            row.guarantee.clone_from(&told.failure.guarantee);
            row.sentence.clone_from(&told.failure.sentence);
            row.digest.clone_from(&told.failure.digest);
            row.file = free_name(&rows, &told.failure);
            row.replay = format!("highwater replay {}", row.file);
            row.text = told.failure.text(&row.replay, None);
            draft.write(&row.file, &json(&told.failure))?;
            if !told.timeline.is_empty() {
                let name = row.file.replace(".json", ".svg");
                draft.write(&name, &told.timeline)?;
                row.timeline = Some(name);
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// What is known of a failure before it is run again.
fn row_of(asked: &dyn Asked, alike: &Alike) -> FailureRow {
    let name = |case: &Case| asked.scenario(case).to_owned();
    let first = &alike.seen[0];
    let replay = asked.replay(first);
    FailureRow {
        fingerprint: alike.fingerprint.clone(),
        guarantee: alike.fingerprint.split('/').next().unwrap_or_default().to_owned(),
        runs: alike.runs,
        sentence: "it did not fail again when it was run again".to_owned(),
        scenario: name(first),
        seed: first.seed,
        seen: alike.seen.iter().map(|case| (name(case), case.seed)).collect(),
        points: alike.seen.iter().filter_map(|case| case.point.clone()).collect(),
        digest: String::new(),
        file: String::new(),
        text: format!("NOT DETERMINISTIC  {}\n  replay   {replay}", alike.fingerprint),
        replay,
        timeline: None,
    }
}

/// Runs the first of these failures again, smaller; `None` if it does not fail again.
fn tell_one(asked: &dyn Asked, alike: &Alike, small: bool) -> Option<Told> {
    let plan = asked.plan(&alike.seen[0])?;
    let effort = if small { Effort::default() } else { Effort(0) };
    let shrunk = shrink(&plan, &alike.fingerprint, effort, &mut || !interrupt::requested());
    let whole = run_traced(&plan);
    let (plan, outcome, from) = if shrunk.plan == plan {
        (plan, whole, None)
    } else {
        let outcome = run_traced(&shrunk.plan);
        let from = ShrunkFrom {
            faults: (plan.storm.strikes.len() as u64, shrunk.plan.storm.strikes.len() as u64),
            messages: (whole.measures.counts.messages, outcome.measures.counts.messages),
            runs: shrunk.runs,
        };
        (shrunk.plan, outcome, Some(from))
    };
    let mut failure = Failure::of(&plan, &outcome)?;
    failure.shrunk = from;
    Some(Told { timeline: timeline(&plan, &outcome), failure })
}

/// The swim lanes of a run whose trace was kept; nothing if it left none.
pub(crate) fn timeline(plan: &Plan, outcome: &Outcome) -> String {
    let Some(trace) = &outcome.trace else { return String::new() };
    let broken = outcome.violations.first().map(|violation| (violation.fact, violation.guarantee.id()));
    let wanted = Wanted { title: format!("{}, seed {}", plan.scenario, plan.seed), promised: plan.promised(), broken };
    lanes::timeline(trace, &wanted).svg()
}

/// A file name that no failure has yet: two that panicked have no digest to tell them apart.
fn free_name(rows: &[FailureRow], failure: &Failure) -> String {
    let name = failure.file_name();
    let taken = |file: &str| rows.iter().any(|row| row.file == file);
    let plain = format!("failures/{name}");
    if !taken(&plain) {
        return plain;
    }
    let numbered = (2..).map(|nth| format!("failures/{}-{nth}.json", name.trim_end_matches(".json")));
    numbered.into_iter().find(|file| !taken(file)).unwrap_or(plain)
}
