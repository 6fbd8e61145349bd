//! A change that an operator asks the controller for, until it is known whether it was made.
//!
//! This room must not know how it is made.

use crate::event::Event;
use crate::wire::{AdminRequest, AdminResponse, ErrorCode};

/// A change that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Change {
    request: AdminRequest,
    /// Some attempt may have made it, without our being told (C32).
    maybe_made: bool,
}

impl Change {
    pub(super) fn new(request: AdminRequest) -> Self {
        Self { request, maybe_made: false }
    }

    /// What to ask.
    pub(super) fn request(&self) -> AdminRequest {
        self.request.clone()
    }

    /// The answer got lost.
    pub(super) fn lost(&mut self) {
        self.maybe_made = true;
    }

    /// Takes in an answer: what is to be noted, or `None` to ask again.
    pub(super) fn hear(&mut self, answer: &AdminResponse) -> Option<Event> {
        if answer.error == ErrorCode::NotController {
            // A controller that was deposed says so of what may come true under the next one.
            self.maybe_made = true;
            return None;
        }
        if self.maybe_made && self.is_made(answer.error) {
            return Some(self.outcome(ErrorCode::None, String::new()));
        }
        Some(self.outcome(answer.error, answer.message.clone()))
    }

    /// What is noted in the end.
    pub(super) fn outcome(&self, error: ErrorCode, message: String) -> Event {
        Event::Administered { request: self.request.clone(), error, message }
    }

    /// Whether this error says that things are as they were to be: most likely an earlier attempt has seen to that.
    fn is_made(&self, error: ErrorCode) -> bool {
        match self.request {
            AdminRequest::DeleteTopic { .. } => error == ErrorCode::UnknownTopicOrPartition,
            AdminRequest::CreatePartitions { .. } => error == ErrorCode::InvalidPartitions,
            AdminRequest::AlterPartitionReassignments { .. } => error == ErrorCode::NoReassignmentInProgress,
            AdminRequest::ElectLeaders { .. } => error == ErrorCode::ElectionNotNeeded,
            AdminRequest::UnregisterBroker { .. } => error == ErrorCode::BrokerIdNotRegistered,
            AdminRequest::IncrementalAlterConfigs { .. } => false,
        }
    }
}
