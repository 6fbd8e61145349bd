//! An admin client: creates topics at the controller, describes them by what brokers say, and asks leaders.
//!
//! A topic counts as created only when a broker shows a leader for every partition. This room must not know how a topic
//! is placed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::asking::{Ask, Question, Told};
use super::backoff::Backoff;
use super::changing::Change;
use super::connection::{Connections, Disconnected};
use crate::disk::Disk;
use crate::event::Event;
use crate::machine::{Chance, Command, Effects, Input, Machine, Stop};
use crate::names::{BrokerId, ClientId, Node, Partition, Time, TopicId, earliest};
use crate::wire::{
    Body, CreateTopicsRequest, CreateTopicsResponse, Envelope, ErrorCode, MetadataRequest, MetadataResponse,
    MetadataTopic, NewTopic, Request, Response,
};

/// `retry.backoff.ms` of an admin client.
const RETRY_BACKOFF: Duration = Duration::from_millis(100);
/// `retry.backoff.max.ms` of an admin client.
const RETRY_BACKOFF_MAX: Duration = Duration::from_millis(1_000);
/// `reconnect.backoff.ms` of an admin client.
const RECONNECT_BACKOFF: Duration = Duration::from_millis(50);
/// Requests under way to one node at once: as many as there are calls.
const IN_FLIGHT_LIMIT: u32 = u32::MAX;

/// A Kafka admin client.
///
/// It notes [`Event::TopicCreated`] or [`Event::TopicRefused`] for each [`Command::CreateTopic`], and
/// [`Event::TopicDescribed`] for each [`Command::DescribeTopic`], without partitions if no broker knew the topic in
/// time. For each [`Command::DeleteRecords`] it notes [`Event::RecordsDeleted`], and for each [`Command::ListOffsets`]
/// [`Event::OffsetListed`], for each [`Command::Administer`] [`Event::Administered`]; if no broker ever knew the topic, that it was described without partitions.
#[derive(Clone, Debug)]
pub struct Admin {
    controllers: Vec<Node>,
    /// Which of them is taken for the active one.
    active: usize,
    bootstrap: Vec<BrokerId>,
    timeout: Duration,
    connections: Connections<Asked>,
    retry: Backoff,
    chance: Chance,
    calls: BTreeMap<CallId, Call>,
    submitted: u64,
    asked: u64,
    /// When the next call may ask that may not ask yet.
    wake: Option<Time>,
}

/// Names a call of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct CallId(u64);

/// What is remembered of a request until its answer: for which call it was sent.
#[derive(Clone, Copy, Debug)]
struct Asked(CallId);

/// A call of the application that has not returned.
#[derive(Clone, Debug)]
struct Call {
    work: Work,
    until: Time,
    turn: Turn,
    failures: u32,
    /// The last thing that went wrong.
    error: ErrorCode,
    message: String,
}

/// What is still to be done.
#[derive(Clone, Debug)]
enum Work {
    Create(Create),
    Change(Change),
    Confirm(Confirm),
    Describe(String),
    Ask(Ask),
}

#[derive(Clone, Debug)]
struct Create {
    topic: NewTopic,
    /// Some attempt may have created it, without our being told.
    maybe_created: bool,
}

/// The controller has created it; now brokers have to learn of it.
#[derive(Clone, Debug)]
struct Confirm {
    name: String,
    id: Option<TopicId>,
    partitions: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    NotBefore(Time),
    Asked,
}

/// What an answer means for a call.
enum Outcome {
    Return(Box<Event>),
    GoOn(Work),
    Retry(ErrorCode, String),
}

impl Admin {
    /// An admin client that asks these controllers to change something (in ZooKeeper mode brokers, one of which is it), and asks these brokers about them. Each call may take as long
    /// as `timeout`.
    #[must_use]
    ///
    /// # Panics
    /// If there is no controller.
    pub fn new(id: ClientId, controllers: Vec<impl Into<Node>>, bootstrap: Vec<BrokerId>, timeout: Duration) -> Self {
        Self {
            controllers: controllers.into_iter().map(Into::into).collect(),
            active: 0,
            bootstrap,
            timeout,
            // As Kafka's defaults do: a call outlives one request that is never answered.
            connections: Connections::new(id, timeout / 2, RECONNECT_BACKOFF),
            retry: Backoff::new(RETRY_BACKOFF, RETRY_BACKOFF_MAX, "admin retry"),
            chance: Chance(0),
            calls: BTreeMap::new(),
            submitted: 0,
            asked: 0,
            wake: None,
        }
    }

    fn submit(&mut self, now: Time, command: Command) {
        let work = match command {
            Command::CreateTopic { name, partitions, replication_factor, config } => {
                let topic = NewTopic { name, partitions, replication_factor, config };
                Work::Create(Create { topic, maybe_created: false })
            }
            Command::DescribeTopic { name } => Work::Describe(name),
            Command::DeleteRecords { topic, partition, before } => {
                Work::Ask(Ask::new(topic, partition, Question::DeleteRecords(before)))
            }
            Command::ListOffsets { topic, partition, spec } => {
                Work::Ask(Ask::new(topic, partition, Question::ListOffsets(spec)))
            }
            Command::Administer(request) => Work::Change(Change::new(request)),
            // Not for an admin client.
            Command::Send { .. }
            | Command::Flush
            | Command::Assign { .. }
            | Command::Seek { .. }
            | Command::SeekToBeginning => return,
        };
        self.submitted += 1;
        let call = Call {
            work,
            until: now + self.timeout,
            turn: Turn::NotBefore(now),
            failures: 0,
            error: ErrorCode::RequestTimedOut,
            message: "nobody answered in time".to_owned(),
        };
        self.calls.insert(CallId(self.submitted), call);
    }

    fn receive(&mut self, now: Time, answer: &Envelope, effects: &mut Effects) {
        let Some(Asked(id)) = self.connections.answered(answer) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let outcome = match (&mut call.work, &answer.body) {
            (Work::Create(create), Body::Response(Response::CreateTopics(created))) => create.judge(created),
            (Work::Change(change), Body::Response(Response::Administer(answer))) => match change.hear(answer) {
                Some(event) => Outcome::Return(Box::new(event)),
                None => Outcome::Retry(answer.error, answer.message.clone()),
            },
            (Work::Confirm(confirm), Body::Response(Response::Metadata(metadata))) => confirm.judge(metadata),
            (Work::Describe(name), Body::Response(Response::Metadata(metadata))) => describe(name, metadata),
            (Work::Ask(ask), body) => match ask.hear(body) {
                Told::Done(event) => Outcome::Return(event),
                Told::GoOn => Outcome::GoOn(Work::Ask(ask.clone())),
                Told::Retry(error, message) => Outcome::Retry(error, message),
            },
            _ => Outcome::Retry(ErrorCode::UnknownServerError, "an answer to another question".to_owned()),
        };
        match outcome {
            Outcome::Return(event) => {
                effects.note(*event);
                self.calls.remove(&id);
            }
            Outcome::GoOn(work) => {
                call.work = work;
                call.failures = 0;
                call.turn = Turn::NotBefore(now);
            }
            Outcome::Retry(error, message) => {
                if error == ErrorCode::NotController {
                    self.active = another(self.active, answer.from, &self.controllers);
                }
                (call.error, call.message) = (error, message);
                self.retry(now, id);
            }
        }
    }

    fn disconnected(&mut self, now: Time, disconnected: Disconnected<Asked>) {
        self.active = another(self.active, disconnected.peer, &self.controllers);
        for Asked(id) in disconnected.asked {
            if let Some(call) = self.calls.get_mut(&id) {
                call.error = ErrorCode::RequestTimedOut;
                call.message = format!("the connection to {} was lost", disconnected.peer);
                match &mut call.work {
                    Work::Create(create) => create.maybe_created = true,
                    Work::Change(change) => change.lost(),
                    Work::Ask(ask) => ask.lost(),
                    Work::Confirm(_) | Work::Describe(_) => {}
                }
            }
            self.retry(now, id);
        }
    }

    fn retry(&mut self, now: Time, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.failures = call.failures.saturating_add(1);
            call.turn = Turn::NotBefore(now + self.retry.after(call.failures));
        }
    }

    /// Ends the calls that took too long.
    fn give_up(&mut self, now: Time, effects: &mut Effects) {
        self.calls.retain(|_, call| {
            if call.until > now {
                return true;
            }
            let (error, message) = (call.error, std::mem::take(&mut call.message));
            effects.note(match &mut call.work {
                Work::Create(create) => {
                    Event::TopicRefused { name: std::mem::take(&mut create.topic.name), error, message }
                }
                Work::Confirm(confirm) => {
                    Event::TopicRefused { name: std::mem::take(&mut confirm.name), error, message }
                }
                Work::Change(change) => change.outcome(error, message),
                Work::Describe(name) => Event::TopicDescribed { name: std::mem::take(name), partitions: Vec::new() },
                Work::Ask(ask) => ask.given_up(error),
            });
            false
        });
    }

    fn dispatch(&mut self, now: Time, effects: &mut Effects) {
        self.wake = None;
        for (&id, call) in &mut self.calls {
            let Turn::NotBefore(at) = call.turn else { continue };
            if at > now {
                self.wake = earliest([self.wake, Some(at)]);
                continue;
            }
            let any_broker = || {
                let lot = self.chance.draw("metadata broker", self.asked);
                self.connections.least_loaded(&self.bootstrap, IN_FLIGHT_LIMIT, lot).map(Node::from)
            };
            let active = self.controllers[self.active % self.controllers.len()];
            let controller = || Some(active).filter(|&to| self.connections.takes(to, IN_FLIGHT_LIMIT));
            let (to, request) = match &call.work {
                Work::Create(create) => {
                    let topics = vec![create.topic.clone()];
                    (controller(), Request::CreateTopics(CreateTopicsRequest { topics }))
                }
                Work::Change(change) => (controller(), Request::Administer(change.request())),
                Work::Confirm(Confirm { name, .. }) | Work::Describe(name) => {
                    let topics = vec![name.clone()];
                    (any_broker(), Request::Metadata(MetadataRequest { topics }))
                }
                Work::Ask(ask) => match ask.request(self.timeout / 2) {
                    (Some(leader), request) => {
                        let to = Some(Node::from(leader)).filter(|&to| self.connections.takes(to, IN_FLIGHT_LIMIT));
                        (to, request)
                    }
                    (None, request) => (any_broker(), request),
                },
            };
            // If nobody can be asked now, the end of a backoff gives the next chance.
            if let Some(to) = to {
                self.asked += 1;
                call.turn = Turn::Asked;
                self.connections.send(now, to, request, Asked(id), effects);
            }
        }
    }
}

impl Machine for Admin {
    fn step(&mut self, now: Time, input: Input, _: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop> {
        match input {
            Input::Start(chance) => {
                self.chance = chance;
                self.connections.start(chance);
                self.retry.start(chance);
            }
            Input::Submit(command) => self.submit(now, command),
            Input::Receive(answer) => self.receive(now, &answer, effects),
            Input::Severed(severed) => {
                if let Some(disconnected) = self.connections.severed(now, &severed) {
                    self.disconnected(now, disconnected);
                }
            }
            Input::Terminate => effects.exit(),
            // Only a reason to look at the time.
            Input::Later(_) | Input::Tick => {}
        }
        self.connections.reopen(now);
        while let Some(disconnected) = self.connections.overdue(now, effects) {
            self.disconnected(now, disconnected);
        }
        self.give_up(now, effects);
        self.dispatch(now, effects);
        Ok(())
    }

    fn deadline(&self) -> Option<Time> {
        let until = self.calls.values().map(|call| call.until).min();
        earliest([self.wake, until, self.connections.deadline()])
    }
}

impl Create {
    fn judge(&mut self, answer: &CreateTopicsResponse) -> Outcome {
        let Some(created) = answer.topics.iter().find(|created| created.name == self.topic.name) else {
            let message = "the answer says nothing about the topic".to_owned();
            return Outcome::Retry(ErrorCode::UnknownServerError, message);
        };
        match &created.result {
            Ok(id) => Outcome::GoOn(self.confirm(Some(*id))),
            // Most likely by an earlier attempt whose answer was lost.
            Err((ErrorCode::TopicAlreadyExists, _)) if self.maybe_created => Outcome::GoOn(self.confirm(None)),
            // Brokers may still be registering.
            Err((error, message)) if error.is_retriable() || *error == ErrorCode::InvalidReplicationFactor => {
                // A controller that was deposed says so of what may come true under the next one (C32).
                self.maybe_created |= error.is_ambiguous() || *error == ErrorCode::NotController;
                Outcome::Retry(*error, message.clone())
            }
            Err((error, message)) => Outcome::Return(Box::new(Event::TopicRefused {
                name: self.topic.name.clone(),
                error: *error,
                message: message.clone(),
            })),
        }
    }

    fn confirm(&self, id: Option<TopicId>) -> Work {
        Work::Confirm(Confirm { name: self.topic.name.clone(), id, partitions: self.topic.partitions })
    }
}

impl Confirm {
    fn judge(&self, answer: &MetadataResponse) -> Outcome {
        let whole = |(id, topic): &(TopicId, &MetadataTopic)| {
            self.id.is_none_or(|created| created == *id)
                && topic.partitions.len() == self.partitions as usize
                && topic.partitions.iter().all(|partition| partition.leader.is_some())
        };
        match known(&self.name, answer).filter(whole) {
            Some((id, topic)) => Outcome::Return(Box::new(Event::TopicCreated {
                name: self.name.clone(),
                partitions: topic.partitions.iter().map(|told| Partition { topic: id, index: told.index }).collect(),
            })),
            None => Outcome::Retry(
                ErrorCode::LeaderNotAvailable,
                "the topic was created, but no broker showed a leader for every partition in time".to_owned(),
            ),
        }
    }
}

/// Which controller to take for the active one, when this one was and is not, or is silent: the next (S10).
fn another(active: usize, node: Node, controllers: &[Node]) -> usize {
    let count = controllers.len();
    if controllers[active % count] == node { (active + 1) % count } else { active }
}

fn describe(name: &str, answer: &MetadataResponse) -> Outcome {
    let Some((id, topic)) = known(name, answer) else {
        return Outcome::Retry(ErrorCode::UnknownTopicOrPartition, "no broker knew the topic in time".to_owned());
    };
    let partitions = topic.partitions.iter();
    let partitions = partitions.map(|told| (Partition { topic: id, index: told.index }, told.leader, told.isr.clone()));
    Outcome::Return(Box::new(Event::TopicDescribed { name: name.to_owned(), partitions: partitions.collect() }))
}

/// What the broker says of the topic, if it knows it.
fn known<'a>(name: &str, answer: &'a MetadataResponse) -> Option<(TopicId, &'a MetadataTopic)> {
    let topic = answer.topics.iter().find(|topic| topic.name == name && topic.error == ErrorCode::None)?;
    Some((topic.id?, topic))
}
