//! A run on record: the digest that names it, JSON lines that keep it, and where two of them part.
//!
//! Knows facts and nothing of where they come from.

use std::fmt;
use std::io::{BufRead, Write};

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::fact::Fact;

/// 128 bits that name everything that happened up to some fact: equal runs have equal digests, and only they.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub u128);

/// The digest of the facts so far.
#[derive(Clone)]
pub struct RollingDigest {
    hash: Xxh3,
    /// Facts that are not in `hash` yet: the hash is fastest on long stretches.
    pending: Vec<u8>,
}

/// Bytes that are gathered before they are hashed.
const STRETCH: usize = 1024;

impl RollingDigest {
    /// The digest of no facts.
    #[must_use]
    pub fn new() -> Self {
        Self { hash: Xxh3::new(), pending: Vec::with_capacity(2 * STRETCH) }
    }

    /// Adds a fact.
    pub fn add(&mut self, fact: &Fact) {
        let written = postcard::serialize_with_flavor(fact, Pending(&mut self.pending));
        written.expect("facts are plain data, which always serialises");
        if self.pending.len() >= STRETCH {
            self.hash.update(&self.pending);
            self.pending.clear();
        }
    }

    /// The digest of all facts so far.
    #[must_use]
    pub fn value(&self) -> Digest {
        let mut hash = self.hash.clone();
        hash.update(&self.pending);
        Digest(hash.digest128())
    }
}

impl Default for RollingDigest {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RollingDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value(), f)
    }
}

/// Lets postcard write behind what is in a buffer.
struct Pending<'a>(&'a mut Vec<u8>);

impl Flavor for Pending<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        // Most of what a fact says fits into one byte, for which a call of `memcpy` is a long way.
        match data {
            [byte] => self.0.push(*byte),
            _ => self.0.extend_from_slice(data),
        }
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        u128::from_str_radix(&text, 16).map(Self)
    }
}

/// The digest of a whole trace.
#[must_use]
pub fn digest(trace: &[Fact]) -> Digest {
    let mut rolling = RollingDigest::new();
    for fact in trace {
        rolling.add(fact);
    }
    rolling.value()
}

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The reading itself failed.
    #[error("line {line}: {source}")]
    Io {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: std::io::Error,
    },
    /// A line is not a fact.
    #[error("line {line} is not a fact of this version: {source}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
}

/// Writes facts, one line of JSON each.
///
/// # Errors
/// If the writing fails.
pub fn write_lines<'a>(facts: impl IntoIterator<Item = &'a Fact>, mut to: impl Write) -> std::io::Result<()> {
    for fact in facts {
        serde_json::to_writer(&mut to, fact)?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads what [`write_lines`] wrote. Blank lines do not count.
///
/// # Errors
/// If the reading fails or a line is no fact.
pub fn read_lines(from: impl BufRead) -> Result<Vec<Fact>, TraceError> {
    lines(from).collect()
}

/// The same fact by fact, for those who do not need all of them at once.
pub fn lines(from: impl BufRead) -> impl Iterator<Item = Result<Fact, TraceError>> {
    from.lines().enumerate().filter_map(|(index, line)| {
        let number = index + 1;
        let line = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => line,
            Err(source) => return Some(Err(TraceError::Io { line: number, source })),
        };
        Some(serde_json::from_str(&line).map_err(|source| TraceError::Malformed { line: number, source }))
    })
}

/// Where two traces part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence<'a> {
    /// The place, from 0.
    pub index: usize,
    /// What the one has there; nothing if it has ended.
    pub left: Option<&'a Fact>,
    /// What the other has there.
    pub right: Option<&'a Fact>,
}

/// The first place at which two traces differ, if they do.
#[must_use]
pub fn divergence<'a>(left: &'a [Fact], right: &'a [Fact]) -> Option<Divergence<'a>> {
    let index = (0..left.len().max(right.len())).find(|&index| left.get(index) != right.get(index))?;
    Some(Divergence { index, left: left.get(index), right: right.get(index) })
}

#[cfg(test)]
mod tests {
    use model::names::BrokerId;
    use model::wire::Channel;

    use super::*;
    use crate::fact::{Api, Moment, What};

    fn delivered(number: u64) -> Fact {
        let what = What::Delivered {
            from: BrokerId(1).into(),
            channel: Channel::ReplicaFetch,
            api: Api::FetchRequest,
            correlation: number,
            error: None,
        };
        Fact { number, at: Moment(number * 1_000_003), node: Some(BrokerId(2).into()), what }
    }

    #[test]
    fn the_digest_depends_on_every_fact_and_on_their_order_and_not_on_when_it_is_read() {
        let facts: Vec<Fact> = (0..500).map(delivered).collect();
        let whole = digest(&facts);
        assert_ne!(digest(&facts[..499]), whole);
        let mut swapped = facts.clone();
        swapped.swap(7, 8);
        assert_ne!(digest(&swapped), whole);
        let mut changed = facts.clone();
        changed[250].at = Moment(changed[250].at.0 + 1);
        assert_ne!(digest(&changed), whole);
        let mut rolling = RollingDigest::new();
        for fact in &facts {
            rolling.add(fact);
            let _ = rolling.value();
        }
        assert_eq!(rolling.value(), whole);
    }

    /// What old digests mean. If it changes, all kept ones change with it.
    #[test]
    fn the_digest_never_changes_its_meaning() {
        let facts: Vec<Fact> = (0..3).map(delivered).collect();
        assert_eq!(digest(&facts).to_string(), GOLDEN);
    }

    const GOLDEN: &str = "ad3f56d52aad8c7ebf6463bbf350902c";

    #[test]
    fn a_digest_is_read_back_from_its_text() {
        let known = Digest(0x0123_4567_89ab_cdef);
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(text, "\"00000000000000000123456789abcdef\"");
        assert_eq!(serde_json::from_str::<Digest>(&text).unwrap(), known);
        assert!(serde_json::from_str::<Digest>("\"x\"").is_err());
    }
}
