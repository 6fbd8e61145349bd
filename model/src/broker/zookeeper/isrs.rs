//! A leader changes the in-sync set itself: it sets the state of the partition, if nobody has since it last knew it (C66).
//!
//! Later the controller is notified, so that clients learn of it (C67). It must not know who is to be in sync.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Tag;
use crate::broker::Process;
use crate::broker::step::Step;
use crate::machine::Task;
use crate::metadata::RecoveryState;
use crate::names::{Partition, PartitionEpoch, Time};
use crate::wire::{
    AlterPartitionItem, Answer, Call, CreateMode, ErrorCode, Operation, PartitionChangeAccepted, ZooKeeperError,
};
use crate::zookeeper::controller::Answers;
use crate::zookeeper::znodes::{Content, IsrChangeNode, StateNode, isr_change_prefix, state_path};

/// How often it is looked whether there is something to notify.
const LOOK_EVERY: Duration = Duration::from_millis(2_500);
/// For how long sets must have been left alone before.
const QUIET: Duration = Duration::from_secs(5);
/// After so long nobody waits for quiet.
const AT_THE_LATEST: Duration = Duration::from_secs(60);

/// What this broker has done to in-sync sets.
#[derive(Clone, Debug, Default)]
pub(super) struct IsrChanges {
    /// The ensemble has been asked, and has not answered.
    under_way: bool,
    /// What the controller has not been notified of.
    changed: BTreeSet<Partition>,
    changed_at: Time,
    notified_at: Time,
    look_at: Option<Time>,
}

impl IsrChanges {
    pub(super) fn deadline(&self) -> Option<Time> {
        self.look_at
    }
}

impl Process {
    /// Writes every proposal that waits.
    pub(in crate::broker) fn write_isrs(&mut self, step: &mut Step<'_>) {
        let items = self.proposals.waiting();
        let Some(zookeeper) = &mut self.zookeeper else { return };
        if zookeeper.isrs.under_way || items.is_empty() {
            return;
        }
        zookeeper.isrs.under_way = true;
        let write = |item: &AlterPartitionItem| {
            let data = self.intended(item).encode();
            let version = Some(item.partition_epoch.0);
            Call::Multi(vec![Operation::SetData { path: self.state_path(item.partition), data, version }])
        };
        let calls = items.iter().map(write).collect();
        self.ask(Tag::Isrs(items), calls, step);
    }

    /// The ensemble has answered. If a state was not as this leader knew it, it is read again: what is there may be what this
    /// leader has written, though the answer got lost.
    pub(super) fn isrs_written(&mut self, items: Vec<AlterPartitionItem>, answers: Answers, step: &mut Step<'_>) {
        let mut again = Vec::new();
        for (item, answer) in items.into_iter().zip(answers) {
            match answer {
                Ok(Answer::Done(stats)) => {
                    let version = stats.last().map_or(0, |stat| stat.version);
                    self.isr_settled(item, Ok(version), step);
                }
                Err(ZooKeeperError::BadVersion) => again.push(item),
                Ok(_) | Err(_) => self.isr_settled(item, Err(ErrorCode::UnknownTopicOrPartition), step),
            }
        }
        if again.is_empty() {
            return self.isrs_done(step);
        }
        let path = |item: &AlterPartitionItem| self.state_path(item.partition);
        let calls = again.iter().map(|item| Call::Get { path: path(item), watch: false }).collect();
        self.ask(Tag::IsrsAgain(again), calls, step);
    }

    /// Of what is there instead, nothing is taken over: what this leader knows stays, and stays outdated, until a controller
    /// tells it otherwise (C66).
    pub(super) fn isrs_read(&mut self, items: Vec<AlterPartitionItem>, answers: Answers, step: &mut Step<'_>) {
        for (item, answer) in items.into_iter().zip(answers) {
            let result = match answer {
                Ok(Answer::Node { data, stat }) if StateNode::decode(&data) == Some(self.intended(&item)) => {
                    Ok(stat.version)
                }
                _ => Err(ErrorCode::InvalidUpdateVersion),
            };
            self.isr_settled(item, result, step);
        }
        self.isrs_done(step);
    }

    /// The session has ended: what was asked may have been done, and is asked again in the next.
    pub(super) fn isrs_forgotten(&mut self, _: &mut Step<'_>) {
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.isrs.under_way = false;
        }
    }

    pub(super) fn tick_isrs(&mut self, step: &mut Step<'_>) {
        let Some(zookeeper) = &mut self.zookeeper else { return };
        let (isrs, now) = (&mut zookeeper.isrs, step.now);
        if isrs.look_at.take_if(|at| now >= *at).is_none() || isrs.changed.is_empty() {
            return;
        }
        if now.since(isrs.changed_at) < QUIET && now.since(isrs.notified_at) < AT_THE_LATEST {
            isrs.look_at = Some(now + LOOK_EVERY);
            return;
        }
        isrs.notified_at = now;
        let partitions = std::mem::take(&mut isrs.changed).into_iter().collect();
        let data = IsrChangeNode { partitions }.encode();
        let create = Operation::Create { path: isr_change_prefix(), data, mode: CreateMode::PersistentSequential };
        self.ask(Tag::Notify, vec![Call::Multi(vec![create])], step);
    }

    fn isr_settled(&mut self, item: AlterPartitionItem, result: Result<i32, ErrorCode>, step: &mut Step<'_>) {
        let partition = item.partition;
        self.proposals.done(partition);
        if let (Ok(_), Some(zookeeper)) = (&result, &mut self.zookeeper) {
            let isrs = &mut zookeeper.isrs;
            isrs.changed.insert(partition);
            isrs.changed_at = step.now;
            isrs.look_at = isrs.look_at.or(Some(step.now + LOOK_EVERY));
        }
        let accepted = result.map(|version| PartitionChangeAccepted {
            leader: Some(self.own.id),
            leader_epoch: item.leader_epoch,
            isr: item.new_isr.iter().map(|member| member.id).collect(),
            recovery_state: RecoveryState::Recovered,
            partition_epoch: PartitionEpoch(version),
        });
        self.settle(item, accepted, step);
    }

    fn isrs_done(&mut self, step: &mut Step<'_>) {
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.isrs.under_way = false;
        }
        if !self.proposals.waiting().is_empty() {
            step.effects.later(Task::SendAlterPartition);
        }
    }

    /// What a proposal makes of the state.
    fn intended(&self, item: &AlterPartitionItem) -> StateNode {
        let obeyed = self.zookeeper.as_ref().and_then(|zookeeper| zookeeper.obeyed.get(&item.partition));
        StateNode {
            controller_epoch: obeyed.copied().unwrap_or_default().0,
            leader: i64::from(self.own.id.0),
            leader_epoch: item.leader_epoch.0,
            isr: item.new_isr.iter().map(|member| member.id.0).collect(),
        }
    }

    fn state_path(&self, partition: Partition) -> String {
        let topic = self.image.topics.get(&partition.topic).map(|topic| topic.name.as_str());
        state_path(topic.unwrap_or_default(), partition.index)
    }
}
