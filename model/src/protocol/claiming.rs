//! Whose log is in a directory that the last life of a broker has left?

use serde::{Deserialize, Serialize};

use crate::names::TopicId;

/// The answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claiming {
    /// That of the topic whose id is written in it (KIP-516, R99).
    #[default]
    ByTopicId,
    /// Before KIP-516: that of the partition after which it is named. A topic that was deleted and made anew while the broker
    /// was away meets the records of the old one (B42).
    ByName,
}

impl Claiming {
    /// Whether a directory that bears the right name, and in which this id is written, is that of the topic `wanted`.
    #[must_use]
    pub fn is_of(self, written: Option<TopicId>, wanted: TopicId) -> bool {
        match self {
            Self::ByTopicId => written == Some(wanted),
            Self::ByName => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_kip_516_a_name_was_enough() {
        let is_of =
            |answer: Claiming| [Some(TopicId(7)), Some(TopicId(6)), None].map(|id| answer.is_of(id, TopicId(7)));
        assert_eq!(is_of(Claiming::ByTopicId), [true, false, false]);
        assert_eq!(is_of(Claiming::ByName), [true; 3]);
    }
}
