//! Small plays.

use crate::script::play;

/// Puts a script together from commands alone, plays it, and returns the answer to the last command.
fn last_answer(commands: &[&str]) -> String {
    let script: String = commands.iter().map(|command| format!("{command}\n----\n\n")).collect();
    let played = play(&script).unwrap_or_else(|error| panic!("{error}\n{script}"));
    println!("{played}");
    played.trim_end().rsplit("----\n").next().unwrap().to_owned()
}

#[test]
fn what_is_produced_is_in_every_log() {
    let log = last_answer(&["cluster brokers=3 min_isr=2", "produce 2", "run 1s", "show log"]);
    assert_eq!(log, "b1 records-0: 0/e0=1 1/e0=2\nb2 records-0: 0/e0=1 1/e0=2\nb3 records-0: 0/e0=1 1/e0=2");
}

#[test]
fn what_is_held_waits_for_a_hand() {
    let begin = ["cluster brokers=2", "hold c1 b1", "produce 1", "run 100ms"];
    let held = last_answer(&[&begin[..], &["show pile"]].concat());
    assert!(held.ends_with("c1 -> b1  Produce records-0: 1 records"), "{held}");
    let delivered = last_answer(&[&begin[..], &["deliver from=c1", "show log b1"]].concat());
    assert_eq!(delivered, "b1 records-0: 0/e0=1");
}

#[test]
fn a_crashed_leader_is_followed_by_another() {
    let isr = last_answer(&["cluster brokers=2", "produce 1", "run 1s", "crash b1", "run 20s", "show isr"]);
    assert_eq!(isr, "records-0 led by b2 in epoch 1, ISR [b2]");
    let back = ["cluster brokers=2", "produce 1", "run 1s", "crash b1", "run 20s", "restart b1", "run 10s", "show isr"];
    assert_eq!(last_answer(&back), "records-0 led by b2 in epoch 1, ISR [b2 b1]");
}

#[test]
fn a_play_is_the_same_every_time() {
    let commands = ["cluster brokers=3", "messages on", "produce 3", "run 2s", "drop b1 b2", "run 2s"];
    assert_eq!(last_answer(&commands), last_answer(&commands));
}

#[test]
fn a_command_that_does_not_exist_is_an_error() {
    let error = play("cluster brokers=1\n----\n\ndance\n----\n").unwrap_err();
    assert_eq!(error.to_string(), "line 4: there is no command dance");
    assert!(play("show log\n----\n").unwrap_err().to_string().contains("no cluster yet"));
    assert!(play("cluster brokers=1 protocol=OLD\n----\n").is_err());
}
