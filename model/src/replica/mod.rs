//! One partition on one broker: its log, its high watermark, and its role.
//!
//! A role is a struct with only that role's fields, so a follower cannot have an ISR and a leader cannot have a leader.
//! Requests, waiting and fetching live in `broker/`; this room does not know that there are messages.

mod follower;
mod isr;
mod leader;

pub use follower::Follower;
pub use isr::Isr;
pub use leader::{FollowerFetch, Leader, Standing, View};

use crate::log::Log;
use crate::names::{EndOffset, LeaderEpoch, Partition, PartitionEpoch};

/// A replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Of which partition.
    pub partition: Partition,
    /// Its log.
    pub log: Log,
    /// Everything below is committed, as far as this replica knows. Volatile: restarts from a checkpoint, and a follower's
    /// may fall (R46).
    pub high_watermark: EndOffset,
    /// The leader epoch that it obeys; none before the first metadata of this process life.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The partition epoch that it obeys.
    pub partition_epoch: Option<PartitionEpoch>,
    /// What it is to do.
    pub role: Role,
}

/// What a replica is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing yet: the log is open, the controller's word is not here.
    Idle,
    /// Lead.
    Leader(Leader),
    /// Follow.
    Follower(Follower),
}

impl Replica {
    /// A replica whose log has just been opened.
    #[must_use]
    pub fn opened(partition: Partition, log: Log, checkpointed_high_watermark: EndOffset) -> Self {
        let high_watermark = checkpointed_high_watermark.clamp(log.start(), log.end());
        Self { partition, log, high_watermark, leader_epoch: None, partition_epoch: None, role: Role::Idle }
    }

    /// The leader's part, if this replica leads.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        match &self.role {
            Role::Leader(leader) => Some(leader),
            Role::Idle | Role::Follower(_) => None,
        }
    }

    /// The leader's part, if this replica leads.
    pub fn leader_mut(&mut self) -> Option<&mut Leader> {
        match &mut self.role {
            Role::Leader(leader) => Some(leader),
            Role::Idle | Role::Follower(_) => None,
        }
    }

    /// Whether this replica leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// The epoch that it obeys, for events; zero before it obeys any.
    #[must_use]
    pub fn epoch(&self) -> LeaderEpoch {
        self.leader_epoch.unwrap_or_default()
    }

    /// Takes over the leader's high watermark, which may be lower than the own one (L13, R46). `true` if it moved.
    pub fn adopt_high_watermark(&mut self, leaders: EndOffset) -> bool {
        let clamped = leaders.clamp(self.log.start(), self.log.end());
        std::mem::replace(&mut self.high_watermark, clamped) != clamped
    }

    /// Raises the leader's high watermark; it never falls within an epoch (L13, R37). `true` if it moved.
    pub fn raise_high_watermark(&mut self, candidate: EndOffset) -> bool {
        let candidate = candidate.min(self.log.end());
        let moved = candidate > self.high_watermark;
        self.high_watermark = self.high_watermark.max(candidate);
        moved
    }
}
