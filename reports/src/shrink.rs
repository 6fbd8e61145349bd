//! A kept failure made smaller, kept beside the old one, and told.
//!
//! Runs plans on all cores until nothing smaller breaks the same promise, the time is up, or somebody interrupts; the
//! smallest so far counts in any case. The clock decides only how far it gets.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use scenarios::failure::{Failure, ShrunkFrom, grouped};
use scenarios::run::{Outcome, breaks, run_traced};
use scenarios::shrink::{allowed, smallest};
use scenarios::{Plan, retold};

use crate::cli::{Emitted, Refusal, Shrink};
use crate::exit::Exit;
use crate::interrupt;
use crate::pool::in_order;
use crate::replay::{draw, load};

/// Makes a failure smaller and says how the program is to end: as a run does that breaks a promise.
///
/// # Errors
/// If the file cannot be used, nothing breaks any more, or there is nowhere to put what comes of it.
pub(crate) fn shrink(wish: &Shrink) -> Result<Exit, Refusal> {
    let kept = load(&wish.file)?;
    let whole = run_traced(&kept.plan);
    if whole.fingerprint().as_deref() != Some(kept.fingerprint.as_str()) {
        return Err(no_longer_breaks(&wish.file, &kept, &whole));
    }
    interrupt::listen();
    let mut search = Search::begin(&kept, &whole, wish);
    let found = search.smallest(&kept);
    let (plan, outcome) = found.unwrap_or_else(|| (kept.plan.clone(), whole.clone()));
    let mut failure = Failure::of(&plan, &outcome).expect("what is smaller was accepted because it fails");
    failure.shrunk = from(&kept, &whole, &failure, &outcome, search.runs.load(Ordering::Relaxed));
    if let Some(path) = &wish.timeline {
        draw(path, &plan, &outcome)?;
    }
    let smaller = plan != kept.plan;
    eprintln!("{}", search.said(&kept.plan, &plan));
    let file = if smaller || wish.out.is_some() {
        let file = wish.out.clone().unwrap_or_else(|| beside(&wish.file));
        failure
            .save_as(&file)
            .map_err(|error| Refusal { exit: Exit::Usage, text: format!("error: --out: {error}") })?;
        eprintln!("kept as {}", file.display());
        file
    } else {
        wish.file.clone()
    };
    match wish.emit {
        Emitted::Transcript => println!("{}", search.transcript(&kept, &failure, &outcome)?.trim_end()),
        Emitted::Story => println!("{}", failure.text(&format!("highwater replay {}", file.display()), None)),
        Emitted::Test => println!("{}", retold::test(&failure).trim_end()),
        Emitted::Mermaid => println!("{}", retold::diagram(&failure, &outcome)),
    }
    Ok(Exit::Violated)
}

fn no_longer_breaks(file: &Path, kept: &Failure, whole: &Outcome) -> Refusal {
    let now = whole.fingerprint().unwrap_or_else(|| "nothing".to_owned());
    let text = format!(
        "error: {}: there is nothing to make smaller: {} broke when this was kept, now {now} does\n\
         see `highwater replay {}`, or make a new one with `highwater run`",
        file.display(),
        kept.fingerprint,
        file.display()
    );
    Refusal { exit: Exit::Differing, text }
}

/// What it was made smaller from, first of all.
fn from(kept: &Failure, whole: &Outcome, smaller: &Failure, now: &Outcome, runs: u32) -> Option<ShrunkFrom> {
    if smaller.plan == kept.plan {
        return kept.shrunk;
    }
    let faults = |plan: &Plan| plan.storm.strikes.len() as u64;
    let before = kept.shrunk.unwrap_or(ShrunkFrom {
        faults: (faults(&kept.plan), 0),
        messages: (whole.measures.counts.messages, 0),
        runs: 0,
    });
    Some(ShrunkFrom {
        faults: (before.faults.0, faults(&smaller.plan)),
        messages: (before.messages.0, now.measures.counts.messages),
        runs: before.runs + runs,
    })
}

/// A name beside the old file that nobody has yet.
fn beside(file: &Path) -> PathBuf {
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let stem = stem.trim_end_matches("-small");
    let numbered = (2_u32..).map(|nth| format!("{stem}-small-{nth}.json"));
    let mut names = std::iter::once(format!("{stem}-small.json")).chain(numbered).map(|name| file.with_file_name(name));
    names.find(|path| !path.exists()).expect("there is no end of numbers")
}

/// A search that is under way.
struct Search {
    fingerprint: String,
    begun: Instant,
    budget: Duration,
    jobs: usize,
    runs: AtomicU32,
    /// What was accepted, each smaller than the one before.
    accepted: Vec<Plan>,
    /// Steps that a candidate may take.
    most: u64,
}

impl Search {
    fn begin(kept: &Failure, whole: &Outcome, wish: &Shrink) -> Self {
        Self {
            fingerprint: kept.fingerprint.clone(),
            begun: Instant::now(),
            budget: wish.budget,
            jobs: wish.jobs,
            runs: AtomicU32::new(0),
            accepted: Vec::new(),
            most: allowed(whole.steps),
        }
    }

    /// The smallest plan that was found, with its whole run; nothing if none is smaller.
    fn smallest(&mut self, kept: &Failure) -> Option<(Plan, Outcome)> {
        smallest(&kept.plan, &mut |candidates| {
            let found = self.first(candidates)?;
            self.accepted.push(candidates[found].clone());
            Some(found)
        });
        if io::stderr().is_terminal() {
            eprint!("\r\x1b[2K");
        }
        // A run that was ended as soon as it broke the promise may panic later on, and then it is another failure.
        std::iter::from_fn(|| self.accepted.pop())
            .map(|plan| (plan.clone(), run_traced(&plan)))
            .find(|(_, outcome)| outcome.fingerprint().as_ref() == Some(&self.fingerprint))
    }

    /// The transcript of the smallest; or else, since what is milder may have no word on the stage, of the smallest
    /// before it that has one.
    fn transcript(&mut self, kept: &Failure, smallest: &Failure, outcome: &Outcome) -> Result<String, Refusal> {
        let why = match retold::transcript(smallest, outcome) {
            Ok(text) => return Ok(text),
            Err(why) => why,
        };
        let plans = std::iter::from_fn(|| self.accepted.pop()).chain([kept.plan.clone()]);
        for plan in plans.take_while(|_| !interrupt::requested()) {
            let outcome = run_traced(&plan);
            let larger = Failure::of(&plan, &outcome).filter(|larger| larger.fingerprint == self.fingerprint);
            if let Some(text) = larger.and_then(|larger| retold::transcript(&larger, &outcome).ok()) {
                eprintln!("note: {why}; this was told after {}", size(&plan));
                return Ok(text);
            }
        }
        Err(no_transcript(&why))
    }

    /// Which of these is the first that breaks the same promise, soon enough. What is tried beyond it is in vain, but takes no time.
    fn first(&self, candidates: &[Plan]) -> Option<usize> {
        let mut found = None;
        let go_on = || !interrupt::requested() && self.begun.elapsed() < self.budget;
        let work = |item: u64| {
            self.runs.fetch_add(1, Ordering::Relaxed);
            breaks(&candidates[item as usize], &self.fingerprint).is_some_and(|steps| steps <= self.most)
        };
        in_order(self.jobs, candidates.len() as u64, &go_on, work, |item, breaks| {
            if !breaks {
                return ControlFlow::Continue(());
            }
            found = Some(item as usize);
            ControlFlow::Break(())
        });
        let smallest = found.map(|found| &candidates[found]).or(self.accepted.last());
        self.show(smallest);
        found
    }

    /// How far it is, for whoever sits before a terminal.
    fn show(&self, smallest: Option<&Plan>) {
        if !io::stderr().is_terminal() {
            return;
        }
        let left = smallest.map_or_else(|| "nothing smaller yet".to_owned(), size);
        let (seconds, budget) = (self.begun.elapsed().as_secs(), self.budget.as_secs());
        let runs = self.runs.load(Ordering::Relaxed);
        // Nobody is told if stderr cannot be written to: that is no reason to stop.
        let _ = write!(io::stderr(), "\r\x1b[2Kshrinking: {left}, {runs} runs, {seconds} of {budget} s");
    }

    /// What came of it.
    fn said(&self, before: &Plan, after: &Plan) -> String {
        let runs = grouped(self.runs.load(Ordering::Relaxed).into());
        let seconds = self.begun.elapsed().as_secs_f64();
        let end = if interrupt::requested() {
            " (interrupted)"
        } else if self.begun.elapsed() >= self.budget {
            " (its time was up; more with --budget)"
        } else {
            ""
        };
        if before == after {
            return format!("nothing smaller breaks the same promise: {runs} runs in {seconds:.1} s{end}");
        }
        format!("from {}\nto   {}\nin {runs} runs and {seconds:.1} s{end}", size(before), size(after))
    }
}

fn no_transcript(why: &str) -> Refusal {
    let text = format!("this cannot be told on the stage: {why}; tell it with --emit test");
    Refusal { exit: Exit::Inconclusive, text }
}

/// How large a plan is, in words.
fn size(plan: &Plan) -> String {
    let cluster = &plan.cluster;
    let partitions: u32 = cluster.all_topics().iter().map(|topic| topic.partitions).sum();
    format!(
        "{} faults, {} brokers, {partitions} partitions, {} clients, {} records/s, {:?}",
        plan.storm.strikes.len(),
        cluster.brokers,
        cluster.producers + cluster.consumers,
        plan.load.rate,
        plan.length
    )
}
