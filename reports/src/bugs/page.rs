//! The scoreboard as a page: the picture, a row for every bug and strategy, and every bug's smallest run as a story.
//!
//! Takes a [`Board`] and gives HTML; computes nothing.

use maud::{Markup, PreEscaped, html};

use super::board::{Board, Bug, Cell, Small, Step};
use super::{figure, table};
use crate::chart::grouped;
use crate::ink;
use crate::sheet::{sheet, tiles};

/// `index.html`.
pub(super) fn page(board: &Board) -> String {
    sheet(
        "highwater: known bugs",
        &html! {
            (head(board))
            section { h2 { "How long it takes" } figure { (PreEscaped(ink::on_page(&figure::draw(board)))) } }
            (scoreboard(board))
            @if !board.guided_against_uniform.is_empty() {
            section { h2 { "Guided against uniform" } ul { @for line in &board.guided_against_uniform { li { (line) } } } }
        }
        @if !board.ladder.is_empty() { (ladder(&board.ladder)) }
            (stories(board))
            @if !board.waiting.is_empty() { (waiting(board)) }
        },
    )
}

fn head(board: &Board) -> Markup {
    let missed = board.missed();
    let found = format!("{} of {} known bugs found", board.bugs.len() - missed.len(), board.bugs.len());
    let hunts: u64 = board.cells.iter().map(|cell| cell.hunts).sum();
    let seeds: u64 = board.cells.iter().map(|cell| cell.seeds_in_all).sum();
    html! {
        header {
            p.brand { "highwater " span.muted { "known bugs, put back one at a time and hunted from fresh seeds" } }
            h1 class=(if missed.is_empty() { "good" } else { "bad" }) { (found) }
            ul.reasons {
                @if board.cut_short { li { "interrupted: what was not hunted yet counts as not found" } }
                @if !missed.is_empty() {
                    li { "not found in half of their hunts by any strategy: " (missed.join(", ")) }
                }
                @for (strategy, (correlation, bugs)) in board.agreement() {
                    li {
                        "hits per seed by " (strategy) " and published random walks of a model checker rank alike by "
                        (format!("{correlation:+.2}")) " (Spearman, " (bugs) " bugs)"
                    }
                }
            }
            (tiles(&[
                ("hunts", grouped(hunts)),
                ("hunts for each bug and strategy", grouped(board.repeat)),
                ("CPU-seconds at most for each", format!("{}", board.budget_seconds)),
                ("seeds tried", grouped(seeds)),
            ]))
        }
    }
}

fn scoreboard(board: &Board) -> Markup {
    html! {
        section {
            h2 { "Scoreboard" }
            p.muted {
                "Median, and nine of ten. A hunt that found nothing in its time is censored: > stands before what it saw. A run that fails \
                 for another reason than the bug's is no hit. The interval is Clopper and Pearson's."
            }
            div.wide { table {
                thead { tr {
                    th { "bug" } th { "strategy" } th.number { "found" } th.number { "seeds" } th.number { "CPU-s" }
                    th.number { "hits per seed (95 %)" } th { "detector: first in hunts, later by" } th.number { "strays" }
                } }
                tbody { @for bug in &board.bugs { @for (nth, cell) in board.cells_of(bug.id).enumerate() {
                    (row(bug, cell, nth == 0))
                } } }
            } }
        }
    }
}

fn row(bug: &Bug, cell: &Cell, is_first: bool) -> Markup {
    let mood = if cell.seeds.median.is_some() { "good" } else { "bad" };
    let rate = format!("{:.4} ({:.4} to {:.4})", cell.rate, cell.rate_from, cell.rate_to);
    html! {
        tr {
            td { @if is_first {
                div { code.id { (bug.id) } " " (bug.name) }
                div.muted { (bug.source) " · breaks " (bug.breaks) @if !bug.decisions.is_empty() { " · " (bug.decisions.join(", ")) } }
            } }
            td { (cell.strategy) }
            td.number { span class={ "status " (mood) } { (cell.found) "/" (cell.hunts) } }
            td.number { (table::both(&cell.seeds)) }
            td.number { (table::both(&cell.cpu_seconds)) }
            td.number { (rate) }
            td { @for detector in &cell.detectors {
                div { code { (detector.guarantee) } " " (detector.first) ", +" (format!("{:.0}", detector.later_ms)) " ms" }
            } }
            td.number { (grouped(cell.strays)) }
        }
    }
}

fn ladder(steps: &[Step]) -> Markup {
    html! {
        section {
            h2 { "The published ladder" }
            p.muted {
                "Five designs of how a follower follows. A model checker says of each whether a committed record can be lost; L is the \
                 number of states in its shortest trace."
            }
            div.wide { table {
                thead { tr {
                    th { "design" } th.number { "replicas" } th { "published" } th.number { "seeds that break it" }
                    th.number { "95 %" } th { "its trace, told" } th { "" }
                } }
                tbody { @for step in steps { tr {
                    td { (step.design) }
                    td.number { (step.replicas) }
                    td { (step.published()) }
                    td.number { (step.share()) }
                    td.number { (step.interval()) }
                    td { @if step.by_trace { "breaks it" } @else { "–" } }
                    td { @if step.as_published { span.status.good { "as published" } } @else { span.status.bad { "not as published" } } }
                } } }
            } }
        }
    }
}

fn stories(board: &Board) -> Markup {
    html! {
        section {
            h2 { "Stories" }
            p.muted { "The first run that showed each bug, made as small as it would go." }
            @for bug in &board.bugs {
                @if let Some(small) = board.small.iter().find(|small| small.id == bug.id) { (story(bug, small)) }
            }
        }
    }
}

fn story(bug: &Bug, small: &Small) -> Markup {
    html! {
        details {
            summary {
                code.id { (bug.id) } " " (bug.name) ": "
                (small.faults.0) " faults made " (small.faults.1) ", " (grouped(small.facts.0)) " facts " (grouped(small.facts.1))
                @if let Some(length) = bug.shortest_trace { "; model checker: " (length) " states" }
            }
            @match &small.told {
                Some(told) => {
                    p { (told.sentence) }
                    pre { (told.text) }
                    p.muted {
                        (grouped(small.runs.into())) " runs of shrinking, " (format!("{:.1}", small.seconds)) " s. Kept as "
                        a href=(told.file) { (told.file) } ", drawn in " a href=(told.timeline) { (told.timeline) } "."
                    }
                }
                None => p.muted { "A loss that the contract allows: there is no broken promise to tell." }
            }
        }
    }
}

fn waiting(board: &Board) -> Markup {
    html! {
        section {
            h2 { "Waiting" }
            p.muted { "Bugs of parts that are not built yet." }
            ul { @for row in &board.waiting { li { code.id { (row.id) } " " (row.name) ", for " (row.waiting_for) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use scenarios::known_bugs;
    use scenarios::search::Strategy;

    use super::super::Order;
    use super::super::board::Told;
    use super::*;

    fn board() -> Board {
        Board::new(&Order {
            bugs: ["B01", "B02"].into_iter().filter_map(known_bugs::named).collect(),
            strategies: vec![Strategy::Mixed],
            budget: Duration::from_secs(1),
            repeat: 1,
            jobs: 1,
            ladder: 0,
            shrinks: true,
        })
    }

    #[test]
    fn the_page_needs_nothing_but_itself_and_names_what_was_not_found() {
        // The name of a namespace is no address.
        let page = page(&board()).replace(r#"xmlns="http://www.w3.org/2000/svg""#, "");
        for foreign in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("0 of 2 known bugs found"));
        assert!(page.contains("by any strategy: B01, B02"), "{page}");
    }

    #[test]
    fn a_story_is_text_on_the_page() {
        let mut board = board();
        let told = Told {
            sentence: "b2 lost <value 3>".to_owned(),
            text: "a < b".to_owned(),
            file: "failures/B01.json".to_owned(),
            timeline: "failures/B01.svg".to_owned(),
        };
        board.small.push(Small {
            id: "B01".to_owned(),
            faults: (9, 2),
            facts: (900, 100),
            runs: 7,
            seconds: 1.0,
            told: Some(told),
        });
        let page = page(&board);
        assert!(page.contains("b2 lost &lt;value 3&gt;") && page.contains("9 faults made 2"), "{page}");
    }
}
