//! The rules of the controller, one by one and together, on a disk in memory.

mod bench;
mod committing;
mod deposed;
mod eligible;
mod operator;
mod partitions;
mod properties;
mod reassigning;
mod registry;
mod topics;
