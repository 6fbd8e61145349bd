//! What is synced while a cleaned segment takes the place of what it was made from?

use serde::{Deserialize, Serialize};

/// The answers. Kafka's is not the latest one here: by the contract of the disk (§1.19) each of several renames in one
/// directory may be undone by itself, and it loses the segment if the new file's is and the old file's is not; or it has both,
/// and two batches at one offset, if one of several old ones comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Swapping {
    /// Kafka: the directory, once everything has its last name (L82).
    DirectoryAtTheEnd,
    /// Ours: the directory also before the old files get out of the way, so that the new one is there whatever happens, and
    /// once they are, so that none of them is there when the new one gets its last name.
    DirectoryInBetween,
}

impl Swapping {
    /// Whether the directory is synced before and after the old files are renamed.
    #[must_use]
    pub fn syncs_in_between(self) -> bool {
        match self {
            Self::DirectoryAtTheEnd => false,
            Self::DirectoryInBetween => true,
        }
    }
}
