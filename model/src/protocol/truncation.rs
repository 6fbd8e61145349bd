//! Where does a new follower cut its log?

use serde::{Deserialize, Serialize};

use crate::names::{EndOffset, LeaderEpoch};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truncation {
    /// Up to 0.10: at its own high watermark, as soon as it follows. The high watermark of a follower lags by a fetch
    /// round, so it may cut off what is committed and lead without it (KIP-101, KAFKA-1211).
    HighWatermark,
    /// KIP-101 before KIP-279: where the epoch of the follower's last record ends in the leader's log, and an epoch that the leader
    /// never had ends for it where the next one that it has begins. What the follower has below that stays, whoever wrote it
    /// (KAFKA-6361, B03).
    EndOfLastEpoch,
    /// Since 2.7: where the leader, told the follower's last epoch with each fetch, says that the two logs part; again
    /// if the epochs still differ (KIP-101, KIP-279, KIP-320, KIP-595; R41).
    DivergingEpoch,
    /// Planted: only where its log is longer than the leader's, whoever wrote what is in it (B02, P22, B39).
    BeyondTheLeadersEnd,
    /// Planted: as [`Self::DivergingEpoch`], but one record too high, so that one diverging record stays (P21).
    OneTooHigh,
}

impl Truncation {
    /// Where to cut at the moment of becoming a follower, before the leader was asked anything.
    #[must_use]
    pub fn on_following(self, high_watermark: EndOffset) -> Option<EndOffset> {
        match self {
            Self::HighWatermark => Some(high_watermark),
            Self::EndOfLastEpoch | Self::DivergingEpoch | Self::BeyondTheLeadersEnd | Self::OneTooHigh => None,
        }
    }

    /// Whether fetches carry the epoch of the last record, so that the leader can see a divergence (R25).
    #[must_use]
    pub fn asks_with_last_epoch(self) -> bool {
        match self {
            Self::HighWatermark | Self::BeyondTheLeadersEnd => false,
            Self::EndOfLastEpoch | Self::DivergingEpoch | Self::OneTooHigh => true,
        }
    }

    /// Whether the leader says that the logs part, to a follower that fetches from `from` and whose last record is of the
    /// epoch `last`. `known` is the largest epoch not above it in the leader's log, and its end there (R25).
    #[must_use]
    pub fn diverges(self, (last, from): (LeaderEpoch, EndOffset), known: (LeaderEpoch, EndOffset)) -> bool {
        let (epoch, end) = known;
        match self {
            Self::EndOfLastEpoch => end < from,
            Self::HighWatermark | Self::DivergingEpoch | Self::BeyondTheLeadersEnd | Self::OneTooHigh => {
                epoch < last || end < from
            }
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
            Self::EndOfLastEpoch => end.min(log_end),
            Self::HighWatermark | Self::DivergingEpoch | Self::BeyondTheLeadersEnd => agreed,
            Self::OneTooHigh => EndOffset(agreed.0 + 1).min(log_end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [Truncation; 4] =
        [Truncation::HighWatermark, Truncation::EndOfLastEpoch, Truncation::DivergingEpoch, Truncation::OneTooHigh];

    #[test]
    fn only_before_kip_101_a_follower_cuts_without_asking() {
        let cut = ANSWERS.map(|answer| answer.on_following(EndOffset(3)));
        assert_eq!(cut, [Some(EndOffset(3)), None, None, None]);
        assert_eq!(ANSWERS.map(Truncation::asks_with_last_epoch), [false, true, true, true]);
    }

    /// T2: the leader has epochs 1 and 3, which begins at 11; the follower's last record, at 10, is of epoch 2.
    #[test]
    fn before_kip_279_an_epoch_that_the_leader_never_had_ends_where_its_next_one_begins() {
        let (last, from) = (LeaderEpoch(2), EndOffset(11));
        let known = (LeaderEpoch(1), EndOffset(11));
        let diverges = ANSWERS.map(|answer| answer.diverges((last, from), known));
        assert_eq!(diverges, [true, false, true, true]);
        let local = Some((LeaderEpoch(1), EndOffset(10)));
        assert_eq!(Truncation::DivergingEpoch.cut(known, local, from).0, 10);
        assert_eq!(Truncation::EndOfLastEpoch.cut(known, local, from).0, 11);
        assert!(Truncation::EndOfLastEpoch.diverges((last, EndOffset(12)), known), "KIP-101: it ends before that");
    }

    #[test]
    fn the_cut_is_where_both_logs_agree() {
        let cut = |answer: Truncation, epoch, end, local: Option<(i32, u64)>| {
            let local = local.map(|(epoch, end)| (LeaderEpoch(epoch), EndOffset(end)));
            answer.cut((LeaderEpoch(epoch), EndOffset(end)), local, EndOffset(20)).0
        };
        let asked = Truncation::DivergingEpoch;
        assert_eq!(cut(asked, 4, 12, Some((4, 15))), 12, "the leader's epoch 4 is shorter");
        assert_eq!(cut(asked, 4, 12, Some((4, 10))), 10, "the follower's is");
        assert_eq!(cut(asked, 4, 12, Some((3, 8))), 8, "the follower never saw epoch 4 (R41: ask again)");
        assert_eq!(cut(asked, 4, 12, None), 12);
        assert_eq!(cut(asked, 4, 99, None), 20, "never beyond the end");
        assert_eq!(cut(Truncation::OneTooHigh, 4, 12, Some((4, 15))), 13, "P21");
        assert_eq!(cut(Truncation::OneTooHigh, 4, 99, Some((4, 20))), 20);
    }
}
