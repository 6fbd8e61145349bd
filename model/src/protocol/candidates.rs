//! Who is known to have all that is committed?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Candidates {
    /// The in-sync replicas alone. The last one of them stays in the set when it dies, whatever becomes of its disk: the
    /// last replica standing (R91).
    InSync,
    /// They and the eligible leader replicas: who left the set when it was too small already for anything more to be
    /// committed (KIP-966, R80, R84). The set may become empty, and who returns uncleanly is a candidate no more.
    EligibleLeaderReplicas,
    /// Planted: the same, but who returns uncleanly is believed to have what it had (B13).
    EligibleWhateverWasLost,
}

impl Candidates {
    /// Whether eligible leader replicas are kept.
    #[must_use]
    pub fn has_elr(self) -> bool {
        match self {
            Self::InSync => false,
            Self::EligibleLeaderReplicas | Self::EligibleWhateverWasLost => true,
        }
    }

    /// Whether who has stopped uncleanly is a candidate no more once it registers again (R90).
    #[must_use]
    pub fn distrusts_unclean_stops(self) -> bool {
        match self {
            Self::InSync | Self::EligibleWhateverWasLost => false,
            Self::EligibleLeaderReplicas => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_replicas_are_eligible_an_unclean_stop_costs_the_candidacy() {
        let all = [Candidates::InSync, Candidates::EligibleLeaderReplicas, Candidates::EligibleWhateverWasLost];
        assert_eq!(all.map(Candidates::has_elr), [false, true, true]);
        assert_eq!(all.map(Candidates::distrusts_unclean_stops), [false, true, false]);
    }
}
