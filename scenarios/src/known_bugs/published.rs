//! What the model checker found of the same mistakes: the length of its shortest trace, and how often a random walk hits.
//!
//! Published figures, to be printed next to ours. The abstractions differ, so what is to be compared is the order, not the
//! numbers.

/// What is known of one mistake.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Of which.
    pub id: &'static str,
    /// States in the shortest trace, the first one counted.
    pub shortest: u32,
    /// Random walks that hit it, of how many; `None` if nobody counted.
    pub walks: Option<(u32, u32)>,
    /// The model.
    pub model: &'static str,
}

const KAFKA_SPECIFICATION: &str = "hachikuji/kafka-specification, 3 replicas, 2 records, 3 epochs";
const KAFKA_TLAPLUS: &str = "Vanlightly/kafka-tlaplus, 3 brokers, 1 value";

const fn walked(id: &'static str, shortest: u32, hits: u32, walks: u32) -> Published {
    Published { id, shortest, walks: Some((hits, walks)), model: KAFKA_SPECIFICATION }
}

const fn searched(id: &'static str, shortest: u32, model: &'static str) -> Published {
    Published { id, shortest, walks: None, model }
}

const ALL: &[Published] = &[
    searched("P04", 5, KAFKA_SPECIFICATION),
    walked("P03", 6, 1_401, 4_000),
    searched("P05", 6, KAFKA_SPECIFICATION),
    walked("P02", 7, 1_171, 4_000),
    walked("P15", 7, 806, 4_000),
    walked("B14", 7, 215, 4_000),
    walked("B08", 9, 290, 4_000),
    searched("P11", 9, KAFKA_SPECIFICATION),
    searched("B02", 10, KAFKA_SPECIFICATION),
    walked("B01", 9, 58, 4_000),
    walked("B06", 12, 6, 40_000),
    walked("B04", 14, 0, 40_000),
    walked("B03", 14, 1, 40_000),
    searched("B07", 6, KAFKA_TLAPLUS),
    searched("B10", 14, KAFKA_TLAPLUS),
    searched("B11", 8, KAFKA_TLAPLUS),
    searched("B12", 4, KAFKA_TLAPLUS),
    searched("B13", 11, KAFKA_TLAPLUS),
];

/// All that is known.
#[must_use]
pub fn published() -> &'static [Published] {
    ALL
}

/// What is known of the one with this id.
#[must_use]
pub fn published_of(id: &str) -> Option<&'static Published> {
    ALL.iter().find(|row| row.id == id)
}
