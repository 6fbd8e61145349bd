//! Records that wait to be sent: per partition a queue of batches, filled at one end and drained at the other (P3-P6).
//!
//! A batch leaves with [`Accumulator::drain`] and comes back with [`Accumulator::again`], [`Accumulator::split`] or
//! [`Accumulator::done`]. This room knows time and memory; it must not know brokers, leaders or why a batch comes back.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::backoff::Backoff;
use crate::config::ProducerConfig;
use crate::event::Value;
use crate::log::batch::HEADER_SIZE;
use crate::log::{Batch, BatchBuilder};
use crate::machine::Chance;
use crate::names::{LeaderEpoch, Partition, Time, earliest};

/// All that waits to be sent, and the memory it takes.
#[derive(Clone, Debug)]
pub(super) struct Accumulator {
    batch_size: usize,
    linger: Duration,
    delivery_timeout: Duration,
    retry: Backoff,
    memory: u64,
    free: u64,
    queues: BTreeMap<Partition, Queue>,
    /// Batches that were begun and are neither done nor failed, wherever they are.
    unfinished: usize,
}

/// What waits for one partition. Only the last batch can still grow.
#[derive(Clone, Debug, Default)]
struct Queue {
    closed: VecDeque<ClosedBatch>,
    open: Option<OpenBatch>,
    /// Batches of this partition that are under way.
    in_flight: u32,
}

/// A batch that still takes records.
#[derive(Clone, Debug)]
struct OpenBatch {
    builder: BatchBuilder,
    values: Vec<Value>,
    created: Time,
    reserved: u64,
    full: bool,
}

/// A batch that is complete: its bytes, and with them its checksum, do not change any more.
#[derive(Clone, Debug)]
pub(super) struct ClosedBatch {
    /// The bytes.
    pub(super) batch: Batch,
    /// The records in it, in order.
    pub(super) values: Vec<Value>,
    /// When its first record was appended; `delivery.timeout.ms` counts from here (P6).
    pub(super) created: Time,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// Whether some attempt may have put it into a log (G17).
    pub(super) maybe_appended: bool,
    /// In which leader epoch it was sent last.
    pub(super) sent_in: Option<LeaderEpoch>,
    not_before: Time,
    reserved: u64,
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewRecord<'a> {
    /// The key, if it has one.
    pub(super) key: Option<&'a [u8]>,
    /// The payload.
    pub(super) value: &'a Bytes,
}

/// What became of a record that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Append {
    /// It is in a batch.
    Done {
        /// How many bytes it added to what will be sent.
        bytes: u64,
        /// Whether nothing but full batches is left in the queue.
        batch_ended: bool,
    },
    /// `buffer.memory` is used up: try again when a batch is done.
    NoMemory,
}

/// When the first batch of a partition may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Now.
    Now,
    /// Not before.
    At(Time),
    /// It depends on something else.
    Unknown,
}

impl Accumulator {
    /// Nothing waits yet.
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self {
            batch_size: usize::try_from(config.batch_size).unwrap_or(usize::MAX),
            linger: config.linger,
            delivery_timeout: config.delivery_timeout,
            retry: Backoff::new(config.retry_backoff, config.retry_backoff_max, "produce retry"),
            memory: config.buffer_memory,
            free: config.buffer_memory,
            queues: BTreeMap::new(),
            unfinished: 0,
        }
    }

    /// From now on jitter comes from this.
    pub(super) fn start(&mut self, chance: Chance) {
        self.retry.start(chance);
    }

    /// Appends a record to the last batch of the partition, or to a new one if that has no room (P3).
    pub(super) fn append(&mut self, now: Time, partition: Partition, record: NewRecord<'_>) -> Append {
        let queue = self.queues.entry(partition).or_default();
        if let Some(open) = &mut queue.open {
            if let Some(bytes) = open.push_if_room(now, record, self.batch_size) {
                let batch_ended = open.full;
                return Append::Done { bytes, batch_ended };
            }
            // Ended, and thereby ready to leave, even if there turns out to be no memory for the next one.
            open.full = true;
        }
        let reserved = (self.batch_size as u64).max(size_alone(record));
        if reserved > self.free {
            return Append::NoMemory;
        }
        self.free -= reserved;
        self.unfinished += 1;
        queue.close();
        let (open, bytes) = OpenBatch::begin(now, record, reserved, self.batch_size);
        let batch_ended = open.full;
        queue.open = Some(open);
        Append::Done { bytes, batch_ended }
    }

    /// Ends all batches that still take records, so that nothing waits for `linger.ms` (P4, flush).
    pub(super) fn flush(&mut self) {
        self.queues.values_mut().for_each(Queue::close);
    }

    /// The partitions for which something waits.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Partition> {
        let holds = |(_, queue): &(&Partition, &Queue)| !queue.closed.is_empty() || queue.open.is_some();
        self.queues.iter().filter(holds).map(|(&partition, _)| partition)
    }

    /// When the first batch of the partition may leave (P4). `urgent`: memory is used up, or the producer closes.
    /// `alone`: not while another batch of the partition is under way (P7). A batch does not sit out its backoff when
    /// the `leader` epoch is newer than the one in which it was sent last (KIP-951).
    pub(super) fn turn(
        &self,
        now: Time,
        partition: Partition,
        urgent: bool,
        alone: bool,
        leader: Option<LeaderEpoch>,
    ) -> Turn {
        let Some(queue) = self.queues.get(&partition) else { return Turn::Unknown };
        if alone && queue.in_flight > 0 {
            return Turn::Unknown;
        }
        let at = match (queue.closed.front(), &queue.open) {
            (Some(batch), _) if batch.sent_in.is_some() && leader > batch.sent_in => now,
            (Some(batch), _) => batch.not_before,
            (None, Some(open)) if urgent || open.full => now,
            (None, Some(open)) => open.created + self.linger,
            (None, None) => return Turn::Unknown,
        };
        if at <= now { Turn::Now } else { Turn::At(at) }
    }

    /// The size in bytes of the first batch of the partition, were it to leave now.
    pub(super) fn first_size(&self, partition: Partition) -> usize {
        let Some(queue) = self.queues.get(&partition) else { return 0 };
        match (queue.closed.front(), &queue.open) {
            (Some(batch), _) => batch.batch.size(),
            (None, Some(open)) => open.builder.size(),
            (None, None) => 0,
        }
    }

    /// Takes the first batch of the partition out: it is under way now.
    pub(super) fn drain(&mut self, partition: Partition, leader: LeaderEpoch) -> Option<ClosedBatch> {
        let queue = self.queues.get_mut(&partition)?;
        if queue.closed.is_empty() {
            queue.close();
        }
        let mut batch = queue.closed.pop_front()?;
        batch.attempts += 1;
        batch.sent_in = Some(leader);
        queue.in_flight += 1;
        Some(batch)
    }

    /// A batch of the partition is not under way any more, whatever came of it.
    pub(super) fn landed(&mut self, partition: Partition) {
        if let Some(queue) = self.queues.get_mut(&partition) {
            queue.in_flight = queue.in_flight.saturating_sub(1);
        }
    }

    /// The batch goes to the front again, to be sent after a backoff (P8).
    pub(super) fn again(&mut self, now: Time, partition: Partition, mut batch: ClosedBatch) {
        batch.not_before = now + self.retry.after(batch.attempts);
        self.queues.entry(partition).or_default().closed.push_front(batch);
    }

    /// The batch was too large: its records go to the front again as at least two smaller ones, as if they had never
    /// been tried, but no younger (P8). Fails, and gives it back, if it cannot be split.
    pub(super) fn split(&mut self, partition: Partition, batch: ClosedBatch) -> Result<(), ClosedBatch> {
        let Some(parts) = batch.split() else { return Err(batch) };
        // As in Kafka the parts are not paid for out of `buffer.memory`.
        self.release(batch.reserved);
        self.unfinished = self.unfinished + parts.len() - 1;
        let closed = &mut self.queues.entry(partition).or_default().closed;
        for part in parts.into_iter().rev() {
            closed.push_front(part);
        }
        Ok(())
    }

    /// The batch is acknowledged or has failed: its memory is free again.
    pub(super) fn done(&mut self, batch: &ClosedBatch) {
        self.release(batch.reserved);
        self.unfinished -= 1;
    }

    /// Takes out what has waited for longer than `delivery.timeout.ms` (P6), one batch at a time. The caller still has
    /// to say [`Accumulator::done`].
    pub(super) fn expired(&mut self, now: Time) -> Option<(Partition, ClosedBatch)> {
        let timeout = self.delivery_timeout;
        for (&partition, queue) in &mut self.queues {
            if queue.open.as_ref().is_some_and(|open| open.created + timeout <= now) {
                queue.close();
            }
            let late = queue.closed.iter().position(|batch| batch.created + timeout <= now);
            if let Some(batch) = late.and_then(|late| queue.closed.remove(late)) {
                return Some((partition, batch));
            }
        }
        None
    }

    /// When the next batch that waits expires.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        let created = |queue: &Queue| {
            let closed = queue.closed.iter().map(|batch| batch.created).min();
            earliest([closed, queue.open.as_ref().map(|open| open.created)])
        };
        self.queues.values().filter_map(created).min().map(|created| created + self.delivery_timeout)
    }

    /// Whether every record was acknowledged or has failed.
    pub(super) fn is_empty(&self) -> bool {
        self.unfinished == 0
    }

    /// Whether a record of this size could never be taken, however long it waits.
    pub(super) fn never_fits(&self, record: NewRecord<'_>) -> bool {
        (self.batch_size as u64).max(size_alone(record)) > self.memory
    }

    fn release(&mut self, reserved: u64) {
        self.free = (self.free + reserved).min(self.memory);
    }
}

/// How many bytes a batch may have that holds nothing but this record: Kafka's own upper bound, in which everything about
/// a record but its key and value takes 21 bytes.
pub(super) fn size_alone(record: NewRecord<'_>) -> u64 {
    const RECORD_OVERHEAD: usize = 21;
    (HEADER_SIZE + RECORD_OVERHEAD + record.key.map_or(0, <[u8]>::len) + record.value.len()) as u64
}

impl Queue {
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push_back(open.close());
        }
    }
}

impl OpenBatch {
    fn begin(now: Time, record: NewRecord<'_>, reserved: u64, batch_size: usize) -> (Self, u64) {
        let builder = BatchBuilder::new(now.millis());
        let empty = builder.size();
        let mut open = Self { builder, values: Vec::with_capacity(4), created: now, reserved, full: false };
        open.push(now, record, batch_size);
        let bytes = open.builder.size() - empty;
        (open, bytes as u64)
    }

    fn push_if_room(&mut self, now: Time, record: NewRecord<'_>, batch_size: usize) -> Option<u64> {
        let before = self.builder.size();
        if self.full || self.builder.size_with(now.millis(), record.key, Some(record.value), &[]) > batch_size {
            return None;
        }
        self.push(now, record, batch_size);
        Some((self.builder.size() - before) as u64)
    }

    fn push(&mut self, now: Time, record: NewRecord<'_>, batch_size: usize) {
        self.builder.push(now.millis(), record.key, Some(record.value), &[]);
        self.values.push(Value::of(record.value));
        self.full = self.builder.size() >= batch_size;
    }

    fn close(self) -> ClosedBatch {
        ClosedBatch {
            batch: self.builder.build(),
            values: self.values,
            created: self.created,
            attempts: 0,
            maybe_appended: false,
            sent_in: None,
            not_before: Time(0),
            reserved: self.reserved,
        }
    }
}

impl ClosedBatch {
    /// The same records as batches of at most half the size, in order; `None` if there is only one record.
    fn split(&self) -> Option<Vec<Self>> {
        if self.values.len() < 2 {
            return None;
        }
        let limit = self.batch.size() / 2;
        let mut parts = Vec::with_capacity(2);
        let mut builder = BatchBuilder::new(self.batch.base_timestamp());
        let mut first = 0;
        for (nth, record) in self.batch.records().enumerate() {
            let record = record.expect("these bytes were laid out here");
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            if builder.count() > 0 && builder.size_with(record.timestamp, key, value, &record.headers) > limit {
                let full = std::mem::replace(&mut builder, BatchBuilder::new(record.timestamp));
                parts.push(self.part(full, first, nth));
                first = nth;
            }
            builder.push(record.timestamp, key, value, &record.headers);
        }
        parts.push(self.part(builder, first, self.values.len()));
        Some(parts)
    }

    fn part(&self, builder: BatchBuilder, from: usize, upto: usize) -> Self {
        Self {
            batch: builder.build(),
            values: self.values[from..upto].to_vec(),
            created: self.created,
            attempts: 0,
            maybe_appended: self.maybe_appended,
            sent_in: None,
            not_before: Time(0),
            reserved: 0,
        }
    }
}
