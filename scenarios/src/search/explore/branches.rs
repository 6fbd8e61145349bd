//! An exploration, branch by branch: each first deviation with all that may follow it is one, and what comes of it follows from it
//! alone, so that branches may be explored side by side in any order.

use std::sync::Mutex;

use sim::Panicked;
use sim::fault::Strike;

use super::node::{End, Memory, Node, Point, Unfolded};
use super::{Bounds, SmallWorld, Tally};
use crate::run::{Outcome, Plan};
use crate::storm::Storm;

/// An exploration whose default schedule has been run.
pub struct Exploration {
    small: SmallWorld,
    bounds: Bounds,
    /// What came of the default schedule alone.
    root: Tally,
    memory: Memory,
    points: Vec<Mutex<Point>>,
    /// The first deviations: at which point, and which of what is offered there.
    branches: Vec<(usize, usize)>,
}

impl Exploration {
    /// Runs the default schedule.
    ///
    /// # Errors
    /// If the cluster does not boot, or panics: why.
    pub fn begin(small: &SmallWorld, bounds: Bounds) -> Result<Self, String> {
        let root = unfolded_root(small, bounds.depth)?;
        let mut this = Self {
            small: small.clone(),
            bounds,
            root: Tally::default(),
            memory: root.1,
            points: Vec::new(),
            branches: Vec::new(),
        };
        let mut tally = Tally { states: this.states(&this.memory), ..Tally::default() };
        this.count(&root.0, &[], 0, &mut tally);
        this.root = tally;
        for (nth, point) in root.0.points.into_iter().enumerate() {
            this.branches.extend((0..point.offered.len()).map(|option| (nth, option)));
            this.points.push(Mutex::new(point));
        }
        Ok(this)
    }

    /// What came of the default schedule alone.
    #[must_use]
    pub fn root(&self) -> &Tally {
        &self.root
    }

    /// How many first deviations there are.
    #[must_use]
    pub fn branches(&self) -> u64 {
        self.branches.len() as u64
    }

    /// Explores all that begins with the nth first deviation, as long as `go_on` says so.
    ///
    /// # Panics
    /// If there is no such branch.
    pub fn branch(&self, nth: u64, go_on: &dyn Fn(&Tally) -> bool) -> Tally {
        let (point, option) = self.branches[usize::try_from(nth).expect("a branch has a place in memory")];
        let left = self.bounds.depth - 1;
        let node = {
            let point = self.points[point].lock().expect("no thread panicked with it");
            point.child(option, &[], left, &self.small)
        };
        let mut memory = self.memory.clone();
        let mut tally = Tally { forks: 1, ..Tally::default() };
        self.descend(node, &mut memory, &mut tally, go_on);
        tally.states = self.states(&memory) - self.states(&self.memory);
        tally
    }

    /// Explores everything, one branch after the other, as long as `go_on` says so.
    pub fn all(&self, go_on: &dyn Fn(&Tally) -> bool) -> Tally {
        let mut tally = self.root.clone();
        for nth in 0..self.branches() {
            tally.add(self.branch(nth, go_on));
        }
        tally
    }

    fn descend(&self, node: Node, memory: &mut Memory, tally: &mut Tally, go_on: &dyn Fn(&Tally) -> bool) {
        if !go_on(tally) {
            tally.cut_short = true;
            return;
        }
        let (strikes, left) = (node.strikes.clone(), node.left);
        let depth = self.bounds.depth - left;
        match node.unfold(&self.small, self.bounds.merges.then_some(&mut *memory)) {
            Ok(unfolded) => {
                self.count(&unfolded, &strikes, depth, tally);
                for point in &unfolded.points {
                    for nth in 0..point.offered.len() {
                        tally.forks += 1;
                        self.descend(point.child(nth, &strikes, left - 1, &self.small), memory, tally, go_on);
                    }
                }
            }
            Err(panicked) => self.panicked(panicked, &strikes, depth, tally),
        }
    }

    fn count(&self, unfolded: &Unfolded, strikes: &[Strike], depth: u32, tally: &mut Tally) {
        tally.points += unfolded.points.len() as u64;
        tally.steps += unfolded.steps;
        tally.steps_from_the_start += unfolded.steps_from_the_start;
        match &unfolded.end {
            End::Merged => tally.merged += 1,
            End::Judged(outcome) => {
                tally.leaves += 1;
                tally.judge(|| plan_of(&self.small, strikes), depth, outcome);
            }
        }
    }

    /// A panic is a finding; what would have been below it is not known.
    fn panicked(&self, panicked: Panicked, strikes: &[Strike], depth: u32, tally: &mut Tally) {
        tally.leaves += 1;
        tally.judge(|| plan_of(&self.small, strikes), depth, &Outcome::of_panic(panicked));
    }

    fn states(&self, memory: &Memory) -> u64 {
        if self.bounds.merges { memory.len() } else { 0 }
    }
}

/// The default schedule, and the states that it has been in.
fn unfolded_root(small: &SmallWorld, depth: u32) -> Result<(Unfolded, Memory), String> {
    let mut memory = Memory::default();
    let root =
        sim::hermetic(small.plan().seed, || Node::root(small, depth)).map_err(|panicked| panicked.to_string())??;
    let unfolded = root.unfold(small, Some(&mut memory)).map_err(|panicked| panicked.to_string())?;
    Ok((unfolded, memory))
}

/// What to run from the beginning to see this node.
pub(super) fn plan_of(small: &SmallWorld, strikes: &[Strike]) -> Plan {
    Plan { storm: Storm { strikes: strikes.to_vec() }, ..small.plan().clone() }
}
