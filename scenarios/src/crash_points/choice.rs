//! Which points are tried if there are more than may be: of every kind its share, drawn by name.
//!
//! Nothing is cut in silence: a [`Choice`] says how many of how many, kind by kind.

use std::collections::BTreeMap;

use sim::dice::Dice;

use super::How;
use super::class::Class;
use super::line::Candidate;

/// Candidates that were chosen, in the order in which they are met.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Them.
    pub chosen: Vec<Candidate>,
    /// How many of how many, by kind.
    pub strata: BTreeMap<Stratum, (u64, u64)>,
}

/// A kind of point.
pub type Stratum = (How, Class);

impl Choice {
    /// How many there were to choose from.
    #[must_use]
    pub fn of(&self) -> u64 {
        self.strata.values().map(|(_, of)| of).sum()
    }

    /// Adds another choice from other candidates.
    pub fn extend(&mut self, other: Self) {
        self.chosen.extend(other.chosen);
        for (stratum, (chosen, of)) in other.strata {
            let sum = self.strata.entry(stratum).or_default();
            *sum = (sum.0 + chosen, sum.1 + of);
        }
    }
}

/// Chooses at most `most` of the candidates: all of a kind if it has few, of the others equally many. Which of a kind
/// is drawn by name, so that one more candidate moves no other out but the last.
#[must_use]
pub fn choose(candidates: Vec<Candidate>, most: u64, dice: Dice) -> Choice {
    let mut strata: BTreeMap<Stratum, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        strata.entry((candidate.point.last().how, candidate.class)).or_default().push(candidate);
    }
    let sizes: Vec<u64> = strata.values().map(|stratum| stratum.len() as u64).collect();
    let shares = shares(&sizes, most);
    let mut choice = Choice::default();
    for ((stratum, mut all), share) in strata.into_iter().zip(shares) {
        choice.strata.insert(stratum, (share, all.len() as u64));
        all.sort_by_cached_key(|candidate| {
            (dice.of(&("crash point", candidate.point.to_string().as_str())).number(), candidate.point)
        });
        choice.chosen.extend(all.into_iter().take(usize::try_from(share).unwrap_or(usize::MAX)));
    }
    choice.chosen.sort_by_key(Candidate::place);
    choice
}

/// How much each of `sizes` gets of `most`: the smallest are filled first, what is left is shared out evenly.
fn shares(sizes: &[u64], most: u64) -> Vec<u64> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|place| (sizes[*place], *place));
    let mut left = most;
    let mut shares = vec![0; sizes.len()];
    for (nth, place) in order.iter().enumerate() {
        let share = left.div_ceil((sizes.len() - nth) as u64).min(sizes[*place]).min(left);
        shares[*place] = share;
        left -= share;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_kinds_are_filled_first_and_nothing_is_left_over() {
        assert_eq!(shares(&[2, 100, 7, 100], 50), [2, 21, 7, 20]);
        assert_eq!(shares(&[2, 100, 7, 100], 1_000), [2, 100, 7, 100]);
        assert_eq!(shares(&[5, 5, 5], 2).iter().sum::<u64>(), 2);
        assert!(shares(&[], 10).is_empty());
    }
}
