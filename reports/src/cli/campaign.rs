//! `highwater run`: which scenarios, which seeds, for how long.

use std::path::PathBuf;

use clap::Args;
use scenarios::catalogue::{self, Scenario};

use super::{Refusal, Wish, contradicts, jobs, properties, scenario_named, usage};
use crate::asked::{self, Seeds};
use crate::campaign::Order;

/// Seeds of each scenario if nobody says: what takes about a minute on two cores.
pub(crate) const DEFAULT_SEEDS: u64 = 60;
/// Where a report goes if nobody says.
pub(crate) const DEFAULT_OUT: &str = "highwater-report";

#[derive(Debug, Default, Args)]
pub(super) struct RunArguments {
    /// Names of scenarios, see `highwater list`; all but the canary if none is named.
    scenarios: Vec<String>,
    /// Seeds of each scenario: a number N for 0..N, or a range A..B whose end is not in it [default: 60, or as many as
    /// there is time for].
    #[arg(long, value_name = "N|A..B", allow_hyphen_values = true)]
    seeds: Option<String>,
    /// Begin no run after so long, such as 10m, 90s or 1h30m.
    #[arg(long, value_name = "10m", allow_hyphen_values = true)]
    time: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Kafka properties on top of every scenario's own; a producer's behind `producer.`, a consumer's behind `consumer.`.
    #[arg(long, value_name = "server.properties")]
    config: Option<PathBuf>,
    /// Where the report goes [default: highwater-report]. An older report is replaced when the new one is complete.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on even if the canary is not found or a digest differs. A broken guarantee or a panic never ends a campaign.
    #[arg(long)]
    keep_going: bool,
    /// Run every seed twice, in another thread and after another seed, and compare the digests.
    #[arg(long)]
    check_determinism: bool,
}

pub(super) fn run(arguments: RunArguments) -> Result<Wish, Refusal> {
    let wrong = |option: &str, why: String| usage(&format!("error: --{option}: {why}"));
    let time = arguments.time.as_deref().map(asked::span).transpose().map_err(|why| wrong("time", why))?;
    let endless = arguments.seeds.is_none() && time.is_some();
    let seeds = match &arguments.seeds {
        Some(text) => text.parse().map_err(|why| wrong("seeds", why))?,
        None if endless => Seeds { from: 0, to: u64::MAX },
        None => Seeds { from: 0, to: DEFAULT_SEEDS },
    };
    let order = Order {
        scenarios: scenarios_named(&arguments.scenarios)?,
        seeds,
        endless,
        time,
        jobs: jobs(arguments.jobs.as_deref())?,
        properties: arguments.config.as_deref().map(properties).transpose()?.unwrap_or_default(),
        keep_going: arguments.keep_going,
        check_determinism: arguments.check_determinism,
    };
    // Whatever contradicts a scenario's own settings is found before anything is run, as far as one seed can tell.
    for scenario in 0..order.scenarios.len() {
        order.plan(scenario, order.seeds.from).map_err(|error| contradicts(order.scenarios[scenario], &error))?;
    }
    Ok(Wish::Run(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}

fn scenarios_named(names: &[String]) -> Result<Vec<&'static Scenario>, Refusal> {
    if names.is_empty() {
        return Ok(catalogue::ALL.iter().filter(|scenario| !scenario.canary).collect());
    }
    let mut scenarios: Vec<&'static Scenario> = Vec::new();
    for name in names {
        let scenario = scenario_named(name)?;
        if !scenarios.iter().any(|known| known.name == scenario.name) {
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}
