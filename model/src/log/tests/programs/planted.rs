//! The properties are seen to fail: each planted answer about storage is caught by one of them.

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::plain::Setting;
use super::{Op, any_program, any_program_with_cuts, crashes, cuts, steady};
use crate::protocol::{Derived, Flushing, Replacing, Storage, Tail};

fn is_caught(storage: Storage, programs: impl Strategy<Value = Vec<Op>>, property: impl Fn(Setting, &[Op])) -> bool {
    let config =
        ProptestConfig { cases: 400, failure_persistence: None, max_shrink_iters: 0, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let result = runner.run(&programs, |program| {
        property(Setting { storage, compact: false }, &program);
        Ok(())
    });
    matches!(result, Err(TestError::Fail(..)))
}

fn steadily(setting: Setting, program: &[Op]) {
    steady::run(setting, program, 0);
}

fn with_crashes(setting: Setting, program: &[Op]) {
    crashes::run(setting, program);
}

#[test]
fn what_a_truncation_leaves_is_caught_by_the_audit() {
    for derived in [Derived::ProducersLeft, Derived::EpochsLeft] {
        assert!(is_caught(Storage { derived, ..Storage::LATEST }, any_program(70), steadily), "{derived:?}");
    }
}

#[test]
fn a_recovery_that_keeps_too_much_or_too_little_is_caught() {
    let torn = Storage { tail: Tail::TornKept, ..Storage::LATEST };
    assert!(is_caught(torn, any_program_with_cuts(60), cuts::run));
    let dropped = Storage { tail: Tail::LastValidDropped, ..Storage::LATEST };
    assert!(is_caught(dropped, any_program(25), with_crashes));
}

#[test]
fn a_recovery_point_over_what_was_never_synced_is_caught() {
    for flushing in [Flushing::Nothing, Flushing::FilesAlone] {
        assert!(
            is_caught(Storage { flushing, ..Storage::LATEST }, any_program_with_cuts(60), cuts::run),
            "{flushing:?}"
        );
    }
}

#[test]
fn a_checkpoint_that_is_renamed_before_its_sync_is_caught() {
    let storage = Storage { replacing: Replacing::RenamedUnsynced, ..Storage::LATEST };
    assert!(is_caught(storage, any_program_with_cuts(60), cuts::run));
}
