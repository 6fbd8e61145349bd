//! Small files that are replaced as a whole: after a power cut the old or the new one is there, never a mix (L9).
//!
//! And the text that Kafka puts in most of them: a version, a count, one entry a line. This file must not know what an
//! entry means beyond "this bound, for this partition".

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::Bytes;

use crate::disk::{Disk, DiskError};
use crate::names::EndOffset;
use crate::protocol::Replacing;

/// Content that no such file has. Whoever reads a checkpoint goes on as if there were none (L9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed file: {0}")]
pub struct Malformed(pub &'static str);

/// Replaces the file at `path`: writes beside it, syncs, renames, syncs the directory.
///
/// # Errors
/// Whatever the disk says. After [`DiskError::Crashed`] the file is the old or the new one.
pub fn replace(
    disk: &mut dyn Disk,
    path: &str,
    content: impl Into<Bytes>,
    replacing: Replacing,
) -> Result<(), DiskError> {
    let temporary = format!("{path}.tmp");
    let file = disk.create(&temporary)?;
    disk.append(file, content.into())?;
    if replacing.syncs_first() {
        disk.sync(file)?;
    }
    disk.rename(&temporary, path)?;
    disk.sync_dir(path.rsplit_once('/').map_or("", |(directory, _)| directory))
}

/// The text of the file at `path`, if it is there. What is not UTF-8 becomes text that no parser accepts.
///
/// # Errors
/// Whatever else the disk says.
pub fn read(disk: &mut dyn Disk, path: &str) -> Result<Option<String>, DiskError> {
    let file = match disk.open(path) {
        Ok(file) => file,
        Err(DiskError::NotFound) => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = disk.len(file)?;
    let bytes = disk.read(file, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The text of `recovery-point-offset-checkpoint` and `replication-offset-checkpoint`: lines "topic partition offset".
/// Each name is a partition's directory.
///
/// # Panics
/// When a name is not `<topic>-<partition>`: a bug of the caller, who made it.
#[must_use]
pub fn offsets_to_text<N: AsRef<str>>(points: impl IntoIterator<Item = (N, EndOffset)>) -> String {
    let mut lines = String::new();
    let mut count = 0;
    for (name, point) in points {
        let (topic, partition) = split_directory(name.as_ref()).expect("a directory is <topic>-<partition>");
        writeln!(lines, "{topic} {partition} {point}").expect("a string takes everything");
        count += 1;
    }
    format!("0\n{count}\n{lines}")
}

/// Reads what [`offsets_to_text`] writes.
///
/// # Errors
/// [`Malformed`] for text of any other form.
pub fn parse_offsets(text: &str) -> Result<BTreeMap<String, EndOffset>, Malformed> {
    let mut points = BTreeMap::new();
    for line in entries(text)? {
        let mut words = line.split(' ');
        let (Some(topic), Some(partition), Some(point), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed("not a topic, a partition and an offset"));
        };
        let directory = format!("{topic}-{partition}");
        split_directory(&directory).ok_or(Malformed("not a partition"))?;
        points.insert(directory, offset(point)?);
    }
    Ok(points)
}

/// A partition's directory, `<topic>-<partition>`, in its two parts.
#[must_use]
pub fn split_directory(name: &str) -> Option<(&str, u32)> {
    let (topic, partition) = name.rsplit_once('-')?;
    let canonical = partition == "0" || !partition.starts_with(['0', '+']);
    (!topic.is_empty() && canonical).then_some((topic, partition.parse().ok()?))
}

/// The lines behind version and count, which must be as many as the count says.
pub(super) fn entries(text: &str) -> Result<Vec<&str>, Malformed> {
    let mut lines = text.lines();
    match lines.next() {
        // Kafka creates the file empty and reads that as "no entries".
        None => return Ok(Vec::new()),
        Some("0") => {}
        Some(_) => return Err(Malformed("version is not 0")),
    }
    let count: usize = lines.next().and_then(|line| line.parse().ok()).ok_or(Malformed("no count of entries"))?;
    let entries: Vec<&str> = lines.collect();
    if entries.len() != count {
        return Err(Malformed("not as many entries as it says"));
    }
    Ok(entries)
}

pub(super) fn offset(text: &str) -> Result<EndOffset, Malformed> {
    match text.parse() {
        Ok(offset) if i64::try_from(offset).is_ok() => Ok(EndOffset(offset)),
        _ => Err(Malformed("not an offset")),
    }
}
