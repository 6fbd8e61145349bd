//! What a log does with the files it finds at a start (L46-L55).
//!
//! After a clean stop it believes them. After any other it checks every batch from the segment with the recovery point
//! on, and cuts at the first that is wrong, or that [`Trust`] does not believe: a segment that went missing between two
//! others, bytes that came back from before a truncation (L34). This file must not know how the stop came about.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::checkpoint;
use super::config::LogConfig;
use super::epochs::{self, EpochCache};
use super::files::{self, Kind, Standing};
use super::index::{OffsetIndex, TimeIndex};
use super::leftovers;
use super::log::Log;
use super::producers::Producers;
use super::segment::Segment;
use super::slices::Slices;
use super::snapshots::{self, Durability};
use crate::disk::{Disk, DiskError, FileId};
use crate::names::{EndOffset, Offset, Time};
use crate::protocol::{Storage, Trust};

/// What is known when a log is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// The process before stopped in an orderly way: the files are as it left them (L47, L51).
    pub clean: bool,
    /// From `recovery-point-offset-checkpoint`; zero if it is not there. Not used after a clean stop.
    pub recovery_point: EndOffset,
    /// From `log-start-offset-checkpoint`; zero if it is not there (L45).
    pub log_start: EndOffset,
    /// What the host believes the time is.
    pub now: Time,
}

/// What was found and done when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// Segments that were checked batch by batch.
    pub segments_scanned: u32,
    /// Batches that were checked and kept.
    pub batches_scanned: u64,
    /// Bytes cut off behind the last good batch.
    pub bytes_cut: u64,
    /// Whole segments discarded because something before them was cut.
    pub segments_dropped: u32,
    /// Segments that a cleaning had finished and not put in place yet (L48).
    pub segments_swapped_in: u32,
    /// Segments that were believed but for their indexes, which were missing or malformed (L30).
    pub indexes_rebuilt: u32,
    /// Places where a segment begins above the end of the one before: something between them is missing, or was cleaned.
    pub holes: u32,
    /// Places where a segment begins below the end of the one before: something truncated came back (L34).
    pub overlaps: u32,
    /// The epoch checkpoint could not be read, and was taken for absent (L9).
    pub epochs_malformed: bool,
    /// The epoch cache is not what its file says any more (L53), so [`super::Log::write_epochs`] is due.
    pub epochs_cut: bool,
    /// The log ended below its start, so it begins anew, empty (L52).
    pub began_anew: bool,
}

/// Opens the log in `directory`, or begins one there.
pub(super) fn open(
    disk: &mut dyn Disk,
    directory: &str,
    config: LogConfig,
    loading: Loading,
) -> Result<(Log, Recovery), DiskError> {
    let storage = config.storage;
    let mut recovery = Recovery::default();
    let (bases, swapped_in) = leftovers::tidy(disk, directory, storage.swapping)?;
    recovery.segments_swapped_in = swapped_in;
    let mut loader = Loader {
        disk,
        directory,
        loading,
        storage,
        index_interval: config.index_interval_bytes,
        cleaned_below: config.compact.then_some(loading.recovery_point),
        epochs: EpochCache::default(),
        recovery,
        dropped: Vec::new(),
    };
    loader.read_epochs()?;
    let first_scanned = if loading.clean { bases.len() } else { floor(&bases, loading.recovery_point) };
    let mut segments = loader.load(&bases, first_scanned)?;
    let Loader { mut epochs, mut recovery, mut dropped, .. } = loader;
    let end = segments.last().map_or(EndOffset::ZERO, Segment::end);
    if segments.is_empty() || end < loading.log_start {
        recovery.began_anew = !segments.is_empty();
        for segment in std::mem::take(&mut segments) {
            files::discard(disk, directory, segment.base())?;
            dropped.push(segment.base());
        }
        snapshots::remove_all(disk, directory)?;
        epochs.clear();
        segments.push(Segment::create(disk, directory, loading.log_start.next(), Standing::Live, loading.now)?);
    }
    let start = loading.log_start.max(segments[0].base().bound());
    let end = segments[segments.len() - 1].end();
    let recovery_point = if loading.clean { end } else { end.min(loading.recovery_point) };
    recovery.epochs_cut = recovery.began_anew | epochs.truncate_from_end(end) | epochs.truncate_from_start(start);
    if !loading.clean && storage.trust.completes_epochs() {
        let entries = segments.iter().flat_map(|segment| segment.entries_from(start.next()));
        recovery.epochs_cut |= epochs.complete_front(start, entries.map(|entry| entry.id));
    }
    let doubtful_from = bases.get(first_scanned).map(|base| base.bound());
    let producers = open_producers(disk, directory, &segments, end, doubtful_from)?;
    let due = loading.now + config.file_delete_delay;
    let discarded: VecDeque<(Offset, Time)> = dropped.into_iter().map(|base| (base, due)).collect();
    let log = Log {
        directory: directory.to_owned(),
        config,
        segments,
        start,
        end,
        recovery_point,
        epochs,
        producers,
        flushed_at: loading.now,
        discarded,
        first_dirty: start,
        cuts: 0,
    };
    Ok((log, recovery))
}

/// What is known of producers: what was written down last, and what the batches behind it say (L54). Where segments were
/// scanned, what had been written down about them is not believed; it is written anew where each of them ends.
fn open_producers(
    disk: &mut dyn Disk,
    directory: &str,
    segments: &[Segment],
    end: EndOffset,
    doubtful_from: Option<EndOffset>,
) -> Result<Producers, DiskError> {
    let bases: Vec<Offset> = segments.iter().map(Segment::base).collect();
    snapshots::remove_strays(disk, directory, &bases)?;
    snapshots::remove_above(disk, directory, doubtful_from.map_or(end, |from| from.min(end)))?;
    let mut producers = replay(disk, directory, segments, doubtful_from.map_or(end, |from| from.min(end)))?;
    let scanned = segments.iter().filter(|segment| doubtful_from.is_some_and(|from| segment.base().bound() >= from));
    for segment in scanned {
        replay_segment(disk, segment, segment.base().bound(), end, &mut producers)?;
        snapshots::write(disk, directory, segment.end(), &producers, Durability::Synced)?;
    }
    Ok(producers)
}

/// What is known of producers at `end`, by the newest snapshot not above it and the batches behind that.
pub(super) fn replay(
    disk: &mut dyn Disk,
    directory: &str,
    segments: &[Segment],
    end: EndOffset,
) -> Result<Producers, DiskError> {
    let (from, mut producers) = snapshots::load_newest(disk, directory, end)?.unwrap_or_default();
    for segment in segments.iter().filter(|segment| segment.end() > from) {
        replay_segment(disk, segment, from, end, &mut producers)?;
    }
    Ok(producers)
}

fn replay_segment(
    disk: &mut dyn Disk,
    segment: &Segment,
    from: EndOffset,
    end: EndOffset,
    producers: &mut Producers,
) -> Result<(), DiskError> {
    let entries = segment.entries_from(from.next());
    let below = entries.partition_point(|entry| entry.id.end() <= end);
    if !segment.has_producers() {
        return Ok(());
    }
    let bytes = Slices::from(segment.read(disk, &entries[..below])?);
    bytes.into_batches().map_while(Result::ok).for_each(|batch| producers.update(&batch));
    Ok(())
}

/// Opens segments, oldest first, and brings them in order.
struct Loader<'a> {
    disk: &'a mut dyn Disk,
    directory: &'a str,
    loading: Loading,
    storage: Storage,
    index_interval: u64,
    /// Below, something may be missing between two segments: the cleaner was there.
    cleaned_below: Option<EndOffset>,
    /// What the checkpoint said; learns what recovery sees.
    epochs: EpochCache,
    recovery: Recovery,
    /// Segments that were discarded: their files go some time later (L40).
    dropped: Vec<Offset>,
}

impl Loader<'_> {
    /// What the epoch checkpoint says; nothing if it is not there or cannot be read (L9).
    fn read_epochs(&mut self) -> Result<(), DiskError> {
        let Some(text) = checkpoint::read(self.disk, &format!("{}/{}", self.directory, epochs::FILE))? else {
            return Ok(());
        };
        let parsed = EpochCache::parse(&text);
        self.recovery.epochs_malformed = parsed.is_err();
        self.epochs = parsed.unwrap_or_default();
        Ok(())
    }

    fn load(&mut self, bases: &[Offset], first_scanned: usize) -> Result<Vec<Segment>, DiskError> {
        let mut segments: Vec<Segment> = Vec::with_capacity(bases.len());
        for (index, &base) in bases.iter().enumerate() {
            let scanned = index >= first_scanned;
            if let Some(before) = segments.last() {
                self.recovery.holes += u32::from(base.bound() > before.end());
                self.recovery.overlaps += u32::from(base.bound() < before.end());
                // Below the recovery point, too: a power cut may bring back half of what a truncation took away.
                if !self.loading.clean && !self.storage.trust.keeps_segment(base, before.end(), self.cleaned_below) {
                    self.drop_segments(&bases[index..])?;
                    break;
                }
            }
            let (mut segment, cut) = self.load_segment(base, scanned)?;
            // A segment that was believed and turns out not to be readable is recovered by itself (L30); what is cut in the
            // part that was not believed ends the log (L49, L50). What comes behind goes first: a cut without it would be a
            // hole that nobody notices if the power went now.
            let ends_here = cut && scanned;
            if ends_here {
                self.drop_segments(&bases[index + 1..])?;
            }
            if cut {
                segment.cut_tail(self.disk)?;
            }
            if self.storage.trust.syncs_cuts() {
                // What is not believed today must not come back when the epoch that spoke against it has been forgotten.
                segment.sync_cut(self.disk)?;
                if scanned {
                    // The process before may have cut it, too, and have died before anything was written behind that.
                    segment.doubt_cuts();
                } else {
                    segment.sync_changes(self.disk)?;
                }
            }
            segments.push(segment);
            if ends_here {
                break;
            }
        }
        Ok(segments)
    }

    fn drop_segments(&mut self, bases: &[Offset]) -> Result<(), DiskError> {
        for &base in bases {
            files::discard(self.disk, self.directory, base)?;
            snapshots::discard(self.disk, self.directory, base.bound())?;
            self.recovery.segments_dropped += 1;
            self.dropped.push(base);
        }
        let is_to_last = !bases.is_empty() && self.storage.trust.syncs_cuts();
        if is_to_last { self.disk.sync_dir(self.directory) } else { Ok(()) }
    }

    /// Opens one segment and keeps its batches up to the first that is wrong. Returns whether the file is to be cut there. A
    /// segment that is not `scanned` is believed: its batches are only counted, unless an index is missing or malformed
    /// (L30).
    fn load_segment(&mut self, base: Offset, scanned: bool) -> Result<(Segment, bool), DiskError> {
        let log = self.disk.open(&self.path(base, Kind::Log))?;
        let length = self.disk.len(log)?;
        let bytes = self.disk.read_slices(log, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
        let offsets = self.read_index(base, Kind::OffsetIndex, OffsetIndex::decode)?;
        let times = self.read_index(base, Kind::TimeIndex, TimeIndex::decode)?;
        let sound = offsets.is_some() && times.is_some() && self.transaction_index_is_sound(base)?;
        let (offsets_file, offsets) = self.or_new(base, Kind::OffsetIndex, offsets, OffsetIndex::new)?;
        let (times_file, times) = self.or_new(base, Kind::TimeIndex, times, TimeIndex::new)?;
        let mut segment = Segment::of_files((log, offsets_file, times_file), (offsets, times), base, self.loading.now);
        let checked = scanned || !sound;
        self.recovery.segments_scanned += u32::from(checked);
        self.recovery.indexes_rebuilt += u32::from(!sound && !scanned);
        for batch in Slices::from(bytes).into_batches() {
            let Ok(batch) = batch else { break };
            if (checked && !self.believes(&batch)) || !segment.takes(&batch) {
                break;
            }
            segment.note(&batch);
            if checked {
                self.recovery.batches_scanned += 1;
                self.learn_epoch(&batch)?;
            }
        }
        let cut = segment.size() < length;
        if cut {
            if checked {
                segment.forget_behind(self.storage.tail.kept(segment.entries().len()));
            }
            self.recovery.bytes_cut += length - segment.size();
        }
        if checked || cut {
            segment.rebuild_indexes(self.disk, self.index_interval)?;
        } else {
            segment.settle_indexes();
        }
        Ok((segment, cut))
    }

    fn believes(&self, batch: &Batch) -> bool {
        let recorded = self.epochs.at(batch.base_offset());
        let trust: Trust = self.storage.trust;
        self.storage.tail.keeps(batch.is_valid())
            && trust.keeps_batch(batch.leader_epoch(), recorded, self.epochs.latest())
    }

    /// An index as it was found; `None` if it is missing or malformed.
    fn read_index<I>(
        &mut self,
        base: Offset,
        kind: Kind,
        decode: fn(Offset, &[u8]) -> Result<I, checkpoint::Malformed>,
    ) -> Result<Option<(FileId, I)>, DiskError> {
        let file = match self.disk.open(&self.path(base, kind)) {
            Ok(file) => file,
            Err(DiskError::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = self.disk.len(file)?;
        let bytes = self.disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(decode(base, &bytes).ok().map(|index| (file, index)))
    }

    fn or_new<I>(
        &mut self,
        base: Offset,
        kind: Kind,
        found: Option<(FileId, I)>,
        new: fn(Offset) -> I,
    ) -> Result<(FileId, I), DiskError> {
        match found {
            Some(found) => Ok(found),
            None => Ok((self.disk.create(&self.path(base, kind))?, new(base))),
        }
    }

    /// There is none, or one of whole entries (L30). This broker never makes one: no transaction is aborted yet.
    fn transaction_index_is_sound(&mut self, base: Offset) -> Result<bool, DiskError> {
        const ENTRY_SIZE: u64 = 34;
        match self.disk.open(&self.path(base, Kind::TransactionIndex)) {
            Ok(file) => Ok(self.disk.len(file)?.is_multiple_of(ENTRY_SIZE)),
            Err(DiskError::NotFound) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Recovery only ever adds epochs: what the checkpoint says about older ones stands (L49, L53).
    fn learn_epoch(&mut self, batch: &Batch) -> Result<(), DiskError> {
        let epoch = batch.leader_epoch();
        let is_news =
            self.epochs.latest().is_none_or(|latest| epoch > latest) && self.storage.recording.is_learned(epoch);
        if is_news && self.epochs.assign(epoch, batch.base_offset().bound()) {
            epochs::write(self.disk, self.directory, &self.epochs, self.storage)?;
        }
        Ok(())
    }

    fn path(&self, base: Offset, kind: Kind) -> String {
        files::path(self.directory, base, kind, Standing::Live)
    }
}

/// The segment that contains the recovery point, or the first.
fn floor(bases: &[Offset], recovery_point: EndOffset) -> usize {
    bases.partition_point(|base| base.bound() <= recovery_point).saturating_sub(1)
}
