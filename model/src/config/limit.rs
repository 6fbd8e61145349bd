//! Numbers that are more than numbers: a share between nothing and all, and a bound that may be left out with `-1`.
//!
//! This file knows no property.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::value::{Kind, Mistake, Value};

/// A share: 0 is nothing, 1 is all. In JSON it is text, for JSON's numbers may lose the last digit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ratio(f64);

/// A number that is no share.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not between 0 and 1")]
pub struct NotARatio(String);

/// A bound, or none: in a file `-1` says that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Limit<T> {
    /// This much and no more.
    At(T),
    /// `-1`: no bound.
    None,
}

impl Ratio {
    /// One half.
    pub const HALF: Self = Self(0.5);

    /// Nine tenths, within what a float can say.
    pub(super) const NINE_TENTHS: Self = Self(0.9);

    /// The share.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

/// A share is never NaN, so equality is what one expects.
impl Eq for Ratio {}

impl TryFrom<f64> for Ratio {
    type Error = NotARatio;

    fn try_from(number: f64) -> Result<Self, NotARatio> {
        // A negative zero would be another one on paper.
        if (0.0..=1.0).contains(&number) { Ok(Self(number.abs())) } else { Err(NotARatio(number.to_string())) }
    }
}

impl TryFrom<String> for Ratio {
    type Error = NotARatio;

    fn try_from(text: String) -> Result<Self, NotARatio> {
        match text.parse::<f64>() {
            Ok(number) => Self::try_from(number),
            Err(_) => Err(NotARatio(text)),
        }
    }
}

impl From<Ratio> for String {
    fn from(ratio: Ratio) -> Self {
        ratio.to_string()
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl<T> Limit<T> {
    /// The bound, if there is one.
    pub fn get(self) -> Option<T> {
        match self {
            Self::At(bound) => Some(bound),
            Self::None => None,
        }
    }
}

impl Value for Ratio {
    const KIND: Kind = Kind::Ratio;

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        let number: f64 = text.parse().map_err(|_| Mistake::Type)?;
        if number.is_nan() {
            return Err(Mistake::Type);
        }
        Self::try_from(number).map_err(|_| Mistake::Range)
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl<T: Value> Value for Limit<T> {
    const KIND: Kind = T::KIND;

    fn parse(text: &str, range: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        if text == "-1" { Ok(Self::None) } else { T::parse(text, range).map(Self::At) }
    }

    fn show(&self) -> Option<String> {
        match self {
            Self::At(bound) => bound.show(),
            Self::None => Some("-1".to_owned()),
        }
    }
}
