//! DeleteRecords: a log is made to begin later, at the leader at once and at its followers by and by (L75).
//!
//! The answer waits until all live replicas have said, with a fetch, that theirs begin there too. Does not know when the
//! segments below go: that is retention.

use super::Process;
use super::step::Step;
use super::waiting::{DeletionPart, WaitingDeletion};
use crate::event::{Event, StartCause};
use crate::machine::{Task, Ticket};
use crate::names::{BrokerId, EndOffset, Offset, Partition};
use crate::wire::{
    DeleteRecordsPartition, DeleteRecordsPartitionResponse, DeleteRecordsRequest, DeleteRecordsResponse, ErrorCode,
    ReplyTo, Response,
};

impl Process {
    /// A request has come. Kafka tries it, registers it and tries it again (R64); nothing comes between the two here.
    pub(super) fn delete_records(&mut self, reply: ReplyTo, request: DeleteRecordsRequest, step: &mut Step<'_>) {
        let mut parts = Vec::with_capacity(request.partitions.len());
        for asked in request.partitions {
            let (upto, answer) = match self.move_start(asked, step) {
                Ok(upto) => (upto, None),
                Err(error) => (EndOffset::ZERO, Some(Err(error))),
            };
            parts.push(DeletionPart { asked, upto, answer });
        }
        let deletion = WaitingDeletion { reply, deadline: step.now + request.timeout, parts };
        let ticket = self.waiting.hold_deletion(deletion);
        if !self.complete_deletion(ticket, step) {
            self.waiting.park_deletion(ticket);
        }
    }

    /// Something has changed in a partition: has whoever waits for its followers look again, in another thread.
    pub(super) fn wake_deletions_later(&self, partition: Partition, step: &mut Step<'_>) {
        if !self.waiting.deletions_on(partition).is_empty() {
            step.effects.later(Task::WakeDeleteRecords { partition });
        }
    }

    /// Looks again at every request that waits on a partition.
    pub(super) fn wake_deletions(&mut self, partition: Partition, step: &mut Step<'_>) {
        for ticket in self.waiting.deletions_on(partition) {
            self.complete_deletion(ticket, step);
        }
    }

    /// The client's patience is over: what is undecided is `REQUEST_TIMED_OUT`, though this log begins later by now.
    pub(super) fn expire_deletion(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        let Some(mut deletion) = self.waiting.take_deletion(ticket) else { return };
        for part in deletion.parts.iter_mut().filter(|part| part.answer.is_none()) {
            part.answer = Some(Err(ErrorCode::RequestTimedOut));
        }
        self.answer_deletion(deletion, step);
    }

    /// The lowest log start offset of a leader and all live replicas; none before each of them has said its own (L75).
    pub(super) fn low_watermark(&self, partition: Partition) -> Option<EndOffset> {
        let replica = self.replicas.get(&partition)?;
        // On its way out is alive all the same.
        let alive = |broker: BrokerId| self.image.brokers.get(&broker).is_some_and(|registered| !registered.fenced);
        replica.leader()?.low_watermark(replica.log.start(), &alive)
    }

    /// Moves the log start offset of one partition, if it may be. Returns up to where it was asked to.
    fn move_start(&mut self, asked: DeleteRecordsPartition, step: &mut Step<'_>) -> Result<EndOffset, ErrorCode> {
        let partition = asked.partition;
        self.hosted(partition)?;
        let replica = self.replicas.get_mut(&partition).ok_or(ErrorCode::NotLeaderOrFollower)?;
        if !replica.leads() {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        if !replica.log.config().delete {
            return Err(ErrorCode::PolicyViolation);
        }
        let upto = asked.before.map_or(replica.high_watermark, Offset::bound);
        if upto > replica.high_watermark {
            return Err(ErrorCode::OffsetOutOfRange);
        }
        if replica.log.raise_start(upto) {
            self.start_moved(partition, StartCause::DeleteRecords, step);
        }
        Ok(upto)
    }

    /// Looks whether all partitions of a request are decided, and answers it if so.
    fn complete_deletion(&mut self, ticket: Ticket, step: &mut Step<'_>) -> bool {
        let Some(mut deletion) = self.waiting.lift_deletion(ticket) else { return false };
        for part in deletion.parts.iter_mut().filter(|part| part.answer.is_none()) {
            let partition = part.asked.partition;
            part.answer = if !self.replicas.get(&partition).is_some_and(|replica| replica.leads()) {
                Some(Err(ErrorCode::NotLeaderOrFollower))
            } else {
                self.low_watermark(partition).filter(|&low| low >= part.upto).map(Ok)
            };
        }
        let decided = deletion.parts.iter().all(|part| part.answer.is_some());
        self.waiting.put_back_deletion(ticket, deletion);
        if decided && let Some(deletion) = self.waiting.take_deletion(ticket) {
            self.answer_deletion(deletion, step);
        }
        decided
    }

    fn answer_deletion(&mut self, deletion: WaitingDeletion, step: &mut Step<'_>) {
        let mut partitions = Vec::with_capacity(deletion.parts.len());
        for DeletionPart { asked: DeleteRecordsPartition { partition, before }, answer, .. } in deletion.parts {
            let (error, low_watermark) = match answer {
                Some(Ok(low_watermark)) => (ErrorCode::None, Some(low_watermark)),
                Some(Err(error)) => (error, None),
                None => (ErrorCode::UnknownServerError, None),
            };
            step.effects.note(Event::DeleteRecordsAnswered { partition, before, error, low_watermark });
            partitions.push(DeleteRecordsPartitionResponse { partition, error, low_watermark });
        }
        self.respond(deletion.reply, Response::DeleteRecords(DeleteRecordsResponse { partitions }), step);
    }
}
