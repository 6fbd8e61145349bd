//! What a log is, without files: lists, and what the broker around it has written down.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::batch_of;
use crate::log::{Batch, LogConfig};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};
use crate::protocol::Storage;

/// The clock begins here, so that no timestamp is negative.
const BEGIN: Time = Time(100_000_000_000);

/// What does not change while a program runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) storage: Storage,
    /// Otherwise segments are deleted by time and size.
    pub(super) compact: bool,
}

impl Setting {
    /// Segments, indexes and spans are small, so that everything happens in a short program.
    pub(super) fn config(self) -> LogConfig {
        LogConfig {
            segment_bytes: 600,
            segment_ms: Duration::from_secs(3),
            segment_index_bytes: 72,
            index_interval_bytes: 100,
            flush_ms: Duration::from_secs(2),
            max_message_bytes: 1_000,
            retention_bytes: Some(1_500),
            retention_ms: Some(Duration::from_secs(8)),
            delete: !self.compact,
            compact: self.compact,
            file_delete_delay: Duration::from_secs(1),
            delete_retention: Duration::from_millis(500),
            min_cleanable_dirty_ratio: 0.0,
            cleaner_map_entries: 6,
            storage: self.storage,
            ..LogConfig::default()
        }
    }

    /// Whether an unclean start believes a log only as far as it goes on without a hole.
    pub(super) fn wants_no_holes(self) -> bool {
        self.storage.trust.syncs_cuts() && !self.compact
    }
}

/// What one batch is made of. Keys from 10 on are those of tombstones.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) keys: Vec<u8>,
    /// 0 is nobody.
    pub(super) producer: u8,
    /// Its records are so many tenths of a second younger than the clock says.
    pub(super) ahead: i8,
}

/// What the broker wrote down for its next life, in files that are replaced as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checkpoints {
    pub(super) recovery_point: EndOffset,
    pub(super) log_start: EndOffset,
    pub(super) first_dirty: EndOffset,
}

/// The reference.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    pub(super) setting: Setting,
    pub(super) now: Time,
    /// What is stored; what lies below the start may still be.
    pub(super) batches: Vec<Batch>,
    /// What retention took away: its producers are still known.
    pub(super) gone: Vec<Batch>,
    /// Every batch there ever was, in each of its forms.
    pub(super) ever: Vec<Batch>,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the first segment begins.
    pub(super) first_base: u64,
    pub(super) recovery_point: u64,
    pub(super) checkpoints: Checkpoints,
    pub(super) epoch: i32,
    written: u32,
    /// Epoch and next sequence number of each producer.
    numbers: BTreeMap<u8, (i16, i32)>,
    /// A cleaner has been here: batches may have lost records, and be gone.
    pub(super) cleaned: bool,
    /// It was cut after that: snapshots may know of batches that compaction took, and that had not been the last.
    pub(super) cleaned_then_cut: bool,
    /// The log was cut inside a batch: an epoch may be without any record.
    pub(super) cut_inside: bool,
    /// A process began without knowing where the log had begun before.
    pub(super) start_went_back: bool,
    /// Snapshots may have been lost, and with them who wrote only what retention took away.
    pub(super) may_forget: bool,
}

impl Plain {
    pub(super) fn new(setting: Setting) -> Self {
        Self {
            setting,
            now: BEGIN,
            batches: Vec::new(),
            gone: Vec::new(),
            ever: Vec::new(),
            start: 0,
            end: 0,
            first_base: 0,
            recovery_point: 0,
            checkpoints: Checkpoints::default(),
            epoch: 0,
            written: 0,
            numbers: BTreeMap::new(),
            cleaned: false,
            cleaned_then_cut: false,
            cut_inside: false,
            start_went_back: false,
            may_forget: false,
        }
    }

    /// Appends a batch that differs from all others, and hands it out as it is stored.
    pub(super) fn append(&mut self, sent: &Sent) -> Batch {
        let timestamp = self.now.millis() + 100 * i64::from(sent.ahead);
        let mut records = Vec::new();
        for key in &sent.keys {
            self.written += 1;
            let value = (*key < 10).then(|| format!("value {}", self.written));
            records.push((timestamp + i64::from(*key), Some(format!("k{}", key % 6)), value));
        }
        let records: Vec<_> =
            records.iter().map(|(time, key, value)| (*time, key.as_deref(), value.as_deref())).collect();
        let producer = (sent.producer > 0).then(|| {
            let (epoch, sequence) = self.numbers.entry(sent.producer).or_default();
            if self.written.is_multiple_of(17) {
                (*epoch, *sequence) = (*epoch + 1, 0);
            }
            let first = *sequence;
            *sequence += records.len() as i32;
            (i64::from(sent.producer), *epoch, first)
        });
        let stored = batch_of(&records, producer).stamp(Offset(self.end), LeaderEpoch(self.epoch));
        self.end = stored.end().0;
        self.batches.push(stored.clone());
        self.ever.push(stored.clone());
        stored
    }

    /// A place by per mille of the log.
    pub(super) fn place(&self, at: u16) -> EndOffset {
        EndOffset(self.start + (self.end - self.start) * u64::from(at) / 1_000)
    }

    /// The same, but where a batch ends if a hole would be held against the log.
    pub(super) fn place_to_cut(&self, at: u16) -> EndOffset {
        let place = EndOffset(self.first_base + (self.end - self.first_base) * u64::from(at) / 1_000);
        let inside = self.batches.iter().find(|batch| batch.base_offset().bound() < place && place < batch.end());
        match inside {
            Some(batch) if self.setting.wants_no_holes() => batch.base_offset().bound(),
            _ => place,
        }
    }

    pub(super) fn cut(&mut self, end: u64) {
        self.cut_inside |= self.batches.iter().any(|batch| batch.base_offset().0 < end && end < batch.end().0);
        self.cleaned_then_cut |= self.cleaned;
        self.batches.retain(|batch| batch.end().0 <= end);
        self.end = end;
        self.start = self.start.min(end);
        self.recovery_point = self.recovery_point.min(end);
    }

    /// Nothing is left, of the past either.
    pub(super) fn begin_anew(&mut self, start: u64) {
        self.batches.clear();
        self.gone.clear();
        (self.start, self.end, self.first_base) = (start, start, start);
        self.recovery_point = self.recovery_point.min(start);
    }

    /// Bytes of the batches that end at or below `end` and above the start.
    pub(super) fn below(&self, end: u64) -> Vec<Batch> {
        self.batches.iter().filter(|batch| batch.end().0 <= end && batch.end().0 > self.start).cloned().collect()
    }
}
