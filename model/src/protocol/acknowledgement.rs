//! When does the answer to `acks=all` leave?

use serde::{Deserialize, Serialize};

use crate::names::EndOffset;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Acknowledgement {
    /// When the high watermark has passed the last record (R63a).
    OnceCommitted,
    /// Planted: when it has reached the last record, one too early (P09).
    OneTooEarly,
    /// Planted: as soon as the leader has appended, as for `acks=1`.
    OnAppend,
}

impl Acknowledgement {
    /// Whether a batch that ends at `end` may be acknowledged.
    #[must_use]
    pub fn is_due(self, high_watermark: EndOffset, end: EndOffset) -> bool {
        match self {
            Self::OnceCommitted => high_watermark >= end,
            Self::OneTooEarly => high_watermark.0 + 1 >= end.0,
            Self::OnAppend => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_leaves_when_the_high_watermark_has_passed_the_last_record() {
        let due = |answer: Acknowledgement, high_watermark| answer.is_due(EndOffset(high_watermark), EndOffset(5));
        assert_eq!([3, 4, 5].map(|at| due(Acknowledgement::OnceCommitted, at)), [false, false, true]);
        assert_eq!([3, 4, 5].map(|at| due(Acknowledgement::OneTooEarly, at)), [false, true, true]);
        assert_eq!([3, 4, 5].map(|at| due(Acknowledgement::OnAppend, at)), [true, true, true]);
    }
}
