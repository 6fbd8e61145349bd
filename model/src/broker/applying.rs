//! Obeying what was decided: records into the image, the image into replicas (R8-R19).
//!
//! Within one change of the image all leaders come first, then all followers; each replica changes its role in one piece, the
//! set of them does not (R144). Does not know how the records came here.

use std::collections::BTreeSet;

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::machine::{Stop, Task};
use crate::metadata::{ConfigResource, Image, MetadataRecord, PartitionChange, PartitionRegistration};
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Partition, TopicId};
use crate::replica::{Follower, Leader, Role};

impl Process {
    /// Applies everything that was fetched by now, as one change (C45).
    pub(super) fn apply_metadata(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let mut touched = Touched::default();
        let mut changed = false;
        if let Some(image) = self.observer.next_snapshot() {
            touched.difference(&self.image, &image);
            changed = true;
            self.image = *image;
        }
        while let Some((offset, record)) = self.observer.next() {
            touched.record(&record, &self.image);
            changed |= record != MetadataRecord::NoOp;
            self.image.apply(offset, &record);
        }
        let Touched { partitions: mut touched, topics: configured, servers } = touched;
        if servers {
            self.own.config = self.image.broker_config(Some(self.own.id), &self.own.fixed);
            self.reconfigure_all();
        } else {
            self.reconfigure(&configured);
        }
        let upto = self.image.end;
        if !self.observer.has_published() {
            let Some(epoch) = self.lifecycle.epoch() else { return Ok(()) };
            if self.image.brokers.get(&self.own.id).is_none_or(|registered| registered.epoch != epoch) {
                return Ok(());
            }
            touched = self.image.partitions.keys().copied().collect();
            self.open_logs(step)?;
            self.observer.publish();
            changed = true;
            self.put_strays_aside(step)?;
            self.lower_recovery_points(step)?;
        }
        if changed {
            step.effects.note(Event::ImageChanged { checksum: self.image.checksum() });
        }
        step.effects.note(Event::MetadataApplied { upto });
        self.obey(&touched, step)?;
        if self.lifecycle.wants_to_be_unfenced() {
            self.hasten_heartbeat(step);
        }
        Ok(())
    }

    /// Brings the replicas of the touched partitions in line with the image (R8).
    fn obey(&mut self, touched: &BTreeSet<Partition>, step: &mut Step<'_>) -> Result<(), Stop> {
        // What was removed and added again within one change never left (R98).
        let gone: Vec<Partition> = touched.iter().copied().filter(|partition| !self.is_mine(*partition)).collect();
        self.remove_replicas(&gone, step)?;
        let mine: Vec<PartitionRegistration> = touched
            .iter()
            .filter_map(|partition| self.image.partitions.get(partition))
            .filter(|registration| registration.replicas.contains(&self.own.id))
            .cloned()
            .collect();
        self.take_roles(mine, step)
    }

    /// This broker is a replica of each of these.
    pub(super) fn take_roles(&mut self, mine: Vec<PartitionRegistration>, step: &mut Step<'_>) -> Result<(), Stop> {
        let (leading, following): (Vec<_>, Vec<_>) =
            mine.into_iter().partition(|registration| registration.leader == Some(self.own.id));
        for registration in leading {
            self.lead(&registration, step)?;
        }
        let mut deposed = Vec::new();
        for registration in following {
            if self.follow(&registration, step)? {
                deposed.push(registration.partition);
            }
        }
        // R17: only after the fetchers were started, and before any later change of the image.
        for partition in deposed {
            self.dismiss(partition, step);
        }
        Ok(())
    }

    /// Whether a replica of the partition is to be here.
    fn is_mine(&self, partition: Partition) -> bool {
        let registration = self.image.partitions.get(&partition);
        registration.is_some_and(|registration| registration.replicas.contains(&self.own.id))
    }

    /// R9-R13.
    fn lead(&mut self, registration: &PartitionRegistration, step: &mut Step<'_>) -> Result<(), Stop> {
        let partition = registration.partition;
        if !self.host(partition, step)? || self.is_behind(registration) {
            return Ok(());
        }
        self.stop_following(partition);
        let own = self.own.id;
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        let new_epoch = replica.leader_epoch.is_none_or(|epoch| registration.leader_epoch > epoch);
        let same_version = replica.partition_epoch == Some(registration.partition_epoch);
        if new_epoch {
            // R39: even an epoch in which nothing is ever written must be on record.
            replica.log.assign_epoch(step.disk, registration.leader_epoch)?;
        }
        let end = replica.log.end();
        if new_epoch {
            replica.high_watermark = self.own.protocol.watermark.on_leading(replica.high_watermark, end);
        }
        match &mut replica.role {
            Role::Leader(leader) if new_epoch => leader.begin_again(own, registration, end, step.now),
            // The answer to AlterPartition was here before the record. There is no news in it, and a proposal that builds
            // on this version may be under way by now: to forget it would let records be committed without a newcomer
            // that the controller may be about to count in (R9, R60).
            Role::Leader(_) if same_version => return Ok(()),
            Role::Leader(leader) => leader.learn(own, registration, step.now),
            Role::Idle | Role::Follower(_) => {
                replica.role = Role::Leader(Leader::begin(own, registration, end, step.now));
            }
        }
        replica.leader_epoch = Some(registration.leader_epoch);
        replica.partition_epoch = Some(registration.partition_epoch);
        if new_epoch {
            step.effects.note(Event::Led {
                partition,
                epoch: registration.leader_epoch,
                partition_epoch: registration.partition_epoch,
                start: end,
                high_watermark: replica.high_watermark,
                isr: registration.isr.clone(),
            });
        } else {
            self.note_isr(partition, step);
        }
        if self.try_high_watermark(partition, step) {
            step.effects.later(Task::Wake { partition, high_watermark_moved: true });
        }
        Ok(())
    }

    /// R9, R15-R18. `true` if this broker led until now.
    fn follow(&mut self, registration: &PartitionRegistration, step: &mut Step<'_>) -> Result<bool, Stop> {
        let partition = registration.partition;
        if !self.host(partition, step)? || self.is_behind(registration) {
            return Ok(false);
        }
        let let_go = self.is_let_go(registration);
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(false) };
        let was_leading = replica.leads();
        let new_epoch = replica.leader_epoch.is_none_or(|epoch| registration.leader_epoch > epoch);
        replica.role = Role::Follower(Follower { leader: registration.leader });
        replica.leader_epoch = Some(registration.leader_epoch);
        replica.partition_epoch = Some(registration.partition_epoch);
        if !new_epoch {
            if let_go {
                self.stop_following(partition);
            }
            return Ok(was_leading);
        }
        step.effects.note(Event::Followed {
            partition,
            epoch: registration.leader_epoch,
            partition_epoch: registration.partition_epoch,
            leader: registration.leader,
            end: replica.log.end(),
        });
        let high_watermark = replica.high_watermark;
        if let Some(cut) = self.own.protocol.truncation.on_following(high_watermark) {
            self.truncate(partition, cut, step)?;
        }
        self.stop_following(partition);
        // R16: without the leader's node in the image no fetcher is started, and only another epoch will start one. R18:
        // nor on the way out, where there is nothing to follow for.
        let known = registration.leader.filter(|leader| self.image.brokers.contains_key(leader));
        if let Some(leader) = known.filter(|_| !let_go) {
            self.start_following(partition, leader, registration.leader_epoch, step)?;
        }
        Ok(was_leading)
    }

    /// R18: in controlled shutdown, a partition without a leader or without this broker in its ISR is let go, in a new
    /// epoch or not. The log and its high watermark stay.
    fn is_let_go(&self, registration: &PartitionRegistration) -> bool {
        let nothing_to_follow_for = registration.leader.is_none() || !registration.isr.contains(&self.own.id);
        self.lifecycle.is_shutting_down() && nothing_to_follow_for
    }

    /// Whether the registration is older than what this replica obeys (R9).
    fn is_behind(&self, registration: &PartitionRegistration) -> bool {
        let obeyed = self.replicas.get(&registration.partition).and_then(|replica| replica.partition_epoch);
        obeyed.is_some_and(|obeyed| registration.partition_epoch < obeyed)
    }

    /// Cuts a replica's log; the epoch file follows later (L37, L40), the recovery points at once (L33, L34), and so does
    /// the place up to which it was cleaned if that was cut, too (L84).
    pub(super) fn truncate(&mut self, partition: Partition, cut: EndOffset, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        let (from, first_dirty) = (replica.log.end(), replica.log.first_dirty());
        replica.log.truncate_to(step.disk, cut, step.now)?;
        let end = replica.log.end();
        let cleaned_part_was_cut = replica.log.config().compact && replica.log.first_dirty() < first_dirty;
        let high_watermark_fell = replica.adopt_high_watermark(replica.high_watermark);
        let epoch = replica.epoch();
        let latest: Option<LeaderEpoch> = replica.log.last_epoch();
        let at = replica.high_watermark;
        if end < from {
            step.effects.note(Event::Truncated { partition, epoch, from, end });
        }
        if high_watermark_fell {
            step.effects.note(Event::HighWatermark { partition, epoch, at, leads: false });
        }
        if self.own.protocol.storage.trust.writes_epochs_at_once() {
            replica.log.write_epochs(step.disk)?;
        } else {
            step.effects.later(Task::WriteEpochs { partition, latest });
        }
        if end < from {
            self.write_recovery_points(step)?;
        }
        if cleaned_part_was_cut {
            self.write_cleaner_offsets(step)?;
        }
        Ok(())
    }

    /// States this leader's view of the ISR.
    pub(super) fn note_isr(&self, partition: Partition, step: &mut Step<'_>) {
        let Some(replica) = self.replicas.get(&partition) else { return };
        let Some(leader) = replica.leader() else { return };
        let required: Vec<BrokerId> = leader.isr.required(self.own.protocol.shrinking);
        step.effects.note(Event::IsrKnown {
            partition,
            epoch: replica.epoch(),
            partition_epoch: replica.partition_epoch.unwrap_or_default(),
            committed: leader.isr.committed().to_vec(),
            required,
            pending: leader.isr.is_pending(),
        });
    }
}

/// What a change of the image touches.
#[derive(Clone, Debug, Default)]
struct Touched {
    partitions: BTreeSet<Partition>,
    /// Topics whose properties are not what they were.
    topics: BTreeSet<TopicId>,
    /// Whether a property of brokers is not what it was.
    servers: bool,
}

impl Touched {
    /// Adds what a record touches of the image as it was before it.
    fn record(&mut self, record: &MetadataRecord, before: &Image) {
        self.partitions.extend(partition_of(record));
        match record {
            MetadataRecord::Topic { id, .. } | MetadataRecord::Config { resource: ConfigResource::Topic(id), .. } => {
                self.topics.insert(*id);
            }
            MetadataRecord::Config { resource: ConfigResource::Cluster | ConfigResource::Broker(_), .. } => {
                self.servers = true;
            }
            MetadataRecord::RemoveTopic { id } => {
                let of_topic = before.partitions.keys().filter(|partition| partition.topic == *id);
                self.partitions.extend(of_topic.copied());
            }
            _ => {}
        }
    }

    /// Adds what differs between two images.
    fn difference(&mut self, before: &Image, after: &Image) {
        let partitions = before.partitions.keys().chain(after.partitions.keys());
        let differs = |partition: &&Partition| before.partitions.get(partition) != after.partitions.get(partition);
        self.partitions.extend(partitions.filter(differs));
        let topics = after.topics.iter().filter(|(id, topic)| before.topics.get(id) != Some(topic));
        self.topics.extend(topics.map(|(id, _)| *id));
        self.servers |= before.configs != after.configs;
    }
}

fn partition_of(record: &MetadataRecord) -> Option<Partition> {
    match record {
        MetadataRecord::Partition(registration) => Some(registration.partition),
        MetadataRecord::PartitionChange(PartitionChange { partition, .. })
        | MetadataRecord::Assignment { partition, .. } => Some(*partition),
        MetadataRecord::RegisterBroker { .. }
        | MetadataRecord::BrokerRegistrationChange { .. }
        | MetadataRecord::Topic { .. }
        | MetadataRecord::RemoveTopic { .. }
        | MetadataRecord::Config { .. }
        | MetadataRecord::UnregisterBroker { .. }
        | MetadataRecord::LeaderChange { .. }
        | MetadataRecord::NoOp => None,
    }
}
