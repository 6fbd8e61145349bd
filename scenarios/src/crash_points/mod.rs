//! Crash points: a run is made once, and then again with one broker stopped in one of its disk calls.
//!
//! A [`Point`] is a name by meaning: whose call, which call, on which side of its effect, the process or the power; and
//! perhaps another call after it, in the recovery. Each is an ordinary [`Plan`](crate::Plan) whose storm has one strike
//! more, so that it is replayed, shrunk and told like any other; that the campaign starts it from a fork of the run near
//! that call only saves time, and changes no fact. This file knows names only; what is there to be struck is for `line`,
//! which of it is for `choice`, the striking itself for `trials`.

mod choice;
mod class;
mod line;
mod states;
mod trials;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use model::names::BrokerId;
use sim::disk::Side;
use sim::fault::Stopping;

pub use choice::{Choice, Stratum, choose};
pub use class::{Class, PathKind, Phase};
pub use line::{Candidate, Line, PlanError};
pub use states::{Boundary, boundaries};
pub use trials::{Recovery, Trials, Tried};

/// Where a broker is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Whose disk call.
    pub broker: BrokerId,
    /// In which.
    pub first: Stop,
    /// In which of the same broker after that, in its recovery.
    pub again: Option<Stop>,
}

/// One disk call, and what stops in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stop {
    /// The call, counted from the first one that the broker's disk ever saw (from 1).
    pub call: u64,
    /// Before, amid or after its effect.
    pub on: On,
    /// The process or the power.
    pub how: How,
}

/// On which side of its effect a call is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum On {
    /// The call did nothing.
    Before,
    /// A part of it was written.
    Amid,
    /// It was done, and nobody learnt of it.
    After,
}

/// What stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// The process: the page cache survives.
    Kill,
    /// The power: what was not synced survives as it is drawn.
    Power,
    /// The power, and one of the legal states is left: by its number, out of so many at most.
    Leaving {
        /// Its number, from 0.
        state: u32,
        /// How many are enumerated at most.
        bound: u32,
    },
}

/// What is wrong with the name of a point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no crash point ({what}); write BROKER:CALL:SIDE:HOW, such as b2:1234:after:power, and for a second \
     crash in the recovery +CALL:SIDE:HOW behind it, such as b2:1234:after:power+1240:before:kill"
)]
pub struct NoPoint {
    text: String,
    what: String,
}

impl Point {
    /// Its stops, in order.
    pub fn stops(&self) -> impl Iterator<Item = Stop> {
        std::iter::once(self.first).chain(self.again)
    }

    /// The same without the second stop.
    #[must_use]
    pub fn without_again(self) -> Self {
        Self { again: None, ..self }
    }

    /// The stop that comes last: the one that the point is about.
    #[must_use]
    pub fn last(&self) -> Stop {
        self.again.unwrap_or(self.first)
    }
}

impl On {
    pub(crate) fn side(self) -> Side {
        match self {
            Self::Before => Side::Before,
            Self::Amid => Side::Amid,
            Self::After => Side::After,
        }
    }
}

impl How {
    pub(crate) fn stopping(self) -> Stopping {
        match self {
            Self::Kill => Stopping::Kill,
            Self::Power => Stopping::Power,
            Self::Leaving { state, bound } => Stopping::PowerLeaving { state, bound },
        }
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::Amid => "amid",
            Self::After => "after",
        })
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Power => f.write_str("power"),
            Self::Leaving { state, bound } => write!(f, "state-{state}-of-{bound}"),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.call, self.on, self.how)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.broker, self.first)?;
        self.again.map_or(Ok(()), |again| write!(f, "+{again}"))
    }
}

impl FromStr for Stop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [call, on, how] = parts[..] else {
            return Err(format!("`{text}` has {} parts between colons instead of 3", parts.len()));
        };
        let call = call.parse().ok().filter(|call| *call > 0);
        let call = call.ok_or_else(|| format!("`{text}` does not begin with the number of a call, from 1"))?;
        let on = match on {
            "before" => On::Before,
            "amid" => On::Amid,
            "after" => On::After,
            other => return Err(format!("the side `{other}` is none of before, amid, after")),
        };
        let how = match how {
            "kill" => How::Kill,
            "power" => How::Power,
            other => left(other).ok_or_else(|| format!("`{other}` is none of kill, power, state-N-of-BOUND"))?,
        };
        Ok(Self { call, on, how })
    }
}

/// `state-3-of-64`.
fn left(text: &str) -> Option<How> {
    let (state, bound) = text.strip_prefix("state-")?.split_once("-of-")?;
    let (state, bound) = (state.parse().ok()?, bound.parse().ok()?);
    (state < bound).then_some(How::Leaving { state, bound })
}

impl FromStr for Point {
    type Err = NoPoint;

    fn from_str(text: &str) -> Result<Self, NoPoint> {
        let wrong = |what: String| NoPoint { text: text.to_owned(), what };
        let (first, again) = text.split_once('+').map_or((text, None), |(first, again)| (first, Some(again)));
        let (broker, first) = first.split_once(':').ok_or_else(|| wrong("it has no colon".to_owned()))?;
        let id = broker.strip_prefix('b').and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| wrong(format!("`{broker}` is no broker")))?;
        let first: Stop = first.parse().map_err(&wrong)?;
        let again: Option<Stop> = again.map(str::parse).transpose().map_err(&wrong)?;
        if again.is_some_and(|again| again.call <= first.call) {
            return Err(wrong("the second call does not come after the first".to_owned()));
        }
        Ok(Self { broker: BrokerId(id), first, again })
    }
}
