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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_in_sync_replica_leads_unless_the_topic_allows_another() {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let elect = |answer: Election, present: Option<u32>, isr: &[u32], alive: &[u32], unclean| {
            let acceptable = |broker: BrokerId| alive.contains(&broker.0);
            let elected = answer.elect(present.map(BrokerId), &ids(&[1, 2, 3]), &ids(isr), &acceptable, unclean);
            elected.map(|elected| (elected.leader.0, elected.unclean))
        };
        for answer in [Election::FromIsr, Election::FromReplicas] {
            assert_eq!(elect(answer, Some(2), &[1, 2, 3], &[1, 2, 3], false), Some((2, false)), "nothing to change");
        }
        assert_eq!(elect(Election::FromIsr, Some(1), &[1, 3], &[2, 3], false), Some((3, false)));
        assert_eq!(elect(Election::FromReplicas, Some(1), &[1, 3], &[2, 3], false), Some((2, true)), "P17");
        assert_eq!(elect(Election::FromIsr, Some(1), &[1], &[2, 3], false), None);
        assert_eq!(elect(Election::FromIsr, Some(1), &[1], &[2, 3], true), Some((2, true)));
        assert_eq!(elect(Election::FromIsr, None, &[1], &[], true), None);
    }
}
