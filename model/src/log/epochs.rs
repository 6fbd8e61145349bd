//! The leader-epoch cache: where in this log each leader epoch begins (L35-L39).
//!
//! Followers and their leader compare it to find the end of what they share (KIP-101, KIP-279). Memory and arithmetic
//! only, and its checkpoint file; when that is written is the log's business.

use std::fmt::Write;

use super::batch::BatchId;
use super::checkpoint::{self, Malformed};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, LeaderEpoch, Offset};
use crate::protocol::Storage;

/// The file in a replica's directory that holds the cache.
pub const FILE: &str = "leader-epoch-checkpoint";

/// Epochs and the bounds where they begin, strictly increasing in both (L12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EpochCache {
    entries: Vec<(LeaderEpoch, EndOffset)>,
}

impl EpochCache {
    /// Notes that `epoch` begins at `start`, unless it is known to have begun there or before. Entries that contradict
    /// the new one go. Returns whether anything changed, so that the checkpoint is due (L35). A negative epoch, that of
    /// a batch that no leader has stamped, is not one.
    pub fn assign(&mut self, epoch: LeaderEpoch, start: EndOffset) -> bool {
        if epoch < LeaderEpoch::ZERO {
            return false;
        }
        if self.entries.last().is_some_and(|&(latest, since)| latest == epoch && start >= since) {
            return false;
        }
        let kept = self.entries.iter().rposition(|&(older, since)| older < epoch && since < start);
        self.entries.truncate(kept.map_or(0, |index| index + 1));
        self.entries.push((epoch, start));
        true
    }

    /// Where the largest epoch not above `epoch` ends in a log that ends at `log_end`, and which epoch that is (L36).
    /// `None`: undefined, because this log knows of no later epoch that could have ended it.
    #[must_use]
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: EndOffset) -> Option<(LeaderEpoch, EndOffset)> {
        if epoch < LeaderEpoch::ZERO {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some((epoch, log_end));
        }
        let higher = self.entries.partition_point(|&(known, _)| known <= epoch);
        let &(_, end) = self.entries.get(higher)?;
        let floor = higher.checked_sub(1).map_or(epoch, |index| self.entries[index].0);
        Some((floor, end))
    }

    /// Forgets epochs that begin at `end` or later. Returns whether there were any (L37).
    pub fn truncate_from_end(&mut self, end: EndOffset) -> bool {
        let kept = self.entries.partition_point(|&(_, start)| start < end);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Forgets epochs that end below `start`; the one that spans it now begins there. Returns whether anything changed
    /// (L37).
    pub fn truncate_from_start(&mut self, start: EndOffset) -> bool {
        let Some(spanning) = self.entries.partition_point(|&(_, since)| since <= start).checked_sub(1) else {
            return false;
        };
        let changed = spanning > 0 || self.entries[spanning].1 != start;
        self.entries[spanning].1 = start;
        self.entries.drain(..spanning);
        changed
    }

    /// Learns the epochs of batches, in order from `start` on, that lie before the first one on record. Returns whether there
    /// were any. They are forgotten when the log start moves up, and a crash may bring an older log start back (L45), or a
    /// log that ends below it.
    pub fn complete_front(&mut self, start: EndOffset, batches: impl IntoIterator<Item = BatchId>) -> bool {
        let first = self.entries.first().copied();
        let mut front: Vec<(LeaderEpoch, EndOffset)> = Vec::new();
        for batch in batches {
            let since = batch.base.bound().max(start);
            if first.is_some_and(|(epoch, known)| since >= known || batch.epoch > epoch) {
                break;
            }
            if batch.epoch >= LeaderEpoch::ZERO && front.last().is_none_or(|(latest, _)| batch.epoch > *latest) {
                front.push((batch.epoch, since));
            }
        }
        let changed = !front.is_empty();
        if front.last().map(|(epoch, _)| *epoch) == first.map(|(epoch, _)| epoch) && changed {
            self.entries.remove(0);
        }
        front.append(&mut self.entries);
        self.entries = front;
        changed
    }

    /// Forgets everything (L42).
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The epoch on record for the record at this offset; none before the first entry.
    #[must_use]
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let behind = self.entries.partition_point(|&(_, start)| start <= offset.bound());
        self.entries[..behind].last().map(|&(epoch, _)| epoch)
    }

    /// The newest epoch.
    #[must_use]
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|&(epoch, _)| epoch)
    }

    /// Every epoch with the bound where it begins, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[(LeaderEpoch, EndOffset)] {
        &self.entries
    }

    /// The text of `leader-epoch-checkpoint` (§1.2).
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("0\n{}\n", self.entries.len());
        for (epoch, start) in &self.entries {
            writeln!(text, "{epoch} {start}").expect("a string takes everything");
        }
        text
    }

    /// Reads the text of `leader-epoch-checkpoint`. Entries that contradict later ones go, as when they are assigned.
    ///
    /// # Errors
    /// [`Malformed`] for text of any other form.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut cache = Self::default();
        for line in super::checkpoint::entries(text)? {
            let (epoch, start) = line.split_once(' ').ok_or(Malformed("not an epoch and an offset"))?;
            let epoch: i32 = epoch.parse().map_err(|_| Malformed("not an epoch"))?;
            if epoch < 0 {
                return Err(Malformed("not an epoch"));
            }
            cache.assign(LeaderEpoch(epoch), super::checkpoint::offset(start)?);
        }
        Ok(cache)
    }
}

/// Writes a replica's epoch checkpoint.
pub(super) fn write(
    disk: &mut dyn Disk,
    directory: &str,
    epochs: &EpochCache,
    storage: Storage,
) -> Result<(), DiskError> {
    let replacing = storage.recording.replacing(storage.replacing);
    checkpoint::replace(disk, &format!("{directory}/{FILE}"), epochs.to_text(), replacing)
}
