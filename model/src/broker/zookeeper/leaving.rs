//! An orderly end: the controller is asked to move what this broker leads, a few times, and then it goes all the same (C73).
//!
//! It must not know partitions.

use std::time::Duration;

use crate::broker::Process;
use crate::broker::step::Step;
use crate::machine::{Severed, Task};
use crate::names::{Node, Time};
use crate::wire::{
    Channel, ConnectionId, ControlledShutdownRequest, ControlledShutdownResponse, Envelope, ErrorCode, ReplyTo, Request,
};

/// `controlled.shutdown.max.retries`, and the first attempt.
const ATTEMPTS: u32 = 4;
/// `controlled.shutdown.retry.backoff.ms`.
const RETRY_BACKOFF: Duration = Duration::from_millis(5_000);

/// How far that has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaving {
    attempts: u32,
    asked: Option<(Node, u64, Time)>,
    retry_at: Option<Time>,
}

impl Leaving {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.asked.map(|(_, _, deadline)| deadline).or(self.retry_at)
    }
}

impl Process {
    /// `SIGTERM`.
    pub(in crate::broker) fn leave(&mut self, step: &mut Step<'_>) {
        if self.lifecycle.is_shutting_down() {
            return;
        }
        let asks = self.own.config.controlled_shutdown_enable && self.lifecycle.epoch().is_some();
        self.lifecycle.shut_down(step.now);
        if asks {
            self.ask_to_leave(step);
        } else {
            step.effects.later(Task::CompleteShutdown);
        }
    }

    /// The process is over: the session, too, so that nobody has to wait for its end.
    pub(in crate::broker) fn end_session(&mut self, step: &mut Step<'_>) {
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.session.close(step.effects);
        }
    }

    pub(super) fn relieved(
        &mut self,
        from: Node,
        correlation: u64,
        answer: &ControlledShutdownResponse,
        step: &mut Step<'_>,
    ) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        if zookeeper.leaving.asked.take_if(|(of, number, _)| (*of, *number) == (from, correlation)).is_none() {
            return;
        }
        if answer.error == ErrorCode::None && answer.remaining.is_empty() {
            step.effects.later(Task::CompleteShutdown);
        } else {
            self.leave_later(step);
        }
    }

    pub(super) fn leaving_severed(&mut self, peer: Node, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        if zookeeper.leaving.asked.take_if(|(of, ..)| *of == peer).is_some() {
            self.leave_later(step);
        }
    }

    pub(super) fn tick_leaving(&mut self, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        let leaving = &mut zookeeper.leaving;
        if let Some((peer, ..)) = leaving.asked.take_if(|(_, _, deadline)| step.now >= *deadline) {
            let channel = Channel::Lifecycle;
            step.effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
            self.leave_later(step);
        } else if leaving.retry_at.take_if(|at| step.now >= *at).is_some() {
            self.ask_to_leave(step);
        }
    }

    /// Asks whoever is known to be the controller.
    fn ask_to_leave(&mut self, step: &mut Step<'_>) {
        let correlation = self.next_correlation();
        let deadline = step.now + self.own.config.request_timeout;
        let (Some(broker_epoch), Some(zookeeper)) = (self.lifecycle.epoch(), &mut self.zookeeper) else { return };
        zookeeper.leaving.attempts += 1;
        let Some(controller) = zookeeper.controller.known() else { return self.leave_later(step) };
        let of = Node::Broker(controller);
        zookeeper.leaving.asked = Some((of, correlation, deadline));
        let request = Request::ControlledShutdown(ControlledShutdownRequest { broker: self.own.id, broker_epoch });
        if controller == self.own.id {
            let (channel, connection) = (Channel::Lifecycle, ConnectionId::UNSET);
            let reply = ReplyTo { peer: of, channel, connection, correlation };
            let served = self.with_controller(step, |controller, hands| controller.serve(reply, request, hands));
            if served != Some(true) {
                self.leaving_severed(of, step);
            }
            return;
        }
        step.effects.send(Envelope::request(self.own.id, of, Channel::Lifecycle, correlation, request));
    }

    fn leave_later(&mut self, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        if zookeeper.leaving.attempts >= ATTEMPTS {
            step.effects.later(Task::CompleteShutdown);
        } else {
            zookeeper.leaving.retry_at = Some(step.now + RETRY_BACKOFF);
        }
    }
}
