//! Who leads, and who is in sync: R71-R79, R92-R94.

use std::time::Duration;

use super::bench::{Bench, NOTHING};
use crate::config::{BrokerConfig, ControllerConfig};
use crate::event::Event;
use crate::metadata::RecoveryState;
use crate::names::{BrokerEpoch, BrokerId, LeaderEpoch, Partition, PartitionEpoch, TopicId};
use crate::protocol::{Election, Proposals, Protocol};
use crate::wire::{AlterPartitionItem, AlterPartitionRequest, ErrorCode, IsrMember, Request, Response};

/// Brokers 1 to 3 with one partition, whose topic would rather lose records than be unavailable.
fn unclean() -> Bench {
    let defaults = BrokerConfig { unclean_leader_election_enable: true, ..BrokerConfig::default() };
    Bench::of(ControllerConfig::default(), defaults, Protocol::LATEST).having(3, 1)
}

fn patient() -> ControllerConfig {
    ControllerConfig { broker_session_timeout: Duration::from_secs(100_000), ..ControllerConfig::default() }
}

fn alter_one(bench: &mut Bench, id: u32, item: AlterPartitionItem) -> ErrorCode {
    let response = bench.alter(id, vec![item]);
    assert_eq!(response.error, ErrorCode::None);
    response.partitions[0].result.as_ref().err().copied().unwrap_or(ErrorCode::None)
}

#[test]
fn a_fenced_leader_is_followed_by_the_first_in_sync_replica_in_order() {
    let mut bench = Bench::with_brokers(3, 1);
    let before = bench.partition(0).clone();
    bench.fence(1);
    let after = bench.partition(0);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]));
    assert_eq!(after.leader_epoch, before.leader_epoch.next(), "R76");
    assert_eq!(after.partition_epoch, before.partition_epoch.next(), "R76");
}

#[test]
fn a_fenced_follower_leaves_the_isr_and_the_leader_epoch_stays() {
    let mut bench = Bench::with_brokers(3, 1);
    let before = bench.partition(0).clone();
    bench.fence(3);
    let after = bench.partition(0);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2]));
    assert_eq!(after.leader_epoch, before.leader_epoch, "KAFKA-15021");
    assert_eq!(after.partition_epoch, before.partition_epoch.next(), "R76");
}

#[test]
fn the_last_in_sync_replica_stays_in_sync_and_nobody_leads_until_it_returns() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(1);
    bench.fence(2);
    let before = bench.partition(0).clone();
    bench.fence(3);
    assert_eq!(bench.leader_and_isr(), (None, vec![3]), "R93");
    assert_eq!(bench.partition(0).leader_epoch, before.leader_epoch.next(), "R93");
    bench.heartbeat(1, NOTHING);
    bench.heartbeat(2, NOTHING);
    assert_eq!(bench.leader_and_isr(), (None, vec![3]), "who is not in sync does not lead");
    bench.heartbeat(3, NOTHING);
    assert_eq!(bench.leader_and_isr(), (Some(3), vec![3]), "R92");
    assert_eq!(bench.partition(0).recovery_state, RecoveryState::Recovered, "a clean election");
}

#[test]
fn an_accepted_proposal_is_answered_with_the_state_that_was_committed() {
    let mut bench = Bench::with_brokers(3, 1);
    let epoch = bench.partition(0).partition_epoch;
    let response = bench.alter(1, vec![bench.proposal(&[1, 3])]);
    let accepted = response.partitions[0].result.clone().unwrap();
    let told = bench.told.partitions.values().next().unwrap();
    assert_eq!((accepted.leader, accepted.leader_epoch), (told.leader, told.leader_epoch));
    assert_eq!((&accepted.isr, accepted.partition_epoch), (&told.isr, told.partition_epoch), "R73");
    assert_eq!(accepted.isr, [BrokerId(1), BrokerId(3)]);
    assert_eq!(accepted.partition_epoch, epoch.next());
    assert_eq!(accepted.leader_epoch, LeaderEpoch::ZERO, "an ISR change is no change of leader");
}

#[test]
fn the_answer_leaves_behind_the_record() {
    let mut bench = Bench::with_brokers(3, 1);
    let noted = bench.notes.len();
    bench.settle(&[1, 2]);
    let place = |wanted: fn(&Event) -> bool| bench.notes[noted..].iter().position(wanted);
    let committed = place(|event| matches!(event, Event::Committed { .. }));
    let answered = place(|event| matches!(event, Event::ControllerAnswered { .. }));
    assert!(committed.is_some() && committed < answered, "R73");
}

#[test]
fn a_proposal_of_what_is_already_so_succeeds_and_writes_nothing() {
    let mut bench = Bench::with_brokers(3, 1);
    let before = bench.image().clone();
    let response = bench.alter(1, vec![bench.proposal(&[1, 2, 3])]);
    assert_eq!(response.partitions[0].result.as_ref().unwrap().partition_epoch, bench.partition(0).partition_epoch);
    assert_eq!(*bench.image(), before, "R72");
}

#[test]
fn a_proposal_sent_again_is_refused_as_overtaken() {
    let mut bench = Bench::with_brokers(3, 1);
    let proposal = bench.proposal(&[1, 2]);
    assert_eq!(alter_one(&mut bench, 1, proposal.clone()), ErrorCode::None);
    assert_eq!(alter_one(&mut bench, 1, proposal), ErrorCode::InvalidUpdateVersion, "R61");
}

#[test]
fn a_proposal_of_a_process_that_is_not_registered_is_stale_as_a_whole() {
    let mut bench = Bench::with_brokers(3, 1);
    let epoch = bench.epoch(1);
    let item = bench.proposal(&[1, 2]);
    for (broker, broker_epoch) in [(1, BrokerEpoch(epoch.0 - 1)), (1, BrokerEpoch(epoch.0 + 1)), (9, epoch)] {
        let request = AlterPartitionRequest { broker: BrokerId(broker), broker_epoch, partitions: vec![item.clone()] };
        let answer = bench.ask_over(1, BrokerId(broker).into(), Request::AlterPartition(request));
        let Some(Response::AlterPartition(response)) = answer else { panic!("{answer:?}") };
        assert_eq!((response.error, response.partitions.len()), (ErrorCode::StaleBrokerEpoch, 0), "R71");
        let (broker, partition, error) = (BrokerId(broker), item.partition, ErrorCode::StaleBrokerEpoch);
        assert_eq!(bench.notes.last(), Some(&Event::AlterPartitionRefused { broker, partition, error }));
    }
}

/// R71 has an order: each proposal here is wrong in one way and in every way that is looked at later.
#[test]
fn proposals_are_refused_for_the_first_reason_that_applies() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.settle(&[1, 2]);
    bench.fence(1);
    bench.heartbeat(1, NOTHING);
    // Broker 2 leads in epoch 1; 1 and 3 are active and not in sync. Broker 9 was never there.
    bench.join(4);
    let sound = bench.proposal(&[2]);
    let (leader_epoch, partition_epoch) = (sound.leader_epoch, sound.partition_epoch);
    assert!(leader_epoch > LeaderEpoch::ZERO && partition_epoch > PartitionEpoch(1));
    let older = PartitionEpoch(partition_epoch.0 - 1);
    let member = |id| IsrMember { id: BrokerId(id), epoch: Some(BrokerEpoch(-5)) };
    let wrong_isr = vec![member(3), member(3), member(9)];
    let recovering = RecoveryState::Recovering;
    let worst = AlterPartitionItem {
        partition: Partition { topic: TopicId(u64::MAX), index: 7 },
        leader_epoch: leader_epoch.next(),
        partition_epoch: partition_epoch.next(),
        new_isr: wrong_isr,
        recovery_state: recovering,
    };
    let here = Partition { topic: sound.partition.topic, index: 7 };
    let mut expect = |sender, item: &AlterPartitionItem, error| {
        assert_eq!(alter_one(&mut bench, sender, item.clone()), error, "{item:?}");
        let refused = Event::AlterPartitionRefused { broker: BrokerId(sender), partition: item.partition, error };
        assert_eq!(bench.notes.last(), Some(&refused));
    };
    expect(1, &worst, ErrorCode::UnknownTopicId);
    let item = AlterPartitionItem { partition: here, ..worst };
    expect(1, &item, ErrorCode::UnknownTopicOrPartition);
    let item = AlterPartitionItem { partition: sound.partition, ..item };
    expect(1, &item, ErrorCode::NotController);
    let behind = AlterPartitionItem { leader_epoch: LeaderEpoch::ZERO, ..item.clone() };
    expect(1, &behind, ErrorCode::NotController);
    let item = AlterPartitionItem { leader_epoch: LeaderEpoch::ZERO, partition_epoch: older, ..item };
    expect(1, &item, ErrorCode::FencedLeaderEpoch);
    let item = AlterPartitionItem { leader_epoch, ..item };
    expect(1, &item, ErrorCode::InvalidRequest);
    expect(2, &item, ErrorCode::InvalidUpdateVersion);
    let item = AlterPartitionItem { partition_epoch, ..item };
    expect(2, &item, ErrorCode::InvalidRequest);
    // Empty; with a replica twice; with a broker that holds no replica; without the leader.
    for ids in [vec![], vec![2, 2], vec![2, 4], vec![2, 9], vec![3]] {
        let new_isr = ids.into_iter().map(member).collect();
        expect(2, &AlterPartitionItem { new_isr, ..item.clone() }, ErrorCode::InvalidRequest);
    }
    // More than one while recovering; recovering again after having recovered.
    for ids in [vec![2, 3], vec![2]] {
        let new_isr = ids.into_iter().map(member).collect();
        expect(2, &AlterPartitionItem { new_isr, ..item.clone() }, ErrorCode::InvalidRequest);
    }
    let item = AlterPartitionItem { new_isr: vec![member(2)], recovery_state: RecoveryState::Recovered, ..item };
    expect(2, &item, ErrorCode::IneligibleReplica);
    assert_eq!(alter_one(&mut bench, 2, sound), ErrorCode::None);
}

#[test]
fn a_member_has_to_be_the_process_that_the_leader_saw() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(3);
    let seen = bench.epoch(3);
    bench.join(3);
    assert_ne!(bench.epoch(3), seen);
    let with = |bench: &Bench, epoch| {
        let mut item = bench.proposal(&[1, 2, 3]);
        item.new_isr[2].epoch = epoch;
        item
    };
    let item = with(&bench, Some(seen));
    assert_eq!(alter_one(&mut bench, 1, item), ErrorCode::IneligibleReplica, "KIP-903");
    let item = with(&bench, None);
    assert_eq!(alter_one(&mut bench.clone(), 1, item), ErrorCode::None, "R52: any");
    let now = Some(bench.epoch(3));
    let item = with(&bench, now);
    assert_eq!(alter_one(&mut bench, 1, item), ErrorCode::None);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2, 3]));
}

#[test]
fn a_fenced_broker_does_not_join() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(3);
    let item = bench.proposal(&[1, 2, 3]);
    assert_eq!(alter_one(&mut bench, 1, item), ErrorCode::IneligibleReplica, "KIP-841");
}

#[test]
fn before_kip_903_a_rebooted_member_was_let_in() {
    let old = Protocol { proposals: Proposals::NoBrokerEpochs, ..Protocol::LATEST };
    let mut bench = Bench::of(ControllerConfig::default(), BrokerConfig::default(), old).having(3, 1);
    bench.fence(3);
    let seen = bench.epoch(3);
    bench.join(3);
    let mut item = bench.proposal(&[1, 2, 3]);
    item.new_isr[2].epoch = Some(seen);
    assert_eq!(alter_one(&mut bench, 1, item), ErrorCode::None);
}

#[test]
fn the_planted_controller_without_partition_epochs_applies_what_was_overtaken() {
    let planted = Protocol { proposals: Proposals::NoPartitionEpoch, ..Protocol::LATEST };
    let mut bench = Bench::of(ControllerConfig::default(), BrokerConfig::default(), planted).having(3, 1);
    let overtaken = bench.proposal(&[1, 3]);
    bench.settle(&[1, 2]);
    assert_eq!(alter_one(&mut bench, 1, overtaken), ErrorCode::None);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 3]));
}

#[test]
fn each_partition_of_a_request_is_judged_for_itself_and_the_second_mention_of_one_is_refused() {
    let mut bench = Bench::with_brokers(3, 2);
    let first = bench.proposal(&[1, 2]);
    let second = AlterPartitionItem { partition: bench.partition(1).partition, ..first.clone() };
    let again = bench.proposal(&[1]);
    let before = bench.batches().len();
    let response = bench.alter(1, vec![second, first, again]);
    let errors: Vec<_> = response.partitions.iter().map(|result| result.result.as_ref().err().copied()).collect();
    assert_eq!(errors, [Some(ErrorCode::InvalidRequest), None, Some(ErrorCode::InvalidRequest)]);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2]));
    assert_eq!(bench.batches().len(), before + 1, "C31");
}

#[test]
fn without_consent_nobody_out_of_sync_leads() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.settle(&[1]);
    bench.fence(1);
    assert_eq!(bench.leader_and_isr(), (None, vec![1]));
}

#[test]
fn with_consent_a_replica_out_of_sync_leads_at_once_and_alone() {
    let mut bench = unclean();
    bench.settle(&[1]);
    let before = bench.partition(0).clone();
    bench.fence(1);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "R79");
    let after = bench.partition(0).clone();
    assert_eq!(after.recovery_state, RecoveryState::Recovering, "R79");
    assert_eq!(after.leader_epoch, before.leader_epoch.next());
    // The old leader returns, and is not asked.
    bench.heartbeat(1, NOTHING);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]));
    let item = AlterPartitionItem { recovery_state: RecoveryState::Recovering, ..bench.proposal(&[2, 3]) };
    assert_eq!(alter_one(&mut bench, 2, item), ErrorCode::InvalidRequest, "R71: alone while recovering");
    bench.settle(&[2, 3]);
    assert_eq!(bench.partition(0).recovery_state, RecoveryState::Recovered, "R10");
}

#[test]
fn with_consent_whoever_returns_first_leads() {
    let mut bench = unclean();
    bench.settle(&[1]);
    for id in [3, 2, 1] {
        bench.fence(id);
    }
    assert_eq!(bench.leader_and_isr(), (None, vec![1]));
    bench.heartbeat(3, NOTHING);
    assert_eq!(bench.leader_and_isr(), (Some(3), vec![3]));
}

#[test]
fn a_clean_leader_is_preferred_even_with_consent() {
    let mut bench = unclean();
    bench.settle(&[1, 3]);
    bench.fence(1);
    assert_eq!(bench.leader_and_isr(), (Some(3), vec![3]));
    assert_eq!(bench.partition(0).recovery_state, RecoveryState::Recovered);
}

#[test]
fn a_topics_own_word_about_unclean_elections_outweighs_the_default() {
    let mut bench = unclean();
    let mut careful = super::bench::topic("careful", 1, 3);
    careful.config.push(("unclean.leader.election.enable".to_owned(), "false".to_owned()));
    assert!(bench.create_topics(vec![careful])[0].result.is_ok());
    let item = |bench: &Bench, nth: usize| {
        let known = bench.partition(nth);
        let leader = known.leader.unwrap().0;
        let item = AlterPartitionItem {
            partition: known.partition,
            leader_epoch: known.leader_epoch,
            partition_epoch: known.partition_epoch,
            ..bench.proposal(&[leader])
        };
        (leader, item)
    };
    for nth in [0, 1] {
        let (leader, item) = item(&bench, nth);
        assert_eq!(alter_one(&mut bench, leader, item), ErrorCode::None);
    }
    bench.fence(1);
    bench.fence(2);
    assert_eq!(bench.partition(0).leader, Some(BrokerId(3)));
    assert_eq!(bench.partition(1).leader, None, "it was led by broker 2 alone");
}

#[test]
fn leaderless_partitions_are_looked_at_again_from_time_to_time() {
    let mut bench = Bench::of(patient(), BrokerConfig::default(), Protocol::LATEST).having(3, 1);
    bench.settle(&[1]);
    bench.fence(1);
    // The operator gives consent, and restarts the controller.
    bench.defaults.unclean_leader_election_enable = true;
    bench.restart();
    bench.pass_ms(299_999);
    assert_eq!(bench.leader_and_isr(), (None, vec![1]));
    bench.pass_ms(1);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "R94");
}

#[test]
fn a_preferred_leader_that_is_in_sync_again_gets_its_partition_back() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(1);
    bench.heartbeat(1, NOTHING);
    bench.balance();
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]), "not before it is in sync (R78)");
    bench.settle(&[2, 3, 1]);
    let before = bench.partition(0).leader_epoch;
    bench.balance();
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![2, 3, 1]), "R94");
    assert_eq!(bench.partition(0).leader_epoch, before.next());
}

#[test]
fn a_leader_stays_while_the_preferred_one_is_out_of_sync() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(1);
    bench.fence(2);
    bench.heartbeat(1, NOTHING);
    bench.heartbeat(2, NOTHING);
    bench.settle(&[3, 2]);
    bench.balance();
    assert_eq!(bench.leader_and_isr(), (Some(3), vec![3, 2]), "R78: broker 2 is in sync, and no better");
}

#[test]
fn leadership_goes_back_to_the_preferred_leader_from_time_to_time_unless_that_is_switched_off() {
    for (auto_leader_rebalance_enable, leader) in [(true, 1), (false, 2)] {
        let config = ControllerConfig { auto_leader_rebalance_enable, ..patient() };
        let mut bench = Bench::of(config, BrokerConfig::default(), Protocol::LATEST).having(3, 1);
        bench.fence(1);
        bench.heartbeat(1, NOTHING);
        bench.settle(&[2, 3, 1]);
        assert_eq!(bench.leader_and_isr().0, Some(2));
        bench.pass_ms(900_000);
        assert_eq!(bench.leader_and_isr(), (Some(leader), vec![2, 3, 1]), "R94");
    }
}

#[test]
fn many_preferred_leaders_come_back_in_batches_of_a_thousand() {
    let mut bench = Bench::new();
    // To look at all partitions after each of thousands of records would take a while.
    bench.is_watched = false;
    let mut bench = bench.having(2, 2_400);
    bench.fence(1);
    bench.heartbeat(1, NOTHING);
    let items = bench.image().partitions.values().map(|partition| AlterPartitionItem {
        partition: partition.partition,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
        new_isr: [2, 1].map(|id| IsrMember { id: BrokerId(id), epoch: None }).to_vec(),
        recovery_state: RecoveryState::Recovered,
    });
    let items = items.collect();
    let response = bench.alter(2, items);
    assert!(response.partitions.iter().all(|result| result.result.is_ok()));
    let led_by_1 = |bench: &Bench| bench.image().partitions.values().filter(|p| p.leader == Some(BrokerId(1))).count();
    assert_eq!(led_by_1(&bench), 0);
    bench.balance();
    assert_eq!(led_by_1(&bench), 1_200);
    let sizes: Vec<u32> = bench.batches().into_iter().map(|(_, records, _)| records).collect();
    let large: Vec<u32> = sizes.into_iter().rev().filter(|&records| records > 1).take(2).collect();
    assert_eq!(large, [200, 1_000], "R94: bounded");
}

#[test]
fn the_planted_election_lets_any_living_replica_lead() {
    let planted = Protocol { election: Election::FromReplicas, ..Protocol::LATEST };
    let mut bench = Bench::of(ControllerConfig::default(), BrokerConfig::default(), planted).having(3, 1);
    bench.settle(&[1, 3]);
    bench.fence(1);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2]), "P17: broker 3 was in sync");
}
