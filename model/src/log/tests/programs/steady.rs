//! As long as nothing fails a log is a list.

use proptest::prelude::*;

use super::super::disk::Dice;
use super::plain::{Plain, Setting};
use super::world::World;
use super::{Op, any_program, any_setting, audit};
use crate::log::{Batch, Found, Record};
use crate::names::{EndOffset, Offset};

fn assert_same(World { disk, log, plain, .. }: &World) {
    assert_eq!(audit::batches(disk), plain.batches);
    assert_eq!((log.start().0, log.end().0), (plain.start, plain.end));
    assert_eq!(log.recovery_point().0, plain.recovery_point);
    assert_eq!(log.size_bytes(), plain.batches.iter().map(|batch| batch.size() as u64).sum::<u64>());
    assert!((plain.start..=plain.end).contains(&log.first_dirty().0), "L84");
}

/// Any read is the longest run of whole batches that its limits allow.
fn assert_reads(World { disk, log, plain, .. }: &mut World, dice: &mut Dice) {
    let span = (plain.end - plain.start) as usize + 1;
    let from = plain.start + dice.below(span) as u64;
    let upto = plain.start + dice.below(span + 2) as u64;
    let (max_bytes, min_one) = (dice.below(500), dice.below(2) == 0);
    let found = log.locate(Offset(from), EndOffset(upto), max_bytes, min_one).expect("in range");
    let mut expected: Vec<Batch> = Vec::new();
    let mut size = 0;
    for batch in plain.batches.iter().filter(|batch| batch.end().0 > from) {
        let same_segment = expected.first().is_none_or(|first| {
            log.segment_bases().all(|base| base <= first.base_offset() || base > batch.base_offset())
        });
        size += batch.size();
        let fits = size <= max_bytes || (min_one && expected.is_empty());
        if upto <= from || batch.end().0 > upto || !same_segment || !fits {
            break;
        }
        expected.push(batch.clone());
    }
    let read = found.map(|span| log.read(disk, &span).expect("works")).unwrap_or_default();
    assert_eq!(found.is_some(), !expected.is_empty());
    assert_eq!(read.batches().collect::<Result<Vec<_>, _>>(), Ok(expected));
}

/// A timestamp finds the first record that one sees that is as young (L76).
fn assert_lookups(World { disk, log, plain, .. }: &mut World, dice: &mut Dice) {
    let upto = plain.batches.get(dice.below(plain.batches.len() + 1)).map_or(plain.end, |batch| batch.end().0);
    let timestamp = plain.now.millis() - 7_000 + dice.below(14_000) as i64;
    let seen = seen(plain, upto);
    let expected = seen.iter().find(|record| record.timestamp >= timestamp);
    let found = log.offset_for_timestamp(disk, timestamp, EndOffset(upto)).expect("works");
    let place = |found: &Found| (found.offset, found.timestamp);
    assert_eq!(found.as_ref().map(place), expected.map(|record| (record.offset, record.timestamp)));
    let largest = seen.iter().map(|record| record.timestamp).max();
    let expected = seen.iter().find(|record| Some(record.timestamp) == largest);
    let found = log.max_timestamp(disk, EndOffset(upto)).expect("works");
    assert_eq!(found.as_ref().map(place), expected.map(|record| (record.offset, record.timestamp)));
}

fn seen(plain: &Plain, upto: u64) -> Vec<Record> {
    let records = plain.batches.iter().flat_map(Batch::records).map(|record| record.expect("sound"));
    records.filter(|record| (plain.start..upto).contains(&record.offset.0)).collect()
}

pub(super) fn run(setting: Setting, program: &[Op], seed: u64) {
    let (mut world, mut dice) = (World::new(setting), Dice(seed));
    for op in program {
        world.perform(op).expect("works");
        assert_same(&world);
        if matches!(
            op,
            Op::Truncate { .. }
                | Op::Restart { .. }
                | Op::CleanRestart
                | Op::Crash
                | Op::Clean { .. }
                | Op::Retain { .. }
        ) {
            audit::check(&world.log, &world.disk, &world.plain);
        }
        for _ in 0..3 {
            assert_reads(&mut world, &mut dice);
            assert_lookups(&mut world, &mut dice);
        }
    }
    audit::check(&world.log, &world.disk, &world.plain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn a_log_is_the_list_of_what_was_appended_and_not_cut(
        setting in any_setting(), program in any_program(70), seed: u64,
    ) {
        run(setting, &program, seed);
    }
}
