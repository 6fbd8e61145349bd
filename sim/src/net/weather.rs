//! How long messages take on a good day.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What every link does to every message, before any fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// The shortest one-way latency.
    pub least: Duration,
    /// The longest usual one; drawn evenly between the two for each message.
    pub most: Duration,
    /// One message of so many takes longer; 0 for none.
    pub gust_one_in: u32,
    /// The longest unusual latency.
    pub gust: Duration,
    /// TCP's first retransmission timeout; it doubles with every attempt.
    pub retransmission: Duration,
    /// Where it stops doubling.
    pub retransmission_max: Duration,
}

impl Weather {
    /// One data centre.
    pub const FAIR: Self = Self {
        least: Duration::from_micros(200),
        most: Duration::from_micros(1_000),
        gust_one_in: 500,
        gust: Duration::from_millis(20),
        retransmission: Duration::from_millis(200),
        retransmission_max: Duration::from_secs(5),
    };

    /// Every message takes exactly as long as any other: for scripts that count milliseconds.
    #[must_use]
    pub const fn still(latency: Duration) -> Self {
        Self { least: latency, most: latency, gust_one_in: 0, ..Self::FAIR }
    }
}

impl Default for Weather {
    fn default() -> Self {
        Self::FAIR
    }
}
