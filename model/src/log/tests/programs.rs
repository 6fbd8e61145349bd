//! Random programs: against a plain list of batches, with a crash in every disk call, and with the power gone.

use std::cell::Cell;

use proptest::prelude::*;

use super::disk::{Death, Dice, FakeDisk};
use super::{DIRECTORY, NOW, batch, config, epochs, read_all, served};
use crate::disk::DiskError;
use crate::log::{AppendError, Batch, Loading, Log, Recovery};
use crate::names::{EndOffset, LeaderEpoch, Offset};

const SEGMENT_BYTES: u64 = 400;

/// One thing done to a log. Places are per mille of the log, so that they make sense wherever it is.
#[derive(Clone, Debug)]
enum Op {
    Lead { records: u8, epochs_on: u8 },
    Follow { batches: Vec<u8>, epochs_on: u8 },
    AssignEpoch,
    Truncate { at: u16 },
    Restart { at: u16 },
    Flush { at: u16 },
    WriteEpochs,
    Sweep,
    CleanRestart,
    Crash,
}

fn any_op() -> impl Strategy<Value = Op> {
    let at = || prop_oneof![3 => 0..=1_000_u16, 1 => 900..=1_200_u16];
    prop_oneof![
        8 => (1..6_u8, 0..2_u8).prop_map(|(records, epochs_on)| Op::Lead { records, epochs_on }),
        4 => (prop::collection::vec(1..4_u8, 1..4), 0..2_u8)
            .prop_map(|(batches, epochs_on)| Op::Follow { batches, epochs_on }),
        1 => Just(Op::AssignEpoch),
        3 => at().prop_map(|at| Op::Truncate { at }),
        1 => at().prop_map(|at| Op::Restart { at }),
        3 => at().prop_map(|at| Op::Flush { at }),
        1 => Just(Op::WriteEpochs),
        1 => Just(Op::Sweep),
        1 => Just(Op::CleanRestart),
        1 => Just(Op::Crash),
    ]
}

fn any_program(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_op(), 1..longest)
}

/// What a log is, without files.
#[derive(Clone, Debug)]
struct Plain {
    batches: Vec<Batch>,
    start: u64,
    end: u64,
    /// What a start would have to go by: lowered by every cut, raised by every flush.
    recovery_point: u64,
    epoch: i32,
    written: u32,
}

impl Plain {
    fn new() -> Self {
        Self { batches: Vec::new(), start: 0, end: 0, recovery_point: 0, epoch: 0, written: 0 }
    }

    /// A batch that differs from all others, to go behind those in `sent`.
    fn fresh(&mut self, records: u8, base: u64) -> Batch {
        self.written += 1;
        let value = format!("value {}", self.written);
        batch(&vec![value.as_str(); usize::from(records)]).stamp(Offset(base), LeaderEpoch(self.epoch))
    }

    fn place(&self, at: u16) -> EndOffset {
        EndOffset(self.start + (self.end - self.start) * u64::from(at) / 1_000)
    }

    fn cut(&mut self, end: u64) {
        self.batches.retain(|batch| batch.end().0 <= end);
        self.end = end;
        self.recovery_point = self.recovery_point.min(end);
    }

    fn below(&self, end: u64) -> Vec<Batch> {
        self.batches.iter().filter(|batch| batch.end().0 <= end).cloned().collect()
    }
}

fn open(disk: &mut FakeDisk, clean: bool, recovery_point: u64) -> Result<(Log, Recovery), DiskError> {
    let loading = Loading { clean, recovery_point: EndOffset(recovery_point), ..Loading::default() };
    Log::open(disk, DIRECTORY, config(SEGMENT_BYTES), loading)
}

/// Does one thing to both. When the process dies, `plain` already is what the log would have been.
fn perform(op: &Op, log: &mut Log, disk: &mut FakeDisk, plain: &mut Plain) -> Result<(), DiskError> {
    match op {
        Op::Lead { records, epochs_on } => {
            plain.epoch += i32::from(*epochs_on);
            let stored = plain.fresh(*records, plain.end);
            plain.end = stored.end().0;
            plain.batches.push(stored.clone());
            let sent = stored.stamp(Offset(0), LeaderEpoch(-1));
            let appended = survived(log.append_as_leader(disk, &sent, LeaderEpoch(plain.epoch), NOW))?;
            assert_eq!(appended.id, stored.id());
        }
        Op::Follow { batches, epochs_on } => {
            let mut sent = Vec::new();
            for &records in batches {
                let stored = plain.fresh(records, plain.end);
                plain.end = stored.end().0;
                sent.push(stored);
                plain.epoch += i32::from(*epochs_on);
            }
            plain.batches.extend(sent.iter().cloned());
            let taken = survived(log.append_as_follower(disk, &served(&sent), LeaderEpoch(plain.epoch), NOW))?;
            assert_eq!(taken.ids, sent.iter().map(Batch::id).collect::<Vec<_>>());
        }
        Op::AssignEpoch => {
            plain.epoch += 1;
            log.assign_epoch(disk, LeaderEpoch(plain.epoch))?;
        }
        Op::Truncate { at } => {
            let end = plain.place(*at);
            let shorter = end.0 < plain.end;
            if shorter {
                plain.cut(end.0);
            }
            assert_eq!(log.truncate_to(disk, end, NOW)?, shorter);
        }
        Op::Restart { at } => {
            let start = plain.place(*at);
            plain.cut(0);
            (plain.start, plain.end) = (start.0, start.0);
            plain.recovery_point = log.recovery_point().0.min(start.0);
            log.truncate_fully_and_start_at(disk, start, NOW)?;
        }
        Op::Flush { at } => {
            log.flush(disk, plain.place(*at), NOW)?;
            plain.recovery_point = log.recovery_point().0;
        }
        Op::WriteEpochs => log.write_epochs(disk)?,
        Op::Sweep => log.sweep(disk, NOW)?,
        Op::CleanRestart | Op::Crash => restart(op, log, disk, plain)?,
    }
    Ok(())
}

fn restart(op: &Op, log: &mut Log, disk: &mut FakeDisk, plain: &mut Plain) -> Result<(), DiskError> {
    let clean = matches!(op, Op::CleanRestart);
    // A cut inside a batch leaves an end that no file remembers, and an epoch without a record is forgotten (L53).
    plain.end = plain.batches.last().map_or(log.segment_bases().next_back().map_or(0, |base| base.0), |last| {
        last.end().0.max(log.segment_bases().next_back().map_or(0, |base| base.0))
    });
    plain.recovery_point = plain.recovery_point.min(plain.end);
    if clean {
        log.close(disk)?;
    }
    let (opened, recovery) = open(disk, clean, plain.recovery_point)?;
    let calm = (recovery.bytes_cut, recovery.segments_dropped, recovery.overlaps, recovery.epochs_malformed);
    assert_eq!(calm, (0, 0, 0, false), "nothing was damaged");
    *log = opened;
    plain.recovery_point = if clean { plain.end } else { plain.recovery_point };
    Ok(())
}

fn survived<T>(done: Result<T, AppendError>) -> Result<T, DiskError> {
    done.map_err(|error| match error {
        AppendError::Disk(error) => error,
        refusal => panic!("refused: {refusal}"),
    })
}

fn assert_same(log: &Log, disk: &mut FakeDisk, plain: &Plain) {
    assert_eq!(read_all(log, disk), plain.batches);
    assert_eq!((log.start().0, log.end().0), (plain.start, plain.end));
    assert_eq!(log.recovery_point().0, plain.recovery_point);
    assert_eq!(log.size_bytes(), plain.batches.iter().map(|batch| batch.size() as u64).sum::<u64>());
    let entries = epochs(log);
    assert!(entries.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "L12: {entries:?}");
    assert!(log.segment_bases().is_sorted_by(|a, b| a < b));
}

/// Any read is the longest run of whole batches that its limits allow.
fn assert_reads(log: &Log, disk: &mut FakeDisk, plain: &Plain, dice: &mut Dice) {
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

/// After a crash inside `op`: what may be in the log, given what was and what would have been.
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
        _ => assert_eq!(found, before.batches),
    }
}

fn is_subsequence(part: &[Batch], whole: &[Batch]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|batch| batch == wanted))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_log_is_the_list_of_what_was_appended_and_not_cut(program in any_program(60), seed: u64) {
        let (mut disk, mut plain, mut dice) = (FakeDisk::default(), Plain::new(), Dice(seed));
        let (mut log, _) = open(&mut disk, false, 0).expect("works");
        for op in &program {
            perform(op, &mut log, &mut disk, &mut plain).expect("works");
            assert_same(&log, &mut disk, &plain);
            for _ in 0..5 {
                assert_reads(&log, &mut disk, &plain, &mut dice);
            }
        }
    }

    #[test]
    fn after_a_power_cut_everything_below_the_recovery_point_is_there(
        program in any_program(40), dice in prop::collection::vec(any::<u64>(), 8),
    ) {
        let (mut disk, mut plain) = (FakeDisk::default(), Plain::new());
        let (mut log, _) = open(&mut disk, false, 0).expect("works");
        for op in &program {
            perform(op, &mut log, &mut disk, &mut plain).expect("works");
        }
        for dice in dice {
            let mut disk = disk.clone();
            disk.power_off(dice);
            let (log, recovery) = open(&mut disk, false, plain.recovery_point).expect("works");
            let synced = plain.below(plain.recovery_point);
            let found: Vec<_> = log.batches().collect();
            prop_assert!(synced.iter().all(|batch| found.contains(&batch.id())), "{synced:?} in {found:?}");
            if recovery.overlaps == 0 {
                let read = read_all(&log, &mut disk);
                prop_assert!(is_subsequence(&synced, &read), "byte for byte, in order");
                // A cut is not synced, so what was cut off may be back among the rest, torn even (L34).
                let ever_cut = program.iter().any(|op| matches!(op, Op::Truncate { .. } | Op::Restart { .. }));
                prop_assert!(ever_cut || read.starts_with(&synced), "and nothing in between");
            }
            prop_assert!(log.recovery_point().0 >= plain.recovery_point.min(log.end().0));
        }
    }
}

/// Every disk call of every program may be the last one, done or not or torn.
#[test]
fn a_crash_in_any_disk_call_leaves_a_valid_log_with_all_that_was_appended_before() {
    let crashes = Cell::new(0_u64);
    let config = ProptestConfig { cases: 60, ..ProptestConfig::with_source_file(file!()) };
    let result = proptest::test_runner::TestRunner::new(config).run(&any_program(25), |program| {
        let (mut disk, mut plain) = (FakeDisk::default(), Plain::new());
        let (mut log, _) = open(&mut disk, false, 0).expect("works");
        for op in &program {
            let before = (disk.clone(), log.clone(), plain.clone());
            perform(op, &mut log, &mut disk, &mut plain).expect("works");
            for call in before.0.calls + 1..=disk.calls {
                for death in [Death::Before, Death::Torn, Death::After] {
                    crash_in(call, death, op, before.clone());
                    crashes.set(crashes.get() + 1);
                }
            }
        }
        Ok(())
    });
    result.expect("holds");
    assert!(crashes.get() > 1_000, "only {} crashes", crashes.get());
}

fn crash_in(call: u64, death: Death, op: &Op, (mut disk, mut log, before): (FakeDisk, Log, Plain)) {
    let mut after = before.clone();
    disk.die_in(call, death);
    assert_eq!(perform(op, &mut log, &mut disk, &mut after), Err(DiskError::Crashed));
    disk.restart();
    let (mut log, recovery) = open(&mut disk, false, before.recovery_point).expect("works");
    if recovery.overlaps > 0 {
        // The new beginning was there already, and inside the old log, which was not gone yet.
        assert!(matches!(op, Op::Restart { .. }));
        let left: Vec<_> = before.batches.iter().map(Batch::id).collect();
        assert!(log.batches().all(|id| left.contains(&id)));
        return;
    }
    let found = read_all(&log, &mut disk);
    assert!(found.is_sorted_by(|a, b| a.end() <= b.base_offset().bound()), "in order");
    assert!(found.iter().all(Batch::is_valid));
    assert_survived(op, &found, &before, &after);
    let empty = log.start() == log.end();
    assert!(log.epochs().entries().iter().all(|&(_, start)| start < log.end() || empty && start == log.end()), "L53");
    // And it is a log like any other.
    let next = log.append_as_leader(&mut disk, &batch(&["next"]), LeaderEpoch(after.epoch + 1), NOW).expect("fine");
    let (again, recovery) = open(&mut disk, false, log.recovery_point().0).expect("works");
    assert_eq!((again.batches().last(), recovery.bytes_cut), (Some(next.id), 0));
    assert_eq!(again.last_epoch(), Some(LeaderEpoch(after.epoch + 1)));
}
