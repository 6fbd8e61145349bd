//! A broker: requests in, replicas kept, its own life announced.
//!
//! One process life is a `Process`, made at `Input::Start` from the disk alone and dropped with the process. Each concern
//! has its own state and its own file: `lifecycle` (who am I to the controller), `observing` and `applying` (what has
//! been decided), `hosting` and `strays` (which logs there are, and which are not), `produce`, `fetch`, `deleting` and
//! `queries` (serving), `fetching` and `replicating` (following), `proposing` (changing the ISR), `background` (what is
//! done from time to time: `checkpoints`, `retention`, `flushing`, `cleaning`). This room does not know what a fault is,
//! nor who watches.

mod applying;
mod background;
mod checkpoints;
mod cleaning;
mod connections;
mod controllers;
mod deleting;
mod fetch;
mod fetching;
mod flushing;
mod hosting;
mod identity;
mod lifecycle;
mod observing;
mod produce;
mod proposing;
mod queries;
mod removing;
mod replicating;
mod retention;
mod rpc;
mod step;
mod strays;
#[cfg(test)]
mod tests;
mod waiting;
mod zookeeper;

use std::collections::BTreeMap;

use self::background::Background;
use self::cleaning::Cleaner;
use self::connections::Connections;
use self::controllers::Controllers;
use self::fetching::Fetchers;
use self::lifecycle::Lifecycle;
use self::observing::Observer;
use self::proposing::Proposals;
use self::step::Step;
use self::strays::Strays;
use self::waiting::Waiting;
use self::zookeeper::Coordination;
use crate::config::{BrokerConfig, EffectiveTopicConfig, TopicConfig};
use crate::disk::Disk;
use crate::event::Event;
use crate::log::LogFolder;
use crate::machine::{Chance, Effects, Input, Machine, Severed, Stop, Task, Ticket};
use crate::metadata::Image;
use crate::names::{BrokerId, ControllerId, Partition, Time, earliest};
use crate::protocol::Protocol;
use crate::replica::{Replica, Standing, View};
use crate::wire::{Body, Channel, Envelope, ErrorCode, ReplyTo, Request, Response};

/// A broker.
#[derive(Clone, Debug)]
pub struct Broker {
    own: Own,
    process: Option<Box<Process>>,
}

/// What a broker is told from outside, once.
#[derive(Clone, Debug)]
struct Own {
    id: BrokerId,
    /// The controllers, in order of id; none in ZooKeeper mode.
    controllers: Vec<ControllerId>,
    /// Whether there is an ensemble instead of controllers.
    zookeeper: bool,
    /// As it was told at its start.
    fixed: BrokerConfig,
    /// As it is now, with what was changed since (C48).
    config: BrokerConfig,
    protocol: Protocol,
}

/// One life of a broker: everything that is gone when the process is.
#[derive(Clone, Debug)]
struct Process {
    own: Own,
    folder: LogFolder,
    lifecycle: Lifecycle,
    controllers: Controllers,
    observer: Observer,
    image: Image,
    replicas: BTreeMap<Partition, Replica>,
    connections: Connections,
    waiting: Waiting,
    fetchers: Fetchers,
    proposals: Proposals,
    background: Background,
    strays: Strays,
    cleaner: Cleaner,
    /// In ZooKeeper mode alone. What it is to the controllers of the other mode then stands still.
    zookeeper: Option<Box<Coordination>>,
    /// What would be drawn at random is drawn from here.
    chance: Chance,
    correlations: u64,
}

impl Broker {
    /// A broker that has not been started yet. All that outlives a process is its disk.
    #[must_use]
    ///
    /// # Panics
    /// If there is no controller.
    pub fn new(id: BrokerId, controllers: Vec<ControllerId>, config: BrokerConfig, protocol: Protocol) -> Self {
        assert!(!controllers.is_empty(), "a broker obeys somebody");
        let own = Own { id, controllers, zookeeper: false, fixed: config.clone(), config, protocol };
        Self { own, process: None }
    }

    /// The same in ZooKeeper mode (§3.10).
    #[must_use]
    pub fn with_zookeeper(id: BrokerId, config: BrokerConfig, protocol: Protocol) -> Self {
        let controllers = Vec::new();
        let own = Own { id, controllers, zookeeper: true, fixed: config.clone(), config, protocol };
        Self { own, process: None }
    }

    /// The replicas of the running process, for transcripts.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.process.iter().flat_map(|process| process.replicas.values())
    }
}

impl Machine for Broker {
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        let mut step = Step { now, disk, effects };
        match (input, self.process.as_mut()) {
            (Input::Start(chance), _) => {
                self.process = Some(Box::new(Process::start(self.own.clone(), chance, &mut step)?));
                Ok(())
            }
            (input, Some(process)) => process.take(input, &mut step),
            // Nothing reaches a process that does not run; the world does not deliver it.
            (_, None) => Ok(()),
        }
    }

    fn deadline(&self) -> Option<Time> {
        self.process.as_ref().and_then(|process| process.deadline())
    }
}

impl Process {
    /// Reads the disk and announces itself (C36, L47, R89).
    fn start(own: Own, chance: Chance, step: &mut Step<'_>) -> Result<Self, Stop> {
        identity::claim(step.disk, own.id, chance, own.protocol.storage.replacing)?;
        let folder = LogFolder::open(step.disk, own.protocol.storage.marker)?;
        let previous = folder.previous_broker_epoch;
        step.effects.note(Event::BrokerStarted { previous_broker_epoch: previous });
        let mut process = Self {
            controllers: Controllers::new(own.controllers.clone(), chance),
            lifecycle: Lifecycle::new(chance, previous, step.now, &own.config),
            background: Background::new(chance, step.now, &own.config),
            strays: Strays::left_over(step.disk, step.now + own.config.log_segment_delete_delay)?,
            chance,
            cleaner: Cleaner::default(),
            zookeeper: own.zookeeper.then(|| Box::new(Coordination::new(&own, step.now))),
            own,
            folder,
            observer: Observer::default(),
            image: Image::default(),
            replicas: BTreeMap::new(),
            connections: Connections::default(),
            waiting: Waiting::default(),
            fetchers: Fetchers::default(),
            proposals: Proposals::default(),
            correlations: 0,
        };
        if process.has_zookeeper() {
            process.connect(step);
        } else {
            process.observe(step);
            process.announce(step);
        }
        Ok(process)
    }

    fn take(&mut self, input: Input, step: &mut Step<'_>) -> Result<(), Stop> {
        match input {
            Input::Start(_) | Input::Submit(_) => {}
            Input::Receive(envelope) => self.receive(*envelope, step)?,
            Input::Severed(severed) => self.severed(severed, step),
            Input::Later(task) => self.carry_out(task, step)?,
            Input::Tick => self.tick(step)?,
            Input::Terminate if self.has_zookeeper() => self.leave(step),
            Input::Terminate => self.terminate(step),
        }
        while let Some(request) = self.connections.next() {
            self.serve(request, step)?;
        }
        Ok(())
    }

    fn receive(&mut self, envelope: Envelope, step: &mut Step<'_>) -> Result<(), Stop> {
        match envelope.body {
            Body::Response(_) => self.receive_response(envelope, step),
            Body::Request(_) => {
                self.connections.admit(envelope);
                Ok(())
            }
        }
    }

    fn serve(&mut self, envelope: Envelope, step: &mut Step<'_>) -> Result<(), Stop> {
        let reply = envelope.reply_to();
        let Body::Request(request) = envelope.body else { return Ok(()) };
        if !self.observer.has_published() {
            // Kafka opens its ports only when the first image is published: until then there is nobody to ask.
            self.close(reply, step);
            return Ok(());
        }
        match request {
            Request::Produce(produce) => return self.produce(reply, produce, step),
            Request::Fetch(fetch) => self.fetch(reply, fetch, step),
            Request::ListOffsets(list) => return self.list_offsets(reply, &list, step),
            Request::OffsetsForLeaderEpoch(ask) => self.offsets_for_leader_epoch(reply, &ask, step),
            Request::Metadata(metadata) => self.metadata(reply, &metadata, step),
            Request::DeleteRecords(delete) => self.delete_records(reply, delete, step),
            Request::CreateTopics(_)
            | Request::Administer(_)
            | Request::LeaderAndIsr(_)
            | Request::UpdateMetadata(_)
            | Request::StopReplica(_)
            | Request::ControlledShutdown(_) => return self.serve_zookeeper(reply, request, step),
            // Not a broker's business: whoever sends it took this node for a controller.
            Request::AlterPartition(_)
            | Request::BrokerRegistration(_)
            | Request::BrokerHeartbeat(_)
            | Request::Vote(_)
            | Request::BeginQuorumEpoch(_)
            | Request::EndQuorumEpoch(_)
            | Request::FetchMetadata(_)
            | Request::FetchSnapshot(_)
            | Request::ZooKeeper(_) => self.close(reply, step),
        }
        Ok(())
    }

    fn receive_response(&mut self, envelope: Envelope, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.has_zookeeper() && envelope.channel != Channel::ReplicaFetch {
            return self.zookeeper_answered(envelope, step);
        }
        let (from, channel, correlation) = (envelope.from, envelope.channel, envelope.correlation);
        let Body::Response(response) = envelope.body else { return Ok(()) };
        match (channel, response) {
            (Channel::Lifecycle, Response::BrokerRegistration(answer)) => {
                self.registration_answered(correlation, answer, step);
                Ok(())
            }
            (Channel::Lifecycle, Response::BrokerHeartbeat(answer)) => {
                self.heartbeat_answered(correlation, answer, step);
                Ok(())
            }
            (Channel::Metadata, Response::FetchMetadata(answer)) => self.observed(correlation, answer, step),
            (Channel::Metadata, Response::FetchSnapshot(answer)) => {
                self.snapshot_observed(correlation, &answer, step);
                Ok(())
            }
            (Channel::AlterPartition, Response::AlterPartition(answer)) => {
                self.proposals_answered(correlation, answer, step);
                Ok(())
            }
            (Channel::ReplicaFetch, Response::Fetch(answer)) => self.fetched(from, correlation, answer, step),
            (Channel::ReplicaFetch, Response::ListOffsets(answer)) => {
                self.bounds_learned(from, correlation, &answer, step)
            }
            _ => Ok(()),
        }
    }

    fn severed(&mut self, severed: Severed, step: &mut Step<'_>) {
        if self.has_zookeeper() && severed.channel != Channel::ReplicaFetch {
            if !self.connections.severed(severed.connection) {
                self.zookeeper_severed(severed, step);
            }
            return;
        }
        match severed.channel {
            Channel::Lifecycle => self.lifecycle_severed(severed.peer, step),
            Channel::Metadata => self.observer_severed(severed.peer, step),
            Channel::AlterPartition => self.proposals_severed(severed.peer, step),
            // A follower's connection to this broker, over which it has asked before, or a fetcher's own to its leader.
            Channel::ReplicaFetch => {
                if !self.connections.severed(severed.connection) {
                    self.fetcher_severed(severed, step);
                }
            }
            Channel::Client | Channel::Quorum | Channel::ZooKeeper | Channel::Control => {
                self.connections.severed(severed.connection);
            }
        }
    }

    fn carry_out(&mut self, task: Task, step: &mut Step<'_>) -> Result<(), Stop> {
        match task {
            Task::ParkProduce { ticket } => self.park_produce(ticket, step),
            Task::CountFetch { ticket } => self.count_fetch(ticket, step),
            Task::AnswerFetch { ticket } => return self.answer_fetch(ticket, step),
            Task::Wake { partition, high_watermark_moved } => self.wake(partition, high_watermark_moved, step),
            Task::SendAlterPartition if self.has_zookeeper() => self.write_isrs(step),
            Task::SendAlterPartition => self.send_proposals(step),
            Task::ApplyMetadata { .. } => return self.apply_metadata(step),
            Task::CompleteShutdown => return self.complete_shutdown(step),
            Task::Flush { partition, upto } => return self.flush(partition, upto, step),
            Task::WriteEpochs { partition, .. } => return self.write_epochs(partition, step),
            Task::Fetch { leader } => self.fetch_from(leader, step),
            Task::Clean { partition } => return self.clean(partition, step),
            Task::WakeDeleteRecords { partition } => self.wake_deletions(partition, step),
        }
        Ok(())
    }

    /// Lets the requests that wait on a partition look again (R66).
    fn wake(&mut self, partition: Partition, high_watermark_moved: bool, step: &mut Step<'_>) {
        if high_watermark_moved {
            for ticket in self.waiting.produces_on(partition) {
                self.complete_produce(ticket, step);
            }
            self.wake_deletions(partition, step);
        }
        self.wake_fetches(partition, step);
    }

    /// This broker leads the partition no more: whoever waits on it is told so (R17). That includes a produce that has
    /// been appended and not been parked yet: by the time it is, this broker may lead again, with other records at the
    /// same offsets (R63c).
    fn dismiss(&mut self, partition: Partition, step: &mut Step<'_>) {
        for ticket in self.waiting.undecided_on(partition) {
            self.complete_produce(ticket, step);
        }
        self.wake_fetches(partition, step);
        self.wake_deletions(partition, step);
    }

    fn tick(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        while let Some(ticket) = self.waiting.overdue(step.now) {
            self.expire(ticket, step);
        }
        if self.has_zookeeper() {
            self.tick_zookeeper(step)?;
        } else {
            self.tick_lifecycle(step);
            self.tick_observer(step);
            self.tick_proposals(step);
        }
        self.tick_fetchers(step);
        self.tick_background(step)
    }

    fn expire(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        if self.waiting.is_produce(ticket) {
            self.expire_produce(ticket, step);
        } else if self.waiting.is_deletion(ticket) {
            self.expire_deletion(ticket, step);
        } else {
            self.expire_fetch(ticket, step);
        }
    }

    fn deadline(&self) -> Option<Time> {
        let coordination = match &self.zookeeper {
            Some(zookeeper) => zookeeper.deadline(),
            None => earliest([self.lifecycle.deadline(), self.observer.deadline(), self.proposals.deadline()]),
        };
        earliest([
            self.waiting.deadline(),
            coordination,
            self.fetchers.deadline(),
            self.background.deadline(),
            self.strays.deadline(),
        ])
    }

    /// Answers a request. The one that waited behind it on the same connection is served at the end of the step.
    fn respond(&mut self, reply: ReplyTo, response: Response, step: &mut Step<'_>) {
        step.effects.send(Envelope::response(&reply, self.own.id, response));
        self.connections.answered(reply.connection);
    }

    /// Closes a connection instead of answering.
    fn close(&mut self, reply: ReplyTo, step: &mut Step<'_>) {
        self.connections.close(reply.connection);
        step.effects.close(Severed { peer: reply.peer, channel: reply.channel, connection: reply.connection });
    }

    /// The replica of a partition, if this broker may answer for it at all (R21).
    fn hosted(&self, partition: Partition) -> Result<&Replica, ErrorCode> {
        if let Some(replica) = self.replicas.get(&partition) {
            Ok(replica)
        } else if self.image.partitions.contains_key(&partition) {
            Err(ErrorCode::NotLeaderOrFollower)
        } else if self.image.topics.contains_key(&partition.topic) {
            Err(ErrorCode::UnknownTopicOrPartition)
        } else {
            Err(ErrorCode::UnknownTopicId)
        }
    }

    /// What holds for a partition's topic on this broker now (C48, N26).
    fn topic_config(&self, partition: Partition) -> EffectiveTopicConfig {
        match self.image.topics.get(&partition.topic) {
            Some(topic) => topic.config.effective(&self.own.config),
            None => TopicConfig::default().effective(&self.own.config),
        }
    }

    /// Tries to raise a leader's high watermark (R37, R40). `true` if it moved.
    fn try_high_watermark(&mut self, partition: Partition, step: &mut Step<'_>) -> bool {
        let min_insync_replicas = self.topic_config(partition).min_insync_replicas;
        let image = &self.image;
        let standing = |broker| standing_in(image, broker);
        let Some(replica) = self.replicas.get_mut(&partition) else { return false };
        let Some(leader) = replica.leader() else { return false };
        let view = View {
            log_end: replica.log.end(),
            high_watermark: replica.high_watermark,
            min_insync_replicas,
            now: step.now,
            lag: self.own.config.replica_lag_time_max,
        };
        let candidate = leader.watermark(&view, &standing, &self.own.protocol);
        let falls = self.own.protocol.watermark.may_fall();
        let moved = candidate.is_some_and(|candidate| {
            if falls { replica.adopt_high_watermark(candidate) } else { replica.raise_high_watermark(candidate) }
        });
        if moved {
            let (epoch, at) = (replica.epoch(), replica.high_watermark);
            step.effects.note(Event::HighWatermark { partition, epoch, at, leads: true });
        }
        moved
    }

    fn next_correlation(&mut self) -> u64 {
        self.correlations += 1;
        self.correlations
    }
}

/// What an image says of a broker (R48).
fn standing_in(image: &Image, broker: BrokerId) -> Standing {
    let registration = image.brokers.get(&broker);
    Standing {
        active: registration.is_some_and(|registration| registration.is_active()),
        registered_in: registration.map(|registration| registration.epoch),
    }
}
