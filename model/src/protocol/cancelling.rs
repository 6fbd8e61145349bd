//! ZooKeeper mode: may replicas that were to come be given up again if none of those that stay is in sync?

use serde::{Deserialize, Serialize};

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cancelling {
    /// Ours in this mode, and KRaft's: no. They would begin with less than was promised (R97).
    #[default]
    IfSomebodyWhoStaysIsInSync,
    /// Kafka's in this mode: an operator's word counts. The last one in sync stays in the set, is no replica any more, and
    /// deletes what nobody else has (KIP-455).
    Always,
}

impl Cancelling {
    /// Whether it is done even so.
    #[must_use]
    pub fn goes_ahead(self) -> bool {
        match self {
            Self::IfSomebodyWhoStaysIsInSync => false,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kafkas_own_answer_gives_up_the_last_one_in_sync() {
        assert!(Cancelling::Always.goes_ahead() && !Cancelling::default().goes_ahead());
    }
}
