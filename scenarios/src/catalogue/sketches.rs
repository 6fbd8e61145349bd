//! What each scenario makes of a seed: a cluster, a storm, a load.

use std::time::Duration;

use model::config::Acks;
use model::names::BrokerId;
use model::protocol::Protocol;
use rand::Rng;
use rand::seq::SliceRandom;
use sim::cluster::Cluster;
use sim::dice::{Dice, Draw};
use sim::fault::{Fault, Sight, Strike, Target, When};

use super::clients::Clients;
use crate::load::Load;
use crate::matrix::Cell;
use crate::storm::{Family, Intensity, Storm};

/// A plan without its frame.
pub(super) struct Sketch {
    pub(super) cluster: Cluster,
    pub(super) storm: Weather,
    pub(super) load: Load,
    pub(super) length: Duration,
}

/// Storms may depend on the cluster as it is after the overrides.
pub(super) enum Weather {
    Drawn(Intensity),
    /// With an operator who goes on with the work.
    Operated(Intensity),
    Written(Storm),
}

/// How long most scenarios last.
const MINUTE: Duration = Duration::from_secs(60);

/// The cluster that Kafka recommends (mission 9), with six partitions and two producers.
fn recommended() -> Cluster {
    Cluster::of(3).replication_factor(3).min_isr(2).partitions(6).producers(2).consumers(1).acks(Acks::All)
}

/// A minute of storm over the recommended cluster.
pub(super) fn reference(dice: Dice, families: &[Family]) -> Sketch {
    let cluster = Clients::hasty_every_third(dice, recommended());
    Sketch {
        cluster,
        storm: Weather::Drawn(Intensity::of(12, MINUTE, families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// The recommended cluster with small logs that are rolled, deleted and compacted all the time: a topic of events and one
/// of states, which keeps the last of each key.
fn busy_with_its_disks(checkpoints: Duration) -> Cluster {
    let often = checkpoints.as_millis();
    recommended()
        .topic("events", 2, 3, &[("cleanup.policy", "delete"), ("retention.bytes", "40000")])
        .topic("states", 2, 3, &[("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.2")])
        .property("log.segment.bytes", 8_192)
        .property("log.index.interval.bytes", 1_024)
        .property("log.flush.offset.checkpoint.interval.ms", often)
        .property("log.flush.start.offset.checkpoint.interval.ms", often)
        .property("replica.high.watermark.checkpoint.interval.ms", often)
        .property("log.initial.task.delay.ms", often)
        .property("log.retention.check.interval.ms", often)
        .property("log.cleaner.backoff.ms", often)
        .property("log.segment.delete.delay.ms", 2 * often)
}

/// Everything that a log does to its disk, under a storm of what may befall disks.
pub(super) fn storage(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("storage", "cluster"));
    let cluster = busy_with_its_disks(Duration::from_secs(2))
        .property("log.retention.ms", [8_000, 20_000, 600_000][draw.gen_range(0..3)])
        .property("log.flush.interval.messages", [20, 100, i64::MAX][draw.gen_range(0..3)]);
    let families = [Family::PowerLosses, Family::PowerLosses, Family::Crashes, Family::Disks, Family::Pauses];
    Sketch {
        cluster: Clients::hasty_every_third(dice, cluster),
        storm: Weather::Drawn(Intensity::of(10, MINUTE, &families)),
        load: Load { keys: 24, deletions: Some(Duration::from_secs(4)), ..Load::default() },
        length: MINUTE,
    }
}

/// A short life with everything in it that a log does to its disk, and sessions that end soon, so that nobody waits.
pub(super) fn small_logs(_: Dice) -> Sketch {
    let cluster = busy_with_its_disks(Duration::from_secs(1))
        .property("log.flush.interval.messages", 50)
        .property("broker.session.timeout.ms", 1_500)
        .property("broker.heartbeat.interval.ms", 400)
        .property("replica.lag.time.max.ms", 3_000)
        // Producers that give up while too few are in sync: what they gave up must not be read.
        .try_properties(&[("producer.request.timeout.ms", "800"), ("producer.delivery.timeout.ms", "1200")])
        .expect("these are properties of producers");
    let (told, killed): (Target, Target) = (BrokerId(1).into(), BrokerId(2).into());
    let strikes = vec![
        Strike::at(Duration::from_millis(1_500), Fault::Terminate(told)),
        Strike::at(Duration::from_millis(2_500), Fault::Start(told)),
        Strike::at(Duration::from_millis(4_000), Fault::Crash(killed)),
        Strike::at(Duration::from_millis(4_600), Fault::Start(killed)),
    ];
    let load = Load { rate: 60, keys: 16, deletions: Some(Duration::from_secs(2)), ..Load::default() };
    Sketch { cluster, storm: Weather::Written(Storm::of(strikes)), load, length: Duration::from_secs(7) }
}

/// The same, and every second a client asks where some partition ends.
pub(super) fn asked_for_ends(sketch: Sketch) -> Sketch {
    let load = Load { listings: Some(Duration::from_secs(1)), ..sketch.load };
    Sketch { load, ..sketch }
}

/// The recommended cluster with a quorum: three controllers mostly, sometimes five, sometimes in one process with brokers;
/// snapshots are made often.
pub(super) fn quorum(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("quorum", "cluster"));
    let mut cluster = recommended()
        .controllers(if draw.gen_bool(0.8) { 3 } else { 5 })
        .property("metadata.log.max.record.bytes.between.snapshots", [3_000, 20_000, 20_971_520][draw.gen_range(0..3)])
        .property("metadata.max.retention.bytes", [4_000, 104_857_600][draw.gen_range(0..2)]);
    if draw.gen_bool(0.25) {
        cluster = cluster.combined();
    }
    cluster = Clients::hasty_every_third(dice, cluster);
    let mut families = Family::ALL.to_vec();
    families.extend([Family::Controllers; 7]);
    Sketch {
        cluster,
        storm: Weather::Drawn(Intensity::of(12, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// Replicas on three of five brokers, three controllers, and an operator who does not wait for fair weather.
pub(super) fn administration(dice: Dice) -> Sketch {
    let cluster = Cluster::of(5)
        .controllers(3)
        .min_isr(2)
        .topic("orders", 3, 3, &[])
        .topic("passing", 2, 3, &[])
        .producers(2)
        .consumers(1)
        .acks(Acks::All);
    let mut cluster = Clients::hasty_every_third(dice, cluster);
    if dice.seed().is_multiple_of(2) {
        cluster = cluster.protocol(Protocol::KAFKA_4_1);
    }
    let mut families = Family::ALL.to_vec();
    families.extend([Family::Controllers, Family::Controllers, Family::Crashes, Family::Crashes]);
    Sketch {
        cluster,
        storm: Weather::Operated(Intensity::of(10, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// The recommended cluster in ZooKeeper mode, as its last versions were told by default, or with the shorter sessions of those
/// before.
pub(super) fn zookeeper(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("zookeeper", "cluster"));
    let session = [6_000, 6_000, 18_000][draw.gen_range(0..3)];
    let cluster = recommended().zookeeper().property("zookeeper.session.timeout.ms", session);
    let cluster = Clients::hasty_every_third(dice, cluster);
    let mut families = Family::ALL.to_vec();
    families.extend([Family::Controllers; 5]);
    Sketch {
        cluster,
        storm: Weather::Drawn(Intensity::of(12, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// Five brokers in ZooKeeper mode, with short sessions, and an operator who moves, grows and deletes topics in the midst of it.
pub(super) fn zookeeper_operated(_: Dice) -> Sketch {
    let cluster = Cluster::of(5)
        .zookeeper()
        .min_isr(2)
        .topic("orders", 4, 3, &[])
        .topic("passing", 2, 3, &[])
        .producers(2)
        .consumers(1)
        .acks(Acks::All)
        .property("zookeeper.session.timeout.ms", 6_000)
        .property("leader.imbalance.check.interval.seconds", 10)
        .property("producer.request.timeout.ms", 5_000)
        .property("producer.delivery.timeout.ms", 30_000);
    let mut families = Family::ALL.to_vec();
    families.extend([Family::Controllers, Family::Controllers, Family::Crashes, Family::Crashes]);
    Sketch {
        cluster,
        storm: Weather::Operated(Intensity::of(10, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// The recommended cluster with eligible leader replicas: who stops uncleanly leaves every set, and who left a set that was too small may
/// lead. Every third fleet of producers gives up before a set has grown again.
pub(super) fn eligible(dice: Dice) -> Sketch {
    let cluster = recommended().controllers(3).protocol(Protocol::KAFKA_4_1);
    let cluster = Clients::hasty_every_third(dice, cluster);
    let mut families = Family::ALL.to_vec();
    families.extend([Family::Crashes; 4]);
    Sketch {
        cluster,
        storm: Weather::Drawn(Intensity::of(12, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// Three controllers with Kafka's own timeouts; in turn the active one and a leader are killed, and come back when others
/// have taken over. The producers of every third seed are hasty, for what is refused meanwhile.
pub(super) fn failovers(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("failovers", "times"));
    let cluster = Clients::hasty_every_third(dice, recommended().controllers(3));
    let (mut strikes, mut at) = (Vec::new(), 3.0);
    for nth in 0..4 {
        let (killed, away) = if nth % 2 == 0 { (Target::Controller, 8.0) } else { (Target::Leader(nth), 14.0) };
        at += draw.gen_range(0.0..2.0);
        strikes.push(Strike::at(Duration::from_secs_f64(at), Fault::Crash(killed)));
        at += away;
        let back = if nth % 2 == 0 { Target::Controllers } else { Target::Brokers };
        strikes.push(Strike::at(Duration::from_secs_f64(at), Fault::Start(back)));
        at += 4.0;
    }
    Sketch { cluster, storm: Weather::Written(Storm::of(strikes)), load: Load::default(), length: MINUTE }
}

/// The cell of the durability table that this seed is for.
pub(super) fn cell_of_the_matrix(dice: Dice) -> Sketch {
    let cell = Cell::all()[Cell::of_seed(dice.seed())];
    Sketch {
        cluster: cell.cluster(),
        storm: Weather::Written(cell.storm(dice)),
        load: Cell::load(),
        length: Cell::length(),
    }
}

pub(super) fn with_acks(dice: Dice, acks: Acks) -> Sketch {
    let mut sketch = reference(dice, &[Family::Crashes, Family::Partitions, Family::Pauses]);
    sketch.cluster = sketch.cluster.acks(acks);
    sketch
}

pub(super) fn everything(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("everything", "cluster"));
    let brokers = draw.gen_range(1..=5);
    let replicas = draw.gen_range(1..=brokers.min(4));
    let min_isr = draw.gen_range(1..=replicas);
    let acks = [Acks::All, Acks::All, Acks::All, Acks::Leader, Acks::None][draw.gen_range(0..5)];
    let cluster = Cluster::of(brokers)
        .replication_factor(replicas as u16)
        .min_isr(min_isr)
        .partitions(draw.gen_range(1..=8))
        .producers(draw.gen_range(1..=3))
        .consumers(draw.gen_range(1..=2))
        .acks(acks)
        .unclean_leader_election(draw.gen_bool(0.2))
        .property("log.segment.bytes", [4_096, 65_536, 1_048_576][draw.gen_range(0..3)]);
    let load = Load { rate: draw.gen_range(10..=150), keys: [0, 1, 16][draw.gen_range(0..3)], ..Load::default() };
    let cluster = Clients::draw(dice).told(cluster);
    Sketch { cluster, storm: Weather::Drawn(Intensity::swarm(24, MINUTE)), load, length: MINUTE }
}

/// Producers that never send anything twice, where answers get lost.
pub(super) fn at_most_once(dice: Dice) -> Sketch {
    let mut sketch = reference(dice, &[Family::Crashes, Family::Partitions, Family::Pauses, Family::Weather]);
    sketch.cluster = Clients { retries: 0, ..Clients::draw(dice) }.told(sketch.cluster);
    sketch
}

/// So many brokers go that too few in-sync replicas are left, for longer than anybody waits; and return.
pub(super) fn refused_writes(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("refused writes", "storm"));
    let min_isr = draw.gen_range(2..=3);
    let clients = Clients::hasty(dice);
    let cluster = clients.told(recommended().min_isr(min_isr)).property("replica.lag.time.max.ms", 5_000);
    let mut strikes = Vec::new();
    // The second time others go, or the same.
    for nth in 0..2 {
        let begins = Duration::from_secs_f64(draw.gen_range(2.0..6.0) + 30.0 * f64::from(nth));
        for broker in shuffled(&mut draw, cluster.broker_ids().collect()).into_iter().take(4 - min_isr as usize) {
            let at = begins + Duration::from_secs_f64(draw.gen_range(0.0..2.0));
            let lasts = Duration::from_secs_f64(draw.gen_range(14.0..20.0));
            let broker = Target::from(broker);
            let (fault, end) = match draw.gen_range(0..4) {
                0 => (Fault::Pause(broker, lasts), None),
                1 => (Fault::Isolate(broker), Some(Fault::Mend { between: vec![broker], and: vec![Target::Everyone] })),
                _ => (Fault::Crash(broker), Some(Fault::Start(broker))),
            };
            strikes.push(Strike::at(at, fault));
            strikes.extend(end.map(|end| Strike::at(at + lasts, end)));
        }
    }
    Sketch { cluster, storm: Weather::Written(Storm::of(strikes)), load: Load::default(), length: MINUTE }
}

/// Destroys some brokers for good, and never the last one: at once, or one after another.
pub(super) fn n_minus_1(dice: Dice) -> Sketch {
    let (brokers, doomed) = cell(dice.seed(), |brokers| brokers - 1);
    let at_once = dice.draw(&("destroyed", "how")).gen_bool(0.5);
    destroyed(dice, brokers, doomed, !at_once, |_| None)
}

/// Destroys any number of brokers for good and at once, after the last record was written.
pub(super) fn cliff(dice: Dice) -> Sketch {
    let (brokers, doomed) = cell(dice.seed(), |brokers| brokers);
    destroyed(dice, brokers, doomed, false, |first| Some(first - Duration::from_millis(500)))
}

/// The cell of this seed in the table of one to five brokers by how many of them are destroyed, from 0 to `most`: any
/// run of seeds as long as the table has all of its cells.
fn cell(seed: u64, most: fn(u32) -> u32) -> (u32, u32) {
    let cells: Vec<(u32, u32)> =
        (1..=5).flat_map(|brokers| (0..=most(brokers)).map(move |doomed| (brokers, doomed))).collect();
    cells[(seed % cells.len() as u64) as usize]
}

fn destroyed(
    dice: Dice,
    brokers: u32,
    doomed: u32,
    one_by_one: bool,
    load_ends: fn(Duration) -> Option<Duration>,
) -> Sketch {
    let mut draw = dice.draw(&("destroyed", "whom"));
    let cluster = Cluster::of(brokers).replication_factor(brokers as u16).min_isr(1).partitions(brokers);
    let order = shuffled(&mut draw, cluster.broker_ids().collect());
    let first = Duration::from_secs_f64(draw.gen_range(2.0..4.0));
    let gap = if one_by_one { draw.gen_range(0.5..15.0) } else { 0.0 };
    let strikes = order.into_iter().take(doomed as usize).enumerate();
    let strikes = strikes.map(|(nth, broker)| {
        Strike::at(first + Duration::from_secs_f64(gap * nth as f64), Fault::Destroy(broker.into()))
    });
    let storm = Weather::Written(Storm::of(strikes.collect()));
    // A light load: what is asked is who still has it. With keys, so that every partition has some of it by then: without,
    // a producer stays with one partition until it has filled a batch.
    let load = Load { rate: 50, keys: 32, ends: load_ends(first), ..Load::default() };
    let length = first + Duration::from_secs_f64(gap * f64::from(doomed)) + Duration::from_secs(12);
    Sketch { cluster: cluster.producers(1).consumers(1).acks(Acks::All), storm, load, length }
}

fn shuffled<T>(draw: &mut Draw, mut list: Vec<T>) -> Vec<T> {
    list.shuffle(draw);
    list
}

pub(super) fn unclean_election(dice: Dice) -> Sketch {
    let families = [Family::Crashes, Family::Crashes, Family::PowerLosses, Family::Partitions];
    let mut sketch = reference(dice, &families);
    sketch.cluster = sketch.cluster.min_isr(1).unclean_leader_election(true).property("replica.lag.time.max.ms", 5_000);
    sketch
}

pub(super) fn rolling_restart(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("rolling", "restart"));
    let cluster = recommended();
    let mut strikes = Vec::new();
    let mut at = Duration::from_secs(2);
    for broker in cluster.broker_ids() {
        strikes.push(Strike::at(at, Fault::Terminate(broker.into())));
        at += Duration::from_secs_f64(draw.gen_range(3.0..6.0));
        strikes.push(Strike::at(at, Fault::Start(broker.into())));
        at += Duration::from_secs_f64(draw.gen_range(8.0..12.0));
    }
    Sketch { cluster, storm: Weather::Written(Storm::of(strikes)), load: Load::default(), length: MINUTE }
}

pub(super) fn many_partitions(dice: Dice) -> Sketch {
    let cluster = Cluster::of(5)
        .topic("orders", 16, 3, &[("min.insync.replicas", "2")])
        .topic("payments", 12, 3, &[("min.insync.replicas", "2")])
        .topic("clicks", 10, 2, &[])
        .topic("audit", 2, 5, &[("min.insync.replicas", "3")])
        .producers(3)
        .consumers(2);
    let families = [Family::Crashes, Family::Pauses, Family::Partitions, Family::Weather];
    Sketch {
        cluster: Clients::hasty_every_third(dice, cluster),
        storm: Weather::Drawn(Intensity::of(10, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// The leader dies; whoever cuts its log upon following the next one leads soon after, because that one dies, too.
pub(super) fn canary(dice: Dice) -> Sketch {
    let mut draw = dice.draw(&("canary", "times"));
    let first = Duration::from_millis(draw.gen_range(3_000..6_000));
    let upon_truncation = |after| When::Ambush { on: Sight::Truncated, skip: 0, after: Duration::from_micros(after) };
    let storm = Storm::of(vec![
        Strike::at(first, Fault::Crash(Target::Leader(0))),
        Strike { when: upon_truncation(0), fault: Fault::Crash(Target::Leader(0)) },
    ]);
    Sketch {
        cluster: recommended().partitions(1).min_isr(1).protocol(Protocol::KAFKA_0_10),
        storm: Weather::Written(storm),
        load: Load { rate: 200, ..Load::default() },
        length: Duration::from_secs(30),
    }
}
