//! Who is known to have all that is committed?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Candidates {
    /// The in-sync replicas alone. The last one of them stays in the set when it dies, whatever becomes of its disk: the
    /// last replica standing (R91).
    InSync,
    /// They and the eligible leader replicas: who left the set when it was too small already for anything more to be
    /// committed (KIP-966, R80, R84). The set may become empty, and who returns uncleanly is a candidate no more.
    EligibleLeaderReplicas,
}

impl Candidates {
    /// Whether eligible leader replicas are kept.
    #[must_use]
    pub fn has_elr(self) -> bool {
        match self {
            Self::InSync => false,
            Self::EligibleLeaderReplicas => true,
        }
    }
}
