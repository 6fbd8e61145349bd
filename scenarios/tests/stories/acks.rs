//! What each `acks` may lose, and what it may not.

use std::time::Duration;

use model::config::Acks;
use scenarios::scripted::tell;
use scenarios::strategies::brisk;
use scenarios::{Outcome, World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;

fn cluster(acks: Acks) -> Cluster {
    brisk(Cluster::of(3).min_isr(1).acks(acks))
}

/// Records that reach the leader and nobody else, and then no leader any more.
fn the_leader_dies_with_records_of_its_own(w: &mut World) {
    w.produce(10);
    w.settle();
    let leader = w.leader();
    for follower in w.followers() {
        w.cut(leader, follower);
    }
    w.send(10);
    w.run_for(Duration::from_millis(500));
    w.destroy(leader);
    w.until(seen::led);
    w.heal_network();
    w.quiet();
}

/// Values that were acknowledged and that the reader at the end has not seen.
fn acked_and_gone(outcome: &Outcome) -> usize {
    use model::event::Event;
    use sim::fact::{Chapter, What};
    let trace = outcome.trace.as_deref().expect("scripts keep their traces");
    let read_back = trace.iter().position(|fact| matches!(fact.what, What::Chapter(Chapter::ReadBack)));
    let read: std::collections::BTreeSet<_> = trace[read_back.expect("everything was read back")..]
        .iter()
        .filter_map(|fact| match fact.event() {
            Some(Event::Polled { records, .. }) => Some(records.iter().map(|&(_, value)| value)),
            _ => None,
        })
        .flatten()
        .collect();
    let acked = trace.iter().filter_map(|fact| match fact.event() {
        Some(Event::Acked { values, .. }) => Some(values.iter()),
        _ => None,
    });
    acked.flatten().filter(|value| !read.contains(value)).count()
}

#[test]
fn acks_all_loses_nothing_that_it_acknowledged() {
    let told = scenario(cluster(Acks::All), the_leader_dies_with_records_of_its_own);
    for (seed, outcome) in told.runs() {
        assert_eq!(acked_and_gone(outcome), 0, "seed {seed}");
        assert_eq!(outcome.lost.lost, 0, "seed {seed}");
    }
}

#[test]
fn acks_1_may_lose_what_only_the_leader_had_and_nothing_else() {
    let told = scenario(cluster(Acks::Leader), the_leader_dies_with_records_of_its_own);
    let lost: Vec<usize> = told.runs().iter().map(|(_, outcome)| acked_and_gone(outcome)).collect();
    assert!(lost.iter().any(|&lost| lost > 0), "acks=1 was acknowledged by the leader alone and is gone: {lost:?}");
    assert!(lost.iter().all(|&lost| lost <= 10), "what all replicas had is still there: {lost:?}");
}

#[test]
fn acks_0_may_lose_what_never_arrived() {
    let outcomes: Vec<Outcome> = (0..5)
        .map(|seed| {
            tell(&cluster(Acks::None), seed, &|w: &mut World| {
                w.produce(10);
                w.crash(w.leader());
                w.send(20);
                w.run_for(Duration::from_secs(5));
            })
        })
        .collect();
    for outcome in &outcomes {
        assert_eq!(outcome.panicked, None);
        assert_eq!(outcome.violations, Vec::new());
    }
    assert!(outcomes.iter().any(|outcome| acked_and_gone(outcome) > 0), "something was sent into the void");
}

#[test]
fn without_faults_no_acks_loses_anything() {
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        let told = scenario(cluster(acks), |w| {
            for _ in 0..5 {
                w.produce(10);
            }
            w.quiet();
        });
        for (seed, outcome) in told.runs() {
            assert_eq!(outcome.measures.counts.acked, 50, "seed {seed}, {acks:?}");
            assert_eq!(acked_and_gone(outcome), 0, "seed {seed}, {acks:?}");
        }
    }
}
