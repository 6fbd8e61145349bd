//! The answers that concern a disk, taken together: what a log is told of the protocol.

use serde::{Deserialize, Serialize};

use super::{Derived, Flushing, Marker, Replacing, Tail, Trust};

/// One answer to each question about storage. `Default` is [`Storage::LATEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// When does a starting broker remove the clean-shutdown marker?
    pub marker: Marker,
    /// How is a checkpoint file replaced?
    pub replacing: Replacing,
    /// What must be synced before the recovery point moves?
    pub flushing: Flushing,
    /// Where does recovery end a log whose last batches are damaged?
    pub tail: Tail,
    /// What does a broker believe of what an unclean stop left on its disk?
    pub trust: Trust,
    /// What is cut with the log?
    pub derived: Derived,
}

impl Storage {
    /// Kafka 4.x, but for [`Trust`].
    pub const LATEST: Self = Self {
        marker: Marker::GoneBeforeLoading,
        replacing: Replacing::SyncedThenRenamed,
        flushing: Flushing::FilesAndNames,
        tail: Tail::CutAtFirstBad,
        trust: Trust::WhatFitsTogether,
        derived: Derived::CutWithTheLog,
    };

    /// Kafka 4.x with its own [`Trust`]: the log of a controller, whose truncations are always synced by what follows, and
    /// whoever wants to see what Kafka does.
    pub const KAFKA: Self = Self { trust: Trust::AnyValidBatch, ..Self::LATEST };
}

impl Default for Storage {
    fn default() -> Self {
        Self::LATEST
    }
}
