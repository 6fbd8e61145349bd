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
