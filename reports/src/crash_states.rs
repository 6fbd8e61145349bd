//! Crash states: at each chosen sync boundary of a run every legal state of the disk, or as many as the bound allows.
//!
//! Enumerates on all cores and adds up; what is legal is for `sim::disk`, how it is judged for `scenarios::crash_points`.

use std::ops::ControlFlow;

use model::names::BrokerId;
use scenarios::Verdict;
use scenarios::crash_points::{Boundary, Candidate, Line, On, Trials, boundaries, choose};
use sim::dice::Dice;

use crate::campaign::Conducted;
use crate::cli::Refusal;
use crate::crash_points::{Order, Striking, begun};
use crate::exit::Exit;
use crate::findings::Ran;
use crate::interrupt;
use crate::pool::in_order;
use crate::progress::{self, Done, Goal};
use crate::struck::{CrashStates, StateTally};

/// Which boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Whose sync.
    pub(crate) broker: BrokerId,
    /// In which disk call.
    pub(crate) call: u64,
    /// Before or after it; both if nobody says.
    pub(crate) on: Option<On>,
}

/// What enumerating came to.
#[derive(Debug)]
pub(crate) struct Enumerated {
    /// As of any campaign: a run is a state that was judged. The run without a crash is one of them.
    pub(crate) conducted: Conducted,
    /// What is special about this one.
    pub(crate) states: CrashStates,
    /// What was struck.
    pub(crate) striking: Striking,
}

/// Enumerates what was ordered: `order.points` boundaries at most, or those of `chosen`; `bound` states of each at most.
///
/// # Errors
/// If the scenario shows nothing that could be struck, or makes no such sync.
pub(crate) fn enumerate_all(order: &Order, chosen: Option<Chosen>, bound: u32) -> Result<Enumerated, Refusal> {
    let line = order.line()?;
    let all = boundaries_of(&line, chosen)?;
    let mut tally = StateTally::of(&all);
    let mut conducted = begun(order, line.plan());
    if conducted.cut_short.is_none() {
        let choice = choose(all, order.points, Dice::new(order.seed));
        try_all(order, &Trials::of(&line), &choice.chosen, bound, &mut conducted, &mut tally);
        if interrupt::requested() {
            conducted.cut_short = Some("it was interrupted");
        }
    }
    let states = tally.states(order.scenario.name, order.seed, bound);
    Ok(Enumerated { conducted, states, striking: Striking { line, order: order.clone() } })
}

fn boundaries_of(line: &Line, chosen: Option<Chosen>) -> Result<Vec<Candidate>, Refusal> {
    let mut all = boundaries(line);
    let Some(Chosen { broker, call, on }) = chosen else { return Ok(all) };
    let own = |candidate: &&Candidate| candidate.point.broker == broker;
    let known: Vec<u64> = all.iter().filter(own).map(|candidate| candidate.point.first.call).collect();
    all.retain(|candidate| {
        let stop = candidate.point.first;
        (candidate.point.broker, stop.call) == (broker, call) && on.is_none_or(|on| on == stop.on)
    });
    if all.is_empty() {
        let nearest = known.into_iter().min_by_key(|known| known.abs_diff(call));
        let hint =
            nearest.map_or_else(|| format!("{broker} makes none"), |near| format!("the nearest is {broker}:{near}"));
        let text = format!("error: --at: disk call {call} of {broker} is no sync while the scenario lasts; {hint}");
        return Err(Refusal { exit: Exit::Usage, text });
    }
    Ok(all)
}

fn try_all(
    order: &Order,
    trials: &Trials<'_>,
    chosen: &[Candidate],
    bound: u32,
    conducted: &mut Conducted,
    tally: &mut StateTally,
) {
    let done = Done::default();
    let work = |nth: u64| {
        let boundary = trials.enumerate(&chosen[nth as usize], bound);
        let fails = |verdict| matches!(verdict, Verdict::Violated | Verdict::Panicked);
        let failed = boundary.distinct.iter().any(|tried| fails(tried.outcome.verdict()));
        done.add(boundary.distinct.iter().map(|tried| tried.outcome.simulated).sum(), failed);
        boundary
    };
    let count = chosen.len() as u64;
    progress::shown("enumerating", Goal::Points(count), &done, || {
        in_order(order.jobs, count, &|| !interrupt::requested(), work, |_, boundary: Boundary| {
            tally.add(&boundary);
            for tried in boundary.distinct {
                let ran = Ran::new(0, &tried.plan, tried.outcome);
                conducted.findings.add(&ran.at(tried.candidate.point.to_string()));
            }
            ControlFlow::Continue(())
        })
    });
}
