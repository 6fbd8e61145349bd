//! `highwater crash-points`: which scenario is struck, in how many of its disk calls, or in which one.

use std::path::PathBuf;

use clap::Args;
use scenarios::catalogue;
use scenarios::crash_points::Point;

use super::{Refusal, TraceForm, Wish, contradicts, count, jobs, properties, scenario_named, seed, usage};
use crate::crash_points::Order;

/// Crash points if nobody says: what takes well under a minute on two cores.
const DEFAULT_POINTS: u64 = 10_000;
/// More than these nobody waits for.
const MOST_POINTS: u64 = 10_000_000;
/// Where their report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-crash-points";
/// The seed if nobody says.
pub(super) const DEFAULT_SEED: u64 = 1;

/// One crash point, to be shown.
#[derive(Debug)]
pub(crate) struct CrashPoint {
    /// Of what.
    pub(crate) order: Order,
    /// Which.
    pub(crate) point: Point,
    /// Whether its whole trace goes to stdout.
    pub(crate) trace: Option<TraceForm>,
    /// Where its timeline goes.
    pub(crate) timeline: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PointsArguments {
    /// The scenario, see `highwater list` [default: a short one in which logs are small].
    scenario: Option<String>,
    /// Its seed [default: 1].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// How many crash points at most, each kind of disk call having its share [default: 10000].
    #[arg(long, value_name = "N", allow_hyphen_values = true, conflicts_with = "at")]
    points: Option<String>,
    /// Show this one only, such as b2:1234:after:power: broker, disk call, side (before, amid, after), kill or power.
    #[arg(long, value_name = "POINT", conflicts_with_all = ["jobs", "out", "keep_going"])]
    at: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Kafka properties on top of the scenario's own.
    #[arg(long, value_name = "server.properties")]
    config: Option<PathBuf>,
    /// Where the report goes [default: highwater-crash-points].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on even if the canary is not found.
    #[arg(long)]
    keep_going: bool,
    /// With --at, print the trace: `text` for the facts that matter, `json` for all of them.
    #[arg(long, value_name = "text|json", requires = "at")]
    trace: Option<TraceForm>,
    /// With --at, draw the run.
    #[arg(long, value_name = "FILE.svg", requires = "at")]
    timeline: Option<PathBuf>,
}

pub(super) fn points(arguments: PointsArguments) -> Result<Wish, Refusal> {
    let scenario = arguments.scenario.as_deref().map_or(Ok(catalogue::for_crash_points()), scenario_named)?;
    let order = Order {
        scenario,
        seed: arguments.seed.as_deref().map_or(Ok(DEFAULT_SEED), seed)?,
        points: arguments.points.as_deref().map_or(Ok(DEFAULT_POINTS), |text| count("points", text, MOST_POINTS))?,
        jobs: jobs(arguments.jobs.as_deref())?,
        properties: arguments.config.as_deref().map(properties).transpose()?.unwrap_or_default(),
        keep_going: arguments.keep_going,
    };
    order.plan().map_err(|error| contradicts(scenario, &error))?;
    match arguments.at {
        Some(text) => {
            let point = text.parse().map_err(|error| usage(&format!("error: --at: {error}")))?;
            let (trace, timeline) = (arguments.trace, arguments.timeline);
            Ok(Wish::CrashPoint(Box::new(CrashPoint { order, point, trace, timeline })))
        }
        None => Ok(Wish::CrashPoints(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into()))),
    }
}
