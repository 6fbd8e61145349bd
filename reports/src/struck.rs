//! What crash points came to, as plain data: a part of `report.json`, added up in the order in which they were tried.

use std::collections::BTreeMap;

use scenarios::crash_points::{Boundary, Candidate, Choice, Class, How, On, Recovery, Stratum, Tried};
use serde::{Serialize, Serializer};

/// The crash points of one scenario and seed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CrashPoints {
    /// The scenario.
    pub(crate) scenario: String,
    /// The seed.
    pub(crate) seed: u64,
    /// Disk calls that its brokers make while it lasts.
    pub(crate) disk_calls: u64,
    /// Points in which a broker is stopped once: how many were tried, of how many there are.
    pub(crate) once: Share,
    /// Points in which it is stopped again in the recovery after one of `recoveries` points, likewise.
    pub(crate) again: Share,
    /// Recoveries whose disk calls were listened to.
    pub(crate) recoveries: u64,
    /// What came of all that were tried.
    pub(crate) outcomes: Outcomes,
    /// The same by kind of point.
    pub(crate) kinds: Vec<KindRow>,
}

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    /// Tried.
    pub(crate) tried: u64,
    /// There are.
    pub(crate) of: u64,
}

/// What came of crash points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Outcomes {
    /// Recovered, and nothing was lost.
    pub(crate) whole: u64,
    /// Recovered; something was lost that nobody had promised to keep.
    pub(crate) excused: u64,
    /// Recovered, and a guarantee was broken.
    pub(crate) violated: u64,
    /// Did not recover: the broker did not come back, the cluster did not come to rest, or something panicked.
    pub(crate) not_recovered: u64,
}

/// Points of one kind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KindRow {
    /// `kill` or `power`.
    pub(crate) how: String,
    /// The disk call.
    pub(crate) call: String,
    /// What kind of file it is about.
    pub(crate) path: String,
    /// In which phase of the broker's life.
    pub(crate) phase: String,
    /// How many of how many.
    pub(crate) share: Share,
    /// What came of them.
    pub(crate) outcomes: Outcomes,
}

/// Adds up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<Stratum, Outcomes>);

impl Outcomes {
    /// How many.
    pub(crate) fn tried(&self) -> u64 {
        self.in_order().iter().sum()
    }

    /// Recovered, and kept every promise.
    pub(crate) fn recovered(&self) -> u64 {
        self.whole + self.excused
    }

    /// Broke a guarantee, or did not recover.
    pub(crate) fn violations(&self) -> u64 {
        self.violated + self.not_recovered
    }

    /// From the best to the worst, as [`Recovery::ALL`].
    pub(crate) fn in_order(&self) -> [u64; 4] {
        [self.whole, self.excused, self.violated, self.not_recovered]
    }

    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.whole += other.whole;
        self.excused += other.excused;
        self.violated += other.violated;
        self.not_recovered += other.not_recovered;
    }

    fn count(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Whole => self.whole += 1,
            Recovery::Excused => self.excused += 1,
            Recovery::Violated => self.violated += 1,
            Recovery::NotRecovered => self.not_recovered += 1,
        }
    }
}

impl CrashPoints {
    /// The line that a campaign ends with.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} crash points, {} recovered, {} violations",
            self.outcomes.tried(),
            self.outcomes.recovered(),
            self.outcomes.violations()
        )
    }
}

impl Tally {
    /// Adds one point.
    pub(crate) fn add(&mut self, tried: &Tried) {
        let stratum = (tried.candidate.point.last().how, tried.candidate.class);
        self.0.entry(stratum).or_default().count(tried.recovery);
    }

    /// What all of them came to.
    pub(crate) fn total(&self) -> Outcomes {
        let mut total = Outcomes::default();
        self.0.values().for_each(|outcomes| total.add(outcomes));
        total
    }

    /// A row for each kind that was there to be chosen from.
    pub(crate) fn rows(&self, choice: &Choice) -> Vec<KindRow> {
        let row = |(&(how, class), &(_, of)): (&Stratum, &(u64, u64))| {
            let outcomes = self.0.get(&(how, class)).copied().unwrap_or_default();
            KindRow {
                how: how.to_string(),
                call: class.call.to_string(),
                path: class.path.to_string(),
                phase: class.phase.to_string(),
                share: Share { tried: outcomes.tried(), of },
                outcomes,
            }
        };
        choice.strata.iter().map(row).collect()
    }
}

/// The crash states of one scenario and seed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CrashStates {
    /// The scenario.
    pub(crate) scenario: String,
    /// The seed.
    pub(crate) seed: u64,
    /// Boundaries of syncs: how many were tried, of how many there are.
    pub(crate) boundaries: Share,
    /// How many states of one boundary were tried at most.
    pub(crate) bound: u32,
    /// Boundaries of which every legal state was tried.
    pub(crate) exhaustive: u64,
    /// The states of the boundaries that were tried.
    pub(crate) states: States,
    /// How many were different after recovery, boundary by boundary. These were judged.
    pub(crate) distinct: u64,
    /// What came of those.
    pub(crate) outcomes: Outcomes,
    /// The same by kind of boundary.
    pub(crate) kinds: Vec<StateRow>,
}

/// Legal states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct States {
    /// Tried.
    pub(crate) tried: u64,
    /// There are; text, since it may be more than a number in JSON can be.
    #[serde(serialize_with = "as_text")]
    pub(crate) legal: u128,
}

/// Boundaries of one kind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StateRow {
    /// `before` or `after`.
    pub(crate) side: String,
    /// The sync.
    pub(crate) call: String,
    /// What kind of file it is about.
    pub(crate) path: String,
    /// In which phase of the broker's life.
    pub(crate) phase: String,
    /// How many of how many boundaries.
    pub(crate) boundaries: Share,
    /// Their states.
    pub(crate) states: States,
    /// How many were different after recovery.
    pub(crate) distinct: u64,
    /// What came of those.
    pub(crate) outcomes: Outcomes,
}

/// Adds up boundaries.
#[derive(Clone, Debug, Default)]
pub(crate) struct StateTally {
    kinds: BTreeMap<(On, Class), StateSum>,
    exhaustive: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct StateSum {
    boundaries: Share,
    states: States,
    distinct: u64,
    outcomes: Outcomes,
}

impl CrashStates {
    /// The line that a campaign ends with.
    pub(crate) fn line(&self) -> String {
        format!(
            "{} boundaries, {} of {} legal states tried, {} distinct after recovery, {} violations",
            self.boundaries.tried,
            self.states.tried,
            self.states.legal_words(),
            self.distinct,
            self.outcomes.violations()
        )
    }
}

impl States {
    /// How many there are; what cannot be counted any more is said to be that.
    pub(crate) fn legal_words(&self) -> String {
        if self.legal == u128::MAX { "over 10^38".to_owned() } else { self.legal.to_string() }
    }

    fn add(&mut self, other: Self) {
        self.tried += other.tried;
        self.legal = self.legal.saturating_add(other.legal);
    }
}

impl StateTally {
    /// Nothing tried yet of these boundaries.
    pub(crate) fn of(all: &[Candidate]) -> Self {
        let mut tally = Self::default();
        for candidate in all {
            tally.kinds.entry(kind_of(candidate)).or_default().boundaries.of += 1;
        }
        tally
    }

    /// Adds a boundary that was tried.
    pub(crate) fn add(&mut self, boundary: &Boundary) {
        let sum = self.kinds.entry(kind_of(&boundary.candidate)).or_default();
        sum.boundaries.tried += 1;
        sum.states.add(States { tried: boundary.tried, legal: boundary.legal });
        sum.distinct += boundary.distinct.len() as u64;
        boundary.distinct.iter().for_each(|tried| sum.outcomes.count(tried.recovery));
        self.exhaustive += u64::from(u128::from(boundary.tried) == boundary.legal);
    }

    /// What all of them came to.
    pub(crate) fn states(&self, scenario: &str, seed: u64, bound: u32) -> CrashStates {
        let mut total = StateSum::default();
        for sum in self.kinds.values() {
            total.boundaries.tried += sum.boundaries.tried;
            total.boundaries.of += sum.boundaries.of;
            total.states.add(sum.states);
            total.distinct += sum.distinct;
            total.outcomes.add(&sum.outcomes);
        }
        let StateSum { boundaries, states, distinct, outcomes } = total;
        let row = |(&(on, class), &sum): (&(On, Class), &StateSum)| StateRow {
            side: on.to_string(),
            call: class.call.to_string(),
            path: class.path.to_string(),
            phase: class.phase.to_string(),
            boundaries: sum.boundaries,
            states: sum.states,
            distinct: sum.distinct,
            outcomes: sum.outcomes,
        };
        let kinds = self.kinds.iter().map(row).collect();
        let (scenario, exhaustive) = (scenario.to_owned(), self.exhaustive);
        CrashStates { scenario, seed, boundaries, bound, exhaustive, states, distinct, outcomes, kinds }
    }
}

fn kind_of(candidate: &Candidate) -> (On, Class) {
    (candidate.point.first.on, candidate.class)
}

fn as_text<S: Serializer>(number: &u128, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(number)
}

/// Of the points, those with this ending.
pub(crate) fn of_how(kinds: &[KindRow], how: How) -> impl Iterator<Item = &KindRow> {
    let how = how.to_string();
    kinds.iter().filter(move |row| row.how == how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_in_any_way_is_a_violation_and_nothing_is_counted_twice() {
        let mut outcomes = Outcomes::default();
        Recovery::ALL.into_iter().for_each(|recovery| outcomes.count(recovery));
        assert_eq!((outcomes.tried(), outcomes.recovered(), outcomes.violations()), (4, 2, 2));
    }

    #[test]
    fn more_states_than_can_be_counted_stay_so() {
        let mut states = States { tried: 1, legal: u128::MAX };
        states.add(States { tried: 2, legal: 7 });
        assert_eq!((states.tried, states.legal_words().as_str()), (3, "over 10^38"));
        assert_eq!(
            serde_json::to_value(States { tried: 0, legal: 1 << 70 }).unwrap()["legal"],
            "1180591620717411303424"
        );
    }
}
