//! What one controller alone decides stays decided: C8, C14, C26, C27, C31.

use std::time::Duration;

use super::bench::{Bench, NOTHING, TO_SHUT_DOWN, topic};
use crate::config::{BrokerConfig, ControllerConfig};
use crate::event::Event;
use crate::machine::{Input, Machine, Severed, Stop};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{BrokerId, ClientId, Incarnation, LeaderEpoch};
use crate::protocol::Protocol;
use crate::quorum::tests::disk::Death;
use crate::wire::{
    BrokerRegistrationRequest, Channel, ConnectionId, CreateTopicsRequest, MetadataRequest, Request, Response,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_records_of_one_event_are_one_batch() {
    let mut bench = Bench::with_brokers(3, 4);
    let before = bench.batches().len();
    bench.fence(1);
    let batches = bench.batches();
    assert_eq!(batches.len(), before + 1, "C31");
    assert_eq!(batches.last().unwrap().1, 5, "four partitions, then the fence (R92)");
}

#[test]
fn each_life_leads_in_the_next_epoch_and_says_so() {
    let mut bench = Bench::with_brokers(2, 1);
    for epoch in 2..5 {
        bench.restart();
        let led = Event::ControllerLed { epoch: LeaderEpoch(epoch) };
        assert_eq!(bench.notes.iter().filter(|&event| *event == led).count(), 1);
        let last = bench.records.last();
        assert_eq!(last, Some(&MetadataRecord::LeaderChange { epoch: LeaderEpoch(epoch) }), "C14");
        assert_eq!(bench.batches().last().unwrap().2, LeaderEpoch(epoch));
    }
}

#[test]
fn a_controller_that_comes_back_knows_what_it_knew() {
    let mut bench = Bench::with_brokers(3, 4);
    bench.fence(2);
    let (before, end) = (bench.image().clone(), bench.image().end);
    bench.restart();
    assert_eq!(Image { end, ..bench.image().clone() }, before);
    assert_eq!(bench.image().end.0, end.0 + 1, "the leader change");
}

#[test]
fn what_was_told_is_on_the_disk_though_the_power_fails() {
    let mut bench = Bench::with_brokers(3, 4);
    bench.fence(2);
    for torn in [false, true] {
        let before = bench.told.clone();
        bench.disk.power_cut(torn);
        bench.restart();
        assert_eq!(Image { end: before.end, ..bench.image().clone() }, before);
    }
}

/// A little history: everything that a controller ever writes, each with its answer.
fn live(bench: &mut Bench) -> Result<(), Stop> {
    let register = |id: u32| {
        let (broker, incarnation) = (BrokerId(id), Incarnation(u64::from(id)));
        (
            BrokerId(id),
            Request::BrokerRegistration(BrokerRegistrationRequest { broker, incarnation, previous_broker_epoch: None }),
        )
    };
    for id in [1, 2, 3] {
        let (from, request) = register(id);
        bench.try_ask(1, from.into(), request)?;
        let answer = heartbeat(bench, id, NOTHING)?;
        assert!(!answer);
    }
    let create = Request::CreateTopics(CreateTopicsRequest { topics: vec![topic("t", 2, 3)] });
    bench.try_ask(1, ClientId(0).into(), create)?;
    let altered = crate::wire::AlterPartitionRequest {
        broker: BrokerId(1),
        broker_epoch: bench.epoch(1),
        partitions: vec![bench.proposal(&[1, 3])],
    };
    bench.try_ask(1, BrokerId(1).into(), Request::AlterPartition(altered))?;
    heartbeat(bench, 1, TO_SHUT_DOWN)?;
    bench.now = bench.now + SECOND;
    bench.step(Input::Tick)
}

/// Whether the broker is told that it is fenced.
fn heartbeat(bench: &mut Bench, id: u32, wish: super::bench::Wish) -> Result<bool, Stop> {
    let request = crate::wire::BrokerHeartbeatRequest {
        broker: BrokerId(id),
        broker_epoch: bench.epoch(id),
        metadata_offset: bench.image().end,
        want_fence: wish.fence,
        want_shut_down: wish.shut_down,
    };
    match bench.try_ask(1, BrokerId(id).into(), Request::BrokerHeartbeat(request))? {
        Some(Response::BrokerHeartbeat(answer)) => Ok(answer.is_fenced),
        other => panic!("{other:?}"),
    }
}

/// Every crash point of a life and of the start after it; the page cache kept, lost, or lost in part.
#[test]
fn no_crash_makes_what_was_answered_disappear_or_what_was_written_go_untold() {
    // Segments so small that they roll in between.
    let config = ControllerConfig { metadata_log_segment_bytes: 12, ..ControllerConfig::default() };
    let fresh = Bench::of(config, BrokerConfig::default(), Protocol::LATEST);
    let mut unharmed = fresh.clone();
    live(&mut unharmed).unwrap();
    let (first, last) = (fresh.disk.calls() + 1, unharmed.disk.calls());
    assert!(last - first > 20, "there are crash points to try, not {}", last - first);
    let mut survived_untold = 0;
    for (call, after) in (first..=last).flat_map(|call| [(call, false), (call, true)]) {
        for power in [None, Some(false), Some(true)] {
            let mut bench = fresh.clone();
            bench.disk.die(Death { call, after });
            assert_eq!(live(&mut bench), Err(Stop::Crashed));
            let told = bench.told.clone();
            if let Some(torn) = power {
                bench.disk.power_cut(torn);
            }
            bench.restart();
            // The bench sees to it that no offset was left out, and that none has changed.
            assert_eq!(bench.told, *bench.image(), "call {call}, after {after}, power {power:?}");
            assert!(bench.told.end > told.end);
            survived_untold += u32::from(bench.told.end.0 > told.end.0 + 1);
        }
    }
    assert!(survived_untold > 0, "sometimes a record survives of which nobody was told");
}

#[test]
fn a_start_may_be_cut_short_anywhere_and_often() {
    let mut bench = Bench::with_brokers(2, 1);
    for nth in 0..200 {
        let death = Death { call: bench.disk.calls() + 1 + nth, after: nth % 2 == 0 };
        bench.disk.restart();
        bench.disk.die(death);
        let started = bench.start();
        if nth % 3 == 0 {
            bench.disk.power_cut(nth % 2 == 1);
        }
        if started.is_ok() {
            break;
        }
        assert!(nth < 199, "a start has fewer calls");
    }
    bench.restart();
    assert_eq!(bench.told, *bench.image());
}

#[test]
fn a_log_that_is_not_metadata_stops_the_process_and_is_no_panic() {
    let mut bench = Bench::new();
    bench.write_raw(b"not json");
    bench.disk.restart();
    assert!(matches!(bench.start(), Err(Stop::Storage(_))));
}

#[test]
fn the_log_moves_though_nothing_happens() {
    let mut bench = Bench::new();
    let no_ops = |bench: &Bench| bench.records.iter().filter(|&record| *record == MetadataRecord::NoOp).count();
    bench.pass_ms(499);
    assert_eq!(no_ops(&bench), 0);
    bench.pass_ms(1);
    assert_eq!(no_ops(&bench), 1);
    bench.pass_ms(60_000);
    assert_eq!(no_ops(&bench), 121, "C27");
}

#[test]
fn the_log_stands_still_where_it_is_told_to() {
    let config = ControllerConfig { metadata_max_idle_interval: Duration::ZERO, ..ControllerConfig::default() };
    let mut bench = Bench::of(config, BrokerConfig::default(), Protocol::LATEST);
    bench.pass_ms(60_000);
    assert_eq!(bench.records.len(), 1);
}

#[test]
fn a_controller_that_was_not_started_does_nothing() {
    let mut bench = Bench::new();
    bench.controller.process = None;
    assert_eq!(bench.controller.deadline(), None);
    let sent = bench.sent.len();
    let asked = Request::CreateTopics(CreateTopicsRequest { topics: Vec::new() });
    assert_eq!(bench.ask_over(1, ClientId(1).into(), asked), None);
    bench.step(Input::Tick).unwrap();
    assert_eq!(bench.sent.len(), sent);
}

#[test]
fn what_a_controller_does_not_serve_costs_the_asker_its_connection() {
    let mut bench = Bench::new();
    let asked = Request::Metadata(MetadataRequest { topics: Vec::new() });
    assert_eq!(bench.ask_over(5, ClientId(1).into(), asked), None);
    let closed = Severed { peer: ClientId(1).into(), channel: Channel::Lifecycle, connection: ConnectionId(5) };
    assert_eq!(bench.closed, [closed]);
}

#[test]
fn a_controller_that_is_told_to_stop_stops() {
    let mut bench = Bench::with_brokers(2, 1);
    let before = bench.told.clone();
    bench.step(Input::Terminate).unwrap();
    assert!(bench.exited);
    bench.disk.power_cut(false);
    bench.restart();
    assert_eq!(Image { end: before.end, ..bench.image().clone() }, before);
}

#[test]
fn a_disk_without_room_ends_the_process() {
    let mut bench = Bench::new();
    bench.disk.fill();
    let request =
        BrokerRegistrationRequest { broker: BrokerId(1), incarnation: Incarnation(1), previous_broker_epoch: None };
    let answer = bench.try_ask(1, BrokerId(1).into(), Request::BrokerRegistration(request));
    assert_eq!(answer, Err(Stop::Storage(crate::disk::DiskError::NoSpace)), "R115");
}
