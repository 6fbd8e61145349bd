//! What goes to disk for good: after a roll, and what has not been for long (L28, L31, L32, L37).
//!
//! Does not know what is in a log.

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::machine::Stop;
use crate::names::{EndOffset, Partition};
use crate::replica::Replica;

impl Process {
    /// After a roll: what is in the closed segments goes to disk (L28).
    pub(super) fn flush(&mut self, partition: Partition, upto: EndOffset, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        if let Some(upto) = replica.log.flush(step.disk, upto, step.now)? {
            step.effects.note(Event::Flushed { partition, upto });
        }
        Ok(())
    }

    /// After a truncation: the epoch file follows (L37).
    pub(super) fn write_epochs(&mut self, partition: Partition, step: &mut Step<'_>) -> Result<(), Stop> {
        if let Some(replica) = self.replicas.get(&partition) {
            replica.log.write_epochs(step.disk)?;
        }
        Ok(())
    }

    /// The flusher: what has not been synced for `flush.ms` is (L32).
    pub(super) fn flush_old(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let due = self.replicas.iter().filter(|(_, replica)| replica.log.is_flush_due(step.now));
        let due: Vec<_> = due.map(|(&partition, replica)| (partition, replica.log.end())).collect();
        due.into_iter().try_for_each(|(partition, end)| self.flush(partition, end, step))
    }
}

/// States it if the log has synced itself (`flush.messages`): the recovery point is not where it was.
pub(super) fn note_flushed(replica: &Replica, before: EndOffset, step: &mut Step<'_>) {
    let upto = replica.log.recovery_point();
    if upto > before {
        step.effects.note(Event::Flushed { partition: replica.partition, upto });
    }
}
