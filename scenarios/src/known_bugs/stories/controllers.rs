//! The stories of known bugs of controllers: plain functions over a world. They do not know which bug is met in them.

use std::time::Duration;

use model::event::Event;
use model::names::{ControllerId, Node};
use model::wire::{AdminRequest, AlteredResource};
use sim::Verbs;
use sim::fact::Fact;
use sim::fault::{Fault, Target};

use super::World;
use crate::seen;

/// Long enough for an election among controllers, and for brokers to find who won.
const A_WHILE: Duration = Duration::from_secs(6);

/// A standby misses much of the metadata log; it is back, the active controller dies, and the other one has just started.
pub fn a_controller_that_missed_much_stands(w: &mut World) {
    w.produce(5);
    for _ in 0..3 {
        let [standby, other] = w.standbys()[..] else { return };
        let active = w.controller();
        w.isolate(standby);
        decide(w, 4);
        w.crash(active);
        w.restart(other);
        w.heal_network();
        w.run_for(A_WHILE);
        w.inflict(&Fault::Start(active.into()));
        w.run_for(A_WHILE);
    }
    w.quiet();
}

/// The active controller loses its power with decisions under way, and is back before anybody has missed it.
pub fn the_active_controller_loses_its_power_and_is_back_at_once(w: &mut World) {
    w.produce(5);
    for _ in 0..4 {
        let active = w.controller();
        ask(w, 4);
        w.run_for(Duration::from_millis(4));
        w.power_off(active);
        w.restart(active);
        w.run_for(A_WHILE);
    }
    w.quiet();
}

/// All controllers lose their power just when something was decided.
pub fn all_controllers_lose_their_power(w: &mut World) {
    w.produce(5);
    for _ in 0..3 {
        decide(w, 4);
        for id in w.controllers() {
            w.power_off(id);
        }
        w.inflict(&Fault::Start(Target::Controllers));
        w.run_for(A_WHILE);
    }
    w.quiet();
}

/// Two stand at once; whoever has voted loses its power, and is asked again by the other one.
pub fn voters_lose_their_power_while_they_vote(w: &mut World) {
    w.produce(5);
    for _ in 0..6 {
        let active = w.controller();
        w.crash(active);
        if w.until(|fact| matches!(fact.event(), Some(Event::Voted { .. })) && fact.node != Some(active.into()))
            && let Some(Node::Controller(voter)) = last_voter(w)
        {
            w.power_off(voter);
            w.restart(voter);
        }
        w.inflict(&Fault::Start(active.into()));
        w.run_for(A_WHILE);
    }
    w.quiet();
}

/// Raft, figure 8: controllers lead in turn, write, and die before others have what they wrote.
pub fn controllers_lead_in_turn_and_die_early(w: &mut World) {
    w.produce(5);
    for _ in 0..6 {
        let active = w.controller();
        for standby in w.standbys() {
            w.hold(active, standby);
        }
        ask(w, 3);
        w.run_for(Duration::from_millis(20));
        w.crash(active);
        w.heal_network();
        w.until(|fact| leads(fact) && fact.node != Some(active.into()));
        w.inflict(&Fault::Start(active.into()));
        w.run_for(Duration::from_millis(500));
    }
    w.quiet();
}

/// A leader of a partition and the active controller are cut off from all others, together. Records come in, and the others lag.
pub fn a_leader_and_the_controller_are_cut_off_together(w: &mut World) {
    w.produce(5);
    let (leader, active) = (w.leader(), w.controller());
    let inside = [Node::from(leader), active.into()];
    let servers = w.brokers().into_iter().map(Node::from).chain(w.controllers().into_iter().map(Node::from));
    for outside in servers.filter(|node| !inside.contains(node)) {
        for node in inside {
            w.cut(node, outside);
        }
    }
    for _ in 0..20 {
        w.send(1);
        w.run_for(Duration::from_millis(100));
    }
    w.run_for(A_WHILE);
    w.quiet();
}

/// The active controller hears brokers, and no other controller, for longer than it may take that for a majority.
pub fn the_active_controller_is_cut_off_from_the_others(w: &mut World) {
    w.produce(5);
    cut_off_from_standbys(w);
    w.run_for(A_WHILE);
    w.quiet();
}

/// The active controller is cut off from the others when it decides; another one is, when the operator's word is carried out, and
/// the first is the active one again.
pub fn a_controller_that_was_cut_off_is_the_active_one_again(w: &mut World) {
    w.produce(5);
    let leaver = w.followers()[1];
    let first = cut_off_from_standbys(w);
    w.terminate(leaver);
    w.until(|fact| leads(fact) && fact.node != Some(first.into()));
    w.heal_network();
    w.run_for(A_WHILE);
    for _ in 0..8 {
        let active = w.controller();
        if active == first {
            break;
        }
        w.crash(active);
        w.run_for(A_WHILE);
        w.inflict(&Fault::Start(active.into()));
        w.run_for(Duration::from_secs(2));
    }
    w.restart(leaver);
    w.run_for(A_WHILE);
    w.quiet();
}

/// It takes long until something is committed, and an operator has much decided. One broker leaves, and another that was away reads
/// at its start what there is at that moment.
pub fn a_broker_starts_while_another_leaves_and_commits_take_long(w: &mut World) {
    w.produce(5);
    let active = w.controller();
    for standby in w.standbys() {
        w.delay(active, standby, Duration::from_millis(250));
    }
    for nth in 1..=6 {
        let [leaves, returns] = w.followers()[..] else { panic!("the story needs two followers") };
        w.crash(returns);
        w.until(|fact| seen::fenced_by_controller(fact, returns));
        w.terminate(leaves);
        decide_slowly(w, 2 * nth);
        w.restart(returns);
        decide_slowly(w, 10);
        w.restart(leaves);
        w.run_for(A_WHILE);
    }
    w.quiet();
}

/// Asks for one decision after another.
fn decide_slowly(w: &mut World, decisions: u32) {
    for _ in 0..decisions {
        ask(w, 1);
        w.run_for(Duration::from_millis(100));
    }
}

fn cut_off_from_standbys(w: &mut World) -> ControllerId {
    let active = w.controller();
    for standby in w.standbys() {
        w.cut(active, standby);
    }
    active
}

fn leads(fact: &Fact) -> bool {
    matches!(fact.event(), Some(Event::ControllerLed { .. }))
}

fn last_voter(w: &World) -> Option<Node> {
    w.latest().iter().rev().find(|fact| matches!(fact.event(), Some(Event::Voted { .. }))).and_then(|fact| fact.node)
}

/// Asks for so many decisions; each leaves a record in the metadata log.
fn ask(w: &mut World, decisions: u32) {
    let topic = w.cluster().all_topics()[0].name.clone();
    for nth in 0..decisions {
        w.inflict(&Fault::Administer(AdminRequest::IncrementalAlterConfigs {
            resource: AlteredResource::Topic(topic.clone()),
            name: "segment.bytes".to_owned(),
            value: Some((1_000_000 + nth).to_string()),
        }));
    }
}

/// Asks for decisions and waits until they are taken.
fn decide(w: &mut World, decisions: u32) {
    ask(w, decisions);
    w.run_for(Duration::from_secs(1));
}
