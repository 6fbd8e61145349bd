//! One file: what processes see of it, and what is known of the platter.
//!
//! Files only grow at the end and are cut down, so the platter needs no image of its own: it is told apart by the length
//! at the last sync and the cuts since. Which of the possible states a power cut leaves is not decided here.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;

/// The unit in which the page cache reaches the platter, in bytes.
pub const PAGE: u64 = 4096;

/// The unit within which a write is never torn, in bytes.
pub const SECTOR: u64 = 512;

/// A file, named or not. It is data: what may happen to it is read off [`File::unsettled`].
#[derive(Clone, Debug)]
pub(super) struct File {
    /// The path it has, or had last.
    pub(super) path: Arc<str>,
    /// The how-manieth file of this disk.
    pub(super) born: u64,
    content: Content,
    /// The length at the last successful sync.
    durable: u64,
    /// Truncations since, oldest first.
    cuts: Vec<Cut>,
    /// What a failed sync left clean in the cache but perhaps not on the platter; later syncs do not write it.
    forsaken: Vec<Range<u64>>,
    /// Where the first page begins that was written to since the last sync, failed or not.
    dirty_from: u64,
}

/// A truncation that the platter may not have seen.
#[derive(Clone, Debug)]
struct Cut {
    at: u64,
    lost: Content,
}

/// Why and how the surviving content of a file is open.
#[derive(Clone, Debug)]
pub(super) struct Unsettled {
    /// What the file has been since the last sync, oldest first; the first is what was synced, the last what is seen.
    pub(super) versions: Vec<Content>,
    /// From which length each version grew to its own since what was before it.
    pub(super) grown_from: Vec<u64>,
    /// The lengths that may survive.
    pub(super) lengths: Range<u64>,
    /// Where bytes are open, in order and apart. Everything else survives exactly.
    pub(super) loose: Vec<Range<u64>>,
}

impl File {
    pub(super) fn new(path: Arc<str>, born: u64) -> Self {
        Self {
            path,
            born,
            content: Content::default(),
            durable: 0,
            cuts: Vec::new(),
            forsaken: Vec::new(),
            dirty_from: u64::MAX,
        }
    }

    pub(super) fn content(&self) -> &Content {
        &self.content
    }

    pub(super) fn append(&mut self, bytes: Bytes) {
        self.dirty_from = self.dirty_from.min(page_start(self.content.len()));
        self.content.append(bytes);
    }

    pub(super) fn truncate(&mut self, length: u64) {
        if length < self.content.len() {
            self.dirty_from = self.dirty_from.min(page_start(length));
            let lost = self.content.cut(length);
            self.cuts.push(Cut { at: length, lost });
        }
    }

    /// How many bytes a sync would have to write.
    pub(super) fn dirty_bytes(&self) -> u64 {
        self.content.len() - self.firm()
    }

    /// Whether a sync would have nothing to do.
    pub(super) fn is_clean(&self) -> bool {
        self.cuts.is_empty() && self.durable == self.content.len()
    }

    /// Everything dirty is on the platter. A page that was written to since a failed sync is dirty again and gets there
    /// whole.
    pub(super) fn sync(&mut self) {
        for range in &mut self.forsaken {
            range.end = range.end.min(self.dirty_from);
        }
        self.forsaken.retain(|range| !range.is_empty());
        self.durable = self.content.len();
        self.cuts.clear();
        self.dirty_from = u64::MAX;
    }

    /// A sync failed: the kernel calls the dirty pages clean, whether or not they were written.
    pub(super) fn fail_sync(&mut self) {
        let from = self.forsaken.last().map_or(0, |range| range.end).max(self.firm());
        if from < self.content.len() {
            self.forsaken.push(from..self.content.len());
        }
        self.dirty_from = u64::MAX;
    }

    /// Turns one bit, in the cache and wherever else the byte is.
    pub(super) fn flip(&mut self, at: u64, bit: u8) {
        self.content.flip(at, bit);
    }

    /// The file is this from now on, in the cache and on the platter.
    pub(super) fn settle(&mut self, content: Content) {
        self.durable = content.len();
        self.content = content;
        self.cuts.clear();
        self.forsaken.clear();
        self.dirty_from = u64::MAX;
    }

    /// Whether a power cut now may leave something else than what is seen.
    pub(super) fn is_unsettled(&self) -> bool {
        !self.is_clean() || !self.forsaken.is_empty()
    }

    /// How much of it is firm, how long it may become, and how many versions there are: [`File::unsettled`] in brief.
    pub(super) fn outline(&self) -> (u64, u64, usize) {
        let cut = self.cuts.iter().map(|cut| cut.at + cut.lost.len());
        (self.firm(), cut.fold(self.content.len().max(self.durable), u64::max), self.cuts.len() + 2)
    }

    /// What is open about this file if the power goes now; nothing if it would survive as it is.
    pub(super) fn unsettled(&self) -> Option<Unsettled> {
        if !self.is_unsettled() {
            return None;
        }
        let mut versions = vec![self.content.clone()];
        for cut in self.cuts.iter().rev() {
            let mut before = versions[versions.len() - 1].slice(0, cut.at);
            before.extend(cut.lost.clone());
            versions.push(before);
        }
        versions.push(self.synced(&versions[versions.len() - 1]));
        versions.reverse();
        let mut grown_from = vec![versions[0].len(), self.durable];
        grown_from.extend(self.cuts.iter().map(|cut| cut.at));
        let firm = self.firm();
        let longest = versions.iter().map(Content::len).max().unwrap_or(0);
        let mut loose: Vec<Range<u64>> =
            self.forsaken.iter().map(|range| range.start.min(firm)..range.end.min(firm)).collect();
        loose.push(firm..longest);
        loose.retain(|range| !range.is_empty());
        Some(Unsettled { versions, grown_from, lengths: firm..longest + 1, loose })
    }

    /// Below this, nothing but a failed sync puts a byte in doubt.
    fn firm(&self) -> u64 {
        self.cuts.iter().map(|cut| cut.at).fold(self.durable, u64::min)
    }

    /// What was synced, given what the file was before the first cut since. What a failed sync forsook is not there.
    fn synced(&self, oldest: &Content) -> Content {
        let mut synced = Content::default();
        for range in &self.forsaken {
            let (from, to) = (range.start.min(self.durable), range.end.min(self.durable));
            synced.extend(oldest.slice(synced.len(), from));
            synced.extend_zeros(to.saturating_sub(synced.len()));
        }
        synced.extend(oldest.slice(synced.len(), self.durable));
        synced
    }
}

fn page_start(at: u64) -> u64 {
    at / PAGE * PAGE
}
