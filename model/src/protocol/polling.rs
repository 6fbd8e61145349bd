//! Where does a consumer read on?

use serde::{Deserialize, Serialize};

use crate::names::Offset;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Polling {
    /// Behind the last record that it handed out (K4).
    BehindLastRecord,
    /// Planted: one record further after every sixteenth record, so that it skips some.
    OneTooFar,
    /// Planted: at the last record again after every sixteenth record, so that it repeats some.
    OneTooShort,
}

impl Polling {
    /// The position after `last` was handed out.
    #[must_use]
    pub fn next(self, last: Offset) -> Offset {
        let next = last.plus(1);
        match self {
            Self::OneTooFar if next.0.is_multiple_of(16) => next.plus(1),
            Self::OneTooShort if next.0.is_multiple_of(16) => last,
            Self::BehindLastRecord | Self::OneTooFar | Self::OneTooShort => next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_planted_answers_differ_at_every_sixteenth_record_only() {
        let next = |last| {
            [Polling::BehindLastRecord, Polling::OneTooFar, Polling::OneTooShort]
                .map(|answer| answer.next(Offset(last)).0)
        };
        assert_eq!(next(14), [15, 15, 15]);
        assert_eq!(next(15), [16, 17, 15]);
    }
}
