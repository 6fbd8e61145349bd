//! Hosts that stop in a disk call of their own that was named beforehand.

use std::time::Duration;

use model::event::Event;
use model::names::{BrokerId, Node};
use sim::Verbs;
use sim::disk::{CallKind, Side};
use sim::fault::{Stopping, Strike, Target};
use sim::world::DiskCall;
use sim::{Cluster, Ending, Fault, Moment, What, World};

const B1: BrokerId = BrokerId(1);
const BACK: Duration = Duration::from_millis(70);

fn stop(call: u64, side: Side, how: Stopping) -> Strike {
    let target = Target::from(B1);
    Strike::at(Duration::ZERO, Fault::StopAtDiskCall { target, call, side, how, back: BACK })
}

/// Two seconds with a few records in them.
fn world(strikes: Vec<Strike>) -> World {
    let mut world = World::new(&Cluster::of(2).min_isr(1), 5, ());
    world.keep_trace(true);
    world.keep_disk_calls(true);
    world.arm(strikes);
    world.boot().unwrap();
    for _ in 0..4 {
        world.send(4);
        world.run_for(Duration::from_millis(500));
    }
    world
}

/// When the broker stopped and how, and when it started again.
fn lives(world: &World) -> Vec<(Moment, Option<Ending>)> {
    let own = world.trace().iter().filter(|fact| fact.node == Some(Node::from(B1)));
    own.filter_map(|fact| match fact.what {
        What::Stopped { how } => Some((fact.at, Some(how))),
        What::Started { .. } => Some((fact.at, None)),
        _ => None,
    })
    .skip(1)
    .collect()
}

/// Of the calls in the middle of the run one that appends to a log.
fn append(world: &World) -> DiskCall {
    let calls = world.kept_disk_calls(B1);
    let appends = calls.iter().filter(|call| {
        call.call.kind == CallKind::Append
            && call.call.path.starts_with("records-0/")
            && call.call.path.ends_with(".log")
    });
    appends.filter(|call| call.at > world.begun().unwrap()).nth(3).unwrap().clone()
}

#[test]
fn kept_calls_are_numbered_as_the_disk_counts_them() {
    let world = world(Vec::new());
    let calls = world.kept_disk_calls(B1);
    assert_eq!(calls.len() as u64, world.disk_calls(B1));
    assert!(calls.iter().zip(1..).all(|(call, number)| call.call.number == number));
    assert!(
        calls
            .iter()
            .all(|call| !call.call.path.is_empty() || matches!(call.call.kind, CallKind::List | CallKind::SyncDir))
    );
}

#[test]
fn to_listen_to_a_disk_changes_nothing() {
    let mut deaf = World::new(&Cluster::of(2).min_isr(1), 5, ());
    deaf.boot().unwrap();
    for _ in 0..4 {
        deaf.send(4);
        deaf.run_for(Duration::from_millis(500));
    }
    assert_eq!(world(Vec::new()).digest(), deaf.digest());
}

#[test]
fn a_host_stops_in_the_call_that_was_named_and_is_back_after_a_while() {
    let call = append(&world(Vec::new()));
    for (how, ending) in [(Stopping::Kill, Ending::Crashed), (Stopping::Power, Ending::PoweredOff)] {
        let world = world(vec![stop(call.call.number, Side::Before, how)]);
        let lives = lives(&world);
        assert_eq!(lives, [(call.at, Some(ending)), (call.at + BACK, None)]);
        let last = world.kept_disk_calls(B1).iter().rfind(|known| known.life == call.life).unwrap();
        assert_eq!(last.call.number, call.call.number, "nothing more was asked of the disk in that life");
    }
}

#[test]
fn the_side_says_whether_the_call_took_effect() {
    let call = append(&world(Vec::new()));
    let length = |side| {
        let mut world = world(vec![stop(call.call.number, side, Stopping::Kill)]);
        // Its old registration has to expire first.
        world.run_for(Duration::from_secs(15));
        let data = world.partitions()[0];
        let opened = world.trace().iter().rev().find_map(|fact| match fact.event() {
            Some(Event::Opened { partition, end, .. }) if *partition == data && fact.node == Some(B1.into()) => {
                Some(end.0)
            }
            _ => None,
        });
        opened.expect("the broker came back and opened its log")
    };
    assert!(length(Side::After) > length(Side::Before));
}

#[test]
fn a_second_order_strikes_in_the_life_after_the_first() {
    let call = append(&world(Vec::new()));
    let orders = || {
        vec![
            stop(call.call.number, Side::After, Stopping::Power),
            stop(call.call.number + 5, Side::Before, Stopping::Kill),
        ]
    };
    let world = world(orders());
    let endings: Vec<_> = lives(&world).into_iter().filter_map(|(_, ending)| ending).collect();
    assert_eq!(endings, [Ending::PoweredOff, Ending::Crashed]);
    assert!(world.is_up(B1), "and it came back from both");
}

#[test]
fn an_order_for_a_call_that_was_made_already_does_nothing() {
    let calm = world(Vec::new());
    let world = world(vec![stop(1, Side::Before, Stopping::Kill)]);
    assert_eq!(lives(&world), []);
    assert_eq!(world.disk_calls(B1), calm.disk_calls(B1));
}

#[test]
fn a_power_cut_leaves_the_legal_state_that_was_named() {
    // Just after an append something is pending, so that there is more than one legal state.
    let calm = world(Vec::new());
    let mut appends = calm.kept_disk_calls(B1).iter().filter(|known| known.call.kind == CallKind::Append);
    let call = appends.rfind(|known| known.at > calm.begun().unwrap()).unwrap().call.number;
    let left = |state| {
        let mut world = world(vec![stop(call, Side::After, Stopping::PowerLeaving { state, bound: 8 })]);
        while !world.is_up(B1) {
            world.step();
        }
        world.disk(B1).unwrap().content_hash()
    };
    assert_ne!(left(0), left(1));
    assert_eq!(left(1), left(1));
    assert_eq!(left(7), left(1_000_000), "beyond the last is the last");
}
