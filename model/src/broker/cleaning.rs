//! Compaction in the background: which log is cleaned next, and one part of it after the other (L77, L82, L84).
//!
//! One log at a time, as by one thread of Kafka's. Appends, truncations and changes of role may come between any two parts.
//! Does not know which records stay.

use std::collections::BTreeSet;

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::log::{Cleaning, Progress};
use crate::machine::{Stop, Task};
use crate::names::Partition;

/// What the cleaner is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Cleaner {
    under_way: Option<(Partition, Cleaning)>,
    /// Logs in which it found something that it could not read. As in Kafka it leaves them alone for the rest of this life.
    unreadable: BTreeSet<Partition>,
}

impl Process {
    /// The cleaner's turn, unless it is busy. It looks after the retention of compacted logs, too: no other thread may take a
    /// segment out of a log that is being cleaned.
    pub(super) fn look_for_dirt(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.cleaner.under_way.is_some() {
            return Ok(());
        }
        self.delete_old_segments(|config| config.compact, step)?;
        let Some(partition) = self.dirtiest(step) else { return Ok(()) };
        let Some(replica) = self.replicas.get(&partition) else { return Ok(()) };
        match replica.log.begin_cleaning(step.disk, step.now, replica.high_watermark)? {
            Some(cleaning) => {
                if self.own.protocol.storage.trust.cleans_only_what_is_synced() {
                    // Below what is written down a start takes a hole for a cleaned one.
                    self.write_recovery_points(step)?;
                }
                self.cleaner.under_way = Some((partition, cleaning));
                step.effects.later(Task::Clean { partition });
            }
            None => {
                self.cleaner.unreadable.insert(partition);
            }
        }
        Ok(())
    }

    /// Does the next part of what is under way. After the last one the cleaner looks for another log at once.
    pub(super) fn clean(&mut self, partition: Partition, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some((_, mut cleaning)) = self.cleaner.under_way.take_if(|(under_way, _)| *under_way == partition) else {
            return Ok(());
        };
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        let upto = cleaning.upto();
        match replica.log.clean_next(step.disk, &mut cleaning, step.now)? {
            Progress::More(batches) => {
                self.cleaner.under_way = Some((partition, cleaning));
                step.effects.note(Event::Cleaned { partition, upto, batches });
                step.effects.later(Task::Clean { partition });
            }
            Progress::Done(batches) => {
                step.effects.note(Event::Cleaned { partition, upto, batches });
                self.write_cleaner_offsets(step)?;
                self.look_for_dirt(step)?;
            }
            // It was cut: the next turn begins anew (L84).
            Progress::Aborted => {}
        }
        Ok(())
    }

    /// The log that is dirtiest of those that are due (L77).
    fn dirtiest(&self, step: &Step<'_>) -> Option<Partition> {
        let readable = self.replicas.iter().filter(|(partition, _)| !self.cleaner.unreadable.contains(partition));
        let dirty = readable.filter_map(|(&partition, replica)| {
            Some((partition, replica.log.dirtiness(step.now, replica.high_watermark)?))
        });
        // Of several the first, whatever the order of the comparison.
        dirty.rev().max_by(|(_, one), (_, other)| one.total_cmp(other)).map(|(partition, _)| partition)
    }
}
