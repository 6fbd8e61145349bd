//! A segment's two sparse indexes, `.index` and `.timeindex`, in memory and as bytes (§1.2, L29).
//!
//! Hints only: whoever looks something up goes on with a walk over batches. This file must not know segments, disks, or
//! when an entry is due.
//!
//! Kafka preallocates both files with zeros and trims them when the segment is rolled or closed, so a crash leaves zeros
//! behind the entries, and so does a page that never reached the disk. The rule here: entries of nothing but zeros at
//! the end are room that was never filled and are dropped, unless one is all that the file holds. No reader is misled:
//! in an offset index such an entry is never written, since nothing is indexed before the segment holds a batch; in a
//! time index it says what an empty one says, too. Disorder of any other kind is refused.

use super::checkpoint::Malformed;
use crate::names::Offset;

/// The bytes of one entry of the offset index: relative offset and position, 32 bits each.
pub const OFFSET_ENTRY_SIZE: usize = 8;

/// The bytes of one entry of the time index: timestamp in 64 bits, relative offset in 32.
pub const TIME_ENTRY_SIZE: usize = 12;

/// What a time index knows about timestamps below its first: nothing. Kafka's `NO_TIMESTAMP`.
pub const NO_TIMESTAMP: i64 = -1;

/// Where in the `.log` file some offsets lie: strictly increasing offsets and, with them, positions in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetIndex {
    base: Offset,
    entries: Vec<(Offset, u32)>,
}

/// Since which offset some timestamps have been reached: strictly increasing timestamps in milliseconds, each with the
/// offset that brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeIndex {
    base: Offset,
    entries: Vec<(i64, Offset)>,
}

impl OffsetIndex {
    /// The empty index of the segment that begins at `base`.
    #[must_use]
    pub fn new(base: Offset) -> Self {
        Self { base, entries: Vec::new() }
    }

    /// Whether an entry for this offset may come next: larger than all before and expressible in 31 bits (L26).
    #[must_use]
    pub fn takes(&self, offset: Offset) -> bool {
        relative(self.base, offset).is_some() && self.entries.last().is_none_or(|&(last, _)| offset > last)
    }

    /// Adds an entry: the batch that ends with `offset` begins at byte `position`. Returns the bytes that belong behind
    /// the others in the file.
    ///
    /// # Panics
    /// When the index does not [take](Self::takes) the offset or the position exceeds 31 bits: a bug of the caller, whose
    /// segment does not grow so far.
    pub fn push(&mut self, offset: Offset, position: u32) -> [u8; OFFSET_ENTRY_SIZE] {
        assert!(self.takes(offset) && position <= i32::MAX as u32, "{offset} at {position} behind {:?}", self.last());
        self.entries.push((offset, position));
        self.entry_bytes(offset, position)
    }

    /// The entry with the largest offset not above `target`; the segment's beginning if there is none (L29).
    #[must_use]
    pub fn lookup(&self, target: Offset) -> (Offset, u32) {
        let above = self.entries.partition_point(|&(offset, _)| offset <= target);
        self.entries[..above].last().copied().unwrap_or((self.base, 0))
    }

    /// Forgets entries for `offset` and above. Returns whether there were any.
    pub fn truncate_to(&mut self, offset: Offset) -> bool {
        let kept = self.entries.partition_point(|&(indexed, _)| indexed < offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Whether a file of `max_bytes` (`segment.index.bytes`) has no room for another entry (L26).
    #[must_use]
    pub fn is_full(&self, max_bytes: usize) -> bool {
        self.entries.len() >= max_bytes / OFFSET_ENTRY_SIZE
    }

    /// The newest entry.
    #[must_use]
    pub fn last(&self) -> Option<(Offset, u32)> {
        self.entries.last().copied()
    }

    /// All entries, oldest first: offset and position.
    #[must_use]
    pub fn entries(&self) -> &[(Offset, u32)] {
        &self.entries
    }

    /// The length of the trimmed file in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.entries.len() * OFFSET_ENTRY_SIZE
    }

    /// The content of the trimmed file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|&(offset, position)| self.entry_bytes(offset, position)).collect()
    }

    /// Reads the file of the segment that begins at `base`. Zeros at the end are dropped, see above.
    ///
    /// # Errors
    /// [`Malformed`] for a length that is no multiple of an entry's, and for offsets or positions that are negative or
    /// do not grow. Kafka looks at the length and the last offset alone.
    pub fn decode(base: Offset, bytes: &[u8]) -> Result<Self, Malformed> {
        let mut index = Self::new(base);
        for entry in filled::<OFFSET_ENTRY_SIZE>(bytes)? {
            let offset = absolute(base, number(entry, 0))?;
            let position = u32::try_from(i32::from_be_bytes(number(entry, 4)))
                .map_err(|_| Malformed("an index entry with a negative position"))?;
            if !index.takes(offset) || index.last().is_some_and(|(_, last)| position <= last) {
                return Err(Malformed("offsets or positions of an index do not grow"));
            }
            index.entries.push((offset, position));
        }
        Ok(index)
    }

    fn entry_bytes(&self, offset: Offset, position: u32) -> [u8; OFFSET_ENTRY_SIZE] {
        let mut bytes = [0; OFFSET_ENTRY_SIZE];
        bytes[..4].copy_from_slice(&relative_bytes(self.base, offset));
        bytes[4..].copy_from_slice(&position.to_be_bytes());
        bytes
    }
}

impl TimeIndex {
    /// The empty index of the segment that begins at `base`.
    #[must_use]
    pub fn new(base: Offset) -> Self {
        Self { base, entries: Vec::new() }
    }

    /// Notes that `offset` has the largest timestamp so far, if that has grown since the last entry (L29). Returns the
    /// bytes that then belong behind the others in the file. The same entry twice, as at roll and close, is noted once.
    ///
    /// # Panics
    /// When the timestamp has grown but the offset lies below that of the last entry, or is not expressible in 31 bits: a
    /// bug of the caller.
    pub fn maybe_push(&mut self, timestamp: i64, offset: Offset) -> Option<[u8; TIME_ENTRY_SIZE]> {
        if timestamp <= self.last().0 {
            return None;
        }
        assert!(self.takes(offset), "{offset} behind {:?}", self.last());
        self.entries.push((timestamp, offset));
        Some(self.entry_bytes(timestamp, offset))
    }

    /// The entry with the largest timestamp not above `timestamp`: no offset below it has a larger one. Without such an
    /// entry [`NO_TIMESTAMP`] and the segment's base.
    #[must_use]
    pub fn lookup(&self, timestamp: i64) -> (i64, Offset) {
        let above = self.entries.partition_point(|&(indexed, _)| indexed <= timestamp);
        self.entries[..above].last().copied().unwrap_or((NO_TIMESTAMP, self.base))
    }

    /// Forgets entries whose offset is `offset` or above. Returns whether there were any.
    pub fn truncate_to(&mut self, offset: Offset) -> bool {
        let kept = self.entries.partition_point(|&(_, indexed)| indexed < offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Whether a file of `max_bytes` (`segment.index.bytes`) has no room for another entry beside the one that is kept
    /// free for the roll (L26, L28).
    #[must_use]
    pub fn is_full(&self, max_bytes: usize) -> bool {
        self.entries.len() + 1 >= max_bytes / TIME_ENTRY_SIZE
    }

    /// The newest entry, [`NO_TIMESTAMP`] and the segment's base if there is none.
    #[must_use]
    pub fn last(&self) -> (i64, Offset) {
        self.entries.last().copied().unwrap_or((NO_TIMESTAMP, self.base))
    }

    /// All entries, oldest first: timestamp and offset.
    #[must_use]
    pub fn entries(&self) -> &[(i64, Offset)] {
        &self.entries
    }

    /// The length of the trimmed file in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.entries.len() * TIME_ENTRY_SIZE
    }

    /// The content of the trimmed file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|&(timestamp, offset)| self.entry_bytes(timestamp, offset)).collect()
    }

    /// Reads the file of the segment that begins at `base`. Zeros at the end are dropped, see above.
    ///
    /// # Errors
    /// [`Malformed`] for a length that is no multiple of an entry's, timestamps that do not grow, and offsets that fall.
    /// Kafka looks at the length, the last offset, and the first and last timestamp alone.
    pub fn decode(base: Offset, bytes: &[u8]) -> Result<Self, Malformed> {
        let mut index = Self::new(base);
        for entry in filled::<TIME_ENTRY_SIZE>(bytes)? {
            let timestamp = i64::from_be_bytes(number(entry, 0));
            let offset = absolute(base, number(entry, 8))?;
            if timestamp <= index.last().0 || !index.takes(offset) {
                return Err(Malformed("timestamps of an index do not grow, or offsets fall"));
            }
            index.entries.push((timestamp, offset));
        }
        Ok(index)
    }

    fn takes(&self, offset: Offset) -> bool {
        relative(self.base, offset).is_some() && offset >= self.last().1
    }

    fn entry_bytes(&self, timestamp: i64, offset: Offset) -> [u8; TIME_ENTRY_SIZE] {
        let mut bytes = [0; TIME_ENTRY_SIZE];
        bytes[..8].copy_from_slice(&timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&relative_bytes(self.base, offset));
        bytes
    }
}

/// The entries of a file without those at its end that were never filled.
fn filled<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], Malformed> {
    let (entries, []) = bytes.as_chunks::<N>() else {
        return Err(Malformed("an index of a length that is no multiple of an entry's"));
    };
    if entries.len() == 1 {
        return Ok(entries);
    }
    let filled = entries.iter().rposition(|entry| *entry != [0; N]).map_or(0, |last| last + 1);
    Ok(&entries[..filled])
}

/// How far above `base` an offset lies, if 31 bits can say it.
fn relative(base: Offset, offset: Offset) -> Option<i32> {
    i32::try_from(offset.0.checked_sub(base.0)?).ok()
}

fn relative_bytes(base: Offset, offset: Offset) -> [u8; 4] {
    relative(base, offset).expect("only such offsets are in an index").to_be_bytes()
}

fn absolute(base: Offset, relative: [u8; 4]) -> Result<Offset, Malformed> {
    match u64::try_from(i32::from_be_bytes(relative)) {
        Ok(relative) => Ok(base.plus(relative)),
        Err(_) => Err(Malformed("an index entry below its segment")),
    }
}

fn number<const N: usize>(entry: &[u8], at: usize) -> [u8; N] {
    *entry[at..].first_chunk().expect("the field lies within the entry")
}
