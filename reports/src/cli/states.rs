//! `highwater crash-states`: which scenario, at which of its syncs, and how many states of each.

use std::path::PathBuf;

use clap::Args;
use model::names::BrokerId;
use scenarios::catalogue;
use scenarios::crash_points::On;

use super::points::DEFAULT_SEED;
use super::{Refusal, Wish, contradicts, count, jobs, properties, scenario_named, seed, usage};
use crate::crash_points::Order;
use crate::crash_states::Chosen;

/// Boundaries if nobody says.
const DEFAULT_BOUNDARIES: u64 = 400;
/// States of each if nobody says.
const DEFAULT_BOUND: u64 = 16;
/// More than these nobody waits for.
const MOST: u64 = 1_000_000;
/// Where their report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-crash-states";

#[derive(Debug, Args)]
pub(super) struct StatesArguments {
    /// The scenario, see `highwater list` [default: a short one in which logs are small].
    scenario: Option<String>,
    /// Its seed [default: 1].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    seed: Option<String>,
    /// How many boundaries at most: the moments before and after each sync, each kind having its share [default: 400].
    #[arg(long, value_name = "N", allow_hyphen_values = true, conflicts_with = "at")]
    boundaries: Option<String>,
    /// How many legal states of each boundary at most; all of them if there are not more [default: 16].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    bound: Option<String>,
    /// Only at this sync, such as b1:17 for both sides of disk call 17 of b1, or b1:17:before.
    #[arg(long, value_name = "SYNC")]
    at: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Kafka properties on top of the scenario's own.
    #[arg(long, value_name = "server.properties")]
    config: Option<PathBuf>,
    /// Where the report goes [default: highwater-crash-states].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on even if the canary is not found.
    #[arg(long)]
    keep_going: bool,
}

pub(super) fn states(arguments: StatesArguments) -> Result<Wish, Refusal> {
    let scenario = arguments.scenario.as_deref().map_or(Ok(catalogue::for_crash_points()), scenario_named)?;
    let number = |option: &str, text: &Option<String>, usual: u64| {
        text.as_deref().map_or(Ok(usual), |text| count(option, text, MOST))
    };
    let order = Order {
        scenario,
        seed: arguments.seed.as_deref().map_or(Ok(DEFAULT_SEED), seed)?,
        points: number("boundaries", &arguments.boundaries, DEFAULT_BOUNDARIES)?,
        jobs: jobs(arguments.jobs.as_deref())?,
        properties: arguments.config.as_deref().map(properties).transpose()?.unwrap_or_default(),
        keep_going: arguments.keep_going,
    };
    order.plan().map_err(|error| contradicts(scenario, &error))?;
    let bound = number("bound", &arguments.bound, DEFAULT_BOUND)?;
    let bound = u32::try_from(bound).expect("more than a million was refused");
    let chosen = arguments.at.as_deref().map(sync).transpose()?;
    Ok(Wish::CrashStates(Box::new(order), chosen, bound, arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}

/// `b1:17` or `b1:17:before`.
fn sync(text: &str) -> Result<Chosen, Refusal> {
    let wrong = || {
        usage(&format!(
            "error: --at: `{text}` names no sync; write BROKER:CALL or BROKER:CALL:SIDE, such as b1:17:before"
        ))
    };
    let mut parts = text.split(':');
    let broker = parts.next().and_then(|broker| broker.strip_prefix('b')?.parse().ok()).map(BrokerId);
    let call = parts.next().and_then(|call| call.parse().ok());
    let on = match parts.next() {
        None => None,
        Some("before") => Some(On::Before),
        Some("after") => Some(On::After),
        Some(_) => return Err(wrong()),
    };
    match (broker, call, parts.next()) {
        (Some(broker), Some(call), None) => Ok(Chosen { broker, call, on }),
        _ => Err(wrong()),
    }
}
