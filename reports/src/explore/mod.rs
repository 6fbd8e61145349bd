//! `highwater explore`: small worlds explored exhaustively within bounds, one deviation deeper after the other.
//!
//! Each place, a known bug, a rung of the published ladder or the latest protocol, is explored with one deviation, then with two, and so
//! on, until it breaks as expected, all is explored or its CPU time is over. Runs explorations, counts and keeps what breaks; what a
//! deviation is and what is merged is not known here.

mod place;
mod table;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use scenarios::failure::Failure;
use scenarios::known_bugs::Breaks;
use scenarios::run::{run, run_traced};
use scenarios::search::explore::{Bounds, Broken, Exploration, SmallWorld, Tally};

pub(crate) use self::place::Place;
use self::table::{Depth, Ended, Report, Row, Way};
use crate::cli::Refusal;
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Draft, OutputError, json};
use crate::pool::in_order;

/// What is to be explored.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Where.
    pub(crate) places: Vec<Place>,
    /// Deviations in a run at most.
    pub(crate) depth: u32,
    /// Brokers and replicas, if not as many as the place has.
    pub(crate) brokers: Option<u32>,
    /// Records.
    pub(crate) records: u32,
    /// Choices are made before that.
    pub(crate) horizon: Duration,
    /// How much CPU time each place may take.
    pub(crate) budget: Duration,
    /// How many branches at once.
    pub(crate) jobs: usize,
    /// Whether states that were met are merged.
    pub(crate) merges: bool,
    /// Whether it goes on when what is expected to break has broken.
    pub(crate) all: bool,
}

/// How often is said how far it is.
const WORD: Duration = Duration::from_secs(5);

/// Explores, writes the report and says what came of it.
///
/// # Errors
/// If the report cannot be written; an older one then stays as it was.
pub(crate) fn explore(order: &Order, out: &Path) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let mut report = Report::new(order);
    for place in &order.places {
        if interrupt::requested() {
            break;
        }
        let row = explored(order, place, &draft).map_err(|error| error.refusal(Exit::Harness))?;
        report.rows.push(row);
    }
    let folder = published(draft, &report).map_err(|error| error.refusal(Exit::Harness))?;
    println!("{}", table::text(&report));
    println!("report: {}", folder.display());
    Ok(report.exit())
}

/// One place, one depth after the other.
fn explored(order: &Order, place: &Place, draft: &Draft) -> Result<Row, OutputError> {
    let small = SmallWorld::of(&place.ground, order.brokers, order.records, order.horizon);
    let mut row = Row::new(place, small.plan().cluster.brokers);
    let mut kept = BTreeMap::new();
    let begun = ProcessTime::now();
    for depth in 1..=order.depth {
        let bounds = Bounds { depth, merges: order.merges };
        let came = match deepened(order, place, &small, bounds, begun) {
            Ok(came) => came,
            Err(why) => {
                row.failed = Some(why);
                break;
            }
        };
        eprintln!("{}", table::line(place, &came.depth));
        for (fingerprint, broken) in &came.tally.broken {
            if !kept.contains_key(fingerprint) {
                kept.insert(fingerprint.clone(), kept_way(place, fingerprint, broken, draft)?);
            }
        }
        if let Some(allowed) = came.tally.showing(Breaks::Nothing).filter(|_| place.breaks.contains(&Breaks::Nothing)) {
            let loss = || Way::allowed(place, allowed, Breaks::Nothing.shown_by(&run(&allowed.plan)));
            kept.entry(Breaks::Nothing.name().to_owned()).or_insert_with(loss);
        }
        row.found |= place.breaks_as_expected(&came.tally);
        let over = came.depth.ended != Ended::Exhausted;
        row.depths.push(came.depth);
        if over || row.found && !order.all {
            break;
        }
    }
    row.ways = kept.into_values().collect();
    row.ways.sort_by_key(|way| way.deviations);
    Ok(row)
}

/// What came of one depth.
struct Came {
    tally: Tally,
    depth: Depth,
}

/// All placements of so many deviations, and of fewer.
fn deepened(
    order: &Order,
    place: &Place,
    small: &SmallWorld,
    bounds: Bounds,
    begun: ProcessTime,
) -> Result<Came, String> {
    let here = ProcessTime::now();
    let exploration = Exploration::begin(small, bounds)?;
    let mut tally = exploration.root().clone();
    let found = AtomicBool::new(place.breaks_as_expected(&tally) && !order.all);
    let is_in_time = || begun.elapsed() < order.budget && !interrupt::requested();
    let go_on = |so_far: &Tally| {
        if !order.all && place.breaks_as_expected(so_far) {
            found.store(true, Ordering::Relaxed);
        }
        is_in_time() && !found.load(Ordering::Relaxed)
    };
    let mut said = Instant::now();
    let may_begin = || is_in_time() && !found.load(Ordering::Relaxed);
    let work = |nth| {
        let branch = exploration.branch(nth, &go_on);
        go_on(&branch);
        branch
    };
    let branches = in_order(order.jobs, exploration.branches(), &may_begin, work, |nth, branch| {
        tally.add(branch);
        if said.elapsed() > WORD {
            said = Instant::now();
            eprintln!("{}", table::progress(place, bounds.depth, nth + 1, exploration.branches(), &tally));
        }
        ControlFlow::Continue(())
    });
    let ended = if found.load(Ordering::Relaxed) {
        Ended::Found
    } else if interrupt::requested() {
        Ended::Interrupted
    } else if tally.cut_short || branches < exploration.branches() {
        Ended::Budget
    } else {
        Ended::Exhausted
    };
    let depth =
        Depth::of(bounds.depth, (branches, exploration.branches()), &tally, here.elapsed().as_secs_f64(), ended);
    Ok(Came { tally, depth })
}

/// Keeps a way in which something breaks as a failure, run from the beginning, and says whether that broke the same.
fn kept_way(place: &Place, fingerprint: &str, broken: &Broken, draft: &Draft) -> Result<Way, OutputError> {
    let outcome = run_traced(&broken.plan);
    let reproduced = outcome.fingerprint().as_deref() == Some(fingerprint);
    let mut way = Way::of(place, fingerprint, broken, reproduced);
    if let Some(failure) = Failure::of(&broken.plan, &outcome) {
        let file = format!("failures/{}-{}", place.file_name(), failure.file_name());
        draft.write(&file, &json(&failure))?;
        way.file = Some(file);
    }
    Ok(way)
}

fn published(draft: Draft, report: &Report) -> Result<PathBuf, OutputError> {
    draft.write("report.json", &json(report))?;
    draft.write("explore.md", &table::markdown(report))?;
    draft.publish()
}
