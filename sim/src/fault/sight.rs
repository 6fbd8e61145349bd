//! What an ambush waits for: kinds of facts, and whom such a fact is about.

use std::fmt;

use model::event::Event;
use model::names::Node;
use serde::{Deserialize, Serialize};

use crate::fact::{Fact, What};

/// A kind of fact that an ambush can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sight {
    /// A broker process has started.
    Started,
    /// A process is over.
    Stopped,
    /// A broker has opened a log.
    Opened,
    /// A broker has registered.
    Registered,
    /// A broker has learned that it is fenced.
    Fenced,
    /// A broker has learned that it is no longer fenced.
    Unfenced,
    /// A replica has begun to lead.
    Led,
    /// A replica has begun to follow.
    Followed,
    /// A leader has appended.
    Appended,
    /// A follower has appended.
    Replicated,
    /// A replica has cut its log.
    Truncated,
    /// A follower was told that its log diverges.
    Diverged,
    /// A replica has synced its log.
    Flushed,
    /// A leader's high watermark has moved.
    HighWatermarkMoved,
    /// A leader has proposed another ISR.
    IsrProposed,
    /// The committed ISR of a partition has lost a member.
    IsrShrunk,
    /// The committed ISR of a partition has gained a member.
    IsrGrew,
    /// A partition has, by a committed record, another leader, or none.
    LeaderChanged,
    /// A record of the metadata log is committed.
    Committed,
    /// A broker has applied part of the metadata log.
    MetadataApplied,
    /// A producer's record is acknowledged.
    Acked,
    /// A producer's record has failed.
    SendFailed,
    /// A consumer has handed records to the application.
    Polled,
    /// A connection was cut.
    Severed,
    /// A broker has checked a log after an unclean stop.
    Recovered,
    /// A replica's log begins later than it did.
    LogStartMoved,
    /// Retention has taken segments out of a log.
    SegmentsDeleted,
    /// The cleaner has rewritten part of a log.
    Cleaned,
    /// A controller has voted.
    Voted,
    /// A controller has begun to lead.
    ControllerLed,
}

impl Sight {
    /// Every kind, for whoever draws one.
    pub const ALL: [Self; 30] = [
        Self::Started,
        Self::Stopped,
        Self::Opened,
        Self::Registered,
        Self::Fenced,
        Self::Unfenced,
        Self::Led,
        Self::Followed,
        Self::Appended,
        Self::Replicated,
        Self::Truncated,
        Self::Diverged,
        Self::Flushed,
        Self::HighWatermarkMoved,
        Self::IsrProposed,
        Self::IsrShrunk,
        Self::IsrGrew,
        Self::LeaderChanged,
        Self::Committed,
        Self::MetadataApplied,
        Self::Acked,
        Self::SendFailed,
        Self::Polled,
        Self::Severed,
        Self::Recovered,
        Self::LogStartMoved,
        Self::SegmentsDeleted,
        Self::Cleaned,
        Self::Voted,
        Self::ControllerLed,
    ];

    /// Whether the fact is of this kind. What a committed record changed cannot be told from the record alone: for
    /// [`Sight::IsrShrunk`], [`Sight::IsrGrew`] and [`Sight::LeaderChanged`] the cast knows, see
    /// [`Cast::turn`](crate::cast::Cast::turn).
    #[must_use]
    pub fn matches(self, fact: &Fact, turn: crate::cast::Turn) -> bool {
        match &fact.what {
            What::Noted(event) => self.matches_event(event, turn),
            What::Started { .. } => self == Self::Started && fact.node.is_some_and(|node| node.broker().is_some()),
            What::Stopped { .. } => self == Self::Stopped,
            What::Severed { .. } => self == Self::Severed,
            What::Delivered { .. }
            | What::Paused
            | What::Resumed
            | What::Submitted(_)
            | What::Struck(_)
            | What::Chapter(_) => false,
        }
    }

    /// Whom the fact, which [matches](Self::matches), is about: who is proposed, has joined, has left or is to lead now; else the node
    /// that says it.
    #[must_use]
    pub fn about(self, fact: &Fact, turn: crate::cast::Turn) -> Option<Node> {
        let broker = match (self, fact.event()) {
            (Self::IsrShrunk, _) => turn.left,
            (Self::IsrGrew, _) => turn.joined,
            (Self::LeaderChanged, _) => turn.leader,
            (Self::IsrProposed, Some(Event::IsrKnown { committed, required, .. })) => {
                required.iter().copied().find(|member| !committed.contains(member))
            }
            _ => None,
        };
        broker.map(Node::Broker).or(fact.node)
    }

    fn matches_event(self, event: &Event, turn: crate::cast::Turn) -> bool {
        match event {
            Event::Opened { .. } => self == Self::Opened,
            Event::AppendedAsLeader { .. } => self == Self::Appended,
            Event::AppendedAsFollower { .. } => self == Self::Replicated,
            Event::Truncated { .. } | Event::Restarted { .. } => self == Self::Truncated,
            Event::Flushed { .. } => self == Self::Flushed,
            Event::Recovered { clean, .. } => self == Self::Recovered && !clean,
            Event::LogStartMoved { .. } => self == Self::LogStartMoved,
            Event::SegmentsDeleted { .. } => self == Self::SegmentsDeleted,
            Event::Cleaned { .. } => self == Self::Cleaned,
            Event::Voted { .. } => self == Self::Voted,
            Event::ControllerLed { .. } => self == Self::ControllerLed,
            Event::Led { .. } => self == Self::Led,
            Event::Followed { .. } => self == Self::Followed,
            Event::IsrKnown { pending, .. } => self == Self::IsrProposed && *pending,
            Event::HighWatermark { leads, .. } => self == Self::HighWatermarkMoved && *leads,
            Event::Diverged { .. } => self == Self::Diverged,
            Event::Registered { .. } => self == Self::Registered,
            Event::Fenced { fenced: true } => self == Self::Fenced,
            Event::Fenced { fenced: false } => self == Self::Unfenced,
            Event::MetadataApplied { .. } => self == Self::MetadataApplied,
            Event::Committed { .. } => match self {
                Self::Committed => true,
                Self::IsrShrunk => turn.left.is_some(),
                Self::IsrGrew => turn.joined.is_some(),
                Self::LeaderChanged => turn.leader_changed,
                _ => false,
            },
            Event::Acked { .. } => self == Self::Acked,
            Event::SendFailed { .. } => self == Self::SendFailed,
            Event::Polled { .. } => self == Self::Polled,
            Event::ProduceAnswered { .. }
            | Event::Served { .. }
            | Event::BrokerStarted { .. }
            | Event::ShutDown
            | Event::AlterPartitionRefused { .. }
            | Event::SendCalled { .. }
            | Event::BatchSent { .. }
            | Event::Assigned { .. }
            | Event::Sought { .. }
            | Event::TopicCreated { .. }
            | Event::TopicRefused { .. }
            | Event::TopicDescribed { .. }
            | Event::DeleteRecordsAnswered { .. }
            | Event::RecordsDeleted { .. }
            | Event::OffsetListed { .. }
            | Event::Strayed { .. }
            | Event::QuorumOpened { .. }
            | Event::QuorumRole { .. }
            | Event::MetadataAppended { .. }
            | Event::MetadataSynced { .. }
            | Event::MetadataTruncated { .. }
            | Event::MetadataHighWatermark { .. }
            | Event::MetadataSnapshot { .. }
            | Event::ControllerResigned { .. }
            | Event::ControllerAnswered { .. }
            | Event::Administered { .. }
            | Event::Removed { .. }
            | Event::ImageChanged { .. } => false,
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
