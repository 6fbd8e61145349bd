//! The controller at work: one thing after another, as Kafka's controller thread does (C64, C70-C73).
//!
//! What happens is queued; each is cut into jobs, and a job waits for the ensemble at most once. What is read is taken in by
//! `reading`, what is decided by `elections`; `brokers` plans for brokers that come and go, `telling` knows whom to tell. It
//! must not know replicas.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::channels::Channels;
use super::context::Context;
use super::elections::Strategy;
use super::jobs::{Happened, Job};
use super::{Answers, Hands, Question};
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerId, ControllerEpoch, Partition, Time};
use crate::wire::{
    Answer, Call, ControlledShutdownResponse, CreateMode, ErrorCode, Operation, ReplyTo, Request, Response, WatchEvent,
    ZooKeeperError,
};
use crate::zookeeper::znodes::{
    BROKER_IDS, Content, DELETED_TOPICS, ISR_CHANGES, KNOWN_BROKERS, Kind, KnownBrokersNode, StateNode, TOPICS,
    state_path, topic_path,
};

/// A new controller gives preferred leaders their partitions back so soon; from then on as often as it is told (C70).
const FIRST_BALANCE_AFTER: Duration = Duration::from_secs(5);

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
    /// When partitions are given back to their preferred leaders.
    balance_at: Option<Time>,
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
            balance_at: None,
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
        self.channels.deadline().into_iter().chain(self.balance_at).min()
    }

    /// Takes over (C64).
    pub(super) fn begin<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.balance_at = hands.config.auto_leader_rebalance_enable.then_some(hands.now + FIRST_BALANCE_AFTER);
        self.happened(Happened::Elected, hands);
    }

    pub(super) fn tick<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.channels.tick(hands.now, hands.effects);
        if self.balance_at.take_if(|at| hands.now >= *at).is_some() {
            let every = Duration::from_secs(hands.config.leader_imbalance_check_interval_seconds.into());
            self.balance_at = Some(hands.now + every);
            self.happened(Happened::Balance, hands);
        }
    }

    /// A broker has answered what it was told.
    pub(super) fn told<T: Clone + From<Question>>(
        &mut self,
        broker: BrokerId,
        request: Request,
        error: ErrorCode,
        hands: &mut Hands<'_, T>,
    ) {
        if let (Request::StopReplica(stop), ErrorCode::None) = (request, error)
            && stop.delete
        {
            self.happened(Happened::Removed(broker, stop.partitions), hands);
        }
    }

    /// It is over: who waits is told so. Returns how many did.
    pub(super) fn end<T: Clone + From<Question>>(mut self, hands: &mut Hands<'_, T>) -> u32 {
        for (broker, _) in self.channels.brokers() {
            self.channels.close(broker, hands.effects);
        }
        let mut unanswered = 0;
        for job in self.under_way.take().into_iter().chain(std::mem::take(&mut self.jobs)) {
            if let Some((reply, refusal)) = job.refusal() {
                hands.answer(reply, refusal);
                unanswered += 1;
            }
        }
        for (reply, refusal) in self.queue.into_iter().filter_map(Happened::refusal) {
            hands.answer(reply, refusal);
            unanswered += 1;
        }
        unanswered
    }

    /// Whatever was watched may have changed.
    pub(super) fn look_again<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        let moving = self.context.moving().into_iter().map(Happened::Moving);
        let all = [Happened::Brokers, Happened::Topics, Happened::Isrs, Happened::Deletions];
        for happened in all.into_iter().chain(moving) {
            self.happened(happened, hands);
        }
    }

    pub(super) fn fired<T: Clone + From<Question>>(&mut self, event: &WatchEvent, hands: &mut Hands<'_, T>) {
        match event.path.as_str() {
            BROKER_IDS => self.happened(Happened::Brokers, hands),
            TOPICS => self.happened(Happened::Topics, hands),
            ISR_CHANGES => self.happened(Happened::Isrs, hands),
            DELETED_TOPICS => self.happened(Happened::Deletions, hands),
            path => {
                if let Some(Kind::State(name, index)) = Kind::of(path)
                    && let Some(topic) = self.context.named(name)
                {
                    self.happened(Happened::Moving(Partition { topic, index }), hands);
                }
            }
        }
    }

    /// Properties are others than they were.
    pub(super) fn reconfigured<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        self.happened(Happened::Reconfigured, hands);
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
            Request::Administer(request) => self.happened(Happened::Administer(reply, request), hands),
            // Nobody hands over anything else.
            _ => {}
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
            match self.calls(&job) {
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
                    Job::Deletions,
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
            Happened::Administer(reply, request) => self.plan_administration(reply, request, hands),
            Happened::Deletions => self.jobs.push_back(Job::Deletions),
            Happened::Removed(broker, partitions) => self.removed(broker, &partitions),
            Happened::Moving(partition) => self.jobs.push_back(Job::Move(partition)),
            Happened::Balance => self.plan_balance(),
            Happened::Reconfigured => self.jobs.push_back(Job::Elect(Strategy::Offline, self.context.offline())),
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
                self.go_on_deleting(hands);
                self.go_on_moving(&self.context.moving());
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
            Job::Elected(reply, partition, unclean) => self.say_elected(reply, partition, unclean, hands),
            _ => {}
        }
    }

    /// What is to be asked for a job; `None` if nothing is.
    fn calls(&self, job: &Job) -> Option<Vec<Call>> {
        match job {
            Job::Elect(_, partitions) if partitions.is_empty() => Some(Vec::new()),
            Job::Elect(_, partitions) => {
                Some(std::iter::once(Self::epoch_call()).chain(self.state_calls(partitions)).collect())
            }
            Job::Write(_, states) => {
                let write = |state: &PartitionRegistration| Call::Multi(vec![self.check(), self.set_state(state)]);
                Some(states.iter().map(write).collect())
            }
            Job::Created(states) => {
                let create = |state: &PartitionRegistration| {
                    let name = self.context.name(state.partition.topic);
                    let mode = CreateMode::Persistent;
                    let above = format!("{}/partitions/{}", topic_path(name), state.partition.index);
                    let data = StateNode::of(state, self.epoch).encode();
                    Call::Multi(vec![
                        self.check(),
                        Operation::Create { path: above, data: bytes::Bytes::new(), mode },
                        Operation::Create { path: state_path(name, state.partition.index), data, mode },
                    ])
                };
                Some(states.iter().map(create).collect())
            }
            Job::Remember => {
                let epochs = self.context.live.iter().map(|(id, epoch)| (id.0, epoch.0)).collect();
                let (path, data) = (KNOWN_BROKERS.to_owned(), KnownBrokersNode { epochs }.encode());
                Some(vec![Call::Multi(vec![self.check(), Operation::SetData { path, data, version: None }])])
            }
            Job::TopicWritten(_, request) => Some(self.topic_calls(request)),
            other => self
                .administering_calls(other)
                .or_else(|| self.moving_calls(other))
                .or_else(|| self.deleting_calls(other))
                .or_else(|| self.reading_calls(other)),
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
            job @ (Job::Grow(..) | Job::Doom(..) | Job::Configure(..) | Job::Configured(..)) => {
                self.administered(job, answers, hands)?;
            }
            job @ (Job::Assign(..)
            | Job::Assigned(..)
            | Job::Move(_)
            | Job::Shrink(_)
            | Job::Moved(_)
            | Job::Look(_)) => self.moved(job, answers, hands)?,
            Job::Deletions => self.deletions_read(&answers, hands),
            Job::Erase(name) => self.erased(name, &answers),
            other => self.read(other, answers, hands.protocol),
        }
        Ok(())
    }
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
