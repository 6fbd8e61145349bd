//! Little plays for the tests of checks: facts written by hand, three brokers, one topic, one judge.

use model::config::{Acks, Settings, TopicConfig};
use model::event::{Event, SeekReason, Value};
use model::log::{BatchId, Recovery};
use model::metadata::{Image, MetadataRecord, PartitionChange, PartitionRegistration, RecoveryState};
use model::names::{
    BrokerEpoch, BrokerId, ClientId, ControllerId, EndOffset, Incarnation, LeaderEpoch, Node, Offset, Partition,
    PartitionEpoch, TopicId,
};
use model::wire::ErrorCode;
use sim::fact::{Chapter, Ending, Fact, Moment, What};
use sim::fault::{Fault, Target};
use sim::world::Observer;

use crate::guarantee::Guarantee;
use crate::judge::Judge;
use crate::promise::Promise;

/// Partition 0 of the play's topic; there is a partition 1 as well.
pub(crate) const P: Partition = Partition { topic: TopicId(6), index: 0 };
/// The other one.
pub(crate) const Q: Partition = Partition { topic: TopicId(6), index: 1 };
pub(crate) const B1: BrokerId = BrokerId(1);
pub(crate) const B2: BrokerId = BrokerId(2);
pub(crate) const B3: BrokerId = BrokerId(3);
pub(crate) const PRODUCER: ClientId = ClientId(1);
pub(crate) const CONSUMER: ClientId = ClientId(2);

/// A judge and the facts it was told.
#[derive(Clone)]
pub(crate) struct Play {
    pub(crate) judge: Judge,
    number: u64,
    at: Moment,
    /// What is committed.
    pub(crate) image: Image,
    /// The ISRs of [`P`] and [`Q`].
    isr: [Vec<BrokerId>; 2],
    /// Facts are of the same moment for now: those of one step.
    in_one_step: bool,
}

/// Acks, min.insync.replicas=2, one request in flight.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.producer.acks = Acks::All;
    settings.producer.max_in_flight_requests_per_connection = 1;
    settings.broker.min_insync_replicas = 2;
    settings
}

impl Play {
    /// Three brokers run; b1 leads both partitions in epoch 0, and all are in sync.
    pub(crate) fn new() -> Self {
        Self::with(&settings(), TopicConfig::default())
    }

    pub(crate) fn with(settings: &Settings, config: TopicConfig) -> Self {
        let mut play = Self {
            judge: Judge::of(Promise::of(settings)),
            number: 0,
            at: Moment(1_000_000_000),
            image: Image::default(),
            isr: [vec![B1, B2, B3], vec![B1, B2, B3]],
            in_one_step: false,
        };
        play.commit(MetadataRecord::LeaderChange { epoch: LeaderEpoch(1) });
        for broker in [B1, B2, B3] {
            play.say(broker, What::Started { life: 1 });
            play.register(broker);
        }
        // Two records each for three brokers, and the first: the topic's record is the eighth, but its id is our choice.
        play.commit(MetadataRecord::Topic { name: "t".to_owned(), id: P.topic, config: Box::new(config) });
        for partition in [P, Q] {
            play.commit(MetadataRecord::Partition(PartitionRegistration {
                partition,
                replicas: vec![B1, B2, B3],
                isr: vec![B1, B2, B3],
                leader: Some(B1),
                leader_epoch: LeaderEpoch(0),
                partition_epoch: PartitionEpoch(0),
                recovery_state: RecoveryState::Recovered,
                adding: Vec::new(),
                removing: Vec::new(),
                elr: Vec::new(),
                last_known_elr: Vec::new(),
            }));
        }
        for partition in [P, Q] {
            for broker in [B1, B2, B3] {
                play.opened_at(broker, partition, &[]);
            }
            play.led_at(partition, B1, (0, 0), 0, &[B1, B2, B3]);
            play.followed_at(partition, B2, (0, 0), B1);
            play.followed_at(partition, B3, (0, 0), B1);
        }
        play
    }

    // ---- telling ----

    pub(crate) fn say(&mut self, node: impl Into<Node>, what: What) {
        let (number, node) = (self.number, Some(node.into()));
        self.number += 1;
        self.at = Moment(self.at.0 + if self.in_one_step { 0 } else { 1_000_000 });
        self.judge.see(&Fact { number, at: self.at, node, what });
    }

    pub(crate) fn note(&mut self, node: impl Into<Node>, event: Event) {
        self.say(node, What::Noted(event));
    }

    pub(crate) fn chapter(&mut self, chapter: Chapter) {
        self.say(ControllerId(1), What::Chapter(chapter));
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.at = Moment(self.at.0 + seconds * 1_000_000_000);
    }

    pub(crate) fn struck(&mut self, node: impl Into<Node>, fault: fn(Target) -> Fault) {
        let node = node.into();
        self.say(node, What::Struck(fault(Target::Node(node))));
    }

    // ---- the controller ----

    pub(crate) fn commit(&mut self, record: MetadataRecord) {
        let offset = Offset(self.image.end.0);
        self.image.apply(offset, &record);
        self.note(ControllerId(1), Event::Committed { offset, record });
    }

    pub(crate) fn metadata_end(&self) -> EndOffset {
        self.image.end
    }

    /// A broker process is registered and unfenced.
    pub(crate) fn register(&mut self, broker: BrokerId) -> BrokerEpoch {
        let epoch = self.announce(broker);
        self.note(broker, Event::Registered { epoch });
        self.fence(broker, epoch, false);
        epoch
    }

    fn announce(&mut self, broker: BrokerId) -> BrokerEpoch {
        let epoch = BrokerEpoch(i64::try_from(self.image.end.0).expect("small"));
        self.commit(MetadataRecord::RegisterBroker { broker, incarnation: Incarnation(self.number), epoch });
        epoch
    }

    /// The controller takes a broker out of every ISR in which it is not the last.
    fn vacate(&mut self, broker: BrokerId) {
        for (nth, partition) in [P, Q].into_iter().enumerate() {
            let rest: Vec<BrokerId> = self.isr[nth].iter().copied().filter(|member| *member != broker).collect();
            if !rest.is_empty() && rest.len() < self.isr[nth].len() {
                self.isr[nth].clone_from(&rest);
                let leader = (broker == B1).then(|| rest.first().copied());
                let isr = Some(rest);
                self.commit(MetadataRecord::PartitionChange(PartitionChange {
                    leader,
                    isr,
                    ..PartitionChange::of(partition)
                }));
            }
        }
    }

    pub(crate) fn fence(&mut self, broker: BrokerId, epoch: BrokerEpoch, fenced: bool) {
        let fenced = Some(fenced);
        self.commit(MetadataRecord::BrokerRegistrationChange { broker, epoch, fenced, in_controlled_shutdown: false });
    }

    /// The controller names a leader and an ISR.
    pub(crate) fn elect(&mut self, leader: Option<BrokerId>, isr: &[BrokerId]) {
        self.isr[0] = isr.to_vec();
        let (leader, isr) = (Some(leader), Some(isr.to_vec()));
        self.commit(MetadataRecord::PartitionChange(PartitionChange { leader, isr, ..PartitionChange::of(P) }));
    }

    pub(crate) fn change_isr(&mut self, isr: &[BrokerId]) {
        self.isr[0] = isr.to_vec();
        let isr = Some(isr.to_vec());
        self.commit(MetadataRecord::PartitionChange(PartitionChange { isr, ..PartitionChange::of(P) }));
    }

    // ---- brokers ----

    pub(crate) fn led(&mut self, broker: BrokerId, epochs: (i32, i32), high_watermark: u64, isr: &[BrokerId]) {
        self.led_at(P, broker, epochs, high_watermark, isr);
    }

    fn led_at(
        &mut self,
        partition: Partition,
        broker: BrokerId,
        (epoch, partition_epoch): (i32, i32),
        high_watermark: u64,
        isr: &[BrokerId],
    ) {
        let (epoch, partition_epoch) = (LeaderEpoch(epoch), PartitionEpoch(partition_epoch));
        let (start, high_watermark, isr) = (EndOffset(0), EndOffset(high_watermark), isr.to_vec());
        self.note(broker, Event::Led { partition, epoch, partition_epoch, start, high_watermark, isr });
    }

    pub(crate) fn followed(&mut self, broker: BrokerId, epochs: (i32, i32), leader: BrokerId) {
        self.followed_at(P, broker, epochs, leader);
    }

    fn followed_at(&mut self, partition: Partition, broker: BrokerId, (epoch, pe): (i32, i32), leader: BrokerId) {
        let (epoch, partition_epoch, leader) = (LeaderEpoch(epoch), PartitionEpoch(pe), Some(leader));
        let end = EndOffset(0);
        self.note(broker, Event::Followed { partition, epoch, partition_epoch, leader, end });
    }

    pub(crate) fn isr_known(
        &mut self,
        broker: BrokerId,
        epochs: (i32, i32),
        committed: &[BrokerId],
        required: &[BrokerId],
    ) {
        let (epoch, partition_epoch) = (LeaderEpoch(epochs.0), PartitionEpoch(epochs.1));
        let pending = committed != required;
        let (committed, required) = (committed.to_vec(), required.to_vec());
        self.note(broker, Event::IsrKnown { partition: P, epoch, partition_epoch, committed, required, pending });
    }

    pub(crate) fn opened(&mut self, broker: BrokerId, batches: &[BatchId]) {
        self.opened_at(broker, P, batches);
    }

    fn opened_at(&mut self, broker: BrokerId, partition: Partition, batches: &[BatchId]) {
        let end = batches.last().map_or(EndOffset::ZERO, |last| last.end());
        let (start, high_watermark, recovery_point) = (EndOffset::ZERO, EndOffset::ZERO, EndOffset::ZERO);
        let (batches, epochs) = (batches.to_vec(), epochs_of(batches));
        self.note(broker, Event::Opened { partition, start, end, high_watermark, recovery_point, batches, epochs });
    }

    /// A log that begins at `start` and ends at `end`, whatever is in it.
    pub(crate) fn opened_between(&mut self, broker: BrokerId, (start, end): (u64, u64), batches: &[BatchId]) {
        let (start, end) = (EndOffset(start), EndOffset(end));
        let (high_watermark, recovery_point) = (start, start);
        let mut epochs = epochs_of(batches);
        if let Some(first) = epochs.first_mut() {
            first.1 = first.1.max(start);
        }
        let (partition, batches) = (P, batches.to_vec());
        self.note(broker, Event::Opened { partition, start, end, high_watermark, recovery_point, batches, epochs });
    }

    pub(crate) fn appended(&mut self, broker: BrokerId, batch: BatchId) {
        self.note(broker, Event::AppendedAsLeader { partition: P, epoch: batch.epoch, batch });
    }

    pub(crate) fn replicated(&mut self, broker: BrokerId, batch: BatchId) {
        self.note(broker, Event::AppendedAsFollower { partition: P, epoch: batch.epoch, batch });
    }

    pub(crate) fn truncated(&mut self, broker: BrokerId, epoch: i32, end: u64) {
        let (epoch, from, end) = (LeaderEpoch(epoch), EndOffset(99), EndOffset(end));
        self.note(broker, Event::Truncated { partition: P, epoch, from, end });
    }

    pub(crate) fn flushed(&mut self, broker: BrokerId, upto: u64) {
        self.note(broker, Event::Flushed { partition: P, upto: EndOffset(upto) });
    }

    pub(crate) fn high_watermark(&mut self, broker: BrokerId, epoch: i32, at: u64) {
        let (epoch, at) = (LeaderEpoch(epoch), EndOffset(at));
        self.note(broker, Event::HighWatermark { partition: P, epoch, at, leads: true });
    }

    pub(crate) fn follower_high_watermark(&mut self, broker: BrokerId, epoch: i32, at: u64) {
        let (epoch, at) = (LeaderEpoch(epoch), EndOffset(at));
        self.note(broker, Event::HighWatermark { partition: P, epoch, at, leads: false });
    }

    /// The leader appends, both followers fetch, the high watermark passes.
    pub(crate) fn committed(&mut self, batch: BatchId) {
        self.appended(B1, batch);
        self.replicated(B2, batch);
        self.replicated(B3, batch);
        self.high_watermark(B1, batch.epoch.0, batch.end().0);
    }

    pub(crate) fn answered(&mut self, broker: BrokerId, acks: Acks, batch: Option<BatchId>, error: ErrorCode) {
        let (partition, client, epoch) = (P, PRODUCER.into(), batch.map_or(LeaderEpoch(0), |batch| batch.epoch));
        let high_watermark = batch.map_or(EndOffset::ZERO, |batch| batch.end());
        let (isr, min_isr) = (3, 2);
        self.note(
            broker,
            Event::ProduceAnswered { partition, epoch, client, acks, batch, error, high_watermark, isr, min_isr },
        );
    }

    pub(crate) fn stopped(&mut self, node: impl Into<Node>, how: Ending) {
        self.say(node, What::Stopped { how });
    }

    /// A broker starts again, opens what is left, and is registered, which costs it its seats.
    pub(crate) fn returns(&mut self, broker: BrokerId, batches: &[BatchId]) {
        self.starts_again(broker);
        self.opened(broker, batches);
        self.loses_its_seats(broker);
    }

    /// The same with a log between these bounds.
    pub(crate) fn returns_between(&mut self, broker: BrokerId, bounds: (u64, u64), batches: &[BatchId]) {
        self.starts_again(broker);
        self.opened_between(broker, bounds, batches);
        self.loses_its_seats(broker);
    }

    /// A process starts, and looks at the log of [`P`] before it opens it.
    pub(crate) fn starts_again(&mut self, broker: BrokerId) {
        self.say(broker, What::Started { life: 2 });
        self.note(broker, Event::Recovered { partition: P, clean: false, recovery: Recovery::default() });
    }

    fn loses_its_seats(&mut self, broker: BrokerId) {
        self.in_one_step = true;
        let epoch = self.announce(broker);
        self.vacate(broker);
        self.in_one_step = false;
        self.note(broker, Event::Registered { epoch });
        self.fence(broker, epoch, false);
    }

    /// The same, and it keeps its seats.
    pub(crate) fn returns_to_its_seats(&mut self, broker: BrokerId, batches: &[BatchId]) {
        self.starts_again(broker);
        self.opened(broker, batches);
        self.register(broker);
    }

    // ---- clients ----

    pub(crate) fn sent(&mut self, value: u64, key: Option<u64>) {
        let topic = "t".to_owned();
        self.note(PRODUCER, Event::SendCalled { topic, partition: None, key, value: Value(value) });
    }

    pub(crate) fn left(&mut self, values: &[u64], attempt: u32) {
        let (values, to) = (values.iter().copied().map(Value).collect(), B1);
        self.note(PRODUCER, Event::BatchSent { partition: P, values, attempt, to, acks: Acks::All });
    }

    pub(crate) fn acked(&mut self, acks: Acks, batch: BatchId, values: &[u64]) {
        let values = values.iter().copied().map(Value).collect();
        let base = (acks != Acks::None).then_some(batch.base);
        self.note(PRODUCER, Event::Acked { partition: P, base, crc: batch.crc, values, acks });
    }

    pub(crate) fn failed(&mut self, value: u64, definite: bool) {
        let error = if definite { ErrorCode::NotEnoughReplicas } else { ErrorCode::RequestTimedOut };
        let values = vec![Value(value)];
        self.note(PRODUCER, Event::SendFailed { partition: Some(P), values, error, definite });
    }

    /// One record from `send` to `Acked`, committed by everybody.
    pub(crate) fn produced(&mut self, batch: BatchId, values: &[u64]) {
        for value in values {
            self.sent(*value, None);
        }
        self.left(values, 1);
        self.committed(batch);
        self.answered(B1, Acks::All, Some(batch), ErrorCode::None);
        self.acked(Acks::All, batch, values);
    }

    pub(crate) fn polled(&mut self, records: &[(u64, u64)]) {
        self.polled_at(P, records);
    }

    pub(crate) fn polled_at(&mut self, partition: Partition, records: &[(u64, u64)]) {
        let records = records.iter().map(|&(offset, value)| (Offset(offset), Value(value))).collect();
        self.note(CONSUMER, Event::Polled { partition, records, from: B1 });
    }

    pub(crate) fn sought(&mut self, position: u64) {
        let (position, reason) = (Offset(position), SeekReason::Application);
        self.note(CONSUMER, Event::Sought { partition: P, position, reason });
    }

    /// Reading back begins, at the start of the log.
    pub(crate) fn reads_back(&mut self) {
        self.chapter(Chapter::ReadBack);
        self.note(CONSUMER, Event::Assigned { partitions: vec![P] });
        self.sought(0);
    }

    // ---- the verdict ----

    /// What was broken, in order, each fingerprint once.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for violation in self.judge.violations() {
            let fingerprint = violation.fingerprint().0;
            if !broken.contains(&fingerprint) {
                broken.push(fingerprint);
            }
        }
        broken
    }

    #[track_caller]
    pub(crate) fn holds(&self) {
        assert_eq!(self.judge.violations(), [], "nothing was broken");
    }

    #[track_caller]
    pub(crate) fn breaks(&self, fingerprint: &str) {
        assert!(
            self.broken().iter().any(|broken| broken == fingerprint),
            "wanted {fingerprint}, got {:#?}",
            self.judge.violations()
        );
    }

    pub(crate) fn exercised(&self, guarantee: Guarantee) -> u64 {
        self.judge.exercised()[guarantee.index()].1
    }
}

/// Where each leader epoch begins.
fn epochs_of(batches: &[BatchId]) -> Vec<(LeaderEpoch, EndOffset)> {
    let mut epochs: Vec<(LeaderEpoch, EndOffset)> = Vec::new();
    for batch in batches {
        if epochs.last().is_none_or(|(latest, _)| *latest < batch.epoch) {
            epochs.push((batch.epoch, batch.base.bound()));
        }
    }
    epochs
}

/// A batch of one record.
pub(crate) fn one(base: u64, epoch: i32, crc: u32) -> BatchId {
    batch(base, 1, epoch, crc)
}

pub(crate) fn batch(base: u64, records: u32, epoch: i32, crc: u32) -> BatchId {
    BatchId { base: Offset(base), records, epoch: LeaderEpoch(epoch), crc }
}
