//! Replicas that move under load: to other brokers, to more and to fewer, with crashes on the way; and back (R95-R98).

use model::event::Event;
use model::metadata::MetadataRecord;
use model::names::BrokerId;
use model::wire::AdminRequest;
use scenarios::strategies::brisk;
use scenarios::{World, scenario};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;
use sim::fault::Fault;

/// Five brokers, and a partition on three of them.
fn five() -> Cluster {
    brisk(Cluster::of(5).replication_factor(3).min_isr(2))
}

/// An operator asks for these replicas of the first partition; `None` calls off what was asked.
pub(crate) fn reassign(w: &mut World, target: Option<&[BrokerId]>) {
    let topic = w.cluster().all_topics()[0].name.clone();
    let replicas = target.map(<[BrokerId]>::to_vec);
    w.inflict(&Fault::Administer(AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas }));
}

/// A reassignment came to its end.
pub(crate) fn ended(fact: &Fact) -> bool {
    match fact.event() {
        Some(Event::Committed { record: MetadataRecord::PartitionChange(change), .. }) => {
            change.replicas.is_some() && change.removing.as_ref().is_none_or(Vec::is_empty)
        }
        Some(Event::Committed { record: MetadataRecord::Assignment { adding, removing, .. }, .. }) => {
            adding.is_empty() && removing.is_empty()
        }
        _ => false,
    }
}

/// A reassignment was written down.
pub(crate) fn begun(fact: &Fact) -> bool {
    match fact.event() {
        Some(Event::Committed { record: MetadataRecord::PartitionChange(change), .. }) => change.replicas.is_some(),
        Some(Event::Committed { record: MetadataRecord::Assignment { .. }, .. }) => true,
        _ => false,
    }
}

/// Those that hold the partition now, and those that do not.
pub(crate) fn inside_and_outside(w: &World) -> (Vec<BrokerId>, Vec<BrokerId>) {
    let held = w.isr_of(0);
    w.brokers().into_iter().partition(|broker| held.contains(broker))
}

/// The partition moves to other brokers, under load, while this befalls somebody.
pub(crate) fn moves_while(w: &mut World, befalls: impl Fn(&mut World, &[BrokerId], &[BrokerId])) {
    w.produce(20);
    let (inside, outside) = inside_and_outside(w);
    let target = [outside[0], outside[1], inside[0]];
    reassign(w, Some(&target));
    w.send(20);
    assert!(w.until(begun), "the reassignment has begun");
    befalls(w, &inside, &outside);
    w.restart_all();
    w.produce(10);
    w.quiet();
    let mut now = w.isr_of(0);
    now.sort_unstable();
    let mut wanted = target.to_vec();
    wanted.sort_unstable();
    assert_eq!(now, wanted, "the reassignment has ended");
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
    scenario(five().controllers(3), |w| moves_while(w, |w, _, _| w.crash(w.controller()))).sometimes("it ended", ended);
}

/// All brokers get a replica, and all but two give it back.
pub(crate) fn gets_more_replicas_and_then_fewer(w: &mut World) {
    w.produce(10);
    let all = w.brokers();
    reassign(w, Some(&all));
    w.produce(20);
    assert!(w.until_in_world(|w| w.isr_of(0).len() == 5), "all hold it");
    reassign(w, Some(&all[3..]));
    w.produce(20);
    assert!(w.until_in_world(|w| w.isr_of(0).len() == 2), "two hold it");
    w.crash(w.leader());
    w.restart_all();
    w.produce(10);
    w.quiet();
}

#[test]
fn a_partition_gets_more_replicas_and_then_fewer() {
    scenario(five(), gets_more_replicas_and_then_fewer).sometimes("it ended", ended);
}

#[test]
fn a_replica_that_left_comes_back_empty() {
    scenario(five(), |w| {
        w.produce(20);
        let (inside, outside) = inside_and_outside(w);
        reassign(w, Some(&[inside[0], inside[1], outside[0]]));
        assert!(w.until_in_world(|w| !w.isr_of(0).contains(&inside[2])), "it left");
        w.produce(10);
        reassign(w, Some(&inside));
        w.produce(10);
        w.quiet();
        let mut now = w.isr_of(0);
        now.sort_unstable();
        assert_eq!(now, inside);
    })
    .sometimes("it ended", ended);
}
