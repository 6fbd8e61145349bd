//! Pending changes of names that have to do with each other, and what a power cut may leave of them.
//!
//! Changes are in one tangle if they share a file, a place, or the name of a directory; what becomes of one tangle is no
//! matter of another. So the outcomes of each are few, although all together are many.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::names::{Directory, NameChange, Names, Place, Platter, Slot};

/// So many outcomes of one tangle are told apart.
const MOST: usize = 4096;

/// Some of the pending changes, in order.
#[derive(Clone, Debug)]
pub(super) struct Tangle {
    /// Which of all pending changes they are.
    changes: Vec<usize>,
    /// What is durable of the names they are about.
    start: Platter,
    /// What may become of those names, and which of the changes are kept then: the most, if several ways lead there.
    /// Nothing if there are too many to tell apart.
    outcomes: Option<BTreeMap<Platter, Vec<bool>>>,
}

impl Tangle {
    /// All of them.
    pub(super) fn all(names: &Names) -> Vec<Self> {
        let pending = names.pending();
        let mut groups: Vec<usize> = (0..pending.len()).collect();
        let mut join = |one: usize, other: usize| {
            let (one, other) = (groups[one], groups[other]);
            if one != other {
                groups.iter_mut().filter(|group| **group == other).for_each(|group| *group = one);
            }
        };
        let mut first: BTreeMap<Shared<'_>, usize> = BTreeMap::new();
        for (nth, change) in pending.iter().enumerate() {
            for shared in Shared::by(change, pending) {
                join(*first.entry(shared).or_insert(nth), nth);
            }
        }
        let mut tangles: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (nth, group) in groups.into_iter().enumerate() {
            tangles.entry(group).or_default().push(nth);
        }
        tangles.into_values().map(|changes| Self::new(names, changes)).collect()
    }

    fn new(names: &Names, changes: Vec<usize>) -> Self {
        let of = |nth: &usize| &names.pending()[*nth];
        let places: BTreeSet<&Place> = changes.iter().map(of).flat_map(NameChange::places).collect();
        let mut directories: BTreeSet<&Directory> = places.iter().map(|place| &place.directory).collect();
        for change in changes.iter().map(of) {
            if let NameChange::DirectoryMoved { directory, replaced, .. } = change {
                directories.extend(std::iter::once(directory).chain(replaced));
            }
        }
        let mut start = names.durable().clone();
        start.files.retain(|place, _| places.contains(place));
        start.homes.retain(|directory, _| directories.contains(directory));
        let outcomes = outcomes(&start, &changes.iter().map(of).collect::<Vec<_>>());
        Self { changes, start, outcomes }
    }

    /// What may become of the names, and which of the changes are kept then; nothing if that is too much to tell apart.
    pub(super) fn outcomes(&self) -> Option<&BTreeMap<Platter, Vec<bool>>> {
        self.outcomes.as_ref()
    }

    /// The files it is about, whether changed or only replaced.
    pub(super) fn files(&self, names: &Names) -> impl Iterator<Item = Slot> {
        let changed = self.changes.iter().filter_map(|nth| names.pending()[*nth].file());
        self.start.files.values().copied().chain(changed)
    }

    /// What becomes of the names if of all pending changes these are kept.
    pub(super) fn outcome(&self, names: &Names, kept: &[bool]) -> Platter {
        let mut platter = self.start.clone();
        self.changes.iter().filter(|nth| kept[**nth]).for_each(|nth| names.pending()[*nth].apply(&mut platter));
        platter.forget_the_replaced();
        platter
    }

    /// Makes these the changes that are kept of the tangle.
    pub(super) fn choose(&self, chosen: &[bool], kept: &mut [bool]) {
        self.changes.iter().zip(chosen).for_each(|(nth, is_kept)| kept[*nth] = *is_kept);
    }
}

/// What two changes have in common if they cannot be seen apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shared<'a> {
    File(Slot),
    Place(&'a Place),
    /// A directory of this name was renamed, or another got it.
    Called(&'a str),
    /// A directory was replaced, or made where another was renamed away.
    Within(&'a Directory),
}

impl<'a> Shared<'a> {
    fn by(change: &'a NameChange, pending: &'a [NameChange]) -> Vec<Self> {
        let mut shared: Vec<Self> = change.file().map(Self::File).into_iter().collect();
        for place in change.places() {
            shared.push(Self::Place(place));
            let is_contested = |other: &NameChange| is_about(other, &place.directory);
            shared.extend(pending.iter().any(is_contested).then_some(Self::Within(&place.directory)));
        }
        if let NameChange::DirectoryMoved { from, to, .. } = change {
            shared.extend([Self::Called(from), Self::Called(to)]);
            let inside = pending.iter().flat_map(NameChange::places).map(|place| &place.directory);
            shared.extend(inside.filter(|directory| is_about(change, directory)).map(Self::Within));
        }
        shared
    }
}

/// Whether the change replaced this directory, or made room for it.
fn is_about(change: &NameChange, other: &Directory) -> bool {
    match change {
        NameChange::DirectoryMoved { from, replaced, nth, .. } => {
            replaced.as_ref() == Some(other) || (other.made_as == *from && other.after > *nth)
        }
        NameChange::Linked { .. } | NameChange::Moved { .. } | NameChange::Unlinked { .. } => false,
    }
}

/// Which changes that vacated a name were undone so far: nothing else can have got it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Undone {
    files: BTreeSet<Place>,
    directories: BTreeSet<(Arc<str>, u64)>,
}

impl Undone {
    fn add(&mut self, change: &NameChange) {
        match change {
            NameChange::Moved { from, .. } => {
                self.files.insert(from.place.clone());
            }
            NameChange::DirectoryMoved { from, nth, .. } => {
                self.directories.insert((from.clone(), *nth));
            }
            NameChange::Linked { .. } | NameChange::Unlinked { .. } => {}
        }
    }

    /// Whether a later change cannot have been kept.
    fn forbids(&self, change: &NameChange) -> bool {
        match change {
            NameChange::Linked { entry: to, .. } | NameChange::Moved { to, .. } => {
                let directory = &to.place.directory;
                let mut stayed = self.directories.iter();
                self.files.contains(&to.place)
                    || stayed.any(|(from, nth)| directory.made_as == *from && directory.after > *nth)
            }
            NameChange::Unlinked { .. } => false,
            NameChange::DirectoryMoved { to, replaced, .. } => {
                self.directories.iter().any(|(from, _)| from == to)
                    || self.files.iter().any(|place| replaced.as_ref() == Some(&place.directory))
            }
        }
    }
}

/// Every state that some of the changes lead to, from the first change to the last.
fn outcomes(start: &Platter, changes: &[&NameChange]) -> Option<BTreeMap<Platter, Vec<bool>>> {
    let mut states = BTreeMap::from([((start.clone(), Undone::default()), Vec::new())]);
    for change in changes {
        let mut next = BTreeMap::new();
        for ((platter, undone), kept) in states {
            if !undone.forbids(change) {
                let mut platter = platter.clone();
                change.apply(&mut platter);
                add(&mut next, (platter, undone.clone()), [&kept[..], &[true]].concat());
            }
            let mut undone = undone;
            undone.add(change);
            add(&mut next, (platter, undone), [&kept[..], &[false]].concat());
        }
        if next.len() > MOST {
            return None;
        }
        states = next;
    }
    let mut outcomes = BTreeMap::new();
    for ((mut platter, _), kept) in states {
        platter.forget_the_replaced();
        add(&mut outcomes, platter, kept);
    }
    Some(outcomes)
}

/// Keeps of several ways to a state the one on which the most is kept.
fn add<S: Ord>(states: &mut BTreeMap<S, Vec<bool>>, state: S, kept: Vec<bool>) {
    let many = |kept: &[bool]| kept.iter().filter(|is_kept| **is_kept).count();
    let known = states.entry(state).or_insert_with(|| kept.clone());
    if many(&kept) > many(known) {
        *known = kept;
    }
}
