//! Records of one key stay in the order in which they were sent, and consumers see them so.

use std::time::Duration;

use scenarios::load::Load;
use scenarios::strategies::brisk;
use scenarios::{Guarantee, scenario, seen};
use sim::Verbs;
use sim::cluster::Cluster;
use sim::dice::Dice;

#[test]
fn records_of_a_key_keep_their_order_through_crashes_when_one_request_is_in_flight() {
    let cluster = brisk(Cluster::of(3).min_isr(2).partitions(4).producers(2))
        .property("producer.max.in.flight.requests.per.connection", 1);
    let told = scenario(cluster, |w| {
        let load = Load { rate: 40, keys: 6, ..Load::default() };
        let dice = Dice::new(1);
        for _ in 0..3 {
            load.carry(w, dice, Duration::from_secs(2));
            w.crash(w.leader());
            load.carry(w, dice, Duration::from_secs(5));
            w.restart_all();
        }
        w.quiet();
    });
    told.sometimes(
        "a batch was sent again",
        |fact| matches!(fact.event(), Some(model::event::Event::BatchSent { attempt, .. }) if *attempt > 1),
    );
    told.sometimes("a record was acknowledged", seen::acked);
    let exercised = told.runs().iter().flat_map(|(_, outcome)| &outcome.exercised);
    let ordered: u64 = exercised.filter(|(guarantee, _)| *guarantee == Guarantee::Order).map(|(_, times)| times).sum();
    assert!(ordered > 0, "order was promised and looked at");
}
