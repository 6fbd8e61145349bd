//! From which instants the dice are rolled again: first from all over the run, then from where the chance jumps.
//!
//! Which instants follows from the run and from what came of forks, never from a clock.

use std::collections::BTreeSet;
use std::time::Duration;

use scenarios::reroll::{Came, Failing, Since};
use scenarios::story;

use super::account::Cost;
use super::curve::{Curve, Jump, Tally, since_begun};
use super::{Lab, STEPS};
use crate::interrupt;

/// Instants that are spread evenly in the beginning.
const EVENLY: u32 = 8;
/// Faults before which the dice are rolled again, at most.
pub(super) const FAULTS: usize = 12;
/// A stretch of so few facts is short enough: they are read faster than it is made shorter.
const SHORT: usize = 16;
/// Jumps that are made shorter at once, so that all cores are busy.
const AT_ONCE: usize = 2;

/// Just before a fault strikes.
pub(super) fn before(struck: Duration) -> Since {
    Since::Begun(struck.saturating_sub(Duration::from_nanos(1)))
}

/// Forks from before the boot, from instants that are spread evenly up to the failure, and from before each fault.
pub(super) fn grid(lab: &Lab<'_>, cost: &mut Cost) -> Curve {
    let shown = lab.failing.shown;
    let mut instants: BTreeSet<Since> = (0..EVENLY).map(|nth| Since::Begun(shown * nth / EVENLY)).collect();
    instants.insert(before(shown));
    let struck: Vec<Duration> = lab.failing.struck().into_iter().flatten().filter(|at| *at <= shown).collect();
    let every = struck.len().div_ceil(FAULTS).max(1);
    instants.extend(struck.into_iter().step_by(every).map(before));
    instants.insert(Since::Boot);
    let mut curve = Curve::default();
    curve.0.insert(Since::Begun(shown), Tally { happened: true, ..Tally::default() });
    sample(lab, &mut curve, cost, instants.into_iter().collect());
    curve
}

/// Forks from within the jumps, until each is as short as can be, or enough forks have been made.
pub(super) fn narrow(lab: &Lab<'_>, curve: &mut Curve, cost: &mut Cost, most: u64) {
    let turns = story::turns(&lab.failing.trace, lab.failing.violation());
    while !interrupt::requested() && cost.steps < STEPS && cost.forks + lab.samples <= most {
        let middles = curve.jumps().into_iter().filter_map(|jump| middle(lab.failing, &turns, curve, &jump));
        let mut middles: Vec<(usize, Since)> = middles.collect();
        // The longest first.
        middles.sort_by_key(|(facts, since)| (std::cmp::Reverse(*facts), *since));
        middles.truncate(AT_ONCE);
        if middles.is_empty() {
            return;
        }
        sample(lab, curve, cost, middles.into_iter().map(|(_, since)| since).collect());
    }
}

/// Forks from these instants, as many as are made from one.
pub(super) fn sample(lab: &Lab<'_>, curve: &mut Curve, cost: &mut Cost, instants: Vec<Since>) {
    if interrupt::requested() {
        cost.cut_short = true;
        return;
    }
    // In order, so that the run goes past each of them once.
    let moments: Vec<Duration> =
        instants.iter().filter(|since| **since != Since::Boot).map(|at| since_begun(*at)).collect();
    lab.forks.reach(&moments, None);
    // One from each and then the next: if somebody interrupts, something is known of all of them.
    let round = instants.len() as u64;
    let fork = |item: u64| {
        let since = instants[(item % round) as usize];
        (since, lab.forks.roll(since, None, item / round))
    };
    lab.make(cost, round * lab.samples, fork, |since: Since, came: Came| {
        curve.0.entry(since).or_default().add(came);
    });
}

/// An instant in the middle of a jump, and how many facts there are around it; nothing if it is short enough.
fn middle(failing: &Failing, turns: &[u64], curve: &Curve, jump: &Jump) -> Option<(usize, Since)> {
    // The largest gap between instants that were tried.
    let tried = curve.within(jump);
    let gaps = tried.windows(2).map(|pair| (facts_between(failing, pair[0], pair[1]), pair[0], pair[1]));
    let ((first, last), from, upto) = gaps.max_by_key(|((first, last), ..)| last - first)?;
    if last - first <= SHORT || from == Since::Boot {
        return None;
    }
    let between = |since: &Since| *since > from && *since < upto;
    let turning = turns.partition_point(|turn| *turn < first as u64)..turns.partition_point(|turn| *turn < last as u64);
    let turn = turns[turning.clone()].get(turning.len() / 2).map(|turn| *turn as usize);
    // Just before a turn; and where there are none, in the midst of the facts.
    let at = |place: usize| before(failing.trace[place].at.since(failing.begun));
    let candidates = [turn, Some(first + (last - first) / 2), Some(last - 1)].into_iter().flatten().map(at);
    candidates.into_iter().find(between).map(|since| (last - first, since))
}

/// Places in the trace: of the first fact after one instant, and of the first after another.
pub(super) fn facts_between(failing: &Failing, from: Since, upto: Since) -> (usize, usize) {
    let after = |since: Since| match since {
        Since::Boot => 0,
        Since::Begun(at) => failing.trace.partition_point(|fact| fact.at <= failing.begun + at),
    };
    (after(from), after(upto))
}
