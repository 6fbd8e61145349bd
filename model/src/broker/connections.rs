//! The server end of a broker's connections: one request at a time on each (C80).
//!
//! Kafka reads the next request of a connection only after it has answered the one before, so a pipelining client is served
//! in order. Nothing here knows what a request is about.

use std::collections::{BTreeMap, VecDeque};

use crate::wire::{ConnectionId, Envelope};

/// The connections on which a request is being served, each with those that wait behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    busy: BTreeMap<ConnectionId, VecDeque<Envelope>>,
}

impl Connections {
    /// Takes in a request. Gives it back if it is its turn.
    pub(super) fn admit(&mut self, request: Envelope) -> Option<Envelope> {
        if let Some(behind) = self.busy.get_mut(&request.connection) {
            behind.push_back(request);
            return None;
        }
        self.busy.insert(request.connection, VecDeque::new());
        Some(request)
    }

    /// The request under service was answered: whose turn is it now?
    pub(super) fn answered(&mut self, connection: ConnectionId) -> Option<Envelope> {
        let behind = self.busy.get_mut(&connection)?;
        let next = behind.pop_front();
        if next.is_none() {
            self.busy.remove(&connection);
        }
        next
    }

    /// The connection is gone, and with it what was not read from it yet.
    pub(super) fn severed(&mut self, connection: ConnectionId) {
        self.busy.remove(&connection);
    }
}
