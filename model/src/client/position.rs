//! Where a consumer reads on in one partition, and how sure it is of that (K1, K3-K6, K8, K9).
//!
//! A partition is in exactly one of four states. This room makes the transitions; it must not know requests, and it
//! takes who leads from whoever asks.

use super::routing::Leader;
use crate::config::OffsetReset;
use crate::event::SeekReason;
use crate::names::{LeaderEpoch, Offset, Time};
use crate::wire::{DivergingEpoch, OffsetSpec};

/// One assigned partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// There is no position, and none to be had: the application must seek.
    Initializing(Initializing),
    /// The log is to be asked where it starts, or ends.
    AwaitReset(AwaitReset),
    /// There is a position, but another leader: is the log below it still the one that was read?
    AwaitValidation(AwaitValidation),
    /// Records can be fetched.
    Fetching(Fetching),
}

/// No position and no policy to find one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Initializing;

/// Waits for ListOffsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwaitReset {
    /// Which end of the log.
    pub(super) spec: OffsetSpec,
    /// Why.
    pub(super) reason: SeekReason,
    /// Whether it was asked for.
    pub(super) turn: Turn,
}

/// Waits for OffsetsForLeaderEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AwaitValidation {
    /// What is to be validated.
    pub(super) position: Position,
    /// The epoch of the last record that was read.
    pub(super) epoch: LeaderEpoch,
    /// Whether it was asked for.
    pub(super) turn: Turn,
}

/// Reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fetching {
    /// Where.
    pub(super) position: Position,
    /// After an error, not before.
    pub(super) not_before: Time,
}

/// Whether something was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Not yet, and not before.
    NotBefore(Time),
    /// The answer is under way.
    Asked,
}

/// Where to read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// The next record.
    pub(super) offset: Offset,
    /// The leader epoch of the last batch that was read; `None` after a seek or a reset, which skips validation. Kafka
    /// does not take the epoch out of a ListOffsets answer either, so that a fresh position is never validated.
    pub(super) epoch: Option<LeaderEpoch>,
    /// Whom to ask.
    pub(super) leader: Option<Leader>,
}

/// What a validation found (K6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Validated {
    /// It is out of date: the position has changed meanwhile.
    Ignored,
    /// Reads on.
    Unchanged,
    /// The log was truncated under the position, which is now here.
    Truncated(Offset),
    /// The leader cannot tell: the policy decides.
    Reset,
}

impl State {
    /// No position yet: the policy decides.
    pub(super) fn initial(policy: OffsetReset) -> Self {
        Self::by_policy(policy, SeekReason::Initial)
    }

    /// What the policy says where there is no position, or none that is any good (K8, K9).
    pub(super) fn by_policy(policy: OffsetReset, reason: SeekReason) -> Self {
        match policy {
            OffsetReset::Earliest => Self::reset(OffsetSpec::Earliest, reason),
            OffsetReset::Latest => Self::reset(OffsetSpec::Latest, reason),
            OffsetReset::None => Self::Initializing(Initializing),
        }
    }

    /// To one end of the log.
    pub(super) fn reset(spec: OffsetSpec, reason: SeekReason) -> Self {
        Self::AwaitReset(AwaitReset { spec, reason, turn: Turn::NotBefore(Time(0)) })
    }

    /// To this record, which is not validated.
    pub(super) fn at(offset: Offset, epoch: Option<LeaderEpoch>, leader: Option<Leader>) -> Self {
        Self::Fetching(Fetching { position: Position { offset, epoch, leader }, not_before: Time(0) })
    }

    /// The metadata names this leader: a change asks for validation, where the epoch of what was read is known (K5).
    pub(super) fn obey(&mut self, leader: Leader) {
        let position = match self {
            Self::Initializing(_) | Self::AwaitReset(_) => return,
            Self::AwaitValidation(waiting) => waiting.position,
            Self::Fetching(fetching) => fetching.position,
        };
        if position.leader == Some(leader) {
            return;
        }
        let position = Position { leader: Some(leader), ..position };
        *self = match position.epoch {
            Some(epoch) => Self::AwaitValidation(AwaitValidation { position, epoch, turn: Turn::NotBefore(Time(0)) }),
            None => Self::Fetching(Fetching { position, not_before: Time(0) }),
        };
    }

    /// Where it reads, if it does.
    pub(super) fn fetching(&self) -> Option<&Fetching> {
        match self {
            Self::Fetching(fetching) => Some(fetching),
            Self::Initializing(_) | Self::AwaitReset(_) | Self::AwaitValidation(_) => None,
        }
    }

    /// Where it reads, if it still reads where the answer begins (K3).
    pub(super) fn fetching_at(&mut self, offset: Offset) -> Option<&mut Fetching> {
        match self {
            Self::Fetching(fetching) if fetching.position.offset == offset => Some(fetching),
            Self::Fetching(_) | Self::Initializing(_) | Self::AwaitReset(_) | Self::AwaitValidation(_) => None,
        }
    }

    /// An answer to ListOffsets: the position is there. Says why it was asked, or `None` if nobody asks any more.
    pub(super) fn reset_to(&mut self, spec: OffsetSpec, offset: Offset, leader: Option<Leader>) -> Option<SeekReason> {
        match *self {
            Self::AwaitReset(AwaitReset { spec: asked, reason, turn: Turn::Asked }) if asked == spec => {
                *self = Self::at(offset, None, leader);
                Some(reason)
            }
            _ => None,
        }
    }

    /// An answer to OffsetsForLeaderEpoch about this position. Only the end is compared, not the epoch (K6).
    pub(super) fn validated(&mut self, about: Position, end: Option<DivergingEpoch>, policy: OffsetReset) -> Validated {
        let Self::AwaitValidation(AwaitValidation { position, turn: Turn::Asked, .. }) = *self else {
            return Validated::Ignored;
        };
        if position != about {
            return Validated::Ignored;
        }
        match end {
            None => {
                *self = Self::by_policy(policy, SeekReason::Truncation);
                Validated::Reset
            }
            Some(told) if told.end < position.offset.bound() => {
                if policy == OffsetReset::None {
                    // Kafka throws LogTruncationException: the application has to decide.
                    *self = Self::Initializing(Initializing);
                    return Validated::Reset;
                }
                *self = Self::at(told.end.next(), Some(told.epoch), position.leader);
                Validated::Truncated(told.end.next())
            }
            Some(_) => {
                *self = Self::Fetching(Fetching { position, not_before: Time(0) });
                Validated::Unchanged
            }
        }
    }

    /// A question about this partition came to nothing: ask again, not before.
    pub(super) fn retry(&mut self, not_before: Time) {
        match self {
            Self::Initializing(_) => {}
            Self::AwaitReset(AwaitReset { turn, .. }) | Self::AwaitValidation(AwaitValidation { turn, .. }) => {
                if *turn == Turn::Asked {
                    *turn = Turn::NotBefore(not_before);
                }
            }
            Self::Fetching(fetching) => fetching.not_before = not_before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{BrokerId, EndOffset};

    fn leader(epoch: i32) -> Leader {
        Leader { broker: BrokerId(1), epoch: LeaderEpoch(epoch) }
    }

    fn read_upto(offset: u64, epoch: i32) -> State {
        State::at(Offset(offset), Some(LeaderEpoch(epoch)), Some(leader(epoch)))
    }

    /// Moves to validation by another leader, and marks that it was asked for.
    fn in_validation(state: &mut State) -> Position {
        state.obey(leader(6));
        let State::AwaitValidation(waiting) = state else { panic!("{state:?}") };
        waiting.turn = Turn::Asked;
        waiting.position
    }

    fn end(epoch: i32, end: u64) -> Option<DivergingEpoch> {
        Some(DivergingEpoch { epoch: LeaderEpoch(epoch), end: EndOffset(end) })
    }

    #[test]
    fn a_new_leader_asks_for_validation_only_if_the_epoch_of_what_was_read_is_known() {
        let mut state = read_upto(10, 5);
        state.obey(leader(5));
        assert!(state.fetching().is_some(), "the same leader");
        in_validation(&mut state);

        let mut sought = State::at(Offset(10), None, Some(leader(5)));
        sought.obey(leader(6));
        assert_eq!(sought.fetching().unwrap().position.leader, Some(leader(6)));
    }

    #[test]
    fn a_validation_that_finds_the_log_unharmed_lets_it_read_on() {
        let mut state = read_upto(10, 5);
        let about = in_validation(&mut state);
        assert_eq!(state.validated(about, end(5, 10), OffsetReset::Latest), Validated::Unchanged);
        assert_eq!(state.fetching().unwrap().position, about);
    }

    #[test]
    fn a_truncated_log_moves_the_position_back_to_where_the_epoch_ends() {
        let mut state = read_upto(10, 5);
        let about = in_validation(&mut state);
        assert_eq!(state.validated(about, end(4, 7), OffsetReset::Latest), Validated::Truncated(Offset(7)));
        let position = state.fetching().unwrap().position;
        assert_eq!((position.offset, position.epoch), (Offset(7), Some(LeaderEpoch(4))));
    }

    #[test]
    fn without_a_policy_a_truncated_log_stops_the_reading() {
        for told in [end(4, 7), None] {
            let mut state = read_upto(10, 5);
            let about = in_validation(&mut state);
            assert_eq!(state.validated(about, told, OffsetReset::None), Validated::Reset);
            assert_eq!(state, State::Initializing(Initializing));
        }
    }

    #[test]
    fn an_undefined_end_leaves_the_position_to_the_policy() {
        let mut state = read_upto(10, 5);
        let about = in_validation(&mut state);
        assert_eq!(state.validated(about, None, OffsetReset::Earliest), Validated::Reset);
        assert_eq!(state, State::reset(OffsetSpec::Earliest, SeekReason::Truncation));
    }

    #[test]
    fn an_answer_about_another_position_is_ignored() {
        let mut state = read_upto(10, 5);
        let about = in_validation(&mut state);
        state.obey(leader(7));
        assert_eq!(state.validated(about, end(4, 7), OffsetReset::Latest), Validated::Ignored);

        let mut sought = State::at(Offset(3), None, Some(leader(6)));
        assert_eq!(sought.validated(about, end(4, 7), OffsetReset::Latest), Validated::Ignored);
        assert_eq!(sought.fetching().unwrap().position.offset, Offset(3));
    }

    #[test]
    fn a_reset_ends_only_with_the_answer_that_it_asked_for() {
        let mut state = State::initial(OffsetReset::Earliest);
        assert_eq!(state.reset_to(OffsetSpec::Earliest, Offset(4), None), None, "not asked yet");
        let State::AwaitReset(waiting) = &mut state else { panic!() };
        waiting.turn = Turn::Asked;
        assert_eq!(state.reset_to(OffsetSpec::Latest, Offset(9), None), None, "an older question");
        assert_eq!(state.reset_to(OffsetSpec::Earliest, Offset(4), None), Some(SeekReason::Initial));
        let position = state.fetching().unwrap().position;
        assert_eq!((position.offset, position.epoch), (Offset(4), None));
    }

    #[test]
    fn a_fetch_answer_counts_only_while_the_position_is_where_it_was() {
        let mut state = read_upto(10, 5);
        assert!(state.fetching_at(Offset(10)).is_some());
        assert!(state.fetching_at(Offset(9)).is_none());
        in_validation(&mut state);
        assert!(state.fetching_at(Offset(10)).is_none());
    }
}
