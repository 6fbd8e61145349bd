//! Who is alive: C33-C41, R90, R100-R103.

use std::time::Duration;

use super::bench::{Bench, NOTHING, TO_BE_FENCED, TO_SHUT_DOWN, Wish};
use crate::event::Event;
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, BrokerId, EndOffset, Incarnation};
use crate::protocol::{Protocol, Returning};
use crate::wire::ErrorCode;

#[test]
fn a_broker_starts_out_fenced_and_its_epoch_is_the_place_of_its_record() {
    let mut bench = Bench::new();
    let response = bench.register(1, 7);
    let epoch = response.broker_epoch.unwrap();
    let record = &bench.records[usize::try_from(epoch.0).unwrap()];
    assert_eq!(
        *record,
        MetadataRecord::RegisterBroker { broker: BrokerId(1), incarnation: Incarnation(7), epoch },
        "C38"
    );
    assert!(bench.is_fenced(1), "C37");
}

#[test]
fn another_process_is_refused_until_the_session_of_the_first_has_ended() {
    let mut bench = Bench::new();
    let first = bench.join(1);
    bench.pass_ms(9_000);
    let refused = bench.register(1, 99);
    assert_eq!((refused.error, refused.broker_epoch), (ErrorCode::DuplicateBrokerRegistration, None));
    assert_eq!(bench.epoch(1), first);
    bench.pass_ms(1);
    let accepted = bench.register(1, 99);
    assert_eq!(accepted.error, ErrorCode::None);
    assert!(accepted.broker_epoch.unwrap() > first);
}

#[test]
fn another_process_is_taken_at_once_if_the_first_was_never_unfenced() {
    let mut bench = Bench::new();
    let first = bench.register(1, 1).broker_epoch.unwrap();
    let second = bench.register(1, 2);
    assert_eq!(second.error, ErrorCode::None);
    assert!(second.broker_epoch.unwrap() > first);
}

#[test]
fn a_process_whose_answer_was_lost_gets_the_same_epoch_again_and_stays_as_it_was() {
    let mut bench = Bench::new();
    let epoch = bench.register(1, 1).broker_epoch.unwrap();
    bench.heartbeat(1, NOTHING);
    let before = bench.image().clone();
    let again = bench.register(1, 1);
    assert_eq!((again.error, again.broker_epoch), (ErrorCode::None, Some(epoch)));
    assert_eq!(*bench.image(), before, "unfenced still");
}

#[test]
fn a_process_that_asks_again_has_a_new_session() {
    let mut bench = Bench::new();
    bench.register(1, 1);
    bench.heartbeat(1, NOTHING);
    bench.pass_ms(8_000);
    bench.register(1, 1);
    bench.pass_ms(8_000);
    assert!(!bench.is_fenced(1));
}

#[test]
fn a_process_that_returns_before_it_was_missed_has_lost_its_seats() {
    let mut bench = Bench::with_brokers(3, 1);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2, 3]));
    // The session is over, but the check comes only every eighth of one, and then for one broker.
    bench.now = bench.now + Duration::from_millis(9_001);
    bench.heartbeat(2, NOTHING);
    bench.heartbeat(3, NOTHING);
    bench.register(1, 99);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]), "R90, KAFKA-18106");
    assert!(bench.is_fenced(1));
}

#[test]
fn before_kafka_18106_a_process_that_returned_in_time_kept_its_seats() {
    let old = Protocol { returning: Returning::KeepsItsSeats, ..Protocol::LATEST };
    let mut bench = Bench::of(Default::default(), Default::default(), old).having(3, 1);
    bench.now = bench.now + Duration::from_millis(9_001);
    bench.heartbeat(2, NOTHING);
    bench.heartbeat(3, NOTHING);
    bench.register(1, 99);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2, 3]));
}

#[test]
fn a_heartbeat_of_another_process_or_of_nobody_is_stale() {
    let mut bench = Bench::new();
    let epoch = bench.join(1);
    let end = bench.image().end;
    for (id, epoch) in [(1, BrokerEpoch(epoch.0 - 1)), (1, BrokerEpoch(epoch.0 + 1)), (2, epoch)] {
        let answer = bench.heartbeat_at(id, epoch, end, NOTHING);
        assert_eq!(answer.error, ErrorCode::StaleBrokerEpoch, "C38");
        assert!(answer.is_fenced && !answer.should_shut_down);
    }
}

#[test]
fn a_stale_heartbeat_does_not_keep_the_session() {
    let mut bench = Bench::new();
    let epoch = bench.join(1);
    bench.pass_ms(8_000);
    bench.heartbeat_at(1, BrokerEpoch(epoch.0 + 1), EndOffset(100), NOTHING);
    bench.pass_ms(3_000);
    assert!(bench.is_fenced(1));
}

#[test]
fn a_broker_is_unfenced_once_it_has_seen_its_own_registration() {
    let mut bench = Bench::new();
    let epoch = bench.register(1, 1).broker_epoch.unwrap();
    let place = EndOffset(u64::try_from(epoch.0).unwrap());
    let before = bench.heartbeat_at(1, epoch, place, NOTHING);
    assert_eq!((before.is_caught_up, before.is_fenced), (false, true));
    let not_ready = bench.heartbeat_at(1, epoch, EndOffset(place.0 + 1), TO_BE_FENCED);
    assert_eq!((not_ready.is_caught_up, not_ready.is_fenced), (true, true), "C44");
    let ready = bench.heartbeat_at(1, epoch, EndOffset(place.0 + 1), NOTHING);
    assert_eq!((ready.is_caught_up, ready.is_fenced), (true, false), "C40");
    assert!(!bench.is_fenced(1));
}

#[test]
fn a_broker_is_fenced_when_it_wants_to_be() {
    let mut bench = Bench::with_brokers(3, 1);
    assert!(bench.heartbeat(1, TO_BE_FENCED).is_fenced);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]));
    assert!(!bench.heartbeat(1, NOTHING).is_fenced, "its next good heartbeat brings it back (C41)");
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]), "but not into the ISR");
}

#[test]
fn a_silent_broker_is_fenced_when_its_session_ends_and_not_before() {
    let mut bench = Bench::with_brokers(3, 1);
    for _ in 0..9 {
        bench.pass_ms(1_000);
        bench.heartbeat(2, NOTHING);
        bench.heartbeat(3, NOTHING);
    }
    assert!(!bench.is_fenced(1));
    bench.pass_ms(9_000 / 8 + 1);
    assert!(bench.is_fenced(1), "within an eighth of a session (C34)");
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]));
}

#[test]
fn one_broker_is_fenced_per_check_and_the_one_longest_silent_first() {
    let mut bench = Bench::new();
    for id in [1, 2, 3] {
        bench.join(id);
    }
    for id in [3, 1, 2] {
        bench.pass_ms(1);
        bench.heartbeat(id, NOTHING);
    }
    let mut order = Vec::new();
    for _ in 0..13_000 {
        bench.pass_ms(1);
        let fenced: Vec<u32> = [1, 2, 3].into_iter().filter(|&id| bench.is_fenced(id)).collect();
        assert!(fenced.len() <= order.len() + 1, "one per check (C34)");
        order.extend(fenced.into_iter().find(|id| !order.contains(id)).filter(|_| order.len() < 3));
    }
    assert_eq!(order, [3, 1, 2]);
}

#[test]
fn heartbeats_keep_a_session() {
    let mut bench = Bench::new();
    bench.join(1);
    for _ in 0..20 {
        bench.pass_ms(8_999);
        assert!(!bench.heartbeat(1, NOTHING).is_fenced);
    }
    let changes = |event: &&Event| {
        matches!(event, Event::Committed { record: MetadataRecord::BrokerRegistrationChange { .. }, .. })
    };
    assert_eq!(bench.notes.iter().filter(changes).count(), 1, "unfenced once, and left alone since");
}

#[test]
fn nobody_is_fenced_within_a_session_after_the_controller_came_back() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.now = bench.now + Duration::from_secs(3_600);
    bench.restart();
    bench.pass_ms(9_000);
    assert!([1, 2, 3].into_iter().all(|id| !bench.is_fenced(id)), "C33");
    bench.pass_ms(3 * 9_000 / 8 + 3);
    assert!([1, 2, 3].into_iter().all(|id| bench.is_fenced(id)));
}

#[test]
fn another_process_is_refused_for_a_session_after_the_controller_came_back() {
    let mut bench = Bench::new();
    bench.join(1);
    bench.now = bench.now + Duration::from_secs(3_600);
    bench.restart();
    assert_eq!(bench.register(1, 99).error, ErrorCode::DuplicateBrokerRegistration, "C33, C37");
}

#[test]
fn a_clock_that_jumps_back_fences_nobody() {
    let mut bench = Bench::with_brokers(2, 1);
    bench.now = bench.now - Duration::from_secs(60);
    bench.pass_ms(30_000);
    assert!(!bench.is_fenced(1));
}

#[test]
fn a_broker_that_leads_nothing_may_go_at_once() {
    let mut bench = Bench::with_brokers(3, 1);
    let answer = bench.heartbeat(3, TO_SHUT_DOWN);
    assert!(answer.should_shut_down && answer.is_fenced, "R100, R101");
    assert!(bench.is_fenced(3));
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1, 2]));
}

#[test]
fn a_fenced_broker_may_go_at_once() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.fence(1);
    let before = bench.image().clone();
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down, "C40");
    assert_eq!(*bench.image(), before, "there was nothing left to take away");
}

#[test]
fn a_broker_that_wants_to_be_fenced_and_to_go_may_go_at_once() {
    let mut bench = Bench::with_brokers(3, 1);
    let answer = bench.heartbeat(1, Wish { fence: true, shut_down: true });
    assert!(answer.should_shut_down, "C40");
    assert!(bench.is_fenced(1));
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]));
}

#[test]
fn a_leader_may_go_once_all_active_brokers_know_who_leads_now() {
    let mut bench = Bench::with_brokers(3, 1);
    let (stale_end, epoch_2, epoch_3) = (bench.image().end, bench.epoch(2), bench.epoch(3));
    let leaving = bench.heartbeat(1, TO_SHUT_DOWN);
    assert_eq!((leaving.should_shut_down, leaving.is_fenced), (false, false));
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3]), "its leaderships move at once (R92)");
    let relieved = bench.image().end;

    bench.heartbeat_at(2, epoch_2, relieved, NOTHING);
    bench.heartbeat_at(3, epoch_3, stale_end, NOTHING);
    assert!(!bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down, "broker 3 has not heard of it (R100)");
    bench.pass_ms(1_000);
    assert!(bench.image().end > relieved, "the log has moved on");
    assert!(!bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
    bench.heartbeat_at(3, epoch_3, relieved, NOTHING);
    let going = bench.heartbeat(1, TO_SHUT_DOWN);
    assert!(going.should_shut_down && going.is_fenced);
    assert!(bench.is_fenced(1), "R101");
}

#[test]
fn a_silent_broker_holds_up_a_shutdown_only_until_it_is_fenced() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.heartbeat(1, TO_SHUT_DOWN);
    while !bench.is_fenced(3) {
        bench.heartbeat(2, NOTHING);
        assert!(!bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
        bench.pass_ms(900);
    }
    bench.heartbeat(2, NOTHING);
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
}

#[test]
fn a_broker_in_controlled_shutdown_neither_leads_nor_joins() {
    let mut bench = Bench::with_brokers(3, 2);
    bench.heartbeat(1, TO_SHUT_DOWN);
    let response = bench.alter(2, vec![bench.proposal(&[2, 3, 1])]);
    assert_eq!(response.partitions[0].result, Err(ErrorCode::IneligibleReplica), "R103");
    bench.fence(2);
    bench.fence(3);
    assert_eq!(bench.leader_and_isr(), (None, vec![3]), "R103");
}

#[test]
fn the_last_in_sync_replica_may_shut_down_and_leaves_nobody_to_lead() {
    let mut bench = Bench::with_brokers(2, 1);
    bench.fence(2);
    assert_eq!(bench.leader_and_isr(), (Some(1), vec![1]));
    bench.heartbeat(1, TO_SHUT_DOWN);
    assert_eq!(bench.leader_and_isr(), (None, vec![1]), "R92, R93");
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
    assert_eq!(bench.leader_and_isr(), (None, vec![1]));
}

#[test]
fn a_controlled_shutdown_goes_on_under_a_controller_that_came_back() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.heartbeat(1, TO_SHUT_DOWN);
    bench.restart();
    assert!(!bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down, "nobody has said yet what it knows");
    bench.heartbeat(2, NOTHING);
    bench.heartbeat(3, NOTHING);
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
}

#[test]
fn a_broker_that_was_fenced_while_it_shut_down_may_go_at_once() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.heartbeat(1, TO_SHUT_DOWN);
    for _ in 0..11 {
        bench.pass_ms(1_000);
        bench.heartbeat(2, NOTHING);
        bench.heartbeat(3, NOTHING);
    }
    assert!(bench.is_fenced(1));
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
}

#[test]
fn a_new_process_after_a_controlled_shutdown_is_whole_again() {
    let mut bench = Bench::with_brokers(3, 1);
    bench.heartbeat(1, TO_SHUT_DOWN);
    bench.heartbeat(2, NOTHING);
    bench.heartbeat(3, NOTHING);
    assert!(bench.heartbeat(1, TO_SHUT_DOWN).should_shut_down);
    bench.join(1);
    bench.settle(&[2, 3, 1]);
    assert_eq!(bench.leader_and_isr(), (Some(2), vec![2, 3, 1]));
}
