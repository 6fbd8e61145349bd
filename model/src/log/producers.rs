//! What a log knows about the idempotent producers that wrote to it (L57-L65): derived from its batches, batch by batch.
//!
//! A leader asks it whether a batch is a retry; replicas and replay only keep it up to date, so that whoever leads next
//! can answer (L64). It knows the bytes of a snapshot (§1.2) but must not know files, nor how a refusal is answered. The
//! part of transactions here is what lies in the batches; there is no transaction index, no verification.

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::batch::{Batch, NO_SEQUENCE, TRANSACTIONAL, sequence_plus};
use super::checkpoint::Malformed;
use crate::names::Offset;

/// How many batches of each producer are remembered (L57).
pub const BATCHES_REMEMBERED: usize = 5;

/// The version of the snapshot's layout.
const VERSION: i16 = 1;

/// Where a snapshot's checksum starts to cover.
const COVERED: usize = 6;

/// The bytes of one producer in a snapshot.
const ENTRY_SIZE: usize = 46;

/// The types of control record that end a transaction (L8).
const MARKERS: [i16; 2] = [0, 1];

/// The producers of one log by producer id, and what each wrote last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    entries: BTreeMap<i64, ProducerEntry>,
}

/// What is known about one producer (L57).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    epoch: i16,
    coordinator_epoch: i32,
    last_timestamp: i64,
    current_txn_first_offset: Option<Offset>,
    batches: Vec<BatchMetadata>,
}

/// What is remembered of one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchMetadata {
    /// The sequence number of its last record; -1 if it came from a coordinator, which numbers nothing.
    pub last_sequence: i32,
    /// Where its last record lies.
    pub last_offset: Offset,
    /// How many offsets before that its first record lies.
    pub offset_delta: u32,
    /// Its largest timestamp in milliseconds. Of a batch known from a snapshot: the producer's last timestamp.
    pub timestamp: i64,
}

/// A batch that is in the log already: its producer is answered with where it lies (L58).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Where the first record lies.
    pub first_offset: Offset,
    /// Where the last record lies.
    pub last_offset: Offset,
    /// The timestamp that the answer to the original held, in milliseconds.
    pub timestamp: i64,
}

/// Why a producer's batch is not appended, by Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// A newer incarnation of this producer has written (L59).
    #[error("INVALID_PRODUCER_EPOCH: {found} after {known}")]
    InvalidProducerEpoch {
        /// The newest epoch in the log.
        known: i16,
        /// The batch's.
        found: i16,
    },
    /// A batch is missing before this one, or it is a retry too old to be remembered (L60, L63).
    #[error("OUT_OF_ORDER_SEQUENCE_NUMBER: {found} where {expected} was to come")]
    OutOfOrderSequenceNumber {
        /// The only sequence number that could have come.
        expected: i32,
        /// The batch's first.
        found: i32,
    },
    /// The producer has a transaction open and the batch is not part of it (L61).
    #[error("INVALID_TXN_STATE: outside of the open transaction")]
    InvalidTxnState,
}

impl Producers {
    /// Takes note of a stored batch, whatever it says: it is in the log (L64). A batch without producer id changes
    /// nothing, nor does a control batch that is no transaction marker, or whose marker compaction took out.
    pub fn update(&mut self, batch: &Batch) {
        if batch.producer_id() < 0 {
            return;
        }
        let marker = if batch.is_control() {
            let Some(marker) = Marker::of(batch) else { return };
            Some(marker)
        } else {
            None
        };
        let entry =
            self.entries.entry(batch.producer_id()).or_insert_with(|| ProducerEntry::new(batch.producer_epoch()));
        entry.go_to_epoch(batch.producer_epoch());
        match marker {
            Some(marker) => entry.end_transaction(marker),
            None => entry.add(batch),
        }
    }

    /// What a leader is to do with a client's data batch before it is stored: append it (`None`), or answer that it is
    /// there already (L58). A batch without producer id is never refused.
    ///
    /// # Errors
    /// [`SequenceError`], in Kafka's order: epoch, sequence, transaction.
    pub fn check(&self, batch: &Batch) -> Result<Option<Duplicate>, SequenceError> {
        // Whoever is not known may go on with any number: what was known may have expired (L60).
        let Some(entry) = self.entries.get(&batch.producer_id()) else {
            return Ok(None);
        };
        if let Some(duplicate) = entry.duplicate(batch) {
            return Ok(Some(duplicate));
        }
        let (known, found) = (entry.epoch, batch.producer_epoch());
        if found < known {
            return Err(SequenceError::InvalidProducerEpoch { known, found });
        }
        let expected = if found == known { entry.next_sequence() } else { 0 };
        if batch.base_sequence() != expected {
            return Err(SequenceError::OutOfOrderSequenceNumber { expected, found: batch.base_sequence() });
        }
        if entry.current_txn_first_offset.is_some() && batch.attributes() & TRANSACTIONAL == 0 {
            return Err(SequenceError::InvalidTxnState);
        }
        Ok(None)
    }

    /// Forgets producers without open transaction whose last timestamp is `expiration_ms` (`producer.id.expiration.ms`) or
    /// more before `now_ms` (L62). Kafka does so now and then, and after loading a snapshot.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.entries.retain(|_, entry| {
            entry.current_txn_first_offset.is_some() || now_ms.saturating_sub(entry.last_timestamp) < expiration_ms
        });
    }

    /// Forgets everybody (L42).
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Every producer by id.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (i64, &ProducerEntry)> {
        self.entries.iter().map(|(&id, entry)| (id, entry))
    }

    /// What is known about this producer.
    #[must_use]
    pub fn get(&self, producer_id: i64) -> Option<&ProducerEntry> {
        self.entries.get(&producer_id)
    }

    /// Whether this is what a fold over all batches gives, as far as it must be: after a snapshot and replay fewer batches
    /// may be remembered (L63), and the one from the snapshot bears the producer's last timestamp. All else is equal.
    ///
    /// The fold has to see what this has seen: producers whose batches retention has deleted stay known here until they
    /// expire.
    #[must_use]
    pub fn agrees_with(&self, fold: &Self) -> bool {
        self.entries.len() == fold.entries.len()
            && self.entries.iter().all(|(id, entry)| fold.entries.get(id).is_some_and(|other| entry.agrees_with(other)))
    }

    /// Like [`Producers::agrees_with`] for a fold over a log that has been compacted since: batches that were remembered are
    /// gone, and largest timestamps may have gone with records, but who wrote last and where is still there (L81).
    #[must_use]
    pub fn agrees_after_compaction(&self, fold: &Self) -> bool {
        self.entries.len() == fold.entries.len()
            && self.entries.iter().all(|(id, entry)| fold.entries.get(id).is_some_and(|other| entry.is_at(other)))
    }

    /// The content of a `.snapshot` file, Kafka's bytes: of each producer the last batch (L63).
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(COVERED + 4 + self.entries.len() * ENTRY_SIZE);
        bytes.put_i16(VERSION);
        bytes.put_u32(0);
        bytes.put_i32(i32::try_from(self.entries.len()).expect("producers are counted in 31 bits"));
        for (&id, entry) in &self.entries {
            let last = entry.batches.last();
            bytes.put_i64(id);
            bytes.put_i16(entry.epoch);
            bytes.put_i32(last.map_or(NO_SEQUENCE, |last| last.last_sequence));
            put_offset(&mut bytes, last.map(|last| last.last_offset));
            bytes.put_u32(last.map_or(0, |last| last.offset_delta));
            bytes.put_i64(entry.last_timestamp);
            bytes.put_i32(entry.coordinator_epoch);
            put_offset(&mut bytes, entry.current_txn_first_offset);
        }
        let crc = crc32c::crc32c(&bytes[COVERED..]);
        bytes[2..COVERED].copy_from_slice(&crc.to_be_bytes());
        bytes.freeze()
    }

    /// Reads what [`Producers::encode`] writes.
    ///
    /// # Errors
    /// [`Malformed`] for another version, a checksum that does not hold, and a length other than the count says.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((header, mut entries)) = bytes.split_at_checked(COVERED + 4) else {
            return Err(Malformed("a snapshot shorter than its header"));
        };
        if header[..2] != VERSION.to_be_bytes() {
            return Err(Malformed("a snapshot of another version"));
        }
        if header[2..COVERED] != crc32c::crc32c(&bytes[COVERED..]).to_be_bytes() {
            return Err(Malformed("a snapshot whose checksum does not hold"));
        }
        let count = i64::from((&header[COVERED..]).get_i32());
        if i64::try_from(entries.len()) != Ok(count * ENTRY_SIZE as i64) {
            return Err(Malformed("a snapshot of another length than it says"));
        }
        let mut producers = Self::default();
        while entries.has_remaining() {
            producers.entries.insert(entries.get_i64(), ProducerEntry::read(&mut entries));
        }
        Ok(producers)
    }
}

impl ProducerEntry {
    fn new(epoch: i16) -> Self {
        Self { epoch, coordinator_epoch: -1, last_timestamp: -1, current_txn_first_offset: None, batches: Vec::new() }
    }

    /// The epoch of the last batch or marker.
    #[must_use]
    pub fn epoch(&self) -> i16 {
        self.epoch
    }

    /// The epoch of the coordinator that wrote the last marker, -1 before there is one.
    #[must_use]
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// The largest timestamp of the last batch, or that of the last marker, in milliseconds.
    #[must_use]
    pub fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    /// Where the open transaction begins (L65).
    #[must_use]
    pub fn current_txn_first_offset(&self) -> Option<Offset> {
        self.current_txn_first_offset
    }

    /// The last batches of this epoch that are remembered, oldest first; at most [`BATCHES_REMEMBERED`].
    #[must_use]
    pub fn batches(&self) -> &[BatchMetadata] {
        &self.batches
    }

    /// Where the last record lies that is not a marker, if it belongs to this epoch.
    #[must_use]
    pub fn last_data_offset(&self) -> Option<Offset> {
        self.batches.last().map(|last| last.last_offset)
    }

    fn go_to_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }

    fn add(&mut self, batch: &Batch) {
        if self.batches.len() == BATCHES_REMEMBERED {
            self.batches.remove(0);
        }
        self.batches.push(BatchMetadata {
            last_sequence: batch.last_sequence(),
            last_offset: batch.last_offset(),
            offset_delta: batch.last_offset_delta(),
            timestamp: batch.max_timestamp(),
        });
        self.last_timestamp = batch.max_timestamp();
        if batch.attributes() & TRANSACTIONAL != 0 {
            self.current_txn_first_offset.get_or_insert(batch.base_offset());
        }
    }

    fn end_transaction(&mut self, marker: Marker) {
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = marker.timestamp;
        self.current_txn_first_offset = None;
    }

    fn duplicate(&self, batch: &Batch) -> Option<Duplicate> {
        let sequences = (batch.base_sequence(), batch.last_sequence());
        let numbered = batch.producer_epoch() == self.epoch && batch.base_sequence() != NO_SEQUENCE;
        let original = self.batches.iter().find(|known| (known.first_sequence(), known.last_sequence) == sequences);
        original.filter(|_| numbered).map(|original| Duplicate {
            first_offset: original.first_offset(),
            last_offset: original.last_offset,
            timestamp: original.timestamp,
        })
    }

    fn next_sequence(&self) -> i32 {
        sequence_plus(self.batches.last().map_or(NO_SEQUENCE, |last| last.last_sequence), 1)
    }

    fn agrees_with(&self, other: &Self) -> bool {
        let shorter = self.batches.len().min(other.batches.len());
        let tail = |entry: &Self| entry.batches[entry.batches.len() - shorter..].to_vec();
        let (mut ours, mut others) = (tail(self), tail(other));
        if let (Some(our), Some(other)) = (ours.first_mut(), others.first_mut()) {
            // Either may come from a snapshot, which knows it by another timestamp.
            our.timestamp = other.timestamp;
        }
        ours == others && self.last_timestamp == other.last_timestamp && self.is_at(other)
    }

    /// Whether both have come equally far: in epochs, transactions and sequence numbers.
    fn is_at(&self, other: &Self) -> bool {
        let place =
            |entry: &Self| entry.batches.last().map(|last| (last.last_sequence, last.last_offset, last.offset_delta));
        place(self) == place(other)
            && self.epoch == other.epoch
            && self.coordinator_epoch == other.coordinator_epoch
            && self.current_txn_first_offset == other.current_txn_first_offset
    }

    /// Reads one entry behind its producer id; all of it is there.
    fn read(bytes: &mut &[u8]) -> Self {
        let (epoch, last_sequence) = (bytes.get_i16(), bytes.get_i32());
        let (last_offset, offset_delta) = (offset(bytes.get_i64()), bytes.get_u32());
        let (timestamp, coordinator_epoch) = (bytes.get_i64(), bytes.get_i32());
        let batch = |last_offset| BatchMetadata { last_sequence, last_offset, offset_delta, timestamp };
        Self {
            epoch,
            coordinator_epoch,
            last_timestamp: timestamp,
            current_txn_first_offset: offset(bytes.get_i64()),
            batches: last_offset.map(batch).into_iter().collect(),
        }
    }
}

impl BatchMetadata {
    /// The sequence number of its first record; -1 if it has none.
    #[must_use]
    pub fn first_sequence(&self) -> i32 {
        match self.last_sequence {
            NO_SEQUENCE => NO_SEQUENCE,
            last => sequence_plus(last, -i64::from(self.offset_delta)),
        }
    }

    /// Where its first record lies.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        Offset(self.last_offset.0.saturating_sub(u64::from(self.offset_delta)))
    }
}

/// What the end of a transaction says, be it COMMIT or ABORT.
#[derive(Clone, Copy, Debug)]
struct Marker {
    coordinator_epoch: i32,
    timestamp: i64,
}

impl Marker {
    /// The marker in a control batch (L8): version and type in the key, version and coordinator epoch in the value.
    fn of(batch: &Batch) -> Option<Self> {
        let record = batch.records().next()?.ok()?;
        let (key, value) = (record.key?, record.value?);
        let control_type = i16::from_be_bytes(*key.get(2..)?.first_chunk()?);
        let coordinator_epoch = i32::from_be_bytes(*value.get(2..)?.first_chunk()?);
        MARKERS.contains(&control_type).then_some(Self { coordinator_epoch, timestamp: record.timestamp })
    }
}

/// An offset, -1 for none.
fn put_offset(bytes: &mut BytesMut, offset: Option<Offset>) {
    bytes.put_u64(offset.map_or(u64::MAX, |offset| offset.0));
}

fn offset(number: i64) -> Option<Offset> {
    u64::try_from(number).ok().map(Offset)
}
