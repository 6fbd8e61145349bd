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
fn one_kind_of_message_is_held_and_all_others_pass() {
    // One fetch waits at the leader already; the next one waits in the network.
    let begin = ["cluster brokers=2 min_isr=1", "hold b2 b1 only=Fetch", "produce 1", "run 1s", "produce 1", "run 1s"];
    let held = last_answer(&[&begin[..], &["show pile"]].concat());
    assert!(held.contains("b2 -> b1  Fetch"), "{held}");
    assert_eq!(last_answer(&[&begin[..], &["show log b2"]].concat()), "b2 records-0: 0/e0=1");
    let released = [&begin[..], &["release b2 b1 only=Fetch", "run 100ms", "show log b2"]].concat();
    assert_eq!(last_answer(&released), "b2 records-0: 0/e0=1 1/e0=2");
}

#[test]
fn nothing_passes_between_who_is_cut_off_until_it_is_mended() {
    let begin = ["cluster brokers=2 min_isr=1", "cut b2 b1", "produce 1", "run 1s"];
    assert_eq!(last_answer(&[&begin[..], &["show log b2"]].concat()), "b2 records-0: empty");
    for mending in ["mend b2 b1", "heal"] {
        let healed = [&begin[..], &[mending, "run 5s", "show log b2"]].concat();
        assert_eq!(last_answer(&healed), "b2 records-0: 0/e0=1");
    }
    let isolated = ["cluster brokers=2 min_isr=1", "isolate b1", "run 20s", "show isr"];
    assert_eq!(last_answer(&isolated), "records-0 led by b2 in epoch 1, ISR [b2]");
}

#[test]
fn a_power_cut_leaves_of_what_was_not_synced_what_the_script_says() {
    let after = |cut: &str| {
        let script = ["cluster brokers=1 min_isr=1", "produce 2", "run 1s", cut, "restart b1", "run 1s", "show log"];
        last_answer(&script)
    };
    assert_eq!(after("poweroff b1 keeping=everything"), "b1 records-0: 0/e0=1 1/e0=2");
    assert_eq!(after("poweroff b1 keeping=nothing"), "b1 records-0: empty");
    assert_eq!(after("wipe b1"), "b1 records-0: empty");
    assert_eq!(after("crash b1"), "b1 records-0: 0/e0=1 1/e0=2");
}

#[test]
fn a_process_dies_in_the_disk_call_that_the_script_names() {
    let said = last_answer(&["cluster brokers=1 min_isr=1", "dies b1 calls=1", "produce 1", "run 1s"]);
    assert!(said.starts_with("b1   crashed"), "{said}");
}

#[test]
fn a_clock_that_jumps_ends_what_was_to_last_longer() {
    let begin = ["cluster brokers=2 min_isr=1", "hold b2 b1 only=Fetch", "produce 1", "run 100ms"];
    let shrinks = |more: &[&str]| last_answer(&[&begin[..], more, &["run 10s", "show isr"]].concat());
    assert_eq!(shrinks(&[]), "records-0 led by b1 in epoch 0, ISR [b1 b2]");
    assert_eq!(shrinks(&["clock b1 +60s"]), "records-0 led by b1 in epoch 0, ISR [b1]");
}

#[test]
fn an_operator_moves_elects_sets_and_deletes() {
    let begin = ["cluster brokers=2 min_isr=1", "produce 3", "run 1s"];
    let after = |more: &[&str]| last_answer(&[&begin[..], more].concat());
    let elected = after(&["reassign b2 b1", "run 1s", "elect", "run 1s", "show isr"]);
    assert!(elected.starts_with("records-0 led by b2 in epoch 1, ISR"), "{elected}");
    let refused = after(&["set min.insync.replicas=3", "crash b2", "run 20s", "produce 1", "run 1s"]);
    assert!(refused.contains("NOT_ENOUGH_REPLICAS"), "{refused}");
    let deleted = after(&["delete-records 2", "run 1s"]);
    assert!(deleted.contains("is told that records-0 begins at 2 everywhere"), "{deleted}");
}

#[test]
fn epochs_are_shown_as_they_lie_on_disk() {
    let script = ["cluster brokers=2 min_isr=1", "produce 2", "run 1s", "crash b1", "run 20s", "produce 1", "run 1s"];
    assert_eq!(last_answer(&[&script[..], &["show epochs b2"]].concat()), "b2 records-0: e0@0 e1@2");
}

#[test]
fn lost_connections_are_told_unless_the_script_does_not_want_them() {
    let told = |more: &[&str]| last_answer(&[&["cluster brokers=2"][..], more, &["crash b1", "run 1s"]].concat());
    assert!(told(&[]).contains("lost the connection"));
    assert!(!told(&["connections off"]).contains("lost the connection"));
}

#[test]
fn another_answer_to_a_question_is_another_protocol() {
    let refused = play("cluster brokers=1 protocol.shrinking=Never\n----\n").unwrap_err();
    assert!(refused.what.contains("OnceConfirmed"), "{refused}");
    assert!(
        play("cluster brokers=1 protocol.shrinking=AtOnce protocol.storage.marker=GoneAfterLoading\n----\n").is_ok()
    );
}

#[test]
fn a_command_that_does_not_exist_is_an_error() {
    let error = play("cluster brokers=1\n----\n\ndance\n----\n").unwrap_err();
    assert_eq!(error.to_string(), "line 4: there is no command dance");
    assert!(play("show log\n----\n").unwrap_err().to_string().contains("no cluster yet"));
    assert!(play("cluster brokers=1 protocol=OLD\n----\n").is_err());
}
