//! What does a broker believe of what an unclean stop left on its disk?
//!
//! The one question whose latest answer is not Kafka's. With Kafka's answer, storms of power cuts on a disk that may give
//! back truncated bytes make replicas that hold old records under new epochs; the known bugs keep that as a row.

use serde::{Deserialize, Serialize};

use crate::names::{EndOffset, LeaderEpoch, Offset};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// Kafka: every batch whose checksum holds, up to the first that does not (L49, L50). A segment that lost all its
    /// content leaves a hole, and bytes from before a truncation count as new (L34, L53).
    AnyValidBatch,
    /// Ours: and only batches of the epoch that the leader-epoch checkpoint has for their offset, in segments that go on
    /// where the one before ended. For that the checkpoint is written with every truncation, not after it (L37). Of a
    /// deletion that was undone in part only the latest run of segments is believed.
    WhatFitsTogether,
}

/// What is done where two segments do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seam {
    /// Nothing.
    Kept,
    /// The segments before it are leftovers of a deletion and go.
    FrontDropped,
    /// The segments behind it are leftovers of a truncation, or unsynced, and go.
    RestDropped,
}

impl Trust {
    /// Whether a batch of this epoch is kept at an offset for which the checkpoint has `recorded`; `latest` is the
    /// newest epoch in the checkpoint.
    #[must_use]
    pub fn keeps_batch(self, batch: LeaderEpoch, recorded: Option<LeaderEpoch>, latest: Option<LeaderEpoch>) -> bool {
        match self {
            Self::AnyValidBatch => true,
            Self::WhatFitsTogether => recorded.is_none_or(|recorded| batch == recorded) || Some(batch) > latest,
        }
    }

    /// What is done where one segment `ends` and the next one `begins`, in a log of which everything below `synced` was
    /// synced, names and all. Where it is `compacted`, something may be missing between them.
    #[must_use]
    pub fn seam(self, ends: EndOffset, begins: Offset, synced: EndOffset, compacted: bool) -> Seam {
        let begins = begins.bound();
        match self {
            Self::AnyValidBatch => Seam::Kept,
            Self::WhatFitsTogether if begins == ends || (compacted && begins > ends) => Seam::Kept,
            // No name is lost below the recovery point: what is missing was deleted, and what lies before it has come back.
            Self::WhatFitsTogether if begins > ends && begins <= synced => Seam::FrontDropped,
            Self::WhatFitsTogether => Seam::RestDropped,
        }
    }

    /// Whether a cut is synced before anything is written behind it. If it is not, a power cut may leave a sector of the
    /// old bytes inside a new batch; where that falls between the leader epoch and the checksum of a header the checksum
    /// holds, because it covers neither (L2), and an old record stands under a new epoch for ever.
    #[must_use]
    pub fn syncs_cuts(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether the leader-epoch checkpoint is rewritten in the same step as a truncation.
    #[must_use]
    pub fn writes_epochs_at_once(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seam(ends: u64, begins: u64, synced: u64, compacted: bool) -> Seam {
        Trust::WhatFitsTogether.seam(EndOffset(ends), Offset(begins), EndOffset(synced), compacted)
    }

    #[test]
    fn what_does_not_fit_goes_and_never_what_is_synced() {
        assert_eq!(seam(5, 5, 0, false), Seam::Kept);
        assert_eq!(seam(5, 7, 6, false), Seam::RestDropped, "the segment between them was not synced");
        assert_eq!(seam(5, 7, 7, false), Seam::FrontDropped, "the segment between them was deleted");
        assert_eq!(seam(5, 3, 9, false), Seam::RestDropped, "it was cut off and has come back");
        assert_eq!(seam(5, 7, 0, true), Seam::Kept, "what was between them was cleaned");
        assert_eq!(Trust::AnyValidBatch.seam(EndOffset(5), Offset(3), EndOffset(0), false), Seam::Kept);
    }
}
