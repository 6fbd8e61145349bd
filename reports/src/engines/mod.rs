//! Two schedulers asked the same: the museum's stories and the storms of scenarios, on our own event loop and on madsim's nodes.
//!
//! A bug that only one of them finds is a finding about the other's world. Runs and counts; what each scheduler can do is not known here.

mod page;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use scenarios::catalogue::Scenario;
use scenarios::known_bugs::KnownBug;
use scenarios::second::{self, Comparison, Opinion};
use scenarios::{Verdict, run};
use serde::Serialize;

use crate::cli::Refusal;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Draft, OutputError, json};
use crate::pool::in_order;
use crate::report::Program;

/// What is to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The stories of which bugs.
    pub(crate) bugs: Vec<&'static KnownBug>,
    /// The storms of which scenarios.
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// With how many seeds each, from 0.
    pub(crate) seeds: u64,
    /// How many comparisons at once.
    pub(crate) jobs: usize,
}

/// What was compared, as it is written to the report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    program: Program,
    /// With how many seeds each.
    pub(crate) seeds: u64,
    /// The museum's stories.
    pub(crate) stories: Vec<StoryRow>,
    /// The storms of scenarios.
    pub(crate) storms: Vec<StormRow>,
    /// Whether it was interrupted.
    pub(crate) cut_short: bool,
}

/// The story of a known bug, told on both.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StoryRow {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) breaks: &'static str,
    /// On how many seeds each found it, and what else is known.
    #[serde(flatten)]
    pub(crate) comparison: Comparison,
    /// Who found it.
    pub(crate) by: By,
    /// Why our own alone found it, if that is understood.
    pub(crate) explained: Option<&'static str>,
}

/// Who found a bug by its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum By {
    Both,
    Neither,
    OwnAlone,
    MadsimAlone,
    /// Our own alone, with faults that madsim has no means for.
    OwnForWantOfMeans,
}

/// The storms of a scenario, on both.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct StormRow {
    pub(crate) scenario: &'static str,
    pub(crate) runs: usize,
    /// Runs that did not hold on our own.
    pub(crate) own: usize,
    /// Runs that did not hold on madsim's.
    pub(crate) nodes: usize,
    /// Faults that madsim has no means for.
    pub(crate) unsupported: BTreeMap<String, u64>,
}

/// Compares, writes the report, says what came of it, and how the program is to end: well, if the schedulers agree about everything that
/// both can do.
///
/// # Errors
/// If the report cannot be written; an older one then stays as it was.
pub(crate) fn engines(order: &Order, out: &Path) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let stories = museum(order);
    let storms = storms(order);
    let program = Program::this();
    let cut_short = interrupt::requested();
    let compared = Compared { program, seeds: order.seeds, stories, storms, cut_short };
    for (by, ids) in compared.split() {
        println!("{}: {} ({})", by.words(), ids.len(), ids.join(" "));
    }
    let folder = written(draft, &compared).map_err(|error| error.refusal(Exit::Harness))?;
    println!("report: {}", folder.join("index.html").display());
    Ok(if compared.agree() && !cut_short { Exit::Held } else { Exit::Inconclusive })
}

fn written(draft: Draft, compared: &Compared) -> Result<PathBuf, OutputError> {
    draft.write("report.json", &json(compared))?;
    draft.write("index.html", &page::page(compared))?;
    draft.publish()
}

fn museum(order: &Order) -> Vec<StoryRow> {
    let mut rows = Vec::new();
    if !order.bugs.is_empty() {
        println!("{:4} {:28} {:>9} {:>9}", "bug", "breaks", "own", "madsim");
    }
    let work = |nth: u64| second::compare(order.bugs[nth as usize], order.seeds);
    in_order(order.jobs, order.bugs.len() as u64, &|| !interrupt::requested(), work, |nth, comparison| {
        let row = StoryRow::of(order.bugs[nth as usize], comparison);
        println!("{}", row.line());
        rows.push(row);
        ControlFlow::Continue(())
    });
    rows
}

fn storms(order: &Order) -> Vec<StormRow> {
    let mut rows = Vec::new();
    for scenario in &order.scenarios {
        let mut row = StormRow { scenario: scenario.name, runs: 0, own: 0, nodes: 0, unsupported: BTreeMap::new() };
        let work = |seed: u64| {
            let plan = scenario.plan(seed);
            (run(&plan).verdict(), second::run(&plan))
        };
        in_order(
            order.jobs,
            order.seeds,
            &|| !interrupt::requested(),
            work,
            |_, (own, Opinion { outcome, unsupported })| {
                row.runs += 1;
                row.own += usize::from(own != Verdict::Held);
                row.nodes += usize::from(outcome.verdict() != Verdict::Held);
                for (kind, count) in unsupported {
                    *row.unsupported.entry(kind).or_default() += count;
                }
                ControlFlow::Continue(())
            },
        );
        println!("{}", row.line());
        rows.push(row);
    }
    rows
}

impl Compared {
    /// Whether every bug was found by both, or by neither, or not by madsim's for want of a means or for a reason that is known; and every
    /// scenario held on both, or on neither.
    pub(crate) fn agree(&self) -> bool {
        self.stories.iter().all(StoryRow::agrees) && self.storms.iter().all(StormRow::agrees)
    }

    /// Who found which bugs.
    pub(crate) fn split(&self) -> BTreeMap<By, Vec<&'static str>> {
        let mut split: BTreeMap<By, Vec<&str>> = BTreeMap::new();
        for row in &self.stories {
            split.entry(row.by).or_default().push(row.id);
        }
        split
    }
}

impl StoryRow {
    fn of(bug: &KnownBug, comparison: Comparison) -> Self {
        let by = By::of(&comparison);
        let explained = second::explained(bug).filter(|_| by == By::OwnAlone);
        Self { id: bug.id, name: bug.name, breaks: bug.breaks.name(), comparison, by, explained }
    }

    pub(crate) fn agrees(&self) -> bool {
        matches!(self.by, By::Both | By::Neither | By::OwnForWantOfMeans) || self.explained.is_some()
    }

    fn line(&self) -> String {
        let Comparison { seeds, own, nodes, .. } = &self.comparison;
        let of = |found: &u64| format!("{found}/{seeds}");
        format!(
            "{:4} {:28} {:>9} {:>9}{}",
            self.id,
            self.breaks,
            of(own),
            of(nodes),
            self.remarks().iter().map(|remark| format!("  {remark}")).collect::<String>()
        )
    }

    /// What there is to say beside the numbers.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let otherwise = self.comparison.nodes_otherwise;
        let otherwise = (otherwise > 0).then(|| format!("{otherwise} ended otherwise on madsim"));
        let remarks = [otherwise, left_out(&self.comparison.unsupported), self.explained.map(str::to_owned)];
        remarks.into_iter().flatten().collect()
    }
}

impl By {
    fn of(comparison: &Comparison) -> Self {
        match (comparison.own > 0, comparison.nodes > 0) {
            (true, true) => Self::Both,
            (false, false) => Self::Neither,
            (false, true) => Self::MadsimAlone,
            (true, false) if comparison.unsupported.is_empty() => Self::OwnAlone,
            (true, false) => Self::OwnForWantOfMeans,
        }
    }

    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Both => "found by both",
            Self::Neither => "found by neither",
            Self::OwnAlone => "found by our own alone",
            Self::MadsimAlone => "found by madsim's alone",
            Self::OwnForWantOfMeans => "found by our own alone, with faults that madsim has no means for",
        }
    }
}

impl StormRow {
    pub(crate) fn agrees(&self) -> bool {
        (self.own > 0) == (self.nodes > 0)
    }

    fn line(&self) -> String {
        let Self { scenario, runs, own, nodes, unsupported } = self;
        let left_out = left_out(unsupported).map_or_else(String::new, |what| format!("  {what}"));
        format!("{scenario:18} not held: {own}/{runs} own, {nodes}/{runs} madsim{left_out}")
    }
}

/// What did not strike on madsim's nodes, in words; nothing if all did.
pub(crate) fn left_out(unsupported: &BTreeMap<String, u64>) -> Option<String> {
    let kinds: Vec<String> = unsupported.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    (!kinds.is_empty()).then(|| format!("left out on madsim: {}", kinds.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_madsim_could_not_do_is_told_from_what_it_did_not_find() {
        let compared = |own, nodes| Comparison { seeds: 9, own, nodes, ..Comparison::default() };
        assert_eq!(By::of(&compared(3, 1)), By::Both);
        assert_eq!(By::of(&compared(0, 0)), By::Neither);
        assert_eq!(By::of(&compared(0, 2)), By::MadsimAlone);
        assert_eq!(By::of(&compared(2, 0)), By::OwnAlone);
        let unsupported = BTreeMap::from([("Lag".to_owned(), 4)]);
        assert_eq!(left_out(&unsupported).unwrap(), "left out on madsim: 4 Lag");
        assert_eq!(By::of(&Comparison { unsupported, ..compared(2, 0) }), By::OwnForWantOfMeans);
    }
}
