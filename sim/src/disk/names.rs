//! The directory entries: what processes see, what the platter has, and the changes between the two.
//!
//! A change is undone or kept as a whole, whatever becomes of the others; a rename never loses both names. A directory is
//! known by more than its name, so that changes inside it and a rename of it may be undone apart. Knows files only by
//! number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::disk::DiskError;

/// Which file of the disk.
pub(super) type Slot = u32;

/// A directory in the log directory, or that itself: it stays the same over its renames.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Directory {
    /// The name under which it was made; empty for the log directory itself.
    pub(super) made_as: Arc<str>,
    /// How many directories had been renamed before.
    pub(super) after: u64,
}

/// Where a name is: in which directory, whatever that is called, and what it is called there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) directory: Directory,
    pub(super) rest: Arc<str>,
}

/// A path as it was when somebody used it, and the place that it meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub(super) path: Arc<str>,
    pub(super) place: Place,
}

/// Paths and the files under them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<Arc<str>, Slot>,
    /// The directories that processes see, by name. One without files is still there.
    directories: BTreeMap<Arc<str>, Directory>,
    durable: Platter,
    pending: Vec<NameChange>,
    /// How many directories were renamed.
    moves: u64,
}

/// A change of names that the platter may not have seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NameChange {
    /// A file was created.
    Linked { entry: Entry, file: Slot },
    /// A file was renamed, and what was under the new name lost it.
    Moved { from: Entry, to: Entry, file: Slot },
    /// A file was removed.
    Unlinked { entry: Entry, file: Slot },
    /// A directory was renamed, as the `nth` of this disk; it took the place of `replaced`, in which there was nothing.
    DirectoryMoved { from: Arc<str>, to: Arc<str>, directory: Directory, replaced: Option<Directory>, nth: u64 },
}

/// Names as the platter has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Platter {
    pub(super) files: BTreeMap<Place, Slot>,
    /// What each directory is called. One that is not here was replaced, and all that is in it is lost.
    pub(super) homes: BTreeMap<Directory, Arc<str>>,
}

impl Names {
    pub(super) fn find(&self, path: &str) -> Option<Slot> {
        self.seen.get(path).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Slot)> {
        self.seen.iter().map(|(path, &file)| (path, file))
    }

    pub(super) fn pending(&self) -> &[NameChange] {
        &self.pending
    }

    /// What is durable.
    pub(super) fn durable(&self) -> &Platter {
        &self.durable
    }

    /// Puts a new file under a free path.
    pub(super) fn link(&mut self, path: Arc<str>, file: Slot) {
        self.seen.insert(path.clone(), file);
        let entry = self.entry(path);
        self.pending.push(NameChange::Linked { entry, file });
    }

    /// Gives the file under `from` the path `to`.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Option<(Slot, Arc<str>)> {
        let (from, file) = self.seen.remove_entry(from)?;
        let to: Arc<str> = Arc::from(to);
        self.seen.insert(to.clone(), file);
        if from != to {
            let (from, to) = (self.entry(from), self.entry(to.clone()));
            self.pending.push(NameChange::Moved { from, to, file });
        }
        Some((file, to))
    }

    pub(super) fn unlink(&mut self, path: &str) -> Option<Slot> {
        let (path, file) = self.seen.remove_entry(path)?;
        let entry = self.entry(path);
        self.pending.push(NameChange::Unlinked { entry, file });
        Some(file)
    }

    /// Gives a directory of the log directory another name there. Returns the files in it with their new paths.
    pub(super) fn rename_directory(&mut self, from: &str, to: &str) -> Result<Vec<(Slot, Arc<str>)>, DiskError> {
        let old_paths = self.below(from);
        if from.is_empty() || to.is_empty() || from.contains('/') || to.contains('/') {
            return Err(DiskError::Io);
        }
        let directory =
            self.directories.get(from).filter(|_| !old_paths.is_empty()).ok_or(DiskError::NotFound)?.clone();
        if from == to {
            return Ok(Vec::new());
        }
        if self.seen.contains_key(to) || !self.below(to).is_empty() {
            return Err(DiskError::Io);
        }
        let moved = old_paths.iter().filter_map(|path| {
            let file = self.seen.remove(&**path)?;
            Some((file, Arc::from(format!("{to}{}", &path[from.len()..]))))
        });
        let moved: Vec<(Slot, Arc<str>)> = moved.collect();
        self.seen.extend(moved.iter().map(|(file, path)| (path.clone(), *file)));
        self.directories.remove(from);
        let (from, to): (Arc<str>, Arc<str>) = (Arc::from(from), Arc::from(to));
        let replaced = self.directories.insert(to.clone(), directory.clone());
        self.pending.push(NameChange::DirectoryMoved { from, to, directory, replaced, nth: self.moves });
        self.moves += 1;
        Ok(moved)
    }

    /// All paths in a directory and below it, in order.
    pub(super) fn below(&self, directory: &str) -> Vec<String> {
        let all = self.seen.keys();
        match directory {
            "" => all.map(ToString::to_string).collect(),
            _ => all
                .filter(|path| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
                .map(ToString::to_string)
                .collect(),
        }
    }

    /// The names in this directory are durable, and so is what they rest on: earlier changes of the same names, in
    /// whatever directory, and thereby earlier changes of the same files. What the directory itself is called is a name
    /// in the log directory.
    pub(super) fn sync(&mut self, directory: &str) {
        let (name, below) = directory.split_once('/').unwrap_or((directory, ""));
        let is_top = name.is_empty();
        let known = if is_top { Some(Directory::top()) } else { self.directories.get(name).cloned() };
        let Some(synced) = known else { return };
        let mut places = BTreeSet::new();
        let mut called = BTreeSet::new();
        let mut claims = Claims::default();
        let mut kept = vec![false; self.pending.len()];
        for (change, is_kept) in self.pending.iter().zip(&mut kept).rev() {
            let is_hit = match change {
                NameChange::DirectoryMoved { from, to, .. } => is_top || called.contains(from) || called.contains(to),
                _ => change
                    .places()
                    .any(|place| place.directory == synced && parent(&place.rest) == below || places.contains(place)),
            };
            if is_hit || claims.force(change) {
                *is_kept = true;
                places.extend(change.places());
                if let NameChange::DirectoryMoved { from, to, .. } = change {
                    called.extend([from, to]);
                }
                claims.add(change);
            }
        }
        let mut kept = kept.into_iter();
        self.pending.retain(|change| {
            let is_kept = kept.next().unwrap_or(false);
            if is_kept {
                change.apply(&mut self.durable);
            }
            !is_kept
        });
    }

    /// Adds to the pending changes that were kept those that others rest on. Where a later change put another file under
    /// a path, the rename that vacated it cannot have been undone, or the renamed file would have lost both names. So it
    /// is with the name of a directory, and with a file that was renamed out of a directory that was replaced.
    pub(super) fn complete(&self, kept: &mut [bool]) {
        let mut claims = Claims::default();
        for (change, is_kept) in self.pending.iter().zip(kept).rev() {
            *is_kept |= claims.force(change);
            if *is_kept {
                claims.add(change);
            }
        }
    }

    /// Of the pending changes these were kept and the others undone; that is what is seen from now on.
    pub(super) fn settle(&mut self, kept: &[bool]) {
        for (change, &is_kept) in self.pending.iter().zip(kept) {
            if is_kept {
                change.apply(&mut self.durable);
            }
        }
        self.pending.clear();
        self.durable.tidy();
        self.seen = self.durable.paths().collect();
        self.directories =
            self.durable.homes.iter().map(|(directory, name)| (name.clone(), directory.clone())).collect();
    }

    /// Every file that has a name, had one or may get one back.
    pub(super) fn reachable(&self) -> BTreeSet<Slot> {
        let pending = self.pending.iter().filter_map(NameChange::file);
        self.seen.values().copied().chain(self.durable.files.values().copied()).chain(pending).collect()
    }

    /// What a path means now. Makes the directory if there is none: it is durable then, for only what is in it counts.
    fn entry(&mut self, path: Arc<str>) -> Entry {
        let Some((name, rest)) = path.split_once('/') else {
            let place = Place { directory: Directory::top(), rest: path.clone() };
            return Entry { path, place };
        };
        let directory = match self.directories.get(name) {
            Some(directory) => directory.clone(),
            None => {
                let name: Arc<str> = Arc::from(name);
                let directory = Directory { made_as: name.clone(), after: self.moves };
                self.directories.insert(name.clone(), directory.clone());
                self.durable.homes.insert(directory.clone(), name);
                directory
            }
        };
        let place = Place { directory, rest: Arc::from(rest) };
        Entry { path, place }
    }
}

impl Directory {
    /// The log directory itself.
    fn top() -> Self {
        Self { made_as: Arc::default(), after: 0 }
    }
}

impl Platter {
    /// All paths with their files. What is in a directory that was replaced has none.
    pub(super) fn paths(&self) -> impl Iterator<Item = (Arc<str>, Slot)> {
        self.files.iter().filter_map(|(place, &file)| {
            if place.directory.made_as.is_empty() {
                return Some((place.rest.clone(), file));
            }
            let home = self.homes.get(&place.directory)?;
            Some((Arc::from(format!("{home}/{}", place.rest)), file))
        })
    }

    /// Forgets what is in directories that were replaced.
    pub(super) fn forget_the_replaced(&mut self) {
        self.files.retain(|place, _| place.directory.made_as.is_empty() || self.homes.contains_key(&place.directory));
    }

    /// Forgets what is in directories that were replaced, and directories in which there is nothing.
    fn tidy(&mut self) {
        self.forget_the_replaced();
        let used: BTreeSet<&Directory> = self.files.keys().map(|place| &place.directory).collect();
        self.homes.retain(|directory, _| used.contains(directory));
    }
}

impl NameChange {
    /// The file concerned, if it is one.
    pub(super) fn file(&self) -> Option<Slot> {
        match self {
            Self::Linked { file, .. } | Self::Moved { file, .. } | Self::Unlinked { file, .. } => Some(*file),
            Self::DirectoryMoved { .. } => None,
        }
    }

    /// The one or two paths concerned.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let (one, other) = match self {
            Self::Linked { entry, .. } | Self::Unlinked { entry, .. } => (&entry.path, None),
            Self::Moved { from, to, .. } => (&from.path, Some(&to.path)),
            Self::DirectoryMoved { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }

    /// The places concerned of one file.
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let (one, other) = match self {
            Self::Linked { entry, .. } | Self::Unlinked { entry, .. } => (Some(&entry.place), None),
            Self::Moved { from, to, .. } => (Some(&from.place), Some(&to.place)),
            Self::DirectoryMoved { .. } => (None, None),
        };
        one.into_iter().chain(other)
    }

    /// What it does to names in which earlier changes may be missing. It goes by the file, or by the directory, so that
    /// one whose earlier change was undone still ends under one name.
    pub(super) fn apply(&self, platter: &mut Platter) {
        match self {
            Self::Linked { entry, file } => {
                platter.files.insert(entry.place.clone(), *file);
            }
            Self::Moved { to, file, .. } => {
                platter.files.retain(|_, other| other != file);
                platter.files.insert(to.place.clone(), *file);
            }
            Self::Unlinked { entry, file } => {
                if platter.files.get(&entry.place) == Some(file) {
                    platter.files.remove(&entry.place);
                }
            }
            Self::DirectoryMoved { to, directory, replaced, .. } => {
                if let Some(replaced) = replaced {
                    platter.homes.remove(replaced);
                }
                platter.homes.insert(directory.clone(), to.clone());
            }
        }
    }
}

/// What the changes that were kept rest on, gathered from the last one to the first.
#[derive(Default)]
struct Claims<'a> {
    /// Where a file was put.
    places: BTreeSet<&'a Place>,
    /// In which directory one was put.
    directories: BTreeSet<&'a Directory>,
    /// What a directory was renamed to.
    called: BTreeSet<&'a str>,
    /// Whose place it took.
    replaced: BTreeSet<&'a Directory>,
}

impl<'a> Claims<'a> {
    fn add(&mut self, change: &'a NameChange) {
        match change {
            NameChange::Linked { entry: to, .. } | NameChange::Moved { to, .. } => {
                self.places.insert(&to.place);
                self.directories.insert(&to.place.directory);
            }
            NameChange::Unlinked { .. } => {}
            NameChange::DirectoryMoved { to, replaced, .. } => {
                self.called.insert(to);
                self.replaced.extend(replaced);
            }
        }
    }

    /// Whether this change, which is earlier than all that were added, cannot have been undone.
    fn force(&self, change: &NameChange) -> bool {
        match change {
            NameChange::Linked { .. } | NameChange::Unlinked { .. } => false,
            NameChange::Moved { from, .. } => {
                self.places.contains(&from.place) || self.replaced.contains(&from.place.directory)
            }
            NameChange::DirectoryMoved { from, nth, .. } => {
                let was_vacated_for = |directory: &&Directory| directory.made_as == *from && directory.after > *nth;
                self.called.contains(&**from) || self.directories.iter().any(was_vacated_for)
            }
        }
    }
}

/// What comes before the last name; empty if there is nothing.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
