//! Clusters, loads and storms as strategies of proptest, so that its shrinking and its regression files work on them.
//!
//! A value that proptest draws is a [`Plan`] like any other: what it finds is kept, replayed and shrunk like any other.

use std::time::Duration;

use model::config::Acks;
use model::names::{BrokerId, ControllerId, Node};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sim::cluster::Cluster;
use sim::fault::{Fault, Sight, Strike, Target, When};

use crate::load::Load;
use crate::run::Plan;
use crate::storm::Storm;

/// A plan of this length, with up to so many misfortunes. The seed is not shrunk: with another seed, every choice of the
/// run would be another.
pub fn plan(length: Duration, most_faults: usize) -> impl Strategy<Value = Plan> {
    let parts = (cluster(), load(), any::<u64>().no_shrink());
    parts.prop_flat_map(move |(cluster, load, seed)| {
        storm(&cluster, length, most_faults).prop_map(move |storm| Plan {
            scenario: "property".to_owned(),
            cluster: cluster.clone(),
            storm,
            load: load.clone(),
            seed,
            length,
        })
    })
}

/// A cluster of one to four brokers whose timeouts are short, so that much happens in little time.
pub fn cluster() -> impl Strategy<Value = Cluster> {
    let shape = (1..=4_u32).prop_flat_map(|brokers| (Just(brokers), 1..=brokers.min(3)));
    let shape = shape.prop_flat_map(|(brokers, replicas)| (Just(brokers), Just(replicas), 1..=replicas, 1..=3_u32));
    let acks = prop_oneof![4 => Just(Acks::All), 1 => Just(Acks::Leader), 1 => Just(Acks::None)];
    let sizes = (select(vec![2_048_u64, 1_048_576]), select(vec![8_usize, 100, 900]));
    (shape, acks, 1..=5_u32, prop::bool::weighted(0.15), sizes).prop_map(
        |((brokers, replicas, min_isr, partitions), acks, in_flight, unclean, (segment, payload))| {
            brisk(Cluster::of(brokers))
                .replication_factor(replicas as u16)
                .min_isr(min_isr)
                .partitions(partitions)
                .acks(acks)
                .unclean_leader_election(unclean)
                .property("producer.max.in.flight.requests.per.connection", in_flight)
                .property("log.segment.bytes", segment)
                .payload(payload)
        },
    )
}

/// The same cluster with timeouts that are several times shorter than Kafka's defaults, in about their proportions.
#[must_use]
pub fn brisk(cluster: Cluster) -> Cluster {
    let shorter = [
        ("broker.session.timeout.ms", "3000"),
        ("broker.heartbeat.interval.ms", "500"),
        ("zookeeper.session.timeout.ms", "3000"),
        ("replica.lag.time.max.ms", "4000"),
        ("request.timeout.ms", "4000"),
        ("replica.socket.timeout.ms", "4000"),
        ("replica.fetch.backoff.ms", "200"),
        ("producer.request.timeout.ms", "3000"),
        ("producer.delivery.timeout.ms", "12000"),
        ("consumer.request.timeout.ms", "3000"),
    ];
    match cluster.try_properties(&shorter) {
        Ok(cluster) => cluster,
        Err(error) => panic!("the short timeouts contradict the cluster: {error}"),
    }
}

/// A load of a few records to a few hundred a second.
pub fn load() -> impl Strategy<Value = Load> {
    (5..=120_u32, select(vec![0_u32, 1, 8])).prop_map(|(rate, keys)| Load { rate, keys, ..Load::default() })
}

/// A storm of up to so many misfortunes over this span. Each misfortune that lasts is followed by its end.
pub fn storm(cluster: &Cluster, span: Duration, most_faults: usize) -> impl Strategy<Value = Storm> + use<> {
    vec(misfortune(cluster, span), 0..=most_faults)
        .prop_map(|misfortunes| Storm { strikes: misfortunes.into_iter().flatten().collect() })
}

fn misfortune(cluster: &Cluster, span: Duration) -> impl Strategy<Value = Vec<Strike>> + use<> {
    let broker = (1..=cluster.brokers).prop_map(|id| Target::Node(Node::Broker(BrokerId(id))));
    let server = prop_oneof![6 => broker.clone(), 1 => Just(Target::Node(Node::Controller(ControllerId(1))))];
    let lasting = prop_oneof![
        4 => server.clone().prop_map(|whom| (Fault::Crash(whom), Some(Fault::Start(whom)))),
        2 => server.clone().prop_map(|whom| (Fault::PowerOff(whom), Some(Fault::Start(whom)))),
        1 => Just((Fault::PowerOffAll, Some(Fault::Start(Target::Everyone)))),
        1 => server.clone().prop_map(|whom| (Fault::Terminate(whom), Some(Fault::Start(whom)))),
        2 => (server.clone(), 1..300_u64)
            .prop_map(|(whom, nth)| (Fault::CrashAtDiskCall(whom, nth), Some(Fault::Start(whom)))),
        2 => (server, millis(20, 8_000)).prop_map(|(whom, long)| (Fault::Pause(whom, long), None)),
        3 => broker.clone().prop_map(|whom| (Fault::Isolate(whom), Some(Fault::Heal))),
        2 => broker.clone().prop_map(|whom| {
            (Fault::CutBoth { between: vec![whom], and: vec![Target::Controller] }, Some(Fault::Heal))
        }),
        3 => (link(cluster.brokers), any::<bool>())
            .prop_map(|((one, other), forth)| {
                let (from, to) = if forth { (one, other) } else { (other, one) };
                (Fault::Cut { from: vec![from], to: vec![to] }, Some(Fault::Heal))
            }),
        2 => link(cluster.brokers)
            .prop_map(|(from, to)| (Fault::Hold { from: vec![from], to: vec![to] }, Some(Fault::Heal))),
        1 => (broker.clone(), prop_oneof![Just(Target::Brokers), Just(Target::Clients)])
            .prop_map(|(one, other)| (Fault::Sever { between: vec![one], and: vec![other] }, None)),
        2 => (broker.clone(), millis(20, 5_000)).prop_map(|(whom, long)| (Fault::DiskStall(whom, long), None)),
        1 => (broker.clone(), -20_000_000_000..20_000_000_000_i64)
            .prop_map(|(whom, nanos)| (Fault::ClockJump(whom, nanos), None)),
        1 => (broker, -50_000..50_000_i32)
            .prop_map(|(whom, ppm)| (Fault::ClockDrift(whom, ppm), Some(Fault::ClockDrift(whom, 0)))),
    ];
    (when(span), lasting, millis(50, 8_000)).prop_map(|(when, (fault, end), after)| {
        let end = end.map(|end| Strike { when: when.later(after), fault: end });
        [Some(Strike { when, fault }), end].into_iter().flatten().collect()
    })
}

/// A broker, and whom it has to do with: never itself alone.
fn link(brokers: u32) -> impl Strategy<Value = (Target, Target)> + Clone {
    let broker = |id| Target::from(BrokerId(id));
    let others = prop_oneof![
        1 => Just(None),
        1 => Just(Some(Target::Clients)),
        1 => (1..=brokers).prop_map(move |id| Some(broker(id))),
    ];
    (1..=brokers, others).prop_map(move |(id, other)| match other {
        Some(other) if other != broker(id) => (broker(id), other),
        // All others, or who is left if there is no other one.
        _ if brokers > 1 => (broker(id), Target::Brokers),
        _ => (broker(id), Target::Controller),
    })
}

fn millis(least: u64, most: u64) -> impl Strategy<Value = Duration> + Clone {
    (least..=most).prop_map(Duration::from_millis)
}

fn when(span: Duration) -> impl Strategy<Value = When> {
    let sights = [
        Sight::Truncated,
        Sight::Led,
        Sight::Followed,
        Sight::IsrProposed,
        Sight::IsrShrunk,
        Sight::IsrGrew,
        Sight::LeaderChanged,
        Sight::Registered,
        Sight::Replicated,
        Sight::HighWatermarkMoved,
        Sight::Acked,
    ];
    let latest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    prop_oneof![
        3 => (0..latest).prop_map(|millis| When::At(Duration::from_millis(millis))),
        2 => (select(sights.to_vec()), 0..6_u32, 0..3_000_u64)
            .prop_map(|(on, skip, micros)| When::Ambush { on, skip, after: Duration::from_micros(micros) }),
    ]
}
