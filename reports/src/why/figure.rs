//! The chance of a failure over the time of its run, as SVG. Takes an account, gives a picture.

use plotters::prelude::*;

use super::account::{Account, PointRow};
use super::telling::{percent, time};
use crate::chart::{self, Area, Failure, LABEL, colour, shares, stretch, text};
use crate::ink;

/// Where the jumps are named, below the curve.
const LEGEND_LINE: i32 = 21;
/// Jumps that are named beside the curve, at most.
const NAMED: usize = 8;
/// Letters of a line of a story that fit.
const LETTERS: usize = 92;

/// The picture.
pub(super) fn svg(account: &Account) -> String {
    let lines: usize = account.jumps.iter().take(NAMED).map(|jump| 1 + jump.story.len().min(3)).sum();
    let height = 470 + u32::try_from(lines).unwrap_or(0) * LEGEND_LINE as u32;
    chart::drawn_in((880, height), |area| draw(area, account))
}

fn draw(area: &Area<'_>, account: &Account) -> Result<(), Failure> {
    let title = format!("How likely the failure was: {}", account.fingerprint);
    area.draw(&Text::new(title, (18, 12), text(20.0, ink::INK)))?;
    let under = format!(
        "{}, seed {}: the run as it was up to an instant, other dice from there; {} forks each, 95 % intervals",
        account.scenario, account.seed, account.samples
    );
    area.draw(&Text::new(under, (18, 38), text(LABEL - 3.0, ink::MUTED)))?;
    let (above, below) = area.split_vertically(440);
    curve(&above, account)?;
    legend(&below, account)
}

fn curve(area: &Area<'_>, account: &Account) -> Result<(), Failure> {
    let end = account.shown.max(1e-3);
    let mut frame = ChartBuilder::on(area);
    frame.margin_top(66).margin_right(24).margin_left(10).x_label_area_size(50).y_label_area_size(66);
    let mut chart = frame.build_cartesian_2d(stretch(0.0, end), shares(0.10))?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_desc("simulated time")
        .y_desc("chance that it breaks again")
        .axis_desc_style(text(LABEL, ink::INK))
        .label_style(text(LABEL - 1.0, ink::INK))
        .x_label_formatter(&|seconds| {
            format!("{:.6}", seconds).trim_end_matches('0').trim_end_matches('.').to_owned() + " s"
        })
        .y_label_formatter(&|share| format!("{:.0} %", share * 100.0))
        .axis_style(colour(ink::MUTED))
        .bold_line_style(colour(ink::GRID))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mark = colour(ink::MUTED);
    for at in account.faults.iter().filter_map(|fault| fault.struck).filter(|at| *at <= end) {
        chart.draw_series(DashedLineSeries::new([(at, 0.0), (at, 1.0)], 3, 4, mark.stroke_width(1)))?;
    }
    if let Some(healed) = account.healed {
        chart.draw_series(LineSeries::new([(healed, 0.0), (healed, 1.0)], colour(ink::SERIES[2]).stroke_width(1)))?;
    }
    let style = colour(ink::SERIES[0]);
    let points = &account.points;
    let band = |edge: fn(&PointRow) -> f64| points.iter().map(move |point| (point.at, edge(point)));
    let outline: Vec<(f64, f64)> = band(|point| point.chance.high)
        .chain(band(|point| point.chance.low).collect::<Vec<_>>().into_iter().rev())
        .collect();
    chart.draw_series([Polygon::new(outline, style.mix(0.14).filled())])?;
    chart.draw_series(LineSeries::new(band(|point| point.chance.share), style.stroke_width(2)))?;
    for PointRow { at, chance: shown } in points {
        chart.draw_series([PathElement::new([(*at, shown.low), (*at, shown.high)], style.stroke_width(1))])?;
    }
    chart.draw_series(band(|point| point.chance.share).map(|point| Circle::new(point, 3, style.filled())))?;
    let number = text(LABEL - 1.0, ink::SERIES[4]);
    let mut last = f64::MIN;
    for (place, jump) in account.jumps.iter().take(NAMED).enumerate() {
        // Numbers that would lie on each other stand side by side.
        let at = ((jump.from + jump.upto) / 2.0).max(last + end / 60.0);
        last = at;
        let spot = EmptyElement::at((at, 1.09)) + Text::new((place + 1).to_string(), (-4, 0), number.clone());
        chart.draw_series([spot])?;
    }
    Ok(())
}

fn legend(area: &Area<'_>, account: &Account) -> Result<(), Failure> {
    let mut marks = "dashed: faults".to_owned();
    if account.healed.is_some() {
        marks.push_str("; green: everything is healed");
    }
    area.draw(&Text::new(marks, (76, 2), text(LABEL - 3.0, ink::MUTED)))?;
    let mut top = 24;
    for (place, jump) in account.jumps.iter().take(NAMED).enumerate() {
        let (before, after) = (percent(jump.before), percent(jump.after));
        let head = format!("{before} → {after} between {} and {}", time(jump.from), time(jump.upto));
        area.draw(&Text::new((place + 1).to_string(), (18, top), text(LABEL - 2.0, ink::SERIES[4])))?;
        area.draw(&Text::new(head, (40, top), text(LABEL - 2.0, ink::INK)))?;
        top += LEGEND_LINE;
        for line in jump.story.iter().take(3) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let mut line: String = words.join(" ");
            if line.chars().count() > LETTERS {
                line = line.chars().take(LETTERS).chain(['…']).collect();
            }
            area.draw(&Text::new(line, (58, top), text(LABEL - 4.0, ink::MUTED)))?;
            top += LEGEND_LINE;
        }
    }
    Ok(())
}
