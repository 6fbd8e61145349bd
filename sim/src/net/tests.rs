//! The rules of the network, without a world.

use std::time::Duration;

use model::machine::{Input, Severed};
use model::names::{BrokerId, Node};
use model::wire::{Channel, ConnectionId, Envelope, FetchResponse, MetadataRequest, Request, Response};

use super::rules::Rule;
use super::{Network, Outlet, Transit, Weather};
use crate::dice::Dice;
use crate::fact::Moment;
use crate::world::Queue;

/// Hosts 0, 1 and 2, and what reached them.
#[derive(Clone)]
struct Bench {
    network: Network,
    queue: Queue<Transit>,
    now: Moment,
    got: Vec<Got>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Got {
    millis: u64,
    host: usize,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Request(u64, ConnectionId),
    Response(u64),
    Severed(Severed),
}

const MS: Duration = Duration::from_millis(1);

fn node(host: usize) -> Node {
    BrokerId(u32::try_from(host).unwrap() + 1).into()
}

fn request(from: usize, to: usize, number: u64) -> Envelope {
    let request = Request::Metadata(MetadataRequest { topics: Vec::new() });
    Envelope::request(node(from), node(to), Channel::Client, number, request)
}

impl Bench {
    fn new(weather: Weather, seed: u64) -> Self {
        let nodes = (0..3).map(node).collect();
        let network = Network::new(nodes, weather, Dice::new(seed));
        let mut bench = Self { network, queue: Queue::new(), now: Moment::ZERO, got: Vec::new() };
        for host in 0..3 {
            bench.act(|network, out| network.process_started(host, out));
        }
        bench
    }

    /// One millisecond each way, always.
    fn still() -> Self {
        Self::new(Weather::still(MS), 1)
    }

    fn act(&mut self, act: impl FnOnce(&mut Network, &mut Outlet<'_>)) {
        let mut deliveries = Vec::new();
        let queue = &mut self.queue;
        let later = &mut |at, transit| queue.push(at, transit);
        act(&mut self.network, &mut Outlet { now: self.now, later, deliveries: &mut deliveries });
        for (host, input) in deliveries {
            let millis = self.now.0 / 1_000_000;
            let what = match input {
                Input::Receive(envelope) if matches!(envelope.body, model::wire::Body::Request(_)) => {
                    What::Request(envelope.correlation, envelope.connection)
                }
                Input::Receive(envelope) => What::Response(envelope.correlation),
                Input::Severed(severed) => {
                    self.network.told(host, severed);
                    What::Severed(severed)
                }
                other => panic!("the network delivers no {other:?}"),
            };
            self.got.push(Got { millis, host, what });
        }
    }

    fn send(&mut self, from: usize, to: usize, number: u64) {
        self.act(|network, out| network.send(from, to, Box::new(request(from, to, number)), out));
    }

    /// Answers a request over the connection it came in by.
    fn answer(&mut self, from: usize, to: usize, number: u64, connection: ConnectionId) {
        let mut asked = request(to, from, number);
        asked.connection = connection;
        let response = Response::Fetch(FetchResponse { partitions: Vec::new() });
        let envelope = Box::new(Envelope::response(&asked.reply_to(), node(from), response));
        self.act(|network, out| network.send(from, to, envelope, out));
    }

    fn run_until(&mut self, millis: u64) {
        let end = Moment(millis * 1_000_000);
        while self.queue.next_at().is_some_and(|at| at <= end) {
            let (at, transit) = self.queue.pop().unwrap();
            self.now = at;
            self.act(|network, out| network.happen(transit, out));
        }
        self.now = end;
    }

    /// The numbers of the requests that a host got, in order.
    fn requests(&self, host: usize) -> Vec<u64> {
        let at_host = self.got.iter().filter(|got| got.host == host);
        at_host.filter_map(|got| if let What::Request(number, _) = got.what { Some(number) } else { None }).collect()
    }

    fn severed(&self, host: usize) -> Vec<u64> {
        let at_host = self.got.iter().filter(|got| got.host == host && matches!(got.what, What::Severed(_)));
        at_host.map(|got| got.millis).collect()
    }

    fn connection(&self, number: u64) -> ConnectionId {
        let known = self.got.iter().find_map(|got| match got.what {
            What::Request(known, connection) if known == number => Some(connection),
            _ => None,
        });
        known.expect("the request has arrived")
    }
}

#[test]
fn connecting_costs_a_round_trip_and_then_messages_take_one_way() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.send(0, 1, 2);
    bench.run_until(20);
    let millis: Vec<u64> = bench.got.iter().map(|got| got.millis).collect();
    assert_eq!(millis, [3, 11]);
    assert_eq!(bench.connection(1), bench.connection(2));
}

#[test]
fn nothing_overtakes_on_a_connection_and_nothing_is_lost() {
    let weather = Weather { gust_one_in: 3, ..Weather::FAIR };
    for seed in 0..20 {
        let mut bench = Bench::new(weather, seed);
        for number in 0..200 {
            bench.send(0, 1, number);
            bench.run_until(number / 4);
        }
        bench.run_until(1_000);
        assert_eq!(bench.requests(1), (0..200).collect::<Vec<u64>>(), "seed {seed}");
    }
}

#[test]
fn messages_on_different_connections_may_overtake_each_other() {
    let weather = Weather { gust_one_in: 3, ..Weather::FAIR };
    let mut bench = Bench::new(weather, 1);
    for number in 0..100 {
        bench.send((number % 2) as usize * 2, 1, number);
    }
    bench.run_until(1_000);
    assert_ne!(bench.requests(1), (0..100).collect::<Vec<u64>>());
}

#[test]
fn an_answer_goes_back_over_its_connection_and_vanishes_if_that_is_gone() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    let connection = bench.connection(1);
    bench.answer(1, 0, 1, connection);
    bench.run_until(20);
    assert_eq!(bench.got.last().unwrap().what, What::Response(1));
    bench.act(|network, out| network.sever(0, 1, out));
    bench.send(0, 1, 2);
    bench.run_until(30);
    bench.send(0, 1, 3);
    bench.run_until(40);
    bench.answer(1, 0, 1, connection);
    bench.run_until(50);
    let responses = bench.got.iter().filter(|got| matches!(got.what, What::Response(_))).count();
    assert_eq!(responses, 1);
    assert_ne!(bench.connection(3), connection);
}

#[test]
fn severing_tells_both_ends_at_once_and_loses_what_is_under_way() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.send(0, 1, 2);
    bench.act(|network, out| network.sever(0, 1, out));
    bench.run_until(30);
    assert_eq!(bench.requests(1), [1]);
    assert_eq!((bench.severed(0), bench.severed(1)), (vec![10], vec![10]));
}

#[test]
fn a_process_that_dies_resets_its_connections_behind_what_it_had_sent() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.send(0, 1, 2);
    bench.act(|network, out| network.process_stopped(0, out));
    bench.run_until(30);
    assert_eq!(bench.requests(1), [1, 2]);
    assert_eq!(bench.severed(1), [11]);
}

#[test]
fn a_host_without_a_process_refuses_connections() {
    let mut bench = Bench::still();
    bench.act(|network, out| network.process_stopped(1, out));
    bench.send(0, 1, 1);
    bench.run_until(30);
    assert_eq!((bench.requests(1), bench.severed(0)), (vec![], vec![2]));
    bench.act(|network, out| network.process_started(1, out));
    bench.send(0, 1, 2);
    bench.run_until(60);
    assert_eq!(bench.requests(1), [2]);
}

#[test]
fn nobody_learns_that_a_host_has_lost_its_power_before_it_returns_and_is_spoken_to() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.act(|network, _| network.powered_off(1));
    bench.run_until(60_000);
    assert_eq!(bench.severed(0), [] as [u64; 0]);
    bench.act(|network, out| network.process_started(1, out));
    bench.run_until(120_000);
    assert_eq!(bench.severed(0), [] as [u64; 0], "nothing was said over the old connection");
    bench.send(0, 1, 2);
    bench.run_until(120_100);
    assert_eq!(bench.severed(0), [120_002], "a reset comes back");
    bench.send(0, 1, 3);
    bench.run_until(120_200);
    assert_eq!(bench.requests(1), [1, 3]);
}

#[test]
fn what_was_said_to_a_host_without_power_is_answered_with_a_reset_when_it_returns() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.act(|network, _| network.powered_off(1));
    bench.send(0, 1, 2);
    bench.run_until(1_000);
    bench.act(|network, out| network.process_started(1, out));
    bench.run_until(60_000);
    assert_eq!(bench.requests(1), [1]);
    assert_eq!(bench.severed(0).len(), 1);
}

#[test]
fn a_cut_stops_what_is_in_flight_and_tcp_delivers_it_in_order_after_the_heal() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.send(0, 1, 2);
    bench.network.impose(0, 1, Rule::Cut);
    bench.send(0, 1, 3);
    bench.run_until(2_000);
    bench.send(0, 1, 4);
    bench.run_until(3_000);
    assert_eq!((bench.requests(1), bench.severed(0)), (vec![1], vec![]));
    bench.act(|network, out| network.lift(0, 1, out));
    bench.send(0, 1, 5);
    bench.run_until(3_000);
    assert_eq!(bench.requests(1), [1], "TCP has not tried again yet");
    bench.run_until(10_000);
    assert_eq!(bench.requests(1), [1, 2, 3, 4, 5]);
}

#[test]
fn a_cut_one_way_lets_the_other_way_through() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.network.impose(0, 1, Rule::Cut);
    let connection = bench.connection(1);
    bench.answer(1, 0, 1, connection);
    bench.send(0, 1, 2);
    bench.run_until(60_000);
    assert_eq!(bench.got.last().unwrap().what, What::Response(1));
    assert_eq!(bench.requests(1), [1]);
}

#[test]
fn a_cut_connection_that_one_end_closes_delivers_nothing_more() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.network.impose(0, 1, Rule::Cut);
    bench.send(0, 1, 2);
    bench.run_until(100);
    let closing = Severed { peer: node(1), channel: Channel::Client, connection: ConnectionId::UNSET };
    bench.act(|network, out| network.close(0, 1, closing, out));
    bench.run_until(200);
    bench.act(|network, out| network.heal(out));
    bench.run_until(60_000);
    assert_eq!(bench.requests(1), [1]);
    assert_eq!(bench.severed(1).len(), 1, "the server learns it after the heal");
    assert_eq!(bench.severed(0), [] as [u64; 0], "who closes is not told");
}

#[test]
fn held_messages_arrive_at_once_and_in_order_when_they_are_released() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.network.impose(0, 1, Rule::Hold);
    for number in 2..6 {
        bench.send(0, 1, number);
    }
    bench.run_until(5_000);
    assert_eq!(bench.requests(1), [1]);
    bench.act(|network, out| network.release(0, 1, out));
    bench.run_until(5_000);
    assert_eq!(bench.requests(1), [1, 2, 3, 4, 5]);
}

#[test]
fn rules_add_up_and_healing_lifts_them_all() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    let delay = Rule::Delay { extra: MS * 5, jitter: Duration::ZERO };
    bench.network.impose(0, 1, delay);
    bench.network.impose(0, 1, delay);
    bench.network.impose(0, 1, Rule::Hold);
    bench.network.impose(0, 1, Rule::Cut);
    bench.act(|network, out| network.release(0, 1, out));
    bench.send(0, 1, 2);
    bench.run_until(100);
    assert_eq!(bench.requests(1), [1], "released, but still cut");
    assert!(!bench.network.is_healed());
    bench.act(|network, out| network.heal(out));
    assert!(bench.network.is_healed());
    bench.run_until(10_000);
    bench.send(0, 1, 3);
    bench.run_until(20_000);
    assert_eq!(
        bench.got.last().unwrap(),
        &Got { millis: 10_001, host: 1, what: What::Request(3, bench.connection(1)) }
    );
}

#[test]
fn two_delays_add_up() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    for _ in 0..2 {
        bench.network.impose(0, 1, Rule::Delay { extra: MS * 5, jitter: Duration::ZERO });
    }
    bench.send(0, 1, 2);
    bench.run_until(100);
    assert_eq!(bench.got.last().unwrap().millis, 21);
}

#[test]
fn only_what_belongs_to_a_conversation_that_lags_is_late() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.network.impose(0, 1, Rule::Lag { channel: Channel::Metadata, extra: MS * 30 });
    bench.send(0, 1, 2);
    bench.run_until(100);
    assert_eq!(bench.got.last().unwrap().millis, 11, "another conversation");
    bench.network.impose(0, 1, Rule::Lag { channel: Channel::Client, extra: MS * 30 });
    bench.send(0, 1, 3);
    bench.run_until(200);
    assert_eq!(bench.got.last().unwrap().millis, 131);
    bench.act(|network, out| network.lift(0, 1, out));
    assert!(bench.network.is_healed());
    bench.send(0, 1, 4);
    bench.run_until(300);
    assert_eq!(bench.got.last().unwrap().millis, 201);
}

#[test]
fn a_conversation_that_stalls_keeps_even_what_is_under_way_and_then_delivers_it_in_order() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.send(0, 1, 2);
    let until = Moment(40_000_000);
    bench.network.impose(0, 1, Rule::Stall { channel: Channel::Metadata, until: Moment(90_000_000) });
    bench.network.impose(0, 1, Rule::Stall { channel: Channel::Client, until });
    let connection = bench.connection(1);
    bench.answer(1, 0, 1, connection);
    bench.run_until(20);
    bench.send(0, 1, 3);
    bench.run_until(39);
    bench.send(0, 1, 4);
    bench.run_until(200);
    let millis: Vec<u64> = bench.got.iter().filter(|got| got.host == 1).map(|got| got.millis).collect();
    assert_eq!((bench.requests(1), &millis[1..]), (vec![1, 2, 3, 4], &[40, 40, 40][..]));
    assert_eq!(bench.got.iter().find(|got| got.host == 0).unwrap().millis, 11, "the other way is free");
}

#[test]
fn a_stall_that_is_lifted_or_made_longer_meanwhile_loses_nothing() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    let stall = |millis: u64| Rule::Stall { channel: Channel::Client, until: Moment(millis * 1_000_000) };
    bench.network.impose(0, 1, stall(40));
    bench.send(0, 1, 2);
    bench.run_until(30);
    bench.network.impose(0, 1, stall(60));
    bench.run_until(59);
    assert_eq!(bench.requests(1), [1], "it was made longer");
    bench.run_until(61);
    assert_eq!(bench.requests(1), [1, 2]);
    bench.network.impose(0, 1, stall(500));
    bench.network.impose(0, 1, Rule::Cut);
    bench.send(0, 1, 3);
    bench.run_until(100);
    bench.act(|network, out| network.lift(0, 1, out));
    assert!(bench.network.is_healed());
    bench.run_until(2_000);
    assert_eq!(bench.requests(1), [1, 2, 3]);
}

#[test]
fn a_slow_link_carries_messages_one_after_the_other() {
    let mut bench = Bench::still();
    bench.send(0, 1, 1);
    bench.run_until(10);
    bench.network.impose(0, 1, Rule::Slow(6_400));
    for number in 2..5 {
        bench.send(0, 1, number);
    }
    bench.run_until(1_000);
    let millis: Vec<u64> = bench.got.iter().map(|got| got.millis).collect();
    assert_eq!(millis, [3, 21, 31, 41], "64 bytes take 10 ms each");
}

#[test]
fn one_more_message_on_one_wire_moves_none_on_another() {
    let mut alone = Bench::new(Weather::FAIR, 7);
    let mut crowded = alone.clone();
    crowded.send(0, 1, 100);
    for number in 0..20 {
        alone.send(2, 1, number);
        crowded.send(2, 1, number);
    }
    alone.run_until(1_000);
    crowded.run_until(1_000);
    let from_2 = |bench: &Bench| bench.got.iter().filter(|got| !matches!(got.what, What::Request(100, _))).count();
    assert_eq!(from_2(&alone), from_2(&crowded));
    let times = |bench: &Bench| -> Vec<(u64, u64)> {
        let requests = bench.got.iter().filter_map(|got| match got.what {
            What::Request(number, _) if number != 100 => Some((number, got.millis)),
            _ => None,
        });
        requests.collect()
    };
    assert_eq!(times(&alone), times(&crowded));
}

#[test]
fn connections_that_are_over_leave_no_trace() {
    let mut bench = Bench::still();
    for round in 0..50_u64 {
        bench.send(0, 1, round);
        bench.run_until(round * 100 + 50);
        match round % 4 {
            0 => bench.act(|network, out| network.sever(0, 1, out)),
            1 => {
                bench.act(|network, out| network.process_stopped(1, out));
                bench.act(|network, out| network.process_started(1, out));
            }
            2 => {
                let closing = Severed { peer: node(1), channel: Channel::Client, connection: ConnectionId::UNSET };
                bench.act(|network, out| network.close(0, 1, closing, out));
            }
            _ => {
                bench.act(|network, _| network.powered_off(0));
                bench.act(|network, _| network.powered_off(1));
                bench.act(|network, out| network.process_started(0, out));
                bench.act(|network, out| network.process_started(1, out));
            }
        }
        bench.run_until(round * 100 + 100);
    }
    assert_eq!(bench.network.connections.iter().flatten().count(), 0);
    assert_eq!(bench.network.connections.len(), 1, "the slot is used again");
}
