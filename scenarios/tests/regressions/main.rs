//! Failures that were kept once, run again before any story is told: what was planted must still be found, what was mended
//! must stay so.

mod fresh;
mod hunt;
mod kept;
mod tapes;
