//! What may be typed, and what it means. Whatever cannot be meant is refused here, with what would be right.
//!
//! Parses once; behind this room there are only meanings. Runs nothing. A file for each command; what several of them
//! take is here.

mod bugs;
mod campaign;
mod diff;
mod engines;
mod explore;
mod matrix;
mod points;
mod replay;
mod shrink;
mod states;
#[cfg(test)]
mod tests;
mod why;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use model::config::{ConfigError, Properties, Settings};
use scenarios::catalogue::{self, Scenario};

use self::bugs::BugsArguments;
use self::campaign::RunArguments;
use self::diff::DiffArguments;
pub(crate) use self::diff::{Diff, Side, Source};
use self::engines::EnginesArguments;
use self::explore::ExploreArguments;
use self::matrix::MatrixArguments;
pub(crate) use self::points::CrashPoint;
use self::points::PointsArguments;
use self::replay::ReplayArguments;
pub(crate) use self::replay::{Engine, Replay, Replayed, TraceForm};
use self::shrink::ShrinkArguments;
pub(crate) use self::shrink::{Emitted, Shrink};
use self::states::StatesArguments;
pub(crate) use self::why::Why;
use self::why::WhyArguments;
use crate::campaign::Order;
use crate::crash_points;
use crate::crash_states::Chosen;
use crate::exit::Exit;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Conduct a campaign and write its report there.
    Run(Box<Order>, PathBuf),
    /// Show one run again.
    Replay(Replay),
    /// Make a kept failure smaller.
    Shrink(Shrink),
    /// Strike a scenario in its disk calls, and write a report.
    CrashPoints(Box<crash_points::Order>, PathBuf),
    /// Try the legal states of a scenario's disks at its syncs, or at these, so many of each at most; write a report.
    CrashStates(Box<crash_points::Order>, Option<Chosen>, u32, PathBuf),
    /// Hunt known bugs and write a scoreboard.
    Bugs(Box<crate::bugs::Order>, PathBuf),
    /// Explore small worlds and write what came of it.
    Explore(Box<crate::explore::Order>, PathBuf),
    /// Ask both schedulers the same, and write a report.
    Engines(crate::engines::Order, PathBuf),
    /// Show one crash point.
    CrashPoint(Box<CrashPoint>),
    /// Compare two runs.
    Diff(Box<Diff>),
    /// Explain a failing run by its chances.
    Why(Why),
    /// Say which scenarios there are.
    List,
    /// Measure.
    Bench,
}

/// Why there is nothing to be done.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// What to say; ends without a line break.
    pub(crate) text: String,
}

/// A seeded testbed for Kafka's replication: runs scenarios, judges them, writes a report.
///
/// Exit codes: 0 held, 1 violated, 2 inconclusive or vacuous, 3 the same seed gave another digest, 4 the harness failed,
/// 64 usage, 65 bad input file.
#[derive(Debug, Parser)]
#[command(name = "highwater", version, max_term_width = 110)]
struct Typed {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios with many seeds and write a report; also what is done without any command.
    Run(RunArguments),
    /// Show one run again: a failure that was kept, or a scenario with a seed.
    Replay(ReplayArguments),
    /// Make a kept failure smaller, and tell it: as a story, a test, a transcript or a sequence diagram.
    Shrink(ShrinkArguments),
    /// Run a scenario again and again with one broker killed, or its power cut, in one disk call after another.
    CrashPoints(PointsArguments),
    /// At each sync of a scenario try every legal state in which a power cut may leave the disk.
    CrashStates(StatesArguments),
    /// Run every cell of the durability table: acks, min.insync.replicas, replication factor, elections and faults.
    Matrix(MatrixArguments),
    /// Hunt the known bugs from fresh seeds and say how long each takes to find: the scoreboard of the museum.
    Bugs(BugsArguments),
    /// Explore a small world exhaustively: every placement of up to so many deviations, such as a crash, a cut or a conversation that
    /// stalls, at the events of the protocol. Ends with 1 if something breaks that should hold, and with 2 if something that should
    /// break does not, or not all was explored.
    Explore(ExploreArguments),
    /// Tell the museum's stories, or the storms of scenarios, to both schedulers, our own and madsim's, and compare what they find.
    /// Ends with 2 if one finds what the other, which could, does not.
    Engines(EnginesArguments),
    /// Say when a failing run was bound to fail, and which faults it took: roll its dice again from one instant after another.
    Why(WhyArguments),
    /// Say in which fact two runs differ first: two seeds, two protocols, or a run and a trace that another build wrote. Ends
    /// with 0 if they are equal and with 1 if they differ.
    Diff(DiffArguments),
    /// Say which scenarios there are.
    List,
    /// Measure how fast it is, within a minute.
    Bench,
}

/// What the command line asks for. Notices about it go to stderr.
///
/// # Errors
/// If it asks for nothing that can be done, or only for help.
pub(crate) fn wish(arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Wish, Refusal> {
    let typed = Typed::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Refusal { exit: Exit::Held, text: error.to_string().trim_end().to_owned() }
        }
        _ => usage(error.to_string().trim_end()),
    })?;
    match typed.command {
        None => campaign::run(RunArguments::default()),
        Some(Command::Run(arguments)) => campaign::run(arguments),
        Some(Command::Replay(arguments)) => replay::replay(arguments),
        Some(Command::Shrink(arguments)) => shrink::shrink(arguments),
        Some(Command::CrashPoints(arguments)) => points::points(arguments),
        Some(Command::CrashStates(arguments)) => states::states(arguments),
        Some(Command::Matrix(arguments)) => matrix::matrix(arguments),
        Some(Command::Bugs(arguments)) => bugs::bugs(arguments),
        Some(Command::Explore(arguments)) => explore::explore(arguments),
        Some(Command::Engines(arguments)) => engines::engines(arguments),
        Some(Command::Diff(arguments)) => diff::diff(arguments),
        Some(Command::Why(arguments)) => why::why(arguments),
        Some(Command::List) => Ok(Wish::List),
        Some(Command::Bench) => Ok(Wish::Bench),
    }
}

/// How many runs at once: one per core if nobody says.
fn jobs(text: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = text else { return Ok(thread::available_parallelism().map_or(1, usize::from)) };
    match text.parse() {
        Ok(jobs @ 1..=1_024) => Ok(jobs),
        _ => Err(usage(&format!("error: --jobs: `{text}` is not a number of jobs; write a number from 1 to 1024"))),
    }
}

fn seed(text: &str) -> Result<u64, Refusal> {
    text.replace('_', "").parse().map_err(|_| {
        usage(&format!("error: --seed: `{text}` is not a seed; write one whole number that is not negative"))
    })
}

fn contradicts(scenario: &Scenario, error: &ConfigError) -> Refusal {
    let name = scenario.name;
    let text = format!(
        "error: --config: with the settings of the scenario {name} these properties make no sense together:\n{error}\n\
         change them, or name only scenarios that agree with them"
    );
    Refusal { exit: Exit::BadInput, text }
}

fn scenario_named(name: &str) -> Result<&'static Scenario, Refusal> {
    if let Some(scenario) = catalogue::named(name) {
        return Ok(scenario);
    }
    let alike = |scenario: &&Scenario| strsim::damerau_levenshtein(scenario.name, name);
    let nearest = catalogue::ALL.iter().min_by_key(alike);
    let hint = match nearest {
        Some(nearest) if alike(&nearest) <= 1 + name.len() / 3 => format!("did you mean `{}`? ", nearest.name),
        _ => String::new(),
    };
    Err(usage(&format!("error: there is no scenario `{name}`; {hint}`highwater list` names all of them")))
}

/// The properties in a file. What is worth saying about them is said once, here.
fn properties(path: &Path) -> Result<Vec<(String, String)>, Refusal> {
    let bad = |text: String| Refusal { exit: Exit::BadInput, text };
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| {
        bad(format!("error: --config: {name} cannot be read ({error}); name a file of Kafka properties"))
    })?;
    let (_, notices) = Settings::parse(&name, &text).map_err(|error| bad(error.to_string()))?;
    for notice in notices {
        eprintln!("note: {notice}");
    }
    let properties = Properties::parse(&name, &text).map_err(|error| bad(error.to_string()))?;
    Ok(properties.entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
}

/// A number of something that is counted from 1.
fn count(option: &str, text: &str, most: u64) -> Result<u64, Refusal> {
    match text.replace('_', "").parse() {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        _ => Err(usage(&format!("error: --{option}: `{text}` cannot be meant; write a number from 1 to {most}"))),
    }
}

fn usage(text: &str) -> Refusal {
    Refusal { exit: Exit::Usage, text: text.to_owned() }
}
