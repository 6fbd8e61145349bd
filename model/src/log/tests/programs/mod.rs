//! Random programs for one log, beside a plain list of what it must hold, with audits of everything that is derived.

mod audit;
mod crashes;
mod cuts;
mod errors;
mod plain;
mod planted;
mod steady;
mod world;

use proptest::prelude::*;

use self::plain::{Sent, Setting};
use crate::protocol::Storage;

/// One thing done to a log. Places are per mille of the log, so that they make sense wherever it is.
#[derive(Clone, Debug)]
enum Op {
    Lead {
        sent: Sent,
        epochs_on: u8,
    },
    Follow {
        sent: Vec<Sent>,
        epochs_on: u8,
    },
    AssignEpoch,
    Truncate {
        at: u16,
    },
    /// Truncate fully and start there.
    Restart {
        at: u16,
    },
    RaiseStart {
        at: u16,
    },
    /// Delete old segments; the high watermark is there.
    Retain {
        at: u16,
    },
    /// Begin a round of cleaning with the high watermark there, or go on with the one that has begun.
    Clean {
        at: u16,
    },
    Flush {
        at: u16,
    },
    FlushIfDue,
    WriteEpochs,
    WriteCheckpoints,
    Sweep,
    Wait {
        millis: u16,
    },
    CleanRestart,
    Crash,
    /// Only where a program says so.
    PowerCut {
        dice: u64,
    },
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let ahead = prop_oneof![4 => -2..3_i8, 1 => -60..60_i8];
    (prop::collection::vec(0..12_u8, 1..5), 0..4_u8, ahead).prop_map(|(keys, producer, ahead)| Sent {
        keys,
        producer,
        ahead,
    })
}

fn any_op() -> impl Strategy<Value = Op> {
    let at = || prop_oneof![3 => 0..=1_000_u16, 1 => 900..=1_200_u16];
    prop_oneof![
        12 => (any_sent(), 0..8_u8).prop_map(|(sent, dice)| Op::Lead { sent, epochs_on: u8::from(dice == 0) }),
        6 => (prop::collection::vec(any_sent(), 1..4), 0..4_u8)
            .prop_map(|(sent, dice)| Op::Follow { sent, epochs_on: u8::from(dice == 0) }),
        1 => Just(Op::AssignEpoch),
        3 => at().prop_map(|at| Op::Truncate { at }),
        1 => at().prop_map(|at| Op::Restart { at }),
        2 => (0..=1_000_u16).prop_map(|at| Op::RaiseStart { at }),
        2 => at().prop_map(|at| Op::Retain { at }),
        4 => at().prop_map(|at| Op::Clean { at }),
        3 => at().prop_map(|at| Op::Flush { at }),
        1 => Just(Op::FlushIfDue),
        1 => Just(Op::WriteEpochs),
        2 => Just(Op::WriteCheckpoints),
        1 => Just(Op::Sweep),
        3 => (0..2_000_u16).prop_map(|millis| Op::Wait { millis }),
        1 => Just(Op::CleanRestart),
        1 => Just(Op::Crash),
    ]
}

fn any_program(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(any_op(), 1..longest)
}

/// A program in which the power goes now and then.
fn any_program_with_cuts(longest: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![12 => any_op(), 1 => any::<u64>().prop_map(|dice| Op::PowerCut { dice })];
    prop::collection::vec(op, 1..longest)
}

fn any_setting() -> impl Strategy<Value = Setting> {
    (prop_oneof![Just(Storage::LATEST), Just(Storage::KAFKA)], any::<bool>())
        .prop_map(|(storage, compact)| Setting { storage, compact })
}

fn latest() -> impl Strategy<Value = Setting> {
    any::<bool>().prop_map(|compact| Setting { storage: Storage::LATEST, compact })
}
