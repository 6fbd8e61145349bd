//! The published ladder: five designs of how a follower follows, each with two and with three replicas (R1, R2 of the references).
//!
//! The model checker says of each whether a committed record can be lost. Here the same designs are hunted: a design that is said to be
//! broken should be seen to break, one that is said to hold must never be.

use model::protocol::{Admission, Fencing, Protocol, Truncation};
use sim::cluster::Cluster;

use super::{Ground, Strategy, attempt};
use crate::guarantee::Guarantee;
use crate::load::Load;
use crate::storm::Family;
use crate::strategies::brisk;

/// One design with so many replicas.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// The design.
    pub design: &'static str,
    /// How many replicas.
    pub replicas: u32,
    /// The shortest trace to a violation that the model checker found, in states; `None` if there is none.
    pub shortest: Option<u32>,
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
}

const TO_HIGH_WATERMARK: Protocol = Protocol { truncation: Truncation::HighWatermark, ..KIP_279 };
const KIP_101: Protocol = Protocol { truncation: Truncation::EndOfLastEpoch, ..KIP_279 };
const KIP_279: Protocol = Protocol { fencing: Fencing::Unfenced, ..FIRST_KIP_320 };
const FIRST_KIP_320: Protocol = Protocol { admission: Admission::HighWatermark, ..Protocol::LATEST };

const fn rung(design: &'static str, protocol: Protocol, replicas: u32, shortest: Option<u32>) -> Rung {
    Rung { design, replicas, shortest, protocol }
}

/// All rungs, the oldest design first.
pub const LADDER: [Rung; 10] = [
    rung("truncate to the high watermark", TO_HIGH_WATERMARK, 2, Some(10)),
    rung("truncate to the high watermark", TO_HIGH_WATERMARK, 3, Some(9)),
    rung("KIP-101", KIP_101, 2, Some(12)),
    rung("KIP-101", KIP_101, 3, Some(11)),
    rung("KIP-279", KIP_279, 2, None),
    rung("KIP-279", KIP_279, 3, Some(11)),
    rung("KIP-320, first try", FIRST_KIP_320, 2, None),
    rung("KIP-320, first try", FIRST_KIP_320, 3, Some(13)),
    rung("KIP-320", Protocol::LATEST, 2, None),
    rung("KIP-320", Protocol::LATEST, 3, None),
];

impl Rung {
    /// Tries so many seeds, as long as `go_on` says so.
    #[must_use]
    pub fn climb(&self, seeds: u64, go_on: &dyn Fn() -> bool) -> Climbed {
        let ground = self.ground();
        let mut searcher = Strategy::Mixed.begin();
        let mut climbed = Climbed::default();
        while climbed.seeds < seeds && go_on() {
            let plan = searcher.next(&ground, climbed.seeds);
            let outcome = attempt(&plan, false).outcome;
            climbed.seeds += 1;
            let broken = outcome.violations.iter().any(|violation| is_about_committed_records(violation.guarantee));
            climbed.broken += u64::from(broken);
            climbed.strays += u64::from(!broken && outcome.fingerprint().is_some());
        }
        climbed
    }

    /// Where it is climbed.
    #[must_use]
    pub fn ground(&self) -> Ground {
        let cluster = Cluster::of(self.replicas).replication_factor(self.replicas as u16).min_isr(1);
        Ground {
            name: format!("{} with {} replicas", self.design, self.replicas),
            cluster: brisk(cluster).protocol(self.protocol),
            load: Load { rate: super::RATE, keys: 8, ..Load::default() },
            // No power is lost: the models know none.
            families: vec![Family::Crashes, Family::Partitions, Family::Weather],
            length: super::LENGTH,
        }
    }
}

fn is_about_committed_records(guarantee: Guarantee) -> bool {
    matches!(guarantee, Guarantee::Durability | Guarantee::LeaderCompleteness | Guarantee::LogMatching)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_is_not_seen_to_break_and_the_oldest_design_is() {
        let of = |design: &str, replicas| {
            LADDER.into_iter().find(|rung| rung.design == design && rung.replicas == replicas).unwrap()
        };
        let now = of("KIP-320", 3).climb(15, &|| true);
        assert_eq!((now.broken, now.strays, now.seeds), (0, 0, 15));
        assert!(of("truncate to the high watermark", 3).climb(60, &|| true).broken > 0);
    }
}
