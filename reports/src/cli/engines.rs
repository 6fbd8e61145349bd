//! `highwater engines`: what both schedulers are asked.

use std::path::PathBuf;

use clap::Args;
use scenarios::catalogue::Scenario;
use scenarios::known_bugs::{self, KnownBug};

use super::{Refusal, Wish, count, jobs, scenario_named, usage};
use crate::bugs::board::bug_named;
use crate::engines::Order;

/// Seeds for each bug and scenario if nobody says.
const DEFAULT_SEEDS: u64 = 20;
/// More than these nobody waits for.
const MOST_SEEDS: u64 = 100_000;
/// Where its report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-engines";

#[derive(Debug, Args)]
pub(super) struct EnginesArguments {
    /// The stories of which bugs, by their ids, such as B01 [default: all, or none if a scenario is named].
    bugs: Vec<String>,
    /// The storms of which scenarios, too, see `highwater list`.
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    scenario: Vec<String>,
    /// Seeds for each bug and each scenario [default: 20].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seeds: Option<String>,
    /// How many comparisons at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Where the report goes [default: highwater-engines].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn engines(arguments: EnginesArguments) -> Result<Wish, Refusal> {
    let named: Result<Vec<&'static KnownBug>, String> = arguments.bugs.iter().map(|id| bug_named(id)).collect();
    let mut bugs = named.map_err(|what| usage(&format!("error: {what}")))?;
    let scenarios: Result<Vec<&'static Scenario>, Refusal> =
        arguments.scenario.iter().map(|name| scenario_named(name)).collect();
    let scenarios = scenarios?;
    if bugs.is_empty() && scenarios.is_empty() {
        bugs = known_bugs::all().collect();
    }
    let seeds = arguments.seeds.as_deref().map_or(Ok(DEFAULT_SEEDS), |text| count("seeds", text, MOST_SEEDS))?;
    let order = Order { bugs, scenarios, seeds, jobs: jobs(arguments.jobs.as_deref())? };
    Ok(Wish::Engines(order, arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}
