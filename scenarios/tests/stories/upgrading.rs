//! Rolling upgrades: nodes of different eras in one cluster while records are written, and what is still at risk until the
//! last of them speaks the newer protocol.

use std::time::Duration;

use model::names::{BrokerId, Node};
use model::protocol::Protocol;
use scenarios::load::Load;
use scenarios::strategies::brisk;
use scenarios::{Guarantee, World, first_violation, known_bugs, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fact::Ending;
use sim::fault::Fault;

/// Stops a node in an orderly way and starts it again with the newer protocol, under load.
fn upgrade(w: &mut World, node: Node, to: Protocol) {
    let load = Load { rate: 40, ..Load::default() };
    w.inflict(&Fault::Upgrade(node.into(), Box::new(to)));
    w.terminate(node);
    assert!(w.until(|fact| fact.node == Some(node) && seen::stopped(fact, Ending::Exited)), "{node} has stopped");
    load.carry(w, Dice::new(1), Duration::from_secs(2));
    w.restart(node);
    load.carry(w, Dice::new(2), Duration::from_secs(2));
}

/// Brokers first, then controllers, as an operator would.
fn upgrade_all(w: &mut World, to: Protocol, mut befalls: impl FnMut(&mut World)) {
    let brokers = w.brokers().into_iter().map(Node::from);
    let controllers = w.controllers().into_iter().map(Node::from);
    for node in brokers.chain(controllers).collect::<Vec<_>>() {
        upgrade(w, node, to);
        befalls(w);
    }
}

fn quorum(protocol: Protocol) -> Cluster {
    brisk(Cluster::of(3).controllers(3).min_isr(2).partitions(2).producers(2)).protocol(protocol)
}

#[test]
fn nodes_are_upgraded_one_after_another_from_each_era_to_each_later_one() {
    let eras = [Protocol::KAFKA_0_10, Protocol::LATEST, Protocol::KAFKA_4_1];
    for (nth, from) in eras.into_iter().enumerate() {
        for to in eras.into_iter().skip(nth + 1) {
            let told = scenario(quorum(from), |w| {
                upgrade_all(w, to, |w| assert!(w.quiet()));
            });
            for (seed, outcome) in told.runs() {
                let counts = outcome.measures.counts;
                assert_eq!((counts.failed, counts.unknown), (0, 0), "seed {seed}: the writers noticed nothing");
                assert!(counts.acked > 0, "seed {seed}");
            }
        }
    }
}

#[test]
fn whoever_crashes_during_an_upgrade_between_eras_that_keep_their_promise_loses_nothing() {
    scenario(quorum(Protocol::LATEST), |w| {
        upgrade_all(w, Protocol::KAFKA_4_1, |w| {
            let leader = w.leader();
            w.crash(leader);
            w.produce(5);
            w.restart(leader);
            w.quiet();
        });
    })
    .sometimes("somebody else led", seen::led);
}

/// In this play two die one after the other, and who follows in between leads in the end: only its own era matters.
#[test]
fn until_the_broker_that_cuts_its_log_is_upgraded_the_loss_that_kip_101_ended_is_possible() {
    let play = known_bugs::stories::the_next_leader_dies_while_the_others_truncate;
    for old in [1, 2, 3].map(BrokerId) {
        let mixed = brisk(Cluster::of(3)).protocol_of(old, Protocol::KAFKA_0_10);
        let found = first_violation(mixed.clone(), 50, |world| play(world));
        assert_eq!(found.is_some(), old == BrokerId(3), "{old} is the last one that speaks the old protocol");
        let broken = found.map(|found| found.all_broken()).unwrap_or_default();
        assert_eq!(broken.contains(&Guarantee::Durability), old == BrokerId(3), "{broken:?}");
        scenario(mixed, |w| {
            upgrade(w, old.into(), Protocol::LATEST);
            w.quiet();
            play(w);
        });
    }
}
