//! `highwater`: many runs turned into figures, pages and verdicts.
//!
//! **What this crate must not know.** It never steps a machine and never looks into a world: it runs plans, adds up
//! outcomes and draws traces. What a run follows from is a plan; what a report follows from is the runs, not the clock,
//! the number of jobs or the folder that it is written to.

mod asked;
mod assembling;
mod bars;
mod bench;
mod bugs;
mod campaign;
mod chart;
mod cli;
mod crash_points;
mod crash_states;
mod diff;
mod engines;
mod exit;
mod explore;
mod failovers;
mod figures;
mod findings;
mod heatmap;
mod ink;
mod interrupt;
mod junit;
mod lanes;
mod ledger;
mod lockstep;
mod markdown;
mod matrix;
mod output;
mod page;
mod parting;
mod pool;
mod progress;
mod replay;
mod report;
#[cfg(test)]
mod samples;
mod scope;
mod sentinel;
mod sheet;
mod shrink;
mod statistics;
mod struck;
mod tables;
mod telling;
mod timeline;
mod why;
mod writing;

use std::panic;
use std::process::ExitCode;

use cli::{Refusal, Wish};
use exit::Exit;
use scenarios::catalogue;

fn main() -> ExitCode {
    // A panic out here is the harness's own: runs catch theirs. The message is on stderr already.
    let ended = panic::catch_unwind(|| cli::wish(std::env::args_os()).and_then(fulfil));
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(Refusal { exit: Exit::Held, text })) => {
            println!("{text}");
            Exit::Held.into()
        }
        Ok(Err(Refusal { exit, text })) => {
            eprintln!("{text}");
            exit.into()
        }
        Err(_) => Exit::Harness.into(),
    }
}

fn fulfil(wish: Wish) -> Result<Exit, Refusal> {
    match wish {
        Wish::Run(order, out) => writing::run(&order, &out),
        Wish::Replay(wish) => replay::replay(&wish),
        Wish::Shrink(wish) => shrink::shrink(&wish),
        Wish::CrashPoints(order, out) => writing::crash_points(&order, &out),
        Wish::CrashStates(order, chosen, bound, out) => writing::crash_states(&order, chosen, bound, &out),
        Wish::Bugs(order, out) => bugs::bugs(&order, &out),
        Wish::Explore(order, out) => explore::explore(&order, &out),
        Wish::Engines(order, out) => engines::engines(&order, &out),
        Wish::CrashPoint(wish) => crash_points::show(&wish),
        Wish::Diff(wish) => diff::diff(&wish),
        Wish::Why(wish) => why::why(&wish),
        Wish::List => {
            for scenario in catalogue::ALL {
                println!("{:18} {}", scenario.name, scenario.sentence);
            }
            Ok(Exit::Held)
        }
        Wish::Bench => {
            println!("{}", bench::bench(&catalogue::ALL[0]));
            Ok(Exit::Held)
        }
    }
}
