//! An independent reader of one broker's disk: it knows the formats of Kafka's files, byte by byte, and shares no code with
//! the log that wrote them.
//!
//! Implements W20 and W21 where the trace cannot see: that every stored batch is whole, that indexes point where they should,
//! and that what a running broker has in memory is what its files say. A broker that does not run may have left anything
//! behind its last whole batch. It must not know what befell the disk; who is excused is for the judge.

mod indexes;
mod producers;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use model::broker::Broker;
use model::log::{BatchId, Log, Producers};
use model::names::{BrokerId, EndOffset, LeaderEpoch};
use sim::disk::SimDisk;

use self::segment::Stored;
use crate::World;
use crate::check::derived::first_contradiction;
use crate::guarantee::Guarantee;

/// Something that is wrong on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it breaks.
    pub guarantee: Guarantee,
    /// How, by a short name that never changes.
    pub kind: &'static str,
    /// In which file or directory.
    pub path: String,
    /// What it is, for people.
    pub sentence: String,
}

/// What a running broker has in memory of one log.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// Its directory.
    pub directory: &'a str,
    /// Log start offset.
    pub start: EndOffset,
    /// Log end offset.
    pub end: EndOffset,
    /// The leader-epoch cache.
    pub epochs: &'a [(LeaderEpoch, EndOffset)],
    /// The producers' state.
    pub producers: &'a Producers,
}

/// The findings of one directory so far.
struct Report<'a> {
    directory: &'a str,
    findings: Vec<Finding>,
}

/// Reads the disk of a broker. One that does not run is only asked what holds before a start has put it right.
#[must_use]
pub fn audit(world: &World, broker: BrokerId) -> Vec<Finding> {
    let Some(disk) = world.disk(broker) else { return Vec::new() };
    audit_broker(disk, world.broker(broker))
}

/// Reads the disk of a broker, and compares it with what its process has in memory, if it runs.
#[must_use]
pub fn audit_broker(disk: &SimDisk, running: Option<&Broker>) -> Vec<Finding> {
    let sights: Vec<Sight<'_>> =
        running.into_iter().flat_map(|broker| broker.replicas()).map(|replica| Sight::of(&replica.log)).collect();
    audit_disk(disk, &sights)
}

/// Reads a disk, and compares it with what a running broker has in memory of some of its logs.
#[must_use]
pub fn audit_disk(disk: &SimDisk, sights: &[Sight<'_>]) -> Vec<Finding> {
    let mut directories: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (path, _) in disk.files() {
        if let Some((directory, base)) = segment::named(path, ".log") {
            directories.entry(directory).or_default().push((base, path));
        }
    }
    let mut findings = Vec::new();
    for (directory, logs) in directories {
        let sight = sights.iter().find(|sight| sight.directory == directory);
        let mut report = Report { directory, findings: Vec::new() };
        report.read(disk, &logs, sight);
        findings.append(&mut report.findings);
    }
    findings
}

impl<'a> Sight<'a> {
    /// What this log has in memory.
    #[must_use]
    pub fn of(log: &'a Log) -> Self {
        Self {
            directory: log.directory(),
            start: log.start(),
            end: log.end(),
            epochs: log.epochs().entries(),
            producers: log.producers(),
        }
    }
}

impl Report<'_> {
    fn read(&mut self, disk: &SimDisk, logs: &[(u64, &str)], sight: Option<&Sight<'_>>) {
        let mut all: Vec<Stored> = Vec::new();
        for &(base, path) in logs {
            let bytes = disk.peek(path).unwrap_or_default();
            let read = segment::read(&bytes);
            if let (Some((at, what)), Some(_)) = (read.broken, sight) {
                self.find(Guarantee::Storage, "stored-batch-corrupt", path, || format!("at byte {at}: {what}"));
            }
            if sight.is_some() {
                self.in_order(path, base, all.last().copied(), &read.batches);
                let index = |suffix: &str| disk.peek(&path.replace(".log", suffix)).unwrap_or_default();
                self.indexes(path, base, &read.batches, (index(".index"), index(".timeindex")));
            }
            all.extend(read.batches);
        }
        if let (Some(sight), Some(&(first, _))) = (sight, logs.first()) {
            self.compare(first, &all, sight);
        }
    }

    /// Offsets rise and epochs do not fall, within a segment and from one to the next.
    fn in_order(&mut self, path: &str, base: u64, before: Option<Stored>, batches: &[Stored]) {
        let mut end = before.map_or(0, |before| before.end());
        if end > base {
            self.find(Guarantee::Storage, "segments-overlap", path, || format!("the one before ends at {end}"));
        }
        end = end.max(base);
        let mut epoch = before.map_or(i32::MIN, |before| before.epoch);
        for batch in batches {
            if batch.base < end || batch.epoch < epoch {
                self.find(Guarantee::Storage, "stored-batches-out-of-order", path, || {
                    format!("{} of epoch {} where {end} of epoch {epoch} or above was to come", batch.base, batch.epoch)
                });
            }
            (end, epoch) = (end.max(batch.end()), epoch.max(batch.epoch));
        }
    }

    fn indexes(&mut self, path: &str, base: u64, batches: &[Stored], (offsets, times): (Bytes, Bytes)) {
        if let Some(wrong) = indexes::wrong_offset_entry(base, &offsets, batches) {
            self.find(Guarantee::DerivedState, "offset-index-wrong", path, || wrong);
        }
        if let Some(wrong) = indexes::wrong_time_entry(base, &times, batches) {
            self.find(Guarantee::DerivedState, "time-index-wrong", path, || wrong);
        }
    }

    /// What is in memory is what the files say.
    fn compare(&mut self, first: u64, batches: &[Stored], sight: &Sight<'_>) {
        let directory = self.directory;
        let last = batches.last().map_or(first, |last| last.end());
        if sight.start.0 < first || sight.start > sight.end || sight.end.0 < last {
            let (start, end) = (sight.start, sight.end);
            self.find(Guarantee::DerivedState, "log-bounds-wrong", directory, || {
                format!("from {start} to {end} in memory, from {first} to {last} on disk")
            });
        }
        let ids: Vec<BatchId> = batches.iter().map(Stored::id).collect();
        // A log start that was not written down goes back with a crash, and the epochs below do not come back (L45, L53).
        let forgotten = EndOffset(if first == 0 { 0 } else { u64::MAX });
        if let Some(wrong) = first_contradiction((sight.start, sight.end), &ids, sight.epochs, forgotten) {
            self.find(Guarantee::DerivedState, "epoch-cache-wrong", directory, || wrong);
        }
        // Whoever wrote only what was deleted is remembered all the same (L62).
        let whole = sight.start == EndOffset::ZERO;
        if let Some(wrong) = producers::difference(sight.producers, &producers::fold(batches), whole) {
            self.find(Guarantee::DerivedState, "producers-wrong", directory, || wrong);
        }
    }

    fn find(&mut self, guarantee: Guarantee, kind: &'static str, path: &str, sentence: impl FnOnce() -> String) {
        self.findings.push(Finding { guarantee, kind, path: path.to_owned(), sentence: sentence() });
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} in {}: {}", self.guarantee, self.kind, self.path, self.sentence)
    }
}
