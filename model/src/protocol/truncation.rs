//! Where does a new follower cut its log?

use serde::{Deserialize, Serialize};

use crate::names::{EndOffset, LeaderEpoch};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truncation {
    /// Up to 0.10: at its own high watermark, as soon as it follows. The high watermark of a follower lags by a fetch
    /// round, so it may cut off what is committed and lead without it (KIP-101, KAFKA-1211).
    HighWatermark,
    /// Since 2.7: where the leader, told the follower's last epoch with each fetch, says that the two logs part; again
    /// if the epochs still differ (KIP-101, KIP-279, KIP-320, KIP-595; R41).
    DivergingEpoch,
    /// Planted: as [`Self::DivergingEpoch`], but one record too high, so that one diverging record stays (P21).
    OneTooHigh,
}

impl Truncation {
    /// Where to cut at the moment of becoming a follower, before the leader was asked anything.
    #[must_use]
    pub fn on_following(self, high_watermark: EndOffset) -> Option<EndOffset> {
        match self {
            Self::HighWatermark => Some(high_watermark),
            Self::DivergingEpoch | Self::OneTooHigh => None,
        }
    }

    /// Whether fetches carry the epoch of the last record, so that the leader can see a divergence (R25).
    #[must_use]
    pub fn asks_with_last_epoch(self) -> bool {
        match self {
            Self::HighWatermark => false,
            Self::DivergingEpoch | Self::OneTooHigh => true,
        }
    }

    /// Where to cut when the leader said that its log and this one share at most `epoch`, which ends at `end` there.
    /// `local` is the largest epoch not above `epoch` in this log, and its end here (R41).
    #[must_use]
    pub fn cut(
        self,
        (epoch, end): (LeaderEpoch, EndOffset),
        local: Option<(LeaderEpoch, EndOffset)>,
        log_end: EndOffset,
    ) -> EndOffset {
        let agreed = match local {
            None => end,
            Some((local_epoch, local_end)) if local_epoch == epoch => local_end.min(end),
            Some((_, local_end)) => local_end,
        }
        .min(log_end);
        match self {
            Self::HighWatermark | Self::DivergingEpoch => agreed,
            Self::OneTooHigh => EndOffset(agreed.0 + 1).min(log_end),
        }
    }
}
