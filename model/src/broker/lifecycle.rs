//! Who this broker is to the controller: registration, heartbeats, fencing, controlled shutdown (C36-C44, R100-R103).
//!
//! A broker never fences itself: cut off, it serves on with its last image (C43). This file does not know partitions.

use std::time::Duration;

use super::Process;
use super::flushing::note_flushed;
use super::rpc::{Asked, Backoff, Outstanding};
use super::step::Step;
use crate::config::BrokerConfig;
use crate::event::Event;
use crate::log::LogFolder;
use crate::machine::{Chance, Severed, Stop, Task};
use crate::names::{BrokerEpoch, Incarnation, Node, Time};
use crate::wire::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse, Channel,
    ConnectionId, Envelope, ErrorCode, Request,
};

/// First wait before a failed registration or heartbeat is sent again; doubles up to the session timeout.
const RESEND_BACKOFF: Duration = Duration::from_millis(100);
/// How long a broker waits for its leaderships to move before it stops all the same (R102).
const CONTROLLED_SHUTDOWN_PATIENCE: Duration = Duration::from_secs(300);

/// A broker's standing with the controller.
#[derive(Clone, Debug)]
pub(super) struct Lifecycle {
    incarnation: Incarnation,
    previous_broker_epoch: Option<BrokerEpoch>,
    stage: Stage,
    outstanding: Option<Asked>,
    next_at: Time,
    /// What is under way was overtaken: the next report follows its answer at once.
    hasten: bool,
    backoff: Backoff,
}

/// How far this life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not registered yet; the process ends if it takes too long.
    Registering { give_up_at: Time },
    /// Registered; serves when not fenced, and when fenced too (C43).
    Registered { epoch: BrokerEpoch, fenced: bool },
    /// Wants to stop in an orderly way.
    ShuttingDown { epoch: BrokerEpoch, patience_ends: Time },
    /// Is about to stop.
    Stopping { epoch: Option<BrokerEpoch> },
}

impl Lifecycle {
    pub(super) fn new(
        chance: Chance,
        previous_broker_epoch: Option<BrokerEpoch>,
        now: Time,
        config: &BrokerConfig,
    ) -> Self {
        Self {
            incarnation: Incarnation(chance.draw("incarnation", 0)),
            previous_broker_epoch,
            stage: Stage::Registering { give_up_at: now + config.initial_broker_registration_timeout },
            outstanding: None,
            next_at: now,
            hasten: false,
            backoff: Backoff::default(),
        }
    }

    /// The epoch of this life, once registered.
    pub(super) fn epoch(&self) -> Option<BrokerEpoch> {
        match self.stage {
            Stage::Registering { .. } => None,
            Stage::Registered { epoch, .. } | Stage::ShuttingDown { epoch, .. } => Some(epoch),
            Stage::Stopping { epoch } => epoch,
        }
    }

    /// ZooKeeper mode: this life is registered, or once more, because its session had ended.
    pub(super) fn registered(&mut self, registered: BrokerEpoch) {
        match &mut self.stage {
            Stage::Registered { epoch, .. } | Stage::ShuttingDown { epoch, .. } => *epoch = registered,
            Stage::Stopping { epoch } => *epoch = Some(registered),
            Stage::Registering { .. } => self.stage = Stage::Registered { epoch: registered, fenced: false },
        }
    }

    /// ZooKeeper mode: an orderly stop has begun.
    pub(super) fn shut_down(&mut self, now: Time) {
        self.stage = match self.epoch() {
            Some(epoch) => Stage::ShuttingDown { epoch, patience_ends: now + CONTROLLED_SHUTDOWN_PATIENCE },
            None => Stage::Stopping { epoch: None },
        };
    }

    /// Whether an orderly stop has begun (R18).
    pub(super) fn is_shutting_down(&self) -> bool {
        matches!(self.stage, Stage::ShuttingDown { .. } | Stage::Stopping { .. })
    }

    /// Whether this broker is registered and still fenced, as far as it knows: then every change of its image is worth a
    /// heartbeat (C44).
    pub(super) fn wants_to_be_unfenced(&self) -> bool {
        matches!(self.stage, Stage::Registered { fenced: true, .. })
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let report_at = self.outstanding.map_or(self.next_at, |asked| asked.outstanding.deadline);
        match self.stage {
            Stage::Stopping { .. } => None,
            Stage::Registering { give_up_at } => Some(report_at.min(give_up_at)),
            Stage::Registered { .. } => Some(report_at),
            Stage::ShuttingDown { patience_ends, .. } => Some(report_at.min(patience_ends)),
        }
    }
}

impl Process {
    /// Sends the first registration.
    pub(super) fn announce(&mut self, step: &mut Step<'_>) {
        self.report(step);
    }

    /// Something is ready: say so now rather than with the next heartbeat (C44).
    pub(super) fn hasten_heartbeat(&mut self, step: &mut Step<'_>) {
        if self.lifecycle.outstanding.is_none() {
            self.report(step);
        } else {
            self.lifecycle.hasten = true;
        }
    }

    pub(super) fn registration_answered(
        &mut self,
        correlation: u64,
        answer: BrokerRegistrationResponse,
        step: &mut Step<'_>,
    ) {
        let Some(of) = Asked::take(&mut self.lifecycle.outstanding, correlation) else { return };
        match (answer.error, answer.broker_epoch, self.lifecycle.stage) {
            (ErrorCode::None, Some(epoch), Stage::Registering { .. }) => {
                step.effects.note(Event::Registered { epoch });
                self.lifecycle.stage = Stage::Registered { epoch, fenced: true };
                self.lifecycle.backoff.succeeded();
                // The record of it may be here already, and there may never be another to bring it up.
                step.effects.later(Task::ApplyMetadata { upto: self.image.end });
                self.report(step);
            }
            // DUPLICATE_BROKER_REGISTRATION until the session of the life before has run out (C37), and anything else.
            (error, ..) => self.lifecycle_refused(of, error, step),
        }
    }

    pub(super) fn heartbeat_answered(
        &mut self,
        correlation: u64,
        answer: BrokerHeartbeatResponse,
        step: &mut Step<'_>,
    ) {
        let Some(of) = Asked::take(&mut self.lifecycle.outstanding, correlation) else { return };
        if answer.error != ErrorCode::None {
            return self.lifecycle_refused(of, answer.error, step);
        }
        self.lifecycle.backoff.succeeded();
        self.lifecycle.next_at = step.now + self.own.config.broker_heartbeat_interval;
        match &mut self.lifecycle.stage {
            Stage::Registered { fenced, .. } if *fenced != answer.is_fenced => {
                *fenced = answer.is_fenced;
                step.effects.note(Event::Fenced { fenced: answer.is_fenced });
            }
            Stage::ShuttingDown { epoch, .. } if answer.should_shut_down => {
                self.lifecycle.stage = Stage::Stopping { epoch: Some(*epoch) };
                step.effects.later(Task::CompleteShutdown);
            }
            Stage::Registering { .. }
            | Stage::Registered { .. }
            | Stage::ShuttingDown { .. }
            | Stage::Stopping { .. } => {}
        }
        if self.lifecycle.hasten {
            self.report(step);
        }
    }

    /// `SIGTERM`: let the controller move the leaderships first, unless told not to (R100).
    pub(super) fn terminate(&mut self, step: &mut Step<'_>) {
        match self.lifecycle.stage {
            Stage::Registered { epoch, .. } if self.own.config.controlled_shutdown_enable => {
                let patience_ends = step.now + CONTROLLED_SHUTDOWN_PATIENCE;
                self.lifecycle.stage = Stage::ShuttingDown { epoch, patience_ends };
                self.hasten_heartbeat(step);
            }
            Stage::Registered { epoch, .. } => {
                self.lifecycle.stage = Stage::Stopping { epoch: Some(epoch) };
                step.effects.later(Task::CompleteShutdown);
            }
            Stage::Registering { .. } => {
                self.lifecycle.stage = Stage::Stopping { epoch: None };
                step.effects.later(Task::CompleteShutdown);
            }
            Stage::ShuttingDown { .. } | Stage::Stopping { .. } => {}
        }
    }

    /// The rest of an orderly stop (R101, L46): high watermarks, logs flushed and closed, recovery points, marker last.
    pub(super) fn complete_shutdown(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        self.write_high_watermarks(step)?;
        self.write_log_starts(step)?;
        for replica in self.replicas.values_mut() {
            let recovery_point = replica.log.recovery_point();
            replica.log.close(step.disk)?;
            note_flushed(replica, recovery_point, step);
        }
        self.write_recovery_points(step)?;
        // A process that never opened its logs has nothing clean to vouch for.
        if self.observer.has_published() || self.folder.clean {
            let epoch = self.lifecycle.epoch().or(self.folder.previous_broker_epoch);
            LogFolder::mark_clean(step.disk, epoch)?;
        }
        step.effects.note(Event::ShutDown);
        self.end_session(step);
        step.effects.exit();
        Ok(())
    }

    pub(super) fn lifecycle_severed(&mut self, peer: Node, step: &mut Step<'_>) {
        if self.lifecycle.outstanding.take_if(|asked| asked.of == peer).is_some() {
            self.turn_to_another(peer, step);
        }
    }

    pub(super) fn tick_lifecycle(&mut self, step: &mut Step<'_>) {
        match self.lifecycle.stage {
            Stage::Registering { give_up_at } if step.now >= give_up_at => {
                // C36: a broker that cannot register ends itself, without a marker.
                self.lifecycle.stage = Stage::Stopping { epoch: None };
                return step.effects.exit();
            }
            Stage::ShuttingDown { epoch, patience_ends } if step.now >= patience_ends => {
                self.lifecycle.stage = Stage::Stopping { epoch: Some(epoch) };
                return step.effects.later(Task::CompleteShutdown);
            }
            Stage::Registering { .. }
            | Stage::Registered { .. }
            | Stage::ShuttingDown { .. }
            | Stage::Stopping { .. } => {}
        }
        match self.lifecycle.outstanding {
            Some(asked) if step.now >= asked.outstanding.deadline => {
                self.lifecycle.outstanding = None;
                let (peer, channel) = (asked.of, Channel::Lifecycle);
                step.effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
                self.lifecycle_failed(step);
            }
            None if step.now >= self.lifecycle.next_at => self.report(step),
            Some(_) | None => {}
        }
    }

    /// Sends what this stage has to say.
    fn report(&mut self, step: &mut Step<'_>) {
        let request = match self.lifecycle.stage {
            Stage::Registering { .. } => Request::BrokerRegistration(BrokerRegistrationRequest {
                broker: self.own.id,
                incarnation: self.lifecycle.incarnation,
                previous_broker_epoch: self.lifecycle.previous_broker_epoch,
            }),
            Stage::Registered { epoch, .. } | Stage::ShuttingDown { epoch, .. } => {
                Request::BrokerHeartbeat(BrokerHeartbeatRequest {
                    broker: self.own.id,
                    broker_epoch: epoch,
                    metadata_offset: self.image.end,
                    want_fence: !self.observer.has_published(),
                    want_shut_down: self.lifecycle.is_shutting_down(),
                })
            }
            Stage::Stopping { .. } => return,
        };
        let correlation = self.next_correlation();
        let deadline = step.now + self.own.config.broker_session_timeout;
        let of = self.controllers.node();
        self.lifecycle.outstanding = Some(Asked { outstanding: Outstanding { correlation, deadline }, of });
        self.lifecycle.hasten = false;
        self.lifecycle.next_at = step.now + self.own.config.broker_heartbeat_interval;
        step.effects.send(Envelope::request(self.own.id, of, Channel::Lifecycle, correlation, request));
    }

    fn lifecycle_failed(&mut self, step: &mut Step<'_>) {
        let most = self.own.config.broker_session_timeout;
        let wait = self.lifecycle.backoff.failed(RESEND_BACKOFF, most);
        self.lifecycle.next_at = step.now + wait;
    }

    /// A controller says no. If it is not the active one, that is nobody's failure: another one is asked soon.
    fn lifecycle_refused(&mut self, of: Node, error: ErrorCode, step: &mut Step<'_>) {
        if error == ErrorCode::NotController {
            self.turn_to_another(of, step);
        } else {
            self.lifecycle_failed(step);
        }
    }

    fn turn_to_another(&mut self, of: Node, step: &Step<'_>) {
        self.controllers.give_up(of);
        self.lifecycle.next_at = step.now + RESEND_BACKOFF;
    }
}
