//! What a controller does unasked, and when (C27, C34, R94). It must not know what a chore consists of.

use std::time::Duration;

use crate::config::ControllerConfig;
use crate::names::Time;

/// Something done from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chore {
    /// Fence the broker whose session ended first, if there is one (C34).
    FenceStale,
    /// Elect a leader where the topic would rather lose records than be unavailable (R94).
    ElectUncleanly,
    /// Give partitions back to their preferred leaders (R94).
    Balance,
    /// Write a record that says nothing, so that all can see that the log moves (C27).
    NoOp,
}

/// When each chore is due. One that never is, is not here.
#[derive(Clone, Debug)]
pub(super) struct Chores {
    list: Vec<Scheduled>,
}

#[derive(Clone, Copy, Debug)]
struct Scheduled {
    chore: Chore,
    every: Duration,
    due: Time,
}

impl Chores {
    /// All chores, each for the first time after its interval.
    pub(super) fn begin(config: &ControllerConfig, now: Time) -> Self {
        let balance_interval = Duration::from_secs(config.leader_imbalance_check_interval_seconds.into());
        let intervals = [
            (Chore::FenceStale, Some(config.broker_session_timeout / 8)),
            (Chore::ElectUncleanly, Some(config.unclean_leader_election_interval)),
            (Chore::Balance, config.auto_leader_rebalance_enable.then_some(balance_interval)),
            (Chore::NoOp, Some(config.metadata_max_idle_interval).filter(|interval| !interval.is_zero())),
        ];
        let scheduled = |(chore, every): (Chore, Option<Duration>)| {
            // A session of no length would have the check run without end at one instant.
            let every = every?.max(Duration::from_millis(1));
            Some(Scheduled { chore, every, due: now + every })
        };
        Self { list: intervals.into_iter().filter_map(scheduled).collect() }
    }

    /// When the first one is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.list.iter().map(|scheduled| scheduled.due).min()
    }

    /// The chore that is due first, if it is due by now. It is due again an interval from now.
    pub(super) fn take(&mut self, now: Time) -> Option<Chore> {
        let first = self.list.iter_mut().min_by_key(|scheduled| scheduled.due)?;
        if first.due > now {
            return None;
        }
        first.due = now + first.every;
        Some(first.chore)
    }

    /// There was more to do than is done at once, so it goes on with the next tick.
    pub(super) fn go_on(&mut self, chore: Chore, now: Time) {
        for scheduled in self.list.iter_mut().filter(|scheduled| scheduled.chore == chore) {
            scheduled.due = now;
        }
    }
}

#[cfg(test)]
impl Chores {
    /// Has a chore done at this time, and never again.
    pub(super) fn order(&mut self, chore: Chore, due: Time) {
        self.list.push(Scheduled { chore, every: Duration::MAX, due });
    }
}
