//! Ctrl-C: the runs that are under way are finished, and what there is is reported. A second one ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// What a shell shows for a program that ended by Ctrl-C.
const ENDED_BY_INTERRUPT: i32 = 130;

/// Listens from now on.
pub(crate) fn listen() {
    let heard = ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(ENDED_BY_INTERRUPT);
        }
        eprintln!("\ninterrupted: finishing what is under way (once more to end at once)");
    });
    if let Err(error) = heard {
        // Then Ctrl-C ends the program as it ends every other.
        eprintln!("note: Ctrl-C will end this without a report ({error})");
    }
}

/// Whether somebody wants it to end.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
