//! What crash points came to, as plain data: a part of `report.json`, added up in the order in which they were tried.

use std::collections::BTreeMap;

use scenarios::crash_points::{Choice, How, Recovery, Stratum, Tried};
use serde::Serialize;

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

/// Of the points, those with this ending.
pub(crate) fn of_how(kinds: &[KindRow], how: How) -> impl Iterator<Item = &KindRow> {
    let how = how.to_string();
    kinds.iter().filter(move |row| row.how == how)
}
