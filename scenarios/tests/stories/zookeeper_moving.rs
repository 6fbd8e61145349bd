//! ZooKeeper mode: replicas that move under load (KIP-455), while brokers die, sessions end and controllers follow each other.

use std::time::Duration;

use model::event::Event;
use model::metadata::MetadataRecord;
use model::names::{BrokerId, Node};
use model::wire::ErrorCode;
use scenarios::{World, scenario};
use sim::Verbs;
use sim::fact::Fact;

use crate::operating::committed;
use crate::reassigning::{ended, gets_more_replicas_and_then_fewer, inside_and_outside, moves_while, reassign};
use crate::zookeeper_operating::{controls, five, registers, told};

/// Longer than a session.
const LONG: Duration = Duration::from_secs(5);

/// The replicas that the partition has and is to have, sorted.
fn replicas(w: &World) -> Vec<BrokerId> {
    let mut replicas = w.cast().replicas(w.partitions()[0]).to_vec();
    replicas.sort_unstable();
    replicas
}

fn sorted(brokers: &[BrokerId]) -> Vec<BrokerId> {
    let mut brokers = brokers.to_vec();
    brokers.sort_unstable();
    brokers
}

/// Nobody in the partition hears this broker, so it never comes to be in sync.
fn keep_out(w: &mut World, inside: &[BrokerId], newcomer: BrokerId) {
    for broker in inside {
        w.cut(*broker, newcomer);
    }
}

fn another_controls(w: &mut World, than: BrokerId) {
    assert!(w.until(|fact| controls(fact) && fact.node != Some(than.into())), "another controls");
}

#[test]
fn a_partition_moves_under_load() {
    scenario(five(), |w| moves_while(w, |_, _, _| {})).sometimes("it ended", ended);
}

#[test]
fn a_partition_moves_while_its_leader_crashes() {
    scenario(five(), |w| moves_while(w, |w, _, _| w.crash(w.leader()))).sometimes("it ended", ended);
}

#[test]
fn a_partition_moves_while_a_new_replica_loses_power() {
    scenario(five(), |w| moves_while(w, |w, _, outside| w.power_off(outside[0]))).sometimes("it ended", ended);
}

#[test]
fn a_partition_moves_while_a_leaving_replica_crashes() {
    scenario(five(), |w| moves_while(w, |w, inside, _| w.crash(inside[1]))).sometimes("it ended", ended);
}

#[test]
fn a_partition_moves_while_the_controller_crashes() {
    scenario(five(), |w| {
        moves_while(w, |w, inside, outside| {
            keep_out(w, inside, outside[0]);
            let controller = w.controlling_broker();
            w.crash(controller);
            another_controls(w, controller);
            w.heal_network();
        });
    })
    .sometimes("it ended", ended);
}

/// C62, C63: whoever has begun it believes that it goes on, and is not obeyed.
#[test]
fn a_partition_moves_while_the_session_of_the_controller_ends() {
    scenario(five(), |w| {
        moves_while(w, |w, inside, outside| {
            keep_out(w, inside, outside[0]);
            let controller = w.controlling_broker();
            w.cut(controller, Node::Ensemble);
            another_controls(w, controller);
            w.heal_network();
        });
    })
    .sometimes("it ended", ended)
    .sometimes("the one before learned of it", |fact| matches!(fact.event(), Some(Event::ControllerResigned { .. })));
}

#[test]
fn a_partition_moves_while_the_session_of_a_new_replica_ends() {
    scenario(five(), |w| {
        moves_while(w, |w, inside, outside| {
            keep_out(w, inside, outside[0]);
            w.cut(outside[0], Node::Ensemble);
            w.run_for(LONG);
            w.heal_network();
            assert!(w.until(|fact| registers(fact, outside[0])), "it registers anew");
        });
    })
    .sometimes("it ended", ended);
}

#[test]
fn a_partition_moves_while_the_session_of_its_leader_ends() {
    scenario(five(), |w| {
        moves_while(w, |w, inside, outside| {
            keep_out(w, inside, outside[0]);
            let leader = w.leader();
            w.cut(leader, Node::Ensemble);
            w.send(20);
            w.run_for(LONG);
            w.heal_network();
        });
    })
    .sometimes("it ended", ended);
}

#[test]
fn a_partition_gets_more_replicas_and_then_fewer() {
    scenario(five(), gets_more_replicas_and_then_fewer).sometimes("it ended", ended);
}

#[test]
fn a_move_is_replaced_by_another_and_that_is_called_off() {
    scenario(five(), |w| {
        w.produce(20);
        let (inside, outside) = inside_and_outside(w);
        keep_out(w, &inside, outside[0]);
        reassign(w, Some(&[inside[0], inside[1], outside[0]]));
        assert!(w.until(|fact| told(fact, ErrorCode::None)), "it has begun");
        w.send(10);
        let second = [inside[0], inside[1], outside[1]];
        reassign(w, Some(&second));
        assert!(w.until_in_world(|w| sorted(&w.isr_of(0)) == sorted(&second)), "the second is where it was wanted");
        reassign(w, Some(&inside));
        assert!(w.until_in_world(|w| sorted(&w.isr_of(0)) == inside), "and back");
        w.heal_network();
        keep_out(w, &inside, outside[1]);
        w.cut(outside[0], outside[1]);
        reassign(w, Some(&[outside[0], outside[1], inside[2]]));
        assert!(w.until(|fact| told(fact, ErrorCode::None)), "the third has begun");
        w.send(10);
        assert!(w.until_in_world(|w| w.isr_of(0).contains(&outside[0])), "one of the two is in sync");
        reassign(w, None);
        assert!(w.until_in_world(|w| replicas(w) == inside && w.isr_of(0).len() == 3), "it was called off");
        reassign(w, None);
        assert!(w.until(|fact| told(fact, ErrorCode::NoReassignmentInProgress)));
        w.heal_network();
        w.produce(10);
        w.quiet();
        assert_eq!(replicas(w), inside);
    })
    .sometimes("a replica that was to come was none any more", |fact: &Fact| {
        matches!(fact.event(), Some(Event::Removed { .. }))
    });
}

/// None of those that were there before is in sync any more: they would begin with less than what was promised.
#[test]
fn a_move_is_not_called_off_if_nobody_who_was_there_before_is_in_sync() {
    scenario(five().min_isr(1), |w| {
        w.produce(20);
        let (inside, outside) = inside_and_outside(w);
        keep_out(w, &inside, outside[1]);
        w.cut(outside[0], outside[1]);
        reassign(w, Some(&outside));
        assert!(w.until_in_world(|w| w.isr_of(0).contains(&outside[0])), "one of the two is in sync");
        for broker in &inside {
            w.crash(*broker);
        }
        assert!(w.until_in_world(|w| w.isr_of(0) == [outside[0]]), "nobody else is");
        w.produce(5);
        reassign(w, None);
        assert!(w.until(|fact| told(fact, ErrorCode::InvalidReplicaAssignment)));
        w.restart_all();
        w.heal_network();
        w.produce(10);
        w.quiet();
        assert_eq!(replicas(w), outside, "so it went on");
    });
}

#[test]
fn nobody_is_asked_to_hold_what_it_cannot() {
    scenario(five(), |w| {
        w.produce(5);
        let (inside, outside) = inside_and_outside(w);
        let twice = [inside[0], inside[0]];
        let unknown = [BrokerId(9)];
        for target in [&[][..], &twice, &unknown] {
            reassign(w, Some(target));
            assert!(w.until(|fact| told(fact, ErrorCode::InvalidReplicaAssignment)), "{target:?}");
        }
        w.crash(outside[0]);
        w.run_for(LONG);
        reassign(w, Some(&[inside[0], outside[0]]));
        assert!(w.until(|fact| told(fact, ErrorCode::InvalidReplicaAssignment)), "it is not alive");
        w.restart_all();
        w.produce(5);
        w.quiet();
    })
    .never("an assignment was written", |fact| {
        committed(fact, |record| matches!(record, MetadataRecord::Assignment { .. }))
    });
}
