//! The scenarios that have a name: what `highwater list` shows and `highwater run` runs.
//!
//! Each is a function from a seed to a plan. Nothing here runs or judges; a scenario is data once it is planned.

mod clients;
mod sketches;

use model::config::{Acks, ConfigError};
use sim::dice::Dice;

use self::sketches::*;
use crate::failover;
use crate::matrix;
use crate::run::Plan;
use crate::storm::{Family, Storm};

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

/// All of them, the reference first.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "reference",
        sentence: "3 brokers, RF 3, min ISR 2, 6 partitions, acks=all, a storm of 12 faults of every kind in a minute.",
        canary: false,
        sketch: |dice| reference(dice, &Family::ALL),
    },
    Scenario {
        name: "crashes",
        sentence: "Brokers and the controller are killed, told to stop, and return; a client asks where logs end.",
        canary: false,
        sketch: |dice| asked_for_ends(reference(dice, &[Family::Crashes])),
    },
    Scenario {
        name: "power-loss",
        sentence: "The power goes, of one host or of all, and takes what was not synced.",
        canary: false,
        sketch: |dice| reference(dice, &[Family::PowerLosses]),
    },
    Scenario {
        name: "partitions",
        sentence: "Links are cut one way and both ways, slow down, hold messages back and are reset.",
        canary: false,
        sketch: |dice| reference(dice, &[Family::Partitions, Family::Weather]),
    },
    Scenario {
        name: "slow-disks",
        sentence: "Disks stall, are slow, are full and fail, and processes stand still.",
        canary: false,
        sketch: |dice| reference(dice, &[Family::Disks, Family::Pauses]),
    },
    Scenario {
        name: "clocks",
        sentence: "Clocks are wrong, run wrong and jump, while brokers are killed and stand still.",
        canary: false,
        sketch: |dice| reference(dice, &[Family::Clocks, Family::Clocks, Family::Crashes, Family::Pauses]),
    },
    Scenario {
        name: "everything",
        sentence: "Swarm: a cluster, clients and a kind of storm of its own for each seed.",
        canary: false,
        sketch: everything,
    },
    Scenario {
        name: "n-minus-1",
        sentence: "RF 1 to 5; up to N-1 of the N brokers are destroyed for good, at once or one after another.",
        canary: false,
        sketch: n_minus_1,
    },
    Scenario {
        name: "cliff",
        sentence: "RF 1 to 5; 0 to all N brokers are destroyed for good at once: at N the loss is seen, and promised by nobody.",
        canary: false,
        sketch: cliff,
    },
    Scenario {
        name: "acks-0",
        sentence: "Producers that wait for nobody, under crashes and cuts: anything may be lost, nothing may be made up.",
        canary: false,
        sketch: |dice| with_acks(dice, Acks::None),
    },
    Scenario {
        name: "acks-1",
        sentence: "Producers that wait for the leader alone, under crashes and cuts.",
        canary: false,
        sketch: |dice| with_acks(dice, Acks::Leader),
    },
    Scenario {
        name: "at-most-once",
        sentence: "Producers without retries, under crashes and cuts: what has no answer is lost, and nothing is there twice.",
        canary: false,
        sketch: at_most_once,
    },
    Scenario {
        name: "refused-writes",
        sentence: "Too few replicas are in sync, twice, for longer than hasty producers wait: what they gave up is never read.",
        canary: false,
        sketch: refused_writes,
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
        name: "quorum",
        sentence: "3 controllers that elect, are killed, lose power, stand still and are cut off, while brokers fare no better.",
        canary: false,
        sketch: quorum,
    },
    Scenario {
        name: "administration",
        sentence: "5 brokers: a partition moves, leaders are elected and min.insync.replicas changes while brokers and controllers go.",
        canary: false,
        sketch: administration,
    },
    Scenario {
        name: "eligible",
        sentence: "Eligible leader replicas (KIP-966): who left a set that was too small may lead; every kind of storm, crashes most.",
        canary: false,
        sketch: eligible,
    },
    Scenario {
        name: failover::SCENARIO,
        sentence: "The active controller and a leader are killed in turn, one at a time: how long it takes until others have taken over.",
        canary: false,
        sketch: failovers,
    },
    Scenario {
        name: "zookeeper",
        sentence: "ZooKeeper mode: sessions that end, a controller among the brokers; every kind of storm, cut from the ensemble most.",
        canary: false,
        sketch: zookeeper,
    },
    Scenario {
        name: "zookeeper-operated",
        sentence: "ZooKeeper mode: partitions are moved, grown and deleted, leaders elected, minima altered, while it storms.",
        canary: false,
        sketch: zookeeper_operated,
    },
    Scenario {
        name: "storage",
        sentence: "Small logs that are rolled, deleted and compacted, checkpoints every 2 s, DeleteRecords; power cuts, crashes, bad disks.",
        canary: false,
        sketch: storage,
    },
    Scenario {
        name: "canary",
        sentence: "The truncation of Kafka 0.10, which loses committed records (KIP-101): a campaign must find it.",
        canary: true,
        sketch: canary,
    },
];

/// What is struck call by call where nobody names a scenario: short, since every crash point is a run of its own.
static SMALL_LOGS: Scenario = Scenario {
    name: "small-logs",
    sentence: "3 brokers, tiny segments, checkpoints every second, an orderly restart and a crash: all kinds of disk calls in seconds.",
    canary: false,
    sketch: small_logs,
};

/// The durability table: a run shows something about one cell only, so it stands beside all other scenarios.
static MATRIX: Scenario = Scenario {
    name: matrix::SCENARIO,
    sentence: "The durability table: acks, min.insync.replicas, replication factor, elections and faults, a cell for each seed.",
    canary: false,
    sketch: cell_of_the_matrix,
};

/// The scenario of that name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().chain([&SMALL_LOGS, &MATRIX]).find(|scenario| scenario.name == name)
}

/// The scenario whose disk calls are struck if nobody names one.
#[must_use]
pub fn for_crash_points() -> &'static Scenario {
    &SMALL_LOGS
}

/// The scenario whose seeds go through the durability table, see [`matrix::Cell::of_seed`].
#[must_use]
pub fn for_the_matrix() -> &'static Scenario {
    &MATRIX
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
            Weather::Operated(intensity) => {
                let storm = Storm::draw(Dice::new(seed), &cluster, &intensity);
                storm.with_operator(Dice::new(seed), &cluster, intensity.span)
            }
            Weather::Written(storm) => storm,
        };
        Plan { scenario: self.name.to_owned(), cluster, storm, load, seed, length }
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

    /// How many brokers each seed's cluster has, and how many of them it loses.
    fn cells(scenario: &str, seeds: std::ops::Range<u64>) -> BTreeSet<(u32, usize)> {
        let plans = seeds.map(|seed| named(scenario).unwrap().plan(seed));
        plans.map(|plan| (plan.cluster.brokers, plan.storm.strikes.len())).collect()
    }

    #[test]
    fn any_twenty_seeds_of_the_cliff_and_fifteen_of_n_minus_1_have_every_cell() {
        let table = |most: fn(usize) -> usize| -> BTreeSet<(u32, usize)> {
            (1..=5).flat_map(|brokers| (0..=most(brokers as usize)).map(move |doomed| (brokers, doomed))).collect()
        };
        for from in [0, 7, 1_000] {
            assert_eq!(cells("cliff", from..from + 20), table(|brokers| brokers));
            assert_eq!(cells("n-minus-1", from..from + 15), table(|brokers| brokers - 1));
        }
    }

    #[test]
    fn a_campaign_has_producers_of_every_temper() {
        let producers: Vec<_> = ["everything", "at-most-once", "refused-writes"]
            .into_iter()
            .flat_map(|name| (0..20).map(move |seed| named(name).unwrap().plan(seed).cluster.settings.producer))
            .collect();
        let some = |is: fn(&model::config::ProducerConfig) -> bool| producers.iter().any(is);
        assert!(some(|config| config.retries == 0) && some(|config| config.retries > 1_000));
        assert!(some(|config| config.max_in_flight_requests_per_connection == 1));
        assert!(some(|config| config.max_in_flight_requests_per_connection == 5));
        assert!(some(|config| config.delivery_timeout == config.least_delivery_timeout()));
        assert!(some(|config| config.delivery_timeout.as_secs() == 120));
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
