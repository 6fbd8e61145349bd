//! The smallest plan that still breaks the same promise.
//!
//! Deletion only: halves, quarters, at last single faults are left out as long as the same fingerprint still breaks.
//! Dice keyed by meaning make this work: without a fault, every other choice of the run stays as it was. This room does
//! not judge: it runs plans and compares fingerprints.

use std::time::Duration;

use crate::run::{Outcome, Plan, run};

/// How many runs may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(pub u32);

impl Default for Effort {
    fn default() -> Self {
        Self(80)
    }
}

/// What is left, and what it took.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smallest plan that was found.
    pub plan: Plan,
    /// What came of it; `None` if nothing could be left out.
    pub outcome: Option<Outcome>,
    /// Runs that were spent.
    pub runs: u32,
}

/// Makes the plan smaller as long as the same `fingerprint` breaks. `go_on` is asked before each run; once it says no,
/// the smallest plan so far is handed back.
pub fn shrink(plan: &Plan, fingerprint: &str, effort: Effort, go_on: &mut dyn FnMut() -> bool) -> Shrunk {
    let mut search = Search { fingerprint, effort, go_on, smallest: plan.clone(), outcome: None, runs: 0 };
    let _ = fewest(&plan.storm.strikes, |strikes| {
        let mut candidate = search.smallest.clone();
        candidate.storm.strikes = strikes.to_vec();
        search.accepts(candidate)
    });
    for reduction in REDUCTIONS {
        while let Some(candidate) = reduction(&search.smallest)
            && search.accepts(candidate)
        {}
    }
    Shrunk { plan: search.smallest, outcome: search.outcome, runs: search.runs }
}

/// Leaves out as many items as `still` allows, in the manner of ddmin: first big pieces, then smaller ones, until no
/// single item can be left out. `still` is never asked about all items: that they break the promise is known.
pub fn fewest<T: Clone>(items: &[T], mut still: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = items.to_vec();
    if left.is_empty() || still(&[]) {
        return Vec::new();
    }
    let mut piece = left.len().div_ceil(2);
    loop {
        let mut start = 0;
        let mut shorter = false;
        while start < left.len() {
            let end = (start + piece).min(left.len());
            let without: Vec<T> = left[..start].iter().chain(&left[end..]).cloned().collect();
            if !without.is_empty() && still(&without) {
                left = without;
                shorter = true;
            } else {
                start = end;
            }
        }
        if piece == 1 && !shorter {
            return left;
        }
        piece = if shorter { piece.min(left.len()).max(1) } else { piece.div_ceil(2) };
    }
}

/// One search for a smaller plan.
struct Search<'a> {
    fingerprint: &'a str,
    effort: Effort,
    go_on: &'a mut dyn FnMut() -> bool,
    smallest: Plan,
    outcome: Option<Outcome>,
    runs: u32,
}

impl Search<'_> {
    /// Whether the candidate breaks the same promise; then it is the smallest so far. Without runs left, nothing does.
    fn accepts(&mut self, candidate: Plan) -> bool {
        if self.runs >= self.effort.0 || !(self.go_on)() {
            return false;
        }
        self.runs += 1;
        let outcome = run(&candidate);
        let same = outcome.fingerprint().as_deref() == Some(self.fingerprint);
        if same {
            self.smallest = candidate;
            self.outcome = Some(outcome);
        }
        same
    }
}

/// What else can be made smaller. Each gives a smaller plan, or nothing if it has no smaller one.
const REDUCTIONS: &[fn(&Plan) -> Option<Plan>] =
    &[shorter, with_less_load, with_fewer_producers, with_fewer_consumers, with_fewer_partitions];

fn shorter(plan: &Plan) -> Option<Plan> {
    let length = plan.length / 2;
    (length >= Duration::from_secs(1)).then(|| Plan { length, ..plan.clone() })
}

fn with_less_load(plan: &Plan) -> Option<Plan> {
    let mut smaller = plan.clone();
    smaller.load.rate /= 2;
    (smaller.load.rate >= 1).then_some(smaller)
}

fn with_fewer_producers(plan: &Plan) -> Option<Plan> {
    let producers = plan.cluster.producers.checked_sub(1).filter(|&left| left >= 1)?;
    let mut smaller = plan.clone();
    smaller.cluster.producers = producers;
    Some(smaller)
}

fn with_fewer_consumers(plan: &Plan) -> Option<Plan> {
    let consumers = plan.cluster.consumers.checked_sub(1)?;
    let mut smaller = plan.clone();
    smaller.cluster.consumers = consumers;
    Some(smaller)
}

fn with_fewer_partitions(plan: &Plan) -> Option<Plan> {
    let mut smaller = plan.clone();
    let partitions = match smaller.cluster.topics.iter_mut().max_by_key(|topic| topic.partitions) {
        Some(topic) => &mut topic.partitions,
        None => &mut smaller.cluster.partitions,
    };
    *partitions /= 2;
    (*partitions >= 1).then_some(smaller)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_left_of_what_breaks_without_any_fault() {
        assert_eq!(fewest(&[1, 2, 3], |_| true), Vec::<i32>::new());
    }

    #[test]
    fn all_is_left_of_what_needs_every_fault() {
        assert_eq!(fewest(&[1, 2, 3, 4, 5], |left| left.len() == 5), vec![1, 2, 3, 4, 5]);
    }

    proptest! {
        #[test]
        fn exactly_the_needed_faults_are_left_in_their_order(
            size in 1..60_usize,
            needed in proptest::collection::btree_set(0..60_usize, 1..5),
        ) {
            let items: Vec<usize> = (0..size.max(60)).collect();
            let needed: Vec<usize> = needed.into_iter().collect();
            let mut asked = 0;
            let left = fewest(&items, |left| {
                asked += 1;
                needed.iter().all(|item| left.contains(item))
            });
            prop_assert_eq!(&left, &needed);
            prop_assert!(asked < 200, "{} runs for {} of {}", asked, needed.len(), items.len());
        }
    }
}
