//! `highwater why`: which failing run is to be explained, and with how many forks.

use std::path::PathBuf;

use clap::Args;

use super::{Refusal, Replayed, Wish, count, jobs, replay::replayed};

/// Forks from each instant if nobody says.
const DEFAULT_SAMPLES: u64 = 40;
/// More than these nobody waits for.
const MOST_SAMPLES: u64 = 100_000;
/// Where it goes if nobody says.
const DEFAULT_OUT: &str = "highwater-why";

/// Which failing run is to be explained, and how.
#[derive(Debug)]
pub(crate) struct Why {
    /// Which.
    pub(crate) what: Replayed,
    /// Where what is found goes.
    pub(crate) out: PathBuf,
    /// How many forks from each instant.
    pub(crate) samples: u64,
    /// How many at once.
    pub(crate) jobs: usize,
}

#[derive(Debug, Args)]
pub(super) struct WhyArguments {
    /// A failure that `highwater run` kept: DIR/failures/*.json.
    #[arg(conflicts_with_all = ["scenario", "seed"], required_unless_present = "scenario")]
    file: Option<PathBuf>,
    /// A scenario, see `highwater list`.
    #[arg(long, value_name = "NAME", requires = "seed")]
    scenario: Option<String>,
    /// Its seed.
    #[arg(long, value_name = "N", requires = "scenario", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Where the figure, the text and the numbers go [default: highwater-why].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How many forks are made from each instant [default: 40]. More make it surer, and take as much longer.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    samples: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
}

pub(super) fn why(arguments: WhyArguments) -> Result<Wish, Refusal> {
    Ok(Wish::Why(Why {
        what: replayed(arguments.file, arguments.scenario, arguments.seed)?,
        out: arguments.out.unwrap_or_else(|| DEFAULT_OUT.into()),
        samples: arguments
            .samples
            .as_deref()
            .map_or(Ok(DEFAULT_SAMPLES), |text| count("samples", text, MOST_SAMPLES))?,
        jobs: jobs(arguments.jobs.as_deref())?,
    }))
}
