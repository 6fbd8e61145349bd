//! Kafka's log: real bytes in real files, on whatever [`Disk`](crate::disk::Disk) it is handed.
//!
//! A [`Log`] is one replica's directory: segments of record batches, a leader-epoch cache, a recovery point. A
//! [`LogFolder`] is the directory above them: checkpoints and the clean-shutdown marker. This room must not know
//! messages, effects, events, replicas or clocks: it takes plain data and a disk, and gives plain data back.

mod append;
pub mod batch;
pub mod builder;
pub mod checkpoint;
mod cleaning;
pub mod compaction;
mod config;
pub mod epochs;
mod files;
pub mod folder;
pub mod index;
mod leftovers;
#[expect(clippy::module_inception, reason = "the room is named after the thing that the others only serve")]
mod log;
pub mod producers;
mod read;
pub mod record;
mod recovery;
mod retention;
mod segment;
mod slices;
pub mod snapshots;
mod truncate;
pub mod varint;

#[cfg(test)]
pub(crate) mod tests;

pub use append::{AppendError, Appended, Replicated};
pub use batch::{Batch, BatchId, Batches, CorruptBatch};
pub use builder::BatchBuilder;
pub use cleaning::{CleanedBatch, Cleaning, Progress};
pub use config::LogConfig;
pub use epochs::EpochCache;
pub use folder::LogFolder;
pub use log::Log;
pub use producers::Producers;
pub use read::{Found, OutOfRange, Span};
pub use record::{Header, Record, Records};
pub use recovery::{Loading, Recovery};
pub use retention::{DeletedSegment, DeletionCause};
pub use slices::Slices;
