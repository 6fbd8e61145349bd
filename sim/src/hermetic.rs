//! The box: a fresh thread inside a madsim runtime, where the real world cannot leak in.
//!
//! In it `Instant`, `SystemTime`, `getrandom` and `RandomState` are seeded, and a thread that is spawned by mistake
//! panics. Beside [`nodes`](crate::nodes) the only
//! place of the house that knows madsim; it knows no world.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::time::Duration;

use madsim::Config;
use madsim::runtime::{Handle, Runtime};
use model::names::Node;

use crate::fact::Moment;

/// A panic inside the box, with what is known of it. A panic in a run is a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panicked {
    /// What it said.
    pub message: String,
    /// `file:line:column`, if known.
    pub location: Option<String>,
    /// The last step that was begun: when, and at whom.
    pub at: Option<(Moment, Node)>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("panicked")?;
        if let Some((moment, node)) = &self.at {
            write!(f, " in the step of {node} at {moment}")?;
        }
        if let Some(location) = &self.location {
            write!(f, ", {location}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Panicked {}

thread_local! {
    /// Whether this thread is inside the box.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// Simulated time that madsim has not been told of, in nanoseconds.
    static BEHIND: Cell<u64> = const { Cell::new(0) };
    /// The last step that was begun.
    static STEP: Cell<Option<(Moment, Node)>> = const { Cell::new(None) };
    /// The last panic in the box.
    static PANIC: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Madsim is told of the time in steps of so many nanoseconds at least.
const STRIDE: u64 = 1_000_000;

/// Runs `inside` in the box of this seed, on a thread of its own.
///
/// It begins by asserting that the box holds. The clock inside follows every world that is stepped there.
///
/// # Errors
/// If `inside` panics. Nothing is printed then.
pub fn hermetic<T: Send>(seed: u64, inside: impl FnOnce() -> T + Send) -> Result<T, Panicked> {
    on_a_fresh_thread(seed, |runtime| {
        // The panic is caught before madsim sees it: it would print which of its tasks panicked.
        let run = AssertUnwindSafe(|| {
            assert_sealed();
            inside()
        });
        runtime.block_on(async { panic::catch_unwind(run) }).map_err(drop)
    })
}

/// Gives the madsim runtime of this seed to `inside`, on a thread of its own: for whoever lets madsim run by itself.
///
/// # Errors
/// If `inside`, or a task of the runtime, panics. Madsim prints a line about its task then.
pub(crate) fn alone<T: Send>(seed: u64, inside: impl FnOnce(Runtime) -> T + Send) -> Result<T, Panicked> {
    on_a_fresh_thread(seed, |runtime| {
        // Keys of hash maps are drawn once a thread. Drawn outside of the box, they would be real.
        runtime.block_on(async { drop(RandomState::new()) });
        panic::catch_unwind(AssertUnwindSafe(|| inside(runtime))).map_err(drop)
    })
}

fn on_a_fresh_thread<T: Send>(seed: u64, run: impl FnOnce(Runtime) -> Result<T, ()> + Send) -> Result<T, Panicked> {
    hush_inside();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(format!("seed {seed}"));
        let running = thread.spawn_scoped(scope, || {
            INSIDE.set(true);
            let mut runtime = Runtime::with_seed_and_config(seed, Config::default());
            runtime.set_allow_system_thread(false);
            run(runtime).map_err(|()| PANIC.take())
        });
        match running.expect("the machine has room for one more thread").join() {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panicked)) => Err(panicked.unwrap_or_else(unknown)),
            Err(_) => Err(unknown()),
        }
    })
}

/// Asserts that a thread spawned inside the box panics. Madsim prints three lines to stderr each time, so this is not
/// part of every run; [`hermetic`] asserts what can be asserted in silence.
///
/// # Panics
/// If the box does not hold.
pub fn assert_threads_are_banned() {
    assert!(INSIDE.get(), "outside of the box threads are allowed");
    #[expect(clippy::disallowed_methods, reason = "to see that it fails")]
    let spawned = panic::catch_unwind(|| std::thread::spawn(|| {}).join());
    assert!(spawned.is_err(), "a thread was spawned inside the box");
    PANIC.take();
}

/// The clock of the box follows simulated time; outside of the box nothing happens.
pub(crate) fn advance(nanoseconds: u64) {
    if !INSIDE.get() {
        return;
    }
    let behind = BEHIND.get() + nanoseconds;
    if behind < STRIDE {
        return BEHIND.set(behind);
    }
    BEHIND.set(0);
    madsim::time::advance(Duration::from_nanos(behind));
}

/// Remembers which step has begun, in case it panics.
pub(crate) fn mark(at: Moment, node: Node) {
    STEP.set(Some((at, node)));
}

/// The standard library's clock stands still unless it is moved, and madsim's word is what it says.
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "to see that they are not what they are outside"
)]
fn assert_sealed() {
    assert!(Handle::try_current().is_ok(), "no madsim runtime on this thread");
    let before = std::time::Instant::now();
    assert_eq!(before.elapsed(), Duration::ZERO, "the real clock is visible inside the box");
    madsim::time::advance(Duration::from_secs(3_600));
    assert_eq!(before.elapsed(), Duration::from_secs(3_600), "the clock inside the box does not follow simulated time");
}

fn unknown() -> Panicked {
    Panicked { message: "without a message".to_owned(), location: None, at: None }
}

/// Panics inside a box are written down for [`hermetic`] to return; all others go where they always went.
fn hush_inside() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !INSIDE.get() {
                return usual(info);
            }
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().map(ToString::to_string);
            let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
            PANIC.set(Some(Panicked {
                message: message.unwrap_or_else(|| "without a message".to_owned()),
                location: info.location().map(ToString::to_string),
                at: STEP.get(),
            }));
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_returned_inside_comes_out() {
        assert_eq!(hermetic(1, || 41 + 1), Ok(42));
    }

    #[test]
    fn a_panic_inside_prints_nothing() {
        let test = "hermetic::tests::a_panic_inside_comes_out_as_a_value_with_its_place";
        let program = std::env::current_exe().unwrap();
        let told = std::process::Command::new(program).args(["--exact", test, "--nocapture"]).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(told.status.success() && said.contains("1 passed"), "{said}");
        assert_eq!(complained, "");
    }

    #[test]
    fn a_panic_inside_comes_out_as_a_value_with_its_place() {
        let panicked = hermetic(1, || panic!("number {}", 7)).unwrap_err();
        assert_eq!(panicked.message, "number 7");
        assert!(panicked.location.unwrap().contains("hermetic.rs"));
    }
}
