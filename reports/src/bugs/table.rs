//! The scoreboard as text: for a terminal, and as Markdown.

use std::fmt::Write;

use super::board::{Board, Cell, Spread};

/// One cell in a line.
pub(crate) fn line(cell: &Cell) -> String {
    let first = cell.detectors.first().map_or("", |detector| detector.guarantee);
    format!(
        "{:4} {:10} {:>3}/{:<3} {:>8} {:>8} seeds  {:>8} {:>8} CPU-s  {first}",
        cell.id,
        cell.strategy,
        cell.found,
        cell.hunts,
        number(cell.seeds.median, cell.seeds.largest),
        number(cell.seeds.p90, cell.seeds.largest),
        number(cell.cpu_seconds.median, cell.cpu_seconds.largest),
        number(cell.cpu_seconds.p90, cell.cpu_seconds.largest),
    )
}

/// All of it, and what was missed.
pub(crate) fn text(board: &Board) -> String {
    let mut text = format!(
        "{:4} {:10} {:>7} {:>17} {:>23}\n",
        "bug", "strategy", "found", "seeds: median p90", "CPU-s: median p90"
    );
    for bug in &board.bugs {
        let _ = writeln!(text, "{}  {}  ({}; breaks {})", bug.id, bug.name, bug.source, bug.breaks);
        for cell in board.cells_of(bug.id) {
            let _ = writeln!(text, "  {}", line(cell));
        }
        if let Some(small) = board.small.iter().find(|small| small.id == bug.id) {
            let _ = writeln!(
                text,
                "     shrunk: {} -> {} faults, {} -> {} facts, {} runs, {:.1} s{}",
                small.faults.0,
                small.faults.1,
                small.facts.0,
                small.facts.1,
                small.runs,
                small.seconds,
                bug.shortest_trace.map_or_else(String::new, |length| format!("; model checker: {length} states")),
            );
        }
    }
    for (strategy, (correlation, bugs)) in board.agreement() {
        let _ = writeln!(
            text,
            "rank correlation of {strategy} with published random walks: {correlation:+.2} ({bugs} bugs)"
        );
    }
    for both in &board.guided_against_uniform {
        let _ = writeln!(text, "{both}");
    }
    for step in &board.ladder {
        let (seeds, interval, published) = (step.share(), step.interval(), step.published());
        let verdict = if step.as_published { "as published" } else { "not as published" };
        let _ = writeln!(
            text,
            "ladder: {:32} {} replicas: {seeds:>12} seeds break it ({interval}){}; published: {published}: {verdict}",
            step.design,
            step.replicas,
            if step.by_trace { ", and its trace does" } else { "" }
        );
    }
    for row in &board.waiting {
        let _ = writeln!(text, "{}  waits for {}: {}", row.id, row.waiting_for, row.name);
    }
    let missed = board.missed();
    let verdict = if board.cut_short {
        format!("interrupted; not found so far: {}", missed.join(", "))
    } else if missed.is_empty() {
        format!("all {} bugs were found within their budget", board.bugs.len())
    } else {
        format!("not found within {} s, or in less than half of the hunts: {}", board.budget_seconds, missed.join(", "))
    };
    text + &verdict
}

/// The same for a page.
pub(crate) fn markdown(board: &Board) -> String {
    let mut text = format!(
        "# Known bugs\n\n{} hunts for each bug and strategy, {} CPU-seconds at most for each. A hunt that found nothing is \
         censored: `>` stands before what it saw.\n\n\
         | bug | breaks | strategy | found | seeds (median, p90) | CPU-s (median, p90) | hits per seed (95 %) | first detector | faults left | model checker |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        board.repeat, board.budget_seconds
    );
    for bug in &board.bugs {
        let left = board.small.iter().find(|small| small.id == bug.id);
        let left = left.map_or_else(String::new, |small| format!("{} of {}", small.faults.1, small.faults.0));
        let model = match (bug.shortest_trace, bug.random_walks) {
            (Some(length), Some(walks)) => format!("L={length}, {:.3} %", walks * 100.0),
            (Some(length), None) => format!("L={length}"),
            _ => String::new(),
        };
        for cell in board.cells_of(bug.id) {
            let detectors: Vec<String> = cell
                .detectors
                .iter()
                .map(|detector| format!("{} ({}, +{:.0} ms)", detector.guarantee, detector.first, detector.later_ms))
                .collect();
            let _ = writeln!(
                text,
                "| {} {} | {} | {} | {}/{} | {} | {} | {:.4} ({:.4} to {:.4}) | {} | {left} | {model} |",
                bug.id,
                bug.name,
                bug.breaks,
                cell.strategy,
                cell.found,
                cell.hunts,
                both(&cell.seeds),
                both(&cell.cpu_seconds),
                cell.rate,
                cell.rate_from,
                cell.rate_to,
                detectors.join(", "),
            );
        }
    }
    for row in &board.waiting {
        let _ = writeln!(text, "| {} {} | | *waits for {}* | | | | | | | |", row.id, row.name, row.waiting_for);
    }
    for both in &board.guided_against_uniform {
        let _ = writeln!(text, "\n{both}.");
    }
    if !board.ladder.is_empty() {
        text += "\n## The published ladder\n\n| design | replicas | seeds that break it | 95 % | its trace, told | published | |\n|---|---|---|---|---|---|---|\n";
    }
    for step in &board.ladder {
        let (seeds, interval, published) = (step.share(), step.interval(), step.published());
        let verdict = if step.as_published { "as published" } else { "**not as published**" };
        let _ = writeln!(
            text,
            "| {} | {} | {seeds} | {interval} | {} | {published} | {verdict} |",
            step.design,
            step.replicas,
            if step.by_trace { "breaks it" } else { "" }
        );
    }
    for (strategy, (correlation, bugs)) in board.agreement() {
        let _ = writeln!(
            text,
            "\nRank correlation (Spearman) of hits per seed by `{strategy}` with the published random walks: {correlation:+.2}, {bugs} bugs."
        );
    }
    text
}

pub(super) fn both(spread: &Spread) -> String {
    format!("{}, {}", number(spread.median, spread.largest), number(spread.p90, spread.largest))
}

fn number(value: Option<f64>, largest: f64) -> String {
    let spoken = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
    match value {
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => spoken(value),
        None => format!(">{}", spoken(largest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said_to_be_more() {
        assert_eq!(number(Some(3.0), 9.0), "3");
        assert_eq!(number(Some(0.126), 9.0), "0.13");
        assert_eq!(number(None, 250.0), ">250");
    }
}
