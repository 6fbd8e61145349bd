//! The museum's scoreboard: how long each known bug takes to find, by each strategy, and what finds it first.
//!
//! Every cell of the board is a bug and a strategy, hunted a number of times from seeds of its own. The number of seeds follows from
//! the program alone; CPU time is measured for the whole cell and shared out among its hunts by their steps. Runs hunts
//! and counts; draws nothing.

mod against;
pub(crate) mod board;
pub(crate) mod figure;
mod page;
mod table;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use scenarios::failure::{Failure, ShrunkFrom};
use scenarios::known_bugs::KnownBug;
use scenarios::run::{Outcome, Plan, run_traced};
use scenarios::search::{Found, Hunt, LADDER, Strategy, hunt};
use scenarios::shrink::{Effort, shrink};

use self::against::against;
use self::board::{Board, Cell, Small, Step, Told};
use crate::cli::Refusal;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Draft, OutputError, json};
use crate::pool::in_order;
use crate::telling::timeline;

/// What is to be hunted.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Which bugs.
    pub(crate) bugs: Vec<&'static KnownBug>,
    /// By which strategies.
    pub(crate) strategies: Vec<Strategy>,
    /// How much CPU time a hunt may take.
    pub(crate) budget: Duration,
    /// How many hunts for each bug and strategy.
    pub(crate) repeat: u64,
    /// How many hunts at once.
    pub(crate) jobs: usize,
    /// How many seeds of each rung of the published ladder.
    pub(crate) ladder: u64,
    /// Whether what is found is made smaller.
    pub(crate) shrinks: bool,
}

/// Hunts, writes the scoreboard and says what came of it: whether every bug was found within its budget.
///
/// # Errors
/// If the scoreboard cannot be written; an older one then stays as it was.
pub(crate) fn bugs(order: &Order, out: &Path) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let board = hunted(order, &draft).map_err(|error| error.refusal(Exit::Harness))?;
    let folder = published(draft, &board).map_err(|error| error.refusal(Exit::Harness))?;
    println!("{}", table::text(&board));
    println!("scoreboard: {}", folder.join("index.html").display());
    Ok(if board.missed().is_empty() { Exit::Held } else { Exit::Violated })
}

fn hunted(order: &Order, draft: &Draft) -> Result<Board, OutputError> {
    let mut board = Board::new(order);
    let cells = order.bugs.len() * order.strategies.len();
    for bug in &order.bugs {
        let mut smallest = None;
        for strategy in &order.strategies {
            if interrupt::requested() {
                board.cut_short = true;
                return Ok(board);
            }
            let (cell, sample) = cell(order, bug, *strategy);
            eprintln!("{:3}/{cells} {}", board.cells.len() + 1, table::line(&cell));
            board.cells.push(cell);
            smallest = smallest.or(sample);
        }
        if let Some(found) = smallest.filter(|_| order.shrinks) {
            board.small.push(made_small(bug, &found, draft)?);
        }
    }
    board.guided_against_uniform = against(&board);
    board.ladder = climbed(order);
    Ok(board)
}

/// What every rung of the ladder came to.
fn climbed(order: &Order) -> Vec<Step> {
    let mut ladder = Vec::new();
    if order.ladder == 0 {
        return ladder;
    }
    let go_on = || !interrupt::requested();
    let work = |item: u64| LADDER[item as usize].climb(order.ladder, &go_on);
    in_order(order.jobs, LADDER.len() as u64, &go_on, work, |item, climbed| {
        ladder.push(Step::of(&LADDER[item as usize], climbed));
        ControlFlow::Continue(())
    });
    ladder
}

/// All hunts of one bug by one strategy, and the first run that showed it.
fn cell(order: &Order, bug: &KnownBug, strategy: Strategy) -> (Cell, Option<Found>) {
    let spent = Spent::new();
    let mut hunts: Vec<Hunt> = Vec::new();
    let work = |number| {
        let mut counted = 0;
        hunt(bug, strategy, number, &mut |hunt| {
            spent.count(hunt.steps - counted);
            counted = hunt.steps;
            !interrupt::requested() && spent.of(hunt.steps) < order.budget.as_secs_f64()
        })
    };
    in_order(order.jobs, order.repeat, &|| !interrupt::requested(), work, |_, hunt| {
        hunts.push(hunt);
        ControlFlow::Continue(())
    });
    let cell = Cell::of(bug, strategy, &hunts, spent.begun.elapsed());
    (cell, hunts.into_iter().find_map(|hunt| hunt.found))
}

/// CPU time since a cell was begun, shared out among its hunts by the steps that they have made: they run side by side, each run on a
/// thread of its own.
struct Spent {
    begun: ProcessTime,
    steps: AtomicU64,
}

impl Spent {
    fn new() -> Self {
        Self { begun: ProcessTime::now(), steps: AtomicU64::new(0) }
    }

    fn count(&self, steps: u64) {
        self.steps.fetch_add(steps, Ordering::Relaxed);
    }

    /// Seconds for so many of the steps.
    fn of(&self, steps: u64) -> f64 {
        let all = self.steps.load(Ordering::Relaxed);
        if all == 0 { 0.0 } else { self.begun.elapsed().as_secs_f64() * steps as f64 / all as f64 }
    }
}

/// The smallest run that still shows the bug, kept and told. A loss within the contract is no failure: it is left as it is.
fn made_small(bug: &KnownBug, found: &Found, draft: &Draft) -> Result<Small, OutputError> {
    let begun = Instant::now();
    let strikes = |plan: &Plan| plan.storm.strikes.len();
    let mut small = Small {
        id: bug.id.to_owned(),
        faults: (strikes(&found.plan), strikes(&found.plan)),
        facts: (found.outcome.facts, found.outcome.facts),
        runs: 0,
        seconds: 0.0,
        told: None,
    };
    if found.outcome.fingerprint().is_none() {
        return Ok(small);
    }
    let shrunk = shrink(&found.plan, &found.fingerprint, Effort::default(), &mut || !interrupt::requested());
    let outcome = run_traced(&shrunk.plan);
    small.faults.1 = strikes(&shrunk.plan);
    small.facts.1 = outcome.facts;
    small.runs = shrunk.runs;
    small.seconds = begun.elapsed().as_secs_f64();
    if let Some(mut failure) = Failure::of(&shrunk.plan, &outcome) {
        let messages = |outcome: &Outcome| outcome.measures.counts.messages;
        failure.shrunk = Some(ShrunkFrom {
            faults: (small.faults.0 as u64, small.faults.1 as u64),
            messages: (messages(&found.outcome), messages(&outcome)),
            runs: shrunk.runs,
        });
        small.told = Some(told(bug, &failure, &timeline(&shrunk.plan, &outcome), draft)?);
    }
    Ok(small)
}

/// Writes the files that keep and draw a failure.
fn told(bug: &KnownBug, failure: &Failure, drawn: &str, draft: &Draft) -> Result<Told, OutputError> {
    let (file, timeline) = (format!("failures/{}.json", bug.id), format!("failures/{}.svg", bug.id));
    draft.write(&file, &json(failure))?;
    draft.write(&timeline, drawn)?;
    let text = failure.text(&format!("highwater replay {file}"), None);
    Ok(Told { sentence: failure.sentence.clone(), text, file, timeline })
}

fn published(draft: Draft, board: &Board) -> Result<std::path::PathBuf, OutputError> {
    draft.write("report.json", &json(board))?;
    draft.write("index.html", &page::page(board))?;
    draft.write("bugs.md", &table::markdown(board))?;
    draft.write("figures/bugs.svg", &figure::draw(board))?;
    draft.publish()
}
