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
    /// The same, and somebody would rather lose records than wait.
    Uncleanly,
    /// The preferred leader is to lead, if it is in sync.
    Preferred,
    /// Nothing is to change but the leader epoch, so that replicas take in an assignment (C65).
    Refresh,
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
            Self::Offline => offline(before, by, by.unclean_allowed)?,
            Self::Uncleanly => offline(before, by, true)?,
            Self::Preferred => preferred(before, by)?,
            Self::Refresh => (before.leader, before.isr.clone()),
            Self::ControlledShutdown => controlled_shutdown(before, by)?,
            Self::Remove(gone) => remove(before, gone)?,
        };
        let leader_epoch = before.leader_epoch.next();
        Some(PartitionRegistration { leader, isr, leader_epoch, ..before.clone() })
    }
}

fn offline(
    before: &PartitionRegistration,
    by: &Circumstances<'_>,
    unclean_allowed: bool,
) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
    if before.leader.is_some_and(by.online) {
        return None;
    }
    let elected = by.election.elect(None, &before.replicas, &before.isr, by.online, unclean_allowed)?;
    let isr = if before.isr.contains(&elected.leader) {
        before.isr.iter().copied().filter(|&member| (by.online)(member)).collect()
    } else {
        vec![elected.leader]
    };
    Some((Some(elected.leader), isr))
}

fn preferred(before: &PartitionRegistration, by: &Circumstances<'_>) -> Option<(Option<BrokerId>, Vec<BrokerId>)> {
    let preferred = *before.replicas.first()?;
    let may_lead = before.leader != Some(preferred) && before.isr.contains(&preferred) && (by.online)(preferred);
    may_lead.then(|| (Some(preferred), before.isr.clone()))
}

/// Whoever leads a partition once it has these replicas and no others (R95, C70), and who is in sync: `None` if nobody who is in
/// sync would stay, or nobody of them is alive.
pub(super) fn without_others(
    before: &PartitionRegistration,
    replicas: &[BrokerId],
    by: &Circumstances<'_>,
) -> Option<PartitionRegistration> {
    let isr: Vec<BrokerId> = before.isr.iter().copied().filter(|member| replicas.contains(member)).collect();
    let unclean_allowed = by.unclean_allowed && isr.is_empty();
    let present = before.leader.filter(|leader| replicas.contains(leader));
    let elected = by.election.elect(present, replicas, &isr, by.online, unclean_allowed)?;
    let isr = if isr.contains(&elected.leader) { isr } else { vec![elected.leader] };
    let (leader, leader_epoch) = (Some(elected.leader), before.leader_epoch.next());
    Some(PartitionRegistration { leader, isr, leader_epoch, ..before.clone() })
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
    fn the_preferred_leader_leads_if_it_is_in_sync_and_there() {
        let preferred = || Strategy::Preferred;
        let all = [1, 2, 3];
        assert_eq!(decide(preferred(), (Some(2), &[2, 1]), &all, &[], false), Some((Some(1), vec![2, 1], 5)));
        assert_eq!(decide(preferred(), (Some(1), &[1, 2]), &all, &[], false), None, "it does");
        assert_eq!(decide(preferred(), (Some(2), &[2, 3]), &all, &[], true), None);
        assert_eq!(decide(preferred(), (Some(2), &[2, 1]), &[2, 3], &[], true), None);
        assert_eq!(decide(Strategy::Uncleanly, (None, &[1]), &[3], &[], false), Some((Some(3), vec![3], 5)));
        assert_eq!(decide(Strategy::Refresh, (None, &[1]), &[], &[], false), Some((None, vec![1], 5)));
    }

    #[test]
    fn who_is_in_sync_and_stays_leads_a_partition_with_fewer_replicas() {
        let decide = |leader, isr: &[u32], replicas: &[u32], alive: &[u32], unclean_allowed| {
            let online = |broker: BrokerId| alive.contains(&broker.0);
            let (election, leaving) = (Election::FromIsr, &|_| false);
            let by = Circumstances { election, online: &online, leaving, unclean_allowed };
            let after = without_others(&state(leader, isr), &ids(replicas), &by)?;
            assert_eq!(after.leader_epoch, LeaderEpoch(5));
            Some((after.leader?.0, after.isr.iter().map(|member| member.0).collect::<Vec<_>>()))
        };
        assert_eq!(decide(Some(1), &[1, 2, 3], &[2, 1], &[1, 2, 3], false), Some((1, vec![1, 2])));
        assert_eq!(decide(Some(1), &[1, 2, 3], &[3, 2], &[1, 2], false), Some((2, vec![2, 3])));
        assert_eq!(decide(Some(1), &[1], &[3, 2], &[1, 2, 3], false), None, "nobody has everything");
        assert_eq!(decide(Some(1), &[1], &[3, 2], &[1, 2, 3], true), Some((3, vec![3])), "uncleanly");
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
