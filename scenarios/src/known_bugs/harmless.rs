//! Mistakes that do no harm by themselves here, and why: told so that nobody looks for them again. A test tells stories with each of
//! them, so that whatever makes one harmful one day is noticed.

use model::protocol::*;

/// A mistake that nothing shows.
#[derive(Clone, Copy, Debug)]
pub struct Harmless {
    /// Its number.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The mistake.
    pub protocol: Protocol,
    /// What keeps it from doing harm.
    pub why: &'static str,
}

/// All of them.
pub const HARMLESS: &[Harmless] = &[Harmless {
    id: "B28",
    name: "recovery forgets the first of all epochs (KAFKA-10432)",
    protocol: Protocol {
        storage: Storage { recording: Recording::FirstForgottenInRecovery, ..Storage::LATEST },
        ..Protocol::LATEST
    },
    why: "an epoch is on record, and synced, before its first batch is written, so that recovery has nothing to learn about it",
}];
