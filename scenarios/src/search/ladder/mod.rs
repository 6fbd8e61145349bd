//! The published ladder: five designs of how a follower follows, each with two and with three replicas (R1, R2 of the references).
//!
//! The model checker says of each whether a committed record can be lost. Here the same designs are hunted: a design that is said to be
//! broken should be seen to break, one that is said to hold must never be. The models are `hachikuji/kafka-specification`: what a design
//! is can be read there, module by module.

mod traces;

use model::protocol::{Admission, Fencing, Protocol, Recording, Storage, Truncation, Watermark};
use sim::cluster::Cluster;

use super::{Ground, Strategy, attempt, grounds};
use crate::guarantee::Guarantee;
use crate::known_bugs::stories::World;
use crate::load::Load;
use crate::run::Outcome;
use crate::scripted::tell;
use crate::storm::Family;

/// One design with so many replicas.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// The design.
    pub design: &'static str,
    /// How many replicas.
    pub replicas: u32,
    /// The shortest trace to a violation that the model checker found, in states; `None` if there is none.
    pub shortest: Option<u32>,
    /// That trace, told to a cluster; `None` if there is none.
    pub trace: Option<fn(&mut World)>,
    protocol: Protocol,
}

/// What hunting a rung came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Climbed {
    /// Seeds that were tried.
    pub seeds: u64,
    /// Seeds that lost what was committed, or elected or let in somebody without it.
    pub broken: u64,
    /// Seeds that broke anything else.
    pub strays: u64,
    /// Whether the published trace, told to a cluster, breaks it; false if there is none.
    pub by_trace: bool,
}

/// Told with so many seeds: a wait may end a moment too late.
const TELLINGS: u64 = 4;

/// `KafkaTruncateToHighWatermark`: with every new epoch a follower cuts at its own high watermark.
const TO_HIGH_WATERMARK: Protocol = Protocol { truncation: Truncation::HighWatermark, ..KIP_279 };
/// `Kip101`: it asks where the epoch of its last record ends.
const KIP_101: Protocol = Protocol { truncation: Truncation::OnceByEnd, ..KIP_279 };
/// `Kip279`: it asks until both agree on an epoch. Whoever is asked answers, in whichever epoch it was asked and is; whoever has reached
/// the high watermark joins.
const KIP_279: Protocol =
    Protocol { truncation: Truncation::OnceByEpoch, admission: Admission::HighWatermark, ..FIRST_KIP_320 };
/// `Kip320FirstTry`: every fetch names the epoch of the last record, but not the one in which the follower is; who joins has reached the
/// start of the leader's epoch. An epoch is known by its records alone, as in all of these models and in Kafka before KAFKA-7415. With
/// epochs that are on record from the election on, two replicas are not safe without fencing: a broker that has copied records of
/// epoch 2 and only then hears that it leads in epoch 1 puts that on record behind them, forgets epoch 2, and cuts what is committed.
const FIRST_KIP_320: Protocol = Protocol {
    fencing: Fencing::Unfenced,
    admission: Admission::EpochStart,
    watermark: Watermark::MaximalIsr,
    storage: Storage { recording: Recording::WithTheFirstRecord, ..Storage::LATEST },
    ..Protocol::LATEST
};

/// So many states, the first one counted, and what happens in them.
type Trace = (u32, fn(&mut World));

const fn rung(design: &'static str, protocol: Protocol, replicas: u32, trace: Option<Trace>) -> Rung {
    let (shortest, trace) = match trace {
        Some((states, trace)) => (Some(states), Some(trace)),
        None => (None, None),
    };
    Rung { design, replicas, shortest, trace, protocol }
}

const HOLDS: Option<Trace> = None;

const fn breaks(states: u32, trace: fn(&mut World)) -> Option<Trace> {
    Some((states, trace))
}

/// All rungs, the oldest design first.
pub const LADDER: [Rung; 10] = [
    rung("truncate to the high watermark", TO_HIGH_WATERMARK, 2, breaks(10, traces::a_leader_for_an_instant)),
    rung("truncate to the high watermark", TO_HIGH_WATERMARK, 3, breaks(9, traces::a_leader_for_an_instant)),
    rung("KIP-101", KIP_101, 2, breaks(12, traces::a_leader_for_an_instant)),
    rung("KIP-101", KIP_101, 3, breaks(11, traces::elections_overtake_the_news_of_them)),
    rung("KIP-279", KIP_279, 2, HOLDS),
    rung("KIP-279", KIP_279, 3, breaks(11, traces::elections_overtake_the_news_of_them)),
    rung("KIP-320, first try", FIRST_KIP_320, 2, HOLDS),
    rung("KIP-320, first try", FIRST_KIP_320, 3, breaks(13, traces::elections_overtake_the_news_of_them)),
    rung("KIP-320", Protocol::LATEST, 2, HOLDS),
    rung("KIP-320", Protocol::LATEST, 3, HOLDS),
];

impl Rung {
    /// Tries so many seeds, as long as `go_on` says so.
    #[must_use]
    pub fn climb(&self, seeds: u64, go_on: &dyn Fn() -> bool) -> Climbed {
        let ground = self.ground();
        let mut searcher = Strategy::Mixed.begin();
        let mut climbed = Climbed { by_trace: self.breaks_by_its_trace(), ..Climbed::default() };
        while climbed.seeds < seeds && go_on() {
            let plan = searcher.next(&ground, climbed.seeds);
            let outcome = attempt(&plan, false).outcome;
            climbed.seeds += 1;
            let broken = is_broken(&outcome);
            climbed.broken += u64::from(broken);
            climbed.strays += u64::from(!broken && outcome.fingerprint().is_some());
        }
        climbed
    }

    /// Whether its published trace, told to a cluster, breaks it; false if it has none.
    #[must_use]
    pub fn breaks_by_its_trace(&self) -> bool {
        let told = |seed, trace: fn(&mut World)| tell(&self.cluster(), seed, &|world: &mut crate::World| trace(world));
        self.trace.is_some_and(|trace| (0..TELLINGS).any(|seed| is_broken(&told(seed, trace))))
    }

    /// The cluster that has this design. In the models anybody may be given up, let in and elected at any time: here as soon as can be.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        let cluster = Cluster::of(self.replicas).replication_factor(self.replicas as u16).min_isr(1);
        grounds::quick(cluster).protocol(self.protocol)
    }

    /// Where it is climbed.
    #[must_use]
    pub fn ground(&self) -> Ground {
        Ground {
            name: format!("{} with {} replicas", self.design, self.replicas),
            cluster: self.cluster(),
            load: Load { rate: super::RATE, keys: 8, ..Load::default() },
            // No power is lost: the models know none.
            families: vec![Family::Crashes, Family::Partitions, Family::Weather],
            length: super::LENGTH,
        }
    }
}

/// Whether committed records are lost, or somebody may lead who has not got them.
fn is_broken(outcome: &Outcome) -> bool {
    let is_about_them =
        |guarantee| matches!(guarantee, Guarantee::Durability | Guarantee::LeaderCompleteness | Guarantee::LogMatching);
    outcome.violations.iter().any(|violation| is_about_them(violation.guarantee))
}

#[cfg(test)]
mod tests {
    use super::*;
    fn of(design: &str, replicas: u32) -> Rung {
        LADDER.into_iter().find(|rung| rung.design == design && rung.replicas == replicas).unwrap()
    }

    fn told(rung: &Rung, trace: fn(&mut World), seed: u64) -> Outcome {
        let outcome = tell(&rung.cluster(), seed, &|world: &mut crate::World| trace(world));
        assert!(outcome.panicked.is_none() && outcome.inconclusive.is_none(), "{rung:?} {seed}: {outcome:?}");
        outcome
    }

    #[test]
    fn every_design_that_is_said_to_break_breaks_by_its_published_trace() {
        for rung in &LADDER {
            assert_eq!(
                rung.breaks_by_its_trace(),
                rung.shortest.is_some(),
                "{} with {} replicas",
                rung.design,
                rung.replicas
            );
        }
    }

    #[test]
    fn every_design_that_is_said_to_hold_is_unharmed_by_all_traces() {
        for rung in LADDER.iter().filter(|rung| rung.trace.is_none()) {
            for other in LADDER.iter().filter(|other| other.replicas == rung.replicas) {
                let Some(trace) = other.trace else { continue };
                for seed in 0..TELLINGS {
                    let outcome = told(rung, trace, seed);
                    let harm = outcome.violations.first().map(ToString::to_string);
                    assert_eq!(harm, None, "{} with {} replicas, seed {seed}", rung.design, rung.replicas);
                }
            }
        }
    }

    #[test]
    fn what_holds_is_not_seen_to_break_and_the_oldest_design_is() {
        let now = of("KIP-320", 3).climb(15, &|| true);
        assert_eq!((now.broken, now.strays, now.seeds), (0, 0, 15));
        assert!(of("truncate to the high watermark", 3).climb(60, &|| true).broken > 0);
    }
}
