//! A process may die in any call to its disk: it stops there, and the next one finds something to go on with (N2, R146).

use super::following::diverging;
use super::stage::{CLIENT, P, Stage, elected, produce, records_from, rejoined, stored, three};
use crate::config::{Acks, BrokerConfig};
use crate::log::tests::disk::Death;
use crate::machine::{Input, Stop, Task};
use crate::names::{BrokerEpoch, EndOffset};
use crate::protocol::Protocol;
use crate::wire::{Channel, ErrorCode, Request};

pub(super) const SECOND_LIFE: BrokerEpoch = BrokerEpoch(60);

/// Syncs with every record, and begins a new segment with every second batch.
fn restless() -> BrokerConfig {
    BrokerConfig { log_flush_interval_messages: 1, log_segment_bytes: 170, ..BrokerConfig::default() }
}

fn leader() -> Stage {
    Stage::with(1, restless(), Protocol::LATEST).brought_up(&three(1, &[1], 1))
}

/// Has the process die in every call of `act`, in every way; brings the next one up on what is left, and has it judged.
/// `power`: whether the power goes, too.
pub(super) fn in_every_call(
    prepared: &Stage,
    act: impl Fn(&mut Stage) -> Result<(), Stop>,
    judge: impl Fn(&mut Stage, bool),
) {
    let before = prepared.disk.calls;
    let mut whole = prepared.clone();
    act(&mut whole).expect("nothing dies by itself");
    let calls = whole.disk.calls - before;
    assert!(calls > 0, "a scenario without a disk call tests nothing");
    for call in 1..=calls {
        for death in [Death::Before, Death::Torn, Death::After] {
            for power_off in 0..6 {
                let mut stage = prepared.clone();
                stage.disk.die_in(before + call, death);
                assert_eq!(act(&mut stage), Err(Stop::Crashed), "call {call}");
                match power_off {
                    0 => {}
                    1 => stage.disk.power_off_losing_all(),
                    dice => stage.disk.power_off(dice * 1_000 + call),
                }
                stage.disk.restart();
                come_up(&mut stage).expect("the next process finds something to go on with");
                judge(&mut stage, power_off > 0);
            }
        }
    }
}

/// The next life, up to the point where it has obeyed everything that was decided.
fn come_up(stage: &mut Stage) -> Result<(), Stop> {
    stage.try_start()?;
    stage.register(SECOND_LIFE);
    let again = if stage.metadata.contains(&rejoined(1, SECOND_LIFE)[0]) {
        Vec::new()
    } else {
        rejoined(1, SECOND_LIFE).into()
    };
    stage.fetch_metadata(&again);
    stage.try_run_all()
}

fn produce_some(stage: &mut Stage, values: &[u64]) -> Result<(), Stop> {
    for &value in values {
        let request = Request::Produce(produce(Acks::Leader, &[(P, &[value])]));
        stage.try_ask(CLIENT, Channel::Client, 1, request)?;
        stage.try_run_all()?;
    }
    Ok(())
}

/// The log is some of these values from the first on, and takes another.
fn holds_a_prefix_and_goes_on(stage: &mut Stage, written: &[u64], at_least: usize) {
    let values = stage.values();
    assert!(written.starts_with(&values) && values.len() >= at_least, "{values:?}");
    let ends: Vec<_> = stage.replica(P).log.batches().map(|batch| batch.end()).collect();
    assert_eq!(ends.last().copied().unwrap_or_default(), stage.replica(P).log.end());
    if stage.replica(P).leads() {
        stage.produce(7, Acks::Leader, &[99]);
        assert_eq!(stage.produced(), [[(ErrorCode::None, Some(values.len() as u64))]]);
        assert_eq!(stage.values().last(), Some(&99));
    }
}

#[test]
fn in_every_call_of_a_produce() {
    in_every_call(
        &leader(),
        |stage| produce_some(stage, &[1, 2, 3, 4]),
        |stage, _| holds_a_prefix_and_goes_on(stage, &[1, 2, 3, 4], 0),
    );
}

#[test]
fn what_was_synced_before_is_there_whatever_dies_later() {
    let mut stage = leader();
    produce_some(&mut stage, &[1, 2, 3]).expect("nothing dies");
    stage.run_all();
    in_every_call(
        &stage,
        |stage| produce_some(stage, &[4, 5]),
        |stage, _| {
            // A new segment's name is synced with its first flush (L10), so all three are durable.
            holds_a_prefix_and_goes_on(stage, &[1, 2, 3, 4, 5], 3);
        },
    );
}

#[test]
fn in_every_call_of_becoming_leader() {
    let mut stage = Stage::with(1, restless(), Protocol::LATEST).brought_up(&three(2, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(2), stored(0, 0, &[1, 2]).bytes().to_vec()));
    stage.run_all();
    in_every_call(
        &stage,
        |stage| {
            stage.fetch_metadata(&[elected(Some(1), &[1])]);
            stage.try_run_all()
        },
        |stage, _| {
            let epochs = stage.replica(P).log.epochs().entries().to_vec();
            assert!(epochs.last().is_some_and(|(epoch, _)| epoch.0 == 1), "R39: {epochs:?}");
            holds_a_prefix_and_goes_on(stage, &[1, 2], 2);
        },
    );
}

#[test]
fn in_every_call_of_a_start() {
    let mut stage = leader();
    produce_some(&mut stage, &[1, 2, 3]).expect("nothing dies");
    let active = stage.disk.paths().into_iter().rfind(|path| path.ends_with(".log")).map(str::to_owned);
    let mut torn = stage.clone();
    torn.disk.rot(&active.expect("a segment"), |bytes| bytes.extend_from_slice(&[1; 70]));
    in_every_call(&torn, come_up, |stage, _| holds_a_prefix_and_goes_on(stage, &[1, 2, 3], 3));
    stage.step(Input::Terminate).expect("nothing dies");
    stage.tasks.push(Task::CompleteShutdown);
    stage.run_all();
    assert!(stage.exited);
    in_every_call(&stage, come_up, |stage, _| holds_a_prefix_and_goes_on(stage, &[1, 2, 3], 3));
}

#[test]
fn in_every_call_of_the_very_first_start() {
    let mut stage = Stage::with(1, restless(), Protocol::LATEST);
    stage.metadata = three(1, &[1], 1);
    in_every_call(&stage, come_up, |stage, _| holds_a_prefix_and_goes_on(stage, &[], 0));
}

#[test]
fn in_every_call_of_cutting_the_log() {
    let mut stage = Stage::with(1, restless(), Protocol::LATEST).brought_up(&three(2, &[1, 2, 3], 1));
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    let bytes: Vec<u8> = [1, 2, 3].iter().flat_map(|&value| stored(value - 1, 0, &[value]).bytes().to_vec()).collect();
    stage.answer(&fetch, records_from(P, EndOffset(1), bytes[..bytes.len() / 3].to_vec()));
    stage.run_all();
    for place in 1..3 {
        let fetch = stage.expect_sent(Channel::ReplicaFetch);
        let one = stored(place, 0, &[place + 1]);
        stage.answer(&fetch, records_from(P, EndOffset(1), one.bytes().to_vec()));
        stage.run_all();
    }
    assert_eq!(stage.values(), [1, 2, 3]);
    in_every_call(
        &stage,
        |stage| {
            let fetch = stage.expect_sent(Channel::ReplicaFetch);
            stage.try_answer(&fetch, diverging(0, 1))?;
            stage.try_run_all()
        },
        // What was cut may be back (L34); the next fetch finds out.
        |stage, _| holds_a_prefix_and_goes_on(stage, &[1, 2, 3], 1),
    );
}

#[test]
fn in_every_call_of_an_orderly_stop() {
    let config = BrokerConfig { controlled_shutdown_enable: false, ..BrokerConfig::default() };
    let mut stage = Stage::with(1, config, Protocol::LATEST).brought_up(&three(1, &[1], 1));
    produce_some(&mut stage, &[1, 2, 3]).expect("nothing dies");
    in_every_call(
        &stage,
        |stage| {
            stage.step(Input::Terminate)?;
            stage.try_run_all()
        },
        |stage, power_off| holds_a_prefix_and_goes_on(stage, &[1, 2, 3], if power_off { 0 } else { 3 }),
    );
}

#[test]
fn a_disk_that_fails_halts_the_process() {
    let mut stage = leader();
    stage.disk.failing = Some(crate::disk::DiskError::NoSpace);
    assert_eq!(produce_some(&mut stage, &[1]), Err(Stop::Storage(crate::disk::DiskError::NoSpace)), "R115, S4");
}
