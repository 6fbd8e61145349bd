//! What an operator does to topics while they are used: deletes and creates them, moves them, changes what they promise.

use std::time::Duration;

use model::config::Acks;
use model::event::Event;
use model::machine::Command;
use model::metadata::MetadataRecord;
use model::names::BrokerId;
use model::wire::{AdminRequest, AlteredResource, ErrorCode};
use scenarios::strategies::brisk;
use scenarios::{World, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;
use sim::fault::Fault;

fn three() -> Cluster {
    brisk(Cluster::of(3).min_isr(2))
}

pub(crate) fn topic(w: &World) -> String {
    w.cluster().all_topics()[0].name.clone()
}

pub(crate) fn ask(w: &mut World, request: AdminRequest) {
    w.inflict(&Fault::Administer(request));
}

pub(crate) fn set(w: &mut World, name: &str, value: &str) {
    let (resource, name, value) = (AlteredResource::Topic(topic(w)), name.to_owned(), Some(value.to_owned()));
    ask(w, AdminRequest::IncrementalAlterConfigs { resource, name, value });
    assert!(w.until(|fact| committed(fact, |record| matches!(record, MetadataRecord::Config { .. }))), "it was set");
}

pub(crate) fn committed(fact: &Fact, is: impl Fn(&MetadataRecord) -> bool) -> bool {
    matches!(fact.event(), Some(Event::Committed { record, .. }) if is(record))
}

/// Creates the topic again as it was at first, and waits until that is committed.
pub(crate) fn create_again(w: &mut World) {
    let topic = w.cluster().all_topics().remove(0);
    let (name, partitions, replication_factor, config) =
        (topic.name, topic.partitions, topic.replication_factor, topic.config);
    let admin = w.admin();
    w.submit(admin, Command::CreateTopic { name, partitions, replication_factor, config });
    assert!(
        w.until(|fact| committed(fact, |record| matches!(record, MetadataRecord::Topic { .. }))),
        "it is there again"
    );
}

#[test]
fn a_topic_is_deleted_and_created_again_under_the_same_name() {
    scenario(three(), |w| {
        w.produce(20);
        let name = topic(w);
        ask(w, AdminRequest::DeleteTopic { name });
        assert!(
            w.until(|fact| committed(fact, |record| matches!(record, MetadataRecord::RemoveTopic { .. }))),
            "it is gone"
        );
        create_again(w);
        w.produce(20);
        w.quiet();
    });
}

/// Who was away sees both in one delta, and must not take the old log for the new topic's.
#[test]
fn a_topic_is_deleted_and_created_again_while_a_replica_is_down() {
    scenario(three(), |w| {
        w.produce(20);
        let away = w.followers()[0];
        w.crash(away);
        let name = topic(w);
        ask(w, AdminRequest::DeleteTopic { name });
        assert!(
            w.until(|fact| committed(fact, |record| matches!(record, MetadataRecord::RemoveTopic { .. }))),
            "it is gone"
        );
        create_again(w);
        w.send(20);
        w.run_for(Duration::from_secs(4));
        w.restart(away);
        w.produce(20);
        w.quiet();
    });
}

/// The minimum is more than are left, then fewer, then as before.
pub(crate) fn raise_and_lower_the_minimum(w: &mut World) {
    w.produce(10);
    let away = w.followers()[0];
    w.crash(away);
    w.until_in_world(|w| w.isr_of(0).len() == 2);
    set(w, "min.insync.replicas", "3");
    w.run_for(Duration::from_secs(1));
    w.send(10);
    assert!(w.until(|fact| seen::answered(fact, Acks::All, ErrorCode::NotEnoughReplicas)), "two are too few now");
    set(w, "min.insync.replicas", "1");
    w.produce(10);
    let leader = w.leader();
    w.crash(leader);
    w.produce(10);
    w.restart_all();
    set(w, "min.insync.replicas", "2");
    w.produce(10);
    w.quiet();
}

#[test]
fn the_minimum_is_raised_and_lowered_while_a_replica_is_missing() {
    scenario(three(), raise_and_lower_the_minimum);
}

/// The last replica in sync is gone; the operator would rather lose records than wait for it.
#[test]
fn unclean_election_is_switched_on_while_nobody_leads() {
    let told = scenario(brisk(Cluster::of(2).min_isr(1)), |w| {
        w.produce(10);
        let (leader, follower) = (w.leader(), w.followers()[0]);
        w.isolate(follower);
        w.until_in_world(|w| w.isr_of(0).len() == 1);
        w.produce(10);
        w.crash(leader);
        w.heal_network();
        assert!(w.until(seen::leaderless), "nobody leads");
        w.run_for(Duration::from_secs(3));
        set(w, "unclean.leader.election.enable", "true");
        assert!(w.until(|fact| seen::led_by(fact, follower)), "somebody leads again");
        w.produce(10);
        w.quiet();
    });
    assert!(told.runs().iter().all(|(_, outcome)| outcome.lost.lost > 0), "what only the last one had is lost");
}

/// Leaders are elected back and forth while they die and while records are under way.
pub(crate) fn elect_preferred_leaders(w: &mut World) {
    w.produce(10);
    for round in 0..6 {
        let leader = w.leader();
        w.crash(leader);
        w.send(10);
        w.until_in_world(|w| w.leader_of(0).is_some_and(|now| now != leader));
        w.restart(leader);
        for _ in 0..4 {
            let topic = topic(w);
            ask(w, AdminRequest::ElectLeaders { topic, partition: 0, unclean: false });
            w.run_for(Duration::from_millis(300 + 100 * round));
        }
    }
    w.produce(10);
    w.quiet();
}

#[test]
fn preferred_leaders_are_elected_over_and_over() {
    scenario(three(), elect_preferred_leaders);
}

/// Every set of two of four brokers, to every other, with somebody dying at another moment of each.
#[test]
fn a_partition_moves_from_each_pair_to_each_other_while_somebody_crashes() {
    let pairs: Vec<[u32; 2]> = (1..=4).flat_map(|one| (one + 1..=4).map(move |other| [one, other])).collect();
    scenario(brisk(Cluster::of(4).replication_factor(2).min_isr(1)), |w| {
        let mut crashes: u32 = 0;
        for from in &pairs {
            for to in pairs.iter().filter(|to| *to != from) {
                for (target, crashing) in [(from, false), (to, true)] {
                    let topic = topic(w);
                    let replicas = Some(target.map(BrokerId).to_vec());
                    ask(w, AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas });
                    w.send(2);
                    if crashing {
                        crashes += 1;
                        w.run_for(Duration::from_millis(u64::from(crashes % 15) * 17));
                        let victim = BrokerId(1 + crashes % 4);
                        w.crash(victim);
                        w.run_for(Duration::from_millis(200));
                        w.restart(victim);
                    }
                    let wanted: Vec<BrokerId> = target.map(BrokerId).to_vec();
                    let has_moved = |w: &World| {
                        let mut now = w.isr_of(0);
                        now.sort_unstable();
                        now == wanted
                    };
                    assert!(w.until_in_world(has_moved), "from {from:?} to {to:?}");
                }
            }
        }
        w.produce(5);
        w.quiet();
    });
}

/// A replica is taken away and given back while its broker stands still: it learns of both at once.
#[test]
fn a_replica_is_removed_and_added_again_in_one_delta() {
    scenario(brisk(Cluster::of(4).replication_factor(3).min_isr(1)), |w| {
        w.produce(20);
        let inside = w.isr_of(0);
        let away = w.followers()[0];
        let rest: Vec<BrokerId> = inside.iter().copied().filter(|broker| *broker != away).collect();
        w.pause(away, Duration::from_millis(2_500));
        for target in [&rest, &inside] {
            let topic = topic(w);
            ask(w, AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas: Some(target.clone()) });
            w.send(10);
            w.run_for(Duration::from_secs(1));
        }
        w.produce(10);
        w.quiet();
        let (mut now, mut wanted) = (w.isr_of(0), inside);
        now.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(now, wanted);
    });
}
