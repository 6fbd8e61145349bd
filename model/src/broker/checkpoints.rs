//! What is written down for all partitions together, so that the next process knows it (L9, L33, L44, L45, L77).
//!
//! Does not know when that is due. Nothing is written before the image was published: what is there until then is better
//! than what this process knows.

use super::Process;
use super::step::Step;
use crate::log::LogFolder;
use crate::machine::Stop;

impl Process {
    /// L44. Kafka reads each high watermark on its own while others move; one step reads them all here, which the next
    /// process cannot tell apart, because each is clamped to its own log only.
    pub(super) fn write_high_watermarks(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.observer.has_published() {
            let watermarks = self.replicas.values().map(|replica| (replica.log.directory(), replica.high_watermark));
            LogFolder::write_high_watermarks(step.disk, watermarks, self.own.protocol.storage.replacing)?;
        }
        Ok(())
    }

    /// L33.
    pub(super) fn write_recovery_points(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.observer.has_published() {
            let logs = self.replicas.values().map(|replica| &replica.log);
            let points = logs.map(|log| (log.directory(), log.recovery_point()));
            LogFolder::write_recovery_points(step.disk, points, self.own.protocol.storage.replacing)?;
        }
        Ok(())
    }

    /// A start that found a log shorter than what was synced of it has cut it, and that is written down at once, as after any
    /// truncation (L33, L34): what is appended there next is not synced, and the checkpoint would say it was. Kafka leaves that
    /// to the next round of checkpoints.
    pub(super) fn lower_recovery_points(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let written = &self.folder.recovery_points;
        let fell = self.replicas.values().any(|replica| {
            let known = written.get(replica.log.directory());
            known.is_some_and(|known| *known > replica.log.recovery_point())
        });
        let at_once = self.own.protocol.storage.trust.writes_lowered_recovery_points();
        if fell && at_once { self.write_recovery_points(step) } else { Ok(()) }
    }

    /// L45: only of logs that begin above their first segment.
    pub(super) fn write_log_starts(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.observer.has_published() {
            let logs = self.replicas.values().map(|replica| &replica.log);
            let starts = logs.filter_map(|log| Some((log.directory(), log.checkpointed_start()?)));
            LogFolder::write_log_starts(step.disk, starts, self.own.protocol.storage.replacing)?;
        }
        Ok(())
    }

    /// L77: only of logs that were cleaned.
    pub(super) fn write_cleaner_offsets(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.observer.has_published() {
            let logs = self.replicas.values().map(|replica| &replica.log);
            let cleaned = logs.filter(|log| log.config().compact && log.first_dirty() > log.start());
            let offsets = cleaned.map(|log| (log.directory(), log.first_dirty()));
            LogFolder::write_cleaner_offsets(step.disk, offsets, self.own.protocol.storage.replacing)?;
        }
        Ok(())
    }
}
