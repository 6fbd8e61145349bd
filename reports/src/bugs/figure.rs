//! The scoreboard as a picture: a line for each bug, on it a dot for each strategy at the median of CPU-seconds to the first hit, with
//! a whisker to the ninetieth percentile. What was not found half of the time stands hollow at the right.

use std::fmt::{self, Write};

use super::board::Board;
use crate::ink;

const WIDTH: f64 = 980.0;
const LEFT: f64 = 420.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 112.0;
const ROW: f64 = 22.0;

/// The picture.
pub(crate) fn draw(board: &Board) -> String {
    let mut svg = String::new();
    write_board(&mut svg, board).expect("writing into a string does not fail");
    svg
}

fn write_board(to: &mut String, board: &Board) -> fmt::Result {
    let height = TOP + board.bugs.len() as f64 * ROW + 40.0;
    write!(to, r#"<svg xmlns="http://www.w3.org/2000/svg" width="100%" viewBox="0 0 {WIDTH} {height}" "#)?;
    writeln!(to, r#"font-family="sans-serif">"#)?;
    writeln!(to, r#"<rect width="{WIDTH}" height="{height}" fill="{}"/>"#, ink::PAPER)?;
    ink::words(to, 18.0, 32.0, 22.0, ink::INK, "How long it takes to find each known bug")?;
    let facts = format!(
        "CPU-seconds to the first hit, median and 90 % of {} hunts; hollow: not found within {} s",
        board.repeat, board.budget_seconds
    );
    ink::words(to, 18.0, 54.0, 14.0, ink::MUTED, &facts)?;
    let strategies = strategies(board);
    let mut x = 18.0;
    for (place, strategy) in strategies.iter().enumerate() {
        writeln!(to, r#"<circle cx="{:.1}" cy="80" r="5" fill="{}"/>"#, x + 5.0, colour(place))?;
        ink::words(to, x + 16.0, 85.0, 14.0, ink::INK, strategy)?;
        x += 40.0 + 8.0 * strategy.len() as f64;
    }
    let bottom = TOP + board.bugs.len() as f64 * ROW;
    for seconds in [0.01, 0.1, 1.0, 10.0, 60.0] {
        if seconds <= board.budget_seconds.max(1.0) {
            let x = place_of(seconds, board);
            writeln!(
                to,
                r#"<line x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="{}"/>"#,
                TOP - 8.0,
                ink::GRID
            )?;
            ink::centred(to, x, bottom + 18.0, 13.0, ink::MUTED, &format!("{seconds} s"))?;
        }
    }
    for (nth, bug) in board.bugs.iter().enumerate() {
        let y = TOP + nth as f64 * ROW + ROW / 2.0;
        ink::words(to, 18.0, y + 4.0, 13.0, ink::INK, bug.id)?;
        ink::words(to, 58.0, y + 4.0, 12.0, ink::MUTED, &shortened(bug.name))?;
        writeln!(
            to,
            r#"<line x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" stroke="{}"/>"#,
            WIDTH - RIGHT,
            ink::GRID
        )?;
        for cell in board.cells_of(bug.id) {
            let place = strategies.iter().position(|strategy| *strategy == cell.strategy).unwrap_or_default();
            let colour = colour(place);
            let y = y + (place as f64 - (strategies.len() as f64 - 1.0) / 2.0) * 2.0;
            match cell.cpu_seconds.median {
                Some(median) => {
                    let from = place_of(median, board);
                    let upto = cell.cpu_seconds.p90.map_or(WIDTH - RIGHT, |p90| place_of(p90, board));
                    writeln!(
                        to,
                        r#"<line x1="{from:.1}" y1="{y:.1}" x2="{upto:.1}" y2="{y:.1}" stroke="{colour}" stroke-width="2"/>"#
                    )?;
                    writeln!(to, r#"<circle cx="{from:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#)?;
                }
                None => {
                    let x = WIDTH - RIGHT + 8.0;
                    writeln!(
                        to,
                        r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="none" stroke="{colour}" stroke-width="2"/>"#
                    )?;
                }
            }
        }
    }
    writeln!(to, "</svg>")
}

fn strategies(board: &Board) -> Vec<&'static str> {
    let mut strategies = Vec::new();
    for cell in &board.cells {
        if !strategies.contains(&cell.strategy) {
            strategies.push(cell.strategy);
        }
    }
    strategies
}

fn colour(place: usize) -> &'static str {
    ink::SERIES[place % ink::SERIES.len()]
}

/// Where so many seconds are, from a hundredth to the budget, by their logarithm.
fn place_of(seconds: f64, board: &Board) -> f64 {
    let (least, most) = (0.005_f64.ln(), board.budget_seconds.max(1.0).ln());
    let share = ((seconds.max(0.005).ln() - least) / (most - least)).clamp(0.0, 1.0);
    LEFT + share * (WIDTH - RIGHT - LEFT)
}

fn shortened(name: &str) -> String {
    const MOST: usize = 58;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    let cut: String = name.chars().take(MOST - 1).collect();
    format!("{}…", cut.trim_end())
}
