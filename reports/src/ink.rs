//! The colours of every figure, the words in those that are written by hand, and how a figure looks on a page that may be dark.
//!
//! Figures on their own are drawn on white. On the page, ink, greys and paper become the page's own colours; the colours
//! of data are chosen to be told apart on both, also by those who do not see red and green alike.

use std::fmt::{self, Write};

/// Text and axes.
pub(crate) const INK: &str = "#1F2933";
/// Less important text.
pub(crate) const MUTED: &str = "#66717D";
/// Lines that only guide the eye.
pub(crate) const GRID: &str = "#E2E6EA";
/// What is drawn upon.
pub(crate) const PAPER: &str = "#FFFFFF";
/// Data: blue, orange, green, purple, vermilion, grey.
pub(crate) const SERIES: [&str; 6] = ["#2B7BBA", "#E08A00", "#119E74", "#A65DB0", "#D2553A", "#7F8A94"];

/// The figure in the colours of the page, by CSS variables, and as wide as its place.
pub(crate) fn on_page(svg: &str) -> String {
    let mut themed = svg.to_owned();
    for (colour, variable) in [(INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid"), (PAPER, "--paper")] {
        themed = themed.replace(&format!("\"{colour}\""), &format!("\"var({variable})\""));
    }
    // What stands before the element belongs to a file, not into a page.
    let start = themed.find("<svg").unwrap_or(0);
    themed.split_off(start)
}

/// Text as it may stand in XML.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Text that begins here.
pub(crate) fn words(to: &mut String, x: f64, y: f64, size: f64, colour: &str, text: &str) -> fmt::Result {
    writeln!(to, r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" fill="{colour}">{}</text>"#, escaped(text))
}

/// Text that ends here.
pub(crate) fn right(to: &mut String, x: f64, y: f64, size: f64, colour: &str, text: &str) -> fmt::Result {
    write!(to, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="end" font-size="{size}" "#)?;
    writeln!(to, r#"fill="{colour}">{}</text>"#, escaped(text))
}

/// Text in the middle of here.
pub(crate) fn centred(to: &mut String, x: f64, y: f64, size: f64, colour: &str, text: &str) -> fmt::Result {
    write!(to, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="middle" font-size="{size}" "#)?;
    writeln!(to, r#"fill="{colour}">{}</text>"#, escaped(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_page_only_the_colours_of_the_paper_change() {
        let svg = format!("<?xml version=\"1.0\"?>\n<svg><text fill=\"{INK}\"/><path stroke=\"{}\"/></svg>", SERIES[0]);
        let expected = format!("<svg><text fill=\"var(--ink)\"/><path stroke=\"{}\"/></svg>", SERIES[0]);
        assert_eq!(on_page(&svg), expected);
    }

    #[test]
    fn text_cannot_end_the_element_it_stands_in() {
        assert_eq!(escaped("a<b & \"c\">\u{1b}"), "a&lt;b &amp; &quot;c&quot;&gt; ");
    }
}
