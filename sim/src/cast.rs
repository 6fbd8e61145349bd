//! Who plays which part, as the trace says: folded from facts only.
//!
//! Who leads and who is in sync is what the committed metadata records say, the only truth about it (R1). This file
//! holds no handle to a world and never asks a machine.

use std::collections::{BTreeMap, BTreeSet};

use model::event::{Event, Value};
use model::metadata::{Image, MetadataRecord, PartitionChange, PartitionRegistration};
use model::names::{BrokerId, EndOffset, LeaderEpoch, Node, Offset, Partition, TopicId};

use xxhash_rust::xxh3::xxh3_64;

use crate::fact::{Ending, Fact, What};

/// The cast of a run, up to the last fact.
#[derive(Clone, Debug, Default)]
pub struct Cast {
    image: Image,
    partitions: Vec<Partition>,
    replicas: BTreeMap<(Partition, BrokerId), Stand>,
    up: BTreeSet<Node>,
    destroyed: BTreeSet<Node>,
    undecided: BTreeMap<Value, Node>,
    created: BTreeSet<String>,
    refused: BTreeMap<String, String>,
    assigned: BTreeSet<Node>,
    controller: Option<(Node, LeaderEpoch)>,
    /// What each record of the metadata log said when it was first told.
    told: Vec<u64>,
}

/// What one replica last said about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// What it does.
    pub role: Role,
    /// Its log end offset.
    pub end: EndOffset,
    /// Its high watermark.
    pub high_watermark: EndOffset,
}

/// What a replica does, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing yet in this process.
    Idle,
    /// It leads in this epoch.
    Leads(LeaderEpoch),
    /// It follows in this epoch.
    Follows(LeaderEpoch),
}

/// What the last fact changed in the roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// A partition's committed ISR lost a member: the first of them.
    pub left: Option<BrokerId>,
    /// A partition's committed ISR gained a member: the first of them.
    pub joined: Option<BrokerId>,
    /// A partition has another leader now, or none.
    pub leader_changed: bool,
    /// The other leader, if there is one.
    pub leader: Option<BrokerId>,
}

impl Cast {
    /// Takes in the next fact, and says what it changed.
    pub fn see(&mut self, fact: &Fact) -> Turn {
        match (&fact.what, fact.node) {
            (What::Noted(event), Some(node)) => return self.see_event(node, event),
            (What::Started { .. }, Some(node)) => {
                self.up.insert(node);
            }
            (What::Stopped { how }, Some(node)) => self.see_stop(node, *how),
            _ => {}
        }
        Turn::default()
    }

    /// What the metadata log adds up to, so far.
    #[must_use]
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// Who was the last to become the active controller, and in which epoch: in ZooKeeper mode a broker.
    #[must_use]
    pub fn controller(&self) -> Option<(Node, LeaderEpoch)> {
        self.controller
    }

    /// Whether it was told before that this record is committed there: a controller that takes over cannot know what the
    /// one before it has said.
    #[must_use]
    pub fn was_told(&self, offset: Offset, record: &MetadataRecord) -> bool {
        let told = usize::try_from(offset.0).ok().and_then(|place| self.told.get(place));
        told.is_some_and(|told| *told == name_of(record))
    }

    /// All partitions, in order of creation.
    #[must_use]
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The nth partition, in order of creation, from 0.
    #[must_use]
    pub fn partition(&self, nth: u32) -> Option<Partition> {
        self.partitions.get(nth as usize).copied()
    }

    /// The topics with their names, in order of creation.
    pub fn topics(&self) -> impl Iterator<Item = (TopicId, &str)> {
        self.image.topics.iter().map(|(id, topic)| (*id, topic.name.as_str()))
    }

    /// Who leads the partition.
    #[must_use]
    pub fn leader(&self, partition: Partition) -> Option<BrokerId> {
        self.registration(partition)?.leader
    }

    /// The in-sync replicas of the partition.
    #[must_use]
    pub fn isr(&self, partition: Partition) -> &[BrokerId] {
        self.registration(partition).map_or(&[], |registration| &registration.isr)
    }

    /// The assigned replicas of the partition, the preferred leader first.
    #[must_use]
    pub fn replicas(&self, partition: Partition) -> &[BrokerId] {
        self.registration(partition).map_or(&[], |registration| &registration.replicas)
    }

    /// The replicas of the partition that do not lead it, in order of assignment.
    #[must_use]
    pub fn followers(&self, partition: Partition) -> Vec<BrokerId> {
        let leader = self.leader(partition);
        self.replicas(partition).iter().copied().filter(|replica| Some(*replica) != leader).collect()
    }

    /// All that the controller has committed about the partition.
    #[must_use]
    pub fn registration(&self, partition: Partition) -> Option<&PartitionRegistration> {
        self.image.partitions.get(&partition)
    }

    /// What the broker's replica of the partition last said about itself.
    #[must_use]
    pub fn stand(&self, partition: Partition, broker: BrokerId) -> Option<Stand> {
        self.replicas.get(&(partition, broker)).copied()
    }

    /// Whether a process runs on this node.
    #[must_use]
    pub fn is_up(&self, node: impl Into<Node>) -> bool {
        self.up.contains(&node.into())
    }

    /// Whether the node is gone for good.
    #[must_use]
    pub fn is_destroyed(&self, node: impl Into<Node>) -> bool {
        self.destroyed.contains(&node.into())
    }

    /// How many records were handed to a producer that still runs and are neither acknowledged nor failed.
    #[must_use]
    pub fn undecided(&self) -> usize {
        self.undecided.len()
    }

    /// Whether this record is neither acknowledged nor failed.
    #[must_use]
    pub fn is_undecided(&self, value: Value) -> bool {
        self.undecided.contains_key(&value)
    }

    /// Whether an admin client has seen the topic created, with leaders.
    #[must_use]
    pub fn is_created(&self, topic: &str) -> bool {
        self.created.contains(topic)
    }

    /// Why the topic was refused, if it was.
    #[must_use]
    pub fn refusal(&self, topic: &str) -> Option<&str> {
        self.refused.get(topic).map(String::as_str)
    }

    /// Whether the consumer process has partitions assigned.
    #[must_use]
    pub fn is_assigned(&self, node: impl Into<Node>) -> bool {
        self.assigned.contains(&node.into())
    }

    /// Whether every replica of the partition that can be there is in sync, has taken up its role in the current
    /// epoch, has the whole log, and the leader's high watermark is at its end. `Err` says what is missing.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn settled(&self, partition: Partition) -> Result<(), String> {
        let Some(registration) = self.registration(partition) else {
            return Err(format!("{partition} is not known"));
        };
        let alive: Vec<BrokerId> =
            registration.replicas.iter().copied().filter(|replica| !self.is_destroyed(*replica)).collect();
        let Some(leader) = registration.leader else {
            let lost = registration.isr.iter().all(|member| self.is_destroyed(*member));
            return if lost { Ok(()) } else { Err(format!("{partition} has no leader")) };
        };
        if let Some(missing) = alive.iter().find(|replica| !registration.isr.contains(replica)) {
            return Err(format!("{missing} is not in the ISR of {partition}"));
        }
        if let Some(gone) = registration.isr.iter().find(|member| self.is_destroyed(**member)) {
            return Err(format!("{gone} is gone for good and still in the ISR of {partition}"));
        }
        let Some(end) = self.stand(partition, leader).map(|stand| stand.end) else {
            return Err(format!("{leader} has not said anything about {partition}"));
        };
        for replica in alive {
            let Some(stand) = self.stand(partition, replica) else {
                return Err(format!("{replica} has not said anything about {partition}"));
            };
            let expected = if replica == leader {
                Role::Leads(registration.leader_epoch)
            } else {
                Role::Follows(registration.leader_epoch)
            };
            if stand.role != expected {
                return Err(format!("{replica} has not taken up its role for {partition}"));
            }
            if stand.end != end {
                return Err(format!("{replica} has {partition} up to {}, the leader up to {end}", stand.end));
            }
            if replica == leader && stand.high_watermark != end {
                return Err(format!("the high watermark of {partition} is {}, not {end}", stand.high_watermark));
            }
        }
        Ok(())
    }

    fn see_stop(&mut self, node: Node, how: Ending) {
        self.up.remove(&node);
        self.assigned.remove(&node);
        if how == Ending::Destroyed {
            self.destroyed.insert(node);
        }
        if node.is_client() {
            self.undecided.retain(|_, producer| *producer != node);
        }
        if let Some(broker) = node.broker() {
            for ((_, replica), stand) in &mut self.replicas {
                if *replica == broker {
                    stand.role = Role::Idle;
                }
            }
        }
    }

    fn see_event(&mut self, node: Node, event: &Event) -> Turn {
        match event {
            // A controller that died in the step in which it committed tells its last records once more.
            Event::Committed { offset, .. } if self.image.end.covers(*offset) => {}
            Event::ControllerLed { epoch } => {
                if self.controller.is_none_or(|(_, known)| *epoch > known) {
                    self.controller = Some((node, *epoch));
                }
            }
            Event::Committed { offset, record } => {
                let turn = self.turn(record);
                if let Ok(place) = usize::try_from(offset.0) {
                    self.told.resize(place, 0);
                    self.told.push(name_of(record));
                }
                self.image.apply(*offset, record);
                match record {
                    MetadataRecord::Partition(registration) => self.partitions.push(registration.partition),
                    MetadataRecord::RemoveTopic { id } => self.partitions.retain(|partition| partition.topic != *id),
                    _ => {}
                }
                return turn;
            }
            Event::SendCalled { value, .. } => {
                self.undecided.insert(*value, node);
            }
            Event::Acked { values, .. } | Event::SendFailed { values, .. } => {
                for value in values {
                    self.undecided.remove(value);
                }
            }
            Event::TopicCreated { name, .. } => {
                self.created.insert(name.clone());
            }
            Event::TopicRefused { name, error, message } => {
                self.refused.insert(name.clone(), format!("{}: {message}", error.name()));
            }
            Event::Assigned { .. } => {
                self.assigned.insert(node);
            }
            _ => {
                if let Some(broker) = node.broker() {
                    self.see_replica(broker, event);
                }
            }
        }
        Turn::default()
    }

    /// What a committed record is about to change.
    #[must_use]
    pub fn turn(&self, record: &MetadataRecord) -> Turn {
        let MetadataRecord::PartitionChange(PartitionChange { partition, leader, isr, .. }) = record else {
            return Turn::default();
        };
        let Some(before) = self.registration(*partition) else {
            return Turn::default();
        };
        let other = leader.filter(|leader| *leader != before.leader);
        Turn {
            left: isr.as_ref().and_then(|isr| before.isr.iter().copied().find(|member| !isr.contains(member))),
            joined: isr.as_ref().and_then(|isr| isr.iter().copied().find(|member| !before.isr.contains(member))),
            leader_changed: other.is_some(),
            leader: other.flatten(),
        }
    }

    fn see_replica(&mut self, broker: BrokerId, event: &Event) {
        match event {
            Event::Opened { partition, end, high_watermark, .. } => {
                let stand = Stand { role: Role::Idle, end: *end, high_watermark: *high_watermark };
                self.replicas.insert((*partition, broker), stand);
            }
            Event::AppendedAsLeader { partition, batch, .. } | Event::AppendedAsFollower { partition, batch, .. } => {
                self.of(*partition, broker).end = batch.end();
            }
            Event::Truncated { partition, end, .. } => self.of(*partition, broker).end = *end,
            Event::Restarted { partition, start, .. } => self.of(*partition, broker).end = *start,
            Event::Led { partition, epoch, start, high_watermark, .. } => {
                let stand = Stand { role: Role::Leads(*epoch), end: *start, high_watermark: *high_watermark };
                *self.of(*partition, broker) = stand;
            }
            Event::Followed { partition, epoch, end, .. } => {
                let stand = self.of(*partition, broker);
                stand.role = Role::Follows(*epoch);
                stand.end = *end;
            }
            Event::HighWatermark { partition, at, .. } => self.of(*partition, broker).high_watermark = *at,
            _ => {}
        }
    }

    fn of(&mut self, partition: Partition, broker: BrokerId) -> &mut Stand {
        let nothing = Stand { role: Role::Idle, end: EndOffset::ZERO, high_watermark: EndOffset::ZERO };
        self.replicas.entry((partition, broker)).or_insert(nothing)
    }
}

/// A number that another record does not have.
fn name_of(record: &MetadataRecord) -> u64 {
    xxh3_64(&record.encode())
}

#[cfg(test)]
mod tests {
    use model::metadata::RecoveryState;
    use model::names::{ClientId, PartitionEpoch};

    use super::*;
    use crate::fact::Moment;

    const T: Partition = Partition { topic: TopicId(7), index: 0 };

    fn told(cast: &mut Cast, node: impl Into<Node>, event: Event) -> Turn {
        cast.see(&Fact { number: 0, at: Moment::ZERO, node: Some(node.into()), what: What::Noted(event) })
    }

    fn committed(cast: &mut Cast, offset: u64, record: MetadataRecord) -> Turn {
        told(cast, model::names::ControllerId(1), Event::Committed { offset: Offset(offset), record })
    }

    fn changed(leader: Option<Option<u32>>, isr: &[u32]) -> MetadataRecord {
        let leader = leader.map(|leader| leader.map(BrokerId));
        let isr = Some(isr.iter().copied().map(BrokerId).collect());
        MetadataRecord::PartitionChange(PartitionChange { leader, isr, ..PartitionChange::of(T) })
    }

    fn created() -> Cast {
        let mut cast = Cast::default();
        let replicas: Vec<BrokerId> = (1..=3).map(BrokerId).collect();
        let registration = PartitionRegistration {
            partition: T,
            replicas: replicas.clone(),
            isr: replicas,
            leader: Some(BrokerId(1)),
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
            recovery_state: RecoveryState::Recovered,
            adding: Vec::new(),
            removing: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
        };
        committed(&mut cast, 8, MetadataRecord::Partition(registration));
        cast
    }

    #[test]
    fn roles_are_what_was_committed_last() {
        let mut cast = created();
        assert_eq!((cast.leader(T), cast.followers(T)), (Some(BrokerId(1)), vec![BrokerId(2), BrokerId(3)]));
        let shrunk = committed(&mut cast, 9, changed(None, &[1, 3]));
        assert_eq!(shrunk, Turn { left: Some(BrokerId(2)), ..Turn::default() });
        let turn = committed(&mut cast, 10, changed(Some(Some(3)), &[3]));
        let (left, leader) = (Some(BrokerId(1)), Some(BrokerId(3)));
        assert_eq!(turn, Turn { left, leader_changed: true, leader, ..Turn::default() });
        let grew = committed(&mut cast, 11, changed(None, &[3, 2]));
        assert_eq!(grew, Turn { joined: Some(BrokerId(2)), ..Turn::default() });
        assert_eq!((cast.leader(T), cast.isr(T)), (Some(BrokerId(3)), &[BrokerId(3), BrokerId(2)][..]));
        assert_eq!(cast.partition(0), Some(T));
    }

    #[test]
    fn records_are_undecided_until_their_producer_knows_or_dies() {
        let mut cast = Cast::default();
        for value in 1..=3 {
            let event = Event::SendCalled { topic: "t".into(), partition: None, key: None, value: Value(value) };
            told(&mut cast, ClientId(1), event);
        }
        let failed = Event::SendFailed {
            partition: None,
            values: vec![Value(2)],
            error: model::wire::ErrorCode::RequestTimedOut,
            definite: false,
        };
        told(&mut cast, ClientId(1), failed);
        assert_eq!((cast.undecided(), cast.is_undecided(Value(2))), (2, false));
        let what = What::Stopped { how: Ending::Crashed };
        cast.see(&Fact { number: 0, at: Moment::ZERO, node: Some(ClientId(1).into()), what });
        assert_eq!(cast.undecided(), 0);
    }

    #[test]
    fn a_partition_is_settled_when_everybody_who_is_left_has_everything() {
        let mut cast = created();
        assert!(cast.settled(T).is_err());
        for broker in 1..=3 {
            let event = if broker == 1 {
                Event::Led {
                    partition: T,
                    epoch: LeaderEpoch(0),
                    partition_epoch: PartitionEpoch(0),
                    start: EndOffset(0),
                    high_watermark: EndOffset(0),
                    isr: Vec::new(),
                }
            } else {
                Event::Followed {
                    partition: T,
                    epoch: LeaderEpoch(0),
                    partition_epoch: PartitionEpoch(0),
                    leader: Some(BrokerId(1)),
                    end: EndOffset(0),
                }
            };
            told(&mut cast, BrokerId(broker), event);
        }
        assert_eq!(cast.settled(T), Ok(()));
        cast.see(&Fact {
            number: 0,
            at: Moment::ZERO,
            node: Some(BrokerId(3).into()),
            what: What::Stopped { how: Ending::Destroyed },
        });
        assert!(cast.settled(T).unwrap_err().contains("gone for good"));
        committed(&mut cast, 9, changed(None, &[1, 2]));
        assert_eq!(cast.settled(T), Ok(()));
        let high_watermark =
            Event::HighWatermark { partition: T, epoch: LeaderEpoch(0), at: EndOffset(1), leads: true };
        told(&mut cast, BrokerId(1), high_watermark);
        assert!(cast.settled(T).unwrap_err().contains("high watermark"));
    }
}
