//! ZooKeeper mode: what of a broker that went and came back before the controller looked?

use serde::{Deserialize, Serialize};

use crate::names::BrokerEpoch;

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bouncing {
    /// Its registration is another one, so it has failed and returned; and a broker passes over what is meant for the life
    /// before (KIP-380).
    #[default]
    ByRegistration,
    /// Before KIP-380: nobody notices. It leads on, or stays in sync, whatever it has lost, and is not told to do either.
    Unseen,
}

impl Bouncing {
    /// Whether the controller compares registrations.
    #[must_use]
    pub fn is_seen(self) -> bool {
        match self {
            Self::ByRegistration => true,
            Self::Unseen => false,
        }
    }

    /// Whether a broker that is registered in `own` passes over what is meant for `meant`. The controller may know of a
    /// registration before the broker does.
    #[must_use]
    pub fn is_stale(self, meant: BrokerEpoch, own: BrokerEpoch) -> bool {
        match self {
            Self::ByRegistration => meant < own,
            Self::Unseen => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_kip_380_no_registration_is_compared() {
        let stale = |answer: Bouncing| [3, 4, 5].map(|meant| answer.is_stale(BrokerEpoch(meant), BrokerEpoch(4)));
        assert_eq!(stale(Bouncing::ByRegistration), [true, false, false]);
        assert_eq!(stale(Bouncing::Unseen), [false; 3]);
        assert!(Bouncing::ByRegistration.is_seen() && !Bouncing::Unseen.is_seen());
    }
}
