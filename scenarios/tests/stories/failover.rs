//! How long a failover takes: no longer than the timeouts that cause it.

use scenarios::measure::Measures;
use scenarios::{Verdict, catalogue, failover, run};

#[test]
fn failovers_take_no_longer_than_their_timeouts_add_up_to() {
    let scenario = catalogue::named(failover::SCENARIO).expect("there is one");
    let mut all = Measures::default();
    for seed in 0..12 {
        let outcome = run(&scenario.plan(seed));
        assert_eq!(outcome.verdict(), Verdict::Held, "seed {seed}: {:?}", outcome.violations);
        all.add(&outcome.measures);
    }
    let settings = scenario.plan(0).cluster.settings;
    let most = |histogram: &scenarios::measure::Histogram| u128::from(histogram.quantile(1.0).unwrap_or_default());
    assert!(all.controller_failover.count() >= 20 && all.unavailability.count() >= 20, "they happen");
    assert!(most(&all.controller_failover) <= failover::of_a_controller(&settings).as_micros(), "{all:?}");
    assert!(most(&all.unavailability) <= failover::of_a_broker(&settings).as_micros(), "{all:?}");
}
