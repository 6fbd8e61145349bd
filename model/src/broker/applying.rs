//! Obeying what was decided: records into the image, the image into replicas (R8-R19).
//!
//! Within one change of the image all leaders come first, then all followers; each replica changes its role in one piece, the
//! set of them does not (R144). Does not know how the records came here.

use std::collections::BTreeSet;

use super::Process;
use super::step::Step;
use crate::event::Event;
use crate::log::{Loading, Log, LogConfig, LogFolder};
use crate::machine::{Stop, Task};
use crate::metadata::{MetadataRecord, PartitionRegistration};
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Partition};
use crate::replica::{Follower, Leader, Replica, Role};

impl Process {
    /// Applies everything that was fetched by now, as one change (C45).
    pub(super) fn apply_metadata(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let mut touched = BTreeSet::new();
        while let Some((offset, record)) = self.observer.next() {
            if let Some(partition) = partition_of(&record) {
                touched.insert(partition);
            }
            self.image.apply(offset, &record);
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
        }
        step.effects.note(Event::MetadataApplied { upto });
        self.obey(&touched, step)?;
        if self.lifecycle.wants_to_be_unfenced() {
            self.hasten_heartbeat(step);
        }
        Ok(())
    }

    /// Opens the log of every partition that the last life left here and that is still this broker's (L46-L56).
    fn open_logs(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let mine: Vec<Partition> = self
            .image
            .partitions
            .values()
            .filter(|registration| registration.replicas.contains(&self.own.id))
            .map(|registration| registration.partition)
            .collect();
        for partition in mine {
            let directory = self.image.directory(partition).unwrap_or_default();
            if self.folder.directories.get(&directory) == Some(&Some(partition.topic)) {
                let recovery_point = self.folder.recovery_points.get(&directory).copied().unwrap_or_default();
                let log_start = self.folder.log_starts.get(&directory).copied().unwrap_or_default();
                let loading = Loading { clean: self.folder.clean, recovery_point, log_start, now: step.now };
                self.open_log(partition, directory, loading, step)?;
            }
        }
        Ok(())
    }

    fn open_log(
        &mut self,
        partition: Partition,
        directory: String,
        loading: Loading,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let topic = self.topic_config(partition);
        let config = LogConfig {
            segment_bytes: topic.segment_bytes,
            flush_messages: topic.flush_messages,
            max_message_bytes: u32::try_from(topic.max_message_bytes).unwrap_or(u32::MAX),
            storage: self.own.protocol.storage,
            ..LogConfig::default()
        };
        let checkpointed = self.folder.high_watermarks.get(&directory).copied().unwrap_or_default();
        let (log, recovery) = Log::open(step.disk, &directory, config, loading)?;
        if recovery.epochs_cut {
            step.effects.later(Task::WriteEpochs { partition, latest: log.last_epoch() });
        }
        let replica = Replica::opened(partition, log, checkpointed);
        step.effects.note(Event::Opened {
            partition,
            start: replica.log.start(),
            end: replica.log.end(),
            high_watermark: replica.high_watermark,
            recovery_point: replica.log.recovery_point(),
            batches: replica.log.batches().collect(),
            epochs: replica.log.epochs().entries().to_vec(),
        });
        self.replicas.insert(partition, replica);
        Ok(())
    }

    /// Brings the replicas of the touched partitions in line with the image (R8).
    fn obey(&mut self, touched: &BTreeSet<Partition>, step: &mut Step<'_>) -> Result<(), Stop> {
        let mine: Vec<PartitionRegistration> = touched
            .iter()
            .filter_map(|partition| self.image.partitions.get(partition))
            .filter(|registration| registration.replicas.contains(&self.own.id))
            .cloned()
            .collect();
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

    /// Makes the log of a partition that is new here (R10, R15).
    fn host(&mut self, partition: Partition, step: &mut Step<'_>) -> Result<bool, Stop> {
        if self.replicas.contains_key(&partition) {
            return Ok(true);
        }
        let Some(directory) = self.image.directory(partition) else { return Ok(false) };
        if self.folder.directories.get(&directory).is_some_and(|owner| *owner != Some(partition.topic)) {
            // It was being made when the process ended, or it is that of another topic of the same name. Whatever is in
            // it is none of this partition's.
            crate::log::remove_directory(step.disk, &directory)?;
        }
        LogFolder::write_partition_metadata(
            step.disk,
            &directory,
            partition.topic,
            self.own.protocol.storage.replacing,
        )?;
        self.folder.high_watermarks.remove(&directory);
        self.open_log(partition, directory, Loading { clean: true, now: step.now, ..Loading::default() }, step)?;
        Ok(true)
    }

    /// Whether the registration is older than what this replica obeys (R9).
    fn is_behind(&self, registration: &PartitionRegistration) -> bool {
        let obeyed = self.replicas.get(&registration.partition).and_then(|replica| replica.partition_epoch);
        obeyed.is_some_and(|obeyed| registration.partition_epoch < obeyed)
    }

    /// Cuts a replica's log; the epoch file follows later (L37, L40), the recovery points at once (L33, L34).
    pub(super) fn truncate(&mut self, partition: Partition, cut: EndOffset, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(replica) = self.replicas.get_mut(&partition) else { return Ok(()) };
        let from = replica.log.end();
        replica.log.truncate_to(step.disk, cut, step.now)?;
        let end = replica.log.end();
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

fn partition_of(record: &MetadataRecord) -> Option<Partition> {
    match record {
        MetadataRecord::Partition(registration) => Some(registration.partition),
        MetadataRecord::PartitionChange { partition, .. } => Some(*partition),
        MetadataRecord::RegisterBroker { .. }
        | MetadataRecord::BrokerRegistrationChange { .. }
        | MetadataRecord::Topic { .. }
        | MetadataRecord::LeaderChange { .. }
        | MetadataRecord::NoOp => None,
    }
}
