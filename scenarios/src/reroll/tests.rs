//! The canary's dice, rolled again.

use super::*;
use crate::catalogue;

/// The first seed of the canary that loses something, as short as it may be.
fn failing() -> Failing {
    let canary = catalogue::named("canary").expect("it is in the catalogue");
    let mut plans = (0..30).map(|seed| Plan { length: Duration::from_secs(15), ..canary.plan(seed) });
    let found = plans.find_map(|plan| {
        let failing = Failing::of(&plan).ok()?;
        (failing.fingerprint.starts_with("leader-completeness") && failing.shown < plan.length).then_some(failing)
    });
    found.expect("one seed in three finds it")
}

#[test]
fn with_its_own_seed_a_fork_is_the_run_itself_wherever_it_is_forked() {
    let failing = failing();
    let forks = Forks::of(&failing);
    let over = failing.outcome.simulated.saturating_sub(failing.begun.since(Moment::ZERO));
    for at in [0, 1, 2, 3].map(|share| over * share / 3).into_iter().chain([failing.plan.length, failing.shown]) {
        let course = forks.course(None, at).expect("it did not panic before");
        let digest = sim::hermetic(1, || {
            let mut course = Course::clone(&course);
            course.world.reroll(failing.plan.seed);
            course.conclude(failing.plan.length);
            course.world.digest().to_string()
        });
        assert_eq!(digest.as_ref(), Ok(&failing.outcome.digest), "forked at {at:?}");
    }
}

#[test]
fn what_has_happened_is_certain_and_what_has_not_is_not() {
    let failing = failing();
    let forks = Forks::of(&failing);
    let alike = |since: Since| (0..8).filter(|nth| forks.roll(since, None, *nth).came == Came::Alike).count();
    assert_eq!(alike(Since::Begun(failing.shown)), 8);
    let early = alike(Since::Begun(Duration::ZERO));
    assert!(early < 8, "{early}: the loss needs a window of milliseconds");
    assert!(alike(Since::Boot) < 8);
    let since = Since::Begun(failing.shown / 2);
    assert_eq!(forks.roll(since, None, 3), Forks::of(&failing).roll(since, None, 3), "a fork follows from its number");
}

#[test]
fn without_either_of_the_two_crashes_nothing_is_lost() {
    let failing = failing();
    assert_eq!(failing.guarantee, Some(Guarantee::LeaderCompleteness));
    let struck = failing.struck();
    assert_eq!(struck.len(), 2);
    assert!(struck[0] < struck[1], "{struck:?}: the second lies in ambush for what follows from the first");
    let forks = Forks::of(&failing);
    for (place, at) in struck.into_iter().enumerate() {
        assert_eq!(forks.without(place).came, Came::Held);
        let before = at.expect("both struck") - Duration::from_nanos(1);
        let course = |without| forks.course(without, before).expect("no panic").world.digest();
        assert_eq!(course(None), course(Some(place)), "until a fault strikes it makes no difference whether it will");
        assert_eq!(forks.roll(Since::Begun(before), Some(place), 0).came, Came::Held);
    }
}

#[test]
fn a_run_that_holds_is_not_explained() {
    let reference = catalogue::named("reference").expect("it is in the catalogue");
    let plan = Plan { length: Duration::from_secs(3), ..reference.plan(1) };
    assert_eq!(Failing::of(&plan).unwrap_err(), NotFailing::Held);
}
