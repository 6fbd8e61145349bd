//! `highwater replay`: which run is to be shown again, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scenarios::catalogue::Scenario;

use super::{Refusal, Wish, scenario_named, seed, usage};

/// Which run is to be shown, and how.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Which.
    pub(crate) what: Replayed,
    /// On which scheduler.
    pub(crate) engine: Engine,
    /// Whether its whole trace goes to stdout.
    pub(crate) trace: Option<TraceForm>,
    /// Where its timeline goes.
    pub(crate) timeline: Option<PathBuf>,
}

/// Which run is to be shown.
#[derive(Debug)]
pub(crate) enum Replayed {
    /// The one that this file keeps.
    File(PathBuf),
    /// This one.
    Seed(&'static Scenario, u64),
}

/// What turns the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Our own event loop.
    #[default]
    Own,
    /// Madsim's nodes, network and timers.
    Madsim,
}

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceForm {
    /// A line in words for each fact that matters.
    Text,
    /// A line of JSON for each fact.
    Json,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// A failure that `highwater run` kept: DIR/failures/*.json.
    #[arg(conflicts_with_all = ["scenario", "seed"], required_unless_present = "scenario")]
    file: Option<PathBuf>,
    /// A scenario, see `highwater list`.
    #[arg(long, value_name = "NAME", requires = "seed")]
    scenario: Option<String>,
    /// Its seed.
    #[arg(long, value_name = "N", requires = "scenario", allow_hyphen_values = true)]
    seed: Option<String>,
    /// On which scheduler: our own, or madsim's, whose runs have digests of their own.
    #[arg(long, value_name = "own|madsim", default_value = "own")]
    engine: Engine,
    /// Print the trace: `text` for the facts that matter, `json` for all of them.
    #[arg(long, value_name = "text|json")]
    trace: Option<TraceForm>,
    /// Draw the run.
    #[arg(long, value_name = "FILE.svg")]
    timeline: Option<PathBuf>,
}

pub(super) fn replay(arguments: ReplayArguments) -> Result<Wish, Refusal> {
    let what = replayed(arguments.file, arguments.scenario, arguments.seed)?;
    Ok(Wish::Replay(Replay { what, engine: arguments.engine, trace: arguments.trace, timeline: arguments.timeline }))
}

/// Which run is meant by a file, or by a scenario and a seed.
pub(super) fn replayed(
    file: Option<PathBuf>,
    scenario: Option<String>,
    number: Option<String>,
) -> Result<Replayed, Refusal> {
    match (file, scenario, number) {
        (Some(file), ..) => Ok(Replayed::File(file)),
        (None, Some(scenario), Some(text)) => {
            let seed = seed(&text)?;
            Ok(Replayed::Seed(scenario_named(&scenario)?, seed))
        }
        _ => Err(usage("error: name a file, or a scenario with --scenario and its seed with --seed")),
    }
}
