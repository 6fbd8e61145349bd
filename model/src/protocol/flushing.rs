//! What must be synced before the recovery point moves?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Flushing {
    /// Kafka: the files of all segments below it, and the directory if one of them is new (L10, L31).
    FilesAndNames,
    /// Planted: the files alone. A segment may be gone with its name although its bytes are on the platter.
    FilesAlone,
    /// Planted: nothing. The recovery point says what was never done.
    Nothing,
}

impl Flushing {
    /// Whether the files of the segments are synced.
    #[must_use]
    pub fn syncs_files(self) -> bool {
        match self {
            Self::FilesAndNames | Self::FilesAlone => true,
            Self::Nothing => false,
        }
    }

    /// Whether the directory of a new segment is synced.
    #[must_use]
    pub fn syncs_names(self) -> bool {
        match self {
            Self::FilesAndNames => true,
            Self::FilesAlone | Self::Nothing => false,
        }
    }
}
