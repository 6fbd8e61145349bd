//! Every disk call of every program may be the last one of its process, done or not or torn. The page cache survives.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::super::disk::Death;
use super::super::{batch_of, table};
use super::plain::{Plain, Setting};
use super::world::{World, open};
use super::{Op, any_program, any_setting, audit};
use crate::disk::DiskError;
use crate::log::Batch;
use crate::names::LeaderEpoch;

/// Does it all with every crash there can be. Returns how many there were.
pub(super) fn run(setting: Setting, program: &[Op]) -> u64 {
    let mut world = World::new(setting);
    let mut crashes = 0;
    for op in program {
        let before = world.clone();
        world.perform(op).expect("works");
        for call in before.disk.calls + 1..=world.disk.calls {
            for death in [Death::Before, Death::Torn, Death::After] {
                let mut crashed = before.clone();
                crashed.disk.die_in(call, death);
                assert_eq!(crashed.perform(op), Err(DiskError::Crashed));
                start_again(crashed, op, &before.plain, &world.plain);
                crashes += 1;
            }
        }
    }
    crashes
}

/// The next process starts after `op` has failed somewhere inside: its log is a valid one with all that was there before,
/// and one like any other.
pub(super) fn start_again(mut world: World, op: &Op, before: &Plain, after: &Plain) {
    world.disk.restart();
    let (log, recovery) = open(&mut world.disk, &world.plain, false).expect("works");
    world.log = log;
    if recovery.overlaps > 0 {
        // The new beginning was there already, and inside the old log, which was not gone yet.
        assert!(matches!(op, Op::Restart { .. }));
        return;
    }
    assert!(!recovery.epochs_malformed);
    let found = audit::batches(&world.disk);
    let last = |plain: &Plain| plain.batches.last().map_or(0, |last| last.end().0);
    let began_anew = last(before).min(last(after)).min(after.end) < world.plain.checkpoints.log_start.0;
    if !(began_anew && found.is_empty()) {
        assert_survived(op, &found, before, after);
    }
    world.plain.start_went_back |= world.log.start().0 < before.start;
    // What is below the log now had its producers.
    world.plain.gone = before.gone.iter().chain(&before.batches).cloned().collect();
    // A segment of the old log behind the new beginning leaves a hole, with Kafka's answers.
    world.plain.cut_inside |= after.cut_inside || recovery.holes > 0;
    world.plain.cleaned |= after.cleaned;
    world.adopt();
    audit::check(&world.log, &world.disk, &world.plain);
    let epoch = LeaderEpoch(before.epoch.max(after.epoch) + 1);
    let (now, sent) = (world.plain.now, batch_of(&[(1, Some("k0"), Some("next"))], None));
    let next = world.log.append_as_leader(&mut world.disk, &sent, epoch, now).expect("fine");
    world.plain.checkpoints.recovery_point = world.log.recovery_point();
    let (again, recovery) = open(&mut world.disk, &world.plain, false).expect("works");
    assert_eq!((again.batches().last(), recovery.bytes_cut), (Some(next.id), 0));
    assert_eq!(again.last_epoch(), Some(epoch));
}

/// What may be in the log, given what was and what would have been.
fn assert_survived(op: &Op, found: &[Batch], before: &Plain, after: &Plain) {
    match op {
        Op::Lead { .. } | Op::Follow { .. } => {
            assert!(found.starts_with(&before.batches), "everything appended before is there");
            assert!(after.batches.starts_with(found), "and nothing else than what was being appended");
        }
        // Segments go one after the other, so a crash in between may leave a later one; but only what was to be cut.
        Op::Truncate { .. } => {
            assert!(found.starts_with(&after.batches), "what lies below the cut is there");
            assert!(is_subsequence(found, &before.batches));
        }
        Op::Restart { .. } => assert!(is_subsequence(found, &before.batches)),
        Op::Retain { .. } => {
            assert!(before.batches.ends_with(found), "the oldest go first");
            assert!(found.ends_with(&after.batches), "and no others than were to go");
        }
        Op::Clean { .. } => {
            assert_eq!(table(found), table(&before.batches));
            let one_of_both = |batch: &Batch| before.batches.contains(batch) || after.batches.contains(batch);
            assert!(found.iter().all(one_of_both));
        }
        _ => assert_eq!(found, before.batches),
    }
}

pub(super) fn is_subsequence(part: &[Batch], whole: &[Batch]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|batch| batch == wanted))
}

#[test]
fn a_crash_in_any_disk_call_leaves_a_valid_log_with_all_that_was_appended_before() {
    let crashes = Cell::new(0_u64);
    let config = ProptestConfig { cases: 40, ..ProptestConfig::with_source_file(file!()) };
    let result = TestRunner::new(config).run(&(any_setting(), any_program(25)), |(setting, program)| {
        crashes.set(crashes.get() + run(setting, &program));
        Ok(())
    });
    result.expect("holds");
    assert!(crashes.get() > 1_000, "only {} crashes", crashes.get());
}
