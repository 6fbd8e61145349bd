//! `highwater diff`: two runs beside each other, and the first fact in which they differ.
//!
//! A run is run, a trace is read; neither is kept as a whole. Exit code 0 for equal runs, 1 for those that differ.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use scenarios::listener::Listener;
use scenarios::run::{Outcome, run_heard};
use scenarios::{Plan, Verdict};
use sim::cluster::Cluster;

use crate::chart::grouped;
use crate::cli::{Diff, Refusal, Side, Source};
use crate::exit::Exit;
use crate::lockstep::{self, Mouth};
use crate::parting;
use crate::replay;

/// What tells a run, when everything that can be refused has been.
enum Teller {
    Plan(Box<Plan>),
    Trace(Box<dyn BufRead + Send>, String),
}

/// What it came to.
enum Told {
    Ran(Box<Outcome>),
    Read,
    Broken(String),
}

/// Compares two runs and says where they part.
///
/// # Errors
/// If one of them cannot be told.
pub(crate) fn diff(wish: &Diff) -> Result<Exit, Refusal> {
    let (a, b) = (teller(&wish.a)?, teller(&wish.b)?);
    let (parting, a, b) = lockstep::compare(|mouth| a.tell(mouth), |mouth| b.tell(mouth));
    let broken = |told: &Told| match told {
        Told::Broken(text) => Some(Refusal { exit: Exit::BadInput, text: format!("error: {text}") }),
        Told::Ran(_) | Told::Read => None,
    };
    // A file that ends in the middle of a line would be a difference otherwise.
    if let Some(refusal) = broken(&a).or_else(|| broken(&b)) {
        return Err(refusal);
    }
    let lines = [("A", &wish.a, &a), ("B", &wish.b, &b)].map(|(letter, side, told)| line(letter, side, told));
    let (exit, said) = match parting {
        None => (Exit::Held, "EQUAL".to_owned()),
        Some(parting) => {
            let first = parting.left.first().or(parting.right.first());
            let at = first.map_or_else(String::new, |fact| format!(" at {}", fact.at));
            let text = parting::text(&parting, ("A", "B"));
            (Exit::Violated, format!("DIFFERENT{at}, after {} facts\n{text}", grouped(parting.agreed)))
        }
    };
    // Whoever reads it may stop reading.
    let _ = writeln!(io::stdout(), "{}\n{}\n{said}", lines[0], lines[1]);
    Ok(exit)
}

fn teller(side: &Side) -> Result<Teller, Refusal> {
    let mut plan = match &side.source {
        Source::Seed(scenario, seed) => scenario.plan(*seed),
        Source::File(path) => match trace(path)? {
            Some(_) if side.protocol.is_some() => {
                let text = format!(
                    "error: {} is a trace: what was spoken in it is done; leave the protocol out",
                    path.display()
                );
                return Err(Refusal { exit: Exit::Usage, text });
            }
            Some(lines) => return Ok(Teller::Trace(lines, path.display().to_string())),
            None => replay::load(path)?.plan,
        },
    };
    if let Some((name, protocol)) = &side.protocol {
        plan.cluster = Cluster { protocols: Vec::new(), ..plan.cluster.protocol(*protocol) };
        plan.cluster.check().map_err(|what| Refusal {
            exit: Exit::BadInput,
            text: format!("error: {} cannot speak {name}: {what}; choose another protocol or another run", side.name),
        })?;
    }
    Ok(Teller::Plan(Box::new(plan)))
}

/// The lines of a file, if it is a trace: then its first one is a fact.
fn trace(path: &Path) -> Result<Option<Box<dyn BufRead + Send>>, Refusal> {
    let unreadable = |error| Refusal {
        exit: Exit::BadInput,
        text: format!(
            "error: {}: cannot be read ({error}); name a kept failure, a trace, or SCENARIO:SEED",
            path.display()
        ),
    };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    // As much as is in the first gulp is enough to tell.
    let begins = lines.fill_buf().map_err(unreadable)?;
    let begins = String::from_utf8_lossy(begins).trim_start().starts_with("{\"number\":");
    Ok(begins.then(|| Box::new(lines) as Box<dyn BufRead + Send>))
}

impl Teller {
    fn tell(self, mouth: &Arc<Mouth>) -> Told {
        match self {
            Self::Plan(plan) => {
                let mouth = mouth.clone();
                Told::Ran(Box::new(run_heard(&plan, Listener::new(move |fact| mouth.say(fact)))))
            }
            Self::Trace(lines, name) => {
                for fact in sim::trace::lines(lines) {
                    match fact {
                        Ok(fact) => mouth.say(&fact),
                        Err(error) => {
                            let remedy =
                                "write it anew with `highwater replay --trace json`, by the program that compares it";
                            return Told::Broken(format!("{name}: {error}; {remedy}"));
                        }
                    }
                }
                Told::Read
            }
        }
    }
}

fn line(letter: &str, side: &Side, told: &Told) -> String {
    let spoken = side.protocol.as_ref().map_or_else(String::new, |(name, _)| format!(" as {name}"));
    let came = match told {
        Told::Ran(outcome) => {
            let what = match (outcome.verdict(), outcome.fingerprint()) {
                (Verdict::Violated | Verdict::Panicked, Some(fingerprint)) => fingerprint,
                (verdict, _) => verdict.to_string(),
            };
            format!("{what}, {} facts, digest {}", grouped(outcome.facts), outcome.digest)
        }
        Told::Read | Told::Broken(_) => "a trace".to_owned(),
    };
    format!("{letter}  {}{spoken}: {came}", side.name)
}
