//! Which faults it took: each is left out, once with the run's own dice and many times with others.
//!
//! Until a fault strikes it makes no difference whether it will, so forks are made from just before it: with it, which the
//! curve has, and without it, from a run that never had it.

use std::collections::BTreeSet;

use scenarios::reroll::Came;

use super::Lab;
use super::account::Cost;
use super::curve::{Curve, Tally, since_begun};
use super::search::{FAULTS, before, sample};
use crate::interrupt;

/// What a fault had to do with it.
#[derive(Clone, Debug)]
pub(crate) struct Needed {
    /// Its place in the storm.
    pub(crate) place: usize,
    /// When it struck first, after the scenario began; it may never have.
    pub(crate) struck: Option<std::time::Duration>,
    /// What came of the run without it, with its own dice; nothing if it was not tried.
    pub(crate) own: Option<Came>,
    /// Forks from just before it, with it.
    pub(crate) with: Tally,
    /// Forks from just before it, without it.
    pub(crate) without: Tally,
}

/// Leaves out each fault of the storm.
pub(super) fn measure(lab: &Lab<'_>, curve: &mut Curve, cost: &mut Cost) -> Vec<Needed> {
    let shown = lab.failing.shown;
    let mut faults: Vec<Needed> = (lab.failing.struck().into_iter().enumerate())
        .map(|(place, struck)| Needed { place, struck, own: None, with: Tally::default(), without: Tally::default() })
        .collect();
    let struck = |fault: &Needed| fault.struck.is_some_and(|at| at <= shown);
    let tried: Vec<usize> = faults.iter().filter(|fault| struck(fault)).map(|fault| fault.place).collect();
    lab.make(
        cost,
        tried.len() as u64,
        |item| (tried[item as usize], lab.forks.without(tried[item as usize])),
        |place, came| {
            faults[place].own = Some(came);
        },
    );
    // Those first without which it did not happen.
    let mut chosen = tried;
    chosen.sort_by_key(|place| (matches!(faults[*place].own, Some(Came::Alike | Came::SameGuarantee)), *place));
    chosen.truncate(FAULTS);
    chosen.sort_unstable();
    let befores = chosen.iter().filter_map(|place| faults[*place].struck).map(before);
    let missing: BTreeSet<_> = befores.filter(|since| !curve.0.contains_key(since)).collect();
    sample(lab, curve, cost, missing.into_iter().collect());
    for &place in &chosen {
        if interrupt::requested() {
            cost.cut_short = true;
            break;
        }
        let Some(since) = faults[place].struck.map(before) else { continue };
        lab.forks.reach(&[since_begun(since)], Some(place));
        let mut without = Tally::default();
        lab.make(cost, lab.samples, |nth| ((), lab.forks.roll(since, Some(place), nth)), |(), came| without.add(came));
        faults[place].without = without;
        faults[place].with = curve.0.get(&since).copied().unwrap_or_default();
    }
    faults
}
