//! Who is alive: registrations, heartbeats, sessions (C36-C44, R89, R90, R100-R103).
//!
//! Decisions over the image, and over what each broker was last heard to say; that memory is soft, and a new controller
//! begins without it (C33). It must not know the log, nor how messages come and answers go.

use std::collections::BTreeMap;
use std::time::Duration;

use super::partitions::Partitions;
use crate::metadata::{BrokerRegistration, Image, MetadataRecord};
use crate::names::{BrokerEpoch, BrokerId, EndOffset, Offset, Time};
use crate::wire::{BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, ErrorCode};

/// What brokers were last heard to say, by the controller's own clock.
#[derive(Clone, Debug)]
pub(super) struct Registry {
    session_timeout: Duration,
    contacts: BTreeMap<BrokerId, Contact>,
}

/// What one broker was last heard to say.
#[derive(Clone, Copy, Debug)]
struct Contact {
    at: Time,
    /// How far it has applied the metadata log.
    applied: EndOffset,
    /// Behind the records that took its leaderships away, if it is shutting down (R100).
    relieved: Option<EndOffset>,
}

/// A broker's state, as in C40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fenced,
    Unfenced,
    ControlledShutdown,
    ShutdownNow,
}

/// The decision on a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Registered {
    /// The identity of this process from now on (C38).
    pub(super) epoch: BrokerEpoch,
    /// What changes; nothing if this very process is registered already.
    pub(super) records: Vec<MetadataRecord>,
}

/// The decision on a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// What to answer once the records are committed.
    pub(super) answer: BrokerHeartbeatResponse,
    /// What changes.
    pub(super) records: Vec<MetadataRecord>,
}

impl Registry {
    /// The memory of a controller that has just taken over: everybody was heard now, so that nobody is fenced before a
    /// whole session has passed (C33).
    pub(super) fn resume(session_timeout: Duration, image: &Image, now: Time) -> Self {
        let contact = |broker: &BrokerRegistration| Contact {
            at: now,
            applied: EndOffset::ZERO,
            relieved: broker.in_controlled_shutdown.then_some(image.end),
        };
        let contacts = image.brokers.iter().map(|(&id, broker)| (id, contact(broker))).collect();
        Self { session_timeout, contacts }
    }

    /// Registers a broker process (C37, C38).
    ///
    /// # Errors
    /// `DUPLICATE_BROKER_REGISTRATION` while another process has the id, and its session has not ended.
    pub(super) fn register(
        &mut self,
        now: Time,
        partitions: Partitions<'_>,
        request: &BrokerRegistrationRequest,
    ) -> Result<Registered, ErrorCode> {
        let id = request.broker;
        if let Some(existing) = partitions.image.brokers.get(&id) {
            if existing.incarnation == request.incarnation {
                // The answer was lost. There is nothing to amend: a registration says no more than who it is.
                self.touch(id, now);
                return Ok(Registered { epoch: existing.epoch, records: Vec::new() });
            }
            if !existing.fenced && self.is_in_session(id, now) {
                return Err(ErrorCode::DuplicateBrokerRegistration);
            }
        }
        let protocol = partitions.protocol;
        let mut records =
            if protocol.candidates.distrusts_unclean_stops() && !stopped_in_order(partitions.image, request) {
                partitions.without_trusting(id)
            } else if protocol.returning.loses_seats() {
                partitions.without(id)
            } else {
                Vec::new()
            };
        let epoch = epoch_at(partitions.image.end.next().plus(records.len() as u64));
        records.push(MetadataRecord::RegisterBroker { broker: id, incarnation: request.incarnation, epoch });
        self.contacts.insert(id, Contact { at: now, applied: EndOffset::ZERO, relieved: None });
        Ok(Registered { epoch, records })
    }

    /// Takes in a heartbeat (C39, C40).
    ///
    /// # Errors
    /// `STALE_BROKER_EPOCH` if it is not from the process that is registered (C38).
    pub(super) fn heartbeat(
        &mut self,
        now: Time,
        partitions: Partitions<'_>,
        request: &BrokerHeartbeatRequest,
    ) -> Result<Heard, ErrorCode> {
        let id = request.broker;
        let registered = partitions.image.brokers.get(&id).filter(|known| known.epoch == request.broker_epoch);
        let registered = registered.ok_or(ErrorCode::StaleBrokerEpoch)?;
        let present = State::of(registered);
        let is_caught_up = has_seen(request.metadata_offset, registered.epoch);
        let next = self.next_state(present, is_caught_up, partitions, request);
        let records = if next == present { Vec::new() } else { enter(next, id, registered, partitions) };
        let end = EndOffset(partitions.image.end.0 + records.len() as u64);
        let relieved = self.contacts.get(&id).and_then(|contact| contact.relieved).unwrap_or(end);
        let relieved = (next == State::ControlledShutdown).then_some(relieved);
        self.contacts.insert(id, Contact { at: now, applied: request.metadata_offset, relieved });
        let answer = BrokerHeartbeatResponse {
            error: ErrorCode::None,
            is_caught_up,
            is_fenced: matches!(next, State::Fenced | State::ShutdownNow),
            should_shut_down: next == State::ShutdownNow,
        };
        Ok(Heard { answer, records })
    }

    /// Fences the broker whose session ended first, if there is one: one per check (C34).
    pub(super) fn fence_one_stale(&self, now: Time, partitions: Partitions<'_>) -> Vec<MetadataRecord> {
        let unfenced = partitions.image.brokers.iter().filter(|(_, broker)| !broker.fenced);
        let stale = unfenced.filter(|&(&id, _)| !self.is_in_session(id, now));
        let first = stale.min_by_key(|&(&id, _)| (self.contacts.get(&id).map(|contact| contact.at), id));
        first.map_or_else(Vec::new, |(&id, broker)| fence(id, broker, partitions))
    }

    /// C40. What changes with the state is for [`enter`] to say.
    fn next_state(
        &self,
        present: State,
        is_caught_up: bool,
        partitions: Partitions<'_>,
        request: &BrokerHeartbeatRequest,
    ) -> State {
        let (wants_fence, wants_shut_down) = (request.want_fence, request.want_shut_down);
        match present {
            State::Fenced if wants_shut_down => State::ShutdownNow,
            State::Fenced if !wants_fence && is_caught_up => State::Unfenced,
            State::Unfenced if wants_fence && wants_shut_down => State::ShutdownNow,
            State::Unfenced if wants_fence => State::Fenced,
            State::Unfenced if wants_shut_down && partitions.is_led_by(request.broker) => State::ControlledShutdown,
            State::Unfenced if wants_shut_down => State::ShutdownNow,
            State::ControlledShutdown if self.may_go(request.broker, partitions) => State::ShutdownNow,
            State::Fenced | State::Unfenced | State::ControlledShutdown | State::ShutdownNow => present,
        }
    }

    /// Whether a broker in controlled shutdown leads nothing any more, and all active brokers know (R100).
    fn may_go(&self, broker: BrokerId, partitions: Partitions<'_>) -> bool {
        let relieved = self.contacts.get(&broker).and_then(|contact| contact.relieved);
        let relieved = relieved.unwrap_or(partitions.image.end);
        let active = partitions.image.brokers.iter().filter(|(_, registered)| registered.is_active());
        let all_know = || {
            let applied = |id| self.contacts.get(id).map_or(EndOffset::ZERO, |contact| contact.applied);
            active.map(|(id, _)| applied(id)).all(|applied| applied >= relieved)
        };
        !partitions.is_led_by(broker) && all_know()
    }

    fn is_in_session(&self, broker: BrokerId, now: Time) -> bool {
        self.contacts.get(&broker).is_some_and(|contact| now.since(contact.at) <= self.session_timeout)
    }

    fn touch(&mut self, broker: BrokerId, now: Time) {
        if let Some(contact) = self.contacts.get_mut(&broker) {
            contact.at = now;
        }
    }
}

impl State {
    fn of(broker: &BrokerRegistration) -> Self {
        match broker {
            BrokerRegistration { fenced: true, .. } => Self::Fenced,
            BrokerRegistration { in_controlled_shutdown: true, .. } => Self::ControlledShutdown,
            BrokerRegistration { .. } => Self::Unfenced,
        }
    }
}

/// What changes when a broker enters another state.
fn enter(next: State, id: BrokerId, broker: &BrokerRegistration, partitions: Partitions<'_>) -> Vec<MetadataRecord> {
    match next {
        State::Fenced | State::ShutdownNow => fence(id, broker, partitions),
        State::Unfenced => {
            let mut records = vec![registration_change(id, broker, Some(false), false)];
            records.extend(partitions.with(id));
            records
        }
        State::ControlledShutdown => {
            // Kafka writes the flag first. All is one batch, so it makes no difference but to those who look between
            // two records of it: they never see a leaving broker in sync (R128).
            let mut records = partitions.without(id);
            records.push(registration_change(id, broker, None, true));
            records
        }
    }
}

/// Takes away what the broker holds, then fences it (R92).
fn fence(id: BrokerId, broker: &BrokerRegistration, partitions: Partitions<'_>) -> Vec<MetadataRecord> {
    let mut records = partitions.without(id);
    if !broker.fenced {
        records.push(registration_change(id, broker, Some(true), broker.in_controlled_shutdown));
    }
    records
}

fn registration_change(
    id: BrokerId,
    broker: &BrokerRegistration,
    fenced: Option<bool>,
    in_controlled_shutdown: bool,
) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange { broker: id, epoch: broker.epoch, fenced, in_controlled_shutdown }
}

/// R89: whether the process before this one was the one that was registered last, and stopped in an orderly way. A crash that
/// lost nothing cannot be told from one that did.
fn stopped_in_order(image: &Image, request: &BrokerRegistrationRequest) -> bool {
    let last = image.brokers.get(&request.broker).map(|registered| registered.epoch);
    last.is_some() && request.previous_broker_epoch == last
}

/// The broker epoch that a register record at this place gives (C38).
fn epoch_at(place: Offset) -> BrokerEpoch {
    BrokerEpoch(i64::try_from(place.0).unwrap_or(i64::MAX))
}

/// Whether a broker that has applied the metadata log up to here has seen its own registration (C40).
fn has_seen(applied: EndOffset, registered: BrokerEpoch) -> bool {
    u64::try_from(registered.0).is_ok_and(|place| applied.covers(Offset(place)))
}
