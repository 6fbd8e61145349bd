//! Kafka's clients: a producer, a consumer and an admin client.
//!
//! They know a cluster only by what brokers tell them, which may be old (C49), and they keep nothing on disk. This room
//! must not know replicas, the controller's memory or the metadata log: it speaks [`crate::wire`] and nothing else.

mod accumulator;
mod admin;
mod asking;
mod assignment;
mod backoff;
mod changing;
mod connection;
mod consumer;
mod fetched;
mod partitioner;
mod position;
mod producer;
mod routing;
mod sender;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;

pub use admin::Admin;
pub use consumer::Consumer;
pub use partitioner::{murmur2, partition_for_key};
pub use producer::Producer;
