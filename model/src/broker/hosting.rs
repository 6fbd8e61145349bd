//! Which logs there are on this broker, and how each is opened (L46-L56, R10, R15).
//!
//! Does not know who leads.

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::log::{Loading, Log, LogConfig, LogFolder};
use crate::machine::{Stop, Task};
use crate::names::Partition;
use crate::replica::Replica;

impl Process {
    /// Opens the log of every partition that the last life left here and that is still this broker's (L46-L56).
    pub(super) fn open_logs(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let mine: Vec<Partition> = self
            .image
            .partitions
            .values()
            .filter(|registration| registration.replicas.contains(&self.own.id))
            .map(|registration| registration.partition)
            .collect();
        for partition in mine {
            let directory = self.image.directory(partition).unwrap_or_default();
            if self.folder.directories.get(&directory) == Some(&Some(partition.topic)) {
                let recovery_point = self.folder.recovery_points.get(&directory).copied().unwrap_or_default();
                let log_start = self.folder.log_starts.get(&directory).copied().unwrap_or_default();
                let loading = Loading { clean: self.folder.clean, recovery_point, log_start, now: step.now };
                self.open_log(partition, directory, loading, step)?;
            }
        }
        Ok(())
    }

    fn open_log(
        &mut self,
        partition: Partition,
        directory: String,
        loading: Loading,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let topic = self.topic_config(partition);
        let config = LogConfig {
            segment_bytes: topic.segment_bytes,
            flush_messages: topic.flush_messages,
            max_message_bytes: u32::try_from(topic.max_message_bytes).unwrap_or(u32::MAX),
            storage: self.own.protocol.storage,
            ..LogConfig::default()
        };
        let checkpointed = self.folder.high_watermarks.get(&directory).copied().unwrap_or_default();
        let (log, recovery) = Log::open(step.disk, &directory, config, loading)?;
        if recovery.epochs_cut {
            step.effects.later(Task::WriteEpochs { partition, latest: log.last_epoch() });
        }
        let replica = Replica::opened(partition, log, checkpointed);
        step.effects.note(Event::Opened {
            partition,
            start: replica.log.start(),
            end: replica.log.end(),
            high_watermark: replica.high_watermark,
            recovery_point: replica.log.recovery_point(),
            batches: replica.log.batches().collect(),
            epochs: replica.log.epochs().entries().to_vec(),
        });
        self.replicas.insert(partition, replica);
        Ok(())
    }

    /// Makes the log of a partition that is new here (R10, R15).
    pub(super) fn host(&mut self, partition: Partition, step: &mut Step<'_>) -> Result<bool, Stop> {
        if self.replicas.contains_key(&partition) {
            return Ok(true);
        }
        let Some(directory) = self.image.directory(partition) else { return Ok(false) };
        if self.folder.directories.get(&directory).is_some_and(|owner| *owner != Some(partition.topic)) {
            // It was being made when the process ended, or it is that of another topic of the same name. Whatever is in
            // it is none of this partition's.
            crate::log::remove_directory(step.disk, &directory)?;
        }
        LogFolder::write_partition_metadata(
            step.disk,
            &directory,
            partition.topic,
            self.own.protocol.storage.replacing,
        )?;
        self.folder.high_watermarks.remove(&directory);
        self.open_log(partition, directory, Loading { clean: true, now: step.now, ..Loading::default() }, step)?;
        Ok(true)
    }
}
