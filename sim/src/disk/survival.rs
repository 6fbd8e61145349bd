//! What a power cut leaves: [`Fate`] says it as data, the dice draw one, and files and names are settled by it.
//!
//! Drawing and obeying are apart, so that somebody may enumerate fates instead of drawing them. Everything legal is open
//! here and nothing else: what was synced survives exactly, each page of the rest by itself (§1.19, N2).

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use model::names::Node;
use rand::Rng;

use super::content::Content;
use super::file::{File, PAGE, SECTOR, Unsettled};
use super::names::{NameChange, Names, Slot};
use crate::dice::{Dice, Draw, Meaning};

/// What becomes of everything on a disk that was not durable when the power went.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fate {
    /// Of the changes of names that were pending, in order: whether each was kept.
    pub names: Vec<bool>,
    /// Of the files with unsynced bytes or truncations, by number: what is left of each, if its name survives. Those
    /// whose name does not may be left out.
    pub files: BTreeMap<u32, FileFate>,
}

/// What is left of one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileFate {
    /// Its length in bytes; may reach beyond the valid data, over zeros.
    pub length: u64,
    /// For each page with unsettled bytes, in order: what is in it. Those beyond the length may be left out.
    pub pages: Vec<PageFate>,
}

/// What is in one page of 4096 bytes, where it was not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageFate {
    /// What its sectors are from.
    pub one: Image,
    /// What the sectors marked in `torn` are from.
    pub other: Image,
    /// A bit for each of the eight sectors of 512 bytes; none if the page is in one piece.
    pub torn: u8,
}

/// Where the bytes of a page, or of a sector, are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Image {
    /// Nowhere: they were never written.
    Zeros,
    /// What the file once was: 0 at its last sync, then before each truncation since, and last as it was seen at the end.
    Version(usize),
    /// A version as it was when it had grown to `length` bytes only, over zeros: the page was written between two
    /// appends, and the length afterwards. Enumerated, but not drawn by [`SimDisk::power_off`](super::SimDisk::power_off).
    Grown {
        /// Which version.
        version: usize,
        /// Its length then, in bytes.
        length: u64,
    },
}

impl Fate {
    /// How many changes of names were undone.
    #[must_use]
    pub fn names_undone(&self) -> usize {
        self.names.iter().filter(|kept| !**kept).count()
    }
}

impl PageFate {
    /// A page in one piece.
    #[must_use]
    pub fn whole(image: Image) -> Self {
        Self { one: image, other: image, torn: 0 }
    }

    /// Where the bytes of a sector are from.
    pub(super) fn image(&self, sector: u64) -> Image {
        if self.torn >> sector & 1 == 1 { self.other } else { self.one }
    }
}

/// How much of what was in the page cache reached the platter, as a whole; the page cache may just have been flushed, or
/// the power gone the moment after the last sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Everything,
    Nothing,
    Mixed,
}

/// Draws what the `nth` power cut of a host leaves: any fate but those with pages written between two appends, or torn
/// between two images of which neither is the newest, which only `fates` enumerates. Each name and page is drawn for itself, by host, path and `nth`.
pub(super) fn draw(dice: Dice, host: Node, nth: u64, names: &Names, files: &[Option<File>]) -> Fate {
    let mut disk = dice.draw(&("power-off", host, nth));
    let mood = match disk.gen_range(0..100) {
        0..12 => Mood::Everything,
        12..24 => Mood::Nothing,
        _ => Mood::Mixed,
    };
    let odds = match mood {
        Mood::Everything => 1.0,
        Mood::Nothing => 0.0,
        Mood::Mixed => [0.0, 0.3, 0.6, 0.9, 1.0][disk.gen_range(0..5)],
    };
    let which = dice.of(&("power-off name", host, nth));
    let mut fate = Fate { names: draw_names(which, odds, names.pending()), files: BTreeMap::new() };
    names.complete(&mut fate.names);
    let mut open: Vec<(Slot, &File)> =
        names.reachable().into_iter().filter_map(|slot| Some((slot, files.get(slot as usize)?.as_ref()?))).collect();
    open.sort_by_key(|(_, file)| std::cmp::Reverse(file.born));
    let mut namesakes: BTreeMap<&str, u32> = BTreeMap::new();
    for (slot, file) in open {
        let namesake = namesakes.entry(&file.path).or_default();
        let who = (host, &*file.path, *namesake, nth);
        *namesake += 1;
        if let Some(unsettled) = file.unsettled() {
            let pages = dice.of(&("power-off page", who));
            fate.files.insert(slot, unsettled.draw(mood, dice.draw(&("power-off file", who)), pages));
        }
    }
    fate
}

/// Draws for each change by itself, by its paths, whether it was kept; not yet completed.
pub(super) fn draw_names(meaning: Meaning, odds: f64, pending: &[NameChange]) -> Vec<bool> {
    let mut repeats: BTreeMap<u64, u64> = BTreeMap::new();
    let mut kept = Vec::with_capacity(pending.len());
    for change in pending {
        let kind = match change {
            NameChange::Linked { .. } => 0_u8,
            NameChange::Moved { .. } => 1,
            NameChange::Unlinked { .. } => 2,
            NameChange::DirectoryMoved { .. } => 3,
        };
        let mut which = meaning.and(&kind);
        for path in change.paths() {
            which = which.and(&**path);
        }
        let repeat = repeats.entry(which.number()).or_default();
        kept.push(which.nth(*repeat).gen_bool(odds));
        *repeat += 1;
    }
    kept
}

impl Unsettled {
    /// The pages with unsettled bytes, in order.
    pub(super) fn pages(&self) -> impl Iterator<Item = u64> {
        let mut next = 0;
        self.loose.iter().flat_map(move |range| {
            let pages = next.max(range.start / PAGE)..range.end.div_ceil(PAGE);
            next = pages.end;
            pages
        })
    }

    fn draw(&self, mood: Mood, mut file: Draw, pages: Meaning) -> FileFate {
        let (oldest, newest) = (Image::Version(0), Image::Version(self.versions.len() - 1));
        let (synced, seen) = (self.versions[0].len(), self.versions[self.versions.len() - 1].len());
        let all = |image, length| FileFate { length, pages: self.pages().map(|_| PageFate::whole(image)).collect() };
        let temper = file.gen_range(0..100);
        match (mood, temper) {
            (Mood::Everything, _) | (_, 0..15) => all(newest, seen),
            (Mood::Nothing, _) | (_, 15..30) => all(oldest, synced),
            (_, 30..45) => all(newest, file.gen_range(self.lengths.start..=seen)),
            _ => {
                let odds = [0.15, 0.5, 0.85, 0.97][file.gen_range(0..4)];
                let length = match file.gen_range(0..100) {
                    0..50 => seen,
                    50..65 => synced,
                    65..80 => self.lengths.end - 1,
                    _ => file.gen_range(self.lengths.clone()),
                };
                let drawn = self.pages().map(|page| self.draw_page(odds, pages.nth(page)));
                FileFate { length, pages: drawn.collect() }
            }
        }
    }

    fn draw_page(&self, odds: f64, mut page: Draw) -> PageFate {
        let newest = Image::Version(self.versions.len() - 1);
        if page.gen_bool(odds) {
            return PageFate::whole(newest);
        }
        let other = match page.gen_range(0..=self.versions.len()) {
            0 => Image::Zeros,
            version => Image::Version(version - 1),
        };
        match page.gen_range(0..10) {
            0..6 => PageFate::whole(other),
            6..8 => PageFate { one: newest, other, torn: 0xff << page.gen_range(1..8) },
            _ => PageFate { one: newest, other, torn: page.r#gen() },
        }
    }

    /// The content that a fate leaves.
    pub(super) fn surviving(&self, fate: &FileFate) -> Content {
        let seen = self.versions.len() - 1;
        let mut parts = Parts { versions: &self.versions, done: Content::default(), run: None };
        for (page, fate_of_page) in self.pages().zip(&fate.pages) {
            let range = page * PAGE..((page + 1) * PAGE).min(fate.length);
            if range.is_empty() {
                break;
            }
            parts.share(seen, range.start);
            match fate_of_page {
                PageFate { one: Image::Version(version), torn: 0, .. }
                    if self.versions[*version].len() >= range.end =>
                {
                    parts.share(*version, range.end);
                }
                _ => parts.insert(self.page(range, fate_of_page)),
            }
        }
        parts.share(seen, fate.length);
        parts.finish()
    }

    /// One page, byte by byte; what is settled in it stays as it is.
    pub(super) fn page(&self, range: Range<u64>, fate: &PageFate) -> Bytes {
        let mut page = vec![0; (range.end - range.start) as usize];
        for (sector, room) in page.chunks_mut(SECTOR as usize).enumerate() {
            let at = range.start + sector as u64 * SECTOR;
            match fate.image(sector as u64) {
                Image::Zeros => {}
                Image::Version(version) => self.versions[version].copy_to(at, room),
                Image::Grown { version, length } => {
                    let there = length.saturating_sub(at).min(room.len() as u64) as usize;
                    self.versions[version].copy_to(at, &mut room[..there]);
                }
            }
        }
        let seen = &self.versions[self.versions.len() - 1];
        let mut at = range.start;
        for loose in self.loose.iter().chain(std::iter::once(&(range.end..range.end))) {
            let end = loose.start.clamp(at, range.end);
            seen.copy_to(at, &mut page[(at - range.start) as usize..(end - range.start) as usize]);
            at = loose.end.clamp(at, range.end);
        }
        Bytes::from(page)
    }
}

/// Puts a content together, sharing the longest possible runs of what there is.
struct Parts<'a> {
    versions: &'a [Content],
    done: Content,
    /// From this version up to there, not yet in `done`.
    run: Option<(usize, u64)>,
}

impl Parts<'_> {
    fn share(&mut self, version: usize, to: u64) {
        if to <= self.end() {
            return;
        }
        if self.run.is_some_and(|(running, _)| running != version) {
            self.flush();
        }
        self.run = Some((version, to));
    }

    fn insert(&mut self, bytes: Bytes) {
        self.flush();
        self.done.append(bytes);
    }

    fn end(&self) -> u64 {
        self.run.map_or(self.done.len(), |(_, end)| end)
    }

    fn flush(&mut self) {
        if let Some((version, end)) = self.run.take() {
            self.done.extend(self.versions[version].slice(self.done.len(), end));
        }
    }

    fn finish(mut self) -> Content {
        self.flush();
        self.done
    }
}
