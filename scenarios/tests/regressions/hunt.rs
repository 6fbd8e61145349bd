//! Where tapes come from: storms over the cluster of each known bug until its guarantee breaks, made small and kept.

use std::time::Duration;

use model::names::BrokerId;
use scenarios::failure::{Failure, ShrunkFrom};
use scenarios::known_bugs::{self, Breaks, KnownBug};
use scenarios::load::Load;
use scenarios::run::{Outcome, run, run_traced};
use scenarios::shrink::{Effort, shrink};
use scenarios::storm::{Family, Intensity, Storm};
use scenarios::{Plan, retold};
use sim::Dice;
use sim::cluster::Cluster;
use sim::fault::{Fault, Sight, Strike, Target, When};

use crate::kept::folder;

/// Storms that are drawn for a bug before it counts as one that storms do not find.
const SEEDS: u64 = 500;
/// The first of them are written down, not drawn.
const DIRECTED: u64 = 48;
/// How long they last.
const LENGTH: Duration = Duration::from_secs(12);

#[test]
#[ignore = "takes minutes: it looks for tapes of the bugs that have none; BUG=.. for those whose names have this in them"]
fn hunt() {
    let only = std::env::var_os("BUG").map(|bug| bug.to_string_lossy().into_owned()).unwrap_or_default();
    let is_wanted = |bug: &&KnownBug| {
        if only.is_empty() { !folder().join(file_name(bug)).exists() } else { bug.name.contains(&only) }
    };
    for bug in known_bugs::all().filter(is_wanted) {
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
        let storm = if seed < DIRECTED { directed(seed) } else { drawn(&cluster, seed) };
        Plan {
            scenario: bug.name.to_owned(),
            storm,
            ..Plan::of(cluster.clone()).under(Load { rate: 40, ..Load::default() }).seeded(seed).lasting(LENGTH)
        }
    };
    let runs = (0..SEEDS).map(plan).map(|plan| (run(&plan), plan));
    let mut broken = runs.filter(|(outcome, _)| {
        outcome.violations.first().is_some_and(|violation| bug.breaks == Breaks::Promise(violation.guarantee))
    });
    broken.next().map(|(outcome, plan)| (plan, outcome))
}

/// What meets most of history's mistakes, a bit later with each seed.
fn directed(seed: u64) -> Storm {
    let at = |millis: u64, fault| Strike::at(Duration::from_millis(millis + 37 * seed), fault);
    let (leader, follower) = (Target::Leader(0), Target::Follower(0, 0));
    let servers = || vec![Target::Brokers, Target::Controllers];
    Storm::of(match seed % 6 {
        0 => vec![at(3_000, Fault::Crash(leader)), Strike::upon(Sight::Truncated, Fault::Crash(leader))],
        1 => vec![
            at(2_000, Fault::Hold { from: vec![leader], to: vec![Target::Brokers] }),
            at(2_600, Fault::Crash(leader)),
        ],
        2 => vec![at(2_000, Fault::CutBoth { between: vec![leader], and: servers() }), at(9_000, Fault::Heal)],
        3 => vec![
            at(1_000, Fault::Crash(BrokerId(2).into())),
            at(7_000, Fault::Crash(BrokerId(1).into())),
            at(7_500, Fault::Start(BrokerId(2).into())),
        ],
        4 => vec![
            at(1_000, Fault::Crash(follower)),
            at(7_000, Fault::Start(Target::Brokers)),
            Strike {
                when: When::Ambush { on: Sight::IsrGrew, skip: 0, after: Duration::ZERO },
                fault: Fault::Crash(leader),
            },
        ],
        _ => vec![at(2_000, Fault::Wipe(follower)), at(2_050, Fault::Start(Target::Brokers))],
    })
}

/// Every other storm is of what befalls disks: a drawn storm of everything meets it too seldom.
fn drawn(cluster: &Cluster, seed: u64) -> Storm {
    let disks = Intensity::of(8, LENGTH, &[Family::PowerLosses, Family::Crashes]);
    let intensity = if seed.is_multiple_of(2) { Intensity::swarm(8, LENGTH) } else { disks };
    Storm::draw(Dice::new(seed), cluster, &intensity)
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
    let path = folder().join(file_name(bug));
    failure.save_as(&path).expect("the folder of tapes can be written");
    println!("{}: {}\n  {:?}\n{}", bug.name, path.display(), failure.shrunk, retold::test(&failure));
}

fn file_name(bug: &KnownBug) -> String {
    let words = bug.name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("{}.json", words.collect::<Vec<_>>().join("-").to_lowercase())
}
