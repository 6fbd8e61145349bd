//! The same plan gives the same digest: alone, after other runs, in another thread, with and without the trace.

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
fn keeping_the_trace_changes_nothing() {
    for seed in 0..5 {
        let (kept, unkept) = (run_traced(&plan(seed)), run(&plan(seed)));
        assert_eq!(kept.digest, unkept.digest);
        assert_eq!(kept.trace.map(|trace| trace.len() as u64), Some(unkept.facts));
        assert_eq!(unkept.trace, None);
    }
}
