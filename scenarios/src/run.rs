//! One run: a plan goes in, an outcome comes out.
//!
//! Every run is alone in a fresh box and follows from its plan: boot, load under the storm, heal, a bounded time for
//! progress, a fresh consumer that reads everything back, and the verdicts. This room steps a world by its hands and
//! judges nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use model::event::Event;
use model::names::{EndOffset, Node, Partition};
use serde::{Deserialize, Serialize};
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fact::{Chapter, Fact, Moment};
use sim::{Checkpoints, Nodes, Panicked};

use crate::World;
use crate::ending::Ending;
use crate::guarantee::Guarantee;
use crate::judge::{Judge, LossSummary, Violation};
use crate::listener::Listener;
use crate::load::{Carried, Load};
use crate::measure::{Measures, Meter};
use crate::storm::Storm;

/// Everything that a run follows from, given this program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// The shape of the cluster.
    pub cluster: Cluster,
    /// What befalls it.
    pub storm: Storm,
    /// What is written.
    pub load: Load,
    /// The seed of everything else.
    pub seed: u64,
    /// How long load and storm last; healing and reading back come on top.
    pub length: Duration,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was broken: the first twenty, in order.
    pub violations: Vec<Violation>,
    /// How much was broken in all.
    pub violation_count: u64,
    /// Committed records that are gone, whether somebody had promised to keep them or not.
    pub lost: LossSummary,
    /// What had not come to rest at the end, within the contract, by reason: a legitimate standstill has a name.
    pub stuck: BTreeMap<&'static str, u64>,
    /// How often the premise of each guarantee was exercised.
    pub exercised: Vec<(Guarantee, u64)>,
    /// The run in numbers.
    pub measures: Measures,
    /// The digest of the trace, in hexadecimal.
    pub digest: String,
    /// The digests on the way.
    pub checkpoints: Checkpoints,
    /// How many facts the trace has.
    pub facts: u64,
    /// How many steps machines made.
    pub steps: u64,
    /// How much simulated time passed.
    pub simulated: Duration,
    /// The trace, if it was to be kept.
    pub trace: Option<Vec<Fact>>,
    /// The run ended in a panic: where and why. A finding like any other.
    pub panicked: Option<Panicked>,
    /// The run could not show anything: why.
    pub inconclusive: Option<String>,
}

/// What a run showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Every promise was kept.
    Held,
    /// The run could not show anything.
    Inconclusive,
    /// A promise was broken.
    Violated,
    /// A machine or the world panicked.
    Panicked,
}

/// Who watches a run: the judge, and the meter next to it.
#[derive(Clone, Debug)]
pub struct Witness {
    /// Judges.
    pub judge: Judge,
    /// Measures.
    pub meter: Meter,
    /// Hears everything.
    pub listener: Listener,
    facts: u64,
    /// Who reads everything back: one consumer a topic.
    readers: BTreeSet<Node>,
    /// How far the reader has read each partition.
    read: BTreeMap<Partition, EndOffset>,
}

/// In what pieces a run is ended that may be left before.
const PIECE: Duration = Duration::from_millis(250);
/// How the fingerprint of a panic begins.
const PANIC: &str = "panic";

impl Plan {
    /// What the cluster was told that its promises depend on, in one line.
    #[must_use]
    pub fn promised(&self) -> String {
        promised(&self.cluster)
    }
}

/// What a cluster was told that its promises depend on, in one line.
pub(crate) fn promised(cluster: &Cluster) -> String {
    let settings = &cluster.settings;
    let acks = settings.producer.entries().into_iter().find(|(name, _)| *name == "acks");
    let acks = acks.map_or_else(String::new, |(_, value)| value);
    let topics = cluster.all_topics();
    let replicas = topics.iter().map(|topic| topic.replication_factor).max().unwrap_or_default();
    let min_isr = settings.topic.effective(&settings.broker).min_insync_replicas;
    format!("acks={acks}, replication factor {replicas}, min.insync.replicas={min_isr}")
}

impl Outcome {
    /// What the run showed.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.panicked.is_some() {
            Verdict::Panicked
        } else if !self.violations.is_empty() {
            Verdict::Violated
        } else if self.inconclusive.is_some() {
            Verdict::Inconclusive
        } else {
            Verdict::Held
        }
    }

    /// What was broken, each guarantee once, in the order in which it showed, and when.
    #[must_use]
    pub fn broken(&self) -> Vec<(Guarantee, Moment)> {
        let mut broken: Vec<(Guarantee, Moment)> = Vec::new();
        for violation in &self.violations {
            if !broken.iter().any(|(guarantee, _)| *guarantee == violation.guarantee) {
                broken.push((violation.guarantee, violation.at));
            }
        }
        broken
    }

    /// What two failures share that have the same cause, as far as one can tell; `None` if nothing failed.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let panic = self.panicked.as_ref().map(|panicked| match &panicked.location {
            Some(location) => format!("{PANIC}/{location}"),
            None => PANIC.to_owned(),
        });
        panic.or_else(|| self.violations.first().map(|violation| violation.fingerprint().0))
    }
}

impl sim::Observer for Witness {
    fn see(&mut self, fact: &Fact) {
        self.judge.see(fact);
        self.meter.see(fact);
        self.listener.hear(fact);
        self.facts = fact.number + 1;
        let Some(event) = fact.event().filter(|_| fact.node.is_some_and(|node| self.readers.contains(&node))) else {
            return;
        };
        let came_to = match event {
            Event::Polled { partition, records, .. } => records.last().map(|(last, _)| (partition, last.end())),
            Event::Sought { partition, position, .. } => Some((partition, position.bound())),
            _ => None,
        };
        if let Some((partition, end)) = came_to {
            let read = self.read.entry(*partition).or_default();
            *read = end.max(*read);
        }
    }
}

impl Witness {
    /// How far the readers have read a partition.
    pub(crate) fn has_read(&self, partition: Partition) -> EndOffset {
        self.read.get(&partition).copied().unwrap_or_default()
    }

    /// Watches a run of this cluster from its beginning.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            judge: Judge::new(cluster),
            meter: Meter::default(),
            listener: Listener::default(),
            facts: 0,
            readers: cluster.reader_ids().map(Node::from).collect(),
            read: BTreeMap::new(),
        }
    }
}

/// Runs a plan.
#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    run_prepared(plan, false, |_| {})
}

/// Runs a plan and keeps the trace.
#[must_use]
pub fn run_traced(plan: &Plan) -> Outcome {
    run_prepared(plan, true, |_| {})
}

/// How many steps it takes until the first thing that this plan breaks is one of this fingerprint; nothing if another one
/// breaks, or none. The run is over as soon as that is known, unless a panic is looked for, which counts more than any
/// broken promise before it.
#[must_use]
pub fn breaks(plan: &Plan, fingerprint: &str) -> Option<u64> {
    if fingerprint.starts_with(PANIC) {
        let outcome = run(plan);
        return (outcome.fingerprint().as_deref() == Some(fingerprint)).then_some(outcome.steps);
    }
    let broken = sim::hermetic(plan.seed, || {
        let mut course = Course::begin(plan, |_| ()).ok()?;
        let is_whole = |world: &World| world.observer().judge.violations().is_empty();
        course.go_on_while(plan.length, plan.length, is_whole);
        if is_whole(&course.world) {
            course.conclude(plan.length);
        }
        let first = course.world.observer().judge.violations().first()?;
        (first.fingerprint().0 == fingerprint).then(|| course.world.steps())
    });
    broken.ok().flatten()
}

/// Runs a plan and has somebody hear every fact when it is stated.
#[must_use]
pub fn run_heard(plan: &Plan, listener: Listener) -> Outcome {
    run_prepared(plan, false, |world| world.observer_mut().listener = listener)
}

fn run_prepared(plan: &Plan, trace: bool, prepare: impl FnOnce(&mut World) + Send) -> Outcome {
    let prepare = |world: &mut World| {
        world.keep_trace(trace);
        prepare(world);
    };
    let outcome = sim::hermetic(plan.seed, || match Course::begin(plan, prepare) {
        Ok(mut course) => {
            course.conclude(plan.length);
            Outcome::of(&course.world, trace, None)
        }
        Err((world, why)) => Outcome::of(&world, trace, Some(why)),
    });
    outcome.unwrap_or_else(Outcome::of_panic)
}

/// A run that is under way. It may be let go on piece by piece, and its clone goes on exactly as it does.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    pub(crate) world: World,
    carried: Carried,
    /// What follows on the load, once it has begun.
    ending: Option<Ending>,
}

impl Course {
    /// Boots the plan's cluster and begins its storm and its load.
    ///
    /// # Errors
    /// If the cluster did not even boot: the run shows nothing, and why.
    pub(crate) fn begin(plan: &Plan, prepare: impl FnOnce(&mut World)) -> Result<Self, (Box<World>, String)> {
        Self::begin_in(plan, plan.seed, prepare)
    }

    /// The same in the world of another seed: the storm and the load are the plan's.
    pub(crate) fn begin_in(
        plan: &Plan,
        seed: u64,
        prepare: impl FnOnce(&mut World),
    ) -> Result<Self, (Box<World>, String)> {
        let mut world = World::new(&plan.cluster, seed, Witness::new(&plan.cluster));
        prepare(&mut world);
        if let Err(error) = world.boot() {
            return Err((Box::new(world), error.to_string()));
        }
        world.arm(plan.storm.strikes.clone());
        let carried = plan.load.begin(&world, Dice::new(plan.seed));
        Ok(Self { world, carried, ending: None })
    }

    /// Goes on up to `until` after the scenario began, in a run of this length.
    pub(crate) fn go_on(&mut self, until: Duration, length: Duration) {
        self.carried.go_on(&mut self.world, until, length);
    }

    /// The same, but only as long as `goes_on` says so of the world, which it is asked after every step.
    pub(crate) fn go_on_while(&mut self, until: Duration, length: Duration, goes_on: impl FnMut(&World) -> bool) {
        self.carried.go_on_while(&mut self.world, until, length, goes_on);
    }

    /// Goes on to the end of load and storm, and through everything that comes on top.
    pub(crate) fn conclude(&mut self, length: Duration) {
        self.ending(length).conclude(&mut self.world);
        self.ending = Some(Ending::Over);
    }

    /// The same, but only as long as `goes_on` says so of the world, which it is asked after every step of the load, and
    /// now and then when that has ended.
    pub(crate) fn conclude_while(&mut self, length: Duration, mut goes_on: impl FnMut(&World) -> bool) {
        if !goes_on(&self.world) {
            return;
        }
        if self.ending.is_none() {
            self.go_on_while(length, length, &mut goes_on);
        }
        while goes_on(&self.world) && !self.ending.as_ref().is_some_and(Ending::is_over) {
            let mut ending = self.ending(length);
            let upto = self.world.now() + PIECE;
            ending.go_on(&mut self.world, upto);
            self.ending = Some(ending);
        }
    }

    /// Goes on up to `until` after the scenario began, be that before or after the end of the load.
    pub(crate) fn reach(&mut self, until: Duration, length: Duration) {
        let begun = self.world.begun().expect("a course has begun");
        if until <= length {
            return self.go_on(until, length);
        }
        let mut ending = self.ending(length);
        ending.go_on(&mut self.world, begun + until);
        self.ending = Some(ending);
    }

    /// How the run ends, from where it is. The load is carried to its end first.
    fn ending(&mut self, length: Duration) -> Ending {
        self.ending.take().unwrap_or_else(|| {
            self.go_on(length, length);
            self.world.chapter(Chapter::LoadEnded);
            Ending::begin(&mut self.world)
        })
    }
}

impl Outcome {
    pub(crate) fn of(world: &World, kept: bool, inconclusive: Option<String>) -> Self {
        Self {
            digest: world.digest().to_string(),
            checkpoints: world.checkpoints().clone(),
            steps: world.steps(),
            simulated: world.now().since(Moment::ZERO),
            trace: kept.then(|| world.trace().to_vec()),
            inconclusive,
            ..Self::witnessed(world.observer())
        }
    }

    /// The same of a cluster on the second scheduler.
    pub(crate) fn of_nodes(nodes: &Nodes<Witness>, inconclusive: Option<String>) -> Self {
        Self {
            digest: nodes.digest().to_string(),
            steps: nodes.steps(),
            simulated: nodes.now().since(Moment::ZERO),
            trace: Some(nodes.trace().to_vec()),
            inconclusive,
            ..Self::witnessed(nodes.observer())
        }
    }

    /// What was seen, of a run of which nothing else is known.
    fn witnessed(witness: &Witness) -> Self {
        Self {
            violations: witness.judge.violations().to_vec(),
            violation_count: witness.judge.violation_count(),
            lost: witness.judge.lost(),
            stuck: witness.judge.stuck().clone(),
            exercised: witness.judge.exercised(),
            measures: witness.meter.measures().clone(),
            facts: witness.facts,
            ..Self::empty()
        }
    }

    pub(crate) fn of_panic(panicked: Panicked) -> Self {
        Self { panicked: Some(panicked), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            violations: Vec::new(),
            violation_count: 0,
            lost: LossSummary::default(),
            stuck: BTreeMap::new(),
            exercised: Vec::new(),
            measures: Measures::default(),
            digest: String::new(),
            checkpoints: Checkpoints::new(),
            facts: 0,
            steps: 0,
            simulated: Duration::ZERO,
            trace: None,
            panicked: None,
            inconclusive: None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Held => "held",
            Self::Inconclusive => "inconclusive",
            Self::Violated => "violated",
            Self::Panicked => "panicked",
        })
    }
}
