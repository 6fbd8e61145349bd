//! What a campaign came to, as plain data: every page, file and figure is made from this and from nothing else.
//!
//! Its form in JSON is `report.json`; whoever reads that counts on the names of these fields, so a change that is not an
//! addition raises [`SCHEMA_VERSION`]. Nothing here was measured by a clock: the same input gives the same report.

use serde::Serialize;

use crate::failovers::FailoverRow;
use crate::matrix::MatrixRow;
use crate::struck::{CrashPoints, CrashStates};

/// The version of `report.json`.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A whole campaign.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The version of this format.
    pub(crate) schema_version: u32,
    /// Who wrote it.
    pub(crate) program: Program,
    /// What it comes to.
    pub(crate) verdict: Verdict,
    /// What was run.
    pub(crate) campaign: Campaign,
    /// The planted bug that must be found.
    pub(crate) canary: Canary,
    /// The ledger.
    pub(crate) guarantees: Vec<Row>,
    /// The same by scenario.
    pub(crate) scenarios: Vec<ScenarioRow>,
    /// What was broken, by fingerprint.
    pub(crate) failures: Vec<FailureRow>,
    /// Runs that showed nothing, the first few.
    pub(crate) inconclusive: Vec<InconclusiveRow>,
    /// Where brokers were stopped, if that is what was run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) crash_points: Vec<CrashPoints>,
    /// Legal states of disks that were tried, if that is what was run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) crash_states: Vec<CrashStates>,
    /// The durability table, if it was run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) matrix: Vec<MatrixRow>,
    /// How long failovers took, if they were measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) failovers: Vec<FailoverRow>,
    /// The pictures.
    pub(crate) figures: Vec<Figure>,
}

/// Who wrote a report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Program {
    /// `highwater`: what marks a folder as a report.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
}

impl Program {
    /// This one.
    pub(crate) fn this() -> Self {
        Self { name: "highwater", version: env!("CARGO_PKG_VERSION") }
    }
}

/// What a campaign comes to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verdict {
    /// In a word.
    pub(crate) word: &'static str,
    /// What the program exits with.
    pub(crate) exit_code: u8,
    /// Every reason, a sentence each; what weighs most comes first.
    pub(crate) reasons: Vec<String>,
}

/// What was run.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Campaign {
    /// Names of the scenarios.
    pub(crate) scenarios: Vec<String>,
    /// The first seed.
    pub(crate) seeds_from: u64,
    /// The bound of the seeds that were planned.
    pub(crate) seeds_to: u64,
    /// Runs that were planned; `None` if time alone was to end it.
    pub(crate) runs_planned: Option<u64>,
    /// Runs that were made.
    pub(crate) runs: u64,
    /// Runs in which everything held.
    pub(crate) held: u64,
    /// Runs in which a promise was broken.
    pub(crate) violated: u64,
    /// Runs that ended in a panic.
    pub(crate) panicked: u64,
    /// Runs that showed nothing.
    pub(crate) inconclusive: u64,
    /// Runs that were made a second time to compare digests; `None` if nobody asked for that.
    pub(crate) compared: Option<u64>,
    /// Simulated time.
    pub(crate) simulated_seconds: f64,
    /// Facts.
    pub(crate) facts: u64,
    /// Steps that machines made.
    pub(crate) steps: u64,
    /// Properties of the user's that were set on top of every scenario's own.
    pub(crate) properties: Vec<(String, String)>,
    /// How much of everything there was.
    pub(crate) counts: Vec<Count>,
    /// What was lost, within the contract or not.
    pub(crate) losses: Losses,
    /// Runs in which something never came to rest, within the contract, by reason.
    pub(crate) stuck: Vec<Count>,
}

/// One number, named.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Count {
    /// Of what.
    pub(crate) name: &'static str,
    /// How many.
    pub(crate) count: u64,
}

/// What was lost, within the contract or not.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Losses {
    /// Runs that lost a committed record.
    pub(crate) runs: u64,
    /// Records that were committed.
    pub(crate) committed: u64,
    /// Of them lost.
    pub(crate) lost: u64,
    /// Of the lost, those whose loss the contract allows.
    pub(crate) excused: u64,
    /// Records acknowledged with `acks=all`.
    pub(crate) acknowledged: u64,
    /// Of them lost.
    pub(crate) acknowledged_lost: u64,
}

/// The planted bug of a campaign.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Canary {
    /// The scenario that has it.
    pub(crate) scenario: String,
    /// The first seed that found it.
    pub(crate) found_by_seed: Option<u64>,
    /// Seeds that were tried.
    pub(crate) seeds_tried: u64,
    /// What was found.
    pub(crate) fingerprint: Option<String>,
    /// The known bugs that were looked for, too.
    pub(crate) known_bugs: Vec<KnownBug>,
}

/// A known bug that a campaign has looked for.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct KnownBug {
    /// Its number.
    pub(crate) id: &'static str,
    /// Its name.
    pub(crate) name: &'static str,
    /// The guarantee that it breaks.
    pub(crate) breaks: &'static str,
    /// Seeds that were tried.
    pub(crate) seeds: u64,
    /// Whether the last of them found it.
    pub(crate) found: bool,
}

impl Canary {
    /// The known bugs that were looked for in vain.
    pub(crate) fn missed(&self) -> Vec<&'static str> {
        self.known_bugs.iter().filter(|bug| !bug.found).map(|bug| bug.id).collect()
    }
}

/// One documented guarantee and the evidence for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Its short name.
    pub(crate) id: String,
    /// The promise.
    pub(crate) sentence: String,
    /// Where it is documented.
    pub(crate) source: String,
    /// What must be so for it to hold.
    pub(crate) preconditions: String,
    /// Runs in which its premise was put to the test at least once: the trials that the bound counts.
    pub(crate) runs: u64,
    /// How often its premise was put to the test in all.
    pub(crate) exercised: u64,
    /// Runs in which it was broken.
    pub(crate) violations: u64,
    /// The 95 % upper bound on the share of such runs that break it.
    pub(crate) upper_bound_95: f64,
    /// What that comes to.
    pub(crate) status: Status,
}

/// What the evidence for a guarantee comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    /// Put to the test and never broken.
    Held,
    /// Broken.
    Violated,
    /// In scope, and never put to the test: nothing is known.
    Vacuous,
    /// No run of this campaign promises it.
    OutOfScope,
}

impl Status {
    /// In words, for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Violated => "violated",
            Self::Vacuous => "vacuous",
            Self::OutOfScope => "out of scope",
        }
    }
}

/// What one scenario came to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ScenarioRow {
    /// Its name.
    pub(crate) name: String,
    /// What it is about.
    pub(crate) sentence: String,
    /// Runs of it.
    pub(crate) runs: u64,
    /// Runs of it in which something was broken or panicked.
    pub(crate) failed: u64,
    /// Runs of it that showed nothing.
    pub(crate) inconclusive: u64,
    /// Simulated time.
    pub(crate) simulated_seconds: f64,
    /// Its own ledger, without the words.
    pub(crate) guarantees: Vec<ScenarioGuarantee>,
}

/// The evidence of one scenario for one guarantee.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ScenarioGuarantee {
    /// The guarantee.
    pub(crate) id: String,
    /// As in [`Row::runs`].
    pub(crate) runs: u64,
    /// As in [`Row::exercised`].
    pub(crate) exercised: u64,
    /// As in [`Row::violations`].
    pub(crate) violations: u64,
    /// What that comes to.
    pub(crate) status: Status,
}

/// Failures that have the same cause, as far as one can tell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FailureRow {
    /// What they share.
    pub(crate) fingerprint: String,
    /// The guarantee's id, or `panic`.
    pub(crate) guarantee: String,
    /// Runs that failed like this.
    pub(crate) runs: u64,
    /// What is wrong.
    pub(crate) sentence: String,
    /// The scenario of the first.
    pub(crate) scenario: String,
    /// The seed of the first.
    pub(crate) seed: u64,
    /// The first few that failed like this: scenario and seed.
    pub(crate) seen: Vec<(String, u64)>,
    /// Where those runs were struck, by name, if that is what the campaign is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) points: Vec<String>,
    /// The digest of the run that is kept.
    pub(crate) digest: String,
    /// The file that keeps it, seen from the report's folder.
    pub(crate) file: String,
    /// How to see it again, from the report's folder.
    pub(crate) replay: String,
    /// The failure text.
    pub(crate) text: String,
    /// Its timeline, seen from the report's folder.
    pub(crate) timeline: Option<String>,
}

/// A run that showed nothing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct InconclusiveRow {
    /// The scenario.
    pub(crate) scenario: String,
    /// The seed.
    pub(crate) seed: u64,
    /// Why.
    pub(crate) why: String,
}

/// A picture.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Its file, seen from the report's folder.
    pub(crate) file: String,
    /// What it shows, and how to read it.
    pub(crate) caption: String,
    /// The picture itself.
    #[serde(skip)]
    pub(crate) svg: String,
}

/// What people must know who quote a bound.
pub(crate) const SMALL_PRINT: &str = "A bound is about the share of runs that break a guarantee under this distribution \
    of workloads, faults and timings, in this implementation; it says nothing about Kafka in production. One run is one \
    seed and one fresh cluster; only runs that put the premise to the test are counted. Crash points and crash states of \
    one command share their beginning: they are no independent runs, and their bounds are too good.";

/// A share in per cent, with as many digits as it takes.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent >= 10.0 {
        format!("{percent:.0} %")
    } else if percent >= 0.1 {
        format!("{percent:.2} %")
    } else {
        format!("{percent:.1e} %")
    }
}

#[cfg(test)]
pub(crate) mod samples {
    use super::*;

    /// A report with one of everything.
    pub(crate) fn report() -> Report {
        let row = |id: &str, runs, exercised, violations, status| Row {
            id: id.to_owned(),
            sentence: format!("The promise of <{id}>."),
            source: "Kafka docs, Design; G6".to_owned(),
            preconditions: "acks=all".to_owned(),
            runs,
            exercised,
            violations,
            upper_bound_95: crate::statistics::upper_bound_95(violations, runs),
            status,
        };
        let small = |id: &str, runs, exercised, violations, status| ScenarioGuarantee {
            id: id.to_owned(),
            runs,
            exercised,
            violations,
            status,
        };
        Report {
            schema_version: SCHEMA_VERSION,
            program: Program { name: "highwater", version: "0.0.0" },
            verdict: Verdict {
                word: "violated",
                exit_code: 1,
                reasons: vec!["2 runs broke a guarantee".to_owned(), "acks-0 was never put to the test".to_owned()],
            },
            campaign: Campaign {
                scenarios: vec!["reference".to_owned(), "crashes".to_owned()],
                seeds_to: 20,
                runs_planned: Some(40),
                runs: 40,
                held: 38,
                violated: 2,
                simulated_seconds: 3_600.5,
                facts: 1_234_567,
                steps: 765_432,
                counts: vec![Count { name: "records acknowledged", count: 120_345 }],
                ..Campaign::default()
            },
            canary: Canary {
                scenario: "canary".to_owned(),
                found_by_seed: Some(3),
                seeds_tried: 4,
                fingerprint: Some("durability/elected-leader-lacks-committed-record".to_owned()),
                known_bugs: vec![KnownBug {
                    id: "B01",
                    name: "a follower cuts its log at its own high watermark",
                    breaks: "leader-completeness",
                    seeds: 12,
                    found: true,
                }],
            },
            guarantees: vec![
                row("durability", 40, 61_204, 2, Status::Violated),
                row("order", 40, 99_999, 0, Status::Held),
                row("acks-0", 0, 0, 0, Status::Vacuous),
                row("at-most-once", 0, 0, 0, Status::OutOfScope),
            ],
            scenarios: vec![
                ScenarioRow {
                    name: "reference".to_owned(),
                    sentence: "A storm.".to_owned(),
                    runs: 20,
                    failed: 2,
                    inconclusive: 0,
                    simulated_seconds: 1_800.0,
                    guarantees: vec![
                        small("durability", 20, 31_000, 2, Status::Violated),
                        small("order", 20, 50_000, 0, Status::Held),
                        small("acks-0", 0, 0, 0, Status::Vacuous),
                        small("at-most-once", 0, 0, 0, Status::OutOfScope),
                    ],
                },
                ScenarioRow {
                    name: "crashes".to_owned(),
                    sentence: "Brokers are killed.".to_owned(),
                    runs: 20,
                    failed: 0,
                    inconclusive: 0,
                    simulated_seconds: 1_800.5,
                    guarantees: vec![small("durability", 20, 30_204, 0, Status::Held)],
                },
            ],
            failures: vec![FailureRow {
                fingerprint: "durability/elected-leader-lacks-committed-record".to_owned(),
                guarantee: "durability".to_owned(),
                runs: 2,
                sentence: "b2 was elected without <value 3> & lost it".to_owned(),
                scenario: "reference".to_owned(),
                seed: 7,
                seen: vec![("reference".to_owned(), 7), ("reference".to_owned(), 12)],
                points: Vec::new(),
                digest: "21c085e4d89d6620".to_owned(),
                file: "failures/durability-21c085e4.json".to_owned(),
                replay: "highwater replay failures/durability-21c085e4.json".to_owned(),
                text: "VIOLATED  durability: acks=all\n  replay   highwater replay f\n  because  b2 <lost> it\n"
                    .to_owned(),
                timeline: None,
            }],
            inconclusive: vec![],
            crash_points: Vec::new(),
            crash_states: Vec::new(),
            matrix: Vec::new(),
            failovers: Vec::new(),
            figures: vec![Figure {
                file: "figures/cliff.svg".to_owned(),
                caption: "The cliff.".to_owned(),
                svg: "<svg><text fill=\"#1F2933\">x</text></svg>".to_owned(),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_in_json_has_the_fields_that_readers_count_on() {
        let json = serde_json::to_value(samples::report()).unwrap();
        assert_eq!(json["schema_version"], 1);
        assert_eq!(json["program"]["name"], "highwater");
        let mut row: Vec<_> = json["guarantees"][0].as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = vec![
            "id",
            "sentence",
            "source",
            "preconditions",
            "runs",
            "exercised",
            "violations",
            "upper_bound_95",
            "status",
        ];
        row.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(row, wanted);
        let statuses: Vec<_> = json["guarantees"].as_array().unwrap().iter().map(|row| &row["status"]).collect();
        assert_eq!(statuses, ["violated", "held", "vacuous", "out-of-scope"]);
        assert!(json["figures"][0].get("svg").is_none(), "pictures are files");
    }

    #[test]
    fn shares_are_said_with_as_many_digits_as_they_take() {
        assert_eq!([1.0, 0.139, 0.0099, 0.000_003].map(percent), ["100 %", "14 %", "0.99 %", "3.0e-4 %"]);
    }
}
