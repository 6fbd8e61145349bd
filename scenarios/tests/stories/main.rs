//! What `cargo test` tells about whole clusters: one binary, one file for each promise, one test for each story.

mod acks;
mod determinism;
mod domains;
mod durability;
mod durability_table;
mod eligible;
mod failover;
mod isr;
mod kip_101;
mod leadership;
mod operating;
mod order;
mod planted;
mod planted_quorums;
mod power;
mod quorum;
mod reassigning;
mod recommended;
mod returning;
mod rolling;
mod storage;
mod storage_old_records;
mod storms;
mod transcripts;
mod unclean;
mod zookeeper;
