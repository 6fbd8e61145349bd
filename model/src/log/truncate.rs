//! How a log gets shorter (L37, L38, L40-L43).
//!
//! Nothing here is synced: after a power cut what was cut off may be back (L34). The epoch cache changes in memory at
//! once and on disk when another thread gets to it. This file must not know why the log has to be cut.

use super::files::Standing;
use super::log::Log;
use super::producers::Producers;
use super::segment::Segment;
use super::{recovery, snapshots};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Time};

impl Log {
    /// Cuts everything at and above `end`. Returns whether the log was longer than that.
    ///
    /// Whole batches go: if `end` lies inside one, all of it does, and the log ends at `end` all the same (L41). Even if
    /// nothing is cut the epoch cache is, at the end of the log: a leader that wrote nothing leaves an entry there that
    /// is nobody else's (L38, KAFKA-10706). In any case [`Log::write_epochs`] is due, some time later; and after a cut
    /// the checkpoint of recovery points, at once (L34).
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn truncate_to(&mut self, disk: &mut dyn Disk, end: EndOffset, now: Time) -> Result<bool, DiskError> {
        if end >= self.end {
            self.cut_epochs(self.end);
            return Ok(false);
        }
        if end < self.segments[0].base().bound() {
            self.truncate_fully_and_start_at(disk, end, now)?;
            return Ok(true);
        }
        let kept = self.segments.partition_point(|segment| segment.base().bound() <= end);
        // The newest first, one after the other: who dies in between leaves no hole, and no power cut makes one later.
        for dropped in self.segments.split_off(kept).into_iter().rev() {
            self.discard(disk, dropped.base(), now)?;
            if self.config.storage.trust.syncs_deletions() {
                disk.sync_dir(&self.directory)?;
            }
        }
        self.active_mut().truncate(disk, end)?;
        self.end_at(end);
        self.start = self.start.min(end);
        self.cut_epochs(end);
        self.cut_producers(disk)?;
        Ok(true)
    }

    /// Throws everything away and goes on, empty, at `start` (L42). The epoch checkpoint is written at once.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn truncate_fully_and_start_at(
        &mut self,
        disk: &mut dyn Disk,
        start: EndOffset,
        now: Time,
    ) -> Result<(), DiskError> {
        // The new segment comes before the old active one goes, unless they would have the same name.
        let mut old = std::mem::take(&mut self.segments);
        let active = old.pop();
        for dropped in old {
            self.discard(disk, dropped.base(), now)?;
        }
        let same_name = active.as_ref().is_some_and(|active| active.base().bound() == start);
        if let Some(active) = active.as_ref().filter(|_| same_name) {
            self.discard(disk, active.base(), now)?;
        }
        self.segments.push(Segment::create(disk, &self.directory, start.next(), Standing::Live, now)?);
        if let Some(active) = active.filter(|_| !same_name) {
            self.discard(disk, active.base(), now)?;
        }
        self.end_at(start);
        (self.start, self.first_dirty) = (start, start);
        self.epochs.clear();
        self.producers = Producers::default();
        snapshots::remove_all(disk, &self.directory)?;
        self.write_epochs(disk)
    }

    fn end_at(&mut self, end: EndOffset) {
        self.end = end;
        self.recovery_point = self.recovery_point.min(end);
        self.first_dirty = self.first_dirty.min(end);
        self.cuts += 1;
    }

    fn cut_epochs(&mut self, end: EndOffset) {
        if self.config.storage.derived.cuts_epochs() {
            self.epochs.truncate_from_end(end);
        }
    }

    /// What is known of producers goes back to what was written down below the end, and to what the batches behind that
    /// say (L40).
    fn cut_producers(&mut self, disk: &mut dyn Disk) -> Result<(), DiskError> {
        if self.config.storage.derived.cuts_producers() {
            snapshots::remove_above(disk, &self.directory, self.end)?;
            self.producers = recovery::replay(disk, &self.directory, &self.segments, self.end)?;
        }
        Ok(())
    }
}
