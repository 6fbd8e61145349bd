//! What a follower does with its leader's answer: append, cut, begin anew, and learn how far the leader is (R36a, R36b,
//! R41, R43, L21-L25).
//!
//! Does not know when it fetches next.

use super::Process;
use super::fetching::Stage;
use super::flushing::note_flushed;
use super::step::Step;
use crate::event::{Event, StartCause};
use crate::log::AppendError;
use crate::machine::{Stop, Task};
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Partition};
use crate::wire::{DivergingEpoch, ErrorCode, FetchPartitionResponse};

impl Process {
    /// One partition's answer (R36a, R36b).
    pub(super) fn take_answer(
        &mut self,
        leader: BrokerId,
        part: FetchPartitionResponse,
        asked_in: LeaderEpoch,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let partition = part.partition;
        match part.error {
            ErrorCode::None => match part.diverging_epoch {
                Some(shared) => self.diverge(leader, partition, shared, step),
                None => self.take_records(leader, part, asked_in, step),
            },
            ErrorCode::OffsetOutOfRange => {
                self.set_stage(leader, partition, Stage::OutOfRange);
                Ok(())
            }
            ErrorCode::FencedLeaderEpoch => {
                // This broker is behind. If it still is, only metadata can help.
                let same =
                    self.fetchers.following(leader, partition).is_some_and(|following| following.epoch == asked_in);
                if same {
                    self.set_stage(leader, partition, Stage::Failed);
                } else {
                    self.delay(leader, partition, step);
                }
                Ok(())
            }
            _ => {
                self.delay(leader, partition, step);
                Ok(())
            }
        }
    }

    /// The logs part: cut, and ask again with what is then the last epoch (R41, R41a). Neither appends nor learns a high
    /// watermark (KAFKA-14704).
    fn diverge(
        &mut self,
        leader: BrokerId,
        partition: Partition,
        shared: DivergingEpoch,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get(&partition) else { return Ok(()) };
        let local = replica.log.end_offset_for(shared.epoch);
        let cut = self.own.protocol.truncation.cut(
            (shared.epoch, shared.end),
            local,
            replica.log.end(),
            replica.high_watermark,
        );
        let epoch = replica.epoch();
        step.effects.note(Event::Diverged { partition, epoch, shared: shared.epoch, end: shared.end });
        self.truncate(partition, cut, step)?;
        self.resume(leader, partition);
        Ok(())
    }

    /// Appends what came, then learns the high watermark and where the log begins (L21-L25).
    fn take_records(
        &mut self,
        leader: BrokerId,
        part: FetchPartitionResponse,
        asked_in: LeaderEpoch,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let partition = part.partition;
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        let epoch = replica.epoch();
        let mut appended_any = false;
        let mut restarted = None;
        if !part.records.is_empty() {
            let recovery_point = replica.log.recovery_point();
            let newest = self.own.protocol.fencing.newest_batch(asked_in);
            let replicated = match replica.log.append_as_follower(step.disk, &part.records, newest, step.now) {
                Ok(replicated) => replicated,
                Err(AppendError::Disk(error)) => return Err(error.into()),
                Err(AppendError::Corrupt) => {
                    self.delay(leader, partition, step);
                    return Ok(());
                }
                Err(AppendError::TooLarge | AppendError::Invalid(_) | AppendError::OutOfOrder { .. }) => {
                    self.set_stage(leader, partition, Stage::Failed);
                    return Ok(());
                }
            };
            restarted = replicated.restarted;
            if let Some(start) = restarted {
                step.effects.note(Event::Restarted { partition, epoch, start });
                replica.adopt_high_watermark(replica.high_watermark);
            }
            appended_any = !replicated.ids.is_empty();
            for batch in replicated.ids {
                step.effects.note(Event::AppendedAsFollower { partition, epoch, batch });
            }
            note_flushed(replica, recovery_point, step);
            if let Some(upto) = replicated.rolled {
                step.effects.later(Task::Flush { partition, upto });
            }
        }
        if let Some(leaders) = part.high_watermark
            && replica.adopt_high_watermark(leaders)
        {
            let at = replica.high_watermark;
            step.effects.note(Event::HighWatermark { partition, epoch, at, leads: false });
        }
        if let Some(start) = part.log_start.filter(|&start| start > replica.log.start()) {
            if start > replica.high_watermark {
                self.set_stage(leader, partition, Stage::Failed);
                return Ok(());
            }
            replica.log.raise_start(start);
            self.start_moved(partition, StartCause::Leader, step);
        }
        if appended_any {
            self.resume(leader, partition);
        }
        if restarted.is_some() {
            self.write_recovery_points(step)?;
        }
        Ok(())
    }

    /// R43: the offset lies outside of the leader's log.
    pub(super) fn fit_into(
        &mut self,
        leader: BrokerId,
        partition: Partition,
        start: EndOffset,
        end: EndOffset,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        if end < replica.log.end() {
            self.truncate(partition, end, step)?;
        } else if start > replica.log.end() {
            let epoch = replica.epoch();
            replica.log.truncate_fully_and_start_at(step.disk, start, step.now)?;
            replica.adopt_high_watermark(start);
            let compacted = replica.log.config().compact;
            step.effects.note(Event::Restarted { partition, epoch, start });
            self.write_recovery_points(step)?;
            if compacted {
                self.write_cleaner_offsets(step)?;
            }
        }
        self.resume(leader, partition);
        Ok(())
    }
}
