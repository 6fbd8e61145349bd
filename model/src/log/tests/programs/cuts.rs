//! The power goes: what was synced is there, nothing is there that never was, all that is derived fits, and if the power
//! goes again at once nothing changes.

use proptest::prelude::*;

use super::super::read_all;
use super::crashes::is_subsequence;
use super::plain::Setting;
use super::world::{World, open};
use super::{Op, any_program, any_program_with_cuts, audit, latest};
use crate::disk::DiskError;
use crate::log::{Batch, BatchId, Log};
use crate::names::EndOffset;
use crate::protocol::Storage;

impl World {
    /// Cuts the power, starts again, and judges what is there; goes on with that. By the latest answers alone: with Kafka's
    /// a log may have two batches at one offset afterwards.
    pub(super) fn cut_power(&mut self, dice: u64) -> Result<(), DiskError> {
        self.disk.power_off(dice);
        let before = self.plain.clone();
        let (log, recovery) = open(&mut self.disk, &self.plain, false)?;
        assert!(!recovery.epochs_malformed, "a checkpoint is the old or the new one");
        let found = audit::batches(&self.disk);
        // A start below which the log ends throws everything away, synced or not (L52); so it does if what lay above was lost.
        let synced = before.below(before.recovery_point);
        let last = |batches: &[Batch]| batches.last().map_or(0, |last| last.end().0);
        let log_start = before.checkpoints.log_start.0;
        let is_thrown_away = last(&before.batches) < log_start || recovery.began_anew && last(&synced) < log_start;
        if !is_thrown_away {
            for batch in synced {
                assert!(found.contains(&batch), "{:?} was synced, and is not in {found:?}", batch.id());
            }
        }
        assert!(found.iter().all(|batch| before.ever.contains(batch)), "nothing is there that never was");
        assert!(log.recovery_point() >= before.checkpoints.recovery_point.min(log.end()), "L50");
        self.again(&log, dice);
        self.log = log;
        self.adopt();
        audit::check(&self.log, &self.disk, &self.plain);
        Ok(())
    }

    /// Recovery is idempotent: with the power gone at once after it, the next one finds the same log.
    fn again(&self, log: &Log, dice: u64) {
        for nth in 0..3 {
            let mut disk = self.disk.clone();
            match nth {
                0 => disk.power_off_losing_all(),
                nth => disk.power_off(dice.rotate_left(nth)),
            }
            let (again, _) = open(&mut disk, &self.plain, false).expect("works");
            assert_eq!(what_it_is(&again), what_it_is(log));
            // Epochs of what was deleted and came back are not learnt while the checkpoint has later ones, and are when it
            // has none any more (L49, L53); and so with what lies below the start when nothing lies above it.
            let went_back = self.plain.start_went_back || log.start() < EndOffset(self.plain.start);
            assert!(went_back || log.start() == log.end() || again.epochs() == log.epochs());
            assert!(again.producers().agrees_with(log.producers()));
        }
    }
}

fn what_it_is(log: &Log) -> (Vec<BatchId>, EndOffset, EndOffset, EndOffset) {
    (log.batches().collect(), log.start(), log.end(), log.recovery_point())
}

pub(super) fn run(setting: Setting, program: &[Op]) {
    let mut world = World::new(setting);
    for op in program {
        world.perform(op).expect("works");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn power_cuts_leave_all_that_was_synced_and_nothing_that_does_not_fit(
        setting in latest(), program in any_program_with_cuts(60),
    ) {
        run(setting, &program);
    }

    /// As above, as far as Kafka's answers go.
    #[test]
    fn after_a_power_cut_everything_below_the_recovery_point_is_there(
        compact: bool, program in any_program(40), dice in prop::collection::vec(any::<u64>(), 8),
    ) {
        let mut world = World::new(Setting { storage: Storage::KAFKA, compact });
        for op in &program {
            world.perform(op).expect("works");
        }
        let ever_cut = program.iter().any(|op| {
            matches!(op, Op::Truncate { .. } | Op::Restart { .. } | Op::Retain { .. } | Op::Clean { .. })
        });
        world.perform(&Op::WriteCheckpoints).expect("works");
        for dice in dice {
            let mut disk = world.disk.clone();
            disk.power_off(dice);
            let (log, recovery) = open(&mut disk, &world.plain, false).expect("works");
            if recovery.began_anew {
                // A segment that was truncated away came back without its content, and the log ends where that begins: if it
                // is below the start, Kafka throws everything away (L52).
                continue;
            }
            let synced = world.plain.below(world.plain.recovery_point);
            let found: Vec<_> = log.batches().collect();
            prop_assert!(synced.iter().all(|batch| found.contains(&batch.id())), "{synced:?} in {found:?}");
            if recovery.overlaps == 0 && log.start() == EndOffset::ZERO {
                let read = read_all(&log, &mut disk);
                prop_assert!(is_subsequence(&synced, &read), "byte for byte, in order");
                // A cut is not synced, so what was cut off may be back among the rest, torn even (L34).
                prop_assert!(ever_cut || read.starts_with(&synced), "and nothing in between");
            }
            prop_assert!(log.recovery_point().0 >= world.plain.recovery_point.min(log.end().0));
        }
    }
}
