//! All that a power cut may leave now, as data: enumerated where [`SimDisk::power_off`] draws one.
//!
//! Names times lengths times pages times torn sectors are too many to be tried, so those are told apart that somebody who
//! recovers could tell apart. What is reduced, and why every *kind* of state is still there:
//!
//! - **Names**: nothing is reduced. Every set of kept changes that is closed under what they rest on is there; sets that
//!   leave the same names count once, and of files that are left without a name nothing is told apart.
//! - **Lengths** of a file: what was synced, what each version had, where each append since ended, each boundary of a
//!   sector or page, and one byte short of and beyond each of these, as far as they are legal. Between two such marks a
//!   reader sees the same record, or padding, cut somewhere in its middle.
//! - **Pages** with open bytes: zeros; what the page was at the last sync, before each truncation since, and at the end;
//!   what it was after each append since. These by themselves, and each two of them but the last sort torn at each sector
//!   boundary, either way round, and in the patterns every other, the middle and the outer sectors. Other sets of torn
//!   sectors have no more seams than these, and a seam is what a reader can trip over. A page torn between two appends is
//!   one torn between zeros and the later one, but for where the data ends.
//! - What leaves the same bytes counts once. Files are independent of each other, and pages of a file, as in the contract.
//!
//! Knows nothing of what the files are.

mod contents;
mod tangles;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::names::Node;
use rand::Rng;
use xxhash_rust::xxh3::Xxh3;

use self::contents::{Contents, Grain};
use self::tangles::Tangle;
use super::SimDisk;
use super::names::{Names, Platter, Slot};
use super::survival::{Fate, FileFate, draw_names};
use crate::dice::{Dice, Meaning};

/// The power cuts that a disk may suffer as it is now. It is a copy: the disk may go on.
#[derive(Clone, Debug)]
pub struct Fates {
    host: Node,
    names: Names,
    tangles: Vec<Tangle>,
    /// The open files whose name is in no tangle.
    named: Vec<Slot>,
    files: BTreeMap<Slot, OpenContents>,
}

/// What may be left of one file that is open.
#[derive(Clone, Debug)]
struct OpenContents {
    path: Arc<str>,
    /// How many younger files have, or had last, the same path.
    namesake: u32,
    contents: Contents,
    count: u128,
}

/// Some of the [`Fates`] of a disk, all different from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// They, in a fixed order; of a sample that is not exhaustive the corners come first.
    pub fates: Vec<Fate>,
    /// Out of how many, see [`Fates::count`].
    pub of: u128,
    /// Whether these are all.
    pub exhaustive: bool,
    /// How many corners there was no room for: [`Fates::up_to`] says what they are.
    pub corners_missed: usize,
}

/// A file that a power cut may leave in more than one state, for people and for whoever chooses when to cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// The path it has, or had last.
    pub path: Arc<str>,
    /// Whether it has it still.
    pub named: bool,
    /// Below this many bytes it is durable, but for what a failed sync may have lost.
    pub firm: u64,
    /// Its length in bytes, as processes see it.
    pub seen: u64,
    /// The greatest length in bytes that may be left of it.
    pub longest: u64,
    /// What it has been since the last sync: then, before each truncation, and at the end.
    pub versions: usize,
}

impl SimDisk {
    /// What a power cut may leave now. Takes time in proportion to the bytes that are not durable.
    #[must_use]
    pub fn fates(&self) -> Fates {
        self.fates_of(Grain::Marked)
    }

    /// As [`SimDisk::fates`], but nothing is reduced: for files with a few open bytes.
    #[cfg(test)]
    pub(super) fn all_fates(&self) -> Fates {
        self.fates_of(Grain::Full)
    }

    fn fates_of(&self, grain: Grain) -> Fates {
        let names = self.names.clone();
        let tangles = Tangle::all(&names);
        let mut reachable: Vec<Slot> = names.reachable().into_iter().collect();
        reachable.sort_by_key(|slot| std::cmp::Reverse(self.file(*slot).born));
        let mut namesakes: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        let mut files = BTreeMap::new();
        for slot in reachable {
            let path = self.file(slot).path.clone();
            let younger = namesakes.entry(path.clone()).or_default();
            let namesake = *younger;
            *younger += 1;
            if let Some(unsettled) = self.file(slot).unsettled() {
                let contents = Contents::new(unsettled, grain);
                let count = contents.count();
                files.insert(slot, OpenContents { path, namesake, contents, count });
            }
        }
        let tangled: BTreeSet<Slot> = tangles.iter().flat_map(|tangle| tangle.files(&names)).collect();
        let lasting = names.durable().paths().map(|(_, slot)| slot).filter(|slot| !tangled.contains(slot));
        let named = lasting.filter(|slot| files.contains_key(slot)).collect();
        Fates { host: self.host, names, tangles, named, files }
    }

    /// Whether a power cut now would leave everything as it is.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.names.pending().is_empty() && self.unsettled().next().is_none()
    }

    /// The files that a power cut now may leave in more than one state, in the order of their paths.
    #[must_use]
    pub fn unsettled_files(&self) -> Vec<OpenFile> {
        let files = self.unsettled().map(|slot| {
            let file = self.file(slot);
            let (firm, longest, versions) = file.outline();
            let named = self.names.find(&file.path) == Some(slot);
            OpenFile { path: file.path.clone(), named, firm, seen: file.content().len(), longest, versions }
        });
        let mut files: Vec<OpenFile> = files.collect();
        files.sort_by(|one, other| (&one.path, !one.named).cmp(&(&other.path, !other.named)));
        files
    }

    /// A hash of all paths and all bytes that processes see, however they came about; durable or not makes no difference.
    #[must_use]
    pub fn content_hash(&self) -> u128 {
        let mut hash = Xxh3::new();
        for (path, slot) in self.names.iter() {
            let content = self.file(slot).content();
            hash.update(&(path.len() as u64).to_le_bytes());
            hash.update(path.as_bytes());
            hash.update(&content.len().to_le_bytes());
            content.pieces().for_each(|piece| hash.update(piece));
        }
        hash.digest128()
    }

    fn unsettled(&self) -> impl Iterator<Item = Slot> {
        self.names.reachable().into_iter().filter(|slot| self.file(*slot).is_unsettled())
    }
}

impl Fates {
    /// How many there are that can be told apart, see the head of this module; [`u128::MAX`] for that many or more, and
    /// where one tangle of pending changes of names has more than 4096 outcomes.
    #[must_use]
    pub fn count(&self) -> u128 {
        let tangles = self.tangles.iter().map(|tangle| self.weight_of_tangle(tangle));
        tangles.fold(self.weight_of_files(self.named.iter().copied()), u128::saturating_mul)
    }

    /// All of them in a fixed order if there are at most `bound`; else `bound` of them, as far as there is room: first the
    /// corners, then drawn ones.
    ///
    /// Corners are: everything kept, nothing kept, all names without the data and all data without the names; each change
    /// of a name undone alone and kept alone (with what it rests on); each file alone lost and alone kept, with each of
    /// its truncations undone, with its length but not its data, with a hole in the beginning or the middle, with only its
    /// end, without only its end; each file ended where an append ended, or with zeros from there on. If there is no
    /// room for all of these, those of the last sort are spread evenly over half of what is left by the others.
    #[must_use]
    pub fn up_to(&self, bound: usize, dice: Dice) -> Sample {
        let of = self.count();
        if of <= bound as u128 {
            let fates = (0..of).map(|nth| self.nth(nth)).collect();
            return Sample { fates, of, exhaustive: true, corners_missed: 0 };
        }
        let mut sampling = Sampling { bound, ..Sampling::default() };
        self.corners().into_iter().for_each(|fate| sampling.add_corner(fate));
        self.torn(&mut sampling);
        let meaning = dice.of(&("a fate", self.host));
        for nth in 0..8 * bound as u64 {
            if sampling.is_full() {
                break;
            }
            sampling.add(self.draw(meaning.and(&nth)));
        }
        let countable = if of == u128::MAX { 0 } else { of };
        (0..countable)
            .take_while(|nth| {
                let goes_on = !sampling.is_full();
                if goes_on {
                    sampling.add(self.nth(*nth));
                }
                goes_on
            })
            .for_each(drop);
        Sample { fates: sampling.fates, of, exhaustive: false, corners_missed: sampling.corners_missed }
    }

    /// The one of this number; there must be so many, and not too many to be counted.
    fn nth(&self, mut nth: u128) -> Fate {
        let mut digit = |base: u128| {
            let digit = nth % base;
            nth /= base;
            digit
        };
        let mut names = vec![false; self.names.pending().len()];
        let mut files = BTreeMap::new();
        let mut choose = |slot: Slot, rest: &mut u128| {
            let file = &self.files[&slot];
            files.insert(slot, file.contents.nth(*rest % file.count));
            *rest /= file.count;
        };
        for tangle in &self.tangles {
            let mut rest = digit(self.weight_of_tangle(tangle));
            for (outcome, kept) in tangle.outcomes().into_iter().flatten() {
                let weight = self.weight_of_files(self.open(outcome));
                if rest < weight {
                    tangle.choose(kept, &mut names);
                    self.open(outcome).for_each(|slot| choose(slot, &mut rest));
                    break;
                }
                rest -= weight;
            }
        }
        for &slot in &self.named {
            choose(slot, &mut digit(self.files[&slot].count));
        }
        Fate { names, files }
    }

    /// The corners but for those at the ends of appends.
    fn corners(&self) -> Vec<Fate> {
        let changes = self.names.pending().len();
        let kept = |_: Slot, file: &OpenContents| file.contents.kept();
        let lost = |_: Slot, file: &OpenContents| file.contents.lost();
        let (all, none) = (vec![true; changes], vec![false; changes]);
        let mut corners = vec![
            self.with(all.clone(), kept),
            self.with(none.clone(), lost),
            self.with(all.clone(), lost),
            self.with(none.clone(), kept),
        ];
        for nth in 0..changes {
            let (mut undone, mut alone) = (all.clone(), none.clone());
            (undone[nth], alone[nth]) = (false, true);
            corners.push(self.with(undone, kept));
            corners.push(self.with(alone, kept));
        }
        for (&slot, file) in &self.files {
            corners.push(
                self.with(all.clone(), |other, file| if other == slot { lost(other, file) } else { kept(other, file) }),
            );
            corners.push(
                self.with(all.clone(), |other, file| if other == slot { kept(other, file) } else { lost(other, file) }),
            );
            for corner in file.contents.corners() {
                let or_kept =
                    |other, file: &OpenContents| if other == slot { corner.clone() } else { kept(other, file) };
                corners.push(self.with(all.clone(), or_kept));
            }
        }
        corners
    }

    /// Adds the corners at the ends of appends.
    fn torn(&self, sampling: &mut Sampling) {
        let all: usize = self.files.values().map(|file| file.contents.torn_count()).sum();
        let left = sampling.bound.saturating_sub(sampling.fates.len());
        let room = if all <= left { all } else { left.div_ceil(2) };
        sampling.corners_missed += all - room;
        let mut files = self.files.iter();
        let (mut file, mut before) = (files.next(), 0);
        for nth in 0..room {
            let which = (nth as u128 * all as u128 / room as u128) as usize;
            while let Some((&slot, open)) = file {
                let count = open.contents.torn_count();
                if which - before < count {
                    let torn = open.contents.torn(which - before);
                    let keep = vec![true; self.names.pending().len()];
                    sampling.add(self.with(
                        keep,
                        |other, file| {
                            if other == slot { torn.clone() } else { file.contents.kept() }
                        },
                    ));
                    break;
                }
                before += count;
                file = files.next();
            }
        }
    }

    /// One drawn by the paths of what is pending and open.
    fn draw(&self, meaning: Meaning) -> Fate {
        let odds = [0.0, 0.3, 0.6, 0.9, 1.0][meaning.draw().gen_range(0..5)];
        let kept = draw_names(meaning.and("name"), odds, self.names.pending());
        self.with(kept, |_, file| file.contents.draw(meaning.and(&(&*file.path, file.namesake))))
    }

    /// That in which these changes of names are kept, and what they rest on, and this is left of each file with a name.
    fn with(&self, mut kept: Vec<bool>, choose: impl Fn(Slot, &OpenContents) -> FileFate) -> Fate {
        self.names.complete(&mut kept);
        let mut names = kept.clone();
        let mut slots = self.named.clone();
        for tangle in &self.tangles {
            let outcome = tangle.outcome(&self.names, &kept);
            if let Some(usual) = tangle.outcomes().and_then(|outcomes| outcomes.get(&outcome)) {
                tangle.choose(usual, &mut names);
            }
            slots.extend(self.open(&outcome));
        }
        let files = slots.into_iter().map(|slot| (slot, choose(slot, &self.files[&slot]))).collect();
        Fate { names, files }
    }

    /// The open files that have a name in an outcome.
    fn open<'a>(&'a self, outcome: &'a Platter) -> impl Iterator<Item = Slot> + 'a {
        outcome.files.values().copied().filter(|slot| self.files.contains_key(slot))
    }

    fn weight_of_tangle(&self, tangle: &Tangle) -> u128 {
        tangle.outcomes().map_or(u128::MAX, |outcomes| {
            let weights = outcomes.keys().map(|outcome| self.weight_of_files(self.open(outcome)));
            weights.fold(0, u128::saturating_add)
        })
    }

    fn weight_of_files(&self, slots: impl Iterator<Item = Slot>) -> u128 {
        slots.map(|slot| self.files[&slot].count).fold(1, u128::saturating_mul)
    }
}

/// Different fates, up to a bound.
#[derive(Default)]
struct Sampling {
    bound: usize,
    fates: Vec<Fate>,
    known: BTreeSet<Fate>,
    corners_missed: usize,
}

impl Sampling {
    fn is_full(&self) -> bool {
        self.fates.len() >= self.bound
    }

    fn add(&mut self, fate: Fate) {
        if !self.is_full() && self.known.insert(fate.clone()) {
            self.fates.push(fate);
        }
    }

    fn add_corner(&mut self, fate: Fate) {
        self.corners_missed += usize::from(self.is_full() && !self.known.contains(&fate));
        self.add(fate);
    }
}
