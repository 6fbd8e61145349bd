//! Numbers under which a mistake is told that is here under another one.

/// The number, and the one of the row: the same decision, answered in the same way.
pub const ELSEWHERE: &[(&str, &str)] =
    &[("B05", "B04"), ("B39", "B02"), ("P01", "P04"), ("P13", "B04"), ("P19", "B10"), ("P22", "B02"), ("P25", "B27")];
