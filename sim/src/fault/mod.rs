//! Every misfortune, as data: what strikes, whom, and when.
//!
//! Plain values: they are drawn in advance, printed, shrunk by deletion and kept in files. What a fault does is the
//! business of the world; this room must not know one.

mod sight;
mod target;
mod words;

use std::time::Duration;

use model::names::Node;
use model::protocol::Protocol;
use model::wire::{AdminRequest, Channel};
use serde::{Deserialize, Serialize};

pub use self::sight::Sight;
pub use self::target::Target;
use crate::disk::Side;

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

/// Whom a fault names, listed once for those who look and those who change: nobody, one, or the links between some and others.
macro_rules! named_by {
    ($fault:expr, nobody => $nobody:expr, $target:ident => $single:expr, ($one:ident, $other:ident) => $links:expr $(,)?) => {
        match $fault {
            Fault::PowerOffAll | Fault::Heal | Fault::Administer(_) => $nobody,
            Fault::Crash($target)
            | Fault::PowerOff($target)
            | Fault::Restart($target)
            | Fault::Start($target)
            | Fault::Terminate($target)
            | Fault::Destroy($target)
            | Fault::Wipe($target)
            | Fault::Pause($target, _)
            | Fault::Isolate($target)
            | Fault::DiskStall($target, _)
            | Fault::DiskSlow($target, _)
            | Fault::DiskFull($target)
            | Fault::DiskFree($target)
            | Fault::DiskError($target, _)
            | Fault::SyncError($target)
            | Fault::Rot($target)
            | Fault::CrashAtDiskCall($target, _)
            | Fault::PowerOffAtDiskCall($target, _)
            | Fault::StopAtDiskCall { target: $target, .. }
            | Fault::ClockSkew($target, _)
            | Fault::ClockDrift($target, _)
            | Fault::ClockJump($target, _)
            | Fault::Upgrade($target, _) => $single,
            Fault::Cut { from: $one, to: $other }
            | Fault::CutBoth { between: $one, and: $other }
            | Fault::Hold { from: $one, to: $other }
            | Fault::Release { from: $one, to: $other }
            | Fault::Sever { between: $one, and: $other }
            | Fault::Delay { from: $one, to: $other, .. }
            | Fault::Lag { from: $one, to: $other, .. }
            | Fault::Stall { from: $one, to: $other, .. }
            | Fault::Slow { from: $one, to: $other, .. }
            | Fault::Mend { between: $one, and: $other } => $links,
        }
    };
}

impl Fault {
    /// Whom it names.
    #[must_use]
    pub fn aim(&self) -> Aim<'_> {
        named_by!(self, nobody => Aim::Nobody, target => Aim::One(*target), (one, other) => Aim::Links(one, other))
    }

    /// Puts another one in the place of each whom it names.
    pub fn rename(&mut self, other: &mut dyn FnMut(Target) -> Target) {
        let mut rename = |target: &mut Target| *target = other(*target);
        named_by!(
            self,
            nobody => {},
            target => rename(target),
            (some, others) => some.iter_mut().chain(others).for_each(rename),
        );
    }

    /// Puts this node in the place of [`Target::Seen`] wherever it is named.
    pub(crate) fn reveal(&mut self, seen: Node) {
        self.rename(&mut |target| if target == Target::Seen { Target::Node(seen) } else { target });
    }
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
