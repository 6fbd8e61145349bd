//! One run as swim lanes, in hand-written SVG: a lane per broker, faults shaded, the ISR as a ribbon, the leader marked,
//! log end and high watermark as lines.
//!
//! Takes spans and numbers and gives a picture; what they mean in a trace is for `lanes`.

use std::fmt::{self, Write};

use crate::ink::{self, GRID, INK, MUTED, PAPER, centred, escaped, right, words};

/// What a run comes to for the eye. Times are seconds since the run began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    /// What is shown.
    pub(crate) title: String,
    /// Which partition, which seed.
    pub(crate) subtitle: String,
    /// When the run ended.
    pub(crate) length: f64,
    /// One per broker.
    pub(crate) lanes: Vec<Lane>,
    /// What struck, in order.
    pub(crate) blows: Vec<Blow>,
    /// Named moments.
    pub(crate) marks: Vec<Mark>,
}

/// One broker and its replica of the partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// The broker.
    pub(crate) name: String,
    /// When something was wrong with it.
    pub(crate) shades: Vec<Shade>,
    /// When it was in the committed ISR.
    pub(crate) in_sync: Vec<Span>,
    /// When it believed to lead, and in which epoch.
    pub(crate) leads: Vec<(Span, i32)>,
    /// Its log end offset from each time on.
    pub(crate) ends: Vec<(f64, u64)>,
    /// Its high watermark from each time on.
    pub(crate) watermarks: Vec<(f64, u64)>,
    /// When it cut its log, and what that did.
    pub(crate) cuts: Vec<(f64, String)>,
}

/// From, and up to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// From.
    pub(crate) from: f64,
    /// Up to.
    pub(crate) to: f64,
}

/// A time in which something was wrong.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shade {
    /// When.
    pub(crate) span: Span,
    /// What, roughly: decides the colour.
    pub(crate) trouble: Trouble,
    /// What, exactly.
    pub(crate) title: String,
}

/// What was wrong, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// It had no process.
    Down,
    /// It stood still.
    Paused,
    /// Its links were cut, slow or held.
    Network,
    /// Its disk stalled, was slow or full.
    Disk,
}

/// One fault that struck, or the end of one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blow {
    /// When.
    pub(crate) at: f64,
    /// What, and whom.
    pub(crate) text: String,
    /// Whether it takes something back.
    pub(crate) mends: bool,
}

/// A named moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: f64,
    /// What.
    pub(crate) text: String,
    /// Whether a promise was broken then.
    pub(crate) broken: bool,
}

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 1180.0;
const TOP: f64 = 138.0;
const RIBBON: f64 = 16.0;
const LANE: f64 = 96.0;
const GAP: f64 = 12.0;
/// So many faults are told by name below the lanes; the rest keep their number and their tooltip.
const TOLD: usize = 48;
const KEY_LINE: f64 = 18.0;
const KEY_COLUMNS: usize = 3;

const IN_SYNC: &str = "#9CCDBB";
const LEADS: &str = ink::SERIES[0];
const END: &str = "#A9B4BF";
const WATERMARK: &str = ink::SERIES[4];
const BROKEN: &str = "#C62828";

impl Timeline {
    /// The picture.
    #[must_use]
    pub(crate) fn svg(&self) -> String {
        let mut svg = String::new();
        Drawing { timeline: self, most: self.most() }.draw(&mut svg).expect("writing into a string does not fail");
        svg
    }

    /// The highest offset in the picture.
    fn most(&self) -> u64 {
        let ends = self.lanes.iter().flat_map(|lane| &lane.ends).map(|&(_, end)| end);
        ends.max().unwrap_or(0).max(1)
    }
}

impl Trouble {
    const ALL: [Self; 4] = [Self::Down, Self::Paused, Self::Network, Self::Disk];

    fn colour(self) -> &'static str {
        match self {
            Self::Down => "#6B7580",
            Self::Paused => "#E0B000",
            Self::Network => "#D2553A",
            Self::Disk => "#A65DB0",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Paused => "stands still",
            Self::Network => "network trouble",
            Self::Disk => "disk trouble",
        }
    }
}

/// A timeline on its way into SVG.
struct Drawing<'a> {
    timeline: &'a Timeline,
    most: u64,
}

impl Drawing<'_> {
    fn draw(&self, to: &mut String) -> fmt::Result {
        let bottom = TOP + self.timeline.lanes.len() as f64 * (LANE + GAP);
        let told = self.timeline.blows.len().min(TOLD);
        let key =
            told.div_ceil(KEY_COLUMNS) as f64 * KEY_LINE + if self.timeline.blows.is_empty() { 0.0 } else { 34.0 };
        let height = bottom + 34.0 + key + 8.0;
        write!(to, r#"<svg xmlns="http://www.w3.org/2000/svg" width="100%" viewBox="0 0 {WIDTH} {height:.0}" "#)?;
        writeln!(to, r#"font-family="sans-serif" font-size="13">"#)?;
        writeln!(to, r#"<rect width="{WIDTH}" height="{height:.0}" fill="{PAPER}"/>"#)?;
        words(to, 18.0, 28.0, 20.0, INK, &self.timeline.title)?;
        words(to, 18.0, 48.0, 13.0, MUTED, &self.timeline.subtitle)?;
        self.draw_legend(to)?;
        self.draw_axis(to, bottom)?;
        for (place, lane) in self.timeline.lanes.iter().enumerate() {
            self.draw_lane(to, lane, TOP + place as f64 * (LANE + GAP))?;
        }
        self.draw_marks(to, bottom)?;
        self.draw_blows(to)?;
        self.draw_key(to, bottom + 34.0)?;
        to.write_str("</svg>\n")
    }

    fn x(&self, at: f64) -> f64 {
        LEFT + (at / self.timeline.length.max(1e-9)).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn draw_legend(&self, to: &mut String) -> fmt::Result {
        let mut x = 18.0;
        let y = 68.0;
        let mut entry = |to: &mut String, symbol: String, name: &str| {
            to.push_str(&symbol.replace("{x}", &format!("{x:.0}")).replace("{x2}", &format!("{:.0}", x + 22.0)));
            let written = words(to, x + 28.0, y + 4.5, 13.0, INK, name);
            x += 28.0 + 7.0 * name.chars().count() as f64 + 18.0;
            written
        };
        let bar = |colour: &str, opacity: f64| {
            format!(
                r#"<rect x="{{x}}" y="{}" width="22" height="11" fill="{colour}" fill-opacity="{opacity}"/>"#,
                y - 6.0
            )
        };
        let line = |colour: &str, width: f64| {
            format!(r#"<line x1="{{x}}" x2="{{x2}}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="{width}"/>"#)
        };
        entry(to, bar(LEADS, 1.0), "leads (epoch)")?;
        entry(to, bar(IN_SYNC, 1.0), "in the ISR")?;
        entry(to, line(END, 5.0), "log end")?;
        entry(to, line(WATERMARK, 2.0), "high watermark")?;
        let shades = || self.timeline.lanes.iter().flat_map(|lane| &lane.shades);
        for trouble in Trouble::ALL {
            if shades().any(|shade| shade.trouble == trouble) {
                entry(to, bar(trouble.colour(), 0.3), trouble.name())?;
            }
        }
        if self.timeline.lanes.iter().any(|lane| !lane.cuts.is_empty()) {
            let triangle =
                format!(r#"<text x="{{x}}" y="{}" font-size="15" fill="{BROKEN}">&#160;&#9660;</text>"#, y + 5.0);
            entry(to, triangle, "log cut")?;
        }
        Ok(())
    }

    fn draw_axis(&self, to: &mut String, bottom: f64) -> fmt::Result {
        let step = step_of(self.timeline.length);
        let mut at = 0.0;
        while at <= self.timeline.length {
            let x = self.x(at);
            writeln!(to, r#"<line x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{bottom}" stroke="{GRID}"/>"#)?;
            centred(to, x, bottom + 14.0, 12.0, MUTED, &format!("{at:.0} s"))?;
            at += step;
        }
        Ok(())
    }

    fn draw_lane(&self, to: &mut String, lane: &Lane, top: f64) -> fmt::Result {
        writeln!(
            to,
            r#"<g><text x="18" y="{:.0}" font-size="16" fill="{INK}">{}</text>"#,
            top + 56.0,
            escaped(&lane.name)
        )?;
        let (y, height) = (top + RIBBON + 2.0, LANE - RIBBON - 2.0);
        for shade in &lane.shades {
            let (colour, title) = (shade.trouble.colour(), escaped(&shade.title));
            self.bar(to, shade.span, y, height, colour, 0.28, &title)?;
        }
        self.bar(to, Span { from: 0.0, to: self.timeline.length }, top, RIBBON, GRID, 0.6, "not in the ISR")?;
        for span in &lane.in_sync {
            let title = format!("{} in the ISR, {}", escaped(&lane.name), said(*span));
            self.bar(to, *span, top, RIBBON, IN_SYNC, 1.0, &title)?;
        }
        for (span, epoch) in &lane.leads {
            let title = format!("{} leads in epoch {epoch}, {}", escaped(&lane.name), said(*span));
            self.bar(to, *span, top, RIBBON, LEADS, 1.0, &title)?;
            if self.x(span.to) - self.x(span.from) > 26.0 {
                let x = (self.x(span.from) + self.x(span.to)) / 2.0;
                centred(to, x, top + 12.5, 12.0, "#FFFFFE", &format!("e{epoch}"))?;
            }
        }
        self.curve(to, &lane.ends, y, height, END, 5.0, "log end offset")?;
        self.curve(to, &lane.watermarks, y, height, WATERMARK, 2.0, "high watermark")?;
        for (at, title) in &lane.cuts {
            write!(to, r#"<text x="{:.1}" y="{:.1}" text-anchor="middle" font-size="15" "#, self.x(*at), y + 16.0)?;
            writeln!(to, r#"fill="{BROKEN}">&#9660;<title>{}</title></text>"#, escaped(title))?;
        }
        writeln!(to, r#"<line x1="{LEFT}" x2="{RIGHT}" y1="{0:.1}" y2="{0:.1}" stroke="{MUTED}"/></g>"#, top + LANE)
    }

    #[expect(clippy::too_many_arguments, reason = "a rectangle has that many sides")]
    fn bar(
        &self,
        to: &mut String,
        span: Span,
        y: f64,
        height: f64,
        colour: &str,
        opacity: f64,
        title: &str,
    ) -> fmt::Result {
        let (from, upto) = (self.x(span.from), self.x(span.to));
        // What lasted for less than a pixel is seen all the same.
        let width = (upto - from).max(1.2);
        write!(to, r#"<rect x="{from:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}""#)?;
        if opacity < 1.0 {
            write!(to, r#" fill-opacity="{opacity}""#)?;
        }
        writeln!(to, "><title>{title}</title></rect>")
    }

    /// A value that stays until it changes, as a staircase; of many changes within half a pixel the last is drawn, and
    /// each fall.
    #[expect(clippy::too_many_arguments, reason = "a curve has a place, a size and a look")]
    fn curve(
        &self,
        to: &mut String,
        values: &[(f64, u64)],
        top: f64,
        height: f64,
        colour: &str,
        width: f64,
        title: &str,
    ) -> fmt::Result {
        let y = |value: u64| top + height - 3.0 - value as f64 / self.most as f64 * (height - 9.0);
        let mut corners: Vec<(f64, u64)> = Vec::new();
        for &(at, value) in values {
            let x = (self.x(at) * 2.0).round() / 2.0;
            match corners.last_mut() {
                Some(last) if last.1 == value => {}
                Some(last) if (last.0 - x).abs() < 1e-6 && last.1 < value => last.1 = value,
                _ => corners.push((x, value)),
            }
        }
        let Some(&(x, value)) = corners.first() else { return Ok(()) };
        write!(to, r#"<path d="M{x} {:.1}"#, y(value))?;
        for &(x, value) in &corners[1..] {
            write!(to, "H{x}V{:.1}", y(value))?;
        }
        write!(to, r#"H{RIGHT}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-linejoin="round">"#)?;
        let last = corners.last().map_or(0, |corner| corner.1);
        writeln!(to, "<title>{title}, {last} at the end</title></path>")
    }

    fn draw_marks(&self, to: &mut String, bottom: f64) -> fmt::Result {
        let mut free = f64::MIN;
        let mut marks: Vec<&Mark> = self.timeline.marks.iter().collect();
        marks.sort_by(|left, right| left.at.total_cmp(&right.at));
        for mark in marks {
            let x = self.x(mark.at);
            let (colour, dash) = if mark.broken { (BROKEN, "") } else { (MUTED, r#" stroke-dasharray="4 3""#) };
            let stroke = if mark.broken { 2.0 } else { 1.0 };
            write!(to, r#"<line x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{bottom}" stroke="{colour}" "#, TOP - 8.0)?;
            writeln!(to, r#"stroke-width="{stroke}"{dash}><title>{}</title></line>"#, escaped(&mark.text))?;
            // A label that would run over the one before it is left to its tooltip.
            let half = 3.4 * mark.text.chars().count() as f64;
            let centre = x.clamp(LEFT + half - 20.0, RIGHT + 12.0 - half);
            if centre - half > free {
                centred(to, centre, TOP - 12.0, 12.0, colour, &mark.text)?;
                free = centre + half + 6.0;
            }
        }
        Ok(())
    }

    /// Numbered discs above the lanes, in two rows; where many strike at once they stand aside rather than on top of
    /// each other, and their tooltips have the time.
    fn draw_blows(&self, to: &mut String) -> fmt::Result {
        let mut row_ends = [f64::MIN; 2];
        for (place, blow) in self.timeline.blows.iter().enumerate() {
            let row = usize::from(self.x(blow.at) < row_ends[0] && row_ends[1] < row_ends[0]);
            let x = self.x(blow.at).max(row_ends[row]).min(RIGHT + 8.0);
            row_ends[row] = x + 16.8;
            let y = 86.0 + 16.5 * row as f64;
            let (fill, ink) = if blow.mends { (PAPER, MUTED) } else { (INK, PAPER) };
            let title = format!("{:.3} s: {}", blow.at, escaped(&blow.text));
            write!(
                to,
                r#"<g><title>{title}</title><circle cx="{x:.1}" cy="{y}" r="8" fill="{fill}" stroke="{MUTED}"/>"#
            )?;
            centred(to, x, y + 3.6, 10.0, ink, &(place + 1).to_string())?;
            to.write_str("</g>\n")?;
        }
        Ok(())
    }

    /// What the numbers stand for.
    fn draw_key(&self, to: &mut String, top: f64) -> fmt::Result {
        let blows = &self.timeline.blows;
        let rows = blows.len().min(TOLD).div_ceil(KEY_COLUMNS).max(1);
        let width = (WIDTH - 36.0) / KEY_COLUMNS as f64;
        for (place, blow) in blows.iter().take(TOLD).enumerate() {
            let (x, y) = (18.0 + (place / rows) as f64 * width, top + 14.0 + (place % rows) as f64 * KEY_LINE);
            let colour = if blow.mends { MUTED } else { INK };
            right(to, x + 16.0, y, 12.0, colour, &(place + 1).to_string())?;
            right(to, x + 66.0, y, 12.0, colour, &format!("{:.1} s", blow.at))?;
            words(to, x + 76.0, y, 12.0, colour, &shortened(&blow.text, 48))?;
        }
        if blows.len() > TOLD {
            let more = format!("and {} more: see the tooltips of the numbers", blows.len() - TOLD);
            words(to, 18.0, top + 18.0 + rows as f64 * KEY_LINE, 12.0, MUTED, &more)?;
        }
        Ok(())
    }
}

fn said(span: Span) -> String {
    format!("{:.3} s to {:.3} s", span.from, span.to)
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(letters - 1).collect();
    short.push('…');
    short
}

/// Between labels of the time axis: 1, 2 or 5 times a power of ten, at most a dozen and a half of them.
fn step_of(length: f64) -> f64 {
    let mut step = 1.0;
    for factor in [2.0, 2.5, 2.0].iter().cycle() {
        if length / step <= 16.0 {
            break;
        }
        step *= factor;
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(ends: &[(f64, u64)]) -> Lane {
        Lane { name: "b1".to_owned(), ends: ends.to_vec(), ..Lane::default() }
    }

    #[test]
    fn a_run_without_anything_is_a_picture_too() {
        let svg = Timeline::default().svg();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn a_hundred_thousand_appends_are_no_more_corners_than_there_are_pixels() {
        let ends: Vec<(f64, u64)> = (0..100_000).map(|n| (f64::from(n) / 1_000.0, u64::from(n as u32))).collect();
        let timeline = Timeline { length: 100.0, lanes: vec![lane(&ends)], ..Timeline::default() };
        let svg = timeline.svg();
        assert!(svg.len() < 80_000, "{} bytes", svg.len());
        assert!(svg.contains("log end offset, 99999 at the end"));
    }

    #[test]
    fn a_log_that_is_cut_and_grows_again_within_a_pixel_still_shows_the_fall() {
        let timeline = Timeline {
            length: 1_000.0,
            lanes: vec![lane(&[(0.0, 0), (500.0, 80), (500.000_1, 20), (500.000_2, 100)])],
            ..Timeline::default()
        };
        let svg = timeline.svg();
        let path = svg.lines().find(|line| line.contains("log end offset")).unwrap();
        assert_eq!(path.matches('V').count(), 2, "up, then down to 20 and up to 100 from there: {path}");
    }

    #[test]
    fn what_lasted_for_an_instant_is_seen() {
        let shade = Shade { span: Span { from: 5.0, to: 5.0 }, trouble: Trouble::Down, title: "down".to_owned() };
        let lanes = vec![Lane { shades: vec![shade], ..lane(&[]) }];
        let svg = Timeline { length: 100.0, lanes, ..Timeline::default() }.svg();
        assert!(svg.contains(r#"width="1.2""#));
    }

    #[test]
    fn what_faults_are_called_cannot_break_the_picture() {
        let blow = Blow { at: 1.0, text: "cut <b1> & \"b2\"".to_owned(), mends: false };
        let svg = Timeline { length: 2.0, blows: vec![blow], ..Timeline::default() }.svg();
        assert!(svg.contains("cut &lt;b1&gt; &amp; &quot;b2&quot;") && !svg.contains("<b1>"));
    }

    #[test]
    fn faults_that_strike_at_once_stand_side_by_side() {
        let blow = |at| Blow { at, text: "crash b1".to_owned(), mends: false };
        let blows = [1.0, 5.0, 5.0, 5.0, 5.1, 5.2, 9.0].map(blow).to_vec();
        let svg = Timeline { length: 60.0, blows, ..Timeline::default() }.svg();
        let number = |circle: &str, name: &str| -> f64 {
            let start = circle.find(name).unwrap() + name.len();
            circle[start..].split('"').next().unwrap().parse().unwrap()
        };
        let discs: Vec<(f64, f64)> =
            svg.split("<circle ").skip(1).map(|disc| (number(disc, "cx=\""), number(disc, "cy=\""))).collect();
        assert_eq!(discs.len(), 7);
        for (nth, one) in discs.iter().enumerate() {
            for other in &discs[nth + 1..] {
                assert!((one.0 - other.0).hypot(one.1 - other.1) >= 16.0, "{discs:?}");
            }
        }
    }

    #[test]
    fn the_time_axis_has_a_handful_of_round_labels() {
        assert_eq!([1.0, 16.0, 30.0, 61.0, 130.0, 1_000.0].map(step_of), [1.0, 1.0, 2.0, 5.0, 10.0, 100.0]);
    }
}
