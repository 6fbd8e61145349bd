//! What a producer and a consumer are told.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::table::{Contradiction, config, no_contradictions};
use super::unsupported::{CONSUMER, PRODUCER};
use super::value::{INT, Kind, LONG, Mistake, Value, ms};

/// `acks`: whose word a producer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Acks {
    /// `0`: nobody's. What was sent counts as done (P9).
    None,
    /// `1`: the leader's, once it has appended.
    Leader,
    /// `all` or `-1`: that of every in-sync replica.
    All,
}

/// `auto.offset.reset`: where a consumer begins that has no position, or one that is out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OffsetReset {
    /// At the start of the log.
    Earliest,
    /// At the high watermark.
    Latest,
    /// Nowhere: the application is told.
    None,
}

/// `isolation.level`: what a consumer may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IsolationLevel {
    /// Everything below the high watermark.
    ReadUncommitted,
}

config! {
    /// What a producer is told; defaults are those of Kafka 4 (§4.7), without idempotence.
    pub struct ProducerConfig, ignoring PRODUCER, checked by contradictions;

    /// Whose word a send waits for.
    "acks" => acks: Acks = Acks::All;
    /// How often a batch is sent again; in practice `delivery.timeout.ms` is the bound (P11).
    "retries" => retries: u32 = i32::MAX as u32, in 0..=INT;
    /// Requests under way to one broker at once; above 1, a retry may reorder (P7).
    "max.in.flight.requests.per.connection" => max_in_flight_requests_per_connection: u32 = 5, in 1..=INT;
    /// Bytes at which a batch is full.
    "batch.size" => batch_size: u64 = 16_384, in 0..=INT;
    /// How long a batch waits for company.
    "linger.ms" => linger: Duration = ms(5), in 0..=LONG;
    /// How long a send may take, from append to final result (P6).
    "delivery.timeout.ms" => delivery_timeout: Duration = ms(120_000), in 0..=INT;
    /// How long an answer may take before the connection is given up (P9).
    "request.timeout.ms" => request_timeout: Duration = ms(30_000), in 0..=INT;
    /// How long to wait before the first retry; doubles from there.
    "retry.backoff.ms" => retry_backoff: Duration = ms(100), in 0..=LONG;
    /// How long to wait between retries at most.
    "retry.backoff.max.ms" => retry_backoff_max: Duration = ms(1_000), in 0..=LONG;
    /// How old metadata may become before it is asked for again.
    "metadata.max.age.ms" => metadata_max_age: Duration = ms(300_000), in 0..=LONG;
    /// How long a send may block for metadata or memory (P3).
    "max.block.ms" => max_block: Duration = ms(60_000), in 0..=LONG;
    /// Bytes of the largest request, and of the largest record.
    "max.request.size" => max_request_size: u64 = 1_048_576, in 0..=INT;
    /// Bytes of all that waits to be sent.
    "buffer.memory" => buffer_memory: u64 = 33_554_432, in 0..=LONG;
    /// How long to wait before connecting again; doubles from there.
    "reconnect.backoff.ms" => reconnect_backoff: Duration = ms(50), in 0..=LONG;
}

config! {
    /// What a consumer is told; defaults are those of Kafka 4 (§5.7).
    pub struct ConsumerConfig, ignoring CONSUMER, checked by no_contradictions;

    /// Where to begin without a position, or with one out of range.
    "auto.offset.reset" => auto_offset_reset: OffsetReset = OffsetReset::Latest;
    /// Bytes for which a fetch is answered at once.
    "fetch.min.bytes" => fetch_min_bytes: u64 = 1, in 0..=INT;
    /// How long a broker holds a fetch that finds too little.
    "fetch.max.wait.ms" => fetch_max_wait: Duration = ms(500), in 0..=INT;
    /// Bytes per partition of a fetch; the first batch comes whole even if larger.
    "max.partition.fetch.bytes" => max_partition_fetch_bytes: u64 = 1_048_576, in 0..=INT;
    /// Bytes of a fetch; the first batch comes whole even if larger.
    "fetch.max.bytes" => fetch_max_bytes: u64 = 52_428_800, in 0..=INT;
    /// Records that one poll returns at most.
    "max.poll.records" => max_poll_records: u32 = 500, in 1..=INT;
    /// What may be read.
    "isolation.level" => isolation_level: IsolationLevel = IsolationLevel::ReadUncommitted;
    /// How old metadata may become before it is asked for again.
    "metadata.max.age.ms" => metadata_max_age: Duration = ms(300_000), in 0..=LONG;
    /// How long an answer may take before the connection is given up.
    "request.timeout.ms" => request_timeout: Duration = ms(30_000), in 0..=INT;
    /// How long to wait before the first retry; doubles from there.
    "retry.backoff.ms" => retry_backoff: Duration = ms(100), in 0..=LONG;
    /// Whether the CRC of every batch is checked.
    "check.crcs" => check_crcs: bool = true;
    /// How long a call without a timeout of its own may block.
    "default.api.timeout.ms" => default_api_timeout: Duration = ms(60_000), in 0..=INT;
}

impl ProducerConfig {
    /// The least `delivery.timeout.ms` that leaves room for one attempt: `linger.ms` + `request.timeout.ms`, within
    /// an `int` (P6).
    #[must_use]
    pub fn least_delivery_timeout(&self) -> Duration {
        let largest = Duration::from_millis(INT.unsigned_abs());
        self.linger.min(largest).saturating_add(self.request_timeout).min(largest)
    }
}

/// What Kafka refuses when a producer is made (P6).
fn contradictions(config: &ProducerConfig, prefix: &str) -> Vec<Contradiction> {
    let least = config.least_delivery_timeout();
    if config.delivery_timeout >= least {
        return Vec::new();
    }
    let [delivery, linger, request] =
        [config.delivery_timeout, config.linger, config.request_timeout].map(|span| span.as_millis());
    let least = least.as_millis();
    vec![Contradiction {
        properties: &["delivery.timeout.ms", "linger.ms", "request.timeout.ms"],
        says: format!(
            "{prefix}delivery.timeout.ms ({delivery}) is less than \
             {prefix}linger.ms ({linger}) + {prefix}request.timeout.ms ({request})"
        ),
        remedy: format!("raise {prefix}delivery.timeout.ms to {least}, or lower one of the others"),
    }]
}

impl Value for Acks {
    const KIND: Kind = Kind::OneOf(&["all", "-1", "0", "1"]);

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        match text {
            "0" => Ok(Self::None),
            "1" => Ok(Self::Leader),
            "all" | "-1" => Ok(Self::All),
            _ => Err(Mistake::Type),
        }
    }

    fn show(&self) -> Option<String> {
        let text = match self {
            Self::None => "0",
            Self::Leader => "1",
            Self::All => "all",
        };
        Some(text.to_owned())
    }
}

impl Value for OffsetReset {
    const KIND: Kind = Kind::OneOf(&["earliest", "latest", "none"]);

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            "none" => Ok(Self::None),
            _ if text.starts_with("by_duration:") => {
                Err(Mistake::Unsupported("offsets are not looked up by time yet: the default is used"))
            }
            _ => Err(Mistake::Type),
        }
    }

    fn show(&self) -> Option<String> {
        let text = match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
            Self::None => "none",
        };
        Some(text.to_owned())
    }
}

impl Value for IsolationLevel {
    const KIND: Kind = Kind::OneOf(&["read_uncommitted", "read_committed"]);

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        match text {
            "read_uncommitted" => Ok(Self::ReadUncommitted),
            "read_committed" => Err(Mistake::Unsupported("there are no transactions yet: the default is used")),
            _ => Err(Mistake::Type),
        }
    }

    fn show(&self) -> Option<String> {
        match self {
            Self::ReadUncommitted => Some("read_uncommitted".to_owned()),
        }
    }
}
