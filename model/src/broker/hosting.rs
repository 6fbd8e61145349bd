//! Which logs there are on this broker, and how each is opened and configured (L46-L56, R10, R15).
//!
//! Does not know who leads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::log::{Loading, Log, LogConfig, LogFolder, Recovery};
use crate::machine::{Stop, Task};
use crate::names::{EndOffset, Partition, TopicId};
use crate::replica::Replica;

impl Process {
    /// Opens the log of every partition that the last life left here and that is still this broker's (L46-L56). What
    /// else lies there is put aside.
    pub(super) fn open_logs(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let mine: Vec<Partition> = self
            .image
            .partitions
            .values()
            .filter(|registration| registration.replicas.contains(&self.own.id))
            .map(|registration| registration.partition)
            .collect();
        self.open_logs_of(mine, step)
    }

    /// The same, of these partitions.
    pub(super) fn open_logs_of(&mut self, mine: Vec<Partition>, step: &mut Step<'_>) -> Result<(), Stop> {
        for partition in mine {
            let directory = self.image.directory(partition).unwrap_or_default();
            let written = self.folder.directories.get(&directory);
            let claiming = self.own.protocol.storage.claiming;
            if written.is_some_and(|&written| claiming.is_of(written, partition.topic)) {
                let point = |of: &BTreeMap<String, EndOffset>| of.get(&directory).copied().unwrap_or_default();
                let loading = Loading {
                    clean: self.folder.clean,
                    recovery_point: point(&self.folder.recovery_points),
                    log_start: point(&self.folder.log_starts),
                    now: step.now,
                };
                self.open_log(partition, directory, loading, step)?;
            }
        }
        LogFolder::logs_are_open(step.disk, self.own.protocol.storage.marker)?;
        Ok(())
    }

    /// Makes the log of a partition that is new here (R10, R15).
    pub(super) fn host(&mut self, partition: Partition, step: &mut Step<'_>) -> Result<bool, Stop> {
        if self.replicas.contains_key(&partition) {
            return Ok(true);
        }
        let Some(directory) = self.image.directory(partition) else { return Ok(false) };
        LogFolder::write_partition_metadata(
            step.disk,
            &directory,
            partition.topic,
            self.own.protocol.storage.replacing,
        )?;
        self.folder.high_watermarks.remove(&directory);
        self.folder.cleaner_offsets.remove(&directory);
        self.open_log(partition, directory, Loading { clean: true, now: step.now, ..Loading::default() }, step)?;
        Ok(true)
    }

    /// The configuration of this broker is not what it was.
    pub(super) fn reconfigure_all(&mut self) {
        let topics = self.replicas.keys().map(|partition| partition.topic).collect();
        self.reconfigure(&topics);
    }

    /// The configuration of these topics is not what it was.
    pub(super) fn reconfigure(&mut self, topics: &BTreeSet<TopicId>) {
        let concerned: Vec<Partition> =
            self.replicas.keys().filter(|partition| topics.contains(&partition.topic)).copied().collect();
        for partition in concerned {
            let config = self.log_config(partition);
            if let Some(replica) = self.replicas.get_mut(&partition) {
                replica.log.reconfigure(config);
            }
        }
    }

    fn open_log(
        &mut self,
        partition: Partition,
        directory: String,
        loading: Loading,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let config = self.log_config(partition);
        let checkpointed = self.folder.high_watermarks.get(&directory).copied().unwrap_or_default();
        let (mut log, recovery) = Log::open(step.disk, &directory, config, loading)?;
        if let Some(&cleaned) = self.folder.cleaner_offsets.get(&directory) {
            log.resume_cleaning_at(cleaned);
        }
        if recovery.epochs_cut {
            step.effects.later(Task::WriteEpochs { partition, latest: log.last_epoch() });
        }
        if !loading.clean || did_something(&recovery) {
            step.effects.note(Event::Recovered { partition, clean: loading.clean, recovery });
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

    /// What holds for a partition's log (C48, §1.18).
    fn log_config(&self, partition: Partition) -> LogConfig {
        const FOREVER: Duration = Duration::from_millis(i64::MAX.unsigned_abs());
        let topic = self.topic_config(partition);
        LogConfig {
            segment_bytes: topic.segment_bytes,
            segment_ms: topic.segment,
            segment_jitter: self.jitter(partition, topic.segment_jitter.min(topic.segment)),
            segment_index_bytes: topic.segment_index_bytes,
            index_interval_bytes: topic.index_interval_bytes,
            flush_messages: topic.flush_messages,
            flush_ms: topic.flush,
            max_message_bytes: u32::try_from(topic.max_message_bytes).unwrap_or(u32::MAX),
            retention_bytes: topic.retention_bytes.get(),
            retention_ms: topic.retention.get(),
            delete: topic.cleanup_policy.delete,
            compact: topic.cleanup_policy.compact,
            file_delete_delay: topic.file_delete_delay,
            delete_retention: topic.delete_retention,
            min_cleanable_dirty_ratio: topic.min_cleanable_dirty_ratio.get(),
            min_compaction_lag: topic.min_compaction_lag,
            max_compaction_lag: Some(topic.max_compaction_lag).filter(|&lag| lag < FOREVER),
            cleaner_map_entries: self.own.config.cleaner_map_entries(),
            storage: self.own.protocol.storage,
        }
    }

    /// How much sooner the segments of a log are closed: below `most`, and another for every log (N31).
    fn jitter(&self, partition: Partition, most: Duration) -> Duration {
        let Ok(most @ 1..) = u64::try_from(most.as_millis()) else { return Duration::ZERO };
        let purpose = format!("segment jitter {partition}");
        Duration::from_millis(self.chance.draw(&purpose, 0) % most)
    }
}

/// Whether a start did more than believe what it found.
fn did_something(recovery: &Recovery) -> bool {
    // Holes are how a cleaned log looks, and say nothing by themselves.
    *recovery != Recovery { holes: recovery.holes, ..Recovery::default() }
}
