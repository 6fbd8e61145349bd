//! A rolling restart under load, and several topics and partitions at once.

use std::time::Duration;

use scenarios::load::Load;
use scenarios::strategies::brisk;
use scenarios::{scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fact::Ending;

#[test]
fn a_rolling_restart_under_load_loses_nothing_and_never_stops_the_writers() {
    let cluster = brisk(Cluster::of(3).min_isr(2).partitions(3).producers(2));
    let told = scenario(cluster, |w| {
        let load = Load { rate: 40, ..Load::default() };
        for broker in w.brokers() {
            load.carry(w, Dice::new(1), Duration::from_secs(1));
            w.terminate(broker);
            w.until(|fact| seen::stopped(fact, Ending::Exited));
            load.carry(w, Dice::new(2), Duration::from_secs(2));
            w.restart(broker);
            load.carry(w, Dice::new(3), Duration::from_secs(2));
            w.quiet();
        }
    });
    told.sometimes("a broker stopped in an orderly way", |fact| seen::stopped(fact, Ending::Exited));
    for (seed, outcome) in told.runs() {
        let counts = outcome.measures.counts;
        assert_eq!((counts.failed, counts.unknown), (0, 0), "seed {seed}: every record was acknowledged");
        assert!(counts.elections >= 3, "seed {seed}: leaderships were handed over");
    }
}

#[test]
fn several_topics_and_partitions_are_kept_apart_and_all_survive() {
    let cluster = brisk(Cluster::of(4))
        .topic("orders", 4, 3, &[("min.insync.replicas", "2")])
        .topic("clicks", 3, 2, &[])
        .topic("audit", 1, 4, &[("min.insync.replicas", "3")])
        .producers(2)
        .consumers(2);
    let told = scenario(cluster, |w| {
        let load = Load { rate: 40, keys: 5, ..Load::default() };
        load.carry(w, Dice::new(1), Duration::from_secs(3));
        let first = w.brokers()[0];
        w.crash(first);
        load.carry(w, Dice::new(2), Duration::from_secs(6));
        w.restart(first);
        let second = w.brokers()[1];
        w.pause(second, Duration::from_secs(5));
        load.carry(w, Dice::new(3), Duration::from_secs(6));
        w.quiet();
    });
    for (seed, outcome) in told.runs() {
        assert_eq!(outcome.lost.lost, 0, "seed {seed}");
        let led: std::collections::BTreeSet<_> = outcome
            .trace
            .iter()
            .flatten()
            .filter_map(|fact| match fact.event() {
                Some(model::event::Event::Led { partition, .. }) => Some(*partition),
                _ => None,
            })
            .collect();
        assert_eq!(led.len(), 8, "seed {seed}: all eight partitions were led");
    }
}
