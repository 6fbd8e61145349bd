//! Whole clusters, with the real machines in them.

use std::time::Duration;

use model::event::Event;
use model::names::Node;
use sim::Verbs;
use sim::fault::{Sight, Strike, Target, When};
use sim::{Chapter, Cluster, Digest, Ending, Fact, Fault, What, World, hermetic, trace};

fn three() -> Cluster {
    Cluster::of(3).min_isr(2).partitions(2)
}

fn booted(cluster: &Cluster, seed: u64) -> World {
    let mut world = World::new(cluster, seed, ());
    world.boot().unwrap_or_else(|failure| panic!("{failure}"));
    world
}

/// A run with something of everything in it.
fn stormy(seed: u64) -> World {
    let mut world = World::new(&three(), seed, ());
    world.keep_trace(true);
    world.arm(vec![
        Strike::at(Duration::from_millis(500), Fault::Crash(Target::Leader(0))),
        Strike::at(Duration::from_millis(900), Fault::Restart(Target::Brokers)),
        Strike::at(Duration::from_secs(2), Fault::Isolate(Target::Leader(1))),
        Strike::at(Duration::from_secs(14), Fault::Heal),
        Strike {
            when: When::Ambush { on: Sight::Appended, skip: 5, after: Duration::ZERO },
            fault: Fault::PowerOff(Target::Follower(0, 0)),
        },
    ]);
    world.boot().unwrap_or_else(|failure| panic!("{failure}"));
    for _ in 0..20 {
        world.send(3);
        world.run_for(Duration::from_secs(1));
    }
    world
}

#[test]
fn a_cluster_boots_takes_records_and_comes_to_rest() {
    let mut world = booted(&three(), 1);
    assert!(world.begun().is_some());
    assert_eq!(world.partitions().len(), 2);
    assert_eq!(world.isr_of(0).len(), 3);
    let decided = world.produce(20);
    assert!(decided.all_acked(), "{decided:?}");
    assert!(world.quiet(), "{:?}", world.unsettled());
}

#[test]
fn a_topic_that_cannot_be_created_is_said_to_be_refused() {
    let cluster = Cluster::of(2).topic("wide", 1, 3, &[]);
    let failure = World::new(&cluster, 1, ()).boot().unwrap_err().to_string();
    assert!(failure.contains("wide"), "{failure}");
}

#[test]
fn acked_records_survive_the_leader_crashing() {
    let mut world = booted(&three(), 2);
    assert!(world.produce(10).all_acked());
    let leader = world.leader();
    world.crash(leader);
    assert!(!world.is_up(leader));
    world.produce(10);
    assert_ne!(world.leader(), leader, "another leads, or the record would not be decided");
    world.restart_all();
    assert!(world.quiet(), "{:?}", world.unsettled());
    assert_eq!(world.isr_of(0).len(), 3);
}

#[test]
fn everything_is_read_back_topic_by_topic() {
    let cluster = Cluster::of(1).topic("a", 1, 1, &[]).topic("b", 2, 1, &[]);
    let mut world = booted(&cluster, 3);
    assert!(world.produce(30).all_acked());
    assert!(world.produce_to(2, 5).all_acked(), "the second partition of b");
    world.keep_trace(true);
    world.read_back();
    world.run_for(Duration::from_secs(2));
    let readers = world.readers();
    assert_eq!(readers.len(), 2);
    let polled = world.trace().iter().filter(|fact| readers.iter().any(|reader| fact.node == Some((*reader).into())));
    let records: usize = polled
        .filter_map(
            |fact| if let Some(Event::Polled { records, .. }) = fact.event() { Some(records.len()) } else { None },
        )
        .sum();
    assert_eq!(records, 35);
}

#[test]
fn a_forked_world_gives_the_same_digest_twice() {
    let mut one = booted(&three(), 4);
    one.send(50);
    one.run_for(Duration::from_millis(20));
    let mut other = one.clone();
    for world in [&mut one, &mut other] {
        let leader = world.leader();
        world.power_off(leader);
        world.run_for(Duration::from_secs(15));
        world.restart(leader);
        world.run_for(Duration::from_secs(5));
    }
    assert_eq!(one.digest(), other.digest());
    other.run_for(Duration::from_secs(1));
    assert_ne!(one.digest(), other.digest());
}

#[test]
fn a_seed_gives_the_same_digest_alone_on_another_thread_and_after_another_seed() {
    let digest = |seed| stormy(seed).digest();
    let alone: Digest = digest(1);
    assert_eq!(hermetic(1, || digest(1)), Ok(alone));
    assert_eq!(hermetic(2, || (digest(2), digest(1)).1), Ok(alone));
    assert_ne!(digest(2), alone);
}

#[test]
fn a_kept_trace_is_read_back_from_json_lines() {
    let world = stormy(3);
    let mut written = Vec::new();
    trace::write_lines(world.trace(), &mut written).unwrap();
    let read = trace::read_lines(&written[..]).unwrap();
    assert_eq!(trace::divergence(&read, world.trace()), None);
    assert_eq!(trace::digest(&read), world.digest());
    let error = trace::read_lines(&b"\n{\"number\": 1}\n"[..]).unwrap_err().to_string();
    assert!(error.starts_with("line 2 is not a fact"), "{error}");
    let cut = &world.trace()[..100];
    assert_eq!(trace::divergence(cut, world.trace()).map(|parted| (parted.index, parted.left)), Some((100, None)));
}

#[test]
fn strikes_and_ambushes_are_in_the_trace_with_whom_they_struck() {
    let world = stormy(1);
    let struck = |wanted: fn(&Fault) -> bool| {
        let facts = world.trace().iter();
        facts.filter(|fact| matches!(&fact.what, What::Struck(fault) if wanted(fault))).collect::<Vec<&Fact>>()
    };
    let crashed = struck(|fault| matches!(fault, Fault::Crash(Target::Leader(0))));
    assert_eq!(crashed.len(), 1);
    let stopped =
        Fact { number: crashed[0].number + 1, what: What::Stopped { how: Ending::Crashed }, ..crashed[0].clone() };
    assert!(world.trace().contains(&stopped));
    assert_eq!(struck(|fault| matches!(fault, Fault::Restart(_))).len(), 3);
    assert_eq!(struck(|fault| matches!(fault, Fault::PowerOff(_))).len(), 1);
    assert!(world.story().iter().any(|line| line.contains("!!   crash the leader of #0")), "{:#?}", world.story());
}

#[test]
fn an_isolated_leader_is_replaced_and_returns_after_the_heal() {
    let mut world = booted(&three(), 5);
    let leader = world.leader();
    world.isolate(leader);
    assert!(world.until_in_world(|world| world.leader_of(0).is_some_and(|now| now != leader)));
    assert!(world.is_up(leader), "it lives, cut off");
    assert!(world.quiet(), "{:?}", world.unsettled());
    assert!(world.isr_of(0).contains(&leader));
}

#[test]
fn a_crash_at_every_disk_call_of_a_start_is_survived() {
    for nth in 1..=12 {
        let mut world = booted(&Cluster::of(2), 6);
        assert!(world.produce(5).all_acked());
        let follower = world.followers()[0];
        world.crash(follower);
        world.inflict(&Fault::CrashAtDiskCall(follower.into(), nth));
        world.restart(follower);
        world.run_for(Duration::from_secs(1));
        assert!(world.quiet(), "call {nth}: {:?}", world.unsettled());
    }
}

#[test]
fn a_wiped_broker_is_filled_again_and_a_destroyed_one_is_not_waited_for() {
    let mut world = booted(&three(), 7);
    assert!(world.produce(10).all_acked());
    let followers = world.followers();
    world.wipe(followers[0]);
    world.restart(followers[0]);
    assert!(world.quiet(), "{:?}", world.unsettled());
    world.destroy(followers[1]);
    assert!(world.quiet(), "{:?}", world.unsettled());
    assert!(!world.is_up(followers[1]));
    assert_eq!(world.isr_of(0).len(), 2);
}

#[test]
fn an_orderly_shutdown_hands_leadership_over_first() {
    let mut world = booted(&three(), 8);
    world.keep_trace(true);
    let leader = world.leader();
    world.terminate(leader);
    assert!(world.until(|fact| fact.node == Some(leader.into()) && fact.what == What::Stopped { how: Ending::Exited }));
    assert!(world.leader_of(0).is_some_and(|now| now != leader));
    assert!(world.quiet(), "{:?}", world.unsettled());
}

#[test]
fn a_fault_on_one_node_leaves_the_weather_between_others_as_it_was() {
    let run = |fault: Option<Fault>| {
        let mut world = booted(&three(), 9);
        world.keep_trace(true);
        fault.iter().for_each(|fault| world.inflict(fault));
        world.run_for(Duration::from_secs(10));
        let brokers: Vec<Node> = world.brokers().into_iter().map(Node::from).collect();
        let heard = world.trace().iter().filter(|fact| {
            let among_brokers = |node: Option<Node>| node.is_some_and(|node| brokers.contains(&node));
            among_brokers(fact.node) && matches!(fact.what, What::Delivered { from, .. } if among_brokers(Some(from)))
        });
        heard.map(|fact| (fact.at, fact.what.clone())).collect::<Vec<_>>()
    };
    let calm = run(None);
    assert!(calm.len() > 50, "{}", calm.len());
    let admin = Cluster::admin_id(&three());
    assert_eq!(calm, run(Some(Fault::Crash(admin.into()))));
}

#[test]
fn chapters_are_facts() {
    let mut world = World::new(&Cluster::of(1), 1, ());
    world.keep_trace(true);
    world.boot().unwrap();
    world.heal();
    let chapters: Vec<&What> =
        world.trace().iter().map(|fact| &fact.what).filter(|what| matches!(what, What::Chapter(_))).collect();
    assert_eq!(chapters, [&What::Chapter(Chapter::Begun), &What::Chapter(Chapter::Healed)]);
}
