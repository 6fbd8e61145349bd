//! The pile of messages that wait to be delivered by hand, and the connections they go by.
//!
//! Within one connection and direction the pile is in order; a hand that delivers out of order does what no network
//! could between two messages of one connection, so [`Links::take`] refuses nothing and scripts are to mind it.

use std::collections::{BTreeMap, BTreeSet};

use model::machine::{Input, Severed};
use model::names::Node;
use model::wire::{Body, Channel, ConnectionId, Envelope};

/// One thing that waits.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) number: u64,
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) input: Input,
}

/// Who connected to whom, and over which channel.
type Name = (Node, Node, Channel);

/// Connections and the pile.
#[derive(Clone, Debug, Default)]
pub(super) struct Links {
    pile: Vec<Pending>,
    numbers: u64,
    open: BTreeMap<Name, ConnectionId>,
    connections: u64,
    /// What one node sends to another, or only messages of this name.
    held: BTreeSet<(Node, Node, Option<String>)>,
    /// Between these nothing passes, either way.
    parted: BTreeSet<(Node, Node)>,
}

impl Links {
    pub(super) fn pile(&self) -> impl Iterator<Item = &Pending> {
        self.pile.iter()
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Pending> {
        let place = self.pile.iter().position(|pending| pending.number == number)?;
        Some(self.pile.remove(place))
    }

    /// A request goes over the connection that its sender has open, or over a new one.
    pub(super) fn request(&mut self, mut envelope: Box<Envelope>) {
        let name = (envelope.from, envelope.to, envelope.channel);
        let connections = &mut self.connections;
        let id = *self.open.entry(name).or_insert_with(|| {
            *connections += 1;
            ConnectionId(*connections)
        });
        envelope.connection = id;
        self.push(envelope.from, envelope.to, Input::Receive(envelope));
    }

    /// A response goes over the connection of its request, or nowhere.
    pub(super) fn response(&mut self, envelope: Box<Envelope>) {
        let name = (envelope.to, envelope.from, envelope.channel);
        if self.open.get(&name) == Some(&envelope.connection) {
            self.push(envelope.from, envelope.to, Input::Receive(envelope));
        }
    }

    /// One end closes: what is on its way is lost, and the other end will be told.
    pub(super) fn close(&mut self, node: Node, closing: Severed) {
        let names = [(node, closing.peer, closing.channel), (closing.peer, node, closing.channel)];
        for name in names {
            let Some(&id) = self.open.get(&name) else { continue };
            let meant = closing.connection == id || closing.connection == ConnectionId::UNSET && name.0 == node;
            if meant {
                self.cut(name, id, &[closing.peer]);
            }
        }
    }

    /// All connections between two nodes are lost, and both will be told.
    pub(super) fn drop_between(&mut self, one: Node, other: Node) {
        let open: Vec<(Name, ConnectionId)> = self.open.iter().map(|(name, id)| (*name, *id)).collect();
        for (name, id) in open {
            if (name.0, name.1) == (one, other) || (name.0, name.1) == (other, one) {
                self.cut(name, id, &[name.0, name.1]);
            }
        }
    }

    /// A node is no more: what it had sent is still on its way, what was sent to it is lost.
    pub(super) fn node_stopped(&mut self, node: Node, peers_are_told: bool) {
        self.pile.retain(|pending| pending.to != node || matches!(pending.input, Input::Receive(_)) && !peers_are_told);
        let open: Vec<(Name, ConnectionId)> = self.open.iter().map(|(name, id)| (*name, *id)).collect();
        for (name, id) in open {
            let (client, server, channel) = name;
            if client == node {
                self.open.remove(&name);
            }
            let peer = if client == node { server } else { client };
            if peers_are_told && (client == node || server == node) {
                self.open.remove(&name);
                self.push(node, peer, Input::Severed(Severed { peer: node, channel, connection: id }));
            }
        }
    }

    /// A message has reached a host without a process: its sender is told if the kernel there runs.
    pub(super) fn undeliverable(&mut self, envelope: &Envelope, refused: bool) {
        if !refused {
            return;
        }
        let name = match envelope.body {
            Body::Request(_) => (envelope.from, envelope.to, envelope.channel),
            Body::Response(_) => (envelope.to, envelope.from, envelope.channel),
        };
        if self.open.get(&name) == Some(&envelope.connection) {
            self.cut(name, envelope.connection, &[envelope.from]);
        }
    }

    pub(super) fn hold(&mut self, from: Node, to: Node, only: Option<String>) {
        self.held.insert((from, to, only));
    }

    pub(super) fn release(&mut self, from: Node, to: Node, only: Option<String>) {
        self.held.remove(&(from, to, only));
    }

    /// Whether something waits for a hand.
    pub(super) fn is_held(&self, pending: &Pending) -> bool {
        let Pending { from, to, input, .. } = pending;
        let is_named = |name: &str| matches!(input, Input::Receive(envelope) if envelope.body.name() == name);
        let held = |(one, other, only): &(Node, Node, Option<String>)| {
            (one, other) == (from, to) && only.as_deref().is_none_or(is_named)
        };
        self.parted.contains(&pair(*from, *to)) || self.held.iter().any(held)
    }

    /// From now on nothing passes between two nodes.
    pub(super) fn part(&mut self, one: Node, other: Node) {
        self.parted.insert(pair(one, other));
    }

    /// It does again; over new connections, for so long an answer was waited for over the old ones.
    pub(super) fn join(&mut self, one: Node, other: Node) {
        if self.parted.remove(&pair(one, other)) {
            self.drop_between(one, other);
        }
    }

    /// Everything passes between all.
    pub(super) fn heal(&mut self) {
        self.held.clear();
        for (one, other) in std::mem::take(&mut self.parted) {
            self.drop_between(one, other);
        }
    }

    fn cut(&mut self, name: Name, id: ConnectionId, told: &[Node]) {
        self.open.remove(&name);
        self.pile.retain(|pending| match &pending.input {
            Input::Receive(envelope) => envelope.connection != id,
            _ => true,
        });
        for &node in told {
            let peer = if node == name.0 { name.1 } else { name.0 };
            self.push(peer, node, Input::Severed(Severed { peer, channel: name.2, connection: id }));
        }
    }

    fn push(&mut self, from: Node, to: Node, input: Input) {
        self.numbers += 1;
        self.pile.push(Pending { number: self.numbers, from, to, input });
    }
}

/// Two nodes, in whichever order.
fn pair(one: Node, other: Node) -> (Node, Node) {
    (one.min(other), one.max(other))
}
