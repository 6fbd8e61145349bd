//! Kafka with the world removed: machines that are stepped.
//!
//! **What this crate must not know.** It cannot read a clock, roll dice, open a socket or spawn anything, because nothing
//! in it can: time, chance and the disk are arguments of [`machine::Machine::step`]. It knows no fault, no test and no
//! trace. Outside `protocol/` nothing matches on a decision that Kafka has changed in its history.
//!
//! The journey of one record: [`client`] batches it and picks the leader, [`broker`] finds the replica, [`replica`] checks
//! `min.insync.replicas`, appends the bytes to the [`log`] and lets the request wait; followers fetch, and their next
//! fetch is the acknowledgement; [`protocol`] says how far all of the in-sync set have come; the answer leaves.

pub mod broker;
pub mod client;
pub mod config;
pub mod controller;
pub mod disk;
pub mod event;
pub mod log;
pub mod machine;
pub mod metadata;
pub mod names;
pub mod protocol;
mod quorum;
pub mod replica;
pub mod wire;
pub mod zookeeper;
