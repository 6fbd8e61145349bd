//! How long a failover may take: the timeouts that cause it, added up.
//!
//! For a process that is killed while everything else is well. Knows settings only.

use std::time::Duration;

use model::config::Settings;

/// The name of the scenario in which nothing but failovers happens.
pub const SCENARIO: &str = "failover";

/// What no timeout is about: messages on their way, disks, processes that wake up for their next check.
const ON_THE_WAY: Duration = Duration::from_millis(500);

/// From the end of a leader's process until somebody else leads: its session times out, the controller looks every eighth
/// of a session (C34), the next leader hears of it.
#[must_use]
pub fn of_a_broker(settings: &Settings) -> Duration {
    let session = settings.controller.broker_session_timeout;
    session + session / 8 + ON_THE_WAY
}

/// From the end of the active controller's process until another one is active: its followers miss their fetches, wait for
/// an election of up to twice the timeout, and for a second one after a backoff if the first came to nothing (C6-C13).
#[must_use]
pub fn of_a_controller(settings: &Settings) -> Duration {
    let controller = &settings.controller;
    controller.controller_quorum_fetch_timeout
        + 2 * (2 * controller.controller_quorum_election_timeout + controller.controller_quorum_election_backoff_max)
        + ON_THE_WAY
}
