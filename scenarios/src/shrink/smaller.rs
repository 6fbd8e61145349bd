//! The same plan in a smaller house: a shorter run, fewer clients, partitions, records and brokers.
//!
//! Every way proposes plans, the smallest first. Whether such a cluster can be is asked elsewhere.

use std::time::Duration;

use model::names::{BrokerId, ControllerId, Node};
use sim::fault::Target;

use super::targets;
use crate::run::Plan;

/// All ways but [`shorter`], which is gone again and again because it saves most time.
pub(super) const WAYS: &[fn(&Plan) -> Vec<Plan>] = &[
    with_less_load,
    with_fewer_producers,
    with_fewer_consumers,
    with_fewer_partitions,
    with_fewer_brokers,
    with_fewer_controllers,
    shorter,
];

/// Lengths that are easily said, in seconds.
const LENGTHS: [u64; 9] = [1, 2, 3, 5, 8, 12, 20, 30, 45];
/// Records per second and producer.
const RATES: [u32; 6] = [1, 2, 5, 10, 20, 50];

/// Short runs are tried first: they take the least time to fail.
pub(super) fn shorter(plan: &Plan) -> Vec<Plan> {
    let lengths = LENGTHS.into_iter().map(Duration::from_secs).filter(|length| *length < plan.length);
    lengths.map(|length| Plan { length, ..plan.clone() }).collect()
}

fn with_less_load(plan: &Plan) -> Vec<Plan> {
    let changed = |change: &dyn Fn(&mut Plan)| {
        let mut smaller = plan.clone();
        change(&mut smaller);
        smaller
    };
    let mut smaller = Vec::new();
    smaller.extend(plan.load.deletions.map(|_| changed(&|plan| plan.load.deletions = None)));
    smaller.extend(plan.load.ends.map(|_| changed(&|plan| plan.load.ends = None)));
    smaller.extend((plan.load.keys > 0).then(|| changed(&|plan| plan.load.keys = 0)));
    let rates = RATES.into_iter().filter(|rate| *rate < plan.load.rate);
    smaller.extend(rates.map(|rate| changed(&|plan| plan.load.rate = rate)));
    smaller
}

fn with_fewer_producers(plan: &Plan) -> Vec<Plan> {
    fewer(1, plan.cluster.producers, |producers| {
        let mut smaller = plan.clone();
        smaller.cluster.producers = producers;
        smaller
    })
}

fn with_fewer_consumers(plan: &Plan) -> Vec<Plan> {
    fewer(0, plan.cluster.consumers, |consumers| {
        let mut smaller = plan.clone();
        smaller.cluster.consumers = consumers;
        smaller
    })
}

fn with_fewer_partitions(plan: &Plan) -> Vec<Plan> {
    let mut smaller: Vec<Plan> = (0..plan.cluster.topics.len())
        .map(|topic| {
            let mut without = plan.clone();
            without.cluster.topics.remove(topic);
            without
        })
        .collect();
    for topic in 0..plan.cluster.topics.len() {
        smaller.extend(fewer(1, plan.cluster.topics[topic].partitions, |partitions| {
            let mut smaller = plan.clone();
            smaller.cluster.topics[topic].partitions = partitions;
            smaller
        }));
    }
    if plan.cluster.topics.is_empty() {
        smaller.extend(fewer(1, plan.cluster.partitions, |partitions| {
            let mut smaller = plan.clone();
            smaller.cluster.partitions = partitions;
            smaller
        }));
    }
    smaller
}

/// Only those that nobody names can go, from the last one on.
fn with_fewer_brokers(plan: &Plan) -> Vec<Plan> {
    let needed = named(plan, |node| match node {
        Node::Broker(BrokerId(id)) => Some(id),
        _ => None,
    });
    let spoken_to = plan.cluster.protocols.iter().map(|(BrokerId(id), _)| *id).max().unwrap_or(0);
    fewer(needed.max(spoken_to).max(1), plan.cluster.brokers, |brokers| {
        let mut smaller = plan.clone();
        smaller.cluster.brokers = brokers;
        let most = u16::try_from(brokers).unwrap_or(u16::MAX);
        smaller.cluster.replication_factor = plan.cluster.replication_factor.map(|replicas| replicas.min(most));
        for topic in &mut smaller.cluster.topics {
            topic.replication_factor = topic.replication_factor.min(most);
        }
        smaller
    })
}

fn with_fewer_controllers(plan: &Plan) -> Vec<Plan> {
    let needed = named(plan, |node| match node {
        Node::Controller(ControllerId(id)) => Some(id),
        _ => None,
    });
    fewer(needed.max(1), plan.cluster.controllers, |controllers| {
        let mut smaller = plan.clone();
        smaller.cluster.controllers = controllers;
        smaller
    })
}

/// The highest number that a strike names.
fn named(plan: &Plan, number: fn(Node) -> Option<u32>) -> u32 {
    let targets = plan.storm.strikes.iter().flat_map(|strike| targets(&strike.fault));
    let numbers = targets.filter_map(|target| match target {
        Target::Node(node) => number(node),
        _ => None,
    });
    numbers.max().unwrap_or(0)
}

/// As few as there may be, half of them, and one less.
fn fewer(least: u32, now: u32, with: impl Fn(u32) -> Plan) -> Vec<Plan> {
    let mut counts = vec![least, now / 2, now.saturating_sub(1)];
    counts.retain(|count| (least..now).contains(count));
    counts.dedup();
    counts.into_iter().map(with).collect()
}
