//! Who may lead?

use serde::{Deserialize, Serialize};

use crate::names::BrokerId;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Election {
    /// The present leader if it is valid, else the first in-sync replica in order of assignment; others only where the
    /// topic allows unclean election (R77).
    FromIsr,
    /// Planted: the first replica that is alive (P17).
    FromReplicas,
}

/// Who was elected, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elected {
    /// The new leader.
    pub leader: BrokerId,
    /// Whether it was not in sync, so that committed records may be lost.
    pub unclean: bool,
}

impl Election {
    /// Elects. `acceptable` says who could serve at all; `isr` is the in-sync set after the change; `unclean_allowed` is
    /// the topic's `unclean.leader.election.enable`.
    #[must_use]
    pub fn elect(
        self,
        present: Option<BrokerId>,
        replicas: &[BrokerId],
        isr: &[BrokerId],
        acceptable: &dyn Fn(BrokerId) -> bool,
        unclean_allowed: bool,
    ) -> Option<Elected> {
        let clean = |&broker: &BrokerId| isr.contains(&broker) && acceptable(broker);
        let any = || replicas.iter().copied().find(|&broker| acceptable(broker));
        match self {
            Self::FromIsr => present
                .filter(clean)
                .or_else(|| replicas.iter().copied().find(clean))
                .map(|leader| Elected { leader, unclean: false })
                .or_else(|| any().filter(|_| unclean_allowed).map(|leader| Elected { leader, unclean: true })),
            Self::FromReplicas => {
                present.filter(clean).or_else(any).map(|leader| Elected { leader, unclean: !isr.contains(&leader) })
            }
        }
    }
}
