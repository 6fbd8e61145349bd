//! How is a checkpoint file replaced?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replacing {
    /// Kafka: the new file is synced, then takes the name of the old one, then the directory is synced (L9). After a power
    /// cut the old or the new one is there, never a mix.
    SyncedThenRenamed,
    /// Planted: the new file takes the name before its bytes are synced, which may be gone when the power returns (P27).
    RenamedUnsynced,
}

impl Replacing {
    /// Whether the bytes are synced before the name changes.
    #[must_use]
    pub fn syncs_first(self) -> bool {
        match self {
            Self::SyncedThenRenamed => true,
            Self::RenamedUnsynced => false,
        }
    }
}
