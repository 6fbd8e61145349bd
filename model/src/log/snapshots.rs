//! The `.snapshot` files in one replica's directory: the producers' state at the offset in the name (L54, L63).
//!
//! Each covers what lies below its offset. One that is missing or corrupt costs a longer replay and nothing else, so they
//! are written in place. This file must not know segments or the log; who reads on from where a snapshot ends does.

use super::files::DELETED;
use super::producers::Producers;
use crate::disk::{Disk, DiskError};
use crate::names::{EndOffset, Offset};

/// What the name of a snapshot ends with.
const SUFFIX: &str = ".snapshot";

/// Whether a snapshot is on the disk, or only in the page cache, when the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Synced: at a clean close and after a segment was recovered (§1.2).
    Synced,
    /// Not synced: at a roll, whose background task calls [`sync`] (L28).
    Cached,
}

/// Where the snapshot of what lies below `end` is kept.
#[must_use]
pub fn path(directory: &str, end: EndOffset) -> String {
    format!("{directory}/{:020}{SUFFIX}", end.0)
}

/// The snapshots in the directory, by the end of what they cover, in order.
///
/// # Errors
/// Whatever the disk says.
pub fn list(disk: &mut dyn Disk, directory: &str) -> Result<Vec<EndOffset>, DiskError> {
    let paths = disk.list(directory)?;
    let mut ends: Vec<_> = paths.iter().filter_map(|path| end_in(path.strip_prefix(directory)?)).collect();
    ends.sort_unstable();
    Ok(ends)
}

/// Writes the snapshot of what lies below `end`, over the one that is there. The directory is not synced.
///
/// # Errors
/// Whatever the disk says.
pub fn write(
    disk: &mut dyn Disk,
    directory: &str,
    end: EndOffset,
    producers: &Producers,
    durability: Durability,
) -> Result<(), DiskError> {
    let file = disk.create(&path(directory, end))?;
    disk.append(file, producers.encode())?;
    match durability {
        Durability::Synced => disk.sync(file),
        Durability::Cached => Ok(()),
    }
}

/// Syncs a snapshot, if it is still there.
///
/// # Errors
/// Whatever else the disk says.
pub fn sync(disk: &mut dyn Disk, directory: &str, end: EndOffset) -> Result<(), DiskError> {
    match disk.open(&path(directory, end)) {
        Ok(file) => disk.sync(file),
        Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The newest snapshot that covers nothing at `upto` or above, and where it ends (L54). Corrupt ones are removed and the
/// next older one tried. Kafka forgets here who has expired; the caller does that, who knows the time.
///
/// # Errors
/// Whatever the disk says.
pub fn load_newest(
    disk: &mut dyn Disk,
    directory: &str,
    upto: EndOffset,
) -> Result<Option<(EndOffset, Producers)>, DiskError> {
    for end in list(disk, directory)?.into_iter().rev().filter(|end| *end <= upto) {
        let file = disk.open(&path(directory, end))?;
        let length = disk.len(file)?;
        let bytes = disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
        match Producers::decode(&bytes) {
            Ok(producers) => return Ok(Some((end, producers))),
            Err(_) => remove(disk, directory, end)?,
        }
    }
    Ok(None)
}

/// Removes the snapshots that no segment needs (L54): they stay where a segment begins, and the newest other one stays if
/// it lies above all segments, as a clean shutdown leaves it.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_strays(disk: &mut dyn Disk, directory: &str, segment_bases: &[Offset]) -> Result<(), DiskError> {
    let mut strays = list(disk, directory)?;
    strays.retain(|end| !segment_bases.contains(&end.next()));
    if let Some(newest) = strays.last()
        && segment_bases.iter().all(|base| base.bound() < *newest)
    {
        strays.pop();
    }
    strays.into_iter().try_for_each(|end| remove(disk, directory, end))
}

/// Removes the snapshots that a log of these bounds cannot use: above its end, because what they cover was truncated, and
/// at its start or below, because they say nothing about what is in it (L40).
///
/// # Errors
/// Whatever the disk says.
pub fn remove_outside(
    disk: &mut dyn Disk,
    directory: &str,
    log_start: EndOffset,
    log_end: EndOffset,
) -> Result<(), DiskError> {
    remove_where(disk, directory, |end| end <= log_start || end > log_end)
}

/// Removes the snapshots that end below `bound`.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_below(disk: &mut dyn Disk, directory: &str, bound: EndOffset) -> Result<(), DiskError> {
    remove_where(disk, directory, |end| end < bound)
}

/// Removes the snapshots that end above `bound`.
///
/// # Errors
/// Whatever the disk says.
pub fn remove_above(disk: &mut dyn Disk, directory: &str, bound: EndOffset) -> Result<(), DiskError> {
    remove_where(disk, directory, |end| end > bound)
}

/// Removes all of them (L42).
///
/// # Errors
/// Whatever the disk says.
pub fn remove_all(disk: &mut dyn Disk, directory: &str) -> Result<(), DiskError> {
    remove_where(disk, directory, |_| true)
}

/// Removes one snapshot, if it is there.
///
/// # Errors
/// Whatever else the disk says.
pub fn remove(disk: &mut dyn Disk, directory: &str, end: EndOffset) -> Result<(), DiskError> {
    match disk.remove(&path(directory, end)) {
        Ok(()) | Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Takes a snapshot away with its segment, without losing its bytes yet (L40). If it is gone already, that is fine.
///
/// # Errors
/// Whatever else the disk says.
pub fn discard(disk: &mut dyn Disk, directory: &str, end: EndOffset) -> Result<(), DiskError> {
    let path = path(directory, end);
    match disk.rename(&path, &format!("{path}{DELETED}")) {
        Ok(()) | Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes a snapshot that was [discarded](discard), if it is there.
///
/// # Errors
/// Whatever else the disk says.
pub fn remove_discarded(disk: &mut dyn Disk, directory: &str, end: EndOffset) -> Result<(), DiskError> {
    match disk.remove(&format!("{}{DELETED}", path(directory, end))) {
        Ok(()) | Err(DiskError::NotFound) => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove_where(disk: &mut dyn Disk, directory: &str, unwanted: impl Fn(EndOffset) -> bool) -> Result<(), DiskError> {
    list(disk, directory)?.into_iter().filter(|end| unwanted(*end)).try_for_each(|end| remove(disk, directory, end))
}

/// The offset in the name of a snapshot directly in the directory; `None` for every other file.
fn end_in(path_below_directory: &str) -> Option<EndOffset> {
    let digits = path_below_directory.strip_prefix('/')?.strip_suffix(SUFFIX)?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let end: u64 = all_digits.then(|| digits.parse().ok())??;
    i64::try_from(end).is_ok().then_some(EndOffset(end))
}
