//! The program as people and scripts meet it: exit codes, bad input, and reports that do not depend on chance.

mod stage;

use std::fs;
use std::path::Path;

use stage::{Place, code, content, highwater, json, said};

#[test]
fn what_cannot_be_meant_exits_with_64() {
    for arguments in [
        &["run", "crahses"][..],
        &["run", "--seeds", "-3"],
        &["run", "--seeds", "7..7"],
        &["run", "--time", "yesterday"],
        &["replay"],
        &["sing"],
    ] {
        let output = highwater(arguments);
        assert_eq!(code(&output), 64, "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn the_list_names_every_scenario() {
    let output = highwater(&["list"]);
    assert_eq!(code(&output), 0);
    for name in ["reference", "cliff", "canary"] {
        assert!(said(&output).lines().any(|line| line.starts_with(&format!("{name} "))), "{}", said(&output));
    }
}

#[test]
fn a_malformed_replay_file_exits_with_65_and_names_the_place() {
    let place = Place::new();
    for (name, text, says) in [
        ("torn.json", "{\n  \"format\": \"highwater-fail", "torn.json:2"),
        ("other.json", "{\"format\": \"something else\"}", "format"),
        ("newer.json", "{\"format\": \"highwater-failure\", \"version\": 999}", "999"),
        ("hollow.json", "{\"format\": \"highwater-failure\", \"version\": 1}", "hollow.json:"),
    ] {
        let output = highwater(&["replay", &place.file(name, text)]);
        assert_eq!(code(&output), 65, "{name}: {}", said(&output));
        assert!(said(&output).contains(says), "{name}: {}", said(&output));
    }
    let output = highwater(&["replay", &place.path("nowhere.json")]);
    assert_eq!(code(&output), 65);
    assert!(said(&output).contains("nowhere.json"));
}

#[test]
fn a_wrong_property_exits_with_65_and_names_file_line_property_and_remedy() {
    let place = Place::new();
    let file = place.file("server.properties", "# a comment\nmin.insync.replicas=two\nmin.insync.replica=2\n");
    let output = highwater(&["run", "crashes", "--seeds", "1", "--config", &file, "--out", &place.path("out")]);
    assert_eq!(code(&output), 65, "{}", said(&output));
    for says in ["server.properties:2", "\"two\"", "server.properties:3", "min.insync.replicas"] {
        assert!(said(&output).contains(says), "{says}: {}", said(&output));
    }
    assert!(!Path::new(&place.path("out")).exists(), "nothing was begun");
}

#[test]
fn a_known_property_that_is_not_modelled_is_reported_as_ignored_once() {
    let place = Place::new();
    let file = place.file("server.properties", "num.io.threads=8\nmin.insync.replicas=1\n");
    let out = place.path("out");
    let output = highwater(&["run", "acks-1", "--seeds", "1", "--config", &file, "--out", &out]);
    assert_eq!(said(&output).matches("num.io.threads").count(), 1, "{}", said(&output));
    assert_eq!(json(&out)["campaign"]["properties"][1][0], "min.insync.replicas");
}

#[test]
fn a_folder_that_is_not_a_report_is_left_alone() {
    let place = Place::new();
    place.file("thesis.txt", "years of work");
    let output = highwater(&["run", "crashes", "--seeds", "1", "--out", &place.0.display().to_string()]);
    assert_eq!(code(&output), 64, "{}", said(&output));
    assert!(said(&output).contains("--out"));
    assert_eq!(fs::read_to_string(place.0.join("thesis.txt")).unwrap(), "years of work");
}

#[test]
fn a_report_is_the_same_byte_for_byte_whatever_the_number_of_jobs() {
    let place = Place::new();
    let reports = ["1", "3"].map(|jobs| {
        let out = place.path(&format!("jobs-{jobs}"));
        let output =
            highwater(&["run", "crashes", "cliff", "canary", "--seeds", "2..5", "--jobs", jobs, "--out", &out]);
        assert!(matches!(code(&output), 0..=2), "{}", said(&output));
        content(Path::new(&out))
    });
    let names: Vec<_> = reports[0].iter().map(|(name, _)| name.display().to_string()).collect();
    for name in ["figures/cliff.svg", "figures/timeline.svg", "index.html", "junit.xml", "report.json", "report.md"] {
        assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
    }
    for (one, three) in reports[0].iter().zip(&reports[1]) {
        assert_eq!(one.0, three.0);
        assert!(one.1 == three.1, "{} differs", one.0.display());
    }
    assert_eq!(reports[0].len(), reports[1].len());
}

#[test]
fn a_planted_bug_exits_with_1_and_is_kept_as_a_file_that_replay_reads() {
    let place = Place::new();
    let out = place.path("out");
    let output = highwater(&["run", "canary", "--seeds", "0..4", "--out", &out]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let report = json(&out);
    let failure = &report["failures"][0];
    let text = failure["text"].as_str().unwrap();
    assert!(text.lines().count() <= 25, "{text}");
    let replays: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("replay ")).collect();
    assert_eq!(replays.len(), 2, "{text}");
    assert_eq!(text.lines().last(), Some(replays[1]));
    let page = fs::read_to_string(Path::new(&out).join("index.html")).unwrap();
    assert!(page.len() < 2_000_000 && page.contains("VIOLATED"));

    let file = Path::new(&out).join(failure["file"].as_str().unwrap()).display().to_string();
    let picture = place.path("run.svg");
    let again = highwater(&["replay", &file, "--trace", "json", "--timeline", &picture]);
    assert_eq!(code(&again), 1, "{}", said(&again));
    let trace = sim::trace::read_lines(again.stdout.as_slice()).unwrap();
    assert_eq!(sim::trace::digest(&trace).to_string(), failure["digest"].as_str().unwrap());
    assert!(fs::read_to_string(picture).unwrap().contains("broken"));

    let altered = fs::read_to_string(&file).unwrap().replace(failure["digest"].as_str().unwrap(), &"0".repeat(32));
    let output = highwater(&["replay", &place.file("altered.json", &altered)]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(said(&output).contains("DIFFERENT DIGEST"));

    // Well-formed, but nothing that can be run.
    let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    for (field, value, says) in [
        ("/plan/cluster/brokers", 0.into(), "brokers is 0"),
        ("/plan/cluster/controllers", 99.into(), "controllers is 99"),
        ("/plan/cluster/payload", u64::MAX.into(), "payload is"),
        ("/plan/cluster/settings/broker/log_segment_bytes", 0.into(), "log.segment.bytes: 0 is out of range"),
        ("/plan/length/secs", u64::MAX.into(), "plan.length"),
    ] {
        let mut altered = kept.clone();
        *altered.pointer_mut(field).unwrap() = value;
        let output = highwater(&["replay", &place.file("impossible.json", &altered.to_string())]);
        assert_eq!(code(&output), 65, "{field}: {}", said(&output));
        assert!(said(&output).contains(says) && said(&output).contains("impossible.json"), "{}", said(&output));
    }
}

#[test]
fn every_seed_gives_the_same_digest_twice() {
    let place = Place::new();
    let out = place.path("out");
    let output = highwater(&["run", "crashes", "clocks", "--seeds", "3", "--check-determinism", "--out", &out]);
    assert!(matches!(code(&output), 0 | 2), "{}", said(&output));
    assert_eq!(json(&out)["campaign"]["compared"], 6);
}

#[test]
fn a_scenario_and_a_seed_can_be_replayed_without_a_file() {
    let output = highwater(&["replay", "--scenario", "n-minus-1", "--seed", "3", "--trace", "text"]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("the scenario begins") && stdout.contains("acked"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("every promise was kept"));
}

#[test]
fn a_small_world_is_explored_and_what_breaks_is_kept_for_replay() {
    let place = Place::new();
    let out = place.path("explored");
    let bounds = ["--depth", "1", "--records", "2", "--horizon", "3", "--jobs", "2", "--out", &out];
    let output = highwater(&[&["explore", "B01"][..], &bounds].concat());
    assert_eq!(code(&output), 0, "{}", said(&output));
    let report = json(&out);
    let way = &report["rows"][0]["ways"][0];
    assert_eq!((&way["reproduced"], &way["deviations"]), (&true.into(), &1.into()), "{report}");
    let file = way["file"].as_str().unwrap();
    let again = highwater(&["replay", &format!("{out}/{file}")]);
    assert_eq!(code(&again), 1, "{}", said(&again));
    assert!(said(&again).contains(way["guarantees"][0].as_str().unwrap()), "{}", said(&again));
}
