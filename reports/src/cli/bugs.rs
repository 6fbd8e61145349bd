//! `highwater bugs`: which known bugs are hunted, how, how often and for how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use scenarios::known_bugs::{self, KnownBug};
use scenarios::search::Strategy;

use super::{Refusal, Wish, count, jobs, usage};
use crate::bugs::Order;
use crate::bugs::board::bug_named;

/// Hunts for each bug and strategy if nobody says.
const DEFAULT_REPEAT: u64 = 5;
/// How long one may take if nobody says.
const DEFAULT_BUDGET: Duration = Duration::from_secs(60);
/// More than these nobody waits for.
const MOST_REPEATS: u64 = 100_000;
/// Where the scoreboard goes if nobody says.
const DEFAULT_OUT: &str = "highwater-bugs";

#[derive(Debug, Args)]
pub(super) struct BugsArguments {
    /// Which bugs, by their ids, such as B01 [default: all].
    bugs: Vec<String>,
    /// By which strategies: uniform, swarm, ambush, elections, late, priorities, guided, mixed, exhaustive (in the bug's small
    /// world, see `highwater explore`; every hunt is the same one again), or all [default: mixed].
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    strategy: Vec<String>,
    /// How much CPU time one hunt may take, in seconds [default: 60s].
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    budget: Option<String>,
    /// Hunts for each bug and strategy, each from seeds of its own [default: 5].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    repeat: Option<String>,
    /// How many hunts at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Where the scoreboard goes [default: highwater-bugs].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Try so many seeds of each rung of the published ladder, too: five designs with two and with three replicas [default: 0].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    ladder: Option<String>,
    /// Leave what is found as large as it is.
    #[arg(long)]
    no_shrink: bool,
}

pub(super) fn bugs(arguments: BugsArguments) -> Result<Wish, Refusal> {
    let named: Result<Vec<&'static KnownBug>, String> = arguments.bugs.iter().map(|id| bug_named(id)).collect();
    let mut bugs = named.map_err(|what| usage(&format!("error: {what}")))?;
    if bugs.is_empty() {
        bugs = known_bugs::all().collect();
    }
    let order = Order {
        bugs,
        strategies: strategies(&arguments.strategy)?,
        budget: arguments.budget.as_deref().map_or(Ok(DEFAULT_BUDGET), budget)?,
        repeat: arguments.repeat.as_deref().map_or(Ok(DEFAULT_REPEAT), |text| count("repeat", text, MOST_REPEATS))?,
        jobs: jobs(arguments.jobs.as_deref())?,
        ladder: arguments.ladder.as_deref().map_or(Ok(0), |text| count("ladder", text, MOST_REPEATS))?,
        shrinks: !arguments.no_shrink,
    };
    Ok(Wish::Bugs(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}

fn strategies(names: &[String]) -> Result<Vec<Strategy>, Refusal> {
    if names.is_empty() {
        return Ok(vec![Strategy::Mixed]);
    }
    if names == ["all"] {
        return Ok(Strategy::ALL.to_vec());
    }
    let strategy = |name: &String| {
        Strategy::named(name).ok_or_else(|| {
            let names: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
            usage(&format!("error: --strategy: there is no strategy `{name}`; there are {} and all", names.join(", ")))
        })
    };
    names.iter().map(strategy).collect()
}

fn budget(text: &str) -> Result<Duration, Refusal> {
    match text.strip_suffix('s').unwrap_or(text).parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 86_400.0 => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(usage(&format!("error: --budget: `{text}` is not a time; write seconds, such as 60s, up to a day"))),
    }
}
