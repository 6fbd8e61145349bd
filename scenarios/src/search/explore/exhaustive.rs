//! The exploration as a search among others: its plans one after the other, in order of depth.
//!
//! Unlike the others it hunts in the small world of its ground, and no seed changes it: one hunt is like the other. It merges nothing,
//! since what was merged could not be handed out as a plan.

use std::collections::VecDeque;

use sim::fault::Strike;

use super::super::{Ground, Searcher};
use super::branches::plan_of;
use super::node::{Node, Unfolded};
use super::small::SmallWorld;
use crate::run::Plan;

/// Which of the choices on the way from the default schedule, each as the number of its point and of what was offered there.
type Path = Vec<(usize, usize)>;

/// A search that enumerates.
#[derive(Default)]
pub(in crate::search) struct Exhaustive {
    small: Option<SmallWorld>,
    /// Plans that come next, of nodes below one that has been unfolded.
    ready: VecDeque<Vec<Strike>>,
    /// Nodes that have not been unfolded yet, the nearest to the default schedule first.
    closed: VecDeque<Path>,
}

impl Searcher for Exhaustive {
    fn next(&mut self, ground: &Ground, _: u64) -> Plan {
        let small = self.small.get_or_insert_with(|| {
            self.closed.push_back(Path::new());
            SmallWorld::of(ground, None, SmallWorld::RECORDS, SmallWorld::HORIZON)
        });
        while self.ready.is_empty() {
            let Some(path) = self.closed.pop_front() else { break };
            for (choice, strikes) in below(small, &path) {
                let deeper = path.iter().copied().chain([choice]).collect();
                self.closed.push_back(deeper);
                self.ready.push_back(strikes);
            }
        }
        // Nothing deviates if all has been tried: then the default schedule is what is left.
        plan_of(small, &self.ready.pop_front().unwrap_or_default())
    }
}

/// The nodes below the one at the end of this path, by the choice that leads there; none if it panics.
fn below(small: &SmallWorld, path: &Path) -> Vec<((usize, usize), Vec<Strike>)> {
    let Ok(Ok(mut node)) = sim::hermetic(small.plan().seed, || Node::root(small, 1)) else { return Vec::new() };
    let mut strikes = Vec::new();
    for (point, option) in path {
        let Some(unfolded) = opened(small, node) else { return Vec::new() };
        node = unfolded.points[*point].child(*option, &strikes, 1, small);
        strikes.clone_from(&node.strikes);
    }
    let Some(unfolded) = opened(small, node) else { return Vec::new() };
    let mut below = Vec::new();
    for (place, point) in unfolded.points.iter().enumerate() {
        for nth in 0..point.offered.len() {
            below.push(((place, nth), point.child(nth, &strikes, 0, small).strikes));
        }
    }
    below
}

fn opened(small: &SmallWorld, node: Node) -> Option<Unfolded> {
    node.unfold(small, None).ok()
}
