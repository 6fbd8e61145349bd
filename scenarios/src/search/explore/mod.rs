//! Bounded exhaustive exploration of a small world: every placement of up to so many deviations from its default schedule.
//!
//! A small world has few brokers, one partition and a few records, every message takes equally long, and nothing befalls it: that is
//! the default schedule. What an adversary may do instead, a deviation, is enumerated at choice points, which are the events of the
//! protocol (`offers`). A run is a *node*: it follows the deviations that were chosen, then the default to its end, where it is judged
//! like any run. At each choice point on its way it is forked, and each fork with one deviation more is a node below it; nodes whose
//! state was met before, with as many deviations left, are merged into what came of that (`state` says what is equal).
//!
//! Exhaustive is meant within these bounds: the deviations of the menu, so many of them, at choice points before the horizon, and each
//! of them once between two events that its subject has a part in.
//!
//! Every node is also a [`Plan`](crate::run::Plan), with its deviations as strikes at their moments; run from the beginning it is the
//! same run.

mod branches;
mod deviation;
mod exhaustive;
mod node;
mod offers;
mod small;
mod state;
mod tally;
#[cfg(test)]
mod tests;

pub use branches::Exploration;
pub(super) use exhaustive::Exhaustive;
pub use small::SmallWorld;
pub use tally::{Broken, Tally};

/// How far an exploration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Deviations in a run at most.
    pub depth: u32,
    /// Whether nodes whose state was met before are merged into what came of that.
    pub merges: bool,
}
