//! Whom must a record reach while a member is about to leave the in-sync set?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shrinking {
    /// The leaver too, until the controller has agreed: the controller may elect it before (KIP-497, R50).
    OnceConfirmed,
    /// Planted: the leader drops it when it proposes (P15).
    AtOnce,
}

impl Shrinking {
    /// Whether a proposed leaver still counts.
    #[must_use]
    pub fn waits_for_leaver(self) -> bool {
        match self {
            Self::OnceConfirmed => true,
            Self::AtOnce => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaver_is_waited_for_unless_planted() {
        assert_eq!([Shrinking::OnceConfirmed, Shrinking::AtOnce].map(Shrinking::waits_for_leaver), [true, false]);
    }
}
