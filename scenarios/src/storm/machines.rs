//! What befalls machines: disks stall, are slow, are full and fail; clocks are wrong, run wrong and jump.

use std::time::Duration;

use rand::Rng;
use sim::dice::Draw;
use sim::fault::{Fault, Strike, Target, When};

use super::hand::Hand;
use super::tempo::span_between;

impl Hand {
    pub(super) fn disk(&mut self, when: &When) {
        let victim = self.server();
        let target = victim.target;
        match self.draw.gen_range(0..10) {
            0..4 => {
                let span = span_between(&mut self.draw, Duration::from_millis(20), Duration::from_secs(8));
                self.strike(when, Fault::DiskStall(target, span));
            }
            4..6 => {
                let factor = self.draw.gen_range(5..200);
                self.strike(when, Fault::DiskSlow(target, factor));
                if victim.is_fixed() {
                    self.end(when, Fault::DiskSlow(target, 1));
                } else {
                    self.end(when, Fault::DiskSlow(Target::Brokers, 1));
                }
            }
            6 => {
                self.strike(when, Fault::DiskFull(target));
                // A broker whose disk is full halts (R115): space first, then the process.
                let span = span_between(&mut self.draw, Duration::from_millis(50), Duration::from_secs(10));
                let back = if victim.is_fixed() { target } else { Target::Brokers };
                self.strikes.push(Strike { when: when.later(span), fault: Fault::DiskFree(back) });
                self.end(&when.later(span), Fault::Start(back));
            }
            7 => {
                let calls = self.draw.gen_range(1..3);
                self.down(when, victim, Fault::DiskError(target, calls));
            }
            8 => {
                // Not the controller's: a lone controller whose disk lies about a sync has promised nothing (G4).
                let victim = self.broker();
                self.down(when, victim, Fault::SyncError(victim.target));
            }
            _ => {
                let nth = self.draw.gen_range(1..400);
                self.down(when, victim, Fault::CrashAtDiskCall(target, nth));
            }
        }
    }

    pub(super) fn clock(&mut self, when: &When) {
        // By name: the end has to find the same clock.
        let target = if self.draw.gen_bool(0.15) { self.named_controller() } else { self.named_broker() };
        match self.draw.gen_range(0..3) {
            0 => {
                let span = span_between(&mut self.draw, Duration::from_millis(10), Duration::from_secs(30));
                let nanos = signed(&mut self.draw, span);
                self.strike(when, Fault::ClockSkew(target, nanos));
                self.end(when, Fault::ClockSkew(target, 0));
            }
            1 => {
                let ppm = self.draw.gen_range(-100_000..=100_000);
                self.strike(when, Fault::ClockDrift(target, ppm));
                self.end(when, Fault::ClockDrift(target, 0));
            }
            _ => {
                let span = span_between(&mut self.draw, Duration::from_millis(10), Duration::from_secs(30));
                let nanos = signed(&mut self.draw, span);
                self.strike(when, Fault::ClockJump(target, nanos));
            }
        }
    }
}

fn signed(draw: &mut Draw, span: Duration) -> i64 {
    let nanos = span.as_nanos() as i64;
    if draw.gen_bool(0.5) { nanos } else { -nanos }
}
