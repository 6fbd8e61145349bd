//! What an unfinished deletion or cleaning left behind, put right before a log is opened (L48).
//!
//! Names only. This file must not know what is in a file, but for where a segment that was about to be swapped in ends.

use std::collections::BTreeSet;

use super::batch::Batches;
use super::files::{self, Kind, Standing};
use super::slices::Slices;
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Offset};
use crate::protocol::Swapping;

/// Removes what is deleted, what the cleaner had not finished, and indexes without a log; puts in place what it had
/// finished. Returns the base offsets of the segments that are there then, ascending, and how many were swapped in.
pub(super) fn tidy(disk: &mut dyn Disk, directory: &str, swapping: Swapping) -> Result<(Vec<Offset>, u32), DiskError> {
    let mut swapped: Vec<(Offset, Kind)> = Vec::new();
    let mut least_cleaned: Option<Offset> = None;
    for path in disk.list(directory)? {
        match files::parse(&path) {
            Some((base, _, Standing::Cleaned)) => {
                least_cleaned = Some(least_cleaned.map_or(base, |least| least.min(base)));
                disk.remove(&path)?;
            }
            Some((base, kind, Standing::Swap)) => swapped.push((base, kind)),
            _ if files::is_deleted(&path) => disk.remove(&path)?,
            _ => {}
        }
    }
    // A cleaning that made several segments of one and did not finish is undone as a whole (KAFKA-6264).
    let (undone, done): (Vec<_>, Vec<_>) =
        swapped.into_iter().partition(|&(base, _)| least_cleaned.is_some_and(|least| base >= least));
    for (base, kind) in undone {
        disk.remove(&files::path(directory, base, kind, Standing::Swap))?;
    }
    let replaced = swap_in(disk, directory, &done, swapping)?;
    let mut logs = BTreeSet::new();
    let mut indexes = Vec::new();
    for path in disk.list(directory)? {
        match files::parse(&path) {
            Some((base, Kind::Log, Standing::Live)) => {
                logs.insert(base);
            }
            Some((base, _, Standing::Live)) => indexes.push((base, path)),
            _ => {}
        }
    }
    for (_, path) in indexes.iter().filter(|(base, _)| !logs.contains(base)) {
        disk.remove(path)?;
    }
    Ok((logs.into_iter().collect(), replaced))
}

/// Finishes a cleaning: what the new segments were made of goes, then they get their names. The power may go again in the
/// middle of it, and as in the swap itself each change of a name may be undone by itself.
fn swap_in(
    disk: &mut dyn Disk,
    directory: &str,
    swapped: &[(Offset, Kind)],
    swapping: Swapping,
) -> Result<u32, DiskError> {
    let logs: Vec<Offset> = swapped.iter().filter(|(_, kind)| *kind == Kind::Log).map(|&(base, _)| base).collect();
    let Some(&first) = logs.iter().min() else {
        forget_indexes(disk, directory, swapped)?;
        return Ok(0);
    };
    let mut end = EndOffset::ZERO;
    for &base in &logs {
        end = end.max(end_of(disk, &files::path(directory, base, Kind::Log, Standing::Swap), base)?);
    }
    if swapping.syncs_in_between() {
        // The process may have died before the mark of the new segment was on the platter.
        disk.sync_dir(directory)?;
    }
    for path in disk.list(directory)? {
        // One of the same name goes even if nothing is left in the new one, which then ends where it begins. The power may
        // have taken an index of the new one, and that of the old one would stay in its place.
        if let Some((base, _, Standing::Live)) = files::parse(&path)
            && (logs.contains(&base) || (base >= first && end.covers(base)))
        {
            disk.remove(&path)?;
        }
    }
    if swapping.syncs_in_between() {
        disk.sync_dir(directory)?;
    }
    for &base in &logs {
        files::remark(disk, directory, base, (Standing::Swap, Standing::Live))?;
    }
    let others: Vec<_> = swapped.iter().filter(|(base, _)| !logs.contains(base)).copied().collect();
    forget_indexes(disk, directory, &others)?;
    disk.sync_dir(directory)?;
    Ok(u32::try_from(logs.len()).unwrap_or(u32::MAX))
}

/// Removes indexes that were to be swapped in with a log that is not there under that name, and those that are in place
/// beside it. The log may have its last name already, or it may have lost its name altogether, and then the one in place is
/// the old one. An index of the wrong file misleads; one that is not there is built anew (L30).
fn forget_indexes(disk: &mut dyn Disk, directory: &str, indexes: &[(Offset, Kind)]) -> Result<(), DiskError> {
    for &(base, kind) in indexes {
        for standing in [Standing::Swap, Standing::Live] {
            match disk.remove(&files::path(directory, base, kind, standing)) {
                Ok(()) | Err(DiskError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The bound behind the last batch in a file.
fn end_of(disk: &mut dyn Disk, path: &str, base: Offset) -> Result<EndOffset, DiskError> {
    let file = disk.open(path)?;
    let length = disk.len(file)?;
    let bytes = Slices::from(disk.read_slices(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?);
    let batches: Batches = bytes.batches();
    Ok(batches.map_while(Result::ok).last().map_or(base.bound(), |last| last.end()))
}
