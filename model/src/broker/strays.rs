//! Directories that are no partition's any more: put aside under another name at once, removed later (R98, L48).
//!
//! A stray is the directory of a partition that this broker does not host, or of another topic of the same name, or of
//! one that was being made when the process ended. It goes by another name before anything else is made where it was.
//! Does not know what is in it.

use std::collections::{BTreeMap, BTreeSet};

use super::Process;
use super::step::Step;
use crate::disk::{Disk, DiskError};
use crate::event::Event;
use crate::machine::{Chance, Stop};
use crate::names::Time;

/// Ends the name of a directory that was found to be nobody's.
const STRAY: &str = "-stray";
/// Ends the name of a directory whose partition was removed.
const DELETED: &str = "-delete";

/// Directories that are to be removed, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Strays {
    due: BTreeMap<String, Time>,
}

impl Strays {
    /// What an earlier process put aside and did not come to remove.
    pub(super) fn left_over(disk: &mut dyn Disk, due: Time) -> Result<Self, DiskError> {
        let paths = disk.list("")?;
        let directories = paths.iter().filter_map(|path| path.split_once('/')).map(|(directory, _)| directory);
        let left = directories.filter(|name| name.ends_with(STRAY) || name.ends_with(DELETED));
        Ok(Self { due: left.map(|name| (name.to_owned(), due)).collect() })
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.due.values().min().copied()
    }

    /// Another name for a directory, as Kafka makes them, and one that is not taken.
    fn name_for(&self, directory: &str, end: &str, chance: Chance) -> String {
        let name = |nth: u64| {
            let drawn = [0, 1].map(|half| chance.draw("stray directory", 2 * nth + half));
            format!("{directory}.{:016x}{:016x}{end}", drawn[0], drawn[1])
        };
        (0..).map(name).find(|name| !self.due.contains_key(name)).expect("there are more names than directories")
    }
}

impl Process {
    /// Puts aside every directory that is none of the replicas' that are open. A checkpoint that still speaks of one must
    /// not be taken for that of a partition that is made in its place: all are written anew.
    pub(super) fn put_strays_aside(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let open: BTreeSet<&str> = self.replicas.values().map(|replica| replica.log.directory()).collect();
        let is_stray = |name: &&String| !open.contains(name.as_str());
        let strays: Vec<String> = self.folder.directories.keys().filter(is_stray).cloned().collect();
        let points = [
            &self.folder.recovery_points,
            &self.folder.log_starts,
            &self.folder.cleaner_offsets,
            &self.folder.high_watermarks,
        ];
        let outdated = points.into_iter().any(|points| points.keys().any(|name| is_stray(&name)));
        let due = step.now + self.own.config.log_segment_delete_delay;
        for directory in &strays {
            let aside = self.strays.name_for(directory, STRAY, self.chance);
            step.disk.rename_dir(directory, &aside)?;
            self.strays.due.insert(aside, due);
            self.folder.directories.remove(directory);
            step.effects.note(Event::Strayed { directory: directory.clone() });
        }
        if !strays.is_empty() {
            step.disk.sync_dir("")?;
        }
        if outdated {
            self.write_recovery_points(step)?;
            self.write_log_starts(step)?;
            self.write_cleaner_offsets(step)?;
            self.write_high_watermarks(step)?;
        }
        Ok(())
    }

    /// Gives the directory of a replica that was removed another name, and forgets what checkpoints say of it. The name is
    /// durable with the next sync of the log directory.
    pub(super) fn put_aside_to_delete(&mut self, directory: &str, step: &mut Step<'_>) -> Result<(), Stop> {
        let aside = self.strays.name_for(directory, DELETED, self.chance);
        step.disk.rename_dir(directory, &aside)?;
        self.strays.due.insert(aside, step.now + self.own.config.log_segment_delete_delay);
        self.folder.directories.remove(directory);
        self.folder.recovery_points.remove(directory);
        self.folder.log_starts.remove(directory);
        self.folder.cleaner_offsets.remove(directory);
        self.folder.high_watermarks.remove(directory);
        Ok(())
    }

    /// Removes what was put aside long enough ago. What comes back after a power cut is found again by the next start.
    pub(super) fn remove_strays(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        while let Some(directory) = self.strays.overdue(step.now) {
            for path in step.disk.list(&directory)? {
                step.disk.remove(&path)?;
            }
        }
        Ok(())
    }
}

impl Strays {
    fn overdue(&mut self, now: Time) -> Option<String> {
        let name = self.due.iter().find(|(_, due)| now >= **due)?.0.clone();
        self.due.remove(&name);
        Some(name)
    }
}
