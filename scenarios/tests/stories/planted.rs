//! Every known bug is caught by the promise that it breaks, and the protocol without it tells the same stories unharmed.

use model::protocol::Protocol;
use scenarios::World;
use scenarios::known_bugs::{self, Breaks, KnownBug};
use scenarios::scripted::{self, tell};

#[test]
fn every_known_bug_is_caught_by_the_promise_that_it_breaks() {
    let missed: Vec<String> = known_bugs::all().filter_map(missed).collect();
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

/// Why the bug was not caught as it should be.
fn missed(bug: &KnownBug) -> Option<String> {
    let KnownBug { id, name, seeds, breaks, .. } = bug;
    let mut others = Vec::new();
    for seed in 0..*seeds {
        let outcome = tell(&bug.cluster(), seed, &|world: &mut World| (bug.story)(world));
        if let Some(panicked) = &outcome.panicked {
            return Some(format!("  {id} {name}: seed {seed} panicked: {panicked}"));
        }
        if breaks.shown_by(&outcome) {
            return None;
        }
        others.extend(outcome.violations.first().map(|violation| format!("seed {seed}: {}", violation.fingerprint())));
    }
    others.truncate(3);
    Some(format!("  {id} {name}: {} not broken in {seeds} seeds; {others:?}", breaks.name()))
}

#[test]
fn without_the_bug_the_same_stories_do_no_harm() {
    let mut harmed = Vec::new();
    for bug in known_bugs::all().filter(|bug| bug.breaks != Breaks::Nothing) {
        for seed in 0..4 {
            let outcome = scripted::tell(&bug.mended(), seed, &|world: &mut World| (bug.story)(world));
            if let Some(panicked) = &outcome.panicked {
                harmed.push(format!("  {} seed {seed}: {panicked}", bug.id));
            }
            harmed.extend(outcome.inconclusive.iter().map(|why| format!("  {} seed {seed}: {why}", bug.id)));
            harmed.extend(outcome.violations.first().map(|found| format!("  {} seed {seed}: {found}", bug.id)));
        }
    }
    assert!(harmed.is_empty(), "harmed:\n{}", harmed.join("\n"));
}

#[test]
fn what_is_said_to_do_no_harm_does_none() {
    let mut harmed = Vec::new();
    for harmless in known_bugs::HARMLESS {
        assert_ne!(harmless.protocol, Protocol::LATEST, "{}", harmless.id);
        for bug in known_bugs::all().filter(|bug| !bug.cluster().zookeeper) {
            let cluster = bug.mended().protocol(harmless.protocol);
            for seed in 0..2 {
                let outcome = scripted::tell(&cluster, seed, &|world: &mut World| (bug.story)(world));
                harmed.extend(
                    outcome
                        .fingerprint()
                        .map(|found| format!("  {} in the story of {} {seed}: {found}", harmless.id, bug.id)),
                );
            }
        }
    }
    assert!(harmed.is_empty(), "harmed:\n{}", harmed.join("\n"));
}
