//! Produce: check, append, wait, answer (R62-R63).
//!
//! Three steps, as in Kafka's three critical sections (R140): append; park the request (try, register, try again); wake
//! whom the append concerns. A metadata change may fall between any two of them.

use super::Process;
use super::flushing::note_flushed;
use super::step::Step;
use super::waiting::{ProducePart, WaitingProduce};
use crate::config::Acks;
use crate::event::Event;
use crate::log::{AppendError, Batch, BatchId};
use crate::machine::{Stop, Task, Ticket};
use crate::names::Partition;
use crate::wire::{
    ErrorCode, ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceResponse, ReplyTo, Response,
};

impl Process {
    /// A produce request has come (R140 a).
    pub(super) fn produce(&mut self, reply: ReplyTo, request: ProduceRequest, step: &mut Step<'_>) -> Result<(), Stop> {
        let mut parts = Vec::with_capacity(request.partitions.len());
        for produce in request.partitions {
            let partition = produce.partition;
            let part = match self.append(request.acks, produce, step)? {
                Ok(batch) => ProducePart { partition, batch: Some(batch), answer: None, min_isr: None },
                Err(error) => {
                    let answer = Some(self.refusal(partition, error));
                    ProducePart { partition, batch: None, answer, min_isr: None }
                }
            };
            parts.push(part);
        }
        let produce = WaitingProduce { reply, deadline: step.now + request.timeout, parts };
        if request.acks == Acks::All && produce.parts.iter().any(|part| part.answer.is_none()) {
            let ticket = self.waiting.hold_produce(produce);
            step.effects.later(Task::ParkProduce { ticket });
            return Ok(());
        }
        self.answer_produce(request.acks, produce, step);
        Ok(())
    }

    /// The request was appended; now it waits (R140 b). What happened since the append woke nobody, so it looks for
    /// itself first; Kafka looks once more after the registration (R64), which is the same step here.
    pub(super) fn park_produce(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        if !self.complete_produce(ticket, step) {
            self.waiting.park_produce(ticket);
        }
    }

    /// Looks whether all partitions of a waiting produce are decided, and answers it if so (R63a).
    pub(super) fn complete_produce(&mut self, ticket: Ticket, step: &mut Step<'_>) -> bool {
        let Some(mut parts) = self.waiting.produce_mut(ticket).map(|held| std::mem::take(&mut held.parts)) else {
            return false;
        };
        for part in parts.iter_mut().filter(|part| part.answer.is_none()) {
            part.answer = part.batch.and_then(|batch| self.verdict(part.partition, batch));
            part.min_isr = part.answer.is_some().then(|| self.min_isr(part.partition));
        }
        let decided = parts.iter().all(|part| part.answer.is_some());
        if let Some(held) = self.waiting.produce_mut(ticket) {
            held.parts = parts;
        }
        if decided && let Some(produce) = self.waiting.take_produce(ticket) {
            self.answer_produce(Acks::All, produce, step);
        }
        decided
    }

    /// The client's patience is over: what is undecided is `REQUEST_TIMED_OUT`, though it may commit yet (R63a, G17).
    pub(super) fn expire_produce(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        let Some(mut produce) = self.waiting.take_produce(ticket) else { return };
        for part in produce.parts.iter_mut().filter(|part| part.answer.is_none()) {
            part.answer = Some(self.refusal(part.partition, ErrorCode::RequestTimedOut));
        }
        self.answer_produce(Acks::All, produce, step);
    }

    /// Appends one partition's batch as leader and tries the high watermark.
    fn append(
        &mut self,
        acks: Acks,
        produce: ProducePartition,
        step: &mut Step<'_>,
    ) -> Result<Result<BatchId, ErrorCode>, Stop> {
        let partition = produce.partition;
        if let Err(error) = self.hosted(partition) {
            return Ok(Err(error));
        }
        let min_isr = self.topic_config(partition).min_insync_replicas;
        let own = &self.own;
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(Err(ErrorCode::NotLeaderOrFollower)) };
        let epoch = replica.epoch();
        let Some(leader) = replica.leader() else { return Ok(Err(ErrorCode::NotLeaderOrFollower)) };
        let in_sync = leader.isr.committed_count();
        if acks == Acks::All && !own.protocol.min_isr.is_met(in_sync, leader.min_isr(min_isr)) {
            return Ok(Err(ErrorCode::NotEnoughReplicas));
        }
        let mut records = produce.records;
        let batch = match Batch::split_first(&mut records) {
            Ok(Some(batch)) if records.is_empty() => batch,
            Ok(_) => return Ok(Err(ErrorCode::InvalidRecord)),
            Err(_) => return Ok(Err(ErrorCode::CorruptMessage)),
        };
        let recovery_point = replica.log.recovery_point();
        let appended = match replica.log.append_as_leader(step.disk, &batch, epoch, step.now) {
            Ok(appended) => appended,
            Err(AppendError::Disk(error)) => return Err(error.into()),
            Err(AppendError::Corrupt) => return Ok(Err(ErrorCode::CorruptMessage)),
            Err(AppendError::TooLarge) => return Ok(Err(ErrorCode::MessageTooLarge)),
            Err(AppendError::Invalid(_) | AppendError::OutOfOrder { .. }) => return Ok(Err(ErrorCode::InvalidRecord)),
        };
        step.effects.note(Event::AppendedAsLeader { partition, epoch, batch: appended.id });
        note_flushed(replica, recovery_point, step);
        if let Some(upto) = appended.rolled {
            step.effects.later(Task::Flush { partition, upto });
        }
        let high_watermark_moved = self.try_high_watermark(partition, step);
        step.effects.later(Task::Wake { partition, high_watermark_moved });
        Ok(Ok(appended.id))
    }

    /// What can be said now about an appended batch: `None` is "wait" (R63a).
    fn verdict(&self, partition: Partition, batch: BatchId) -> Option<ProducePartitionResponse> {
        if let Err(error) = self.hosted(partition) {
            return Some(self.refusal(partition, error));
        }
        let Some(replica) = self.replicas.get(&partition) else {
            return Some(self.refusal(partition, ErrorCode::NotLeaderOrFollower));
        };
        let Some(leader) = replica.leader() else {
            return Some(self.refusal(partition, ErrorCode::NotLeaderOrFollower));
        };
        let protocol = &self.own.protocol;
        if !protocol.acknowledgement.is_due(replica.high_watermark, batch.end()) {
            return None;
        }
        let min_isr = leader.min_isr(self.topic_config(partition).min_insync_replicas);
        let maximal = leader.isr.required_count(protocol.shrinking);
        if protocol.min_isr.is_met(maximal, min_isr) {
            Some(self.acceptance(partition, batch))
        } else {
            Some(self.refusal(partition, ErrorCode::NotEnoughReplicasAfterAppend))
        }
    }

    /// Sends the answer, or, for `acks=0`, closes the connection if anything failed so that the client looks for the
    /// leader again (R63).
    fn answer_produce(&mut self, acks: Acks, produce: WaitingProduce, step: &mut Step<'_>) {
        let mut failed = false;
        let mut partitions = Vec::with_capacity(produce.parts.len());
        for part in &produce.parts {
            let answer = match (part.answer, part.batch) {
                (Some(answer), _) => answer,
                (None, Some(batch)) => self.acceptance(part.partition, batch),
                (None, None) => self.refusal(part.partition, ErrorCode::UnknownServerError),
            };
            failed |= answer.error != ErrorCode::None;
            self.note_answer(acks, produce.reply, part, answer.error, step);
            partitions.push(answer);
        }
        match acks {
            Acks::None if failed => self.close(produce.reply, step),
            Acks::None => self.connections.answered(produce.reply.connection),
            _ => self.respond(produce.reply, Response::Produce(ProduceResponse { partitions }), step),
        }
    }

    fn note_answer(&self, acks: Acks, reply: ReplyTo, part: &ProducePart, error: ErrorCode, step: &mut Step<'_>) {
        let replica = self.replicas.get(&part.partition);
        let leader = replica.and_then(|replica| replica.leader());
        step.effects.note(Event::ProduceAnswered {
            partition: part.partition,
            epoch: replica.map(|replica| replica.epoch()).unwrap_or_default(),
            client: reply.peer,
            acks,
            batch: part.batch,
            error,
            high_watermark: replica.map(|replica| replica.high_watermark).unwrap_or_default(),
            isr: leader.map_or(0, |leader| leader.isr.required_count(self.own.protocol.shrinking)),
            min_isr: part.min_isr.unwrap_or_else(|| self.min_isr(part.partition)),
        });
    }

    /// How many replicas a record must reach at least, by now (R5).
    fn min_isr(&self, partition: Partition) -> u32 {
        let min_isr = self.topic_config(partition).min_insync_replicas;
        let leader = self.replicas.get(&partition).and_then(|replica| replica.leader());
        leader.map_or(min_isr, |leader| leader.min_isr(min_isr))
    }

    fn acceptance(&self, partition: Partition, batch: BatchId) -> ProducePartitionResponse {
        ProducePartitionResponse {
            partition,
            error: ErrorCode::None,
            base_offset: Some(batch.base),
            current_leader: None,
        }
    }

    fn refusal(&self, partition: Partition, error: ErrorCode) -> ProducePartitionResponse {
        // KIP-951: a broker that is not the leader says whom it believes to be.
        let registration = self.image.partitions.get(&partition);
        let current_leader = registration
            .filter(|_| error == ErrorCode::NotLeaderOrFollower)
            .and_then(|registration| registration.leader.map(|leader| (leader, registration.leader_epoch)));
        ProducePartitionResponse { partition, error, base_offset: None, current_leader }
    }
}
