//! The network: connections as TCP has them, each with a life of its own.
//!
//! A connection never drops one message of many and never reorders. Loss is a connection that is cut or silent;
//! reordering happens between connections. Nobody gets an EOF for free: a host without power is silent, and so is a
//! link that is cut. This room never looks into a message except to route it, and knows processes only as far as a
//! kernel does: whether somebody listens.

mod connection;
mod link;
mod prospect;
mod rules;
#[cfg(test)]
mod tests;
mod weather;

use std::collections::BTreeMap;
use std::time::Duration;

use model::machine::{Input, Severed};
use model::names::Node;
use model::wire::{Body, Channel, ConnectionId, Envelope};

use connection::{Connection, End};
pub(crate) use connection::{Packet, Side};
use link::{Link, Wire};
pub(crate) use rules::Rule;
pub use weather::Weather;

use crate::dice::Dice;
use crate::fact::Moment;

/// What the network wants to happen later.
#[derive(Clone, Debug)]
pub(crate) enum Transit {
    /// A packet arrives at one end of a connection.
    Arrival(ConnectionId, Side, Packet),
    /// TCP tries again what could not arrive.
    Thaw(ConnectionId, Side),
}

/// Something for the process on a host.
pub(crate) type Delivery = (usize, Input);

/// What the network asks of its surroundings.
pub(crate) struct Outlet<'a> {
    /// The present.
    pub(crate) now: Moment,
    /// Has something happen later.
    pub(crate) later: &'a mut dyn FnMut(Moment, Transit),
    /// Takes what arrives now.
    pub(crate) deliveries: &'a mut Vec<Delivery>,
}

/// How much of a host is there to answer the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kernel {
    /// No power: silence.
    Off,
    /// Connections are refused.
    Idle,
    /// A process listens.
    Serving,
}

/// All links and connections between a number of hosts.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    weather: Weather,
    dice: Dice,
    nodes: Vec<Node>,
    kernels: Vec<Kernel>,
    links: Vec<Link>,
    /// By how much the messages of one channel take longer, by their source and their goal.
    lags: BTreeMap<(usize, usize, Channel), Duration>,
    /// Until when the messages of one channel do not arrive, by their source and their goal.
    stalls: BTreeMap<(usize, usize, Channel), Moment>,
    wires: Vec<Option<Box<Wire>>>,
    /// Which connection a client has open, by (client, server, channel).
    open: Vec<ConnectionId>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    opened: u64,
}

const CHANNELS: usize = 8;
/// A connection's id is its number in the run and, in the low bits, its slot.
const SLOT_BITS: u32 = 20;

fn channel_index(channel: Channel) -> usize {
    match channel {
        Channel::Client => 0,
        Channel::ReplicaFetch => 1,
        Channel::Metadata => 2,
        Channel::Lifecycle => 3,
        Channel::AlterPartition => 4,
        Channel::Quorum => 5,
        Channel::ZooKeeper => 6,
        Channel::Control => 7,
    }
}

/// Channels by their [`channel_index`].
const BY_INDEX: [Channel; CHANNELS] = [
    Channel::Client,
    Channel::ReplicaFetch,
    Channel::Metadata,
    Channel::Lifecycle,
    Channel::AlterPartition,
    Channel::Quorum,
    Channel::ZooKeeper,
    Channel::Control,
];

/// What the wire in this place is called: client, server, channel, and whether it leads to the client.
fn wire_name(nodes: &[Node], index: usize) -> ((Node, Node, Channel), bool) {
    let (of_connection, to_client) = (index / 2, index % 2 == 1);
    let (pair, channel) = (of_connection / CHANNELS, of_connection % CHANNELS);
    let (client, server) = (pair / nodes.len(), pair % nodes.len());
    ((nodes[client], nodes[server], BY_INDEX[channel]), to_client)
}

fn slot_of(id: ConnectionId) -> usize {
    (id.0 & ((1 << SLOT_BITS) - 1)) as usize
}

impl Network {
    /// Nobody listens yet, but all hosts have power.
    pub(crate) fn new(nodes: Vec<Node>, weather: Weather, dice: Dice) -> Self {
        let count = nodes.len();
        Self {
            weather,
            dice,
            kernels: vec![Kernel::Idle; count],
            links: vec![Link::default(); count * count],
            lags: BTreeMap::new(),
            stalls: BTreeMap::new(),
            wires: vec![None; count * count * CHANNELS * 2],
            open: vec![ConnectionId::UNSET; count * count * CHANNELS],
            connections: Vec::new(),
            free: Vec::new(),
            opened: 0,
            nodes,
        }
    }

    /// From now on these dice are drawn from; what is on its way arrives when it would have.
    pub(crate) fn reroll(&mut self, dice: Dice) {
        self.dice = dice;
        for (index, wire) in self.wires.iter_mut().enumerate() {
            if let Some(wire) = wire {
                wire.reroll(dice, &wire_name(&self.nodes, index));
            }
        }
    }

    /// A process hands over a message for another.
    pub(crate) fn send(&mut self, from: usize, to: usize, mut envelope: Box<Envelope>, out: &mut Outlet<'_>) {
        if matches!(envelope.body, Body::Response(_)) {
            let id = envelope.connection;
            let known = self.find(id).is_some_and(|known| known.server == from && known.end(Side::Server) == End::Open);
            if known {
                self.transmit(id, Side::Client, Packet::Data(envelope), out);
            }
            return;
        }
        let id = self.connection_for(from, to, envelope.channel, out);
        envelope.connection = id;
        let Some(connection) = self.find_mut(id) else { return };
        match connection.end(Side::Client) {
            End::Opening => connection.backlog.push(*envelope),
            End::Open => self.transmit(id, Side::Server, Packet::Data(envelope), out),
            // The process does not know yet that this connection is no more: the message goes nowhere.
            End::Broken | End::Closed | End::Forgotten => {}
        }
    }

    /// A process closes its end. What is on its way still arrives; what TCP would have had to send again does not.
    pub(crate) fn close(&mut self, host: usize, peer: usize, closing: Severed, out: &mut Outlet<'_>) {
        let mut id = closing.connection;
        if id == ConnectionId::UNSET {
            id = self.open[self.open_index(host, peer, closing.channel)];
        }
        if let Some(side) = self.find(id).and_then(|connection| side_of(connection, host, peer)) {
            self.end(id, side, out);
        }
    }

    /// A process was told that a connection is gone: its next message opens another.
    pub(crate) fn told(&mut self, host: usize, severed: Severed) {
        let Some(connection) = self.find_mut(severed.connection) else { return };
        for side in [Side::Client, Side::Server] {
            if connection.host(side) == host && connection.end(side) == End::Broken {
                *connection.end_mut(side) = End::Closed;
            }
        }
        self.tidy(severed.connection);
    }

    /// A process listens on the host, which has power.
    pub(crate) fn process_started(&mut self, host: usize, out: &mut Outlet<'_>) {
        let booted = self.kernels[host] == Kernel::Off;
        self.kernels[host] = Kernel::Serving;
        if booted {
            self.resume(|_, to| to == host, false, out);
        }
    }

    /// The process on the host is over, but the kernel is not: it ends all connections.
    pub(crate) fn process_stopped(&mut self, host: usize, out: &mut Outlet<'_>) {
        self.kernels[host] = Kernel::Idle;
        for (id, side) in self.ends_at(host) {
            // A server that has not seen the `Syn` yet has no end: whoever listens when it comes will answer.
            if self.find(id).is_some_and(|known| side == Side::Client || known.end(side) != End::Opening) {
                self.end(id, side, out);
            }
        }
    }

    /// The host has no power. Nobody is told, and what it would have sent again is lost.
    pub(crate) fn powered_off(&mut self, host: usize) {
        self.kernels[host] = Kernel::Off;
        for (id, side) in self.ends_at(host) {
            let Some(connection) = self.find_mut(id) else { continue };
            let unseen = side == Side::Server && connection.end(side) == End::Opening;
            if unseen || connection.end(side) == End::Closed {
                continue;
            }
            *connection.end_mut(side) = End::Forgotten;
            if side == Side::Client {
                connection.backlog.clear();
            }
            let peer = connection.host(side.other());
            if !self.links[host * self.nodes.len() + peer].held {
                let connection = self.find_mut(id).expect("the connection was there a moment ago");
                connection.flow(side.other()).stalled.clear();
            }
            self.tidy(id);
        }
    }

    /// What the network wanted to happen later happens now.
    pub(crate) fn happen(&mut self, transit: Transit, out: &mut Outlet<'_>) {
        match transit {
            Transit::Arrival(id, to, packet) => self.arrive(id, to, packet, out),
            Transit::Thaw(id, to) => self.thaw(id, to, out),
        }
    }

    fn find(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(slot_of(id))?.as_ref().filter(|connection| connection.id == id)
    }

    fn find_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(slot_of(id))?.as_mut().filter(|connection| connection.id == id)
    }

    fn open_index(&self, client: usize, server: usize, channel: Channel) -> usize {
        (client * self.nodes.len() + server) * CHANNELS + channel_index(channel)
    }

    /// All ends of connections at a host, in order of slot.
    fn ends_at(&self, host: usize) -> Vec<(ConnectionId, Side)> {
        let mut ends = Vec::new();
        for connection in self.connections.iter().flatten() {
            for side in [Side::Client, Side::Server] {
                if connection.host(side) == host {
                    ends.push((connection.id, side));
                }
            }
        }
        ends
    }

    /// The connection that the client has open, or a new one.
    fn connection_for(&mut self, client: usize, server: usize, channel: Channel, out: &mut Outlet<'_>) -> ConnectionId {
        let index = self.open_index(client, server, channel);
        if self.open[index] != ConnectionId::UNSET {
            return self.open[index];
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        assert!(slot < 1 << SLOT_BITS, "more than a million connections are open at once");
        self.opened += 1;
        let id = ConnectionId(self.opened << SLOT_BITS | slot as u64);
        self.connections[slot] = Some(Connection::new(id, client, server, channel));
        self.open[index] = id;
        self.transmit(id, Side::Server, Packet::Syn, out);
        id
    }

    /// One end is over, because its process says so or is over itself.
    fn end(&mut self, id: ConnectionId, side: Side, out: &mut Outlet<'_>) {
        let Some(connection) = self.find_mut(id) else { return };
        let was = connection.end(side);
        if was.is_over() {
            return;
        }
        *connection.end_mut(side) = End::Closed;
        if side == Side::Client {
            connection.backlog.clear();
            let (client, server, channel) = (connection.client, connection.server, connection.channel);
            let index = self.open_index(client, server, channel);
            if self.open[index] == id {
                self.open[index] = ConnectionId::UNSET;
            }
        }
        let connection = self.find_mut(id).expect("the connection was there a moment ago");
        connection.flow(side.other()).stalled.retain(|packet| !matches!(packet, Packet::Data(_)));
        if was.is_live() && !connection.end(side.other()).is_over() {
            self.transmit(id, side.other(), Packet::Reset, out);
        }
        self.tidy(id);
    }

    /// Puts a packet on its way to one end.
    fn transmit(&mut self, id: ConnectionId, to: Side, packet: Packet, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        let slot = slot_of(id);
        let connection = self.connections[slot].as_mut().expect("only what exists sends");
        let (source, goal) = (connection.host(to.other()), connection.host(to));
        let index =
            ((connection.client * count + connection.server) * CHANNELS + channel_index(connection.channel)) * 2;
        let index = index + usize::from(to == Side::Client);
        let wire =
            self.wires[index].get_or_insert_with(|| Box::new(Wire::new(self.dice, &wire_name(&self.nodes, index))));
        let (size, (latency, jitter)) = match &packet {
            Packet::Data(envelope) => (envelope.body.size(), wire.message()),
            _ => (64, wire.control()),
        };
        let link = &mut self.links[source * count + goal];
        let mut arrival = link.arrival(out.now, size, &self.weather, latency, jitter);
        if !self.lags.is_empty()
            && let Some(lag) = self.lags.get(&(source, goal, connection.channel))
        {
            arrival = arrival + *lag;
        }
        let flow = connection.flow(to);
        let arrival = arrival.max(flow.last);
        flow.last = arrival;
        (out.later)(arrival, Transit::Arrival(id, to, packet));
    }

    fn arrive(&mut self, id: ConnectionId, to: Side, packet: Packet, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        let Some(known) = self.find(id) else { return };
        let (source, goal) = (known.host(to.other()), known.host(to));
        let stall = self.stalled_until(source, goal, known.channel, out.now);
        let connection = self.connections[slot_of(id)].as_mut().expect("found above");
        let link = &self.links[source * count + goal];
        let silent = self.kernels[goal] == Kernel::Off;
        let waits = !connection.flow(to).stalled.is_empty();
        if !matches!(packet, Packet::Abort) && (silent || waits || stall.is_some() || !link.passes()) {
            // What nobody is left to send again is lost on a link that is cut, though not in a network that holds it.
            let sender = connection.end(to.other());
            let lost = sender == End::Forgotten || sender == End::Closed && matches!(packet, Packet::Data(_));
            if lost && !link.held && !waits && stall.is_none() {
                return;
            }
            let flow = connection.flow(to);
            if flow.stalled.is_empty() {
                flow.since = out.now;
            }
            flow.stalled.push_back(packet);
            if let Some(until) = stall.filter(|until| flow.thaw.is_none_or(|thaw| thaw < *until)) {
                flow.thaw = Some(until);
                (out.later)(until, Transit::Thaw(id, to));
            }
            return;
        }
        self.accept(id, to, packet, out);
    }

    /// A packet has reached the kernel at one end.
    fn accept(&mut self, id: ConnectionId, to: Side, packet: Packet, out: &mut Outlet<'_>) {
        let Some(connection) = self.find(id) else { return };
        let end = connection.end(to);
        let serving = self.kernels[connection.host(to)] == Kernel::Serving;
        match packet {
            Packet::Syn if end == End::Opening => self.answer_syn(id, serving, out),
            Packet::SynAck if end == End::Opening => self.establish(id, out),
            Packet::Syn | Packet::SynAck => {}
            Packet::Data(envelope) if end == End::Open => {
                let host = connection.host(to);
                if to == Side::Server {
                    self.find_mut(id).expect("found above").heard = true;
                }
                out.deliveries.push((host, Input::Receive(envelope)));
            }
            Packet::Data(_) if end == End::Forgotten => self.disown(id, to, out),
            Packet::Data(_) => {}
            Packet::Refusal | Packet::Reset | Packet::Abort => self.break_off(id, to, out),
        }
    }

    /// The server's kernel answers by itself, whether its process has time or not.
    fn answer_syn(&mut self, id: ConnectionId, serving: bool, out: &mut Outlet<'_>) {
        let connection = self.find_mut(id).expect("the caller found it");
        *connection.end_mut(Side::Server) = if serving { End::Open } else { End::Closed };
        if connection.end(Side::Client) == End::Forgotten {
            return self.tidy(id);
        }
        self.transmit(id, Side::Client, if serving { Packet::SynAck } else { Packet::Refusal }, out);
        self.tidy(id);
    }

    fn establish(&mut self, id: ConnectionId, out: &mut Outlet<'_>) {
        let connection = self.find_mut(id).expect("the caller found it");
        *connection.end_mut(Side::Client) = End::Open;
        for envelope in std::mem::take(&mut connection.backlog) {
            self.transmit(id, Side::Server, Packet::Data(Box::new(envelope)), out);
        }
    }

    /// A kernel that knows nothing of a connection says so to whoever uses it.
    fn disown(&mut self, id: ConnectionId, side: Side, out: &mut Outlet<'_>) {
        let connection = self.find_mut(id).expect("the caller found it");
        *connection.end_mut(side) = End::Closed;
        if connection.end(side.other()).is_live() {
            self.transmit(id, side.other(), Packet::Reset, out);
        }
        self.tidy(id);
    }

    /// A kernel learns that a connection is no more, and will tell its process.
    fn break_off(&mut self, id: ConnectionId, side: Side, out: &mut Outlet<'_>) {
        let connection = self.find_mut(id).expect("the caller found it");
        let end = connection.end(side);
        if end == End::Forgotten {
            *connection.end_mut(side) = End::Closed;
        }
        if end.is_live() {
            let unknown = side == Side::Server && !connection.heard;
            *connection.end_mut(side) = if unknown { End::Closed } else { End::Broken };
            if !unknown {
                let (host, peer) = (connection.host(side), connection.host(side.other()));
                let severed = Severed { peer: self.nodes[peer], channel: self.channel_of(id), connection: id };
                out.deliveries.push((host, Input::Severed(severed)));
            }
        }
        self.tidy(id);
    }

    fn channel_of(&self, id: ConnectionId) -> Channel {
        self.find(id).expect("the caller found it").channel
    }

    /// Forgets a connection that is over at both ends, and lets the client open another once its own end is.
    fn tidy(&mut self, id: ConnectionId) {
        let Some(connection) = self.find(id) else { return };
        let (client_is_over, is_over) = (connection.end(Side::Client).is_over(), connection.is_over());
        let index = self.open_index(connection.client, connection.server, connection.channel);
        if client_is_over && self.open[index] == id {
            self.open[index] = ConnectionId::UNSET;
        }
        if is_over {
            self.connections[slot_of(id)] = None;
            self.free.push(slot_of(id));
        }
    }

    fn thaw(&mut self, id: ConnectionId, to: Side, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        let Some(connection) = self.find_mut(id) else { return };
        if connection.flow(to).thaw != Some(out.now) {
            return;
        }
        connection.flow(to).thaw = None;
        let (source, goal, channel) = (connection.host(to.other()), connection.host(to), connection.channel);
        if !self.links[source * count + goal].passes() || self.kernels[goal] == Kernel::Off {
            return;
        }
        if let Some(until) = self.stalled_until(source, goal, channel, out.now) {
            self.find_mut(id).expect("found above").flow(to).thaw = Some(until);
            return (out.later)(until, Transit::Thaw(id, to));
        }
        let connection = self.find_mut(id).expect("found above");
        for packet in std::mem::take(&mut connection.flow(to).stalled) {
            self.accept(id, to, packet, out);
        }
    }
}

/// Which end of the connection to `peer` is at `host`.
fn side_of(connection: &Connection, host: usize, peer: usize) -> Option<Side> {
    if connection.client == host && connection.server == peer {
        return Some(Side::Client);
    }
    (connection.server == host && connection.client == peer).then_some(Side::Server)
}
