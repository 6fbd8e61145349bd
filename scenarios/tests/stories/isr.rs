//! Who is in sync: followers leave and return, and with too few of them nothing is promised.

use std::time::Duration;

use model::config::Acks;
use model::wire::ErrorCode;
use scenarios::strategies::brisk;
use scenarios::{known_bugs, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;

#[test]
fn a_lagging_follower_leaves_the_isr_and_returns_once_it_has_caught_up() {
    scenario(brisk(Cluster::of(3).min_isr(2)), |w| {
        w.produce(10);
        let (leader, lagging) = (w.leader(), w.followers()[1]);
        w.hold(leader, lagging);
        w.send(10);
        w.until(|fact| seen::left_isr(fact, lagging));
        w.produce(10);
        w.release(leader, lagging);
        w.until(|fact| seen::joined_isr(fact, lagging));
        w.quiet();
    })
    .sometimes("a follower left the ISR", seen::leaves_isr)
    .sometimes("it returned", |fact| seen::committed_isr(fact).is_some_and(|isr| isr.len() == 3))
    .never("the partition lost its leader", seen::leaderless);
}

#[test]
fn an_isr_below_the_minimum_refuses_acks_all_and_takes_nothing() {
    let cluster = brisk(Cluster::of(3).min_isr(2));
    let told = scenario(cluster, |world| known_bugs::stories::the_leader_is_left_alone(world));
    told.sometimes("acks=all was refused", |fact| seen::answered(fact, Acks::All, ErrorCode::NotEnoughReplicas));
}

#[test]
fn an_isr_below_the_minimum_takes_acks_1() {
    scenario(brisk(Cluster::of(3).min_isr(2).acks(Acks::Leader)), |world| {
        known_bugs::stories::the_leader_is_left_alone(world)
    })
    .never("acks=1 was refused", |fact| seen::answered(fact, Acks::Leader, ErrorCode::NotEnoughReplicas))
    .sometimes("it was taken by a leader alone", |fact| {
        use model::event::Event;
        matches!(fact.event(), Some(Event::ProduceAnswered { acks: Acks::Leader, isr: 1, error: ErrorCode::None, .. }))
    });
}

#[test]
fn a_leader_gives_up_nobody_while_the_controller_has_not_agreed() {
    scenario(
        brisk(Cluster::of(2)).property("replica.lag.time.max.ms", 1_000).property("broker.session.timeout.ms", 5_000),
        |w| {
            known_bugs::stories::a_leader_is_cut_off_from_all_but_its_clients(w);
        },
    )
    .sometimes("the leader had proposed to", |fact| {
        matches!(fact.event(), Some(model::event::Event::IsrKnown { pending: true, .. }))
    });
}

#[test]
fn a_full_cluster_is_in_sync_again_after_every_follower_was_away() {
    scenario(brisk(Cluster::of(4).replication_factor(4).min_isr(2)), |w| {
        w.produce(5);
        for follower in w.followers() {
            w.pause(follower, Duration::from_secs(6));
            w.send(5);
            w.until(|fact| seen::left_isr(fact, follower));
            w.until(|fact| seen::joined_isr(fact, follower));
        }
        w.quiet();
    })
    .sometimes("the ISR was full", |fact| seen::committed_isr(fact).is_some_and(|isr| isr.len() == 4));
}
