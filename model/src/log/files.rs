//! What the files of a segment are called (§1.2): the base offset in twenty digits, what is in it, and, behind that, a word
//! for a file that is on its way into the log or out of it.
//!
//! Names only. This file must not know what is in a file, nor why it has its name.

use crate::disk::{Disk, DiskError};
use crate::names::Offset;

/// What the name of a file that is out of the log ends with.
pub(super) const DELETED: &str = ".deleted";

/// What a file of a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `.log`: the batches.
    Log,
    /// `.index`: where some offsets lie.
    OffsetIndex,
    /// `.timeindex`: since which offset some timestamps have been reached.
    TimeIndex,
    /// `.txnindex`: the aborted transactions. There is none before one is aborted, as in Kafka.
    TransactionIndex,
}

/// Whether a file belongs to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// It does.
    Live,
    /// No more: it waits for `file.delete.delay.ms` to be over (L40).
    Deleted,
    /// Not yet: the cleaner writes it (L82).
    Cleaned,
    /// It is complete and about to take the place of what it was made from (L82).
    Swap,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TransactionIndex];

    fn suffix(self) -> &'static str {
        match self {
            Self::Log => ".log",
            Self::OffsetIndex => ".index",
            Self::TimeIndex => ".timeindex",
            Self::TransactionIndex => ".txnindex",
        }
    }
}

impl Standing {
    const MARKED: [Self; 3] = [Self::Deleted, Self::Cleaned, Self::Swap];

    fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Deleted => DELETED,
            Self::Cleaned => ".cleaned",
            Self::Swap => ".swap",
        }
    }
}

/// Where the file of the segment that begins at `base` lies.
pub(super) fn path(directory: &str, base: Offset, kind: Kind, standing: Standing) -> String {
    format!("{directory}/{:020}{}{}", base.0, kind.suffix(), standing.suffix())
}

/// What the name of a file says; `None` for every other file than those of segments.
pub(super) fn parse(path: &str) -> Option<(Offset, Kind, Standing)> {
    let (name, standing) = standing(path.rsplit_once('/').map_or(path, |(_, name)| name));
    let (digits, kind) = Kind::ALL.into_iter().find_map(|kind| Some((name.strip_suffix(kind.suffix())?, kind)))?;
    Some((offset(digits)?, kind, standing))
}

/// Whether the file is out of the log and waits to be removed, whatever it held.
pub(super) fn is_deleted(path: &str) -> bool {
    standing(path).1 == Standing::Deleted
}

/// Gives the files of a segment another standing, in the order in which Kafka does: the log first.
pub(super) fn remark(
    disk: &mut dyn Disk,
    directory: &str,
    base: Offset,
    (from, to): (Standing, Standing),
) -> Result<(), DiskError> {
    for kind in Kind::ALL {
        match disk.rename(&path(directory, base, kind, from), &path(directory, base, kind, to)) {
            Ok(()) | Err(DiskError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes the files of a segment out of the log without losing their bytes yet: readers may still hold on to them (L40,
/// L71).
pub(super) fn discard(disk: &mut dyn Disk, directory: &str, base: Offset) -> Result<(), DiskError> {
    remark(disk, directory, base, (Standing::Live, Standing::Deleted))
}

/// Removes the files of this standing of the segment that begins at `base`. What is not there is no error.
pub(super) fn remove(disk: &mut dyn Disk, directory: &str, base: Offset, standing: Standing) -> Result<(), DiskError> {
    for kind in Kind::ALL {
        match disk.remove(&path(directory, base, kind, standing)) {
            Ok(()) | Err(DiskError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An offset as it stands in a name: twenty digits, and not more than Kafka can count.
pub(super) fn offset(digits: &str) -> Option<Offset> {
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let offset: u64 = all_digits.then(|| digits.parse().ok())??;
    i64::try_from(offset).is_ok().then_some(Offset(offset))
}

/// The word at the end of a name, and what is before it.
fn standing(name: &str) -> (&str, Standing) {
    let marked = Standing::MARKED.into_iter().find_map(|mark| Some((name.strip_suffix(mark.suffix())?, mark)));
    marked.unwrap_or((name, Standing::Live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_says_what_it_was_made_from() {
        for kind in Kind::ALL {
            for standing in [Standing::Live, Standing::Deleted, Standing::Cleaned, Standing::Swap] {
                let name = path("t-0", Offset(42), kind, standing);
                assert_eq!(parse(&name), Some((Offset(42), kind, standing)), "{name}");
            }
        }
        assert_eq!(path("t-0", Offset(7), Kind::TimeIndex, Standing::Swap), "t-0/00000000000000000007.timeindex.swap");
    }

    #[test]
    fn other_files_are_not_taken_for_segments() {
        for name in
            ["t-0/7.log", "t-0/leader-epoch-checkpoint", "t-0/99999999999999999999.log", "t-0/0000000000000000000x.log"]
        {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
