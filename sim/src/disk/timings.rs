//! How long disk calls take. Only the figures: who waits for them is the world's business.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::dice::Draw;

/// What a disk call costs, in nanoseconds. The defaults are those of a local SSD behind a page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskTimings {
    /// An append into the page cache, besides its bytes.
    pub append: u64,
    /// A read from the page cache, besides its bytes.
    pub read: u64,
    /// Moving a thousand bytes to or from the page cache.
    pub per_kilobyte: u64,
    /// Asking for a length.
    pub stat: u64,
    /// The shortest create, open, truncate, rename, remove, list, or sync of what is clean.
    pub metadata_min: u64,
    /// The longest.
    pub metadata_max: u64,
    /// The shortest sync of a file or a directory, besides its bytes.
    pub sync_min: u64,
    /// The longest.
    pub sync_max: u64,
    /// Moving a thousand dirty bytes to the platter in a sync.
    pub sync_per_kilobyte: u64,
}

impl Default for DiskTimings {
    fn default() -> Self {
        Self {
            append: 3_000,
            read: 2_000,
            per_kilobyte: 1_000,
            stat: 500,
            metadata_min: 10_000,
            metadata_max: 20_000,
            sync_min: 500_000,
            sync_max: 4_000_000,
            sync_per_kilobyte: 2_000,
        }
    }
}

impl DiskTimings {
    pub(super) fn appending(self, bytes: usize) -> u64 {
        self.append + bytes as u64 * self.per_kilobyte / 1000
    }

    pub(super) fn reading(self, bytes: usize) -> u64 {
        self.read + bytes as u64 * self.per_kilobyte / 1000
    }

    pub(super) fn metadata(self, mut draw: Draw) -> u64 {
        draw.gen_range(self.metadata_min..=self.metadata_max.max(self.metadata_min))
    }

    pub(super) fn syncing(self, mut draw: Draw, dirty_bytes: u64) -> u64 {
        draw.gen_range(self.sync_min..=self.sync_max.max(self.sync_min)) + dirty_bytes * self.sync_per_kilobyte / 1000
    }
}
