//! `cleanup.policy`: how a log is kept from growing for ever.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::value::{Kind, Mistake, Value};

/// What may happen to old records; both at once is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CleanupPolicy {
    /// Old segments are deleted by time and by size, and records on request (L72, L75).
    pub delete: bool,
    /// Of several records with one key the last is kept (L77).
    pub compact: bool,
}

impl CleanupPolicy {
    /// Kafka's default.
    pub const DELETE: Self = Self { delete: true, compact: false };
    /// Only the last record of a key counts, and that is kept for ever.
    pub const COMPACT: Self = Self { delete: false, compact: true };
}

impl Default for CleanupPolicy {
    fn default() -> Self {
        Self::DELETE
    }
}

impl Value for CleanupPolicy {
    const KIND: Kind = Kind::OneOf(&["delete", "compact", "compact,delete"]);

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        let mut policy = Self { delete: false, compact: false };
        for word in text.split(',') {
            match word.trim() {
                "delete" => policy.delete = true,
                "compact" => policy.compact = true,
                _ => return Err(Mistake::Type),
            }
        }
        Ok(policy)
    }

    fn show(&self) -> Option<String> {
        let text = match (self.compact, self.delete) {
            (true, true) => "compact,delete",
            (true, false) => "compact",
            (false, _) => "delete",
        };
        Some(text.to_owned())
    }
}
