//! ZooKeeper mode: what of a broker that went and came back before a controller looked?

use serde::{Deserialize, Serialize};

use crate::names::BrokerEpoch;

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bouncing {
    /// Ours, not Kafka's: a controller writes down which registrations it has dealt with, so that the next one knows, too, who
    /// has been away.
    #[default]
    AcrossControllers,
    /// Its registration is another one, so it has failed and returned; and a broker passes over what is meant for the life
    /// before (KIP-380). A controller that was elected in between knows of no other registration: whoever has lost what it had
    /// not synced is in sync all the same, or leads on in the same epoch.
    ByRegistration,
    /// Before KIP-380: nobody notices.
    Unseen,
}

impl Bouncing {
    /// Whether the controller compares registrations.
    #[must_use]
    pub fn is_seen(self) -> bool {
        match self {
            Self::AcrossControllers | Self::ByRegistration => true,
            Self::Unseen => false,
        }
    }

    /// Whether it compares them with those that the controller before it knew.
    #[must_use]
    pub fn is_remembered(self) -> bool {
        match self {
            Self::AcrossControllers => true,
            Self::ByRegistration | Self::Unseen => false,
        }
    }

    /// Whether a broker that is registered in `own` passes over what is meant for `meant`. The controller may know of a
    /// registration before the broker does.
    #[must_use]
    pub fn is_stale(self, meant: BrokerEpoch, own: BrokerEpoch) -> bool {
        self.is_seen() && meant < own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_kip_380_no_registration_is_compared_and_none_is_remembered_in_kafka() {
        let stale = |answer: Bouncing| [3, 4, 5].map(|meant| answer.is_stale(BrokerEpoch(meant), BrokerEpoch(4)));
        assert_eq!(stale(Bouncing::AcrossControllers), [true, false, false]);
        assert_eq!(stale(Bouncing::ByRegistration), [true, false, false]);
        assert_eq!(stale(Bouncing::Unseen), [false; 3]);
        let answers = [Bouncing::AcrossControllers, Bouncing::ByRegistration, Bouncing::Unseen];
        assert_eq!(answers.map(Bouncing::is_seen), [true, true, false]);
        assert_eq!(answers.map(Bouncing::is_remembered), [true, false, false]);
    }
}
