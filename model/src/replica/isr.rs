//! The in-sync set as its leader knows it: what is confirmed, and what is proposed.
//!
//! The safety argument of the ISR protocol, by type (KIP-497, R3): while a newcomer is proposed a record must reach it
//! already, and while leavers are proposed it must still reach them, because the controller may act on either set before
//! the leader hears of it. This file knows no log and no message.

use crate::names::BrokerId;
use crate::protocol::Shrinking;

/// The ISR of one partition on its leader. At most one change is proposed at a time (R53).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Isr {
    /// The controller has confirmed this set, and nothing is proposed.
    Settled {
        /// The confirmed set.
        members: Vec<BrokerId>,
    },
    /// The set and one more is proposed.
    Growing {
        /// The confirmed set.
        members: Vec<BrokerId>,
        /// The proposed member.
        newcomer: BrokerId,
    },
    /// The set less some is proposed.
    Shrinking {
        /// The confirmed set.
        members: Vec<BrokerId>,
        /// Who is to leave; never the leader itself (R51).
        leavers: Vec<BrokerId>,
    },
}

impl Isr {
    /// The set that the controller has confirmed.
    #[must_use]
    pub fn committed(&self) -> &[BrokerId] {
        match self {
            Self::Settled { members } | Self::Growing { members, .. } | Self::Shrinking { members, .. } => members,
        }
    }

    /// How many the confirmed set has.
    #[must_use]
    pub fn committed_count(&self) -> u32 {
        count(self.committed())
    }

    /// How many a record must reach: the size of the maximal ISR (R63a).
    #[must_use]
    pub fn required_count(&self, shrinking: Shrinking) -> u32 {
        match self {
            Self::Settled { members } => count(members),
            Self::Growing { members, .. } => count(members) + 1,
            Self::Shrinking { .. } => count(&self.required(shrinking)),
        }
    }

    /// Whether a change is proposed.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !matches!(self, Self::Settled { .. })
    }

    /// Whether a record must reach this replica to count as committed: the maximal ISR (R3, R38).
    #[must_use]
    pub fn requires(&self, broker: BrokerId, shrinking: Shrinking) -> bool {
        match self {
            Self::Settled { members } => members.contains(&broker),
            Self::Growing { members, newcomer } => *newcomer == broker || members.contains(&broker),
            Self::Shrinking { members, leavers } => {
                members.contains(&broker) && (shrinking.waits_for_leaver() || !leavers.contains(&broker))
            }
        }
    }

    /// Everybody whom a record must reach.
    #[must_use]
    pub fn required(&self, shrinking: Shrinking) -> Vec<BrokerId> {
        let newcomer = match self {
            Self::Growing { newcomer, .. } => Some(*newcomer),
            Self::Settled { .. } | Self::Shrinking { .. } => None,
        };
        let everybody = self.committed().iter().copied().chain(newcomer);
        everybody.filter(|&broker| self.requires(broker, shrinking)).collect()
    }

    /// What is proposed to the controller, or confirmed if nothing is.
    #[must_use]
    pub fn proposed(&self) -> Vec<BrokerId> {
        match self {
            Self::Settled { members } => members.clone(),
            Self::Growing { members, newcomer } => members.iter().copied().chain([*newcomer]).collect(),
            Self::Shrinking { members, leavers } => {
                members.iter().copied().filter(|member| !leavers.contains(member)).collect()
            }
        }
    }

    /// Proposes one more member.
    ///
    /// # Panics
    /// If a change is proposed already: the caller asks [`Isr::is_pending`] first.
    pub fn grow(&mut self, newcomer: BrokerId) {
        let Self::Settled { members } = self else { panic!("one pending ISR change at a time") };
        *self = Self::Growing { members: std::mem::take(members), newcomer };
    }

    /// Proposes to remove these members.
    ///
    /// # Panics
    /// If a change is proposed already: the caller asks [`Isr::is_pending`] first.
    pub fn shrink(&mut self, leavers: Vec<BrokerId>) {
        let Self::Settled { members } = self else { panic!("one pending ISR change at a time") };
        *self = Self::Shrinking { members: std::mem::take(members), leavers };
    }

    /// The controller has certainly not applied the proposal: back to the confirmed set (R59, R60).
    pub fn revert(&mut self) {
        *self = Self::Settled { members: self.committed().to_vec() };
    }
}

/// How many brokers are in the list; there are never more than a `u32` holds.
pub(super) fn count(brokers: &[BrokerId]) -> u32 {
    u32::try_from(brokers.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brokers(ids: &[u32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn a_newcomer_counts_before_it_is_confirmed() {
        let mut isr = Isr::Settled { members: brokers(&[1, 2]) };
        isr.grow(BrokerId(3));
        assert_eq!(isr.committed(), brokers(&[1, 2]));
        assert_eq!(isr.required(Shrinking::OnceConfirmed), brokers(&[1, 2, 3]));
        assert_eq!(isr.proposed(), brokers(&[1, 2, 3]));
    }

    #[test]
    fn a_leaver_counts_until_it_is_confirmed_gone() {
        let mut isr = Isr::Settled { members: brokers(&[1, 2, 3]) };
        isr.shrink(brokers(&[3]));
        assert_eq!(isr.required(Shrinking::OnceConfirmed), brokers(&[1, 2, 3]));
        assert_eq!(isr.required(Shrinking::AtOnce), brokers(&[1, 2]));
        assert_eq!(isr.proposed(), brokers(&[1, 2]));
    }

    #[test]
    fn a_refused_proposal_leaves_the_confirmed_set() {
        let mut isr = Isr::Settled { members: brokers(&[1, 2]) };
        isr.grow(BrokerId(3));
        isr.revert();
        assert_eq!(isr, Isr::Settled { members: brokers(&[1, 2]) });
    }
}
