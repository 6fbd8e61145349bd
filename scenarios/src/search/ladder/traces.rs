//! The shortest traces to a violation that the model checker found, told to a cluster step by step.
//!
//! In the models a controller elects whom it likes of those in sync, and every replica hears of that when it likes. Here an operator
//! has the leaders elected, so that nobody leaves the in-sync set, and the metadata log is late. No process dies.

use std::time::Duration;

use model::event::Event;
use model::names::BrokerId;
use model::wire::{AdminRequest, Channel};
use sim::Verbs;
use sim::fault::Fault;

use crate::known_bugs::stories::World;
use crate::seen;

/// How long a broker has not heard of what was committed.
const LATE: Duration = Duration::from_millis(1_400);
/// Somewhat longer: who is deposed hears of it after those who have followed.
const LATER: Duration = Duration::from_millis(1_800);

/// A follower has a record that is committed, and has not heard yet that it is, when it is elected. It writes one that nobody has
/// fetched, and the one before it is elected again: the follower is in sync all the time, and has to cut. At its high watermark, if
/// that is all that it knows, or all that its leader makes it fall back on.
pub(super) fn a_leader_for_an_instant(w: &mut World) {
    w.produce(5);
    w.settle();
    let (first, instant) = (w.leader(), w.followers()[0]);
    w.send(1);
    w.until(seen::acked);
    w.hold(first, instant);
    elect(w, instant);
    w.send(1);
    w.until(|fact| fact.node == Some(instant.into()) && matches!(fact.event(), Some(Event::AppendedAsLeader { .. })));
    // Nobody writes in the last epoch before the follower asks.
    w.hold(w.producer(), first);
    elect(w, first);
    w.release(first, instant);
    w.run_for(LATE);
    w.heal_network();
    w.quiet();
}

/// Three elections, and all that is written is written in the last of their epochs. One broker knows of the first alone; it fetches from
/// that leader, who leads again, and what it fetches counts. Then it hears of the second election, whose leader has not heard of the
/// third: it is asked where the logs part, and has none of what was committed since.
pub(super) fn elections_overtake_the_news_of_them(w: &mut World) {
    w.produce(5);
    w.settle();
    let (first, controller) = (w.leader(), w.controller());
    let [second, late] = w.followers()[..] else { panic!("the trace needs two followers") };
    w.lag(Channel::Metadata, controller, late, LATE);
    elect(w, second);
    w.lag(Channel::Metadata, controller, second, LATER);
    elect(w, first);
    w.send(1);
    w.run_for(LATE * 3);
    w.quiet();
}

/// An operator prefers this one of all brokers and has it elected, and it leads.
fn elect(w: &mut World, whom: BrokerId) {
    let topic = w.cluster().all_topics()[0].name.clone();
    let others = w.brokers().into_iter().filter(|broker| *broker != whom);
    let replicas = Some(std::iter::once(whom).chain(others).collect());
    let reassign = AdminRequest::AlterPartitionReassignments { topic: topic.clone(), partition: 0, replicas };
    w.inflict(&Fault::Administer(reassign));
    w.inflict(&Fault::Administer(AdminRequest::ElectLeaders { topic, partition: 0, unclean: false }));
    w.until(|fact| seen::led_by(fact, whom));
}
