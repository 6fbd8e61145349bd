//! What topics there are: R99, C31.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::bench::{Bench, NOTHING, TO_SHUT_DOWN, topic};
use crate::config::{BrokerConfig, ControllerConfig};
use crate::metadata::{MetadataRecord, RecoveryState};
use crate::names::{BrokerId, LeaderEpoch, PartitionEpoch};
use crate::protocol::Protocol;
use crate::wire::{ErrorCode, NewTopic};

fn error_of(bench: &mut Bench, topic: NewTopic) -> ErrorCode {
    let answers = bench.create_topics(vec![topic]);
    answers[0].result.as_ref().err().map_or(ErrorCode::None, |(error, _)| *error)
}

#[test]
fn a_new_topic_is_led_and_in_sync_from_the_start() {
    let mut bench = Bench::with_brokers(3, 1);
    let answers = bench.create_topics(vec![topic("orders", 3, 2)]);
    let id = *answers[0].result.as_ref().unwrap();
    let place = usize::try_from(id.0).unwrap();
    assert!(
        matches!(&bench.records[place], MetadataRecord::Topic { name, .. } if name == "orders"),
        "its id is its place"
    );
    assert_eq!(bench.image().topics[&id].partitions, 3);
    for partition in bench.image().partitions.values().filter(|partition| partition.partition.topic == id) {
        assert_eq!(partition.replicas.len(), 2);
        assert_eq!(partition.isr, partition.replicas, "R99");
        assert_eq!(partition.leader, Some(partition.replicas[0]), "R99");
        assert_eq!((partition.leader_epoch, partition.partition_epoch), (LeaderEpoch::ZERO, PartitionEpoch(0)), "R76");
        assert_eq!(partition.recovery_state, RecoveryState::Recovered);
    }
}

#[test]
fn topics_of_one_request_are_one_batch_and_each_has_its_own_answer() {
    let mut bench = Bench::with_brokers(2, 1);
    let before = bench.batches().len();
    let wanted = vec![topic("a", 2, 1), topic("b", 1, 9), topic("c", 1, 2), topic("d", 1, 1), topic("d", 2, 1)];
    let answers = bench.create_topics(wanted);
    let names: Vec<&str> = answers.iter().map(|answer| answer.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "d"]);
    let errors: Vec<_> = answers.iter().map(|answer| answer.result.as_ref().err().map(|(error, _)| *error)).collect();
    let twice = Some(ErrorCode::InvalidRequest);
    assert_eq!(errors, [None, Some(ErrorCode::InvalidReplicationFactor), None, twice, twice]);
    for answer in &answers {
        let known = bench.image().topic(&answer.name).map(|(id, _)| id);
        assert_eq!(known, answer.result.as_ref().ok().copied(), "{}", answer.name);
    }
    assert_eq!(bench.batches().len(), before + 1, "C31");
}

#[test]
fn a_topic_that_makes_no_sense_is_refused_with_kafkas_error() {
    let mut bench = Bench::with_brokers(2, 1);
    bench.create("a_b", 1, 1);
    let before = bench.image().clone();
    let name = |name: &str| topic(name, 1, 1);
    let configured = |property: &str, value: &str| NewTopic {
        config: vec![(property.to_owned(), value.to_owned())],
        ..topic("new", 1, 1)
    };
    let longest = "x".repeat(249);
    let cases = [
        (name(""), ErrorCode::InvalidTopicException),
        (name("."), ErrorCode::InvalidTopicException),
        (name(".."), ErrorCode::InvalidTopicException),
        (name("white space"), ErrorCode::InvalidTopicException),
        (name("slash/dot"), ErrorCode::InvalidTopicException),
        (name("größe"), ErrorCode::InvalidTopicException),
        (name(&format!("{longest}x")), ErrorCode::InvalidTopicException),
        (name("a.b"), ErrorCode::InvalidTopicException),
        (name("t"), ErrorCode::TopicAlreadyExists),
        (topic("new", 0, 1), ErrorCode::InvalidPartitions),
        (topic("new", 1, 0), ErrorCode::InvalidReplicationFactor),
        (topic("new", 1, 3), ErrorCode::InvalidReplicationFactor),
        (configured("no.such.property", "1"), ErrorCode::InvalidConfig),
        (configured("min.insync.replicas", "none"), ErrorCode::InvalidConfig),
        (topic("new", 10_001, 1), ErrorCode::PolicyViolation),
        (topic("new", u32::MAX, u16::MAX), ErrorCode::PolicyViolation),
    ];
    for (wanted, error) in cases {
        assert_eq!(error_of(&mut bench, wanted.clone()), error, "{wanted:?}");
    }
    assert_eq!(*bench.image(), before);
    assert_eq!(error_of(&mut bench, name(&longest)), ErrorCode::None);
}

#[test]
fn a_topic_keeps_its_own_properties() {
    let mut bench = Bench::with_brokers(2, 1);
    let mut wanted = topic("careful", 1, 2);
    wanted.config.push(("min.insync.replicas".to_owned(), "2".to_owned()));
    assert_eq!(error_of(&mut bench, wanted), ErrorCode::None);
    let (_, known) = bench.image().topic("careful").unwrap();
    assert_eq!(known.config.min_insync_replicas, Some(2));
    bench.restart();
    assert_eq!(bench.image().topic("careful").unwrap().1.config.min_insync_replicas, Some(2));
}

#[test]
fn replicas_go_to_active_brokers_only() {
    let mut bench = Bench::new();
    for id in 1..=5 {
        bench.join(id);
    }
    bench.create("t", 5, 3);
    bench.fence(2);
    assert!(!bench.heartbeat(4, TO_SHUT_DOWN).should_shut_down);
    bench.register(9, 9);
    bench.create("u", 12, 3);
    let usable = [1, 3, 5].map(BrokerId);
    let (id, _) = bench.image().topic("u").unwrap();
    for partition in bench.image().partitions.values().filter(|partition| partition.partition.topic == id) {
        assert!(partition.replicas.iter().all(|replica| usable.contains(replica)), "{partition:?}");
    }
    assert_eq!(error_of(&mut bench, topic("v", 1, 4)), ErrorCode::InvalidReplicationFactor);
    bench.heartbeat(2, NOTHING);
    assert_eq!(error_of(&mut bench, topic("v", 1, 4)), ErrorCode::None);
}

#[test]
fn the_partitions_of_one_leader_fall_to_all_the_others_when_it_dies() {
    let mut bench = Bench::new();
    for id in 1..=4 {
        bench.join(id);
    }
    bench.create("t", 12, 2);
    bench.fence(1);
    for heir in 2..=4 {
        let led = bench.image().partitions.values().filter(|partition| partition.leader == Some(BrokerId(heir)));
        assert_eq!(led.count(), 4, "broker {heir}: three of its own and one that was led by broker 1");
    }
}

#[test]
fn topics_too_many_for_one_batch_are_refused_and_the_controller_goes_on() {
    let config = ControllerConfig { metadata_log_segment_bytes: 12, ..ControllerConfig::default() };
    let mut bench = Bench::of(config, BrokerConfig::default(), Protocol::LATEST).having(1, 1);
    let before = bench.image().clone();
    assert_eq!(error_of(&mut bench, topic("many", 5_000, 1)), ErrorCode::PolicyViolation, "C31");
    assert_eq!(*bench.image(), before);
    assert_eq!(error_of(&mut bench, topic("few", 50, 1)), ErrorCode::None);
    bench.restart();
    assert_eq!(bench.image().topic("many"), None);
    assert_eq!(bench.image().topic("few").unwrap().1.partitions, 50);
}

proptest! {
    #[test]
    fn leaders_and_replicas_are_spread_evenly(brokers in 1_u32..8, topics in prop::collection::vec((1_u32..30, 1_u16..8), 1..5)) {
        let mut bench = Bench::new();
        for id in 1..=brokers {
            bench.join(id);
        }
        let mut replicas: BTreeMap<BrokerId, usize> = BTreeMap::new();
        let factor = topics[0].1.min(u16::try_from(brokers).unwrap());
        for (nth, (partitions, _)) in topics.iter().enumerate() {
            bench.create(&format!("topic-{nth}"), *partitions, factor);
        }
        let mut leaders: BTreeMap<BrokerId, usize> = (1..=brokers).map(|id| (BrokerId(id), 0)).collect();
        for partition in bench.image().partitions.values() {
            let distinct: BTreeSet<_> = partition.replicas.iter().collect();
            prop_assert_eq!(distinct.len(), usize::from(factor));
            *leaders.entry(partition.replicas[0]).or_default() += 1;
            for &replica in &partition.replicas {
                *replicas.entry(replica).or_default() += 1;
            }
        }
        let (least, most) = (leaders.values().min().unwrap(), leaders.values().max().unwrap());
        prop_assert!(most - least <= 1, "{:?}", leaders);
        let total = bench.image().partitions.len();
        let rounds = usize::try_from(brokers).unwrap() * usize::try_from(brokers - 1).unwrap().max(1);
        if total.is_multiple_of(rounds) {
            prop_assert_eq!(replicas.values().min(), replicas.values().max(), "{:?}", replicas);
        }
    }
}
