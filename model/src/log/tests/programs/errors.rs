//! Every disk call may answer with an error. It is handed on, nobody panics, and the next process recovers (L56).

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::crashes::start_again;
use super::plain::Setting;
use super::world::World;
use super::{Op, any_program, any_setting};
use crate::disk::DiskError;

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
