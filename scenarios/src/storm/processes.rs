//! What befalls processes: they are killed, lose power, stand still.

use std::time::Duration;

use rand::Rng;
use sim::fault::{Fault, Target, When};

use super::hand::{Hand, Victim};
use super::tempo::span_between;

impl Hand {
    pub(super) fn crash(&mut self, when: &When) {
        let victim = self.server();
        let fault = match self.draw.gen_range(0..10) {
            0 => Fault::Terminate(victim.target),
            1 => Fault::CrashAtDiskCall(victim.target, self.draw.gen_range(1..400)),
            2 => return self.strike(when, Fault::Restart(victim.target)),
            _ => Fault::Crash(victim.target),
        };
        self.down(when, victim, fault);
    }

    /// Somebody goes down, and comes back.
    pub(super) fn down(&mut self, when: &When, victim: Victim, fault: Fault) {
        self.strike(when, fault);
        // A role may have passed to somebody else by then: whoever is down is started.
        let back = if victim.is_fixed() { Fault::Start(victim.target) } else { Fault::Start(Target::Everyone) };
        self.end(when, back);
    }

    pub(super) fn power_loss(&mut self, when: &When) {
        match self.draw.gen_range(0..10) {
            0..2 => {
                self.strike(when, Fault::PowerOffAll);
                self.end(when, Fault::Start(Target::Everyone));
            }
            2 => {
                let victim = self.server();
                let nth = self.draw.gen_range(1..400);
                self.down(when, victim, Fault::PowerOffAtDiskCall(victim.target, nth));
            }
            _ => {
                let victim = self.server();
                self.down(when, victim, Fault::PowerOff(victim.target));
            }
        }
    }

    pub(super) fn pause(&mut self, when: &When) {
        let victim = self.server();
        let span = span_between(&mut self.draw, Duration::from_millis(20), Duration::from_secs(20));
        self.strike(when, Fault::Pause(victim.target, span));
    }
}
