//! What people type, and what it means: ranges of seeds and spans of time.
//!
//! Each error says what would have been understood. Knows no command line.

use std::str::FromStr;
use std::time::Duration;

/// Seeds from `from` up to, but not including, `to`; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seeds {
    /// The first.
    pub(crate) from: u64,
    /// The bound.
    pub(crate) to: u64,
}

impl Seeds {
    /// How many.
    pub(crate) fn count(self) -> u64 {
        self.to - self.from
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const FORMS: &str =
            "write a number of seeds, such as 500, or a range, such as 1000..2000 (the end is not in it)";
        let number = |text: &str| {
            let text = text.trim();
            if text.starts_with('-') {
                return Err(format!("`{text}` is negative and seeds begin at 0; {FORMS}"));
            }
            text.replace('_', "").parse::<u64>().map_err(|_| format!("`{text}` is not a seed; {FORMS}"))
        };
        let seeds = match text.split_once("..") {
            Some((from, to)) => Self { from: number(from)?, to: number(to)? },
            None => Self { from: 0, to: number(text)? },
        };
        if seeds.to <= seeds.from {
            return Err(format!("`{text}` has no seed in it; {FORMS}"));
        }
        Ok(seeds)
    }
}

/// Reads a span of time such as `10m`, `90s`, `1h30m` or `500ms`; more than nothing.
///
/// # Errors
/// What is wrong and what would be right.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    const FORMS: &str = "write numbers with units, such as 10m, 90s, 1h30m or 500ms";
    let wrong = || format!("`{text}` is not a span of time; {FORMS}");
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(digits);
        let unit_ends = behind.find(|letter: char| letter.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_ends);
        let millis = match unit.trim() {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        total += Duration::from_millis(number.checked_mul(millis).ok_or_else(wrong)?);
        rest = behind;
    }
    if total.is_zero() {
        return Err(format!("`{text}` is no time at all; {FORMS}"));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_seeds_begins_at_zero_and_a_range_where_it_says() {
        assert_eq!("500".parse(), Ok(Seeds { from: 0, to: 500 }));
        assert_eq!("1_000..2_000".parse(), Ok(Seeds { from: 1_000, to: 2_000 }));
        assert_eq!("7..8".parse::<Seeds>().unwrap().count(), 1);
    }

    #[test]
    fn seeds_that_are_negative_empty_or_no_numbers_are_refused_with_what_would_be_right() {
        for (text, says) in [
            ("-5", "negative"),
            ("-5..5", "negative"),
            ("0", "no seed in it"),
            ("9..3", "no seed in it"),
            ("4..4", "no seed in it"),
            ("", "not a seed"),
            ("many", "not a seed"),
            ("3..x", "not a seed"),
            ("99999999999999999999", "not a seed"),
        ] {
            let error = text.parse::<Seeds>().unwrap_err();
            assert!(error.contains(says) && error.contains("1000..2000"), "{text}: {error}");
        }
    }

    #[test]
    fn spans_are_sums_of_numbers_with_units() {
        assert_eq!(span("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(span("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
    }

    #[test]
    fn spans_without_unit_of_no_length_or_beyond_all_measure_are_refused() {
        for text in ["", "10", "-3m", "3 apples", "0s", "m", "99999999999999999h"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
