//! Log compaction against the plain statement of what it may take away.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use crate::log::batch::{CONTROL, DELETE_HORIZON, TRANSACTIONAL};
use crate::log::compaction::{Cleanable, Filled, Filter, Kept, OffsetMap, SegmentFacts, first_dirty, group_by_size};
use crate::log::{Batch, BatchBuilder, Header, Producers, Record};
use crate::names::{EndOffset, LeaderEpoch, Offset};

const NOW: i64 = 1_000_000;
const RETENTION: i64 = 500;

/// Key and value of a record; a record without value is a tombstone.
type Pair = (Option<&'static str>, Option<&'static str>);

fn keyed(base: u64, pairs: &[Pair]) -> Batch {
    from_producer(base, pairs, (-1, -1, -1))
}

/// The n-th record has timestamp 1000 + its offset and, every other time, a header.
fn from_producer(base: u64, pairs: &[Pair], (id, epoch, sequence): (i64, i16, i32)) -> Batch {
    let mut builder = BatchBuilder::new(1_000 + base as i64);
    for (offset, (key, value)) in (base..).zip(pairs) {
        let header = Header { key: Bytes::from("h"), value: None };
        let headers = if offset % 2 == 0 { vec![header] } else { vec![] };
        builder.push(1_000 + offset as i64, key.map(str::as_bytes), value.map(str::as_bytes), &headers);
    }
    builder.producer(id, epoch, sequence);
    builder.build().stamp(Offset(base), LeaderEpoch(3))
}

fn map_of(batches: &[Batch], end: u64) -> OffsetMap {
    let mut map = OffsetMap::new(EndOffset::ZERO, 900);
    let filled = map.fill(batches.iter().cloned().map(Ok), EndOffset(end)).expect("sound");
    assert_eq!((filled, map.end()), (Filled::Whole, EndOffset(end)));
    map
}

fn retain(batch: &Batch, map: &OffsetMap, producers: &Producers, now_ms: i64) -> Kept {
    let upper_bound = EndOffset(1_000_000);
    let filter = Filter { map, producers, upper_bound, now_ms, delete_retention_ms: RETENTION };
    filter.retain(batch).expect("sound")
}

fn read(batch: &Batch) -> Vec<Record> {
    batch.records().collect::<Result<_, _>>().expect("well-formed")
}

fn rewritten(kept: Kept) -> Batch {
    let Kept::Rewritten(batch) = kept else { panic!("{kept:?}") };
    batch
}

/// All of the header that compaction must leave alone.
fn identity(batch: &Batch) -> (Offset, EndOffset, LeaderEpoch, i64, i16, i32, i32, i16) {
    let producer = (batch.producer_id(), batch.producer_epoch(), batch.base_sequence(), batch.last_sequence());
    let attributes = batch.attributes() & !DELETE_HORIZON;
    let place = (batch.base_offset(), batch.end(), batch.leader_epoch());
    (place.0, place.1, place.2, producer.0, producer.1, producer.2, producer.3, attributes)
}

#[test]
fn the_last_value_of_a_key_stays_where_it_was_and_what_has_no_key_goes() {
    let log = [
        keyed(0, &[(Some("a"), Some("1")), (Some("b"), Some("1")), (None, Some("lost"))]),
        keyed(3, &[(Some("a"), Some("2"))]),
        keyed(4, &[(None, Some("lost"))]),
    ];
    let map = map_of(&log, 5);
    let nobody = Producers::default();
    let first = rewritten(retain(&log[0], &map, &nobody, NOW));
    assert!(first.is_valid());
    assert_eq!(identity(&first), identity(&log[0]));
    assert_eq!(read(&first), read(&log[0])[1..2]);
    assert_eq!((first.base_timestamp(), first.max_timestamp(), first.records_count()), (1_001, 1_001, 1));
    assert_eq!(retain(&log[1], &map, &nobody, NOW), Kept::AsItIs);
    assert_eq!(retain(&log[2], &map, &nobody, NOW), Kept::Gone);
}

#[test]
fn a_rewritten_batch_has_kafkas_bytes() {
    let log = keyed(0, &[(Some("k"), Some("old")), (Some("k"), None)]);
    let batch = rewritten(retain(&log, &map_of(std::slice::from_ref(&log), 2), &Producers::default(), NOW));
    // Worked out by hand from L1, L3 and L7: the horizon 1_000_500 = 0xf4434, the timestamp 1001 = 0x3e9, 999_499 earlier.
    let behind_checksum = [
        &[0, 0x40][..],
        &[0, 0, 0, 1],
        &[0, 0, 0, 0, 0, 0x0f, 0x44, 0x34],
        &[0, 0, 0, 0, 0, 0, 0x03, 0xe9],
        &[0xff; 14],
        &[0, 0, 0, 1],
        &[0x12, 0, 0x95, 0x81, 0x7a, 2, 2, b'k', 1, 0],
    ];
    let length = batch.bytes().len() as u32;
    assert_eq!(batch.bytes()[21..], behind_checksum.concat());
    assert_eq!(batch.bytes()[..17], [&[0; 8][..], &(length - 12).to_be_bytes(), &[0, 0, 0, 3], &[2]].concat());
}

#[test]
fn a_tombstone_is_stamped_by_the_first_pass_and_removed_when_its_time_has_come() {
    let log = keyed(0, &[(Some("a"), None), (Some("b"), Some("1"))]);
    let map = map_of(std::slice::from_ref(&log), 2);
    let nobody = Producers::default();
    let stamped = rewritten(retain(&log, &map, &nobody, NOW));
    assert_eq!((log.delete_horizon(), stamped.delete_horizon()), (None, Some(NOW + RETENTION)));
    assert!(stamped.is_valid());
    assert_eq!(read(&stamped), read(&log), "timestamps stay although the base has moved");
    assert_eq!((identity(&stamped), stamped.max_timestamp()), (identity(&log), log.max_timestamp()));
    assert_eq!(retain(&stamped, &map, &nobody, NOW + RETENTION - 1), Kept::AsItIs, "the horizon is set once");
    let after = rewritten(retain(&stamped, &map, &nobody, NOW + RETENTION));
    assert_eq!(read(&after), read(&log)[1..]);
    assert_eq!(after.delete_horizon(), Some(NOW + RETENTION), "as Kafka has it");
    assert_eq!(retain(&after, &map, &nobody, i64::MAX), Kept::AsItIs);
}

#[test]
fn the_last_batch_of_an_active_producer_stays_without_its_records() {
    let log = [
        from_producer(0, &[(Some("a"), Some("1"))], (7, 2, 0)),
        from_producer(1, &[(Some("a"), Some("2")), (Some("b"), Some("2"))], (7, 2, 1)),
        keyed(3, &[(Some("a"), Some("3")), (Some("b"), Some("3"))]),
    ];
    let map = map_of(&log, 5);
    let mut producers = Producers::default();
    log.iter().for_each(|batch| producers.update(batch));
    assert_eq!(retain(&log[0], &map, &producers, NOW), Kept::Gone);
    let Kept::Emptied(empty) = retain(&log[1], &map, &producers, NOW) else { panic!("emptied") };
    assert!(empty.is_valid());
    assert_eq!((empty.size(), empty.records_count(), read(&empty)), (61, 0, vec![]));
    assert_eq!((identity(&empty), empty.max_timestamp()), (identity(&log[1]), 1_002));
    assert_eq!(empty.base_timestamp(), -1);
    let mut replayed = Producers::default();
    replayed.update(&empty);
    assert!(replayed.agrees_with(&producers), "the next sequence number is still known");
    assert_eq!(retain(&empty, &map, &producers, NOW), Kept::AsItIs);
    assert_eq!(retain(&empty, &map, &Producers::default(), NOW), Kept::Gone, "once the producer has expired");
}

#[test]
fn the_batch_at_the_end_of_the_round_stays_without_its_records() {
    let log = [keyed(0, &[(Some("a"), Some("1"))]), keyed(1, &[(None, None)])];
    let (map, producers) = (map_of(&log, 2), &Producers::default());
    let ends_at = |upper_bound| {
        let upper_bound = EndOffset(upper_bound);
        let filter = Filter { map: &map, producers, upper_bound, now_ms: NOW, delete_retention_ms: RETENTION };
        filter.retain(&log[1]).expect("sound")
    };
    assert!(matches!(ends_at(2), Kept::Emptied(empty) if empty.end() == EndOffset(2)));
    assert_eq!(ends_at(3), Kept::Gone);
}

#[test]
fn control_batches_stay_and_count_for_nothing() {
    let mut builder = BatchBuilder::new(0);
    builder.push(0, Some(b"a"), None, &[]);
    builder.attributes(CONTROL | TRANSACTIONAL);
    let log = [keyed(0, &[(Some("a"), Some("1"))]), builder.build().stamp(Offset(1), LeaderEpoch(3))];
    let map = map_of(&log, 2);
    assert_eq!(map.keys(), 1);
    for batch in &log {
        assert_eq!(retain(batch, &map, &Producers::default(), NOW), Kept::AsItIs);
    }
}

#[test]
fn a_full_map_ends_before_the_batch_that_did_not_fit_and_nothing_above_is_taken_away() {
    let log = [
        keyed(0, &[(Some("a"), Some("1")), (Some("b"), Some("1"))]),
        keyed(2, &[(Some("a"), Some("2")), (Some("c"), Some("2")), (Some("d"), Some("2"))]),
        keyed(5, &[(None, Some("x")), (Some("d"), Some("3"))]),
    ];
    let mut map = OffsetMap::new(EndOffset::ZERO, OffsetMap::keys_in(24 * 4, 0.9));
    assert_eq!(map.fill(log.iter().cloned().map(Ok), EndOffset(7)), Ok(Filled::Full));
    assert_eq!((map.keys(), map.end()), (3, EndOffset(2)));
    let nobody = Producers::default();
    assert_eq!(read(&rewritten(retain(&log[0], &map, &nobody, NOW))), read(&log[0])[1..]);
    assert_eq!(retain(&log[1], &map, &nobody, NOW), Kept::AsItIs);
    assert_eq!(retain(&log[2], &map, &nobody, NOW), Kept::AsItIs);
}

#[test]
fn what_is_clean_already_is_not_in_the_map_but_yields_to_what_is() {
    let log = [
        keyed(0, &[(Some("a"), Some("1")), (Some("b"), Some("1"))]),
        keyed(2, &[(Some("c"), Some("1")), (Some("a"), Some("2"))]),
    ];
    let mut map = OffsetMap::new(EndOffset(3), 900);
    map.fill(log.iter().cloned().map(Ok), EndOffset(9)).expect("sound");
    assert_eq!((map.keys(), map.end()), (1, EndOffset(9)), "a gap at the end of a segment is covered, too");
    assert_eq!(read(&rewritten(retain(&log[0], &map, &Producers::default(), NOW))), read(&log[0])[1..]);
    assert_eq!(retain(&log[1], &map, &Producers::default(), NOW), Kept::AsItIs);
}

/// One segment per (base, size, largest timestamp); the last is active.
fn facts(segments: &[(u64, u64, i64)]) -> Vec<SegmentFacts> {
    let fact = |&(base, size, largest_timestamp)| SegmentFacts {
        base: Offset(base),
        size,
        index_size: size / 10,
        time_index_size: size / 20,
        largest_timestamp,
        first_batch_timestamp: largest_timestamp - 5,
    };
    segments.iter().map(fact).collect()
}

#[test]
fn the_dirty_part_begins_at_the_checkpoint_unless_that_lies_outside_of_the_log() {
    let begins = |checkpoint: Option<u64>| first_dirty(checkpoint.map(EndOffset), EndOffset(10), EndOffset(20)).0;
    assert_eq!([None, Some(9), Some(10), Some(15), Some(20), Some(21)].map(begins), [10, 10, 10, 15, 20, 10]);
}

#[test]
fn neither_the_active_segment_nor_unstable_nor_young_data_is_cleaned() {
    let segments = facts(&[(0, 100, 10), (10, 200, 20), (20, 400, 30), (30, 800, 40)]);
    let range = |first_dirty, last_stable, min_lag| {
        let cleanable = Cleanable::of(&segments, EndOffset(first_dirty), EndOffset(last_stable), 50, min_lag);
        (cleanable.first_uncleanable.0, cleanable.clean_bytes, cleanable.cleanable_bytes)
    };
    assert_eq!(range(0, 99, 0), (30, 0, 700));
    assert_eq!(range(10, 99, 0), (30, 100, 600));
    assert_eq!(range(0, 25, 0), (20, 0, 300), "cut down to the segment with the last stable offset");
    assert_eq!(range(0, 20, 0), (20, 0, 300));
    assert_eq!(range(0, 99, 20), (30, 0, 700), "just old enough");
    assert_eq!(range(0, 99, 21), (20, 0, 300));
    assert_eq!(range(0, 99, 999), (0, 0, 0));
    assert_eq!(range(15, 99, 0), (30, 300, 600), "what was cleaned in part counts twice");
    assert_eq!(range(15, 12, 0), (10, 300, 0), "nothing");
    assert_eq!(range(30, 99, 0), (30, 700, 0));
    assert_eq!(range(35, 99, 0), (30, 1_500, 0));
    assert_eq!(Cleanable::of(&segments[..1], EndOffset(0), EndOffset(9), 50, 0).cleanable_bytes, 0);
}

#[test]
fn a_log_is_due_when_it_is_dirty_enough_or_has_been_dirty_for_long_enough() {
    let segments = facts(&[(0, 100, 1_000), (10, 100, 2_000), (20, 0, 3_000)]);
    let cleanable = |first_dirty| Cleanable::of(&segments, EndOffset(first_dirty), EndOffset(20), 5_000, 0);
    let half = cleanable(10);
    assert_eq!((half.dirty_ratio(), half.earliest_dirty_timestamp), (0.5, Some(1_995)));
    assert!(!half.is_eligible(0.5, 5_000, i64::MAX), "more than the ratio is needed");
    assert!(half.is_eligible(0.49, 5_000, i64::MAX));
    assert!(!half.is_eligible(0.5, 5_000, 3_005) && half.is_eligible(0.5, 5_000, 3_004));
    let none = cleanable(20);
    assert_eq!((none.dirty_ratio(), none.earliest_dirty_timestamp), (0.0, None));
    assert!(!none.is_eligible(0.0, i64::MAX, 0));
    let undated = facts(&[(0, 100, 5), (10, 0, 0)]);
    let undated = Cleanable::of(&undated, EndOffset(0), EndOffset(10), 5_000, 0);
    assert_eq!(undated.earliest_dirty_timestamp, None);
    assert_eq!(Cleanable::of(&facts(&[(0, 0, 0)]), EndOffset(0), EndOffset(0), 0, 0).dirty_ratio(), 0.0);
}

#[test]
fn neighbours_become_one_segment_as_long_as_files_and_offsets_fit() {
    let groups = |segments: &[(u64, u64, i64)], size, index_size| {
        group_by_size(&facts(segments), size, index_size, EndOffset(1 << 40))
            .into_iter()
            .map(|group| group.iter().map(|segment| segment.base.0).collect())
            .collect::<Vec<Vec<u64>>>()
    };
    let four = [(0, 100, 0), (10, 200, 0), (20, 300, 0), (30, 300, 0), (1 << 39, 0, 0)];
    assert_eq!(groups(&four, 600, 99), [vec![0, 10, 20], vec![30, 1 << 39]]);
    assert_eq!(groups(&four, 599, 99), [vec![0, 10], vec![20], vec![30, 1 << 39]]);
    assert_eq!(groups(&four, 9_999, 30), [vec![0, 10], vec![20], vec![30, 1 << 39]], "the offset index decides");
    assert_eq!(groups(&four, 1, 1), [vec![0], vec![10], vec![20], vec![30], vec![1 << 39]], "one always");
    let far = i32::MAX as u64;
    let wide = [(0, 1, 0), (10, 1, 0), (far + 1, 1, 0), (far + 9, 1, 0)];
    assert_eq!(groups(&wide, 9, 9), [vec![0, 10], vec![far + 1], vec![far + 9]]);
    assert_eq!(groups(&[], 9, 9), Vec::<Vec<u64>>::new());
}

/// A log as the property sees it: batches in segments, the rest of the disk left out.
type Segments = Vec<Vec<Batch>>;

/// One round over segments of which none is active: what is left, and where the next round begins.
fn clean(
    log: &Segments,
    first_dirty: EndOffset,
    keys_max: u64,
    producers: &Producers,
    now_ms: i64,
) -> (Segments, EndOffset) {
    let upper_bound = log.iter().flatten().last().map_or(EndOffset::ZERO, Batch::end);
    let mut map = OffsetMap::new(first_dirty, keys_max as usize);
    for (nth, segment) in log.iter().enumerate() {
        let next = log.get(nth + 1).map_or(upper_bound, |next| next[0].base_offset().bound());
        if next > first_dirty && map.fill(segment.iter().cloned().map(Ok), next) == Ok(Filled::Full) {
            break;
        }
    }
    let filter = Filter { map: &map, producers, upper_bound, now_ms, delete_retention_ms: RETENTION };
    let keep = |batch: &Batch| match filter.retain(batch).expect("sound") {
        Kept::AsItIs => Some(batch.clone()),
        Kept::Rewritten(new) | Kept::Emptied(new) => Some(new),
        Kept::Gone => None,
    };
    let cleaned = log.iter().map(|segment| segment.iter().filter_map(keep).collect::<Vec<_>>());
    (cleaned.filter(|segment| !segment.is_empty()).collect(), map.end())
}

fn records(log: &Segments) -> Vec<Record> {
    log.iter().flatten().flat_map(read).collect()
}

/// What somebody who reads all of it believes each key to be.
fn table(records: &[Record]) -> BTreeMap<Bytes, Bytes> {
    let mut table = BTreeMap::new();
    for record in records {
        match (record.key.clone(), record.value.clone()) {
            (Some(key), Some(value)) => drop(table.insert(key, value)),
            (Some(key), None) => drop(table.remove(&key)),
            (None, _) => {}
        }
    }
    table
}

fn any_log() -> impl Strategy<Value = Segments> {
    let key =
        prop_oneof![1 => Just(None), 2 => prop::sample::select(vec!["a", "b", "c", "d", "e", "f"]).prop_map(Some)];
    let value = prop_oneof![1 => Just(None), 2 => prop::sample::select(vec!["1", "2", "long value"]).prop_map(Some)];
    let batch = (prop::collection::vec((key, value), 1..5), -1..2_i64);
    let segments = prop::collection::vec(prop::collection::vec(batch, 1..5), 1..6);
    segments.prop_map(|segments| {
        let (mut base, mut sequences) = (0, [0, 0]);
        let mut stored = |(pairs, id): (Vec<Pair>, i64)| {
            let sequence = usize::try_from(id).map_or(-1, |id| {
                let sequence = sequences[id];
                sequences[id] += pairs.len() as i32;
                sequence
            });
            let batch = from_producer(base, &pairs, (id, id.min(0) as i16, sequence));
            base = batch.end().0;
            batch
        };
        segments.into_iter().map(|segment| segment.into_iter().map(&mut stored).collect()).collect()
    })
}

proptest! {
    #[test]
    fn compaction_takes_away_what_it_may_and_nothing_else(log in any_log(), keys_max in 1..9_u64) {
        let mut producers = Producers::default();
        log.iter().flatten().for_each(|batch| producers.update(batch));
        let before = records(&log);
        let (cleaned, end) = clean(&log, EndOffset::ZERO, keys_max, &producers, NOW);
        let after = records(&cleaned);

        let originals: BTreeMap<_, _> = log.iter().flatten().map(|batch| (batch.base_offset(), batch)).collect();
        for batch in cleaned.iter().flatten() {
            prop_assert!(batch.is_valid());
            prop_assert_eq!(identity(batch), identity(originals[&batch.base_offset()]));
            let largest = read(batch).iter().map(|record| record.timestamp).max();
            prop_assert_eq!(batch.max_timestamp(), largest.unwrap_or(originals[&batch.base_offset()].max_timestamp()));
        }
        prop_assert!(cleaned.iter().flatten().is_sorted_by_key(Batch::base_offset), "order is kept");
        prop_assert_eq!(cleaned.iter().flatten().last().map(Batch::end), log.iter().flatten().last().map(Batch::end));

        let mut replayed = Producers::default();
        cleaned.iter().flatten().for_each(|batch| replayed.update(batch));
        prop_assert!(replayed.agrees_after_compaction(&producers));

        // Offset for offset: last of its key below the end, or above it. Whether a later one is above the end does not
        // matter to the reader, who reads that, too; so it may be counted or not.
        let is_last = |record: &Record, below: EndOffset| {
            let later = |other: &&Record| other.offset > record.offset && below.covers(other.offset);
            record.key.is_some() && !before.iter().filter(later).any(|other| other.key == record.key)
        };
        for record in &before {
            let kept = after.contains(record);
            if !end.covers(record.offset) || is_last(record, EndOffset(u64::MAX)) {
                prop_assert!(kept, "{:?}", record);
            } else if !is_last(record, end) {
                prop_assert!(!kept, "{:?}", record);
            }
        }
        prop_assert!(after.iter().all(|record| before.contains(record)));
        prop_assert_eq!(table(&after), table(&before));

        let (again, _) = clean(&cleaned, EndOffset::ZERO, keys_max.max(9), &producers, NOW);
        if end == log.iter().flatten().last().expect("not empty").end() {
            prop_assert_eq!(&again, &cleaned, "a second pass changes nothing");
        }
        // A first round keeps its tombstones, a later one does not, and whoever reads from the start never notices.
        let (expired, _) = clean(&again, EndOffset::ZERO, 9, &producers, NOW + RETENTION);
        let values: Vec<_> = records(&again).into_iter().filter(|record| record.value.is_some()).collect();
        prop_assert_eq!(records(&expired), values);
        prop_assert_eq!(table(&records(&expired)), table(&before));
    }

    #[test]
    fn rounds_with_a_small_map_get_to_the_end_and_leave_what_one_large_round_leaves(log in any_log(), keys_max in 5..9_u64) {
        let nobody = Producers::default();
        let log_end = log.iter().flatten().last().expect("not empty").end();
        let (mut cleaned, mut dirty) = (log.clone(), EndOffset::ZERO);
        while dirty < log_end {
            let (next, end) = clean(&cleaned, dirty, keys_max, &nobody, NOW);
            prop_assert!(end > dirty, "a round that gets nowhere");
            (cleaned, dirty) = (next, end);
        }
        let (at_once, _) = clean(&log, EndOffset::ZERO, 100, &nobody, NOW);
        prop_assert_eq!(records(&cleaned), records(&at_once));
    }
}
