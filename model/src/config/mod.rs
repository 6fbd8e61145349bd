//! Configuration: Kafka's own property names and defaults, read from `.properties` text.
//!
//! Each struct is declared as one table, and the table drives everything: the fields, the defaults, parsing, printing
//! and the detection of unknown names. This room knows no machine, and it opens no file: it is handed text.

mod broker;
mod cleanup;
mod client;
mod controller;
mod fault;
mod limit;
mod properties;
mod reading;
mod settings;
mod table;
mod topic;
mod unsupported;
mod value;

pub use broker::BrokerConfig;
pub use cleanup::CleanupPolicy;
pub use client::{Acks, ConsumerConfig, IsolationLevel, OffsetReset, ProducerConfig};
pub use controller::ControllerConfig;
pub use fault::{ConfigError, Fault, Notice, Problem};
pub use limit::{Limit, NotARatio, Ratio};
pub use properties::{Entry, Properties};
pub use settings::Settings;
pub use table::{Property, Taken};
pub use topic::{EffectiveTopicConfig, TopicConfig};
pub use unsupported::Unsupported;
pub use value::Kind;

#[cfg(test)]
mod tests;
