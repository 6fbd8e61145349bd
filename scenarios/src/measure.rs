//! A run in numbers: how long a commit took, how long a partition had no leader, how much of everything there was.
//!
//! A fold over the trace, next to the judge and knowing nothing of it: numbers never decide whether a promise was kept.
//! What it keeps is bounded: counts, and histograms whose buckets are fixed, so that two runs add up to the same
//! numbers in whatever order they are added.

use std::collections::BTreeMap;
use std::time::Duration;

use model::config::Acks;
use model::event::Event;
use model::metadata::{MetadataRecord, PartitionChange};
use model::names::{BrokerId, ControllerId, LeaderEpoch, Node, Partition};
use model::wire::ErrorCode;
use serde::{Deserialize, Serialize};
use sim::fact::{Chapter, Ending, Fact, Moment, What};

/// How many buckets an octave has: a value is known to about 3 %.
const BUCKETS_PER_OCTAVE: u64 = 32;

/// What a run, or many runs, added up to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// From `send` to the future's completion, in simulated microseconds, by `acks`. Samples before the scenario began
    /// and after its faults were taken back count too.
    pub commit_latency: BTreeMap<Acks, Histogram>,
    /// From the end of a leader's process until somebody leads that partition in a later epoch, in simulated
    /// microseconds, one sample per partition that it led.
    pub unavailability: Histogram,
    /// From the end of the active controller's process until a controller is active in a later epoch, in simulated
    /// microseconds.
    pub controller_failover: Histogram,
    /// How much of everything there was.
    pub counts: Counts,
}

/// How much of everything there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records handed to producers.
    pub sent: u64,
    /// Records whose future completed without error.
    pub acked: u64,
    /// Records of which no attempt appended anything, for certain.
    pub failed: u64,
    /// Records of which nobody knows: timed out, disconnected.
    pub unknown: u64,
    /// Records handed to consumers' applications, repetitions included.
    pub polled: u64,
    /// Messages that were delivered.
    pub messages: u64,
    /// Faults that struck.
    pub faults: u64,
    /// Hosts destroyed for good.
    pub destroyed: u64,
    /// Processes that were killed, by a crash, a power loss or their disk.
    pub deaths: u64,
    /// Changes of leadership that the controller committed.
    pub elections: u64,
    /// In-sync sets that the controller committed.
    pub isr_changes: u64,
    /// Logs that were cut.
    pub truncations: u64,
    /// Produce requests refused for too few in-sync replicas.
    pub not_enough_replicas: u64,
}

/// Counts by size, in buckets of about 3 %.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Bucket number to how many. Only the buckets that hold something.
    buckets: BTreeMap<u32, u64>,
    /// How many in all.
    count: u64,
}

/// Folds facts to [`Measures`].
#[derive(Clone, Debug, Default)]
pub struct Meter {
    done: Measures,
    sent_at: BTreeMap<u64, Moment>,
    led_by: BTreeMap<Partition, (BrokerId, LeaderEpoch)>,
    leaderless: BTreeMap<Partition, (Moment, LeaderEpoch)>,
    /// The active controller, and since when its process is over.
    active: Option<(ControllerId, Option<Moment>)>,
    scenario_is_over: bool,
}

impl Measures {
    /// Adds another run.
    pub fn add(&mut self, other: &Self) {
        for (acks, histogram) in &other.commit_latency {
            self.commit_latency.entry(*acks).or_default().add(histogram);
        }
        self.unavailability.add(&other.unavailability);
        self.controller_failover.add(&other.controller_failover);
        self.counts.add(&other.counts);
    }
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.acked += other.acked;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.polled += other.polled;
        self.messages += other.messages;
        self.faults += other.faults;
        self.destroyed += other.destroyed;
        self.deaths += other.deaths;
        self.elections += other.elections;
        self.isr_changes += other.isr_changes;
        self.truncations += other.truncations;
        self.not_enough_replicas += other.not_enough_replicas;
    }

    /// What was counted since an earlier moment of the same run.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            acked: self.acked - before.acked,
            failed: self.failed - before.failed,
            unknown: self.unknown - before.unknown,
            polled: self.polled - before.polled,
            messages: self.messages - before.messages,
            faults: self.faults - before.faults,
            destroyed: self.destroyed - before.destroyed,
            deaths: self.deaths - before.deaths,
            elections: self.elections - before.elections,
            isr_changes: self.isr_changes - before.isr_changes,
            truncations: self.truncations - before.truncations,
            not_enough_replicas: self.not_enough_replicas - before.not_enough_replicas,
        }
    }
}

impl Histogram {
    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.record_many(value, 1);
    }

    /// Counts one value `times` times.
    pub fn record_many(&mut self, value: u64, times: u64) {
        *self.buckets.entry(bucket_of(value)).or_default() += times;
        self.count += times;
    }

    /// Adds another histogram.
    pub fn add(&mut self, other: &Self) {
        for (bucket, times) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += times;
        }
        self.count += other.count;
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The empirical distribution: each value (the upper end of its bucket) with the share of all that is not above it.
    pub fn steps(&self) -> impl Iterator<Item = (u64, f64)> + '_ {
        let mut below = 0;
        self.buckets.iter().map(move |(bucket, times)| {
            below += times;
            (end_of(*bucket), below as f64 / self.count as f64)
        })
    }

    /// The least value that at least this share (0 to 1) of all values does not exceed, to the precision of a bucket;
    /// `None` if nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<u64> {
        self.steps().find(|&(_, upto)| upto >= share).or_else(|| self.steps().last()).map(|(value, _)| value)
    }
}

/// Values below the width of an octave have a bucket each; above, an octave has [`BUCKETS_PER_OCTAVE`].
fn bucket_of(value: u64) -> u32 {
    if value < BUCKETS_PER_OCTAVE {
        return value as u32;
    }
    let shift = value.ilog2() - BUCKETS_PER_OCTAVE.ilog2();
    (u64::from(shift) * BUCKETS_PER_OCTAVE + (value >> shift)) as u32
}

/// The largest value in a bucket.
fn end_of(bucket: u32) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * BUCKETS_PER_OCTAVE {
        return bucket;
    }
    let shift = bucket / BUCKETS_PER_OCTAVE - 1;
    let top = bucket % BUCKETS_PER_OCTAVE + BUCKETS_PER_OCTAVE;
    ((top + 1) << shift).saturating_sub(1)
}

impl Meter {
    /// What was measured so far.
    #[must_use]
    pub fn measures(&self) -> &Measures {
        &self.done
    }

    /// Takes in one fact.
    pub fn see(&mut self, fact: &Fact) {
        match &fact.what {
            What::Delivered { .. } => self.done.counts.messages += 1,
            What::Noted(event) => self.hear(fact, event),
            What::Stopped { how } => self.bury(fact, *how),
            What::Struck(_) => self.done.counts.faults += 1,
            What::Chapter(Chapter::ReadBack) => self.scenario_is_over = true,
            _ => {}
        }
    }

    fn hear(&mut self, fact: &Fact, event: &Event) {
        let counts = &mut self.done.counts;
        match event {
            Event::SendCalled { value, .. } => {
                counts.sent += 1;
                self.sent_at.insert(value.0, fact.at);
            }
            Event::Acked { values, acks, .. } => {
                counts.acked += values.len() as u64;
                let latency = self.done.commit_latency.entry(*acks).or_default();
                for value in values {
                    if let Some(sent_at) = self.sent_at.remove(&value.0) {
                        latency.record(micros(fact.at.since(sent_at)));
                    }
                }
            }
            Event::SendFailed { values, definite, .. } => {
                *if *definite { &mut counts.failed } else { &mut counts.unknown } += values.len() as u64;
                for value in values {
                    self.sent_at.remove(&value.0);
                }
            }
            Event::Polled { records, .. } if !self.scenario_is_over => counts.polled += records.len() as u64,
            Event::Truncated { .. } => counts.truncations += 1,
            Event::ProduceAnswered { error: ErrorCode::NotEnoughReplicas, .. } => counts.not_enough_replicas += 1,
            Event::ControllerLed { .. } => {
                if let Some((_, Some(ended))) = self.active {
                    self.done.controller_failover.record(micros(fact.at.since(ended)));
                }
                if let Some(Node::Controller(id)) = fact.node {
                    self.active = Some((id, None));
                }
            }
            Event::Led { partition, epoch, .. } => self.crown(fact, *partition, *epoch),
            Event::Committed {
                record: MetadataRecord::PartitionChange(PartitionChange { leader, isr, .. }), ..
            } => {
                counts.elections += u64::from(matches!(leader, Some(Some(_))));
                counts.isr_changes += u64::from(isr.is_some());
            }
            _ => {}
        }
    }

    fn crown(&mut self, fact: &Fact, partition: Partition, epoch: LeaderEpoch) {
        let Some(broker) = fact.node.and_then(Node::broker) else { return };
        if self.led_by.get(&partition).is_none_or(|&(_, known)| known <= epoch) {
            self.led_by.insert(partition, (broker, epoch));
        }
        if let Some(&(since, lost)) = self.leaderless.get(&partition)
            && epoch > lost
        {
            self.leaderless.remove(&partition);
            self.done.unavailability.record(micros(fact.at.since(since)));
        }
    }

    fn bury(&mut self, fact: &Fact, how: Ending) {
        let counts = &mut self.done.counts;
        counts.destroyed += u64::from(how == Ending::Destroyed);
        counts.deaths += u64::from(how != Ending::Exited);
        if let Some((active, ended @ None)) = &mut self.active
            && fact.node == Some(Node::Controller(*active))
        {
            *ended = Some(fact.at);
        }
        let Some(broker) = fact.node.and_then(Node::broker) else { return };
        for (partition, &(leader, epoch)) in &self.led_by {
            if leader == broker {
                self.leaderless.entry(*partition).or_insert((fact.at, epoch));
            }
        }
    }
}

/// A duration in the unit of the histograms.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_before_the_next_begins_and_is_at_most_a_thirtysecond_wide() {
        for value in
            (0..5_000).chain((13..50).map(|power| 1_u64 << power)).chain((13..50).map(|power| (1 << power) - 1))
        {
            let end = end_of(bucket_of(value));
            assert!(end >= value, "{value} is above the end {end} of its bucket");
            assert!(end - value <= value / 32, "{value} is far below the end {end} of its bucket");
            assert_eq!(bucket_of(end), bucket_of(value));
            assert_eq!(bucket_of(end + 1), bucket_of(value) + 1, "the bucket after {value}'s is the next");
        }
    }

    #[test]
    fn quantiles_come_from_all_runs_in_any_order() {
        let (mut left, mut right) = (Histogram::default(), Histogram::default());
        (1..=50).for_each(|value| left.record(value));
        (51..=100).for_each(|value| right.record(value));
        let (mut forth, mut back) = (left.clone(), right.clone());
        forth.add(&right);
        back.add(&left);
        assert_eq!(forth, back);
        assert_eq!(forth.count(), 100);
        assert_eq!(forth.quantile(0.25), Some(25));
        assert!((50..=51).contains(&forth.quantile(0.5).unwrap()));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }
}
