//! What a broker does from time to time: checkpoints, and a look at who lags (R145, L33, L44, R50).
//!
//! Does not know requests.

use std::time::Duration;

use super::Process;
use super::step::Step;
use crate::config::BrokerConfig;
use crate::log::LogFolder;
use crate::machine::{Chance, Stop};
use crate::names::Time;

/// When each periodic task is due.
#[derive(Clone, Debug)]
pub(super) struct Background {
    high_watermarks_at: Time,
    recovery_points_at: Time,
    lag_at: Time,
}

impl Background {
    /// The first turns come after a part of the interval that differs from process to process (N31).
    pub(super) fn new(chance: Chance, now: Time, config: &BrokerConfig) -> Self {
        let phase = |purpose: &str, interval: Duration| {
            let share =
                f64::from(u32::try_from(chance.draw(purpose, 0) >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
            now + interval.mul_f64(share)
        };
        Self {
            high_watermarks_at: phase("high watermark checkpoint", config.replica_high_watermark_checkpoint_interval),
            recovery_points_at: phase("recovery point checkpoint", config.log_flush_offset_checkpoint_interval),
            lag_at: phase("replica lag", config.replica_lag_time_max / 2),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.high_watermarks_at.min(self.recovery_points_at).min(self.lag_at))
    }
}

impl Process {
    pub(super) fn tick_background(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        let config = &self.own.config;
        let (high_watermarks, recovery_points, lag) = (
            config.replica_high_watermark_checkpoint_interval,
            config.log_flush_offset_checkpoint_interval,
            config.replica_lag_time_max / 2,
        );
        if is_due(&mut self.background.high_watermarks_at, high_watermarks, step.now) {
            self.write_high_watermarks(step)?;
        }
        if is_due(&mut self.background.recovery_points_at, recovery_points, step.now) {
            self.write_recovery_points(step)?;
        }
        if is_due(&mut self.background.lag_at, lag, step.now) {
            self.shrink_isrs(step);
        }
        Ok(())
    }

    /// L44. Kafka reads each high watermark on its own while others move; one step reads them all here, which the next
    /// process cannot tell apart, because each is clamped to its own log only.
    pub(super) fn write_high_watermarks(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if !self.observer.has_published() {
            return Ok(());
        }
        let watermarks = self.replicas.values().map(|replica| (replica.log.directory(), replica.high_watermark));
        LogFolder::write_high_watermarks(step.disk, watermarks, self.own.protocol.storage.replacing)?;
        Ok(())
    }
}

/// Whether the time has come; if so, sets the next. A clock that jumped far ahead does not make up for missed turns.
fn is_due(at: &mut Time, interval: Duration, now: Time) -> bool {
    let due = now >= *at;
    if due {
        *at = now + interval.max(Duration::from_millis(1));
    }
    due
}
