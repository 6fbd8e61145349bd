//! What may be left of one file, in classes: lengths at the places that matter, and pages that differ in their bytes.

use std::collections::BTreeSet;

use bytes::Bytes;
use rand::Rng;

use super::super::file::{PAGE, SECTOR, Unsettled};
use super::super::survival::{FileFate, Image, PageFate};
use crate::dice::Meaning;

/// How finely what may be left is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Lengths and tears at the places that matter.
    Marked,
    /// Every length and every tear: only for files with a few open bytes.
    #[cfg(test)]
    Full,
}

/// Tears besides those at one place: every other sector, the middle ones, the outer ones.
const PATTERNS: [u8; 4] = [0xaa, 0x55, 0x3c, 0xc3];

/// How many sectors there are in a page.
const SECTORS: usize = (PAGE / SECTOR) as usize;

/// Everything that may be left of one file.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    unsettled: Unsettled,
    grain: Grain,
    /// The pages with unsettled bytes, in order.
    pages: Vec<Page>,
    /// In order: a length, and how many contents have it.
    lengths: Vec<(u64, u128)>,
    /// For each version, the lengths that it had while it grew, in order, but for the last.
    grown: Vec<Vec<u64>>,
    /// All of those that may be left.
    boundaries: Vec<u64>,
}

/// What may be in one page, or in the beginning of it.
#[derive(Clone, Debug)]
struct Page {
    start: u64,
    /// Where bytes may be from; the first is the file as it was seen at the end.
    sources: Vec<Image>,
    /// For each source, and in it for each sector in 16 bits: the first source that has the same bytes there.
    alike: Vec<u128>,
    /// What differs, each with what it is told apart by.
    options: Vec<(u128, PageFate)>,
}

impl Contents {
    pub(super) fn new(unsettled: Unsettled, grain: Grain) -> Self {
        let grown: Vec<Vec<u64>> = (0..unsettled.versions.len()).map(|version| grown(&unsettled, version)).collect();
        let boundaries: BTreeSet<u64> = grown.iter().flatten().copied().collect();
        let boundaries = boundaries.into_iter().filter(|end| unsettled.lengths.contains(end)).collect();
        let mut contents = Self { unsettled, grain, pages: Vec::new(), lengths: Vec::new(), grown, boundaries };
        let mut lengths = contents.marks().into_iter().peekable();
        let mut whole = 1_u128;
        for start in contents.unsettled.pages().map(|page| page * PAGE).collect::<Vec<_>>() {
            while let Some(length) = lengths.next_if(|length| *length <= start) {
                contents.lengths.push((length, whole));
            }
            let images = contents.images(start);
            let page = images.page(grain);
            while let Some(length) = lengths.next_if(|length| *length < start + PAGE) {
                let options = images.cut(&page, length).count_options(grain);
                contents.lengths.push((length, whole.saturating_mul(options)));
            }
            whole = whole.saturating_mul(page.options.len() as u128);
            contents.pages.push(page);
        }
        contents.lengths.extend(lengths.map(|length| (length, whole)));
        contents
    }

    /// How many there are, saturating.
    pub(super) fn count(&self) -> u128 {
        self.lengths.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The one of this number.
    ///
    /// # Panics
    /// If there are no more than `nth`, or so many that they cannot be counted.
    pub(super) fn nth(&self, mut nth: u128) -> FileFate {
        for &(length, count) in &self.lengths {
            if nth >= count {
                nth -= count;
                continue;
            }
            let pages = self.at(length, |page| {
                let options = page.options.len() as u128;
                let option = (nth % options) as usize;
                nth /= options;
                page.options[option].1
            });
            return FileFate { length, pages };
        }
        panic!("there are no more than {} contents", self.count())
    }

    /// Everything was written.
    pub(super) fn kept(&self) -> FileFate {
        self.version(self.unsettled.versions.len() - 1)
    }

    /// Nothing was written.
    pub(super) fn lost(&self) -> FileFate {
        self.version(0)
    }

    /// The remarkable ones, besides everything and nothing: truncations undone, the data lost but not the length, a hole
    /// before the end.
    pub(super) fn corners(&self) -> Vec<FileFate> {
        let seen = self.unsettled.versions[self.unsettled.versions.len() - 1].len();
        let mut corners: Vec<FileFate> =
            (1..self.unsettled.versions.len() - 1).map(|version| self.version(version)).collect();
        let zeros = PageFate::whole(Image::Zeros);
        corners.push(self.of(seen, |_| zeros));
        let last = self.pages.iter().map(|page| page.start).rfind(|start| *start < seen);
        let Some((first, last)) = self.pages.first().map(|page| page.start).zip(last) else { return corners };
        if first == last {
            let kept = Image::Version(self.unsettled.versions.len() - 1);
            for sector in 1..SECTORS {
                corners.push(self.of(seen, |_| PageFate { one: kept, other: Image::Zeros, torn: !(0xff << sector) }));
            }
        } else {
            let middle = first + (last - first) / PAGE / 2 * PAGE;
            corners.push(self.of(seen, |page| if page == first { zeros } else { self.newest() }));
            corners.push(self.of(seen, |page| if page == middle { zeros } else { self.newest() }));
            corners.push(self.of(seen, |page| if page == last { self.newest() } else { zeros }));
            corners.push(self.of(seen, |page| if page == last { zeros } else { self.newest() }));
        }
        corners
    }

    /// How many there are where an append ended: there the file ends too, or its data does and zeros follow.
    pub(super) fn torn_count(&self) -> usize {
        2 * self.boundaries.len()
    }

    /// One of those; the same as another where there is nothing to tear.
    pub(super) fn torn(&self, nth: usize) -> FileFate {
        let version = self.unsettled.versions.len() - 1;
        let seen = self.unsettled.versions[version].len();
        let boundary = self.boundaries[nth / 2].min(seen);
        if nth.is_multiple_of(2) {
            return self.of(boundary, |_| self.newest());
        }
        let grown = PageFate::whole(Image::Grown { version, length: boundary });
        self.of(seen, |page| match boundary {
            _ if boundary <= page => PageFate::whole(Image::Zeros),
            _ if boundary < page + PAGE && boundary >= self.unsettled.grown_from[version] && boundary < seen => grown,
            _ => self.newest(),
        })
    }

    /// One of them, of whatever sort.
    pub(super) fn draw(&self, meaning: Meaning) -> FileFate {
        let mut draw = meaning.draw();
        let any_length = self.lengths[draw.gen_range(0..self.lengths.len())].0;
        let seen = self.unsettled.versions[self.unsettled.versions.len() - 1].len();
        match draw.gen_range(0..100) {
            0..15 => self.kept(),
            15..25 => self.lost(),
            25..40 => self.of(any_length, |_| self.newest()),
            temper => {
                let odds = [0.0, 0.5, 0.85, 0.97][draw.gen_range(0..4)];
                let length = if temper < 70 { seen } else { any_length };
                let pages = self.at(length, |page| {
                    let mut draw = meaning.nth(page.start / PAGE);
                    let option = if draw.gen_bool(odds) { 0 } else { draw.gen_range(0..page.options.len()) };
                    page.options[option].1
                });
                FileFate { length, pages }
            }
        }
    }

    fn version(&self, version: usize) -> FileFate {
        self.of(self.unsettled.versions[version].len(), |_| PageFate::whole(Image::Version(version)))
    }

    fn newest(&self) -> PageFate {
        PageFate::whole(Image::Version(self.unsettled.versions.len() - 1))
    }

    /// That which has these pages, told by where they start, as the enumeration has it.
    fn of(&self, length: u64, mut choose: impl FnMut(u64) -> PageFate) -> FileFate {
        let pages = self.at(length, |page| page.canonical(choose(page.start)));
        FileFate { length, pages }
    }

    /// Chooses for each page that begins below `length`.
    fn at(&self, length: u64, mut choose: impl FnMut(&Page) -> PageFate) -> Vec<PageFate> {
        let below = self.pages.iter().take_while(|page| page.start < length);
        let chosen = below.map(|page| {
            if page.start + PAGE <= length {
                return choose(page);
            }
            let mut cut = self.images(page.start).cut(page, length);
            cut.find_options(self.grain);
            choose(&cut)
        });
        chosen.collect()
    }

    /// The bytes of a page as each source has them.
    fn images(&self, start: u64) -> Images {
        let newest = self.unsettled.versions.len() - 1;
        let whole = |image| self.unsettled.page(start..start + PAGE, &PageFate::whole(image));
        let mut sources: Vec<Image> = (0..=newest).rev().map(Image::Version).chain([Image::Zeros]).collect();
        let mut bytes: Vec<Bytes> = sources.iter().map(|&image| whole(image)).collect();
        for (version, ends) in self.grown.iter().enumerate() {
            let first = ends.partition_point(|end| *end <= start);
            for &length in ends[first..].iter().take_while(|end| **end < start + PAGE) {
                let there = (length - start) as usize;
                bytes.push([&bytes[newest - version][..there], &bytes[newest + 1][there..]].concat().into());
                sources.push(Image::Grown { version, length });
            }
        }
        Images { start, sources, bytes }
    }

    /// The lengths that are told apart.
    fn marks(&self) -> BTreeSet<u64> {
        let range = &self.unsettled.lengths;
        match self.grain {
            #[cfg(test)]
            Grain::Full => range.clone().collect(),
            Grain::Marked => {
                let sectors = (range.start / SECTOR..=range.end / SECTOR).map(|sector| sector * SECTOR);
                let lengths = self.unsettled.versions.iter().map(super::super::content::Content::len);
                let marks = sectors.chain(lengths).chain(self.boundaries.iter().copied());
                let near = marks.chain([range.start]).flat_map(|mark| mark.saturating_sub(1)..=mark + 1);
                near.filter(|length| range.contains(length)).collect()
            }
        }
    }
}

/// The lengths that a version had while it grew, but for the last. What was synced did not.
fn grown(unsettled: &Unsettled, version: usize) -> Vec<u64> {
    let (from, to) = (unsettled.grown_from[version], unsettled.versions[version].len());
    let ends = unsettled.versions[version].ends().filter(|end| *end > from);
    std::iter::once(from).chain(ends).filter(|end| *end < to).collect()
}

/// The bytes of a page as each source has them.
struct Images {
    start: u64,
    sources: Vec<Image>,
    bytes: Vec<Bytes>,
}

impl Images {
    /// The whole page.
    fn page(&self, grain: Grain) -> Page {
        let alike = vec![0; self.sources.len()];
        let mut page = Page { start: self.start, sources: self.sources.clone(), alike, options: Vec::new() };
        (0..SECTORS).for_each(|sector| self.compare(&mut page.alike, sector, SECTOR as usize));
        page.find_options(grain);
        page
    }

    /// The page as it is in a file that ends in it, its options not yet found.
    fn cut(&self, whole: &Page, length: u64) -> Page {
        let bytes = (length - self.start) as usize;
        let last = bytes / SECTOR as usize;
        let before = (1 << (16 * last)) - 1;
        let mut alike: Vec<u128> = whole.alike.iter().map(|alike| alike & before).collect();
        self.compare(&mut alike, last, bytes % SECTOR as usize);
        Page { start: self.start, sources: self.sources.clone(), alike, options: Vec::new() }
    }

    /// Finds which sources have the same first bytes in a sector, of which nothing is known yet.
    fn compare(&self, alike: &mut [u128], sector: usize, bytes: usize) {
        let from = sector * SECTOR as usize;
        let mut different: Vec<(usize, &[u8])> = Vec::new();
        for (source, (alike, image)) in alike.iter_mut().zip(&self.bytes).enumerate() {
            let own = &image[from..from + bytes];
            let same = different.iter().find(|(_, other)| *other == own);
            *alike |= (same.map_or(source, |(other, _)| *other) as u128) << (16 * sector);
            if same.is_none() {
                different.push((source, own));
            }
        }
    }
}

impl Page {
    /// Every source alone; of the versions and zeros, each two with tears between them. Told by their keys.
    fn candidates(&self, grain: Grain) -> Vec<(u128, usize, usize, u8)> {
        let is_torn = |image: &Image| match grain {
            Grain::Marked => !matches!(image, Image::Grown { .. }),
            #[cfg(test)]
            Grain::Full => true,
        };
        let tears: Vec<u8> = match grain {
            Grain::Marked => {
                (1..SECTORS as u32).flat_map(|sector| [0xff << sector, !(0xff << sector)]).chain(PATTERNS).collect()
            }
            #[cfg(test)]
            Grain::Full => (1..=0xfe).collect(),
        };
        let alike = self.alike.iter().enumerate();
        let mut candidates: Vec<_> = alike.map(|(source, alike)| (*alike, source, source, 0)).collect();
        let torn: Vec<usize> = (0..self.sources.len()).filter(|&source| is_torn(&self.sources[source])).collect();
        for (nth, &one) in torn.iter().enumerate() {
            for &other in &torn[nth + 1..] {
                if self.alike[one] != self.alike[other] {
                    candidates.extend(tears.iter().map(|&torn| (self.key(one, other, torn), one, other, torn)));
                }
            }
        }
        candidates
    }

    fn find_options(&mut self, grain: Grain) {
        let mut known = BTreeSet::new();
        for (key, one, other, torn) in self.candidates(grain) {
            if known.insert(key) {
                self.options.push((key, PageFate { one: self.sources[one], other: self.sources[other], torn }));
            }
        }
    }

    fn count_options(&self, grain: Grain) -> u128 {
        let mut keys: Vec<u128> = self.candidates(grain).into_iter().map(|(key, ..)| key).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u128
    }

    /// Tells apart what differs in its bytes.
    fn key(&self, one: usize, other: usize, torn: u8) -> u128 {
        let other_mask = (0..SECTORS).filter(|sector| torn >> sector & 1 == 1).map(|sector| 0xffff << (16 * sector));
        let other_mask: u128 = other_mask.sum();
        self.alike[one] & !other_mask | self.alike[other] & other_mask
    }

    /// What is enumerated of those that leave the same bytes.
    fn canonical(&self, fate: PageFate) -> PageFate {
        let place = |image| self.sources.iter().position(|source| *source == image);
        let Some((one, other)) = place(fate.one).zip(place(fate.other)) else { return fate };
        let key = self.key(one, other, fate.torn);
        self.options.iter().find(|(other, _)| *other == key).map_or(fate, |(_, option)| *option)
    }
}
