//! Random programs of calls on the disk and on a plain model of it, which knows of every byte and name what it may be.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::disk::PAGE;

/// A disk, told by what may be on it.
#[derive(Clone, Default)]
struct Reference {
    files: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    /// What each path has been since its directory was synced, then included.
    history: BTreeMap<String, BTreeSet<Option<u64>>>,
    /// Files whose name was durable, and that were neither removed nor replaced since.
    safe: BTreeSet<u64>,
    born: u64,
}

#[derive(Clone, Default)]
struct Inode {
    /// What it has been since the last sync, then included.
    versions: Vec<Vec<u8>>,
    /// Bytes that a failed sync forsook.
    doubtful: BTreeSet<usize>,
    /// Pages written since the last sync, failed or not.
    dirty: BTreeSet<usize>,
}

impl Inode {
    fn of(bytes: Vec<u8>) -> Self {
        Self { versions: vec![bytes], ..Self::default() }
    }

    fn now(&self) -> &Vec<u8> {
        self.versions.last().expect("there is always one")
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut next = self.now().clone();
        change(&mut next);
        let page = PAGE as usize;
        let (shorter, longer) = (self.now().len().min(next.len()), self.now().len().max(next.len()));
        if shorter != longer {
            self.dirty.extend(shorter / page..longer.div_ceil(page));
        }
        self.doubtful.retain(|&at| at < next.len());
        self.versions.push(next);
    }

    fn sync(&mut self, succeeds: bool) {
        if succeeds {
            let dirty = std::mem::take(&mut self.dirty);
            self.doubtful.retain(|at| !dirty.contains(&(at / PAGE as usize)));
            self.versions = vec![self.now().clone()];
        } else {
            let lost: Vec<usize> = (0..self.now().len()).filter(|&at| !self.is_firm(at)).collect();
            self.doubtful.extend(lost);
            self.dirty.clear();
        }
    }

    fn is_firm(&self, at: usize) -> bool {
        !self.doubtful.contains(&at) && self.versions.iter().all(|version| version.get(at) == self.now().get(at))
    }

    fn check(&self, survived: &[u8]) -> Result<(), String> {
        let lengths = self.versions.iter().map(Vec::len);
        let (shortest, longest) = (lengths.clone().min().unwrap_or(0), lengths.max().unwrap_or(0));
        if !(shortest..=longest).contains(&survived.len()) {
            return Err(format!("length {} is not in {shortest}..={longest}", survived.len()));
        }
        for (at, byte) in survived.iter().enumerate() {
            let is_some_version = self.versions.iter().any(|version| version.get(at) == Some(byte));
            if !is_some_version && (*byte != 0 || self.is_firm(at)) {
                return Err(format!("byte {at} is {byte}"));
            }
            if self.is_firm(at) && self.now().get(at) != Some(byte) {
                return Err(format!("byte {at} was synced and is {byte}"));
            }
        }
        Ok(())
    }
}

impl Reference {
    fn set(&mut self, path: &str, file: Option<u64>) {
        let before = self.names.get(path).copied();
        self.history.entry(path.to_string()).or_insert_with(|| BTreeSet::from([before])).insert(file);
        match file {
            Some(file) => self.names.insert(path.to_string(), file),
            None => self.names.remove(path),
        };
    }

    fn create(&mut self, path: &str) {
        if let Some(file) = self.names.get(path) {
            self.files.get_mut(file).expect("named").change(Vec::clear);
            return;
        }
        self.files.insert(self.born, Inode::of(Vec::new()));
        self.set(path, Some(self.born));
        self.born += 1;
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(file) = self.names.get(from).copied().filter(|_| from != to) {
            if let Some(replaced) = self.names.get(to) {
                self.safe.remove(replaced);
            }
            self.set(from, None);
            self.set(to, Some(file));
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(file) = self.names.get(path) {
            self.safe.remove(&file.clone());
            self.set(path, None);
        }
    }

    fn sync_dir(&mut self, directory: &str) {
        let is_in_it = |path: &String| path.rsplit_once('/').map_or("", |(parent, _)| parent) == directory;
        self.history.retain(|path, _| !is_in_it(path));
        self.safe.extend(self.names.iter().filter(|(path, _)| is_in_it(path)).map(|(_, file)| file));
    }

    /// Whether the disk is in a state that the power may have left; if so, goes on from there.
    fn adopt(&mut self, disk: &SimDisk) -> Result<(), String> {
        let found: BTreeMap<String, u64> =
            disk.names.iter().map(|(path, slot)| (path.to_string(), disk.file(slot).born)).collect();
        for path in found.keys().chain(self.names.keys()).chain(self.history.keys()) {
            let is = found.get(path).copied();
            let now = BTreeSet::from([self.names.get(path).copied()]);
            let may_be = self.history.get(path).unwrap_or(&now);
            if !may_be.contains(&is) {
                return Err(format!("{path} is {is:?}, not of {may_be:?}"));
            }
        }
        let named: BTreeSet<u64> = found.values().copied().collect();
        if named.len() != found.len() {
            return Err(format!("a file has two names: {found:?}"));
        }
        if let Some(lost) = self.safe.iter().find(|file| !named.contains(file)) {
            return Err(format!("file {lost} has lost its names: {found:?}"));
        }
        let mut files = BTreeMap::new();
        for (path, file) in &found {
            let survived = disk.peek(path).expect("named").to_vec();
            self.files[file].check(&survived).map_err(|error| format!("{path}: {error}"))?;
            files.insert(*file, Inode::of(survived));
        }
        *self = Self { files, names: found, history: BTreeMap::new(), safe: named, born: self.born };
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Create(&'static str),
    Append(&'static str, usize),
    Truncate(&'static str, u64),
    Sync(&'static str),
    FailSync(&'static str),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    SyncDir(&'static str),
    Crash,
    PowerOff(u64),
}

fn path() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "d/a", "d/b", "d/e/a"])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => path().prop_map(Step::Create),
        10 => (path(), prop_oneof![1..200_usize, 1..9000_usize]).prop_map(|(path, length)| Step::Append(path, length)),
        3 => (path(), 0..12_000_u64).prop_map(|(path, length)| Step::Truncate(path, length)),
        4 => path().prop_map(Step::Sync),
        3 => path().prop_map(Step::FailSync),
        4 => (path(), path()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => path().prop_map(Step::Remove),
        3 => prop::sample::select(vec!["", "d", "d/e"]).prop_map(Step::SyncDir),
        1 => Just(Step::Crash),
        2 => any::<u64>().prop_map(Step::PowerOff),
    ];
    prop::collection::vec(step, 1..60)
}

/// Takes a step on both; whatever the one refuses, the other must not have.
fn take(step: &Step, value: u8, disk: &mut SimDisk, reference: &mut Reference) -> Result<(), DiskError> {
    match *step {
        Step::Create(path) => {
            disk.create(path)?;
            reference.create(path);
        }
        Step::Append(path, length) => {
            let file = disk.open(path)?;
            disk.append(file, filled(value, length))?;
            let inode = reference.files.get_mut(&reference.names[path]).expect("named");
            inode.change(|bytes| bytes.resize(bytes.len() + length, value));
        }
        Step::Truncate(path, length) => {
            let file = disk.open(path)?;
            disk.truncate(file, length)?;
            let inode = reference.files.get_mut(&reference.names[path]).expect("named");
            inode.change(|bytes| bytes.truncate(length as usize));
        }
        Step::Sync(path) => {
            let file = disk.open(path)?;
            disk.sync(file)?;
            reference.files.get_mut(&reference.names[path]).expect("named").sync(true);
        }
        Step::FailSync(path) => {
            let file = disk.open(path)?;
            disk.fail_syncs(1);
            assert_eq!(disk.sync(file), Err(DiskError::Io));
            reference.files.get_mut(&reference.names[path]).expect("named").sync(false);
        }
        Step::Rename(from, to) => {
            disk.rename(from, to)?;
            reference.rename(from, to);
        }
        Step::Remove(path) => {
            disk.remove(path)?;
            reference.remove(path);
        }
        Step::SyncDir(directory) => {
            disk.sync_dir(directory)?;
            reference.sync_dir(directory);
        }
        Step::Crash => disk.crash(),
        Step::PowerOff(_) => {}
    }
    Ok(())
}

/// That processes see on the disk exactly what was written.
fn assert_seen(disk: &SimDisk, reference: &Reference) {
    let seen: Vec<(String, Bytes)> =
        disk.files().map(|(path, _)| (path.to_string(), disk.peek(path).expect("there"))).collect();
    let expected: Vec<(String, Bytes)> = reference
        .names
        .iter()
        .map(|(path, file)| (path.clone(), Bytes::from(reference.files[file].now().clone())))
        .collect();
    assert_eq!(seen, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_power_cut_leaves_only_legal_states_and_a_crash_leaves_all(steps in steps(), seeds in prop::collection::vec(any::<u64>(), 4)) {
        let mut disk = disk(0);
        let mut reference = Reference::default();
        for (nth, step) in steps.iter().enumerate() {
            if let Err(error) = take(step, (nth % 255) as u8 + 1, &mut disk, &mut reference) {
                prop_assert_eq!(error, DiskError::NotFound);
            }
            if let Step::PowerOff(seed) = step {
                disk.power_off(Dice::new(*seed), nth as u64);
                let adopted = reference.adopt(&disk);
                prop_assert!(adopted.is_ok(), "{:?}", adopted);
            }
            assert_seen(&disk, &reference);
        }
        for seed in seeds {
            let (mut forked, mut reference) = (disk.clone(), reference.clone());
            forked.power_off(Dice::new(seed), 1000);
            let adopted = reference.adopt(&forked);
            prop_assert!(adopted.is_ok(), "{:?}", adopted);
        }
    }
}
