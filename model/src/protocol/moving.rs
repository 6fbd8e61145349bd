//! When has a reassignment come to its end?

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
}

impl Moving {
    /// Whom the in-sync set holds after the end; `None` if it has not come. `wanted` are the replicas that stay or are new,
    /// `in_sync` are those of the in-sync set that stay.
    #[must_use]
    pub fn ends_with(self, wanted: &[BrokerId], in_sync: &[BrokerId]) -> Option<Vec<BrokerId>> {
        match self {
            Self::OnceAllAreInSync => {
                let all = !in_sync.is_empty() && wanted.iter().all(|replica| in_sync.contains(replica));
                all.then(|| in_sync.to_vec())
            }
            Self::AtOnce => Some(wanted.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_replicas_stay_until_all_new_ones_are_in_sync_unless_planted() {
        let ids = |ids: &[u32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
        let ends = |answer: Moving, in_sync: &[u32]| answer.ends_with(&ids(&[3, 4]), &ids(in_sync));
        let sound = [&[][..], &[3], &[4, 3]].map(|in_sync| ends(Moving::OnceAllAreInSync, in_sync));
        assert_eq!(sound, [None, None, Some(ids(&[4, 3]))]);
        let planted = [&[][..], &[3]].map(|in_sync| ends(Moving::AtOnce, in_sync));
        assert_eq!(planted, [Some(ids(&[3, 4])), Some(ids(&[3, 4]))]);
        assert_eq!(Moving::OnceAllAreInSync.ends_with(&[], &[]), None, "nobody is left");
    }
}
