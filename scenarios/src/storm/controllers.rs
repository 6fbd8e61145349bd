//! What befalls a quorum of controllers: the active one and the others go, alone, together, or on one side of a cut.

use std::time::Duration;

use rand::Rng;
use sim::fault::{Fault, Target, When};

use super::hand::{Hand, Victim};
use super::tempo::span_between;

impl Hand {
    pub(super) fn controllers(&mut self, when: &When) {
        let victim = self.controller();
        match self.draw.gen_range(0..12) {
            0..3 => self.down(when, victim, Fault::Crash(victim.target)),
            3 => self.down(when, victim, Fault::Terminate(victim.target)),
            4..6 => self.down(when, victim, Fault::PowerOff(victim.target)),
            6 => {
                let nth = self.draw.gen_range(1..60);
                self.down(when, victim, Fault::PowerOffAtDiskCall(victim.target, nth));
            }
            // A majority goes, and comes back.
            7 => self.down(when, Victim { target: Target::Controllers }, Fault::Crash(Target::Controllers)),
            8..10 => {
                let span = span_between(&mut self.draw, Duration::from_millis(100), Duration::from_secs(12));
                self.strike(when, Fault::Pause(victim.target, span));
            }
            10 => {
                self.strike(when, Fault::Isolate(victim.target));
                self.end(when, Fault::Heal);
            }
            // Brokers on both sides: this controller still hears some of them.
            _ => {
                let broker = self.named_broker();
                let (between, and) = (vec![victim.target, broker], self.everyone_else());
                self.strike(when, Fault::CutBoth { between, and });
                self.end(when, Fault::Heal);
            }
        }
    }

    /// All other servers, as far as they can be named: some of them are on the near side as well, where a cut is none.
    fn everyone_else(&mut self) -> Vec<Target> {
        let mut others = vec![self.named_controller(), self.named_controller()];
        others.extend((0..self.place.brokers / 2 + 1).map(Target::AnyBroker));
        others
    }
}
