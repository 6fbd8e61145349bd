//! Whose word about a log is stale?

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::names::LeaderEpoch;
use crate::wire::ErrorCode;

/// The answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fencing {
    /// A request that names another leader epoch than the broker's own is refused (KIP-320, R21).
    LeaderEpoch,
    /// Before KIP-320: nobody compares.
    Unfenced,
}

impl Fencing {
    /// Compares the epoch in a request, if there is one, with the broker's own.
    ///
    /// # Errors
    /// `FENCED_LEADER_EPOCH` if the asker is behind, `UNKNOWN_LEADER_EPOCH` if the broker is.
    pub fn check(self, asked: Option<LeaderEpoch>, own: LeaderEpoch) -> Result<(), ErrorCode> {
        match (self, asked.map(|asked| asked.cmp(&own))) {
            (Self::Unfenced, _) | (Self::LeaderEpoch, None | Some(Ordering::Equal)) => Ok(()),
            (Self::LeaderEpoch, Some(Ordering::Less)) => Err(ErrorCode::FencedLeaderEpoch),
            (Self::LeaderEpoch, Some(Ordering::Greater)) => Err(ErrorCode::UnknownLeaderEpoch),
        }
    }
}

impl Fencing {
    /// Up to which epoch a follower takes batches on that it asked for in this one (L23, KAFKA-18723).
    #[must_use]
    pub fn newest_batch(self, asked_in: LeaderEpoch) -> LeaderEpoch {
        match self {
            Self::LeaderEpoch => asked_in,
            Self::Unfenced => LeaderEpoch(i32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kip_320_compares_epochs() {
        let check = |answer: Fencing, asked: Option<i32>| answer.check(asked.map(LeaderEpoch), LeaderEpoch(5));
        assert_eq!(check(Fencing::LeaderEpoch, Some(4)), Err(ErrorCode::FencedLeaderEpoch));
        assert_eq!(check(Fencing::LeaderEpoch, Some(6)), Err(ErrorCode::UnknownLeaderEpoch));
        assert_eq!(check(Fencing::LeaderEpoch, Some(5)), Ok(()));
        assert_eq!(check(Fencing::LeaderEpoch, None), Ok(()));
        assert_eq!([Some(4), Some(6), None].map(|asked| check(Fencing::Unfenced, asked)), [Ok(()); 3]);
    }

    #[test]
    fn only_kip_320_keeps_newer_batches_out() {
        assert_eq!(Fencing::LeaderEpoch.newest_batch(LeaderEpoch(4)), LeaderEpoch(4));
        assert!(Fencing::Unfenced.newest_batch(LeaderEpoch(4)) > LeaderEpoch(1_000));
    }
}
