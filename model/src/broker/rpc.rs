//! A request under way: which one, and until when an answer is worth waiting for.
//!
//! A client end has at most one request in flight per channel here (heartbeats, ISR changes, metadata, one fetcher), so an
//! answer with another number is late and means nothing. Does not know what is asked.

use std::time::Duration;

use crate::names::{Node, Time};

/// A request that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outstanding {
    /// Its number.
    pub(super) correlation: u64,
    /// When to give up the connection.
    pub(super) deadline: Time,
}

/// A request to a controller that has not been answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which.
    pub(super) outstanding: Outstanding,
    /// Whom: by now another one may lead.
    pub(super) of: Node,
}

impl Asked {
    /// Whom the answer with this number is from, if it is the one that is waited for; it is then no longer waited for.
    pub(super) fn take(awaited: &mut Option<Self>, correlation: u64) -> Option<Node> {
        let asked = awaited.take_if(|asked| asked.outstanding.correlation == correlation)?;
        Some(asked.of)
    }
}

/// Waits that double with each failure in a row, up to a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and says how long to wait.
    pub(super) fn failed(&mut self, first: Duration, most: Duration) -> Duration {
        let wait = first.saturating_mul(1 << self.failures.min(16)).min(most);
        self.failures += 1;
        wait
    }

    /// Forgets the failures.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}
