//! `highwater matrix`: how often every cell of the durability table is run.

use std::path::PathBuf;

use clap::Args;
use scenarios::catalogue;
use scenarios::matrix::Cell;

use super::{Refusal, Wish, count, jobs};
use crate::asked::Seeds;
use crate::campaign::Order;

/// Runs of each cell if nobody says: what takes a few minutes on two cores.
const DEFAULT_ROUNDS: u64 = 20;
/// More than these nobody waits for.
const MOST_ROUNDS: u64 = 1_000_000;
/// Where its report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-matrix";

#[derive(Debug, Args)]
pub(super) struct MatrixArguments {
    /// How often each cell is run [default: 20].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    rounds: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Where the report goes [default: highwater-matrix].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on even if the canary is not found.
    #[arg(long)]
    keep_going: bool,
    /// Run every seed twice, in another thread and after another seed, and compare the digests.
    #[arg(long)]
    check_determinism: bool,
}

pub(super) fn matrix(arguments: MatrixArguments) -> Result<Wish, Refusal> {
    let rounds = arguments.rounds.as_deref().map_or(Ok(DEFAULT_ROUNDS), |text| count("rounds", text, MOST_ROUNDS))?;
    let order = Order {
        scenarios: vec![catalogue::for_the_matrix()],
        seeds: Seeds { from: 0, to: rounds * Cell::all().len() as u64 },
        endless: false,
        time: None,
        jobs: jobs(arguments.jobs.as_deref())?,
        properties: Vec::new(),
        keep_going: arguments.keep_going,
        check_determinism: arguments.check_determinism,
    };
    Ok(Wish::Run(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}
