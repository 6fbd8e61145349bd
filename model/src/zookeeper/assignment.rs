//! Which replicas a partition has, and which it is to have (KIP-455).
//!
//! It must not know who is in sync, nor what is written where.

use crate::names::BrokerId;

/// The replicas of a partition, with those that come and go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// All of them, the preferred leader first.
    pub replicas: Vec<BrokerId>,
    /// Among them, those that a reassignment adds.
    pub adding: Vec<BrokerId>,
    /// Among them, those that it removes.
    pub removing: Vec<BrokerId>,
}

impl Assignment {
    /// Whether a reassignment is under way.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }

    /// What there was before it.
    #[must_use]
    pub fn origin(&self) -> Vec<BrokerId> {
        without(&self.replicas, &self.adding)
    }

    /// What there is to be after it.
    #[must_use]
    pub fn target(&self) -> Vec<BrokerId> {
        without(&self.replicas, &self.removing)
    }

    /// The same on the way to these replicas, the preferred leader first. If it was on the way to others, what there was before
    /// that counts: replicas that were to come, and are not wanted any more, are none at once.
    #[must_use]
    pub fn reassigned_to(&self, target: &[BrokerId]) -> Self {
        let origin = self.origin();
        let removing = without(&origin, target);
        let replicas = target.iter().chain(&removing).copied().collect();
        Self { replicas, adding: without(target, &origin), removing }
    }

    /// The same once the reassignment has come to its end.
    #[must_use]
    pub fn completed(&self) -> Self {
        Self { replicas: self.target(), adding: Vec::new(), removing: Vec::new() }
    }
}

/// Those of a list that are not in another one.
pub(super) fn without(list: &[BrokerId], others: &[BrokerId]) -> Vec<BrokerId> {
    list.iter().copied().filter(|broker| !others.contains(broker)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    #[test]
    fn a_reassignment_begins_is_replaced_and_called_off() {
        let settled = Assignment { replicas: ids(&[1, 2]), ..Assignment::default() };
        let moving = settled.reassigned_to(&ids(&[3, 2]));
        assert_eq!(moving, Assignment { replicas: ids(&[3, 2, 1]), adding: ids(&[3]), removing: ids(&[1]) });
        let replaced = moving.reassigned_to(&ids(&[4]));
        assert_eq!(replaced, Assignment { replicas: ids(&[4, 2, 1]), adding: ids(&[4]), removing: ids(&[2, 1]) });
        assert_eq!(
            moving.reassigned_to(&moving.origin()).replicas,
            ids(&[2, 1]),
            "the preferred leader is another one"
        );
        assert!(!moving.reassigned_to(&moving.origin()).is_moving());
        assert_eq!(moving.completed(), Assignment { replicas: ids(&[3, 2]), ..Assignment::default() });
    }
}
