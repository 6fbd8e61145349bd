//! When has a reassignment come to its end, and what ends with it?

use serde::{Deserialize, Serialize};

use crate::names::BrokerId;

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Moving {
    /// When every replica that is wanted is in sync: only then may the old ones go (R95).
    #[default]
    OnceAllAreInSync,
    /// Planted: as soon as it is asked for. Who was in sync is replaced by who is wanted, whatever those have.
    AtOnce,
    /// Planted: when it should, and the leader epoch goes on. What a replica that was removed has said counts for the same one
    /// when it comes back, with nothing (B40, R98).
    InTheSameEpoch,
    /// Before KAFKA-9672: when it should, and who is removed stays in sync. The high watermark waits for a replica that is gone
    /// (B41, R83).
    RemovedStayInSync,
}

impl Moving {
    /// Whom the in-sync set `isr` holds after the end; `None` if that has not come. `wanted` are the replicas that stay or
    /// are new, `removing` those that are to go.
    #[must_use]
    pub fn ends_with(self, wanted: &[BrokerId], isr: &[BrokerId], removing: &[BrokerId]) -> Option<Vec<BrokerId>> {
        let staying: Vec<BrokerId> = isr.iter().copied().filter(|member| !removing.contains(member)).collect();
        let all = !staying.is_empty() && wanted.iter().all(|replica| staying.contains(replica));
        match self {
            Self::OnceAllAreInSync | Self::InTheSameEpoch => all.then_some(staying),
            Self::AtOnce => Some(wanted.to_vec()),
            Self::RemovedStayInSync => all.then(|| isr.to_vec()),
        }
    }

    /// Whether the leader epoch rises when a replica is removed, so that nothing it has said counts any more (R75, step 4).
    #[must_use]
    pub fn ends_the_epoch(self) -> bool {
        match self {
            Self::OnceAllAreInSync | Self::AtOnce | Self::RemovedStayInSync => true,
            Self::InTheSameEpoch => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_replicas_stay_until_all_new_ones_are_in_sync_unless_planted() {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let ends = |answer: Moving, isr: &[u32]| answer.ends_with(&ids(&[3, 4]), &ids(isr), &ids(&[1]));
        let sound = [&[1][..], &[1, 3], &[1, 4, 3]].map(|isr| ends(Moving::OnceAllAreInSync, isr));
        assert_eq!(sound, [None, None, Some(ids(&[4, 3]))]);
        let planted = [&[1][..], &[1, 3]].map(|isr| ends(Moving::AtOnce, isr));
        assert_eq!(planted, [Some(ids(&[3, 4])), Some(ids(&[3, 4]))]);
        assert_eq!(Moving::OnceAllAreInSync.ends_with(&[], &[], &[]), None, "nobody is left");
        assert_eq!(ends(Moving::RemovedStayInSync, &[1, 4, 3]), Some(ids(&[1, 4, 3])), "B41");
        assert!(Moving::OnceAllAreInSync.ends_the_epoch() && !Moving::InTheSameEpoch.ends_the_epoch(), "B40");
    }
}
