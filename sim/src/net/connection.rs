//! One TCP connection: two ends, each with a life of its own, and two directions in which nothing overtakes.

use std::collections::VecDeque;

use model::wire::{Channel, ConnectionId, Envelope};

use crate::fact::Moment;

/// Which end of a connection: whoever opened it, or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// The client wants to connect.
    Syn,
    /// The server's kernel agrees.
    SynAck,
    /// The server's kernel runs, but nobody listens.
    Refusal,
    /// A message.
    Data(Box<Envelope>),
    /// The other end is no more.
    Reset,
    /// Something in between made both ends believe so; no rule stops it.
    Abort,
}

/// What one end knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client waits for an answer to its `Syn`, or the server has not seen one.
    Opening,
    /// Messages may be sent and received.
    Open,
    /// The kernel knows that the connection is no more; the process has not been told.
    Broken,
    /// Over, and the process knows it.
    Closed,
    /// The host lost its power and knows nothing of it.
    Forgotten,
}

impl End {
    /// Whether the process at this end can still be told something.
    pub(super) fn is_live(self) -> bool {
        matches!(self, Self::Opening | Self::Open)
    }

    /// Whether nothing can happen here any more.
    pub(super) fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Forgotten)
    }
}

/// What is under way to one end.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// When the last packet arrives: the next one cannot be earlier.
    pub(super) last: Moment,
    /// What could not arrive, in order.
    pub(super) stalled: VecDeque<Packet>,
    /// Since when.
    pub(super) since: Moment,
    /// When it will be tried again.
    pub(super) thaw: Option<Moment>,
}

/// One connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) client: usize,
    pub(super) server: usize,
    pub(super) channel: Channel,
    client_end: End,
    server_end: End,
    /// Whether the server's process has received anything: only then does it know that the connection exists.
    pub(super) heard: bool,
    /// What the client wants to send once it is open.
    pub(super) backlog: Vec<Envelope>,
    to_client: Flow,
    to_server: Flow,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Connection {
    pub(super) fn new(id: ConnectionId, client: usize, server: usize, channel: Channel) -> Self {
        Self {
            id,
            client,
            server,
            channel,
            client_end: End::Opening,
            server_end: End::Opening,
            heard: false,
            backlog: Vec::new(),
            to_client: Flow::default(),
            to_server: Flow::default(),
        }
    }

    pub(super) fn host(&self, side: Side) -> usize {
        match side {
            Side::Client => self.client,
            Side::Server => self.server,
        }
    }

    pub(super) fn end(&self, side: Side) -> End {
        match side {
            Side::Client => self.client_end,
            Side::Server => self.server_end,
        }
    }

    pub(super) fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client_end,
            Side::Server => &mut self.server_end,
        }
    }

    /// What is under way to that end.
    pub(super) fn flow(&mut self, to: Side) -> &mut Flow {
        match to {
            Side::Client => &mut self.to_client,
            Side::Server => &mut self.to_server,
        }
    }

    /// What could not arrive at that end yet, in order.
    pub(super) fn waiting(&self, to: Side) -> impl Iterator<Item = &Packet> {
        match to {
            Side::Client => self.to_client.stalled.iter(),
            Side::Server => self.to_server.stalled.iter(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.client_end.is_over() && self.server_end.is_over()
    }
}
