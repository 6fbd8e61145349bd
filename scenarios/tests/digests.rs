//! Twenty digests that were kept: whatever changes one of them has changed what a cluster does.
//!
//! The file was written by a release build, and this test runs in the dev profile: both must agree. A refactoring leaves
//! every digest alone. `UPDATE=1 cargo test --release -p scenarios --test digests` writes the file anew.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use scenarios::catalogue::Scenario;
use scenarios::{Plan, catalogue, run};

/// Which scenarios are held, and how many seeds of each.
const HELD: [(&str, u64); 10] = [
    ("reference", 2),
    ("everything", 6),
    ("power-loss", 2),
    ("partitions", 2),
    ("slow-disks", 1),
    ("clocks", 1),
    ("at-most-once", 1),
    ("refused-writes", 1),
    ("cliff", 2),
    ("canary", 2),
];

/// The beginning of a run tells as much as all of it, and takes less time.
fn plan(scenario: &Scenario, seed: u64) -> Plan {
    let plan = scenario.plan(seed);
    Plan { length: plan.length.min(Duration::from_secs(12)), ..plan }
}

fn computed() -> String {
    let mut text = String::new();
    for (name, seeds) in HELD {
        let scenario = catalogue::named(name).expect("it is in the catalogue");
        // Not the first ones of all: those are small clusters in some scenarios.
        for seed in 10..10 + seeds {
            let outcome = run(&plan(scenario, seed));
            assert_eq!(outcome.panicked, None, "{name}, seed {seed}");
            writeln!(text, "{name:<15}{seed:>3}  {}", outcome.digest).expect("text grows");
        }
    }
    text
}

#[test]
fn the_same_seeds_still_give_the_digests_that_were_kept() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join("digests.txt");
    let now = computed();
    assert_eq!(now.lines().count(), 20);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, now).expect("the file can be written");
        return;
    }
    let kept = fs::read_to_string(&path).expect("the file of digests is there");
    let changed: Vec<String> = kept
        .lines()
        .zip(now.lines())
        .filter(|(kept, now)| kept != now)
        .map(|(kept, now)| format!("  kept {kept}\n  now  {now}"))
        .collect();
    assert!(
        kept == now,
        "behaviour changed in {} of 20 runs; if that is meant, write the file anew with\n  \
         UPDATE=1 cargo test --release -p scenarios --test digests\nand say so in the commit\n{}",
        changed.len(),
        changed.join("\n")
    );
}
