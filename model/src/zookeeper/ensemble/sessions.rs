//! Sessions: who is alive, as far as one hears from them, and over which connection (C60, C62).
//!
//! It must not know znodes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::{SessionId, Time};
use crate::wire::{ConnectionId, ReplyTo};

/// A connection, as a place to send to.
pub(super) type Line = ReplyTo;

/// All sessions that have not ended.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    alive: BTreeMap<SessionId, Session>,
    by_connection: BTreeMap<ConnectionId, SessionId>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    timeout: Duration,
    heard: Time,
    line: Option<Line>,
}

impl Sessions {
    /// A session begins.
    pub(super) fn open(&mut self, session: SessionId, timeout: Duration, now: Time) {
        self.alive.insert(session, Session { timeout, heard: now, line: None });
    }

    /// A session ends.
    pub(super) fn end(&mut self, session: SessionId) {
        if let Some(Session { line: Some(line), .. }) = self.alive.remove(&session) {
            self.by_connection.remove(&line.connection);
        }
    }

    pub(super) fn is_alive(&self, session: SessionId) -> bool {
        self.alive.contains_key(&session)
    }

    /// The session goes on over this connection. Returns the one that it had.
    pub(super) fn connect(&mut self, session: SessionId, line: Line, now: Time) -> Option<Line> {
        let known = self.alive.get_mut(&session)?;
        known.heard = now;
        let before = known.line.replace(line);
        let before = before.filter(|before| before.connection != line.connection);
        if let Some(before) = before {
            self.by_connection.remove(&before.connection);
        }
        self.by_connection.insert(line.connection, session);
        before
    }

    /// Somebody was heard over this connection: whose session it is, if one's.
    pub(super) fn heard(&mut self, connection: ConnectionId, now: Time) -> Option<SessionId> {
        let session = *self.by_connection.get(&connection)?;
        self.alive.get_mut(&session)?.heard = now;
        Some(session)
    }

    /// The connection is gone; the session is not.
    pub(super) fn severed(&mut self, connection: ConnectionId) {
        let session = self.by_connection.remove(&connection);
        if let Some(session) = session.and_then(|session| self.alive.get_mut(&session)) {
            session.line = None;
        }
    }

    /// Where to reach a session's client now.
    pub(super) fn line(&self, session: SessionId) -> Option<Line> {
        self.alive.get(&session)?.line
    }

    /// A session that has been silent for too long, with its connection.
    pub(super) fn overdue(&self, now: Time) -> Option<(SessionId, Option<Line>)> {
        let silent = |session: &Session| now >= session.heard + session.timeout;
        self.alive.iter().find(|(_, session)| silent(session)).map(|(id, session)| (*id, session.line))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.alive.values().map(|session| session.heard + session.timeout).min()
    }
}
