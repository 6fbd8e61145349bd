//! What a reign does, cut where it must wait for the ensemble: each job asks once at most (C64-C73).
//!
//! Data only.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::metadata::PartitionRegistration;
use crate::names::{BrokerEpoch, BrokerId, Partition, TopicId};
use crate::wire::{
    AdminRequest, AdminResponse, AlteredResource, ControlledShutdownRequest, ControlledShutdownResponse,
    CreateTopicsRequest, ErrorCode, ReplyTo, Request, Response,
};
use crate::zookeeper::assignment::Assignment;
use crate::zookeeper::znodes::TopicNode;

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
    /// An operator wants something.
    Administer(ReplyTo, AdminRequest),
    /// There are topics to be deleted.
    Deletions,
    /// A broker has deleted these replicas.
    Removed(BrokerId, Vec<Partition>),
    /// The state of a partition that is being reassigned is another one.
    Moving(Partition),
    /// It is time to give partitions back to their preferred leaders.
    Balance,
    /// Properties are others than they were: perhaps somebody may lead who might not.
    Reconfigured,
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
    /// A topic is to have these partitions.
    Grow(ReplyTo, TopicId, TopicNode),
    /// A topic is to be deleted.
    Doom(ReplyTo, String),
    /// Read what is to be deleted.
    Deletions,
    /// All replicas of a topic are gone: its znodes go.
    Erase(String),
    /// Read a partition, to decide whether it may have these replicas.
    Assign(ReplyTo, Partition, Assignment),
    /// It is to have them.
    Assigned(ReplyTo, Box<Assigned>),
    /// Read a partition that is being reassigned, to decide whether that has come to its end.
    Move(Partition),
    /// It has: those that go are not in sync any more.
    Shrink(Box<PartitionRegistration>),
    /// And they are no replicas any more.
    Moved(Partition),
    /// Read in which version a topic is.
    Look(TopicId),
    /// Say whether the election that was asked for was one: an unclean one, or of the preferred leader.
    Elected(ReplyTo, Partition, bool),
    /// Read the properties of which one is to be altered.
    Configure(ReplyTo, Alteration),
    /// They are written.
    Configured(ReplyTo, Alteration, Written),
}

/// What becomes of a partition when another assignment is written.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(super) partition: Partition,
    pub(super) assignment: Assignment,
    /// Its state, if it has one.
    pub(super) state: Option<PartitionRegistration>,
    /// Replicas that are none any more.
    pub(super) dropped: Vec<BrokerId>,
}

/// A property that is to be altered.
#[derive(Clone, Debug)]
pub(crate) struct Alteration {
    pub(super) resource: AlteredResource,
    pub(super) name: String,
    pub(super) value: Option<String>,
}

/// All properties of a resource.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(super) data: Bytes,
    /// On top of which version; there may be none.
    pub(super) version: Option<i32>,
}

impl PartialEq for Happened {
    /// Whether one more would be no news: only of those that say "look again".
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Moving(one), Self::Moving(other)) => one == other,
            (Self::Brokers, Self::Brokers)
            | (Self::Topics, Self::Topics)
            | (Self::Isrs, Self::Isrs)
            | (Self::Deletions, Self::Deletions)
            | (Self::Balance, Self::Balance)
            | (Self::Reconfigured, Self::Reconfigured) => true,
            _ => false,
        }
    }
}

impl Happened {
    /// What somebody who waits for this is told when the reign is over.
    pub(super) fn refusal(self) -> Option<(ReplyTo, Response)> {
        match self {
            Self::Shutdown(reply, _) => Some((reply, shutdown_refused(ErrorCode::NotController))),
            Self::CreateTopics(reply, request) => {
                let refusal = crate::controller::refusal(&Request::CreateTopics(request), ErrorCode::NotController);
                Some((reply, refusal?))
            }
            Self::Administer(reply, _) => Some((reply, not_controller())),
            _ => None,
        }
    }
}

impl Job {
    /// The same.
    pub(super) fn refusal(self) -> Option<(ReplyTo, Response)> {
        match self {
            Self::Relieved(reply, _) => Some((reply, shutdown_refused(ErrorCode::NotController))),
            Self::TopicWritten(reply, request) => Happened::CreateTopics(reply, request).refusal(),
            Self::Grow(reply, ..)
            | Self::Doom(reply, _)
            | Self::Assign(reply, ..)
            | Self::Assigned(reply, _)
            | Self::Elected(reply, ..)
            | Self::Configure(reply, _)
            | Self::Configured(reply, ..) => Some((reply, not_controller())),
            _ => None,
        }
    }
}

pub(super) fn shutdown_refused(error: ErrorCode) -> Response {
    Response::ControlledShutdown(ControlledShutdownResponse { error, remaining: Vec::new() })
}

/// An operator is told how it went.
pub(super) fn administered(error: ErrorCode, message: String) -> Response {
    Response::Administer(AdminResponse { error, message })
}

fn not_controller() -> Response {
    administered(ErrorCode::NotController, "this broker is not the controller any more".to_owned())
}
