//! What may be typed, and what it means. Whatever cannot be meant is refused here, with what would be right.
//!
//! Parses once; behind this room there are only meanings. Runs nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::config::{Properties, Settings};
use scenarios::catalogue::{self, Scenario};

use crate::asked::{self, Seeds};
use crate::campaign::Order;
use crate::exit::Exit;

/// Seeds of each scenario if nobody says: what takes about a minute on two cores.
pub(crate) const DEFAULT_SEEDS: u64 = 60;
/// Where a report goes if nobody says.
const DEFAULT_OUT: &str = "highwater-report";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Conduct a campaign and write its report there.
    Run(Box<Order>, PathBuf),
    /// Show one run again.
    Replay(Replay),
    /// Say which scenarios there are.
    List,
    /// Measure.
    Bench,
}

/// Which run is to be shown, and how.
#[derive(Debug)]
pub(crate) struct Replay {
    /// Which.
    pub(crate) what: Replayed,
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

/// How a trace is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceForm {
    /// A line in words for each fact that matters.
    Text,
    /// A line of JSON for each fact.
    Json,
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
    /// Say which scenarios there are.
    List,
    /// Measure how fast it is, within a minute.
    Bench,
}

#[derive(Debug, Default, Args)]
struct RunArguments {
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

#[derive(Debug, Args)]
struct ReplayArguments {
    /// A failure that `highwater run` kept: DIR/failures/*.json.
    #[arg(conflicts_with_all = ["scenario", "seed"], required_unless_present = "scenario")]
    file: Option<PathBuf>,
    /// A scenario, see `highwater list`.
    #[arg(long, value_name = "NAME", requires = "seed")]
    scenario: Option<String>,
    /// Its seed.
    #[arg(long, value_name = "N", requires = "scenario", allow_hyphen_values = true)]
    seed: Option<String>,
    /// Print the trace: `text` for the facts that matter, `json` for all of them.
    #[arg(long, value_name = "text|json")]
    trace: Option<TraceForm>,
    /// Draw the run.
    #[arg(long, value_name = "FILE.svg")]
    timeline: Option<PathBuf>,
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
        None => run(RunArguments::default()),
        Some(Command::Run(arguments)) => run(arguments),
        Some(Command::Replay(arguments)) => replay(arguments),
        Some(Command::List) => Ok(Wish::List),
        Some(Command::Bench) => Ok(Wish::Bench),
    }
}

fn run(arguments: RunArguments) -> Result<Wish, Refusal> {
    let wrong = |option: &str, why: String| usage(&format!("error: --{option}: {why}"));
    let time = arguments.time.as_deref().map(asked::span).transpose().map_err(|why| wrong("time", why))?;
    let endless = arguments.seeds.is_none() && time.is_some();
    let seeds = match &arguments.seeds {
        Some(text) => text.parse().map_err(|why| wrong("seeds", why))?,
        None if endless => Seeds { from: 0, to: u64::MAX },
        None => Seeds { from: 0, to: DEFAULT_SEEDS },
    };
    let jobs = match &arguments.jobs {
        Some(text) => jobs(text).map_err(|why| wrong("jobs", why))?,
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let order = Order {
        scenarios: scenarios_named(&arguments.scenarios)?,
        seeds,
        endless,
        time,
        jobs,
        properties: arguments.config.as_deref().map(properties).transpose()?.unwrap_or_default(),
        keep_going: arguments.keep_going,
        check_determinism: arguments.check_determinism,
    };
    // Whatever contradicts a scenario's own settings is found before anything is run, as far as one seed can tell.
    for scenario in 0..order.scenarios.len() {
        order.plan(scenario, order.seeds.from).map_err(|error| contradicts(&order, scenario, &error))?;
    }
    Ok(Wish::Run(Box::new(order), arguments.out.unwrap_or_else(|| DEFAULT_OUT.into())))
}

fn contradicts(order: &Order, scenario: usize, error: &model::config::ConfigError) -> Refusal {
    let name = order.scenarios[scenario].name;
    let text = format!(
        "error: --config: with the settings of the scenario {name} these properties make no sense together:\n{error}\n\
         change them, or name only scenarios that agree with them"
    );
    Refusal { exit: Exit::BadInput, text }
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=1_024) => Ok(jobs),
        _ => Err(format!("`{text}` is not a number of jobs; write a number from 1 to 1024")),
    }
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

fn replay(arguments: ReplayArguments) -> Result<Wish, Refusal> {
    let what = match (arguments.file, arguments.scenario, arguments.seed) {
        (Some(file), ..) => Replayed::File(file),
        (None, Some(scenario), Some(seed)) => {
            let seed = seed.replace('_', "").parse().map_err(|_| {
                usage(&format!("error: --seed: `{seed}` is not a seed; write one whole number that is not negative"))
            })?;
            Replayed::Seed(scenario_named(&scenario)?, seed)
        }
        _ => return Err(usage("error: name a file, or a scenario with --scenario and its seed with --seed")),
    };
    Ok(Wish::Replay(Replay { what, trace: arguments.trace, timeline: arguments.timeline }))
}

fn usage(text: &str) -> Refusal {
    Refusal { exit: Exit::Usage, text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn typed(line: &str) -> Result<Wish, Refusal> {
        wish(std::iter::once("highwater").chain(line.split_whitespace()).map(Into::into))
    }

    fn order(line: &str) -> Order {
        match typed(line) {
            Ok(Wish::Run(order, _)) => *order,
            other => panic!("{other:?}"),
        }
    }

    fn refused(line: &str) -> Refusal {
        typed(line).map(|wish| panic!("{wish:?}")).unwrap_err()
    }

    #[test]
    fn clap_agrees_that_the_command_line_makes_sense() {
        use clap::CommandFactory;
        Typed::command().debug_assert();
    }

    #[test]
    fn nothing_typed_is_a_campaign_of_everything_but_the_canary() {
        let order = order("");
        assert_eq!(order.seeds, Seeds { from: 0, to: DEFAULT_SEEDS });
        assert_eq!(order.scenarios.len(), catalogue::ALL.len() - 1);
        assert!(!order.endless && order.time.is_none());
        let Ok(Wish::Run(_, out)) = typed("run") else { panic!() };
        assert_eq!(out, Path::new(DEFAULT_OUT));
    }

    #[test]
    fn time_alone_ends_a_campaign_without_seeds_and_bounds_one_with_seeds() {
        let timed = order("run --time 10m");
        assert!(timed.endless && timed.time == Some(Duration::from_secs(600)));
        assert!(!order("run --time 10m --seeds 5").endless);
    }

    #[test]
    fn a_scenario_is_run_once_however_often_it_is_named() {
        let names: Vec<_> =
            order("run crashes reference crashes").scenarios.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names, ["crashes", "reference"]);
        assert_eq!(order("run canary").scenarios[0].name, "canary", "if it is named, it is a scenario like any other");
    }

    #[test]
    fn what_cannot_be_meant_is_a_usage_error_that_says_what_can() {
        for (line, says) in [
            ("run crahses", "did you mean `crashes`?"),
            ("run zzzzzzzzzzz", "highwater list"),
            ("run --seeds -5", "negative"),
            ("run --seeds 5..5", "no seed in it"),
            ("run --time soon", "10m"),
            ("run --time -1m", "10m"),
            ("run --jobs 0", "from 1 to 1024"),
            ("run --jobs -2", "from 1 to 1024"),
            ("run --frobnicate", "--frobnicate"),
            ("dance", "dance"),
            ("replay", "FILE"),
            ("replay --scenario crashes", "--seed"),
            ("replay --seed 3", "--scenario"),
            ("replay --scenario crashes --seed -3", "not a seed"),
            ("replay --scenario crash --seed 3", "did you mean `crashes`?"),
            ("replay f.json --seed 3", "cannot be used with"),
            ("replay f.json --trace loud", "text"),
        ] {
            let refusal = refused(line);
            assert_eq!(refusal.exit, Exit::Usage, "{line}");
            assert!(refusal.text.contains(says), "{line}: {}", refusal.text);
        }
    }

    #[test]
    fn help_is_no_error() {
        assert_eq!(refused("--help").exit, Exit::Held);
        assert!(refused("run --help").text.contains("--check-determinism"));
        assert!(refused("--version").text.starts_with("highwater "));
    }

    #[test]
    fn a_property_file_that_is_not_there_is_bad_input() {
        let refusal = refused("run --config nowhere/server.properties");
        assert_eq!(refusal.exit, Exit::BadInput);
        assert!(refusal.text.contains("nowhere/server.properties"), "{}", refusal.text);
    }
}
