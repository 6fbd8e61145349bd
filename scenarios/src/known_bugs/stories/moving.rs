//! The stories of known bugs about replicas that come, go and stay away: plain functions over a world. They do not know which bug
//! is met in them.

use std::time::Duration;

use model::event::Event;
use model::machine::Command;
use model::names::BrokerId;
use model::wire::{AdminRequest, Channel};
use sim::Verbs;
use sim::fact::Fact;
use sim::fault::Fault;

use super::World;
use crate::seen;

/// A replica is removed while its word on what it has is under way, comes back with nothing, and then its word arrives.
pub fn a_replica_is_removed_and_is_back_before_its_word(w: &mut World) {
    w.produce(10);
    w.settle();
    let leader = w.leader();
    let [stays, leaves] = w.followers()[..] else { panic!("the story needs two followers") };
    w.hold(leaves, leader);
    w.send(3);
    w.until(|fact| is_of(fact, leaves) && matches!(fact.event(), Some(Event::AppendedAsFollower { .. })));
    w.run_for(Duration::from_millis(50));
    reassign(w, &[leader, stays]);
    w.until(|fact| is_of(fact, leaves) && matches!(fact.event(), Some(Event::Removed { .. })));
    reassign(w, &[leader, stays, leaves]);
    w.until(|fact| is_of(fact, leaves) && matches!(fact.event(), Some(Event::Opened { .. })));
    w.run_for(Duration::from_millis(50));
    w.release(leaves, leader);
    w.run_for(Duration::from_secs(2));
    w.quiet();
}

/// A leader proposes to let a newcomer in. Before the controller hears of it another member leaves, so that the leader proposes anew
/// while its first proposal is under way.
pub fn the_set_changes_while_a_proposal_is_under_way(w: &mut World) {
    w.produce(5);
    let (leader, controller) = (w.leader(), w.controller());
    let [stays, newcomer] = w.followers()[..] else { panic!("the story needs two followers") };
    w.crash(newcomer);
    w.until(|fact| seen::left_isr(fact, newcomer));
    w.produce(5);
    w.lag(Channel::AlterPartition, leader, controller, Duration::from_secs(3));
    w.restart(newcomer);
    w.until(|fact| seen::proposed_by(fact, leader));
    w.terminate(stays);
    w.until(|fact| seen::left_isr(fact, stays));
    w.run_for(Duration::from_secs(5));
    w.quiet();
}

/// A topic is deleted and made anew under the same name while one of its brokers is away; nobody has noticed that it is.
pub fn a_topic_is_made_anew_while_a_broker_is_away(w: &mut World) {
    w.produce(20);
    let away = w.followers()[0];
    w.crash(away);
    let topic = w.cluster().all_topics()[0].clone();
    w.inflict(&Fault::Administer(AdminRequest::DeleteTopic { name: topic.name.clone() }));
    w.until(|fact| matches!(fact.event(), Some(Event::Administered { .. })));
    let admin = w.cluster().admin_id().into();
    let (name, partitions) = (topic.name, topic.partitions);
    let (replication_factor, config) = (topic.replication_factor, topic.config);
    w.ask(admin, Command::CreateTopic { name, partitions, replication_factor, config });
    w.until(|fact| matches!(fact.event(), Some(Event::TopicCreated { .. })));
    w.produce(5);
    w.restart(away);
    w.until(|fact| seen::unfenced(fact, away));
    w.quiet();
}

fn reassign(w: &mut World, replicas: &[BrokerId]) {
    let topic = w.cluster().all_topics()[0].name.clone();
    let replicas = Some(replicas.to_vec());
    w.inflict(&Fault::Administer(AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas }));
}

fn is_of(fact: &Fact, broker: BrokerId) -> bool {
    fact.node == Some(broker.into())
}
