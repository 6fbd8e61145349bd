//! Unclean election: a choice between being available and keeping what was acknowledged.

use std::time::Duration;

use scenarios::strategies::brisk;
use scenarios::{known_bugs, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;

fn two(unclean: bool) -> Cluster {
    brisk(Cluster::of(2).min_isr(1).unclean_leader_election(unclean))
}

#[test]
fn without_unclean_election_a_partition_waits_for_somebody_in_sync_and_loses_nothing() {
    let told = scenario(two(false), |world| known_bugs::stories::an_out_of_sync_replica_is_left_alone(world));
    told.sometimes("nobody led", seen::leaderless);
    for (seed, outcome) in told.runs() {
        assert_eq!(outcome.lost.lost, 0, "seed {seed}");
    }
}

#[test]
fn with_unclean_election_the_partition_is_led_again_and_the_loss_is_seen_and_allowed() {
    let told = scenario(two(true), |w| {
        known_bugs::stories::an_out_of_sync_replica_is_left_alone(w);
        w.send(5);
        w.run_for(Duration::from_secs(5));
    });
    assert!(told.runs().iter().any(|(_, outcome)| outcome.lost.lost > 0), "the records of the ISR of one are gone");
}
