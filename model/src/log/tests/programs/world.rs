//! One log on its disk, the plain list beside it, and what the broker around it does: each thing is done to both.

use std::time::Duration;

use super::super::disk::FakeDisk;
use super::super::{DIRECTORY, served, table};
use super::plain::{Checkpoints, Plain, Setting};
use super::{Op, audit};
use crate::disk::DiskError;
use crate::log::{
    AppendError, Batch, CleanedBatch, Cleaning, DeletedSegment, DeletionCause, Loading, Log, Progress, Recovery,
};
use crate::names::{EndOffset, LeaderEpoch, Offset};

#[derive(Clone)]
pub(super) struct World {
    pub(super) disk: FakeDisk,
    pub(super) log: Log,
    pub(super) plain: Plain,
    cleaning: Option<Cleaning>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let mut disk = FakeDisk::default();
        let plain = Plain::new(setting);
        let (log, _) = open(&mut disk, &plain, false).expect("works");
        Self { disk, log, plain, cleaning: None }
    }

    /// Does one thing to both. When the process dies, `plain` already is what the log would have been.
    pub(super) fn perform(&mut self, op: &Op) -> Result<(), DiskError> {
        let Self { disk, log, plain, .. } = self;
        match op {
            Op::Lead { sent, epochs_on } => {
                plain.epoch += i32::from(*epochs_on);
                let stored = plain.append(sent);
                let sent = stored.stamp(Offset(0), LeaderEpoch(-1));
                let appended = survived(log.append_as_leader(disk, &sent, LeaderEpoch(plain.epoch), plain.now))?;
                assert_eq!(appended.id, stored.id());
            }
            Op::Follow { sent, epochs_on } => {
                // An append that is larger than a segment would be refused.
                let mut stored = Vec::new();
                for sent in sent {
                    stored.push(plain.append(sent));
                    plain.epoch += i32::from(*epochs_on);
                }
                let epoch = LeaderEpoch(plain.epoch);
                let taken = survived(log.append_as_follower(disk, &served(&stored), epoch, plain.now))?;
                assert_eq!(taken.ids, stored.iter().map(Batch::id).collect::<Vec<_>>());
            }
            Op::AssignEpoch => {
                plain.epoch += 1;
                log.assign_epoch(disk, LeaderEpoch(plain.epoch))?;
            }
            Op::Truncate { at } => {
                let end = plain.place_to_cut(*at);
                let shorter = end.0 < plain.end;
                if shorter {
                    plain.cut(end.0);
                }
                assert_eq!(log.truncate_to(disk, end, plain.now)?, shorter);
                self.is_cut()?;
            }
            Op::Restart { at } => {
                let start = plain.place(*at);
                plain.begin_anew(start.0);
                log.truncate_fully_and_start_at(disk, start, plain.now)?;
                self.is_cut()?;
            }
            Op::RaiseStart { at } => {
                let start = plain.place(*at);
                assert_eq!(log.raise_start(start), start.0 > plain.start);
                plain.start = plain.start.max(start.0);
            }
            Op::Retain { at } => self.retain(*at)?,
            Op::Clean { at } => self.clean(*at)?,
            Op::Flush { at } => {
                let upto = plain.place(*at).min(EndOffset(plain.end));
                plain.recovery_point = plain.recovery_point.max(upto.0);
                log.flush(disk, upto, plain.now)?;
            }
            Op::FlushIfDue => {
                if log.is_flush_due(plain.now) {
                    plain.recovery_point = plain.end;
                    log.flush(disk, plain.place(1_000), plain.now)?;
                }
            }
            Op::WriteEpochs => log.write_epochs(disk)?,
            Op::WriteCheckpoints => self.write_checkpoints(),
            Op::Sweep => {
                log.sweep(disk, plain.now)?;
                assert!(log.sweep_due().is_none_or(|due| due > plain.now));
            }
            Op::Wait { millis } => plain.now = plain.now + Duration::from_millis(u64::from(*millis)),
            Op::CleanRestart => self.restart(true)?,
            Op::Crash => self.restart(false)?,
            Op::PowerCut { dice } => {
                self.cleaning = None;
                self.cut_power(*dice)?;
            }
        }
        Ok(())
    }

    /// What a broker does with every cut: the recovery point is written down at once (L34), and by the latest answer the
    /// epochs, too; the cleaner's offset as well (L84).
    fn is_cut(&mut self) -> Result<(), DiskError> {
        if self.plain.setting.storage.trust.writes_epochs_at_once() {
            self.log.write_epochs(&mut self.disk)?;
        }
        self.plain.checkpoints.recovery_point = self.log.recovery_point();
        self.plain.checkpoints.first_dirty = self.log.first_dirty();
        Ok(())
    }

    fn write_checkpoints(&mut self) {
        let log_start = self.log.checkpointed_start().unwrap_or_default();
        let (recovery_point, first_dirty) = (self.log.recovery_point(), self.log.first_dirty());
        self.plain.checkpoints = Checkpoints { recovery_point, log_start, first_dirty };
    }

    /// Retention, and whether it took what it may, and all of it (L72).
    fn retain(&mut self, at: u16) -> Result<(), DiskError> {
        let high_watermark = self.plain.place(at).min(EndOffset(self.plain.end));
        let before = self.plain.clone();
        let deleted = self.log.delete_old_segments(&mut self.disk, before.now, high_watermark)?;
        let Self { log, plain, .. } = self;
        assert!(deleted.iter().all(|segment| segment.end <= high_watermark && judge(segment, &before)));
        let first = log.segment_bases().next().expect("there is one");
        assert!(deleted.iter().map(|segment| segment.end).eq(
            deleted.iter().skip(1).map(|segment| segment.base.bound()).chain(deleted.last().map(|_| first.bound()))
        ));
        let kept = plain.batches.partition_point(|batch| batch.base_offset() < first);
        plain.gone.extend(plain.batches.drain(..kept));
        (plain.first_base, plain.start) = (first.0, plain.start.max(first.0));
        // And nothing is left that should have gone.
        let next = log.segment_bases().nth(1).map_or(plain.end, |base| base.0);
        let mine: Vec<&Batch> = plain.batches.iter().filter(|batch| batch.base_offset().0 < next).collect();
        if !mine.is_empty() && high_watermark.0 >= next {
            let bytes: u64 = mine.iter().map(|batch| batch.size() as u64).sum();
            let newest = mine.iter().map(|batch| batch.max_timestamp()).max().expect("some");
            let (too_old, too_much) = limits(plain);
            assert!(plain.start < next, "below the start");
            let (young, little) = (newest >= too_old, log.size_bytes() - bytes < too_much);
            // What another rule took may have been in the way of age.
            let for_age_alone = deleted.iter().all(|segment| segment.cause == DeletionCause::Time);
            assert!(!log.config().delete || little && (young || !for_age_alone));
        }
        Ok(())
    }

    /// One step of a round, and whether it took away what it may and nothing else (L77-L84).
    fn clean(&mut self, at: u16) -> Result<(), DiskError> {
        let high_watermark = self.plain.place(at).min(EndOffset(self.plain.end));
        if !self.plain.setting.compact {
            return Ok(());
        }
        let Some(mut cleaning) = self.cleaning.take() else {
            self.cleaning = self.log.begin_cleaning(&mut self.disk, self.plain.now, high_watermark)?;
            if self.cleaning.is_some() && self.plain.setting.storage.trust.cleans_only_what_is_synced() {
                self.plain.checkpoints.recovery_point = self.log.recovery_point();
            }
            return Ok(());
        };
        let progress = self.log.clean_next(&mut self.disk, &mut cleaning, self.plain.now)?;
        let changed = match progress {
            Progress::More(changed) => {
                self.cleaning = Some(cleaning);
                changed
            }
            Progress::Done(changed) => {
                self.plain.checkpoints.first_dirty = self.log.first_dirty();
                changed
            }
            Progress::Aborted => return Ok(()),
        };
        self.plain.cleaned |= !changed.is_empty();
        let now = audit::batches(&self.disk);
        assert_cleaned(&self.plain.batches, &now, &changed);
        self.plain.ever.extend(now.iter().cloned());
        self.plain.batches = now;
        Ok(())
    }

    fn restart(&mut self, clean: bool) -> Result<(), DiskError> {
        let Self { disk, log, cleaning, .. } = self;
        *cleaning = None;
        if clean {
            log.close(disk)?;
            self.write_checkpoints();
        }
        let (log, recovery) = self.reopen(clean)?;
        let calm = (recovery.bytes_cut, recovery.segments_dropped, recovery.overlaps, recovery.epochs_malformed);
        assert_eq!(calm, (0, 0, 0, false), "nothing was damaged");
        self.log = log;
        self.forget_what_was_inside();
        Ok(())
    }

    /// Starts again with what was written down; `plain` forgets what no file remembers: an end inside a batch, a start
    /// that was not written down, what lay below a start that was (L52).
    pub(super) fn reopen(&mut self, clean: bool) -> Result<(Log, Recovery), DiskError> {
        let Self { disk, log, plain, .. } = self;
        let active = log.segment_bases().next_back().expect("there is one").0;
        let end = plain.batches.last().map_or(active, |last| last.end().0.max(active));
        let log_start = plain.checkpoints.log_start.0;
        if end < log_start {
            plain.begin_anew(log_start);
        } else {
            let start = log_start.max(plain.first_base);
            plain.start_went_back |= start < plain.start;
            (plain.start, plain.end) = (start, end);
        }
        plain.recovery_point = if clean { plain.end } else { plain.checkpoints.recovery_point.0.min(plain.end) };
        open(disk, plain, clean)
    }

    /// An end inside a batch is forgotten by a start, and then the checkpoint says too much: what is appended next would count
    /// as synced after another crash. Kafka leaves that to the next checkpoint.
    fn forget_what_was_inside(&mut self) {
        let known = &mut self.plain.checkpoints.recovery_point;
        *known = self.log.recovery_point().min(*known);
    }

    /// What the log holds is what it should hold from now on.
    pub(super) fn adopt(&mut self) {
        let Self { disk, log, plain, .. } = self;
        plain.start_went_back |= log.start().0 < plain.start;
        plain.batches = audit::batches(disk);
        plain.first_base = log.segment_bases().next().expect("there is one").0;
        (plain.start, plain.end, plain.recovery_point) = (log.start().0, log.end().0, log.recovery_point().0);
        plain.may_forget = true;
        plain.cleaned_then_cut |= plain.cleaned;
        // What came back may lie below what was deleted, and is not gone then. Where a full truncation was broken off the first
        // segment is the new and empty one, and a hole behind it what is gone.
        let first = plain.batches.first().map_or(plain.end, |first| first.base_offset().0);
        plain.gone.retain(|batch| batch.base_offset().0 < first);
        plain.epoch = plain.epoch.max(log.last_epoch().map_or(0, |epoch| epoch.0));
        self.forget_what_was_inside();
    }
}

/// Opens the log as a broker would.
pub(super) fn open(disk: &mut FakeDisk, plain: &Plain, clean: bool) -> Result<(Log, Recovery), DiskError> {
    let Checkpoints { recovery_point, log_start, first_dirty } = plain.checkpoints;
    let loading = Loading { clean, recovery_point, log_start, now: plain.now };
    let (mut log, recovery) = Log::open(disk, DIRECTORY, plain.setting.config(), loading)?;
    log.resume_cleaning_at(first_dirty);
    if recovery.epochs_cut && plain.setting.storage.trust.writes_epochs_at_once() {
        log.write_epochs(disk)?;
    }
    Ok((log, recovery))
}

fn survived<T>(done: Result<T, AppendError>) -> Result<T, DiskError> {
    done.map_err(|error| match error {
        AppendError::Disk(error) => error,
        refusal => panic!("refused: {refusal}"),
    })
}

/// What is too old, and how much is too much.
fn limits(plain: &Plain) -> (i64, u64) {
    let config = plain.setting.config();
    let span = config.retention_ms.expect("set").as_millis() as i64;
    (plain.now.millis() - span, config.retention_bytes.expect("set"))
}

/// Whether a segment was deleted for a reason that holds.
fn judge(segment: &DeletedSegment, before: &Plain) -> bool {
    let (too_old, too_much) = limits(before);
    let mine = before
        .batches
        .iter()
        .filter(|batch| segment.base <= batch.base_offset() && batch.base_offset().bound() < segment.end);
    let behind = before.batches.iter().filter(|batch| batch.base_offset().bound() >= segment.end);
    match segment.cause {
        DeletionCause::Time => mine.into_iter().all(|batch| batch.max_timestamp() < too_old),
        DeletionCause::Size => behind.map(|batch| batch.size() as u64).sum::<u64>() >= too_much,
        DeletionCause::StartOffset => {
            segment.end.0 <= before.start.max(segment.base.0) || segment.end.0 <= before.start
        }
    }
}

/// Old records are there or not, in order; no last value of a key is gone; and the list of changes says what changed.
fn assert_cleaned(before: &[Batch], now: &[Batch], changed: &[CleanedBatch]) {
    assert_eq!(table(now), table(before), "the last value of each key");
    let mut expected: Vec<_> = before.iter().map(|batch| Some(batch.id())).collect();
    for change in changed {
        let index = before.iter().position(|batch| batch.id() == change.before).expect("it was there");
        expected[index] = change.after;
        let old: Vec<_> = before[index].records().map(|record| record.expect("sound")).collect();
        let new = now.iter().find(|batch| Some(batch.id()) == change.after);
        let new: Vec<_> = new.iter().flat_map(|batch| batch.records()).map(|record| record.expect("sound")).collect();
        assert!(new.iter().all(|record| old.contains(record)), "offsets, keys, values and timestamps stay");
        let kept = new.iter().map(|record| (record.offset.0 - change.before.base.0) as u32);
        assert!(kept.eq(change.kept.iter().copied()));
    }
    assert_eq!(expected.into_iter().flatten().collect::<Vec<_>>(), now.iter().map(Batch::id).collect::<Vec<_>>());
    assert!(now.iter().all(Batch::is_valid));
}
