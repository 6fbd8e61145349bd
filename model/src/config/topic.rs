//! What a topic may say for itself, and what holds for it in the end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::broker::BrokerConfig;
use super::cleanup::CleanupPolicy;
use super::fault::{ConfigError, Notice};
use super::limit::{Limit, Ratio};
use super::properties::Properties;
use super::reading::Reading;
use super::table::{Contradiction, Property, Table, entry_points, minimum_of, not_more, range_of, unknown};
use super::unsupported::{TOPIC, Unsupported};
use super::value::{INT, LONG, Value};

/// Declares the topic-level properties. A line reads: name, the broker's name for the default, field, type, where the
/// broker says it, range for numbers.
macro_rules! topic_config {
    ($(
        $(#[doc = $doc:literal])+
        $name:literal or $broker_name:literal => $field:ident: $Type:ty, or $broker_default:expr
            $(, in $range:expr $(, kafka_minimum $minimum:expr)?)?;
    )+) => {
        /// What a topic says for itself; the rest is left to the broker's defaults.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct TopicConfig {
            $(
                #[doc = concat!("`", $name, "`, by default the broker's `", $broker_name, "`:")]
                $(#[doc = $doc])+
                pub $field: Option<$Type>,
            )+
        }

        /// What holds for a topic on one broker: what it says for itself, else what the broker says.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct EffectiveTopicConfig {
            $(
                #[doc = concat!("`", $name, "`:")]
                $(#[doc = $doc])+
                pub $field: $Type,
            )+
        }

        impl TopicConfig {
            /// What holds for the topic on a broker with these defaults.
            // Inlined: who wants one property, as with every record, is to pay for one.
            #[inline]
            #[must_use]
            pub fn effective(&self, broker: &BrokerConfig) -> EffectiveTopicConfig {
                EffectiveTopicConfig { $($field: self.$field.unwrap_or_else(|| of(broker, $broker_default)),)+ }
            }

            /// The broker's name for the default of a topic-level property.
            #[must_use]
            pub fn broker_property(name: &str) -> Option<&'static str> {
                match name {
                    $($name => Some($broker_name),)+
                    _ => None,
                }
            }
        }

        impl Table for TopicConfig {
            const PROPERTIES: &'static [Property<Self>] = &[$(
                Property {
                    name: $name,
                    doc: concat!($($doc),+).trim_ascii_start(),
                    kind: <$Type as Value>::KIND,
                    range: range_of!($($range)?),
                    kafka_minimum: minimum_of!($($($minimum)?)?),
                    set: |config, text, range| {
                        config.$field = Some(Value::parse(text, range)?);
                        Ok(())
                    },
                    show: |config| config.$field.show(),
                },
            )+];
            const UNSUPPORTED: &'static [Unsupported] = TOPIC;

            fn contradictions(&self, prefix: &str) -> Vec<Contradiction> {
                contradictions(self, prefix)
            }
        }
    };
}

topic_config! {
    /// In-sync replicas without which `acks=all` is refused.
    "min.insync.replicas" or "min.insync.replicas" =>
        min_insync_replicas: u32, or |broker| broker.min_insync_replicas, in 1..=INT;
    /// Whether a replica that is not in sync may lead when no other can.
    "unclean.leader.election.enable" or "unclean.leader.election.enable" =>
        unclean_leader_election_enable: bool, or |broker| broker.unclean_leader_election_enable;
    /// Bytes at which a segment is closed and the next one begun.
    "segment.bytes" or "log.segment.bytes" =>
        segment_bytes: u64, or |broker| broker.log_segment_bytes, in 1..=INT, kafka_minimum 1_048_576;
    /// Age at which a segment is closed although it is not full.
    "segment.ms" or "log.roll.ms" => segment: Duration, or BrokerConfig::roll, in 1..=LONG;
    /// Each segment is closed up to so much earlier, so that not all of them are at once.
    "segment.jitter.ms" or "log.roll.jitter.ms" => segment_jitter: Duration, or BrokerConfig::roll_jitter, in 0..=LONG;
    /// Bytes of an index at which its segment is closed.
    "segment.index.bytes" or "log.index.size.max.bytes" =>
        segment_index_bytes: u64, or |broker| broker.log_index_size_max_bytes, in 4..=INT;
    /// Bytes of a segment between two entries of its index.
    "index.interval.bytes" or "log.index.interval.bytes" =>
        index_interval_bytes: u64, or |broker| broker.log_index_interval_bytes, in 0..=INT;
    /// Records after which the log is synced to disk.
    "flush.messages" or "log.flush.interval.messages" =>
        flush_messages: u64, or |broker| broker.log_flush_interval_messages, in 1..=LONG;
    /// Age of the oldest record that is not synced at which the log is.
    "flush.ms" or "log.flush.interval.ms" => flush: Duration, or BrokerConfig::flush_interval, in 0..=LONG;
    /// Bytes of the largest batch that the topic takes.
    "max.message.bytes" or "message.max.bytes" =>
        max_message_bytes: u64, or |broker| broker.message_max_bytes, in 0..=INT;
    /// What becomes of old records.
    "cleanup.policy" or "log.cleanup.policy" => cleanup_policy: CleanupPolicy, or |broker| broker.log_cleanup_policy;
    /// Bytes of a log above which its oldest segments are deleted; -1 for any number.
    "retention.bytes" or "log.retention.bytes" =>
        retention_bytes: Limit<u64>, or |broker| broker.log_retention_bytes, in -1..=LONG;
    /// Age of its youngest record at which a segment is deleted; -1 for never.
    "retention.ms" or "log.retention.ms" => retention: Limit<Duration>, or BrokerConfig::retention, in -1..=LONG;
    /// How long the file of a deleted segment stays on disk.
    "file.delete.delay.ms" or "log.segment.delete.delay.ms" =>
        file_delete_delay: Duration, or |broker| broker.log_segment_delete_delay, in 0..=LONG;
    /// How long a tombstone stays in a compacted log.
    "delete.retention.ms" or "log.cleaner.delete.retention.ms" =>
        delete_retention: Duration, or |broker| broker.log_cleaner_delete_retention, in 0..=LONG;
    /// Share of a compacted log that must be dirty before it is cleaned.
    "min.cleanable.dirty.ratio" or "log.cleaner.min.cleanable.ratio" =>
        min_cleanable_dirty_ratio: Ratio, or |broker| broker.log_cleaner_min_cleanable_ratio;
    /// Age below which a record is not compacted away.
    "min.compaction.lag.ms" or "log.cleaner.min.compaction.lag.ms" =>
        min_compaction_lag: Duration, or |broker| broker.log_cleaner_min_compaction_lag, in 0..=LONG;
    /// Age of a record at which its log is cleaned however little of it is dirty.
    "max.compaction.lag.ms" or "log.cleaner.max.compaction.lag.ms" =>
        max_compaction_lag: Duration, or |broker| broker.log_cleaner_max_compaction_lag, in 1..=LONG;
}

entry_points!(TopicConfig);

impl TopicConfig {
    /// Reads the properties that a topic is created with.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong; the "line" of a problem is the place in the list, from 1.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<Self, ConfigError> {
        Self::from_pairs_noted(pairs).map(|(config, _)| config)
    }

    /// The same with one property set, or forgotten.
    ///
    /// # Errors
    /// [`ConfigError`] if the property cannot be so.
    pub fn with_property(&self, name: &str, value: Option<&str>) -> Result<Self, ConfigError> {
        let others = self.entries().into_iter().filter(|(known, _)| *known != name);
        let mut pairs: Vec<(String, String)> = others.map(|(known, value)| (known.to_owned(), value)).collect();
        pairs.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        Self::from_pairs(&pairs)
    }

    /// Like [`TopicConfig::from_pairs`], and says what was ignored.
    ///
    /// # Errors
    /// As [`TopicConfig::from_pairs`].
    pub fn from_pairs_noted(pairs: &[(String, String)]) -> Result<(Self, Vec<Notice>), ConfigError> {
        let properties = Properties::from_pairs("topic config", pairs);
        let mut reading = Reading::new(&properties);
        let mut config = Self::default();
        for entry in reading.effective() {
            let outcome = config.apply("", &entry.name, &entry.value);
            reading.record(entry, outcome.unwrap_or_else(|| Err(unknown::<Self>(&entry.name))));
        }
        reading.reconcile(&config, "");
        let notices = reading.finish()?;
        Ok((config, notices))
    }
}

/// What a broker says, by field or by method.
fn of<T>(broker: &BrokerConfig, says: fn(&BrokerConfig) -> T) -> T {
    says(broker)
}

/// What Kafka refuses when a topic is created.
fn contradictions(config: &TopicConfig, prefix: &str) -> Vec<Contradiction> {
    let least = config.min_compaction_lag.unwrap_or_default();
    let most = config.max_compaction_lag.unwrap_or(Duration::MAX);
    not_more(&["min.compaction.lag.ms", "max.compaction.lag.ms"], least, most, prefix).into_iter().collect()
}
