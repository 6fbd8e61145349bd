//! The decisions on which Kafka's history turned: one file each, one enum of the answers that were given.
//!
//! [`Protocol`] is a value that holds one answer to each question. It can be printed, drawn, and differ from broker to
//! broker; a planted bug is a constant like any release. Nothing outside this folder matches on an answer: the places
//! that need one call a function of the enum with plain data. The answers know no machine, no message and no log.

mod acknowledgement;
mod admission;
mod bouncing;
mod cancelling;
mod candidates;
mod claiming;
mod derived;
mod election;
mod fencing;
mod flushing;
mod listing;
mod marker;
mod min_isr;
mod moving;
mod muting;
mod polling;
mod proposals;
mod quorum;
mod recording;
mod replacing;
mod resending;
mod returning;
mod shrinking;
mod storage;
mod swapping;
mod tail;
mod truncation;
mod trust;
mod visibility;
mod watermark;
mod withdrawing;

use serde::{Deserialize, Serialize};

pub use acknowledgement::Acknowledgement;
pub use admission::{Admission, Newcomer};
pub use bouncing::Bouncing;
pub use cancelling::Cancelling;
pub use candidates::Candidates;
pub use claiming::Claiming;
pub use derived::Derived;
pub use election::{Elected, Election};
pub use fencing::Fencing;
pub use flushing::Flushing;
pub use listing::Listing;
pub use marker::Marker;
pub use min_isr::MinIsr;
pub use moving::Moving;
pub use muting::Muting;
pub use polling::Polling;
pub use proposals::Proposals;
pub use quorum::{
    Answering, Commitment, Identity, Obeying, Quorum, Renouncing, Resuming, Snapshotting, Syncing, Voting, Yielding,
};
pub use recording::Recording;
pub use replacing::Replacing;
pub use resending::Resending;
pub use returning::Returning;
pub use shrinking::Shrinking;
pub use storage::Storage;
pub use swapping::Swapping;
pub use tail::Tail;
pub use truncation::{Parting, Truncation};
pub use trust::Trust;
pub use visibility::Visibility;
pub use watermark::{Watermark, WatermarkView};
pub use withdrawing::Withdrawing;

/// One answer to each question. `Default` is [`Protocol::LATEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Where does a new follower cut its log?
    pub truncation: Truncation,
    /// How far have all come?
    pub watermark: Watermark,
    /// Who may join the in-sync set?
    pub admission: Admission,
    /// Whom must a record reach while a member is about to leave the in-sync set?
    pub shrinking: Shrinking,
    /// When does the answer to `acks=all` leave?
    pub acknowledgement: Acknowledgement,
    /// When are there too few in-sync replicas to accept a record?
    pub min_isr: MinIsr,
    /// How far may a consumer read?
    pub visibility: Visibility,
    /// Whose word about a log is stale?
    pub fencing: Fencing,
    /// Which proposals for another in-sync set does the controller accept?
    pub proposals: Proposals,
    /// Who may lead?
    pub election: Election,
    /// Who is known to have all that is committed?
    pub candidates: Candidates,
    /// What may a returning broker claim?
    pub returning: Returning,
    /// What becomes of a log on its disk?
    pub storage: Storage,
    /// How do the controllers agree?
    pub quorum: Quorum,
    /// What may a producer send while a batch of the same partition is under way?
    pub muting: Muting,
    /// When does a producer send a batch again?
    pub resending: Resending,
    /// Where does a consumer read on?
    pub polling: Polling,
    /// ZooKeeper mode: what of a broker that went and came back before a controller looked?
    #[serde(default)]
    pub bouncing: Bouncing,
    /// When has a reassignment come to its end, and what ends with it?
    #[serde(default)]
    pub moving: Moving,
    /// ZooKeeper mode: may replicas that were to come be given up again if none of those that stay is in sync?
    #[serde(default)]
    pub cancelling: Cancelling,
    /// What becomes of a proposal for another in-sync set that was certainly not applied?
    #[serde(default)]
    pub withdrawing: Withdrawing,
    /// What may a leader tell of where its log ends?
    #[serde(default)]
    pub listing: Listing,
}

impl Protocol {
    /// Kafka 4.x, without eligible leader replicas, but for [`Trust`] and [`Swapping`].
    pub const LATEST: Self = Self {
        truncation: Truncation::DivergingEpoch,
        watermark: Watermark::MaximalIsrAboveMinimum,
        admission: Admission::CurrentBrokerEpoch,
        shrinking: Shrinking::OnceConfirmed,
        acknowledgement: Acknowledgement::OnceCommitted,
        min_isr: MinIsr::BeforeAndAfter,
        visibility: Visibility::BelowHighWatermark,
        fencing: Fencing::LeaderEpoch,
        proposals: Proposals::AllEpochs,
        election: Election::FromIsr,
        candidates: Candidates::InSync,
        returning: Returning::AsFenced,
        storage: Storage::LATEST,
        quorum: Quorum::LATEST,
        muting: Muting::WhenOnlyOneMayBeInFlight,
        resending: Resending::AsConfigured,
        polling: Polling::BehindLastRecord,
        bouncing: Bouncing::AcrossControllers,
        moving: Moving::OnceAllAreInSync,
        cancelling: Cancelling::IfSomebodyWhoStaysIsInSync,
        withdrawing: Withdrawing::WhenNotApplied,
        listing: Listing::OnceItsEpochIsReached,
    };

    /// Kafka from 4.1 on as new clusters have it: with eligible leader replicas (KIP-966, R85).
    pub const KAFKA_4_1: Self = Self { candidates: Candidates::EligibleLeaderReplicas, ..Self::LATEST };

    /// The replication protocol of Kafka 0.10, before KIP-101: a new follower cuts its log at its own high watermark.
    pub const KAFKA_0_10: Self = Self {
        truncation: Truncation::HighWatermark,
        watermark: Watermark::MaximalIsr,
        admission: Admission::HighWatermark,
        ..Self::LATEST
    };
}

impl Protocol {
    /// The last Kafka with ZooKeeper, 2.7 to 3.x, as far as the mode decides: leaders write the in-sync set themselves, with
    /// both sets required meanwhile (KIP-497); nobody compares in which life a newcomer has fetched (C68); the high watermark
    /// knows no minimum (C69); and a broker that returns is out of a set only once a controller has seen it gone. But for
    /// [`Bouncing`] and [`Cancelling`], which Kafka answered in ways that lose records.
    pub const ZOOKEEPER: Self = Self {
        watermark: Watermark::MaximalIsr,
        admission: Admission::Active,
        proposals: Proposals::NoBrokerEpochs,
        returning: Returning::KeepsItsSeats,
        ..Self::LATEST
    };
}

impl Default for Protocol {
    fn default() -> Self {
        Self::LATEST
    }
}
