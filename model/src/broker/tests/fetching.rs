//! The fetcher: one request in flight per leader, and what becomes of each error (R34-R36b).

use super::following::asked;
use super::stage::{P, Q, Stage, elected, ms, records_from, refused, registration, stored, three};
use crate::machine::{Input, Severed};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerId, EndOffset, LeaderEpoch, Node};
use crate::wire::{Body, Channel, ConnectionId, ErrorCode, Fetcher, Request};

fn follower_up() -> Stage {
    Stage::up(2, &three(1, &[1, 2, 3], 1))
}

fn severed(peer: u32, connection: u64) -> Input {
    let peer = Node::Broker(BrokerId(peer));
    Input::Severed(Severed { peer, channel: Channel::ReplicaFetch, connection: ConnectionId(connection) })
}

#[test]
fn one_request_carries_all_partitions_of_a_leader() {
    let mut records = three(1, &[1, 2, 3], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1, 2, 3])));
    let mut stage = Stage::up(2, &records);
    let request = stage.expect_sent(Channel::ReplicaFetch);
    let Body::Request(Request::Fetch(fetch)) = &request.body else { panic!("a fetch") };
    assert_eq!(fetch.partitions.iter().map(|part| part.partition).collect::<Vec<_>>(), [P, Q], "R34");
    assert_eq!(fetch.fetcher, Fetcher::Replica { id: BrokerId(2), epoch: Some(super::stage::life(2)) });
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none());
    stage.answer(&request, records_from(P, EndOffset(0), Vec::new()));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    let Body::Request(Request::Fetch(fetch)) = &request.body else { panic!("a fetch") };
    assert_eq!(fetch.partitions.len(), 2, "what was not answered is asked for again");
}

#[test]
fn an_error_delays_the_partition_for_the_backoff() {
    let errors = [
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::UnknownLeaderEpoch,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::UnknownTopicId,
        ErrorCode::InconsistentTopicId,
        ErrorCode::KafkaStorageError,
        ErrorCode::UnknownServerError,
    ];
    for error in errors {
        let mut stage = follower_up();
        let request = stage.expect_sent(Channel::ReplicaFetch);
        stage.answer(&request, refused(error));
        stage.pass(ms(999));
        stage.run_all();
        assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R36b: {error}");
        stage.pass(ms(1));
        stage.run_all();
        assert!(stage.take_sent(Channel::ReplicaFetch).is_some(), "R36b: {error}");
    }
}

#[test]
fn a_delayed_partition_does_not_hold_up_another() {
    let mut records = three(1, &[1, 2, 3], 1);
    records.push(MetadataRecord::Partition(registration(Q, 1, &[1, 2, 3])));
    let mut stage = Stage::up(2, &records);
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&request, refused(ErrorCode::UnknownLeaderEpoch));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    assert_eq!(asked(&request).partition, Q);
    stage.pass(ms(1_000));
    stage.answer(&request, records_from(Q, EndOffset(0), Vec::new()));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    let Body::Request(Request::Fetch(fetch)) = &request.body else { panic!("a fetch") };
    assert_eq!(fetch.partitions.len(), 2);
}

#[test]
fn a_fenced_follower_waits_for_metadata() {
    let mut stage = follower_up();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&request, refused(ErrorCode::FencedLeaderEpoch));
    stage.pass(ms(60_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R36b: failed");
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.run_all();
    assert_eq!(asked(&stage.expect_sent(Channel::ReplicaFetch)).current_leader_epoch, Some(LeaderEpoch(1)));
}

#[test]
fn a_follower_that_was_fenced_in_an_epoch_it_has_left_only_waits_a_while() {
    let mut stage = follower_up();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.answer(&request, refused(ErrorCode::FencedLeaderEpoch));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none());
    stage.pass(ms(1_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some(), "R36b: delayed");
}

#[test]
fn corrupt_bytes_are_fetched_again_after_a_while() {
    let mut stage = follower_up();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    let mut bytes = stored(0, 0, &[1]).bytes().to_vec();
    *bytes.last_mut().expect("bytes") ^= 1;
    stage.answer(&request, records_from(P, EndOffset(0), bytes));
    stage.run_all();
    assert_eq!(stage.end(), 0);
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none());
    stage.pass(ms(1_000));
    stage.run_all();
    assert_eq!(asked(&stage.expect_sent(Channel::ReplicaFetch)).fetch_offset.0, 0, "R36b");
}

#[test]
fn batches_at_an_unexpected_offset_fail_the_partition_until_the_next_epoch() {
    let mut stage = follower_up();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&request, records_from(P, EndOffset(0), stored(0, 0, &[1, 2]).bytes().to_vec()));
    stage.run_all();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&request, records_from(P, EndOffset(0), stored(1, 0, &[1, 2]).bytes().to_vec()));
    stage.pass(ms(60_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "L21, R36b");
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
}

#[test]
fn a_lost_connection_delays_all_that_was_asked_over_it() {
    let mut stage = follower_up();
    let lost = stage.expect_sent(Channel::ReplicaFetch);
    stage.take(severed(1, 77));
    stage.pass(ms(999));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none(), "R34");
    stage.answer(&lost, records_from(P, EndOffset(0), stored(0, 0, &[1]).bytes().to_vec()));
    assert_eq!(stage.end(), 0, "an answer out of the grave");
    stage.pass(ms(1));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
}

#[test]
fn a_lost_connection_does_not_strand_what_came_to_the_fetcher_after_it_had_asked() {
    let mut stage = follower_up();
    stage.expect_sent(Channel::ReplicaFetch);
    let came = MetadataRecord::Partition(registration(Q, 1, &[1, 2, 3]));
    stage.learn(&[elected(Some(3), &[2, 3]), came]);
    stage.run_all();
    while stage.take_sent(Channel::ReplicaFetch).is_some() {}
    stage.take(severed(1, 77));
    stage.pass(ms(1_000));
    stage.run_all();
    let mut again = std::iter::from_fn(|| stage.take_sent(Channel::ReplicaFetch));
    assert!(again.any(|request| request.to == BrokerId(1).into()), "Q is still to be fetched from b1 (R34)");
}

#[test]
fn a_lost_connection_of_a_follower_is_not_taken_for_ones_own_to_the_same_broker() {
    let mut records = three(1, &[1, 2, 3], 1);
    records.push(MetadataRecord::Partition(registration(Q, 2, &[1, 2, 3])));
    let mut stage = Stage::up(2, &records);
    let request = stage.expect_sent(Channel::ReplicaFetch);
    let mut theirs = super::stage::follower_fetch(1, 0, 0);
    theirs.partitions[0].partition = Q;
    stage.ask_as(BrokerId(1).into(), Channel::ReplicaFetch, 66, Request::Fetch(theirs));
    stage.take(severed(1, 66));
    stage.answer(&request, records_from(P, EndOffset(0), stored(0, 0, &[1]).bytes().to_vec()));
    stage.run_all();
    assert_eq!(stage.end(), 1, "the fetch under way is not given up");
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
}

#[test]
fn a_silent_leader_is_given_up_after_the_socket_timeout() {
    let mut stage = follower_up();
    stage.expect_sent(Channel::ReplicaFetch);
    stage.pass(ms(30_000));
    let closed = stage.closed.iter().filter(|closed| closed.channel == Channel::ReplicaFetch).count();
    assert_eq!(closed, 1, "replica.socket.timeout.ms");
    stage.pass(ms(1_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_some());
}

#[test]
fn an_answer_for_another_offset_than_the_present_one_is_not_used() {
    let mut stage = follower_up();
    let old = stage.expect_sent(Channel::ReplicaFetch);
    stage.learn(&[elected(Some(3), &[1, 2, 3])]);
    stage.run_all();
    let fetch = stage.expect_sent(Channel::ReplicaFetch);
    stage.answer(&fetch, records_from(P, EndOffset(0), stored(0, 1, &[5]).bytes().to_vec()));
    stage.learn(&[elected(Some(1), &[1, 2, 3])]);
    stage.answer(&old, records_from(P, EndOffset(0), stored(0, 0, &[1]).bytes().to_vec()));
    stage.run_all();
    assert_eq!(stage.values(), [5], "R36");
}

#[test]
fn a_fetcher_with_nothing_left_to_fetch_ends() {
    let mut stage = follower_up();
    let request = stage.expect_sent(Channel::ReplicaFetch);
    stage.learn(&[elected(Some(2), &[1, 2, 3])]);
    stage.answer(&request, records_from(P, EndOffset(0), stored(0, 0, &[1]).bytes().to_vec()));
    stage.run_all();
    assert_eq!(stage.end(), 0, "it leads now: nothing is appended as a follower");
    stage.pass(ms(60_000));
    stage.run_all();
    assert!(stage.take_sent(Channel::ReplicaFetch).is_none());
}
