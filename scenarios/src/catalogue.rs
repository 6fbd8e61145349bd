//! The scenarios that have a name: what `highwater list` shows and `highwater run` runs.
//!
//! Each is a function from a seed to a plan. Nothing here runs or judges; a scenario is data once it is planned.

use std::time::Duration;

use model::config::{Acks, ConfigError};
use model::protocol::Protocol;
use rand::Rng;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fault::{Fault, Sight, Strike, Target, When};

use crate::load::Load;
use crate::run::Plan;
use crate::storm::{Family, Intensity, Storm};

/// A scenario that has a name.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, as the program takes it.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub sentence: &'static str,
    /// Whether it has a planted bug that a campaign must find: if it does not, the campaign is worth nothing.
    pub canary: bool,
    sketch: fn(Dice) -> Sketch,
}

/// A plan without its frame.
struct Sketch {
    cluster: Cluster,
    storm: Weather,
    load: Load,
    length: Duration,
}

/// Storms may depend on the cluster as it is after the overrides.
enum Weather {
    Drawn(Intensity),
    Written(Storm),
}

/// How long most scenarios last.
const MINUTE: Duration = Duration::from_secs(60);

/// All of them, the reference first.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "reference",
        sentence: "3 brokers, RF 3, min ISR 2, 6 partitions, acks=all, a storm of 12 faults of every kind in a minute.",
        canary: false,
        sketch: |_| reference(&Family::ALL),
    },
    Scenario {
        name: "crashes",
        sentence: "Brokers and the controller are killed, told to stop, and return.",
        canary: false,
        sketch: |_| reference(&[Family::Crashes]),
    },
    Scenario {
        name: "power-loss",
        sentence: "The power goes, of one host or of all, and takes what was not synced.",
        canary: false,
        sketch: |_| reference(&[Family::PowerLosses]),
    },
    Scenario {
        name: "partitions",
        sentence: "Links are cut one way and both ways, slow down, hold messages back and are reset.",
        canary: false,
        sketch: |_| reference(&[Family::Partitions, Family::Weather]),
    },
    Scenario {
        name: "slow-disks",
        sentence: "Disks stall, are slow, are full and fail, and processes stand still.",
        canary: false,
        sketch: |_| reference(&[Family::Disks, Family::Pauses]),
    },
    Scenario {
        name: "clocks",
        sentence: "Clocks are wrong, run wrong and jump, while brokers are killed and stand still.",
        canary: false,
        sketch: |_| reference(&[Family::Clocks, Family::Clocks, Family::Crashes, Family::Pauses]),
    },
    Scenario {
        name: "everything",
        sentence: "Swarm: a cluster and a kind of storm of its own for each seed.",
        canary: false,
        sketch: everything,
    },
    Scenario {
        name: "n-minus-1",
        sentence: "RF 1 to 5; up to N-1 of the N brokers are destroyed for good, at once or one after another.",
        canary: false,
        sketch: |dice| destroyed(dice, false),
    },
    Scenario {
        name: "cliff",
        sentence: "RF 1 to 5; 0 to all N brokers are destroyed for good at once: at N the loss is seen, and promised by nobody.",
        canary: false,
        sketch: |dice| destroyed(dice, true),
    },
    Scenario {
        name: "acks-0",
        sentence: "Producers that wait for nobody, under crashes and cuts: anything may be lost, nothing may be made up.",
        canary: false,
        sketch: |_| with_acks(Acks::None),
    },
    Scenario {
        name: "acks-1",
        sentence: "Producers that wait for the leader alone, under crashes and cuts.",
        canary: false,
        sketch: |_| with_acks(Acks::Leader),
    },
    Scenario {
        name: "unclean-election",
        sentence: "Topics where a replica that is not in sync may lead: records may be lost, logs must agree all the same.",
        canary: false,
        sketch: unclean_election,
    },
    Scenario {
        name: "rolling-restart",
        sentence: "Every broker is restarted in turn, in an orderly way, under load.",
        canary: false,
        sketch: rolling_restart,
    },
    Scenario {
        name: "many-partitions",
        sentence: "Five brokers, four topics, 40 partitions, a storm of crashes, pauses and cuts.",
        canary: false,
        sketch: many_partitions,
    },
    Scenario {
        name: "canary",
        sentence: "The truncation of Kafka 0.10, which loses committed records (KIP-101): a campaign must find it.",
        canary: true,
        sketch: canary,
    },
];

/// The scenario of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

impl Scenario {
    /// What to run for this seed.
    #[must_use]
    pub fn plan(&self, seed: u64) -> Plan {
        let sketch = (self.sketch)(Dice::new(seed));
        self.frame(sketch, seed)
    }

    /// The same with properties of the user's, by Kafka's names as in one flat file, on top of the scenario's own.
    ///
    /// # Errors
    /// If a property does not exist or contradicts what the scenario sets.
    pub fn plan_with(&self, seed: u64, properties: &[(String, String)]) -> Result<Plan, ConfigError> {
        let mut sketch = (self.sketch)(Dice::new(seed));
        let properties: Vec<(&str, &str)> =
            properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        sketch.cluster = sketch.cluster.try_properties(&properties)?;
        Ok(self.frame(sketch, seed))
    }

    fn frame(&self, sketch: Sketch, seed: u64) -> Plan {
        let Sketch { cluster, storm, load, length } = sketch;
        let storm = match storm {
            Weather::Drawn(intensity) => Storm::draw(Dice::new(seed), &cluster, &intensity),
            Weather::Written(storm) => storm,
        };
        Plan { scenario: self.name.to_owned(), cluster, storm, load, seed, length }
    }
}

/// The cluster that Kafka recommends (mission 9), with six partitions and two producers.
fn recommended() -> Cluster {
    Cluster::of(3).replication_factor(3).min_isr(2).partitions(6).producers(2).consumers(1).acks(Acks::All)
}

fn reference(families: &[Family]) -> Sketch {
    Sketch {
        cluster: recommended(),
        storm: Weather::Drawn(Intensity::of(12, MINUTE, families)),
        load: Load::default(),
        length: MINUTE,
    }
}

fn with_acks(acks: Acks) -> Sketch {
    let mut sketch = reference(&[Family::Crashes, Family::Partitions, Family::Pauses]);
    sketch.cluster = sketch.cluster.acks(acks);
    sketch
}

fn everything(dice: Dice) -> Sketch {
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
        .property("producer.max.in.flight.requests.per.connection", draw.gen_range(1..=5))
        .property("log.segment.bytes", [4_096, 65_536, 1_048_576][draw.gen_range(0..3)]);
    let load = Load { rate: draw.gen_range(10..=150), keys: [0, 1, 16][draw.gen_range(0..3)], ..Load::default() };
    Sketch { cluster, storm: Weather::Drawn(Intensity::swarm(24, MINUTE)), load, length: MINUTE }
}

/// Destroys brokers for good: at once when `cliff`, where it may be all of them; else up to all but one, and maybe one
/// after another.
fn destroyed(dice: Dice, cliff: bool) -> Sketch {
    let mut draw = dice.draw(&("destroyed", "whom"));
    let brokers: u32 = draw.gen_range(1..=5);
    let cluster = Cluster::of(brokers).replication_factor(brokers as u16).min_isr(1).partitions(brokers);
    let doomed = draw.gen_range(0..=if cliff { brokers } else { brokers - 1 });
    let mut order: Vec<_> = cluster.broker_ids().collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.gen_range(0..=at));
    }
    let first = Duration::from_secs_f64(draw.gen_range(2.0..4.0));
    let gap = if cliff || draw.gen_bool(0.5) { 0.0 } else { draw.gen_range(0.0..15.0) };
    let strikes = order.into_iter().take(doomed as usize).enumerate();
    let strikes = strikes.map(|(nth, broker)| {
        Strike::at(first + Duration::from_secs_f64(gap * nth as f64), Fault::Destroy(broker.into()))
    });
    let storm = Weather::Written(Storm::of(strikes.collect()));
    // A short load: what is asked is who still has it.
    let load = Load { rate: 50, ends: cliff.then(|| first - Duration::from_millis(500)), ..Load::default() };
    let length = first + Duration::from_secs_f64(gap * f64::from(doomed)) + Duration::from_secs(12);
    Sketch { cluster: cluster.producers(1).consumers(1).acks(Acks::All), storm, load, length }
}

fn unclean_election(_: Dice) -> Sketch {
    let families = [Family::Crashes, Family::Crashes, Family::PowerLosses, Family::Partitions];
    let mut sketch = reference(&families);
    sketch.cluster = sketch.cluster.min_isr(1).unclean_leader_election(true).property("replica.lag.time.max.ms", 5_000);
    sketch
}

fn rolling_restart(dice: Dice) -> Sketch {
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

fn many_partitions(_: Dice) -> Sketch {
    let cluster = Cluster::of(5)
        .topic("orders", 16, 3, &[("min.insync.replicas", "2")])
        .topic("payments", 12, 3, &[("min.insync.replicas", "2")])
        .topic("clicks", 10, 2, &[])
        .topic("audit", 2, 5, &[("min.insync.replicas", "3")])
        .producers(3)
        .consumers(2);
    let families = [Family::Crashes, Family::Pauses, Family::Partitions, Family::Weather];
    Sketch {
        cluster,
        storm: Weather::Drawn(Intensity::of(10, MINUTE, &families)),
        load: Load::default(),
        length: MINUTE,
    }
}

/// The leader dies; whoever cuts its log upon following the next one leads soon after, because that one dies, too.
fn canary(dice: Dice) -> Sketch {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_plans_any_seed() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        for scenario in ALL {
            assert!(scenario.sentence.ends_with('.'), "{}", scenario.name);
            for seed in 0..20 {
                let plan = scenario.plan(seed);
                assert_eq!(plan.scenario, scenario.name);
                assert_eq!(plan, scenario.plan(seed), "a plan follows from its seed alone");
                let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
                assert_eq!(read, plan);
            }
        }
    }

    #[test]
    fn the_cliff_goes_over_the_edge_and_n_minus_1_never_does() {
        let (mut over, mut at_edge) = (false, false);
        for seed in 0..200 {
            let plan = named("cliff").unwrap().plan(seed);
            over |= plan.storm.strikes.len() == plan.cluster.brokers as usize;
            let plan = named("n-minus-1").unwrap().plan(seed);
            let (destroyed, brokers) = (plan.storm.strikes.len(), plan.cluster.brokers as usize);
            assert!(destroyed < brokers);
            at_edge |= brokers == 5 && destroyed == 4;
        }
        assert!(over && at_edge);
    }

    #[test]
    fn the_users_properties_stand_above_the_scenarios_own() {
        let more = [("min.insync.replicas".to_owned(), "1".to_owned())];
        let plan = named("reference").unwrap().plan_with(3, &more).unwrap();
        assert_eq!(plan.cluster.settings.broker.min_insync_replicas, 1);
        let wrong = [("min.insync.replica".to_owned(), "1".to_owned())];
        let error = named("reference").unwrap().plan_with(3, &wrong).unwrap_err();
        assert!(error.to_string().contains("min.insync.replica"));
    }
}
