use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::known_bugs;
use crate::run::run;
use crate::search::{Ground, LADDER};

fn small(bug: &str, horizon: u64) -> SmallWorld {
    let ground = Ground::of(known_bugs::named(bug).unwrap());
    SmallWorld::of(&ground, Some(2), 2, Duration::from_secs(horizon))
}

fn explored(small: &SmallWorld, depth: u32, merges: bool) -> Tally {
    Exploration::begin(small, Bounds { depth, merges }).unwrap().all(&|_| true)
}

#[test]
fn what_is_found_in_a_fork_is_found_again_as_a_plan_run_from_the_beginning() {
    // A leader that moves its high watermark alone.
    let found = explored(&small("P04", 3), 1, true);
    assert!(!found.broken.is_empty());
    for (fingerprint, broken) in &found.broken {
        let again = run(&broken.plan);
        assert_eq!(again.fingerprint().as_ref(), Some(fingerprint));
        assert!(broken.depth <= 1 && broken.plan.storm.strikes.len() <= 2);
    }
}

#[test]
fn merging_hides_no_way_in_which_something_breaks_within_a_small_bound() {
    let ways = |tally: &Tally| tally.broken.keys().cloned().collect::<BTreeSet<String>>();
    let mut merged = 0;
    for bug in ["P04", "P07", "B08"] {
        let small = small(bug, 3);
        let (with, without) = (explored(&small, 2, true), explored(&small, 2, false));
        assert_eq!(ways(&with), ways(&without), "{bug}");
        assert_eq!((without.merged, without.states), (0, 0));
        assert!(with.steps < without.steps);
        merged += with.merged;
    }
    assert!(merged > 0);
}

#[test]
fn nothing_is_found_in_the_latest_protocol_and_forking_makes_fewer_steps_than_starting_over() {
    let ground = LADDER[8].ground();
    let small = SmallWorld::of(&ground, None, 2, Duration::from_secs(3));
    let found = explored(&small, 1, true);
    assert!(found.broken.is_empty(), "{:?}", found.broken.keys());
    assert!(found.leaves + found.merged > 30 && found.points > 5 && !found.cut_short, "{found:?}");
    assert!(found.steps < found.steps_from_the_start);
}

#[test]
fn branches_are_the_same_in_any_order_and_one_that_is_called_off_says_so() {
    let exploration = Exploration::begin(&small("P04", 2), Bounds { depth: 1, merges: true }).unwrap();
    let numbers = |tally: &Tally| (tally.leaves, tally.merged, tally.steps, tally.states);
    let forth: Vec<_> = (0..exploration.branches()).map(|nth| numbers(&exploration.branch(nth, &|_| true))).collect();
    let back: Vec<_> =
        (0..exploration.branches()).rev().map(|nth| numbers(&exploration.branch(nth, &|_| true))).collect();
    assert!(forth.len() > 10 && forth.iter().eq(back.iter().rev()));
    assert!(exploration.branch(0, &|_| false).cut_short);
}
