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
    assert!(early > 0, "{early}: the canary finds it in most runs");
    assert!(alike(Since::Boot) > 0);
    let since = Since::Begun(failing.shown / 2);
    assert_eq!(forks.roll(since, None, 3), Forks::of(&failing).roll(since, None, 3), "a fork follows from its number");
}

#[test]
fn without_the_crash_of_the_leader_nothing_is_lost_and_until_it_strikes_it_makes_no_difference() {
    let mut failing = failing();
    // The second crash lies in ambush, and is not needed.
    failing.plan.storm.strikes.truncate(1);
    let failing = Failing::of(&failing.plan).expect("one crash is enough");
    assert_eq!(failing.guarantee, Some(Guarantee::LeaderCompleteness));
    let struck = failing.struck();
    assert_eq!(struck.len(), 1);
    let before = struck[0].expect("it struck") - Duration::from_nanos(1);
    let forks = Forks::of(&failing);
    assert_eq!(forks.without(0).came, Came::Held);
    let course = |without| forks.course(without, before).expect("no panic").world.digest();
    assert_eq!(course(None), course(Some(0)));
    for nth in 0..4 {
        assert_eq!(forks.roll(Since::Begun(before), Some(0), nth).came, Came::Held);
    }
}

#[test]
fn a_run_that_panics_is_rolled_again_like_any_other() {
    let canary = catalogue::named("canary").expect("it is in the catalogue");
    let mut plan = Plan { length: Duration::from_secs(4), ..canary.plan(1) };
    let broker = model::names::BrokerId(2);
    plan.storm.strikes.clear();
    let calls_of = |plan: &Plan| {
        Course::begin(plan, |_| {}).map(|mut course| {
            course.go_on(Duration::from_secs(3), plan.length);
            course.world.disk_calls(broker)
        })
    };
    let call = sim::hermetic(1, || calls_of(&plan).ok()).expect("no panic").expect("it boots");
    // To leave one of no states at all is what nobody can do.
    let how = sim::fault::Stopping::PowerLeaving { state: 0, bound: 0 };
    let (target, side) = (sim::Target::from(broker), sim::disk::Side::Before);
    let stop = sim::Fault::StopAtDiskCall { target, call, side, how, back: Duration::ZERO };
    plan.storm.strikes = vec![sim::Strike::at(Duration::from_secs(1), stop)];
    let failing = Failing::of(&plan).expect("it panics");
    assert!(failing.fingerprint.starts_with("panic/") && failing.guarantee.is_none(), "{}", failing.fingerprint);
    assert!(failing.shown > Duration::from_secs(2) && failing.shown < Duration::from_millis(3_001));
    assert!(failing.trace.len() > 1_000, "it is told up to the panic");
    assert_eq!(failing.struck()[0], Some(Duration::from_secs(1)));
    let forks = Forks::of(&failing);
    let before = Since::Begun(failing.shown - Duration::from_millis(1));
    assert_eq!(forks.roll(before, None, 0).came, Came::Alike);
    assert_eq!(forks.roll(Since::Begun(failing.shown + Duration::from_millis(9)), None, 0).came, Came::Alike);
    assert_eq!(forks.without(0).came, Came::Held);
}

#[test]
fn a_run_that_holds_is_not_explained() {
    let reference = catalogue::named("reference").expect("it is in the catalogue");
    let plan = Plan { length: Duration::from_secs(3), ..reference.plan(1) };
    assert_eq!(Failing::of(&plan).unwrap_err(), NotFailing::Held);
}
