//! Decisions on partitions: read first, because their leaders change them too, and written only over what was read (C63, C66,
//! C67).
//!
//! It must not know what is decided, nor whom to tell.

use super::elections::{Circumstances, Strategy};
use super::jobs::Job;
use super::reign::{Moved, Reign};
use super::{Answers, Hands, Question};
use crate::metadata::PartitionRegistration;
use crate::names::{Partition, PartitionEpoch};
use crate::wire::{Answer, Call, LeadershipTold, Operation, ZooKeeperError};
use crate::zookeeper::znodes::{CONTROLLER_EPOCH, Content, StateNode, state_path};

impl Reign {
    /// Of a transaction: that this controller is the one (C63).
    pub(super) fn check(&self) -> Operation {
        Operation::Check { path: CONTROLLER_EPOCH.to_owned(), version: self.epoch.0 }
    }

    /// The same, to be read.
    pub(super) fn epoch_call() -> Call {
        Call::Get { path: CONTROLLER_EPOCH.to_owned(), watch: false }
    }

    /// Whether this controller is the one, as it was read.
    ///
    /// # Errors
    /// [`Moved`] if not.
    pub(super) fn still_controls(&self, answer: Option<&Result<Answer, ZooKeeperError>>) -> Result<(), Moved> {
        match answer {
            Some(Ok(Answer::Node { stat, .. })) if stat.version == self.epoch.0 => Ok(()),
            _ => Err(Moved),
        }
    }

    /// Writes a state over the version that it was decided on.
    pub(super) fn set_state(&self, state: &PartitionRegistration) -> Operation {
        let path = state_path(self.context.name(state.partition.topic), state.partition.index);
        let data = StateNode::of(state, self.epoch).encode();
        Operation::SetData { path, data, version: Some(state.partition_epoch.0) }
    }

    pub(super) fn written(&mut self, state: PartitionRegistration, version: i32) {
        let partition = state.partition;
        let state = PartitionRegistration { partition_epoch: PartitionEpoch(version), ..state };
        self.context.states.insert(partition, LeadershipTold { state, controller_epoch: self.epoch });
        self.news.insert(partition);
    }

    /// By what is decided on a partition.
    pub(super) fn circumstances<T, R>(
        &self,
        partition: Partition,
        hands: &Hands<'_, T>,
        decide: impl FnOnce(&Circumstances<'_>) -> R,
    ) -> R {
        let context = &self.context;
        decide(&Circumstances {
            election: hands.protocol.election,
            online: &|broker| context.is_online(broker),
            leaving: &|broker| context.shutting_down.contains(&broker),
            unclean_allowed: context.allows_unclean_election(partition.topic, hands.config),
        })
    }

    /// C67, C70: decides on what was just read, whatever was believed before.
    pub(super) fn elect<T: Clone + From<Question>>(
        &mut self,
        strategy: Strategy,
        partitions: &[Partition],
        answers: Answers,
        hands: &mut Hands<'_, T>,
    ) -> Result<(), Moved> {
        if partitions.is_empty() {
            return Ok(());
        }
        let mut answers = answers.into_iter();
        self.still_controls(answers.next().as_ref())?;
        let mut states = Vec::new();
        for (&partition, answer) in partitions.iter().zip(answers) {
            let known = self.context.state(partition).map(|state| state.leader_epoch);
            if !self.take_state(partition, answer) {
                continue;
            }
            let Some(before) = self.context.state(partition) else { continue };
            match self.circumstances(partition, hands, |by| strategy.decide(before, by)) {
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
