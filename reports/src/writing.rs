//! A campaign from the order to the report on disk and the words on the terminal.
//!
//! The one place that knows all files of a report. Everything in them but `timing.json` follows from the findings.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::Serialize;

use crate::assembling::{self, Planned};
use crate::campaign::{self, Conducted, Order};
use crate::chart::grouped;
use crate::cli::Refusal;
use crate::crash_points::{self, Striking};
use crate::crash_states::{self, Chosen};
use crate::exit::Exit;
use crate::figures;
use crate::interrupt;
use crate::junit;
use crate::markdown;
use crate::output::{Draft, OutputError, json};
use crate::page;
use crate::report::{Figure, Report, Status, percent};
use crate::telling;

/// Failures that are told on the terminal; all are in the report.
const TOLD: usize = 5;

/// What a clock measured, in a file of its own: the rest of a report does not depend on one.
#[derive(Debug, Serialize)]
struct Timing {
    schema_version: u32,
    jobs: usize,
    wall_seconds: f64,
    running_wall_seconds: f64,
    cpu_seconds: f64,
    seeds_per_second: f64,
    simulated_seconds_per_cpu_second: f64,
}

/// Conducts a campaign, writes its report and says what came of it.
///
/// # Errors
/// If the order makes no sense or the report cannot be written; an older report then stays as it was.
pub(crate) fn run(order: &Order, out: &Path) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    let conducted = campaign::conduct(order)
        .map_err(|error| Refusal { exit: Exit::BadInput, text: format!("error: --config: {error}") })?;
    let ran = begun.elapsed();
    let failures = telling::tell(order, &conducted.findings, &draft).map_err(|error| error.refusal(Exit::Harness))?;
    let figures = figures::figures(order, &conducted.findings);
    let planned = Planned::of(order, &conducted);
    let (report, exit) = assembling::report(&planned, &conducted, failures, figures);
    let timing = timing(order.jobs, &report, ran, begun.elapsed(), cpu.elapsed());
    let folder = publish(draft, &report, &timing).map_err(|error| error.refusal(Exit::Harness))?;
    println!("{}", spoken(&report, &folder));
    add_to_step_summary(&report);
    Ok(exit)
}

/// Strikes a scenario in its disk calls, writes the report and says what came of it.
///
/// # Errors
/// As for [`run`].
pub(crate) fn crash_points(order: &crash_points::Order, out: &Path) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    let struck = crash_points::strike_all(order)?;
    let ran = begun.elapsed();
    let (planned, line) = (Some(struck.planned()), struck.points.line());
    let figures = figures::of_crash_points(&struck.points);
    let (mut report, exit) = of_strikes(&struck.striking, &struck.conducted, planned, figures, &draft)?;
    report.crash_points.push(struck.points);
    publish_strikes(draft, &report, &timing(order.jobs, &report, ran, begun.elapsed(), cpu.elapsed()), &line)?;
    Ok(exit)
}

/// Tries the legal states of a scenario's disks, writes the report and says what came of it.
///
/// # Errors
/// As for [`run`].
pub(crate) fn crash_states(
    order: &crash_points::Order,
    chosen: Option<Chosen>,
    bound: u32,
    out: &Path,
) -> Result<Exit, Refusal> {
    let draft = Draft::begin(out).map_err(|error| error.refusal(Exit::Usage))?;
    interrupt::listen();
    let (begun, cpu) = (Instant::now(), ProcessTime::now());
    let enumerated = crash_states::enumerate_all(order, chosen, bound)?;
    let ran = begun.elapsed();
    let line = enumerated.states.line();
    let figures = figures::of_crash_states(&enumerated.states);
    // How many states are judged is known only when they have recovered.
    let (mut report, exit) = of_strikes(&enumerated.striking, &enumerated.conducted, None, figures, &draft)?;
    report.crash_states.push(enumerated.states);
    publish_strikes(draft, &report, &timing(order.jobs, &report, ran, begun.elapsed(), cpu.elapsed()), &line)?;
    Ok(exit)
}

/// The report on a run that was struck.
fn of_strikes(
    striking: &Striking,
    conducted: &Conducted,
    planned: Option<u64>,
    figures: Vec<Figure>,
    draft: &Draft,
) -> Result<(Report, Exit), Refusal> {
    let failures = telling::tell(striking, &conducted.findings, draft).map_err(|error| error.refusal(Exit::Harness))?;
    let order = &striking.order;
    let planned = Planned {
        seeds_from: order.seed,
        seeds_to: order.seed.saturating_add(1),
        runs: planned,
        properties: order.properties.clone(),
    };
    Ok(assembling::report(&planned, conducted, failures, figures))
}

/// Puts the report into its place and says what it says; the last line says how much was tried.
fn publish_strikes(draft: Draft, report: &Report, timing: &Timing, line: &str) -> Result<(), Refusal> {
    let folder = publish(draft, report, timing).map_err(|error| error.refusal(Exit::Harness))?;
    println!("{}\n{line}", spoken(report, &folder));
    add_to_step_summary(report);
    Ok(())
}

fn publish(draft: Draft, report: &Report, timing: &Timing) -> Result<std::path::PathBuf, OutputError> {
    for figure in &report.figures {
        draft.write(&figure.file, &figure.svg)?;
    }
    draft.write("report.json", &json(report))?;
    draft.write("timing.json", &json(timing))?;
    draft.write("report.md", &markdown::markdown(report))?;
    draft.write("junit.xml", &junit::junit(report).expect("what a report says can be said in XML"))?;
    draft.write("index.html", &page::page(report))?;
    draft.publish()
}

fn timing(jobs: usize, report: &Report, ran: Duration, wall: Duration, cpu: Duration) -> Timing {
    let rounded = |value: f64| (value * 1_000.0).round() / 1_000.0;
    let campaign = &report.campaign;
    let runs = campaign.runs + campaign.compared.unwrap_or_default();
    Timing {
        schema_version: report.schema_version,
        jobs,
        wall_seconds: rounded(wall.as_secs_f64()),
        running_wall_seconds: rounded(ran.as_secs_f64()),
        cpu_seconds: rounded(cpu.as_secs_f64()),
        seeds_per_second: rounded(runs as f64 / ran.as_secs_f64().max(1e-3)),
        simulated_seconds_per_cpu_second: rounded(campaign.simulated_seconds / cpu.as_secs_f64().max(1e-3)),
    }
}

/// What is said on the terminal when all is done.
fn spoken(report: &Report, folder: &Path) -> String {
    let mut lines = Vec::new();
    for failure in report.failures.iter().take(TOLD) {
        lines.push(failure.text.replace(&failure.replay, &runnable(&failure.replay, &failure.file, folder)));
        lines.push(format!("  seen in  {} runs as {}\n", failure.runs, failure.fingerprint));
    }
    if report.failures.len() > TOLD {
        lines.push(format!("and {} more kinds of failure, see the report\n", report.failures.len() - TOLD));
    }
    let width = report.guarantees.iter().map(|row| row.id.len()).max().unwrap_or_default();
    lines.push(format!(
        "{:width$}  {:12} {:>7} {:>13} {:>10}  bound (95 %)",
        "guarantee", "status", "runs", "exercised", "violations"
    ));
    for row in report.guarantees.iter().filter(|row| row.status != Status::OutOfScope) {
        lines.push(format!(
            "{:width$}  {:12} {:>7} {:>13} {:>10}  {}",
            row.id,
            row.status.words(),
            grouped(row.runs),
            grouped(row.exercised),
            grouped(row.violations),
            percent(row.upper_bound_95),
        ));
    }
    let outside: Vec<_> =
        report.guarantees.iter().filter(|row| row.status == Status::OutOfScope).map(|row| row.id.as_str()).collect();
    if !outside.is_empty() {
        lines.push(format!("out of scope: {}", outside.join(", ")));
    }
    let campaign = &report.campaign;
    lines.push(format!(
        "\n{}: {} runs, {:.1} simulated hours, {} committed records",
        report.verdict.word,
        grouped(campaign.runs),
        campaign.simulated_seconds / 3_600.0,
        grouped(campaign.losses.committed)
    ));
    lines.extend(report.verdict.reasons.iter().map(|reason| format!("  - {reason}")));
    if let Some(seed) = report.canary.found_by_seed {
        let known = report.canary.known_bugs.len() - report.canary.missed().len();
        let and_known = if known > 0 { format!(", and {known} known bugs were found, too") } else { String::new() };
        lines.push(format!("  - the canary was found by seed {seed}{and_known}"));
    }
    lines.push(format!("report: {}", folder.join("index.html").display()));
    lines.join("\n")
}

/// The command as it can be typed here: with the folder, and through cargo if that is how this was started.
fn runnable(replay: &str, file: &str, folder: &Path) -> String {
    let here = env::current_dir().ok().and_then(|here| folder.strip_prefix(here).ok().map(Path::to_owned));
    let folder = here.unwrap_or_else(|| folder.to_owned());
    let replay = if file.is_empty() {
        replay.to_owned()
    } else {
        replay.replace(file, &folder.join(file).display().to_string())
    };
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(_) => replay.replacen("highwater", "cargo run --release --", 1),
        None => replay,
    }
}

/// On GitHub the report is also the summary of the step. That is a courtesy: if it fails, the report still stands.
fn add_to_step_summary(report: &Report) {
    let Some(path) = env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    let appended = OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(markdown::markdown(report).as_bytes()));
    if let Err(error) = appended {
        eprintln!("note: the step summary cannot be written ({error})");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_terminal_shows_the_replay_line_with_the_folder_first_and_last() {
        let mut report = samples::report();
        let replay = report.failures[0].replay.clone();
        report.failures[0].text = format!("VIOLATED  x\n  replay   {replay}\n  story\n  replay   {replay}");
        let said = spoken(&report, Path::new("/elsewhere/report"));
        assert_eq!(
            said.matches("replay /elsewhere/report/failures/durability-21c085e4.json").count()
                + said.matches("-- replay /elsewhere").count().saturating_sub(2),
            2,
            "{said}"
        );
        assert!(said.contains("violated: 40 runs, 1.0 simulated hours"));
        assert!(said.contains("out of scope: at-most-once"));
    }
}
