//! Requests under way, per connection: which answer belongs to which, who has been silent for too long, and when to
//! connect again. One connection per peer (C80). It does not look into requests or answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::backoff::Backoff;
use crate::machine::{Chance, Effects, Severed};
use crate::names::{BrokerId, ClientId, Node, Time, earliest};
use crate::wire::{Channel, ConnectionId, Envelope, Request};

/// `reconnect.backoff.max.ms`, which is not configurable here.
const RECONNECT_BACKOFF_MAX: Duration = Duration::from_millis(1_000);

/// All connections of one client. `A` is what the client wants to remember until the answer comes.
#[derive(Clone, Debug)]
pub(super) struct Connections<A> {
    own: ClientId,
    request_timeout: Duration,
    reconnect: Backoff,
    peers: BTreeMap<Node, Peer<A>>,
    sent: u64,
}

#[derive(Clone, Debug)]
struct Peer<A> {
    /// In the order in which they were sent, which is the order of their answers.
    in_flight: VecDeque<Pending<A>>,
    /// Set while a connection that failed may not be opened again.
    closed_until: Option<Time>,
    /// When this end last began to connect.
    attempted: Option<Time>,
    /// In a row, without an answer in between.
    failures: u32,
    /// Whether the connection that is open now has carried an answer.
    established: bool,
    /// As stamped on the latest answer.
    connection: ConnectionId,
    /// The last one that this end closed: news of its end is no news.
    closed: ConnectionId,
}

#[derive(Clone, Debug)]
struct Pending<A> {
    correlation: u64,
    overdue: Time,
    asked: A,
}

/// A connection is gone, and with it everything that was under way on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disconnected<A> {
    /// Whom it led to.
    pub(super) peer: Node,
    /// What will not be answered any more, in the order in which it was sent.
    pub(super) asked: VecDeque<A>,
}

impl<A> Connections<A> {
    /// No connection yet.
    pub(super) fn new(own: ClientId, request_timeout: Duration, reconnect_backoff: Duration) -> Self {
        Self {
            own,
            request_timeout,
            reconnect: Backoff::new(reconnect_backoff, RECONNECT_BACKOFF_MAX, "reconnect"),
            peers: BTreeMap::new(),
            sent: 0,
        }
    }

    /// From now on jitter comes from this.
    pub(super) fn start(&mut self, chance: Chance) {
        self.reconnect.start(chance);
    }

    /// Sends a request that will be answered within `request.timeout.ms`, or else costs the connection (P9).
    pub(super) fn send(&mut self, now: Time, to: Node, request: Request, asked: A, effects: &mut Effects) {
        self.sent += 1;
        let pending = Pending { correlation: self.sent, overdue: now + self.request_timeout, asked };
        let peer = self.peers.entry(to).or_insert_with(Peer::new);
        if !peer.established && peer.in_flight.is_empty() {
            peer.attempted = Some(now);
        }
        peer.in_flight.push_back(pending);
        effects.send(Envelope::request(self.own, to, Channel::Client, self.sent, request));
    }

    /// Sends a request that nobody answers (`acks=0`).
    pub(super) fn send_unanswered(&mut self, to: Node, request: Request, effects: &mut Effects) {
        self.sent += 1;
        effects.send(Envelope::request(self.own, to, Channel::Client, self.sent, request));
    }

    /// What this answer is about; `None` if nobody waits for it any more.
    pub(super) fn answered(&mut self, answer: &Envelope) -> Option<A> {
        let peer = self.peers.get_mut(&answer.from)?;
        let at = peer.in_flight.iter().position(|pending| pending.correlation == answer.correlation)?;
        peer.established = true;
        peer.failures = 0;
        peer.connection = answer.connection;
        peer.in_flight.remove(at).map(|pending| pending.asked)
    }

    /// The network says that a connection is gone.
    pub(super) fn severed(&mut self, now: Time, severed: &Severed) -> Option<Disconnected<A>> {
        let peer = self.peers.entry(severed.peer).or_insert_with(Peer::new);
        if severed.connection != ConnectionId::UNSET && severed.connection == peer.closed {
            return None;
        }
        Some(Disconnected { peer: severed.peer, asked: peer.disconnect(now, &mut self.reconnect) })
    }

    /// Closes a connection on which a request is overdue (P9), and says what was under way on it. To be called until
    /// it says `None`.
    pub(super) fn overdue(&mut self, now: Time, effects: &mut Effects) -> Option<Disconnected<A>> {
        let late = |(_, peer): &(&Node, &mut Peer<A>)| peer.overdue().is_some_and(|overdue| overdue <= now);
        let (&node, peer) = self.peers.iter_mut().find(late)?;
        let connection = peer.connection;
        effects.close(Severed { peer: node, channel: Channel::Client, connection });
        let asked = peer.disconnect(now, &mut self.reconnect);
        peer.closed = connection;
        Some(Disconnected { peer: node, asked })
    }

    /// Lets connections be opened again whose backoff is over.
    pub(super) fn reopen(&mut self, now: Time) {
        for peer in self.peers.values_mut() {
            if peer.closed_until.is_some_and(|until| until <= now) {
                peer.closed_until = None;
            }
        }
    }

    /// Whether a request may be sent now with at most `limit` under way, itself included.
    pub(super) fn takes(&self, to: Node, limit: u32) -> bool {
        self.peers.get(&to).is_none_or(|peer| peer.closed_until.is_none() && peer.in_flight.len() < limit as usize)
    }

    /// Whether something of this kind is under way to the peer.
    pub(super) fn any(&self, to: Node, mut kind: impl FnMut(&A) -> bool) -> bool {
        self.peers.get(&to).is_some_and(|peer| peer.in_flight.iter().any(|pending| kind(&pending.asked)))
    }

    /// Everything that is under way.
    pub(super) fn all(&self) -> impl Iterator<Item = &A> {
        self.peers.values().flat_map(|peer| peer.in_flight.iter()).map(|pending| &pending.asked)
    }

    /// Everything that is under way, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut A> {
        self.peers.values_mut().flat_map(|peer| peer.in_flight.iter_mut()).map(|pending| &mut pending.asked)
    }

    /// The broker with the least to do: one that is known to answer before one that is not, then the one with the fewest
    /// requests under way, then, if none is connected, the one that was tried longest ago, then by lot. So a client that is
    /// left alone by some brokers finds the others after one request timeout for each of those, and not sooner or later by
    /// chance. `None` if no connection takes another request.
    pub(super) fn least_loaded(&self, among: &[BrokerId], limit: u32, lot: u64) -> Option<BrokerId> {
        let first = usize::try_from(lot % among.len().max(1) as u64).expect("an index");
        let (before, after) = among.split_at(first);
        let load = |broker: &BrokerId| match self.peers.get(&Node::from(*broker)) {
            Some(peer) if peer.established => (false, peer.in_flight.len(), None),
            Some(peer) => (true, peer.in_flight.len(), peer.attempted),
            None => (true, 0, None),
        };
        after.iter().chain(before).copied().filter(|broker| self.takes(Node::from(*broker), limit)).min_by_key(load)
    }

    /// When the next request is overdue or the next connection may be opened again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.peers.values().fold(None, |soonest, peer| earliest([soonest, peer.overdue(), peer.closed_until]))
    }
}

impl<A> Peer<A> {
    fn new() -> Self {
        Self {
            in_flight: VecDeque::new(),
            closed_until: None,
            attempted: None,
            failures: 0,
            established: false,
            connection: ConnectionId::UNSET,
            closed: ConnectionId::UNSET,
        }
    }

    fn overdue(&self) -> Option<Time> {
        self.in_flight.iter().map(|pending| pending.overdue).min()
    }

    fn disconnect(&mut self, now: Time, reconnect: &mut Backoff) -> VecDeque<A> {
        self.failures = self.failures.saturating_add(1);
        self.closed_until = Some(now + reconnect.after(self.failures));
        self.established = false;
        self.connection = ConnectionId::UNSET;
        self.in_flight.drain(..).map(|pending| pending.asked).collect()
    }
}
