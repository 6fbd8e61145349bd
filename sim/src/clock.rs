//! What time a host believes it is: skewed, drifting, jumping.
//!
//! Arithmetic only, in whole nanoseconds and exact in both directions. It must not know who reads the clock or why.

use std::time::Duration;

use model::names::Time;
use serde::{Deserialize, Serialize};

use crate::fact::Moment;

/// A host's clock. Between two changes it is a straight line through an anchor; history before the last change is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// When the clock was last changed, in true time.
    anchor: Moment,
    /// What it said then.
    reading: u64,
    /// Nanoseconds it counts in a true millisecond.
    rate: u64,
}

impl Default for Clock {
    /// A clock that is right.
    fn default() -> Self {
        Self { anchor: Moment::ZERO, reading: Self::BASE.0, rate: MILLION }
    }
}

impl Clock {
    /// What a clock that is right says when a run begins: 2024-01-01T00:00:00Z.
    pub const BASE: Time = Time(1_704_067_200 * 1_000_000_000);

    /// A clock that is `skew` nanoseconds ahead when the run begins (behind if negative) and gains `drift` parts per
    /// million from there.
    #[must_use]
    pub fn new(skew: i64, drift: i64) -> Self {
        let mut clock = Self::default();
        clock.jump(Moment::ZERO, skew);
        clock.drift(Moment::ZERO, drift);
        clock
    }

    /// What the clock says at this moment, which must not lie before the last change. Never falls, unless it jumps.
    #[must_use]
    pub fn read(&self, at: Moment) -> Time {
        let elapsed = at.0.saturating_sub(self.anchor.0);
        Time(self.reading.saturating_add(scaled(elapsed, self.rate)))
    }

    /// The first moment, not before `now`, at which the clock will say `reading` or later. [`Moment`]'s end if it
    /// never does.
    #[must_use]
    pub fn when(&self, reading: Time, now: Moment) -> Moment {
        let Some(missing) = reading.0.checked_sub(self.reading) else { return now };
        let elapsed = match self.rate {
            MILLION => missing,
            rate => {
                let exact = (u128::from(missing) * u128::from(MILLION)).div_ceil(u128::from(rate));
                u64::try_from(exact).unwrap_or(u64::MAX)
            }
        };
        now.max(Moment(self.anchor.0.saturating_add(elapsed)))
    }

    /// From now on the clock gains `parts_per_million` (loses, if negative). What it says now does not change. A clock
    /// neither stands still nor runs backwards: drift is held between -900,000 and 9,000,000.
    pub fn drift(&mut self, now: Moment, parts_per_million: i64) {
        self.reading = self.read(now).0;
        self.anchor = now;
        self.rate = MILLION.saturating_add_signed(parts_per_million.clamp(-900_000, 9_000_000));
    }

    /// Moves the clock by so many nanoseconds, forwards or backwards, at once; not before the Unix epoch.
    pub fn jump(&mut self, now: Moment, nanoseconds: i64) {
        self.reading = self.read(now).0.saturating_add_signed(nanoseconds);
        self.anchor = now;
    }

    /// Sets the clock so far ahead of true time (behind, if negative), in nanoseconds, at once. Drift goes on.
    pub fn skew(&mut self, now: Moment, nanoseconds: i64) {
        self.reading = right(now).saturating_add_signed(nanoseconds);
        self.anchor = now;
    }

    /// Sets the clock right and takes its drift away. It jumps, as after a repair.
    pub fn mend(&mut self, now: Moment) {
        if !self.is_right(now) {
            *self = Self { anchor: now, reading: right(now), rate: MILLION };
        }
    }

    /// How many nanoseconds the clock is ahead of true time; negative if it is behind.
    #[must_use]
    pub fn error(&self, at: Moment) -> i64 {
        let difference = i128::from(self.read(at).0) - i128::from(right(at));
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }

    /// Whether the clock is right and stays so.
    #[must_use]
    pub fn is_right(&self, at: Moment) -> bool {
        self.rate == MILLION && self.read(at).0 == right(at)
    }

    /// The true time in which the clock counts this span, if it is not changed meanwhile.
    #[must_use]
    pub fn lasting(&self, span: Duration, now: Moment) -> Duration {
        self.when(self.read(now) + span, now).since(now)
    }
}

const MILLION: u64 = 1_000_000;

/// What a clock that is right says.
fn right(at: Moment) -> u64 {
    Clock::BASE.0.saturating_add(at.0)
}

/// `elapsed * rate / 1,000,000`, rounded down, without leaving 64 bits.
fn scaled(elapsed: u64, rate: u64) -> u64 {
    if rate == MILLION {
        return elapsed;
    }
    (elapsed / MILLION).saturating_mul(rate).saturating_add(elapsed % MILLION * rate / MILLION)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_right_clock_counts_from_the_base() {
        let clock = Clock::default();
        assert_eq!(clock.read(Moment::ZERO).millis(), 1_704_067_200_000);
        assert_eq!(clock.read(Moment(5)), Time(Clock::BASE.0 + 5));
        assert_eq!(clock.when(Clock::BASE + Duration::from_secs(1), Moment(3)), Moment(SECOND));
        assert_eq!(clock.when(Time(0), Moment(3)), Moment(3), "what has been read already is now");
        assert_eq!(clock.when(Time(u64::MAX), Moment(3)), Moment(u64::MAX - Clock::BASE.0));
        assert!(clock.is_right(Moment(77)));
    }

    #[test]
    fn a_hundred_parts_per_million_are_a_tenth_of_a_millisecond_a_second() {
        assert_eq!(Clock::new(0, 100).error(Moment(SECOND)), 100_000);
        assert_eq!(Clock::new(0, -100).error(Moment(SECOND)), -100_000);
        assert_eq!(Clock::new(7, 0).error(Moment(SECOND)), 7);
        let slow = Clock::new(0, -500_000);
        assert_eq!(slow.lasting(Duration::from_secs(3), Moment(SECOND)), Duration::from_secs(6));
    }

    #[test]
    fn a_jump_is_a_jump_and_mending_takes_all_back() {
        let mut clock = Clock::new(0, 50);
        let now = Moment(10 * SECOND);
        let before = clock.read(now);
        clock.jump(now, -3_000_000_000);
        assert_eq!(clock.read(now), before - Duration::from_secs(3));
        clock.skew(now, 250);
        assert_eq!(clock.error(now), 250);
        assert!(!clock.is_right(now));
        clock.mend(now);
        assert_eq!(clock.read(now), Clock::default().read(now));
        assert!(clock.is_right(now) && clock.is_right(Moment(77 * SECOND)));
    }

    #[test]
    fn no_jump_reaches_behind_the_unix_epoch() {
        let mut clock = Clock::new(i64::MIN, 0);
        assert_eq!(clock.read(Moment::ZERO), Time(0));
        clock.jump(Moment(9), i64::MIN);
        assert_eq!(clock.read(Moment(9)), Time(0));
        assert_eq!(clock.read(Moment(10)), Time(1));
    }

    fn changed(skew: i64, drift: i64, at: u64, again: i64) -> Clock {
        let mut clock = Clock::new(skew, drift);
        clock.drift(Moment(at), again);
        clock
    }

    proptest! {
        #[test]
        fn when_is_the_first_moment_that_reads_so(
            skew in -100_000_000_000_i64..100_000_000_000,
            drifts in (-900_000_i64..2_000_000, -2000_i64..2000),
            at in 0..SECOND * 4000,
            ahead in 0..SECOND * 4000,
            now in 0..SECOND * 4000,
        ) {
            let clock = changed(skew, drifts.0, at, drifts.1);
            let now = Moment(at + now);
            let target = Time(clock.read(Moment(at)).0 + ahead);
            let when = clock.when(target, now);
            prop_assert!(when >= now);
            prop_assert!(clock.read(when) >= target);
            prop_assert!(when == now || clock.read(Moment(when.0 - 1)) < target);
        }

        #[test]
        fn a_clock_never_falls_and_a_change_of_drift_is_not_seen_at_once(
            drifts in prop::collection::vec((-1_000_000_i64..3_000_000, 0..SECOND), 1..20),
        ) {
            let mut clock = Clock::new(-5, 0);
            let mut now = Moment::ZERO;
            let mut last = clock.read(now);
            for (drift, wait) in drifts {
                now = now + Duration::from_nanos(wait);
                let reading = clock.read(now);
                prop_assert!(reading >= last);
                clock.drift(now, drift);
                prop_assert_eq!(clock.read(now), reading);
                last = reading;
            }
        }
    }
}
