//! The two indexes against Kafka's bytes and against a search through all entries.

use proptest::prelude::*;

use crate::log::checkpoint::Malformed;
use crate::log::index::{NO_TIMESTAMP, OffsetIndex, TimeIndex};
use crate::names::Offset;

const BASE: Offset = Offset(100);

fn offset_index(entries: &[(u64, u32)]) -> OffsetIndex {
    let mut index = OffsetIndex::new(BASE);
    for &(offset, position) in entries {
        index.push(Offset(offset), position);
    }
    index
}

fn time_index(entries: &[(i64, u64)]) -> TimeIndex {
    let mut index = TimeIndex::new(BASE);
    for &(timestamp, offset) in entries {
        index.maybe_push(timestamp, Offset(offset)).expect("has grown");
    }
    index
}

#[test]
fn an_offset_index_has_kafkas_bytes() {
    let index = offset_index(&[(105, 4_100), (0x0102_0304 + 100, 0x0506_0708)]);
    let bytes = [0, 0, 0, 5, 0, 0, 0x10, 0x04, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(index.encode(), bytes);
    assert_eq!(index.size(), bytes.len());
    assert_eq!(OffsetIndex::decode(BASE, &bytes), Ok(index));
}

#[test]
fn a_time_index_has_kafkas_bytes() {
    let index = time_index(&[(1_700_000_000_000, 105), (1_700_000_000_001, 356)]);
    let bytes = [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0, 0, 0, 0, 5, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 1, 0, 0, 1, 0];
    assert_eq!(index.encode(), bytes);
    assert_eq!(index.size(), bytes.len());
    assert_eq!(TimeIndex::decode(BASE, &bytes), Ok(index));
}

#[test]
fn what_is_pushed_is_what_the_file_grows_by() {
    let (mut offsets, mut times) = (OffsetIndex::new(BASE), TimeIndex::new(BASE));
    let (mut offset_file, mut time_file) = (Vec::new(), Vec::new());
    for step in 1..10 {
        offset_file.extend(offsets.push(BASE.plus(step), step as u32 * 7));
        time_file.extend(times.maybe_push(step as i64 * 9, BASE.plus(step)).expect("grown"));
    }
    assert_eq!((offset_file, time_file), (offsets.encode(), times.encode()));
}

#[test]
fn a_lookup_before_the_first_entry_gives_the_beginning_of_the_segment() {
    let (offsets, times) = (offset_index(&[(105, 50)]), time_index(&[(1_000, 105)]));
    assert_eq!(offsets.lookup(Offset(104)), (BASE, 0));
    assert_eq!(offsets.lookup(Offset(3)), (BASE, 0), "even below the segment");
    assert_eq!(offsets.lookup(Offset(105)), (Offset(105), 50));
    assert_eq!(times.lookup(999), (NO_TIMESTAMP, BASE));
    assert_eq!(times.lookup(1_000), (1_000, Offset(105)));
}

#[test]
fn a_time_entry_is_added_only_if_the_timestamp_grew() {
    let mut index = time_index(&[(1_000, 105)]);
    assert_eq!(index.maybe_push(1_000, Offset(105)), None, "as at roll and close");
    assert_eq!(index.maybe_push(999, Offset(110)), None);
    assert_eq!(index.maybe_push(NO_TIMESTAMP, Offset(111)), None);
    assert!(index.maybe_push(1_001, Offset(112)).is_some());
    assert_eq!(index.last(), (1_001, Offset(112)));
    assert_eq!(TimeIndex::new(BASE).maybe_push(NO_TIMESTAMP, BASE), None, "records without timestamps");
}

#[test]
fn an_index_is_full_when_no_whole_entry_fits_and_a_time_index_keeps_one_for_the_roll() {
    let offsets = offset_index(&[(101, 1), (102, 2)]);
    assert!(offsets.is_full(16) && offsets.is_full(23) && !offsets.is_full(24));
    let times = time_index(&[(1, 101), (2, 102)]);
    assert!(times.is_full(24) && times.is_full(36) && times.is_full(47) && !times.is_full(48));
}

#[test]
fn offsets_that_31_bits_cannot_say_are_not_taken() {
    let index = offset_index(&[(105, 50)]);
    let limit = u64::from(i32::MAX.unsigned_abs());
    assert!(index.takes(BASE.plus(limit)) && !index.takes(BASE.plus(limit + 1)));
    assert!(!index.takes(Offset(105)) && !index.takes(Offset(99)));
    assert!(!OffsetIndex::new(BASE).takes(Offset(99)) && OffsetIndex::new(BASE).takes(BASE));
}

#[test]
fn room_that_was_never_filled_is_dropped_and_any_other_disorder_refused() {
    let (offsets, times) = (offset_index(&[(105, 50), (110, 90)]), time_index(&[(5, 105), (6, 110)]));
    for zeros in 0..4 {
        let padded = [offsets.encode(), vec![0; 8 * zeros]].concat();
        assert_eq!(OffsetIndex::decode(BASE, &padded), Ok(offsets.clone()));
        let padded = [times.encode(), vec![0; 12 * zeros]].concat();
        assert_eq!(TimeIndex::decode(BASE, &padded), Ok(times.clone()));
    }
    let entry = |relative: i32, position: i32| [relative.to_be_bytes(), position.to_be_bytes()].concat();
    for broken in [
        offsets.encode()[..9].to_vec(),
        vec![0; 3],
        entry(-1, 5),
        entry(5, -1),
        [entry(5, 50), entry(5, 60)].concat(),
        [entry(5, 50), entry(4, 60)].concat(),
        [entry(5, 50), entry(6, 50)].concat(),
        [entry(5, 50), entry(0, 0), entry(6, 60)].concat(),
    ] {
        assert!(matches!(OffsetIndex::decode(BASE, &broken), Err(Malformed(_))), "{broken:?}");
    }
    let entry = |timestamp: i64, relative: i32| [&timestamp.to_be_bytes()[..], &relative.to_be_bytes()].concat();
    for broken in [
        times.encode()[..13].to_vec(),
        vec![0; 11],
        entry(-1, 5),
        entry(5, -1),
        [entry(5, 5), entry(5, 6)].concat(),
        [entry(5, 5), entry(4, 6)].concat(),
        [entry(5, 5), entry(6, 4)].concat(),
        [entry(5, 5), entry(0, 0), entry(6, 6)].concat(),
    ] {
        assert!(matches!(TimeIndex::decode(BASE, &broken), Err(Malformed(_))), "{broken:?}");
    }
}

#[test]
fn a_single_time_entry_of_zeros_is_an_entry() {
    let mut index = TimeIndex::new(BASE);
    index.maybe_push(0, BASE).expect("grown");
    assert_eq!(TimeIndex::decode(BASE, &index.encode()), Ok(index));
}

proptest! {
    #[test]
    fn every_offset_index_finds_what_a_search_through_all_entries_finds(
        steps in prop::collection::vec((1..50_u64, 1..5_000_u32), 0..60),
        target in 0..3_000_u64,
        cut in 0..3_000_u64,
    ) {
        let mut index = OffsetIndex::new(BASE);
        let (mut offset, mut position) = (BASE, 0);
        for (further, bytes) in steps {
            (offset, position) = (offset.plus(further), position + bytes);
            index.push(offset, position);
        }
        let all = index.entries().to_vec();
        let found = all.iter().rev().find(|&&(offset, _)| offset <= Offset(target)).copied();
        prop_assert_eq!(index.lookup(Offset(target)), found.unwrap_or((BASE, 0)));
        prop_assert_eq!(OffsetIndex::decode(BASE, &index.encode()), Ok(index.clone()));
        let left: Vec<_> = all.iter().copied().filter(|&(offset, _)| offset < Offset(cut)).collect();
        prop_assert_eq!(index.truncate_to(Offset(cut)), left.len() < all.len());
        prop_assert_eq!(index.entries(), &left);
    }

    #[test]
    fn every_time_index_finds_what_a_search_through_all_entries_finds(
        notes in prop::collection::vec((0..2_000_i64, 0..50_u64), 0..60),
        target in -1..2_100_i64,
        cut in 0..3_000_u64,
    ) {
        let mut index = TimeIndex::new(BASE);
        let (mut offset, mut all) = (BASE, Vec::new());
        for (timestamp, further) in notes {
            offset = offset.plus(further);
            let grown = all.iter().all(|&(known, _)| known < timestamp);
            prop_assert_eq!(index.maybe_push(timestamp, offset).is_some(), grown);
            if grown {
                all.push((timestamp, offset));
            }
        }
        let found = all.iter().rev().find(|&&(timestamp, _)| timestamp <= target).copied();
        prop_assert_eq!(index.lookup(target), found.unwrap_or((NO_TIMESTAMP, BASE)));
        prop_assert_eq!(TimeIndex::decode(BASE, &index.encode()), Ok(index.clone()));
        all.retain(|&(_, offset)| offset < Offset(cut));
        index.truncate_to(Offset(cut));
        prop_assert_eq!(index.entries(), &all);
    }

    #[test]
    fn no_bytes_make_an_index_panic(bytes: Vec<u8>) {
        let _ = OffsetIndex::decode(BASE, &bytes);
        let _ = TimeIndex::decode(BASE, &bytes);
    }
}
