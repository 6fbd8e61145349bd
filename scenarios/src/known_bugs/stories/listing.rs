//! The stories of known bugs about where logs end, as clients are told: plain functions over a world. They do not know which bug is
//! met in them.

use std::time::Duration;

use model::event::Event;
use model::machine::Command;
use model::wire::OffsetSpec;
use sim::Verbs;
use sim::fact::Fact;

use super::World;
use crate::seen;

/// KAFKA-2334: a client is told where a log ends, the leader dies, and the next one has not heard yet how far all have come when it
/// is asked the same.
pub fn the_end_is_asked_for_before_and_after_a_failover(w: &mut World) {
    w.produce(10);
    let leader = w.leader();
    let [heir, silent] = w.followers()[..] else { panic!("the story needs two followers") };
    ask(w, OffsetSpec::Latest);
    w.until(listed);
    w.hold(silent, heir);
    w.crash(leader);
    w.until(|fact| seen::led_by(fact, heir));
    ask(w, OffsetSpec::Latest);
    w.run_for(Duration::from_secs(1));
    w.quiet();
    ask(w, OffsetSpec::Latest);
    w.until(listed);
}

/// The newest record of a partition is asked for while nobody but its leader has it.
pub fn the_newest_record_is_asked_for_before_it_is_committed(w: &mut World) {
    w.produce(5);
    w.settle();
    let leader = w.leader();
    for follower in w.followers() {
        w.hold(follower, leader);
    }
    w.send(1);
    w.run_for(Duration::from_millis(200));
    ask(w, OffsetSpec::MaxTimestamp);
    w.until(listed);
    w.quiet();
}

fn ask(w: &mut World, spec: OffsetSpec) {
    let topic = w.cluster().all_topics()[0].name.clone();
    let admin = w.cluster().admin_id().into();
    w.ask(admin, Command::ListOffsets { topic, partition: 0, spec });
}

fn listed(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::OffsetListed { .. }))
}
