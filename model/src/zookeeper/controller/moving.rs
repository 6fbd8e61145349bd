//! Replicas that are reassigned (KIP-455): what of a partition is where is in its topic's znode, so whoever controls next goes
//! on with it.
//!
//! First the partition has all the replicas that it had and all that it is to have. When those that it is to have are all in
//! sync, the others leave the in-sync set and delete what they have; only then are they no replicas any more. That a set has
//! grown a controller learns by a watch on the partition's state. It must not know who is elected, nor who asks.

use std::collections::BTreeSet;

use super::elections::{Strategy, without_others};
use super::jobs::{Assigned, Job, administered};
use super::reign::{Moved, Reign};
use super::{Answers, Hands, Question};
use crate::controller::Refusal;
use crate::metadata::PartitionRegistration;
use crate::names::{BrokerId, Partition, TopicId};
use crate::wire::{Answer, Call, ErrorCode, Operation, ReplyTo, ZooKeeperError};
use crate::zookeeper::assignment::{Assignment, without};
use crate::zookeeper::znodes::{Content, topic_path};

impl Reign {
    /// These are to be its replicas; `None` calls off what was asked before. Nothing is to be done if it is on the way there.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`, `INVALID_REPLICA_ASSIGNMENT` or `NO_REASSIGNMENT_IN_PROGRESS`, with a sentence for people.
    pub(super) fn plan_reassignment(
        &self,
        reply: ReplyTo,
        partition: Partition,
        target: Option<&[BrokerId]>,
    ) -> Result<Option<Job>, Refusal> {
        let before = self.context.assignment(partition);
        let refused = |why: String| Err((ErrorCode::InvalidReplicaAssignment, why));
        let Some(target) = target else {
            if !before.is_moving() {
                let why = format!("{partition} is not being reassigned");
                return Err((ErrorCode::NoReassignmentInProgress, why));
            }
            let after = before.reassigned_to(&before.origin());
            return Ok(Some(Job::Assign(reply, partition, after)));
        };
        if target.is_empty() {
            return refused(format!("{partition} needs at least 1 replica"));
        }
        if target.iter().collect::<BTreeSet<_>>().len() != target.len() {
            return refused(format!("a broker is named twice among the replicas of {partition}"));
        }
        let after = before.reassigned_to(target);
        if let Some(dead) = after.adding.iter().find(|broker| !self.context.live.contains_key(broker)) {
            return refused(format!("{dead} is not alive"));
        }
        Ok((after != before).then_some(Job::Assign(reply, partition, after)))
    }

    /// After another controller, or another life of one of the brokers: all replicas are told once more, and it is looked
    /// whether there is anything left to wait for.
    pub(super) fn go_on_moving(&mut self, partitions: &[Partition]) {
        if partitions.is_empty() {
            return;
        }
        self.jobs.push_back(Job::Elect(Strategy::Refresh, partitions.to_vec()));
        self.jobs.extend(partitions.iter().copied().map(Job::Move));
    }

    /// What is to be asked for a job of these; `None` if it is none.
    pub(super) fn moving_calls(&self, job: &Job) -> Option<Vec<Call>> {
        let topic_call = |topic| Call::Get { path: topic_path(self.context.name(topic)), watch: false };
        Some(match job {
            Job::Assign(_, partition, _) => {
                let state = self.state_calls(&[*partition]);
                [Self::epoch_call(), topic_call(partition.topic)].into_iter().chain(state).collect()
            }
            Job::Assigned(_, assigned) => {
                let state = assigned.state.as_ref().map(|state| self.set_state(state));
                let topic = self.set_assignment(assigned.partition, &assigned.assignment);
                vec![Call::Multi(std::iter::once(self.check()).chain(state).chain([topic]).collect())]
            }
            Job::Move(partition) if !self.context.assignment(*partition).is_moving() => Vec::new(),
            Job::Move(partition) => {
                let watched = |call| match call {
                    Call::Get { path, .. } => Call::Get { path, watch: true },
                    other => other,
                };
                let state = self.state_calls(&[*partition]).into_iter().map(watched);
                std::iter::once(Self::epoch_call()).chain(state).collect()
            }
            Job::Shrink(state) => vec![Call::Multi(vec![self.check(), self.set_state(state)])],
            Job::Moved(partition) => {
                let topic = self.set_assignment(*partition, &self.context.assignment(*partition));
                vec![Call::Multi(vec![self.check(), topic])]
            }
            Job::Look(topic) => vec![Self::epoch_call(), topic_call(*topic)],
            _ => return None,
        })
    }

    /// Takes in what the ensemble says to it.
    ///
    /// # Errors
    /// [`Moved`] if this controller is not the one any more.
    pub(super) fn moved<T: Clone + From<Question>>(
        &mut self,
        job: Job,
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        match job {
            Job::Assign(reply, partition, assignment) => {
                self.still_controls(answers.first())?;
                self.seen(partition.topic, answers.get(1));
                let has_state = answers.into_iter().nth(2).is_some_and(|answer| self.take_state(partition, answer));
                self.assign(reply, partition, assignment, has_state, hands);
            }
            Job::Assigned(reply, assigned) => self.assigned(reply, *assigned, &answers, hands),
            // It is not being reassigned any more.
            Job::Move(_) if answers.is_empty() => {}
            Job::Move(partition) => {
                self.still_controls(answers.first())?;
                if answers.into_iter().nth(1).is_some_and(|answer| self.take_state(partition, answer)) {
                    self.shrink_if_complete(partition, hands);
                }
            }
            Job::Shrink(state) => match answers.first() {
                Some(Ok(Answer::Done(stats))) => {
                    self.shrunk(*state, stats.last().map_or(0, |stat| stat.version), hands);
                }
                // The leader has changed the set in between (C66): is it still so?
                _ => self.jobs.push_front(Job::Move(state.partition)),
            },
            Job::Moved(partition) => match answers.first() {
                Some(Ok(Answer::Done(_))) => {
                    self.seen_written(partition.topic);
                    if self.context.doomed.contains(self.context.name(partition.topic)) {
                        self.jobs.push_back(Job::Deletions);
                    }
                }
                // It was written, and the answer got lost; or another one controls.
                _ => {
                    self.jobs.push_front(Job::Moved(partition));
                    self.jobs.push_front(Job::Look(partition.topic));
                }
            },
            Job::Look(topic) => {
                self.still_controls(answers.first())?;
                self.seen(topic, answers.get(1));
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a topic's assignment with these replicas of a partition, over the version that is known.
    fn set_assignment(&self, partition: Partition, assignment: &Assignment) -> Operation {
        let path = topic_path(self.context.name(partition.topic));
        let topic = self.context.topics.get(&partition.topic);
        let data = topic.map(|topic| topic.assignment.with(partition.index, assignment).encode()).unwrap_or_default();
        Operation::SetData { path, data, version: topic.map(|topic| topic.version) }
    }

    /// In which version a topic is.
    fn seen(&mut self, topic: TopicId, answer: Option<&Result<Answer, ZooKeeperError>>) {
        if let (Some(Ok(Answer::Node { stat, .. })), Some(topic)) = (answer, self.context.topics.get_mut(&topic)) {
            topic.version = stat.version;
        }
    }

    /// It was written by this controller, and by nobody else.
    pub(super) fn seen_written(&mut self, topic: TopicId) {
        if let Some(topic) = self.context.topics.get_mut(&topic) {
            topic.version += 1;
        }
    }

    /// The partition was read, and is to have these replicas. Those that were to come and are not wanted any more go at once:
    /// out of the set and out of the assignment in one transaction. Kafka writes the one after the other.
    fn assign<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        partition: Partition,
        assignment: Assignment,
        has_state: bool,
        hands: &mut Hands<'_, T>,
    ) {
        let dropped = without(&self.context.assignment(partition).replicas, &assignment.replicas);
        let mut state = None;
        if let Some(before) = self.context.state(partition).filter(|_| has_state) {
            state = self.circumstances(partition, hands, |by| {
                if dropped.is_empty() { Strategy::Refresh.decide(before, by) } else { keep(before, &assignment, by) }
            });
            state = state.or_else(|| {
                let leader_epoch = before.leader_epoch.next();
                let last: Vec<BrokerId> = before.isr.last().copied().into_iter().collect();
                let nobody = || PartitionRegistration { leader: None, isr: last, leader_epoch, ..before.clone() };
                hands.protocol.cancelling.goes_ahead().then(nobody)
            });
            if state.is_none() {
                let why = format!("none of the replicas that {partition} would be left with is in sync");
                return hands.answer(reply, administered(ErrorCode::InvalidReplicaAssignment, why));
            }
        }
        let assigned = Assigned { partition, assignment, state, dropped };
        self.jobs.push_front(Job::Assigned(reply, Box::new(assigned)));
    }

    fn assigned<T: Clone + From<Question>>(
        &mut self,
        reply: ReplyTo,
        assigned: Assigned,
        answers: &Answers,
        hands: &mut Hands<'_, T>,
    ) {
        let Assigned { partition, assignment, state, dropped } = assigned;
        let Some(Ok(Answer::Done(stats))) = answers.first() else {
            // The leader has changed the set in between (C66), or this was written and the answer got lost.
            return self.jobs.push_front(Job::Assign(reply, partition, assignment));
        };
        self.seen_written(partition.topic);
        self.context.assign(partition, &assignment);
        if let Some(mut state) = state {
            state.assign(&assignment.replicas, &assignment.adding, &assignment.removing);
            self.written(state, stats.get(1).map_or(0, |stat| stat.version));
        }
        self.tell(hands);
        for broker in dropped {
            self.dismiss(broker, vec![partition], hands);
        }
        hands.answer(reply, administered(ErrorCode::None, String::new()));
        self.jobs.push_front(Job::Move(partition));
    }

    /// Whether all that are wanted are in sync, and one of them can lead.
    fn shrink_if_complete<T>(&mut self, partition: Partition, hands: &Hands<'_, T>) {
        let assignment = self.context.assignment(partition);
        let target = assignment.target();
        let Some(now) = self.context.state(partition) else { return };
        let Some(isr) = hands.protocol.moving.ends_with(&target, &now.isr, &assignment.removing) else { return };
        let now = PartitionRegistration { isr, ..now.clone() };
        let Some(mut after) = self.circumstances(partition, hands, |by| without_others(&now, &target, by)) else {
            return;
        };
        after.assign(&target, &[], &[]);
        self.jobs.push_front(Job::Shrink(Box::new(after)));
    }

    /// Nobody but those who are wanted is in sync, and nobody else comes to be: whoever leads is told that there are no others.
    fn shrunk<T: Clone + From<Question>>(
        &mut self,
        state: PartitionRegistration,
        version: i32,
        hands: &mut Hands<'_, T>,
    ) {
        let partition = state.partition;
        let assignment = self.context.assignment(partition);
        self.context.assign(partition, &assignment.completed());
        self.written(state, version);
        self.tell(hands);
        for broker in assignment.removing {
            self.dismiss(broker, vec![partition], hands);
        }
        self.jobs.push_front(Job::Moved(partition));
    }
}

/// What becomes of a partition of which some replicas are none any more: if none of those that stay and are in sync is alive,
/// nobody leads for now.
fn keep(
    before: &PartitionRegistration,
    assignment: &Assignment,
    by: &super::elections::Circumstances<'_>,
) -> Option<PartitionRegistration> {
    without_others(before, &assignment.replicas, by).or_else(|| {
        let stays = |member: &BrokerId| assignment.replicas.contains(member);
        let isr: Vec<BrokerId> = before.isr.iter().copied().filter(stays).collect();
        let leader_epoch = before.leader_epoch.next();
        (!isr.is_empty()).then(|| PartitionRegistration { leader: None, isr, leader_epoch, ..before.clone() })
    })
}
