//! What a broker does from time to time, and when each is due (R145, N31). What it is stands in a file of its own.
//!
//! Does not know requests.

use std::time::Duration;

use super::Process;
use super::step::Step;
use crate::config::BrokerConfig;
use crate::machine::{Chance, Stop};
use crate::names::{Time, earliest};

/// Something that is done from time to time. Those that are due at once are done in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chore {
    /// High watermarks are written down (L44).
    HighWatermarks,
    /// Recovery points are written down (L33).
    RecoveryPoints,
    /// Who lags leaves the ISR (R50).
    Lag,
    /// Log start offsets are written down (L45).
    LogStarts,
    /// Old segments go (L72).
    Retention,
    /// What has not been synced for long is (L32).
    Flushing,
    /// Silent producers are forgotten (L62).
    Producers,
    /// The cleaner looks for a log to clean (L77).
    Cleaning,
}

/// When each chore is due.
#[derive(Clone, Debug)]
pub(super) struct Background {
    /// By its place in [`Chore::ALL`]; nothing for a chore that is not wanted.
    due: [Option<Time>; Chore::ALL.len()],
    /// When the first of them, or of the deletions that were known at the last tick, is due: asked for after every step.
    next: Option<Time>,
}

impl Chore {
    const ALL: [Self; 8] = [
        Self::HighWatermarks,
        Self::RecoveryPoints,
        Self::Lag,
        Self::LogStarts,
        Self::Retention,
        Self::Flushing,
        Self::Producers,
        Self::Cleaning,
    ];

    fn interval(self, config: &BrokerConfig) -> Duration {
        match self {
            Self::HighWatermarks => config.replica_high_watermark_checkpoint_interval,
            Self::RecoveryPoints => config.log_flush_offset_checkpoint_interval,
            Self::Lag => config.replica_lag_time_max / 2,
            Self::LogStarts => config.log_flush_start_offset_checkpoint_interval,
            Self::Retention => config.log_retention_check_interval,
            Self::Flushing => config.log_flush_scheduler_interval,
            Self::Producers => config.producer_id_expiration_check_interval,
            Self::Cleaning => config.log_cleaner_backoff,
        }
    }

    /// How long after the start of the process its first interval begins.
    fn delay(self, config: &BrokerConfig) -> Duration {
        match self {
            Self::LogStarts | Self::Retention | Self::Flushing => config.log_initial_task_delay,
            Self::HighWatermarks | Self::RecoveryPoints | Self::Lag | Self::Producers | Self::Cleaning => {
                Duration::ZERO
            }
        }
    }

    /// For what its first turn is drawn.
    fn purpose(self) -> &'static str {
        match self {
            Self::HighWatermarks => "high watermark checkpoint",
            Self::RecoveryPoints => "recovery point checkpoint",
            Self::Lag => "replica lag",
            Self::LogStarts => "log start offset checkpoint",
            Self::Retention => "retention",
            Self::Flushing => "flusher",
            Self::Producers => "producer expiration",
            Self::Cleaning => "cleaner",
        }
    }

    fn is_wanted(self, config: &BrokerConfig) -> bool {
        self != Self::Cleaning || config.log_cleaner_enable
    }
}

impl Background {
    /// The first turns come after a part of the interval that differs from process to process (N31).
    pub(super) fn new(chance: Chance, now: Time, config: &BrokerConfig) -> Self {
        let first = |chore: Chore| {
            let drawn = u32::try_from(chance.draw(chore.purpose(), 0) >> 32).unwrap_or(u32::MAX);
            let share = f64::from(drawn) / f64::from(u32::MAX);
            now + chore.delay(config) + chore.interval(config).mul_f64(share)
        };
        let due = Chore::ALL.map(|chore| chore.is_wanted(config).then(|| first(chore)));
        Self { due, next: earliest(due) }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.next
    }
}

impl Process {
    pub(super) fn tick_background(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        for chore in Chore::ALL {
            if !self.is_due(chore, step.now) {
                continue;
            }
            match chore {
                Chore::HighWatermarks => self.write_high_watermarks(step)?,
                Chore::RecoveryPoints => self.write_recovery_points(step)?,
                Chore::Lag => self.shrink_isrs(step),
                Chore::LogStarts => self.write_log_starts(step)?,
                Chore::Retention => self.retain(step)?,
                Chore::Flushing => self.flush_old(step)?,
                Chore::Producers => self.expire_producers(step.now),
                Chore::Cleaning => self.look_for_dirt(step)?,
            }
        }
        self.sweep(step)?;
        // What is discarded between two ticks has to wait for longer than the next one takes.
        self.background.next = earliest([earliest(self.background.due), self.sweep_due()]);
        Ok(())
    }

    /// Whether the time has come; if so, sets the next. A clock that jumped far ahead does not make up for missed turns.
    fn is_due(&mut self, chore: Chore, now: Time) -> bool {
        let due = &mut self.background.due[chore as usize];
        let Some(at) = due.as_mut().filter(|at| now >= **at) else { return false };
        *at = now + chore.interval(&self.own.config).max(Duration::from_millis(1));
        true
    }
}
