//! How far may a consumer read?

use serde::{Deserialize, Serialize};

use crate::names::EndOffset;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    /// Below the high watermark: only what is committed (L70, G18).
    BelowHighWatermark,
    /// Planted: whatever the leader has.
    UpToLogEnd,
}

impl Visibility {
    /// The bound of what a consumer is shown.
    #[must_use]
    pub fn bound(self, high_watermark: EndOffset, log_end: EndOffset) -> EndOffset {
        match self {
            Self::BelowHighWatermark => high_watermark,
            Self::UpToLogEnd => log_end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_sees_what_is_committed_unless_planted() {
        let bound = |answer: Visibility| answer.bound(EndOffset(3), EndOffset(5)).0;
        assert_eq!([Visibility::BelowHighWatermark, Visibility::UpToLogEnd].map(bound), [3, 5]);
    }
}
