//! Both schedulers side by side, as a page.
//!
//! Takes what was [`Compared`] and gives HTML; computes nothing but intervals.

use maud::{Markup, html};

use super::{Compared, StormRow, StoryRow};
use crate::chart::grouped;
use crate::report::percent;
use crate::sheet::{sheet, tiles};
use crate::statistics::interval_95;

/// `index.html`.
pub(super) fn page(compared: &Compared) -> String {
    sheet(
        "highwater: two schedulers",
        &html! {
            (head(compared))
            @if !compared.stories.is_empty() { (stories(&compared.stories)) }
            @if !compared.storms.is_empty() { (storms(&compared.storms)) }
        },
    )
}

fn head(compared: &Compared) -> Markup {
    let (mood, word) =
        if compared.agree() { ("good", "the schedulers agree") } else { ("open", "the schedulers differ") };
    html! {
        header {
            p.brand { "highwater " span.muted { "the same machines and the same judge, on our own event loop and on madsim's nodes" } }
            h1 class=(mood) { (word) }
            ul.reasons {
                @if compared.cut_short { li { "interrupted before all was compared" } }
                @for (by, ids) in compared.split() { li { (by.words()) ": " (ids.len()) " (" (ids.join(", ")) ")" } }
            }
            (tiles(&[
                ("stories", grouped(compared.stories.len() as u64)),
                ("scenarios", grouped(compared.storms.len() as u64)),
                ("seeds each", grouped(compared.seeds)),
            ]))
        }
    }
}

fn stories(rows: &[StoryRow]) -> Markup {
    html! {
        section {
            h2 { "Stories of known bugs" }
            p.muted { "On how many seeds the story met what the bug breaks, with the 95 % interval of Clopper and Pearson." }
            div.wide { table {
                thead { tr { th { "bug" } th.number { "own" } th.number { "madsim" } th { "" } th { "remarks" } } }
                tbody { @for row in rows { (story(row)) } }
            } }
        }
    }
}

fn story(row: &StoryRow) -> Markup {
    let seeds = row.comparison.seeds;
    html! {
        tr {
            td { div { code.id { (row.id) } " " (row.name) } div.muted { "breaks " (row.breaks) } }
            td.number { (share(row.comparison.own, seeds)) }
            td.number { (share(row.comparison.nodes, seeds)) }
            td { span class=(if row.agrees() { "status good" } else { "status open" }) { (row.by.words()) } }
            td { @for remark in row.remarks() { div { (remark) } } }
        }
    }
}

fn storms(rows: &[StormRow]) -> Markup {
    html! {
        section {
            h2 { "Storms of scenarios" }
            p.muted { "Runs that did not hold. Times differ between the two, so the same seed is not the same run." }
            div.wide { table {
                thead { tr { th { "scenario" } th.number { "own" } th.number { "madsim" } th { "" } th { "left out on madsim" } } }
                tbody { @for row in rows { tr {
                    td { code.id { (row.scenario) } }
                    td.number { (share(row.own as u64, row.runs as u64)) }
                    td.number { (share(row.nodes as u64, row.runs as u64)) }
                    td { @if row.agrees() { span.status.good { "agree" } } @else { span.status.open { "differ" } } }
                    td { @for (kind, count) in &row.unsupported { div { (grouped(*count)) " " (kind) } } }
                } } }
            } }
        }
    }
}

fn share(hits: u64, seeds: u64) -> String {
    let (from, to) = interval_95(hits, seeds);
    format!("{hits}/{seeds} ({} to {})", percent(from), percent(to))
}
