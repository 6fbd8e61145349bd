//! The durability table of a campaign, as plain data: a part of `report.json`, and what it adds to the verdict.
//!
//! What a cell states is for [`scenarios::matrix`]; here its runs are added up and held against that.

use std::collections::BTreeMap;

use model::config::Acks;
use scenarios::matrix::{Cell, Stated};
use scenarios::{Outcome, Verdict};
use serde::Serialize;

use crate::exit::Exit;
use crate::statistics::upper_bound_95;

/// One cell of the table, and what came of its runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MatrixRow {
    /// `acks`, as a producer is told it.
    pub(crate) acks: &'static str,
    /// The cell.
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// What is stated about it.
    pub(crate) stated: Stated,
    /// Runs that showed something.
    pub(crate) runs: u64,
    /// Runs that lost an acknowledged record.
    pub(crate) lossy: u64,
    /// Records that were acknowledged.
    pub(crate) acknowledged: u64,
    /// Of them lost.
    pub(crate) lost: u64,
    /// The 95 % lower bound on the share of runs that lose some.
    pub(crate) lower_bound_95: f64,
    /// The 95 % upper bound on it.
    pub(crate) upper_bound_95: f64,
    /// What that comes to.
    pub(crate) shown: Shown,
}

/// A cell's runs held against what is stated about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shown {
    /// As stated.
    AsStated,
    /// Records were lost though none may be.
    LostAgainstStatement,
    /// No record was lost though that is possible: it was not shown.
    LossNotSeen,
    /// Nothing is stated.
    Open,
    /// It was not run.
    NotRun,
}

/// Adds up, by place of the cell.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatrixTally(BTreeMap<usize, Sum>);

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    runs: u64,
    lossy: u64,
    acknowledged: u64,
    lost: u64,
}

impl MatrixTally {
    /// Adds the run of this seed.
    pub(crate) fn add(&mut self, seed: u64, outcome: &Outcome) {
        if !matches!(outcome.verdict(), Verdict::Held | Verdict::Violated) {
            return;
        }
        let place = Cell::of_seed(seed);
        let lost = Cell::all()[place].lost(&outcome.lost);
        let sum = self.0.entry(place).or_default();
        sum.runs += 1;
        sum.lossy += u64::from(lost > 0);
        sum.acknowledged += outcome.measures.counts.acked;
        sum.lost += lost;
    }

    /// A row for every cell; none if no cell was run.
    pub(crate) fn rows(&self) -> Vec<MatrixRow> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let row = |(place, cell): (usize, Cell)| {
            let Sum { runs, lossy, acknowledged, lost } = self.0.get(&place).copied().unwrap_or_default();
            let stated = cell.stated();
            MatrixRow {
                acks: word(cell.acks),
                cell,
                stated,
                runs,
                lossy,
                acknowledged,
                lost,
                lower_bound_95: 1.0 - upper_bound_95(runs - lossy, runs),
                upper_bound_95: upper_bound_95(lossy, runs),
                shown: shown(stated, runs, lossy),
            }
        };
        Cell::all().into_iter().enumerate().map(row).collect()
    }
}

/// What the table adds to a verdict: what weighs most first.
pub(crate) fn reasons(rows: &[MatrixRow]) -> Vec<(Exit, String)> {
    let of = |kind: Shown| -> Vec<&MatrixRow> { rows.iter().filter(|row| row.shown == kind).collect() };
    let mut reasons = Vec::new();
    for row in of(Shown::LostAgainstStatement) {
        let text =
            format!("{}: {} of {} runs lost acknowledged records, and none may", row.name(), row.lossy, row.runs);
        reasons.push((Exit::Violated, text));
    }
    for row in of(Shown::LossNotSeen) {
        let text = format!("{}: a loss is possible, and none of {} runs showed it", row.name(), row.runs);
        reasons.push((Exit::Inconclusive, text));
    }
    let not_run = of(Shown::NotRun).len();
    if not_run > 0 {
        reasons.push((Exit::Inconclusive, format!("{not_run} cells of the durability table were not run")));
    }
    reasons
}

impl MatrixRow {
    /// The cell in words.
    pub(crate) fn name(&self) -> String {
        let Cell { replication_factor, min_insync_replicas, elections, blow, fsync, .. } = self.cell;
        let fsync = if fsync { ", fsync" } else { "" };
        format!(
            "acks={}, replication factor {replication_factor}, min.insync.replicas={min_insync_replicas}, {} elections{fsync}, {}",
            self.acks,
            elections.words(),
            blow.words()
        )
    }

    /// How many of how many runs lost something.
    pub(crate) fn share(&self) -> String {
        format!("{}/{}", self.lossy, self.runs)
    }
}

/// The last rows, which are the debate about fsync, apart from the table.
pub(crate) fn split(rows: &[MatrixRow]) -> (&[MatrixRow], &[MatrixRow]) {
    rows.split_at(rows.len().saturating_sub(Cell::debate().len()))
}

fn word(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    }
}

fn shown(stated: Stated, runs: u64, lossy: u64) -> Shown {
    match (stated, lossy) {
        _ if runs == 0 => Shown::NotRun,
        (Stated::Open, _) => Shown::Open,
        (Stated::Zero, 0) | (Stated::NonZero, 1..) => Shown::AsStated,
        (Stated::Zero, 1..) => Shown::LostAgainstStatement,
        (Stated::NonZero, 0) => Shown::LossNotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn seed_of(stated: Stated, acks: Acks) -> u64 {
        Cell::all().iter().position(|cell| cell.stated() == stated && cell.acks == acks).unwrap() as u64
    }

    fn outcome(lost: u64) -> Outcome {
        let mut outcome = samples::outcome();
        outcome.lost.acknowledged_lost = lost;
        outcome
    }

    #[test]
    fn a_loss_where_none_may_be_is_a_violation_and_a_loss_not_seen_is_inconclusive() {
        let mut tally = MatrixTally::default();
        assert!(tally.rows().is_empty());
        let (zero, non_zero) = (seed_of(Stated::Zero, Acks::All), seed_of(Stated::NonZero, Acks::All));
        tally.add(zero, &outcome(0));
        tally.add(non_zero, &outcome(3));
        let rows = tally.rows();
        assert_eq!(rows[zero as usize].shown, Shown::AsStated);
        assert_eq!((rows[non_zero as usize].shown, rows[non_zero as usize].lost), (Shown::AsStated, 3));
        let all = reasons(&rows);
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].1.contains("were not run"));
        tally.add(zero + Cell::all().len() as u64, &outcome(1));
        let reasons = reasons(&tally.rows());
        assert_eq!(reasons[0].0, Exit::Violated);
        assert!(reasons[0].1.contains("1 of 2 runs lost acknowledged records"), "{reasons:?}");
    }

    #[test]
    fn a_loss_that_is_possible_must_be_seen() {
        let mut tally = MatrixTally::default();
        let seed = seed_of(Stated::NonZero, Acks::All);
        tally.add(seed, &outcome(0));
        assert_eq!(tally.rows()[seed as usize].shown, Shown::LossNotSeen);
        assert_eq!(reasons(&tally.rows())[0].0, Exit::Inconclusive);
    }

    #[test]
    fn the_debate_comes_last() {
        let mut tally = MatrixTally::default();
        tally.add(0, &outcome(0));
        let rows = tally.rows();
        let (table, debate) = split(&rows);
        assert_eq!(debate.len(), 4);
        assert!(table.iter().all(|row| !row.cell.fsync));
    }
}
