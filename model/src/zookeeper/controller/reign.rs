//! The controller at work: one thing after another, as Kafka's controller thread does (C64, C70-C73).
//!
//! What happens is queued; each is cut into jobs, and a job waits for the ensemble at most once. What is read is taken in by
//! `reading`, what is decided by `elections`; `brokers` plans for brokers that come and go, `telling` knows whom to tell. It
//! must not know replicas.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::channels::Channels;
use super::context::Context;
use super::elections::{Circumstances, Strategy};
use super::jobs::{Happened, Job};
use super::{Answers, Hands, Question};
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerId, ControllerEpoch, Partition, PartitionEpoch, Time};
use crate::wire::{
    AdminResponse, Answer, Call, ControlledShutdownResponse, CreateMode, CreateTopicsRequest, CreateTopicsResponse,
    CreatedTopic, ErrorCode, LeadershipTold, Operation, ReplyTo, Request, Response, WatchEvent, ZooKeeperError,
};
use crate::zookeeper::znodes::{
    BROKER_IDS, CONTROLLER_EPOCH, Content, ISR_CHANGES, KNOWN_BROKERS, KnownBrokersNode, StateNode, TOPICS, state_path,
    topic_path,
};

/// Another controller was elected since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moved;

/// From the election of a controller to its end.
#[derive(Clone, Debug)]
pub(super) struct Reign {
    pub(super) own: BrokerId,
    pub(super) epoch: ControllerEpoch,
    pub(super) context: Context,
    pub(super) channels: Channels,
    /// Whether everything was read that was there at the election.
    pub(super) begun: bool,
    queue: VecDeque<Happened>,
    pub(super) jobs: VecDeque<Job>,
    /// What the ensemble has not answered yet.
    under_way: Option<Job>,
    /// Partitions whose replicas are to be told of a new state.
    pub(super) news: BTreeSet<Partition>,
}

impl Reign {
    pub(super) fn new(own: BrokerId, epoch: ControllerEpoch, correlations: u64, timeout: Duration) -> Self {
        Self {
            own,
            epoch,
            context: Context::default(),
            channels: Channels::new(own, timeout, correlations),
            begun: false,
            queue: VecDeque::new(),
            jobs: VecDeque::new(),
            under_way: None,
            news: BTreeSet::new(),
        }
    }

    pub(super) fn epoch(&self) -> ControllerEpoch {
        self.epoch
    }

    pub(super) fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    pub(super) fn correlations(&self) -> u64 {
        self.channels.correlations()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.channels.deadline()
    }

    /// Takes over (C64).
    pub(super) fn begin<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.happened(Happened::Elected, hands);
    }

    /// It is over: who waits is told so. Returns how many did.
    pub(super) fn end<T: Clone + From<Question>>(mut self, hands: &mut Hands<'_, T>) -> u32 {
        for (broker, _) in self.channels.brokers() {
            self.channels.close(broker, hands.effects);
        }
        let mut unanswered = 0;
        for job in self.under_way.take().into_iter().chain(std::mem::take(&mut self.jobs)) {
            match job {
                Job::Relieved(reply, _) => {
                    hands.answer(reply, shutdown_refused(ErrorCode::NotController));
                    unanswered += 1;
                }
                Job::TopicWritten(reply, request) => {
                    hands.answer(reply, creation_refused(&request));
                    unanswered += 1;
                }
                _ => {}
            }
        }
        for happened in self.queue {
            match happened {
                Happened::Shutdown(reply, _) => {
                    hands.answer(reply, shutdown_refused(ErrorCode::NotController));
                    unanswered += 1;
                }
                Happened::CreateTopics(reply, request) => {
                    hands.answer(reply, creation_refused(&request));
                    unanswered += 1;
                }
                Happened::Elected | Happened::Brokers | Happened::Topics | Happened::Isrs => {}
            }
        }
        unanswered
    }

    /// Whatever was watched may have changed.
    pub(super) fn look_again<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        for happened in [Happened::Brokers, Happened::Topics, Happened::Isrs] {
            self.happened(happened, hands);
        }
    }

    pub(super) fn fired<T: Clone + From<Question>>(&mut self, event: &WatchEvent, hands: &mut Hands<'_, T>) {
        match event.path.as_str() {
            BROKER_IDS => self.happened(Happened::Brokers, hands),
            TOPICS => self.happened(Happened::Topics, hands),
            ISR_CHANGES => self.happened(Happened::Isrs, hands),
            _ => {}
        }
    }

    pub(super) fn serve<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        request: Request,
        hands: &mut Hands<'_, T>,
    ) {
        match request {
            Request::ControlledShutdown(request) => self.happened(Happened::Shutdown(reply, request), hands),
            Request::CreateTopics(request) => self.happened(Happened::CreateTopics(reply, request), hands),
            _ => {
                let message = "not in ZooKeeper mode".to_owned();
                let refused = AdminResponse { error: ErrorCode::UnsupportedVersion, message };
                hands.answer(reply, Response::Administer(refused));
            }
        }
    }

    /// The ensemble has answered a job.
    ///
    /// # Errors
    /// [`Moved`] if this controller is not the one any more (C63).
    pub(super) fn answered<T: Clone + From<Question>>(
        &mut self,
        job: Job,
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        self.under_way = None;
        self.take(job, answers, hands)?;
        self.advance(hands)
    }

    fn happened<T: Clone + From<Question>>(&mut self, happened: Happened, hands: &mut Hands<'_, T>) {
        if !self.queue.contains(&happened) {
            self.queue.push_back(happened);
        }
        // What can be done without an answer cannot find that another one controls.
        let _ = self.advance(hands);
    }

    fn advance<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) -> Result<(), Moved> {
        while self.under_way.is_none() {
            let Some(job) = self.jobs.pop_front() else {
                let Some(happened) = self.queue.pop_front() else { return Ok(()) };
                self.plan(happened, hands);
                continue;
            };
            match self.calls(&job, hands) {
                None => self.perform(job, hands),
                Some(calls) if calls.is_empty() => self.take(job, Vec::new(), hands)?,
                Some(calls) => {
                    self.under_way = Some(job.clone());
                    hands.ask(Question::Job(self.epoch, Box::new(job)), calls);
                }
            }
        }
        Ok(())
    }

    fn plan<T: Clone + From<Question>>(&mut self, happened: Happened, hands: &mut Hands<'_, T>) {
        match happened {
            Happened::Elected => {
                self.jobs.extend([
                    Job::KnownBrokers,
                    Job::Brokers,
                    Job::Topics,
                    Job::Begin,
                    Job::Settle,
                    Job::IsrChanges,
                ]);
            }
            Happened::Brokers => self.jobs.push_back(Job::Brokers),
            Happened::Topics => self.jobs.extend([Job::Topics, Job::Create]),
            Happened::Isrs => self.jobs.push_back(Job::IsrChanges),
            Happened::CreateTopics(reply, request) => self.jobs.push_back(Job::TopicWritten(reply, request)),
            Happened::Shutdown(reply, request) => self.plan_shutdown(reply, request, hands),
        }
    }

    /// Does what needs no answer.
    fn perform<T: Clone + From<Question>>(&mut self, job: Job, hands: &mut Hands<'_, T>) {
        match job {
            Job::Begin => self.take_over(hands),
            Job::Settle => {
                let returned = std::mem::take(&mut self.context.returned);
                self.jobs.push_front(Job::Create);
                if !returned.is_empty() {
                    self.jobs.push_front(Job::Remember);
                    self.jobs.push_front(Job::Join(returned.into_iter().collect()));
                }
            }
            Job::Fail(brokers) => self.fail(&brokers, hands),
            Job::Join(brokers) => self.join(&brokers, hands),
            Job::Announce(partitions) => self.announce(&partitions, hands),
            Job::Create => {
                let new = self.new_states();
                self.jobs.push_front(Job::Created(new));
            }
            Job::Stop(broker, partitions) => self.stop(broker, &partitions, hands),
            Job::Relieved(reply, broker) => {
                let remaining = self.shared(self.context.led_by(&BTreeSet::from([broker])));
                let answer = ControlledShutdownResponse { error: ErrorCode::None, remaining };
                hands.answer(reply, Response::ControlledShutdown(answer));
            }
            _ => {}
        }
    }

    /// What is to be asked for a job; `None` if nothing is.
    fn calls<T: Clone + From<Question>>(&self, job: &Job, hands: &Hands<'_, T>) -> Option<Vec<Call>> {
        let check = || Operation::Check { path: CONTROLLER_EPOCH.to_owned(), version: self.epoch.0 };
        match job {
            Job::Elect(_, partitions) if partitions.is_empty() => Some(Vec::new()),
            Job::Elect(_, partitions) => {
                let epoch = Call::Get { path: CONTROLLER_EPOCH.to_owned(), watch: false };
                Some(std::iter::once(epoch).chain(self.state_calls(partitions)).collect())
            }
            Job::Write(_, states) => {
                let write = |state: &PartitionRegistration| {
                    let path = state_path(self.context.name(state.partition.topic), state.partition.index);
                    let data = StateNode::of(state, self.epoch).encode();
                    let version = Some(state.partition_epoch.0);
                    Call::Multi(vec![check(), Operation::SetData { path, data, version }])
                };
                Some(states.iter().map(write).collect())
            }
            Job::Created(states) => {
                let create = |state: &PartitionRegistration| {
                    let name = self.context.name(state.partition.topic);
                    let mode = CreateMode::Persistent;
                    let above = format!("{}/partitions/{}", topic_path(name), state.partition.index);
                    let data = StateNode::of(state, self.epoch).encode();
                    Call::Multi(vec![
                        check(),
                        Operation::Create { path: above, data: bytes::Bytes::new(), mode },
                        Operation::Create { path: state_path(name, state.partition.index), data, mode },
                    ])
                };
                Some(states.iter().map(create).collect())
            }
            Job::Remember => {
                let epochs = self.context.live.iter().map(|(id, epoch)| (id.0, epoch.0)).collect();
                let (path, data) = (KNOWN_BROKERS.to_owned(), KnownBrokersNode { epochs }.encode());
                Some(vec![Call::Multi(vec![check(), Operation::SetData { path, data, version: None }])])
            }
            Job::TopicWritten(_, request) => Some(self.topic_calls(request)),
            other => {
                let _ = hands;
                self.reading_calls(other)
            }
        }
    }

    /// Takes in what the ensemble says to a job.
    fn take<T: Clone + From<Question>>(
        &mut self,
        job: Job,
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        match job {
            Job::Elect(strategy, partitions) => self.elect(strategy, &partitions, answers, hands)?,
            Job::Write(strategy, states) => {
                let mut again = Vec::new();
                for (state, answer) in states.into_iter().zip(answers) {
                    match answer {
                        Ok(Answer::Done(stats)) => self.written(state, stats.last().map_or(0, |stat| stat.version)),
                        // The leader has changed the set in between (C66), or this was written and the answer got lost.
                        _ => again.push(state.partition),
                    }
                }
                self.jobs.push_front(Job::Elect(strategy, again));
                self.tell(hands);
            }
            Job::Created(states) => {
                let mut again = Vec::new();
                for (state, answer) in states.into_iter().zip(answers) {
                    match answer {
                        Ok(_) => self.written(state, 0),
                        Err(_) => again.push(state.partition),
                    }
                }
                self.jobs.push_front(Job::Elect(Strategy::Offline, again));
                self.tell(hands);
            }
            Job::TopicWritten(reply, request) => {
                let answer = Response::CreateTopics(self.topics_created(&request, answers));
                hands.answer(reply, answer);
            }
            other => self.read(other, answers, hands.protocol),
        }
        Ok(())
    }

    fn written(&mut self, state: PartitionRegistration, version: i32) {
        let partition = state.partition;
        let state = PartitionRegistration { partition_epoch: PartitionEpoch(version), ..state };
        self.context.states.insert(partition, LeadershipTold { state, controller_epoch: self.epoch });
        self.news.insert(partition);
    }

    /// C67, C70: decides on what was just read, whatever was believed before.
    fn elect<T: Clone + From<Question>>(
        &mut self,
        strategy: Strategy,
        partitions: &[Partition],
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        let mut answers = answers.into_iter();
        match answers.next() {
            None => return Ok(()),
            Some(Ok(Answer::Node { stat, .. })) if stat.version == self.epoch.0 => {}
            Some(_) => return Err(Moved),
        }
        let mut states = Vec::new();
        for (&partition, answer) in partitions.iter().zip(answers) {
            let known = self.context.state(partition).map(|state| state.leader_epoch);
            if !self.take_state(partition, answer) {
                continue;
            }
            let context = &self.context;
            let by = Circumstances {
                election: hands.protocol.election,
                online: &|broker| context.is_online(broker),
                leaving: &|broker| context.shutting_down.contains(&broker),
                unclean_allowed: context.allows_unclean_election(partition.topic, hands.config),
            };
            let Some(before) = context.state(partition) else { continue };
            match strategy.decide(before, &by) {
                Some(after) => states.push(after),
                None if known != Some(before.leader_epoch) => {
                    self.news.insert(partition);
                }
                None => {}
            }
        }
        if !states.is_empty() {
            self.jobs.push_front(Job::Write(strategy, states));
        }
        self.tell(hands);
        Ok(())
    }
}

pub(super) fn shutdown_refused(error: ErrorCode) -> Response {
    Response::ControlledShutdown(ControlledShutdownResponse { error, remaining: Vec::new() })
}

fn creation_refused(request: &CreateTopicsRequest) -> Response {
    let why = || (ErrorCode::NotController, "this broker is not the controller any more".to_owned());
    let refused = |name: &String| CreatedTopic { name: name.clone(), result: Err(why()) };
    let topics = request.topics.iter().map(|topic| refused(&topic.name)).collect();
    Response::CreateTopics(CreateTopicsResponse { topics })
}

/// What an ensemble's refusal means for a topic that was to be created.
pub(super) fn creation_error(error: ZooKeeperError) -> (ErrorCode, String) {
    match error {
        ZooKeeperError::NodeExists => (ErrorCode::TopicAlreadyExists, "the topic exists".to_owned()),
        ZooKeeperError::NoNode | ZooKeeperError::BadVersion | ZooKeeperError::NotEmpty => {
            (ErrorCode::NotController, "another broker is the controller".to_owned())
        }
    }
}
