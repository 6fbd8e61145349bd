//! A controller process: a member of the quorum, and the controller of the cluster while it leads the quorum (C30-C35).
//!
//! This file carries between the rooms. What is committed is said by the quorum, and adds up to one image; while
//! this process is active, `reign` decides on top of it, and `pending` holds each answer back until what it tells of is
//! committed. This file must not know what is decided, nor how controllers agree.

mod change;
mod chores;
mod operator;
mod partitions;
mod pending;
mod registry;
mod reign;
mod topics;

#[cfg(test)]
mod tests;

use crate::config::{BrokerConfig, ControllerConfig};
use crate::disk::{Disk, DiskError};
use crate::event::Event;
use crate::machine::{Chance, Effects, Input, Machine, Severed, Stop};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{EndOffset, LeaderEpoch, SnapshotId, Time, earliest};
use crate::protocol::Protocol;
use crate::quorum::{Hands, Quorum};
use crate::wire::{Body, Envelope, ErrorCode, ReplyTo, Request, Response, Voter};

use reign::Reign;

pub(crate) use operator::judge_property;
pub(crate) use pending::refusal;
pub(crate) use topics::{Created, Refusal, create as create_topics, grow as grow_topic};

/// One controller process.
#[derive(Clone, Debug)]
pub struct Controller {
    setup: Setup,
    process: Option<Box<Process>>,
}

/// Whom a process was made to be.
#[derive(Clone, Debug)]
struct Setup {
    own: Voter,
    voters: Vec<Voter>,
    config: ControllerConfig,
    defaults: BrokerConfig,
    protocol: Protocol,
}

/// What a controller knows since its start.
#[derive(Clone, Debug)]
struct Process {
    quorum: Quorum,
    /// What everything committed adds up to, as far as this controller knows (C33).
    committed: Image,
    /// Its latest leader, as the log says.
    latest_leader: LeaderEpoch,
    /// When the latest snapshot was made, or this process started.
    snapshot_at: Time,
    /// While this controller is the active one.
    reign: Option<Reign>,
    /// What it had decided when it was, with what was committed since; only a planted answer remembers it (C32).
    remembered: Option<Image>,
}

impl Controller {
    /// A controller process that has not been started, one of these voters. `own` names the disk as it would be formatted
    /// if it is empty; `defaults` is what holds for topics that do not say.
    ///
    /// # Panics
    /// If there is no voter.
    #[must_use]
    pub fn new(
        own: Voter,
        voters: Vec<Voter>,
        config: ControllerConfig,
        defaults: BrokerConfig,
        protocol: Protocol,
    ) -> Self {
        assert!(!voters.is_empty(), "a quorum has voters");
        Self { setup: Setup { own, voters, config, defaults, protocol }, process: None }
    }
}

impl Machine for Controller {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        let setup = &self.setup;
        let mut hands = Hands { now, disk, effects };
        match (&mut self.process, input) {
            (process, Input::Start(chance)) => {
                *process = Some(Box::new(Process::start(setup, chance, &mut hands)?));
            }
            (Some(process), Input::Receive(envelope)) => process.receive(setup, *envelope, &mut hands)?,
            (Some(process), Input::Severed(severed)) => process.severed(setup, severed, &mut hands)?,
            (Some(process), Input::Tick) => process.tick(setup, &mut hands)?,
            (process, Input::Terminate) => {
                if let Some(process) = process {
                    process.quorum.terminate(&mut hands);
                }
                hands.effects.exit();
            }
            (Some(_), Input::Submit(_) | Input::Later(_)) | (None, _) => {}
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        let process = self.process.as_ref()?;
        let reign = process.reign.as_ref().and_then(Reign::deadline);
        // The end of time is never: an interval so long that no clock shows it.
        earliest([process.quorum.deadline(), reign]).filter(|&time| time < Time(u64::MAX))
    }
}

impl Process {
    /// Reads the disk, and begins with the latest snapshot (C26).
    fn start(setup: &Setup, chance: Chance, hands: &mut Hands<'_>) -> Result<Self, Stop> {
        let Setup { own, voters, config, protocol, .. } = setup;
        let quorum = Quorum::start(*own, voters.clone(), config, protocol.quorum, chance, hands)?;
        let mut process = Self {
            quorum,
            committed: Image::default(),
            latest_leader: LeaderEpoch::ZERO,
            snapshot_at: hands.now,
            reign: None,
            remembered: None,
        };
        process.catch_up(setup, hands)?;
        Ok(process)
    }

    fn receive(&mut self, setup: &Setup, envelope: Envelope, hands: &mut Hands<'_>) -> Result<(), Stop> {
        match &envelope.body {
            Body::Request(
                Request::Vote(_)
                | Request::BeginQuorumEpoch(_)
                | Request::EndQuorumEpoch(_)
                | Request::FetchMetadata(_)
                | Request::FetchSnapshot(_),
            )
            | Body::Response(_) => self.quorum.receive(envelope, hands)?,
            Body::Request(request) => {
                let reply_to = envelope.reply_to();
                match &mut self.reign {
                    Some(reign) => reign.serve(setup, reply_to, request, &mut self.quorum, hands)?,
                    None => refuse(setup, &reply_to, request, hands),
                }
            }
        }
        self.catch_up(setup, hands)
    }

    fn severed(&mut self, setup: &Setup, severed: Severed, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.quorum.severed(&severed, hands)?;
        self.catch_up(setup, hands)
    }

    fn tick(&mut self, setup: &Setup, hands: &mut Hands<'_>) -> Result<(), Stop> {
        self.quorum.tick(hands)?;
        // A chore of one who leads no more would be appended by nobody.
        self.catch_up(setup, hands)?;
        if let Some(reign) = &mut self.reign {
            reign.tick(setup, &mut self.quorum, hands)?;
            self.catch_up(setup, hands)?;
        }
        Ok(())
    }

    /// Follows the quorum: takes in what is committed by now, answers who waited for it, and gives up or takes over the
    /// cluster.
    fn catch_up(&mut self, setup: &Setup, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let leads = self.quorum.leads();
        if let Some(reign) = self.reign.take_if(|reign| Some(reign.epoch()) != leads) {
            let image = Image { end: self.committed.end, ..reign.end(setup, hands) };
            self.remembered = setup.protocol.quorum.renouncing.remembers().then_some(image);
        }
        self.load_snapshot(hands)?;
        self.take_in_committed(leads.is_some(), hands)?;
        // C33: a new leader is not active before everything that was there when it was elected is committed, and applied.
        if let Some(epoch) = leads.filter(|&epoch| self.reign.is_none() && self.latest_leader == epoch) {
            hands.effects.note(Event::ControllerLed { epoch });
            let image = self.remembered.take().unwrap_or_else(|| self.committed.clone());
            self.reign = Some(Reign::begin(setup, epoch, image, hands.now));
        }
        if let Some(reign) = &mut self.reign {
            reign.committed(setup, self.committed.end, hands);
        }
        self.make_snapshot(setup, hands)
    }

    /// Begins again with a snapshot, if the log begins behind what was taken in (C24, C26).
    fn load_snapshot(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let newer = |id: &SnapshotId| id.end > self.committed.end;
        let Some(id) = self.quorum.latest_snapshot().filter(newer) else { return Ok(()) };
        let content = self.quorum.read_snapshot(id, hands.disk)?;
        self.committed = Image::decode(&content).map_err(|_| unreadable())?;
        self.remembered = None;
        self.latest_leader = self.latest_leader.max(id.epoch);
        Ok(())
    }

    /// Applies what is committed by now. Whoever leads tells of it: nobody learned of it before.
    fn take_in_committed(&mut self, tells: bool, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let Some(upto) = self.quorum.high_watermark().filter(|&upto| upto > self.committed.end) else { return Ok(()) };
        for (offset, value) in self.quorum.read(self.committed.end, upto, hands.disk)? {
            let record = MetadataRecord::decode(&value).map_err(|_| unreadable())?;
            self.committed.apply(offset, &record);
            if let Some(image) = &mut self.remembered {
                image.apply(offset, &record);
            }
            if let MetadataRecord::LeaderChange { epoch } = record {
                self.latest_leader = epoch;
            }
            if tells {
                hands.effects.note(Event::Committed { offset, record });
            }
        }
        Ok(())
    }

    /// C25: once there is enough in the log since the last one, or time enough has passed.
    fn make_snapshot(&mut self, setup: &Setup, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let config = &setup.config;
        let interval = config.metadata_log_max_snapshot_interval;
        let is_old = !interval.is_zero() && hands.now.since(self.snapshot_at) >= interval;
        let is_large = self.quorum.bytes_since_snapshot() >= config.metadata_log_max_record_bytes_between_snapshots;
        let end = self.committed.end;
        let is_new = end > self.quorum.latest_snapshot().map_or(EndOffset::ZERO, |id| id.end);
        if !is_new || !(is_old || is_large) {
            return Ok(());
        }
        self.snapshot_at = hands.now;
        let id = SnapshotId { end, epoch: self.quorum.epoch_of(end) };
        let content = match &self.reign {
            Some(reign) if setup.protocol.quorum.snapshotting.takes_what_is_decided() => {
                Image { end, ..reign.image().clone() }.encode()
            }
            _ => self.committed.encode(),
        };
        self.quorum.write_snapshot(id, content.into(), hands)
    }
}

/// What a controller says that is not the active one.
fn refuse(setup: &Setup, reply_to: &ReplyTo, request: &Request, hands: &mut Hands<'_>) {
    match pending::refusal(request, ErrorCode::NotController) {
        Some(response) => answer(setup, reply_to, response, hands),
        None => close(reply_to, hands),
    }
}

fn answer(setup: &Setup, reply_to: &ReplyTo, response: Response, hands: &mut Hands<'_>) {
    hands.effects.send(Envelope::response(reply_to, setup.own.id, response));
}

/// Kafka's answer to an API that a listener does not have.
fn close(reply_to: &ReplyTo, hands: &mut Hands<'_>) {
    let ReplyTo { peer, channel, connection, .. } = *reply_to;
    hands.effects.close(Severed { peer, channel, connection });
}

/// The checksums hold, so these are not bytes that this program wrote.
fn unreadable() -> Stop {
    Stop::Storage(DiskError::Io)
}
