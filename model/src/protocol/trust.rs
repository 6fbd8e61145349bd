//! What does a broker believe of what an unclean stop left on its disk?
//!
//! One of two questions whose latest answer is not Kafka's; the other is [`super::Swapping`]. With Kafka's answer, storms of
//! power cuts on a disk that may give back truncated bytes make replicas that hold old records under new epochs; the known
//! bugs keep that as a row.

use serde::{Deserialize, Serialize};

use crate::names::{EndOffset, LeaderEpoch, Offset};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// Kafka: every batch whose checksum holds, up to the first that does not (L49, L50). A segment that lost all its
    /// content leaves a hole, and bytes from before a truncation count as new (L34, L53).
    AnyValidBatch,
    /// Ours: and only batches of the epoch that the leader-epoch checkpoint has for their offset, in segments that go on
    /// where the one before ended. For that the checkpoint is written with every truncation, not after it (L37), and what
    /// cuts, deletes and recovery take away is synced.
    WhatFitsTogether,
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

    /// Whether a segment is kept behind one that ends at `end`. Where a log is compacted something may be missing between
    /// the two, but only as far as it [was cleaned](Self::cleans_only_what_is_synced): below the recovery point, which is
    /// what `cleaned_below` says; above it what is missing was lost.
    #[must_use]
    pub fn keeps_segment(self, base: Offset, end: EndOffset, cleaned_below: Option<EndOffset>) -> bool {
        match self {
            Self::AnyValidBatch => true,
            Self::WhatFitsTogether => {
                let was_cleaned = cleaned_below.is_some_and(|below| base.bound() <= below);
                base.bound() == end || (base.bound() > end && was_cleaned)
            }
        }
    }

    /// Whether the cleaner keeps below the recovery point, and that is written down before it takes anything away. Kafka's
    /// cleaner is bounded by the last stable offset and the active segment alone (L78), so that after a power cut nothing
    /// tells a segment that was cleaned away from one that was never synced.
    #[must_use]
    pub fn cleans_only_what_is_synced(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether a new segment begins where the one before ended, although its first batch, from a leader whose log was cleaned,
    /// lies further on. Kafka's begins where that batch does (L27); such a hole is nothing that was lost, and a start could
    /// not tell.
    #[must_use]
    pub fn rolls_without_holes(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether segments that go, deleted with the oldest first or cut off with the newest first, are each synced away before
    /// the next one goes. If they are not, a power cut may bring one back without its neighbour, and a recovery that wants
    /// no holes would end the log there, or take it for one that was cleaned.
    #[must_use]
    pub fn syncs_deletions(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether a cut is synced before anything is written behind it, be it by the process that cut or by one after it. If it is
    /// not, a power cut may leave a sector of the old bytes inside a new batch; where that falls between the leader epoch and
    /// the checksum of a header the checksum holds, because it covers neither (L2), and an old record stands under a new
    /// epoch for ever.
    #[must_use]
    pub fn syncs_cuts(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether an unclean start learns the epochs in front of the first one on record from the batches. Kafka leaves the gap
    /// (L53).
    #[must_use]
    pub fn completes_epochs(self) -> bool {
        match self {
            Self::AnyValidBatch => false,
            Self::WhatFitsTogether => true,
        }
    }

    /// Whether a start that finds a log shorter than its recovery point says so in the checkpoint before anything is appended.
    #[must_use]
    pub fn writes_lowered_recovery_points(self) -> bool {
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

    #[test]
    fn a_segment_that_does_not_go_on_where_the_one_before_ended_is_not_believed() {
        let keeps = |base, below: Option<u64>| {
            Trust::WhatFitsTogether.keeps_segment(Offset(base), EndOffset(5), below.map(EndOffset))
        };
        assert!(keeps(5, None) && keeps(5, Some(0)));
        assert!(!keeps(7, None) && !keeps(7, Some(6)), "what was between them was never synced");
        assert!(keeps(7, Some(7)), "what was between them was cleaned");
        assert!(!keeps(3, None) && !keeps(3, Some(9)), "it was cut off and has come back");
        assert!(Trust::AnyValidBatch.keeps_segment(Offset(7), EndOffset(5), None));
    }
}
