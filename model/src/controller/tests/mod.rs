//! The rules of the controller, one by one and together, on a disk in memory.

mod bench;
mod committing;
mod deposed;
mod operator;
mod partitions;
mod properties;
mod registry;
mod topics;
