//! The files' half of the cleaner (L77-L84); what is kept of a batch is next door.

use serde::{Deserialize, Serialize};

use super::batch::BatchId;

/// A batch that the cleaner has rewritten, emptied or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CleanedBatch {
    /// What it was.
    pub before: BatchId,
    /// What it is now; nothing if it is gone.
    pub after: Option<BatchId>,
    /// The offsets, counted from its base, of the records that are left in it.
    pub kept: Vec<u32>,
}
