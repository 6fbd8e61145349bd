//! Compaction in the background: which log is cleaned next, and one part of it after the other (L77, L84).
//!
//! Appends, truncations and changes of role may come between any two parts. Does not know which records stay.

use super::Process;
use super::step::Step;
use crate::machine::Stop;
use crate::names::Partition;

impl Process {
    /// The cleaner's turn. It looks after the retention of compacted logs, too: no other thread may take a segment out of a
    /// log that is being cleaned.
    pub(super) fn look_for_dirt(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        self.delete_old_segments(|config| config.compact, step)
    }

    pub(super) fn clean(&mut self, _: Partition, _: &mut Step<'_>) -> Result<(), Stop> {
        Ok(())
    }
}
