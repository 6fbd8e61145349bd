//! The quorum, by any schedule: messages delivered, lost and late, processes killed, powerless and with another disk.

pub(crate) mod disk;
mod schedules;
mod stage;
