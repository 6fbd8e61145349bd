//! Every disk call may answer with an error. It is handed on, nobody panics, and the next process recovers (L56).

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::crashes::start_again;
use super::plain::{Sent, Setting};
use super::world::World;
use super::{Op, any_program, any_setting};
use crate::disk::DiskError;
use crate::protocol::Storage;

fn run(setting: Setting, program: &[Op]) -> u64 {
    let mut world = World::new(setting);
    let mut errors = 0;
    for op in program {
        let before = world.clone();
        world.perform(op).expect("works");
        let failing = |arm: &dyn Fn(&mut World), error| {
            let mut failed = before.clone();
            arm(&mut failed);
            assert_eq!(failed.perform(op), Err(error));
            start_again(failed, op, &before.plain, &world.plain);
        };
        for call in before.disk.calls + 1..=world.disk.calls {
            for error in [DiskError::NoSpace, DiskError::Io] {
                failing(&|world| world.disk.fail_in(call, error), error);
                errors += 1;
            }
        }
        for read in before.disk.reads + 1..=world.disk.reads {
            failing(&|world| world.disk.fail_read_in(read), DiskError::Io);
            errors += 1;
        }
    }
    errors
}

#[test]
fn an_error_in_any_disk_call_is_handed_on_and_the_next_start_recovers() {
    let mut errors = 0;
    let config = ProptestConfig { cases: 30, ..ProptestConfig::with_source_file(file!()) };
    let counted = std::cell::Cell::new(0);
    let result = TestRunner::new(config).run(&(any_setting(), any_program(25)), |(setting, program)| {
        counted.set(counted.get() + run(setting, &program));
        Ok(())
    });
    result.expect("holds");
    errors += counted.get();
    assert!(errors > 1_000, "only {errors} errors");
}

/// A full truncation is broken off, and an old segment stays behind the new and empty one. A log in which there may be a hole
/// believes it, and with it the snapshot that says who wrote there.
#[test]
fn who_wrote_in_the_hole_of_a_broken_off_full_truncation_may_still_be_known() {
    let sent = |records, producer| Sent { keys: vec![0; records], producer, ahead: 0 };
    let lead = |records, producer| Op::Lead { sent: sent(records, producer), epochs_on: 1 };
    let follow = |sent| Op::Follow { sent, epochs_on: 1 };
    let behind_the_hole = vec![
        lead(2, 0),
        follow(vec![sent(2, 0), sent(4, 0), sent(3, 1)]),
        follow(vec![sent(3, 2), sent(1, 2)]),
        Op::CleanRestart,
        Op::Restart { at: 69 },
    ];
    let before_an_empty_segment = vec![
        lead(2, 0),
        lead(3, 0),
        lead(1, 0),
        lead(1, 0),
        lead(1, 0),
        lead(1, 1),
        lead(2, 0),
        Op::Flush { at: 900 },
        Op::Truncate { at: 900 },
        Op::Restart { at: 0 },
    ];
    // The start begins in the hole, with the snapshot that is there: the one behind it is not believed.
    let known_in_part = vec![
        lead(1, 1),
        lead(2, 0),
        follow(vec![sent(1, 0), sent(3, 0)]),
        lead(2, 0),
        Op::CleanRestart,
        lead(1, 1),
        follow(vec![sent(2, 0), sent(2, 0), sent(4, 0)]),
        lead(2, 0),
        Op::Restart { at: 450 },
    ];
    for program in [behind_the_hole, before_an_empty_segment, known_in_part] {
        for storage in [Storage::LATEST, Storage::KAFKA] {
            for compact in [false, true] {
                assert!(run(Setting { storage, compact }, &program) > 50);
            }
        }
    }
}
