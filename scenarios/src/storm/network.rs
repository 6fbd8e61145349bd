//! What befalls links: they are cut, slow, hold messages back, and are reset.

use std::time::Duration;

use model::names::{BrokerId, Node};
use rand::Rng;
use sim::fault::{Fault, Target, When};

use super::hand::{Hand, Victim};
use super::tempo::span_between;

impl Hand {
    pub(super) fn partition(&mut self, when: &When) {
        let victim = self.broker();
        let (one, other) = (vec![victim.target], vec![self.counterpart(victim)]);
        let fault = match self.draw.gen_range(0..4) {
            0 => Fault::Isolate(victim.target),
            1 => Fault::Cut { from: one, to: other },
            2 => Fault::Cut { from: other, to: one },
            _ => Fault::CutBoth { between: one, and: other },
        };
        self.strike(when, fault);
        self.mended(when, victim);
    }

    pub(super) fn weather(&mut self, when: &When) {
        let victim = self.broker();
        let other = self.counterpart(victim);
        let (from, to) = if self.draw.gen_bool(0.5) {
            (vec![victim.target], vec![other])
        } else {
            (vec![other], vec![victim.target])
        };
        let fault = match self.draw.gen_range(0..5) {
            0 => return self.strike(when, Fault::Sever { between: from, and: to }),
            1 => Fault::Slow { from, to, bytes_per_second: self.draw.gen_range(1_000..100_000) },
            2 => {
                let extra = span_between(&mut self.draw, Duration::from_millis(1), Duration::from_secs(2));
                Fault::Delay { from, to, extra, jitter: extra / 2 }
            }
            _ => Fault::Hold { from, to },
        };
        self.strike(when, fault);
        self.mended(when, victim);
    }

    /// Whom a link of the victim's leads to: never to itself.
    fn counterpart(&mut self, victim: Victim) -> Target {
        // A broker without another one has links to the controller and to clients only.
        let kinds = if self.place.brokers > 1 { 4 } else { 2 };
        match self.draw.gen_range(0..kinds) {
            0 if self.place.zookeeper => self.named_controller(),
            0 => Target::Controller,
            1 => Target::Clients,
            2 => Target::Brokers,
            _ => self.another_broker(victim),
        }
    }

    /// A broker that is not the victim, whoever that will be by then.
    fn another_broker(&mut self, victim: Victim) -> Target {
        match victim.target {
            Target::Leader(partition) => Target::OtherBroker(partition, self.draw.gen_range(0..4)),
            Target::Follower(partition, _) | Target::InSync(partition, _) => Target::Leader(partition),
            Target::Node(Node::Broker(BrokerId(victim))) => {
                let nth = self.draw.gen_range(1..self.place.brokers);
                BrokerId(if nth < victim { nth } else { nth + 1 }).into()
            }
            _ => self.named_broker(),
        }
    }

    fn mended(&mut self, when: &When, victim: Victim) {
        let end = if victim.is_fixed() {
            Fault::Mend { between: vec![victim.target], and: vec![Target::Everyone] }
        } else {
            Fault::Heal
        };
        self.end(when, end);
    }
}
