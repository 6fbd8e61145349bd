//! Digests along a run, and how far another one agrees with them. Knows facts only by their digest.

use std::fmt;

use serde::{Deserialize, Serialize};
use sim::fact::Fact;
use sim::trace::RollingDigest;

/// How many are kept at most: enough to tell the percent.
const MOST: u64 = 100;

/// The digest of a run after so many facts, twice as many, and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// How many facts the run has.
    facts: u64,
    /// After how many facts one is taken.
    every: u64,
    /// The digests.
    digests: Vec<String>,
}

/// How far two runs agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Up to this many facts they do for certain.
    pub facts: u64,
    /// With so many they no longer do; nothing if they agree to the end.
    pub parted_by: Option<u64>,
    /// So many facts there were when it was kept.
    pub of: u64,
}

impl Checkpoints {
    /// Those of a whole trace.
    #[must_use]
    pub fn of(trace: &[Fact]) -> Self {
        let facts = trace.len() as u64;
        let every = facts.div_ceil(MOST).max(1);
        Self { facts, every, digests: digests(trace, every).map(|(_, digest)| digest).collect() }
    }

    /// How far a trace agrees with what was kept; nothing if nothing was kept, or nothing is there.
    #[must_use]
    pub fn agreed(&self, trace: &[Fact]) -> Option<Agreed> {
        if self.digests.is_empty() || self.every == 0 || trace.is_empty() {
            return None;
        }
        let mut agreed = 0;
        let mut kept = self.digests.iter();
        for (facts, digest) in digests(trace, self.every) {
            match kept.next() {
                Some(kept) if *kept == digest => agreed = facts,
                Some(_) => return Some(Agreed { facts: agreed, parted_by: Some(facts), of: self.facts }),
                // The trace goes on where the kept one had ended.
                None => return Some(Agreed { facts: agreed, parted_by: Some(self.facts + 1), of: self.facts }),
            }
        }
        let parted_by = kept.next().map(|_| trace.len() as u64 + 1);
        Some(Agreed { facts: agreed, parted_by, of: self.facts })
    }
}

impl Agreed {
    /// How much of what was kept happened again: 100 only for all of it.
    #[must_use]
    pub fn percent(&self) -> u64 {
        self.facts * 100 / self.of.max(1)
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replayed {} %", self.percent())?;
        match self.parted_by {
            Some(parted_by) => write!(f, ", diverged between fact {} and fact {parted_by}", self.facts),
            None => Ok(()),
        }
    }
}

/// The digests after every so many facts and after the last one, each with the number of facts.
fn digests(trace: &[Fact], every: u64) -> impl Iterator<Item = (u64, String)> {
    let mut rolling = RollingDigest::new();
    let last = trace.len() as u64;
    trace.iter().zip(1..).filter_map(move |(fact, facts)| {
        rolling.add(fact);
        (facts % every == 0 || facts == last).then(|| (facts, rolling.value().to_string()))
    })
}

#[cfg(test)]
mod tests {
    use sim::fact::{Moment, What};

    use super::*;

    fn trace(facts: u64) -> Vec<Fact> {
        (0..facts).map(|number| Fact { number, at: Moment(number), node: None, what: What::Paused }).collect()
    }

    fn said(kept: u64, now: &[Fact]) -> String {
        Checkpoints::of(&trace(kept)).agreed(now).expect("there is something to compare").to_string()
    }

    #[test]
    fn the_same_run_agrees_to_the_end() {
        for facts in [1, 99, 100, 101, 250, 1_234] {
            assert_eq!(said(facts, &trace(facts)), "replayed 100 %");
        }
    }

    #[test]
    fn a_run_that_parts_says_between_which_facts() {
        let mut now = trace(1_000);
        now[437].at = Moment(7);
        assert_eq!(said(1_000, &now), "replayed 43 %, diverged between fact 430 and fact 440");
        now[0].at = Moment(7);
        assert_eq!(said(1_000, &now), "replayed 0 %, diverged between fact 0 and fact 10");
    }

    #[test]
    fn a_run_that_ends_sooner_or_later_parts_there() {
        assert_eq!(said(1_000, &trace(500)), "replayed 50 %, diverged between fact 500 and fact 501");
        assert_eq!(said(500, &trace(1_000)), "replayed 100 %, diverged between fact 500 and fact 501");
        assert_eq!(said(500, &trace(503)), "replayed 100 %, diverged between fact 500 and fact 501");
    }

    #[test]
    fn nothing_is_said_where_nothing_was_kept() {
        assert_eq!(Checkpoints::default().agreed(&trace(5)), None);
        assert_eq!(Checkpoints::of(&trace(5)).agreed(&[]), None);
    }
}
