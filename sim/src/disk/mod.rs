//! One host's disk: what was written is not kept.
//!
//! Implements the table of `protocol/01-log.md` §1.19. A crash of the process keeps everything written, for the page cache
//! outlives it; a power cut keeps what was synced and any subset of the rest: page by page, torn, zeroed, out of order,
//! truncations and changes of names undone. What is pending is kept as data (`file`, `names`); what survives is drawn
//! by meaning (`survival`). A directory's own entry in its parent is not modelled: it lasts as long as a file in it.
//! Knows nothing of logs; machines see it only as a [`Disk`](model::disk::Disk).

mod calls;
mod content;
mod fates;
mod file;
mod names;
mod record;
mod survival;
mod timings;
mod trouble;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::disk::DiskError;
use model::names::Node;
use rand::RngCore;

pub use self::fates::{Fates, OpenFile, Sample};
use self::file::File;
pub use self::file::{PAGE, SECTOR};
use self::names::{NameChange, Names, Slot};
pub use self::record::{Call, CallKind};
pub use self::survival::{Fate, FileFate, Image, PageFate};
pub use self::timings::DiskTimings;
pub use self::trouble::Side;
use self::trouble::Trouble;
use crate::dice::{Dice, Draw};
use crate::fact::Moment;

/// The disk of one host, over all its lives. Cloning shares the bytes.
#[derive(Clone, Debug)]
pub struct SimDisk {
    host: Node,
    dice: Dice,
    timings: DiskTimings,
    /// By number. A file without a name stays until the process ends, since it may be open.
    files: Vec<Option<File>>,
    vacant: Vec<Slot>,
    names: Names,
    born: u64,
    /// The how-manieth process; part of every handle.
    life: u32,
    calls: u64,
    /// Nanoseconds not yet taken by [`SimDisk::take_cost`].
    cost: u64,
    /// How many calls there were at the last taking.
    charged: u64,
    /// How often a path was the object of a call whose time is drawn.
    occasions: BTreeMap<Arc<str>, u64>,
    trouble: Trouble,
    /// The calls so far, if somebody asked for them.
    record: Option<Vec<Call>>,
}

/// A bit that was turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rot {
    /// In which file.
    pub path: String,
    /// In which byte.
    pub at: u64,
    /// Which bit of it, from 0, the lowest.
    pub bit: u8,
}

impl SimDisk {
    /// An empty disk in good order.
    #[must_use]
    pub fn new(host: Node, dice: Dice, timings: DiskTimings) -> Self {
        Self {
            host,
            dice,
            timings,
            files: Vec::new(),
            vacant: Vec::new(),
            names: Names::default(),
            born: 0,
            life: 0,
            calls: 0,
            cost: 0,
            charged: 0,
            occasions: BTreeMap::new(),
            trouble: Trouble::default(),
            record: None,
        }
    }

    /// From now on these dice are drawn from.
    pub fn reroll(&mut self, dice: Dice) {
        self.dice = dice;
    }

    /// How many calls there were, in all lives.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The time that the calls since the last taking take, if they began now; it is longer while the disk stands still.
    pub fn take_cost(&mut self, now: Moment) -> Duration {
        if self.calls == self.charged {
            return Duration::ZERO;
        }
        self.charged = self.calls;
        let cost = std::mem::take(&mut self.cost).saturating_mul(u64::from(self.trouble.factor));
        Duration::from_nanos(cost) + self.trouble.stalled_until.since(now)
    }

    /// The process is over, however it ended: everything written is kept, handles end, and a new process may begin.
    pub fn crash(&mut self) {
        self.begin_life();
    }

    /// The power goes, for the `nth` time on this host: what was not synced survives as drawn. Returns what happened.
    pub fn power_off(&mut self, dice: Dice, nth: u64) -> Fate {
        let fate = survival::draw(dice, self.host, nth, &self.names, &self.files);
        self.settle(&fate);
        fate
    }

    /// The power goes, and this is what is left. `fate` must be one of this disk in this state.
    pub fn settle(&mut self, fate: &Fate) {
        self.names.settle(&fate.names);
        for (slot, file) in self.files.iter_mut().enumerate() {
            let Some(file) = file else { continue };
            let unsettled = fate.files.get(&(slot as Slot)).zip(file.unsettled());
            if let Some((fate, unsettled)) = unsettled {
                file.settle(unsettled.surviving(fate));
            }
        }
        for (path, slot) in self.names.iter() {
            if let Some(Some(file)) = self.files.get_mut(slot as usize) {
                file.path = path.clone();
            }
        }
        self.begin_life();
    }

    /// The disk is replaced by an empty one in good order.
    pub fn wipe(&mut self) {
        self.names = Names::default();
        self.trouble = Trouble::default();
        self.begin_life();
    }

    /// Whether the process died in a call and [`SimDisk::crash`] or another end has not been told to the disk yet.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.trouble.is_dead()
    }

    /// The `nth` call from now (1 is the next) kills the process, on this side of its effect. It stays armed over
    /// the ends of processes, so that recovery can be hit too.
    pub fn crash_at_call(&mut self, nth: u64, side: Side) {
        self.trouble.crash_at(nth, side);
    }

    /// The call with this number (see [`SimDisk::calls`] and [`Call::number`]) kills the process, as in
    /// [`SimDisk::crash_at_call`]. If it is over already, the next one does.
    pub fn crash_at_call_number(&mut self, number: u64, side: Side) {
        self.crash_at_call(number.saturating_sub(self.calls), side);
    }

    /// Whether there is no space left: appends and new files fail with `ENOSPC`.
    pub fn set_full(&mut self, full: bool) {
        self.trouble.set_full(full);
    }

    /// How many bytes there is space for; `None` for any number.
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.trouble.set_capacity(bytes);
    }

    /// The next `count` calls that write, name or sync fail with this error, without effect; a sync that fails does so
    /// as in [`SimDisk::fail_syncs`].
    ///
    /// # Panics
    /// If the error is [`DiskError::Crashed`], which [`SimDisk::crash_at_call`] is for.
    pub fn fail_next(&mut self, count: u64, error: DiskError) {
        assert_ne!(error, DiskError::Crashed, "a call that kills the process is armed by crash_at_call");
        self.trouble.fail_calls(count, error);
    }

    /// The next `count` syncs fail with `EIO`, and what was dirty is called clean: it can be read until the power goes,
    /// and may be gone then although later syncs succeeded, unless its page was written to again.
    pub fn fail_syncs(&mut self, count: u64) {
        self.trouble.fail_syncs(count);
    }

    /// The next `count` calls that only read (open, length, read, list) fail with `EIO`.
    pub fn fail_reads(&mut self, count: u64) {
        self.trouble.fail_reads(count);
    }

    /// No call ends before this moment.
    pub fn stall_until(&mut self, moment: Moment) {
        self.trouble.stalled_until = self.trouble.stalled_until.max(moment);
    }

    /// Every call takes `factor` times as long; 1 is normal.
    pub fn slow_down(&mut self, factor: u32) {
        self.trouble.factor = factor.max(1);
    }

    /// Takes back every fault that can be taken back. What is rotten or was never written stays so.
    pub fn mend(&mut self) {
        self.trouble.mend();
    }

    /// Turns a drawn bit in a file whose path ends in `suffix`, durable or not; nothing if there is no byte in any.
    /// Which page is hit depends on no other page, unless that one is hit.
    pub fn flip_bit(&mut self, dice: Dice, nth: u64, suffix: &str) -> Option<Rot> {
        let (_, slot, page) = self
            .names
            .iter()
            .filter(|(path, _)| path.ends_with(suffix))
            .flat_map(|(path, slot)| {
                let pages = self.file(slot).content().len().div_ceil(PAGE);
                let luck = dice.of(&("rot", self.host, nth, &**path));
                (0..pages).map(move |page| (luck.nth(page).next_u64(), slot, page))
            })
            .max()?;
        let file = self.file_mut(slot);
        let length = (file.content().len() - page * PAGE).min(PAGE);
        let where_in_it = dice.draw(&("rotten bit", &*file.path, page, nth)).next_u64();
        let (at, bit) = (page * PAGE + (where_in_it >> 3) % length, (where_in_it & 7) as u8);
        file.flip(at, bit);
        Some(Rot { path: file.path.to_string(), at, bit })
    }

    /// All files and their lengths, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(path, slot)| (&**path, self.file(slot).content().len()))
    }

    /// The bytes of a file, as a process would see them, without a call; nothing if there is no such file.
    #[must_use]
    pub fn peek(&self, path: &str) -> Option<Bytes> {
        let content = self.file(self.names.find(path)?).content();
        Some(content.read(0, usize::try_from(content.len()).unwrap_or(usize::MAX)))
    }

    /// The bytes in all files that have a name.
    #[must_use]
    pub fn bytes_used(&self) -> u64 {
        self.files().map(|(_, length)| length).sum()
    }

    /// Ends all handles, and drops the files that nobody can reach any more.
    fn begin_life(&mut self) {
        self.life += 1;
        self.cost = 0;
        self.charged = self.calls;
        self.trouble.revive();
        let reachable = self.names.reachable();
        self.vacant.clear();
        for (slot, file) in self.files.iter_mut().enumerate().rev() {
            if !reachable.contains(&(slot as Slot)) {
                *file = None;
                self.vacant.push(slot as Slot);
            }
        }
    }

    /// A new file without bytes, not yet in any directory.
    fn bear(&mut self, path: Arc<str>) -> Slot {
        let file = Some(File::new(path, self.born));
        self.born += 1;
        match self.vacant.pop() {
            Some(slot) => {
                self.files[slot as usize] = file;
                slot
            }
            None => {
                self.files.push(file);
                (self.files.len() - 1) as Slot
            }
        }
    }

    fn file(&self, slot: Slot) -> &File {
        self.files[slot as usize].as_ref().expect("what has a name or a handle is there")
    }

    fn file_mut(&mut self, slot: Slot) -> &mut File {
        self.files[slot as usize].as_mut().expect("what has a name or a handle is there")
    }

    /// The draw for the time of the next call on this path.
    fn occasion(&mut self, path: &str) -> Draw {
        let nth = match self.occasions.get_mut(path) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                self.occasions.insert(Arc::from(path), 0);
                0
            }
        };
        self.dice.of(&("disk time", self.host, path)).nth(nth)
    }
}

impl fmt::Display for SimDisk {
    /// For people: each file with its length and how much of it is not durable, then the pending changes of names.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "disk of {}: {} bytes, {} calls", self.host, self.bytes_used(), self.calls)?;
        for (path, slot) in self.names.iter() {
            let file = self.file(slot);
            write!(f, "  {path}  {}", file.content().len())?;
            match file.unsettled() {
                Some(unsettled) => writeln!(f, "  unsettled {:?}", unsettled.loose)?,
                None => writeln!(f)?,
            }
        }
        for change in self.names.pending() {
            match change {
                NameChange::Linked { entry, .. } => writeln!(f, "  pending: create {}", entry.path)?,
                NameChange::Moved { from, to, .. } => writeln!(f, "  pending: rename {} to {}", from.path, to.path)?,
                NameChange::Unlinked { entry, .. } => writeln!(f, "  pending: remove {}", entry.path)?,
                NameChange::DirectoryMoved { from, to, .. } => {
                    writeln!(f, "  pending: rename directory {from} to {to}")?;
                }
            }
        }
        Ok(())
    }
}
