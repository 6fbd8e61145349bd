//! Whatever brokers say, and whenever the controller dies: R83, R127, R128 hold after every record (the bench looks), a
//! restart forgets nothing, and once all is quiet every partition with a living in-sync replica is led (R129).

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::bench::{Bench, NOTHING};
use crate::config::{BrokerConfig, ControllerConfig};
use crate::event::Event;
use crate::machine::{Input, Machine, Stop};
use crate::metadata::{MetadataRecord, PartitionChange, RecoveryState};
use crate::names::{BrokerEpoch, BrokerId, ClientId, EndOffset, Incarnation, LeaderEpoch, PartitionEpoch};
use crate::protocol::Protocol;
use crate::quorum::tests::disk::Death;
use crate::wire::{
    AlterPartitionItem, AlterPartitionRequest, Body, BrokerHeartbeatRequest, BrokerRegistrationRequest,
    CreateTopicsRequest, IsrMember, Request, Response,
};

const BROKERS: u32 = 4;

/// One thing that happens to a controller.
#[derive(Clone, Debug)]
enum Happening {
    Register {
        id: u32,
        incarnation: u64,
    },
    /// `epoch` is beside the registered one, `behind` how far the metadata log is not applied.
    Heartbeat {
        id: u32,
        epoch: i64,
        behind: u64,
        fence: bool,
        shut_down: bool,
    },
    /// Epochs are beside the present ones.
    Alter {
        id: u32,
        nth: usize,
        isr: Vec<u32>,
        leader_epoch: i32,
        partition_epoch: i32,
        aged: bool,
        recovering: bool,
    },
    /// As its leader would: the present epochs, and members that are alive, as far as it knows.
    Settle {
        nth: usize,
        isr: Vec<u32>,
    },
    Create {
        partitions: u32,
        replication_factor: u16,
        unclean: bool,
    },
    Pass {
        millis: u64,
    },
    Restart,
    /// The process dies in its `call`th disk call from now.
    Die {
        call: u64,
        after: bool,
        power: Option<bool>,
    },
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let id = || 1..=BROKERS;
    let isr = || prop::collection::vec(1..=BROKERS, 0..4);
    let beside = || prop_oneof![8 => Just(0), 1 => Just(-1), 1 => Just(1)];
    let happening = prop_oneof![
        4 => (id(), 0..4_u64).prop_map(|(id, incarnation)| Happening::Register { id, incarnation }),
        12 => (id(), beside(), prop_oneof![6 => Just(0), 1 => 1..9_u64], prop::bool::weighted(0.15), prop::bool::weighted(0.15))
            .prop_map(|(id, epoch, behind, fence, shut_down)| {
                Happening::Heartbeat { id, epoch: i64::from(epoch), behind, fence, shut_down }
            }),
        3 => (id(), 0..6_usize, isr(), beside(), beside(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(id, nth, isr, leader_epoch, partition_epoch, aged, recovering)| {
                Happening::Alter { id, nth, isr, leader_epoch, partition_epoch, aged, recovering }
            }
        ),
        6 => (0..6_usize, isr()).prop_map(|(nth, isr)| Happening::Settle { nth, isr }),
        2 => (0..4_u32, 0..5_u16, any::<bool>())
            .prop_map(|(partitions, replication_factor, unclean)| Happening::Create { partitions, replication_factor, unclean }),
        5 => (0..6_000_u64).prop_map(|millis| Happening::Pass { millis }),
        1 => Just(Happening::Restart),
        1 => (1..12_u64, any::<bool>(), any::<Option<bool>>())
            .prop_map(|(call, after, power)| Happening::Die { call, after, power }),
    ];
    prop::collection::vec(happening, 1..80)
}

/// Makes it happen. `Err`: the process died of it.
fn happen(bench: &mut Bench, happening: &Happening, topics: &mut u32) -> Result<(), Stop> {
    match happening.clone() {
        Happening::Register { id, incarnation } => {
            let (broker, incarnation) = (BrokerId(id), Incarnation(incarnation));
            let request = BrokerRegistrationRequest { broker, incarnation, previous_broker_epoch: None };
            bench.try_ask(1, broker.into(), Request::BrokerRegistration(request))?;
        }
        Happening::Heartbeat { id, epoch, behind, fence, shut_down } => {
            let broker = BrokerId(id);
            let known = bench.image().brokers.get(&broker).map_or(0, |known| known.epoch.0);
            let request = BrokerHeartbeatRequest {
                broker,
                broker_epoch: BrokerEpoch(known + epoch),
                metadata_offset: EndOffset(bench.image().end.0.saturating_sub(behind)),
                want_fence: fence,
                want_shut_down: shut_down,
            };
            bench.try_ask(1, broker.into(), Request::BrokerHeartbeat(request))?;
        }
        Happening::Alter { id, nth, isr, leader_epoch, partition_epoch, aged, recovering } => {
            let Some(known) = bench.image().partitions.values().nth(nth) else { return Ok(()) };
            let sender = BrokerId(id);
            let epoch_of =
                |id: u32| bench.image().brokers.get(&BrokerId(id)).map_or(BrokerEpoch(0), |known| known.epoch);
            let age = i64::from(aged);
            let member = |id: &u32| IsrMember { id: BrokerId(*id), epoch: Some(BrokerEpoch(epoch_of(*id).0 - age)) };
            let item = AlterPartitionItem {
                partition: known.partition,
                leader_epoch: LeaderEpoch(known.leader_epoch.0 + leader_epoch),
                partition_epoch: PartitionEpoch(known.partition_epoch.0 + partition_epoch),
                new_isr: isr.iter().map(member).collect(),
                recovery_state: if recovering { RecoveryState::Recovering } else { RecoveryState::Recovered },
            };
            let request = AlterPartitionRequest { broker: sender, broker_epoch: epoch_of(id), partitions: vec![item] };
            bench.try_ask(1, sender.into(), Request::AlterPartition(request))?;
        }
        Happening::Settle { nth, isr } => {
            let Some(known) = bench.image().partitions.values().nth(nth) else { return Ok(()) };
            let Some(leader) = known.leader else { return Ok(()) };
            let wanted = known.replicas.iter().filter(|&&id| id == leader || isr.contains(&id.0));
            let item = AlterPartitionItem {
                partition: known.partition,
                leader_epoch: known.leader_epoch,
                partition_epoch: known.partition_epoch,
                new_isr: wanted.map(|&id| IsrMember { id, epoch: None }).collect(),
                recovery_state: RecoveryState::Recovered,
            };
            let broker_epoch = bench.image().brokers[&leader].epoch;
            let request = AlterPartitionRequest { broker: leader, broker_epoch, partitions: vec![item] };
            bench.try_ask(1, leader.into(), Request::AlterPartition(request))?;
        }
        Happening::Create { partitions, replication_factor, unclean } => {
            *topics += 1;
            let mut topic = super::bench::topic(&format!("topic-{topics}"), partitions, replication_factor);
            topic.config.push(("unclean.leader.election.enable".to_owned(), unclean.to_string()));
            bench.try_ask(1, ClientId(0).into(), Request::CreateTopics(CreateTopicsRequest { topics: vec![topic] }))?;
        }
        Happening::Pass { millis } => pass(bench, Duration::from_millis(millis))?,
        Happening::Restart => bench.start()?,
        Happening::Die { call, after, .. } => {
            bench.disk.die(Death { call: bench.disk.calls() + call, after });
        }
    }
    Ok(())
}

fn pass(bench: &mut Bench, span: Duration) -> Result<(), Stop> {
    let end = bench.now + span;
    while let Some(deadline) = bench.controller.deadline().filter(|&deadline| deadline <= end) {
        bench.now = bench.now.max(deadline);
        bench.step(Input::Tick)?;
    }
    bench.now = end;
    Ok(())
}

/// All brokers live and say so, for longer than any session.
fn calm_down(bench: &mut Bench) {
    bench.pass_ms(40_000);
    for id in 1..=BROKERS {
        bench.join(id);
    }
    for _ in 0..3 {
        for id in 1..=BROKERS {
            bench.heartbeat(id, NOTHING);
        }
        bench.pass_ms(2_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_image_always_makes_sense_and_survives(story in happenings(), minimum in 1u32..=3, has_elr: bool) {
        let protocol = if has_elr { Protocol::KAFKA_4_1 } else { Protocol::LATEST };
        let defaults = BrokerConfig { min_insync_replicas: minimum, ..BrokerConfig::default() };
        let mut bench = Bench::of(ControllerConfig::default(), defaults, protocol);
        let (mut topics, mut power) = (0, None);
        for happening in &story {
            if let Happening::Die { power: with, .. } = happening {
                power = *with;
            }
            if happen(&mut bench, happening, &mut topics).is_err() {
                if let Some(torn) = power {
                    bench.disk.power_cut(torn);
                }
                bench.restart();
            }
            prop_assert_eq!(&bench.told, bench.image(), "what was told and what is believed");
        }
        bench.restart();
        prop_assert_eq!(&bench.told, bench.image());
        calm_down(&mut bench);
        for partition in bench.image().partitions.values() {
            prop_assert!(partition.leader.is_some(), "{:?} (R129)", partition);
        }
    }
}

/// The stories above reach what they are about: no vacuous property.
#[test]
fn stories_are_about_everything_that_can_happen() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for _ in 0..300 {
        let story = happenings().new_tree(&mut runner).unwrap().current();
        let mut bench = Bench::of(ControllerConfig::default(), BrokerConfig::default(), Protocol::LATEST);
        let mut topics = 0;
        for happening in &story {
            if happen(&mut bench, happening, &mut topics).is_err() {
                seen.insert("a death");
                let untold = bench.told.end;
                bench.restart();
                if bench.told.end.0 > untold.0 + 1 {
                    seen.insert("a record that survived and was never told of");
                }
            }
        }
        seen.extend(bench.notes.iter().filter_map(kind));
        let answers = bench.sent.iter().filter_map(|envelope| match &envelope.body {
            Body::Response(Response::BrokerRegistration(answer)) => Some(answer.error.name()),
            Body::Response(Response::BrokerHeartbeat(answer)) if answer.should_shut_down => Some("leave to go"),
            Body::Response(Response::BrokerHeartbeat(answer)) => Some(answer.error.name()),
            _ => None,
        });
        seen.extend(answers);
    }
    let wanted = [
        "BROKER fenced",
        "BROKER leaving",
        "BROKER unfenced",
        "DUPLICATE_BROKER_REGISTRATION",
        "FENCED_LEADER_EPOCH",
        "INELIGIBLE_REPLICA",
        "INVALID_REQUEST",
        "INVALID_UPDATE_VERSION",
        "ISR alone",
        "LEADER lost",
        "LEADER moved",
        "LEADER unclean",
        "NONE",
        "NOT_CONTROLLER",
        "STALE_BROKER_EPOCH",
        "a death",
        "a record that survived and was never told of",
        "leave to go",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), wanted);
}

fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::AlterPartitionRefused { error, .. } => Some(error.name()),
        Event::Committed { record, .. } => match record {
            MetadataRecord::PartitionChange(PartitionChange { leader: Some(None), .. }) => Some("LEADER lost"),
            MetadataRecord::PartitionChange(PartitionChange {
                recovery_state: Some(RecoveryState::Recovering),
                ..
            }) => Some("LEADER unclean"),
            MetadataRecord::PartitionChange(PartitionChange { leader: Some(_), .. }) => Some("LEADER moved"),
            MetadataRecord::PartitionChange(PartitionChange { isr: Some(_), .. }) => Some("ISR alone"),
            MetadataRecord::BrokerRegistrationChange { fenced: Some(true), .. } => Some("BROKER fenced"),
            MetadataRecord::BrokerRegistrationChange { fenced: Some(false), .. } => Some("BROKER unfenced"),
            MetadataRecord::BrokerRegistrationChange { .. } => Some("BROKER leaving"),
            _ => None,
        },
        _ => None,
    }
}
