//! A disk in memory that numbers its calls, dies in any of them, and forgets what was not synced.
//!
//! After a power cut each page, each length and each change of a name is independently as it was or as it is.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::disk::{Disk, DiskError, FileId};

const PAGE: usize = 16;

/// What the call in which the process dies still does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    Before,
    /// Only an append can be half done.
    Torn,
    After,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FakeDisk {
    contents: Vec<Content>,
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    pending: Vec<NameChange>,
    /// Every call that changes something, in words.
    pub(crate) journal: Vec<String>,
    pub(crate) calls: u64,
    die_in: Option<(u64, Death)>,
    fail_in: Option<(u64, DiskError)>,
    /// How many calls there were that only read.
    pub(crate) reads: u64,
    fail_read_in: Option<u64>,
    dead: bool,
    /// What every call that changes something answers, if anything.
    pub(crate) failing: Option<DiskError>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Create(String, FileId),
    Rename(String, String),
    RenameDir(String, String),
    Remove(String),
}

impl FakeDisk {
    pub(crate) fn die_in(&mut self, call: u64, death: Death) {
        self.die_in = Some((call, death));
    }

    /// One call answers with an error. What was to be appended is there by half.
    pub(crate) fn fail_in(&mut self, call: u64, error: DiskError) {
        self.fail_in = Some((call, error));
    }

    /// One call that only reads answers with `EIO`.
    pub(crate) fn fail_read_in(&mut self, read: u64) {
        self.fail_read_in = Some(read);
    }

    /// The next process starts, on a disk that works. The page cache is still there.
    pub(crate) fn restart(&mut self) {
        self.die_in = None;
        self.fail_in = None;
        self.fail_read_in = None;
        self.dead = false;
    }

    /// The power goes and comes back. `dice` decides what was written of what was not synced.
    pub(crate) fn power_off(&mut self, dice: u64) {
        let mut dice = Dice(dice);
        let mut pending = std::mem::take(&mut self.pending);
        for nth in 0..pending.len() {
            if dice.coin() {
                pending[nth].apply(&mut self.durable_names);
            } else if let NameChange::RenameDir(from, to) = pending[nth].clone() {
                // What was done in the directory later was done in it all the same.
                pending[nth + 1..].iter_mut().for_each(|change| change.move_below(&to, &from));
            }
        }
        self.names.clone_from(&self.durable_names);
        for content in &mut self.contents {
            if content.now != content.durable {
                content.forget(&mut dice);
            }
        }
        self.restart();
    }

    /// The power goes and nothing that was not synced had been written yet.
    pub(crate) fn power_off_losing_all(&mut self) {
        self.pending.clear();
        self.names.clone_from(&self.durable_names);
        for content in &mut self.contents {
            content.now.clone_from(&content.durable);
        }
        self.restart();
    }

    pub(crate) fn content(&self, path: &str) -> Option<Vec<u8>> {
        Some(self.contents[self.names.get(path)?.0 as usize].now.clone())
    }

    pub(crate) fn text(&self, path: &str) -> Option<String> {
        self.content(path).map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    /// Puts a file there as if it had always been.
    pub(crate) fn plant(&mut self, path: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let file = FileId(self.contents.len() as u64);
        self.contents.push(Content { now: bytes.clone(), durable: bytes });
        self.names.insert(path.to_owned(), file);
        self.durable_names.insert(path.to_owned(), file);
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn rot(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let file = self.names[path];
        let content = &mut self.contents[file.0 as usize];
        change(&mut content.now);
        content.durable.clone_from(&content.now);
    }

    pub(crate) fn paths(&self) -> Vec<&str> {
        self.names.keys().map(String::as_str).collect()
    }

    fn call<T>(
        &mut self,
        words: impl FnOnce() -> String,
        effect: impl FnOnce(&mut Self, bool) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        assert!(!self.dead, "a dead process used the disk: {}", words());
        self.calls += 1;
        if let Some((call, death)) = self.die_in
            && call == self.calls
        {
            self.dead = true;
            if death != Death::Before {
                let _ = effect(self, death == Death::Torn);
            }
            return Err(DiskError::Crashed);
        }
        if let Some((call, error)) = self.fail_in
            && call == self.calls
        {
            // Only an append can be half done.
            let _ = effect(self, true).map(drop);
            return Err(error);
        }
        if let Some(error) = self.failing {
            return Err(error);
        }
        self.journal.push(words());
        effect(self, false)
    }

    fn read_call(&mut self) -> Result<(), DiskError> {
        self.reads += 1;
        if self.fail_read_in == Some(self.reads) { Err(DiskError::Io) } else { Ok(()) }
    }

    fn name(&self, file: FileId) -> String {
        let found = self.names.iter().find(|&(_, &named)| named == file);
        found.map_or_else(|| format!("({})", file.0), |(path, _)| path.clone())
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn content_of(&mut self, file: FileId) -> &mut Content {
        &mut self.contents[file.0 as usize]
    }
}

impl Disk for FakeDisk {
    fn create(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.call(
            || format!("create {path}"),
            |disk, _| {
                if let Some(&file) = disk.names.get(path) {
                    disk.content_of(file).now.clear();
                    return Ok(file);
                }
                let file = FileId(disk.contents.len() as u64);
                disk.contents.push(Content::default());
                disk.change(NameChange::Create(path.to_owned(), file));
                Ok(file)
            },
        )
    }

    fn open(&mut self, path: &str) -> Result<FileId, DiskError> {
        self.read_call()?;
        self.names.get(path).copied().ok_or(DiskError::NotFound)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        self.read_call()?;
        Ok(self.content_of(file).now.len() as u64)
    }

    fn append(&mut self, file: FileId, bytes: Bytes) -> Result<(), DiskError> {
        let name = self.name(file);
        self.call(
            || format!("append {name}"),
            |disk, torn| {
                let written = if torn { bytes.len() / 2 } else { bytes.len() };
                disk.content_of(file).now.extend_from_slice(&bytes[..written]);
                Ok(())
            },
        )
    }

    fn read(&mut self, file: FileId, at: u64, length: usize) -> Result<Bytes, DiskError> {
        self.read_call()?;
        let content = &self.content_of(file).now;
        let from = content.len().min(at as usize);
        let upto = content.len().min(from.saturating_add(length));
        Ok(Bytes::copy_from_slice(&content[from..upto]))
    }

    fn truncate(&mut self, file: FileId, length: u64) -> Result<(), DiskError> {
        let name = self.name(file);
        self.call(
            || format!("truncate {name} {length}"),
            |disk, _| {
                disk.content_of(file).now.truncate(length as usize);
                Ok(())
            },
        )
    }

    fn sync(&mut self, file: FileId) -> Result<(), DiskError> {
        let name = self.name(file);
        self.call(
            || format!("sync {name}"),
            |disk, _| {
                let content = disk.content_of(file);
                content.durable.clone_from(&content.now);
                Ok(())
            },
        )
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        if !self.names.contains_key(from) {
            return Err(DiskError::NotFound);
        }
        self.call(
            || format!("rename {from} {to}"),
            |disk, _| {
                disk.change(NameChange::Rename(from.to_owned(), to.to_owned()));
                Ok(())
            },
        )
    }

    fn rename_dir(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        if !self.names.keys().any(|path| is_below(path, from)) {
            return Err(DiskError::NotFound);
        }
        if self.names.keys().any(|path| path == to || is_below(path, to)) {
            return Err(DiskError::Io);
        }
        self.call(
            || format!("rename_dir {from} {to}"),
            |disk, _| {
                disk.change(NameChange::RenameDir(from.to_owned(), to.to_owned()));
                Ok(())
            },
        )
    }

    fn remove(&mut self, path: &str) -> Result<(), DiskError> {
        if !self.names.contains_key(path) {
            return Err(DiskError::NotFound);
        }
        self.call(
            || format!("remove {path}"),
            |disk, _| {
                disk.change(NameChange::Remove(path.to_owned()));
                Ok(())
            },
        )
    }

    fn list(&mut self, directory: &str) -> Result<Vec<String>, DiskError> {
        self.read_call()?;
        let inside = |path: &&String| directory.is_empty() || is_below(path, directory);
        Ok(self.names.keys().filter(inside).cloned().collect())
    }

    fn sync_dir(&mut self, directory: &str) -> Result<(), DiskError> {
        self.call(
            || format!("sync_dir {directory}"),
            |disk, _| {
                for change in std::mem::take(&mut disk.pending) {
                    if !change.is_in(directory) {
                        disk.pending.push(change);
                        continue;
                    }
                    change.apply(&mut disk.durable_names);
                    if let NameChange::RenameDir(from, to) = change {
                        disk.pending.iter_mut().for_each(|earlier| earlier.move_below(&from, &to));
                    }
                }
                Ok(())
            },
        )
    }
}

impl Content {
    fn forget(&mut self, dice: &mut Dice) {
        let (shorter, longer) = (self.now.len().min(self.durable.len()), self.now.len().max(self.durable.len()));
        let length = match dice.below(3) {
            0 => self.now.len(),
            1 => self.durable.len(),
            _ => shorter + dice.below(longer - shorter + 1),
        };
        let mut survived = vec![0; length];
        for start in (0..length).step_by(PAGE) {
            // What was synced once is overwritten or not, but never blank.
            let may_be_blank = start >= self.durable.len();
            let source = match dice.below(3) {
                0 if may_be_blank => continue,
                0 | 1 => &self.durable,
                _ => &self.now,
            };
            let end = length.min(start + PAGE).min(source.len()).max(start);
            survived[start..end].copy_from_slice(source.get(start..end).unwrap_or_default());
        }
        self.now.clone_from(&survived);
        self.durable = survived;
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, FileId>) {
        match self {
            Self::Create(path, file) => {
                names.insert(path.clone(), *file);
            }
            Self::Rename(from, to) => {
                if let Some(file) = names.remove(from) {
                    names.insert(to.clone(), file);
                }
            }
            Self::RenameDir(from, to) => {
                let paths: Vec<String> = names.keys().filter(|path| is_below(path, from)).cloned().collect();
                for path in paths {
                    let file = names.remove(&path).expect("listed");
                    names.insert(format!("{to}{}", &path[from.len()..]), file);
                }
            }
            Self::Remove(path) => {
                names.remove(path);
            }
        }
    }

    /// The directory `from` is called `to` by now.
    fn move_below(&mut self, from: &str, to: &str) {
        let paths = match self {
            Self::Create(path, _) | Self::Remove(path) => vec![path],
            Self::Rename(one, other) | Self::RenameDir(one, other) => vec![one, other],
        };
        for path in paths {
            if path == from || is_below(path, from) {
                path.replace_range(..from.len(), to);
            }
        }
    }

    fn is_in(&self, directory: &str) -> bool {
        let (Self::Create(path, _) | Self::Rename(_, path) | Self::RenameDir(_, path) | Self::Remove(path)) = self;
        path.rsplit_once('/').map_or("", |(directory, _)| directory) == directory
    }
}

fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// SplitMix64.
pub(crate) struct Dice(pub(super) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}
