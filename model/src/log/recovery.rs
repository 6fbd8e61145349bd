//! What a log does with the files it finds at a start (L46-L55).
//!
//! After a clean stop it believes them. After any other it checks every batch from the segment with the recovery point
//! on, and cuts at the first that is wrong, or that [`Trust`] does not believe: a segment that went missing between two
//! others, bytes that came back from before a truncation (L34). This file must not know how the stop came about.

use super::batch::{Batch, Batches};
use super::checkpoint;
use super::epochs::{self, EpochCache};
use super::segment::{self, DELETED, Segment};
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Offset};
use crate::protocol::Trust;

/// What is known when a log is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// The process before stopped in an orderly way: the files are as it left them (L47, L51).
    pub clean: bool,
    /// From `recovery-point-offset-checkpoint`; zero if it is not there. Not used after a clean stop.
    pub recovery_point: EndOffset,
    /// What is believed after any other.
    pub trust: Trust,
}

/// What was found and done when a log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments that were checked batch by batch.
    pub segments_scanned: u32,
    /// Batches that were checked and kept.
    pub batches_scanned: u64,
    /// Bytes cut off behind the last good batch.
    pub bytes_cut: u64,
    /// Whole segments discarded because something before them was cut.
    pub segments_dropped: u32,
    /// Places where a segment begins above the end of the one before: something between them is missing.
    pub holes: u32,
    /// Places where a segment begins below the end of the one before: something truncated came back (L34).
    pub overlaps: u32,
    /// The epoch checkpoint could not be read, and was taken for absent (L9).
    pub epochs_malformed: bool,
    /// The epoch cache is not what its file says any more (L53), so [`super::Log::write_epochs`] is due.
    pub epochs_cut: bool,
}

/// Opens the segments in a directory, oldest first, and brings them in order. `epochs` is what the checkpoint said, and
/// learns what recovery sees.
pub(super) fn load(
    disk: &mut dyn Disk,
    directory: &str,
    loading: Loading,
    epochs: &mut EpochCache,
    recovery: &mut Recovery,
) -> Result<Vec<Segment>, DiskError> {
    let bases = segment_bases(disk, directory)?;
    let first_scanned = if loading.clean { bases.len() } else { floor(&bases, loading.recovery_point) };
    let mut segments: Vec<Segment> = Vec::with_capacity(bases.len());
    for (index, &base) in bases.iter().enumerate() {
        let scanned = index >= first_scanned;
        if let Some(before) = segments.last() {
            recovery.holes += u32::from(base.bound() > before.end());
            recovery.overlaps += u32::from(base.bound() < before.end());
            if scanned && !loading.trust.keeps_segment(base, before.end()) {
                drop_segments(disk, directory, &bases[index..], recovery)?;
                break;
            }
        }
        let trust = scanned.then_some(loading.trust);
        let (segment, cut) = load_segment(disk, directory, base, trust, epochs, recovery)?;
        segments.push(segment);
        // A segment that was believed and turns out not to be readable is recovered by itself (L30); what is cut in the
        // part that was not believed ends the log (L49, L50).
        if cut && scanned {
            drop_segments(disk, directory, &bases[index + 1..], recovery)?;
            break;
        }
    }
    Ok(segments)
}

fn drop_segments(
    disk: &mut dyn Disk,
    directory: &str,
    bases: &[Offset],
    recovery: &mut Recovery,
) -> Result<(), DiskError> {
    for &base in bases {
        segment::discard(disk, directory, base)?;
        recovery.segments_dropped += 1;
    }
    Ok(())
}

/// The base offsets of the segments in a directory, ascending. Removes what was discarded earlier (L48).
fn segment_bases(disk: &mut dyn Disk, directory: &str) -> Result<Vec<Offset>, DiskError> {
    let mut bases = Vec::new();
    for path in disk.list(directory)? {
        if path.ends_with(DELETED) {
            disk.remove(&path)?;
        } else {
            bases.extend(segment::base_in(&path));
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

/// The segment that contains the recovery point, or the first.
fn floor(bases: &[Offset], recovery_point: EndOffset) -> usize {
    bases.partition_point(|base| base.bound() <= recovery_point).saturating_sub(1)
}

/// Opens one segment, keeps its batches up to the first that is wrong, and cuts there. Returns whether it cut. Without a
/// `trust` the segment is believed: its batches are only indexed.
fn load_segment(
    disk: &mut dyn Disk,
    directory: &str,
    base: Offset,
    trust: Option<Trust>,
    epochs: &mut EpochCache,
    recovery: &mut Recovery,
) -> Result<(Segment, bool), DiskError> {
    let (mut segment, bytes) = Segment::open(disk, directory, base)?;
    let length = bytes.len() as u64;
    recovery.segments_scanned += u32::from(trust.is_some());
    for batch in Batches::new(bytes) {
        let Ok(batch) = batch else { break };
        let believed = trust.is_none_or(|trust| {
            let recorded = epochs.at(batch.base_offset());
            batch.is_valid() && trust.keeps_batch(batch.leader_epoch(), recorded, epochs.latest())
        });
        if !believed || !segment.takes(batch.id(), batch.size()) {
            break;
        }
        segment.index(batch.id(), batch.size());
        if trust.is_some() {
            recovery.batches_scanned += 1;
            learn_epoch(disk, directory, &batch, epochs)?;
        }
    }
    let cut = segment.size() < length;
    if cut {
        recovery.bytes_cut += length - segment.size();
        segment.cut_tail(disk)?;
    }
    Ok((segment, cut))
}

/// What the epoch checkpoint says; nothing if it is not there or cannot be read (L9).
pub(super) fn read_epochs(
    disk: &mut dyn Disk,
    directory: &str,
    recovery: &mut Recovery,
) -> Result<EpochCache, DiskError> {
    let Some(text) = checkpoint::read(disk, &format!("{directory}/{}", epochs::FILE))? else {
        return Ok(EpochCache::default());
    };
    let parsed = EpochCache::parse(&text);
    recovery.epochs_malformed = parsed.is_err();
    Ok(parsed.unwrap_or_default())
}

/// Recovery only ever adds epochs: what the checkpoint says about older ones stands (L49, L53).
fn learn_epoch(disk: &mut dyn Disk, directory: &str, batch: &Batch, epochs: &mut EpochCache) -> Result<(), DiskError> {
    let epoch = batch.leader_epoch();
    if epochs.latest().is_none_or(|latest| epoch > latest) && epochs.assign(epoch, batch.base_offset().bound()) {
        epochs::write(disk, directory, epochs)?;
    }
    Ok(())
}
