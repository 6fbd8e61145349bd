//! `highwater why`: how likely a failing run was at each of its instants, where that changed, and which faults it took.
//!
//! The dice are rolled again from an instant on, many times: `search` says from which instants, `necessity` without which
//! faults, `figure` and `telling` show what came of it. Runs forks and counts them; knows nothing of what is in a world.

mod account;
mod curve;
mod figure;
mod necessity;
mod search;
mod telling;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use scenarios::Plan;
use scenarios::failure::Failure;
use scenarios::reroll::{Came, Failing, Forks, NotFailing, Rolled};

use self::account::{Account, Cost};
use self::curve::Tally;
use crate::cli::{Refusal, Replayed, Why};
use crate::exit::Exit;
use crate::interrupt;
use crate::output::{Draft, OutputError};
use crate::pool::in_order;
use crate::progress::{self, Done, Goal};
use crate::replay;

/// The file that marks a folder as one of ours.
const MARK: &str = "why.json";
/// Instants from which forks are made at most, with the faults that are left out.
const INSTANTS: u64 = 48;
/// Steps of machines that are made at most: some 40 seconds of two cores.
const STEPS: u64 = 60_000_000;

/// Explains a failing run, writes what was found and says it.
///
/// # Errors
/// If there is no such run, or nowhere to put it.
pub(crate) fn why(wish: &Why) -> Result<Exit, Refusal> {
    let (plan, kept, again) = asked(wish)?;
    let refusal = |exit, error: &OutputError| Refusal { exit, text: format!("error: {error}") };
    let draft = Draft::begin_marked(&wish.out, MARK).map_err(|error| refusal(Exit::Usage, &error))?;
    interrupt::listen();
    let failing = match Failing::of(&plan) {
        Ok(failing) => failing,
        Err(error) => return Ok(nothing_to_explain(&error, kept.as_ref())),
    };
    if let Some(kept) = kept.filter(|kept| kept.digest != failing.outcome.digest) {
        let (then, now) = (&kept.fingerprint, &failing.fingerprint);
        eprintln!(
            "note: it runs otherwise than when it was kept: then {then} broke, now {now}; this explains the run of now"
        );
    }
    let done = Done::default();
    let goal = Goal::Runs(most_forks(wish));
    let account = progress::shown("rolling again", goal, &done, || explain(&failing, wish, again, &done));
    let text = telling::text(&account);
    let written =
        draft.write("why.txt", &format!("{text}\n")).and_then(|()| draft.write("why.svg", &figure::svg(&account)));
    let written = written.and_then(|()| draft.write(MARK, &account.json())).and_then(|()| draft.publish());
    let folder = written.map_err(|error| refusal(Exit::Harness, &error))?;
    // Whoever reads it may stop reading: everything is in the folder.
    let _ = writeln!(io::stdout(), "{text}\nfigure: {}", folder.join("why.svg").display());
    Ok(Exit::Violated)
}

/// Makes all forks, and adds them up. Each is counted in `done`.
fn explain(failing: &Failing, wish: &Why, again: String, done: &Done) -> Account {
    let lab = Lab { failing, forks: Forks::of(failing), jobs: wish.jobs, samples: wish.samples, done };
    let mut cost = Cost::default();
    let mut curve = search::grid(&lab, &mut cost);
    let faults = necessity::measure(&lab, &mut curve, &mut cost);
    search::narrow(&lab, &mut curve, &mut cost, most_forks(wish));
    Account::of(failing, &curve, faults, cost, wish.samples, again)
}

fn most_forks(wish: &Why) -> u64 {
    wish.samples * INSTANTS
}

/// What forks are made with.
pub(super) struct Lab<'a> {
    failing: &'a Failing,
    forks: Forks<'a>,
    jobs: usize,
    samples: u64,
    done: &'a Done,
}

impl Lab<'_> {
    /// Makes so many forks and adds each to the tally that it belongs to, which `place` says, as long as nobody
    /// interrupts. What comes out does not depend on the number of jobs.
    fn make<K>(
        &self,
        cost: &mut Cost,
        items: u64,
        fork: impl Fn(u64) -> (K, Rolled) + Sync,
        mut add: impl FnMut(K, Came) + Send,
    ) where
        K: Send,
    {
        let work = |item| {
            let (place, rolled) = fork(item);
            self.done.add(rolled.simulated, matches!(rolled.came, Came::Alike | Came::SameGuarantee));
            (place, rolled)
        };
        let made = in_order(self.jobs, items, &|| !interrupt::requested(), work, |_, (place, rolled): (K, Rolled)| {
            cost.add(&rolled);
            add(place, rolled.came);
            ControlFlow::Continue(())
        });
        cost.cut_short |= made < items;
    }
}

/// What is to be run, what was kept of it, and what explains it again.
fn asked(wish: &Why) -> Result<(Plan, Option<Failure>, String), Refusal> {
    match &wish.what {
        Replayed::File(path) => {
            let kept = replay::load(path)?;
            Ok((kept.plan.clone(), Some(kept), format!("highwater why {}", shown(path))))
        }
        Replayed::Seed(scenario, seed) => {
            Ok((scenario.plan(*seed), None, format!("highwater why --scenario {} --seed {seed}", scenario.name)))
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn nothing_to_explain(error: &NotFailing, kept: Option<&Failure>) -> Exit {
    println!("{error}");
    match (kept, error) {
        (Some(kept), _) => {
            println!("  when it was kept, {} broke: the program has changed since, or the file has", kept.fingerprint);
            Exit::Differing
        }
        (None, NotFailing::Held) => Exit::Held,
        (None, NotFailing::Inconclusive(_)) => Exit::Inconclusive,
        (None, NotFailing::TooEarly(_)) => Exit::Violated,
    }
}

impl Tally {
    fn add(&mut self, came: Came) {
        self.runs += 1;
        self.same += u64::from(matches!(came, Came::Alike | Came::SameGuarantee));
        self.alike += u64::from(came == Came::Alike);
    }
}
