//! When, and how, is a leader epoch put on record?

use serde::{Deserialize, Serialize};

use super::Replacing;
use crate::names::LeaderEpoch;

/// The answers: what goes into the leader-epoch checkpoint, and what becomes of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recording {
    /// Kafka: when its leader begins, before it serves, in a file that is replaced like any other checkpoint; and recovery
    /// learns every epoch from the batches (L35, L39, L49).
    #[default]
    OnElection,
    /// Before KAFKA-7415: with the first record that its leader appends. A leader that has written nothing cannot say where
    /// the epoch before its own ended (B26).
    WithTheFirstRecord,
    /// Before KAFKA-16541: as today, but the bytes of the file are not synced, which may be gone when the power returns
    /// (B27, P25).
    Unsynced,
    /// Before KAFKA-10432: as today, but recovery passes over the first of all epochs (B28).
    FirstForgottenInRecovery,
}

impl Recording {
    /// Whether an epoch is put on record when its leader begins.
    #[must_use]
    pub fn begins_with_leader(self) -> bool {
        match self {
            Self::OnElection | Self::Unsynced | Self::FirstForgottenInRecovery => true,
            Self::WithTheFirstRecord => false,
        }
    }

    /// How the checkpoint is replaced, where other checkpoints are replaced in this way.
    #[must_use]
    pub fn replacing(self, others: Replacing) -> Replacing {
        match self {
            Self::OnElection | Self::WithTheFirstRecord | Self::FirstForgottenInRecovery => others,
            Self::Unsynced => Replacing::RenamedUnsynced,
        }
    }

    /// Whether recovery learns this epoch when it comes across a batch of it.
    #[must_use]
    pub fn is_learned(self, epoch: LeaderEpoch) -> bool {
        match self {
            Self::OnElection | Self::WithTheFirstRecord | Self::Unsynced => true,
            Self::FirstForgottenInRecovery => epoch > LeaderEpoch::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_older_answer_forgets_in_its_own_way() {
        let answers = [
            Recording::OnElection,
            Recording::WithTheFirstRecord,
            Recording::Unsynced,
            Recording::FirstForgottenInRecovery,
        ];
        assert_eq!(answers.map(Recording::begins_with_leader), [true, false, true, true]);
        let synced = answers.map(|answer| answer.replacing(Replacing::SyncedThenRenamed).syncs_first());
        assert_eq!(synced, [true, true, false, true]);
        let learned = |epoch| answers.map(|answer| answer.is_learned(LeaderEpoch(epoch)));
        assert_eq!((learned(0), learned(1)), ([true, true, true, false], [true; 4]));
    }
}
