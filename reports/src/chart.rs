//! Numbers to curves, as SVG: distributions of a duration, and the cliff.
//!
//! Takes numbers and names, gives a picture; knows no run and no campaign. The same numbers give the same bytes.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) use scenarios::failure::grouped;

use crate::ink;

/// One curve of a distribution.
pub(crate) struct Curve {
    /// What is distributed.
    pub(crate) name: String,
    /// How many samples there were.
    pub(crate) samples: u64,
    /// A value in microseconds, rising, and the share of samples that is not above it.
    pub(crate) steps: Vec<(u64, f64)>,
}

/// One line of the cliff.
pub(crate) struct Edge {
    /// The replication factor.
    pub(crate) replicas: u32,
    /// For each number of brokers destroyed of which there were runs: runs, and runs in which a record was lost.
    pub(crate) cells: Vec<Cell>,
}

/// Runs in which equally many brokers were destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// So many brokers.
    pub(crate) destroyed: u32,
    /// So many runs.
    pub(crate) runs: u64,
    /// So many of which lost a record.
    pub(crate) lossy: u64,
}

const SIZE: (u32, u32) = (880, 460);
const LEGEND_WIDTH: u32 = 170;
/// How large labels are.
pub(crate) const LABEL: f64 = 17.0;
/// A rising staircase of more steps than this is thinned: nobody sees more.
const STEPS: usize = 400;

/// What is drawn upon.
pub(crate) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
/// Why it cannot be drawn.
pub(crate) type Failure = DrawingAreaErrorKind<std::io::Error>;

/// The share of samples that took at most so long, over a logarithmic axis of milliseconds.
pub(crate) fn distribution(title: &str, axis: &str, curves: &[Curve]) -> String {
    let curves: Vec<&Curve> = curves.iter().filter(|curve| curve.samples > 0).collect();
    drawn(|area| if curves.is_empty() { empty(area, title) } else { draw_distribution(area, title, axis, &curves) })
}

/// The share of runs that lost a committed record, against how many brokers were destroyed, a line for each
/// replication factor.
pub(crate) fn cliff(title: &str, edges: &[Edge]) -> String {
    let edges: Vec<&Edge> = edges.iter().filter(|edge| !edge.cells.is_empty()).collect();
    drawn(|area| if edges.is_empty() { empty(area, title) } else { draw_cliff(area, title, &edges) })
}

fn drawn(draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>) -> String {
    drawn_in(SIZE, draw)
}

/// Whatever is drawn on a paper of this size.
pub(crate) fn drawn_in(size: (u32, u32), draw: impl FnOnce(&Area<'_>) -> Result<(), Failure>) -> String {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let drawn = area.fill(&colour(ink::PAPER)).and_then(|()| draw(&area)).and_then(|()| area.present());
        drawn.expect("writing into a string does not fail");
    }
    // As wide as the place it stands in, in its own proportions.
    let fixed = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    svg.replacen(&fixed, "width=\"100%\"", 1)
}

fn empty(area: &Area<'_>, title: &str) -> Result<(), Failure> {
    draw_title(area, title)?;
    let style = text(LABEL, ink::MUTED).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw(&Text::new("no samples in this campaign", (SIZE.0 as i32 / 2, SIZE.1 as i32 / 2), style))
}

fn draw_title(area: &Area<'_>, title: &str) -> Result<(), Failure> {
    area.draw(&Text::new(title.to_owned(), (18, 14), text(22.0, ink::INK)))
}

fn draw_distribution(area: &Area<'_>, title: &str, axis: &str, curves: &[&Curve]) -> Result<(), Failure> {
    draw_title(area, title)?;
    let millis = |micros: u64| micros.max(1) as f64 / 1_000.0;
    let low = curves.iter().filter_map(|curve| curve.steps.first()).map(|step| step.0).min().map_or(1.0, millis);
    let high = curves.iter().filter_map(|curve| curve.steps.last()).map(|step| step.0).max().map_or(1.0, millis);
    let low = decade_below(low);
    let high = decade_above(high).max(low * 10.0);
    let mut chart = frame(area).build_cartesian_2d((low..high).log_scale(), shares(0.0))?;
    chart
        .configure_mesh()
        .x_desc(axis)
        .y_desc("share of samples")
        .axis_desc_style(text(LABEL, ink::INK))
        .label_style(text(LABEL - 1.0, ink::INK))
        .x_label_formatter(&|millis| spoken(*millis))
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .axis_style(colour(ink::MUTED))
        .bold_line_style(colour(ink::GRID))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut legend = Vec::new();
    for (curve, name) in curves.iter().zip(ink::SERIES.iter().cycle()) {
        let points = staircase(curve).into_iter().map(|(micros, share)| (millis(micros), share));
        chart.draw_series(LineSeries::new(points, colour(name).stroke_width(3)))?;
        legend.push((colour(name), curve.name.clone(), format!("{} samples", grouped(curve.samples))));
    }
    draw_legend(area, &legend)
}

fn draw_cliff(area: &Area<'_>, title: &str, edges: &[&Edge]) -> Result<(), Failure> {
    draw_title(area, title)?;
    let most = edges.iter().flat_map(|edge| &edge.cells).map(|cell| cell.destroyed).max().unwrap_or(1).max(1);
    // Points that share a value stand side by side instead of hiding each other; the value itself is never moved.
    let aside = |place: usize| (place as f64 - (edges.len() as f64 - 1.0) / 2.0) * 0.07;
    let brokers = Axis { low: -0.3, high: f64::from(most) + 0.3, marks: (0..=most).map(f64::from).collect() };
    let mut chart = frame(area).build_cartesian_2d(brokers, shares(0.03))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("brokers destroyed for good, at once")
        .y_desc("share of runs with a loss")
        .axis_desc_style(text(LABEL, ink::INK))
        .label_style(text(LABEL - 1.0, ink::INK))
        .x_label_formatter(&|brokers| format!("{brokers:.0}"))
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .axis_style(colour(ink::MUTED))
        .bold_line_style(colour(ink::GRID))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut legend = Vec::new();
    // The longest line lies at the bottom, so that of each the part is seen that is its own.
    for (place, edge) in edges.iter().enumerate().rev() {
        let style = colour(ink::SERIES[place % ink::SERIES.len()]);
        let point = |cell: &Cell| {
            let share = cell.lossy as f64 / cell.runs.max(1) as f64;
            (f64::from(cell.destroyed) + aside(place), share)
        };
        let points: Vec<(f64, f64)> = edge.cells.iter().map(point).collect();
        // No line across a number of brokers of which there was no run: it would tell of what nobody saw.
        for (left, right) in points.iter().zip(&points[1..]).filter(|(left, right)| right.0 - left.0 < 1.5) {
            chart.draw_series(LineSeries::new([*left, *right], style.stroke_width(3)))?;
        }
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 5, style.filled())))?;
        let runs: u64 = edge.cells.iter().map(|cell| cell.runs).sum();
        legend.push((style, format!("RF {}", edge.replicas), format!("{} runs", grouped(runs))));
    }
    legend.reverse();
    draw_legend(area, &legend)
}

/// Where the curves go: below the title and left of the legend.
fn frame<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'b, SVGBackend<'b>> {
    let mut frame = ChartBuilder::on(area);
    frame.margin_top(50).margin_right(LEGEND_WIDTH + 30).margin_left(10).margin_bottom(6);
    frame.x_label_area_size(56).y_label_area_size(66);
    frame
}

/// Beside the curves, so that it hides none: for each a stroke, its name and how much it stands for.
fn draw_legend(area: &Area<'_>, entries: &[(RGBColor, String, String)]) -> Result<(), Failure> {
    let left = (SIZE.0 - LEGEND_WIDTH) as i32;
    for ((style, name, amount), top) in entries.iter().zip((58..).step_by(48)) {
        area.draw(&PathElement::new(vec![(left, top + 7), (left + 22, top + 7)], style.stroke_width(4)))?;
        area.draw(&Text::new(name.clone(), (left + 30, top), text(LABEL, ink::INK)))?;
        area.draw(&Text::new(amount.clone(), (left + 30, top + 19), text(LABEL - 2.0, ink::MUTED)))?;
    }
    Ok(())
}

/// Corners of the staircase, few enough to be drawn.
fn staircase(curve: &Curve) -> Vec<(u64, f64)> {
    let every = curve.steps.len().div_ceil(STEPS).max(1);
    let last = curve.steps.len().saturating_sub(1);
    let kept = curve.steps.iter().enumerate().filter(|(at, _)| at % every == 0 || *at == last);
    let mut corners = Vec::new();
    let mut share_before = 0.0;
    for (_, &(value, share)) in kept {
        corners.push((value, share_before));
        corners.push((value, share));
        share_before = share;
    }
    corners
}

/// A linear axis with a line and a label at each mark and nowhere else.
pub(crate) struct Axis {
    low: f64,
    high: f64,
    marks: Vec<f64>,
}

/// An axis of shares in quarters, with so much room above 1.
pub(crate) fn shares(above: f64) -> Axis {
    Axis { low: -0.02, high: 1.02 + above, marks: vec![0.0, 0.25, 0.5, 0.75, 1.0] }
}

/// An axis from here to there, with a line at each round number.
pub(crate) fn stretch(low: f64, high: f64) -> Axis {
    let rough = ((high - low) / 8.0).max(f64::MIN_POSITIVE);
    let decade = decade_below(rough);
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade).into_iter().find(|step| *step >= rough).unwrap_or(rough);
    let marks = (0..=((high - low) / step) as u32).map(|nth| low + f64::from(nth) * step).collect();
    Axis { low, high, marks }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let part = (value - self.low) / (self.high - self.low);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.marks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        value.to_string()
    }
}

fn decade_below(value: f64) -> f64 {
    10_f64.powi(value.log10().floor() as i32)
}

fn decade_above(value: f64) -> f64 {
    10_f64.powi(value.log10().ceil() as i32)
}

/// Milliseconds in the unit in which people say them.
fn spoken(millis: f64) -> String {
    if millis >= 999.5 {
        format!("{} s", grouped((millis / 1_000.0).round() as u64))
    } else if millis >= 0.9995 {
        format!("{millis:.0} ms")
    } else {
        format!("{:.0} µs", millis * 1_000.0)
    }
}

/// Letters of this size and colour.
pub(crate) fn text(size: f64, name: &str) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour(name))
}

/// `#RRGGBB`, as the constants of [`ink`] are written.
pub(crate) fn colour(name: &str) -> RGBColor {
    let part = |at: usize| name.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, samples: u64, steps: &[(u64, f64)]) -> Curve {
        Curve { name: name.to_owned(), samples, steps: steps.to_vec() }
    }

    #[test]
    fn the_same_numbers_give_the_same_bytes() {
        let draw = || distribution("t", "x", &[curve("acks=all", 4, &[(1_500, 0.5), (2_000, 1.0)])]);
        assert_eq!(draw(), draw());
        assert!(draw().contains("4 samples"));
    }

    #[test]
    fn a_figure_without_numbers_says_so() {
        for svg in [distribution("t", "x", &[curve("none", 0, &[])]), cliff("t", &[])] {
            assert!(svg.contains("no samples in this campaign"));
            assert!(svg.trim_end().ends_with("</svg>"));
        }
    }

    #[test]
    fn instants_and_eternities_fit_on_the_axis() {
        let svg = distribution("t", "x", &[curve("wide", 2, &[(0, 0.5), (3_600_000_000, 1.0)])]);
        assert!(svg.contains(" µs") && svg.contains(" s\n") && svg.contains("2 samples"), "{svg}");
    }

    #[test]
    fn a_staircase_rises_at_each_value_and_is_thinned_when_it_is_long() {
        let corners = staircase(&curve("c", 2, &[(10, 0.5), (20, 1.0)]));
        assert_eq!(corners, vec![(10, 0.0), (10, 0.5), (20, 0.5), (20, 1.0)]);
        let long: Vec<(u64, f64)> = (1..=5_000).map(|step| (step, step as f64 / 5_000.0)).collect();
        let corners = staircase(&curve("c", 5_000, &long));
        assert!(corners.len() <= 2 * (STEPS + 2));
        assert_eq!(corners.last(), Some(&(5_000, 1.0)), "the end is never thinned away");
    }

    #[test]
    fn one_run_of_one_broker_has_a_cliff() {
        let svg = cliff("t", &[Edge { replicas: 1, cells: vec![Cell { destroyed: 1, runs: 1, lossy: 1 }] }]);
        assert!(svg.contains("RF 1") && svg.contains("1 runs"));
    }

    #[test]
    fn the_cliff_has_no_line_over_what_was_not_run() {
        let cell = |destroyed| Cell { destroyed, runs: 1, lossy: 0 };
        let lines = |cells: &[Cell]| {
            let svg = cliff("t", &[Edge { replicas: 5, cells: cells.to_vec() }]);
            svg.matches(&format!("stroke=\"{}\" stroke-width=\"3\"", ink::SERIES[0])).count()
        };
        assert_eq!(lines(&[cell(0), cell(1), cell(2)]), 2);
        assert_eq!(lines(&[cell(0), cell(1), cell(4), cell(5)]), 2);
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 999, 1_000, 61_204, 1_234_567].map(grouped), ["0", "999", "1,000", "61,204", "1,234,567"]);
    }
}
