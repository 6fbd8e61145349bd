//! `highwater shrink`: which failure is to be made smaller, how long that may take, and in which words it is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Refusal, Wish, jobs, usage};
use crate::asked;

/// How long it may take if nobody says.
const DEFAULT_BUDGET: Duration = Duration::from_secs(30);

/// Which failure is to be made smaller, and how.
#[derive(Debug)]
pub(crate) struct Shrink {
    /// The file that keeps it.
    pub(crate) file: PathBuf,
    /// How it is told.
    pub(crate) emit: Emitted,
    /// Where the smaller one is kept, if not beside the old one.
    pub(crate) out: Option<PathBuf>,
    /// How long it may take.
    pub(crate) budget: Duration,
    /// How many runs at once.
    pub(crate) jobs: usize,
    /// Where its timeline goes.
    pub(crate) timeline: Option<PathBuf>,
}

/// How a failure is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emitted {
    /// The text, at most 25 lines.
    Story,
    /// A `#[test]`.
    Test,
    /// A transcript for the stage.
    Transcript,
    /// A sequence diagram of Mermaid.
    Mermaid,
}

#[derive(Debug, Args)]
pub(super) struct ShrinkArguments {
    /// A failure that `highwater run` kept: DIR/failures/*.json.
    file: PathBuf,
    /// How to tell it on stdout; whatever else is said goes to stderr.
    #[arg(long, value_name = "story|test|transcript|mermaid", default_value = "story", hide_possible_values = true)]
    emit: Emitted,
    /// Where the smaller failure is kept; the old file itself may be named [default: beside it, as NAME-small.json].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How long to search for a smaller one, such as 30 or 2m; 0 for not at all [default: 30 seconds].
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    budget: Option<String>,
    /// How many runs at once [default: one per core].
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    jobs: Option<String>,
    /// Draw the smaller run.
    #[arg(long, value_name = "FILE.svg")]
    timeline: Option<PathBuf>,
}

pub(super) fn shrink(arguments: ShrinkArguments) -> Result<Wish, Refusal> {
    let ShrinkArguments { file, emit, out, budget, jobs: at_once, timeline } = arguments;
    let budget = budget.as_deref().map_or(Ok(DEFAULT_BUDGET), self::budget)?;
    Ok(Wish::Shrink(Shrink { file, emit, out, budget, jobs: jobs(at_once.as_deref())?, timeline }))
}

fn budget(text: &str) -> Result<Duration, Refusal> {
    let seconds = text.parse().map(Duration::from_secs);
    seconds
        .or_else(|_| asked::span(text))
        .map_err(|why| usage(&format!("error: --budget: {why}, or a number of seconds")))
}
