//! Random schedules: C3, C10, C18, C21, C28, C29; and each planted answer is seen to break one of them.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::stage::{Act, Stage};
use crate::protocol::{Quorum, Resuming, Syncing, Voting};

/// Mostly messages arrive and time passes, and something is appended; now and then somebody goes.
fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        40 => any::<usize>().prop_map(Act::Deliver),
        3 => any::<usize>().prop_map(Act::Lose),
        12 => (0_usize..3).prop_map(Act::Tick),
        8 => any::<usize>().prop_map(Act::Append),
        2 => any::<usize>().prop_map(Act::Crash),
        2 => any::<usize>().prop_map(Act::PowerOff),
    ]
}

fn schedule(length: usize) -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), length / 2..length)
}

fn run(voters: u32, protocol: Quorum, acts: &[Act]) -> Stage {
    let mut stage = Stage::new(voters, protocol);
    for &act in acts {
        stage.act(act);
    }
    stage
}

/// The first schedule that breaks something, of so many.
fn broken_within(schedules: u32, protocol: Quorum) -> Option<String> {
    let config = Config { cases: schedules, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut found = None;
    for _ in 0..schedules {
        let acts = schedule(500).new_tree(&mut runner).expect("a schedule can be drawn").current();
        found = found.or_else(|| run(3, protocol, &acts).broken().map(str::to_owned));
        if found.is_some() {
            break;
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_schedule_breaks_a_promise_of_three_voters(acts in schedule(500)) {
        let stage = run(3, Quorum::LATEST, &acts);
        prop_assert_eq!(stage.broken(), None);
    }

    #[test]
    fn no_schedule_breaks_a_promise_of_five_voters(acts in schedule(700)) {
        let stage = run(5, Quorum::LATEST, &acts);
        prop_assert_eq!(stage.broken(), None);
    }

    #[test]
    fn when_the_worst_is_over_somebody_leads_and_more_is_committed(acts in schedule(300)) {
        let mut stage = run(3, Quorum::LATEST, &acts);
        let before = stage.commits();
        for nth in 0..6_000 {
            stage.act(if nth % 6 == 5 { Act::Tick(0) } else { Act::Deliver(0) });
            if nth % 100 == 0 {
                (0..3).for_each(|place| stage.act(Act::Append(place)));
            }
        }
        prop_assert!(stage.commits() > before, "C29");
        prop_assert_eq!(stage.broken(), None);
    }
}

#[test]
fn a_voter_that_forgets_its_vote_is_caught() {
    let planted = Quorum { voting: Voting::Forgetful, ..Quorum::LATEST };
    let broken = broken_within(400, planted).expect("it breaks something");
    assert!(broken.contains("votes for two") || broken.contains("lead in epoch"), "{broken}");
}

#[test]
fn a_voter_that_votes_for_anybody_is_caught() {
    let planted = Quorum { voting: Voting::ForAnybody, ..Quorum::LATEST };
    let broken = broken_within(400, planted).expect("it breaks something");
    assert!(broken.contains("without all that is committed"), "{broken}");
}

#[test]
fn a_voter_that_does_not_sync_is_caught() {
    let planted = Quorum { syncing: Syncing::Never, ..Quorum::LATEST };
    assert!(broken_within(1_000, planted).is_some());
}

#[test]
fn a_leader_that_leads_on_after_a_restart_is_caught() {
    // With lost records it would write others in their place, in the same epoch.
    let planted = Quorum { resuming: Resuming::Leading, syncing: Syncing::Never, ..Quorum::LATEST };
    assert!(broken_within(1_000, planted).is_some());
}
