//! Connections between processes, each an ordered channel of madsim's network, one for each conversation.
//!
//! Who opens one says so in its first message. What madsim does to a channel is what befalls the connection: a channel
//! whose other end was killed ends, at once and through every partition; a clogged link delays what is on it and refuses
//! what is new. Looks into no message.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use madsim::net::{Endpoint, Receiver, Sender};
use model::machine::{Input, Severed};
use model::names::Node;
use model::wire::{Body, Channel, ConnectionId, Envelope};

use super::ground::{Ground, address};
use super::inbox::Inbox;

/// All ends of connections that one process holds.
pub(super) struct Lines {
    ground: Arc<Ground>,
    own: Node,
    endpoint: Endpoint,
    inbox: Arc<Inbox>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Which connection is open, by peer and conversation: of those that were opened from here.
    open: BTreeMap<(Node, Channel), ConnectionId>,
    lines: BTreeMap<ConnectionId, Line>,
}

/// One end.
struct Line {
    peer: Node,
    channel: Channel,
    /// `None` until it is open, and when it is broken.
    sender: Option<Sender>,
    /// What is to be sent once it is open.
    backlog: Vec<Envelope>,
    /// The process has sent or received something, so that it knows that there is a connection.
    known: bool,
    broken: bool,
}

/// The first message on a channel.
struct Hello {
    from: Node,
    channel: Channel,
    id: ConnectionId,
}

impl Lines {
    pub(super) fn new(ground: Arc<Ground>, own: Node, endpoint: Endpoint, inbox: Arc<Inbox>) -> Arc<Self> {
        Arc::new(Self { ground, own, endpoint, inbox, table: Mutex::default() })
    }

    /// Takes in connections for as long as the process lives.
    pub(super) async fn accept(self: Arc<Self>) {
        while let Ok((sender, receiver, _)) = self.endpoint.accept1().await {
            madsim::task::spawn(self.clone().serve(sender, receiver));
        }
    }

    /// A message of this process for another.
    pub(super) fn send(self: &Arc<Self>, mut envelope: Box<Envelope>) {
        let mut table = self.lock();
        let id = match envelope.body {
            Body::Response(_) => envelope.connection,
            Body::Request(_) => match table.open.get(&(envelope.to, envelope.channel)) {
                Some(open) => *open,
                None => self.open(&mut table, envelope.to, envelope.channel),
            },
        };
        envelope.connection = id;
        let Some(line) = table.lines.get_mut(&id).filter(|line| !line.broken) else { return };
        match &line.sender {
            Some(sender) => send(sender, envelope),
            None => line.backlog.push(*envelope),
        }
    }

    /// The process closes a connection: what is on its way arrives.
    pub(super) fn close(&self, closing: Severed) {
        let mut table = self.lock();
        let mut id = closing.connection;
        if id == ConnectionId::UNSET {
            let Some(open) = table.open.get(&(closing.peer, closing.channel)) else { return };
            id = *open;
        }
        table.forget(id);
    }

    /// The process was told that a connection is gone: its next message opens another.
    pub(super) fn told(&self, severed: Severed) {
        self.lock().forget(severed.connection);
    }

    /// Resets every connection with this peer. The other end sees that its channel has ended.
    pub(super) fn sever(&self, peer: Node) {
        let ids: Vec<ConnectionId> = {
            let table = self.lock();
            table.lines.iter().filter(|(_, line)| line.peer == peer).map(|(id, _)| *id).collect()
        };
        for id in ids {
            self.is_over(id);
        }
    }

    fn open(self: &Arc<Self>, table: &mut Table, peer: Node, channel: Channel) -> ConnectionId {
        let id = {
            let mut held = self.ground.lock();
            held.connections += 1;
            ConnectionId(held.connections)
        };
        table.open.insert((peer, channel), id);
        let line = Line { peer, channel, sender: None, backlog: Vec::new(), known: true, broken: false };
        table.lines.insert(id, line);
        madsim::task::spawn(self.clone().connect(id, peer, channel));
        id
    }

    /// The client's end of a connection, from its beginning to its end.
    async fn connect(self: Arc<Self>, id: ConnectionId, peer: Node, channel: Channel) {
        let Some(goal) = self.ground.index_of(peer) else { return self.is_over(id) };
        let Ok((sender, receiver)) = self.endpoint.connect1(address(goal)).await else { return self.is_over(id) };
        say(&sender, Box::new(Hello { from: self.own, channel, id }));
        {
            let mut table = self.lock();
            let Some(line) = table.lines.get_mut(&id).filter(|line| !line.broken) else { return };
            for envelope in line.backlog.drain(..) {
                send(&sender, Box::new(envelope));
            }
            line.sender = Some(sender);
        }
        self.read(id, receiver).await;
    }

    /// The server's end.
    async fn serve(self: Arc<Self>, sender: Sender, mut receiver: Receiver) {
        let Ok(first) = receiver.recv().await else { return };
        let Ok(hello) = first.downcast::<Hello>() else { return };
        let Hello { from, channel, id } = *hello;
        let line = Line { peer: from, channel, sender: Some(sender), backlog: Vec::new(), known: false, broken: false };
        self.lock().lines.insert(id, line);
        self.read(id, receiver).await;
    }

    async fn read(&self, id: ConnectionId, mut receiver: Receiver) {
        while let Ok(message) = receiver.recv().await {
            let Ok(envelope) = message.downcast::<Envelope>() else { return };
            {
                let mut table = self.lock();
                let Some(line) = table.lines.get_mut(&id).filter(|line| !line.broken) else { return };
                line.known = true;
            }
            self.inbox.push(Input::Receive(envelope));
        }
        self.is_over(id);
    }

    /// The channel has ended, or never began.
    fn is_over(&self, id: ConnectionId) {
        let severed = {
            let mut table = self.lock();
            let Some(line) = table.lines.get_mut(&id).filter(|line| !line.broken) else { return };
            line.broken = true;
            line.sender = None;
            line.backlog.clear();
            let severed = Severed { peer: line.peer, channel: line.channel, connection: id };
            if !line.known {
                table.forget(id);
                return;
            }
            severed
        };
        self.inbox.push(Input::Severed(severed));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn forget(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.remove(&id) else { return };
        if self.open.get(&(line.peer, line.channel)) == Some(&id) {
            self.open.remove(&(line.peer, line.channel));
        }
    }
}

fn send(sender: &Sender, envelope: Box<Envelope>) {
    say(sender, envelope);
}

/// A message leaves at once: madsim's future never waits. If the channel has ended its reader will say so.
fn say(sender: &Sender, message: Box<dyn Any + Send + Sync>) {
    let waker = std::task::Waker::noop();
    let mut sending = std::pin::pin!(sender.send(message));
    let done = sending.as_mut().poll(&mut std::task::Context::from_waker(waker));
    debug_assert!(done.is_ready(), "sending on a channel does not wait");
}
