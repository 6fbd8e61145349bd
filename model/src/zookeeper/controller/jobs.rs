//! What a reign does, cut where it must wait for the ensemble: each job asks once at most (C64-C73).
//!
//! Data only.

use std::collections::BTreeSet;

use crate::metadata::PartitionRegistration;
use crate::names::{BrokerEpoch, BrokerId, Partition};
use crate::wire::{ControlledShutdownRequest, CreateTopicsRequest, ReplyTo};

use super::elections::Strategy;

/// Something that happened, to be dealt with before the next (one thread, one queue).
#[derive(Clone, Debug)]
pub(super) enum Happened {
    /// This broker was elected.
    Elected,
    /// Other brokers are alive than were.
    Brokers,
    /// There are other topics than were.
    Topics,
    /// Leaders have changed ISRs.
    Isrs,
    /// A broker wants to go in an orderly way.
    Shutdown(ReplyTo, ControlledShutdownRequest),
    /// A client wants topics.
    CreateTopics(ReplyTo, CreateTopicsRequest),
}

/// What is to be done next.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// Read whom the controller before knew.
    KnownBrokers,
    /// Write down who is known now.
    Remember,
    /// Read who is alive.
    Brokers,
    /// Read each of them.
    BrokerNodes(Vec<BrokerId>),
    /// Read which topics there are.
    Topics,
    /// Read each of those that are new.
    TopicNodes(Vec<String>),
    /// Read the states of these.
    States(Vec<Partition>),
    /// Read what leaders have notified.
    IsrChanges,
    /// Read each notification.
    IsrChangeNodes(Vec<String>),
    /// Delete these notifications.
    Forget(Vec<String>),
    /// Everything was read: let everybody know.
    Begin,
    /// Deal with whoever has been away since the controller before looked.
    Settle,
    /// These brokers are gone.
    Fail(BTreeSet<BrokerId>),
    /// These brokers are there.
    Join(Vec<(BrokerId, BrokerEpoch)>),
    /// Clients are to know of these.
    Announce(Vec<Partition>),
    /// Partitions without a state get one.
    Create,
    /// The states of new partitions are written.
    Created(Vec<PartitionRegistration>),
    /// Read these, and decide.
    Elect(Strategy, Vec<Partition>),
    /// What was decided is written.
    Write(Strategy, Vec<PartitionRegistration>),
    /// A broker that goes is told to follow no more.
    Stop(BrokerId, Vec<Partition>),
    /// A broker that goes is told what it still leads.
    Relieved(ReplyTo, BrokerId),
    /// A topic is written.
    TopicWritten(ReplyTo, CreateTopicsRequest),
}

impl PartialEq for Happened {
    /// Whether one more would be no news: only of those that say "look again".
    fn eq(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Brokers, Self::Brokers) | (Self::Topics, Self::Topics) | (Self::Isrs, Self::Isrs)
        )
    }
}
