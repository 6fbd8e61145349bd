//! `highwater explore`: which small worlds are explored, how deep and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use scenarios::search::LADDER;
use scenarios::search::explore::SmallWorld;

use super::{Refusal, Wish, count, jobs, usage};
use crate::bugs::board::bug_named;
use crate::explore::{Order, Place};

/// Deviations at most if nobody says.
const DEFAULT_DEPTH: u32 = 2;
/// How long each place may take if nobody says.
const DEFAULT_BUDGET: Duration = Duration::from_secs(60);
/// More deviations nobody waits for.
const MOST_DEVIATIONS: u64 = 20;
/// More brokers are no small world.
const MOST_BROKERS: u64 = 5;
/// Likewise more records.
const MOST_RECORDS: u64 = 20;
/// Where the report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-explore";

#[derive(Debug, Args)]
pub(super) struct ExploreArguments {
    /// Which known bugs, by their ids, such as B01 [default: the latest protocol].
    bugs: Vec<String>,
    /// The published ladder, too: five designs with two and with three replicas; all ten rungs, or those with these numbers, from 1.
    #[arg(long, value_name = "N,..", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    ladder: Option<String>,
    /// How many deviations from the default schedule in a run at most [default: 2].
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    depth: Option<String>,
    /// How many brokers and replicas [default: as many as the bug's cluster has; 3 for the latest protocol].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    brokers: Option<String>,
    /// How many records, one a second [default: 3].
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    records: Option<String>,
    /// How many simulated seconds there are for deviations [default: 8s].
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    horizon: Option<String>,
    /// How much CPU time each may take, in seconds [default: 60s].
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    budget: Option<String>,
    /// How many branches at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Merge nothing, even if its state was met before.
    #[arg(long)]
    no_merge: bool,
    /// Go on when what is expected to break has broken.
    #[arg(long)]
    all: bool,
    /// Where the report goes [default: highwater-explore].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn explore(arguments: ExploreArguments) -> Result<Wish, Refusal> {
    let bugs: Result<Vec<Place>, String> = arguments.bugs.iter().map(|id| bug_named(id).map(Place::of)).collect();
    let mut places = bugs.map_err(|what| usage(&format!("error: {what}")))?;
    if let Some(rungs) = &arguments.ladder {
        places.extend(ladder(rungs)?);
    }
    if places.is_empty() {
        places.push(Place::latest());
    }
    let number = |option: &str, text: &Option<String>, most| {
        let asked = text.as_deref().map(|text| count(option, text, most)).transpose()?;
        Ok::<_, Refusal>(asked.map(|number| number as u32))
    };
    let span = |option: &str, text: &Option<String>, otherwise| {
        text.as_deref().map_or(Ok(otherwise), |text| seconds(option, text))
    };
    let order = Order {
        places,
        depth: number("depth", &arguments.depth, MOST_DEVIATIONS)?.unwrap_or(DEFAULT_DEPTH),
        brokers: number("brokers", &arguments.brokers, MOST_BROKERS)?,
        records: number("records", &arguments.records, MOST_RECORDS)?.unwrap_or(SmallWorld::RECORDS),
        horizon: span("horizon", &arguments.horizon, SmallWorld::HORIZON)?,
        budget: span("budget", &arguments.budget, DEFAULT_BUDGET)?,
        jobs: jobs(arguments.jobs.as_deref())?,
        merges: !arguments.no_merge,
        all: arguments.all,
    };
    Ok(Wish::Explore(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}

fn ladder(text: &str) -> Result<Vec<Place>, Refusal> {
    if text == "all" {
        return Ok(LADDER.iter().map(Place::of_rung).collect());
    }
    let rung = |number: &str| {
        let nth = count("ladder", number, LADDER.len() as u64)?;
        Ok(Place::of_rung(&LADDER[nth as usize - 1]))
    };
    text.split(',').map(rung).collect()
}

fn seconds(option: &str, text: &str) -> Result<Duration, Refusal> {
    match text.strip_suffix('s').unwrap_or(text).parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(usage(&format!(
            "error: --{option}: `{text}` is not a time; write seconds, such as 60s, from a tenth up to a day"
        ))),
    }
}
