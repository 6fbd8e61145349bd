//! One direction between two hosts: what rules lie on it, and how long its next message takes.

use std::time::Duration;

use model::names::nanos;
use rand::Rng;

use super::Weather;
use crate::dice::{Dice, Draw, Meaning};
use crate::fact::Moment;

/// Everything that faults have done to one direction between two hosts. Rules add up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    /// Nothing gets through.
    pub(super) cut: bool,
    /// Messages wait.
    pub(super) held: bool,
    /// Messages take longer,
    pub(super) extra: Duration,
    /// and each by up to this much on top.
    pub(super) jitter: Duration,
    /// Bytes per second, if limited.
    pub(super) rate: Option<u64>,
    /// When a limited link has carried what it was given so far.
    pub(super) free_at: Moment,
}

impl Link {
    /// Whether messages arrive at all.
    pub(super) fn passes(&self) -> bool {
        !self.cut && !self.held
    }

    /// When a message of `size` bytes that is sent `now` arrives.
    pub(super) fn arrival(
        &mut self,
        now: Moment,
        size: usize,
        weather: &Weather,
        latency: Draw,
        jitter: Draw,
    ) -> Moment {
        let mut sent = now;
        if let Some(rate) = self.rate {
            let nanos = u128::from(size as u64) * 1_000_000_000 / u128::from(rate.max(1));
            sent = self.free_at.max(now) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            self.free_at = sent;
        }
        let mut arrival = sent + weather.latency(latency) + self.extra;
        if !self.jitter.is_zero() {
            arrival = arrival + up_to(jitter, self.jitter);
        }
        arrival
    }
}

impl Weather {
    /// The latency of one message.
    fn latency(&self, mut draw: Draw) -> Duration {
        if self.gust_one_in > 0 && draw.gen_ratio(1, self.gust_one_in) {
            return between(draw, self.most, self.gust);
        }
        between(draw, self.least, self.most)
    }
}

/// `least`, if `most` is no more.
fn between(mut draw: Draw, least: Duration, most: Duration) -> Duration {
    // In whole nanoseconds: it is drawn for every message, and durations are dear to add.
    let (least, most) = (nanos(least), nanos(most));
    Duration::from_nanos(if least < most { draw.gen_range(least..=most) } else { least })
}

fn up_to(mut draw: Draw, most: Duration) -> Duration {
    if most.is_zero() {
        return most;
    }
    Duration::from_nanos(draw.gen_range(0..=nanos(most)))
}

/// One direction of all connections between two nodes on one channel, over the whole run: what numbers its messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    latency: Meaning,
    jitter: Meaning,
    control: Meaning,
    retransmission: Meaning,
    messages: u64,
    controls: u64,
    stalls: u64,
}

impl Wire {
    /// The wire of this name.
    pub(super) fn new(dice: Dice, name: &impl std::hash::Hash) -> Self {
        Self {
            latency: dice.of("wire latency").and(name),
            jitter: dice.of("wire jitter").and(name),
            control: dice.of("wire control").and(name),
            retransmission: dice.of("wire retransmission").and(name),
            messages: 0,
            controls: 0,
            stalls: 0,
        }
    }

    /// From the next message on these dice are drawn from. What has been sent keeps its number.
    pub(super) fn reroll(&mut self, dice: Dice, name: &impl std::hash::Hash) {
        let Self { messages, controls, stalls, .. } = *self;
        *self = Self { messages, controls, stalls, ..Self::new(dice, name) };
    }

    /// What the next message draws its latency and its jitter from.
    pub(super) fn message(&mut self) -> (Draw, Draw) {
        self.messages += 1;
        (self.latency.nth(self.messages), self.jitter.nth(self.messages))
    }

    /// Likewise for what opens and ends connections, so that one more connection moves no message.
    pub(super) fn control(&mut self) -> (Draw, Draw) {
        self.controls += 2;
        (self.control.nth(self.controls), self.control.nth(self.controls + 1))
    }

    /// When TCP tries again what has waited since `stalled`, first after `now`: the gap doubles with every attempt.
    pub(super) fn retransmission(&mut self, stalled: Moment, now: Moment, weather: &Weather) -> Moment {
        self.stalls += 1;
        let first = weather.retransmission;
        let mut gap = first + up_to(self.retransmission.nth(self.stalls), first / 2);
        let mut attempt = stalled + gap;
        while attempt <= now {
            gap = (gap * 2).min(weather.retransmission_max.max(first));
            attempt = attempt + gap.max(Duration::from_micros(1));
        }
        attempt
    }
}
