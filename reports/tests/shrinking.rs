//! `highwater shrink` as people meet it: what it keeps where, what it says, and what it refuses.

mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use stage::{Place, code, highwater, said};

/// A tape of a planted bug.
fn tape(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/regressions").join(format!("{name}.json"))
}

/// A copy of it, for a test of its own.
fn copied(place: &Place, name: &str) -> String {
    place.file("kept.json", &fs::read_to_string(tape(name)).unwrap())
}

const KIP_101: &str = "a-follower-cuts-its-log-at-its-own-high-watermark";

/// The same with two faults more, that do not matter, and for longer.
fn larger(place: &Place) -> String {
    let mut kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(tape(KIP_101)).unwrap()).unwrap();
    let strikes = kept.pointer_mut("/plan/storm/strikes").unwrap().as_array_mut().unwrap();
    for secs in [40, 41] {
        let when = serde_json::json!({ "At": { "secs": secs, "nanos": 7_000_000 } });
        strikes.push(serde_json::json!({ "when": when, "fault": "Heal" }));
    }
    kept["plan"]["length"]["secs"] = 45.into();
    place.file("large.json", &kept.to_string())
}

#[test]
fn a_failure_is_made_smaller_and_kept_beside_the_old_one() {
    let place = Place::new();
    let file = larger(&place);
    let before = fs::read_to_string(&file).unwrap();
    let output = highwater(&["shrink", &file]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert_eq!(fs::read_to_string(&file).unwrap(), before, "the old one is left alone");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.lines().count() <= 25 && text.starts_with("VIOLATED") && text.contains("shrunk"), "{text}");

    let small = place.path("large-small.json");
    let kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(&small).unwrap()).unwrap();
    assert!(kept["plan"]["storm"]["strikes"].as_array().unwrap().len() <= 3, "{}", said(&output));
    let again = highwater(&["replay", &small]);
    assert_eq!(code(&again), 1, "{}", said(&again));
    assert!(said(&again).contains("reproduced: replayed 100 %"), "{}", said(&again));
    // A second one finds another name, and is written over the old one only where that is asked for.
    assert_eq!(code(&highwater(&["shrink", &file, "--budget", "2"])), 1);
    assert!(Path::new(&place.path("large-small-2.json")).exists());
    assert_eq!(code(&highwater(&["shrink", &file, "--budget", "2", "--out", &file])), 1);
    assert_ne!(fs::read_to_string(&file).unwrap(), before);
}

#[test]
fn it_is_told_as_a_test_and_as_a_diagram_and_drawn() {
    let place = Place::new();
    let (file, picture) = (copied(&place, KIP_101), place.path("run.svg"));
    let output = highwater(&["shrink", &file, "--budget", "0", "--emit", "test", "--timeline", &picture]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(
        text.starts_with("///") && text.contains("#[test]") && text.contains(".must_break(\"durability/"),
        "{text}"
    );
    assert!(fs::read_to_string(picture).unwrap().contains("broken"));

    let output = highwater(&["shrink", &file, "--budget", "0", "--emit", "mermaid"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("sequenceDiagram\n    participant ") && text.contains("VIOLATED durability"), "{text}");
    assert!(text.lines().count() <= 45, "{text}");
    assert!(!text.contains(';') && !text.contains('#'), "{text}");
}

#[test]
fn what_has_no_transcript_exits_with_2_and_says_why() {
    let place = Place::new();
    let file = copied(&place, KIP_101);
    let output = highwater(&["shrink", &file, "--budget", "0", "--emit", "transcript"]);
    assert_eq!(code(&output), 2, "{}", said(&output));
    assert!(said(&output).contains("no word for `pause"), "{}", said(&output));
}

#[test]
fn what_no_longer_breaks_exits_with_3_and_what_is_no_failure_with_65() {
    let place = Place::new();
    let mended = fs::read_to_string(tape("acks-all-is-answered-one-record-too-early")).unwrap();
    let mended = place.file("mended.json", &mended.replace("OneTooEarly", "OnceCommitted"));
    let output = highwater(&["shrink", &mended]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(said(&output).contains("now nothing does"), "{}", said(&output));
    let replayed = highwater(&["replay", &mended]);
    assert_eq!(code(&replayed), 3);
    assert!(said(&replayed).contains("fixed: replayed ") && said(&replayed).contains("diverged between fact"));
    let output = highwater(&["shrink", &place.file("torn.json", "{")]);
    assert_eq!(code(&output), 65, "{}", said(&output));
}

#[test]
fn a_file_of_another_version_is_read_as_far_as_it_can_be() {
    let place = Place::new();
    let mut kept: serde_json::Value = serde_json::from_str(&fs::read_to_string(tape(KIP_101)).unwrap()).unwrap();
    kept["plan"]["cluster"]["racks"] = 3.into();
    kept["plan"]["cluster"]["protocol"].as_object_mut().unwrap().remove("muting");
    let output = highwater(&["replay", &place.file("other.json", &kept.to_string())]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    for says in ["plan.cluster.racks no longer exists", "plan.cluster.protocol.muting did not exist yet", "reproduced"]
    {
        assert!(said(&output).contains(says), "{says}: {}", said(&output));
    }
}
