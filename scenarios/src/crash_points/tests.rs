//! Points struck, forked and replayed; a planted bug found by them.

use std::collections::BTreeSet;
use std::time::Duration;

use model::protocol::{Protocol, Truncation};
use sim::dice::Dice;
use sim::fact::{Chapter, Ending, Fact, What};

use super::*;
use crate::catalogue;
use crate::run::{run, run_traced};

fn line(seed: u64) -> Line {
    Line::of(&catalogue::named("small-logs").unwrap().plan(seed)).unwrap()
}

#[test]
fn a_name_is_read_as_it_is_written() {
    for text in ["b2:1234:after:power", "b1:7:amid:kill", "b3:9:before:power+12:after:kill", "b1:2:after:state-3-of-16"]
    {
        assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
    }
    for (text, says) in [
        ("", "no colon"),
        ("2:1:before:kill", "no broker"),
        ("b2:0:before:kill", "from 1"),
        ("b2:1:before", "2 parts"),
        ("b2:1:during:kill", "`during`"),
        ("b2:1:before:water", "`water`"),
        ("b2:1:before:state-3-of-3", "state-N-of-BOUND"),
        ("b2:9:before:kill+9:after:kill", "does not come after"),
    ] {
        let error = text.parse::<Point>().unwrap_err().to_string();
        assert!(error.contains(says) && error.contains("b2:1234:after:power"), "{text}: {error}");
    }
}

/// A few of every kind, and a few in the recoveries after them.
fn some(line: &Line, trials: &Trials<'_>, most: u64) -> Vec<Candidate> {
    let mut some = choose(line.candidates(), most, Dice::new(1)).chosen;
    let firsts: Vec<Candidate> = some.iter().step_by(some.len() / 3).copied().collect();
    for first in firsts {
        some.extend(choose(trials.candidates_after(&first).unwrap(), 3, Dice::new(1)).chosen);
    }
    some
}

#[test]
fn a_point_forked_from_the_run_and_run_from_the_beginning_are_the_same_fact_by_fact() {
    let line = line(1);
    let trials = Trials::of(&line);
    let points = some(&line, &trials, 20);
    assert!(points.iter().filter(|candidate| candidate.point.again.is_some()).count() >= 6);
    for candidate in points {
        let tried = trials.strike(&candidate);
        assert_eq!(run(&tried.plan).digest, tried.outcome.digest, "{}", candidate.point);
    }
}

#[test]
fn the_points_named_are_the_points_struck() {
    let line = line(2);
    let trials = Trials::of(&line);
    for candidate in some(&line, &trials, 12) {
        let tried = trials.strike(&candidate);
        assert_eq!(tried.outcome.inconclusive, None, "{}", candidate.point);
        let trace = run_traced(&tried.plan).trace.unwrap();
        let begun = trace.iter().find(|fact| matches!(fact.what, What::Chapter(Chapter::Begun))).unwrap().at;
        let ending = match candidate.point.last().how {
            How::Kill => Ending::Crashed,
            How::Power | How::Leaving { .. } => Ending::PoweredOff,
        };
        let stops = |fact: &Fact| {
            (fact.node, fact.at) == (Some(candidate.point.broker.into()), begun + candidate.at)
                && fact.what == What::Stopped { how: ending }
        };
        assert!(trace.iter().any(stops), "{}", candidate.point);
        assert_eq!(trials.find(candidate.point).unwrap(), candidate, "a name leads back to its point");
    }
}

#[test]
fn a_call_that_nobody_makes_is_refused_with_those_that_are_made() {
    let line = line(1);
    let error = Trials::of(&line).find("b1:999999:before:kill".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("b1 makes no disk call 999999") && error.contains(" to "), "{error}");
}

#[test]
fn every_call_is_among_the_candidates_and_a_choice_says_how_many_of_how_many() {
    let line = line(1);
    let all = line.candidates();
    let calls: BTreeSet<_> = all.iter().map(|candidate| (candidate.point.broker, candidate.point.first.call)).collect();
    assert_eq!(calls.len() as u64, line.calls());
    let choice = choose(all.clone(), 100, Dice::new(1));
    assert_eq!((choice.chosen.len() as u64, choice.of()), (100, all.len() as u64));
    assert_eq!(choice.strata.values().map(|(chosen, _)| chosen).sum::<u64>(), 100);
    assert!(choice.chosen.is_sorted_by_key(|candidate| candidate.first_at));
    assert_eq!(choose(all.clone(), u64::MAX, Dice::new(1)).chosen.len(), all.len());
}

#[test]
fn a_planted_bug_that_the_run_itself_does_not_show_is_found_in_a_crash_point_and_kept_as_a_plan() {
    let mut plan = catalogue::named("small-logs").unwrap().plan(1);
    plan.storm.strikes.clear();
    plan.length = Duration::from_secs(2);
    plan.cluster.protocol.truncation = Truncation::HighWatermark;
    assert_eq!(run(&plan).fingerprint(), None, "nothing is wrong as long as nobody crashes");
    let line = Line::of(&plan).unwrap();
    let trials = Trials::of(&line);
    let points = choose(line.candidates(), 60, Dice::new(1)).chosen;
    let found = points.iter().map(|point| trials.strike(point)).find(|tried| tried.recovery == Recovery::Violated);
    let found = found.expect("the truncation of Kafka 0.10 cuts what is committed");
    assert_eq!(run(&found.plan).fingerprint(), found.outcome.fingerprint());
    plan.cluster.protocol = Protocol::LATEST;
    let line = Line::of(&plan).unwrap();
    let same = Trials::of(&line).strike(&line.candidate(found.candidate.point).unwrap());
    assert_eq!(same.recovery, Recovery::Whole, "the same point without the bug");
}

#[test]
fn what_was_counted_before_the_fork_is_not_the_points_evidence() {
    let line = line(1);
    let point = *choose(line.candidates(), 1, Dice::new(3)).chosen.first().unwrap();
    let tried = Trials::of(&line).strike(&point);
    let whole = run(&tried.plan);
    assert!(tried.outcome.facts < whole.facts && tried.outcome.simulated < whole.simulated);
    let deaths = |outcome: &crate::Outcome| outcome.measures.counts.deaths;
    assert!(deaths(&tried.outcome) >= 1 && deaths(&tried.outcome) <= deaths(&whole));
    for ((_, own), (_, all)) in tried.outcome.exercised.iter().zip(&whole.exercised) {
        assert!(own <= all);
    }
}

#[test]
fn a_legal_state_left_in_a_fork_and_from_the_beginning_is_the_same_run() {
    let line = line(1);
    let trials = Trials::of(&line);
    let mut judged = 0;
    for boundary in choose(boundaries(&line), 6, Dice::new(2)).chosen {
        let found = trials.enumerate(&boundary, 6);
        assert!(found.tried <= 6 && u128::from(found.tried) <= found.legal);
        assert!(!found.distinct.is_empty() && found.distinct.len() as u64 <= found.tried);
        for tried in found.distinct.iter().rev().take(2) {
            assert_eq!(tried.outcome.inconclusive, None, "{}", tried.candidate.point);
            assert_eq!(run(&tried.plan).digest, tried.outcome.digest, "{}", tried.candidate.point);
            judged += 1;
        }
    }
    assert!(judged > 6);
}

#[test]
fn boundaries_with_few_legal_states_are_tried_to_the_last_and_states_that_recover_alike_are_judged_once() {
    let line = line(1);
    let trials = Trials::of(&line);
    let few = choose(boundaries(&line), 40, Dice::new(1)).chosen.into_iter().filter(|boundary| {
        // What is pending at a start or at the end of an orderly shutdown is little.
        boundary.class.phase == Phase::StartUp || boundary.class.path == PathKind::Marker
    });
    let found: Vec<Boundary> = few.take(6).map(|boundary| trials.enumerate(&boundary, 64)).collect();
    assert!(found.iter().any(|found| found.legal > 1 && u128::from(found.tried) == found.legal), "{found:?}");
    assert!(found.iter().any(|found| (found.distinct.len() as u64) < found.tried));
}

#[test]
fn a_planted_bug_is_found_in_a_legal_state() {
    let mut plan = catalogue::named("small-logs").unwrap().plan(1);
    plan.storm.strikes.clear();
    plan.length = Duration::from_secs(2);
    plan.cluster.protocol.truncation = Truncation::HighWatermark;
    let line = Line::of(&plan).unwrap();
    let trials = Trials::of(&line);
    let syncs = choose(boundaries(&line), 20, Dice::new(1)).chosen;
    let worst = syncs.iter().flat_map(|sync| trials.enumerate(sync, 4).distinct).map(|tried| tried.recovery).max();
    assert_eq!(worst, Some(Recovery::Violated));
}
