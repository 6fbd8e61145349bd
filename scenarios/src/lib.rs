//! What befalls a cluster, and what must hold all the same.
//!
//! A scenario is a script over a [`World`] or a [`Plan`] that was drawn in advance; every run is watched by the
//! same [`Judge`](judge::Judge), and what a cluster promises follows from its settings. The checks read the trace only
//! and hold no handle to a world. Nothing in this crate knows madsim, a thread or a file, but for the files of
//! [`failure`].

pub mod audit;
pub mod catalogue;
pub mod check;
pub mod crash_points;
mod ending;
pub mod failover;
pub mod failure;
pub mod guarantee;
pub mod judge;
pub mod known_bugs;
pub mod listener;
pub mod load;
pub mod matrix;
pub mod measure;
pub mod prelude;
pub mod promise;
pub mod reroll;
pub mod retold;
pub mod run;
pub mod scripted;
pub mod search;
pub mod second;
pub mod seen;
pub mod shrink;
pub mod storm;
pub mod story;
pub mod strategies;
pub mod tape;
mod written;

pub use guarantee::Guarantee;
pub use run::{Outcome, Plan, Verdict, Witness, run};
pub use scripted::{first_violation, scenario};

/// A running cluster that is being judged.
pub type World = sim::World<Witness>;
