//! The judge: hands every fact to the checks that it concerns, and keeps what they found.
//!
//! A fold: `Clone`, so that a running world can be forked with its judge. It knows what each kind of fact is for, and no
//! rule; the rules are in [`crate::check`].

use std::collections::BTreeMap;
use std::time::Duration;

use model::config::Acks;
use model::event::Event;
use model::metadata::MetadataRecord;
use model::names::{BrokerId, ClientId, ControllerId, Node};
use model::wire::ErrorCode;
use sim::cluster::Cluster;
use sim::fact::{Api, Chapter, Fact, Moment, What};
use sim::fault::Fault;
use sim::world::Observer;

pub use crate::check::durability::LossSummary;
pub use crate::check::progress::Unsettled;
pub use crate::check::verdicts::{Fingerprint, Violation};

use crate::audit::Finding;
use crate::check::acknowledgement::{self, Answer};
use crate::check::compaction::{self, Cleaned};
use crate::check::delete_records;
use crate::check::durability::Durability;
use crate::check::epochs::{self, Epochs};
use crate::check::history;
use crate::check::images::Images;
use crate::check::in_sync::{self, InSync};
use crate::check::listings::Listings;
use crate::check::logs::{self, Opened};
use crate::check::order::Order;
use crate::check::progress::{self, Progress};
use crate::check::quorum::Quorum;
use crate::check::reads::{self, Poll, Reads};
use crate::check::records::Records;
use crate::check::recovery;
use crate::check::replicas::Replicas;
use crate::check::retention;
use crate::check::storage::DiskView;
use crate::check::unheard::Unheard;
use crate::check::verdicts::Verdicts;
use crate::check::watermarks::{self, Moved};
use crate::guarantee::Guarantee;
use crate::promise::Promise;

/// What was decided in ZooKeeper mode is told by the ensemble: to the judge it is the one controller there is.
const ENSEMBLE: ControllerId = ControllerId(0);

/// Watches a run and judges it against everything that its cluster promises.
#[derive(Clone, Debug)]
pub struct Judge {
    shared: Replicas,
    records: Records,
    verdicts: Verdicts,
    durability: Durability,
    in_sync: InSync,
    epochs: Epochs,
    quorum: Quorum,
    unheard: Unheard,
    images: Images,
    order: Order,
    reads: Reads,
    listings: Listings,
    progress: Progress,
    now: Moment,
}

impl Observer for Judge {
    fn see(&mut self, fact: &Fact) {
        self.now = fact.at;
        match (&fact.what, fact.node) {
            (
                What::Delivered {
                    from: Node::Controller(from),
                    api: Api::FetchMetadataRequest | Api::FetchSnapshotRequest,
                    ..
                },
                Some(Node::Controller(id)),
            ) => self.unheard.heard(id, *from, fact.at),
            (What::Delivered { .. }, _) => {}
            (What::Noted(event), Some(node)) => {
                self.turn_to(fact);
                match node {
                    Node::Broker(broker) => self.broker_noted(broker, event),
                    Node::Client(client) => self.client_noted(client, event),
                    Node::Controller(id) => self.controller_noted(id, event),
                    Node::Ensemble => self.controller_noted(ENSEMBLE, event),
                }
            }
            (What::Started { .. }, Some(Node::Broker(broker))) => {
                self.shared.started(broker);
                self.images.started(broker);
            }
            (What::Stopped { how }, Some(Node::Broker(broker))) => {
                self.listings.stops(&self.shared, broker, fact.at);
                self.shared.stopped(broker, *how);
            }
            (What::Started { .. }, Some(Node::Controller(id))) => {
                self.shared.controller_started(id);
                self.unheard.started_or_stopped(id);
            }
            (What::Stopped { how }, Some(Node::Controller(id))) => {
                self.shared.controller_stopped(id, *how);
                self.quorum.stopped(id);
                self.unheard.started_or_stopped(id);
            }
            (What::Started { .. }, Some(Node::Ensemble)) => self.shared.controller_started(ENSEMBLE),
            (What::Stopped { how }, Some(Node::Ensemble)) => self.shared.controller_stopped(ENSEMBLE, *how),
            (What::Stopped { .. }, Some(Node::Client(client))) => self.records.abandon(client),
            (What::Struck(fault), node) => {
                self.progress.struck(fault);
                let node = if node == Some(Node::Ensemble) { Some(Node::Controller(ENSEMBLE)) } else { node };
                self.shared.struck(node, fault);
                if let (Some(Node::Controller(id)), Fault::SyncError(_) | Fault::Wipe(_) | Fault::Rot(_)) =
                    (node, fault)
                {
                    self.quorum.doubt(id);
                }
                if let Some(Node::Controller(id)) = node {
                    self.unheard.struck(id, fault);
                }
            }
            (What::Chapter(chapter), _) => {
                self.turn_to(fact);
                self.chapter(*chapter);
            }
            _ => {}
        }
    }
}

impl Judge {
    /// A judge who holds the cluster to what its settings promise.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        let promise = Promise::of(&cluster.settings);
        Self::of(if cluster.zookeeper { promise.with_zookeeper(&cluster.settings) } else { promise })
    }

    /// A judge who holds a run to this promise.
    #[must_use]
    pub fn of(promise: Promise) -> Self {
        Self {
            shared: Replicas::new(promise),
            records: Records::default(),
            verdicts: Verdicts::new(),
            durability: Durability::default(),
            in_sync: InSync::default(),
            epochs: Epochs::default(),
            quorum: Quorum::default(),
            unheard: Unheard::default(),
            images: Images::default(),
            order: Order::default(),
            reads: Reads::default(),
            listings: Listings::default(),
            progress: Progress::default(),
            now: Moment::ZERO,
        }
    }

    /// What was broken: the first twenty, in order, at most five of one fingerprint.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.verdicts.violations()
    }

    /// How many violations there were in all.
    #[must_use]
    pub fn violation_count(&self) -> u64 {
        self.verdicts.count()
    }

    /// How often each guarantee was put to the test, in the order of the ledger. Zero is vacuous.
    #[must_use]
    pub fn exercised(&self) -> Vec<(Guarantee, u64)> {
        Guarantee::ALL.into_iter().zip(self.verdicts.counts().iter().copied()).collect()
    }

    /// What was lost, within the contract or not; complete once the run has ended.
    #[must_use]
    pub fn lost(&self) -> LossSummary {
        self.durability.summary(&self.shared)
    }

    /// Everything that is not at rest now; what has an excuse will never be.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Unsettled> {
        progress::unsettled(&self.shared, &self.quorum, &self.records, self.now)
    }

    /// Within what simulated time after a heal everything must have come to rest.
    #[must_use]
    pub fn settles_within(&self) -> Duration {
        self.shared.promise.settles_within.max(self.shared.promise.decides_within)
    }

    /// What is stuck at the end within the contract, by reason.
    #[must_use]
    pub fn stuck(&self) -> &BTreeMap<&'static str, u64> {
        self.progress.stuck()
    }

    /// Whether what the controller decided is not known any more, so that little can be demanded.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.shared.metadata_lost
    }

    /// The disk of a running broker was read: what is wrong with it counts, unless something befell the disk that excuses it.
    pub(crate) fn audited(&mut self, broker: BrokerId, findings: Vec<Finding>) {
        let disk = DiskView::of(&self.shared, broker);
        if disk.rotten || disk.syncs_in_vain {
            return;
        }
        self.verdicts.exercised(Guarantee::Storage);
        self.verdicts.exercised(Guarantee::DerivedState);
        for Finding { guarantee, kind, path, sentence } in findings {
            self.verdicts.broken(guarantee, kind, || format!("{broker} has {path}: {sentence}"));
        }
    }

    fn turn_to(&mut self, fact: &Fact) {
        self.verdicts.turn_to(fact.at, fact.number, self.shared.metadata_lost);
        self.in_sync.time_passed(&self.shared, &mut self.verdicts);
        self.unheard.time_passed(&self.shared, &mut self.verdicts);
    }

    fn chapter(&mut self, chapter: Chapter) {
        match chapter {
            Chapter::Begun | Chapter::LoadEnded => {}
            Chapter::Healed => self.progress.healed(self.now),
            Chapter::ReadBack => self.reads.read_back_begins(),
            Chapter::Ended => self.end(),
        }
    }

    fn end(&mut self) {
        self.progress.end(&self.shared, &self.quorum, &self.records, &mut self.verdicts);
        self.durability.end(&mut self.shared);
        let reads = &self.reads;
        let readable_from = |place: usize| reads.read_back_from(place);
        if let Some(losses) = self.durability.summary_mut() {
            history::end(&mut self.shared, &self.records, &readable_from, losses, &mut self.verdicts);
        }
        compaction::end(&self.shared, &self.records, &|place| reads.read_back_upto(place), &mut self.verdicts);
        self.reads.end(&self.shared, &mut self.verdicts);
    }

    fn controller_noted(&mut self, id: ControllerId, event: &Event) {
        match event {
            Event::ControllerLed { epoch } => self.epochs.controller_led(*epoch, &mut self.verdicts),
            Event::Voted { epoch, candidate } => self.epochs.voted(id, *epoch, *candidate, &mut self.verdicts),
            Event::ControllerAnswered { decided, committed, .. } => {
                epochs::controller_answered(id, decided.1, *committed, &mut self.verdicts);
            }
            Event::Committed { offset, record } => {
                if let MetadataRecord::Partition(new) = record
                    && self.shared.is_in_use(new.partition.topic)
                {
                    self.order.grew(new.partition.topic);
                }
                let turn = self.shared.commit(*offset, record);
                epochs::committed(*offset, turn.is_some(), &mut self.verdicts);
                if let Some(turn) = turn {
                    self.images.committed(*offset, record);
                    if !self.shared.metadata_lost {
                        self.in_sync.committed(&mut self.shared, &turn, &mut self.verdicts);
                    }
                }
            }
            _ => self.quorum_noted(id, event),
        }
    }

    /// What becomes of a controller's metadata log.
    fn quorum_noted(&mut self, id: ControllerId, event: &Event) {
        let Self { shared, quorum, verdicts, .. } = self;
        match event {
            Event::QuorumOpened { epoch, start, end, batches, .. } => {
                quorum.opened(id, (*epoch, *start, *end), batches, verdicts);
            }
            Event::QuorumRole { epoch, role, .. } => {
                self.unheard.role(id, *epoch, *role, verdicts.now());
                quorum.role(id, *epoch, *role, verdicts);
            }
            Event::MetadataAppended { epoch, batch, leads } => {
                quorum.appended(id, (*epoch, *leads), *batch, verdicts);
            }
            Event::MetadataSynced { upto } => quorum.synced(id, *upto),
            Event::MetadataTruncated { end } => quorum.cut(id, *end, verdicts),
            Event::MetadataHighWatermark { epoch, at, leads } => {
                quorum.committed(shared, id, (*epoch, *at, *leads), verdicts);
            }
            Event::MetadataSnapshot { id: snapshot, fetched, log_start } => {
                quorum.snapshot(id, (snapshot.end, *log_start), *fetched, verdicts);
            }
            _ => {}
        }
    }

    fn broker_noted(&mut self, broker: BrokerId, event: &Event) {
        let Self { shared, verdicts, .. } = self;
        match event {
            Event::ControllerLed { epoch } => self.epochs.broker_controls(broker, *epoch, verdicts),
            Event::AppendedAsFollower { partition, batch, .. } => {
                let place = shared.place(*partition);
                logs::appended_as_follower(shared, place, broker, *batch, verdicts);
            }
            Event::AppendedAsLeader { partition, epoch, batch } => {
                let place = shared.place(*partition);
                shared.grew_at[place] = verdicts.now();
                logs::appended_as_leader(shared, place, broker, *epoch, *batch, verdicts);
            }
            Event::HighWatermark { partition, epoch, at, leads } => {
                let place = shared.place(*partition);
                watermarks::moved(shared, place, Moved { broker, epoch: *epoch, at: *at, leads: *leads }, verdicts);
            }
            Event::ProduceAnswered { partition, .. } => {
                let place = shared.place(*partition);
                if let Some(answer) = Answer::of(broker, event) {
                    acknowledgement::answered(shared, place, &answer, &mut self.durability, verdicts);
                }
            }
            Event::Served { partition, epoch, from, upto, high_watermark, .. } => {
                let place = shared.place(*partition);
                let view = &shared.partitions[place];
                reads::served(view, broker, (*upto, *high_watermark), verdicts);
                delete_records::served(view, broker, (*epoch, *from), verdicts);
            }
            Event::Flushed { partition, upto } => {
                let place = shared.place(*partition);
                shared.partitions[place].replica(broker).flush(*upto);
            }
            Event::BrokerStarted { .. } => shared.broker(broker).has_read_disk = true,
            Event::Registered { epoch } => self.epochs.registered(broker, *epoch, shared, verdicts),
            Event::ImageChanged { checksum } => self.images.changed(broker, *checksum),
            Event::MetadataApplied { upto } => {
                self.epochs.applied(broker, *upto, shared, verdicts);
                self.images.applied(shared, broker, *upto, verdicts);
            }
            Event::Recovered { .. }
            | Event::LogStartMoved { .. }
            | Event::SegmentsDeleted { .. }
            | Event::Cleaned { .. }
            | Event::DeleteRecordsAnswered { .. } => self.log_noted(broker, event),
            _ => self.replica_noted(broker, event),
        }
    }

    /// What becomes of a log on its disk.
    fn log_noted(&mut self, broker: BrokerId, event: &Event) {
        let Self { shared, records, verdicts, .. } = self;
        let Some(place) = event.partition().map(|partition| shared.place(partition)) else { return };
        match event {
            Event::Recovered { clean, .. } => recovery::recovered(shared, place, broker, *clean),
            Event::LogStartMoved { start, cause, high_watermark, .. } => {
                let (start, cause, high_watermark) = (*start, *cause, *high_watermark);
                let moved = retention::Moved { broker, start, cause, high_watermark };
                retention::moved(shared, place, moved, verdicts);
            }
            Event::SegmentsDeleted { .. } => {
                if let Some(deleted) = retention::Deleted::of(broker, event) {
                    retention::deleted(shared, records, place, deleted, verdicts);
                }
            }
            Event::Cleaned { .. } => {
                if let Some(cleaned) = Cleaned::of(broker, event) {
                    compaction::cleaned(shared, records, place, cleaned, verdicts);
                }
            }
            Event::DeleteRecordsAnswered { .. } => {
                if let Some(answer) = delete_records::Answer::of(broker, event) {
                    delete_records::answered(shared, place, answer, verdicts);
                }
            }
            _ => {}
        }
    }

    /// What changes a replica's log or role other than by one more batch.
    fn replica_noted(&mut self, broker: BrokerId, event: &Event) {
        let Self { shared, verdicts, .. } = self;
        match event {
            Event::Opened { partition, start, end, high_watermark, recovery_point, batches, epochs } => {
                let place = shared.place(*partition);
                let (start, end, recovery_point, high_watermark) = (*start, *end, *recovery_point, *high_watermark);
                let log = Opened { start, end, recovery_point, high_watermark, batches, epochs };
                logs::opened(shared, place, broker, &log, verdicts);
            }
            Event::Truncated { partition, end, .. } => {
                let place = shared.place(*partition);
                logs::cut(shared, place, broker, *end, verdicts);
            }
            Event::Restarted { partition, start, .. } => {
                let place = shared.place(*partition);
                logs::restarted(shared, place, broker, *start, verdicts);
            }
            Event::Led { partition, epoch, partition_epoch, high_watermark, isr, .. } => {
                let place = shared.place(*partition);
                let at = (place, broker, *epoch);
                epochs::obeyed(shared, place, broker, (*epoch, *partition_epoch), verdicts);
                logs::led(shared, place, broker, *epoch, verdicts);
                self.durability.led(shared, at, verdicts);
                let view = &mut shared.partitions[place];
                let minimum = (view.min_isr(), view.highest_min_isr());
                let replica = view.replica(broker);
                replica.high_watermark = *high_watermark;
                replica.knows_isr(*epoch, isr, minimum);
                let began = Moved { broker, epoch: *epoch, at: *high_watermark, leads: true };
                watermarks::moved(shared, place, began, verdicts);
            }
            Event::Followed { partition, epoch, partition_epoch, .. } => {
                let place = shared.place(*partition);
                epochs::obeyed(shared, place, broker, (*epoch, *partition_epoch), verdicts);
                self.listings.leads_no_more(&shared.partitions[place], place, broker, verdicts.now());
                shared.partitions[place].replica(broker).follow();
            }
            Event::Removed { partition } if !shared.promise.has_metadata_log => {
                let place = shared.place(*partition);
                shared.partitions[place].removed(broker);
            }
            Event::IsrKnown { partition, epoch, partition_epoch, committed, required, pending } => {
                let place = shared.place(*partition);
                epochs::obeyed(shared, place, broker, (*epoch, *partition_epoch), verdicts);
                let known = in_sync::Known { broker, epoch: *epoch, committed, required, pending: *pending };
                in_sync::known(shared, place, &known, verdicts);
            }
            _ => {}
        }
    }

    fn client_noted(&mut self, client: ClientId, event: &Event) {
        let Self { shared, records, verdicts, .. } = self;
        match event {
            Event::SendCalled { key, value, .. } => records.sent(client, *value, *key, verdicts.now()),
            Event::BatchSent { values, attempt, .. } => history::left(shared, records, values, *attempt, verdicts),
            Event::Acked { partition, base, crc, values, acks } => {
                let place = shared.place(*partition);
                acknowledgement::acked(shared, place, (*acks, *base, *crc), verdicts);
                history::acked(shared, records, place, (*acks, *base, *crc), values, verdicts);
                let view = &shared.partitions[place];
                // What a leader acknowledged alone may be gone with it, and its offset given out again (G16).
                if let (Some(base), Acks::All) = (base, acks) {
                    self.order.told(place, (client, *base), view, verdicts);
                }
                self.order.follow(place, view, records, verdicts);
            }
            Event::SendFailed { values, error, definite, .. } => {
                history::failed(records, values, (*error, *definite), verdicts);
            }
            Event::Polled { partition, records: polled, from } => {
                let place = shared.place(*partition);
                self.reads.polled(shared, place, &Poll { client, records: polled, from: *from }, verdicts);
                let reads_back = self.reads.reads_back(client, place);
                for &read in polled {
                    history::read(shared, records, (client, place), read, reads_back, verdicts);
                }
                self.order.follow(place, &shared.partitions[place], records, verdicts);
            }
            Event::Assigned { .. } => self.reads.assigned(client),
            Event::Sought { partition, position, reason } => {
                let place = shared.place(*partition);
                self.reads.sought(&shared.partitions[place], (client, place), *position, *reason);
            }
            Event::OffsetListed { partition, spec, found: Some((offset, _)), error: ErrorCode::None } => {
                let place = shared.place(*partition);
                let view = &shared.partitions[place];
                self.listings.told(view, (client, place), (*spec, *offset), verdicts);
            }
            Event::RecordsDeleted { partition, low_watermark, error: ErrorCode::None } => {
                let place = shared.place(*partition);
                delete_records::told(&mut shared.partitions[place], *low_watermark, verdicts);
            }
            _ => {}
        }
    }
}
