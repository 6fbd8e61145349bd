//! History's mistakes, and some that nobody made: each with a story that meets it and the promise that it breaks.
//!
//! One test demands that every row is caught, and that the protocol without the mistake tells the same stories without harm.
//! A story is a plain function over a world; it never asks which protocol is spoken. The rows stand in one file for each
//! part of the protocol that they are about.

mod allowed;
mod clients;
mod clusters;
mod elsewhere;
mod harmless;
mod in_sync;
mod published;
mod quorum;
mod replicating;
pub mod stories;
mod storing;
mod waiting;
mod zookeeper;

use model::protocol::Protocol;
use sim::cluster::Cluster;

pub use self::elsewhere::ELSEWHERE;
pub use self::harmless::{HARMLESS, Harmless};
pub use self::published::{Published, published, published_of};
pub use self::waiting::{WAITING, Waiting};
use crate::guarantee::Guarantee;
use crate::run::Outcome;
use crate::storm::Family;

/// One mistake.
#[derive(Clone, Copy, Debug)]
pub struct KnownBug {
    /// Its number: `B01` for what history made, `P03` for what was planted, `H` and `Z` for our own.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Where it is told: a KIP, a JIRA, or that it is planted.
    pub source: &'static str,
    /// The mistake.
    pub protocol: Protocol,
    /// The cluster in which it is met; the protocol is added.
    pub cluster: fn() -> Cluster,
    /// The story that meets it.
    pub story: fn(&mut stories::World),
    /// What it breaks.
    pub breaks: Breaks,
    /// Of which families the storms are in which it is looked for.
    pub families: &'static [Family],
    /// Within how many seeds its story catches it.
    pub seeds: u64,
}

/// What a mistake breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaks {
    /// A promise: the run is violated.
    Promise(Guarantee),
    /// Nothing that was promised: records that were committed or acknowledged are lost, and the contract allows it. A positive control: if
    /// nothing is ever lost, the storms are too weak to show anything.
    Nothing,
}

impl Breaks {
    /// Whether this run shows it. A run that fails for another reason does not.
    #[must_use]
    pub fn shown_by(self, outcome: &Outcome) -> bool {
        match self {
            Self::Promise(guarantee) => outcome.violations.iter().any(|violation| violation.guarantee == guarantee),
            Self::Nothing => {
                let lost = &outcome.lost;
                outcome.violations.is_empty()
                    && lost.excused + lost.acknowledged_lost + lost.acknowledged_by_leader_lost > 0
            }
        }
    }

    /// The id of the guarantee, or `loss within the contract`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Promise(guarantee) => guarantee.id(),
            Self::Nothing => "loss within the contract",
        }
    }
}

impl KnownBug {
    /// The cluster that has this bug.
    #[must_use]
    pub fn cluster(&self) -> Cluster {
        (self.cluster)().protocol(self.protocol)
    }

    /// The same cluster without it.
    #[must_use]
    pub fn mended(&self) -> Cluster {
        let cluster = (self.cluster)();
        let sound = sound(&cluster, self.protocol);
        cluster.protocol(sound)
    }

    /// The questions to which it has another answer than the protocol without it, by the names of the fields of
    /// [`Protocol`]; empty for a positive control.
    #[must_use]
    pub fn decisions(&self) -> Vec<String> {
        let sound = sound(&(self.cluster)(), self.protocol);
        let mut differing = Vec::new();
        differences("", &json(self.protocol), &json(sound), &mut differing);
        differing
    }

    /// Whether it shows only where clients ask how long a log is.
    #[must_use]
    pub fn is_about_listings(&self) -> bool {
        self.protocol.listing != Protocol::LATEST.listing
    }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static KnownBug> + Clone {
    let parts: [&[KnownBug]; 7] =
        [replicating::BUGS, in_sync::BUGS, storing::BUGS, clients::BUGS, quorum::BUGS, zookeeper::BUGS, allowed::BUGS];
    parts.into_iter().flatten()
}

/// Those that a campaign looks for before anything else, one of each kind that is found within a second or so: if its searches do not find
/// these, what they do not find elsewhere means nothing.
pub fn canaries() -> impl Iterator<Item = &'static KnownBug> + Clone {
    const IDS: [&str; 14] =
        ["B01", "B02", "B11", "B13", "B14", "B15", "B17", "B38", "B49", "H08", "H13", "P05", "P11", "P21"];
    IDS.iter().filter_map(|id| named(id))
}

/// The one with this id, or under which what has this id is told.
#[must_use]
pub fn named(id: &str) -> Option<&'static KnownBug> {
    let elsewhere = ELSEWHERE.iter().find(|(told, _)| told.eq_ignore_ascii_case(id));
    let id = elsewhere.map_or(id, |(_, row)| row);
    all().find(|bug| bug.id.eq_ignore_ascii_case(id))
}

/// The protocol without any mistake that is nearest to this one.
fn sound(cluster: &Cluster, protocol: Protocol) -> Protocol {
    if cluster.zookeeper {
        Protocol::ZOOKEEPER
    } else if protocol.candidates.has_elr() {
        Protocol::KAFKA_4_1
    } else {
        Protocol::LATEST
    }
}

fn json(protocol: Protocol) -> serde_json::Value {
    serde_json::to_value(protocol).expect("a protocol is plain data")
}

/// The paths of the fields in which two values differ.
fn differences(path: &str, one: &serde_json::Value, other: &serde_json::Value, found: &mut Vec<String>) {
    match (one.as_object(), other.as_object()) {
        (Some(one), Some(other)) => {
            for (name, value) in one {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differences(&path, value, other.get(name).unwrap_or(&serde_json::Value::Null), found);
            }
        }
        _ if one != other => found.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_bug_has_an_id_of_its_own_and_a_decision_that_it_changes() {
        let ids: BTreeSet<&str> = all().map(|bug| bug.id).chain(WAITING.iter().map(|row| row.id)).collect();
        assert_eq!(ids.len(), all().count() + WAITING.len());
        for bug in all() {
            assert_eq!(bug.decisions().is_empty(), bug.breaks == Breaks::Nothing, "{}: {:?}", bug.id, bug.decisions());
            assert!(!bug.families.is_empty(), "{}", bug.id);
            assert_eq!(named(&bug.id.to_lowercase()).map(|found| found.id), Some(bug.id));
        }
    }

    /// The numbers of the corpus: what history made, and what can be planted. B64 and B65 are reports of other products, each on
    /// several mistakes.
    const CORPUS: &str = "B01 B02 B03 B04 B05 B06 B07 B08 B09 B10 B11 B12 B13 B14 B15 B16 B17 B18 B19 B20 B21 B22 B23 B24 B25 \
         B26 B27 B28 B31 B32 B34 B35 B38 B39 B40 B41 B42 B43 B45 B46 B48 B49 B51 B53 B54 B56 B57 B58 B59 B60 B61 B63 B67 B68 B70 \
         B71 B73 B74 B75 B76 P01 P03 P05 P07 P09 P11 P13 P15 P17 P19 P21 P23 P25 P27 P29 P31 P33 P35 P37 P39 P41 P43 P45 P47 P49";

    #[test]
    fn every_bug_of_the_corpus_is_here_or_it_is_said_why_not() {
        for id in CORPUS.split_whitespace() {
            let waits = WAITING.iter().any(|row| row.id == id);
            let harmless = HARMLESS.iter().any(|row| row.id == id);
            let ways = [named(id).is_some(), waits, harmless];
            assert_eq!(ways.into_iter().filter(|way| *way).count(), 1, "{id}: {ways:?}");
        }
        for (told, row) in ELSEWHERE {
            assert!(all().all(|bug| bug.id != *told) && named(told).is_some_and(|bug| bug.id == *row), "{told}");
        }
    }

    #[test]
    fn every_canary_is_a_bug_that_is_here() {
        assert_eq!(canaries().count(), 14);
    }

    #[test]
    fn what_was_published_is_about_a_bug_that_is_here() {
        for row in published() {
            assert!(named(row.id).is_some(), "{}", row.id);
        }
    }
}
