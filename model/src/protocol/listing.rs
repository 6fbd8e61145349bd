//! What may a leader tell of where its log ends?

use serde::{Deserialize, Serialize};

use crate::names::EndOffset;

/// The answers, to a client; a replica is told everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Listing {
    /// What is below its high watermark, and nothing before that has reached the beginning of its epoch: until then an earlier
    /// leader may have told of more (KIP-207, L76).
    #[default]
    OnceItsEpochIsReached,
    /// Before KIP-207: what is below its high watermark, however far behind that is (KAFKA-2334, B31).
    AtOnce,
    /// Planted: the record at the high watermark, too, when records are looked up (KAFKA-5522's review, B68).
    OneTooFar,
}

impl Listing {
    /// Whether it waits for its high watermark to reach the beginning of its epoch.
    #[must_use]
    pub fn waits(self, high_watermark: EndOffset, epoch_start: EndOffset) -> bool {
        match self {
            Self::OnceItsEpochIsReached | Self::OneTooFar => high_watermark < epoch_start,
            Self::AtOnce => false,
        }
    }

    /// The bound below which a record that was looked up is told of.
    #[must_use]
    pub fn bound(self, high_watermark: EndOffset) -> EndOffset {
        match self {
            Self::OnceItsEpochIsReached | Self::AtOnce => high_watermark,
            Self::OneTooFar => EndOffset(high_watermark.0 + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_leader_tells_nothing_and_none_tells_of_what_is_not_committed_unless_planted() {
        let answers = [Listing::OnceItsEpochIsReached, Listing::AtOnce, Listing::OneTooFar];
        let waits = |at| answers.map(|answer| answer.waits(EndOffset(at), EndOffset(9)));
        assert_eq!((waits(8), waits(9)), ([true, false, true], [false; 3]));
        assert_eq!(answers.map(|answer| answer.bound(EndOffset(7)).0), [7, 7, 8]);
    }
}
