//! Two or three brokers wired by hand. A message between them waits until a test lets it through.

use std::collections::BTreeSet;

use super::stage::{P, Stage, life, ms, three};
use crate::config::{Acks, BrokerConfig};
use crate::machine::{Input, Severed};
use crate::metadata::MetadataRecord;
use crate::names::{BrokerEpoch, BrokerId, Node};
use crate::protocol::Protocol;
use crate::wire::{Body, Channel, ConnectionId, Envelope, ErrorCode};

/// Brokers 1 to 3, or as many as there are.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) brokers: Vec<Stage>,
    /// Whose messages to whom do not arrive.
    cut: BTreeSet<(u32, u32)>,
    down: BTreeSet<u32>,
}

impl Cluster {
    /// Three brokers that all know of one partition, and are quiet.
    pub(super) fn of_three(leader: u32, isr: &[u32], min_isr: u32) -> Self {
        Self::with(&three(leader, isr, min_isr), Protocol::LATEST)
    }

    pub(super) fn with(records: &[MetadataRecord], protocol: Protocol) -> Self {
        let up = |id| Stage::with(id, BrokerConfig::default(), protocol).brought_up(records);
        let mut cluster = Self { brokers: (1..=3).map(up).collect(), cut: BTreeSet::new(), down: BTreeSet::new() };
        cluster.settle();
        cluster
    }

    pub(super) fn b(&mut self, id: u32) -> &mut Stage {
        &mut self.brokers[id as usize - 1]
    }

    /// Neither hears the other any more.
    pub(super) fn cut(&mut self, one: u32, other: u32) {
        self.cut.extend([(one, other), (other, one)]);
    }

    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }

    /// The process dies; what it wrote is in the page cache.
    pub(super) fn crash(&mut self, id: u32) {
        self.down.insert(id);
        for other in self.brokers.iter_mut().filter(|other| other.id.0 != id) {
            // Its kernel resets its connections, at both ends.
            let (peer, channel) = (Node::Broker(BrokerId(id)), Channel::ReplicaFetch);
            for connection in [wire(id, other.id.0), wire(other.id.0, id)] {
                other.take(Input::Severed(Severed { peer, channel, connection }));
            }
        }
        self.b(id).sent.clear();
        self.b(id).tasks.clear();
    }

    /// The process starts again and is registered in its second life. It knows of nothing but what its disk says.
    pub(super) fn restart(&mut self, id: u32) {
        self.down.remove(&id);
        let stage = self.b(id);
        stage.start();
        stage.register(second_life(id));
    }

    /// These brokers learn what the controller decided.
    pub(super) fn decide(&mut self, records: &[MetadataRecord], who: &[u32]) {
        for stage in &mut self.brokers {
            if who.contains(&stage.id.0) {
                stage.learn(records);
            } else {
                stage.metadata.extend_from_slice(records);
            }
        }
    }

    /// A broker learns what it has missed.
    pub(super) fn catch_up(&mut self, id: u32) {
        self.b(id).learn(&[]);
    }

    /// Runs every task and delivers every message between brokers until nothing is left but waiting.
    pub(super) fn settle(&mut self) {
        for _ in 0..1_000 {
            let mut moved = false;
            for place in 0..self.brokers.len() {
                if self.down.contains(&self.brokers[place].id.0) {
                    continue;
                }
                moved |= !self.brokers[place].tasks.is_empty();
                self.brokers[place].run_all();
                for envelope in self.outbox(place) {
                    moved = true;
                    self.deliver(envelope);
                }
            }
            if !moved {
                return;
            }
        }
        panic!("the brokers do not come to rest");
    }

    /// Fetches come back empty and are sent again until everybody knows the high watermark.
    pub(super) fn rounds(&mut self, count: u32) {
        for _ in 0..count {
            for stage in self.brokers.iter_mut().filter(|stage| !self.down.contains(&stage.id.0)) {
                stage.pass(ms(510));
            }
            self.settle();
        }
    }

    pub(super) fn produce(&mut self, leader: u32, acks: Acks, values: &[u64]) {
        self.b(leader).produce(1, acks, values);
    }

    fn outbox(&mut self, place: usize) -> Vec<Envelope> {
        let cut = &self.cut;
        let goes = |sent: &Envelope| match (sent.from, sent.to) {
            (Node::Broker(from), Node::Broker(to)) => !cut.contains(&(from.0, to.0)),
            _ => false,
        };
        let (out, rest) = std::mem::take(&mut self.brokers[place].sent).into_iter().partition::<Vec<_>, _>(goes);
        self.brokers[place].sent = rest;
        out
    }

    fn deliver(&mut self, mut envelope: Envelope) {
        let (Node::Broker(from), Node::Broker(to)) = (envelope.from, envelope.to) else { return };
        if self.down.contains(&to.0) {
            let connection = wire(from.0, to.0);
            let severed = Severed { peer: envelope.to, channel: envelope.channel, connection };
            self.b(from.0).take(Input::Severed(severed));
            return;
        }
        if matches!(envelope.body, Body::Request(_)) {
            envelope.connection = wire(from.0, to.0);
        }
        self.b(to.0).take(Input::Receive(Box::new(envelope)));
    }
}

/// The connection that a fetcher has open to a leader.
fn wire(from: u32, to: u32) -> ConnectionId {
    ConnectionId(u64::from(1_000 + 10 * from + to))
}

pub(super) fn second_life(id: u32) -> BrokerEpoch {
    BrokerEpoch(life(id).0 + 10)
}

#[test]
fn a_record_reaches_every_follower_and_so_does_the_high_watermark() {
    let mut cluster = Cluster::of_three(1, &[1, 2, 3], 2);
    cluster.produce(1, Acks::All, &[7, 8]);
    cluster.settle();
    assert_eq!(cluster.b(1).replica(P).high_watermark.0, 2);
    assert_eq!(cluster.b(1).produced(), [[(ErrorCode::None, Some(0))]]);
    for id in 1..=3 {
        assert_eq!(cluster.b(id).values(), [7, 8]);
    }
    cluster.rounds(1);
    assert_eq!((cluster.b(2).high_watermark(), cluster.b(3).high_watermark()), (2, 2));
}
