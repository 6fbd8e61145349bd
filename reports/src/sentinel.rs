//! The same seed gave two digests: in which fact two runs of it differ first.
//!
//! Two fresh runs are made beside each other and compared fact by fact, so that no trace is kept. Something that leaks only
//! now and then may not do so again; then the digests that the run had written down on its way say at least where it was.

#[cfg(test)]
mod leaks;

use scenarios::Plan;
use scenarios::listener::Listener;
use scenarios::run::{Outcome, run_heard};
use sim::Checkpoints;

use crate::chart::grouped;
use crate::lockstep;
use crate::parting;

/// How often two runs are compared before it counts as something that happens only now and then.
const ATTEMPTS: u32 = 4;

/// Whatever runs a plan and has somebody hear every fact.
pub(crate) type Runner<'a> = &'a (dyn Fn(&Plan, Listener) -> Outcome + Sync);

/// The runner of every campaign.
pub(crate) const RUN: Runner<'static> = &run_heard;

/// What is known of a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// In one line.
    pub(crate) line: String,
    /// With what both runs say around it; nothing if it did not show again.
    pub(crate) context: Option<String>,
}

/// Runs a plan again, twice at a time, until two runs differ. `odd` are the checkpoints of a run that did.
pub(crate) fn first_difference(plan: &Plan, odd: &Checkpoints, run: Runner<'_>) -> Found {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let told = |mouth: &std::sync::Arc<lockstep::Mouth>| {
            let mouth = mouth.clone();
            run(plan, Listener::new(move |fact| mouth.say(fact)))
        };
        let (parting, one, _) = lockstep::compare(told, told);
        if let Some(parting) = parting {
            let context = Some(parting::text(&parting, ("the one", "the other")));
            return Found { line: parting::line(&parting), context };
        }
        last = Some(one);
    }
    let Some(usual) = last else { return Found { line: String::new(), context: None } };
    let where_it_was = match usual.checkpoints.parting(odd) {
        Some(parting) => {
            let (agreed, differed) = (grouped(parting.agreed), grouped(parting.differed));
            format!("the run that differed parts from them between facts {agreed} and {differed}")
        }
        None => "the run that differed parts from them after its last checkpoint, or not at all".to_owned(),
    };
    let facts = grouped(usual.facts);
    let line = format!(
        "{} more runs agree in all {facts} facts, so it differs only now and then: {where_it_was}",
        2 * ATTEMPTS
    );
    Found { line, context: None }
}
