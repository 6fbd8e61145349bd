//! ZooKeeper mode: what an operator does to topics while they are used, and while controllers and brokers come and go. What was
//! begun is in the ensemble, so it is carried through by whoever controls in the end.

use std::time::Duration;

use model::event::Event;
use model::machine::Command;
use model::metadata::MetadataRecord;
use model::names::{BrokerId, Node};
use model::wire::{AdminRequest, AlteredResource, ErrorCode};
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;

use crate::operating::{
    ask, committed, create_again, elect_preferred_leaders, raise_and_lower_the_minimum, set, topic,
};
use crate::reassigning::{ended, inside_and_outside, reassign};

/// Longer than a session.
const LONG: Duration = Duration::from_secs(5);

/// A session of three seconds.
fn three() -> Cluster {
    brisk(Cluster::of(3).zookeeper().min_isr(2))
}

pub(crate) fn five() -> Cluster {
    brisk(Cluster::of(5).zookeeper().replication_factor(3).min_isr(2))
}

/// What an operator was told.
pub(crate) fn told(fact: &Fact, what: ErrorCode) -> bool {
    matches!(fact.event(), Some(Event::Administered { error, .. }) if *error == what)
}

pub(crate) fn registers(fact: &Fact, broker: BrokerId) -> bool {
    fact.node == Some(broker.into()) && matches!(fact.event(), Some(Event::Registered { .. }))
}

pub(crate) fn controls(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::ControllerLed { .. }))
}

fn removes(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::Removed { .. }))
}

fn is_taken(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::TopicRefused { error: ErrorCode::TopicAlreadyExists, .. }))
}

fn delete(w: &mut World) {
    let name = topic(w);
    ask(w, AdminRequest::DeleteTopic { name });
    let goes = |record: &MetadataRecord| matches!(record, MetadataRecord::RemoveTopic { .. });
    assert!(w.until(|fact| committed(fact, goes)), "it is to be deleted");
}

/// Each of these has deleted its replica, and the controller has heard of it.
fn all_remove(w: &mut World, brokers: &[BrokerId]) {
    let mut left = brokers.to_vec();
    let all = w.until(|fact| {
        left.retain(|broker| !(removes(fact) && fact.node == Some((*broker).into())));
        left.is_empty()
    });
    assert!(all, "these still have a replica: {left:?}");
    w.run_for(Duration::from_secs(1));
}

#[test]
fn a_topic_is_deleted_and_its_name_is_free_when_all_replicas_are_gone() {
    scenario(three(), |w| {
        w.produce(20);
        delete(w);
        all_remove(w, &w.brokers());
        create_again(w);
        w.produce(20);
        w.quiet();
    })
    .sometimes("a replica was deleted", removes);
}

/// C74: a replica that is away is waited for, and its log is never taken for that of another topic.
#[test]
fn a_deletion_waits_for_the_replica_that_is_down() {
    scenario(three(), |w| {
        w.produce(20);
        let away = w.followers()[0];
        w.crash(away);
        delete(w);
        let others: Vec<BrokerId> = w.brokers().into_iter().filter(|broker| *broker != away).collect();
        all_remove(w, &others);
        w.run_for(LONG);
        let again = w.cluster().all_topics().remove(0);
        let (name, partitions, replication_factor, config) = (again.name, again.partitions, 2, again.config);
        let admin = w.admin();
        w.submit(admin, Command::CreateTopic { name, partitions, replication_factor, config });
        assert!(w.until(is_taken), "its znodes are there");
        w.restart(away);
        all_remove(w, &[away]);
        create_again(w);
        w.produce(20);
        w.quiet();
    })
    .sometimes("the name was taken", is_taken);
}

#[test]
fn a_deletion_is_carried_through_by_the_next_controller() {
    scenario(three(), |w| {
        w.produce(20);
        let controller = w.controlling_broker();
        let name = topic(w);
        w.hold(controller, Node::Ensemble);
        ask(w, AdminRequest::DeleteTopic { name });
        w.run_for(Duration::from_millis(200));
        w.release(controller, Node::Ensemble);
        let goes = |record: &MetadataRecord| matches!(record, MetadataRecord::RemoveTopic { .. });
        assert!(w.until(|fact| committed(fact, goes)), "it is to be deleted");
        w.crash(controller);
        assert!(w.until(controls), "another controls");
        w.restart(controller);
        all_remove(w, &[controller]);
        create_again(w);
        w.produce(20);
        w.quiet();
    })
    .sometimes("a replica was deleted", removes);
}

/// Nobody tells a broker that is away that its replica was moved; then the topic is deleted, and it is not waited for.
#[test]
fn what_a_broker_has_left_of_a_topic_of_the_same_name_is_not_taken_for_the_new_one() {
    let told = scenario(five(), |w| {
        w.produce(20);
        let (inside, outside) = inside_and_outside(w);
        let away = inside.iter().copied().find(|broker| *broker != w.leader()).expect("a follower");
        w.crash(away);
        w.until_in_world(|w| !w.isr_of(0).contains(&away));
        let stay: Vec<BrokerId> = inside.iter().copied().filter(|broker| *broker != away).collect();
        let target = [stay[0], stay[1], outside[0]];
        reassign(w, Some(&target));
        assert!(w.until(ended), "it was moved away");
        w.restart(away);
        assert!(w.until(|fact| registers(fact, away)));
        w.run_for(Duration::from_secs(1));
        delete(w);
        all_remove(w, &target);
        create_again(w);
        w.run_for(Duration::from_secs(1));
        let all = w.brokers();
        reassign(w, Some(&all));
        w.produce(20);
        assert!(w.until_in_world(|w| w.isr_of(0).len() == 5), "all hold it");
        w.produce(10);
        w.quiet();
    });
    told.sometimes("a replica was deleted", removes);
}

#[test]
fn a_topic_gets_more_partitions_while_the_controller_goes() {
    scenario(five(), |w| {
        w.produce(20);
        let (name, controller) = (topic(w), w.controlling_broker());
        ask(w, AdminRequest::CreatePartitions { name, partitions: 4 });
        w.run_for(Duration::from_millis(w.seed() % 8 * 3));
        w.crash(controller);
        w.send(20);
        assert!(w.until_in_world(|w| w.partitions().len() == 4), "four partitions");
        w.restart(controller);
        for partition in 0..4 {
            w.produce_to(partition, 5);
        }
        w.quiet();
    })
    .sometimes("another controlled", |fact| controls(fact) && fact.number > 1);
}

/// The partitions of a topic stay as many as they are while one of them is on its way (KIP-455).
#[test]
fn a_topic_gets_no_partitions_while_it_is_being_reassigned_and_is_not_deleted() {
    scenario(five(), |w| {
        w.produce(20);
        let (inside, outside) = inside_and_outside(w);
        for broker in &inside {
            w.cut(*broker, outside[0]);
        }
        let target = [inside[0], inside[1], outside[0]];
        reassign(w, Some(&target));
        assert!(w.until(|fact| told(fact, ErrorCode::None)), "it is on its way");
        let name = topic(w);
        ask(w, AdminRequest::CreatePartitions { name, partitions: 4 });
        assert!(w.until(|fact| told(fact, ErrorCode::ReassignmentInProgress)));
        delete(w);
        w.run_for(Duration::from_secs(2));
        w.heal_network();
        all_remove(w, &target);
        create_again(w);
        w.produce(20);
        w.quiet();
    })
    .sometimes("it was refused", |fact| told(fact, ErrorCode::ReassignmentInProgress));
}

#[test]
fn the_minimum_is_raised_and_lowered_while_a_replica_is_missing() {
    scenario(three(), raise_and_lower_the_minimum);
}

/// KIP-226: what holds for all brokers. One that is away when it is said reads it when it is back.
#[test]
fn the_minimum_of_all_brokers_is_raised_while_one_is_away() {
    scenario(brisk(Cluster::of(3).zookeeper().min_isr(1)), |w| {
        w.produce(10);
        let away = w.followers()[0];
        w.crash(away);
        w.until_in_world(|w| w.isr_of(0).len() == 2);
        let set = |w: &mut World, value: &str| {
            let (name, value) = ("min.insync.replicas".to_owned(), Some(value.to_owned()));
            ask(w, AdminRequest::IncrementalAlterConfigs { resource: AlteredResource::Cluster, name, value });
            assert!(w.until(|fact| told(fact, ErrorCode::None)), "it was set");
            w.run_for(Duration::from_secs(1));
        };
        set(w, "3");
        let refused = |fact: &Fact| seen::answered(fact, model::config::Acks::All, ErrorCode::NotEnoughReplicas);
        w.send(5);
        assert!(w.until(refused), "two are too few");
        w.restart(away);
        w.produce(10);
        let leader = w.leader();
        w.crash(leader);
        w.until_in_world(|w| w.isr_of(0).len() == 2 && w.leader_of(0).is_some_and(|now| now != leader));
        w.send(5);
        assert!(w.until(refused), "whoever leads now");
        set(w, "2");
        w.produce(10);
        w.restart_all();
        w.quiet();
    });
}

/// The last replica in sync is gone; the operator would rather lose records than wait for it.
#[test]
fn unclean_election_is_switched_on_while_nobody_leads() {
    let told = scenario(brisk(Cluster::of(2).zookeeper().min_isr(1)), |w| {
        let follower = leave_one_behind(w);
        set(w, "unclean.leader.election.enable", "true");
        assert!(w.until(|fact| seen::led_by(fact, follower)), "somebody leads again");
        w.produce(10);
        w.quiet();
    });
    assert!(told.runs().iter().all(|(_, outcome)| outcome.lost.lost > 0), "what only the last one had is lost");
}

#[test]
fn a_preferred_leader_that_is_not_in_sync_is_not_elected() {
    scenario(brisk(Cluster::of(2).zookeeper().min_isr(1)), |w| {
        leave_one_behind(w);
        let topic = topic(w);
        ask(w, AdminRequest::ElectLeaders { topic, partition: 0, unclean: false });
        assert!(w.until(|fact| told(fact, ErrorCode::PreferredLeaderNotAvailable)));
        w.restart_all();
        w.produce(10);
        w.quiet();
    });
}

/// The leader is alone in sync, has records that nobody else has, and is gone. Returns the other one.
fn leave_one_behind(w: &mut World) -> BrokerId {
    w.produce(10);
    let (leader, follower) = (w.leader(), w.followers()[0]);
    w.isolate(follower);
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    w.produce(10);
    w.crash(leader);
    w.heal_network();
    assert!(w.until(seen::leaderless), "nobody leads");
    w.run_for(Duration::from_secs(3));
    follower
}

#[test]
fn preferred_leaders_are_elected_over_and_over() {
    scenario(three(), elect_preferred_leaders)
        .sometimes("one was elected", |fact| told(fact, ErrorCode::None))
        .sometimes("there was no need", |fact| told(fact, ErrorCode::ElectionNotNeeded));
}

#[test]
fn a_preferred_leader_gets_its_partition_back_unasked() {
    scenario(three().property("leader.imbalance.check.interval.seconds", 2), |w| {
        w.produce(10);
        let preferred = w.cast().replicas(w.partitions()[0])[0];
        w.crash(preferred);
        w.until_in_world(|w| w.leader_of(0).is_some_and(|now| now != preferred));
        w.restart(preferred);
        w.send(20);
        assert!(w.until(|fact| seen::led_by(fact, preferred)), "once it is in sync");
        w.produce(10);
        w.quiet();
    });
}
