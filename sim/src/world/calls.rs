//! What a host asks of its disk, kept call by call for whoever wants to strike at one of them.
//!
//! Listens between machine and disk and changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use model::disk::{Disk, DiskError, FileId};
use model::names::Node;
use serde::{Deserialize, Serialize};

use super::{Observer, World};
use crate::disk::SimDisk;
use crate::fact::Moment;

/// One disk call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskCall {
    /// Its number, counted from the first call that the disk ever saw (from 1).
    pub number: u64,
    /// When the step began in which it was made.
    pub at: Moment,
    /// The how-manieth process of the host made it.
    pub life: u32,
    /// What was asked for.
    pub kind: CallKind,
    /// Of which file or directory, by its path at that time.
    pub path: Arc<str>,
}

/// What a disk can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// [`Disk::create`].
    Create,
    /// [`Disk::open`].
    Open,
    /// [`Disk::len`].
    Len,
    /// [`Disk::append`].
    Append,
    /// [`Disk::read`].
    Read,
    /// [`Disk::truncate`].
    Truncate,
    /// [`Disk::sync`].
    Sync,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::list`].
    List,
    /// [`Disk::sync_dir`].
    SyncDir,
}

impl CallKind {
    /// Whether it leaves the disk as it is.
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
            Self::Remove => "remove",
            Self::List => "list",
            Self::SyncDir => "sync-dir",
        })
    }
}

/// The kept calls of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    calls: Vec<DiskCall>,
    /// What is open, by the path that it has now.
    open: BTreeMap<FileId, Arc<str>>,
}

/// A disk that somebody listens to.
pub(super) struct Listening<'a> {
    disk: &'a mut SimDisk,
    heard: &'a mut Heard,
    at: Moment,
    life: u32,
}

impl<O: Observer> World<O> {
    /// Whether the disk calls of all hosts are kept from now on. They are not unless this is asked for.
    pub fn keep_disk_calls(&mut self, keep: bool) {
        for host in &mut self.hosts {
            host.heard = keep.then(Heard::default);
        }
    }

    /// The kept disk calls of a host, in order.
    #[must_use]
    pub fn kept_disk_calls(&self, node: impl Into<Node>) -> &[DiskCall] {
        let heard = self.index_of(node.into()).and_then(|index| self.hosts[index].heard.as_ref());
        heard.map_or(&[], |heard| &heard.calls)
    }
}

impl<'a> Listening<'a> {
    pub(super) fn to(disk: &'a mut SimDisk, heard: &'a mut Heard, at: Moment, life: u32) -> Self {
        Self { disk, heard, at, life }
    }

    /// Keeps the call that is about to be made.
    fn hear(&mut self, kind: CallKind, path: &str) {
        let (number, at, life) = (self.disk.calls() + 1, self.at, self.life);
        self.heard.calls.push(DiskCall { number, at, life, kind, path: Arc::from(path) });
    }

    fn hear_of(&mut self, kind: CallKind, file: FileId) {
        // What was opened before anybody listened has no path here.
        let path = self.heard.open.get(&file).cloned().unwrap_or_default();
        self.hear(kind, &path);
    }

    fn opened(&mut self, path: &str, result: Result<FileId, DiskError>) -> Result<FileId, DiskError> {
        result.inspect(|file| {
            self.heard.open.insert(*file, Arc::from(path));
        })
    }
}

impl Disk for Listening<'_> {
    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.hear(CallKind::Create, path);
        let created = self.disk.create(path);
        self.opened(path, created)
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.hear(CallKind::Open, path);
        let opened = self.disk.open(path);
        self.opened(path, opened)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.hear_of(CallKind::Len, file);
        self.disk.len(file)
    }

    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<(), DiskError> {
        self.hear_of(CallKind::Append, file);
        self.disk.append(file, bytes)
    }

    fn read(&mut self, file: FileId, at: u64, length: usize) -> Result<Bytes, DiskError> {
        self.hear_of(CallKind::Read, file);
        self.disk.read(file, at, length)
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.hear_of(CallKind::Truncate, file);
        self.disk.truncate(file, length)
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.hear_of(CallKind::Sync, file);
        self.disk.sync(file)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.hear(CallKind::Rename, to);
        let renamed = self.disk.rename(from, to);
        if renamed.is_ok() {
            let to: Arc<str> = Arc::from(to);
            self.heard.open.values_mut().filter(|path| ***path == *from).for_each(|path| *path = to.clone());
        }
        renamed
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.hear(CallKind::Remove, path);
        self.disk.remove(path)
    }

    fn list(&mut self, directory: &str) -> Result<Vec<String>, DiskError> {
        self.hear(CallKind::List, directory);
        self.disk.list(directory)
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), DiskError> {
        self.hear(CallKind::SyncDir, directory);
        self.disk.sync_dir(directory)
    }
}
