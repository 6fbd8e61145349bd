//! The controller: requests in, records into the metadata log, answers out once the records are committed (C30).
//!
//! This file carries between the rooms. Who is alive is decided in `registry`, who leads and is in sync in
//! `partitions`, what topics there are in `topics`: from an image to records, knowing no log and no message's way. What
//! is decided becomes true in `journal`, and `observers` read it there. One step decides one event and appends one
//! batch at most. What `image` says here includes everything appended, so the next event builds on it.

mod chores;
mod journal;
mod observers;
mod partitions;
mod registry;
mod topics;

#[cfg(test)]
mod tests;

use crate::config::{BrokerConfig, ControllerConfig};
use crate::disk::{Disk, DiskError};
use crate::event::Event;
use crate::machine::{Effects, Input, Machine, Severed, Stop};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{ControllerId, Time};
use crate::protocol::Protocol;
use crate::wire::{
    AlterPartitionRequest, AlterPartitionResponse, Body, BrokerHeartbeatRequest, BrokerHeartbeatResponse,
    BrokerRegistrationRequest, BrokerRegistrationResponse, CreateTopicsRequest, CreateTopicsResponse, Envelope,
    ErrorCode, FetchRequest, ReplyTo, Request, Response, Voter,
};

use chores::{Chore, Chores};
use journal::{Journal, NotAppended};
use observers::{Answer, Observers};
use partitions::Partitions;
use registry::Registry;

/// So many leaders are elected in one go; the rest waits for the next tick (R94: in bounded batches).
const ELECTIONS_MAX: usize = 1_000;

/// One controller process: the only one of its cluster, until there is a quorum.
#[derive(Clone, Debug)]
pub struct Controller {
    setup: Setup,
    /// What it knows since its start.
    reign: Option<Reign>,
}

/// Whom a process was made to be.
#[derive(Clone, Debug)]
struct Setup {
    id: ControllerId,
    config: ControllerConfig,
    defaults: BrokerConfig,
    protocol: Protocol,
}

/// What an active controller knows.
#[derive(Clone, Debug)]
struct Reign {
    image: Image,
    registry: Registry,
    journal: Journal,
    observers: Observers,
    chores: Chores,
}

/// What one step has at hand.
struct Hands<'a> {
    setup: &'a Setup,
    now: Time,
    disk: &'a mut dyn Disk,
    effects: &'a mut Effects,
}

impl Controller {
    /// A controller process that has not been started. `defaults` is what holds for topics that do not say.
    #[must_use]
    pub fn new(
        own: Voter,
        voters: Vec<Voter>,
        config: ControllerConfig,
        defaults: BrokerConfig,
        protocol: Protocol,
    ) -> Self {
        debug_assert!(voters.len() == 1, "a quorum is not modelled yet");
        Self { setup: Setup { id: own.id, config, defaults, protocol }, reign: None }
    }
}

impl Machine for Controller {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        let mut hands = Hands { setup: &self.setup, now, disk, effects };
        match (&mut self.reign, input) {
            (reign, Input::Start(_)) => *reign = Some(Reign::begin(&mut hands)?),
            (Some(reign), Input::Receive(envelope)) => reign.receive(envelope, &mut hands)?,
            (Some(reign), Input::Severed(severed)) => reign.observers.forget(severed.connection),
            (Some(reign), Input::Tick) => reign.tick(&mut hands)?,
            // Everything that was decided is on the disk already.
            (_, Input::Terminate) => hands.effects.exit(),
            (Some(_), Input::Submit(_) | Input::Later(_)) | (None, _) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        let reign = self.reign.as_ref()?;
        let first = reign.chores.deadline().into_iter().chain(reign.observers.deadline()).min();
        // The end of time is never: an interval so long that no clock shows it.
        first.filter(|&time| time < Time(u64::MAX))
    }
}

impl Reign {
    /// Reads the log, takes the next epoch, and says so in it (C14, C26, C33).
    fn begin(hands: &mut Hands<'_>) -> Result<Self, Stop> {
        let config = &hands.setup.config;
        let (journal, loaded) = Journal::open(hands.disk, config.metadata_log_segment_bytes, hands.now)?;
        let mut image = Image::default();
        for (offset, record) in &loaded.records {
            image.apply(*offset, record);
        }
        let registry = Registry::resume(config.broker_session_timeout, &image, hands.now);
        let chores = Chores::begin(config, hands.now);
        let mut reign = Self { image, registry, journal, observers: Observers::default(), chores };
        hands.effects.note(Event::ControllerLed { epoch: reign.journal.epoch() });
        // Dying between the sync and the end of a step leaves records that are committed and were never told of. Better
        // to tell of the last batch twice, by its offsets, than never.
        for (offset, record) in loaded.records {
            if offset.bound() >= loaded.perhaps_untold {
                hands.effects.note(Event::Committed { offset, record });
            }
        }
        reign.commit(vec![MetadataRecord::LeaderChange { epoch: reign.journal.epoch() }], hands)?;
        Ok(reign)
    }

    fn receive(&mut self, envelope: Envelope, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let reply_to = envelope.reply_to();
        let Body::Request(request) = envelope.body else { return Ok(()) };
        let response = match request {
            Request::BrokerRegistration(request) => Response::BrokerRegistration(self.register(&request, hands)?),
            Request::BrokerHeartbeat(request) => Response::BrokerHeartbeat(self.heartbeat(&request, hands)?),
            Request::AlterPartition(request) => Response::AlterPartition(self.alter_partitions(&request, hands)?),
            Request::CreateTopics(request) => Response::CreateTopics(self.create_topics(&request, hands)?),
            Request::Fetch(request) => return self.fetch(reply_to, request, hands),
            Request::Produce(_)
            | Request::ListOffsets(_)
            | Request::OffsetsForLeaderEpoch(_)
            | Request::DeleteRecords(_)
            | Request::Administer(_)
            | Request::Vote(_)
            | Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_)
            | Request::FetchMetadata(_)
            | Request::FetchSnapshot(_)
            | Request::Metadata(_) => {
                // Kafka's answer to an API that a listener does not have.
                let ReplyTo { peer, channel, connection, .. } = reply_to;
                hands.effects.close(Severed { peer, channel, connection });
                return Ok(());
            }
        };
        hands.effects.send(Envelope::response(&reply_to, hands.setup.id, response));
        Ok(())
    }

    fn register(
        &mut self,
        request: &BrokerRegistrationRequest,
        hands: &mut Hands<'_>,
    ) -> Result<BrokerRegistrationResponse, Stop> {
        match self.registry.register(hands.now, partitions(&self.image, hands.setup), request) {
            Ok(registered) => {
                self.commit(registered.records, hands)?;
                Ok(BrokerRegistrationResponse { error: ErrorCode::None, broker_epoch: Some(registered.epoch) })
            }
            Err(error) => Ok(BrokerRegistrationResponse { error, broker_epoch: None }),
        }
    }

    fn heartbeat(
        &mut self,
        request: &BrokerHeartbeatRequest,
        hands: &mut Hands<'_>,
    ) -> Result<BrokerHeartbeatResponse, Stop> {
        match self.registry.heartbeat(hands.now, partitions(&self.image, hands.setup), request) {
            Ok(heard) => {
                self.commit(heard.records, hands)?;
                Ok(heard.answer)
            }
            Err(error) => {
                Ok(BrokerHeartbeatResponse { error, is_caught_up: false, is_fenced: true, should_shut_down: false })
            }
        }
    }

    fn alter_partitions(
        &mut self,
        request: &AlterPartitionRequest,
        hands: &mut Hands<'_>,
    ) -> Result<AlterPartitionResponse, Stop> {
        let broker = request.broker;
        match partitions(&self.image, hands.setup).alter(request) {
            Ok(altered) => {
                self.commit(altered.records, hands)?;
                for refused in &altered.results {
                    if let Err(error) = refused.result {
                        let partition = refused.partition;
                        hands.effects.note(Event::AlterPartitionRefused { broker, partition, error });
                    }
                }
                Ok(AlterPartitionResponse { error: ErrorCode::None, partitions: altered.results })
            }
            Err(error) => {
                for item in &request.partitions {
                    let partition = item.partition;
                    hands.effects.note(Event::AlterPartitionRefused { broker, partition, error });
                }
                Ok(AlterPartitionResponse { error, partitions: Vec::new() })
            }
        }
    }

    fn create_topics(
        &mut self,
        request: &CreateTopicsRequest,
        hands: &mut Hands<'_>,
    ) -> Result<CreateTopicsResponse, Stop> {
        let created = topics::create(&self.image, request);
        match self.append(created.records, hands) {
            Ok(()) => Ok(CreateTopicsResponse { topics: created.topics }),
            Err(NotAppended::TooLarge) => {
                let why = "more records than one batch of the metadata log holds";
                Ok(CreateTopicsResponse { topics: topics::refuse_all(request, why).topics })
            }
            Err(NotAppended::Stop(stop)) => Err(stop),
        }
    }

    fn fetch(&mut self, reply_to: ReplyTo, request: FetchRequest, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let response = self.observers.fetch(hands.now, reply_to, request, &self.journal, hands.disk)?;
        hands.answer(response.map(|response| (reply_to, response)));
        Ok(())
    }

    fn tick(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let expired = self.observers.expire(hands.now, &self.journal, hands.disk)?;
        hands.answer(expired);
        let Some(chore) = self.chores.take(hands.now) else { return Ok(()) };
        let partitions = partitions(&self.image, hands.setup);
        let records = match chore {
            Chore::FenceStale => self.registry.fence_one_stale(hands.now, partitions),
            Chore::ElectUncleanly => partitions.elect_uncleanly(ELECTIONS_MAX),
            Chore::Balance => partitions.balance(ELECTIONS_MAX),
            Chore::NoOp => vec![MetadataRecord::NoOp],
        };
        if matches!(chore, Chore::ElectUncleanly | Chore::Balance) && records.len() == ELECTIONS_MAX {
            self.chores.go_on(chore, hands.now);
        }
        self.commit(records, hands)
    }

    /// As [`Reign::append`], for what cannot be refused to anybody: a process that cannot write down what it decided is
    /// over.
    fn commit(&mut self, records: Vec<MetadataRecord>, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.append(records, hands).map_err(|error| match error {
            NotAppended::TooLarge => Stop::Storage(DiskError::NoSpace),
            NotAppended::Stop(stop) => stop,
        })
    }

    /// Makes the decision of one event true: durable first, then told, then read by whoever waits for it.
    fn append(&mut self, records: Vec<MetadataRecord>, hands: &mut Hands<'_>) -> Result<(), NotAppended> {
        if records.is_empty() {
            return Ok(());
        }
        let mut offset = self.journal.append(hands.disk, hands.now, &records)?;
        assert_eq!(offset, self.image.end.next(), "broker epochs and topic ids were drawn from here");
        for record in records {
            self.image.apply(offset, &record);
            hands.effects.note(Event::Committed { offset, record });
            offset = offset.plus(1);
        }
        let woken = self.observers.wake(&self.journal, hands.disk)?;
        hands.answer(woken);
        Ok(())
    }
}

impl Hands<'_> {
    fn answer(&mut self, answers: impl IntoIterator<Item = Answer>) {
        for (reply_to, response) in answers {
            self.effects.send(Envelope::response(&reply_to, self.setup.id, Response::Fetch(response)));
        }
    }
}

/// What decisions about partitions are based on.
fn partitions<'a>(image: &'a Image, setup: &'a Setup) -> Partitions<'a> {
    Partitions { image, defaults: &setup.defaults, protocol: setup.protocol }
}
