//! Which states of the protocol a run has been in: who leads, who is in sync, and how epochs, log ends and high watermarks compare.
//!
//! Numbers do not matter, only their order: two runs that differ in how much was written have been in the same states.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use model::names::Partition;
use sim::cast::{Cast, Role};
use sim::fact::{Fact, What};
use xxhash_rust::xxh3::Xxh3;

/// A set of states, each by its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States(BTreeSet<u64>);

impl States {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// Takes in the state of each partition, if one of the facts may have changed any.
    pub fn see(&mut self, cast: &Cast, facts: &[Fact]) {
        if facts.iter().any(|fact| matches!(fact.what, What::Noted(_) | What::Stopped { .. } | What::Started { .. })) {
            for partition in cast.partitions() {
                self.0.insert(state(cast, *partition));
            }
        }
    }
}

fn state(cast: &Cast, partition: Partition) -> u64 {
    let replicas = cast.replicas(partition);
    let stands: Vec<_> = replicas.iter().map(|broker| cast.stand(partition, *broker)).collect();
    let ends: Vec<u64> = stands.iter().map(|stand| stand.map_or(0, |stand| stand.end.0)).collect();
    let marks: Vec<u64> = stands.iter().map(|stand| stand.map_or(0, |stand| stand.high_watermark.0)).collect();
    let epochs: Vec<i32> = stands.iter().map(|stand| stand.map_or(-1, |stand| epoch(stand.role))).collect();
    let now = cast.registration(partition).map_or(-1, |registration| registration.leader_epoch.0);
    let mut each: Vec<_> = replicas
        .iter()
        .enumerate()
        .map(|(nth, broker)| {
            let leads = matches!(stands[nth].map(|stand| stand.role), Some(Role::Leads(_)));
            let ranks = (rank(&epochs, epochs[nth]), rank(&ends, ends[nth]), rank(&marks, marks[nth]));
            let own = (leads, epochs[nth] == now, marks[nth] == ends[nth], cast.is_up(*broker));
            let committed = (cast.isr(partition).contains(broker), cast.leader(partition) == Some(*broker));
            (ranks, own, committed)
        })
        .collect();
    // Which broker is which does not matter: the same state with the parts dealt otherwise is the same.
    each.sort_unstable();
    let mut hasher = Xxh3::new();
    each.hash(&mut hasher);
    hasher.finish()
}

fn epoch(role: Role) -> i32 {
    match role {
        Role::Idle => -1,
        Role::Leads(epoch) | Role::Follows(epoch) => epoch.0,
    }
}

/// How many different values are below this one.
fn rank<T: Ord>(all: &[T], one: T) -> usize {
    all.iter().filter(|other| **other < one).collect::<BTreeSet<_>>().len()
}
