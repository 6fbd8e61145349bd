//! Where does recovery end a log whose last batches are damaged?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tail {
    /// Kafka: before the first batch whose checksum does not hold, even if good ones follow (L49, L50).
    CutAtFirstBad,
    /// Planted: behind it, for checksums are not asked for.
    TornKept,
    /// Planted: one batch before it (P29).
    LastValidDropped,
}

impl Tail {
    /// Whether a batch with or without a right checksum is kept.
    #[must_use]
    pub fn keeps(self, checksum_holds: bool) -> bool {
        match self {
            Self::CutAtFirstBad | Self::LastValidDropped => checksum_holds,
            Self::TornKept => true,
        }
    }

    /// How many of the `good` batches before the first bad one stay.
    #[must_use]
    pub fn kept(self, good: usize) -> usize {
        match self {
            Self::CutAtFirstBad | Self::TornKept => good,
            Self::LastValidDropped => good.saturating_sub(1),
        }
    }
}
