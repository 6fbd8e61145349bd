//! The types that a property can have, and how each is read from text and printed.
//!
//! This file knows no property.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The largest `int` of Java, Kafka's upper bound for most numbers.
pub(super) const INT: i64 = i32::MAX as i64;
/// The largest `long` of Java.
pub(super) const LONG: i64 = i64::MAX;
/// The largest `short` of Java.
pub(super) const SHORT: i64 = i16::MAX as i64;
/// A span of time in milliseconds, as the tables write it.
pub(super) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The range of what is not a number.
pub(super) const NOT_A_NUMBER: RangeInclusive<i64> = 0..=0;

/// What values a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Number,
    /// A span of time, as a whole number of milliseconds.
    Millis,
    /// A number between 0 and 1.
    Ratio,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// Why a text is not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    /// It is of another type.
    Type,
    /// It is a number outside the range.
    Range,
    /// It is a value in Kafka, but not modelled here.
    Unsupported(&'static str),
}

/// A type that a property can have.
pub(super) trait Value: Sized {
    /// What values there are.
    const KIND: Kind;
    /// Reads a value, trimmed already.
    fn parse(text: &str, range: &RangeInclusive<i64>) -> Result<Self, Mistake>;
    /// Prints the value so that [`Value::parse`] reads it again; `None` if there is nothing to print.
    fn show(&self) -> Option<String>;
}

impl Kind {
    /// The type, as a sentence names it.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Boolean => "a boolean",
            Self::Number | Self::Millis => "a whole number",
            Self::Ratio => "a number",
            Self::OneOf(_) => "a value that it knows",
        }
    }
}

impl Value for bool {
    const KIND: Kind = Kind::Boolean;

    fn parse(text: &str, _: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        // As in Kafka, the case of the letters does not matter.
        match text {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(Mistake::Type),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for Duration {
    const KIND: Kind = Kind::Millis;

    fn parse(text: &str, range: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        u64::parse(text, range).map(Self::from_millis)
    }

    fn show(&self) -> Option<String> {
        Some(self.as_millis().to_string())
    }
}

/// A property that need not be set.
impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;

    fn parse(text: &str, range: &RangeInclusive<i64>) -> Result<Self, Mistake> {
        T::parse(text, range).map(Some)
    }

    fn show(&self) -> Option<String> {
        self.as_ref().and_then(Value::show)
    }
}

macro_rules! number_values {
    ($($Number:ty),+) => {$(
        impl Value for $Number {
            const KIND: Kind = Kind::Number;

            fn parse(text: &str, range: &RangeInclusive<i64>) -> Result<Self, Mistake> {
                Self::try_from(whole_number(text, range)?).map_err(|_| Mistake::Range)
            }

            fn show(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )+};
}

number_values!(u16, u32, u64);

/// Reads a whole number as Java does: an optional sign and digits, nothing else.
fn whole_number(text: &str, range: &RangeInclusive<i64>) -> Result<i64, Mistake> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Mistake::Type);
    }
    // All digits, so the only way to fail is to be too large for any of Kafka's types.
    let number = text.parse().map_err(|_| Mistake::Range)?;
    if range.contains(&number) { Ok(number) } else { Err(Mistake::Range) }
}
