//! When does a producer send a batch again?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resending {
    /// After a retriable error, up to `retries` times within `delivery.timeout.ms` (P8, P11).
    AsConfigured,
    /// Planted: also when `retries` is used up, which doubles records that were promised at most once.
    BeyondRetries,
}

impl Resending {
    /// Whether a batch may be sent once more. `attempts` counts those made; `retriable` is about the error.
    #[must_use]
    pub fn again(self, retriable: bool, attempts: u32, retries: u32) -> bool {
        match self {
            Self::AsConfigured => retriable && attempts <= retries,
            Self::BeyondRetries => retriable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_the_limit_unless_planted() {
        let again = |retriable, attempts| {
            [Resending::AsConfigured, Resending::BeyondRetries].map(|answer| answer.again(retriable, attempts, 2))
        };
        assert_eq!(again(true, 2), [true, true]);
        assert_eq!(again(true, 3), [false, true]);
        assert_eq!(again(false, 1), [false, false]);
    }
}
