//! When does a starting broker remove the clean-shutdown marker?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Marker {
    /// Kafka since KAFKA-10471: before it opens the first log, so that a crash while logs are opened counts as one (L47).
    GoneBeforeLoading,
    /// Before KAFKA-10471: once all logs are open. A process that dies before that leaves the marker to a disk that is no
    /// longer as an orderly stop left it (T16).
    GoneAfterLoading,
}

impl Marker {
    /// Whether the marker is gone before anything else is read.
    #[must_use]
    pub fn goes_first(self) -> bool {
        match self {
            Self::GoneBeforeLoading => true,
            Self::GoneAfterLoading => false,
        }
    }
}
