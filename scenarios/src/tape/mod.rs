//! A kept failure as a tape: what of it still happens once the program has changed.
//!
//! Dice are keyed by meaning, so cluster, storm, load and seed are all the choices that a run makes. Digests along the way
//! say how far a run still goes as it went when it was kept. This room runs a kept plan and compares; it judges nothing.

mod checkpoints;
mod reading;

use std::fmt;

use sim::fact::{Chapter, Fact, What};
use sim::fault::{Aim, Fault};

pub use checkpoints::{Agreed, Checkpoints};
pub(crate) use reading::{Reading, read};

use crate::failure::Failure;
use crate::run::{Outcome, Verdict, run_traced};

/// What became of a kept failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It breaks the same promise in the same way.
    Reproduced,
    /// Nothing breaks any more.
    Fixed,
    /// Something else breaks, or the run shows nothing any more.
    Diverged,
}

/// A kept failure, run again.
#[derive(Clone, Debug)]
pub struct Played {
    /// What became of it.
    pub fate: Fate,
    /// How far it went as it had gone; nothing if that was not kept.
    pub agreed: Option<Agreed>,
    /// Faults that struck nobody, each in words.
    pub missed: Vec<String>,
    /// What breaks now.
    pub now: String,
    /// The run.
    pub outcome: Outcome,
}

/// Runs a kept failure again.
#[must_use]
pub fn play(kept: &Failure) -> Played {
    compare(kept, run_traced(&kept.plan))
}

/// What became of a kept failure, given a traced run of its plan.
#[must_use]
pub fn compare(kept: &Failure, outcome: Outcome) -> Played {
    let now = outcome.fingerprint();
    let fate = match (&now, outcome.verdict()) {
        (Some(now), _) if without_line(now) == without_line(&kept.fingerprint) => Fate::Reproduced,
        (None, Verdict::Held) => Fate::Fixed,
        _ => Fate::Diverged,
    };
    let trace = outcome.trace.as_deref().unwrap_or_default();
    let shows_nothing = || outcome.inconclusive.as_ref().map(|why| format!("nothing is shown: {why}"));
    Played {
        fate,
        agreed: kept.checkpoints.agreed(trace),
        missed: missed(trace),
        now: now.or_else(shows_nothing).unwrap_or_else(|| "nothing".to_owned()),
        outcome,
    }
}

/// The fingerprint of a panic ends with line and column, which any other change of the file moves.
fn without_line(fingerprint: &str) -> &str {
    match fingerprint.strip_prefix("panic/") {
        Some(place) => place.split(':').next().unwrap_or(place),
        None => fingerprint,
    }
}

/// Faults of the storm that found nobody.
fn missed(trace: &[Fact]) -> Vec<String> {
    let storm = trace.iter().take_while(|fact| fact.what != What::Chapter(Chapter::LoadEnded));
    let missed = storm.filter_map(|fact| match &fact.what {
        What::Struck(fault) if fact.node.is_none() && finds_nobody(fault) => {
            Some(format!("{fault} struck nobody at {}", fact.at))
        }
        _ => None,
    });
    missed.collect()
}

/// Whether a fault that is stated without a node has found nobody: links are stated with whom they were found to join.
fn finds_nobody(fault: &Fault) -> bool {
    match fault.aim() {
        Aim::Nobody => false,
        Aim::One(_) => true,
        Aim::Links(one, other) => one.is_empty() || other.is_empty(),
    }
}

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fate {
            Fate::Reproduced => f.write_str("reproduced")?,
            Fate::Fixed => f.write_str("fixed")?,
            Fate::Diverged => write!(f, "diverged ({} now)", self.now)?,
        }
        match &self.agreed {
            Some(agreed) => write!(f, ": {agreed}"),
            None => Ok(()),
        }
    }
}
