//! When are there too few in-sync replicas to accept a record?

use serde::{Deserialize, Serialize};

/// The answers, for `acks=all`; the other kinds never ask (R62).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinIsr {
    /// Fewer than `min.insync.replicas` before the append refuse it, and after it fail the answer (R62, R63a).
    BeforeAndAfter,
    /// Planted: nobody asks.
    Ignored,
}

impl MinIsr {
    /// Whether a set of this size is enough.
    #[must_use]
    pub fn is_met(self, in_sync: u32, min_insync_replicas: u32) -> bool {
        match self {
            Self::BeforeAndAfter => in_sync >= min_insync_replicas,
            Self::Ignored => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_than_the_minimum_are_too_few_if_anybody_asks() {
        assert_eq!([1, 2, 3].map(|in_sync| MinIsr::BeforeAndAfter.is_met(in_sync, 2)), [false, true, true]);
        assert_eq!([1, 2, 3].map(|in_sync| MinIsr::Ignored.is_met(in_sync, 2)), [true, true, true]);
    }
}
