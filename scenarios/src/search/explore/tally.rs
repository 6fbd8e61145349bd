//! What an exploration came to, in numbers and findings.

use std::collections::BTreeMap;

use crate::guarantee::Guarantee;
use crate::known_bugs::Breaks;
use crate::run::{Outcome, Plan};

/// What was explored.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Choice points at which forks were made.
    pub points: u64,
    /// Different states at choice points; none if nothing is merged.
    pub states: u64,
    /// Nodes that were left because their state had been met.
    pub merged: u64,
    /// Nodes that came to their end and were judged.
    pub leaves: u64,
    /// Worlds that were forked.
    pub forks: u64,
    /// Steps of machines that were made.
    pub steps: u64,
    /// Steps that it would have taken to come as far, each node from the beginning.
    pub steps_from_the_start: u64,
    /// What was broken, by fingerprint.
    pub broken: BTreeMap<String, Broken>,
    /// Where records were lost that nobody had promised to keep.
    pub allowed: Option<Broken>,
    /// Whether it was called off before all was explored.
    pub cut_short: bool,
}

/// A way in which something breaks.
#[derive(Clone, Debug)]
pub struct Broken {
    /// In how many nodes.
    pub nodes: u64,
    /// The first of them: what to run to see it.
    pub plan: Plan,
    /// With how many deviations.
    pub depth: u32,
    /// All guarantees that were broken in it, in the order in which they showed.
    pub guarantees: Vec<Guarantee>,
}

impl Tally {
    /// Takes in what came of one node.
    pub(super) fn judge(&mut self, plan: impl FnOnce() -> Plan, depth: u32, outcome: &Outcome) {
        let guarantees = || outcome.broken().into_iter().map(|(guarantee, _)| guarantee).collect();
        let first = || Broken { nodes: 0, plan: plan(), depth, guarantees: guarantees() };
        if let Some(fingerprint) = outcome.fingerprint() {
            self.broken.entry(fingerprint).or_insert_with(first).nodes += 1;
        } else if Breaks::Nothing.shown_by(outcome) {
            self.allowed.get_or_insert_with(first).nodes += 1;
        }
    }

    /// Adds another part, explored later.
    pub fn add(&mut self, other: Self) {
        self.points += other.points;
        self.states += other.states;
        self.merged += other.merged;
        self.leaves += other.leaves;
        self.forks += other.forks;
        self.steps += other.steps;
        self.steps_from_the_start += other.steps_from_the_start;
        self.cut_short |= other.cut_short;
        if let Some(allowed) = other.allowed {
            let nodes = allowed.nodes;
            self.allowed.get_or_insert(Broken { nodes: 0, ..allowed }).nodes += nodes;
        }
        for (fingerprint, broken) in other.broken {
            let nodes = broken.nodes;
            self.broken.entry(fingerprint).or_insert_with(|| Broken { nodes: 0, ..broken }).nodes += nodes;
        }
    }

    /// A way that shows this, with the fewest deviations.
    #[must_use]
    pub fn showing(&self, breaks: Breaks) -> Option<&Broken> {
        match breaks {
            Breaks::Promise(guarantee) => {
                let ways = self.broken.values().filter(|way| way.guarantees.contains(&guarantee));
                ways.min_by_key(|way| way.depth)
            }
            Breaks::Nothing => self.allowed.as_ref(),
        }
    }
}
