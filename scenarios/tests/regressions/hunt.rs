//! Where tapes come from: storms over the cluster of each known bug until its guarantee breaks, made small and kept.

use std::time::Duration;

use scenarios::failure::{Failure, ShrunkFrom};
use scenarios::known_bugs::{self, KnownBug};
use scenarios::load::Load;
use scenarios::run::{Outcome, run, run_traced};
use scenarios::shrink::{Effort, shrink};
use scenarios::storm::{Family, Intensity, Storm};
use scenarios::{Plan, retold};
use sim::Dice;

use crate::kept::folder;

/// Storms that are drawn for a bug before it counts as one that storms do not find.
const SEEDS: u64 = 1_000;
/// How long they last.
const LENGTH: Duration = Duration::from_secs(12);

#[test]
#[ignore = "takes minutes: it looks for new tapes, and writes them; BUG=.. for those whose names have this in them"]
fn hunt() {
    let only = std::env::var("BUG").unwrap_or_default();
    for bug in known_bugs::ALL.iter().filter(|bug| bug.name.contains(&only)) {
        match found(bug) {
            Some((plan, outcome)) => keep(bug, &plan, &outcome),
            None => println!("{}: not found by {SEEDS} storms", bug.name),
        }
    }
}

/// The first storm that breaks the bug's guarantee before any other.
fn found(bug: &KnownBug) -> Option<(Plan, Outcome)> {
    let cluster = bug.cluster();
    let plan = |seed: u64| {
        // Every other storm is of what befalls disks: a drawn storm of everything meets it too seldom.
        let disks = Intensity::of(8, LENGTH, &[Family::PowerLosses, Family::Crashes]);
        let intensity = if seed.is_multiple_of(2) { Intensity::swarm(8, LENGTH) } else { disks };
        let storm = Storm::draw(Dice::new(seed), &cluster, &intensity);
        Plan {
            scenario: bug.name.to_owned(),
            storm,
            ..Plan::of(cluster.clone()).under(Load { rate: 40, ..Load::default() }).seeded(seed).lasting(LENGTH)
        }
    };
    let runs = (0..SEEDS).map(plan).map(|plan| (run(&plan), plan));
    let mut broken = runs.filter(|(outcome, _)| {
        outcome.violations.first().is_some_and(|violation| violation.guarantee == bug.breaks)
    });
    broken.next().map(|(outcome, plan)| (plan, outcome))
}

fn keep(bug: &KnownBug, plan: &Plan, outcome: &Outcome) {
    let fingerprint = outcome.fingerprint().expect("it was violated");
    let shrunk = shrink(plan, &fingerprint, Effort(600), &mut || true);
    let now = run_traced(&shrunk.plan);
    let Some(mut failure) = Failure::of(&shrunk.plan, &now).filter(|failure| failure.fingerprint == fingerprint) else {
        println!("{}: what is smaller fails otherwise in the end", bug.name);
        return;
    };
    failure.shrunk = Some(ShrunkFrom {
        faults: (plan.storm.strikes.len() as u64, shrunk.plan.storm.strikes.len() as u64),
        messages: (outcome.measures.counts.messages, now.measures.counts.messages),
        runs: shrunk.runs,
    });
    let path = folder().join(format!("{}.json", file_name(bug)));
    failure.save_as(&path).expect("the folder of tapes can be written");
    println!("{}: {}\n  {:?}\n{}", bug.name, path.display(), failure.shrunk, retold::test(&failure));
}

fn file_name(bug: &KnownBug) -> String {
    let words = bug.name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}
