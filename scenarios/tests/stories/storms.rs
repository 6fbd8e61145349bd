//! Storms over drawn clusters: whatever befalls them, they keep what they promise.

use std::time::Duration;

use proptest::prelude::*;
use scenarios::failure::{Failure, FailureError};
use scenarios::run::run_traced;
use scenarios::shrink::{Effort, shrink};
use scenarios::{Verdict, catalogue, run, strategies};

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_keeps_its_promises_in_any_storm(plan in strategies::plan(Duration::from_secs(12), 8)) {
        let outcome = run(&plan);
        prop_assert_eq!(outcome.verdict(), Verdict::Held, "{:?} {:?} {:?}", outcome.violations, outcome.panicked, outcome.inconclusive);
    }
}

#[test]
fn every_scenario_of_the_catalogue_holds_for_its_first_seeds() {
    for scenario in catalogue::ALL.iter().filter(|scenario| !scenario.canary) {
        for seed in 0..3 {
            let outcome = run(&scenario.plan(seed));
            let why = format!("{} seed {seed}: {:?} {:?}", scenario.name, outcome.violations, outcome.panicked);
            assert_eq!(outcome.verdict(), Verdict::Held, "{why} {:?}", outcome.inconclusive);
            assert!(outcome.measures.counts.acked > 0, "{why}: something was written");
        }
    }
}

#[test]
fn the_canary_is_found_shrunk_kept_and_replayed() {
    let canary = catalogue::named("canary").expect("it is in the catalogue");
    let (plan, outcome) = (0..40)
        .map(|seed| canary.plan(seed))
        .map(|plan| (plan.clone(), run(&plan)))
        .find(|(_, outcome)| outcome.verdict() == Verdict::Violated)
        .expect("the canary is found within 40 seeds");
    let fingerprint = outcome.fingerprint().expect("it was violated");
    let shrunk = shrink(&plan, &fingerprint, Effort(30), &mut || true);
    assert!(shrunk.plan.storm.strikes.len() <= plan.storm.strikes.len());
    let again = run_traced(&shrunk.plan);
    assert_eq!(again.fingerprint().as_deref(), Some(fingerprint.as_str()));

    let failure = Failure::of(&shrunk.plan, &again).expect("it was violated");
    let text = failure.text("highwater replay FILE", None);
    assert!(text.lines().count() <= 25, "{text}");
    assert!(text.contains('←') && text.lines().nth(1) == Some("  replay   highwater replay FILE"), "{text}");

    let folder = std::env::temp_dir().join("highwater-storms-test");
    let path = failure.save(&folder).expect("the folder for temporary files can be written");
    let read = Failure::load(&path).expect("what was written can be read");
    assert_eq!(read, failure);
    assert_eq!(run(&read.plan).digest, read.digest, "the file alone brings the failure back");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}

#[test]
fn a_bad_failure_file_is_an_error_that_names_the_place_and_the_remedy() {
    let folder = std::env::temp_dir().join("highwater-bad-failure-test");
    std::fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
    let load = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("the folder is writable");
        Failure::load(&path).expect_err("the file is bad")
    };
    let error = Failure::load(&folder.join("absent.json")).expect_err("there is no such file");
    assert!(matches!(error, FailureError::Unreadable { .. }) && error.to_string().contains("absent.json"), "{error}");
    let error = load("torn.json", "{\n  \"format\": \"highwater-fail");
    assert!(matches!(error, FailureError::Malformed { line: 2, .. }), "{error}");
    let error = load("foreign.json", "{\"a\": 1}");
    assert!(matches!(error, FailureError::Foreign { .. }) && error.to_string().contains("highwater run"), "{error}");
    let error = load("newer.json", "{\"format\": \"highwater-failure\", \"version\": 99}");
    assert!(matches!(error, FailureError::OtherVersion { found: 99, .. }), "{error}");
    let error = load("partial.json", "{\"format\": \"highwater-failure\", \"version\": 1}");
    assert!(matches!(error, FailureError::Malformed { .. }) && error.to_string().contains("plan"), "{error}");
    std::fs::remove_dir_all(&folder).expect("it is ours");
}
