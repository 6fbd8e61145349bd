//! The second opinion: plans and stories on madsim's nodes, judged as on our own scheduler.
//!
//! The course of a run is the same: boot, load and storm or a story, heal, a bounded time for progress, everything is read
//! back, verdicts. What is left out is said: faults that madsim has no means for. This room judges nothing itself.

use std::collections::BTreeMap;
use std::time::Duration;

use model::names::EndOffset;
use serde::Serialize;
use sim::cluster::Cluster;
use sim::dice::Dice;
use sim::fact::Chapter;
use sim::{Hands, Nodes, on_nodes};

use crate::audit::audit_broker;
use crate::known_bugs::KnownBug;
use crate::run::{Outcome, Plan, Witness};
use crate::scripted;

/// What came of a run on the second scheduler.
#[derive(Clone, Debug)]
pub struct Opinion {
    /// What the judge said.
    pub outcome: Outcome,
    /// The kinds of faults that were to strike and did not, since madsim has no means for them, and how often.
    pub unsupported: BTreeMap<String, u64>,
}

/// How often a story met a known bug on either scheduler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many seeds each scheduler was given.
    pub seeds: u64,
    /// On how many of them our own found what the bug breaks.
    pub own: u64,
    /// On how many of them madsim's did.
    pub nodes: u64,
    /// On how many of them madsim's ended otherwise, but not well: another promise first, a panic, no boot.
    pub nodes_otherwise: u64,
    /// Kinds of faults of the story that madsim has no means for.
    pub unsupported: BTreeMap<String, u64>,
}

/// Why the stories of some known bugs do not meet them on madsim's nodes though it has a means for all their faults.
const EXPLAINED: &[(&str, &str)] = &[
    ("B07", DELIVERED),
    ("P05", DELIVERED),
    (
        "B38",
        "whether a broker that lost its disk is fenced before it registers again is a race of fixed periods, and slow messages lose it",
    ),
];

const DELIVERED: &str = "madsim delivers what is under way when a link is cut, and the story needs it to be lost";

/// Why the story of this bug does not meet it on madsim's nodes, if that is understood.
#[must_use]
pub fn explained(bug: &KnownBug) -> Option<&'static str> {
    EXPLAINED.iter().find(|(id, _)| *id == bug.id).map(|(_, why)| *why)
}

/// How much longer than on our own scheduler a healed cluster may take to come to rest: what was sent over a link that was cut waits up to
/// so long after it was mended.
const BACKOFF: Duration = Duration::from_secs(10);
/// How much longer than the judge allows, as on our own scheduler.
const GRACE: Duration = Duration::from_secs(5);
/// How long a script waits for anything, in simulated time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long fresh consumers may take to read everything back.
const READING: Duration = Duration::from_secs(60);

/// Runs a plan on madsim's nodes.
#[must_use]
pub fn run(plan: &Plan) -> Opinion {
    opinion(&plan.cluster, plan.seed, |nodes| {
        nodes.arm(plan.storm.strikes.clone());
        let mut carried = plan.load.begin(nodes, Dice::new(plan.seed));
        carried.go_on_with(nodes, plan.length, plan.length);
        nodes.chapter(Chapter::LoadEnded);
    })
}

/// Tells a story to a cluster on madsim's nodes.
#[must_use]
pub fn tell(cluster: &Cluster, seed: u64, story: &(impl Fn(&mut dyn Hands) + Sync)) -> Opinion {
    opinion(cluster, seed, |nodes| {
        nodes.set_patience(PATIENCE);
        story(nodes);
    })
}

/// Tells the story of a known bug so many times on both schedulers.
#[must_use]
pub fn compare(bug: &KnownBug, seeds: u64) -> Comparison {
    let mut comparison = Comparison { seeds, ..Comparison::default() };
    let cluster = bug.cluster();
    for seed in 0..seeds {
        let own = scripted::tell(&cluster, seed, &|world: &mut crate::World| (bug.story)(world));
        comparison.own += u64::from(bug.breaks.shown_by(&own));
        let Opinion { outcome, unsupported } = tell_bug(bug, &cluster, seed);
        let shown = bug.breaks.shown_by(&outcome);
        comparison.nodes += u64::from(shown);
        let unwell = outcome.panicked.is_some() || outcome.inconclusive.is_some() || !outcome.violations.is_empty();
        comparison.nodes_otherwise += u64::from(!shown && unwell);
        for (kind, count) in unsupported {
            *comparison.unsupported.entry(kind).or_default() += count;
        }
    }
    comparison
}

/// Tells the story of a known bug to this cluster on madsim's nodes: with the bug, or [without](KnownBug::mended).
#[must_use]
pub fn tell_bug(bug: &KnownBug, cluster: &Cluster, seed: u64) -> Opinion {
    opinion(cluster, seed, |nodes| {
        nodes.set_patience(PATIENCE);
        (bug.story)(nodes);
    })
}

fn opinion(cluster: &Cluster, seed: u64, happens: impl FnOnce(&mut Nodes<Witness>) + Send) -> Opinion {
    let opinion = on_nodes(cluster, seed, Witness::new(cluster), |nodes| {
        nodes.keep_trace(true);
        let booted = nodes.boot();
        if booted.is_ok() {
            happens(nodes);
            conclude(nodes);
        }
        let outcome = Outcome::of_nodes(nodes, booted.err().map(|error| error.to_string()));
        Opinion { outcome, unsupported: nodes.unsupported().clone() }
    });
    opinion.unwrap_or_else(|panicked| Opinion { outcome: Outcome::of_panic(panicked), unsupported: BTreeMap::new() })
}

/// Heals the cluster and sees the run to its end.
fn conclude(nodes: &mut Nodes<Witness>) {
    let patience = nodes.observer().judge.settles_within() + GRACE + BACKOFF;
    nodes.set_patience(patience);
    nodes.heal();
    nodes.settle();
    nodes.read_back();
    nodes.set_patience(READING);
    nodes.until_in_world(has_read_everything);
    audit_all(nodes);
    nodes.chapter(Chapter::Ended);
}

/// Reads the disks of all running brokers and hands the judge what is wrong.
fn audit_all(nodes: &mut Nodes<Witness>) {
    for broker in nodes.cluster().broker_ids() {
        if nodes.is_up(broker)
            && let Some(findings) = nodes.look(broker, audit_broker)
        {
            nodes.observer_mut().judge.audited(broker, findings);
        }
    }
}

/// Whether the readers have come to the high watermark of every partition that is led.
fn has_read_everything(nodes: &Nodes<Witness>) -> bool {
    let cast = nodes.cast();
    cast.partitions().iter().all(|partition| {
        let end = cast.leader(*partition).and_then(|leader| cast.stand(*partition, leader));
        let end = end.map_or(EndOffset::ZERO, |stand| stand.high_watermark);
        nodes.observer().has_read(*partition) >= end
    })
}
