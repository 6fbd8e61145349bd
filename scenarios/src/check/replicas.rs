//! The cluster as the trace shows it: every broker's life, every partition, and what the controller has committed.
//!
//! The one reconstruction that all checks share. It demands nothing, and it sees nothing but facts.

use std::collections::{BTreeMap, BTreeSet};

use model::log::BatchId;
use model::metadata::{BrokerRegistration, MetadataRecord, PartitionChange, PartitionRegistration};
use model::names::{BrokerEpoch, BrokerId, ControllerId, EndOffset, LeaderEpoch, Node, Offset, Partition};
use model::wire::AdminRequest;
use sim::fact::{Ending, Moment};
use sim::fault::Fault;

use super::partition::{Canonical, ElectionView, EpochView, PartitionView};
use super::topics::TopicView;
use crate::promise::Promise;

/// The cluster.
#[derive(Clone, Debug)]
pub(crate) struct Replicas {
    /// What its settings promise.
    pub promise: Promise,
    /// In order of first sight. Checks name partitions by their place here.
    pub partitions: Vec<PartitionView>,
    /// By broker id.
    pub brokers: Vec<BrokerView>,
    /// Everything below is committed in the metadata log.
    pub metadata_end: EndOffset,
    /// Whether a majority of the controllers lost their disks, or their word is not known: then nothing that follows from it
    /// can be demanded (G15).
    pub metadata_lost: bool,
    /// When each partition's leader last appended, by place.
    pub grew_at: Vec<Moment>,
    /// Whether nobody can say any more how old a record is by its timestamp: a clock was wrong, or a client stood still.
    pub ages_doubtful: bool,
    /// All controllers that ever ran.
    controllers: BTreeSet<ControllerId>,
    /// Those that may have lost something that they had synced.
    forgetful: BTreeSet<ControllerId>,
    /// Those whose sync failed, so that the next power loss may take what they had.
    doubtful: BTreeSet<ControllerId>,
    pub(super) topics: Vec<TopicView>,
    /// Partitions of which somebody asked for another set of replicas, by topic and index.
    pub(super) reassigned: BTreeMap<(String, u32), u32>,
}

/// A broker.
#[derive(Clone, Debug, Default)]
pub(crate) struct BrokerView {
    /// Whether it ever ran.
    pub known: bool,
    /// Whether its process runs.
    pub up: bool,
    /// Whether it is gone for good.
    pub destroyed: bool,
    /// Whether its disk was ever replaced by an empty one.
    pub wiped: bool,
    /// Whether its power was ever lost.
    pub lost_power: bool,
    /// Whether a bit of its disk rots: nothing it has can be counted on.
    pub rotten: bool,
    /// Whether a sync failed, after which later ones that succeed prove nothing.
    pub syncs_in_vain: bool,
    /// Whether it was told to stop, in an orderly way, since it was started.
    pub told_to_stop: bool,
    /// Whether the process before may have stopped in an orderly way.
    pub stopped_orderly: bool,
    /// Whether the running process has said that it has read its disk. Before that it has changed nothing there, but perhaps
    /// taken the marker of an orderly stop away.
    pub has_read_disk: bool,
    /// Whether the process before died, or may have, in one of its disk calls: what else it did in that step it never said.
    pub died_in_call: bool,
    /// Whether the running process is to die in one of its disk calls.
    pub doomed: bool,
    /// What the controller committed about it.
    pub registration: Option<BrokerRegistration>,
    /// The broker epoch of the running process.
    pub epoch: Option<BrokerEpoch>,
    /// How far it has applied the metadata log.
    pub applied: EndOffset,
    /// When that moved last.
    pub applied_at: Moment,
}

/// What a committed record changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turn {
    /// The partition, by place.
    pub partition: Option<usize>,
    /// Its registration before; none if it is new.
    pub before: Option<PartitionRegistration>,
    /// A broker that is fenced from now on, or newly registered, which is the same.
    pub fenced: Option<BrokerId>,
    /// A broker that is no longer fenced.
    pub unfenced: Option<BrokerId>,
}

/// What appending as leader meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// As it should be.
    Here,
    /// Somebody else has acted as leader in this epoch.
    LedByOther(BrokerId),
    /// The epoch has records from there on already.
    Again(BatchId),
}

impl Replicas {
    pub(crate) fn new(promise: Promise) -> Self {
        Self {
            promise,
            partitions: Vec::new(),
            brokers: Vec::new(),
            metadata_end: EndOffset::ZERO,
            metadata_lost: false,
            controllers: BTreeSet::new(),
            forgetful: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            grew_at: Vec::new(),
            ages_doubtful: false,
            topics: Vec::new(),
            reassigned: BTreeMap::new(),
        }
    }

    /// The partition's place, made if it is new.
    pub(crate) fn place(&mut self, partition: Partition) -> usize {
        if let Some(place) = self.find(partition) {
            return place;
        }
        let topic = self.topic(partition.topic);
        let (promise, index) = (self.topics[topic].promise, partition.index as usize);
        let places = &mut self.topics[topic].places;
        if places.len() <= index {
            places.resize(index + 1, None);
        }
        let place = self.partitions.len();
        places[index] = u32::try_from(place).ok();
        self.grew_at.push(Moment::ZERO);
        self.partitions.push(PartitionView::new(partition, promise));
        place
    }

    /// The partition's place, if it was ever heard of.
    pub(crate) fn find(&self, partition: Partition) -> Option<usize> {
        let topic = self.topics.iter().find(|topic| topic.id == partition.topic)?;
        topic.places.get(partition.index as usize).copied().flatten().map(|place| place as usize)
    }

    /// The broker, made if it is new.
    pub(crate) fn broker(&mut self, id: BrokerId) -> &mut BrokerView {
        let slot = id.0 as usize;
        if self.brokers.len() <= slot {
            self.brokers.resize_with(slot + 1, BrokerView::default);
        }
        &mut self.brokers[slot]
    }

    /// The broker, if it ever ran.
    pub(crate) fn known_broker(&self, id: BrokerId) -> Option<&BrokerView> {
        self.brokers.get(id.0 as usize).filter(|broker| broker.known)
    }

    /// Whether the broker's process runs in the registration that the controller has committed.
    pub(crate) fn runs_registered(&self, id: BrokerId) -> bool {
        self.known_broker(id).is_some_and(|broker| {
            let registered = broker.registration.as_ref().map(|registration| registration.epoch);
            broker.up && broker.epoch.is_some() && broker.epoch == registered
        })
    }

    /// A process started.
    pub(crate) fn started(&mut self, id: BrokerId) {
        let broker = self.broker(id);
        (broker.known, broker.up, broker.epoch) = (true, true, None);
        // Whoever was told to stop and dies on the way may have left its marker, and never said so.
        let told_to_stop = std::mem::take(&mut broker.told_to_stop);
        let left_as_it_was = !std::mem::take(&mut broker.has_read_disk) && broker.stopped_orderly;
        broker.stopped_orderly = told_to_stop || left_as_it_was;
        broker.applied = EndOffset::ZERO;
    }

    /// A process is over.
    pub(crate) fn stopped(&mut self, id: BrokerId, how: Ending) {
        let broker = self.broker(id);
        broker.up = false;
        broker.epoch = None;
        broker.destroyed |= how == Ending::Destroyed;
        broker.lost_power |= how == Ending::PoweredOff;
        // An order to stop stays armed over the ends of processes.
        broker.died_in_call = broker.doomed || how == Ending::StorageFailed;
        for partition in &mut self.partitions {
            let uncut = partition.is_uncut(id);
            let led_by_other = partition.leader().is_some_and(|leader| leader != id);
            partition.replica(id).stop(uncut, led_by_other);
            if !self.promise.has_metadata_log {
                partition.may_have_gone(id);
            }
        }
        match how {
            Ending::Exited | Ending::Crashed => {}
            Ending::PoweredOff => self.wound(id, Wound::Power),
            Ending::StorageFailed => self.wound(id, Wound::Unsynced),
            Ending::Destroyed => self.wound(id, Wound::Disk),
        }
    }

    /// A fault struck `node`, which may have been down already.
    pub(crate) fn struck(&mut self, node: Option<Node>, fault: &Fault) {
        match fault {
            Fault::PowerOffAll => {
                let all = (0..self.brokers.len()).filter_map(|slot| u32::try_from(slot).ok().map(BrokerId));
                for id in all.filter(|id| node.is_none_or(|node| node == Node::Broker(*id))) {
                    self.wound(id, Wound::Power);
                }
            }
            Fault::PowerOff(_) => self.wound_node(node, Wound::Power),
            Fault::Wipe(_) | Fault::Destroy(_) => self.wound_node(node, Wound::Disk),
            Fault::Rot(..) => self.wound_node(node, Wound::Rot),
            Fault::Administer(AdminRequest::AlterPartitionReassignments { topic, partition, .. }) => {
                *self.reassigned.entry((topic.clone(), *partition)).or_default() += 1;
            }
            Fault::SyncError(_) => {
                if let Some(Node::Controller(id)) = node {
                    self.doubtful.insert(id);
                }
            }
            Fault::ClockSkew(..) | Fault::ClockDrift(..) | Fault::ClockJump(..) => self.ages_doubtful = true,
            Fault::Pause(..) => self.ages_doubtful |= node.is_none_or(Node::is_client),
            _ => {}
        }
        if let Some(id) = node.and_then(Node::broker) {
            let broker = self.broker(id);
            broker.destroyed |= matches!(fault, Fault::Destroy(_));
            broker.wiped |= matches!(fault, Fault::Wipe(_));
            broker.lost_power |= matches!(fault, Fault::PowerOff(_) | Fault::PowerOffAll);
            broker.syncs_in_vain |= matches!(fault, Fault::SyncError(_));
            broker.told_to_stop |= matches!(fault, Fault::Terminate(_));
            broker.doomed |= matches!(
                fault,
                Fault::CrashAtDiskCall(..) | Fault::PowerOffAtDiskCall(..) | Fault::StopAtDiskCall { .. }
            );
        }
    }

    /// A controller's process has begun.
    pub(crate) fn controller_started(&mut self, id: ControllerId) {
        self.controllers.insert(id);
    }

    /// A controller's process is over.
    pub(crate) fn controller_stopped(&mut self, id: ControllerId, how: Ending) {
        match how {
            Ending::Exited | Ending::Crashed | Ending::StorageFailed => {}
            Ending::PoweredOff if self.doubtful.contains(&id) => self.forgets(id),
            Ending::PoweredOff => {}
            Ending::Destroyed => self.forgets(id),
        }
    }

    /// All controllers that were ever started.
    pub(crate) fn voters(&self) -> impl Iterator<Item = ControllerId> + '_ {
        self.controllers.iter().copied()
    }

    /// What a majority has synced is on the disk of somebody as long as no majority has lost its own (G15).
    fn forgets(&mut self, id: ControllerId) {
        self.controllers.insert(id);
        self.forgetful.insert(id);
        self.metadata_lost |= 2 * self.forgetful.len() > self.controllers.len();
    }

    fn wound_node(&mut self, node: Option<Node>, wound: Wound) {
        match (node, wound) {
            (Some(Node::Broker(id)), wound) => self.wound(id, wound),
            (Some(Node::Controller(id)), Wound::Disk | Wound::Rot) => self.forgets(id),
            (Some(Node::Controller(id)), Wound::Power) if self.doubtful.contains(&id) => self.forgets(id),
            _ => {}
        }
    }

    fn wound(&mut self, id: BrokerId, wound: Wound) {
        let broker = self.broker(id);
        broker.rotten |= wound == Wound::Rot;
        let (rotten, in_vain) = (broker.rotten, broker.syncs_in_vain);
        for partition in &mut self.partitions {
            let replica = partition.replica(id);
            if !replica.known {
                continue;
            }
            replica.left.wiped |= wound == Wound::Disk;
            match wound {
                Wound::Disk | Wound::Rot => replica.wound(EndOffset::ZERO, false),
                Wound::Power | Wound::Unsynced if rotten => replica.wound(EndOffset::ZERO, false),
                Wound::Power | Wound::Unsynced if in_vain => replica.wound(EndOffset::ZERO, wound == Wound::Power),
                Wound::Power | Wound::Unsynced => replica.wound(replica.flushed, wound == Wound::Power),
            }
        }
    }

    /// A record of the metadata log is committed. A record that is known already changes nothing.
    pub(crate) fn commit(&mut self, offset: Offset, record: &MetadataRecord) -> Option<Turn> {
        if offset.bound() < self.metadata_end {
            return None;
        }
        // A record of which the trace does not tell: what the controller decided is not known any more.
        self.metadata_lost |= offset.bound() > self.metadata_end && self.metadata_end > EndOffset::ZERO;
        let mut turn = Turn::default();
        self.metadata_end = offset.end();
        match record {
            MetadataRecord::RegisterBroker { broker, incarnation, epoch } => {
                self.broker(*broker).registration = Some(BrokerRegistration {
                    incarnation: *incarnation,
                    epoch: *epoch,
                    fenced: true,
                    in_controlled_shutdown: false,
                });
                turn.fenced = Some(*broker);
            }
            MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown } => {
                let known = self.broker(*broker).registration.as_mut().filter(|known| known.epoch == *epoch);
                if let Some(registration) = known {
                    registration.fenced = fenced.unwrap_or(registration.fenced);
                    registration.in_controlled_shutdown = *in_controlled_shutdown;
                    turn.fenced = (*fenced == Some(true)).then_some(*broker);
                    turn.unfenced = (*fenced == Some(false)).then_some(*broker);
                }
            }
            MetadataRecord::Topic { name, id, config } => self.create(*id, name, config),
            MetadataRecord::Partition(registration) => {
                let place = self.place(registration.partition);
                turn.partition = Some(place);
                self.partitions[place].create(registration);
            }
            MetadataRecord::PartitionChange(change) => {
                let place = self.place(change.partition);
                turn.partition = Some(place);
                let view = &mut self.partitions[place];
                turn.before.clone_from(&view.registration);
                if let Some(registration) = view.registration.as_mut() {
                    registration.merge(change);
                }
                view.look_whether_all_came();
                if let (Some(before), Some(replicas)) = (&turn.before, &change.replicas) {
                    let gone = before.replicas.iter().filter(|replica| !replicas.contains(replica));
                    gone.for_each(|&broker| view.let_go(broker));
                }
                let goes_on = |leader: Option<BrokerId>, before: &PartitionRegistration| {
                    leader.is_some() && leader == before.leader && change.replicas.is_none()
                };
                if let (Some(leader), Some(before)) = (change.leader, &turn.before)
                    && goes_on(leader, before)
                {
                    self.partitions[place].goes_on(leader);
                } else if let (Some(leader), Some(before)) = (change.leader, &turn.before) {
                    let by_last_known = self.nobody_else_is_known(before);
                    let electorate = electorate(before, change, by_last_known);
                    self.partitions[place].elected(leader, &electorate, by_last_known);
                }
            }
            MetadataRecord::Assignment { partition, replicas, adding, removing } => {
                let place = self.place(*partition);
                turn.partition = Some(place);
                let view = &mut self.partitions[place];
                turn.before.clone_from(&view.registration);
                view.assign(replicas, adding, removing);
            }
            MetadataRecord::RemoveTopic { id } => self.remove(*id),
            MetadataRecord::Config { resource, name, value } => self.configure(*resource, name, value.as_deref()),
            MetadataRecord::UnregisterBroker { broker, epoch } => {
                let registration = &mut self.broker(*broker).registration;
                if registration.as_ref().is_some_and(|known| known.epoch == *epoch) {
                    *registration = None;
                }
            }
            MetadataRecord::LeaderChange { .. } | MetadataRecord::NoOp => {}
        }
        Some(turn)
    }

    /// Whether the last leader known is all there is to elect (R82). Who is eligible and not there may be found out, in the same
    /// batch, to have stopped uncleanly; who is eligible and there would have been elected before.
    fn nobody_else_is_known(&self, before: &PartitionRegistration) -> bool {
        let is_there = |id: &BrokerId| {
            let registration = self.brokers.get(id.0 as usize).and_then(|broker| broker.registration.as_ref());
            registration.is_some_and(BrokerRegistration::is_active)
        };
        before.isr.is_empty() && before.last_known_elr.len() == 1 && !before.elr.iter().any(is_there)
    }
}

/// Who may be elected by this change: whoever was in sync, whom a leader has just brought in, those that were eligible when
/// nobody is in sync any more, and the last leader known when there are none of those either (R79, R82, R95).
fn electorate(before: &PartitionRegistration, change: &PartitionChange, by_last_known: bool) -> Vec<BrokerId> {
    let mut electorate = before.isr.clone();
    // An election out of the eligible shows as an ISR of one that was eligible before.
    if matches!(change.isr.as_deref(), Some([only]) if before.elr.contains(only)) {
        electorate.extend(&before.elr);
    }
    if by_last_known {
        electorate.extend(&before.last_known_elr);
    }
    // Only a reassignment that ends lets a newcomer lead at once: without it who has just joined leaves the leader as it is.
    if change.replicas.is_some() {
        electorate.extend(change.isr.iter().flatten().filter(|member| !before.isr.contains(member)));
    }
    electorate
}

/// What may have happened to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wound {
    /// What was not synced may be gone.
    Power,
    /// The same, but by an error of the disk.
    Unsynced,
    /// Everything is gone.
    Disk,
    /// Anything may be wrong, for ever.
    Rot,
}

impl PartitionView {
    fn create(&mut self, registration: &PartitionRegistration) {
        self.named.push((registration.leader_epoch, registration.leader));
        self.election = ElectionView {
            epoch: registration.leader_epoch,
            electorate: registration.isr.clone(),
            unclean: false,
            by_last_known: false,
            taken_up: false,
        };
        self.registration = Some(registration.clone());
    }

    /// It is no replica any more, and deletes its log once it hears of that (R98). If it leads, it leads on until then, and may
    /// commit what all the others have, who may not have heard of it either (R45): its word counts for so long.
    pub(super) fn let_go(&mut self, broker: BrokerId) {
        let replica = self.replica(broker);
        let leads_on = replica.leader().is_some() && !replica.distrusted;
        replica.wound(EndOffset::ZERO, false);
        replica.left.wiped = true;
        replica.distrusted = !leads_on;
    }

    /// ZooKeeper mode: whatever a controller writes begins another epoch (C65). If the leader is the same, nobody was elected.
    fn goes_on(&mut self, leader: Option<BrokerId>) {
        let Some(epoch) = self.epoch() else { return };
        self.named.push((epoch, leader));
        self.election.epoch = epoch;
    }

    fn elected(&mut self, leader: Option<BrokerId>, electorate: &[BrokerId], by_last_known: bool) {
        let Some(epoch) = self.epoch() else { return };
        self.named.push((epoch, leader));
        if let Some(leader) = leader {
            // An unclean election whose winner never came to lead makes the next one as unclean, out of whatever ISR.
            let still = self.election.unclean && !self.election.taken_up;
            let by_last_known = by_last_known && electorate.contains(&leader);
            let unclean = still || by_last_known || !electorate.contains(&leader);
            if unclean {
                self.unclean_epoch = Some(epoch);
            }
            self.election =
                ElectionView { epoch, electorate: electorate.to_vec(), unclean, by_last_known, taken_up: false };
        }
    }

    /// This broker acts as leader in the epoch. Answers who else has, if somebody has.
    pub(crate) fn acts_as_leader(&mut self, broker: BrokerId, epoch: LeaderEpoch) -> Option<BrokerId> {
        if let Some(view) = self.epoch_mut(epoch) {
            return Some(view.leader).filter(|leader| *leader != broker);
        }
        let before = self.replica(broker).batches.last().copied();
        let at = self.epochs.partition_point(|view| view.epoch < epoch);
        self.epochs.insert(at, EpochView { epoch, leader: broker, before, batches: Vec::new() });
        None
    }

    /// The leader of the epoch appended.
    pub(crate) fn write(&mut self, broker: BrokerId, epoch: LeaderEpoch, batch: BatchId) -> Written {
        let other = self.acts_as_leader(broker, epoch);
        let Some(view) = self.epoch_mut(epoch) else { return Written::Here };
        let again = view.batches.last().filter(|last| last.batch.end() > batch.base.bound()).map(|last| last.batch);
        if again.is_none() && other.is_none() {
            view.batches.push(Canonical { batch, answered: false });
        }
        self.replica(broker).append(batch);
        match (other, again) {
            (Some(other), _) => Written::LedByOther(other),
            (None, Some(last)) => Written::Again(last),
            (None, None) => Written::Here,
        }
    }
}
