//! Which proposals for another in-sync set does the controller accept?

use serde::{Deserialize, Serialize};

use crate::names::{BrokerEpoch, PartitionEpoch};

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Proposals {
    /// Those that build on the present partition epoch, with members in their present broker epoch (KIP-903, R71).
    AllEpochs,
    /// Before KIP-903: no member's broker epoch is compared.
    NoBrokerEpochs,
    /// Before KIP-841: nor whether a member is fenced or shutting down (B09).
    InactiveMembersToo,
    /// Planted: nor a member's broker epoch, nor the partition epoch, so a proposal that was overtaken is applied (B08).
    NoPartitionEpoch,
}

impl Proposals {
    /// Whether a proposal that builds on `proposed` may be applied to `present`.
    #[must_use]
    pub fn builds_on(self, proposed: PartitionEpoch, present: PartitionEpoch) -> bool {
        match self {
            Self::AllEpochs | Self::NoBrokerEpochs | Self::InactiveMembersToo => proposed == present,
            Self::NoPartitionEpoch => true,
        }
    }

    /// Whether a member that fetched in `fetched_in` is the one that is registered in `registered`.
    #[must_use]
    pub fn is_same_process(self, fetched_in: Option<BrokerEpoch>, registered: BrokerEpoch) -> bool {
        match self {
            Self::AllEpochs => fetched_in.is_none_or(|epoch| epoch == registered),
            Self::NoBrokerEpochs | Self::InactiveMembersToo | Self::NoPartitionEpoch => true,
        }
    }

    /// Whether a member has to be active: neither fenced nor shutting down (KIP-841, R71).
    #[must_use]
    pub fn wants_active_members(self) -> bool {
        match self {
            Self::AllEpochs | Self::NoBrokerEpochs | Self::NoPartitionEpoch => true,
            Self::InactiveMembersToo => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_planted_or_older_answer_compares_less() {
        let answers = [
            Proposals::AllEpochs,
            Proposals::NoBrokerEpochs,
            Proposals::InactiveMembersToo,
            Proposals::NoPartitionEpoch,
        ];
        assert_eq!(answers.map(Proposals::wants_active_members), [true, true, false, true]);
        let overtaken = answers.map(|answer| answer.builds_on(PartitionEpoch(3), PartitionEpoch(4)));
        assert_eq!(overtaken, [false, false, false, true]);
        let rebooted = answers.map(|answer| answer.is_same_process(Some(BrokerEpoch(3)), BrokerEpoch(4)));
        assert_eq!(rebooted, [false, true, true, true]);
        let unknown = answers.map(|answer| answer.is_same_process(None, BrokerEpoch(4)));
        assert_eq!(unknown, [true; 4], "R52: a member that has not fetched yet is named without an epoch");
    }
}
