//! What is on the scoreboard: plain numbers, as they are written to the report.

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::known_bugs::{self, HARMLESS, KnownBug, WAITING, published_of};
use scenarios::search::{Climbed, Hunt, Rung, Strategy};
use serde::Serialize;

use super::Order;
use super::against::Against;
use crate::report::Program;
use crate::statistics::interval_95;

/// The scoreboard.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Board {
    /// Which program wrote it: what marks its folder as a report.
    program: Program,
    /// How many CPU-seconds a hunt might take.
    pub(crate) budget_seconds: f64,
    /// How many hunts there were for each bug and strategy.
    pub(crate) repeat: u64,
    /// The bugs that were asked for, in order.
    pub(crate) bugs: Vec<Bug>,
    /// One for each bug and strategy that was hunted.
    pub(crate) cells: Vec<Cell>,
    /// What is left of the first run that showed each bug.
    pub(crate) small: Vec<Small>,
    /// What guidance is worth, where a bug was hunted by both.
    pub(crate) guided_against_uniform: Vec<Against>,
    /// The published ladder.
    pub(crate) ladder: Vec<Step>,
    /// Bugs that wait for a part of Kafka that is not built.
    pub(crate) waiting: Vec<Waiting>,
    /// Whether it was interrupted.
    pub(crate) cut_short: bool,
}

/// A bug.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bug {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) source: &'static str,
    /// The decisions of the protocol that it changes.
    pub(crate) decisions: Vec<String>,
    /// The guarantee that it breaks.
    pub(crate) breaks: &'static str,
    /// States in the model checker's shortest trace, if it is published.
    pub(crate) shortest_trace: Option<u32>,
    /// The share of random walks of the model that hit it, if it is published.
    pub(crate) random_walks: Option<f64>,
}

/// A bug that waits.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Waiting {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) waiting_for: &'static str,
}

/// What hunting one bug by one strategy came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) id: &'static str,
    pub(crate) strategy: &'static str,
    pub(crate) hunts: u64,
    /// Hunts that found it; the others were called off when their time was up, and are censored.
    pub(crate) found: u64,
    /// Seeds to the first hit.
    pub(crate) seeds: Spread,
    /// CPU-seconds to the first hit.
    pub(crate) cpu_seconds: Spread,
    /// Simulated seconds to the first hit.
    pub(crate) simulated_seconds: Spread,
    /// Seeds in all, and the chance that one of them hits, with its 95 % interval (Clopper-Pearson).
    pub(crate) seeds_in_all: u64,
    /// CPU time of all of them.
    pub(crate) cpu_seconds_in_all: f64,
    pub(crate) rate: f64,
    pub(crate) rate_from: f64,
    pub(crate) rate_to: f64,
    /// Runs that failed for another reason.
    pub(crate) strays: u64,
    /// Which guarantees were broken in the runs that showed it.
    pub(crate) detectors: Vec<Detector>,
}

/// How numbers lie, of which some are only known to be larger than what was seen.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Spread {
    /// Half of them are not larger; `None` if half of them or more are censored.
    pub(crate) median: Option<f64>,
    /// Nine of ten are not larger; `None` if more than one of ten is censored.
    pub(crate) p90: Option<f64>,
    /// The largest that was seen, censored or not.
    pub(crate) largest: f64,
}

/// One guarantee that was broken in runs that show a bug.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Detector {
    pub(crate) guarantee: &'static str,
    /// In how many runs it was broken.
    pub(crate) fired: u64,
    /// In how many of them it was the first.
    pub(crate) first: u64,
    /// How much later than the first it fired, in simulated milliseconds: the median.
    pub(crate) later_ms: f64,
}

/// What is left of a run when all is gone that it does not need.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Small {
    pub(crate) id: String,
    /// Strikes before and after.
    pub(crate) faults: (usize, usize),
    /// Facts before and after.
    pub(crate) facts: (u64, u64),
    pub(crate) runs: u32,
    pub(crate) seconds: f64,
    /// The smallest run, told; nothing for a loss within the contract, which is no failure.
    pub(crate) told: Option<Told>,
}

/// A run that a reviewer reads in a minute.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    /// What is wrong, in one sentence.
    pub(crate) sentence: String,
    /// The story, at most 25 lines.
    pub(crate) text: String,
    /// The file that keeps the run.
    pub(crate) file: String,
    /// The file that draws it.
    pub(crate) timeline: String,
}

/// One rung of the ladder.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    pub(crate) design: &'static str,
    pub(crate) replicas: u32,
    /// States in the model checker's shortest trace to a violation, if there is one.
    pub(crate) shortest_trace: Option<u32>,
    pub(crate) seeds: u64,
    pub(crate) broken: u64,
    /// The 95 % interval of the chance that a seed breaks it.
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) strays: u64,
    /// Whether the published trace, told to a cluster, breaks it.
    pub(crate) by_trace: bool,
    /// Whether it came out as published: what is said to break was seen to, by a seed or by its trace, and what is said to hold was not.
    pub(crate) as_published: bool,
}

impl Step {
    pub(crate) fn of(rung: &Rung, climbed: Climbed) -> Self {
        let (from, to) = interval_95(climbed.broken, climbed.seeds);
        Self {
            design: rung.design,
            replicas: rung.replicas,
            shortest_trace: rung.shortest,
            seeds: climbed.seeds,
            broken: climbed.broken,
            from,
            to,
            strays: climbed.strays,
            by_trace: climbed.by_trace,
            as_published: rung.shortest.is_some() == (climbed.broken > 0 || climbed.by_trace),
        }
    }
}

impl Step {
    /// Seeds that break it, of all.
    pub(crate) fn share(&self) -> String {
        format!("{} of {}", self.broken, self.seeds)
    }

    /// The 95 % interval of the chance that a seed does.
    pub(crate) fn interval(&self) -> String {
        format!("{:.4} to {:.4}", self.from, self.to)
    }

    /// What the model checker says of it.
    pub(crate) fn published(&self) -> String {
        self.shortest_trace.map_or_else(|| "holds".to_owned(), |length| format!("breaks, L={length}"))
    }
}

impl Board {
    /// An empty one.
    pub(crate) fn new(order: &Order) -> Self {
        Self {
            program: Program::this(),
            budget_seconds: order.budget.as_secs_f64(),
            repeat: order.repeat,
            bugs: order.bugs.iter().map(|bug| Bug::of(bug)).collect(),
            cells: Vec::new(),
            small: Vec::new(),
            guided_against_uniform: Vec::new(),
            ladder: Vec::new(),
            waiting: WAITING.iter().map(|row| Waiting { id: row.id, name: row.name, waiting_for: row.part }).collect(),
            cut_short: false,
        }
    }

    /// The bugs of which no strategy found half of the time that they were hunted.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        let is_found = |bug: &&Bug| self.cells_of(bug.id).any(|cell| cell.seeds.median.is_some());
        self.bugs.iter().filter(|bug| !is_found(bug)).map(|bug| bug.id).collect()
    }

    /// What hunting this bug came to.
    pub(crate) fn cells_of(&self, id: &str) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.id == id)
    }

    /// The rank correlation (Spearman) of our rates per seed with the published random walks, and over how many bugs: strategy by strategy.
    pub(crate) fn agreement(&self) -> BTreeMap<&'static str, (f64, usize)> {
        let mut pairs: BTreeMap<&'static str, Vec<(f64, f64)>> = BTreeMap::new();
        for cell in &self.cells {
            let bug = self.bugs.iter().find(|bug| bug.id == cell.id);
            if let Some(walks) = bug.and_then(|bug| bug.random_walks) {
                pairs.entry(cell.strategy).or_default().push((walks, cell.rate));
            }
        }
        let enough = pairs.into_iter().filter(|(_, pairs)| pairs.len() >= 3);
        enough.map(|(strategy, pairs)| (strategy, (spearman(&pairs), pairs.len()))).collect()
    }
}

impl Bug {
    fn of(bug: &KnownBug) -> Self {
        let published = published_of(bug.id);
        Self {
            id: bug.id,
            name: bug.name,
            source: bug.source,
            decisions: bug.decisions(),
            breaks: bug.breaks.name(),
            shortest_trace: published.map(|published| published.shortest),
            random_walks: published
                .and_then(|published| published.walks)
                .map(|(hits, walks)| f64::from(hits) / f64::from(walks)),
        }
    }
}

impl Cell {
    /// Adds up hunts, which have taken so much CPU time together.
    pub(crate) fn of(bug: &KnownBug, strategy: Strategy, hunts: &[Hunt], cpu: Duration) -> Self {
        let steps: u64 = hunts.iter().map(|hunt| hunt.steps).sum();
        let per_step = cpu.as_secs_f64() / steps.max(1) as f64;
        let spread =
            |of: &dyn Fn(&Hunt) -> f64| Spread::of(hunts.iter().map(|hunt| (of(hunt), hunt.found.is_some())).collect());
        let found = hunts.iter().filter(|hunt| hunt.found.is_some()).count() as u64;
        let seeds_in_all = hunts.iter().map(|hunt| hunt.seeds).sum();
        let (rate_from, rate_to) = interval_95(found, seeds_in_all);
        Self {
            id: bug.id,
            strategy: strategy.name(),
            hunts: hunts.len() as u64,
            found,
            seeds: spread(&|hunt| hunt.seeds as f64),
            cpu_seconds: spread(&|hunt| hunt.steps as f64 * per_step),
            simulated_seconds: spread(&|hunt| hunt.simulated.as_secs_f64()),
            seeds_in_all,
            cpu_seconds_in_all: cpu.as_secs_f64(),
            rate: found as f64 / (seeds_in_all.max(1)) as f64,
            rate_from,
            rate_to,
            strays: hunts.iter().map(|hunt| hunt.strays).sum(),
            detectors: detectors(hunts),
        }
    }
}

fn detectors(hunts: &[Hunt]) -> Vec<Detector> {
    let mut by_guarantee: BTreeMap<usize, (&'static str, u64, Vec<f64>)> = BTreeMap::new();
    for found in hunts.iter().filter_map(|hunt| hunt.found.as_ref()) {
        let Some((_, begun)) = found.detectors.first() else { continue };
        for (place, (guarantee, at)) in found.detectors.iter().enumerate() {
            let row = by_guarantee.entry(guarantee.index()).or_insert((guarantee.id(), 0, Vec::new()));
            row.1 += u64::from(place == 0);
            row.2.push(at.since(*begun).as_secs_f64() * 1_000.0);
        }
    }
    let mut detectors: Vec<Detector> = by_guarantee
        .into_values()
        .map(|(guarantee, first, mut later)| {
            later.sort_by(f64::total_cmp);
            Detector { guarantee, fired: later.len() as u64, first, later_ms: later[later.len() / 2] }
        })
        .collect();
    detectors.sort_by_key(|detector| std::cmp::Reverse((detector.first, detector.fired)));
    detectors
}

impl Spread {
    /// Of these numbers, each with whether it is exact; the others are censored: larger than that.
    fn of(mut numbers: Vec<(f64, bool)>) -> Self {
        let largest = numbers.iter().map(|(number, _)| *number).fold(0.0, f64::max);
        let count = numbers.len();
        numbers.retain(|(_, exact)| *exact);
        let mut exact: Vec<f64> = numbers.into_iter().map(|(number, _)| number).collect();
        exact.sort_by(f64::total_cmp);
        // The nearest rank; what is censored ranks above everything that was seen.
        let at = |share: f64| exact.get(((count as f64 * share).ceil() as usize).max(1) - 1).copied();
        Self { median: at(0.5), p90: at(0.9), largest }
    }
}

/// The rank correlation of pairs, ties by their mean rank.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |of: &dyn Fn(&(f64, f64)) -> f64| -> Vec<f64> {
        let values: Vec<f64> = pairs.iter().map(of).collect();
        values
            .iter()
            .map(|one| {
                let below = values.iter().filter(|other| *other < one).count() as f64;
                let same = values.iter().filter(|other| *other == one).count() as f64;
                below + (same + 1.0) / 2.0
            })
            .collect()
    };
    let (one, other) = (ranks(&|pair| pair.0), ranks(&|pair| pair.1));
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum() };
    let scale = (product(&one, &one) * product(&other, &other)).sqrt();
    if scale == 0.0 { 0.0 } else { product(&one, &other) / scale }
}

/// The bug of this id, or why there is none.
pub(crate) fn bug_named(id: &str) -> Result<&'static KnownBug, String> {
    if let Some(bug) = known_bugs::named(id) {
        return Ok(bug);
    }
    if let Some(row) = WAITING.iter().find(|row| row.id.eq_ignore_ascii_case(id)) {
        return Err(format!("{} ({}) waits for {}: not built yet", row.id, row.name, row.part));
    }
    if let Some(row) = HARMLESS.iter().find(|row| row.id.eq_ignore_ascii_case(id)) {
        return Err(format!("{} ({}) does no harm: {}", row.id, row.name, row.why));
    }
    let ids: Vec<&str> = known_bugs::all().map(|bug| bug.id).collect();
    Err(format!("there is no bug `{id}`; there are {}", ids.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_censored_counts_as_larger_than_all_that_was_seen() {
        let spread = Spread::of(vec![(5.0, true), (9.0, false), (1.0, true), (3.0, true)]);
        assert_eq!((spread.median, spread.p90, spread.largest), (Some(3.0), None, 9.0));
        let spread = Spread::of(vec![(9.0, false), (1.0, true), (9.0, false)]);
        assert_eq!((spread.median, spread.p90), (None, None));
        let spread = Spread::of((1..=20).map(|number| (f64::from(number), true)).collect());
        assert_eq!((spread.median, spread.p90), (Some(10.0), Some(18.0)));
    }

    #[test]
    fn ranks_correlate() {
        assert_eq!(spearman(&[(1.0, 10.0), (2.0, 20.0), (3.0, 90.0)]), 1.0);
        assert_eq!(spearman(&[(1.0, 9.0), (2.0, 8.0), (3.0, 0.0)]), -1.0);
        assert_eq!(spearman(&[(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]), 0.0);
    }

    #[test]
    fn a_bug_that_waits_is_told_from_one_that_does_not_exist() {
        assert_eq!(bug_named("b01").unwrap().id, "B01");
        assert!(bug_named("B22").unwrap_err().contains("waits for transactions"));
        assert!(bug_named("B28").unwrap_err().contains("does no harm"));
        assert_eq!(bug_named("B39").unwrap().id, "B02", "told under another number");
        assert!(bug_named("B99").unwrap_err().contains("there are B01"));
    }
}
