//! What may a returning broker claim?

use serde::{Deserialize, Serialize};

/// The answers, without eligible leader replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Returning {
    /// Nothing: a new incarnation is treated as if the old one had been fenced first, so it leaves every in-sync set in
    /// which it is not the last (KAFKA-18106, R90).
    AsFenced,
    /// Before KAFKA-18106: a broker that returns before it was fenced keeps its seats, whatever it lost (B38).
    KeepsItsSeats,
}

impl Returning {
    /// Whether the seats of the old incarnation are taken away at registration.
    #[must_use]
    pub fn loses_seats(self) -> bool {
        match self {
            Self::AsFenced => true,
            Self::KeepsItsSeats => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_incarnation_keeps_its_seats_only_before_kafka_18106() {
        assert_eq!([Returning::AsFenced, Returning::KeepsItsSeats].map(Returning::loses_seats), [true, false]);
    }
}
