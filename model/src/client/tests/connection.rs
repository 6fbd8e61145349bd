//! What the connections guarantee.

use std::time::Duration;

use crate::client::connection::{Connections, Disconnected};
use crate::client::stage::{CLIENT, millis};
use crate::machine::{Effect, Effects, Severed};
use crate::names::{BrokerId, Node};
use crate::wire::{
    Body, Channel, ConnectionId, Envelope, MetadataRequest, MetadataResponse, ReplyTo, Request, Response,
};

const B1: Node = Node::Broker(BrokerId(1));
const B2: Node = Node::Broker(BrokerId(2));

fn connections() -> Connections<&'static str> {
    Connections::new(CLIENT, Duration::from_millis(1_000), Duration::from_millis(50))
}

fn send(connections: &mut Connections<&'static str>, at: u64, to: Node, asked: &'static str) -> Envelope {
    let mut effects = Effects::new();
    let request = Request::Metadata(MetadataRequest { topics: Vec::new() });
    connections.send(millis(at), to, request, asked, &mut effects);
    match effects.drain().next() {
        Some(Effect::Send(envelope)) => *envelope,
        other => panic!("{other:?}"),
    }
}

fn answer(request: &Envelope, connection: u64) -> Envelope {
    let to = ReplyTo { connection: ConnectionId(connection), ..request.reply_to() };
    Envelope::response(
        &to,
        request.to,
        Response::Metadata(MetadataResponse { brokers: Vec::new(), topics: Vec::new() }),
    )
}

fn severed(peer: Node, connection: u64) -> Severed {
    Severed { peer, channel: Channel::Client, connection: ConnectionId(connection) }
}

#[test]
fn an_answer_finds_its_request_once() {
    let mut connections = connections();
    let first = send(&mut connections, 0, B1, "first");
    let second = send(&mut connections, 0, B1, "second");
    assert!(matches!(first.body, Body::Request(_)));
    assert_eq!(connections.answered(&answer(&second, 1)), Some("second"));
    assert_eq!(connections.answered(&answer(&second, 1)), None);
    assert_eq!(connections.answered(&answer(&first, 1)), Some("first"));
}

#[test]
fn a_request_without_an_answer_closes_the_connection_and_loses_all_that_is_under_way_on_it() {
    let mut connections = connections();
    send(&mut connections, 0, B1, "first");
    send(&mut connections, 600, B1, "second");
    send(&mut connections, 600, B2, "elsewhere");
    assert_eq!(connections.deadline(), Some(millis(1_000)));
    let mut effects = Effects::new();
    assert_eq!(connections.overdue(millis(999), &mut effects), None);
    let lost = Disconnected { peer: B1, asked: ["first", "second"].into() };
    assert_eq!(connections.overdue(millis(1_000), &mut effects), Some(lost));
    assert!(matches!(effects.as_slice(), [Effect::Close(Severed { peer: B1, .. })]), "{effects:?}");
    assert_eq!(connections.overdue(millis(1_000), &mut effects), None);
    assert!(connections.any(B2, |asked| *asked == "elsewhere"));
}

#[test]
fn an_answer_to_a_request_that_was_given_up_is_nobodys() {
    let mut connections = connections();
    let first = send(&mut connections, 0, B1, "first");
    connections.overdue(millis(1_000), &mut Effects::new());
    assert_eq!(connections.answered(&answer(&first, 1)), None);
}

#[test]
fn the_end_of_a_connection_that_this_end_closed_is_no_news() {
    let mut connections = connections();
    let first = send(&mut connections, 0, B1, "first");
    send(&mut connections, 0, B1, "second");
    connections.answered(&answer(&first, 7));
    connections.overdue(millis(1_000), &mut Effects::new());
    send(&mut connections, 1_100, B1, "third");
    assert_eq!(connections.severed(millis(1_101), &severed(B1, 7)), None);
    let lost = Disconnected { peer: B1, asked: ["third"].into() };
    assert_eq!(connections.severed(millis(1_102), &severed(B1, 8)), Some(lost));
}

#[test]
fn a_connection_is_opened_again_only_after_a_backoff_that_grows_until_an_answer_comes() {
    let mut connections = connections();
    let mut waits = Vec::new();
    for _ in 0..3 {
        assert!(connections.takes(B1, 5));
        send(&mut connections, 0, B1, "refused");
        connections.severed(millis(0), &severed(B1, 0));
        assert!(!connections.takes(B1, 5));
        let until = connections.deadline().unwrap();
        waits.push(until.since(millis(0)).as_millis());
        connections.reopen(until);
    }
    assert!((40..=60).contains(&waits[0]) && (80..=120).contains(&waits[1]) && (160..=240).contains(&waits[2]));
    let served = send(&mut connections, 0, B1, "served");
    connections.answered(&answer(&served, 1));
    connections.severed(millis(0), &severed(B1, 1));
    assert!(connections.deadline().unwrap() <= millis(60));
}

#[test]
fn no_more_than_the_limit_is_under_way_on_one_connection() {
    let mut connections = connections();
    send(&mut connections, 0, B1, "first");
    assert!(connections.takes(B1, 2));
    send(&mut connections, 0, B1, "second");
    assert!(!connections.takes(B1, 2));
    assert!(connections.takes(B2, 2));
}

#[test]
fn the_least_loaded_broker_that_is_known_to_answer_is_asked_first() {
    let mut connections = connections();
    let among = [BrokerId(1), BrokerId(2), BrokerId(3)];
    let lots: Vec<_> = (0..3).map(|lot| connections.least_loaded(&among, 5, lot).unwrap().0).collect();
    assert_eq!(lots, [1, 2, 3], "among equals the lot decides");
    let served = send(&mut connections, 0, B2, "served");
    connections.answered(&answer(&served, 1));
    assert_eq!(connections.least_loaded(&among, 5, 0), Some(BrokerId(2)));
    send(&mut connections, 0, B2, "long");
    assert_eq!(connections.least_loaded(&among, 5, 0), Some(BrokerId(2)), "busy, but known to answer");
    assert_eq!(connections.least_loaded(&among, 1, 0), Some(BrokerId(1)), "at its limit");
    connections.severed(millis(0), &severed(B2, 1));
    assert_eq!(connections.least_loaded(&[BrokerId(2)], 5, 0), None, "in backoff");
    assert_eq!(connections.least_loaded(&[], 5, 3), None);
}

#[test]
fn of_brokers_that_are_not_connected_the_one_that_was_tried_longest_ago_is_asked() {
    let mut connections = connections();
    let among = [BrokerId(1), BrokerId(2), BrokerId(3)];
    for (at, broker) in [(10, B1), (20, B2)] {
        send(&mut connections, at, broker, "lost");
        connections.severed(millis(at), &severed(broker, 1));
    }
    connections.reopen(millis(10_000));
    assert!((0..3).all(|lot| connections.least_loaded(&among, 5, lot) == Some(BrokerId(3))), "never tried");
    assert!((0..3).all(|lot| connections.least_loaded(&among[..2], 5, lot) == Some(BrokerId(1))));
    send(&mut connections, 10_000, B1, "lost again");
    connections.severed(millis(10_001), &severed(B1, 1));
    connections.reopen(millis(20_000));
    assert!((0..3).all(|lot| connections.least_loaded(&among[..2], 5, lot) == Some(BrokerId(2))), "in turns");
}
