//! Every misfortune, as data: what strikes, whom, and when.
//!
//! Plain values: they are drawn in advance, printed, shrunk by deletion and kept in files. What a fault does is the
//! business of the world; this file must not know one.

use std::fmt;
use std::time::Duration;

use model::event::Event;
use model::names::Node;
use model::protocol::Protocol;
use model::wire::{AdminRequest, Channel};
use serde::{Deserialize, Serialize};

use crate::disk::Side;
use crate::fact::{Fact, What};

/// Whom a fault strikes: a name, or a role that is looked up when the fault strikes. A role that nobody has at that
/// moment makes the fault strike nobody, which the trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// This node.
    Node(Node),
    /// Who leads the partition, counted in order of creation, as the last committed record says.
    Leader(u32),
    /// The nth replica (from 0, round and round) of the partition that does not lead it.
    Follower(u32, u32),
    /// The nth member (from 0, round and round) of the partition's ISR that does not lead it.
    InSync(u32, u32),
    /// The nth broker (from 0, round and round) that does not lead the partition, replica or not.
    OtherBroker(u32, u32),
    /// The controller: the active one, or else the one that was last.
    Controller,
    /// The nth controller (from 0, round and round) that is not the active one.
    StandbyController(u32),
    /// The nth controller (from 0, round and round).
    AnyController(u32),
    /// All controllers.
    Controllers,
    /// The nth broker (from 0, round and round).
    AnyBroker(u32),
    /// The nth producer (from 0, round and round).
    Producer(u32),
    /// The nth consumer (from 0, round and round).
    Consumer(u32),
    /// All brokers.
    Brokers,
    /// All clients.
    Clients,
    /// All nodes.
    Everyone,
    /// Whom the sight is about that the fault lay in ambush for: see [`Sight::about`]. Nobody for a fault that waited for none. It
    /// becomes that node when the ambush strikes.
    Seen,
}

/// One misfortune, or its end. New variants go to the end: the digest counts on their order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    // ---- processes and hosts ----
    /// `kill -9`: the page cache survives, and the kernel resets the connections.
    Crash(Target),
    /// The power goes: what was not synced may be gone, and nobody is told.
    PowerOff(Target),
    /// The power of all controllers and brokers goes at once.
    PowerOffAll,
    /// Starts the process, after a `kill -9` if it runs. Not for what was destroyed.
    Restart(Target),
    /// Starts the process if it is down and has run before; does nothing to one that runs. Not for what was destroyed.
    Start(Target),
    /// `SIGTERM`: an orderly shutdown.
    Terminate(Target),
    /// Machine and disk are gone for good.
    Destroy(Target),
    /// The power goes and the disk is replaced by an empty one.
    Wipe(Target),
    /// The process stands still for so long, as in a long garbage collection; its kernel does not.
    Pause(Target, Duration),
    // ---- the network: rules add up until they are mended ----
    /// Nothing gets through one way. TCP keeps what was sent and tries again.
    Cut {
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
    },
    /// Nothing gets through either way.
    CutBoth {
        /// Between any of these.
        between: Vec<Target>,
        /// And any of these.
        and: Vec<Target>,
    },
    /// Nothing gets through either way between the node and all others.
    Isolate(Target),
    /// Messages wait in the network until they are released.
    Hold {
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
    },
    /// What was held arrives now, in order, and nothing is held any more.
    Release {
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
    },
    /// Every connection is reset now, at both ends; new ones may be opened at once.
    Sever {
        /// Between any of these.
        between: Vec<Target>,
        /// And any of these.
        and: Vec<Target>,
    },
    /// Messages take longer, one way.
    Delay {
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
        /// Each by this much.
        extra: Duration,
        /// And by up to this much, drawn for each.
        jitter: Duration,
    },
    /// The link carries only so much, one way.
    Slow {
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
        /// So much.
        bytes_per_second: u64,
    },
    /// Lifts every rule both ways.
    Mend {
        /// Between any of these.
        between: Vec<Target>,
        /// And any of these.
        and: Vec<Target>,
    },
    /// Lifts every rule of the whole network.
    Heal,
    // ---- disks ----
    /// The disk answers nothing for so long.
    DiskStall(Target, Duration),
    /// Every call takes so many times as long; 1 ends it.
    DiskSlow(Target, u32),
    /// No space is left.
    DiskFull(Target),
    /// There is space again.
    DiskFree(Target),
    /// The next so many calls that write fail with `EIO`.
    DiskError(Target, u32),
    /// The next sync fails with `EIO`, and what was dirty may never become durable although later syncs succeed.
    SyncError(Target),
    /// A bit of a log segment flips, durable or not.
    Rot(Target),
    /// The process is killed in the nth disk call from now (from 1): before its effect, amid it or after it, as drawn.
    CrashAtDiskCall(Target, u64),
    /// The power goes in the nth disk call from now (from 1), likewise.
    PowerOffAtDiskCall(Target, u64),
    // ---- clocks ----
    /// The host's clock now differs from the truth by so many nanoseconds.
    ClockSkew(Target, i64),
    /// The host's clock runs too fast, or too slow, by so many millionths.
    ClockDrift(Target, i32),
    /// The host's clock jumps by so many nanoseconds.
    ClockJump(Target, i64),
    /// From its next process on, the node speaks another protocol: half of a rolling upgrade, whose other half is a restart.
    Upgrade(Target, Box<Protocol>),
    /// An operator asks the controller for a change, through the admin client.
    Administer(AdminRequest),
    /// The host stops in one disk call of its own, and starts again after a while. Orders of several calls add up; one
    /// for a call that was made already does nothing.
    StopAtDiskCall {
        /// Whom.
        target: Target,
        /// Which call, counted from the first one that the disk ever saw (from 1).
        call: u64,
        /// On which side of its effect.
        side: Side,
        /// What stops.
        how: Stopping,
        /// How long after that the process is started again.
        back: Duration,
    },
    /// What belongs to one conversation takes longer, one way: late metadata, or a late answer to AlterPartition, while all else arrives
    /// in time.
    Lag {
        /// Of this conversation.
        channel: Channel,
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
        /// Each message by this much.
        extra: Duration,
    },
    /// Nothing that belongs to one conversation arrives for so long, one way, not even what is under way already; then all of it does, in
    /// order. It ends by itself.
    Stall {
        /// Of this conversation.
        channel: Channel,
        /// From any of these.
        from: Vec<Target>,
        /// To any of these.
        to: Vec<Target>,
        /// For so long.
        lasts: Duration,
    },
}

/// What stops in a disk call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stopping {
    /// The process: the page cache survives.
    Kill,
    /// The power: of what was not synced survives what is drawn for that call and side.
    Power,
    /// The power, and this is left: one of all legal states, by its number among those that
    /// [`Fates::up_to`](crate::disk::Fates::up_to) enumerates.
    PowerLeaving {
        /// Its number, from 0.
        state: u32,
        /// How many are enumerated at most.
        bound: u32,
    },
}

/// A misfortune and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strike {
    /// When.
    pub when: When,
    /// What.
    pub fault: Fault,
}

/// When a fault strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// So long after the scenario began.
    At(Duration),
    /// In ambush: once, upon a sight. Storms by the clock are nearly blind to windows of milliseconds.
    Ambush {
        /// What is waited for.
        on: Sight,
        /// How many of them are let pass.
        skip: u32,
        /// How long after the sight.
        after: Duration,
    },
}

impl When {
    /// So long after the same time or sight.
    #[must_use]
    pub fn later(&self, by: Duration) -> Self {
        match self {
            Self::At(time) => Self::At(*time + by),
            Self::Ambush { on, skip, after } => Self::Ambush { on: *on, skip: *skip, after: *after + by },
        }
    }
}

/// Whom a fault names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim<'a> {
    /// Nobody in particular.
    Nobody,
    /// This one, whoever that is when it strikes.
    One(Target),
    /// The links between any of these and any of those.
    Links(&'a [Target], &'a [Target]),
}

impl Fault {
    /// Whom it names.
    #[must_use]
    pub fn aim(&self) -> Aim<'_> {
        match self {
            Self::PowerOffAll | Self::Heal | Self::Administer(_) => Aim::Nobody,
            Self::Crash(target)
            | Self::PowerOff(target)
            | Self::Restart(target)
            | Self::Start(target)
            | Self::Terminate(target)
            | Self::Destroy(target)
            | Self::Wipe(target)
            | Self::Pause(target, _)
            | Self::Isolate(target)
            | Self::DiskStall(target, _)
            | Self::DiskSlow(target, _)
            | Self::DiskFull(target)
            | Self::DiskFree(target)
            | Self::DiskError(target, _)
            | Self::SyncError(target)
            | Self::Rot(target)
            | Self::CrashAtDiskCall(target, _)
            | Self::PowerOffAtDiskCall(target, _)
            | Self::StopAtDiskCall { target, .. }
            | Self::ClockSkew(target, _)
            | Self::ClockDrift(target, _)
            | Self::ClockJump(target, _)
            | Self::Upgrade(target, _) => Aim::One(*target),
            Self::Cut { from: one, to: other }
            | Self::CutBoth { between: one, and: other }
            | Self::Hold { from: one, to: other }
            | Self::Release { from: one, to: other }
            | Self::Sever { between: one, and: other }
            | Self::Delay { from: one, to: other, .. }
            | Self::Lag { from: one, to: other, .. }
            | Self::Stall { from: one, to: other, .. }
            | Self::Slow { from: one, to: other, .. }
            | Self::Mend { between: one, and: other } => Aim::Links(one, other),
        }
    }

    /// Puts this node in the place of [`Target::Seen`] wherever it is named.
    pub(crate) fn reveal(&mut self, seen: Node) {
        self.rename(&mut |target| if target == Target::Seen { Target::Node(seen) } else { target });
    }

    /// Puts another one in the place of each whom it names.
    pub fn rename(&mut self, other: &mut dyn FnMut(Target) -> Target) {
        let mut rename = |target: &mut Target| *target = other(*target);
        match self {
            Self::PowerOffAll | Self::Heal | Self::Administer(_) => {}
            Self::Crash(target)
            | Self::PowerOff(target)
            | Self::Restart(target)
            | Self::Start(target)
            | Self::Terminate(target)
            | Self::Destroy(target)
            | Self::Wipe(target)
            | Self::Pause(target, _)
            | Self::Isolate(target)
            | Self::DiskStall(target, _)
            | Self::DiskSlow(target, _)
            | Self::DiskFull(target)
            | Self::DiskFree(target)
            | Self::DiskError(target, _)
            | Self::SyncError(target)
            | Self::Rot(target)
            | Self::CrashAtDiskCall(target, _)
            | Self::PowerOffAtDiskCall(target, _)
            | Self::StopAtDiskCall { target, .. }
            | Self::ClockSkew(target, _)
            | Self::ClockDrift(target, _)
            | Self::ClockJump(target, _)
            | Self::Upgrade(target, _) => rename(target),
            Self::Cut { from: one, to: other }
            | Self::CutBoth { between: one, and: other }
            | Self::Hold { from: one, to: other }
            | Self::Release { from: one, to: other }
            | Self::Sever { between: one, and: other }
            | Self::Delay { from: one, to: other, .. }
            | Self::Lag { from: one, to: other, .. }
            | Self::Stall { from: one, to: other, .. }
            | Self::Slow { from: one, to: other, .. }
            | Self::Mend { between: one, and: other } => one.iter_mut().chain(other).for_each(rename),
        }
    }
}

/// A kind of fact that an ambush can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sight {
    /// A broker process has started.
    Started,
    /// A process is over.
    Stopped,
    /// A broker has opened a log.
    Opened,
    /// A broker has registered.
    Registered,
    /// A broker has learned that it is fenced.
    Fenced,
    /// A broker has learned that it is no longer fenced.
    Unfenced,
    /// A replica has begun to lead.
    Led,
    /// A replica has begun to follow.
    Followed,
    /// A leader has appended.
    Appended,
    /// A follower has appended.
    Replicated,
    /// A replica has cut its log.
    Truncated,
    /// A follower was told that its log diverges.
    Diverged,
    /// A replica has synced its log.
    Flushed,
    /// A leader's high watermark has moved.
    HighWatermarkMoved,
    /// A leader has proposed another ISR.
    IsrProposed,
    /// The committed ISR of a partition has lost a member.
    IsrShrunk,
    /// The committed ISR of a partition has gained a member.
    IsrGrew,
    /// A partition has, by a committed record, another leader, or none.
    LeaderChanged,
    /// A record of the metadata log is committed.
    Committed,
    /// A broker has applied part of the metadata log.
    MetadataApplied,
    /// A producer's record is acknowledged.
    Acked,
    /// A producer's record has failed.
    SendFailed,
    /// A consumer has handed records to the application.
    Polled,
    /// A connection was cut.
    Severed,
    /// A broker has checked a log after an unclean stop.
    Recovered,
    /// A replica's log begins later than it did.
    LogStartMoved,
    /// Retention has taken segments out of a log.
    SegmentsDeleted,
    /// The cleaner has rewritten part of a log.
    Cleaned,
    /// A controller has voted.
    Voted,
    /// A controller has begun to lead.
    ControllerLed,
}

impl Strike {
    /// At a time after the scenario began.
    #[must_use]
    pub fn at(time: Duration, fault: Fault) -> Self {
        Self { when: When::At(time), fault }
    }

    /// At the next such sight.
    #[must_use]
    pub fn upon(on: Sight, fault: Fault) -> Self {
        Self { when: When::Ambush { on, skip: 0, after: Duration::ZERO }, fault }
    }
}

impl Sight {
    /// Every kind, for whoever draws one.
    pub const ALL: [Self; 30] = [
        Self::Started,
        Self::Stopped,
        Self::Opened,
        Self::Registered,
        Self::Fenced,
        Self::Unfenced,
        Self::Led,
        Self::Followed,
        Self::Appended,
        Self::Replicated,
        Self::Truncated,
        Self::Diverged,
        Self::Flushed,
        Self::HighWatermarkMoved,
        Self::IsrProposed,
        Self::IsrShrunk,
        Self::IsrGrew,
        Self::LeaderChanged,
        Self::Committed,
        Self::MetadataApplied,
        Self::Acked,
        Self::SendFailed,
        Self::Polled,
        Self::Severed,
        Self::Recovered,
        Self::LogStartMoved,
        Self::SegmentsDeleted,
        Self::Cleaned,
        Self::Voted,
        Self::ControllerLed,
    ];

    /// Whether the fact is of this kind. What a committed record changed cannot be told from the record alone: for
    /// [`Sight::IsrShrunk`], [`Sight::IsrGrew`] and [`Sight::LeaderChanged`] the cast knows, see
    /// [`Cast::turn`](crate::cast::Cast::turn).
    #[must_use]
    pub fn matches(self, fact: &Fact, turn: crate::cast::Turn) -> bool {
        match &fact.what {
            What::Noted(event) => self.matches_event(event, turn),
            What::Started { .. } => self == Self::Started && fact.node.is_some_and(|node| node.broker().is_some()),
            What::Stopped { .. } => self == Self::Stopped,
            What::Severed { .. } => self == Self::Severed,
            What::Delivered { .. }
            | What::Paused
            | What::Resumed
            | What::Submitted(_)
            | What::Struck(_)
            | What::Chapter(_) => false,
        }
    }

    /// Whom the fact, which [matches](Self::matches), is about: who is proposed, has joined, has left or is to lead now; else the node
    /// that says it.
    #[must_use]
    pub fn about(self, fact: &Fact, turn: crate::cast::Turn) -> Option<Node> {
        let broker = match (self, fact.event()) {
            (Self::IsrShrunk, _) => turn.left,
            (Self::IsrGrew, _) => turn.joined,
            (Self::LeaderChanged, _) => turn.leader,
            (Self::IsrProposed, Some(Event::IsrKnown { committed, required, .. })) => {
                required.iter().copied().find(|member| !committed.contains(member))
            }
            _ => None,
        };
        broker.map(Node::Broker).or(fact.node)
    }

    fn matches_event(self, event: &Event, turn: crate::cast::Turn) -> bool {
        match event {
            Event::Opened { .. } => self == Self::Opened,
            Event::AppendedAsLeader { .. } => self == Self::Appended,
            Event::AppendedAsFollower { .. } => self == Self::Replicated,
            Event::Truncated { .. } | Event::Restarted { .. } => self == Self::Truncated,
            Event::Flushed { .. } => self == Self::Flushed,
            Event::Recovered { clean, .. } => self == Self::Recovered && !clean,
            Event::LogStartMoved { .. } => self == Self::LogStartMoved,
            Event::SegmentsDeleted { .. } => self == Self::SegmentsDeleted,
            Event::Cleaned { .. } => self == Self::Cleaned,
            Event::Voted { .. } => self == Self::Voted,
            Event::ControllerLed { .. } => self == Self::ControllerLed,
            Event::Led { .. } => self == Self::Led,
            Event::Followed { .. } => self == Self::Followed,
            Event::IsrKnown { pending, .. } => self == Self::IsrProposed && *pending,
            Event::HighWatermark { leads, .. } => self == Self::HighWatermarkMoved && *leads,
            Event::Diverged { .. } => self == Self::Diverged,
            Event::Registered { .. } => self == Self::Registered,
            Event::Fenced { fenced: true } => self == Self::Fenced,
            Event::Fenced { fenced: false } => self == Self::Unfenced,
            Event::MetadataApplied { .. } => self == Self::MetadataApplied,
            Event::Committed { .. } => match self {
                Self::Committed => true,
                Self::IsrShrunk => turn.left.is_some(),
                Self::IsrGrew => turn.joined.is_some(),
                Self::LeaderChanged => turn.leader_changed,
                _ => false,
            },
            Event::Acked { .. } => self == Self::Acked,
            Event::SendFailed { .. } => self == Self::SendFailed,
            Event::Polled { .. } => self == Self::Polled,
            Event::ProduceAnswered { .. }
            | Event::Served { .. }
            | Event::BrokerStarted { .. }
            | Event::ShutDown
            | Event::AlterPartitionRefused { .. }
            | Event::SendCalled { .. }
            | Event::BatchSent { .. }
            | Event::Assigned { .. }
            | Event::Sought { .. }
            | Event::TopicCreated { .. }
            | Event::TopicRefused { .. }
            | Event::TopicDescribed { .. }
            | Event::DeleteRecordsAnswered { .. }
            | Event::RecordsDeleted { .. }
            | Event::OffsetListed { .. }
            | Event::Strayed { .. }
            | Event::QuorumOpened { .. }
            | Event::QuorumRole { .. }
            | Event::MetadataAppended { .. }
            | Event::MetadataSynced { .. }
            | Event::MetadataTruncated { .. }
            | Event::MetadataHighWatermark { .. }
            | Event::MetadataSnapshot { .. }
            | Event::ControllerResigned { .. }
            | Event::ControllerAnswered { .. }
            | Event::Administered { .. }
            | Event::Removed { .. }
            | Event::ImageChanged { .. } => false,
        }
    }
}

impl<N: Into<Node>> From<N> for Target {
    fn from(node: N) -> Self {
        Self::Node(node.into())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => node.fmt(f),
            Self::Leader(partition) => write!(f, "the leader of #{partition}"),
            Self::Follower(partition, nth) => write!(f, "follower {nth} of #{partition}"),
            Self::InSync(partition, nth) => write!(f, "in-sync follower {nth} of #{partition}"),
            Self::OtherBroker(partition, nth) => write!(f, "broker {nth} not leading #{partition}"),
            Self::Controller => f.write_str("the controller"),
            Self::StandbyController(nth) => write!(f, "standby controller {nth}"),
            Self::AnyController(nth) => write!(f, "controller number {nth}"),
            Self::Controllers => f.write_str("all controllers"),
            Self::AnyBroker(nth) => write!(f, "broker number {nth}"),
            Self::Producer(nth) => write!(f, "producer number {nth}"),
            Self::Consumer(nth) => write!(f, "consumer number {nth}"),
            Self::Brokers => f.write_str("all brokers"),
            Self::Clients => f.write_str("all clients"),
            Self::Everyone => f.write_str("everyone"),
            Self::Seen => f.write_str("whom that is about"),
        }
    }
}

/// Several targets, as in a sentence.
struct List<'a>(&'a [Target]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.0.iter().enumerate() {
            write!(f, "{}{target}", if index == 0 { "" } else { "," })?;
        }
        if self.0.is_empty() { f.write_str("nobody") } else { Ok(()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(target) => write!(f, "crash {target}"),
            Self::PowerOff(target) => write!(f, "power off {target}"),
            Self::PowerOffAll => f.write_str("power off all servers"),
            Self::Restart(target) => write!(f, "restart {target}"),
            Self::Start(target) => write!(f, "start {target}"),
            Self::Terminate(target) => write!(f, "terminate {target}"),
            Self::Destroy(target) => write!(f, "destroy {target}"),
            Self::Wipe(target) => write!(f, "wipe {target}"),
            Self::Pause(target, span) => write!(f, "pause {target} for {span:?}"),
            Self::Cut { from, to } => write!(f, "cut {} -> {}", List(from), List(to)),
            Self::CutBoth { between, and } => write!(f, "cut {} <-> {}", List(between), List(and)),
            Self::Isolate(target) => write!(f, "isolate {target}"),
            Self::Hold { from, to } => write!(f, "hold {} -> {}", List(from), List(to)),
            Self::Release { from, to } => write!(f, "release {} -> {}", List(from), List(to)),
            Self::Sever { between, and } => write!(f, "sever {} <-> {}", List(between), List(and)),
            Self::Delay { from, to, extra, jitter } => {
                write!(f, "delay {} -> {} by {extra:?} to {:?}", List(from), List(to), extra.saturating_add(*jitter))
            }
            Self::Lag { channel, from, to, extra } => {
                write!(f, "delay {channel:?} messages {} -> {} by {extra:?}", List(from), List(to))
            }
            Self::Stall { channel, from, to, lasts } => {
                write!(f, "stall {channel:?} messages {} -> {} for {lasts:?}", List(from), List(to))
            }
            Self::Slow { from, to, bytes_per_second } => {
                write!(f, "slow {} -> {} to {bytes_per_second} bytes/s", List(from), List(to))
            }
            Self::Mend { between, and } => write!(f, "mend {} <-> {}", List(between), List(and)),
            Self::Heal => f.write_str("heal the network"),
            Self::DiskStall(target, span) => write!(f, "the disk of {target} stalls for {span:?}"),
            Self::DiskSlow(target, factor) => write!(f, "the disk of {target} is {factor} times as slow"),
            Self::DiskFull(target) => write!(f, "the disk of {target} is full"),
            Self::DiskFree(target) => write!(f, "the disk of {target} has space again"),
            Self::DiskError(target, calls) => write!(f, "the next {calls} writes of {target} fail"),
            Self::SyncError(target) => write!(f, "the next sync of {target} fails"),
            Self::Rot(target) => write!(f, "a bit rots on {target}"),
            Self::CrashAtDiskCall(target, nth) => write!(f, "{target} will crash in its disk call {nth} from now"),
            Self::PowerOffAtDiskCall(target, nth) => {
                write!(f, "{target} will lose power in its disk call {nth} from now")
            }
            Self::StopAtDiskCall { target, call, side, how, back } => {
                let side = match side {
                    Side::Before => "just before",
                    Side::Amid => "amid",
                    Side::After => "just after",
                    Side::Drawn => "in",
                };
                write!(f, "{target} will {how} {side} its disk call {call}, and be back {back:?} later")
            }
            Self::ClockSkew(target, nanos) => write!(f, "the clock of {target} is wrong by {}", Millis(*nanos)),
            Self::ClockDrift(target, ppm) => write!(f, "the clock of {target} drifts by {ppm} ppm"),
            Self::Upgrade(target, _) => write!(f, "{target} will speak another protocol"),
            Self::Administer(request) => write!(f, "an operator asks to {}", crate::story::Asked(request)),
            Self::ClockJump(target, nanos) => write!(f, "the clock of {target} jumps by {}", Millis(*nanos)),
        }
    }
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "crash",
            Self::Power => "lose power",
            Self::PowerLeaving { state, .. } => return write!(f, "lose power (legal state {state} is left)"),
        })
    }
}

/// Nanoseconds, with a sign, shown as milliseconds.
struct Millis(i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.1}ms", self.0 as f64 / 1e6)
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::At(time) => write!(f, "at {time:?}: {}", self.fault),
            When::Ambush { on, skip: 0, after: Duration::ZERO } => write!(f, "upon {on}: {}", self.fault),
            When::Ambush { on, skip, after } => write!(f, "{after:?} after {on} number {}: {}", skip + 1, self.fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_any_size_can_be_said() {
        let (from, to) = (vec![Target::Everyone], vec![Target::Brokers]);
        let fault = Fault::Delay { from, to, extra: Duration::MAX, jitter: Duration::from_secs(1) };
        assert!(fault.to_string().starts_with("delay everyone -> all brokers by "));
    }
}
