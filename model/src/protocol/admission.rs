//! Who may join the in-sync set?

use serde::{Deserialize, Serialize};

use crate::names::{BrokerEpoch, EndOffset};

/// The answers. Each adds a condition to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// Planted: whoever fetches (P11).
    Anyone,
    /// Planted: nobody, ever again: safe and useless, which is for the checks of progress to find.
    Nobody,
    /// A follower whose log reaches the leader's high watermark.
    HighWatermark,
    /// And the start of the leader's epoch: a fresh leader's high watermark may lag behind what is committed
    /// (KAFKA-7128, R49).
    EpochStart,
    /// And is neither fenced nor shutting down, as far as the leader knows (KIP-841).
    Active,
    /// And fetched in its present registration: a rebooted replica may have lost what it had (KIP-903, R48).
    CurrentBrokerEpoch,
}

/// What a leader knows of a replica outside of the in-sync set that has just fetched.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer {
    /// Its log end offset.
    pub end: EndOffset,
    /// The leader's high watermark.
    pub high_watermark: EndOffset,
    /// The leader's log end offset when its epoch began.
    pub epoch_start: EndOffset,
    /// It is registered, not fenced and not shutting down, in the leader's image.
    pub active: bool,
    /// The broker epoch with which it fetched.
    pub fetched_in: Option<BrokerEpoch>,
    /// The broker epoch in the leader's image.
    pub registered_in: Option<BrokerEpoch>,
}

impl Admission {
    /// Whether the leader proposes this replica (R47).
    #[must_use]
    pub fn admits(self, newcomer: &Newcomer) -> bool {
        let at_high_watermark = newcomer.end >= newcomer.high_watermark;
        let at_epoch_start = at_high_watermark && newcomer.end >= newcomer.epoch_start;
        match self {
            Self::Anyone => true,
            Self::Nobody => false,
            Self::HighWatermark => at_high_watermark,
            Self::EpochStart => at_epoch_start,
            Self::Active => at_epoch_start && newcomer.active,
            Self::CurrentBrokerEpoch => at_epoch_start && self.is_eligible(newcomer),
        }
    }

    /// Whether the replica counts for the high watermark while it catches up, though it is not in sync yet (R37, R48).
    #[must_use]
    pub fn is_eligible(self, newcomer: &Newcomer) -> bool {
        match self {
            Self::Anyone | Self::Nobody | Self::HighWatermark | Self::EpochStart => true,
            Self::Active => newcomer.active,
            Self::CurrentBrokerEpoch => {
                newcomer.active && newcomer.registered_in.is_some() && newcomer.fetched_in == newcomer.registered_in
            }
        }
    }

    /// Whether a proposal names the broker epoch in which each member fetched, so that the controller can refuse a
    /// member that has rebooted since (KIP-903, R52).
    #[must_use]
    pub fn names_broker_epochs(self) -> bool {
        matches!(self, Self::CurrentBrokerEpoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Meets every condition.
    const SOUND: Newcomer = Newcomer {
        end: EndOffset(9),
        high_watermark: EndOffset(7),
        epoch_start: EndOffset(9),
        active: true,
        fetched_in: Some(BrokerEpoch(3)),
        registered_in: Some(BrokerEpoch(3)),
    };

    #[test]
    fn each_answer_adds_a_condition_to_the_one_before() {
        let answers = [
            Admission::Anyone,
            Admission::HighWatermark,
            Admission::EpochStart,
            Admission::Active,
            Admission::CurrentBrokerEpoch,
        ];
        let admitted_by = |newcomer: Newcomer| answers.map(|answer| answer.admits(&newcomer));
        assert_eq!(admitted_by(SOUND), [true; 5]);
        assert_eq!(admitted_by(Newcomer { end: EndOffset(6), ..SOUND }), [true, false, false, false, false]);
        assert_eq!(admitted_by(Newcomer { end: EndOffset(8), ..SOUND }), [true, true, false, false, false]);
        assert_eq!(admitted_by(Newcomer { active: false, ..SOUND }), [true, true, true, false, false]);
        let rebooted = Newcomer { registered_in: Some(BrokerEpoch(4)), ..SOUND };
        assert_eq!(admitted_by(rebooted), [true, true, true, true, false]);
        assert!(!Admission::Nobody.admits(&SOUND));
    }

    #[test]
    fn who_cannot_join_is_not_waited_for() {
        let fenced = Newcomer { active: false, ..SOUND };
        let answers = [Admission::EpochStart, Admission::Active, Admission::CurrentBrokerEpoch];
        assert_eq!(answers.map(|answer| answer.is_eligible(&fenced)), [true, false, false]);
        let unregistered = Newcomer { registered_in: None, ..SOUND };
        assert_eq!(answers.map(|answer| answer.is_eligible(&unregistered)), [true, true, false]);
        assert_eq!(answers.map(Admission::names_broker_epochs), [false, false, true]);
    }
}
