//! The same plan gives the same digest: alone, after other runs, in another thread, with and without the trace.

use std::process::Command;
use std::thread;
use std::time::Duration;

use scenarios::run::run_traced;
use scenarios::{Plan, catalogue, run};

/// A short run of the scenario that has a bit of everything.
fn plan(seed: u64) -> Plan {
    Plan {
        length: Duration::from_secs(6),
        ..catalogue::named("everything").expect("it is in the catalogue").plan(seed)
    }
}

#[test]
fn the_same_seed_gives_the_same_digest_for_200_seeds_in_one_thread_and_in_two() {
    let digest = |seed| {
        let outcome = run(&plan(seed));
        assert_eq!(outcome.panicked, None, "seed {seed}");
        outcome.digest
    };
    let forth: Vec<String> = (0..200).map(digest).collect();
    let back: Vec<String> = thread::scope(|scope| {
        let halves = [(0..100_u64), (100..200)].map(|seeds| {
            scope.spawn(move || {
                let mut digests: Vec<(u64, String)> = seeds.rev().map(|seed| (seed, run(&plan(seed)).digest)).collect();
                digests.reverse();
                digests
            })
        });
        halves.into_iter().flat_map(|half| half.join().expect("no run panics")).map(|(_, digest)| digest).collect()
    });
    assert_eq!(forth, back);
    let mut different = forth.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), forth.len(), "different seeds give different runs");
}

#[test]
fn the_same_seed_gives_the_same_digest_for_200_seeds_in_two_processes() {
    let own: Vec<String> = (0..200).map(|seed| told(seed, &run(&plan(seed)).digest)).collect();
    let myself = std::env::current_exe().expect("this test has a file");
    let other = Command::new(myself)
        .args(["--ignored", "--exact", "--nocapture", "determinism::the_digests_of_200_seeds_told_to_another_process"])
        .output()
        .expect("this test can be run again");
    let said = String::from_utf8_lossy(&other.stdout);
    let theirs: Vec<&str> = said.lines().filter(|line| line.starts_with(TOLD)).collect();
    assert_eq!(theirs, own);
}

#[test]
#[ignore = "only speaks: another test runs it in a process of its own"]
fn the_digests_of_200_seeds_told_to_another_process() {
    println!();
    (0..200).for_each(|seed| println!("{}", told(seed, &run(&plan(seed)).digest)));
}

/// How a digest is told from one process to another.
const TOLD: &str = "digest of seed";

fn told(seed: u64, digest: &str) -> String {
    format!("{TOLD} {seed}: {digest}")
}

#[test]
fn keeping_the_trace_changes_nothing() {
    for seed in 0..5 {
        let (kept, unkept) = (run_traced(&plan(seed)), run(&plan(seed)));
        assert_eq!(kept.digest, unkept.digest);
        assert_eq!(kept.trace.map(|trace| trace.len() as u64), Some(unkept.facts));
        assert_eq!(unkept.trace, None);
    }
}
