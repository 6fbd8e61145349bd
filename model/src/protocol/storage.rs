//! The answers that concern a disk, taken together: what a log is told of the protocol.

use serde::{Deserialize, Serialize};

use super::{Claiming, Derived, Flushing, Marker, Recording, Replacing, Swapping, Tail, Trust};

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
    /// What is synced while a cleaned segment takes the place of what it was made from?
    pub swapping: Swapping,
    /// When, and how, is a leader epoch put on record?
    #[serde(default)]
    pub recording: Recording,
    /// Whose log is in a directory that the last life of a broker has left?
    #[serde(default)]
    pub claiming: Claiming,
}

impl Storage {
    /// Kafka 4.x, but for [`Trust`] and [`Swapping`].
    pub const LATEST: Self = Self {
        marker: Marker::GoneBeforeLoading,
        replacing: Replacing::SyncedThenRenamed,
        flushing: Flushing::FilesAndNames,
        tail: Tail::CutAtFirstBad,
        trust: Trust::WhatFitsTogether,
        derived: Derived::CutWithTheLog,
        swapping: Swapping::DirectoryInBetween,
        recording: Recording::OnElection,
        claiming: Claiming::ByTopicId,
    };

    /// Kafka 4.x to the letter: for the log of a controller, which is never cut, and for whoever wants to see what it does.
    pub const KAFKA: Self = Self { trust: Trust::AnyValidBatch, swapping: Swapping::DirectoryAtTheEnd, ..Self::LATEST };
}

impl Default for Storage {
    fn default() -> Self {
        Self::LATEST
    }
}
