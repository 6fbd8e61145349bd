//! Every known bug is caught by the guarantee that it breaks, and the latest protocol tells the same stories unharmed.

use scenarios::known_bugs::{self, KnownBug};
use scenarios::{first_violation, scripted};

#[test]
fn every_known_bug_is_caught_by_the_guarantee_that_it_breaks() {
    let missed: Vec<String> = known_bugs::ALL.iter().filter_map(missed).collect();
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

/// Why the bug was not caught as it should be.
fn missed(bug: &KnownBug) -> Option<String> {
    let KnownBug { name, seeds, breaks, .. } = bug;
    let Some(found) = first_violation(bug.cluster(), *seeds, bug.story) else {
        return Some(format!("  {name}: nothing broke in {seeds} seeds"));
    };
    if let Some(panicked) = &found.outcome.panicked {
        return Some(format!("  {name}: seed {} panicked: {panicked}", found.seed));
    }
    let broken = found.all_broken();
    (!broken.contains(breaks)).then(|| format!("  {name}: broke {broken:?} instead of {breaks:?}"))
}

#[test]
fn the_latest_protocol_tells_the_same_stories_unharmed() {
    for bug in known_bugs::ALL {
        for seed in 0..4 {
            let outcome = scripted::tell(&bug.mended(), seed, &bug.story);
            assert_eq!(outcome.panicked, None, "{}, seed {seed}", bug.name);
            assert_eq!(outcome.inconclusive, None, "{}, seed {seed}", bug.name);
            assert_eq!(outcome.violations, Vec::new(), "{}, seed {seed}", bug.name);
        }
    }
}
