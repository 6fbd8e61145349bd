//! A disk in memory that can die at any call, and forget what was not synced.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId};

/// Files by path, and what of them would survive a power cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemoryDisk {
    names: BTreeMap<String, FileId>,
    synced_names: BTreeMap<String, FileId>,
    files: BTreeMap<FileId, Content>,
    next: u64,
    calls: u64,
    death: Option<Death>,
    dead: bool,
    full: bool,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    synced: Vec<u8>,
}

/// When a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    /// In this call of the disk's life, from 1.
    pub(crate) call: u64,
    /// Whether the call takes effect all the same.
    pub(crate) after: bool,
}

impl MemoryDisk {
    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// The process will die.
    pub(crate) fn die(&mut self, death: Death) {
        self.death = Some(death);
    }

    /// There is no room any more.
    pub(crate) fn fill(&mut self) {
        self.full = true;
    }

    /// Another process starts; the page cache is still there.
    pub(crate) fn restart(&mut self) {
        self.death = None;
        self.dead = false;
    }

    /// The power was cut: what was not synced is gone, but for half of what was appended to a file, if `torn`.
    pub(crate) fn power_cut(&mut self, torn: bool) {
        self.restart();
        self.names = self.synced_names.clone();
        for content in self.files.values_mut() {
            let survivor = if torn && content.now.starts_with(&content.synced) {
                let unsynced = content.now.len() - content.synced.len();
                content.now[..content.synced.len() + unsynced / 2].to_vec()
            } else {
                content.synced.clone()
            };
            *content = Content { now: survivor.clone(), synced: survivor };
        }
    }

    fn call<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, DiskError>) -> Result<T, DiskError> {
        assert!(!self.dead, "a dead process calls its disk");
        self.calls += 1;
        let death = self.death.filter(|death| death.call == self.calls);
        self.dead = death.is_some();
        match death {
            Some(Death { after: false, .. }) => Err(DiskError::Crashed),
            Some(Death { after: true, .. }) => {
                // Whatever came of it, nobody learns it.
                let _ = act(self);
                Err(DiskError::Crashed)
            }
            None => act(self),
        }
    }

    fn content(&mut self, file: FileId) -> Result<&mut Content, DiskError> {
        self.files.get_mut(&file).ok_or(DiskError::NotFound)
    }
}

fn is_in(directory: &str, path: &str) -> bool {
    path.rsplit_once('/').map_or("", |(parent, _)| parent) == directory
}

impl Disk for MemoryDisk {
    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.call(|disk| {
            disk.next += 1;
            let file = FileId(disk.next);
            disk.names.insert(path.to_owned(), file);
            disk.files.insert(file, Content::default());
            Ok(file)
        })
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.call(|disk| disk.names.get(path).copied().ok_or(DiskError::NotFound))
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.call(|disk| Ok(disk.content(file)?.now.len() as u64))
    }

    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<(), DiskError> {
        self.call(|disk| {
            if disk.full {
                return Err(DiskError::NoSpace);
            }
            disk.content(file)?.now.extend_from_slice(&bytes);
            Ok(())
        })
    }

    fn read(&mut self, file: FileId, at: u64, length: usize) -> Result<Bytes, DiskError> {
        self.call(|disk| {
            let content = &disk.content(file)?.now;
            let from = content.len().min(usize::try_from(at).unwrap_or(usize::MAX));
            let upto = content.len().min(from.saturating_add(length));
            Ok(Bytes::copy_from_slice(&content[from..upto]))
        })
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        self.call(|disk| {
            disk.content(file)?.now.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            Ok(())
        })
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        self.call(|disk| {
            let content = disk.content(file)?;
            content.synced = content.now.clone();
            Ok(())
        })
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.call(|disk| {
            let file = disk.names.remove(from).ok_or(DiskError::NotFound)?;
            disk.names.insert(to.to_owned(), file);
            Ok(())
        })
    }

    fn rename_dir(&mut self, _: &str, _: &str) -> Result<(), DiskError> {
        unreachable!("a controller renames no directory")
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        self.call(|disk| disk.names.remove(path).map(|_| ()).ok_or(DiskError::NotFound))
    }

    fn list(&mut self, directory: &str) -> Result<Vec<String>, DiskError> {
        self.call(|disk| {
            let below = |path: &&String| directory.is_empty() || path.starts_with(&format!("{directory}/"));
            Ok(disk.names.keys().filter(below).cloned().collect())
        })
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), DiskError> {
        self.call(|disk| {
            disk.synced_names.retain(|path, _| !is_in(directory, path));
            let now = disk.names.iter().filter(|(path, _)| is_in(directory, path));
            disk.synced_names.extend(now.map(|(path, &file)| (path.clone(), file)));
            Ok(())
        })
    }
}
