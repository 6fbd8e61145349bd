//! What a script waits for, and what a test wants to have happened: plain questions to one fact.

use model::config::Acks;
use model::event::Event;
use model::metadata::{MetadataRecord, PartitionChange};
use model::names::BrokerId;
use model::wire::ErrorCode;
use sim::fact::{Ending, Fact, What};

/// A replica has begun to lead.
#[must_use]
pub fn led(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::Led { .. }))
}

/// A replica has begun to lead in an epoch that is not the partition's first.
#[must_use]
pub fn led_anew(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::Led { epoch, .. }) if epoch.0 > 0)
}

/// This broker has begun to lead.
#[must_use]
pub fn led_by(fact: &Fact, broker: BrokerId) -> bool {
    led(fact) && fact.node == Some(broker.into())
}

/// This broker has begun to follow somebody.
#[must_use]
pub fn followed_by(fact: &Fact, broker: BrokerId) -> bool {
    matches!(fact.event(), Some(Event::Followed { leader: Some(_), .. })) && fact.node == Some(broker.into())
}

/// A replica has cut something off its log.
#[must_use]
pub fn truncated(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::Truncated { from, end, .. }) if end < from)
}

/// The ISR that the controller has just committed for some partition.
#[must_use]
pub fn committed_isr(fact: &Fact) -> Option<&[BrokerId]> {
    match fact.event() {
        Some(Event::Committed {
            record: MetadataRecord::PartitionChange(PartitionChange { isr: Some(isr), .. }),
            ..
        }) => Some(isr),
        _ => None,
    }
}

/// An ISR without this broker is committed.
#[must_use]
pub fn left_isr(fact: &Fact, broker: BrokerId) -> bool {
    committed_isr(fact).is_some_and(|isr| !isr.contains(&broker))
}

/// An ISR with this broker is committed.
#[must_use]
pub fn joined_isr(fact: &Fact, broker: BrokerId) -> bool {
    committed_isr(fact).is_some_and(|isr| isr.contains(&broker))
}

/// This broker has proposed another ISR.
#[must_use]
pub fn proposed_by(fact: &Fact, broker: BrokerId) -> bool {
    matches!(fact.event(), Some(Event::IsrKnown { pending: true, .. })) && fact.node == Some(broker.into())
}

/// This broker has learned that it is not fenced.
#[must_use]
pub fn unfenced(fact: &Fact, broker: BrokerId) -> bool {
    matches!(fact.event(), Some(Event::Fenced { fenced: false })) && fact.node == Some(broker.into())
}

/// The controller has fenced this broker.
#[must_use]
pub fn fenced_by_controller(fact: &Fact, broker: BrokerId) -> bool {
    matches!(
        fact.event(),
        Some(Event::Committed { record: MetadataRecord::BrokerRegistrationChange { broker: whom, fenced: Some(true), .. }, .. })
            if *whom == broker
    )
}

/// A record was acknowledged.
#[must_use]
pub fn acked(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::Acked { .. }))
}

/// A record failed, for certain or perhaps.
#[must_use]
pub fn send_failed(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::SendFailed { .. }))
}

/// A produce with these acks was answered with this error.
#[must_use]
pub fn answered(fact: &Fact, with: Acks, what: ErrorCode) -> bool {
    matches!(fact.event(), Some(Event::ProduceAnswered { acks, error, .. }) if *acks == with && *error == what)
}

/// A process is over in this way.
#[must_use]
pub fn stopped(fact: &Fact, ending: Ending) -> bool {
    matches!(fact.what, What::Stopped { how } if how == ending)
}

/// A partition has no leader: so a committed record says.
#[must_use]
pub fn leaderless(fact: &Fact) -> bool {
    matches!(
        fact.event(),
        Some(Event::Committed {
            record: MetadataRecord::PartitionChange(PartitionChange { leader: Some(None), .. }),
            ..
        })
    )
}

/// A fault struck.
#[must_use]
pub fn struck(fact: &Fact) -> bool {
    matches!(fact.what, What::Struck(_))
}

/// A committed ISR is smaller than the replicas of a cluster of three.
#[must_use]
pub fn leaves_isr(fact: &Fact) -> bool {
    committed_isr(fact).is_some_and(|isr| isr.len() < 3)
}
