//! Which pictures a report has, and what they are made of.
//!
//! Turns findings into the numbers that a chart takes; draws nothing itself.

use std::collections::BTreeMap;

use model::config::Acks;
use scenarios::crash_points::How;
use scenarios::measure::Histogram;
use scenarios::run::run_traced;

use crate::bars::{self, Bar, Pair};
use crate::campaign::Order;
use crate::chart::{self, Cell, Curve, Edge, grouped};
use crate::failovers;
use crate::findings::Findings;
use crate::heatmap::heatmap;
use crate::matrix::MatrixRow;
use crate::report::Figure;
use crate::struck::{self, CrashPoints, CrashStates, Outcomes, StateRow};
use crate::telling;

/// Curves that can be told apart in one picture; the last one is for all others together.
const CURVES: usize = 6;

/// All pictures of a campaign of crash points.
pub(crate) fn of_crash_points(points: &CrashPoints) -> Vec<Figure> {
    let mut calls: Vec<&str> = points.kinds.iter().map(|row| row.call.as_str()).collect();
    calls.sort_unstable();
    calls.dedup();
    let bar = |call: &str, how: How, name: &'static str| {
        let mut outcomes = Outcomes::default();
        let mut of = 0;
        for row in struck::of_how(&points.kinds, how).filter(|row| row.call == call) {
            outcomes.add(&row.outcomes);
            of += row.share.of;
        }
        Bar { name, parts: outcomes.in_order(), of }
    };
    let pair = |call: &str| Pair {
        name: call.to_owned(),
        bars: vec![bar(call, How::Kill, "kill"), bar(call, How::Power, "power")],
    };
    let pairs: Vec<Pair> = calls.into_iter().map(pair).collect();
    let (once, again) = (points.once, points.again);
    let facts = format!(
        "{} of {} points of {} disk calls, and {} of {} in {} recoveries after them",
        grouped(once.tried),
        grouped(once.of),
        grouped(points.disk_calls),
        grouped(again.tried),
        grouped(again.of),
        grouped(points.recoveries)
    );
    vec![Figure {
        file: "figures/crash-points.svg".to_owned(),
        caption: format!(
            "Crash points of the scenario {}, seed {}, by the disk call in which a broker was stopped. A bar is as long as \
             many of them were tried; behind it is how many there are. What failed is drawn wide enough to be seen.",
            points.scenario, points.seed
        ),
        svg: bars::bars(&format!("Crash points of {}", points.scenario), &facts, &pairs),
    }]
}

/// All pictures of a campaign of crash states.
pub(crate) fn of_crash_states(states: &CrashStates) -> Vec<Figure> {
    let mut kinds: Vec<(&str, &str)> = states.kinds.iter().map(|row| (&*row.call, &*row.path)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let bar = |kind: (&str, &str), side: &'static str| {
        let mut outcomes = Outcomes::default();
        let mut of = 0;
        let is = |row: &&StateRow| (&*row.call, &*row.path, &*row.side) == (kind.0, kind.1, side);
        for row in states.kinds.iter().filter(is) {
            outcomes.add(&row.outcomes);
            of += row.states.tried;
        }
        Bar { name: side, parts: outcomes.in_order(), of }
    };
    let name =
        |(call, path): (&str, &str)| if path == "directory" { call.to_owned() } else { format!("{call} {path}") };
    let pair = |kind| Pair { name: name(kind), bars: vec![bar(kind, "before"), bar(kind, "after")] };
    let pairs: Vec<Pair> = kinds.into_iter().map(pair).collect();
    let facts = format!(
        "{} of {} boundaries of syncs, all legal states at {} of them; {} states tried, {} distinct after recovery",
        grouped(states.boundaries.tried),
        grouped(states.boundaries.of),
        grouped(states.exhaustive),
        grouped(states.states.tried),
        grouped(states.distinct)
    );
    vec![Figure {
        file: "figures/crash-states.svg".to_owned(),
        caption: format!(
            "Legal states of a disk after a power cut just before and just after each sync of the scenario {}, seed {}. A \
             bar is as long as many states were different after recovery and judged, of so many tried.",
            states.scenario, states.seed
        ),
        svg: bars::bars(&format!("Crash states of {}", states.scenario), &facts, &pairs),
    }]
}

/// All pictures of a campaign.
pub(crate) fn figures(order: &Order, findings: &Findings) -> Vec<Figure> {
    let mut figures = vec![commit_latency(findings), cliff(findings), unavailability(findings)];
    figures.extend(timeline(order));
    let failovers = failovers::samples(findings);
    if !failovers.is_empty() {
        figures.push(failover(&failovers));
    }
    let matrix = findings.matrix.rows();
    if !matrix.is_empty() {
        figures.insert(0, durability_table(&matrix));
    }
    figures
}

fn commit_latency(findings: &Findings) -> Figure {
    let latency = &findings.total.measures.commit_latency;
    let name = |acks: Acks| match acks {
        Acks::None => "acks=0",
        Acks::Leader => "acks=1",
        Acks::All => "acks=all",
    };
    // The strongest promise first, as it is the one that most read.
    let curves: Vec<_> = latency.iter().rev().map(|(acks, samples)| curve(name(*acks).to_owned(), samples)).collect();
    Figure {
        file: "figures/commit-latency.svg".to_owned(),
        caption: "How long a record took from send to the completion of its future, by acks, over all runs: faults, \
                  retries and waiting for an in-sync set included. With acks=0 nobody is waited for: a future completes \
                  as soon as the batch is sent."
            .to_owned(),
        svg: chart::distribution("Commit latency by acks", "from send to acknowledgement, simulated time", &curves),
    }
}

fn cliff(findings: &Findings) -> Figure {
    let mut edges: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
    for (&(replicas, destroyed), &(runs, lossy)) in &findings.cliff {
        edges.entry(replicas).or_default().push(Cell { destroyed, runs, lossy });
    }
    let edges: Vec<_> = edges.into_iter().map(|(replicas, cells)| Edge { replicas, cells }).collect();
    Figure {
        file: "figures/cliff.svg".to_owned(),
        caption: "The share of runs of the scenario cliff that lost a committed record, against how many brokers were \
                  destroyed for good, from a full in-sync set; a line for each replication factor, drawn a little apart. \
                  Up to N-1 nothing may be lost; at N the loss is certain, and promised away by nobody."
            .to_owned(),
        svg: chart::cliff("The N-1 cliff: loss against brokers destroyed", &edges),
    }
}

fn failover(samples: &[(&str, &Histogram)]) -> Figure {
    let curves: Vec<_> = samples.iter().map(|(of, samples)| curve((*of).to_owned(), samples)).collect();
    Figure {
        file: "figures/failover.svg".to_owned(),
        caption: "How long it took from the end of a process until another one had taken over, in the scenario failover: one \
                  process is killed at a time, timeouts are Kafka's own. A session lasts 9 s; followers of the active \
                  controller miss it after 2 s and elect another one within a few more."
            .to_owned(),
        svg: chart::distribution("Failover", "until another one has taken over, simulated time", &curves),
    }
}

fn durability_table(rows: &[MatrixRow]) -> Figure {
    Figure {
        file: "figures/matrix.svg".to_owned(),
        caption: "The durability table: for acks, replication factor, min.insync.replicas, kind of election and fault, how \
                  many runs lost a record that a producer knew to be acknowledged. Each cell is struck in the worst way that \
                  its settings allow: mostly when the in-sync set is as small as they let it become."
            .to_owned(),
        svg: heatmap(rows),
    }
}

fn unavailability(findings: &Findings) -> Figure {
    let mut samples: Vec<(&str, &Histogram)> = findings
        .scenarios
        .iter()
        .map(|(scenario, sum)| (scenario.name, &sum.measures.unavailability))
        .filter(|(_, histogram)| histogram.count() > 0)
        .collect();
    // Those with the most samples have curves of their own; among equals the order of the catalogue decides.
    samples.sort_by_key(|(_, histogram)| std::cmp::Reverse(histogram.count()));
    let own = if samples.len() > CURVES { CURVES - 1 } else { samples.len() };
    let mut curves: Vec<_> = samples[..own].iter().map(|(name, samples)| curve((*name).to_owned(), samples)).collect();
    if own < samples.len() {
        let mut others = Histogram::default();
        samples[own..].iter().for_each(|(_, histogram)| others.add(histogram));
        curves.push(curve(format!("{} others", samples.len() - own), &others));
    }
    Figure {
        file: "figures/unavailability.svg".to_owned(),
        caption:
            "How long a partition had no leader after the process of its leader ended, by scenario. After a crash \
                  the session must time out first; an orderly shutdown hands its leaderships over before it ends."
                .to_owned(),
        svg: chart::distribution(
            "Unavailability after the end of a leader",
            "until the next leader leads, simulated time",
            &curves,
        ),
    }
}

fn curve(name: String, samples: &Histogram) -> Curve {
    Curve { name, samples: samples.count(), steps: samples.steps().collect() }
}

/// The first run of all, drawn: what a run looks like, whether anything broke or not.
fn timeline(order: &Order) -> Option<Figure> {
    let (scenario, seed) = order.nth(0);
    let plan = order.plan(scenario, seed).ok()?;
    let svg = telling::timeline(&plan, &run_traced(&plan));
    (!svg.is_empty()).then(|| Figure {
        file: "figures/timeline.svg".to_owned(),
        caption: format!(
            "One run: the scenario {}, seed {seed}. For each broker the ribbon says when it was in the in-sync set and \
             when it led, in which epoch; below, how far its log and its high watermark came. Numbers are the faults.",
            plan.scenario
        ),
        svg,
    })
}
