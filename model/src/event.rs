//! What a machine says it did.
//!
//! The trace is made of these, and checkers, reports and people read nothing else. An event states a fact in Kafka's
//! words at the moment it became true in that machine; it never changes a run. It must carry enough to rebuild every
//! replica's log, every leader's view and every client's history from the trace alone.
//!
//! New variants go to the end of the enum: the digest of a trace counts on their order.

use serde::{Deserialize, Serialize};

use crate::config::Acks;
use crate::log::{BatchId, CleanedBatch, DeletedSegment, Recovery};
use crate::metadata::{MetadataRecord, PartitionChange};
use crate::names::{
    BrokerEpoch, BrokerId, ControllerId, EndOffset, LeaderEpoch, Node, Offset, Partition, PartitionEpoch, SnapshotId,
};
use crate::wire::{AdminRequest, ErrorCode, OffsetSpec, Voter};

/// What one record's payload says: its first eight bytes, big endian. Load writes every value once per run, so a value
/// names a record wherever it turns up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Value(pub u64);

impl Value {
    /// Reads the value out of a payload; shorter payloads count as padded with zeros in front.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        let mut value = 0_u64;
        for &byte in payload.iter().take(8) {
            value = value << 8 | u64::from(byte);
        }
        Self(value)
    }
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    // ---- a replica's log ----
    /// A replica's log was opened at process start, or made new: this is all that is in it.
    Opened {
        /// The partition.
        partition: Partition,
        /// Log start offset.
        start: EndOffset,
        /// Log end offset.
        end: EndOffset,
        /// The high watermark from the checkpoint, clamped.
        high_watermark: EndOffset,
        /// Everything below is known to be synced.
        recovery_point: EndOffset,
        /// Every batch in it.
        batches: Vec<BatchId>,
        /// The leader-epoch cache.
        epochs: Vec<(LeaderEpoch, EndOffset)>,
    },
    /// The leader appended a batch.
    AppendedAsLeader {
        /// The partition.
        partition: Partition,
        /// The epoch in which it leads.
        epoch: LeaderEpoch,
        /// The batch.
        batch: BatchId,
    },
    /// A follower appended a batch that it fetched.
    AppendedAsFollower {
        /// The partition.
        partition: Partition,
        /// The epoch in which it follows.
        epoch: LeaderEpoch,
        /// The batch.
        batch: BatchId,
    },
    /// A replica cut its log; `end` is the log end offset now.
    Truncated {
        /// The partition.
        partition: Partition,
        /// The epoch in which it follows.
        epoch: LeaderEpoch,
        /// Log end offset before.
        from: EndOffset,
        /// Log end offset now.
        end: EndOffset,
    },
    /// A replica threw its log away and starts again, empty, at `start`.
    Restarted {
        /// The partition.
        partition: Partition,
        /// The epoch in which it follows.
        epoch: LeaderEpoch,
        /// Log start and end offset now.
        start: EndOffset,
    },
    /// Everything below was synced to disk.
    Flushed {
        /// The partition.
        partition: Partition,
        /// The recovery point now.
        upto: EndOffset,
    },
    // ---- a replica's role ----
    /// This broker now leads the partition.
    Led {
        /// The partition.
        partition: Partition,
        /// The leader epoch.
        epoch: LeaderEpoch,
        /// The partition epoch.
        partition_epoch: PartitionEpoch,
        /// The log end offset when this epoch began here (LESO).
        start: EndOffset,
        /// The high watermark at this moment.
        high_watermark: EndOffset,
        /// The committed ISR as it knows it.
        isr: Vec<BrokerId>,
    },
    /// This broker now follows.
    Followed {
        /// The partition.
        partition: Partition,
        /// The leader epoch.
        epoch: LeaderEpoch,
        /// The partition epoch.
        partition_epoch: PartitionEpoch,
        /// Whom.
        leader: Option<BrokerId>,
        /// Its own log end offset.
        end: EndOffset,
    },
    /// This broker's copy of the partition's ISR, as leader: what is committed, and what a record must reach.
    IsrKnown {
        /// The partition.
        partition: Partition,
        /// The leader epoch.
        epoch: LeaderEpoch,
        /// The partition epoch.
        partition_epoch: PartitionEpoch,
        /// The ISR that the controller has confirmed.
        committed: Vec<BrokerId>,
        /// The maximal ISR: larger than `committed` while a newcomer is proposed.
        required: Vec<BrokerId>,
        /// Whether a proposal is under way.
        pending: bool,
    },
    /// The high watermark of a replica is now here.
    HighWatermark {
        /// The partition.
        partition: Partition,
        /// The leader epoch in which it knows this.
        epoch: LeaderEpoch,
        /// The high watermark.
        at: EndOffset,
        /// Whether this replica leads.
        leads: bool,
    },
    /// A follower was told that its log diverges from the leader's.
    Diverged {
        /// The partition.
        partition: Partition,
        /// The epoch in which it follows.
        epoch: LeaderEpoch,
        /// The last epoch both may share, as the leader said.
        shared: LeaderEpoch,
        /// Where it ends at the leader.
        end: EndOffset,
    },
    // ---- requests at a broker ----
    /// A produce was answered for one partition. For `acks=0` this is when the answer would have left.
    ProduceAnswered {
        /// The partition.
        partition: Partition,
        /// The epoch in which it leads, or last led.
        epoch: LeaderEpoch,
        /// Who asked.
        client: Node,
        /// What was asked for.
        acks: Acks,
        /// The batch, where it was appended.
        batch: Option<BatchId>,
        /// What was answered.
        error: ErrorCode,
        /// The high watermark at this moment.
        high_watermark: EndOffset,
        /// The size of the maximal ISR at this moment: what R63a compares with the minimum.
        isr: u32,
        /// The effective `min.insync.replicas` at this moment.
        min_isr: u32,
    },
    /// A consumer's fetch was answered with records.
    Served {
        /// The partition.
        partition: Partition,
        /// The leader epoch of the replica that served.
        epoch: LeaderEpoch,
        /// Who asked.
        client: Node,
        /// The first offset asked for.
        from: Offset,
        /// The bound of what was handed out.
        upto: EndOffset,
        /// The high watermark at this moment.
        high_watermark: EndOffset,
    },
    // ---- a broker's life ----
    /// A broker process has read its disk.
    BrokerStarted {
        /// The broker epoch in the clean-shutdown marker, if it had stopped in an orderly way.
        previous_broker_epoch: Option<BrokerEpoch>,
    },
    /// A broker process was registered.
    Registered {
        /// The epoch it was given.
        epoch: BrokerEpoch,
    },
    /// A broker learned from the controller whether it is fenced.
    Fenced {
        /// Now fenced, or unfenced.
        fenced: bool,
    },
    /// What a broker takes from the metadata log has changed.
    ImageChanged {
        /// [`Image::checksum`](crate::metadata::Image::checksum).
        checksum: u32,
    },
    /// A broker applied the metadata log up to here.
    MetadataApplied {
        /// Everything below is applied.
        upto: EndOffset,
    },
    /// A broker stopped in an orderly way: logs flushed, marker written.
    ShutDown,
    // ---- the controller ----
    /// The controller (re)started and has this epoch now.
    ControllerLed {
        /// The epoch of the metadata log.
        epoch: LeaderEpoch,
    },
    /// A record of the metadata log is committed. These are the only truth about who leads and who is in sync.
    Committed {
        /// Its offset.
        offset: Offset,
        /// The record.
        record: MetadataRecord,
    },
    /// An ISR change was refused.
    AlterPartitionRefused {
        /// Who proposed it.
        broker: BrokerId,
        /// The partition.
        partition: Partition,
        /// Why.
        error: ErrorCode,
    },
    // ---- a producer ----
    /// The application handed a record to the producer.
    SendCalled {
        /// The topic by name.
        topic: String,
        /// The partition that was chosen, if it is known already.
        partition: Option<Partition>,
        /// A hash of the key, if it has one.
        key: Option<u64>,
        /// The record.
        value: Value,
    },
    /// A batch left for a broker.
    BatchSent {
        /// The partition.
        partition: Partition,
        /// The records in it.
        values: Vec<Value>,
        /// 1 for the first time.
        attempt: u32,
        /// To whom.
        to: BrokerId,
        /// How it is to be acknowledged.
        acks: Acks,
    },
    /// The producer's promise was kept: the future of these records completed without error.
    Acked {
        /// The partition.
        partition: Partition,
        /// The offset of the first record; `None` with `acks=0`.
        base: Option<Offset>,
        /// The checksum of the batch, which the broker does not change.
        crc: u32,
        /// The records, in order.
        values: Vec<Value>,
        /// What was asked for.
        acks: Acks,
    },
    /// The future of these records failed.
    SendFailed {
        /// The partition, if one was chosen.
        partition: Option<Partition>,
        /// The records.
        values: Vec<Value>,
        /// Why.
        error: ErrorCode,
        /// `true`: no attempt appended anything, for certain. `false`: unknown, the records may be in the log or
        /// still come (G17).
        definite: bool,
    },
    // ---- a consumer ----
    /// The consumer now reads these partitions.
    Assigned {
        /// Which.
        partitions: Vec<Partition>,
    },
    /// The position of a partition was set.
    Sought {
        /// The partition.
        partition: Partition,
        /// Where it reads next.
        position: Offset,
        /// Why.
        reason: SeekReason,
    },
    /// Records were handed to the application, in this order.
    Polled {
        /// The partition.
        partition: Partition,
        /// Offset and value of each.
        records: Vec<(Offset, Value)>,
        /// The broker that served them.
        from: BrokerId,
    },
    // ---- an admin client ----
    /// A topic was created.
    TopicCreated {
        /// Its name.
        name: String,
        /// Its partitions.
        partitions: Vec<Partition>,
    },
    /// A topic was not created.
    TopicRefused {
        /// Its name.
        name: String,
        /// Why.
        error: ErrorCode,
        /// Why, for people.
        message: String,
    },
    /// A topic was described.
    TopicDescribed {
        /// Its name.
        name: String,
        /// Leader and ISR of each partition.
        partitions: Vec<(Partition, Option<BrokerId>, Vec<BrokerId>)>,
    },
    // ---- what becomes of a log on its disk ----
    /// What a start found and did before it stated [`Event::Opened`] (L46-L56).
    Recovered {
        /// The partition.
        partition: Partition,
        /// The process before stopped in an orderly way, so nothing was checked.
        clean: bool,
        /// What was checked and cut.
        recovery: Recovery,
    },
    /// A replica's log start offset has moved up: what is below is not part of the log any more (L25, L72, L75).
    LogStartMoved {
        /// The partition.
        partition: Partition,
        /// Log start offset now.
        start: EndOffset,
        /// Why.
        cause: StartCause,
        /// The high watermark at this moment.
        high_watermark: EndOffset,
    },
    /// Retention took segments out of a replica's log, oldest first (L72).
    SegmentsDeleted {
        /// The partition.
        partition: Partition,
        /// Each of them.
        segments: Vec<DeletedSegment>,
        /// How many bytes the log has left.
        left_bytes: u64,
        /// The high watermark at this moment.
        high_watermark: EndOffset,
    },
    /// The cleaner has rewritten part of a replica's log (L77-L83).
    Cleaned {
        /// The partition.
        partition: Partition,
        /// The bound of the round that this is a part of: the last record of each key was looked for below it, and all of it
        /// is clean when the last part is done.
        upto: EndOffset,
        /// Every batch that is not what it was, in order.
        batches: Vec<CleanedBatch>,
    },
    /// A leader has answered a DeleteRecords for one partition (L75).
    DeleteRecordsAnswered {
        /// The partition.
        partition: Partition,
        /// Up to where; `None` was for the high watermark.
        before: Option<Offset>,
        /// What was answered.
        error: ErrorCode,
        /// The lowest log start offset of all live replicas, where it is known.
        low_watermark: Option<EndOffset>,
    },
    /// A client was answered to a DeleteRecords (L75).
    RecordsDeleted {
        /// The partition.
        partition: Partition,
        /// The lowest log start offset of all live replicas; none beside an error.
        low_watermark: Option<EndOffset>,
        /// What was answered.
        error: ErrorCode,
    },
    /// A client was answered to a ListOffsets (L76).
    OffsetListed {
        /// The partition.
        partition: Partition,
        /// What was asked for.
        spec: OffsetSpec,
        /// The offset that was found, with the timestamp of its record where a timestamp was asked for.
        found: Option<(EndOffset, Option<i64>)>,
        /// What was answered.
        error: ErrorCode,
    },
    /// A broker found the directory of a replica that is not its own any more, and has put it aside to be removed.
    Strayed {
        /// The directory.
        directory: String,
    },
    // ---- the quorum of controllers ----
    /// A controller has read its disk: this is the metadata log that it found.
    QuorumOpened {
        /// The voter.
        voter: Voter,
        /// The epoch in which it starts.
        epoch: LeaderEpoch,
        /// The log start offset.
        start: EndOffset,
        /// The log end offset.
        end: EndOffset,
        /// Every batch in the log.
        batches: Vec<BatchId>,
        /// The snapshot from which it starts, if it has one.
        snapshot: Option<SnapshotId>,
    },
    /// A controller's role in the quorum is another one now, or the same in another epoch (C2, C6).
    QuorumRole {
        /// Its epoch now.
        epoch: LeaderEpoch,
        /// Its role now.
        role: QuorumRole,
        /// Whom it believes to lead.
        leader: Option<ControllerId>,
    },
    /// A controller has promised its vote, and the promise is on its disk (C3, C11).
    Voted {
        /// In which epoch.
        epoch: LeaderEpoch,
        /// To whom; itself when it stands.
        candidate: Voter,
    },
    /// A batch was appended to a controller's metadata log.
    MetadataAppended {
        /// The epoch of whoever appended.
        epoch: LeaderEpoch,
        /// The batch.
        batch: BatchId,
        /// Whether this controller leads.
        leads: bool,
    },
    /// Everything below is synced in a controller's metadata log.
    MetadataSynced {
        /// The bound.
        upto: EndOffset,
    },
    /// A controller cut its metadata log, which was not a prefix of the leader's (C22).
    MetadataTruncated {
        /// The log end offset now.
        end: EndOffset,
    },
    /// The high watermark of a controller's metadata log is now here.
    MetadataHighWatermark {
        /// The epoch in which it knows this.
        epoch: LeaderEpoch,
        /// Everything below is committed.
        at: EndOffset,
        /// Whether this controller leads.
        leads: bool,
    },
    /// A controller has written a snapshot, or has fetched one and begun again with it (C24, C25).
    MetadataSnapshot {
        /// Which.
        id: SnapshotId,
        /// Whether it was fetched: the log then begins, and ends, with it.
        fetched: bool,
        /// Where the log starts now.
        log_start: EndOffset,
    },
    /// A controller is the active one no more: what it had decided and not committed is forgotten (C32).
    ControllerResigned {
        /// In which epoch it was active.
        epoch: LeaderEpoch,
        /// What it answered NOT_CONTROLLER, though it may still come true.
        unanswered: u32,
    },
    /// A controller has answered a request that changed something: no sooner than that was committed (C30, R73).
    ControllerAnswered {
        /// Who asked.
        peer: Node,
        /// The first record of the decision, and the bound behind the last one.
        decided: (Offset, EndOffset),
        /// How far the metadata log is committed at this moment.
        committed: EndOffset,
    },
    /// An admin client was answered to a request for a change.
    Administered {
        /// What was asked.
        request: AdminRequest,
        /// What was answered.
        error: ErrorCode,
        /// Why, for people.
        message: String,
    },
    /// A replica was moved away, or its topic was deleted: its log is being removed (R98).
    Removed {
        /// The partition.
        partition: Partition,
    },
}

impl Event {
    /// The partition that the event is about, if it is about one.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        match self {
            Self::Opened { partition, .. }
            | Self::AppendedAsLeader { partition, .. }
            | Self::AppendedAsFollower { partition, .. }
            | Self::Truncated { partition, .. }
            | Self::Restarted { partition, .. }
            | Self::Flushed { partition, .. }
            | Self::Led { partition, .. }
            | Self::Followed { partition, .. }
            | Self::IsrKnown { partition, .. }
            | Self::HighWatermark { partition, .. }
            | Self::Diverged { partition, .. }
            | Self::ProduceAnswered { partition, .. }
            | Self::Served { partition, .. }
            | Self::AlterPartitionRefused { partition, .. }
            | Self::BatchSent { partition, .. }
            | Self::Acked { partition, .. }
            | Self::Sought { partition, .. }
            | Self::Polled { partition, .. }
            | Self::Recovered { partition, .. }
            | Self::LogStartMoved { partition, .. }
            | Self::SegmentsDeleted { partition, .. }
            | Self::Cleaned { partition, .. }
            | Self::DeleteRecordsAnswered { partition, .. }
            | Self::RecordsDeleted { partition, .. }
            | Self::OffsetListed { partition, .. }
            | Self::Removed { partition }
            | Self::Committed { record: MetadataRecord::PartitionChange(PartitionChange { partition, .. }), .. } => {
                Some(*partition)
            }
            Self::Committed { record: MetadataRecord::Partition(registration), .. } => Some(registration.partition),
            Self::SendCalled { partition, .. } | Self::SendFailed { partition, .. } => *partition,
            Self::Committed { .. }
            | Self::BrokerStarted { .. }
            | Self::Registered { .. }
            | Self::Fenced { .. }
            | Self::ImageChanged { .. }
            | Self::MetadataApplied { .. }
            | Self::ShutDown
            | Self::ControllerLed { .. }
            | Self::Assigned { .. }
            | Self::TopicCreated { .. }
            | Self::TopicRefused { .. }
            | Self::TopicDescribed { .. }
            | Self::Strayed { .. }
            | Self::QuorumOpened { .. }
            | Self::QuorumRole { .. }
            | Self::Voted { .. }
            | Self::MetadataAppended { .. }
            | Self::MetadataSynced { .. }
            | Self::MetadataTruncated { .. }
            | Self::MetadataHighWatermark { .. }
            | Self::MetadataSnapshot { .. }
            | Self::ControllerResigned { .. }
            | Self::ControllerAnswered { .. }
            | Self::Administered { .. } => None,
        }
    }
}

/// A controller's role in the quorum (C2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuorumRole {
    /// It knows no leader.
    Unattached,
    /// It asks whether it would be elected (KIP-996).
    Prospective,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
    /// It has given up to lead; it cannot lead again, nor vote, in this epoch.
    Resigned,
    /// It follows.
    Follower,
}

/// Why a log start offset moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StartCause {
    /// Segments were deleted by this replica's own retention (L72, L74).
    Retention,
    /// A client asked for it, and this replica led (L75).
    DeleteRecords,
    /// This replica followed a leader whose log begins there (L25).
    Leader,
}

/// Why a consumer's position was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeekReason {
    /// The application asked for it.
    Application,
    /// There was no position, and `auto.offset.reset` decided.
    Initial,
    /// The position was out of range, and `auto.offset.reset` decided (K8).
    OutOfRange,
    /// The log was truncated under the position (K6).
    Truncation,
}
