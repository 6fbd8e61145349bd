//! The shape of a machine: one door in, one door out.
//!
//! A machine is stepped. Time, chance and the disk are arguments; consequences are pushed, in order, to [`Effects`].
//! It holds no clock, no dice and no socket, and whoever steps it may do so as early, late, often or seldom as a real
//! machine room would. What Kafka does under one lock is one step; what another thread picks up later is an
//! [`Effect::Later`] that comes back as [`Input::Later`] at a time the world chooses (R140-R147).

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskError};
use crate::event::Event;
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Node, Offset, Partition, Time};
use crate::wire::{AdminRequest, Channel, ConnectionId, Envelope, OffsetSpec};

/// Something that is stepped.
pub trait Machine {
    /// Takes in one thing that happened. All consequences are pushed, in order, to `effects`.
    ///
    /// # Errors
    /// [`Stop`] when the process is over: what was pushed to `effects` in this step, and all memory, is lost.
    fn step(&mut self, now: Time, input: Input, disk: &mut dyn Disk, effects: &mut Effects) -> Result<(), Stop>;

    /// When, by its own clock, this machine wants [`Input::Tick`] if nothing else happens first.
    fn deadline(&self) -> Option<Time>;
}

/// Why a process is over in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was killed between two disk calls.
    Crashed,
    /// The only log directory failed, so the process halts without a clean-shutdown marker (R115).
    Storage(DiskError),
}

/// A storage error on the only log directory halts the process (S4, R115); a crash has already ended it.
impl From<DiskError> for Stop {
    fn from(error: DiskError) -> Self {
        match error {
            DiskError::Crashed => Self::Crashed,
            DiskError::NoSpace | DiskError::Io | DiskError::NotFound => Self::Storage(error),
        }
    }
}

/// One thing that happened to a machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process starts, with nothing but its disk and its own chance.
    Start(Chance),
    /// A message came in. In a box, as it was sent in: it is handed on many times on its way.
    Receive(Box<Envelope>),
    /// A connection is gone: closed or reset by the peer, or refused. Messages under way on it may be lost.
    Severed(Severed),
    /// The operator or the application asks for something.
    Submit(Command),
    /// A task that this machine handed to another thread gets its turn.
    Later(Task),
    /// [`Machine::deadline`] has come.
    Tick,
    /// `SIGTERM`: shut down in an orderly way, then push [`Effect::Exit`].
    Terminate,
}

/// One consequence of a step.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A message for the wire.
    Send(Box<Envelope>),
    /// This end closes the connection: what comes from the other end is lost, and so is what was sent and would have to be
    /// sent again. What is on the wire arrives.
    Close(Severed),
    /// Something that another thread of the same process will pick up.
    Later(Task),
    /// What the machine says it did. Never changes a run; it is how a run is read.
    Note(Event),
    /// The process ends in an orderly way.
    Exit,
}

/// Which connection is gone. A client end knows it by peer and channel, a server end by its id as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severed {
    /// Who was at the other end.
    pub peer: Node,
    /// Which of the connections between the two.
    pub channel: Channel,
    /// The connection, as stamped on everything received over it.
    pub connection: ConnectionId,
}

/// The consequences of one step, in order.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
}

impl Effects {
    /// No consequences yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Pushes a message for the wire.
    // Inlined, or the message is moved twice before it is in its box.
    #[inline]
    pub fn send(&mut self, envelope: Envelope) {
        self.list.push(Effect::Send(Box::new(envelope)));
    }

    /// Pushes the closing of a connection.
    pub fn close(&mut self, connection: Severed) {
        self.list.push(Effect::Close(connection));
    }

    /// Pushes a task for another thread.
    pub fn later(&mut self, task: Task) {
        self.list.push(Effect::Later(task));
    }

    /// Pushes a note.
    pub fn note(&mut self, event: Event) {
        self.list.push(Effect::Note(event));
    }

    /// Pushes the orderly end of the process.
    pub fn exit(&mut self) {
        self.list.push(Effect::Exit);
    }

    /// Takes all consequences out, in order, and keeps the room for the next step.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Effect> {
        self.list.drain(..)
    }

    /// Forgets all consequences: the process died in the step that had them.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The consequences so far, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect] {
        &self.list
    }
}

/// A key from which a machine draws what Kafka would draw at random: names, jitter, the next sticky partition.
///
/// Keyed by seed, node and life by whoever starts the machine. Drawing is a hash of key, purpose and count; there is no
/// stream and no state, so one more draw for one purpose shifts no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance(pub u64);

impl Chance {
    /// The `nth` number drawn for `purpose`, uniform over `u64`.
    #[must_use]
    pub fn draw(self, purpose: &str, nth: u64) -> u64 {
        let mut mixed = self.0;
        for &byte in purpose.as_bytes() {
            mixed = scramble(mixed ^ u64::from(byte));
        }
        scramble(mixed ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The finaliser of SplitMix64: a fixed, well-spread permutation of `u64`.
fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// What an operator or an application asks of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Producer: `send`.
    Send {
        /// Topic by name.
        topic: String,
        /// Decides the partition by murmur2 where present (P1).
        key: Option<Bytes>,
        /// The payload.
        value: Bytes,
    },
    /// Producer: `flush`, so that nothing waits for `linger.ms`.
    Flush,
    /// Consumer: `assign` these partitions of a topic, starting where `auto.offset.reset` says. Replaces what was assigned.
    Assign {
        /// Topic by name.
        topic: String,
        /// Partition indices; empty for all that the topic has.
        partitions: Vec<u32>,
    },
    /// Consumer: `seek` one assigned partition.
    Seek {
        /// Topic by name.
        topic: String,
        /// Partition index.
        partition: u32,
        /// Where to read next.
        offset: Offset,
    },
    /// Consumer: `seekToBeginning` of all assigned partitions.
    SeekToBeginning,
    /// Admin: create a topic.
    CreateTopic {
        /// Its name.
        name: String,
        /// How many partitions.
        partitions: u32,
        /// How many replicas of each.
        replication_factor: u16,
        /// Topic-level properties, by Kafka's names.
        config: Vec<(String, String)>,
    },
    /// Admin: describe a topic.
    DescribeTopic {
        /// Its name.
        name: String,
    },
    /// Admin: ask the controller for a change; answered with [`Event::Administered`].
    Administer(AdminRequest),
    /// Admin: delete the records of a partition below an offset (L75).
    DeleteRecords {
        /// Topic by name.
        topic: String,
        /// Partition index.
        partition: u32,
        /// Up to where; `None` for the high watermark.
        before: Option<Offset>,
    },
    /// Admin: ask the leader of a partition for an offset (L76).
    ListOffsets {
        /// Topic by name.
        topic: String,
        /// Partition index.
        partition: u32,
        /// Which.
        spec: OffsetSpec,
    },
}

/// Work that Kafka hands from one thread to another: each variant is one boundary between locks (R140-R147).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Broker: put an appended `acks=all` request into the purgatory, trying it before and after (R140 b, R64).
    ParkProduce {
        /// Which request.
        ticket: Ticket,
    },
    /// Broker: a follower's fetch was read; now count it: follower state, ISR, high watermark (R141 b-d).
    CountFetch {
        /// Which request.
        ticket: Ticket,
    },
    /// Broker: read the bytes of a fetch from the file and answer it (R141 f, L71: lazily, when the response is sent).
    AnswerFetch {
        /// Which request.
        ticket: Ticket,
    },
    /// Broker: re-examine the requests that wait on a partition (R66, the action queue).
    Wake {
        /// The partition.
        partition: Partition,
        /// Whether the high watermark moved (wakes produces too) or only the log grew (wakes fetches).
        high_watermark_moved: bool,
    },
    /// Broker: hand pending ISR changes to the controller channel (R142 b).
    SendAlterPartition,
    /// Broker: apply what the metadata log says, up to this bound or further (C45).
    ApplyMetadata {
        /// Everything below is to be applied.
        upto: EndOffset,
    },
    /// Broker: what a controlled shutdown still has to do once the controller lets go (R101).
    CompleteShutdown,
    /// Log: sync everything below the bound and move the recovery point (L28, after a roll).
    Flush {
        /// The partition.
        partition: Partition,
        /// The new recovery point.
        upto: EndOffset,
    },
    /// Log: rewrite the leader-epoch checkpoint after a truncation (L37, asynchronous in Kafka).
    WriteEpochs {
        /// The partition.
        partition: Partition,
        /// Only used to tell tasks apart in the trace.
        latest: Option<LeaderEpoch>,
    },
    /// Broker: a fetcher's turn to send its next request (R143 a).
    Fetch {
        /// Which leader's fetcher.
        leader: BrokerId,
    },
    /// Log: the next part of a cleaning that was begun (L79, L82).
    Clean {
        /// The partition.
        partition: Partition,
    },
    /// Broker: look again whether a DeleteRecords that waits for followers is done (L75).
    WakeDeleteRecords {
        /// The partition.
        partition: Partition,
    },
}

/// Names a request that a machine holds on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Ticket(pub u64);

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}
