//! The rules of the controller, one by one and together, on a disk in memory.

mod bench;
mod disk;
mod journal;
mod partitions;
mod properties;
mod registry;
mod topics;
