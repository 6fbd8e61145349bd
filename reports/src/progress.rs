//! How far a campaign is, on stderr: a line that rewrites itself on a terminal, a plain line every few seconds elsewhere.
//!
//! The only room next to `bench` that looks at a clock, and nothing of what it sees gets into a report but for
//! `timing.json`.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What has been done so far; counted by whoever does it.
#[derive(Debug, Default)]
pub(crate) struct Done {
    runs: AtomicU64,
    failed: AtomicU64,
    simulated_millis: AtomicU64,
}

impl Done {
    /// One more run.
    pub(crate) fn add(&self, simulated: Duration, failed: bool) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
        let millis = u64::try_from(simulated.as_millis()).unwrap_or(u64::MAX);
        self.simulated_millis.fetch_add(millis, Ordering::Relaxed);
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// So many runs.
    Runs(u64),
    /// So many crash points.
    Points(u64),
    /// As many as there is time for.
    Time(Duration),
}

/// Shows on stderr how far `work` is while it is under way.
pub(crate) fn shown<T>(what: &str, goal: Goal, done: &Done, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let over = (Mutex::new(false), Condvar::new());
    let terminal = io::stderr().is_terminal();
    let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut is_over = over.0.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                is_over = over.1.wait_timeout(is_over, every).unwrap_or_else(PoisonError::into_inner).0;
                if *is_over {
                    break;
                }
                show(terminal, &line(what, goal, done, begun.elapsed()));
            }
            // The last word is said in any case: a campaign may be shorter than the first wait.
            show(terminal, &line(what, goal, done, begun.elapsed()));
            if terminal {
                let _ = io::stderr().write_all(b"\n");
            }
        });
        // Also when `work` panics, or the scope would wait for ever.
        let _end = End(&over);
        work()
    })
}

struct End<'a>(&'a (Mutex<bool>, Condvar));

impl Drop for End<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

/// Nobody is told if stderr cannot be written to: that is no reason to stop a campaign.
fn show(terminal: bool, line: &str) {
    let text = if terminal { format!("\r\x1b[2K{line}") } else { format!("{line}\n") };
    let _ = io::stderr().write_all(text.as_bytes());
}

fn line(what: &str, goal: Goal, done: &Done, elapsed: Duration) -> String {
    let runs = done.runs.load(Ordering::Relaxed);
    let seconds = elapsed.as_secs_f64().max(1e-3);
    let (share, of) = match goal {
        Goal::Runs(planned) => (runs as f64 / planned.max(1) as f64, format!("{runs}/{planned} runs")),
        Goal::Points(planned) => (runs as f64 / planned.max(1) as f64, format!("{runs}/{planned} points")),
        Goal::Time(budget) => (seconds / budget.as_secs_f64().max(1e-3), format!("{runs} runs")),
    };
    let unit = if matches!(goal, Goal::Points(_)) { "points" } else { "seeds" };
    let simulated = Duration::from_millis(done.simulated_millis.load(Ordering::Relaxed));
    let failed = done.failed.load(Ordering::Relaxed);
    format!(
        "{what} [{}] {of}, {:.1} {unit}/s, {} simulated, {failed} {}",
        bar(share),
        runs as f64 / seconds,
        spoken(simulated),
        if failed == 1 { "violation" } else { "violations" },
    )
}

fn bar(share: f64) -> String {
    const WIDTH: usize = 24;
    let full = ((share.clamp(0.0, 1.0) * WIDTH as f64).round() as usize).min(WIDTH);
    format!("{}{}", "#".repeat(full), ".".repeat(WIDTH - full))
}

fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{:.1} h", seconds as f64 / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_runs_pace_simulated_time_and_violations() {
        let done = Done::default();
        for run in 0..30 {
            done.add(Duration::from_secs(60), run == 7);
        }
        let said = line("running", Goal::Runs(120), &done, Duration::from_secs(10));
        assert_eq!(said, "running [######..................] 30/120 runs, 3.0 seeds/s, 30 min simulated, 1 violation");
        let said = line("running", Goal::Time(Duration::from_secs(20)), &done, Duration::from_secs(10));
        assert!(said.starts_with("running [############............] 30 runs,"), "{said}");
    }

    #[test]
    fn a_bar_is_never_longer_than_itself() {
        assert_eq!(bar(-1.0), ".".repeat(24));
        assert_eq!(bar(7.5), "#".repeat(24));
    }

    #[test]
    fn work_that_panics_does_not_leave_the_progress_waiting() {
        let done = Done::default();
        let result = std::panic::catch_unwind(|| shown("x", Goal::Runs(1), &done, || panic!("as planned")));
        assert!(result.is_err());
    }
}
