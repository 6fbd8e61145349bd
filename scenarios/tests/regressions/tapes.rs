//! Every tape, run again: a planted bug is reproduced, what Kafka's own protocol once broke here stays fixed.

use std::fmt::Write as _;

use model::protocol::Protocol;
use scenarios::known_bugs::{self, Breaks};
use scenarios::run::Verdict;
use scenarios::tape::{Fate, Played, play};

use crate::kept::{Tape, tapes};

/// More facts than these, of all tapes together, would make everybody wait.
const MOST_FACTS: u64 = 400_000;

/// Protocols that break no promise, as far as anybody knows.
const SOUND: [Protocol; 3] = [Protocol::LATEST, Protocol::KAFKA_4_1, Protocol::ZOOKEEPER];

/// Whether a tape has a protocol that breaks a promise.
pub(crate) fn is_planted(tape: &Tape) -> bool {
    !SOUND.contains(&tape.failure.plan.cluster.protocol)
}

fn wanted(tape: &Tape) -> Fate {
    if is_planted(tape) { Fate::Reproduced } else { Fate::Fixed }
}

#[test]
fn every_tape_of_a_planted_bug_is_reproduced_and_every_other_one_is_fixed() {
    let tapes = tapes();
    assert!(tapes.len() >= 10, "only {} tapes", tapes.len());
    let (mut table, mut as_wanted, mut facts) = (String::new(), true, 0);
    for tape in &tapes {
        let played = play(&tape.failure);
        as_wanted &= played.fate == wanted(tape);
        facts += played.outcome.facts;
        say(&mut table, tape, &played);
    }
    println!("{table}");
    assert!(
        as_wanted,
        "\n{table}a planted bug that its tape no longer finds needs a new one:\n  cargo test --release -p scenarios --test \
         regressions -- --ignored hunt"
    );
    assert!(facts <= MOST_FACTS, "{facts} facts: {MOST_FACTS} are as many as anybody waits for; keep smaller tapes");
}

fn say(table: &mut String, tape: &Tape, played: &Played) {
    writeln!(table, "  {:60} {played}, {} facts", tape.name, played.outcome.facts).expect("text grows");
    for note in tape.notes.iter().chain(&played.missed) {
        writeln!(table, "      {note}").expect("text grows");
    }
}

#[test]
fn under_the_protocol_that_mended_it_no_tape_breaks_anything() {
    for tape in tapes() {
        let mut plan = tape.failure.plan;
        let Some(bug) =
            known_bugs::all().find(|bug| bug.breaks != Breaks::Nothing && bug.protocol == plan.cluster.protocol)
        else {
            continue;
        };
        plan.cluster.protocol = bug.mended().protocol;
        let outcome = scenarios::run(&plan);
        assert_eq!(outcome.verdict(), Verdict::Held, "{}: {:?}", tape.name, outcome.violations.first());
    }
}

#[test]
fn a_tape_says_which_program_made_it_and_has_digests_along_the_way() {
    for tape in tapes() {
        assert!(!tape.failure.program.is_empty(), "{}", tape.name);
        assert_ne!(tape.failure.checkpoints, scenarios::tape::Checkpoints::default(), "{}", tape.name);
    }
}
