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
    /// KIP-101 as it was published (`Kip101.tla`): asked once, when it begins to follow, where the epoch of its last record ends; that
    /// is where the first record of a later epoch stands, and if there is none it cuts at its own high watermark. From then on
    /// it fetches unchecked.
    OnceByEnd,
    /// KIP-279 as it was published (`Kip279.tla`): asked when it begins to follow, until both logs agree on the last epoch. From then on
    /// it fetches unchecked.
    OnceByEpoch,
}

/// What a leader makes of the epoch of a follower's last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// As far as this can tell both logs agree: go on.
    Nowhere,
    /// They share at most this epoch, which ends there in the leader's log. With epoch -1 it does not know.
    At(LeaderEpoch, EndOffset),
    /// The epoch cannot be placed in the leader's log: it cannot vouch for the offset either.
    Unplaced,
}

/// The epoch in the answer of a leader that does not know where the asked one ends (KIP-101: `UNDEFINED_EPOCH_OFFSET`).
const UNDEFINED: LeaderEpoch = LeaderEpoch(-1);

impl Truncation {
    /// Where to cut at the moment of becoming a follower, before the leader was asked anything.
    #[must_use]
    pub fn on_following(self, high_watermark: EndOffset) -> Option<EndOffset> {
        match self {
            Self::HighWatermark => Some(high_watermark),
            Self::EndOfLastEpoch
            | Self::DivergingEpoch
            | Self::BeyondTheLeadersEnd
            | Self::OneTooHigh
            | Self::OnceByEnd
            | Self::OnceByEpoch => None,
        }
    }

    /// Whether a fetch carries the epoch of the last record, so that the leader can see a divergence (R25). `settled` is whether the
    /// logs were compared [to the end](Self::settles) since the follower began to follow in this epoch.
    #[must_use]
    pub fn asks_with_last_epoch(self, settled: bool) -> bool {
        match self {
            Self::HighWatermark | Self::BeyondTheLeadersEnd => false,
            Self::EndOfLastEpoch | Self::DivergingEpoch | Self::OneTooHigh => true,
            Self::OnceByEnd | Self::OnceByEpoch => !settled,
        }
    }

    /// Whether the logs are compared to the end with an answer that said that they part, or did not.
    #[must_use]
    pub fn settles(self, parts: bool) -> bool {
        match self {
            Self::OnceByEnd => true,
            Self::HighWatermark
            | Self::EndOfLastEpoch
            | Self::DivergingEpoch
            | Self::BeyondTheLeadersEnd
            | Self::OneTooHigh
            | Self::OnceByEpoch => !parts,
        }
    }

    /// What the leader says to a follower that fetches from `from` and whose last record is of the epoch `last`. `known` is
    /// the largest epoch not above it in the leader's log, and its end there, in a log that ends at `log_end` (R25).
    #[must_use]
    pub fn parting(
        self,
        (last, from): (LeaderEpoch, EndOffset),
        known: Option<(LeaderEpoch, EndOffset)>,
        log_end: EndOffset,
    ) -> Parting {
        let at = |parts: bool, epoch, end| if parts { Parting::At(epoch, end) } else { Parting::Nowhere };
        match (self, known) {
            // An epoch that begins at the end of the log has no record yet.
            (Self::OnceByEnd, Some((epoch, end))) if epoch == last || end < log_end => at(end < from, last, end),
            (Self::OnceByEnd, _) => Parting::At(UNDEFINED, EndOffset::ZERO),
            (_, None) => Parting::Unplaced,
            (Self::EndOfLastEpoch, Some((epoch, end))) => at(end < from, epoch, end),
            (
                Self::HighWatermark
                | Self::DivergingEpoch
                | Self::BeyondTheLeadersEnd
                | Self::OneTooHigh
                | Self::OnceByEpoch,
                Some((epoch, end)),
            ) => at(epoch < last || end < from, epoch, end),
        }
    }

    /// Where to cut when the leader said that its log and this one share at most `epoch`, which ends at `end` there.
    /// `local` is the largest epoch not above `epoch` in this log, and its end here (R41); the log ends at `log_end` and its
    /// high watermark is `high_watermark`.
    #[must_use]
    pub fn cut(
        self,
        (epoch, end): (LeaderEpoch, EndOffset),
        local: Option<(LeaderEpoch, EndOffset)>,
        log_end: EndOffset,
        high_watermark: EndOffset,
    ) -> EndOffset {
        let agreed = match local {
            None => end,
            Some((local_epoch, local_end)) if local_epoch == epoch => local_end.min(end),
            Some((_, local_end)) => local_end,
        }
        .min(log_end);
        match self {
            Self::OnceByEnd if epoch == UNDEFINED => high_watermark.min(log_end),
            Self::EndOfLastEpoch | Self::OnceByEnd => end.min(log_end),
            Self::HighWatermark | Self::DivergingEpoch | Self::BeyondTheLeadersEnd | Self::OnceByEpoch => agreed,
            Self::OneTooHigh => EndOffset(agreed.0 + 1).min(log_end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [Truncation; 6] = [
        Truncation::HighWatermark,
        Truncation::EndOfLastEpoch,
        Truncation::DivergingEpoch,
        Truncation::OneTooHigh,
        Truncation::OnceByEnd,
        Truncation::OnceByEpoch,
    ];

    #[test]
    fn only_before_kip_101_a_follower_cuts_without_asking() {
        let cut = ANSWERS.map(|answer| answer.on_following(EndOffset(3)));
        assert_eq!(cut, [Some(EndOffset(3)), None, None, None, None, None]);
        let asks = |settled| ANSWERS.map(|answer| answer.asks_with_last_epoch(settled));
        assert_eq!(asks(false), [false, true, true, true, true, true]);
        assert_eq!(
            asks(true),
            [false, true, true, true, false, false],
            "as published, they ask when they begin to follow"
        );
        assert_eq!([Truncation::OnceByEnd, Truncation::OnceByEpoch].map(|answer| answer.settles(true)), [true, false]);
    }

    /// T2: the leader has epochs 1 and 3, which begins at 11; the follower's last record, at 10, is of epoch 2.
    #[test]
    fn before_kip_279_an_epoch_that_the_leader_never_had_ends_where_its_next_one_begins() {
        let (last, from) = (LeaderEpoch(2), EndOffset(11));
        let known = (LeaderEpoch(1), EndOffset(11));
        let diverges = |from| ANSWERS.map(|answer| answer.parting((last, from), Some(known), EndOffset(15)));
        let (at, nowhere) = (Parting::At(LeaderEpoch(1), EndOffset(11)), Parting::Nowhere);
        assert_eq!(diverges(from), [at, nowhere, at, at, nowhere, at]);
        let local = Some((LeaderEpoch(1), EndOffset(10)));
        let cut = |answer: Truncation| answer.cut((LeaderEpoch(1), EndOffset(11)), local, from, EndOffset(9)).0;
        assert_eq!(
            [Truncation::DivergingEpoch, Truncation::EndOfLastEpoch, Truncation::OnceByEnd].map(cut),
            [10, 11, 11]
        );
        let ends_before = Parting::At(last, EndOffset(11));
        assert_eq!(diverges(EndOffset(12)), [at, at, at, at, ends_before, at], "KIP-101: it ends before that");
    }

    /// The leader has epoch 1, up to 11, and leads in epoch 3, of which it has no record yet.
    #[test]
    fn in_kip_101_a_leader_that_does_not_know_has_its_follower_cut_at_its_own_high_watermark() {
        let known = Some((LeaderEpoch(1), EndOffset(11)));
        let asked = |answer: Truncation, known| answer.parting((LeaderEpoch(2), EndOffset(12)), known, EndOffset(11));
        let undefined = Parting::At(UNDEFINED, EndOffset::ZERO);
        assert_eq!(asked(Truncation::OnceByEnd, known), undefined);
        assert_eq!(asked(Truncation::OnceByEnd, None), undefined, "nor does an empty log");
        assert_eq!(asked(Truncation::OnceByEpoch, known), Parting::At(LeaderEpoch(1), EndOffset(11)));
        assert_eq!(asked(Truncation::OnceByEpoch, None), Parting::Unplaced);
        let cut = Truncation::OnceByEnd.cut((UNDEFINED, EndOffset::ZERO), None, EndOffset(12), EndOffset(9));
        assert_eq!(cut, EndOffset(9));
    }

    #[test]
    fn the_cut_is_where_both_logs_agree() {
        let cut = |answer: Truncation, epoch, end, local: Option<(i32, u64)>| {
            let local = local.map(|(epoch, end)| (LeaderEpoch(epoch), EndOffset(end)));
            answer.cut((LeaderEpoch(epoch), EndOffset(end)), local, EndOffset(20), EndOffset(7)).0
        };
        for asked in [Truncation::DivergingEpoch, Truncation::OnceByEpoch] {
            assert_eq!(cut(asked, 4, 12, Some((4, 15))), 12, "the leader's epoch 4 is shorter");
            assert_eq!(cut(asked, 4, 12, Some((4, 10))), 10, "the follower's is");
            assert_eq!(cut(asked, 4, 12, Some((3, 8))), 8, "the follower never saw epoch 4 (R41: ask again)");
            assert_eq!(cut(asked, 4, 12, None), 12);
            assert_eq!(cut(asked, 4, 99, None), 20, "never beyond the end");
        }
        assert_eq!(cut(Truncation::OneTooHigh, 4, 12, Some((4, 15))), 13, "P21");
        assert_eq!(cut(Truncation::OneTooHigh, 4, 99, Some((4, 20))), 20);
    }
}
