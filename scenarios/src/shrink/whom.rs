//! Whom a fault names. Knows no plan.

use sim::fault::{Fault, Target};

/// Everybody whom the fault names, in its order.
pub(crate) fn targets(fault: &Fault) -> Vec<Target> {
    match fault {
        Fault::Crash(target)
        | Fault::PowerOff(target)
        | Fault::Restart(target)
        | Fault::Start(target)
        | Fault::Terminate(target)
        | Fault::Destroy(target)
        | Fault::Wipe(target)
        | Fault::Pause(target, _)
        | Fault::Isolate(target)
        | Fault::DiskStall(target, _)
        | Fault::DiskSlow(target, _)
        | Fault::DiskFull(target)
        | Fault::DiskFree(target)
        | Fault::DiskError(target, _)
        | Fault::SyncError(target)
        | Fault::Rot(target)
        | Fault::CrashAtDiskCall(target, _)
        | Fault::PowerOffAtDiskCall(target, _)
        | Fault::StopAtDiskCall { target, .. }
        | Fault::ClockSkew(target, _)
        | Fault::ClockDrift(target, _)
        | Fault::ClockJump(target, _)
        | Fault::Upgrade(target, _) => vec![*target],
        Fault::Cut { from: one, to: other }
        | Fault::CutBoth { between: one, and: other }
        | Fault::Hold { from: one, to: other }
        | Fault::Release { from: one, to: other }
        | Fault::Sever { between: one, and: other }
        | Fault::Delay { from: one, to: other, .. }
        | Fault::Lag { from: one, to: other, .. }
        | Fault::Slow { from: one, to: other, .. }
        | Fault::Mend { between: one, and: other } => [one.as_slice(), other.as_slice()].concat(),
        Fault::PowerOffAll | Fault::Heal | Fault::Administer(_) => Vec::new(),
    }
}
