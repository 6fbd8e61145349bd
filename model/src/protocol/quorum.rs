//! The answers that concern the quorum of controllers, taken together.

use serde::{Deserialize, Serialize};

use crate::names::{ControllerId, DirectoryId, EndOffset};

/// One answer to each question about the quorum. `Default` is [`Quorum::LATEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quorum {
    /// Whom does a voter vote for?
    pub voting: Voting,
    /// When is a record of the metadata log committed?
    pub commitment: Commitment,
    /// What is a controller that led when it stopped?
    pub resuming: Resuming,
    /// Who counts as a voter?
    pub identity: Identity,
    /// When is a voter's copy synced?
    pub syncing: Syncing,
    /// What of the metadata log does a broker obey?
    #[serde(default)]
    pub obeying: Obeying,
    /// When does the active controller answer what it has decided?
    #[serde(default)]
    pub answering: Answering,
    /// When does a leader give up?
    #[serde(default)]
    pub yielding: Yielding,
    /// What of what was decided, and not committed, does a controller remember that is not the active one any more?
    #[serde(default)]
    pub renouncing: Renouncing,
    /// What is in a snapshot?
    #[serde(default)]
    pub snapshotting: Snapshotting,
}

/// Whom does a voter vote for?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voting {
    /// For one candidate an epoch, whose log is no older than its own, and it remembers (C3, C10, C11).
    OnceAndForTheNewest,
    /// Planted: it does not write its vote down, and may vote for another after a restart (N29).
    Forgetful,
    /// Planted: it does not compare logs.
    ForAnybody,
}

/// When is a record of the metadata log committed?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Commitment {
    /// Once a majority has it, and a record of the leader's own epoch with it (C18).
    OwnEpoch,
    /// Planted: once a majority has it, whoever wrote it (N29).
    AnyEpoch,
}

/// What is a controller that led when it stopped?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resuming {
    /// Resigned: it neither leads nor votes in that epoch any more (C4, T19).
    Resigned,
    /// Planted: it leads on, with whatever its disk has kept (N29).
    Leading,
}

/// Who counts as a voter?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// A node with the disk that it was formatted with (KIP-853, C20).
    NodeAndDirectory,
    /// A node: one that lost its disk votes, and counts, as if it had not (kraft.version 0, C20).
    Node,
}

/// When is a voter's copy synced?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Syncing {
    /// Before it asks for more, because what it asks for says what it has (C21).
    BeforeFetching,
    /// Planted: never, but when a segment is full.
    Never,
}

/// What of the metadata log does a broker obey?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Obeying {
    /// What is committed, as far as the leader says (C45).
    #[default]
    Committed,
    /// Planted: all that it was sent. The leader sends what it has, committed or not (P47, C19).
    Everything,
}

/// When does the active controller answer what it has decided?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answering {
    /// Once the decision is committed, with all that it builds on (C30, R73).
    #[default]
    OnceCommitted,
    /// Planted: at once. One that is cut off from its majority grants what will never be (B76).
    AtOnce,
}

/// When does a leader give up?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Yielding {
    /// When no majority has fetched for half as long again as a follower waits (C5, KAFKA-15489).
    #[default]
    WithoutMajority,
    /// Before KAFKA-15489: when it hears of another leader. Whoever hears of this one only goes on with it (B71).
    ToAnotherLeader,
}

/// What of what was decided, and not committed, does a controller remember that is not the active one any more?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Renouncing {
    /// Nothing: its image goes back to what is committed (C32).
    #[default]
    Forgets,
    /// Planted, after KAFKA-20839: everything, so that it builds on it when it is the active one again (B74).
    Remembers,
}

/// What is in a snapshot?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Snapshotting {
    /// What everything committed adds up to (C25).
    #[default]
    WhatIsCommitted,
    /// Planted, after KAFKA-14203 and KAFKA-13968: what the active controller has decided by then, committed or not (B73).
    WhatIsDecided,
}

impl Quorum {
    /// Kafka 4.x with the directory ids of KIP-853.
    pub const LATEST: Self = Self {
        voting: Voting::OnceAndForTheNewest,
        commitment: Commitment::OwnEpoch,
        resuming: Resuming::Resigned,
        identity: Identity::NodeAndDirectory,
        syncing: Syncing::BeforeFetching,
        obeying: Obeying::Committed,
        answering: Answering::OnceCommitted,
        yielding: Yielding::WithoutMajority,
        renouncing: Renouncing::Forgets,
        snapshotting: Snapshotting::WhatIsCommitted,
    };
}

impl Default for Quorum {
    fn default() -> Self {
        Self::LATEST
    }
}

impl Voting {
    /// Whether a vote is written down.
    #[must_use]
    pub fn remembers(self) -> bool {
        match self {
            Self::OnceAndForTheNewest | Self::ForAnybody => true,
            Self::Forgetful => false,
        }
    }

    /// Whether a voter that has not voted votes for a candidate, by whether its log is no older than the voter's (C10).
    #[must_use]
    pub fn votes_for(self, is_newest: bool) -> bool {
        match self {
            Self::OnceAndForTheNewest | Self::Forgetful => is_newest,
            Self::ForAnybody => true,
        }
    }
}

impl Commitment {
    /// Whether nothing is committed by counting before a record of the leader's own epoch is.
    #[must_use]
    pub fn needs_own_epoch(self) -> bool {
        match self {
            Self::OwnEpoch => true,
            Self::AnyEpoch => false,
        }
    }
}

impl Resuming {
    /// Whether a controller that led when it stopped leads on.
    #[must_use]
    pub fn leads_on(self) -> bool {
        match self {
            Self::Resigned => false,
            Self::Leading => true,
        }
    }
}

impl Identity {
    /// Whether two are the same voter: each a node and the disk that it was formatted with.
    #[must_use]
    pub fn is_same(self, one: (ControllerId, DirectoryId), other: (ControllerId, DirectoryId)) -> bool {
        match self {
            Self::NodeAndDirectory => one == other,
            Self::Node => one.0 == other.0,
        }
    }
}

impl Syncing {
    /// Whether a voter syncs what it appended before it asks for more.
    #[must_use]
    pub fn syncs_before_fetching(self) -> bool {
        match self {
            Self::BeforeFetching => true,
            Self::Never => false,
        }
    }
}

impl Obeying {
    /// Up to where a broker obeys a log that it has fetched up to `fetched` and that is committed, it was told, up to
    /// `committed`; nowhere if it was not told.
    #[must_use]
    pub fn bound(self, committed: Option<EndOffset>, fetched: EndOffset) -> Option<EndOffset> {
        match self {
            Self::Committed => committed,
            Self::Everything => Some(fetched),
        }
    }
}

impl Answering {
    /// Up to where everything decided may be told, of all that was decided up to `decided`.
    #[must_use]
    pub fn bound(self, committed: EndOffset, decided: EndOffset) -> EndOffset {
        match self {
            Self::OnceCommitted => committed,
            Self::AtOnce => decided,
        }
    }
}

impl Yielding {
    /// Whether a leader looks after whether a majority still fetches.
    #[must_use]
    pub fn checks_quorum(self) -> bool {
        match self {
            Self::WithoutMajority => true,
            Self::ToAnotherLeader => false,
        }
    }
}

impl Renouncing {
    /// Whether what was decided stays.
    #[must_use]
    pub fn remembers(self) -> bool {
        match self {
            Self::Forgets => false,
            Self::Remembers => true,
        }
    }
}

impl Snapshotting {
    /// Whether what is not committed is in it, too.
    #[must_use]
    pub fn takes_what_is_decided(self) -> bool {
        match self {
            Self::WhatIsCommitted => false,
            Self::WhatIsDecided => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_is_neither_obeyed_nor_told_unless_planted() {
        let (committed, all) = (EndOffset(3), EndOffset(5));
        assert_eq!(Obeying::Committed.bound(Some(committed), all), Some(committed));
        assert_eq!(Obeying::Committed.bound(None, all), None);
        assert_eq!(Obeying::Everything.bound(Some(committed), all), Some(all), "P47");
        let told = [Answering::OnceCommitted, Answering::AtOnce].map(|answer| answer.bound(committed, all));
        assert_eq!(told, [committed, all], "B76");
    }
}
