//! What becomes of what is old: segments, their files, and what is remembered of silent producers (L40, L62, L72-L74).
//!
//! Each replica is looked after by its own broker and its own clock, whoever leads. Does not know who asked for records to
//! be deleted.

use super::Process;
use super::step::Step;
use crate::event::{Event, StartCause};
use crate::log::LogConfig;
use crate::machine::{Stop, Task};
use crate::names::{Partition, Time};

impl Process {
    /// Looks for segments to delete in every log that the cleaner does not look after (L72).
    pub(super) fn retain(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        self.delete_old_segments(|config| !config.compact, step)
    }

    /// Looks for segments to delete in the logs of this kind, each by its own high watermark (L72-L74).
    pub(super) fn delete_old_segments(
        &mut self,
        kind: impl Fn(&LogConfig) -> bool,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let mut moved = Vec::new();
        for (&partition, replica) in &mut self.replicas {
            if !kind(replica.log.config()) {
                continue;
            }
            let high_watermark = replica.high_watermark;
            let (start, active) = (replica.log.start(), replica.log.segment_bases().next_back());
            let segments = replica.log.delete_old_segments(step.disk, step.now, high_watermark)?;
            if segments.is_empty() {
                continue;
            }
            let left_bytes = replica.log.size_bytes();
            step.effects.note(Event::SegmentsDeleted { partition, segments, left_bytes, high_watermark });
            if replica.log.start() > start {
                moved.push(partition);
            }
            if let Some(begun) = replica.log.segment_bases().next_back().filter(|&last| active != Some(last)) {
                // All of it went, so a new segment was begun; that is a roll like any other (L28).
                step.effects.later(Task::Flush { partition, upto: begun.bound() });
            }
        }
        for partition in moved {
            self.start_moved(partition, StartCause::Retention, step);
        }
        Ok(())
    }

    /// A replica's log begins later than it did: the epoch file follows (L37), and whoever waits for that looks again.
    pub(super) fn start_moved(&mut self, partition: Partition, cause: StartCause, step: &mut Step<'_>) {
        let Some(replica) = self.replicas.get(&partition) else { return };
        let (start, high_watermark) = (replica.log.start(), replica.high_watermark);
        step.effects.note(Event::LogStartMoved { partition, start, cause, high_watermark });
        step.effects.later(Task::WriteEpochs { partition, latest: replica.log.last_epoch() });
        self.wake_deletions_later(partition, step);
    }

    /// When some file of a segment that is out of its log may go.
    pub(super) fn sweep_due(&self) -> Option<Time> {
        self.replicas.values().filter_map(|replica| replica.log.sweep_due()).min()
    }

    /// Removes the files that were kept for `file.delete.delay.ms` (L40), and whole directories likewise.
    pub(super) fn sweep(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        for replica in self.replicas.values_mut() {
            if replica.log.sweep_due().is_some_and(|due| step.now >= due) {
                replica.log.sweep(step.disk, step.now)?;
            }
        }
        self.remove_strays(step)
    }

    /// L62.
    pub(super) fn expire_producers(&mut self, now: Time) {
        for replica in self.replicas.values_mut() {
            replica.log.expire_producers(now, self.own.config.producer_id_expiration);
        }
    }
}
