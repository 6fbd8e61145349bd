//! What is cut with the log?

use serde::{Deserialize, Serialize};

/// The answers. What is derived from a log has to be cut with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Derived {
    /// Kafka: the leader-epoch cache and the producers' state (L40).
    CutWithTheLog,
    /// Planted: the producers' state, but the leader-epoch cache keeps the epochs of what was cut off (P23).
    EpochsLeft,
    /// Planted: the leader-epoch cache, but the producers' state remembers what was cut off.
    ProducersLeft,
}

impl Derived {
    /// Whether the leader-epoch cache is cut.
    #[must_use]
    pub fn cuts_epochs(self) -> bool {
        match self {
            Self::CutWithTheLog | Self::ProducersLeft => true,
            Self::EpochsLeft => false,
        }
    }

    /// Whether the producers' state is cut.
    #[must_use]
    pub fn cuts_producers(self) -> bool {
        match self {
            Self::CutWithTheLog | Self::EpochsLeft => true,
            Self::ProducersLeft => false,
        }
    }
}
