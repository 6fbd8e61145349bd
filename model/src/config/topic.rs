//! What a topic may say for itself, and what holds for it in the end.

use serde::{Deserialize, Serialize};

use super::broker::BrokerConfig;
use super::fault::{ConfigError, Notice};
use super::properties::Properties;
use super::reading::Reading;
use super::table::{Contradiction, Property, Table, entry_points, minimum_of, no_contradictions, range_of, unknown};
use super::unsupported::{TOPIC, Unsupported};
use super::value::{INT, LONG, Value};

/// Declares the topic-level properties. A line reads: name, the broker's name for the default, field, type, the field
/// of the broker, range for numbers.
macro_rules! topic_config {
    ($(
        $(#[doc = $doc:literal])+
        $name:literal or $broker_name:literal => $field:ident: $Type:ty, or $broker_field:ident
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
            #[must_use]
            pub fn effective(&self, broker: &BrokerConfig) -> EffectiveTopicConfig {
                EffectiveTopicConfig { $($field: self.$field.unwrap_or(broker.$broker_field),)+ }
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
                    show: |config| config.$field.as_ref().map(Value::show),
                },
            )+];
            const UNSUPPORTED: &'static [Unsupported] = TOPIC;

            fn contradictions(&self, prefix: &str) -> Vec<Contradiction> {
                no_contradictions(self, prefix)
            }
        }
    };
}

topic_config! {
    /// In-sync replicas without which `acks=all` is refused.
    "min.insync.replicas" or "min.insync.replicas" => min_insync_replicas: u32, or min_insync_replicas, in 1..=INT;
    /// Whether a replica that is not in sync may lead when no other can.
    "unclean.leader.election.enable" or "unclean.leader.election.enable" =>
        unclean_leader_election_enable: bool, or unclean_leader_election_enable;
    /// Bytes at which a segment is closed and the next one begun.
    "segment.bytes" or "log.segment.bytes" =>
        segment_bytes: u64, or log_segment_bytes, in 1..=INT, kafka_minimum 1_048_576;
    /// Records after which the log is synced to disk.
    "flush.messages" or "log.flush.interval.messages" =>
        flush_messages: u64, or log_flush_interval_messages, in 1..=LONG;
    /// Bytes of the largest batch that the topic takes.
    "max.message.bytes" or "message.max.bytes" => max_message_bytes: u64, or message_max_bytes, in 0..=INT;
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
        let notices = reading.finish()?;
        Ok((config, notices))
    }
}
