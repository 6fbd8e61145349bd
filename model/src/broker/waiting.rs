//! Requests that wait, as data: the purgatories (R64-R66).
//!
//! A waiting request is an entry with a deadline, registered under each partition that may complete it. Whether it is
//! complete is not decided here; this file only knows who waits for what, and until when.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{BatchId, Span};
use crate::machine::Ticket;
use crate::names::{EndOffset, LeaderEpoch, Partition, Time};
use crate::wire::{
    DeleteRecordsPartition, DivergingEpoch, ErrorCode, FetchPartition, Fetcher, ProducePartitionResponse, ReplyTo,
};

/// Everything that waits on one broker.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    tickets: u64,
    produces: BTreeMap<Ticket, WaitingProduce>,
    fetches: BTreeMap<Ticket, WaitingFetch>,
    deletions: BTreeMap<Ticket, WaitingDeletion>,
    watchers: BTreeMap<Partition, Watchers>,
    deadlines: BTreeSet<(Time, Ticket)>,
}

/// A produce with `acks=all` whose records are appended but not yet committed everywhere.
#[derive(Clone, Debug)]
pub(super) struct WaitingProduce {
    /// Where the answer goes.
    pub(super) reply: ReplyTo,
    /// When it is answered in any case.
    pub(super) deadline: Time,
    /// Its parts, in the order of the request.
    pub(super) parts: Vec<ProducePart>,
}

/// One partition's part of a produce.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProducePart {
    /// The partition.
    pub(super) partition: Partition,
    /// What was appended, if anything.
    pub(super) batch: Option<BatchId>,
    /// The answer, once it is decided.
    pub(super) answer: Option<ProducePartitionResponse>,
    /// The minimum by which that was decided: the answer leaves when the other parts are decided, too, and by then it may be
    /// another one. None as long as it is not decided.
    pub(super) min_isr: Option<u32>,
}

/// A fetch that has been read and is not answered yet.
#[derive(Clone, Debug)]
pub(super) struct WaitingFetch {
    /// Where the answer goes.
    pub(super) reply: ReplyTo,
    /// Who fetches.
    pub(super) fetcher: Fetcher,
    /// When it is answered in any case.
    pub(super) deadline: Time,
    /// Answer as soon as there are so many bytes.
    pub(super) min_bytes: usize,
    /// Never more than this, but always one batch.
    pub(super) max_bytes: usize,
    /// Its parts, in the order of the request.
    pub(super) parts: Vec<FetchPart>,
}

/// One partition's part of a fetch.
#[derive(Clone, Debug)]
pub(super) struct FetchPart {
    /// What was asked.
    pub(super) asked: FetchPartition,
    /// What was found when it was last looked at.
    pub(super) found: Found,
}

/// A DeleteRecords that waits for followers (L75).
#[derive(Clone, Debug)]
pub(super) struct WaitingDeletion {
    /// Where the answer goes.
    pub(super) reply: ReplyTo,
    /// When it is answered in any case.
    pub(super) deadline: Time,
    /// Its parts, in the order of the request.
    pub(super) parts: Vec<DeletionPart>,
}

/// One partition's part of a DeleteRecords.
#[derive(Clone, Copy, Debug)]
pub(super) struct DeletionPart {
    /// What was asked.
    pub(super) asked: DeleteRecordsPartition,
    /// Where all replicas are to begin at least.
    pub(super) upto: EndOffset,
    /// Where the one begins that begins first, or why that does not matter; none before it is decided.
    pub(super) answer: Option<Result<EndOffset, ErrorCode>>,
}

/// What a fetch found in one partition.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// It may not read here.
    Refused(ErrorCode),
    /// The asker's log is not a prefix of this one (R25).
    Diverging {
        /// The largest epoch that both may share.
        shared: DivergingEpoch,
        /// Bounds at that moment.
        bounds: Bounds,
    },
    /// A stretch of the log, possibly empty, whose bytes are read only when the answer leaves (L23, L71).
    Records {
        /// Where they are.
        span: Option<Span>,
        /// Bounds at that moment.
        bounds: Bounds,
    },
}

/// A replica's bounds at the moment of reading, before the fetch itself is counted (R24, R31).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The epoch that it obeyed.
    pub(super) epoch: LeaderEpoch,
    /// High watermark.
    pub(super) high_watermark: EndOffset,
    /// Log start offset.
    pub(super) log_start: EndOffset,
    /// Log end offset.
    pub(super) log_end: EndOffset,
}

#[derive(Clone, Debug, Default)]
struct Watchers {
    produces: Vec<Ticket>,
    fetches: Vec<Ticket>,
    deletions: Vec<Ticket>,
}

impl Waiting {
    /// Holds a produce, unregistered: nobody can wake it yet (R140 b).
    pub(super) fn hold_produce(&mut self, produce: WaitingProduce) -> Ticket {
        let ticket = self.next_ticket();
        self.produces.insert(ticket, produce);
        ticket
    }

    /// Holds a fetch, unregistered.
    pub(super) fn hold_fetch(&mut self, fetch: WaitingFetch) -> Ticket {
        let ticket = self.next_ticket();
        self.fetches.insert(ticket, fetch);
        ticket
    }

    /// Registers a held produce under its undecided partitions and arms its timer (R64).
    pub(super) fn park_produce(&mut self, ticket: Ticket) {
        let Some(produce) = self.produces.get(&ticket) else { return };
        for part in produce.parts.iter().filter(|part| part.answer.is_none()) {
            self.watchers.entry(part.partition).or_default().produces.push(ticket);
        }
        self.deadlines.insert((produce.deadline, ticket));
    }

    /// Registers a held fetch under its partitions and arms its timer.
    pub(super) fn park_fetch(&mut self, ticket: Ticket) {
        let Some(fetch) = self.fetches.get(&ticket) else { return };
        for part in &fetch.parts {
            self.watchers.entry(part.asked.partition).or_default().fetches.push(ticket);
        }
        self.deadlines.insert((fetch.deadline, ticket));
    }

    /// A held produce.
    pub(super) fn produce_mut(&mut self, ticket: Ticket) -> Option<&mut WaitingProduce> {
        self.produces.get_mut(&ticket)
    }

    /// A held fetch.
    pub(super) fn fetch_mut(&mut self, ticket: Ticket) -> Option<&mut WaitingFetch> {
        self.fetches.get_mut(&ticket)
    }

    /// Takes a produce out for good.
    pub(super) fn take_produce(&mut self, ticket: Ticket) -> Option<WaitingProduce> {
        let produce = self.produces.remove(&ticket)?;
        self.deadlines.remove(&(produce.deadline, ticket));
        for part in &produce.parts {
            if let Some(watchers) = self.watchers.get_mut(&part.partition) {
                watchers.produces.retain(|&watcher| watcher != ticket);
            }
        }
        Some(produce)
    }

    /// Takes a fetch out for good.
    pub(super) fn take_fetch(&mut self, ticket: Ticket) -> Option<WaitingFetch> {
        let fetch = self.fetches.remove(&ticket)?;
        unpark(&mut self.deadlines, &mut self.watchers, ticket, &fetch);
        Some(fetch)
    }

    /// Takes a fetch out of the register and disarms its timer, but keeps holding it: its answer is on the way.
    pub(super) fn unpark_fetch(&mut self, ticket: Ticket) {
        if let Some(fetch) = self.fetches.get(&ticket) {
            unpark(&mut self.deadlines, &mut self.watchers, ticket, fetch);
        }
    }

    /// The produces registered under a partition, oldest first.
    pub(super) fn produces_on(&self, partition: Partition) -> Vec<Ticket> {
        self.watchers.get(&partition).map(|watchers| watchers.produces.clone()).unwrap_or_default()
    }

    /// The produces, registered or not, of which the part in this partition is undecided, oldest first.
    pub(super) fn undecided_on(&self, partition: Partition) -> Vec<Ticket> {
        let undecided = |part: &ProducePart| part.partition == partition && part.answer.is_none();
        self.produces.iter().filter(|(_, produce)| produce.parts.iter().any(undecided)).map(|(&at, _)| at).collect()
    }

    /// The fetches registered under a partition, oldest first.
    pub(super) fn fetches_on(&self, partition: Partition) -> Vec<Ticket> {
        self.watchers.get(&partition).map(|watchers| watchers.fetches.clone()).unwrap_or_default()
    }

    /// Holds a DeleteRecords, unregistered.
    pub(super) fn hold_deletion(&mut self, deletion: WaitingDeletion) -> Ticket {
        let ticket = self.next_ticket();
        self.deletions.insert(ticket, deletion);
        ticket
    }

    /// Registers a held DeleteRecords under its undecided partitions and arms its timer.
    pub(super) fn park_deletion(&mut self, ticket: Ticket) {
        let Some(deletion) = self.deletions.get(&ticket) else { return };
        for part in deletion.parts.iter().filter(|part| part.answer.is_none()) {
            self.watchers.entry(part.asked.partition).or_default().deletions.push(ticket);
        }
        self.deadlines.insert((deletion.deadline, ticket));
    }

    /// Lends a held DeleteRecords to somebody who will put it back in the same step.
    pub(super) fn lift_deletion(&mut self, ticket: Ticket) -> Option<WaitingDeletion> {
        self.deletions.remove(&ticket)
    }

    /// Puts a lent DeleteRecords back.
    pub(super) fn put_back_deletion(&mut self, ticket: Ticket, deletion: WaitingDeletion) {
        self.deletions.insert(ticket, deletion);
    }

    /// Takes a DeleteRecords out for good.
    pub(super) fn take_deletion(&mut self, ticket: Ticket) -> Option<WaitingDeletion> {
        let deletion = self.deletions.remove(&ticket)?;
        self.deadlines.remove(&(deletion.deadline, ticket));
        for part in &deletion.parts {
            if let Some(watchers) = self.watchers.get_mut(&part.asked.partition) {
                watchers.deletions.retain(|&watcher| watcher != ticket);
            }
        }
        Some(deletion)
    }

    /// Whether anybody waits for records to be deleted.
    pub(super) fn has_deletions(&self) -> bool {
        !self.deletions.is_empty()
    }

    /// The DeleteRecords registered under a partition, oldest first.
    pub(super) fn deletions_on(&self, partition: Partition) -> Vec<Ticket> {
        self.watchers.get(&partition).map(|watchers| watchers.deletions.clone()).unwrap_or_default()
    }

    /// Whether the ticket is a DeleteRecords's.
    pub(super) fn is_deletion(&self, ticket: Ticket) -> bool {
        self.deletions.contains_key(&ticket)
    }

    /// The next deadline.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Some request whose deadline has come.
    pub(super) fn overdue(&self, now: Time) -> Option<Ticket> {
        self.deadlines.first().filter(|&&(at, _)| at <= now).map(|&(_, ticket)| ticket)
    }

    /// Whether the ticket is a produce's.
    pub(super) fn is_produce(&self, ticket: Ticket) -> bool {
        self.produces.contains_key(&ticket)
    }

    fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

/// Takes a fetch out of the register and disarms its timer.
fn unpark(
    deadlines: &mut BTreeSet<(Time, Ticket)>,
    watchers: &mut BTreeMap<Partition, Watchers>,
    ticket: Ticket,
    fetch: &WaitingFetch,
) {
    deadlines.remove(&(fetch.deadline, ticket));
    for part in &fetch.parts {
        if let Some(watchers) = watchers.get_mut(&part.asked.partition) {
            watchers.fetches.retain(|&watcher| watcher != ticket);
        }
    }
}
