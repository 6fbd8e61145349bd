//! What was found, as text of a hundred columns. Takes an account and nothing else.

use std::fmt::Write;

use scenarios::failure::grouped;
use sim::Moment;

use super::account::{Account, Chance, FaultRow, JumpRow, PointRow};

/// How wide a chance of 100 % is drawn.
const WIDTH: usize = 40;

/// The whole account.
pub(super) fn text(account: &Account) -> String {
    let mut text = String::new();
    write(&mut text, account).expect("writing to a string does not fail");
    text.truncate(text.trim_end().len());
    text
}

fn write(to: &mut String, account: &Account) -> std::fmt::Result {
    let Account { fingerprint, guarantee, scenario, seed, .. } = account;
    writeln!(to, "WHY  {fingerprint}   ({scenario}, seed {seed})")?;
    writeln!(to, "  because  {}", account.sentence.lines().next().unwrap_or_default())?;
    let breaks = if guarantee == "panic" { "that it panics".to_owned() } else { format!("that {guarantee} breaks") };
    writeln!(
        to,
        "\nHow likely it is {breaks}, if everything is as it was up to an instant and chance is another from there"
    )?;
    writeln!(to, "({} forks from each instant, 95 % intervals)", account.samples)?;
    for point in &account.points {
        write_point(to, account, point)?;
    }
    write_jumps(to, account)?;
    write_faults(to, &account.faults)?;
    let alike: u64 = account.points.iter().map(|point| point.chance.same_fingerprint).sum();
    let same: u64 = account.points.iter().map(|point| point.chance.same_guarantee).sum();
    writeln!(
        to,
        "\nOf {} forks that broke the same guarantee, {} did so in the same way.",
        grouped(same),
        grouped(alike)
    )?;
    let (forks, steps) = (grouped(account.cost.forks), grouped(account.cost.steps));
    writeln!(to, "spent: {forks} forks, {steps} steps of machines")?;
    if account.cost.cut_short {
        writeln!(to, "It was interrupted: this is what had been found by then.")?;
    }
    writeln!(to, "again: {}", account.again)
}

fn write_point(to: &mut String, account: &Account, point: &PointRow) -> std::fmt::Result {
    let Chance { share, low, high, .. } = point.chance;
    let place = |share: f64| (share * WIDTH as f64).round() as usize;
    // The interval as a line, the share as a dot on it.
    let line: String = (0..=WIDTH)
        .map(|at| match at {
            at if at == place(share) => '●',
            at if at >= place(low) && at <= place(high) => '─',
            0 | WIDTH => '│',
            _ => ' ',
        })
        .collect();
    let note = if point.at == 0.0 {
        "  before the cluster boots".to_owned()
    } else if point.at >= account.shown {
        "  it has happened".to_owned()
    } else {
        let number = account.jumps.iter().position(|jump| jump.upto == point.at);
        number.map_or_else(String::new, |number| format!("  ← {}", number + 1))
    };
    writeln!(to, "  {:>10}  {line}  {:>5} {:>12}{note}", time(point.at), percent(share), interval(&point.chance))
}

fn write_jumps(to: &mut String, account: &Account) -> std::fmt::Result {
    if account.jumps.is_empty() {
        return writeln!(
            to,
            "\nIt does not change for sure anywhere: it was as likely from the beginning as at the end."
        );
    }
    writeln!(to, "\nWhere it changes")?;
    for (number, jump) in account.jumps.iter().enumerate() {
        let JumpRow { from, upto, before, after, facts, story } = jump;
        let (from, upto) = (time(*from), time(*upto));
        let number = number + 1;
        let (before, after) = (percent(*before), percent(*after));
        writeln!(to, "  {number}.  {before} → {after}   between {from} and {upto} ({} facts)", grouped(*facts))?;
        for line in story {
            writeln!(to, "      {line}")?;
        }
        if story.is_empty() {
            writeln!(to, "      no fact of note: it is decided by when messages arrive")?;
        }
    }
    Ok(())
}

fn write_faults(to: &mut String, faults: &[FaultRow]) -> std::fmt::Result {
    if faults.is_empty() {
        return writeln!(to, "\nIt took no fault: the storm is empty.");
    }
    writeln!(
        to,
        "\nWhat each fault had to do with it: the run without it; forks from just before it, with it and without"
    )?;
    writeln!(
        to,
        "  {:>10}  {:<21}  {:>10}  {:>10}  {:<20}  fault",
        "struck", "without, own dice", "with", "without", "verdict"
    )?;
    for row in faults {
        let struck = row.struck.map_or_else(|| "never".to_owned(), time);
        let chance = |chance: &Option<Chance>| chance.map_or_else(|| "–".to_owned(), |chance| interval(&chance));
        writeln!(
            to,
            "  {struck:>10}  {:<21}  {:>10}  {:>10}  {:<20}  {}",
            row.own_dice.unwrap_or("–"),
            chance(&row.with),
            chance(&row.without),
            row.verdict,
            row.fault
        )?;
    }
    Ok(())
}

/// As in a story, which does not round.
pub(super) fn time(seconds: f64) -> String {
    Moment((seconds * 1e9).round() as u64).to_string()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn interval(chance: &Chance) -> String {
    format!("{:.0}–{:.0} %", chance.low * 100.0, chance.high * 100.0)
}
