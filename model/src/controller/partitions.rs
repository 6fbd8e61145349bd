//! Who leads, and who is in sync: every change of a partition is made here (R71-R79, R92-R94).
//!
//! Decisions only: from an image to the records that change it. It must not know the log in which they are written, who
//! asked, or what time it is; and who may lead, or which proposal is stale, is `protocol/`'s to say.

use std::collections::BTreeSet;

use crate::config::BrokerConfig;
use crate::metadata::{Image, MetadataRecord, PartitionChange, PartitionRegistration, RecoveryState};
use crate::names::{BrokerId, Partition, TopicId};
use crate::protocol::{Elected, Protocol};
use crate::wire::{
    AlterPartitionItem, AlterPartitionRequest, AlterPartitionResult, ErrorCode, IsrMember, PartitionChangeAccepted,
};

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
    /// The last member of an ISR stays in it, and then nobody leads (R92, R93).
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
    ) -> Result<Vec<MetadataRecord>, (ErrorCode, String)> {
        let partition = Partition { topic, index };
        let Some(before) = self.image.partitions.get(&partition) else {
            return Err((ErrorCode::UnknownTopicOrPartition, format!("there is no partition {partition}")));
        };
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
        registered.is_some_and(|broker| broker.is_active() && same_process(broker.epoch))
    }

    fn leaderless(&self) -> impl Iterator<Item = &PartitionRegistration> {
        self.image.partitions.values().filter(|registration| registration.leader.is_none())
    }

    fn allows_unclean_election(&self, partition: Partition) -> bool {
        let topic = self.image.topics.get(&partition.topic);
        topic.is_some_and(|topic| topic.config.effective(self.defaults).unclean_leader_election_enable)
    }

    /// A change that changes nothing yet but the leader, should the present one not be acceptable.
    fn change<'b>(&self, before: &'b PartitionRegistration, acceptable: &'b dyn Fn(BrokerId) -> bool) -> Change<'b> {
        let unclean_allowed = self.allows_unclean_election(before.partition);
        Change {
            before,
            acceptable,
            protocol: self.protocol,
            isr: before.isr.clone(),
            recovery_state: before.recovery_state,
            choice: if unclean_allowed { Choice::OnlineOrUnclean } else { Choice::Online },
        }
    }
}

/// A change of one partition in the making. Nothing else makes one (R75).
struct Change<'a> {
    before: &'a PartitionRegistration,
    /// Whether a replica could serve at all (R74).
    acceptable: &'a dyn Fn(BrokerId) -> bool,
    protocol: Protocol,
    /// The ISR to come; empty if its last member is to leave.
    isr: Vec<BrokerId>,
    recovery_state: RecoveryState,
    choice: Choice,
}

/// How a leader is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// The present one if possible, else another one that is in sync (R77).
    Online,
    /// The same, else one that is not in sync.
    OnlineOrUnclean,
    /// The preferred one if possible, else as [`Choice::Online`] (R78).
    Preferred,
}

impl Change<'_> {
    /// The record that makes the change; `None` if there is nothing to change (R75).
    fn build(mut self) -> Option<MetadataRecord> {
        let elected = self.elect();
        let leader = elected.map(|elected| elected.leader);
        let leader_changes = leader != self.before.leader;
        if let Some(Elected { leader, unclean: true }) = elected
            && leader_changes
        {
            // Whoever else was in sync may know more than the leader from now on (R79).
            self.isr = vec![leader];
            self.recovery_state = RecoveryState::Recovering;
        }
        // Without eligible leader replicas an ISR is never empty: its last member is the only one that is known to have
        // all that was committed (step 6, R83).
        let isr_changes = !self.isr.is_empty() && self.isr != self.before.isr;
        let recovery_changes = self.recovery_state != self.before.recovery_state;
        (leader_changes || isr_changes || recovery_changes).then(|| {
            MetadataRecord::PartitionChange(PartitionChange {
                leader: leader_changes.then_some(leader),
                isr: isr_changes.then_some(self.isr),
                recovery_state: recovery_changes.then_some(self.recovery_state),
                ..PartitionChange::of(self.before.partition)
            })
        })
    }

    fn elect(&self) -> Option<Elected> {
        let (present, preferred) = (self.before.leader, self.before.replicas.first().copied());
        match self.choice {
            Choice::Online => self.elect_favouring(present, false),
            Choice::OnlineOrUnclean => self.elect_favouring(present, true),
            Choice::Preferred => self
                .elect_favouring(preferred, false)
                .filter(|elected| Some(elected.leader) == preferred && !elected.unclean)
                .or_else(|| self.elect_favouring(present, false)),
        }
    }

    fn elect_favouring(&self, favourite: Option<BrokerId>, unclean_allowed: bool) -> Option<Elected> {
        let election = self.protocol.election;
        election.elect(favourite, &self.before.replicas, &self.isr, self.acceptable, unclean_allowed)
    }
}
