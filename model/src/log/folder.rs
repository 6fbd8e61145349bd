//! The log directory of one process: what it left there for its next life (L9, L33, L44, L46, L47).
//!
//! Checkpoints for all partitions together, the clean-shutdown marker, and which partitions there are at all. This file
//! must not know what is in a partition's log.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Malformed};
use crate::disk::{Disk, DiskError};
use crate::names::{BrokerEpoch, EndOffset, TopicId};
use crate::protocol::{Marker, Replacing};

const CLEAN_SHUTDOWN: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const LOG_STARTS: &str = "log-start-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const CLEANER_OFFSETS: &str = "cleaner-offset-checkpoint";
const PARTITION_METADATA: &str = "partition.metadata";

/// What a process finds in its log directory when it starts. Partitions go by the names of their directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogFolder {
    /// The life before stopped in an orderly way; every log may be opened as clean.
    pub clean: bool,
    /// The broker epoch of that life, for the registration of this one. Only after a clean stop.
    pub previous_broker_epoch: Option<BrokerEpoch>,
    /// Everything below is synced; a partition that is missing counts as zero.
    pub recovery_points: BTreeMap<String, EndOffset>,
    /// Log start offsets above the first segment's; a partition that is missing begins where its first segment does.
    pub log_starts: BTreeMap<String, EndOffset>,
    /// What the cleaner has not looked at yet begins here; a partition that is missing was never cleaned.
    pub cleaner_offsets: BTreeMap<String, EndOffset>,
    /// High watermarks as of the last checkpoint, to be clamped to the log; a partition that is missing counts as zero.
    pub high_watermarks: BTreeMap<String, EndOffset>,
    /// The partitions' directories, and whose they are. `None`: it was being made or removed when the process ended.
    pub directories: BTreeMap<String, Option<TopicId>>,
    /// Checkpoint files that could not be read, and were taken for absent (L9).
    pub malformed: Vec<&'static str>,
}

/// What the marker says.
#[derive(Serialize, Deserialize)]
struct CleanShutdown {
    version: i32,
    #[serde(rename = "brokerEpoch")]
    broker_epoch: i64,
}

impl LogFolder {
    /// Reads the log directory. The marker is gone before anything else is read, so that a crash from now on counts as
    /// one (L47, KAFKA-10471); its removal is synced, which Kafka leaves to chance.
    ///
    /// # Errors
    /// Whatever the disk says; what it holds is never an error (L9).
    pub fn open(disk: &mut dyn Disk, marker: Marker) -> Result<Self, DiskError> {
        let mut folder = Self::default();
        if let Some(text) = checkpoint::read(disk, CLEAN_SHUTDOWN)? {
            if marker.goes_first() {
                Self::remove_marker(disk)?;
            }
            folder.clean = true;
            folder.previous_broker_epoch = epoch_in(&text);
        }
        folder.recovery_points = folder.read_offsets(disk, RECOVERY_POINTS)?;
        folder.log_starts = folder.read_offsets(disk, LOG_STARTS)?;
        folder.cleaner_offsets = folder.read_offsets(disk, CLEANER_OFFSETS)?;
        folder.high_watermarks = folder.read_offsets(disk, HIGH_WATERMARKS)?;
        for name in partition_directories(disk)? {
            let topic = read_topic(disk, &name)?;
            folder.directories.insert(name, topic);
        }
        Ok(folder)
    }

    /// All logs are open: the marker goes, if it has not gone before. It is no error if there is none.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn logs_are_open(disk: &mut dyn Disk, marker: Marker) -> Result<(), DiskError> {
        if marker.goes_first() {
            return Ok(());
        }
        match Self::remove_marker(disk) {
            Ok(()) | Err(DiskError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn remove_marker(disk: &mut dyn Disk) -> Result<(), DiskError> {
        disk.remove(CLEAN_SHUTDOWN)?;
        disk.sync_dir("")
    }

    /// Replaces `recovery-point-offset-checkpoint`: from time to time, after a truncation, and at the end (L33). All
    /// partitions, always.
    ///
    /// # Errors
    /// Whatever the disk says.
    ///
    /// # Panics
    /// When a name is not that of a partition's directory.
    pub fn write_recovery_points<N: AsRef<str>>(
        disk: &mut dyn Disk,
        points: impl IntoIterator<Item = (N, EndOffset)>,
        replacing: Replacing,
    ) -> Result<(), DiskError> {
        checkpoint::replace(disk, RECOVERY_POINTS, checkpoint::offsets_to_text(points), replacing)
    }

    /// Replaces `log-start-offset-checkpoint`: from time to time, and at the end (L45). Only partitions that begin above
    /// their first segment.
    ///
    /// # Errors
    /// Whatever the disk says.
    ///
    /// # Panics
    /// When a name is not that of a partition's directory.
    pub fn write_log_starts<N: AsRef<str>>(
        disk: &mut dyn Disk,
        starts: impl IntoIterator<Item = (N, EndOffset)>,
        replacing: Replacing,
    ) -> Result<(), DiskError> {
        checkpoint::replace(disk, LOG_STARTS, checkpoint::offsets_to_text(starts), replacing)
    }

    /// Replaces `cleaner-offset-checkpoint`: after a cleaning, and when a log was cut below (L77, L84). Only partitions
    /// that were cleaned.
    ///
    /// # Errors
    /// Whatever the disk says.
    ///
    /// # Panics
    /// When a name is not that of a partition's directory.
    pub fn write_cleaner_offsets<N: AsRef<str>>(
        disk: &mut dyn Disk,
        offsets: impl IntoIterator<Item = (N, EndOffset)>,
        replacing: Replacing,
    ) -> Result<(), DiskError> {
        checkpoint::replace(disk, CLEANER_OFFSETS, checkpoint::offsets_to_text(offsets), replacing)
    }

    /// Replaces `replication-offset-checkpoint`: from time to time, and at the end (L44). All partitions, always.
    ///
    /// # Errors
    /// Whatever the disk says.
    ///
    /// # Panics
    /// When a name is not that of a partition's directory.
    pub fn write_high_watermarks<N: AsRef<str>>(
        disk: &mut dyn Disk,
        watermarks: impl IntoIterator<Item = (N, EndOffset)>,
        replacing: Replacing,
    ) -> Result<(), DiskError> {
        checkpoint::replace(disk, HIGH_WATERMARKS, checkpoint::offsets_to_text(watermarks), replacing)
    }

    /// Leaves the marker: the last thing an orderly stop does, after all logs are closed and all checkpoints written
    /// (L46). Its content is synced, its name is not: lost, it only makes the next start careful.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn mark_clean(disk: &mut dyn Disk, broker_epoch: Option<BrokerEpoch>) -> Result<(), DiskError> {
        let marker = CleanShutdown { version: 0, broker_epoch: broker_epoch.map_or(-1, |epoch| epoch.0) };
        let json = serde_json::to_vec(&marker).expect("two numbers are always JSON");
        let file = disk.create(CLEAN_SHUTDOWN)?;
        disk.append(file, Bytes::from(json))?;
        disk.sync(file)
    }

    /// Says whose a partition's directory is: before the first append (L15), so that the next life finds it.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub fn write_partition_metadata(
        disk: &mut dyn Disk,
        directory: &str,
        topic: TopicId,
        replacing: Replacing,
    ) -> Result<(), DiskError> {
        let text = format!("version: 0\ntopic_id: {}\n", topic.0);
        checkpoint::replace(disk, &metadata_path(directory), text, replacing)
    }

    fn read_offsets(
        &mut self,
        disk: &mut dyn Disk,
        file: &'static str,
    ) -> Result<BTreeMap<String, EndOffset>, DiskError> {
        let text = checkpoint::read(disk, file)?.unwrap_or_default();
        Ok(checkpoint::parse_offsets(&text).unwrap_or_else(|Malformed(_)| {
            self.malformed.push(file);
            BTreeMap::new()
        }))
    }
}

/// Where a partition's topic id is kept.
fn metadata_path(directory: &str) -> String {
    format!("{directory}/{PARTITION_METADATA}")
}

/// A marker without a readable epoch is a marker all the same, as those of old versions were.
fn epoch_in(marker: &str) -> Option<BrokerEpoch> {
    let marker: CleanShutdown = serde_json::from_str(marker).ok()?;
    (marker.version == 0 && marker.broker_epoch >= 0).then_some(BrokerEpoch(marker.broker_epoch))
}

fn partition_directories(disk: &mut dyn Disk) -> Result<BTreeSet<String>, DiskError> {
    let paths = disk.list("")?;
    let directories = paths.iter().filter_map(|path| path.split_once('/').map(|(directory, _)| directory));
    Ok(directories.filter(|name| checkpoint::split_directory(name).is_some()).map(str::to_owned).collect())
}

fn read_topic(disk: &mut dyn Disk, directory: &str) -> Result<Option<TopicId>, DiskError> {
    let text = checkpoint::read(disk, &metadata_path(directory))?.unwrap_or_default();
    let mut lines = text.lines();
    let versioned = lines.next() == Some("version: 0");
    let topic = lines.next().and_then(|line| line.strip_prefix("topic_id: ")?.parse().ok());
    Ok(topic.filter(|_| versioned).map(TopicId))
}
