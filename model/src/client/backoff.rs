//! How long to wait before the next try: exponential, with 20 % jitter either way (P4). It knows no request.

use std::time::Duration;

use crate::machine::Chance;

/// One purpose for which somebody waits and tries again.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    purpose: &'static str,
    chance: Chance,
    drawn: u64,
}

impl Backoff {
    /// Waits `first` after the first failure, twice as long after the next, and never longer than `most`.
    pub(super) fn new(first: Duration, most: Duration, purpose: &'static str) -> Self {
        Self { first, most: most.max(first), purpose, chance: Chance(0), drawn: 0 }
    }

    /// From now on jitter comes from this.
    pub(super) fn start(&mut self, chance: Chance) {
        self.chance = chance;
    }

    /// How long to wait after so many failures in a row, at least one.
    pub(super) fn after(&mut self, failures: u32) -> Duration {
        // Where Kafka divides by logarithms to find the largest exponent, a shift by 20 is beyond any sensible maximum.
        let exponent = failures.saturating_sub(1).min(20);
        let term = self.first.saturating_mul(1 << exponent).min(self.most);
        let jitter = 800 + self.chance.draw(self.purpose, self.drawn) % 401;
        self.drawn += 1;
        // At most 1.2 times what fits a Duration of hours: the division comes first to stay clear of overflow.
        let jittered = (term / 1000).saturating_mul(u32::try_from(jitter).expect("at most 1200"));
        jittered.min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_with_each_failure_and_stop_at_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1_000), "test");
        for (failures, term) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (40, 1_000)] {
            for _ in 0..50 {
                let wait = backoff.after(failures);
                assert!(wait >= Duration::from_millis(term * 8 / 10), "{failures}: {wait:?}");
                assert!(wait <= Duration::from_millis((term * 12 / 10).min(1_000)), "{failures}: {wait:?}");
            }
        }
    }

    #[test]
    fn the_jitter_differs_from_time_to_time_and_from_client_to_client() {
        let waits = |chance| {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1_000), "test");
            backoff.start(Chance(chance));
            (0..8).map(|_| backoff.after(1)).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        assert_ne!(waits(1)[0], waits(1)[1]);
    }
}
