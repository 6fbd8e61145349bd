//! The directory entries: what processes see, what the platter has, and the changes between the two.
//!
//! A change is undone or kept as a whole, whatever becomes of the others; a rename never loses both names. Knows files
//! only by number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which file of the disk.
pub(super) type Slot = u32;

/// Paths and the files under them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    seen: BTreeMap<Arc<str>, Slot>,
    durable: BTreeMap<Arc<str>, Slot>,
    pending: Vec<NameChange>,
}

/// A change of names that the platter may not have seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum NameChange {
    /// A file was created.
    Linked { path: Arc<str>, file: Slot },
    /// A file was renamed, and what was under the new name lost it.
    Moved { from: Arc<str>, to: Arc<str>, file: Slot },
    /// A file was removed.
    Unlinked { path: Arc<str>, file: Slot },
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

    /// Puts a new file under a free path.
    pub(super) fn link(&mut self, path: Arc<str>, file: Slot) {
        self.seen.insert(path.clone(), file);
        self.pending.push(NameChange::Linked { path, file });
    }

    /// Gives the file under `from` the path `to`.
    pub(super) fn rename(&mut self, from: &str, to: &str) -> Option<(Slot, Arc<str>)> {
        let file = self.find(from)?;
        let (from, _) = self.seen.remove_entry(from)?;
        let to: Arc<str> = Arc::from(to);
        self.seen.insert(to.clone(), file);
        if from != to {
            self.pending.push(NameChange::Moved { from, to: to.clone(), file });
        }
        Some((file, to))
    }

    pub(super) fn unlink(&mut self, path: &str) -> Option<Slot> {
        let (path, file) = self.seen.remove_entry(path)?;
        self.pending.push(NameChange::Unlinked { path, file });
        Some(file)
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

    /// The names in this directory are durable, and so is what they rest on: earlier changes of the same paths, in
    /// whatever directory, and thereby earlier changes of the same files.
    pub(super) fn sync(&mut self, directory: &str) {
        let mut paths = BTreeSet::new();
        let mut kept = vec![false; self.pending.len()];
        for (change, is_kept) in self.pending.iter().zip(&mut kept).rev() {
            if change.paths().any(|path| parent(path) == directory || paths.contains(path)) {
                *is_kept = true;
                paths.extend(change.paths());
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

    /// Adds to the pending changes that were kept those that others rest on: where a later change put another file under
    /// a path, the rename that vacated it cannot have been undone, or the renamed file would have lost both names.
    pub(super) fn complete(&self, kept: &mut [bool]) {
        let mut claimed = BTreeSet::new();
        for (change, is_kept) in self.pending.iter().zip(kept).rev() {
            if let NameChange::Moved { from, .. } = change {
                *is_kept |= claimed.contains(from);
            }
            if *is_kept && let NameChange::Linked { path: to, .. } | NameChange::Moved { to, .. } = change {
                claimed.insert(to);
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
        self.seen = self.durable.clone();
    }

    /// Every file that has a name, had one or may get one back.
    pub(super) fn reachable(&self) -> BTreeSet<Slot> {
        let pending = self.pending.iter().map(NameChange::file);
        self.seen.values().copied().chain(self.durable.values().copied()).chain(pending).collect()
    }
}

impl NameChange {
    /// The file concerned.
    pub(super) fn file(&self) -> Slot {
        match self {
            Self::Linked { file, .. } | Self::Moved { file, .. } | Self::Unlinked { file, .. } => *file,
        }
    }

    /// The one or two paths concerned.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        let (one, other) = match self {
            Self::Linked { path, .. } | Self::Unlinked { path, .. } => (path, None),
            Self::Moved { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }

    /// What it does to names in which earlier changes may be missing. It goes by the file, so that a file whose earlier
    /// change was undone still ends under one name.
    fn apply(&self, names: &mut BTreeMap<Arc<str>, Slot>) {
        match self {
            Self::Linked { path, file } => {
                names.insert(path.clone(), *file);
            }
            Self::Moved { to, file, .. } => {
                names.retain(|_, other| other != file);
                names.insert(to.clone(), *file);
            }
            Self::Unlinked { path, file } => {
                if names.get(path) == Some(file) {
                    names.remove(path);
                }
            }
        }
    }
}

/// The directory that a path lies in; `""` is the log directory itself.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}
