//! What may a producer send while a batch of the same partition is under way?

use serde::{Deserialize, Serialize};

/// The answers, for a producer without idempotence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Muting {
    /// Nothing if `max.in.flight.requests.per.connection` is 1, which keeps the order through retries (P7, G23).
    WhenOnlyOneMayBeInFlight,
    /// Planted: anything, so that a retried batch is overtaken.
    Never,
}

impl Muting {
    /// Whether a partition with a batch under way, or waiting to be sent again, must wait.
    #[must_use]
    pub fn holds_back(self, max_in_flight: u32) -> bool {
        match self {
            Self::WhenOnlyOneMayBeInFlight => max_in_flight == 1,
            Self::Never => false,
        }
    }

    /// How many requests may be under way on one connection.
    #[must_use]
    pub fn in_flight_limit(self, max_in_flight: u32) -> u32 {
        match self {
            Self::WhenOnlyOneMayBeInFlight => max_in_flight,
            Self::Never => max_in_flight.max(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_flight_means_one_even_through_a_retry() {
        let answers = [Muting::WhenOnlyOneMayBeInFlight, Muting::Never];
        assert_eq!(answers.map(|answer| answer.holds_back(1)), [true, false]);
        assert_eq!(answers.map(|answer| answer.holds_back(2)), [false, false]);
        assert_eq!(answers.map(|answer| answer.in_flight_limit(1)), [1, 5]);
    }
}
