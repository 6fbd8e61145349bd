//! What published models of the protocol claim, line by line: R5 (KIP-497), R6 (the design of Kafka 3.5), R7 (KIP-966).
//!
//! A line is a rule that the models need. Its play does harm without the rule, and none with it.

use crate::transcripts::{Harm, PLAYS, Play};

/// A line of a reference.
struct Line {
    /// What is taken out of the model.
    without: &'static str,
    /// How long the shortest trace of the model checker is to the first violation; `None` if it found none in its time.
    shortest: Option<u32>,
    /// The play that meets it.
    about: &'static str,
    /// What the play does without the rule.
    harm: Harm,
}

const fn line(without: &'static str, shortest: Option<u32>, about: &'static str, harm: Harm) -> Line {
    Line { without, shortest, about, harm }
}

/// R5: four variants of the in-sync set. The fourth, the union with what is proposed, is the one in use, and safe.
const KIP_497: [Line; 3] = [
    line("the committed set alone", Some(7), "lost_expand_reply", Harm::Lost),
    line("the proposed set at once", Some(4), "lost_shrink_reply", Harm::Lost),
    line("no version check", Some(7), "overtaken_proposal", Harm::Lost),
];

/// R6: what the authors mark as necessary, and the one scenario that the design does not cover.
const KAFKA_3_5: [Line; 8] = [
    line("eligible leader replicas", Some(8), "last_replica", Harm::Lost),
    line("the broker-epoch check", Some(14), "kip_903", Harm::Lost),
    line("the maximal in-sync set", Some(6), "lost_expand_reply", Harm::Lost),
    line("the maximal in-sync set, of a shrink", Some(2), "lost_shrink_reply", Harm::Lost),
    line("the high-watermark test of newcomers", Some(9), "no_high_watermark_test", Harm::Lost),
    line("the partition-epoch test", Some(9), "overtaken_proposal", Harm::Lost),
    line("the unfenced test", None, "kip_841", Harm::FencedInSync),
    line("the epoch-start test", None, "kafka_7128", Harm::Lost),
];

/// R7: what eligible leader replicas rest on.
const KIP_966: [Line; 2] = [
    line("the high watermark stays below the minimum", Some(4), "commit_below_minimum", Harm::ReadInVain),
    line("who returns uncleanly is not eligible", Some(11), "unclean_return", Harm::Lost),
];

fn play_of(line: &Line) -> Play {
    *PLAYS.iter().find(|play| play.about == line.about).unwrap_or_else(|| panic!("there is no play {}", line.about))
}

/// Fails, with the table, unless each line's play does its harm without the rule and none with it.
fn hold(reference: &str, lines: &[Line]) {
    let mut table = format!("{reference}\n  {:44} {:>4}  {:24} kept with it\n", "without", "L", "harm");
    let mut as_claimed = true;
    for line in lines {
        let [without, with] = play_of(line).harms();
        as_claimed &= without.contains(&line.harm) && with.is_empty();
        let shortest = line.shortest.map_or_else(|| "none".to_owned(), |length| length.to_string());
        table += &format!("  {:44} {shortest:>4}  {:24} {with:?}\n", line.without, format!("{without:?}"));
    }
    assert!(as_claimed, "\n{table}");
}

#[test]
fn r5_only_the_union_with_what_is_proposed_is_safe() {
    hold("R5: KIP-497, the in-sync set while a change of it is under way", &KIP_497);
}

#[test]
fn r6_each_line_that_is_claimed_necessary_is() {
    hold("R6: the design of Kafka 3.5", &KAFKA_3_5);
}

/// The authors name the last replica standing as the one scenario that the design does not cover.
#[test]
fn r6_the_last_replica_standing_is_the_one_that_the_design_does_not_cover() {
    let uncovered: Vec<&str> = KAFKA_3_5
        .iter()
        .map(play_of)
        .filter(|play| {
            let [before, since] = play.harms();
            let under_latest = [(play.before, before), (play.since, since)];
            under_latest.iter().any(|(protocol, harms)| *protocol == "latest" && !harms.is_empty())
        })
        .map(|play| play.about)
        .collect();
    assert_eq!(uncovered, ["last_replica"]);
}

#[test]
fn r7_without_either_rule_eligible_replicas_lose() {
    hold("R7: KIP-966", &KIP_966);
}
