//! What explorations came to: plain numbers as they are written to the report, and the same as text.

use std::fmt::{self, Write};

use scenarios::known_bugs::Breaks;
use scenarios::search::explore::{Broken, Tally};
use serde::Serialize;

use super::{Order, Place};
use crate::exit::Exit;
use crate::report::Program;

/// The report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    program: Program,
    depth: u32,
    records: u32,
    horizon_seconds: f64,
    budget_seconds: f64,
    merges: bool,
    /// One for each place.
    pub(crate) rows: Vec<Row>,
    places: usize,
}

/// What exploring one place came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    id: String,
    name: String,
    brokers: u32,
    /// What is expected to break: the ids of guarantees, or a loss within the contract.
    expected: Vec<&'static str>,
    /// States in the model checker's shortest trace, if it is published.
    shortest_trace: Option<u32>,
    /// Whether it broke as expected.
    pub(crate) found: bool,
    /// Why there was nothing to explore.
    pub(crate) failed: Option<String>,
    /// One deviation at most, two, and so on.
    pub(crate) depths: Vec<Depth>,
    /// The ways in which something broke, those with the fewest deviations first.
    pub(crate) ways: Vec<Way>,
}

/// All placements of so many deviations at most.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Depth {
    depth: u32,
    /// First deviations that were explored, and all there are.
    branches: (u64, u64),
    points: u64,
    states: u64,
    merged: u64,
    leaves: u64,
    forks: u64,
    steps: u64,
    steps_from_the_start: u64,
    cpu_seconds: f64,
    pub(crate) ended: Ended,
}

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ended {
    /// All was explored.
    Exhausted,
    /// It broke as expected.
    Found,
    /// Its CPU time was over.
    Budget,
    /// Somebody wanted it to end.
    Interrupted,
}

/// A way in which something breaks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Way {
    fingerprint: String,
    guarantees: Vec<&'static str>,
    expected: bool,
    pub(crate) deviations: u32,
    /// What befell the world.
    strikes: Vec<String>,
    /// Whether the same broke when it was run from the beginning.
    reproduced: bool,
    /// Where it is kept.
    pub(crate) file: Option<String>,
}

impl Report {
    pub(crate) fn new(order: &Order) -> Self {
        Self {
            program: Program::this(),
            depth: order.depth,
            records: order.records,
            horizon_seconds: order.horizon.as_secs_f64(),
            budget_seconds: order.budget.as_secs_f64(),
            merges: order.merges,
            rows: Vec::new(),
            places: order.places.len(),
        }
    }

    /// How the program ends: badly if something broke that should hold or a kept way broke another way when run again, without an answer
    /// if something that should break did not, or not all was explored that should hold.
    pub(crate) fn exit(&self) -> Exit {
        let is_broken = |row: &Row| row.expected.is_empty() && !row.ways.is_empty();
        let strays = |row: &Row| row.ways.iter().any(|way| !way.reproduced);
        let is_open =
            |row: &Row| row.failed.is_some() || if row.expected.is_empty() { !row.is_exhausted() } else { !row.found };
        if self.rows.iter().any(|row| is_broken(row) || strays(row)) {
            Exit::Violated
        } else if self.rows.len() < self.places || self.rows.iter().any(is_open) {
            Exit::Inconclusive
        } else {
            Exit::Held
        }
    }
}

impl Row {
    pub(crate) fn new(place: &Place, brokers: u32) -> Self {
        Self {
            id: place.id.clone(),
            name: place.name.clone(),
            brokers,
            expected: place.breaks.iter().map(|breaks| breaks.name()).collect(),
            shortest_trace: place.shortest_trace,
            found: false,
            failed: None,
            depths: Vec::new(),
            ways: Vec::new(),
        }
    }

    fn is_exhausted(&self) -> bool {
        self.depths.iter().all(|depth| depth.ended == Ended::Exhausted)
    }
}

impl Depth {
    pub(crate) fn of(depth: u32, branches: (u64, u64), tally: &Tally, cpu_seconds: f64, ended: Ended) -> Self {
        Self {
            depth,
            branches,
            points: tally.points,
            states: tally.states,
            merged: tally.merged,
            leaves: tally.leaves,
            forks: tally.forks,
            steps: tally.steps,
            steps_from_the_start: tally.steps_from_the_start,
            cpu_seconds,
            ended,
        }
    }

    /// How many times as many steps it would have taken without forks.
    fn pays(&self) -> f64 {
        self.steps_from_the_start as f64 / self.steps.max(1) as f64
    }
}

impl Way {
    pub(crate) fn of(place: &Place, fingerprint: &str, broken: &Broken, reproduced: bool) -> Self {
        Self {
            fingerprint: fingerprint.to_owned(),
            guarantees: broken.guarantees.iter().map(|guarantee| guarantee.id()).collect(),
            expected: broken.guarantees.iter().any(|guarantee| place.breaks.contains(&Breaks::Promise(*guarantee))),
            deviations: broken.depth,
            strikes: broken.plan.storm.strikes.iter().map(ToString::to_string).collect(),
            reproduced,
            file: None,
        }
    }

    /// A loss that the contract allows, where one is looked for.
    pub(crate) fn allowed(place: &Place, allowed: &Broken, reproduced: bool) -> Self {
        let expected = place.breaks.contains(&Breaks::Nothing);
        Self { expected, ..Self::of(place, Breaks::Nothing.name(), allowed, reproduced) }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exhausted => "exhausted",
            Self::Found => "stopped when it broke",
            Self::Budget => "stopped by the budget",
            Self::Interrupted => "interrupted",
        })
    }
}

/// How far one depth is.
pub(crate) fn progress(place: &Place, depth: u32, done: u64, of: u64, tally: &Tally) -> String {
    let (leaves, merged, broken) = (tally.leaves, tally.merged, tally.broken.len());
    format!(
        "{} depth {depth}: {done}/{of} branches, {leaves} leaves, {merged} merged, {broken} ways to break",
        place.id
    )
}

/// One depth in a line.
pub(crate) fn line(place: &Place, depth: &Depth) -> String {
    format!("{} {}", place.id, spoken(depth))
}

fn spoken(depth: &Depth) -> String {
    let (done, of) = depth.branches;
    format!(
        "depth {}: {done}/{of} branches, {} points, {} states, {} leaves, {} merged, {} worlds; {} steps, {} from the start ({:.1} times); \
         {:.1} CPU-s, {}",
        depth.depth,
        depth.points,
        depth.states,
        depth.leaves,
        depth.merged,
        depth.forks,
        depth.steps,
        depth.steps_from_the_start,
        depth.pays(),
        depth.cpu_seconds,
        depth.ended,
    )
}

/// All of it.
pub(crate) fn text(report: &Report) -> String {
    let mut text = String::new();
    for row in &report.rows {
        let _ = writeln!(text, "{}: {} ({} brokers, {} records)", row.id, row.name, row.brokers, report.records);
        for depth in &row.depths {
            let _ = writeln!(text, "  {}", spoken(depth));
        }
        for way in &row.ways {
            let kept = way.file.as_deref().unwrap_or("not kept");
            let again = if way.reproduced { "" } else { "; NOT the same when run from the beginning" };
            let _ = writeln!(text, "  breaks with {}: {} ({kept}{again})", counted(way.deviations), way.fingerprint);
            for strike in &way.strikes {
                let _ = writeln!(text, "    {strike}");
            }
        }
        let _ = writeln!(text, "  {}", verdict(row));
    }
    text.trim_end().to_owned()
}

fn verdict(row: &Row) -> String {
    if let Some(why) = &row.failed {
        return format!("nothing to explore: {why}");
    }
    let first = row.ways.iter().find(|way| way.expected).map(|way| way.deviations);
    let model = row.shortest_trace.map_or_else(String::new, |length| format!("; model checker: {length} states"));
    let cost: f64 = row.depths.iter().map(|depth| depth.cpu_seconds).sum();
    let worlds: u64 = row.depths.iter().map(|depth| depth.forks + 1).sum();
    let spent = format!("{cost:.1} CPU-s, {worlds} worlds{model}");
    match first {
        Some(deviations) => format!("broken with {}: {spent}", counted(deviations)),
        None if row.expected.is_empty() && !row.ways.is_empty() => format!("broken, and should not be: {spent}"),
        None if row.expected.is_empty() && row.is_exhausted() => format!("held: {spent}"),
        None if row.expected.is_empty() => format!("nothing broke as far as it was explored: {spent}"),
        None => format!("not broken within these bounds: {spent}"),
    }
}

fn counted(deviations: u32) -> String {
    if deviations == 1 { "1 deviation".to_owned() } else { format!("{deviations} deviations") }
}

/// The same for a page.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = format!(
        "# Small worlds, explored\n\nUp to {} deviations, {} records, {} s, {} CPU-seconds at most for each; states that were met {}.\n\n\
         | place | brokers | deviations | branches | points | states | leaves | merged | steps | from the start | CPU-s | ended | verdict |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        report.depth,
        report.records,
        report.horizon_seconds,
        report.budget_seconds,
        if report.merges { "are merged" } else { "are not merged" },
    );
    for row in &report.rows {
        for (nth, depth) in row.depths.iter().enumerate() {
            // What a place comes to stands once, beside the deepest that was looked.
            let verdict = if nth + 1 == row.depths.len() { verdict(row) } else { String::new() };
            let _ = writeln!(
                text,
                "| {}: {} | {} | {} | {} of {} | {} | {} | {} | {} | {} | {} ({:.1} times) | {:.1} | {} | {} |",
                row.id,
                row.name,
                row.brokers,
                depth.depth,
                depth.branches.0,
                depth.branches.1,
                depth.points,
                depth.states,
                depth.leaves,
                depth.merged,
                depth.steps,
                depth.steps_from_the_start,
                depth.pays(),
                depth.cpu_seconds,
                depth.ended,
                verdict,
            );
        }
    }
    text
}
