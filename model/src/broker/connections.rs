//! The server end of a broker's connections: one request at a time on each (C80).
//!
//! Kafka reads the next request of a connection only after it has answered the one before, so a pipelining client is served
//! in order. Nothing here knows what a request is about.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::wire::{ConnectionId, Envelope};

/// How many connections that this broker closed are remembered; what came over them before they were closed is in the
/// hands of the host at most for a moment.
const CLOSED_REMEMBERED: usize = 256;

/// The connections over which requests came.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<ConnectionId, Line>,
    /// Requests that are to be served now, in this order.
    turns: VecDeque<Envelope>,
    /// Closed from this end: what is still read from them is nobody's.
    closed: BTreeSet<ConnectionId>,
}

/// One connection.
#[derive(Clone, Debug, Default)]
struct Line {
    /// A request is being served.
    busy: bool,
    /// Those that wait behind it.
    behind: VecDeque<Envelope>,
}

impl Connections {
    /// Takes in a request. Its turn comes when those before it on its connection were answered.
    pub(super) fn admit(&mut self, request: Envelope) {
        if self.closed.contains(&request.connection) {
            return;
        }
        let line = self.open.entry(request.connection).or_default();
        if line.busy {
            line.behind.push_back(request);
        } else {
            line.busy = true;
            self.turns.push_back(request);
        }
    }

    /// A request whose turn it is.
    pub(super) fn next(&mut self) -> Option<Envelope> {
        self.turns.pop_front()
    }

    /// The request under service was answered: the next one of its connection gets its turn.
    pub(super) fn answered(&mut self, connection: ConnectionId) {
        let Some(line) = self.open.get_mut(&connection) else { return };
        match line.behind.pop_front() {
            Some(next) => self.turns.push_back(next),
            None => line.busy = false,
        }
    }

    /// The connection is gone, and with it what was not served yet. `false` if no request ever came over it: then this
    /// was not the server's end.
    pub(super) fn severed(&mut self, connection: ConnectionId) -> bool {
        self.turns.retain(|request| request.connection != connection);
        self.open.remove(&connection).is_some() | self.closed.remove(&connection)
    }

    /// This end closes the connection.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.severed(connection);
        self.closed.insert(connection);
        if self.closed.len() > CLOSED_REMEMBERED {
            self.closed.pop_first();
        }
    }
}
