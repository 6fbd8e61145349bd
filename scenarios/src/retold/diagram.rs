//! A kept failure as a sequence diagram of Mermaid: who takes part, what befell them, and which messages led to what.
//!
//! The facts are those of the story, and before some of them the message that caused it.

use std::collections::BTreeSet;
use std::time::Duration;

use model::event::Event;
use model::names::Node;
use sim::fact::{Api, Chapter, Fact, What};
use sim::fault::{Fault, Target};

use crate::failure::Failure;
use crate::run::Outcome;
use crate::shrink::targets;
use crate::story::told;

/// Facts of the story that are shown at most.
const FACTS: usize = 18;
/// A message caused what happened so soon after it.
const SOON: Duration = Duration::from_millis(30);

/// The diagram of a failure and its traced run: at most about 40 lines.
#[must_use]
pub fn diagram(failure: &Failure, outcome: &Outcome) -> String {
    let trace = outcome.trace.as_deref().unwrap_or_default();
    let facts: Vec<&Fact> =
        outcome.violations.first().map(|violation| told(trace, violation, FACTS)).unwrap_or_default();
    let steps: Vec<Step> = facts.iter().flat_map(|fact| steps(trace, fact)).collect();
    let mut nodes: BTreeSet<Node> = steps.iter().flat_map(Step::nodes).collect();
    let named = failure.plan.storm.strikes.iter().flat_map(|strike| targets(&strike.fault));
    nodes.extend(named.filter_map(|target| match target {
        Target::Node(node) => Some(node),
        _ => None,
    }));
    if nodes.is_empty() {
        nodes.extend(failure.plan.cluster.broker_ids().map(Node::from));
    }
    let mut lines = vec!["sequenceDiagram".to_owned()];
    lines.extend(nodes.iter().map(|node| format!("    participant {node}")));
    let ends: Vec<String> = [nodes.first(), nodes.last()].into_iter().flatten().map(Node::to_string).collect();
    let all = ends.join(",");
    lines.push(format!("    Note over {all}: {}", plain(&failure.promised)));
    if steps.is_empty() {
        let strikes = failure.plan.storm.strikes.iter();
        lines.extend(strikes.map(|strike| format!("    Note over {all}: {}", plain(&strike.to_string()))));
    }
    lines.extend(steps.iter().map(|step| step.line(&all)));
    lines.push(format!(
        "    Note over {all}: VIOLATED {}: {}",
        failure.guarantee,
        plain(first_line(&failure.sentence))
    ));
    lines.join("\n")
}

/// One line of the diagram.
enum Step {
    Message(Node, Node, String),
    Note(Option<Node>, String),
}

impl Step {
    fn nodes(&self) -> Vec<Node> {
        match self {
            Self::Message(from, to, _) => vec![*from, *to],
            Self::Note(node, _) => node.iter().copied().collect(),
        }
    }

    fn line(&self, all: &str) -> String {
        match self {
            Self::Message(from, to, what) => format!("    {from}->>{to}: {what}"),
            Self::Note(Some(node), what) => format!("    Note over {node}: {}", plain(what)),
            Self::Note(None, what) => format!("    Note over {all}: {}", plain(what)),
        }
    }
}

/// What a fact adds: a note, and before it the message that led to it.
fn steps(trace: &[Fact], fact: &Fact) -> Vec<Step> {
    let said = sim::story::line(fact);
    // The time and what happened: whose it is, the diagram says by itself.
    let mut words = said.trim_start().splitn(2, ' ');
    let at = words.next().unwrap_or_default();
    let what = words.next().unwrap_or_default().trim_start();
    let what = what.split_once(' ').map_or(what, |(_, what)| what.trim_start());
    let node = match &fact.what {
        What::Struck(_) => struck(fact),
        What::Chapter(Chapter::Begun | Chapter::Healed | Chapter::LoadEnded | Chapter::ReadBack | Chapter::Ended) => {
            None
        }
        _ => fact.node,
    };
    let mark = if matches!(fact.what, What::Struck(_)) { "⚡ " } else { "" };
    let note = Step::Note(node, format!("{at} {mark}{what}"));
    cause(trace, fact).into_iter().chain([note]).collect()
}

/// Whom a fault befell, if it was one node.
fn struck(fact: &Fact) -> Option<Node> {
    match &fact.what {
        What::Struck(Fault::Heal | Fault::PowerOffAll) => None,
        _ => fact.node,
    }
}

/// The message that led to a fact: the last one of its kind that its node was handed just before.
fn cause(trace: &[Fact], fact: &Fact) -> Option<Step> {
    let node = fact.node?;
    let wanted: &[Api] = match fact.event()? {
        Event::AppendedAsLeader { .. } => &[Api::ProduceRequest],
        Event::AppendedAsFollower { .. } | Event::Truncated { .. } => {
            &[Api::FetchResponse, Api::OffsetsForLeaderEpochResponse]
        }
        Event::Acked { .. } => &[Api::ProduceResponse],
        Event::Led { .. } | Event::Followed { .. } => &[Api::FetchMetadataResponse, Api::LeaderAndIsrRequest],
        Event::Committed { .. } => &[Api::AlterPartitionRequest, Api::BrokerHeartbeatRequest],
        Event::HighWatermark { .. } => &[Api::FetchRequest, Api::FetchResponse],
        Event::Polled { .. } => &[Api::FetchResponse],
        _ => return None,
    };
    let before = trace.get(..usize::try_from(fact.number).ok()?)?.iter().rev();
    let mut soon = before.take_while(|earlier| fact.at.since(earlier.at) <= SOON);
    soon.find_map(|earlier| match &earlier.what {
        What::Delivered { from, api, .. } if earlier.node == Some(node) && wanted.contains(api) => {
            Some(Step::Message(*from, node, format!("{api:?}")))
        }
        _ => None,
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Without what means something to Mermaid.
fn plain(text: &str) -> String {
    text.replace(';', ",").replace('#', "no. ")
}
