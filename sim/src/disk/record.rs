//! Which call was which: the numbers under which [`SimDisk::crash_at_call`](super::SimDisk::crash_at_call) hits them, for
//! whoever wants to kill a process in a call of a certain kind. Only said on demand.

use std::fmt;
use std::sync::Arc;

use super::SimDisk;

/// One call, as it was entered; whether it succeeded is not said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    /// What [`SimDisk::calls`] was once the call had begun: the first call of a disk is 1.
    pub number: u64,
    /// Which function was called.
    pub kind: CallKind,
    /// The path of the file or the directory, of a rename the old one. That of an open file is the one it has, or had last.
    pub path: Arc<str>,
}

/// The functions of [`Disk`](model::disk::Disk).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// `create`.
    Create,
    /// `open`.
    Open,
    /// `len`.
    Len,
    /// `append`.
    Append,
    /// `read` or `read_slices`.
    Read,
    /// `truncate`.
    Truncate,
    /// `sync`.
    Sync,
    /// `rename`.
    Rename,
    /// `rename_dir`.
    RenameDir,
    /// `remove`.
    Remove,
    /// `list`.
    List,
    /// `sync_dir`.
    SyncDir,
}

impl CallKind {
    /// Whether the call only looks: a disk is the same before and after it.
    #[must_use]
    pub fn only_reads(self) -> bool {
        matches!(self, Self::Open | Self::Len | Self::Read | Self::List)
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Len => "len",
            Self::Append => "append",
            Self::Read => "read",
            Self::Truncate => "truncate",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::RenameDir => "rename_dir",
            Self::Remove => "remove",
            Self::List => "list",
            Self::SyncDir => "sync_dir",
        })
    }
}

impl fmt::Display for Call {
    /// `17 append t1-0/00000000000000000000.log`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, self.kind, self.path)
    }
}

impl SimDisk {
    /// From now on every call is recorded, over all lives, or none is any more and what was recorded is forgotten.
    pub fn record_calls(&mut self, on: bool) {
        self.record = on.then(|| self.record.take().unwrap_or_default());
    }

    /// The calls since recording began, in order; none if it is off.
    #[must_use]
    pub fn recorded(&self) -> &[Call] {
        self.record.as_deref().unwrap_or_default()
    }
}
