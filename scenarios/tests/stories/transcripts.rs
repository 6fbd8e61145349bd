//! Plays in which every message is in somebody's hand. `UPDATE=1 cargo test transcripts` rewrites the answers.

use std::fs;
use std::path::PathBuf;

use sim::script;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

#[test]
fn the_play_of_kip_101_under_kafka_0_10_goes_as_written() {
    script::check(file("kip_101_kafka_0_10.txt"));
}

#[test]
fn the_play_of_kip_101_under_the_latest_protocol_goes_as_written() {
    script::check(file("kip_101_latest.txt"));
}

#[test]
fn the_two_plays_differ_in_their_protocol_and_in_what_comes_of_it() {
    let read = |name: &str| fs::read_to_string(file(name)).expect("the transcript is there");
    let (old, new) = (read("kip_101_kafka_0_10.txt"), read("kip_101_latest.txt"));
    let commands = |text: &str| -> Vec<String> {
        let lines: Vec<&str> = text.lines().collect();
        lines.windows(2).filter(|pair| pair[1] == "----").map(|pair| pair[0].to_owned()).collect()
    };
    assert_eq!(commands(&old).len(), commands(&new).len(), "both do the same");
    let told_apart: Vec<(String, String)> =
        commands(&old).into_iter().zip(commands(&new)).filter(|(old, new)| old != new).collect();
    assert_eq!(told_apart.len(), 1, "only the protocol is another: {told_apart:?}");
    assert!(told_apart[0].0.starts_with("cluster"));
    assert!(old.contains("cut "), "under 0.10 the last replica cuts what is committed");
    assert!(!new.contains("cut "), "today nobody cuts anything");
}
