//! Scenarios told by hand: a script is a plain function over a world, run over a few seeds, judged like any other run.
//!
//! This is the door for tests. It reads the environment (`SEED=7` or `SEEDS=0..100`), and a broken promise is a panic whose
//! text says how to see it again.

use std::env;
use std::fmt::Write as _;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use model::names::Node;
use sim::Hands;
use sim::Verbs;
use sim::cluster::Cluster;
use sim::fact::Fact;

use crate::World;
use crate::ending::Ending;
use crate::failure::Telling;
use crate::guarantee::Guarantee;
use crate::judge::Violation;
use crate::run::{Outcome, Witness, promised};
use crate::story::story;

/// How many seeds a script is run over, unless the environment says otherwise.
pub const SEEDS: u64 = 8;

/// How long a script waits for anything, in simulated time.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of a script that broke no promise: one run for each seed.
#[derive(Debug)]
pub struct Told {
    runs: Vec<(u64, Outcome)>,
}

/// A broken promise, found by [`first_violation`].
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed that found it.
    pub seed: u64,
    /// The run.
    pub outcome: Outcome,
}

/// Runs the script over a few seeds and judges every run against everything that such a cluster promises. What the
/// script left broken is healed at the end; then there has to be progress, and everything has to be read back.
///
/// # Panics
/// If a promise is broken, or the script itself panics, with a text that says how to see it again.
pub fn scenario(cluster: Cluster, script: impl Fn(&mut World) + Sync) -> Told {
    let runs = seeds().map(|seed| (seed, tell(&cluster, seed, &script))).collect();
    let told = Told { runs };
    for (seed, outcome) in &told.runs {
        if let Some(text) = complaint(&cluster, *seed, outcome) {
            panic!("\n{text}");
        }
    }
    told
}

/// Runs the script over so many seeds and hands back the first broken promise.
pub fn first_violation(cluster: Cluster, seeds: u64, script: impl Fn(&mut World) + Sync) -> Option<Found> {
    let runs = (0..seeds).map(|seed| Found { seed, outcome: tell(&cluster, seed, &script) });
    runs.into_iter().find(|found| !found.outcome.violations.is_empty() || found.outcome.panicked.is_some())
}

/// Runs the script with one seed.
pub fn tell(cluster: &Cluster, seed: u64, script: &(impl Fn(&mut World) + Sync)) -> Outcome {
    let outcome = sim::hermetic(seed, || {
        let mut world = World::new(cluster, seed, Witness::new(cluster));
        world.keep_trace(true);
        world.set_patience(PATIENCE);
        let booted = world.boot();
        if booted.is_ok() {
            script(&mut world);
            Ending::begin(&mut world).conclude(&mut world);
        }
        Outcome::of(&world, true, booted.err().map(|error| error.to_string()))
    });
    outcome.unwrap_or_else(Outcome::of_panic)
}

/// All controllers and brokers but this one.
#[must_use]
pub fn other_servers(world: &dyn Hands, but: impl Into<Node>) -> Vec<Node> {
    let but = but.into();
    let brokers = world.brokers().into_iter().map(Node::from);
    brokers.chain([world.controller().into()]).filter(|node| *node != but).collect()
}

impl Told {
    /// Fails unless a fact like this was seen in at least one of the runs: a scenario that never reached what it is about
    /// shows nothing.
    ///
    /// # Panics
    /// If there was none.
    pub fn sometimes(&self, what: &str, seen: impl Fn(&Fact) -> bool) -> &Self {
        let reached = self.facts().any(seen);
        assert!(reached, "vacuous: \"{what}\" never happened in {} runs", self.runs.len());
        self
    }

    /// Fails if a fact like this was seen in any run.
    ///
    /// # Panics
    /// If there was one.
    pub fn never(&self, what: &str, seen: impl Fn(&Fact) -> bool) -> &Self {
        for (seed, outcome) in &self.runs {
            if let Some(fact) = outcome.trace.iter().flatten().find(|fact| seen(fact)) {
                panic!("seed {seed}: \"{what}\" happened: {}", sim::story::line(fact));
            }
        }
        self
    }

    /// The runs, each with its seed.
    #[must_use]
    pub fn runs(&self) -> &[(u64, Outcome)] {
        &self.runs
    }

    /// The facts of all runs, one run after another.
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.runs.iter().flat_map(|(_, outcome)| outcome.trace.iter().flatten())
    }
}

impl Found {
    /// The guarantee that was broken first.
    ///
    /// # Panics
    /// If it was no guarantee that broke but the program.
    #[must_use]
    pub fn broken(&self) -> Guarantee {
        match (self.outcome.violations.first(), &self.outcome.panicked) {
            (Some(violation), _) => violation.guarantee,
            (None, panicked) => panic!("seed {}: the run panicked: {panicked:?}", self.seed),
        }
    }

    /// Everything that was broken, each guarantee once, in the order of their first violation.
    #[must_use]
    pub fn all_broken(&self) -> Vec<Guarantee> {
        let mut broken = Vec::new();
        for Violation { guarantee, .. } in &self.outcome.violations {
            if !broken.contains(guarantee) {
                broken.push(*guarantee);
            }
        }
        broken
    }
}

/// `SEED=7`, `SEEDS=0..100`, or the first few.
///
/// # Panics
/// If the environment has one of the two and it cannot be read.
#[expect(clippy::disallowed_methods, reason = "the one place where tests read their environment")]
fn seeds() -> Range<u64> {
    if let Ok(text) = env::var("SEED") {
        let seed = text.parse().unwrap_or_else(|_| panic!("SEED={text}: not a number; say SEED=7"));
        return seed..seed + 1;
    }
    let Ok(text) = env::var("SEEDS") else { return 0..SEEDS };
    let range = text.split_once("..").and_then(|(from, upto)| Some(from.parse().ok()?..upto.parse().ok()?));
    match range {
        Some(range) if range.start < range.end => range,
        _ => panic!("SEEDS={text}: not a range of seeds; say SEEDS=0..100"),
    }
}

/// The failure text, if the run failed.
fn complaint(cluster: &Cluster, seed: u64, outcome: &Outcome) -> Option<String> {
    let replay = replay_line(seed);
    let promised = promised(cluster);
    let telling = Telling {
        guarantee: "",
        promised: &promised,
        sentence: "",
        replay: &replay,
        kept: None,
        shrunk: None,
        story: &[],
        digest: &outcome.digest,
    };
    if let Some(panicked) = &outcome.panicked {
        return Some(Telling { guarantee: "panic", sentence: &panicked.to_string(), ..telling }.to_string());
    }
    if let Some(violation) = outcome.violations.first() {
        let story = outcome.trace.as_ref().map(|trace| story(trace, violation)).unwrap_or_default();
        let sentence = &violation.sentence;
        return Some(Telling { guarantee: violation.guarantee.id(), sentence, story: &story, ..telling }.to_string());
    }
    let why = outcome.inconclusive.as_ref()?;
    let mut text = String::new();
    let _ = write!(text, "seed {seed} shows nothing: {why}\n  replay   {replay}");
    Some(text)
}

/// The command that runs this test with this seed. The thread of a test is named after it.
fn replay_line(seed: u64) -> String {
    let current = thread::current();
    let test = current.name().filter(|name| *name != "main").unwrap_or_default();
    format!("SEED={seed} cargo test -p scenarios {test}").trim_end().to_owned()
}
