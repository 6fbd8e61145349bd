//! Who leads, and who is in sync: every decision to change a partition is taken here, and made by `change` (R71-R74, R90,
//! R92-R98).
//!
//! Decisions only: from an image to the records that change it. It must not know the log in which they are written, who
//! asked, or what time it is; and who may lead, or which proposal is stale, is `protocol/`'s to say.

use std::collections::BTreeSet;

use crate::config::BrokerConfig;
use crate::metadata::{Image, MetadataRecord, PartitionChange, PartitionRegistration, RecoveryState};
use crate::names::{BrokerId, Partition, TopicId};
use crate::protocol::Protocol;
use crate::wire::{
    AlterPartitionItem, AlterPartitionRequest, AlterPartitionResult, ErrorCode, IsrMember, PartitionChangeAccepted,
};

use super::change::{Change, Choice};
use super::topics::Refusal;

/// All partitions, and by what they are judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Partitions<'a> {
    /// What has been decided so far.
    pub(super) image: &'a Image,
    /// What holds for topics that do not say.
    pub(super) defaults: &'a BrokerConfig,
    /// The answers to Kafka's historical questions.
    pub(super) protocol: Protocol,
}

/// The decision on an AlterPartition request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Altered {
    /// What changes.
    pub(super) records: Vec<MetadataRecord>,
    /// What to answer once that is committed: one result per item, in the order of the request.
    pub(super) results: Vec<AlterPartitionResult>,
}

impl Partitions<'_> {
    /// Whether the broker leads anything.
    pub(super) fn is_led_by(&self, broker: BrokerId) -> bool {
        self.image.partitions.values().any(|registration| registration.leader == Some(broker))
    }

    /// What follows when the broker is fenced, replaced or shut down: it leaves every ISR, and leads nothing any more.
    /// Without eligible leader replicas the last member of an ISR stays in it, and then nobody leads (R92, R93).
    pub(super) fn without(&self, broker: BrokerId) -> Vec<MetadataRecord> {
        let acceptable = |candidate| candidate != broker && self.image.is_active(candidate);
        let in_sync = self.image.partitions.values().filter(|registration| registration.isr.contains(&broker));
        in_sync
            .filter_map(|before| {
                let mut change = self.change(before, &acceptable);
                change.isr.retain(|&member| member != broker);
                change.build()
            })
            .collect()
    }

    /// What follows when the broker returns and cannot tell of an orderly stop: what its disk held may be lost, so it is
    /// neither in sync nor eligible anywhere (R87, R90).
    pub(super) fn without_trusting(&self, broker: BrokerId) -> Vec<MetadataRecord> {
        let acceptable = |candidate| candidate != broker && self.image.is_active(candidate);
        let holds_seat = |before: &&PartitionRegistration| before.isr.contains(&broker) || before.elr.contains(&broker);
        let seats = self.image.partitions.values().filter(holds_seat);
        seats
            .filter_map(|before| {
                let mut change = Change { distrusted: Some(broker), ..self.change(before, &acceptable) };
                change.isr.retain(|&member| member != broker);
                change.build()
            })
            .collect()
    }

    /// What follows when `min.insync.replicas` is about to be altered for a topic, or for all that do not say: that nothing
    /// could be committed without them was judged by the old value, so nobody is eligible any more (R86). Kafka has a
    /// record of its own for that, which leaves the partition epochs; here they rise.
    pub(super) fn without_eligible(&self, topic: Option<TopicId>) -> Vec<MetadataRecord> {
        let concerned = |before: &&PartitionRegistration| topic.is_none_or(|topic| before.partition.topic == topic);
        let partitions = self.image.partitions.values().filter(concerned);
        let eligible = partitions.filter(|before| !before.elr.is_empty() || !before.last_known_elr.is_empty());
        let none = |before: &PartitionRegistration| {
            MetadataRecord::PartitionChange(PartitionChange {
                elr: Some(Vec::new()),
                last_known_elr: Some(Vec::new()),
                ..PartitionChange::of(before.partition)
            })
        };
        eligible.map(none).collect()
    }

    /// Begins a reassignment to these replicas, the preferred leader first, or replaces the one under way (R95, R97).
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION` or `INVALID_REPLICA_ASSIGNMENT`, with a sentence for people.
    pub(super) fn reassign(&self, partition: Partition, target: &[BrokerId]) -> Result<Vec<MetadataRecord>, Refusal> {
        let before = self.known(partition)?;
        let refused = |why: String| Err((ErrorCode::InvalidReplicaAssignment, why));
        if target.is_empty() {
            return refused(format!("{partition} needs at least 1 replica"));
        }
        if target.iter().collect::<BTreeSet<_>>().len() != target.len() {
            return refused(format!("a broker is named twice among the replicas of {partition}"));
        }
        if let Some(unknown) = target.iter().find(|broker| !self.image.brokers.contains_key(broker)) {
            return refused(format!("{unknown} is not registered"));
        }
        let without = |list: &[BrokerId], others: &[BrokerId]| -> Vec<BrokerId> {
            list.iter().copied().filter(|broker| !others.contains(broker)).collect()
        };
        let removing = without(&before.replicas, target);
        let acceptable = |candidate| self.image.is_active(candidate);
        let change = Change {
            adding: without(target, &before.replicas),
            replicas: target.iter().chain(&removing).copied().collect(),
            removing,
            ..self.change(before, &acceptable)
        };
        Ok(change.build().into_iter().collect())
    }

    /// Takes the reassignment under way back (R97).
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`, `NO_REASSIGNMENT_IN_PROGRESS`, or `INVALID_REPLICA_ASSIGNMENT` if none of the replicas
    /// that would stay is in sync, and the topic allows no unclean election; with a sentence for people.
    pub(super) fn cancel_reassignment(&self, partition: Partition) -> Result<Vec<MetadataRecord>, Refusal> {
        let before = self.known(partition)?;
        if before.adding.is_empty() && before.removing.is_empty() {
            let why = format!("{partition} is not being reassigned");
            return Err((ErrorCode::NoReassignmentInProgress, why));
        }
        let acceptable = |candidate| self.image.is_active(candidate);
        let mut change = self.change(before, &acceptable);
        change.replicas.retain(|replica| !before.adding.contains(replica));
        change.isr.retain(|member| !before.adding.contains(member));
        (change.adding, change.removing) = (Vec::new(), Vec::new());
        if change.isr.is_empty() && !before.isr.is_empty() && !self.allows_unclean_election(partition) {
            let why = format!("none of the replicas that {partition} would be left with is in sync");
            return Err((ErrorCode::InvalidReplicaAssignment, why));
        }
        Ok(change.build().into_iter().collect())
    }

    /// What follows when the broker is unfenced: partitions without a leader try again (R92).
    pub(super) fn with(&self, broker: BrokerId) -> Vec<MetadataRecord> {
        let acceptable = |candidate| candidate == broker || self.image.is_active(candidate);
        self.leaderless().filter_map(|before| self.change(before, &acceptable).build()).collect()
    }

    /// Elects leaders for up to `limit` partitions that have none and whose topic would rather lose records than be
    /// unavailable (R94).
    pub(super) fn elect_uncleanly(&self, limit: usize) -> Vec<MetadataRecord> {
        let acceptable = |candidate| self.image.is_active(candidate);
        let unclean = self.leaderless().filter(|before| self.allows_unclean_election(before.partition));
        unclean.filter_map(|before| self.change(before, &acceptable).build()).take(limit).collect()
    }

    /// Gives up to `limit` partitions back to their preferred leaders, where those are in sync (R78, R94).
    pub(super) fn balance(&self, limit: usize) -> Vec<MetadataRecord> {
        let acceptable = |candidate| self.image.is_active(candidate);
        let elsewhere =
            self.image.partitions.values().filter(|before| before.leader != before.replicas.first().copied());
        elsewhere
            .filter_map(|before| {
                let change = self.change(before, &acceptable);
                Change { choice: Choice::Preferred, ..change }.build()
            })
            .take(limit)
            .collect()
    }

    /// Elects on request: the preferred leader, or whoever is there where nobody leads (R94).
    ///
    /// # Errors
    /// `ELECTION_NOT_NEEDED`, `PREFERRED_LEADER_NOT_AVAILABLE`, `ELIGIBLE_LEADERS_NOT_AVAILABLE` or
    /// `UNKNOWN_TOPIC_OR_PARTITION`, with a sentence for people.
    pub(super) fn elect_on_request(
        &self,
        topic: TopicId,
        index: u32,
        unclean: bool,
    ) -> Result<Vec<MetadataRecord>, Refusal> {
        let partition = Partition { topic, index };
        let before = self.known(partition)?;
        let preferred = before.replicas.first().copied();
        let is_needed = if unclean { before.leader.is_none() } else { before.leader != preferred };
        if !is_needed {
            return Err((ErrorCode::ElectionNotNeeded, format!("{partition} has the leader that it should have")));
        }
        let acceptable = |candidate| self.image.is_active(candidate);
        let choice = if unclean { Choice::OnlineOrUnclean } else { Choice::Preferred };
        let record = Change { choice, ..self.change(before, &acceptable) }.build();
        let elected = match &record {
            Some(MetadataRecord::PartitionChange(change)) => change.leader.flatten(),
            _ => None,
        };
        match (record, elected) {
            (Some(record), Some(elected)) if unclean || Some(elected) == preferred => Ok(vec![record]),
            _ if unclean => Err((ErrorCode::EligibleLeadersNotAvailable, format!("nobody can lead {partition}"))),
            _ => Err((
                ErrorCode::PreferredLeaderNotAvailable,
                format!("the preferred leader of {partition} is not in sync, or not there"),
            )),
        }
    }

    /// Judges a leader's proposals (R71, R72).
    ///
    /// # Errors
    /// `STALE_BROKER_EPOCH` for the request as a whole, if it is not from the process that is registered.
    pub(super) fn alter(&self, request: &AlterPartitionRequest) -> Result<Altered, ErrorCode> {
        let sender = self.image.brokers.get(&request.broker);
        if sender.is_none_or(|registered| registered.epoch != request.broker_epoch) {
            return Err(ErrorCode::StaleBrokerEpoch);
        }
        let mut altered = Altered { records: Vec::new(), results: Vec::with_capacity(request.partitions.len()) };
        let mut seen = BTreeSet::new();
        for item in &request.partitions {
            // Both would build on the same partition epoch, and one of them would be answered with what never was.
            let result = if seen.insert(item.partition) {
                self.alter_one(request.broker, item, &mut altered.records)
            } else {
                Err(ErrorCode::InvalidRequest)
            };
            altered.results.push(AlterPartitionResult { partition: item.partition, result });
        }
        Ok(altered)
    }

    fn alter_one(
        &self,
        sender: BrokerId,
        item: &AlterPartitionItem,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<PartitionChangeAccepted, ErrorCode> {
        let before = self.validate(sender, item)?;
        let acceptable = |candidate| self.image.is_active(candidate);
        let isr = item.new_isr.iter().map(|member| member.id).collect();
        let change = self.change(before, &acceptable);
        let record = Change { isr, recovery_state: item.recovery_state, ..change }.build();
        let mut after = before.clone();
        if let Some(MetadataRecord::PartitionChange(change)) = &record {
            after.merge(change);
        }
        records.extend(record);
        if after.leader != Some(sender) {
            return Err(ErrorCode::NewLeaderElected);
        }
        Ok(PartitionChangeAccepted {
            leader: after.leader,
            leader_epoch: after.leader_epoch,
            isr: after.isr,
            recovery_state: after.recovery_state,
            partition_epoch: after.partition_epoch,
        })
    }

    /// R71, in its order. Returns the partition as it is.
    fn validate(&self, sender: BrokerId, item: &AlterPartitionItem) -> Result<&PartitionRegistration, ErrorCode> {
        if !self.image.topics.contains_key(&item.partition.topic) {
            return Err(ErrorCode::UnknownTopicId);
        }
        let before = self.image.partitions.get(&item.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if item.leader_epoch > before.leader_epoch || item.partition_epoch > before.partition_epoch {
            return Err(ErrorCode::NotController);
        }
        if item.leader_epoch < before.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if before.leader != Some(sender) {
            return Err(ErrorCode::InvalidRequest);
        }
        if !self.protocol.proposals.builds_on(item.partition_epoch, before.partition_epoch) {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let members: BTreeSet<BrokerId> = item.new_isr.iter().map(|member| member.id).collect();
        let is_a_set = members.len() == item.new_isr.len();
        if members.is_empty() || !is_a_set || !members.iter().all(|member| before.replicas.contains(member)) {
            return Err(ErrorCode::InvalidRequest);
        }
        if !members.contains(&sender) {
            return Err(ErrorCode::InvalidRequest);
        }
        let recovering = item.recovery_state == RecoveryState::Recovering;
        if recovering && (members.len() > 1 || before.recovery_state == RecoveryState::Recovered) {
            return Err(ErrorCode::InvalidRequest);
        }
        if !item.new_isr.iter().all(|member| self.is_eligible(member)) {
            return Err(ErrorCode::IneligibleReplica);
        }
        Ok(before)
    }

    /// Whether a proposed member may be in an ISR: alive, staying, and still the process that the leader saw (R71).
    fn is_eligible(&self, member: &IsrMember) -> bool {
        let same_process = |epoch| self.protocol.proposals.is_same_process(member.epoch, epoch);
        let registered = self.image.brokers.get(&member.id);
        let may_be_inactive = !self.protocol.proposals.wants_active_members();
        registered.is_some_and(|broker| (broker.is_active() || may_be_inactive) && same_process(broker.epoch))
    }

    fn leaderless(&self) -> impl Iterator<Item = &PartitionRegistration> {
        self.image.partitions.values().filter(|registration| registration.leader.is_none())
    }

    fn allows_unclean_election(&self, partition: Partition) -> bool {
        let topic = self.image.topics.get(&partition.topic);
        topic.is_some_and(|topic| topic.config.effective(self.defaults).unclean_leader_election_enable)
    }

    fn known(&self, partition: Partition) -> Result<&PartitionRegistration, Refusal> {
        let unknown = || (ErrorCode::UnknownTopicOrPartition, format!("there is no partition {partition}"));
        self.image.partitions.get(&partition).ok_or_else(unknown)
    }

    /// A change that changes nothing yet but the leader, should the present one not be acceptable.
    fn change<'b>(&self, before: &'b PartitionRegistration, acceptable: &'b dyn Fn(BrokerId) -> bool) -> Change<'b> {
        let topic = self.image.topics.get(&before.partition.topic);
        let config = topic.map(|topic| topic.config.effective(self.defaults));
        let unclean_allowed = config.as_ref().is_some_and(|config| config.unclean_leader_election_enable);
        Change {
            before,
            acceptable,
            protocol: self.protocol,
            min_insync_replicas: config.map_or(1, |config| config.min_insync_replicas),
            isr: before.isr.clone(),
            distrusted: None,
            replicas: before.replicas.clone(),
            adding: before.adding.clone(),
            removing: before.removing.clone(),
            recovery_state: before.recovery_state,
            choice: if unclean_allowed { Choice::OnlineOrUnclean } else { Choice::Online },
        }
    }
}
