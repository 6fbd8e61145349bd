//! What a log is told by its topic's configuration. Plain data: this file knows no property by name.

use std::time::Duration;

use crate::protocol::Storage;

/// The topic's properties that matter to a log. The defaults are Kafka's (§1.18).
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// `segment.bytes`: no segment grows beyond this.
    pub segment_bytes: u64,
    /// `segment.ms`: no segment takes records that are so much younger than its first.
    pub segment_ms: Duration,
    /// So much sooner than that segments are closed: drawn by whoever opens the log, at most `segment.jitter.ms`.
    pub segment_jitter: Duration,
    /// `segment.index.bytes`: no index grows beyond this.
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`: how many bytes of batches lie between two entries of an index.
    pub index_interval_bytes: u64,
    /// `flush.messages`: sync once so many records are not; `u64::MAX` for never.
    pub flush_messages: u64,
    /// `flush.ms`: sync once so much time has passed; `Duration::MAX` for never.
    pub flush_ms: Duration,
    /// `max.message.bytes`: the largest batch a client may send.
    pub max_message_bytes: u32,
    /// `retention.bytes`: segments go while the log stays larger than this without them; `None` for never.
    pub retention_bytes: Option<u64>,
    /// `retention.ms`: segments go whose youngest record is older than this; `None` for never.
    pub retention_ms: Option<Duration>,
    /// `cleanup.policy` has `delete`.
    pub delete: bool,
    /// `cleanup.policy` has `compact`.
    pub compact: bool,
    /// `file.delete.delay.ms`: for so long the files of a discarded segment stay.
    pub file_delete_delay: Duration,
    /// `delete.retention.ms`: for so long after its cleaning a tombstone stays.
    pub delete_retention: Duration,
    /// `min.cleanable.dirty.ratio`: a log is cleaned once so much of it is dirty.
    pub min_cleanable_dirty_ratio: f64,
    /// `min.compaction.lag.ms`: records younger than this are not cleaned.
    pub min_compaction_lag: Duration,
    /// `max.compaction.lag.ms`: a log with a dirty record older than this is cleaned, however little is dirty; `None` for
    /// never.
    pub max_compaction_lag: Option<Duration>,
    /// How many keys a cleaning may tell apart (`log.cleaner.dedupe.buffer.size` at 24 bytes a key and its load factor).
    pub cleaner_map_entries: usize,
    /// What becomes of it on its disk.
    pub storage: Storage,
}

impl Default for LogConfig {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY,
            segment_jitter: Duration::ZERO,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4_096,
            flush_messages: u64::MAX,
            flush_ms: Duration::MAX,
            max_message_bytes: 1_048_588,
            retention_bytes: None,
            retention_ms: Some(7 * DAY),
            delete: true,
            compact: false,
            file_delete_delay: Duration::from_secs(60),
            delete_retention: DAY,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag: Duration::ZERO,
            max_compaction_lag: None,
            cleaner_map_entries: (128 << 20) / 24 * 9 / 10,
            storage: Storage::LATEST,
        }
    }
}
