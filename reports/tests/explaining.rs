//! `highwater why` and `highwater diff` as people and scripts meet them.

mod stage;

use std::fs;
use std::path::Path;

use stage::{Place, code, highwater, said};

/// A failure that is kept, small.
fn kept(place: &Place) -> String {
    let out = place.path("campaign");
    let output = highwater(&["run", "canary", "--seeds", "3", "--out", &out]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let failures = fs::read_dir(Path::new(&out).join("failures")).expect("it kept one");
    let files = failures.map(|entry| entry.expect("it can be listed").path().display().to_string());
    files.filter(|file| file.ends_with(".json")).min().expect("one of them is JSON")
}

#[test]
fn why_writes_text_figure_and_numbers_and_the_failure_stays_where_it_is() {
    let place = Place::new();
    let file = kept(&place);
    let out = place.path("why");
    let output = highwater(&["why", &file, "--samples", "4", "--out", &out]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("WHY  ") && said(&output).contains("spent: "), "{}", said(&output));
    for name in ["why.txt", "why.json", "why.svg"] {
        let written = fs::read_to_string(Path::new(&out).join(name)).expect("it is written");
        assert!(!written.is_empty(), "{name}");
    }
    // Over an older one of its kind, but over nothing else: the campaign's report keeps what is explained.
    let output = highwater(&["why", &file, "--samples", "2", "--out", &out]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    let output = highwater(&["why", &file, "--samples", "2", "--out", &place.path("campaign")]);
    assert_eq!(code(&output), 64, "{}", said(&output));
    assert!(Path::new(&file).exists());
}

#[test]
fn why_says_what_cannot_be_explained() {
    let place = Place::new();
    let out = place.path("why");
    let output = highwater(&["why", "--scenario", "rolling-restart", "--seed", "1", "--out", &out]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(said(&output).contains("nothing to explain"), "{}", said(&output));
    assert!(!Path::new(&out).exists());
    let output = highwater(&["why", &place.path("nowhere.json"), "--out", &out]);
    assert_eq!(code(&output), 65, "{}", said(&output));
    // A file without its faults: what it kept breaks no more.
    let text = fs::read_to_string(kept(&place)).expect("it can be read");
    let mut edited: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    edited["plan"]["storm"]["strikes"] = serde_json::Value::Array(Vec::new());
    let output = highwater(&["why", &place.file("edited.json", &edited.to_string()), "--out", &out]);
    assert_eq!(code(&output), 3, "{}", said(&output));
    assert!(said(&output).contains("the program has changed since, or the file has"), "{}", said(&output));
}

#[test]
fn diff_says_where_two_runs_part_and_by_its_exit_code_whether_they_do() {
    let place = Place::new();
    let file = kept(&place);
    let output = highwater(&["diff", &file, &file]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    assert!(said(&output).contains("EQUAL"), "{}", said(&output));
    for arguments in [&["diff", &file, &file, "--protocol-b", "LATEST"][..], &["diff", &file, "canary:2"]] {
        let output = highwater(arguments);
        assert_eq!(code(&output), 1, "{}", said(&output));
        for says in ["DIFFERENT at", "then A", "then B", "the first of these differ in"] {
            assert!(said(&output).contains(says), "{says}: {}", said(&output));
        }
    }
}

#[test]
fn diff_reads_the_trace_that_another_build_wrote() {
    let place = Place::new();
    let file = kept(&place);
    let replayed = highwater(&["replay", &file, "--trace", "json"]);
    let trace = String::from_utf8(replayed.stdout).expect("JSON is text");
    let whole = place.file("whole.jsonl", &trace);
    let output = highwater(&["diff", &whole, &file]);
    assert_eq!(code(&output), 0, "{}", said(&output));
    let cut: String = trace.lines().take(200).flat_map(|line| [line, "\n"]).collect();
    let output = highwater(&["diff", &place.file("cut.jsonl", &cut), &whole]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("after 200 facts") && said(&output).contains("has ended"), "{}", said(&output));
    let torn = place.file("torn.jsonl", &trace[..cut.len() + 40]);
    let output = highwater(&["diff", &torn, &whole]);
    assert_eq!(code(&output), 65, "{}", said(&output));
    assert!(
        said(&output).contains("torn.jsonl: line 201") && said(&output).contains("--trace json"),
        "{}",
        said(&output)
    );
}
