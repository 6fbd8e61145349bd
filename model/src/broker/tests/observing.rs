//! Finding the active controller, and reading its log (C19, C22-C24, C45).

use bytes::Bytes;

use super::stage::{P, Stage, elected, metadata_batch, metadata_elsewhere, metadata_from, ms, three};
use crate::broker::Broker;
use crate::config::BrokerConfig;
use crate::log::Slices;
use crate::machine::{Input, Severed};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{BrokerId, ControllerId, EndOffset, LeaderEpoch, Node, Offset, SnapshotId};
use crate::protocol::Protocol;
use crate::wire::{
    Body, BrokerRegistrationResponse, Channel, ConnectionId, DivergingEpoch, ErrorCode, FetchMetadataResponse,
    FetchSnapshotResponse, Request, Response,
};

/// A broker of a cluster with three controllers that has been started.
fn with_three_controllers() -> Stage {
    let mut stage = Stage::new(1);
    let controllers = (1..=3).map(ControllerId).collect();
    stage.broker = Broker::new(BrokerId(1), controllers, BrokerConfig::default(), Protocol::LATEST);
    stage.start();
    stage
}

fn nothing() -> FetchMetadataResponse {
    let Response::FetchMetadata(response) = metadata_from(EndOffset::ZERO, Vec::new()) else { unreachable!() };
    response
}

fn up() -> Stage {
    Stage::up(1, &three(1, &[1, 2, 3], 1))
}

#[test]
fn a_controller_that_does_not_lead_names_the_one_that_does() {
    let mut stage = with_three_controllers();
    let first = stage.expect_sent(Channel::Metadata);
    let other = (1..=3).find(|&id| Node::from(ControllerId(id)) != first.to).expect("there are others");
    stage.answer(&first, metadata_elsewhere(Some(other)));
    stage.pass(ms(20));
    assert_eq!(stage.expect_sent(Channel::Metadata).to, ControllerId(other).into(), "C19");
}

#[test]
fn a_broker_that_is_told_of_no_leader_asks_one_controller_after_another() {
    let mut stage = with_three_controllers();
    let mut asked = Vec::new();
    for _ in 0..3 {
        let request = stage.expect_sent(Channel::Metadata);
        asked.push(request.to);
        stage.answer(&request, metadata_elsewhere(None));
        stage.pass(ms(100));
    }
    asked.sort();
    assert_eq!(asked, (1..=3).map(|id| ControllerId(id).into()).collect::<Vec<Node>>());
}

#[test]
fn who_leads_the_quorum_is_registered_at_and_a_refusal_sends_the_broker_elsewhere() {
    let mut stage = with_three_controllers();
    let registration = stage.expect_sent(Channel::Lifecycle);
    let response = BrokerRegistrationResponse { error: ErrorCode::NotController, broker_epoch: None };
    stage.answer(&registration, Response::BrokerRegistration(response));
    stage.pass(ms(100));
    let again = stage.expect_sent(Channel::Lifecycle);
    assert_ne!(again.to, registration.to, "S10");
    let fetch = stage.expect_sent(Channel::Metadata);
    let leader = (1..=3).find(|&id| Node::from(ControllerId(id)) != again.to).expect("there are others");
    stage.answer(&fetch, metadata_elsewhere(Some(leader)));
    stage.answer(&again, Response::BrokerRegistration(response));
    stage.pass(ms(100));
    assert_eq!(stage.expect_sent(Channel::Lifecycle).to, ControllerId(leader).into());
}

#[test]
fn an_answer_of_an_older_epoch_means_nothing() {
    let mut stage = up();
    let request = stage.expect_sent(Channel::Metadata);
    stage.answer(&request, Response::FetchMetadata(FetchMetadataResponse { epoch: LeaderEpoch(5), ..nothing() }));
    let request = stage.expect_sent(Channel::Metadata);
    let place = stage.metadata.len() as u64;
    let bytes = metadata_batch(place, &elected(Some(2), &[2])).bytes().to_vec();
    stage.answer(&request, metadata_from(EndOffset(place + 1), bytes));
    stage.run_all();
    assert!(stage.replica(P).leads(), "the leader of epoch 1 is a leader no more");
}

#[test]
fn what_was_fetched_and_never_committed_is_cut_when_the_next_leader_does_not_have_it() {
    let mut stage = up();
    let place = stage.metadata.len() as u64;
    let request = stage.expect_sent(Channel::Metadata);
    let bytes = metadata_batch(place, &elected(Some(2), &[2])).bytes().to_vec();
    stage.answer(&request, metadata_from(EndOffset(place), bytes));
    let request = stage.expect_sent(Channel::Metadata);
    let Body::Request(Request::FetchMetadata(fetch)) = &request.body else { panic!("{request:?}") };
    assert_eq!((fetch.fetch_offset, fetch.last_fetched_epoch), (Offset(place + 1), Some(LeaderEpoch(1))));
    let diverging_epoch = Some(DivergingEpoch { epoch: LeaderEpoch(1), end: EndOffset(place) });
    let response = FetchMetadataResponse { epoch: LeaderEpoch(2), diverging_epoch, ..nothing() };
    stage.answer(&request, Response::FetchMetadata(response));
    let request = stage.expect_sent(Channel::Metadata);
    let Body::Request(Request::FetchMetadata(fetch)) = &request.body else { panic!("{request:?}") };
    assert_eq!(fetch.fetch_offset, Offset(place), "C22");
    let records = Slices::from(Bytes::from(metadata_batch(place, &elected(Some(3), &[3])).bytes().to_vec()));
    let high_watermark = Some(EndOffset(place + 1));
    let response = FetchMetadataResponse { epoch: LeaderEpoch(2), high_watermark, records, ..nothing() };
    stage.answer(&request, Response::FetchMetadata(response));
    stage.run_all();
    assert_eq!(stage.replica(P).leader_epoch, Some(LeaderEpoch(1)));
    assert!(!stage.replica(P).leads());
}

#[test]
fn a_leader_that_lacks_what_is_committed_is_not_believed() {
    let mut stage = up();
    let request = stage.expect_sent(Channel::Metadata);
    let diverging_epoch = Some(DivergingEpoch { epoch: LeaderEpoch(1), end: EndOffset(1) });
    let response = FetchMetadataResponse { epoch: LeaderEpoch(2), diverging_epoch, ..nothing() };
    assert!(stage.try_answer(&request, Response::FetchMetadata(response)).is_err(), "C22");
}

#[test]
fn what_is_gone_from_the_log_comes_as_a_snapshot_and_is_one_change() {
    let mut stage = up();
    let mut image = Image::default();
    for (place, record) in (0..).zip(&stage.metadata) {
        image.apply(Offset(place), record);
    }
    for record in [elected(Some(2), &[2]), MetadataRecord::NoOp, elected(Some(3), &[3])] {
        image.apply(image.end.next(), &record);
    }
    let snapshot = SnapshotId { end: image.end, epoch: LeaderEpoch(1) };
    let request = stage.expect_sent(Channel::Metadata);
    stage.answer(&request, Response::FetchMetadata(FetchMetadataResponse { snapshot: Some(snapshot), ..nothing() }));
    let content = image.encode();
    let mut position = 0;
    while position < content.len() {
        let request = stage.expect_sent(Channel::Metadata);
        let Body::Request(Request::FetchSnapshot(asked)) = &request.body else { panic!("{request:?}") };
        assert_eq!((asked.snapshot, asked.position), (snapshot, position as u64));
        let next = (position + 100).min(content.len());
        let response = FetchSnapshotResponse {
            error: ErrorCode::None,
            leader: Some(ControllerId(0)),
            epoch: LeaderEpoch(1),
            snapshot,
            size: content.len() as u64,
            position: position as u64,
            bytes: Bytes::copy_from_slice(&content[position..next]),
        };
        stage.answer(&request, Response::FetchSnapshot(response));
        position = next;
    }
    stage.run_all();
    assert_eq!(stage.replica(P).leader_epoch, Some(LeaderEpoch(2)), "C24");
    let request = stage.expect_sent(Channel::Metadata);
    let Body::Request(Request::FetchMetadata(fetch)) = &request.body else { panic!("{request:?}") };
    assert_eq!((fetch.fetch_offset, fetch.last_fetched_epoch), (image.end.next(), Some(LeaderEpoch(1))));
}

#[test]
fn a_controller_that_goes_down_is_not_asked_again_at_once() {
    let mut stage = with_three_controllers();
    let request = stage.expect_sent(Channel::Metadata);
    let (peer, channel, connection) = (request.to, Channel::Metadata, ConnectionId(7));
    stage.take(Input::Severed(Severed { peer, channel, connection }));
    stage.pass(ms(20));
    assert_ne!(stage.expect_sent(Channel::Metadata).to, request.to);
}
