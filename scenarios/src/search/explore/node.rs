//! One node: a run that has come to its last deviation, let go on by the default schedule to its end, and forked on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use sim::Panicked;
use sim::fault::Strike;

use super::deviation::{BEHIND, Deviation};
use super::offers::{Offers, is_choice};
use super::small::SmallWorld;
use super::state::state;
use crate::World;
use crate::run::{Course, Outcome};

/// A run that has deviated, just before the last of its deviations.
pub(super) struct Node {
    course: Course,
    offers: Offers,
    /// All deviations, as they strike.
    pub(super) strikes: Vec<Strike>,
    /// Of them those that the course does not know yet.
    new: Vec<Strike>,
    /// How many more there may be.
    pub(super) left: u32,
}

/// Where a run was forked.
pub(super) struct Point {
    course: Course,
    offers: Offers,
    /// How long after the scenario began.
    at: Duration,
    /// What may befall the fork.
    pub(super) offered: Vec<Deviation>,
}

/// A node that has been let go.
pub(super) struct Unfolded {
    /// Where it was forked, if there may be more deviations.
    pub(super) points: Vec<Point>,
    /// What came of it.
    pub(super) end: End,
    /// Steps that were made.
    pub(super) steps: u64,
    /// Steps since the world began.
    pub(super) steps_from_the_start: u64,
}

/// What came of a node.
pub(super) enum End {
    /// It came to its end.
    Judged(Box<Outcome>),
    /// Its state was met before.
    Merged,
}

/// States that were met: by which node, and with how many deviations left.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    met: BTreeMap<u64, (u64, u32)>,
    nodes: u64,
}

/// A node without deviations left looks only so often whether it has been met: that costs as much as some of its steps.
const PAUSE: Duration = Duration::from_millis(500);

impl Node {
    /// The default schedule, in a world that has just begun.
    pub(super) fn root(small: &SmallWorld, depth: u32) -> Result<Self, String> {
        let begun = Course::begin(small.plan(), |_| {}).map_err(|(_, why)| why)?;
        Ok(Self { course: begun, offers: Offers::default(), strikes: Vec::new(), new: Vec::new(), left: depth })
    }

    /// Lets it go on to its end, or until its state was met before.
    ///
    /// # Errors
    /// If it panics.
    pub(super) fn unfold(self, small: &SmallWorld, memory: Option<&mut Memory>) -> Result<Unfolded, Panicked> {
        sim::hermetic(small.plan().seed, move || self.go(small, memory))
    }

    fn go(mut self, small: &SmallWorld, mut memory: Option<&mut Memory>) -> Unfolded {
        let before = if self.strikes.is_empty() { 0 } else { self.course.world.steps() };
        let own = memory.as_mut().map_or(0, |memory| memory.begin());
        let begun = self.course.world.begun().expect("a course has begun");
        let mut choice = self.strikes.is_empty();
        let mut looked = None;
        self.course.world.arm(std::mem::take(&mut self.new));
        let mut points = Vec::new();
        while self.next_choice(small, &mut choice) {
            let at = self.course.world.now().since(begun);
            let is_due = self.left > 0 || looked.is_none_or(|looked| at >= looked + PAUSE);
            if let Some(memory) = memory.as_deref_mut().filter(|_| is_due) {
                looked = Some(at);
                if memory.has_met(state(&self.course.world), own, self.left) {
                    return self.over(points, before, End::Merged);
                }
            }
            if self.left > 0 {
                points.extend(self.fork(small, at));
            }
        }
        self.course.conclude(small.plan().length);
        let outcome = Box::new(Outcome::of(&self.course.world, false, None));
        self.over(points, before, End::Judged(outcome))
    }

    /// Goes on to the next calm moment behind an event at which there is a choice; none if it comes to the horizon before, or if
    /// something is broken: what befalls a world that is broken shows nothing.
    fn next_choice(&mut self, small: &SmallWorld, choice: &mut bool) -> bool {
        let length = small.plan().length;
        let mut stopped = *choice && is_calm(&self.course.world);
        if !stopped {
            let offers = &mut self.offers;
            self.course.go_on_while(length, length, |world| {
                for fact in world.latest() {
                    offers.see(fact);
                    *choice |= is_choice(fact);
                }
                stopped = *choice && is_calm(world);
                !stopped
            });
        }
        *choice = false;
        let world = &self.course.world;
        let is_before = world.begun().is_some_and(|begun| world.now() + BEHIND < begun + length);
        stopped && is_before && world.observer().judge.violations().is_empty()
    }

    fn fork(&mut self, small: &SmallWorld, at: Duration) -> Option<Point> {
        let offered = self.offers.now(&small.menu, &self.course.world);
        if offered.is_empty() {
            return None;
        }
        let point = Point { course: self.course.clone(), offers: self.offers.clone(), at, offered };
        self.offers.pass(&point.offered);
        Some(point)
    }

    fn over(self, points: Vec<Point>, before: u64, end: End) -> Unfolded {
        let steps = self.course.world.steps();
        Unfolded { points, end, steps: steps - before, steps_from_the_start: steps }
    }
}

impl Point {
    /// The fork in which the nth of what is offered is chosen, on top of these strikes.
    pub(super) fn child(&self, nth: usize, strikes: &[Strike], left: u32, small: &SmallWorld) -> Node {
        let chosen = &self.offered[nth];
        let new = chosen.strikes(self.at);
        let mut offers = self.offers.clone();
        let until = self.course.world.now() + BEHIND + chosen.lasts(&small.menu);
        offers.take(&self.offered, nth, until);
        let strikes = strikes.iter().chain(&new).cloned().collect();
        Node { course: self.course.clone(), offers, strikes, new, left }
    }
}

impl Memory {
    fn begin(&mut self) -> u64 {
        self.nodes += 1;
        self.nodes
    }

    /// Whether another node was in this state with no fewer deviations left. If not, it is known from now on.
    fn has_met(&mut self, state: u64, own: u64, left: u32) -> bool {
        match self.met.get(&state) {
            Some((node, known)) if *known >= left => *node != own,
            _ => {
                self.met.insert(state, (own, left));
                false
            }
        }
    }

    /// How many states were met.
    pub(super) fn len(&self) -> u64 {
        self.met.len() as u64
    }
}

/// Whether nothing happens at this moment any more, nor just behind it.
fn is_calm(world: &World) -> bool {
    world.next_at().is_none_or(|next| next > world.now() + BEHIND)
}
