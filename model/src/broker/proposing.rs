//! Proposing another ISR to the controller (R50, R53-R61).
//!
//! One AlterPartition request in flight per broker, with everything that waits; an item stays until its partition is
//! answered. There is no timeout on a proposal itself: what the controller may have applied is never forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Process;
use super::rpc::{Asked, Outstanding};
use super::step::Step;
use crate::machine::{Severed, Task};
use crate::names::{Node, Partition, Time};
use crate::replica::Isr;
use crate::wire::{
    AlterPartitionItem, AlterPartitionRequest, AlterPartitionResponse, Channel, ConnectionId, Envelope, ErrorCode,
    PartitionChangeAccepted, Request,
};

/// Wait before a failed request is sent again (R56).
const RESEND_AFTER: Duration = Duration::from_millis(50);
/// `controller.socket.timeout.ms`: how long to wait for an answer before the connection is given up.
const SOCKET_TIMEOUT: Duration = Duration::from_millis(30_000);

/// ISR changes that the controller has not answered yet.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposals {
    items: BTreeMap<Partition, AlterPartitionItem>,
    outstanding: Option<Asked>,
    retry_at: Option<Time>,
}

impl Proposals {
    /// All that was not answered.
    pub(super) fn waiting(&self) -> Vec<AlterPartitionItem> {
        self.items.values().cloned().collect()
    }

    /// One was.
    pub(super) fn done(&mut self, partition: Partition) {
        self.items.remove(&partition);
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.outstanding.map(|asked| asked.outstanding.deadline).or(self.retry_at)
    }
}

impl Process {
    /// A leader's ISR has just become pending: hand the proposal to the controller channel (R142 a, b).
    pub(super) fn propose(&mut self, partition: Partition, step: &mut Step<'_>) {
        let protocol = self.own.protocol;
        let own = self.own.id;
        let Some(own_epoch) = self.lifecycle.epoch() else { return };
        let Some(replica) = self.replicas.get_mut(&partition) else { return };
        let (epoch, partition_epoch) = (replica.epoch(), replica.partition_epoch.unwrap_or_default());
        let Some(leader) = replica.leader_mut() else { return };
        if self.proposals.items.contains_key(&partition) {
            // R54: OPERATION_NOT_ATTEMPTED. A proposal of an earlier leadership is still unanswered.
            if protocol.withdrawing.goes_back() {
                leader.isr.revert();
            }
            return;
        }
        let item = leader.proposal((own, own_epoch), partition, epoch, partition_epoch, &protocol);
        self.proposals.items.insert(partition, item);
        self.note_isr(partition, step);
        if self.proposals.outstanding.is_none() && self.proposals.retry_at.is_none() {
            step.effects.later(Task::SendAlterPartition);
        }
    }

    /// Removes from the ISR of every partition led here who has not kept up (R50), and starts the proposals.
    pub(super) fn shrink_isrs(&mut self, step: &mut Step<'_>) {
        let lag = self.own.config.replica_lag_time_max;
        let mut shrunk = Vec::new();
        for (&partition, replica) in &mut self.replicas {
            let end = replica.log.end();
            let Some(leader) = replica.leader_mut() else { continue };
            if leader.isr.is_pending() {
                continue;
            }
            let laggards = leader.laggards(end, step.now, lag);
            if !laggards.is_empty() {
                leader.isr.shrink(laggards);
                shrunk.push(partition);
            }
        }
        for partition in shrunk {
            self.propose(partition, step);
            // Only a planted answer to "whom must a record reach" lets the high watermark move here (N9).
            if self.try_high_watermark(partition, step) {
                step.effects.later(Task::Wake { partition, high_watermark_moved: true });
            }
        }
    }

    /// Sends everything that waits (R142 c).
    pub(super) fn send_proposals(&mut self, step: &mut Step<'_>) {
        let Some(broker_epoch) = self.lifecycle.epoch() else { return };
        self.proposals.retry_at = None;
        if self.proposals.outstanding.is_some() || self.proposals.items.is_empty() {
            return;
        }
        let correlation = self.next_correlation();
        let partitions = self.proposals.items.values().cloned().collect();
        let request = AlterPartitionRequest { broker: self.own.id, broker_epoch, partitions };
        let of = self.controllers.node();
        let outstanding = Outstanding { correlation, deadline: step.now + SOCKET_TIMEOUT };
        self.proposals.outstanding = Some(Asked { outstanding, of });
        let request = Request::AlterPartition(request);
        step.effects.send(Envelope::request(self.own.id, of, Channel::AlterPartition, correlation, request));
    }

    pub(super) fn proposals_answered(&mut self, correlation: u64, answer: AlterPartitionResponse, step: &mut Step<'_>) {
        let Some(of) = Asked::take(&mut self.proposals.outstanding, correlation) else { return };
        if answer.error != ErrorCode::None {
            if answer.error == ErrorCode::NotController {
                self.controllers.give_up(of);
            }
            return self.resend_proposals_later(step);
        }
        let mut again = false;
        for part in answer.partitions {
            if let Some(item) = self.proposals.items.remove(&part.partition) {
                again |= !self.settle(item, part.result, step);
            }
        }
        if again {
            self.resend_proposals_later(step);
        } else if !self.proposals.items.is_empty() {
            step.effects.later(Task::SendAlterPartition);
        }
    }

    pub(super) fn proposals_severed(&mut self, peer: Node, step: &mut Step<'_>) {
        if self.proposals.outstanding.take_if(|asked| asked.of == peer).is_some() {
            self.controllers.give_up(peer);
            self.resend_proposals_later(step);
        }
    }

    pub(super) fn tick_proposals(&mut self, step: &mut Step<'_>) {
        if let Some(asked) = self.proposals.outstanding.take_if(|asked| step.now >= asked.outstanding.deadline) {
            let (peer, channel) = (asked.of, Channel::AlterPartition);
            step.effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
            self.resend_proposals_later(step);
        } else if self.proposals.retry_at.is_some_and(|at| step.now >= at) {
            self.send_proposals(step);
        }
    }

    fn resend_proposals_later(&mut self, step: &Step<'_>) {
        self.proposals.retry_at = Some(step.now + RESEND_AFTER);
    }

    /// One partition's answer (R57-R60). `false` if the item is to be sent again.
    pub(super) fn settle(
        &mut self,
        item: AlterPartitionItem,
        result: Result<PartitionChangeAccepted, ErrorCode>,
        step: &mut Step<'_>,
    ) -> bool {
        let partition = item.partition;
        let Some(replica) = self.replicas.get_mut(&partition) else { return true };
        let is_current = replica.leader_epoch == Some(item.leader_epoch)
            && replica.partition_epoch == Some(item.partition_epoch)
            && replica.leader().is_some_and(|leader| leader.isr.is_pending());
        if !is_current {
            return true;
        }
        match result {
            Ok(accepted) => {
                if accepted.leader_epoch != item.leader_epoch || accepted.partition_epoch < item.partition_epoch {
                    return true;
                }
                replica.partition_epoch = Some(accepted.partition_epoch);
                if let Some(leader) = replica.leader_mut() {
                    leader.isr = Isr::Settled { members: accepted.isr };
                    leader.recovery_state = accepted.recovery_state;
                }
            }
            // Certainly not applied, so the smaller maximal set is right again. The high watermark is not tried (R40).
            Err(ErrorCode::OperationNotAttempted | ErrorCode::IneligibleReplica) => {
                let goes_back = self.own.protocol.withdrawing.goes_back();
                if let Some(leader) = replica.leader_mut().filter(|_| goes_back) {
                    leader.isr.revert();
                }
                self.note_isr(partition, step);
                return true;
            }
            // Something newer is on its way in the metadata log. Until it is here the larger set stays required.
            Err(
                ErrorCode::UnknownTopicOrPartition
                | ErrorCode::UnknownTopicId
                | ErrorCode::FencedLeaderEpoch
                | ErrorCode::InvalidUpdateVersion
                | ErrorCode::InvalidRequest
                | ErrorCode::NewLeaderElected,
            ) => return true,
            Err(_) => {
                self.proposals.items.insert(partition, item);
                return false;
            }
        }
        self.note_isr(partition, step);
        if self.try_high_watermark(partition, step) {
            step.effects.later(Task::Wake { partition, high_watermark_moved: true });
        }
        true
    }
}
