//! The stories of the known bugs: plain functions over a world. They do not know which bug is met in them.

pub mod controllers;
pub mod disks;
pub mod listing;
pub mod moving;

use std::time::Duration;

use model::event::Event;
use model::names::{BrokerId, Node};
use model::wire::{AdminRequest, Channel};
use sim::Hands;
use sim::Verbs;
use sim::fault::Fault;

use crate::scripted::other_servers;
use crate::seen;

/// A running cluster, whichever scheduler turns it: a story is told to both.
pub type World = dyn Hands;

/// Long enough for every timeout of a brisk cluster.
const A_WHILE: Duration = Duration::from_secs(8);

/// A few records, one batch each, and nothing else.
pub fn a_few_records(w: &mut World) {
    for _ in 0..10 {
        w.produce(1);
    }
}

/// More records than one poll hands out, in several batches.
pub fn many_records(w: &mut World) {
    for _ in 0..6 {
        w.produce(20);
    }
}

/// KIP-101, case 1, as it happens today: the leader dies, the next one is followed, and whoever cuts its log upon
/// following must lead without it, because the next leader dies, too.
pub fn the_next_leader_dies_while_the_others_truncate(w: &mut World) {
    w.produce(10);
    let first = w.leader();
    let heir = w.followers()[0];
    let last = w.followers()[1];
    w.send(5);
    w.until(seen::acked);
    w.crash(first);
    w.until(|fact| seen::followed_by(fact, last));
    w.crash(heir);
    w.until(|fact| seen::led_by(fact, last));
}

/// T6: a leader that is cut off from all other servers goes on appending for its clients, and comes back to a cluster
/// that has another leader.
pub fn a_zombie_leader_returns(w: &mut World) {
    replace_the_leader_behind_its_back(w);
    w.produce(5);
    w.quiet();
}

/// All followers are cut off, the last one while records are under way; the leader is alone, and its power goes. Who was eligible leads.
pub fn the_last_one_commits_alone_and_loses_its_power(w: &mut World) {
    w.produce(10);
    let leader = w.leader();
    let followers = w.followers();
    let [first @ .., last] = &followers[..] else { panic!("the story needs a follower") };
    for follower in first {
        w.isolate(*follower);
        w.until_in_world(|w| !w.isr_of(0).contains(follower));
    }
    w.isolate(*last);
    w.send(10);
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    w.run_for(Duration::from_secs(1));
    w.power_off(leader);
    w.heal_network();
    w.run_for(A_WHILE);
    w.restart(leader);
    w.quiet();
}

/// The last but one in the in-sync set loses its power, the last one is shut down in an orderly way; the first of them returns.
pub fn an_eligible_one_loses_its_power_and_is_first_to_return(w: &mut World) {
    w.produce(10);
    let leader = w.leader();
    let followers = w.followers();
    w.crash(followers[0]);
    w.until_in_world(|w| w.isr_of(0).len() == 2);
    w.produce(10);
    w.power_off(followers[1]);
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    w.terminate(leader);
    w.run_for(A_WHILE);
    w.restart(followers[1]);
    w.run_for(A_WHILE);
    w.restart_all();
    w.quiet();
}

/// A former leader has just cut what nobody else had, and written what the new leader has, when its power goes before
/// any of it was synced. Its disk may give the cut records back.
pub fn a_cut_follower_loses_its_power(w: &mut World) {
    let zombie = replace_the_leader_behind_its_back(w);
    w.until(|fact| seen::truncated(fact) && fact.node == Some(zombie.into()));
    w.send(5);
    w.until(|fact| fact.node == Some(zombie.into()) && matches!(fact.event(), Some(Event::AppendedAsFollower { .. })));
    w.power_off(zombie);
    w.restart(zombie);
    w.produce(5);
    w.quiet();
}

/// A leader that is cut off from all other servers takes records on, until another leads. It comes back with a tail that
/// nobody else has.
fn replace_the_leader_behind_its_back(w: &mut World) -> BrokerId {
    let zombie = replace_the_leader_behind_its_back_without_healing(w, 5);
    w.heal_network();
    zombie
}

/// The same, and it stays cut off; its tail is so long.
fn replace_the_leader_behind_its_back_without_healing(w: &mut World, tail: usize) -> BrokerId {
    w.produce(5);
    let zombie = w.leader();
    for other in other_servers(w, zombie) {
        w.cut(zombie, other);
    }
    one_by_one(w, tail);
    w.until(|fact| seen::led(fact) && fact.node != Some(zombie.into()));
    zombie
}

/// So many records, each in a batch of its own.
fn one_by_one(w: &mut World, records: usize) {
    for _ in 0..records {
        w.send(1);
        w.run_for(Duration::from_millis(20));
    }
}

/// The follower that will lead next stands still while more is written, and the leader dies before it goes on.
pub fn the_leader_dies_while_its_heir_stands_still(w: &mut World) {
    w.produce(5);
    let (leader, heir) = (w.leader(), w.followers()[0]);
    w.pause(heir, Duration::from_millis(1_500));
    w.send(5);
    w.run_for(Duration::from_millis(500));
    w.crash(leader);
    w.until(|fact| seen::led_by(fact, heir));
    w.quiet();
}

/// What is written does not reach the follower that will lead next, and the leader dies.
pub fn the_leader_dies_before_its_heir_has_heard_of_it(w: &mut World) {
    w.produce(5);
    let (leader, heir) = (w.leader(), w.followers()[0]);
    w.hold(leader, heir);
    w.send(5);
    w.run_for(Duration::from_millis(500));
    w.crash(leader);
    w.until(|fact| seen::led_by(fact, heir));
    w.quiet();
}

/// A follower that has missed a lot comes back; as soon as it is in sync, the leader dies.
pub fn a_follower_far_behind_returns_and_the_leader_dies(w: &mut World) {
    let (leader, follower) = (w.leader(), w.followers()[0]);
    w.crash(follower);
    w.until(|fact| seen::left_isr(fact, follower));
    for _ in 0..10 {
        w.produce(5);
    }
    w.restart(follower);
    w.until(|fact| seen::joined_isr(fact, follower));
    w.crash(leader);
    w.until(|fact| seen::led_by(fact, follower));
    w.quiet();
}

/// T12: a follower that has just left the ISR lacks the last committed record. A fresh leader whose other follower is
/// silent does not know yet that this record is committed, so the one outside reaches its high watermark without it.
pub fn a_follower_behind_the_start_of_the_epoch_meets_a_fresh_leader(w: &mut World) {
    w.produce(5);
    w.settle();
    let leader = w.leader();
    let [heir, silent, lagging] = w.followers()[..] else { panic!("the story needs three followers") };
    w.hold(leader, lagging);
    w.send(1);
    w.until(seen::acked);
    w.crash(leader);
    w.hold(silent, heir);
    w.until(|fact| seen::led_by(fact, heir));
    w.until(|fact| seen::proposed_by(fact, heir));
    // What it has just fetched does not count yet: it is in a socket's buffer.
    w.pause(lagging, Duration::from_secs(2));
    w.until(|fact| seen::joined_isr(fact, lagging));
    w.crash(heir);
    w.until(seen::led);
    w.quiet();
}

/// A follower is killed and comes back.
pub fn a_follower_returns(w: &mut World) {
    let follower = w.followers()[0];
    w.crash(follower);
    w.until(|fact| seen::left_isr(fact, follower));
    w.produce(20);
    w.restart(follower);
    w.run_for(A_WHILE);
}

/// T8: the leader can reach its clients only. It gives up its follower, the controller gives up the leader.
pub fn a_leader_is_cut_off_from_all_but_its_clients(w: &mut World) {
    w.produce(5);
    let (leader, heir) = (w.leader(), w.followers()[0]);
    for other in other_servers(w, leader) {
        w.cut(leader, other);
    }
    w.send(5);
    w.until(|fact| seen::led_by(fact, heir));
    w.heal_network();
    w.quiet();
}

/// All followers die, and more is written.
pub fn the_leader_is_left_alone(w: &mut World) {
    w.produce(5);
    for follower in w.followers() {
        w.crash(follower);
        w.until(|fact| seen::left_isr(fact, follower));
    }
    w.send(5);
    w.run_for(A_WHILE);
}

/// The leader asks for a follower to be let in; before the controller hears of it, the follower goes down in an orderly
/// way and comes back as another process with an empty disk.
pub fn a_newcomer_loses_its_disk_while_its_admission_is_under_way(w: &mut World) {
    let (leader, newcomer, controller) = (w.leader(), w.followers()[0], w.controller());
    w.terminate(newcomer);
    w.until(|fact| seen::left_isr(fact, newcomer));
    w.produce(20);
    w.run_for(Duration::from_secs(1));
    w.restart(newcomer);
    w.until(|fact| seen::unfenced(fact, newcomer));
    w.hold(leader, controller);
    w.until(|fact| seen::proposed_by(fact, leader));
    w.terminate(newcomer);
    w.until(|fact| matches!(fact.event(), Some(Event::ShutDown)) || seen::stopped(fact, sim::fact::Ending::Exited));
    w.cut(newcomer, leader);
    w.wipe(newcomer);
    w.restart(newcomer);
    w.until(|fact| seen::unfenced(fact, newcomer));
    w.release(leader, controller);
    w.run_for(Duration::from_secs(1));
}

/// The leader dies while its follower is out of sync, and the follower comes back alone.
pub fn an_out_of_sync_replica_is_left_alone(w: &mut World) {
    let (leader, follower) = (w.leader(), w.followers()[0]);
    w.crash(follower);
    w.until(|fact| seen::left_isr(fact, follower));
    w.produce(20);
    w.crash(leader);
    w.restart(follower);
    w.run_for(A_WHILE);
}

/// A follower's disk is replaced, and it is back before anybody has noticed.
pub fn a_follower_returns_with_an_empty_disk(w: &mut World) {
    w.produce(20);
    let follower = w.followers()[0];
    w.wipe(follower);
    w.restart(follower);
    w.run_for(A_WHILE);
}

/// Records are refused for want of in-sync replicas and sent again, while more are written, until the follower is back.
pub fn records_are_refused_until_the_follower_is_back(w: &mut World) {
    w.produce(5);
    let follower = w.followers()[0];
    w.crash(follower);
    w.until(|fact| seen::left_isr(fact, follower));
    w.restart(follower);
    for _ in 0..300 {
        w.send(1);
        w.run_for(Duration::from_millis(20));
    }
}

/// What is written arrives, but the answers never do.
pub fn answers_are_lost(w: &mut World) {
    w.produce(5);
    let (leader, producer) = (w.leader(), w.producer());
    for _ in 0..5 {
        w.hold(leader, producer);
        w.send(3);
        w.run_for(Duration::from_millis(100));
        w.sever(leader, producer);
        w.release(leader, producer);
        w.run_for(Duration::from_millis(700));
    }
}

/// KIP-101, case 2: both lose their power, and what the disks have kept differs. Whoever is back first leads and writes; then the
/// other one comes.
pub fn both_lose_their_power_and_one_is_back_first(w: &mut World) {
    one_by_one(w, 20);
    for broker in w.brokers() {
        w.power_off(broker);
    }
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    let first = w.isr_of(0)[0];
    w.run_for(A_WHILE);
    w.restart(first);
    w.until(seen::led_anew);
    one_by_one(w, 20);
    w.restart_all();
    w.produce(5);
    w.quiet();
}

/// T2: a leader that nobody hears writes what nobody else has; the other one leads, writes, and dies before the first has cut
/// its log. The first one leads again and writes on; then the other comes back, with an epoch that its leader never had.
pub fn two_leaders_in_turn_write_what_the_other_never_had(w: &mut World) {
    let second = two_lead_in_turn(w);
    one_by_one(w, 5);
    w.run_for(Duration::from_secs(1));
    w.restart(second);
    w.quiet();
}

/// The same up to where the first one leads again, and writes nothing: the other comes back to a leader whose log has nothing of the
/// epoch in which it leads.
pub fn a_leader_that_writes_nothing_is_asked_for_an_epoch_that_it_never_had(w: &mut World) {
    let second = two_lead_in_turn(w);
    w.run_for(Duration::from_secs(1));
    w.restart(second);
    w.quiet();
}

/// Up to where the first one leads again; gives the other one, which is down.
fn two_lead_in_turn(w: &mut World) -> BrokerId {
    let first = replace_the_leader_behind_its_back_without_healing(w, 10);
    w.crash(first);
    w.heal_network();
    let second = w.leader();
    one_by_one(w, 5);
    w.run_for(Duration::from_secs(1));
    w.crash(second);
    w.restart(first);
    w.until(|fact| seen::led_by(fact, first));
    second
}

/// A leader of records that nobody has asked for yet dies, comes back first, and leads. It dies again before anybody has
/// followed it.
pub fn one_that_alone_has_the_last_records_leads_and_dies(w: &mut World) {
    w.produce(5);
    let leader = w.leader();
    let followers = w.followers();
    for follower in &followers {
        w.hold(leader, *follower);
    }
    w.send(5);
    w.run_for(Duration::from_millis(300));
    w.crash(leader);
    w.restart(leader);
    w.until(|fact| seen::led_by(fact, leader));
    w.run_for(Duration::from_millis(100));
    w.crash(leader);
    w.heal_network();
    w.until(seen::led_anew);
    w.quiet();
}

/// KIP-320: three elections, and two brokers hear of them late. One follows in the epoch before the last but one, and what it fetches
/// counts; then it hears of the last but one, in which the other still leads.
pub fn a_follower_hears_late_who_leads(w: &mut World) {
    const LATE: Duration = Duration::from_millis(1_400);
    w.produce(5);
    w.settle();
    let (first, controller) = (w.leader(), w.controller());
    let [second, late] = w.followers()[..] else { panic!("the story needs two followers") };
    w.lag(Channel::Metadata, controller, late, LATE);
    w.run_for(LATE * 2);
    w.pause(first, Duration::from_millis(3_100));
    w.until(|fact| seen::led_by(fact, second));
    w.until(|fact| seen::joined_isr(fact, first));
    w.lag(Channel::Metadata, controller, second, LATE);
    let topic = w.cluster().all_topics()[0].name.clone();
    w.inflict(&Fault::Administer(AdminRequest::ElectLeaders { topic, partition: 0, unclean: false }));
    w.until(|fact| seen::led_by(fact, first));
    w.send(1);
    w.run_for(LATE * 3);
    w.quiet();
}

/// A leader dies when everybody knows everything.
pub fn the_leader_dies_in_peace(w: &mut World) {
    w.produce(10);
    w.settle();
    let leader = w.leader();
    w.crash(leader);
    w.until(seen::led_anew);
    w.quiet();
}

/// A follower that was away is let in again, and the leader does not hear that it is. What is written from then on does not reach the
/// newcomer; then all others die.
pub fn a_newcomer_is_let_in_and_the_leader_does_not_hear_of_it(w: &mut World) {
    w.produce(5);
    let leader = w.leader();
    let [other, newcomer] = w.followers()[..] else { panic!("the story needs two followers") };
    let controller = w.controller();
    w.crash(newcomer);
    w.until(|fact| seen::left_isr(fact, newcomer));
    w.produce(5);
    w.restart(newcomer);
    w.until(|fact| seen::proposed_by(fact, leader));
    w.cut(leader, newcomer);
    w.until(|fact| seen::joined_isr(fact, newcomer));
    w.cut_one_way(controller, leader);
    w.send(5);
    w.run_for(Duration::from_millis(500));
    w.crash(leader);
    w.crash(other);
    w.heal_network();
    w.until(|fact| seen::led_by(fact, newcomer));
    w.quiet();
}

/// KIP-841: the controller does not hear a follower and fences it; its leader does, and lets it in again.
pub fn a_follower_that_the_controller_cannot_hear_follows_on(w: &mut World) {
    w.produce(5);
    let (follower, controller) = (w.followers()[0], w.controller());
    w.cut(follower, controller);
    w.until(|fact| seen::left_isr(fact, follower));
    w.produce(10);
    w.run_for(A_WHILE);
    w.heal_network();
    w.quiet();
}

/// A partition moves to brokers that have nothing of it.
pub fn a_partition_moves_to_others(w: &mut World) {
    w.produce(20);
    let topic = w.cluster().all_topics()[0].name.clone();
    let held = w.isr_of(0);
    let others = w.brokers().into_iter().filter(|broker| !held.contains(broker)).collect();
    w.inflict(&Fault::Administer(AdminRequest::AlterPartitionReassignments {
        topic,
        partition: 0,
        replicas: Some(others),
    }));
    w.run_for(A_WHILE);
    w.produce(10);
    w.quiet();
}

/// Both followers are cut off, and what is written has the leader alone; then its disk is replaced.
pub fn the_leader_is_left_alone_and_its_disk_is_replaced(w: &mut World) {
    w.produce(5);
    let leader = w.leader();
    for follower in w.followers() {
        w.isolate(follower);
    }
    w.until_in_world(|w| w.isr_of(0).len() == 1);
    w.produce(10);
    w.wipe(leader);
    w.restart(leader);
    w.heal_network();
    w.run_for(A_WHILE);
    w.quiet();
}

/// The power goes everywhere at once.
pub fn all_lose_their_power(w: &mut World) {
    w.produce(20);
    w.inflict(&Fault::PowerOffAll);
    w.restart_all();
    w.run_for(A_WHILE);
    w.quiet();
}

/// ZooKeeper mode: the leader loses power and returns, but its session goes on; then the ensemble stands still until all
/// sessions end. Whoever is elected controller finds everybody there.
pub fn the_leader_returns_and_all_sessions_end_at_once(w: &mut World) {
    w.produce(20);
    let leader = w.leader();
    w.power_off(leader);
    w.restart(leader);
    w.run_for(Duration::from_millis(500));
    w.pause(Node::Ensemble, A_WHILE);
    w.run_for(A_WHILE * 2);
    w.quiet();
}

/// ZooKeeper mode: the session of a broker ends, and it registers anew, before the news of either reaches the controller.
pub fn a_follower_is_back_before_the_controller_hears_that_it_was_away(w: &mut World) {
    w.produce(20);
    let controller = w.controlling_broker();
    let Some(follower) = w.followers().into_iter().find(|follower| *follower != controller) else { return };
    w.crash(follower);
    w.restart(follower);
    w.delay(Node::Ensemble, controller, Duration::from_secs(1));
    w.run_for(A_WHILE);
    w.heal_network();
    w.produce(20);
    w.quiet();
}

/// ZooKeeper mode: of two that are to come one is in sync when both that were there before are gone; then an operator thinks
/// better of it.
pub fn a_reassignment_is_called_off_when_only_the_newcomer_is_in_sync(w: &mut World) {
    w.produce(20);
    let inside = w.isr_of(0);
    let outside: Vec<BrokerId> = w.brokers().into_iter().filter(|broker| !inside.contains(broker)).collect();
    let &[comes, other] = &outside[..] else { return };
    for broker in inside.iter().chain([&comes]) {
        w.cut(*broker, other);
    }
    let topic = w.cluster().all_topics()[0].name.clone();
    let ask = |replicas| AdminRequest::AlterPartitionReassignments { topic: topic.clone(), partition: 0, replicas };
    w.inflict(&Fault::Administer(ask(Some(outside.clone()))));
    w.until_in_world(|w| w.isr_of(0).contains(&comes));
    for broker in &inside {
        w.crash(*broker);
    }
    w.until_in_world(|w| w.isr_of(0) == [comes]);
    w.produce(5);
    w.inflict(&Fault::Administer(ask(None)));
    w.until(|fact| {
        matches!(
            fact.event(),
            Some(Event::Administered { request: AdminRequest::AlterPartitionReassignments { replicas: None, .. }, .. })
        )
    });
    w.restart_all();
    w.heal_network();
    w.quiet();
}
