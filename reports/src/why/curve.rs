//! The chance of a failure against the instant up to which the run's own dice hold, and where it changes for sure.
//!
//! Counts in, intervals of time out; knows no run.

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::reroll::Since;

use crate::statistics::interval_95;

/// What came of the forks from one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// So many forks.
    pub(crate) runs: u64,
    /// So many broke the same guarantee.
    pub(crate) same: u64,
    /// So many of these in the same way.
    pub(crate) alike: u64,
    /// It had happened by then: nothing is left to chance.
    pub(crate) happened: bool,
}

/// The instants that were tried.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve(pub(crate) BTreeMap<Since, Tally>);

/// A stretch of time over which the chance changes for sure, as short as it could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jump {
    /// From here.
    pub(crate) from: Since,
    /// To here.
    pub(crate) upto: Since,
}

/// A change by less than this is not worth a word.
const WORTH_A_WORD: f64 = 0.15;
/// Nor is one of less than so many standard errors: of all pairs of some dozens of instants hardly one differs that much
/// by chance.
const FOR_SURE: f64 = 3.0;

impl Tally {
    /// The share of forks that broke the same guarantee.
    pub(crate) fn share(&self) -> f64 {
        if self.happened { 1.0 } else { self.same as f64 / self.runs.max(1) as f64 }
    }

    /// Between what the chance lies, with 95 % confidence.
    pub(crate) fn interval(&self) -> (f64, f64) {
        if self.happened { (1.0, 1.0) } else { interval_95(self.same, self.runs) }
    }

    /// How much the chance at `self` and `other` differ, if they do for sure.
    pub(crate) fn change(&self, other: &Self) -> Option<f64> {
        let known = |tally: &Self| tally.happened || tally.runs > 0;
        let change = (other.share() - self.share()).abs();
        let error = (self.variance() + other.variance()).sqrt();
        (known(self) && known(other) && change >= WORTH_A_WORD && change >= FOR_SURE * error).then_some(change)
    }

    /// Of the share, as if half a hit and half a miss had been seen besides.
    fn variance(&self) -> f64 {
        if self.happened {
            return 0.0;
        }
        let runs = self.runs as f64 + 1.0;
        let share = (self.same as f64 + 0.5) / runs;
        share * (1.0 - share) / runs
    }
}

impl Curve {
    /// The shortest stretches over which the chance changes for sure, none within or across another, in order of time.
    pub(crate) fn jumps(&self) -> Vec<Jump> {
        let points: Vec<(Since, Tally)> = self.0.iter().map(|(since, tally)| (*since, *tally)).collect();
        let mut found: Vec<(usize, f64, usize, usize)> = Vec::new();
        for (from, (_, before)) in points.iter().enumerate() {
            for (upto, (_, after)) in points.iter().enumerate().skip(from + 1) {
                if let Some(change) = before.change(after) {
                    found.push((upto - from, change, from, upto));
                    break;
                }
            }
        }
        // The shortest first, and of equally short ones the steepest.
        found.sort_by(|left, right| left.0.cmp(&right.0).then(right.1.total_cmp(&left.1)));
        let mut chosen: Vec<(usize, usize)> = Vec::new();
        for (_, _, from, upto) in found {
            if chosen.iter().all(|(known_from, known_upto)| upto <= *known_from || from >= *known_upto) {
                chosen.push((from, upto));
            }
        }
        chosen.sort_unstable();
        chosen.into_iter().map(|(from, upto)| Jump { from: points[from].0, upto: points[upto].0 }).collect()
    }

    /// Instants within a jump that were tried, with both its ends.
    pub(crate) fn within(&self, jump: &Jump) -> Vec<Since> {
        self.0.range(jump.from..=jump.upto).map(|(since, _)| *since).collect()
    }
}

/// How long after the scenario began; before it, nothing.
pub(crate) fn since_begun(since: Since) -> Duration {
    match since {
        Since::Boot => Duration::ZERO,
        Since::Begun(at) => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u64, u64, u64)]) -> Curve {
        let tally = |same, runs| Tally { runs, same, alike: same, happened: false };
        Curve(points.iter().map(|&(at, same, runs)| (begun(at), tally(same, runs))).collect())
    }

    fn begun(at: u64) -> Since {
        Since::Begun(Duration::from_secs(at))
    }

    #[test]
    fn a_step_is_found_between_its_neighbours() {
        let jumps = curve(&[(0, 1, 40), (1, 0, 40), (2, 2, 40), (3, 39, 40), (4, 40, 40)]).jumps();
        assert_eq!(jumps, [Jump { from: begun(2), upto: begun(3) }]);
    }

    #[test]
    fn a_slow_rise_is_one_stretch_and_noise_is_none() {
        let jumps = curve(&[(0, 1, 40), (1, 6, 40), (2, 11, 40), (3, 15, 40), (4, 17, 40)]).jumps();
        assert_eq!(jumps.len(), 1, "{jumps:?}");
        assert_eq!(curve(&[(0, 10, 40), (1, 14, 40), (2, 9, 40), (3, 12, 40)]).jumps(), []);
        assert_eq!(curve(&[(0, 0, 0), (1, 40, 40)]).jumps(), [], "without runs nothing is known");
    }

    #[test]
    fn there_and_back_are_two_jumps() {
        let jumps = curve(&[(0, 0, 40), (1, 20, 40), (2, 1, 40), (3, 40, 40)]).jumps();
        assert_eq!(jumps.len(), 3);
    }

    #[test]
    fn what_has_happened_is_certain() {
        let mut curve = curve(&[(0, 20, 40)]);
        curve.0.insert(begun(1), Tally { happened: true, ..Tally::default() });
        assert_eq!(curve.jumps().len(), 1);
        assert_eq!(curve.0[&begun(1)].interval(), (1.0, 1.0));
    }
}
