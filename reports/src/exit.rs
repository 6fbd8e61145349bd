//! What the program's exit code says. Knows nothing of how it came about.

use std::process::ExitCode;

use serde::Serialize;

/// How the program ends. Scripts count on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exit {
    /// Every guarantee in scope was put to the test and held.
    Held,
    /// A guarantee was broken, or a run ended in a panic.
    Violated,
    /// Nothing was broken, but not everything that was planned was shown: a run that shows nothing, a guarantee that was
    /// never put to the test, a campaign that was cut short.
    Inconclusive,
    /// The same seed gave another digest.
    Differing,
    /// The harness itself failed: the canary was not found, the report cannot be written.
    Harness,
    /// The command line asks for something that does not exist.
    Usage,
    /// A file that was handed in cannot be used.
    BadInput,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Held => 0,
            Self::Violated => 1,
            Self::Inconclusive => 2,
            Self::Differing => 3,
            Self::Harness => 4,
            Self::Usage => 64,
            Self::BadInput => 65,
        }
    }

    /// In a word, for people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Inconclusive => "inconclusive",
            Self::Differing => "not deterministic",
            Self::Harness => "harness failure",
            Self::Usage => "usage error",
            Self::BadInput => "bad input",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
