//! Who leads and who is in sync, when a controller has to say so (C70-C73): from one state of a partition to the next.
//!
//! Decisions only. It must not know znodes, nor whom to tell; who may lead is `protocol/`'s to say.

use std::collections::BTreeSet;

use crate::metadata::PartitionRegistration;
use crate::names::BrokerId;
use crate::protocol::Election;

/// Why a controller looks at partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Nobody leads who is alive.
    Offline,
    /// The leader wants to go in an orderly way.
    ControlledShutdown,
    /// These replicas are not to be in sync any more: their brokers are gone, or going.
    Remove(BTreeSet<BrokerId>),
}

/// By what is decided.
pub(super) struct Circumstances<'a> {
    pub(super) election: Election,
    /// Whether the broker is alive and means to stay.
    pub(super) online: &'a dyn Fn(BrokerId) -> bool,
    /// Whether the broker is on its way out.
    pub(super) leaving: &'a dyn Fn(BrokerId) -> bool,
    /// `unclean.leader.election.enable` of the topic.
    pub(super) unclean_allowed: bool,
}

impl Strategy {
    /// The next state; `None` if it is to stay as it is. Every word of a controller raises the leader epoch, or it would be
    /// passed over (C65).
    pub(super) fn decide(
        &self,
        before: &PartitionRegistration,
        by: &Circumstances<'_>,
    ) -> Option<PartitionRegistration> {
        let (leader, isr) = match self {
            Self::Offline => offline(before, by)?,
            Self::ControlledShutdown => controlled_shutdown(before, by)?,
            Self::Remove(gone) => remove(before, gone)?,
        };
        let leader_epoch = before.leader_epoch.next();
        Some(PartitionRegistration { leader, isr, leader_epoch, ..before.clone() })
    }
}

fn offline(before: &PartitionRegistration, by: &Circumstances<'_>) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
    if before.leader.is_some_and(by.online) {
        return None;
    }
    let elected = by.election.elect(None, &before.replicas, &before.isr, by.online, by.unclean_allowed)?;
    let isr = if before.isr.contains(&elected.leader) {
        before.isr.iter().copied().filter(|&member| (by.online)(member)).collect()
    } else {
        vec![elected.leader]
    };
    Some((Some(elected.leader), isr))
}

fn controlled_shutdown(
    before: &PartitionRegistration,
    by: &Circumstances<'_>,
) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
    if before.leader.is_none_or(|leader| !(by.leaving)(leader)) {
        return None;
    }
    let leader = by.election.elect(None, &before.replicas, &before.isr, by.online, false)?.leader;
    let isr = before.isr.iter().copied().filter(|&member| !(by.leaving)(member)).collect();
    Some((Some(leader), isr))
}

/// C71: the last member stays, whoever it is.
fn remove(before: &PartitionRegistration, gone: &BTreeSet<BrokerId>) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
    let mut isr = before.isr.clone();
    for broker in gone {
        if isr.len() > 1 {
            isr.retain(|member| member != broker);
        }
    }
    let leader = before.leader.filter(|leader| !gone.contains(leader));
    (isr != before.isr || leader != before.leader).then_some((leader, isr))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::RecoveryState;
    use crate::names::{LeaderEpoch, Partition, PartitionEpoch, TopicId};

    fn ids(ids: &[u32]) -> Vec<BrokerId> {
        ids.iter().copied().map(BrokerId).collect()
    }

    fn state(leader: Option<u32>, isr: &[u32]) -> PartitionRegistration {
        PartitionRegistration {
            partition: Partition { topic: TopicId(9), index: 0 },
            replicas: ids(&[1, 2, 3]),
            isr: ids(isr),
            leader: leader.map(BrokerId),
            leader_epoch: LeaderEpoch(4),
            partition_epoch: PartitionEpoch(6),
            recovery_state: RecoveryState::Recovered,
            adding: Vec::new(),
            removing: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        }
    }

    fn decide(
        strategy: Strategy,
        before: (Option<u32>, &[u32]),
        alive: &[u32],
        leaving: &[u32],
        unclean: bool,
    ) -> Option<(Option<u32>, Vec<u32>, i32)> {
        let by = Circumstances {
            election: Election::FromIsr,
            online: &|broker| alive.contains(&broker.0) && !leaving.contains(&broker.0),
            leaving: &|broker| leaving.contains(&broker.0),
            unclean_allowed: unclean,
        };
        let after = strategy.decide(&state(before.0, before.1), &by)?;
        let isr = after.isr.iter().map(|member| member.0).collect();
        Some((after.leader.map(|leader| leader.0), isr, after.leader_epoch.0))
    }

    #[test]
    fn an_offline_partition_gets_the_first_live_replica_that_is_in_sync() {
        let offline = || Strategy::Offline;
        assert_eq!(decide(offline(), (Some(1), &[1, 3]), &[2, 3], &[], false), Some((Some(3), vec![3], 5)));
        assert_eq!(decide(offline(), (Some(1), &[1, 2, 3]), &[1, 2], &[], false), None, "it has a leader");
        assert_eq!(decide(offline(), (Some(1), &[1]), &[2, 3], &[], false), None);
        assert_eq!(decide(offline(), (None, &[1]), &[3], &[], true), Some((Some(3), vec![3], 5)), "uncleanly");
        assert_eq!(decide(offline(), (Some(1), &[1, 2, 3]), &[1, 2, 3], &[1, 2], false), Some((Some(3), vec![3], 5)));
    }

    #[test]
    fn whoever_goes_in_order_hands_over_to_one_that_stays() {
        let shutdown = || Strategy::ControlledShutdown;
        let all = [1, 2, 3];
        assert_eq!(decide(shutdown(), (Some(1), &[1, 2, 3]), &all, &[1], false), Some((Some(2), vec![2, 3], 5)));
        assert_eq!(decide(shutdown(), (Some(1), &[1]), &all, &[1], true), None, "and to nobody else");
        assert_eq!(decide(shutdown(), (Some(2), &[1, 2]), &all, &[1], false), None, "it does not lead");
    }

    #[test]
    fn the_last_member_of_a_set_stays_in_it_and_nobody_leads() {
        let remove = |gone: &[u32]| Strategy::Remove(gone.iter().copied().map(BrokerId).collect());
        assert_eq!(decide(remove(&[3]), (Some(1), &[1, 2, 3]), &[], &[], false), Some((Some(1), vec![1, 2], 5)));
        assert_eq!(decide(remove(&[1]), (Some(1), &[1]), &[], &[], false), Some((None, vec![1], 5)), "C71");
        assert_eq!(decide(remove(&[1, 2]), (Some(1), &[1, 2]), &[], &[], false), Some((None, vec![2], 5)));
        assert_eq!(decide(remove(&[3]), (Some(1), &[1, 2]), &[], &[], false), None);
    }
}
