//! The smallest plan that still breaks the same promise.
//!
//! Strikes are left out, then weakened; then the cluster, the load and the run get smaller, and times and delays round.
//! Whatever is tried counts only if the same fingerprint breaks. Dice keyed by meaning make this work: without a fault,
//! every other choice of the run stays as it was. This room proposes candidates; it does not judge them.

mod fewest;
mod smaller;
mod steadier;
mod weaker;
mod whom;

use std::collections::BTreeSet;

pub use fewest::fewest;
pub(crate) use steadier::set;
pub(crate) use whom::targets;

use crate::run::{Plan, breaks};

/// How many runs may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(pub u32);

impl Default for Effort {
    fn default() -> Self {
        Self(80)
    }
}

/// How many steps a candidate may take if the whole run took so many: what is easier to say must not take much longer.
#[must_use]
pub fn allowed(steps: u64) -> u64 {
    steps.saturating_add(steps / 2)
}

/// What is left, and what it took.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// Runs that were spent.
    pub runs: u32,
}

/// Makes the plan smaller as long as the same `fingerprint` breaks. `go_on` is asked before each run; once it says no,
/// the smallest plan so far is handed back.
pub fn shrink(plan: &Plan, fingerprint: &str, effort: Effort, go_on: &mut dyn FnMut() -> bool) -> Shrunk {
    let most = if effort.0 > 0 { breaks(plan, fingerprint).map_or(u64::MAX, allowed) } else { u64::MAX };
    let mut runs = 0;
    let smallest = smallest(plan, &mut |candidates| {
        candidates.iter().position(|candidate| {
            if runs >= effort.0 || !go_on() {
                return false;
            }
            runs += 1;
            breaks(candidate, fingerprint).is_some_and(|steps| steps <= most)
        })
    });
    Shrunk { plan: smallest, runs }
}

/// Makes the plan smaller as long as `first` finds, among the candidates that it is asked about, one that still breaks
/// the same promise: it has to say which is the first, in their order. It may try several at once, and it ends the search
/// by finding none any more.
pub fn smallest(plan: &Plan, first: &mut dyn FnMut(&[Plan]) -> Option<usize>) -> Plan {
    let mut search = Search { smallest: plan.clone(), first, in_vain: BTreeSet::new() };
    loop {
        let before = search.smallest.clone();
        search.repeat(smaller::shorter);
        search.leave_out_strikes();
        smaller::WAYS.iter().for_each(|way| search.repeat(way));
        search.weaken_strikes();
        steadier::WAYS.iter().for_each(|way| search.repeat(way));
        if search.smallest == before {
            return before;
        }
    }
}

/// One search for a smaller plan.
struct Search<'a> {
    smallest: Plan,
    first: &'a mut dyn FnMut(&[Plan]) -> Option<usize>,
    /// What was tried already and broke something else, or nothing: nobody wants to wait for it twice.
    in_vain: BTreeSet<String>,
}

impl Search<'_> {
    /// Goes on with the first of these that breaks the same promise. `false` if there is none.
    fn accepts(&mut self, mut candidates: Vec<Plan>) -> bool {
        candidates.retain(|candidate| candidate.cluster.check().is_ok() && !self.in_vain.contains(&written(candidate)));
        let found = (self.first)(&candidates);
        let tried = found.unwrap_or(candidates.len());
        self.in_vain.extend(candidates[..tried].iter().map(written));
        if let Some(found) = found {
            self.smallest = candidates.swap_remove(found);
        }
        found.is_some()
    }

    /// Goes one way as far as it leads.
    fn repeat(&mut self, way: impl Fn(&Plan) -> Vec<Plan>) {
        while self.accepts(way(&self.smallest)) {}
    }

    fn leave_out_strikes(&mut self) {
        let strikes = self.smallest.storm.strikes.clone();
        fewest(&strikes, |lists| {
            let plan = self.smallest.clone();
            let candidates = lists.iter().map(|strikes| {
                let mut candidate = plan.clone();
                candidate.storm.strikes.clone_from(strikes);
                candidate
            });
            let accepted = self.accepts(candidates.collect());
            accepted.then(|| lists.iter().position(|strikes| *strikes == self.smallest.storm.strikes)).flatten()
        });
    }

    fn weaken_strikes(&mut self) {
        for nth in 0..self.smallest.storm.strikes.len() {
            self.repeat(|plan| {
                let weaker = weaker::weaker(&plan.storm.strikes[nth]);
                let candidates = weaker.into_iter().map(|strike| {
                    let mut candidate = plan.clone();
                    candidate.storm.strikes[nth] = strike;
                    candidate
                });
                candidates.collect()
            });
        }
    }
}

/// A plan as a key of a set.
fn written(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is plain data, which always serialises")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::names::BrokerId;
    use sim::cluster::Cluster;
    use sim::fault::{Fault, Strike, Target};

    use super::*;
    use crate::load::Load;
    use crate::storm::Storm;

    fn plan() -> Plan {
        let at = |millis, fault| Strike::at(Duration::from_millis(millis), fault);
        let strikes = vec![
            at(1_234, Fault::Pause(Target::Leader(0), Duration::from_millis(7_777))),
            at(5_678, Fault::PowerOff(BrokerId(2).into())),
            at(9_012, Fault::Start(BrokerId(2).into())),
            at(20_000, Fault::Heal),
        ];
        Plan {
            scenario: "drawn".to_owned(),
            cluster: Cluster::of(5).partitions(6).producers(2).min_isr(2),
            storm: Storm::of(strikes),
            load: Load::default(),
            seed: 3,
            length: Duration::from_secs(60),
        }
    }

    /// A search in which it is said, not run, what breaks the promise.
    fn left(breaks: impl Fn(&Plan) -> bool) -> Plan {
        smallest(&plan(), &mut |candidates| candidates.iter().position(&breaks))
    }

    #[test]
    fn what_breaks_without_any_cause_is_as_small_as_a_plan_can_be() {
        let left = left(|_| true);
        assert_eq!(left.storm.strikes, []);
        assert_eq!((left.cluster.brokers, left.cluster.partitions, left.cluster.producers), (1, 1, 1));
        assert_eq!((left.load.rate, left.length), (1, Duration::from_secs(1)));
    }

    #[test]
    fn a_power_cut_that_any_crash_could_replace_becomes_one_at_a_round_time() {
        let goes_down = |plan: &Plan| {
            plan.storm.strikes.iter().any(|strike| matches!(strike.fault, Fault::Crash(_) | Fault::PowerOff(_)))
        };
        let strikes = left(goes_down).storm.strikes;
        assert_eq!(strikes, [Strike::at(Duration::from_secs(5), Fault::Crash(BrokerId(2).into()))]);
    }

    #[test]
    fn a_broker_that_is_struck_by_its_name_stays() {
        let left = left(|plan| plan.storm.strikes.len() > 1);
        let named = left.storm.strikes.iter().flat_map(|strike| targets(&strike.fault));
        assert!(named.into_iter().all(|target| target != BrokerId(2).into()) || left.cluster.brokers >= 2);
    }

    #[test]
    fn nothing_changes_where_nothing_can() {
        assert_eq!(left(|_| false), plan());
    }

    #[test]
    fn nothing_is_tried_twice() {
        let mut asked = BTreeSet::new();
        smallest(&plan(), &mut |candidates| {
            candidates.iter().position(|candidate| {
                assert!(asked.insert(written(candidate)), "{candidate:?}");
                candidate.storm.strikes.len() > 1
            })
        });
    }
}
