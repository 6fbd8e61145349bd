//! How far have all come?

use serde::{Deserialize, Serialize};

use crate::names::EndOffset;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Watermark {
    /// Until 3.6: as far as the slowest of the maximal ISR and of those who are catching up (KIP-497, R40a).
    MaximalIsr,
    /// Since 3.7: the same, but not at all while the committed ISR is smaller than `min.insync.replicas` (KIP-966, R37).
    MaximalIsrAboveMinimum,
    /// Planted: as far as the committed ISR alone, above the minimum. A newcomer that the controller may have let in already is not
    /// waited for (B07).
    CommittedIsr,
    /// Planted: as far as all but the slowest of them (P03).
    SlowestIgnored,
    /// Planted: as far as the leader itself, which is as far as the fastest of them (P01, P04).
    LeaderAlone,
    /// Planted: one record further than all have come (P02).
    OneTooFar,
    /// Planted: a new leader takes for granted that all have what it has (P05).
    WholeLogOfANewLeader,
    /// Planted: the high watermark follows the slowest of them, backwards, too (P07).
    Backwards,
}

/// What a leader knows when it asks.
#[derive(Clone, Debug)]
pub struct WatermarkView<'a> {
    /// Its own log end offset.
    pub leader_end: EndOffset,
    /// The size of the ISR that the controller has confirmed.
    pub committed_isr: u32,
    /// The effective `min.insync.replicas` (R5).
    pub min_isr: u32,
    /// The log end offset of each other replica that must be waited for: the maximal ISR, and whoever is caught up and
    /// eligible. [`EndOffset::ZERO`] for one that has not fetched in this epoch (R14).
    pub others: &'a [EndOffset],
}

impl Watermark {
    /// Whether those are waited for that the controller has not confirmed yet: who is proposed, and who is about to be (R37,
    /// R38).
    #[must_use]
    pub fn waits_for_newcomers(self) -> bool {
        match self {
            Self::MaximalIsr
            | Self::MaximalIsrAboveMinimum
            | Self::SlowestIgnored
            | Self::LeaderAlone
            | Self::OneTooFar
            | Self::WholeLogOfANewLeader
            | Self::Backwards => true,
            Self::CommittedIsr => false,
        }
    }

    /// The high watermark of a new leader, which had this one as a follower, and whose log ends there (R14).
    #[must_use]
    pub fn on_leading(self, high_watermark: EndOffset, log_end: EndOffset) -> EndOffset {
        if self == Self::WholeLogOfANewLeader { log_end } else { high_watermark }
    }

    /// Whether a leader's high watermark may fall within an epoch (L13, R37).
    #[must_use]
    pub fn may_fall(self) -> bool {
        self == Self::Backwards
    }

    /// The high watermark that this view allows; `None` if it allows none (R37, R38).
    #[must_use]
    pub fn candidate(self, view: &WatermarkView<'_>) -> Option<EndOffset> {
        let slowest = view.others.iter().copied().min().unwrap_or(view.leader_end).min(view.leader_end);
        match self {
            Self::MaximalIsr | Self::Backwards => Some(slowest),
            Self::MaximalIsrAboveMinimum | Self::CommittedIsr | Self::WholeLogOfANewLeader => {
                (view.committed_isr >= view.min_isr).then_some(slowest)
            }
            Self::OneTooFar => Some(EndOffset(slowest.0 + 1).min(view.leader_end)),
            Self::SlowestIgnored => {
                let slowest_at = view.others.iter().position(|&end| end == slowest);
                let rest = view.others.iter().enumerate().filter(|&(at, _)| Some(at) != slowest_at);
                Some(rest.map(|(_, &end)| end).min().unwrap_or(view.leader_end).min(view.leader_end))
            }
            Self::LeaderAlone => Some(view.leader_end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_is_waited_for_unless_planted() {
        let answers = [Watermark::MaximalIsr, Watermark::MaximalIsrAboveMinimum, Watermark::CommittedIsr];
        assert_eq!(answers.map(Watermark::waits_for_newcomers), [true, true, false]);
    }

    #[test]
    fn the_answers_differ_in_whom_they_wait_for_and_when_they_wait_at_all() {
        let ask = |committed_isr, others: &[u64]| {
            let others: Vec<_> = others.iter().copied().map(EndOffset).collect();
            let view = WatermarkView { leader_end: EndOffset(9), committed_isr, min_isr: 2, others: &others };
            [
                Watermark::MaximalIsrAboveMinimum,
                Watermark::MaximalIsr,
                Watermark::SlowestIgnored,
                Watermark::LeaderAlone,
            ]
            .map(|answer| answer.candidate(&view).map(|end| end.0))
        };
        assert_eq!(ask(3, &[7, 4]), [Some(4), Some(4), Some(7), Some(9)]);
        assert_eq!(ask(1, &[]), [None, Some(9), Some(9), Some(9)], "R40a against R37");
        assert_eq!(ask(2, &[4, 4]), [Some(4), Some(4), Some(4), Some(9)], "only one of two equals is ignored");
        assert_eq!(ask(2, &[12]), [Some(9), Some(9), Some(9), Some(9)], "never beyond the leader's own log");
    }

    #[test]
    fn planted_answers_are_wrong_each_in_its_own_way() {
        let others = [EndOffset(4), EndOffset(7)];
        let view = WatermarkView { leader_end: EndOffset(9), committed_isr: 3, min_isr: 2, others: &others };
        assert_eq!(Watermark::OneTooFar.candidate(&view), Some(EndOffset(5)), "P02");
        assert_eq!(Watermark::MaximalIsrAboveMinimum.on_leading(EndOffset(3), EndOffset(9)), EndOffset(3));
        assert_eq!(Watermark::WholeLogOfANewLeader.on_leading(EndOffset(3), EndOffset(9)), EndOffset(9), "P05");
        assert!(Watermark::Backwards.may_fall() && !Watermark::MaximalIsr.may_fall(), "P07");
    }
}
