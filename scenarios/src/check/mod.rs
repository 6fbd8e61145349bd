//! The checks: each a fold over the trace that says when a promise was broken, one family of guarantees a file.
//!
//! They read facts only and hold no handle to a world. Three rooms are shared and demand nothing: `replicas` (with
//! `partition` and `replica`) is the cluster as the trace shows it, `records` every record's story, `verdicts`
//! where findings go. [`crate::judge`] hands each fact to whom it concerns.

pub(crate) mod acknowledgement;
mod assignments;
mod batches;
pub(crate) mod cleaned;
pub(crate) mod compaction;
pub(crate) mod delete_records;
pub(crate) mod derived;
pub(crate) mod durability;
pub(crate) mod epochs;
pub(crate) mod history;
pub(crate) mod images;
pub(crate) mod in_sync;
pub(crate) mod listings;
pub(crate) mod logs;
pub(crate) mod order;
pub(crate) mod partition;
pub(crate) mod progress;
pub(crate) mod quorum;
pub(crate) mod reads;
pub(crate) mod records;
pub(crate) mod recovery;
pub(crate) mod replica;
pub(crate) mod replicas;
pub(crate) mod retention;
pub(crate) mod storage;
pub(crate) mod topics;
pub(crate) mod unheard;
pub(crate) mod verdicts;
pub(crate) mod watermarks;

#[cfg(test)]
mod play;
#[cfg(test)]
mod tests;
