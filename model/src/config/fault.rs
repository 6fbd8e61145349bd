//! What can be wrong with a configuration, and what is merely worth saying about it.
//!
//! Everything here is told to a person: it names the file, the line and the property, and says what to do.

use std::fmt;

use thiserror::Error;

/// Everything that is wrong with one configuration, in order of line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigError {
    /// What is wrong; never empty.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    /// `Ok` if nothing is wrong, else everything that is, in order of line.
    pub(super) fn unless_empty(mut problems: Vec<Problem>) -> Result<(), Self> {
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {fault}")]
pub struct Problem {
    /// The name of the file, as it was given to [`Properties::parse`](super::Properties::parse).
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a property, and the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// No such property in Kafka, or not in this place.
    #[error("{property}: unknown property; {remedy}")]
    Unknown {
        /// The name, as written.
        property: String,
        /// What to do.
        remedy: String,
    },
    /// The value is not of the property's type.
    #[error("{property}: {value:?} is not {expected}; {remedy}")]
    IllTyped {
        /// The name, as written.
        property: String,
        /// The value, as written.
        value: String,
        /// The property's type, such as `a whole number`.
        expected: &'static str,
        /// What to do.
        remedy: String,
    },
    /// The value is a number, but not one that the property can take.
    #[error("{property}: {value} is out of range; {remedy}")]
    OutOfRange {
        /// The name, as written.
        property: String,
        /// The value, as written.
        value: String,
        /// What to do.
        remedy: String,
    },
    /// Each value is sound, but not together with another one.
    #[error("{property}: {contradiction}; {remedy}")]
    Contradiction {
        /// The property on whose line this is reported.
        property: String,
        /// What contradicts what, with the values.
        contradiction: String,
        /// What to do.
        remedy: String,
    },
    /// The line itself cannot be read.
    #[error("{property}: {what}; {remedy}")]
    Malformed {
        /// The name, as far as it could be read.
        property: String,
        /// What is wrong with the text.
        what: String,
        /// What to do.
        remedy: String,
    },
}

/// Something about a sound configuration that its author should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Kafka knows the property, or the value, but this testbed does not model it: the line has no effect.
    Ignored {
        /// The name of the file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The name, as written.
        property: String,
        /// Why it has no effect.
        reason: String,
    },
    /// The same property is set again further down; as in Java, the last line wins.
    Overridden {
        /// The name of the file.
        file: String,
        /// The line without effect, from 1.
        line: u32,
        /// The name, as written.
        property: String,
        /// The line that wins.
        by_line: u32,
    },
    /// Kafka 4 itself would refuse so small a value. It is taken here, because small segments roll often (S13).
    BelowKafkaMinimum {
        /// The name of the file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The name, as written.
        property: String,
        /// The value that was taken.
        value: String,
        /// Kafka's own minimum.
        minimum: i64,
    },
    /// A topic-level name in the file of a server: Kafka would not look at it there. It is taken here, for the topics
    /// that a scenario creates.
    TopicLevel {
        /// The name of the file.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The name, as written.
        property: String,
        /// The broker's property that Kafka would look at.
        broker_property: &'static str,
    },
    /// A property that was not set was moved from its default to agree with one that was, as Kafka does (P6).
    Adjusted {
        /// The name of the file.
        file: String,
        /// The line of the property that was set, from 1.
        line: u32,
        /// The property that was moved.
        property: String,
        /// Its value now.
        value: String,
        /// Why.
        reason: String,
    },
}

impl Notice {
    /// The line that it is about, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        match self {
            Self::Ignored { line, .. }
            | Self::Overridden { line, .. }
            | Self::BelowKafkaMinimum { line, .. }
            | Self::TopicLevel { line, .. }
            | Self::Adjusted { line, .. } => *line,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ignored { file, line, property, reason } => {
                write!(f, "{file}:{line}: {property}: ignored: {reason}")
            }
            Self::Overridden { file, line, property, by_line } => {
                write!(f, "{file}:{line}: {property}: overridden by line {by_line}")
            }
            Self::BelowKafkaMinimum { file, line, property, value, minimum } => {
                write!(f, "{file}:{line}: {property}: {value} is taken, though Kafka's minimum is {minimum}")
            }
            Self::TopicLevel { file, line, property, broker_property } => write!(
                f,
                "{file}:{line}: {property}: a topic-level property, taken for every topic that a scenario creates; \
                 a Kafka broker would look at {broker_property} only"
            ),
            Self::Adjusted { file, line, property, value, reason } => {
                write!(f, "{file}:{line}: {property}: set to {value}: {reason}")
            }
        }
    }
}
