//! KIP-101: a returning follower used to cut its log at its own high watermark, and could lose what was committed.

use model::protocol::{Protocol, Returning};
use scenarios::strategies::brisk;
use scenarios::{Guarantee, World, first_violation, known_bugs, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;

/// Case 1 as the KIP tells it: a follower returns, and the leader dies before it has caught up again.
fn bounce_a_follower_then_lose_the_leader(w: &mut World) {
    w.produce(5);
    let (leader, follower) = (w.leader(), w.followers()[0]);
    w.crash(follower);
    w.restart(follower);
    w.until(|fact| seen::followed_by(fact, follower));
    w.crash(leader);
    w.until(|fact| seen::led_by(fact, follower));
}

#[test]
fn before_kip_101_a_returning_follower_could_lose_the_last_record() {
    // In those days, a broker that was back before its session had ended kept its place in the in-sync set.
    let protocol = Protocol { returning: Returning::KeepsItsSeats, ..Protocol::KAFKA_0_10 };
    let old = brisk(Cluster::of(2)).protocol(protocol);
    let found = first_violation(old, 50, bounce_a_follower_then_lose_the_leader);
    let found = found.expect("the old protocol loses a record");
    assert!(found.all_broken().contains(&Guarantee::Durability), "{:?}", found.outcome.violations);
}

#[test]
fn before_kip_101_the_second_death_of_a_leader_could_lose_committed_records() {
    let old = brisk(Cluster::of(3)).protocol(Protocol::KAFKA_0_10);
    let found =
        first_violation(old, 50, |world| known_bugs::stories::the_next_leader_dies_while_the_others_truncate(world));
    let found = found.expect("the old protocol loses a record");
    assert!(found.all_broken().contains(&Guarantee::Durability), "{:?}", found.outcome.violations);
}

#[test]
fn since_kip_101_both_stories_lose_nothing() {
    scenario(brisk(Cluster::of(2)), bounce_a_follower_then_lose_the_leader);
    scenario(brisk(Cluster::of(3)), |world| known_bugs::stories::the_next_leader_dies_while_the_others_truncate(world))
        .sometimes(
            "the last replica led",
            |fact| matches!(fact.event(), Some(model::event::Event::Led { epoch, .. }) if epoch.0 >= 2),
        );
}
