//! Crash points and crash states as people and scripts meet them.

mod stage;

use std::fs;
use std::path::Path;

use stage::{Place, code, content, highwater, json, said};

fn last_line(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn crash_points_are_the_same_whatever_the_number_of_jobs_and_end_with_their_sum() {
    let place = Place::new();
    let reports = ["1", "3"].map(|jobs| {
        let out = place.path(&format!("jobs-{jobs}"));
        let output = highwater(&["crash-points", "--points", "60", "--jobs", jobs, "--out", &out]);
        assert!(matches!(code(&output), 0 | 2), "{}", said(&output));
        assert_eq!(last_line(&output), "60 crash points, 60 recovered, 0 violations");
        out
    });
    let report = json(&reports[0]);
    let points = &report["crash_points"][0];
    assert_eq!(points["once"]["tried"].as_u64().unwrap() + points["again"]["tried"].as_u64().unwrap(), 60);
    assert_eq!(report["campaign"]["runs"], 61, "the run without a crash is one, too");
    let kinds = points["kinds"].as_array().unwrap();
    let sum = |what: &str| -> u64 { kinds.iter().map(|kind| kind["share"][what].as_u64().unwrap()).sum() };
    assert_eq!(sum("tried"), 60);
    assert_eq!(sum("of"), points["once"]["of"].as_u64().unwrap() + points["again"]["of"].as_u64().unwrap());
    let [one, three] = reports.map(|out| content(Path::new(&out)));
    assert!(one.iter().any(|(name, _)| name == Path::new("figures/crash-points.svg")));
    assert!(one == three, "not one byte differs");
}

#[test]
fn crash_states_are_the_same_whatever_the_number_of_jobs_and_end_with_their_sum() {
    let place = Place::new();
    let reports = ["1", "3"].map(|jobs| {
        let out = place.path(&format!("jobs-{jobs}"));
        let output = highwater(&["crash-states", "--boundaries", "8", "--bound", "6", "--jobs", jobs, "--out", &out]);
        assert!(matches!(code(&output), 0 | 2), "{}", said(&output));
        let line = last_line(&output);
        assert!(
            line.starts_with("8 boundaries, ") && line.ends_with(" distinct after recovery, 0 violations"),
            "{line}"
        );
        out
    });
    let states = &json(&reports[0])["crash_states"][0];
    let number = |pointer: &str| states.pointer(pointer).unwrap().as_u64().unwrap();
    assert!(number("/distinct") <= number("/states/tried") && number("/states/tried") <= 48);
    assert!(number("/boundaries/of") > 8 && number("/exhaustive") <= 8);
    let [one, three] = reports.map(|out| content(Path::new(&out)));
    assert!(one == three, "not one byte differs");
}

#[test]
fn a_planted_bug_is_kept_by_a_crash_point_and_shown_again_by_its_name_and_by_its_file() {
    let place = Place::new();
    let out = place.path("out");
    let output = highwater(&["crash-points", "canary", "--points", "40", "--out", &out]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let report = json(&out);
    let failures = report["failures"].as_array().unwrap();
    let file = Path::new(&out).join(failures[0]["file"].as_str().unwrap()).display().to_string();
    let again = highwater(&["replay", &file]);
    assert_eq!(code(&again), 1, "{}", said(&again));

    // A point by its name: the same run, fact by fact, each time.
    let point = failures.iter().find_map(|failure| failure["points"][0].as_str()).unwrap();
    let show = || highwater(&["crash-points", "canary", "--at", point, "--trace", "json"]);
    let (one, other) = (show(), show());
    assert_eq!(one.stdout, other.stdout);
    let trace = sim::trace::read_lines(one.stdout.as_slice()).unwrap();
    assert!(said(&one).contains(&sim::trace::digest(&trace).to_string()), "the digest is said");
}

#[test]
fn a_point_that_is_none_exits_with_64_and_a_remedy() {
    for (arguments, says) in [
        (&["crash-points", "--at", "b1:99999999:before:kill"][..], "its calls are"),
        (&["crash-points", "--at", "b9:1:before:kill"], "b9 makes no disk call 1"),
        (&["crash-states", "--at", "b1:99999999"], "the nearest is b1:"),
        (&["crash-states", "smal-logs"], "highwater list"),
    ] {
        let place = Place::new();
        let out = place.path("out");
        let arguments: Vec<&str> = match arguments[0] {
            "crash-states" => [arguments, &["--out", &out]].concat(),
            _ => arguments.to_vec(),
        };
        let output = highwater(&arguments);
        assert_eq!(code(&output), 64, "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
        assert!(fs::metadata(&out).is_err(), "nothing was written");
    }
}
