//! One run again: its trace, its timeline, and what it shows.
//!
//! The trace goes to stdout and everything else to stderr if a trace is asked for, so that it can be piped.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use scenarios::failure::Failure;
use scenarios::run::{Outcome, run_traced};
use scenarios::second::{self, Opinion};
use scenarios::tape::{self, Played};
use scenarios::{Plan, Verdict};

use crate::cli::{Engine, Refusal, Replay, Replayed, TraceForm};
use crate::engines::left_out;
use crate::exit::Exit;
use crate::sentinel;
use crate::telling;

/// A run that is to last longer than this was not written by this program.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How a run is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// Whether its whole trace goes to stdout.
    pub(crate) trace: Option<TraceForm>,
    /// Where its timeline goes.
    pub(crate) timeline: Option<&'a Path>,
}

/// Shows a run again and says how the program is to end.
///
/// # Errors
/// If there is nothing to show, or nowhere to put it.
pub(crate) fn replay(wish: &Replay) -> Result<Exit, Refusal> {
    let kept = match &wish.what {
        Replayed::File(path) => Some(load(path)?),
        Replayed::Seed(..) => None,
    };
    let (plan, command) = match (&kept, &wish.what) {
        (Some(kept), Replayed::File(path)) => (kept.plan.clone(), format!("highwater replay {}", path.display())),
        (_, Replayed::Seed(scenario, seed)) => {
            (scenario.plan(*seed), format!("highwater replay --scenario {} --seed {seed}", scenario.name))
        }
        (None, Replayed::File(_)) => unreachable!("a file that was named was loaded"),
    };
    let how = Shown { trace: wish.trace, timeline: wish.timeline.as_deref() };
    match wish.engine {
        Engine::Own => show(&plan, kept.as_ref(), &command, &how),
        Engine::Madsim => {
            let Opinion { outcome, unsupported } = second::run(&plan);
            let mut said = vec!["on madsim's nodes".to_owned()];
            said.extend(left_out(&unsupported));
            // What was kept has a digest of our own scheduler.
            let exit = judge(&plan, &outcome, None, &format!("{command} --engine madsim"), &mut said);
            print(&plan, &outcome, &how, &said)?;
            Ok(exit)
        }
    }
}

/// Runs a plan, or what was `kept` of it, and shows it. `command` is what shows it again.
///
/// # Errors
/// If there is nowhere to put it.
pub(crate) fn show(plan: &Plan, kept: Option<&Failure>, command: &str, how: &Shown<'_>) -> Result<Exit, Refusal> {
    let outcome = run_traced(plan);
    let mut said = Vec::new();
    let exit = judge(plan, &outcome, kept, command, &mut said);
    print(plan, &outcome, how, &said)?;
    Ok(exit)
}

/// Shows a run of which this is to be said.
fn print(plan: &Plan, outcome: &Outcome, how: &Shown<'_>, said: &[String]) -> Result<(), Refusal> {
    if let Some(path) = how.timeline {
        draw(path, plan, outcome)?;
    }
    let text = said.join("\n");
    match how.trace {
        Some(form) => {
            print_trace(form, outcome).or_else(pipe_closed)?;
            eprintln!("{text}");
        }
        None => println!("{text}"),
    }
    Ok(())
}

/// Reads a kept failure; what of it is of another version is said on stderr. What it says may be well-formed and yet
/// nothing that can be run: a number was changed by hand.
///
/// # Errors
/// If it cannot be read or run.
pub(crate) fn load(path: &Path) -> Result<Failure, Refusal> {
    let refusal = |text| Refusal { exit: Exit::BadInput, text };
    let (kept, notes) = Failure::load_noting(path).map_err(|error| refusal(format!("error: {error}")))?;
    for note in notes {
        eprintln!("note: {}: {note}", path.display());
    }
    let impossible = |field: &str, what: &str| {
        let what = format!("field \"{field}\": {what}; restore the file, or make a new one with `highwater run`");
        refusal(format!("error: {}: {what}", path.display()))
    };
    kept.plan.cluster.check().map_err(|what| impossible("plan.cluster", &what))?;
    if kept.plan.length > LONGEST {
        return Err(impossible("plan.length", "a run lasts a day of simulated time at most"));
    }
    Ok(kept)
}

/// What the run shows, in words and as an exit code.
fn judge(plan: &Plan, outcome: &Outcome, kept: Option<&Failure>, command: &str, said: &mut Vec<String>) -> Exit {
    let shown = match outcome.verdict() {
        Verdict::Held => {
            said.push(format!("{} seed {}: every promise was kept", plan.scenario, plan.seed));
            said.push(numbers(outcome));
            Exit::Held
        }
        Verdict::Inconclusive => {
            let why = outcome.inconclusive.as_deref().unwrap_or("it showed nothing");
            said.push(format!("{} seed {}: inconclusive: {why}", plan.scenario, plan.seed));
            Exit::Inconclusive
        }
        Verdict::Violated | Verdict::Panicked => {
            if let Some(mut failure) = Failure::of(plan, outcome) {
                failure.shrunk = kept.and_then(|kept| kept.shrunk);
                said.push(failure.text(command, None));
            }
            Exit::Violated
        }
    };
    let Some(kept) = kept else { return shown };
    let played = tape::compare(kept, outcome.clone());
    said.extend(played.missed.iter().map(|missed| format!("  note     {missed}")));
    if kept.digest == outcome.digest {
        said.push(format!("  tape     {played}"));
        return shown;
    }
    said.push(differs(plan, &played, kept));
    Exit::Differing
}

/// A kept failure ran otherwise than when it was kept: which of the two possible reasons it is.
fn differs(plan: &Plan, played: &Played, kept: &Failure) -> String {
    let head = format!("DIFFERENT DIGEST  {} now, {} in the file", played.outcome.digest, kept.digest);
    let again = run_traced(plan);
    if again.digest == played.outcome.digest {
        let by = if kept.program.is_empty() { "an older program" } else { &kept.program };
        format!(
            "{head}\n  the program has changed since the file was written (by {by}), or the file has: two runs now agree.\n  \
             then {} broke, now {} does\n  {played}",
            kept.fingerprint, played.now
        )
    } else {
        let found = sentinel::first_difference(plan, &again.checkpoints, sentinel::RUN);
        let context = found.context.map_or_else(String::new, |context| format!("\n{context}"));
        format!("{head}\n  this program is not deterministic: {}{context}", found.line)
    }
}

fn numbers(outcome: &Outcome) -> String {
    let counts = &outcome.measures.counts;
    format!(
        "  {:.1} simulated seconds, {} facts, {} steps; {} records acked of {} sent, {} committed, {} lost ({} within the \
         contract); {} faults, {} elections\n  digest {}",
        outcome.simulated.as_secs_f64(),
        outcome.facts,
        outcome.steps,
        counts.acked,
        counts.sent,
        outcome.lost.committed,
        outcome.lost.lost,
        outcome.lost.excused,
        counts.faults,
        counts.elections,
        outcome.digest
    )
}

fn print_trace(form: TraceForm, outcome: &Outcome) -> io::Result<()> {
    let trace = outcome.trace.as_deref().unwrap_or_default();
    let mut to = io::BufWriter::new(io::stdout().lock());
    match form {
        TraceForm::Json => sim::trace::write_lines(trace, &mut to)?,
        TraceForm::Text => {
            for line in sim::story::story(trace) {
                writeln!(to, "{line}")?;
            }
        }
    }
    to.flush()
}

/// Whoever reads the trace may stop reading: `| head` is no error.
fn pipe_closed(error: io::Error) -> Result<(), Refusal> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Ok(());
    }
    Err(Refusal { exit: Exit::Harness, text: format!("error: the trace cannot be printed ({error})") })
}

/// Draws a run.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn draw(path: &Path, plan: &Plan, outcome: &Outcome) -> Result<(), Refusal> {
    fs::write(path, telling::timeline(plan, outcome)).map_err(|error| {
        let text = format!("error: --timeline: {} cannot be written ({error}); name another file", path.display());
        Refusal { exit: Exit::Usage, text }
    })
}

#[cfg(test)]
mod tests {
    use scenarios::catalogue;

    use super::*;

    #[test]
    fn whatever_a_campaign_can_keep_can_be_replayed() {
        for scenario in catalogue::ALL.iter() {
            for seed in 0..40 {
                let plan = scenario.plan(seed);
                assert_eq!(plan.cluster.check(), Ok(()), "{} seed {seed}", scenario.name);
                assert!(plan.length <= LONGEST);
            }
        }
    }
}
