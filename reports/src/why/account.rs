//! What was found, as plain data: text, figure and `why.json` are made from this and from nothing else.
//!
//! Times are seconds of the run, as in its trace and its story. Nothing here was measured by a clock.

use scenarios::reroll::{Came, Failing, Rolled, Since};
use scenarios::story;
use serde::Serialize;

use super::curve::{Curve, Jump, Tally};
use super::necessity::Needed;
use super::search::facts_between;
use crate::output;
use crate::report::Program;

/// Facts that are named at a jump, at most.
const NAMED: usize = 5;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Account {
    /// The version of this format.
    pub(crate) schema_version: u32,
    /// Who wrote it.
    pub(crate) program: Program,
    /// The command that finds it again.
    pub(crate) again: String,
    /// The scenario.
    pub(crate) scenario: String,
    /// The seed.
    pub(crate) seed: u64,
    /// The digest of the run.
    pub(crate) digest: String,
    /// What it broke first, by its id; or `panic`.
    pub(crate) guarantee: String,
    /// What equal failures share.
    pub(crate) fingerprint: String,
    /// What is wrong, in one sentence.
    pub(crate) sentence: String,
    /// When the scenario began.
    pub(crate) begun: f64,
    /// When the load ended and everything was healed; nothing if the failure came before.
    pub(crate) healed: Option<f64>,
    /// When the failure showed.
    pub(crate) shown: f64,
    /// Forks from each instant.
    pub(crate) samples: u64,
    /// What it took.
    pub(crate) cost: Cost,
    /// The chance, by instant.
    pub(crate) points: Vec<PointRow>,
    /// Where it changes.
    pub(crate) jumps: Vec<JumpRow>,
    /// What each fault had to do with it, in the order in which they struck.
    pub(crate) faults: Vec<FaultRow>,
}

/// What it took to find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cost {
    /// Runs and forks of runs.
    pub(crate) forks: u64,
    /// Steps of machines in them.
    pub(crate) steps: u64,
    /// Whether somebody interrupted, so that less was found than could be.
    pub(crate) cut_short: bool,
}

/// How likely it was at an instant.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PointRow {
    /// When; 0 is before the cluster boots.
    pub(crate) at: f64,
    /// How likely.
    #[serde(flatten)]
    pub(crate) chance: Chance,
}

/// A chance, as it was counted.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Chance {
    /// So many forks; none where it had happened already.
    pub(crate) forks: u64,
    /// So many broke the same guarantee.
    pub(crate) same_guarantee: u64,
    /// So many of these in the same way.
    pub(crate) same_fingerprint: u64,
    /// The share that broke the same guarantee.
    pub(crate) share: f64,
    /// Between here ...
    pub(crate) low: f64,
    /// ... and here it lies, with 95 % confidence.
    pub(crate) high: f64,
}

/// Where it changes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JumpRow {
    /// From when.
    pub(crate) from: f64,
    /// To when.
    pub(crate) upto: f64,
    /// From how likely.
    pub(crate) before: f64,
    /// To how likely.
    pub(crate) after: f64,
    /// Facts that were stated in between.
    pub(crate) facts: u64,
    /// Those of them that matter, a line each.
    pub(crate) story: Vec<String>,
}

/// What a fault had to do with it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FaultRow {
    /// The fault, and when it is due.
    pub(crate) fault: String,
    /// When it struck; nothing if it never did.
    pub(crate) struck: Option<f64>,
    /// What comes of the run without it, with the run's own dice; nothing if that was not tried.
    pub(crate) own_dice: Option<&'static str>,
    /// How likely it is just before it strikes.
    pub(crate) with: Option<Chance>,
    /// How likely it is there if it will not strike.
    pub(crate) without: Option<Chance>,
    /// What that means, in a word or two.
    pub(crate) verdict: &'static str,
}

impl Account {
    /// Puts together what was found.
    pub(super) fn of(
        failing: &Failing,
        curve: &Curve,
        faults: Vec<Needed>,
        cost: Cost,
        samples: u64,
        again: String,
    ) -> Self {
        let seconds = |since: Since| seconds(failing, since);
        let sentence = match (&failing.outcome.panicked, failing.violation()) {
            (Some(panicked), _) => panicked.to_string(),
            (None, violation) => violation.map(|violation| violation.sentence.clone()).unwrap_or_default(),
        };
        let mut faults: Vec<FaultRow> = faults.iter().map(|needed| FaultRow::of(failing, needed)).collect();
        // In order of time; what never struck comes last.
        faults.sort_by(|one, next| {
            let at = |row: &FaultRow| row.struck.unwrap_or(f64::INFINITY);
            at(one).total_cmp(&at(next))
        });
        let points = curve.0.iter().filter(|(_, tally)| tally.runs > 0 || tally.happened);
        Self {
            schema_version: 1,
            program: Program::this(),
            again,
            scenario: failing.plan.scenario.clone(),
            seed: failing.plan.seed,
            digest: failing.outcome.digest.clone(),
            guarantee: failing.guarantee.map_or_else(|| "panic".to_owned(), |guarantee| guarantee.id().to_owned()),
            fingerprint: failing.fingerprint.clone(),
            sentence,
            begun: failing.begun.seconds(),
            healed: (failing.shown > failing.plan.length).then(|| seconds(Since::Begun(failing.plan.length))),
            shown: seconds(Since::Begun(failing.shown)),
            samples,
            cost,
            points: points.map(|(since, tally)| PointRow { at: seconds(*since), chance: Chance::of(tally) }).collect(),
            jumps: curve.jumps().iter().map(|jump| JumpRow::of(failing, curve, jump)).collect(),
            faults,
        }
    }

    /// `why.json`.
    pub(crate) fn json(&self) -> String {
        output::json(self)
    }
}

impl Cost {
    /// One more fork.
    pub(super) fn add(&mut self, rolled: &Rolled) {
        self.forks += 1;
        self.steps += rolled.steps;
    }
}

impl Chance {
    fn of(tally: &Tally) -> Self {
        let (low, high) = tally.interval();
        let Tally { runs, same, alike, .. } = *tally;
        Self { forks: runs, same_guarantee: same, same_fingerprint: alike, share: tally.share(), low, high }
    }

    /// Of a tally in which there is something.
    fn known(tally: &Tally) -> Option<Self> {
        (tally.runs > 0 || tally.happened).then(|| Self::of(tally))
    }
}

impl JumpRow {
    fn of(failing: &Failing, curve: &Curve, jump: &Jump) -> Self {
        let (first, last) = facts_between(failing, jump.from, jump.upto);
        // Numbers count from 0: all that is after the fact before the first.
        let stretch = &failing.trace[first..last];
        let told = stretch.first().zip(stretch.last());
        let story = told.map_or_else(Vec::new, |(from, upto)| {
            story::between(&failing.trace, failing.violation(), from.number..=upto.number, NAMED)
        });
        Self {
            from: seconds(failing, jump.from),
            upto: seconds(failing, jump.upto),
            before: curve.0[&jump.from].share(),
            after: curve.0[&jump.upto].share(),
            facts: (last - first) as u64,
            story,
        }
    }
}

impl FaultRow {
    fn of(failing: &Failing, needed: &Needed) -> Self {
        let Needed { place, struck, own, with, without } = needed;
        let late = struck.is_some_and(|at| at > failing.shown);
        let breaks = |came: &Came| matches!(came, Came::Alike | Came::SameGuarantee);
        let verdict = match (struck, own) {
            (None, _) => "never struck",
            _ if late => "struck later",
            (_, None) => "not tried",
            _ if without.runs == 0 => {
                if own.as_ref().is_some_and(breaks) {
                    "not needed"
                } else {
                    "needed by these dice"
                }
            }
            _ => {
                match (with.share() > without.share(), with.change(without).is_some(), own.as_ref().is_some_and(breaks))
                {
                    (true, true, _) if without.same == 0 => "needed",
                    (true, true, _) => "makes it likelier",
                    (false, true, _) => "makes it less likely",
                    (_, false, true) => "no difference seen",
                    (_, false, false) => "needed by these dice",
                }
            }
        };
        Self {
            fault: failing.plan.storm.strikes[*place].to_string(),
            struck: struck.map(|at| seconds(failing, Since::Begun(at))),
            own_dice: own.as_ref().map(|came| match came {
                Came::Alike => "breaks the same way",
                Came::SameGuarantee => "breaks it otherwise",
                Came::Otherwise => "breaks something else",
                Came::Held => "holds",
            }),
            with: Chance::known(with).filter(|_| without.runs > 0),
            without: Chance::known(without),
            verdict,
        }
    }
}

/// When that is in the run.
fn seconds(failing: &Failing, since: Since) -> f64 {
    match since {
        Since::Boot => 0.0,
        Since::Begun(at) => (failing.begun + at).seconds(),
    }
}
