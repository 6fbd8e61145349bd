//! Faults in words, as stories and timelines tell them.

use std::fmt;
use std::time::Duration;

use super::{Fault, Stopping, Strike, Target, When};
use crate::disk::Side;

/// Several targets, as in a sentence.
struct List<'a>(&'a [Target]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, target) in self.0.iter().enumerate() {
            write!(f, "{}{target}", if index == 0 { "" } else { "," })?;
        }
        if self.0.is_empty() { f.write_str("nobody") } else { Ok(()) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(target) => write!(f, "crash {target}"),
            Self::PowerOff(target) => write!(f, "power off {target}"),
            Self::PowerOffAll => f.write_str("power off all servers"),
            Self::Restart(target) => write!(f, "restart {target}"),
            Self::Start(target) => write!(f, "start {target}"),
            Self::Terminate(target) => write!(f, "terminate {target}"),
            Self::Destroy(target) => write!(f, "destroy {target}"),
            Self::Wipe(target) => write!(f, "wipe {target}"),
            Self::Pause(target, span) => write!(f, "pause {target} for {span:?}"),
            Self::Cut { from, to } => write!(f, "cut {} -> {}", List(from), List(to)),
            Self::CutBoth { between, and } => write!(f, "cut {} <-> {}", List(between), List(and)),
            Self::Isolate(target) => write!(f, "isolate {target}"),
            Self::Hold { from, to } => write!(f, "hold {} -> {}", List(from), List(to)),
            Self::Release { from, to } => write!(f, "release {} -> {}", List(from), List(to)),
            Self::Sever { between, and } => write!(f, "sever {} <-> {}", List(between), List(and)),
            Self::Delay { from, to, extra, jitter } => {
                write!(f, "delay {} -> {} by {extra:?} to {:?}", List(from), List(to), extra.saturating_add(*jitter))
            }
            Self::Lag { channel, from, to, extra } => {
                write!(f, "delay {channel:?} messages {} -> {} by {extra:?}", List(from), List(to))
            }
            Self::Stall { channel, from, to, lasts } => {
                write!(f, "stall {channel:?} messages {} -> {} for {lasts:?}", List(from), List(to))
            }
            Self::Slow { from, to, bytes_per_second } => {
                write!(f, "slow {} -> {} to {bytes_per_second} bytes/s", List(from), List(to))
            }
            Self::Mend { between, and } => write!(f, "mend {} <-> {}", List(between), List(and)),
            Self::Heal => f.write_str("heal the network"),
            Self::DiskStall(target, span) => write!(f, "the disk of {target} stalls for {span:?}"),
            Self::DiskSlow(target, factor) => write!(f, "the disk of {target} is {factor} times as slow"),
            Self::DiskFull(target) => write!(f, "the disk of {target} is full"),
            Self::DiskFree(target) => write!(f, "the disk of {target} has space again"),
            Self::DiskError(target, calls) => write!(f, "the next {calls} writes of {target} fail"),
            Self::SyncError(target) => write!(f, "the next sync of {target} fails"),
            Self::Rot(target) => write!(f, "a bit rots on {target}"),
            Self::CrashAtDiskCall(target, nth) => write!(f, "{target} will crash in its disk call {nth} from now"),
            Self::PowerOffAtDiskCall(target, nth) => {
                write!(f, "{target} will lose power in its disk call {nth} from now")
            }
            Self::StopAtDiskCall { target, call, side, how, back } => {
                let side = match side {
                    Side::Before => "just before",
                    Side::Amid => "amid",
                    Side::After => "just after",
                    Side::Drawn => "in",
                };
                write!(f, "{target} will {how} {side} its disk call {call}, and be back {back:?} later")
            }
            Self::ClockSkew(target, nanos) => write!(f, "the clock of {target} is wrong by {}", Millis(*nanos)),
            Self::ClockDrift(target, ppm) => write!(f, "the clock of {target} drifts by {ppm} ppm"),
            Self::Upgrade(target, _) => write!(f, "{target} will speak another protocol"),
            Self::Administer(request) => write!(f, "an operator asks to {}", crate::story::Asked(request)),
            Self::ClockJump(target, nanos) => write!(f, "the clock of {target} jumps by {}", Millis(*nanos)),
        }
    }
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "crash",
            Self::Power => "lose power",
            Self::PowerLeaving { state, .. } => return write!(f, "lose power (legal state {state} is left)"),
        })
    }
}

/// Nanoseconds, with a sign, shown as milliseconds.
struct Millis(i64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.1}ms", self.0 as f64 / 1e6)
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::At(time) => write!(f, "at {time:?}: {}", self.fault),
            When::Ambush { on, skip: 0, after: Duration::ZERO } => write!(f, "upon {on}: {}", self.fault),
            When::Ambush { on, skip, after } => write!(f, "{after:?} after {on} number {}: {}", skip + 1, self.fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_any_size_can_be_said() {
        let (from, to) = (vec![Target::Everyone], vec![Target::Brokers]);
        let fault = Fault::Delay { from, to, extra: Duration::MAX, jitter: Duration::from_secs(1) };
        assert!(fault.to_string().starts_with("delay everyone -> all brokers by "));
    }
}
