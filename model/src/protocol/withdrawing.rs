//! What becomes of a proposal for another in-sync set that was certainly not applied?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Withdrawing {
    /// The leader goes back to the confirmed set, and may propose again (R54, R59).
    #[default]
    WhenNotApplied,
    /// Before KAFKA-12686: nothing. It goes on waiting for an answer that will not come, and proposes nothing more until
    /// somebody else changes the partition (B34).
    Never,
}

impl Withdrawing {
    /// Whether the leader goes back to the confirmed set.
    #[must_use]
    pub fn goes_back(self) -> bool {
        match self {
            Self::WhenNotApplied => true,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_before_kafka_12686_a_refused_proposal_stays() {
        assert!(Withdrawing::WhenNotApplied.goes_back() && !Withdrawing::Never.goes_back());
    }
}
