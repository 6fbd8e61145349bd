//! The durability table as a heat map in SVG: a row for each fault and kind of election, a column for each size, thrice.
//!
//! Takes rows, gives a picture. The same rows give the same bytes.

use std::fmt::{self, Write};

use scenarios::matrix::{Blow, Cell, Elections};

use crate::ink;
use crate::matrix::{MatrixRow, Shown, split};

const LEFT: f64 = 186.0;
const TOP: f64 = 176.0;
const CELL: (f64, f64) = (47.0, 22.0);
const GAP: f64 = 16.0;
const ACKS: [&str; 3] = ["all", "1", "0"];

/// Kept as promised.
const KEPT: &str = ink::SERIES[2];
/// Lost as stated.
const LOST: &str = ink::SERIES[1];
/// Lost, and may not be.
const WRONG: &str = ink::SERIES[4];
/// Nothing is shown or stated.
const OPEN: &str = ink::SERIES[5];

/// The picture.
pub(crate) fn heatmap(rows: &[MatrixRow]) -> String {
    let mut svg = String::new();
    write_map(&mut svg, rows).expect("writing into a string does not fail");
    svg
}

fn write_map(to: &mut String, rows: &[MatrixRow]) -> fmt::Result {
    let (table, debate) = split(rows);
    let sizes: Vec<(u32, u32)> = Cell::sizes().collect();
    let (width, height) = (x_of(2, sizes.len()) + 14.0, y_of(3, 0) + 108.0);
    write!(to, r#"<svg xmlns="http://www.w3.org/2000/svg" width="100%" viewBox="0 0 {width} {height}" "#)?;
    writeln!(to, r#"font-family="sans-serif">"#)?;
    writeln!(to, r#"<rect width="{width}" height="{height}" fill="{}"/>"#, ink::PAPER)?;
    ink::words(to, 18.0, 32.0, 22.0, ink::INK, "Which settings keep what was acknowledged")?;
    let runs: u64 = rows.iter().map(|row| row.runs).sum();
    let facts =
        format!("runs that lost an acknowledged record, of so many; {} runs in all", crate::chart::grouped(runs));
    ink::words(to, 18.0, 54.0, 14.0, ink::MUTED, &facts)?;
    write_legend(to, rows)?;
    for (group, acks) in ACKS.iter().enumerate() {
        let middle = (x_of(group, 0) + x_of(group, sizes.len() - 1) + CELL.0) / 2.0;
        ink::centred(to, middle, 128.0, 16.0, ink::INK, &format!("acks={acks}"))?;
        for (column, (replicas, min_isr)) in sizes.iter().enumerate() {
            let middle = x_of(group, column) + CELL.0 / 2.0;
            ink::centred(to, middle, 150.0, 12.0, ink::MUTED, &format!("RF {replicas}"))?;
            ink::centred(to, middle, 166.0, 12.0, ink::MUTED, &format!("min {min_isr}"))?;
        }
    }
    for (group, elections) in Elections::ALL.into_iter().enumerate() {
        let name = format!("elections: {}", elections.words());
        ink::words(to, 18.0, y_of(group, 0) - 6.0, 12.5, ink::INK, &name)?;
        for (row, blow) in Blow::ALL.into_iter().enumerate() {
            ink::right(to, LEFT - 8.0, y_of(group, row) + 15.0, 12.5, ink::INK, blow.words())?;
        }
    }
    for row in table {
        let cell = row.cell;
        let acks = ACKS.iter().position(|acks| *acks == row.acks).unwrap_or_default();
        let column = sizes.iter().position(|size| *size == (cell.replication_factor, cell.min_insync_replicas));
        let elections = Elections::ALL.iter().position(|elections| *elections == cell.elections).unwrap_or_default();
        let blow = Blow::ALL.iter().position(|blow| *blow == cell.blow).unwrap_or_default();
        write_cell(to, x_of(acks, column.unwrap_or_default()), y_of(elections, blow), CELL.0, row)?;
    }
    write_debate(to, debate)?;
    writeln!(to, "</svg>")
}

fn write_debate(to: &mut String, debate: &[MatrixRow]) -> fmt::Result {
    let top = y_of(3, 0) + 6.0;
    let title = "Does replication need fsync? The last one standing loses its power; acks=all, RF 3, min 2";
    ink::words(to, 18.0, top, 14.0, ink::INK, title)?;
    for (nth, row) in debate.iter().enumerate() {
        let fsync = if row.cell.fsync { "fsync" } else { "no fsync" };
        let name = format!("{fsync}, {}", row.cell.elections.words());
        let x = 18.0 + [0.0, 190.0, 450.0, 620.0][nth.min(3)];
        write_cell(to, x, top + 22.0, CELL.0, row)?;
        ink::words(to, x + CELL.0 + 8.0, top + 37.0, 12.5, ink::INK, &name)?;
    }
    Ok(())
}

fn write_legend(to: &mut String, rows: &[MatrixRow]) -> fmt::Result {
    let count = |kinds: &[Shown], colour: &str| {
        rows.iter().filter(|row| kinds.contains(&row.shown) && look(row).0 == colour).count()
    };
    let entries = [
        (KEPT, "nothing lost, as stated", count(&[Shown::AsStated], KEPT)),
        (LOST, "lost, as stated", count(&[Shown::AsStated], LOST)),
        (WRONG, "lost, and may not be", count(&[Shown::LostAgainstStatement], WRONG)),
        (OPEN, "not shown, or nothing is stated", count(&[Shown::LossNotSeen, Shown::Open, Shown::NotRun], OPEN)),
    ];
    let mut x = 18.0;
    for (colour, name, count) in entries {
        writeln!(to, r#"<rect x="{x:.1}" y="76" width="14" height="14" fill="{colour}"/>"#)?;
        let text = format!("{count} {name}");
        ink::words(to, x + 20.0, 88.0, 14.0, ink::INK, &text)?;
        x += 48.0 + 6.8 * text.chars().count() as f64;
    }
    Ok(())
}

fn write_cell(to: &mut String, x: f64, y: f64, width: f64, row: &MatrixRow) -> fmt::Result {
    let (colour, opacity) = look(row);
    let high = CELL.1 - 2.0;
    write!(to, r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{high}" fill="{colour}" "#, width - 2.0)?;
    writeln!(to, r#"fill-opacity="{opacity:.2}"><title>{}</title></rect>"#, ink::escaped(&row.name()))?;
    ink::centred(to, x + width / 2.0 - 1.0, y + 14.5, 11.5, ink::INK, &row.share())
}

/// The colour of a cell, and how full: the larger the share of runs with a loss, the fuller.
fn look(row: &MatrixRow) -> (&'static str, f64) {
    let share = row.lossy as f64 / row.runs.max(1) as f64;
    match row.shown {
        Shown::AsStated if row.lossy == 0 => (KEPT, 0.45),
        Shown::AsStated => (LOST, 0.30 + 0.60 * share),
        Shown::LostAgainstStatement => (WRONG, 1.0),
        Shown::LossNotSeen | Shown::Open | Shown::NotRun => (OPEN, 0.35),
    }
}

fn x_of(group: usize, column: usize) -> f64 {
    LEFT + group as f64 * (6.0 * CELL.0 + GAP) + column as f64 * CELL.0
}

fn y_of(group: usize, row: usize) -> f64 {
    TOP + 14.0 + group as f64 * (6.0 * CELL.1 + 2.0 * GAP) + row as f64 * CELL.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MatrixTally;
    use crate::samples;

    #[test]
    fn every_cell_is_drawn_and_a_loss_that_may_not_be_stands_out() {
        let mut tally = MatrixTally::default();
        let mut outcome = samples::outcome();
        outcome.lost.acknowledged_lost = 1;
        let cells = Cell::all();
        (0..cells.len() as u64).for_each(|seed| tally.add(seed, &outcome));
        let rows = tally.rows();
        let svg = heatmap(&rows);
        assert_eq!(svg.matches("<title>").count(), cells.len());
        let wrong = rows.iter().filter(|row| row.shown == Shown::LostAgainstStatement).count();
        assert!(wrong > 0);
        assert_eq!(svg.matches(&format!(r#"fill="{WRONG}" fill-opacity="1.00""#)).count(), wrong);
    }
}
