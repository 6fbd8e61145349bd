//! What a disk may legally wake up to (`protocol/01-log.md` §1.19, N2), computed from the calls of a small program alone.
//!
//! This is the contract written down a second time, as plainly as it goes and without a look at `survival`, `names` or
//! `fates`. A state of the disk is its paths with their bytes, and it is legal if all of this holds:
//!
//! - **Names.** Each change (create, rename, rename of a directory, remove) was undone or kept as a whole. Kept were all
//!   that a `sync_dir` of the directory with one of their names made durable, with the earlier changes of the same names.
//!   A change by which a name was taken rests on the rename that had vacated it. A kept rename of a file or directory
//!   gives it the new name even if an earlier change of it was undone, and what was done inside a directory was done in
//!   that directory, whatever it is called.
//! - **Lengths.** A file has any length between the least and the greatest that it had since its last sync.
//! - **Pages** of 4096 bytes. Each is, by itself, zeros, or as it was after any one call since the last sync (that
//!   included), continued by zeros; of a page that a failed sync had called clean and nobody wrote to again, the bytes in
//!   doubt may also be gone together. Or it is torn: each **sector** of 512 bytes from one of two such images.
//! - **Firm bytes** are in every state since the last sync, and no failed sync lost them: they are as they were.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_128;

use super::*;
use crate::disk::{PAGE, SECTOR};

#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(&'static str),
    Append(&'static str, usize),
    Truncate(&'static str, u64),
    Sync(&'static str),
    FailSync(&'static str),
    Rename(&'static str, &'static str),
    RenameDir(&'static str, &'static str),
    Remove(&'static str),
    SyncDir(&'static str),
}

/// A directory by number (0 is the log directory), and a name in it.
type Place = (usize, String);

/// A program of calls, as far as it matters for what may be left.
#[derive(Clone, Debug, Default)]
pub(super) struct Legal {
    files: Vec<History>,
    /// What each directory but the first was called when it was made, and how many changes there had been.
    made: Vec<(String, usize)>,
    seen: BTreeMap<Place, usize>,
    /// What directories are called now.
    called: BTreeMap<String, usize>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    what: What,
    is_firm: bool,
}

#[derive(Clone, Debug)]
enum What {
    Put { file: usize, to: Place, from: Option<Place> },
    Gone { file: usize, from: Place },
    Called { directory: usize, from: String, to: String, over: Option<usize> },
}

/// What a file has been.
#[derive(Clone, Debug)]
struct History {
    /// At the last sync, and after each call since.
    states: Vec<Vec<u8>>,
    /// Bytes that a failed sync called clean.
    doubtful: BTreeSet<usize>,
    /// Pages written to since the last sync, failed or not.
    dirty: BTreeSet<usize>,
}

impl Legal {
    /// What the step does, if it can be done at all.
    pub(super) fn take(&mut self, step: &Step, value: u8) {
        match *step {
            Step::Create(path) => {
                let place = self.place(path);
                if let Some(&file) = self.seen.get(&place) {
                    return self.files[file].change(Vec::clear);
                }
                let file = self.files.len();
                self.files.push(History {
                    states: vec![Vec::new()],
                    doubtful: BTreeSet::new(),
                    dirty: BTreeSet::new(),
                });
                self.seen.insert(place.clone(), file);
                self.change(What::Put { file, to: place, from: None });
            }
            Step::Append(path, length) => {
                if let Some(file) = self.find(path) {
                    self.files[file].change(|bytes| bytes.resize(bytes.len() + length, value));
                }
            }
            Step::Truncate(path, length) => {
                if let Some(file) = self.find(path) {
                    self.files[file].change(|bytes| bytes.truncate(length as usize));
                }
            }
            Step::Sync(path) => {
                if let Some(file) = self.find(path) {
                    self.files[file].sync();
                }
            }
            Step::FailSync(path) => {
                if let Some(file) = self.find(path) {
                    self.files[file].fail_sync();
                }
            }
            Step::Rename(from, to) => {
                if let Some(file) = self.find(from).filter(|_| from != to) {
                    let (from, to) = (self.place(from), self.place(to));
                    self.seen.remove(&from);
                    self.seen.insert(to.clone(), file);
                    self.change(What::Put { file, to, from: Some(from) });
                }
            }
            Step::RenameDir(from, to) => self.rename_dir(from, to),
            Step::Remove(path) => {
                if let Some(file) = self.find(path) {
                    let from = self.place(path);
                    self.seen.remove(&from);
                    self.change(What::Gone { file, from });
                }
            }
            Step::SyncDir(directory) => self.sync_dir(directory),
        }
    }

    /// The states that are legal now, by their fingerprints, each with its paths and lengths; nothing if they are more
    /// than `bound`.
    pub(super) fn states(&self, bound: usize) -> Option<BTreeMap<u128, Vec<(String, u64)>>> {
        let names = self.legal_names()?;
        let contents: Option<Vec<Vec<Vec<u8>>>> = self.files.iter().map(|file| file.legal(bound)).collect();
        let contents = contents?;
        let mut states = BTreeMap::new();
        let mut tried = 0;
        for names in names {
            let choices: usize = names.values().map(|&file| contents[file].len()).product();
            tried += choices;
            if tried > bound {
                return None;
            }
            for nth in 0..choices {
                let mut rest = nth;
                let chosen = names.iter().map(|(path, &file)| {
                    let content = &contents[file][rest % contents[file].len()];
                    rest /= contents[file].len();
                    (path.clone(), Bytes::copy_from_slice(content))
                });
                let state: Vec<(String, Bytes)> = chosen.collect();
                let lengths = state.iter().map(|(path, bytes)| (path.clone(), bytes.len() as u64)).collect();
                states.insert(fingerprint(&state), lengths);
            }
        }
        Some(states)
    }

    fn legal_names(&self) -> Option<BTreeSet<BTreeMap<String, usize>>> {
        let open: Vec<usize> = (0..self.changes.len()).filter(|&nth| !self.changes[nth].is_firm).collect();
        if open.len() > 10 {
            return None;
        }
        let mut all = BTreeSet::new();
        for choice in 0..1_u32 << open.len() {
            let mut kept = vec![true; self.changes.len()];
            open.iter().enumerate().for_each(|(bit, &nth)| kept[nth] = choice >> bit & 1 == 1);
            let later_without_earlier = |(earlier, later): (usize, usize)| kept[later] && !kept[earlier];
            if !self.pairs().any(|pair| later_without_earlier(pair) && self.rests_on(pair)) {
                all.insert(self.replay(&kept));
            }
        }
        Some(all)
    }

    /// The names after these changes and no others.
    fn replay(&self, kept: &[bool]) -> BTreeMap<String, usize> {
        let mut places: BTreeMap<usize, Place> = BTreeMap::new();
        let mut called: BTreeMap<usize, String> = BTreeMap::from([(0, String::new())]);
        for (nth, (change, is_kept)) in self.changes.iter().zip(kept).enumerate() {
            for (before, (name, at)) in self.made.iter().enumerate() {
                if *at == nth {
                    called.insert(before + 1, name.clone());
                }
            }
            if !is_kept {
                continue;
            }
            match &change.what {
                What::Put { file, to, .. } => {
                    places.retain(|_, place| place != to);
                    places.insert(*file, to.clone());
                }
                What::Gone { file, from } => {
                    if places.get(file) == Some(from) {
                        places.remove(file);
                    }
                }
                What::Called { directory, to, .. } => {
                    called.retain(|_, name| name != to);
                    called.insert(*directory, to.clone());
                }
            }
        }
        let path = |(directory, rest): &Place| match &**called.get(directory)? {
            "" => Some(rest.clone()),
            name => Some(format!("{name}/{rest}")),
        };
        places.iter().filter_map(|(file, place)| Some((path(place)?, *file))).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.changes.len()).flat_map(|later| (0..later).map(move |earlier| (earlier, later)))
    }

    /// Whether the later change took what the earlier one had vacated.
    fn rests_on(&self, (earlier, later): (usize, usize)) -> bool {
        match (&self.changes[earlier].what, &self.changes[later].what) {
            (What::Put { from: Some(vacated), .. }, What::Put { to, .. }) => vacated == to,
            (What::Put { from: Some((vacated, _)), .. }, What::Called { over: Some(over), .. }) => vacated == over,
            (What::Called { from: vacated, .. }, What::Called { to, .. }) => vacated == to,
            (What::Called { from: vacated, .. }, What::Put { to: (directory, _), .. }) if *directory > 0 => {
                let (name, at) = &self.made[directory - 1];
                name == vacated && *at > earlier
            }
            _ => false,
        }
    }

    fn sync_dir(&mut self, directory: &str) {
        let (top, inner) = directory.split_once('/').unwrap_or((directory, ""));
        let Some(&top) = self.called.get(top).or(if top.is_empty() { Some(&0) } else { None }) else { return };
        let is_in_it = |(other, rest): &Place| {
            *other == top && rest.rsplit_once('/').map_or("", |(directory, _)| directory) == inner
        };
        let mut firm: BTreeSet<usize> = (0..self.changes.len())
            .filter(|&nth| match &self.changes[nth].what {
                What::Called { .. } => top == 0,
                what => what.places().iter().any(|place| is_in_it(place)),
            })
            .collect();
        loop {
            let more: Vec<usize> = self
                .pairs()
                .filter(|&(earlier, later)| firm.contains(&later) && !firm.contains(&earlier))
                .filter(|&(earlier, later)| self.rests_on((earlier, later)) || self.share_a_name(earlier, later))
                .map(|(earlier, _)| earlier)
                .collect();
            if more.is_empty() {
                break;
            }
            firm.extend(more);
        }
        firm.into_iter().for_each(|nth| self.changes[nth].is_firm = true);
    }

    fn share_a_name(&self, one: usize, other: usize) -> bool {
        match (&self.changes[one].what, &self.changes[other].what) {
            (What::Called { from, to, .. }, What::Called { from: other_from, to: other_to, .. }) => {
                [from, to].iter().any(|name| [other_from, other_to].contains(name))
            }
            (one, other) => one.places().iter().any(|place| other.places().contains(place)),
        }
    }

    fn rename_dir(&mut self, from: &str, to: &str) {
        let Some(&directory) = self.called.get(from) else { return };
        let holds = |directory: usize| self.seen.keys().any(|(other, _)| *other == directory);
        let over = self.called.get(to).copied();
        if from == to || !holds(directory) || over.is_some_and(holds) || self.seen.contains_key(&(0, to.to_string())) {
            return;
        }
        self.called.remove(from);
        self.called.insert(to.to_string(), directory);
        self.change(What::Called { directory, from: from.to_string(), to: to.to_string(), over });
    }

    fn change(&mut self, what: What) {
        self.changes.push(Change { what, is_firm: false });
    }

    fn find(&self, path: &str) -> Option<usize> {
        let place = match path.split_once('/') {
            None => (0, path.to_string()),
            Some((name, rest)) => (*self.called.get(name)?, rest.to_string()),
        };
        self.seen.get(&place).copied()
    }

    /// Makes the directory if there is none.
    fn place(&mut self, path: &str) -> Place {
        let Some((name, rest)) = path.split_once('/') else { return (0, path.to_string()) };
        if !self.called.contains_key(name) {
            self.made.push((name.to_string(), self.changes.len()));
            self.called.insert(name.to_string(), self.made.len());
        }
        (self.called[name], rest.to_string())
    }
}

impl What {
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::Put { to, from, .. } => std::iter::once(to).chain(from).collect(),
            Self::Gone { from, .. } => vec![from],
            Self::Called { .. } => Vec::new(),
        }
    }
}

impl History {
    fn now(&self) -> &Vec<u8> {
        self.states.last().expect("there is always one")
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut next = self.now().clone();
        change(&mut next);
        let (shorter, longer) = (self.now().len().min(next.len()), self.now().len().max(next.len()));
        if shorter != longer {
            self.dirty.extend(shorter / PAGE as usize..longer.div_ceil(PAGE as usize));
            self.states.push(next);
        }
    }

    fn sync(&mut self) {
        let dirty = std::mem::take(&mut self.dirty);
        self.doubtful.retain(|at| !dirty.contains(&(at / PAGE as usize)));
        self.states = vec![self.now().clone()];
        let length = self.now().len();
        self.doubtful.retain(|&at| at < length);
    }

    fn fail_sync(&mut self) {
        self.doubtful.extend(self.least()..self.now().len());
        self.dirty.clear();
    }

    fn least(&self) -> usize {
        self.states.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Every content that may be left; nothing if they are more than `bound`, or may be of too many lengths.
    fn legal(&self, bound: usize) -> Option<Vec<Vec<u8>>> {
        let greatest = self.states.iter().map(Vec::len).max().unwrap_or(0);
        if greatest - self.least() > 24 {
            return None;
        }
        let mut images = vec![Vec::new()];
        images.extend(self.states.iter().cloned());
        let mut without_doubtful = self.states[0].clone();
        self.doubtful.iter().filter(|&&at| at < without_doubtful.len()).collect::<Vec<_>>().into_iter().for_each(
            |&at| {
                without_doubtful[at] = 0;
            },
        );
        images.push(without_doubtful);
        for image in &mut images {
            image.resize(greatest, 0);
            for at in (0..self.least()).filter(|at| !self.doubtful.contains(at)) {
                image[at] = self.now()[at];
            }
        }
        let mut all = BTreeSet::new();
        for length in self.least()..=greatest {
            let mut contents: BTreeSet<Vec<u8>> = BTreeSet::from([Vec::new()]);
            for start in (0..length).step_by(PAGE as usize) {
                let pages = pages(&images, start, length.min(start + PAGE as usize));
                contents =
                    contents.iter().flat_map(|before| pages.iter().map(|page| [&before[..], page].concat())).collect();
            }
            all.extend(contents);
            if all.len() > bound {
                return None;
            }
        }
        Some(all.into_iter().collect())
    }
}

/// Everything that may be between two places in one page: sector by sector from one or from another image.
fn pages(images: &[Vec<u8>], from: usize, to: usize) -> BTreeSet<Vec<u8>> {
    let sectors: Vec<(usize, usize)> =
        (from..to).step_by(SECTOR as usize).map(|at| (at, to.min(at + SECTOR as usize))).collect();
    let mut pages = BTreeSet::new();
    for (nth, one) in images.iter().enumerate() {
        for other in &images[nth..] {
            let mut torn = vec![Vec::new()];
            for &(at, end) in &sectors {
                let mut next: Vec<Vec<u8>> = torn.iter().map(|before| [&before[..], &one[at..end]].concat()).collect();
                if one[at..end] != other[at..end] {
                    next.extend(torn.iter().map(|before| [&before[..], &other[at..end]].concat()));
                }
                torn = next;
            }
            pages.extend(torn);
        }
    }
    pages
}

/// One number for a state.
pub(super) fn fingerprint(state: &[(String, Bytes)]) -> u128 {
    let mut text = Vec::new();
    for (path, bytes) in state {
        text.extend_from_slice(&(path.len() as u64).to_le_bytes());
        text.extend_from_slice(path.as_bytes());
        text.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        text.extend_from_slice(bytes);
    }
    xxh3_128(&text)
}
