//! What a producer guarantees from the first request to the end of a record (P6-P11).

use super::producer::{
    B1, answer, answer_with, ends, ms, only_produce, produce, producer, producer_of, produces, send, send_alone, values,
};
use crate::client::stage::metadata;
use crate::config::ProducerConfig;
use crate::event::Event;
use crate::names::{BrokerId, LeaderEpoch};
use crate::protocol::{Muting, Protocol, Resending};
use crate::wire::ErrorCode;

#[test]
fn a_retriable_error_sends_the_same_bytes_again_after_a_backoff() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let first = only_produce(&mut stage);
    answer(&mut stage, &first, ErrorCode::NotEnoughReplicas);
    stage.pass(ms(79));
    assert_eq!(produces(&mut stage), []);
    stage.pass(ms(42));
    let second = only_produce(&mut stage);
    assert_eq!(produce(&first), produce(&second));
    assert_ne!(first.correlation, second.correlation);
    let attempts: Vec<u32> = stage
        .notes()
        .into_iter()
        .filter_map(|event| if let Event::BatchSent { attempt, .. } = event { Some(attempt) } else { None })
        .collect();
    assert_eq!(attempts, [1, 2]);
}

#[test]
fn a_failure_is_definite_only_if_no_attempt_can_have_appended_anything() {
    use ErrorCode::{NotEnoughReplicas, NotLeaderOrFollower, RequestTimedOut};
    for (first, last, definite) in [
        (NotEnoughReplicas, NotEnoughReplicas, true),
        (NotEnoughReplicas, RequestTimedOut, false),
        (RequestTimedOut, NotEnoughReplicas, false),
        (NotLeaderOrFollower, NotEnoughReplicas, false),
    ] {
        let mut stage = producer(ProducerConfig { retries: 1, ..ProducerConfig::default() });
        send_alone(&mut stage, 1);
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, first);
        assert_eq!(ends(&mut stage), []);
        stage.pass(ms(121));
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, last);
        assert_eq!(ends(&mut stage), [(vec![1], Some((last, definite)))], "{first} then {last}");
    }
}

#[test]
fn a_batch_lost_with_its_connection_may_have_been_appended() {
    let mut stage = producer(ProducerConfig { retries: 0, ..ProducerConfig::default() });
    send_alone(&mut stage, 1);
    stage.sever(B1);
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::NetworkException, false)))]);
}

#[test]
fn an_error_that_is_not_retriable_ends_it() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    answer(&mut stage, &request, ErrorCode::InvalidRecord);
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::InvalidRecord, true)))]);
}

#[test]
fn without_retries_a_batch_is_sent_once_unless_the_bug_is_planted() {
    for (resending, attempts) in [(Resending::AsConfigured, 0), (Resending::BeyondRetries, 1)] {
        let config = ProducerConfig { retries: 0, ..ProducerConfig::default() };
        let mut stage = producer_of(config, Protocol { resending, ..Protocol::LATEST }, &[Some((1, 5))]);
        send_alone(&mut stage, 1);
        let request = only_produce(&mut stage);
        answer(&mut stage, &request, ErrorCode::RequestTimedOut);
        stage.pass(ms(121));
        assert_eq!(produces(&mut stage).len(), attempts);
    }
}

#[test]
fn a_request_without_an_answer_costs_the_connection_and_is_sent_again() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    only_produce(&mut stage);
    stage.pass(ms(29_999));
    assert_eq!(stage.closed, []);
    stage.pass(ms(1));
    assert_eq!(stage.closed.len(), 1);
    stage.pass(ms(130));
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![1])]);
}

#[test]
fn with_one_request_under_way_a_partition_waits_for_it_and_order_survives_the_retry() {
    let config = ProducerConfig { max_in_flight_requests_per_connection: 1, ..ProducerConfig::default() };
    let mut stage = producer(config.clone());
    send_alone(&mut stage, 1);
    send_alone(&mut stage, 2);
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![1])]);
    answer(&mut stage, &request, ErrorCode::NotEnoughReplicas);
    stage.pass(ms(121));
    let request = only_produce(&mut stage);
    assert_eq!(values(&request), [(0, vec![1])], "2 does not overtake");
    answer(&mut stage, &request, ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![2])]);

    // The planted bug lets it overtake.
    let mut stage = producer_of(config, Protocol { muting: Muting::Never, ..Protocol::LATEST }, &[Some((1, 5))]);
    send_alone(&mut stage, 1);
    send_alone(&mut stage, 2);
    let sent: Vec<_> = produces(&mut stage).iter().flat_map(values).collect();
    assert_eq!(sent, [(0, vec![1]), (0, vec![2])]);
}

#[test]
fn no_more_than_max_in_flight_requests_are_under_way_to_a_broker() {
    let mut stage = producer(ProducerConfig::default());
    for value in 1..=8 {
        send_alone(&mut stage, value);
    }
    let sent = produces(&mut stage);
    assert_eq!(sent.len(), 5);
    answer(&mut stage, &sent[0], ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![6])]);
}

#[test]
fn a_batch_that_was_never_sent_fails_for_certain_after_delivery_timeout() {
    let mut stage = producer_of(ProducerConfig::default(), Protocol::LATEST, &[Some((1, 5)), None]);
    // Keyed, so that it goes to the partition that nobody leads.
    let key = [b"a", b"b", b"c", b"d"].into_iter().find(|key| crate::client::partition_for_key(*key, 2) == 1).unwrap();
    send(&mut stage, Some(key), 1);
    stage.pass(ms(119_999));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, true)))]);
}

#[test]
fn a_batch_that_expires_under_way_is_unknown_and_a_late_answer_changes_nothing() {
    let config =
        ProducerConfig { delivery_timeout: ms(20_000), request_timeout: ms(15_000), ..ProducerConfig::default() };
    let mut stage = producer(config);
    send_alone(&mut stage, 1);
    only_produce(&mut stage);
    stage.pass(ms(15_500));
    let again = only_produce(&mut stage);
    stage.pass(ms(4_499));
    assert_eq!(ends(&mut stage), []);
    stage.pass(ms(1));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, false)))]);
    answer(&mut stage, &again, ErrorCode::None);
    assert_eq!(ends(&mut stage), []);
}

#[test]
fn an_expired_batch_under_way_still_keeps_its_partition_waiting() {
    let config = ProducerConfig {
        max_in_flight_requests_per_connection: 1,
        delivery_timeout: ms(10_000),
        request_timeout: ms(30_000),
        ..ProducerConfig::default()
    };
    let mut stage = producer(config);
    send_alone(&mut stage, 1);
    let first = only_produce(&mut stage);
    stage.pass(ms(9_000));
    send_alone(&mut stage, 2);
    stage.pass(ms(1_500));
    assert_eq!(ends(&mut stage), [(vec![1], Some((ErrorCode::RequestTimedOut, false)))]);
    assert_eq!(produces(&mut stage), [], "1 may still be appended");
    answer(&mut stage, &first, ErrorCode::None);
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![2])]);
}

#[test]
fn a_batch_too_large_for_the_broker_is_split_and_its_records_stay_in_order() {
    let config = ProducerConfig { max_in_flight_requests_per_connection: 1, ..ProducerConfig::default() };
    let mut stage = producer(config);
    for value in 1..=5 {
        send(&mut stage, None, value);
    }
    stage.pass(ms(5));
    let whole = only_produce(&mut stage);
    answer(&mut stage, &whole, ErrorCode::MessageTooLarge);
    let mut sent = Vec::new();
    loop {
        let mut requests = produces(&mut stage);
        let Some(request) = requests.pop() else { break };
        let (_, values) = values(&request).remove(0);
        // This broker takes single records only.
        if values.len() > 1 {
            answer(&mut stage, &request, ErrorCode::MessageTooLarge);
        } else {
            sent.extend(values);
            answer(&mut stage, &request, ErrorCode::None);
        }
    }
    assert_eq!(sent, [1, 2, 3, 4, 5]);
    assert_eq!(ends(&mut stage), (1..=5).map(|value| (vec![value], None)).collect::<Vec<_>>());

    send_alone(&mut stage, 6);
    let single = only_produce(&mut stage);
    answer(&mut stage, &single, ErrorCode::MessageTooLarge);
    assert_eq!(ends(&mut stage), [(vec![6], Some((ErrorCode::MessageTooLarge, true)))]);
}

#[test]
fn a_refusal_that_names_the_new_leader_is_followed_at_once() {
    let mut stage = producer(ProducerConfig::default());
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    let leader = Some((BrokerId(2), LeaderEpoch(6)));
    answer_with(&mut stage, &request, ErrorCode::NotLeaderOrFollower, leader);
    assert_eq!(only_produce(&mut stage).to, BrokerId(2).into());
}

#[test]
fn a_refusal_that_names_nobody_asks_for_metadata_and_finds_the_new_leader() {
    let mut stage = producer(ProducerConfig::default());
    stage.pass(ms(1_000));
    send_alone(&mut stage, 1);
    let request = only_produce(&mut stage);
    answer(&mut stage, &request, ErrorCode::NotLeaderOrFollower);
    stage.tell(metadata("t", &[Some((3, 6))]));
    assert_eq!(only_produce(&mut stage).to, BrokerId(3).into(), "a new leader ends the backoff");
}

#[test]
fn nothing_is_asked_of_a_broker_in_backoff() {
    let mut stage = producer(ProducerConfig::default());
    stage.sever(B1);
    send_alone(&mut stage, 1);
    assert_eq!(produces(&mut stage), []);
    stage.pass(ms(61));
    assert_eq!(values(&only_produce(&mut stage)), [(0, vec![1])]);
}
