//! Many runs on all cores, and their results in order.
//!
//! Work is claimed in order and whatever is claimed is finished, so what has been done is always the beginning of what
//! was planned; results are folded in order, so that no number of jobs and no race changes what comes out. Knows nothing
//! of what is run.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Does `work` for each of `0..items` on `jobs` threads and hands the results to `fold` in order. Nothing new is begun
/// once `go_on` says no or `fold` breaks; after a break nothing is folded any more. Returns how many were folded.
///
/// # Panics
/// If `work` or `fold` panics.
pub(crate) fn in_order<R: Send>(
    jobs: usize,
    items: u64,
    go_on: &(dyn Fn() -> bool + Sync),
    work: impl Fn(u64) -> R + Sync,
    fold: impl FnMut(u64, R) -> ControlFlow<()> + Send,
) -> u64 {
    let next = AtomicU64::new(0);
    let stopped = AtomicBool::new(false);
    let queue = Mutex::new(Queue { waiting: BTreeMap::new(), folded: 0, fold });
    let worker = || {
        while !stopped.load(Ordering::Relaxed) && go_on() {
            let item = next.fetch_add(1, Ordering::Relaxed);
            if item >= items {
                return;
            }
            let result = work(item);
            let mut queue = queue.lock().expect("no worker has panicked");
            if !stopped.load(Ordering::Relaxed) && queue.take(item, result).is_break() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.max(1) {
            scope.spawn(worker);
        }
        worker();
    });
    queue.into_inner().expect("no worker has panicked").folded
}

/// Results that wait for those before them.
struct Queue<R, F> {
    waiting: BTreeMap<u64, R>,
    folded: u64,
    fold: F,
}

impl<R, F: FnMut(u64, R) -> ControlFlow<()>> Queue<R, F> {
    fn take(&mut self, item: u64, result: R) -> ControlFlow<()> {
        self.waiting.insert(item, result);
        while let Some(result) = self.waiting.remove(&self.folded) {
            let item = self.folded;
            self.folded += 1;
            (self.fold)(item, result)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Later items are done sooner, so that they have to wait.
    fn slow_at_first(item: u64) -> u64 {
        thread::sleep(Duration::from_micros((40_u64.saturating_sub(item)) * 50));
        item * item
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_jobs() {
        for jobs in [1, 2, 7] {
            let mut seen = Vec::new();
            let folded = in_order(jobs, 40, &|| true, slow_at_first, |item, square| {
                seen.push((item, square));
                ControlFlow::Continue(())
            });
            assert_eq!(folded, 40);
            assert_eq!(seen, (0..40).map(|item| (item, item * item)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn after_a_break_nothing_is_folded() {
        for jobs in [1, 3] {
            let mut seen = Vec::new();
            let folded = in_order(jobs, 1_000, &|| true, slow_at_first, |item, _| {
                seen.push(item);
                if item == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert_eq!((folded, seen), (6, (0..=5).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn what_was_begun_is_finished_and_is_the_beginning_of_what_was_planned() {
        let allowed = AtomicU64::new(25);
        let go_on = || allowed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let mut seen = Vec::new();
        let folded = in_order(4, 1_000, &go_on, slow_at_first, |item, _| {
            seen.push(item);
            ControlFlow::Continue(())
        });
        assert_eq!((folded, seen), (25, (0..25).collect::<Vec<_>>()));
    }
}
