//! What consumers see: only what is committed, in order, nothing twice and nothing left out.
//!
//! Implements G18, G26, L70, W12 and Jepsen's poll checks. Which record a value is, and whether it may be there at all, is
//! for `history`.

use std::collections::BTreeMap;

use model::event::{SeekReason, Value};
use model::names::{BrokerId, ClientId, EndOffset, Offset};

use super::partition::PartitionView;
use super::replicas::Replicas;
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Follows the positions of consumers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// By client, then by partition's place.
    positions: BTreeMap<ClientId, Vec<Position>>,
    /// Whether reading back has begun.
    reading_back: bool,
    /// How far it has come, by partition's place.
    read_back: Vec<Option<Span>>,
}

/// What was read back of a partition.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    /// Where the log began for whoever read it.
    from: u64,
    /// The next offset.
    next: u64,
}

/// Where a consumer reads in one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    /// The next offset; unknown after an assignment.
    next: Option<u64>,
    /// Whether it began at the start of the log after reading back had begun.
    reads_back: bool,
}

/// Records that were handed out at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Poll<'a> {
    /// To whom.
    pub client: ClientId,
    /// The records.
    pub records: &'a [(Offset, Value)],
    /// Who served them.
    pub from: BrokerId,
}

impl Reads {
    /// From now on, whoever begins at the start of a log reads back.
    pub(crate) fn read_back_begins(&mut self) {
        self.reading_back = true;
    }

    /// How far reading back has come in a partition; `None` if nobody reads it back.
    pub(crate) fn read_back_upto(&self, place: usize) -> Option<EndOffset> {
        self.read_back.get(place).copied().flatten().map(|span| EndOffset(span.next))
    }

    /// Where the log began for whoever read it back; `None` if nobody does.
    pub(crate) fn read_back_from(&self, place: usize) -> Option<EndOffset> {
        self.read_back.get(place).copied().flatten().map(|span| EndOffset(span.from))
    }

    /// A consumer has new partitions and no positions in them.
    pub(crate) fn assigned(&mut self, client: ClientId) {
        self.positions.insert(client, Vec::new());
    }

    /// A consumer's position was set. The start of a log is where some replica may begin by now, or below.
    pub(crate) fn sought(
        &mut self,
        view: &PartitionView,
        (client, place): (ClientId, usize),
        position: Offset,
        reason: SeekReason,
    ) {
        let from_start = position.bound() <= view.released && reason != SeekReason::Truncation;
        let reads_back = self.reading_back && from_start;
        *self.position(client, place) = Position { next: Some(position.0), reads_back };
        if reads_back {
            self.came_to(place, position.0);
            self.begins_at(place, position.0);
        }
    }

    /// Whether the client reads this partition back.
    pub(crate) fn reads_back(&mut self, client: ClientId, place: usize) -> bool {
        self.position(client, place).reads_back
    }

    /// Records were handed to an application.
    pub(crate) fn polled(&mut self, shared: &Replicas, place: usize, poll: &Poll<'_>, verdicts: &mut Verdicts) {
        let Some(&(first, _)) = poll.records.first() else { return };
        let view = &shared.partitions[place];
        let reading_back = self.reading_back;
        let position = self.position(poll.client, place);
        let expected = position.next;
        position.reads_back |= expected.is_none() && reading_back && first.bound() <= view.released;
        verdicts.exercised(Guarantee::ReadOrder);
        verdicts.exercised(Guarantee::CommittedReads);
        if let Some(expected) = expected {
            let kinds = ("poll-skip", "nonmonotonic-poll");
            follows(view, poll.client, (expected, first), kinds, verdicts);
        }
        for pair in poll.records.windows(2) {
            if pair[1].0.0 != pair[0].0.0 + 1 {
                let kinds = ("int-poll-skip", "int-nonmonotonic-poll");
                follows(view, poll.client, (pair[0].0.0 + 1, pair[1].0), kinds, verdicts);
            }
        }
        let last = poll.records.iter().map(|(offset, _)| *offset).max().unwrap_or(first);
        is_committed(view, poll, last, verdicts);
        let next = poll.records.last().map_or(first.0, |(offset, _)| offset.0 + 1);
        let position = self.position(poll.client, place);
        position.next = Some(next);
        if position.reads_back {
            self.came_to(place, next);
        }
    }

    /// The run is over: whoever read back has come to the end of what is committed.
    pub(crate) fn end(&self, shared: &Replicas, verdicts: &mut Verdicts) {
        for (place, view) in shared.partitions.iter().enumerate() {
            let Some(upto) = self.read_back_upto(place) else { continue };
            let leader = view.leader().filter(|id| shared.known_broker(*id).is_some_and(|broker| broker.up));
            if let Some(leader) = leader.and_then(|id| view.known(id)) {
                let end = leader.high_watermark.min(view.committed_end());
                let rest_is_removed = || (upto.0..end.0).all(|offset| view.cleaned.is_removed(Offset(offset)));
                verdicts.demand(Guarantee::AtLeastOnce, upto >= end || rest_is_removed(), "end-not-reached", || {
                    format!("{} was read back up to {upto}, and its high watermark is {end}", view.partition)
                });
            }
        }
    }

    fn position(&mut self, client: ClientId, place: usize) -> &mut Position {
        let positions = self.positions.entry(client).or_default();
        if positions.len() <= place {
            positions.resize(place + 1, Position::default());
        }
        &mut positions[place]
    }

    fn came_to(&mut self, place: usize, next: u64) {
        let span = self.span(place);
        span.next = span.next.max(next);
    }

    fn begins_at(&mut self, place: usize, from: u64) {
        let span = self.span(place);
        span.from = span.from.max(from);
    }

    fn span(&mut self, place: usize) -> &mut Span {
        if self.read_back.len() <= place {
            self.read_back.resize(place + 1, None);
        }
        self.read_back[place].get_or_insert_default()
    }
}

/// A broker answered a consumer's fetch: never beyond its high watermark (G18, L70).
pub(crate) fn served(
    view: &PartitionView,
    broker: BrokerId,
    (upto, high_watermark): (EndOffset, EndOffset),
    verdicts: &mut Verdicts,
) {
    verdicts.demand(Guarantee::CommittedReads, upto <= high_watermark, "served-above-high-watermark", || {
        format!("{broker} served {} up to {upto}, its high watermark is {high_watermark}", view.partition)
    });
}

/// Offsets are dense as long as nothing is compacted away and nothing but records is written. Whoever reads at the beginning
/// of a log that has been deleted meanwhile has its position set anew.
fn follows(
    view: &PartitionView,
    client: ClientId,
    (expected, got): (u64, Offset),
    (skipped, repeated): (&'static str, &'static str),
    verdicts: &mut Verdicts,
) {
    if got.0 == expected || view.is_history_broken_at(Offset(expected.max(got.0))) {
        return;
    }
    if got.0 > expected && (expected..got.0).all(|offset| view.cleaned.is_removed(Offset(offset))) {
        return;
    }
    let kind = if got.0 > expected { skipped } else { repeated };
    verdicts.broken(Guarantee::ReadOrder, kind, || {
        format!("{client} read {got} of {} where {expected} came next", view.partition)
    });
}

fn is_committed(view: &PartitionView, poll: &Poll<'_>, last: Offset, verdicts: &mut Verdicts) {
    let end = view.committed_end();
    let unsure = || view.is_history_broken_at(last) || view.known(poll.from).is_some_and(|replica| replica.distrusted);
    if !end.covers(last) && !unsure() {
        verdicts.broken(Guarantee::CommittedReads, "uncommitted-record-read", || {
            format!(
                "{} read {last} of {} from {}, and {end} is all that is committed",
                poll.client, view.partition, poll.from
            )
        });
    }
}
