//! Letting go of replicas: a partition was moved away, or its topic was deleted (R98, R99).
//!
//! The directory goes by another name at once, so that a topic of the same name can have it, and is removed later. Does not
//! know who leads instead.

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::machine::Stop;
use crate::names::Partition;

impl Process {
    /// Lets go of these replicas, where they are here: nothing is led or followed any more, whoever waits is told, and
    /// the log goes.
    pub(super) fn remove_replicas(&mut self, gone: &[Partition], step: &mut Step<'_>) -> Result<(), Stop> {
        let mut removed = false;
        for &partition in gone {
            let Some(replica) = self.replicas.remove(&partition) else { continue };
            self.stop_following(partition);
            self.dismiss(partition, step);
            let directory = replica.log.directory().to_owned();
            self.put_aside_to_delete(&directory, step)?;
            step.effects.note(Event::Removed { partition });
            removed = true;
        }
        if removed {
            step.disk.sync_dir("")?;
            // A checkpoint that still speaks of one must not be taken for that of another in its place.
            self.write_recovery_points(step)?;
            self.write_log_starts(step)?;
            self.write_cleaner_offsets(step)?;
            self.write_high_watermarks(step)?;
        }
        Ok(())
    }
}
