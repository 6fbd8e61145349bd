//! Where checks write down what they found: broken promises, and how often a promise was put to the test.
//!
//! Knows no check and reads no fact beyond its time and number.

use std::fmt;

use serde::{Deserialize, Serialize};
use sim::fact::Moment;

use crate::guarantee::Guarantee;

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which.
    pub guarantee: Guarantee,
    /// How, by a short name that never changes.
    pub kind: &'static str,
    /// When it showed.
    pub at: Moment,
    /// The number of the fact that showed it.
    pub fact: u64,
    /// What happened, for people.
    pub sentence: String,
}

/// What equal failures of different seeds have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub String);

/// What was found so far.
#[derive(Clone, Debug)]
pub(crate) struct Verdicts {
    violations: Vec<Violation>,
    count: u64,
    exercised: [u64; Guarantee::ALL.len()],
    at: Moment,
    fact: u64,
    adjourned: bool,
}

/// How many violations are kept; all are counted.
const KEPT: usize = 20;
/// And of one fingerprint, so that a flood does not hide the rest.
const KEPT_ALIKE: usize = 5;

impl Violation {
    /// Guarantee and kind: `durability/elected-leader-lacks-committed-record`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(format!("{}/{}", self.guarantee.id(), self.kind))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.at, self.fingerprint(), self.sentence)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Verdicts {
    /// Nothing found yet.
    pub(crate) fn new() -> Self {
        Self {
            violations: Vec::new(),
            count: 0,
            exercised: [0; Guarantee::ALL.len()],
            at: Moment::ZERO,
            fact: 0,
            adjourned: false,
        }
    }

    /// The fact that is looked at now. `adjourned`: nothing that is found counts, because the precondition of every
    /// promise is gone, the controller's memory (G15).
    pub(crate) fn turn_to(&mut self, at: Moment, fact: u64, adjourned: bool) {
        (self.at, self.fact, self.adjourned) = (at, fact, adjourned);
    }

    /// When that is.
    pub(crate) fn now(&self) -> Moment {
        self.at
    }

    /// Its number.
    pub(crate) fn fact(&self) -> u64 {
        self.fact
    }

    /// The guarantee was put to the test once more.
    pub(crate) fn exercised(&mut self, guarantee: Guarantee) {
        self.exercised[guarantee.index()] += u64::from(!self.adjourned);
    }

    /// The guarantee was broken. The sentence is only made if it is kept.
    pub(crate) fn broken(&mut self, guarantee: Guarantee, kind: &'static str, sentence: impl FnOnce() -> String) {
        if self.adjourned {
            return;
        }
        self.count += 1;
        let alike = self.violations.iter().filter(|kept| (kept.guarantee, kept.kind) == (guarantee, kind)).count();
        if self.violations.len() < KEPT && alike < KEPT_ALIKE {
            let (at, fact) = (self.at, self.fact);
            self.violations.push(Violation { guarantee, kind, at, fact, sentence: sentence() });
        }
    }

    /// Puts the guarantee to the test: it is broken unless `holds`.
    pub(crate) fn demand(
        &mut self,
        guarantee: Guarantee,
        holds: bool,
        kind: &'static str,
        sentence: impl FnOnce() -> String,
    ) {
        self.exercised(guarantee);
        if !holds {
            self.broken(guarantee, kind, sentence);
        }
    }

    /// The first violations, in order.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// How many there were in all.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How often each guarantee was put to the test, by [`Guarantee::index`].
    pub(crate) fn counts(&self) -> &[u64; Guarantee::ALL.len()] {
        &self.exercised
    }
}
