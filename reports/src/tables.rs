//! What a campaign tried, kind by kind, as tables, for a page and for Markdown alike. Words and numbers only.

use scenarios::matrix::Stated;

use crate::chart::grouped;
use crate::failovers::FailoverRow;
use crate::matrix::{MatrixRow, Shown};
use crate::report::{KnownBug, Report, percent};
use crate::struck::{CrashPoints, CrashStates, Outcomes, Share};

/// A table: what was tried, kind by kind.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What it is about.
    pub(crate) title: String,
    /// What it comes to, a sentence each.
    pub(crate) sentences: Vec<String>,
    /// The columns; all but the first are numbers.
    pub(crate) head: Vec<&'static str>,
    /// The rows.
    pub(crate) rows: Vec<Vec<String>>,
}

/// The tables of a report.
pub(crate) fn tables(report: &Report) -> Vec<Table> {
    let struck = report.crash_points.iter().map(of_points).chain(report.crash_states.iter().map(of_states));
    let matrix = (!report.matrix.is_empty()).then(|| of_matrix(&report.matrix));
    let failovers = (!report.failovers.is_empty()).then(|| of_failovers(&report.failovers));
    let known_bugs = (!report.canary.known_bugs.is_empty()).then(|| of_known_bugs(&report.canary.known_bugs));
    struck.chain(matrix).chain(failovers).chain(known_bugs).collect()
}

fn of_points(points: &CrashPoints) -> Table {
    let row = |row: &crate::struck::KindRow| {
        let kind = format!("{}: {} of {} at {}", row.how, row.call, row.path, row.phase);
        [vec![kind, grouped(row.share.tried), grouped(row.share.of)], outcomes(row.outcomes)].concat()
    };
    Table {
        title: format!("Crash points of {}, seed {}", points.scenario, points.seed),
        sentences: vec![
            format!(
                "{} points of {} disk calls: before each call, amid each append, after each last call of a step that had \
                 an effect; with the process killed and with the power cut.",
                so_many(points.once),
                grouped(points.disk_calls)
            ),
            format!(
                "{} points in the recovery after one of {} of them: the broker is stopped once more before it serves.",
                so_many(points.again),
                grouped(points.recoveries)
            ),
            points.line() + ".",
        ],
        head: [&["kind", "tried", "of"][..], &OUTCOMES[..]].concat(),
        rows: points.kinds.iter().map(row).collect(),
    }
}

fn of_states(states: &CrashStates) -> Table {
    let row = |row: &crate::struck::StateRow| {
        let kind = format!("{} {} of {} at {}", row.side, row.call, row.path, row.phase);
        let tried = vec![
            kind,
            grouped(row.boundaries.tried),
            grouped(row.boundaries.of),
            grouped(row.states.tried),
            row.states.legal_words(),
            grouped(row.distinct),
        ];
        [tried, outcomes(row.outcomes)].concat()
    };
    Table {
        title: format!("Crash states of {}, seed {}", states.scenario, states.seed),
        sentences: vec![
            format!(
                "{} boundaries: the moments just before and just after each sync. At {} of them every legal state that can \
                 be told apart was tried, at the others {}: the corners first, then drawn ones.",
                so_many(states.boundaries),
                grouped(states.exhaustive),
                grouped(states.bound.into())
            ),
            states.line() + ".",
        ],
        head: [&["kind", "boundaries", "of", "states tried", "legal", "distinct"][..], &OUTCOMES[..]].concat(),
        rows: states.kinds.iter().map(row).collect(),
    }
}

fn of_matrix(rows: &[MatrixRow]) -> Table {
    let row = |row: &MatrixRow| {
        let lost = format!("{} of {}", grouped(row.lost), grouped(row.acknowledged));
        let bounds = format!("{} to {}", percent(row.lower_bound_95), percent(row.upper_bound_95));
        let stated = match row.stated {
            Stated::Zero => "none",
            Stated::NonZero => "some",
            Stated::Open => "open",
        };
        vec![row.name(), stated.to_owned(), row.share(), bounds, lost]
    };
    let as_stated = rows.iter().filter(|row| row.shown == Shown::AsStated).count();
    Table {
        title: "Durability table".to_owned(),
        sentences: vec![
            "Whether records are lost that a producer knew to be acknowledged; by acks=0, all that were sent count."
                .to_owned(),
            format!("{as_stated} of {} cells came out as stated.", rows.len()),
        ],
        head: vec!["cell", "losses stated", "runs with a loss", "share of runs (95 %)", "records lost"],
        rows: rows.iter().map(row).collect(),
    }
}

fn of_failovers(rows: &[FailoverRow]) -> Table {
    let row = |row: &FailoverRow| {
        let seconds = [row.p50_seconds, row.p99_seconds, row.longest_seconds, row.timeouts_seconds];
        let seconds = seconds.map(|seconds| format!("{seconds:.2} s"));
        [vec![row.of.to_owned(), grouped(row.samples)], seconds.to_vec()].concat()
    };
    Table {
        title: "Failovers".to_owned(),
        sentences: vec!["From the end of a process until another one has taken over, in simulated time.".to_owned()],
        head: vec!["of", "samples", "half within", "99 % within", "all within", "its timeouts"],
        rows: rows.iter().map(row).collect(),
    }
}

fn of_known_bugs(bugs: &[KnownBug]) -> Table {
    let row = |bug: &KnownBug| {
        let seeds = if bug.found { grouped(bug.seeds) } else { format!("not in {}", grouped(bug.seeds)) };
        vec![format!("{} {}", bug.id, bug.name), bug.breaks.to_owned(), seeds]
    };
    let found = bugs.iter().filter(|bug| bug.found).count();
    Table {
        title: "Known bugs put back".to_owned(),
        sentences: vec![
            "Before anything else, mistakes that were really made were put back into the protocol, one at a time, and hunted from \
             fresh seeds with the same judge: a campaign that cannot find them says nothing about others."
                .to_owned(),
            format!("{found} of {} were found. All that are known, with times: `highwater bugs`.", bugs.len()),
        ],
        head: vec!["bug", "breaks", "seeds to the first hit"],
        rows: bugs.iter().map(row).collect(),
    }
}

const OUTCOMES: [&str; 4] = ["whole", "excused loss", "violated", "not recovered"];

fn outcomes(outcomes: Outcomes) -> Vec<String> {
    outcomes.in_order().map(grouped).to_vec()
}

fn so_many(share: Share) -> String {
    if share.tried == share.of {
        format!("All {}", grouped(share.of))
    } else {
        format!("{} of {}", grouped(share.tried), grouped(share.of))
    }
}
