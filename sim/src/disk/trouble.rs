//! What may be wrong with a disk, apart from what a power cut does to it. Plain state: the disk asks before each call.

use model::disk::DiskError;
use serde::{Deserialize, Serialize};

use crate::fact::Moment;

/// On which side of its effect a disk call kills the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// The call did nothing.
    Before,
    /// Of an append, a drawn part was written; every other call is drawn to have done all or nothing.
    Amid,
    /// The call was done, but nobody learnt of it.
    After,
    /// One of the three.
    Drawn,
}

/// What kind of call is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes nothing.
    Read,
    /// Writes bytes.
    Append,
    /// Changes a name or a length.
    Change,
    /// Makes something durable.
    Sync,
}

/// Everything that is wrong with a disk at the moment.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// Whether [`Trouble::strike`] has anything to say: keeps the common case to one branch.
    armed: bool,
    full: bool,
    capacity: Option<u64>,
    failing_calls: u64,
    error: DiskError,
    failing_syncs: u64,
    failing_reads: u64,
    crash: Option<(u64, Side)>,
    dead: bool,
    pub(super) factor: u32,
    pub(super) stalled_until: Moment,
}

impl Default for Trouble {
    fn default() -> Self {
        Self {
            armed: false,
            full: false,
            capacity: None,
            failing_calls: 0,
            error: DiskError::Io,
            failing_syncs: 0,
            failing_reads: 0,
            crash: None,
            dead: false,
            factor: 1,
            stalled_until: Moment::ZERO,
        }
    }
}

impl Trouble {
    #[inline]
    pub(super) fn is_armed(&self) -> bool {
        self.armed
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    pub(super) fn kill(&mut self) {
        self.dead = true;
        self.rearm();
    }

    /// A new process begins.
    pub(super) fn revive(&mut self) {
        self.dead = false;
        self.rearm();
    }

    pub(super) fn set_full(&mut self, full: bool) {
        self.full = full;
        self.rearm();
    }

    pub(super) fn set_capacity(&mut self, capacity: Option<u64>) {
        self.capacity = capacity;
        self.rearm();
    }

    pub(super) fn fail_calls(&mut self, count: u64, error: DiskError) {
        (self.failing_calls, self.error) = (count, error);
        self.rearm();
    }

    pub(super) fn fail_syncs(&mut self, count: u64) {
        self.failing_syncs = count;
        self.rearm();
    }

    pub(super) fn fail_reads(&mut self, count: u64) {
        self.failing_reads = count;
        self.rearm();
    }

    pub(super) fn crash_at(&mut self, nth: u64, side: Side) {
        self.crash = Some((nth.max(1), side));
        self.rearm();
    }

    /// Whether a call is hit, and by what. Counts down what is counted.
    pub(super) fn strike(&mut self, kind: Kind) -> Result<Option<Side>, DiskError> {
        if self.dead {
            return Err(DiskError::Crashed);
        }
        if let Some((left, side)) = &mut self.crash {
            *left -= 1;
            if *left == 0 {
                let side = *side;
                self.crash = None;
                return Ok(Some(side));
            }
        }
        let (left, error) = match kind {
            Kind::Read => (&mut self.failing_reads, DiskError::Io),
            Kind::Sync if self.failing_syncs > 0 => (&mut self.failing_syncs, DiskError::Io),
            Kind::Append | Kind::Change | Kind::Sync => (&mut self.failing_calls, self.error),
        };
        if *left == 0 {
            return Ok(None);
        }
        *left -= 1;
        self.rearm();
        Err(error)
    }

    /// How many more bytes there is room for, if that is limited.
    pub(super) fn room(&self, used: impl FnOnce() -> u64) -> Option<u64> {
        match (self.full, self.capacity) {
            (true, _) => Some(0),
            (false, Some(capacity)) => Some(capacity.saturating_sub(used())),
            (false, None) => None,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Everything is taken back, but the dead stay dead.
    pub(super) fn mend(&mut self) {
        *self = Self { dead: self.dead, ..Self::default() };
        self.rearm();
    }

    fn rearm(&mut self) {
        self.armed = self.dead
            || self.full
            || self.capacity.is_some()
            || self.failing_calls + self.failing_syncs + self.failing_reads > 0
            || self.crash.is_some();
    }
}
