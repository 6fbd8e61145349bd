//! The report in Markdown, for people and for a build's summary page, which drops what is too long.

use std::fmt::{self, Write};

use crate::chart::grouped;
use crate::report::{FailureRow, Report, SMALL_PRINT, Status, percent};
use crate::tables::{Table, tables};

/// GitHub drops a step summary of more than 1,024 KiB as a whole.
pub(crate) const SUMMARY_LIMIT: usize = 900 * 1024;
/// Failures that are told in full.
const TOLD: usize = 20;

/// `report.md`. At most [`SUMMARY_LIMIT`] bytes.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    write_report(&mut text, report).expect("writing into a string does not fail");
    capped(text)
}

fn write_report(to: &mut String, report: &Report) -> fmt::Result {
    let campaign = &report.campaign;
    writeln!(to, "# highwater: {}\n", report.verdict.word)?;
    for reason in &report.verdict.reasons {
        writeln!(to, "- {}", plain(reason))?;
    }
    writeln!(
        to,
        "\n{} runs of {} scenarios, seeds {}..{}: {} held, {} violated, {} panicked, {} inconclusive. \
         {} simulated seconds, {} facts.\n",
        grouped(campaign.runs),
        campaign.scenarios.len(),
        campaign.seeds_from,
        campaign.seeds_to,
        grouped(campaign.held),
        grouped(campaign.violated),
        grouped(campaign.panicked),
        grouped(campaign.inconclusive),
        grouped(campaign.simulated_seconds.round() as u64),
        grouped(campaign.facts),
    )?;
    write_canary(to, report)?;
    write_ledger(to, report)?;
    write_failures(to, &report.failures)?;
    tables(report).iter().try_for_each(|table| write_table(to, table))?;
    write_scenarios(to, report)?;
    if !report.campaign.stuck.is_empty() {
        writeln!(to, "## Runs that never came to rest, within the contract\n")?;
        for stuck in &report.campaign.stuck {
            writeln!(to, "- {}: {}", grouped(stuck.count), plain(stuck.name))?;
        }
        writeln!(to)?;
    }
    if !report.inconclusive.is_empty() {
        writeln!(to, "## Runs that showed nothing\n")?;
        for row in &report.inconclusive {
            writeln!(to, "- `{}` seed {}: {}", row.scenario, row.seed, plain(&row.why))?;
        }
        writeln!(to)?;
    }
    writeln!(to, "_{SMALL_PRINT}_")
}

fn write_canary(to: &mut String, report: &Report) -> fmt::Result {
    let canary = &report.canary;
    match canary.found_by_seed {
        Some(seed) => {
            let (all, missed) = (canary.known_bugs.len(), canary.missed());
            write!(to, "The canary was found by seed {seed}")?;
            match missed.len() {
                0 if all == 0 => writeln!(to, ".\n"),
                0 => writeln!(to, ", and so were all {all} known bugs that every campaign looks for.\n"),
                _ => writeln!(to, "; **these known bugs were not found**: {}.\n", missed.join(", ")),
            }
        }
        None => {
            writeln!(to, "**The canary was not found** by {} seeds: do not trust this campaign.\n", canary.seeds_tried)
        }
    }
}

fn write_ledger(to: &mut String, report: &Report) -> fmt::Result {
    writeln!(to, "## Ledger\n")?;
    writeln!(to, "| guarantee | status | runs | exercised | violations | upper bound (95 %) |")?;
    writeln!(to, "|---|---|--:|--:|--:|--:|")?;
    for row in &report.guarantees {
        let status = match row.status {
            Status::Violated => "**violated**",
            Status::Vacuous => "**vacuous**",
            status => status.words(),
        };
        let bound = if row.runs == 0 { "-".to_owned() } else { percent(row.upper_bound_95) };
        let (id, sentence) = (&row.id, cell(&row.sentence));
        let (runs, exercised) = (grouped(row.runs), grouped(row.exercised));
        writeln!(to, "| `{id}`: {sentence} | {status} | {runs} | {exercised} | {} | {bound} |", row.violations)?;
    }
    writeln!(to)
}

fn write_failures(to: &mut String, failures: &[FailureRow]) -> fmt::Result {
    if failures.is_empty() {
        return Ok(());
    }
    writeln!(to, "## Failures\n")?;
    for (place, failure) in failures.iter().enumerate().take(TOLD) {
        let open = if place < 3 { " open" } else { "" };
        let (fingerprint, runs) = (plain(&failure.fingerprint), failure.runs);
        writeln!(to, "<details{open}><summary><code>{fingerprint}</code> in {runs} runs</summary>\n")?;
        writeln!(to, "{}\n", fenced(&failure.text))?;
        writeln!(to, "</details>\n")?;
    }
    if failures.len() > TOLD {
        writeln!(to, "And {} more kinds of failure, see `failures/`.\n", failures.len() - TOLD)?;
    }
    Ok(())
}

fn write_table(to: &mut String, table: &Table) -> fmt::Result {
    writeln!(to, "## {}\n", plain(&table.title))?;
    for sentence in &table.sentences {
        writeln!(to, "{}\n", plain(sentence))?;
    }
    writeln!(to, "<details><summary>kind by kind</summary>\n\n| {} |", table.head.join(" | "))?;
    writeln!(to, "|---|{}", "--:|".repeat(table.head.len() - 1))?;
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        writeln!(to, "| {} |", cells.join(" | "))?;
    }
    writeln!(to, "\n</details>\n")
}

fn write_scenarios(to: &mut String, report: &Report) -> fmt::Result {
    writeln!(to, "## Scenarios\n")?;
    writeln!(to, "| scenario | runs | failed | inconclusive | simulated seconds |\n|---|--:|--:|--:|--:|")?;
    for row in &report.scenarios {
        let seconds = grouped(row.simulated_seconds.round() as u64);
        let sentence = cell(&row.sentence);
        writeln!(
            to,
            "| `{}`: {sentence} | {} | {} | {} | {seconds} |",
            row.name, row.runs, row.failed, row.inconclusive
        )?;
    }
    writeln!(to)
}

/// Text without what Markdown or HTML would take for markup.
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\n', '\r'], " ")
}

/// Text for one cell of a table.
fn cell(text: &str) -> String {
    plain(text).replace('|', "\\|")
}

/// Text as it stands, between fences that it does not contain.
fn fenced(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", text.trim_end())
}

/// At most [`SUMMARY_LIMIT`] bytes, and a word about what is left out.
fn capped(mut text: String) -> String {
    const NOTE: &str = "\n\n_Cut here: the rest is in the report's own folder._\n";
    if text.len() > SUMMARY_LIMIT {
        let mut end = SUMMARY_LIMIT - NOTE.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(NOTE);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_ledger_has_a_line_for_each_guarantee_and_the_worst_stands_out() {
        let text = markdown(&samples::report());
        assert!(text.starts_with("# highwater: violated\n"));
        assert!(
            text.contains("| `durability`: The promise of &lt;durability&gt;. | **violated** | 40 | 61,204 | 2 |"),
            "{text}"
        );
        assert!(text.contains("| `acks-0`: The promise of &lt;acks-0&gt;. | **vacuous** | 0 | 0 | 0 | - |"));
        assert!(text.contains("found by seed 3"));
    }

    #[test]
    fn a_failure_text_cannot_leave_its_fence() {
        assert_eq!(fenced("a ``` b"), "````text\na ``` b\n````");
        assert_eq!(cell("a|b\nc"), "a\\|b c");
    }

    #[test]
    fn a_summary_never_grows_beyond_what_is_shown() {
        let mut report = samples::report();
        report.failures[0].text = "ü".repeat(SUMMARY_LIMIT);
        let text = markdown(&report);
        assert!(text.len() <= SUMMARY_LIMIT);
        assert!(text.ends_with("own folder._\n"));
    }

    #[test]
    fn only_the_first_failures_are_told_in_full() {
        let mut report = samples::report();
        report.failures = vec![report.failures[0].clone(); 35];
        let text = markdown(&report);
        assert_eq!(text.matches("<summary><code>").count(), TOLD);
        assert!(text.contains("And 15 more kinds"));
    }
}
