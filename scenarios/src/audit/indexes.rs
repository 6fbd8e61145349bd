//! A segment's two indexes: every entry is a hint that misleads nobody (L29).
//!
//! Entries of nothing but zeros at the end are room that was never filled.

use super::segment::{Stored, field};

/// The first entry of an offset index that misleads: it has to give a batch's beginning, at or below the offset that it is
/// for, in order.
pub(super) fn wrong_offset_entry(base: u64, index: &[u8], batches: &[Stored]) -> Option<String> {
    let end = batches.last().map_or(base, Stored::end);
    let mut before: Option<(u64, u64)> = None;
    for entry in filled::<8>(index) {
        let offset = base.wrapping_add_signed(i64::from(i32::from_be_bytes(field(entry, 0))));
        let position = u64::from(u32::from_be_bytes(field(entry, 4)));
        let there = batches.binary_search_by_key(&position, |batch| batch.position).ok().map(|at| batches[at]);
        let grows = before.is_none_or(|(last, at)| offset > last && position > at);
        if !grows || offset >= end || there.is_none_or(|batch| batch.base > offset) {
            return Some(format!("offset {offset} at byte {position}, where {there:?} lies, behind {before:?}"));
        }
        before = Some((offset, position));
    }
    None
}

/// The first entry of a time index that misleads: its timestamp has to be the largest up to its offset, which is one that a
/// batch ends with.
pub(super) fn wrong_time_entry(base: u64, index: &[u8], batches: &[Stored]) -> Option<String> {
    let mut rest = batches.iter().peekable();
    let (mut largest, mut last) = (i64::MIN, None);
    let mut before: Option<(i64, u64)> = None;
    for entry in filled::<12>(index) {
        let timestamp = i64::from_be_bytes(field(entry, 0));
        let offset = base.wrapping_add_signed(i64::from(i32::from_be_bytes(field(entry, 8))));
        while let Some(batch) = rest.next_if(|batch| batch.end() <= offset + 1) {
            largest = largest.max(batch.max_timestamp);
            last = Some(batch.end() - 1);
        }
        let grows = before.is_none_or(|(time, at)| timestamp > time && offset >= at);
        if !grows || last != Some(offset) || largest != timestamp {
            return Some(format!("timestamp {timestamp} at {offset}, up to where {largest} is the largest"));
        }
        before = Some((timestamp, offset));
    }
    None
}

fn filled<const N: usize>(index: &[u8]) -> &[[u8; N]] {
    let (entries, _) = index.as_chunks::<N>();
    let filled = entries.iter().rposition(|entry| *entry != [0; N]).map_or(0, |last| last + 1);
    &entries[..filled]
}
