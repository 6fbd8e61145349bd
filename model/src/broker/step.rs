//! What one step may touch besides the machine itself.

use crate::disk::Disk;
use crate::machine::Effects;
use crate::names::Time;

/// The arguments of a step, handed down together.
pub(super) struct Step<'a> {
    /// What the host believes the time is.
    pub(super) now: Time,
    /// The host's disk.
    pub(super) disk: &'a mut dyn Disk,
    /// Consequences, in order.
    pub(super) effects: &'a mut Effects,
}
