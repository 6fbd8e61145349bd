//! Out of a hundred thousand facts the few that tell what went wrong.
//!
//! What matters is decided by what broke: faults, deaths and returns, who leads and who is in sync, where logs were cut,
//! and the first record that is gone with its append and its acknowledgement. A plain function over a kept trace; it
//! knows no world.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use model::event::{Event, Value};
use model::metadata::{MetadataRecord, PartitionChange};
use model::names::{EndOffset, Offset, Partition};
use sim::fact::{Chapter, Ending, Fact, What};
use sim::fault::Fault;

use crate::failure::STORY_LINES;
use crate::judge::Violation;

/// The facts that matter, a line each, with an arrow at the one that broke the promise.
#[must_use]
pub fn story(trace: &[Fact], violation: &Violation) -> Vec<String> {
    let mut lines: Vec<String> = told(trace, violation, STORY_LINES - 1).into_iter().map(sim::story::line).collect();
    if let Some(last) = lines.last_mut() {
        *last = format!("{last}        ← {}", violation.kind);
    }
    lines
}

/// So many facts at most, in order: those that matter most, and at last the one that broke the promise.
pub(crate) fn told<'a>(trace: &'a [Fact], violation: &Violation, most: usize) -> Vec<&'a Fact> {
    let until = trace.partition_point(|fact| fact.number <= violation.fact);
    let told = &trace[..until];
    let Some(last) = told.last() else { return Vec::new() };
    let subject = Subject::of(told, last);
    let mut ranked: Vec<(Weight, usize)> = told
        .iter()
        .enumerate()
        .filter_map(|(at, fact)| subject.weigh(fact).map(|weight| (weight, at)))
        .filter(|&(_, at)| at + 1 < told.len())
        .collect();
    // The weightiest, and of those that weigh the same the latest.
    ranked.sort_by_key(|&(weight, at)| (std::cmp::Reverse(weight), std::cmp::Reverse(at)));
    ranked.truncate(most.saturating_sub(1));
    let mut chosen: Vec<usize> = ranked.into_iter().map(|(_, at)| at).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| &told[at]).chain([last]).collect()
}

/// Of the facts with these numbers the `most` that matter most: to this violation, or where none of them does, and without a
/// violation, to any reader. A line each, in order.
#[must_use]
pub fn between(
    trace: &[Fact],
    violation: Option<&Violation>,
    numbers: RangeInclusive<u64>,
    most: usize,
) -> Vec<String> {
    let stretch: Vec<&Fact> = trace.iter().filter(|fact| numbers.contains(&fact.number)).collect();
    let told =
        violation.map_or(trace, |violation| &trace[..trace.partition_point(|fact| fact.number <= violation.fact)]);
    let subject = violation.and(told.last()).map(|last| Subject::of(told, last));
    let weigh = |fact: &Fact| subject.as_ref().and_then(|subject| subject.weigh(fact));
    let mut ranked: Vec<(Option<Weight>, usize)> = stretch
        .iter()
        .enumerate()
        .map(|(at, fact)| (weigh(fact), at))
        .filter(|(weight, _)| weight.is_some_and(|weight| weight > Weight::Background))
        .collect();
    if ranked.is_empty() {
        ranked = (0..stretch.len()).filter(|at| sim::story::matters(stretch[*at])).map(|at| (None, at)).collect();
    }
    ranked.sort_by_key(|&ranked| std::cmp::Reverse(ranked));
    ranked.truncate(most);
    let mut chosen: Vec<usize> = ranked.into_iter().map(|(_, at)| at).collect();
    chosen.sort_unstable();
    chosen.into_iter().map(|at| sim::story::line(stretch[at])).collect()
}

/// The numbers of the facts at which this violation may have been decided: faults, deaths, returns, leaders, cuts. Without a
/// violation, of all that a reader would be told.
#[must_use]
pub fn turns(trace: &[Fact], violation: Option<&Violation>) -> Vec<u64> {
    let told =
        violation.map_or(trace, |violation| &trace[..trace.partition_point(|fact| fact.number <= violation.fact)]);
    let subject = violation.and(told.last()).map(|last| Subject::of(told, last));
    let matters = |fact: &&Fact| match &subject {
        Some(subject) => subject.weigh(fact).is_some_and(|weight| weight > Weight::Background),
        None => sim::story::matters(fact),
    };
    told.iter().filter(matters).map(|fact| fact.number).collect()
}

/// How much a fact matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Who follows, who registers.
    Background,
    /// In-sync sets, leaders, deaths and returns.
    Turn,
    /// Faults and cuts.
    Blow,
    /// The record that is gone.
    Heart,
}

/// What the violation is about.
struct Subject {
    partition: Option<Partition>,
    record: Option<(Offset, BTreeSet<Value>)>,
}

impl Subject {
    fn of(told: &[Fact], last: &Fact) -> Self {
        let partition = last.event().and_then(Event::partition);
        let bound = match last.event() {
            Some(Event::Led { start, .. }) => Some(*start),
            Some(Event::Truncated { end, .. }) => Some(*end),
            _ => None,
        };
        let record = partition.zip(bound).and_then(|(partition, bound)| first_acked_at(told, partition, bound));
        Self { partition, record }
    }

    fn weigh(&self, fact: &Fact) -> Option<Weight> {
        match &fact.what {
            // Who is started says so.
            What::Struck(Fault::Start(_) | Fault::Restart(_)) => None,
            What::Struck(_) => Some(Weight::Blow),
            What::Stopped { how: Ending::Exited } => Some(Weight::Turn),
            What::Stopped { .. } if fact.node.is_some_and(|node| !node.is_client()) => Some(Weight::Turn),
            What::Started { life } if *life > 1 && fact.node.is_some_and(|node| !node.is_client()) => {
                Some(Weight::Turn)
            }
            What::Paused | What::Resumed => Some(Weight::Turn),
            What::Chapter(Chapter::Begun | Chapter::Healed) => Some(Weight::Blow),
            What::Noted(event) => self.weigh_event(event),
            _ => None,
        }
    }

    fn weigh_event(&self, event: &Event) -> Option<Weight> {
        if self.is_heart(event) {
            return Some(Weight::Heart);
        }
        let ours = self.partition.is_none() || event.partition() == self.partition;
        match event {
            Event::Truncated { .. } | Event::Restarted { .. } if ours => Some(Weight::Blow),
            Event::Led { .. } if ours => Some(Weight::Turn),
            Event::Committed { record: MetadataRecord::PartitionChange(PartitionChange { .. }), .. } if ours => {
                Some(Weight::Turn)
            }
            Event::Followed { .. } | Event::Opened { .. } if ours && self.partition.is_some() => {
                Some(Weight::Background)
            }
            Event::AlterPartitionRefused { .. } if ours => Some(Weight::Background),
            _ => None,
        }
    }

    fn is_heart(&self, event: &Event) -> bool {
        let Some((offset, values)) = &self.record else { return false };
        match event {
            Event::AppendedAsLeader { partition, batch, .. } | Event::AppendedAsFollower { partition, batch, .. } => {
                Some(*partition) == self.partition && batch.base <= *offset && batch.end().covers(*offset)
            }
            Event::Acked { values: acked, .. } => acked.iter().any(|value| values.contains(value)),
            _ => false,
        }
    }
}

/// The first acknowledged batch at or above the bound: gone, if a leader's log ends there.
fn first_acked_at(told: &[Fact], partition: Partition, bound: EndOffset) -> Option<(Offset, BTreeSet<Value>)> {
    let acked = told.iter().filter_map(|fact| match fact.event() {
        Some(Event::Acked { partition: of, base: Some(base), values, .. }) if *of == partition => Some((*base, values)),
        _ => None,
    });
    let gone = acked.filter(|(base, values)| base.0 + values.len() as u64 > bound.0);
    gone.min_by_key(|(base, _)| *base)
        .map(|(base, values)| (Offset(base.0.max(bound.0)), values.iter().copied().collect()))
}
