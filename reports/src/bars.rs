//! Crash points tried against what came of them, as bars in SVG: a pair for each kind of disk call, killed and cut.
//!
//! Takes numbers and names, gives a picture. The same numbers give the same bytes.

use std::fmt::{self, Write};

use crate::chart::grouped;
use crate::ink;

/// Bars that belong together: the same disk call, once with the process killed and once with the power cut.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What they are about.
    pub(crate) name: String,
    /// Each with what it is and how many of how many were tried.
    pub(crate) bars: Vec<Bar>,
}

/// One bar.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    /// What it is.
    pub(crate) name: &'static str,
    /// How many came to what, in order of [`PARTS`].
    pub(crate) parts: [u64; 4],
    /// How many there are in all.
    pub(crate) of: u64,
}

/// What a bar is made of, and in which colour.
pub(crate) const PARTS: [(&str, &str); 4] = [
    ("recovered", ink::SERIES[2]),
    ("recovered, with a loss within the contract", ink::SERIES[1]),
    ("a guarantee was broken", ink::SERIES[4]),
    ("did not recover", ink::SERIES[3]),
];

const WIDTH: f64 = 880.0;
const LEFT: f64 = 210.0;
/// Room behind the longest bar for its numbers.
const RIGHT: f64 = 150.0;
const TOP: f64 = 112.0;
const BAR: f64 = 11.0;
const STEP: f64 = 14.0;
const GAP: f64 = 12.0;
/// One failure among thousands must be seen.
const LEAST: f64 = 3.0;

/// The picture; `facts` stands below the title.
pub(crate) fn bars(title: &str, facts: &str, pairs: &[Pair]) -> String {
    let mut svg = String::new();
    write_bars(&mut svg, title, facts, pairs).expect("writing into a string does not fail");
    svg
}

fn write_bars(to: &mut String, title: &str, facts: &str, pairs: &[Pair]) -> fmt::Result {
    let height = TOP + pairs.iter().map(height_of).sum::<f64>() + 12.0;
    write!(to, r#"<svg xmlns="http://www.w3.org/2000/svg" width="100%" viewBox="0 0 {WIDTH} {height}" "#)?;
    writeln!(to, r#"font-family="sans-serif">"#)?;
    writeln!(to, r#"<rect width="{WIDTH}" height="{height}" fill="{}"/>"#, ink::PAPER)?;
    ink::words(to, 18.0, 32.0, 22.0, ink::INK, title)?;
    ink::words(to, 18.0, 54.0, 14.0, ink::MUTED, facts)?;
    write_legend(to, pairs)?;
    let most = pairs.iter().flat_map(|pair| &pair.bars).map(Bar::tried).max().unwrap_or(0).max(1);
    let mut y = TOP;
    for pair in pairs {
        ink::right(to, LEFT - 58.0, y + (height_of(pair) - GAP) / 2.0 + 3.0, 15.0, ink::INK, &pair.name)?;
        for bar in &pair.bars {
            write_bar(to, y, bar, (WIDTH - LEFT - RIGHT) / most as f64)?;
            y += STEP;
        }
        y += GAP;
    }
    if pairs.is_empty() {
        ink::centred(to, WIDTH / 2.0, TOP - 2.0, 16.0, ink::MUTED, "no crash points in this campaign")?;
    }
    writeln!(to, "</svg>")
}

fn write_legend(to: &mut String, pairs: &[Pair]) -> fmt::Result {
    let mut x = 18.0;
    for (place, (name, colour)) in PARTS.iter().enumerate() {
        let count: u64 = pairs.iter().flat_map(|pair| &pair.bars).map(|bar| bar.parts[place]).sum();
        writeln!(to, r#"<rect x="{x:.1}" y="76" width="14" height="14" fill="{colour}"/>"#)?;
        let text = format!("{} {name}", grouped(count));
        ink::words(to, x + 20.0, 88.0, 14.0, ink::INK, &text)?;
        x += 48.0 + 6.8 * text.chars().count() as f64;
    }
    Ok(())
}

fn write_bar(to: &mut String, y: f64, bar: &Bar, scale: f64) -> fmt::Result {
    ink::right(to, LEFT - 8.0, y + BAR - 1.5, 12.0, ink::MUTED, bar.name)?;
    let mut x = LEFT;
    for (count, (_, colour)) in bar.parts.iter().zip(PARTS) {
        if *count > 0 {
            let width = (*count as f64 * scale).max(LEAST);
            writeln!(to, r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" fill="{colour}"/>"#)?;
            x += width;
        }
    }
    let text = format!("{} of {}", grouped(bar.tried()), grouped(bar.of));
    ink::words(to, x + 8.0, y + BAR - 1.5, 12.0, ink::MUTED, &text)
}

fn height_of(pair: &Pair) -> f64 {
    pair.bars.len() as f64 * STEP + GAP
}

impl Bar {
    fn tried(&self) -> u64 {
        self.parts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(parts: [u64; 4]) -> Pair {
        Pair { name: "append".to_owned(), bars: vec![Bar { name: "kill", parts, of: 10_000 }] }
    }

    #[test]
    fn one_failure_among_thousands_is_seen() {
        let svg = bars("t", "f", &[pair([5_000, 0, 1, 0])]);
        let seen = format!(r#"width="3.0" height="11" fill="{}""#, PARTS[2].1);
        assert!(svg.contains(&seen) && svg.contains("5,001 of 10,000"), "{svg}");
        assert!(svg.contains("1 a guarantee was broken"));
    }

    #[test]
    fn bars_stay_within_the_picture() {
        let svg = bars("t", "f", &[pair([5_000, 10, 10, 10]), pair([1, 0, 0, 0])]);
        let ends = svg.lines().filter(|line| line.starts_with("<rect x=")).map(|line| {
            let number = |name: &str| -> f64 {
                let from = line.split(&format!(" {name}=\"")).nth(1).unwrap();
                from.split('"').next().unwrap().parse().unwrap()
            };
            number("x") + number("width")
        });
        assert!(ends.fold(0.0, f64::max) < WIDTH);
    }

    #[test]
    fn a_campaign_without_points_says_so() {
        assert!(bars("t", "f", &[]).contains("no crash points"));
    }
}
