//! The report as one self-contained page: no script, no network, light or dark as the reader's screen is.
//!
//! Takes a [`Report`] and gives HTML; computes nothing.

use maud::{Markup, PreEscaped, html};

use crate::chart::grouped;
use crate::ink;
use crate::report::{Campaign, FailureRow, Report, Row, SMALL_PRINT, ScenarioRow, Status, percent};
use crate::sheet::{sheet, tiles};
use crate::tables::{self, Table};

/// Failures that are told in full; all are in `failures/`.
const TOLD: usize = 20;

/// `index.html`.
pub(crate) fn page(report: &Report) -> String {
    let title = format!("highwater: {}", report.verdict.word);
    sheet(
        &title,
        &html! {
            (head(report))
            @if !report.failures.is_empty() { (failures(&report.failures)) }
            (ledger(&report.guarantees))
            (figures(report))
            @for table in tables::tables(report) { (tried(&table)) }
            (scenarios(&report.scenarios))
            (campaign(report))
        },
    )
}

fn head(report: &Report) -> Markup {
    let mood = match report.verdict.exit_code {
        0 => "good",
        1 | 3 | 4 => "bad",
        _ => "open",
    };
    html! {
        header {
            p.brand { "highwater " span.muted { (report.program.version) } }
            h1 class=(mood) { (report.verdict.word) }
            ul.reasons { @for reason in &report.verdict.reasons { li { (reason) } } }
            (amounts_at_a_glance(report))
        }
    }
}

fn amounts_at_a_glance(report: &Report) -> Markup {
    let campaign = &report.campaign;
    let canary = match report.canary.found_by_seed {
        Some(_) if !report.canary.known_bugs.is_empty() => {
            let all = report.canary.known_bugs.len();
            format!("{} of {} planted bugs found", all - report.canary.missed().len() + 1, all + 1)
        }
        Some(seed) => format!("found (seed {seed})"),
        None => "not found".to_owned(),
    };
    tiles(&[
        ("runs", grouped(campaign.runs)),
        ("violated or panicked", grouped(campaign.violated + campaign.panicked)),
        ("simulated hours", format!("{:.1}", campaign.simulated_seconds / 3_600.0)),
        ("records committed", grouped(campaign.losses.committed)),
        ("canary", canary),
    ])
}

fn failures(failures: &[FailureRow]) -> Markup {
    html! {
        section {
            h2 { "Failures" }
            @for (place, failure) in failures.iter().enumerate().take(TOLD) {
                details open[place < 3] {
                    summary { code { (failure.fingerprint) } " in " (grouped(failure.runs)) " runs" }
                    p { (failure.sentence) }
                    pre { (failure.text) }
                    p.muted {
                        "Seen in "
                        @for (nth, (scenario, seed)) in failure.seen.iter().enumerate() {
                            @if nth > 0 { ", " }
                            (scenario) " seed " (seed)
                            @if let Some(point) = failure.points.get(nth) { " at " code { (point) } }
                        }
                        @if failure.runs > failure.seen.len() as u64 { ", …" }
                        ". Kept as " a href=(failure.file) { (failure.file) }
                        @if let Some(timeline) = &failure.timeline { ", drawn in " a href=(timeline) { (timeline) } }
                        "."
                    }
                }
            }
            @if failures.len() > TOLD { p { "And " (failures.len() - TOLD) " more kinds of failure, see the folder failures." } }
        }
    }
}

fn ledger(rows: &[Row]) -> Markup {
    html! {
        section {
            h2 { "Ledger" }
            p.muted { (SMALL_PRINT) }
            div.wide { table {
                thead { tr {
                    th { "guarantee" } th { "status" } th.number { "runs" } th.number { "exercised" }
                    th.number { "violations" } th.number { "upper bound, 95 %" }
                } }
                tbody { @for row in rows { (ledger_row(row)) } }
            } }
        }
    }
}

fn ledger_row(row: &Row) -> Markup {
    let mood = mood_of(row.status);
    html! {
        tr {
            td {
                div { code.id { (row.id) } " " (row.sentence) }
                div.muted { (row.source) @if row.preconditions != "none" { " · if: " (row.preconditions) } }
            }
            td { span class={ "status " (mood) } { (row.status.words()) } }
            td.number { (grouped(row.runs)) }
            td.number { (grouped(row.exercised)) }
            td.number { (grouped(row.violations)) }
            td.number { @if row.runs > 0 { (percent(row.upper_bound_95)) } @else { "–" } }
        }
    }
}

fn mood_of(status: Status) -> &'static str {
    match status {
        Status::Held => "good",
        Status::Violated => "bad",
        Status::Vacuous => "open",
        Status::OutOfScope => "none",
    }
}

fn figures(report: &Report) -> Markup {
    html! {
        section {
            h2 { "Figures" }
            @for figure in &report.figures {
                figure {
                    (PreEscaped(ink::on_page(&figure.svg)))
                    figcaption { (figure.caption) " " a href=(figure.file) { (figure.file) } }
                }
            }
        }
    }
}

fn tried(table: &Table) -> Markup {
    html! {
        section {
            h2 { (table.title) }
            @for sentence in &table.sentences { p { (sentence) } }
            details {
                summary { "kind by kind" }
                div.wide { table {
                    thead { tr { @for (at, name) in table.head.iter().enumerate() { th.number[at > 0] { (name) } } } }
                    tbody { @for row in &table.rows {
                        tr { @for (at, cell) in row.iter().enumerate() { td.number[at > 0] { (cell) } } }
                    } }
                } }
            }
        }
    }
}

fn scenarios(rows: &[ScenarioRow]) -> Markup {
    html! {
        section {
            h2 { "Scenarios" }
            div.wide { table {
                thead { tr {
                    th { "scenario" } th.number { "runs" } th.number { "failed" } th.number { "inconclusive" }
                    th.number { "simulated s" }
                } }
                tbody { @for row in rows {
                    tr {
                        td { code.id { (row.name) } " " (row.sentence) }
                        td.number { (grouped(row.runs)) }
                        td.number { @if row.failed > 0 { span.status.bad { (row.failed) } } @else { "0" } }
                        td.number { (grouped(row.inconclusive)) }
                        td.number { (grouped(row.simulated_seconds.round() as u64)) }
                    }
                } }
            } }
        }
    }
}

fn campaign(report: &Report) -> Markup {
    let campaign = &report.campaign;
    html! {
        section {
            h2 { "Campaign" }
            div.wide { table.facts { tbody {
                tr { td { "seeds" } td.number { (campaign.seeds_from) ".." (campaign.seeds_to) } }
                @for (name, value) in amounts(campaign) { tr { td { (name) } td.number { (grouped(value)) } } }
                @for count in &campaign.counts { tr { td { (count.name) } td.number { (grouped(count.count)) } } }
            } } }
            @if !campaign.properties.is_empty() {
                h3 { "Properties on top of every scenario's own" }
                pre { @for (name, value) in &campaign.properties { (name) "=" (value) "\n" } }
            }
            @if !campaign.stuck.is_empty() {
                h3 { "Runs that never came to rest, within the contract" }
                ul { @for stuck in &campaign.stuck { li { (grouped(stuck.count)) ": " (stuck.name) } } }
            }
            @if !report.inconclusive.is_empty() {
                h3 { "Runs that showed nothing" }
                ul { @for row in &report.inconclusive { li { code { (row.scenario) } " seed " (row.seed) ": " (row.why) } } }
            }
        }
    }
}

fn amounts(campaign: &Campaign) -> Vec<(&'static str, u64)> {
    let losses = &campaign.losses;
    let mut amounts = vec![
        ("runs", campaign.runs),
        ("of them held", campaign.held),
        ("violated", campaign.violated),
        ("panicked", campaign.panicked),
        ("inconclusive", campaign.inconclusive),
    ];
    amounts.extend(campaign.compared.map(|compared| ("made twice and compared", compared)));
    amounts.extend([
        ("facts", campaign.facts),
        ("steps of machines", campaign.steps),
        ("runs that lost a committed record", losses.runs),
        ("committed records lost", losses.lost),
        ("of them within the contract", losses.excused),
        ("records acknowledged with acks=all", losses.acknowledged),
        ("of them lost", losses.acknowledged_lost),
    ]);
    amounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let page = page(&samples::report());
        for foreign in ["http://", "https://", "<script", "<link", "@import", "url("] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn text_from_a_run_is_text_on_the_page() {
        let page = page(&samples::report());
        assert!(page.contains("b2 was elected without &lt;value 3&gt; &amp; lost it"));
        assert!(page.contains("The promise of &lt;durability&gt;."));
    }

    #[test]
    fn figures_take_the_colours_of_the_page() {
        let page = page(&samples::report());
        assert!(page.contains(r#"<svg><text fill="var(--ink)">x</text></svg>"#));
    }

    #[test]
    fn a_campaign_with_many_failures_is_still_a_page_that_loads() {
        let mut report = samples::report();
        report.failures[0].text = "x".repeat(3_000);
        report.failures = vec![report.failures[0].clone(); 500];
        let page = page(&report);
        assert!(page.len() < 200_000);
        assert!(page.contains("And 480 more kinds of failure"));
    }
}
