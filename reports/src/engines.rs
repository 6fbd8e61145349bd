//! Two schedulers asked the same: the museum's stories and the storms of scenarios, on our own event loop and on madsim's nodes.
//!
//! A bug that only one of them finds is a finding about the other's world. Runs and counts; what each scheduler can do is not known here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;

use scenarios::catalogue::Scenario;
use scenarios::known_bugs::KnownBug;
use scenarios::second::{self, Comparison, Opinion};
use scenarios::{Verdict, run};

use crate::exit::Exit;
use crate::interrupt;
use crate::pool::in_order;

/// What is to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// The stories of which bugs.
    pub(crate) bugs: Vec<&'static KnownBug>,
    /// The storms of which scenarios.
    pub(crate) scenarios: Vec<&'static Scenario>,
    /// With how many seeds each, from 0.
    pub(crate) seeds: u64,
    /// How many comparisons at once.
    pub(crate) jobs: usize,
}

/// Two verdicts on the same plan.
struct Pair {
    own: Verdict,
    nodes: Verdict,
    unsupported: BTreeMap<String, u64>,
}

/// Compares, says what came of it, and how the program is to end: well, if the schedulers agree about everything that both can do.
pub(crate) fn engines(order: &Order) -> Exit {
    interrupt::listen();
    let museum = museum(order);
    let storms = storms(order);
    if interrupt::requested() {
        return Exit::Inconclusive;
    }
    if museum && storms { Exit::Held } else { Exit::Inconclusive }
}

/// The stories; whether every bug was found by both, or by neither, or not by madsim's for want of a means or for a reason that is known.
fn museum(order: &Order) -> bool {
    if order.bugs.is_empty() {
        return true;
    }
    println!("{:4} {:28} {:>9} {:>9}", "bug", "breaks", "own", "madsim");
    let mut split: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut agree = true;
    let go_on = || !interrupt::requested();
    let work = |nth: u64| second::compare(order.bugs[nth as usize], order.seeds);
    in_order(order.jobs, order.bugs.len() as u64, &go_on, work, |nth, compared| {
        let bug = order.bugs[nth as usize];
        let found = found_by(&compared);
        let explained = second::explained(bug).filter(|_| found == OWN);
        agree &= matches!(found, BOTH | NEITHER | NO_MEANS) || explained.is_some();
        split.entry(found).or_default().push(bug.id);
        let why = explained.map_or_else(String::new, |why| format!("  {why}"));
        println!("{}{why}", line(bug, &compared));
        ControlFlow::Continue(())
    });
    for (by, ids) in split {
        println!("{by}: {} ({})", ids.len(), ids.join(" "));
    }
    agree
}

const BOTH: &str = "found by both";
const NEITHER: &str = "found by neither";
const OWN: &str = "found by our own alone";
const NODES: &str = "found by madsim's alone";
const NO_MEANS: &str = "found by our own alone, with faults that madsim has no means for";

fn found_by(compared: &Comparison) -> &'static str {
    match (compared.own > 0, compared.nodes > 0) {
        (true, true) => BOTH,
        (false, false) => NEITHER,
        (false, true) => NODES,
        (true, false) if compared.unsupported.is_empty() => OWN,
        (true, false) => NO_MEANS,
    }
}

fn line(bug: &KnownBug, compared: &Comparison) -> String {
    let Comparison { seeds, own, nodes, nodes_otherwise, unsupported } = compared;
    let of = |found: &u64| format!("{found}/{seeds}");
    let mut line = format!("{:4} {:28} {:>9} {:>9}", bug.id, bug.breaks.name(), of(own), of(nodes));
    if *nodes_otherwise > 0 {
        let _ = write!(line, "  {nodes_otherwise} ended otherwise");
    }
    line + &left_out(unsupported)
}

/// The storms; whether both schedulers said the same of each scenario: that it always holds, or that it does not.
fn storms(order: &Order) -> bool {
    let mut agree = true;
    for scenario in &order.scenarios {
        let mut pairs = Vec::new();
        let work = |seed: u64| pair(scenario, seed);
        in_order(order.jobs, order.seeds, &|| !interrupt::requested(), work, |_, pair| {
            pairs.push(pair);
            ControlFlow::Continue(())
        });
        let own = pairs.iter().filter(|pair| pair.own != Verdict::Held).count();
        let nodes = pairs.iter().filter(|pair| pair.nodes != Verdict::Held).count();
        agree &= (own > 0) == (nodes > 0);
        let mut unsupported = BTreeMap::new();
        for (kind, count) in pairs.iter().flat_map(|pair| &pair.unsupported) {
            *unsupported.entry(kind.clone()).or_default() += count;
        }
        let (name, runs) = (scenario.name, pairs.len());
        println!("{name:18} not held: {own}/{runs} own, {nodes}/{runs} madsim{}", left_out(&unsupported));
    }
    agree
}

fn pair(scenario: &Scenario, seed: u64) -> Pair {
    let plan = scenario.plan(seed);
    let Opinion { outcome, unsupported } = second::run(&plan);
    Pair { own: run(&plan).verdict(), nodes: outcome.verdict(), unsupported }
}

/// What did not strike on madsim's nodes, in words; nothing if all did.
pub(crate) fn left_out(unsupported: &BTreeMap<String, u64>) -> String {
    if unsupported.is_empty() {
        return String::new();
    }
    let kinds: Vec<String> = unsupported.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("  left out on madsim: {}", kinds.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_madsim_could_not_do_is_told_from_what_it_did_not_find() {
        let compared = |own, nodes| Comparison { seeds: 9, own, nodes, ..Comparison::default() };
        assert_eq!(found_by(&compared(3, 1)), BOTH);
        assert_eq!(found_by(&compared(0, 0)), NEITHER);
        assert_eq!(found_by(&compared(0, 2)), NODES);
        assert_eq!(found_by(&compared(2, 0)), OWN);
        let unsupported = BTreeMap::from([("Lag".to_owned(), 4)]);
        assert_eq!(left_out(&unsupported), "  left out on madsim: 4 Lag");
        assert_eq!(found_by(&Comparison { unsupported, ..compared(2, 0) }), NO_MEANS);
    }
}
