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
    /// where the one before ended. For that the checkpoint is written with every truncation, not after it (L37).
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

    /// Whether a segment is kept behind one that ends at `end`; between them something may be `missing` where a log is
    /// compacted.
    #[must_use]
    pub fn keeps_segment(self, base: Offset, end: EndOffset, missing: bool) -> bool {
        match self {
            Self::AnyValidBatch => true,
            Self::WhatFitsTogether => base.bound() == end || (missing && base.bound() > end),
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
