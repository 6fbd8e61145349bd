//! The active controller: requests in, records into the metadata log, answers held until they are committed (C30-C35).
//!
//! Who is alive is decided in `registry`, who leads and is in sync in `partitions`, what topics there are in `topics`: from
//! an image to records, knowing no log and no message's way. The image here includes everything decided, committed or not,
//! so the next decision builds on it; when the leadership goes, it goes with it. One event is one batch at most.

use bytes::Bytes;

use super::chores::{Chore, Chores};
use super::partitions::Partitions;
use super::pending::{self, Held, Pending};
use super::registry::Registry;
use super::{Setup, answer, close, operator, topics};
use crate::config::BrokerConfig;
use crate::disk::DiskError;
use crate::event::Event;
use crate::machine::Stop;
use crate::metadata::{ConfigResource, Image, MetadataRecord};
use crate::names::{EndOffset, LeaderEpoch, Offset, Time};
use crate::quorum::{Hands, NotAppended, Quorum};
use crate::wire::{
    AdminResponse, AlterPartitionRequest, AlterPartitionResponse, BrokerHeartbeatRequest, BrokerHeartbeatResponse,
    BrokerRegistrationRequest, BrokerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse, ErrorCode,
    ReplyTo, Request, Response,
};

/// So many leaders are elected in one go; the rest waits for the next tick (R94: in bounded batches).
const ELECTIONS_MAX: usize = 1_000;

/// What the active controller knows.
#[derive(Clone, Debug)]
pub(super) struct Reign {
    epoch: LeaderEpoch,
    /// What everything decided adds up to, committed or not.
    image: Image,
    /// What holds for topics that do not say, with what was altered since the start (C48).
    defaults: BrokerConfig,
    registry: Registry,
    chores: Chores,
    pending: Pending,
}

/// What a request comes to.
struct Decision {
    records: Vec<MetadataRecord>,
    response: Response,
    notes: Vec<Event>,
}

impl Reign {
    /// Takes over with what is committed (C33).
    pub(super) fn begin(setup: &Setup, epoch: LeaderEpoch, image: Image, now: Time) -> Self {
        let registry = Registry::resume(setup.config.broker_session_timeout, &image, now);
        let chores = Chores::begin(&setup.config, now);
        let defaults = image.broker_config(None, &setup.defaults);
        Self { epoch, image, defaults, registry, chores, pending: Pending::default() }
    }

    /// In which epoch of the quorum.
    pub(super) fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.chores.deadline()
    }

    /// Decides on a request. The answer leaves once everything that it builds on is committed.
    pub(super) fn serve(
        &mut self,
        setup: &Setup,
        reply_to: ReplyTo,
        request: &Request,
        quorum: &mut Quorum,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let Some(refusal) = pending::refusal(request, ErrorCode::NotController) else {
            close(&reply_to, hands);
            return Ok(());
        };
        let decision = self.decide(setup, request, hands.now);
        let Decision { records, mut response, mut notes } = decision;
        let mut decided = None;
        match self.append(setup, records, quorum, hands) {
            Ok(first) => decided = first,
            Err(NotAppended::TooLarge) => {
                notes = Vec::new();
                response = too_large(request)?;
            }
            // It has just learned that it leads no more; the answer is the same.
            Err(NotAppended::NotLeader) => response = refusal.clone(),
            Err(NotAppended::Stop(stop)) => return Err(stop),
        }
        // Without records of its own it builds on those of others all the same (C35).
        self.pending.hold(Held { upto: self.image.end, decided, reply_to, response, refusal, notes });
        Ok(())
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, setup: &Setup, quorum: &mut Quorum, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let Some(chore) = self.chores.take(hands.now) else { return Ok(()) };
        let partitions = partitions(&self.image, &self.defaults, setup);
        let records = match chore {
            Chore::FenceStale => self.registry.fence_one_stale(hands.now, partitions),
            Chore::ElectUncleanly => partitions.elect_uncleanly(ELECTIONS_MAX),
            Chore::Balance => partitions.balance(ELECTIONS_MAX),
            Chore::NoOp => vec![MetadataRecord::NoOp],
        };
        if matches!(chore, Chore::ElectUncleanly | Chore::Balance) && records.len() == ELECTIONS_MAX {
            self.chores.go_on(chore, hands.now);
        }
        match self.append(setup, records, quorum, hands) {
            Ok(_) | Err(NotAppended::NotLeader) => Ok(()),
            // A process that cannot write down what it has decided is over.
            Err(NotAppended::TooLarge) => Err(Stop::Storage(DiskError::NoSpace)),
            Err(NotAppended::Stop(stop)) => Err(stop),
        }
    }

    /// Everything below is committed: whoever waited for it is answered.
    pub(super) fn committed(&mut self, setup: &Setup, committed: EndOffset, hands: &mut Hands<'_>) {
        let told = setup.protocol.quorum.answering.bound(committed, self.image.end);
        while let Some(held) = self.pending.next(told) {
            for note in held.notes {
                hands.effects.note(note);
            }
            if let Some(first) = held.decided {
                let decided = (first, held.upto);
                hands.effects.note(Event::ControllerAnswered { peer: held.reply_to.peer, decided, committed });
            }
            answer(setup, &held.reply_to, held.response, hands);
        }
    }

    /// This controller leads no more. What it decided may still come true, under the next one (C32). Returns what it added up
    /// to.
    pub(super) fn end(self, setup: &Setup, hands: &mut Hands<'_>) -> Image {
        let answers = self.pending.into_answers();
        let unanswered = u32::try_from(answers.len()).unwrap_or(u32::MAX);
        hands.effects.note(Event::ControllerResigned { epoch: self.epoch, unanswered });
        for held in answers {
            answer(setup, &held.reply_to, held.refusal, hands);
        }
        self.image
    }

    /// What everything decided adds up to.
    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    fn decide(&mut self, setup: &Setup, request: &Request, now: Time) -> Decision {
        match request {
            Request::BrokerRegistration(request) => self.register(setup, request, now),
            Request::BrokerHeartbeat(request) => self.heartbeat(setup, request, now),
            Request::AlterPartition(request) => self.alter_partitions(setup, request),
            Request::CreateTopics(request) => self.create_topics(request),
            Request::Administer(request) => {
                let (records, response) = operator::administer(partitions(&self.image, &self.defaults, setup), request);
                Decision { records, response: Response::Administer(response), notes: Vec::new() }
            }
            _ => unreachable!("only these have a refusal"),
        }
    }

    fn register(&mut self, setup: &Setup, request: &BrokerRegistrationRequest, now: Time) -> Decision {
        let (records, response) =
            match self.registry.register(now, partitions(&self.image, &self.defaults, setup), request) {
                Ok(registered) => {
                    let broker_epoch = Some(registered.epoch);
                    (registered.records, BrokerRegistrationResponse { error: ErrorCode::None, broker_epoch })
                }
                Err(error) => (Vec::new(), BrokerRegistrationResponse::refused(error)),
            };
        Decision { records, response: Response::BrokerRegistration(response), notes: Vec::new() }
    }

    fn heartbeat(&mut self, setup: &Setup, request: &BrokerHeartbeatRequest, now: Time) -> Decision {
        let (records, response) =
            match self.registry.heartbeat(now, partitions(&self.image, &self.defaults, setup), request) {
                Ok(heard) => (heard.records, heard.answer),
                Err(error) => (Vec::new(), BrokerHeartbeatResponse::refused(error)),
            };
        Decision { records, response: Response::BrokerHeartbeat(response), notes: Vec::new() }
    }

    fn alter_partitions(&mut self, setup: &Setup, request: &AlterPartitionRequest) -> Decision {
        let broker = request.broker;
        let refused = |partition, error| Event::AlterPartitionRefused { broker, partition, error };
        match partitions(&self.image, &self.defaults, setup).alter(request) {
            Ok(altered) => {
                let errors =
                    altered.results.iter().filter_map(|part| Some((part.partition, part.result.as_ref().err()?)));
                let notes = errors.map(|(partition, error)| refused(partition, *error)).collect();
                let response = AlterPartitionResponse { error: ErrorCode::None, partitions: altered.results };
                Decision { records: altered.records, response: Response::AlterPartition(response), notes }
            }
            Err(error) => {
                let notes = request.partitions.iter().map(|item| refused(item.partition, error)).collect();
                let response = AlterPartitionResponse::refused(error);
                Decision { records: Vec::new(), response: Response::AlterPartition(response), notes }
            }
        }
    }

    fn create_topics(&mut self, request: &CreateTopicsRequest) -> Decision {
        let created = topics::create(&self.image, request);
        let response = Response::CreateTopics(CreateTopicsResponse { topics: created.topics });
        Decision { records: created.records, response, notes: Vec::new() }
    }

    /// Hands the records of one event to the quorum, and builds on them from now on. Returns where they begin.
    fn append(
        &mut self,
        setup: &Setup,
        records: Vec<MetadataRecord>,
        quorum: &mut Quorum,
        hands: &mut Hands<'_>,
    ) -> Result<Option<Offset>, NotAppended> {
        if records.is_empty() {
            return Ok(None);
        }
        let values: Vec<Bytes> = records.iter().map(|record| record.encode().into()).collect();
        let first = quorum.append(&values, hands)?;
        assert_eq!(first, self.image.end.next(), "broker epochs and topic ids were drawn from here");
        let mut altered = false;
        for (place, record) in (first.0..).zip(records) {
            self.image.apply(Offset(place), &record);
            if matches!(record, MetadataRecord::Config { resource: ConfigResource::Cluster, .. }) {
                altered = true;
            }
        }
        if altered {
            self.defaults = self.image.broker_config(None, &setup.defaults);
        }
        Ok(Some(first))
    }
}

#[cfg(test)]
impl Reign {
    /// Has a chore done at this time.
    pub(super) fn order(&mut self, chore: Chore, due: Time) {
        self.chores.order(chore, due);
    }
}

/// What decisions about partitions are based on.
fn partitions<'a>(image: &'a Image, defaults: &'a BrokerConfig, setup: &Setup) -> Partitions<'a> {
    Partitions { image, defaults, protocol: setup.protocol }
}

/// What to answer when the decision is more than one batch holds (C31). What cannot be refused to anybody ends the process:
/// it could not write down what it has decided.
fn too_large(request: &Request) -> Result<Response, Stop> {
    match request {
        Request::CreateTopics(request) => {
            let refused = topics::refuse_all(request, "more records than one batch of the metadata log holds");
            Ok(Response::CreateTopics(CreateTopicsResponse { topics: refused.topics }))
        }
        Request::Administer(_) => Ok(Response::Administer(AdminResponse {
            error: ErrorCode::PolicyViolation,
            message: "more records than one batch of the metadata log holds".to_owned(),
        })),
        _ => Err(Stop::Storage(DiskError::NoSpace)),
    }
}
