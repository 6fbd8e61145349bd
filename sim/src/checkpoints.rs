//! How far two runs agree, without a trace: digests that were written down on the way.
//!
//! A run writes down its digest every so many facts. When there are too many of them every other one is forgotten, so that
//! a run of any length has some dozens; where they stand follows from the number of facts alone. Knows facts by their
//! number only.

use serde::{Deserialize, Serialize};

use crate::trace::Digest;

/// The digest of a run after so many facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// How many facts had been stated.
    pub facts: u64,
    /// The digest of all of them.
    pub digest: Digest,
}

/// The checkpoints of a run, in order. In a file they are a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Checkpoint>", try_from = "Vec<Checkpoint>")]
pub struct Checkpoints {
    every: u64,
    kept: Vec<Checkpoint>,
}

/// Between which of their facts two runs part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parting {
    /// In so many facts they agree.
    pub agreed: u64,
    /// In so many they do not.
    pub differed: u64,
}

/// Why a list is not one of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint at {0} facts does not come after the one before it")]
pub struct OutOfOrder(u64);

/// How far apart checkpoints are in the beginning.
const FIRST: u64 = 256;
/// How many are kept at most.
const MOST: usize = 64;

impl Checkpoints {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { every: FIRST, kept: Vec::new() }
    }

    /// After `facts` facts: writes down the digest, if it is time for it. `digest` is only asked for then.
    pub fn passed(&mut self, facts: u64, digest: impl FnOnce() -> Digest) {
        if !facts.is_multiple_of(self.every) {
            return;
        }
        self.kept.push(Checkpoint { facts, digest: digest() });
        if self.kept.len() > MOST {
            self.every *= 2;
            let every = self.every;
            self.kept.retain(|kept| kept.facts.is_multiple_of(every));
        }
    }

    /// All of them, in order.
    #[must_use]
    pub fn all(&self) -> &[Checkpoint] {
        &self.kept
    }

    /// Where this run and another one part, as far as checkpoints tell that both have; `None` if those agree.
    #[must_use]
    pub fn parting(&self, other: &Self) -> Option<Parting> {
        let mut agreed = 0;
        for here in &self.kept {
            let there = other.kept.binary_search_by_key(&here.facts, |kept| kept.facts);
            let Ok(there) = there.map(|at| other.kept[at]) else { continue };
            if there.digest != here.digest {
                return Some(Parting { agreed, differed: here.facts });
            }
            agreed = here.facts;
        }
        None
    }
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Checkpoints> for Vec<Checkpoint> {
    fn from(checkpoints: Checkpoints) -> Self {
        checkpoints.kept
    }
}

impl TryFrom<Vec<Checkpoint>> for Checkpoints {
    type Error = OutOfOrder;

    fn try_from(kept: Vec<Checkpoint>) -> Result<Self, OutOfOrder> {
        if let Some(pair) = kept.windows(2).find(|pair| pair[0].facts >= pair[1].facts) {
            return Err(OutOfOrder(pair[1].facts));
        }
        let every = kept.windows(2).map(|pair| pair[1].facts - pair[0].facts).min();
        Ok(Self { every: every.unwrap_or(FIRST), kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run whose digests are those of another seed from `parts` on.
    fn run(facts: u64, parts: u64) -> Checkpoints {
        let mut checkpoints = Checkpoints::new();
        for passed in 1..=facts {
            let seed = u128::from(passed > parts) << 64;
            checkpoints.passed(passed, || Digest(seed + u128::from(passed)));
        }
        checkpoints
    }

    #[test]
    fn a_run_of_any_length_has_some_dozens_of_them_evenly_spread() {
        for facts in [0, 255, 256, 20_000, 1_000_000] {
            let kept = run(facts, u64::MAX);
            assert!(kept.all().len() <= MOST, "{facts}");
            assert!(facts < 256 * MOST as u64 || kept.all().len() >= MOST / 2, "{facts}: {}", kept.all().len());
            assert!(kept.all().windows(2).all(|pair| pair[1].facts - pair[0].facts == kept.every));
        }
    }

    #[test]
    fn they_say_between_which_facts_two_runs_part_even_if_one_is_much_longer() {
        assert_eq!(run(5_000, u64::MAX).parting(&run(5_000, u64::MAX)), None);
        assert_eq!(run(5_000, 3_000).parting(&run(5_000, u64::MAX)), Some(Parting { agreed: 2_816, differed: 3_072 }));
        assert_eq!(run(5_000, 10).parting(&run(5_000, u64::MAX)), Some(Parting { agreed: 0, differed: 256 }));
        let (long, short) = (run(900_000, u64::MAX), run(20_000, 9_000));
        let parting = short.parting(&long).expect("they part");
        assert!(parting.agreed < 9_000 && parting.differed > 9_000, "{parting:?}");
        assert_eq!(long.parting(&short), Some(parting));
    }

    #[test]
    fn a_file_keeps_them_and_a_list_that_is_out_of_order_is_refused() {
        let kept = run(40_000, u64::MAX);
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(serde_json::from_str::<Checkpoints>(&text).unwrap(), kept);
        let one = r#"{"facts":512,"digest":"00000000000000000000000000000001"}"#;
        let refused = serde_json::from_str::<Checkpoints>(&format!("[{one},{one}]")).unwrap_err();
        assert!(refused.to_string().contains("at 512 facts"), "{refused}");
    }
}
