//! What outlives a process and what all tasks share: hosts with their disks, and what was said since somebody listened.
//!
//! All tasks run on one thread and none holds the lock while it waits. Who dies, and how, is done here, whether a fault
//! or the process itself is the cause. Knows no connection and decides nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use madsim::runtime::Handle;
use madsim::task::NodeId;
use madsim::time::TimeHandle;
use model::machine::{Chance, Input};
use model::names::Node;

use super::inbox::{Inbox, moment};
use super::lines::Lines;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::fact::{Ending, Moment, What};
use crate::world::doom::Doom;
use crate::world::hosts::{Condition, Host};

/// Something that was said and has no number yet.
pub(super) type Said = (Moment, Option<Node>, What);

/// What all tasks share.
pub(super) struct Ground {
    pub(super) cluster: Cluster,
    pub(super) dice: Dice,
    pub(super) time: TimeHandle,
    held: Mutex<Held>,
}

/// What is behind the lock.
pub(super) struct Held {
    pub(super) places: Vec<Place>,
    pub(super) said: Vec<Said>,
    /// Whoever waits for something to be said.
    pub(super) listener: Option<Waker>,
    /// How many connections were opened.
    pub(super) connections: u64,
    /// Processes that were stopped in a disk call, and when each is to be back.
    pub(super) returning: Vec<(Moment, usize)>,
}

/// One host on one of madsim's nodes.
pub(super) struct Place {
    pub(super) host: Host,
    pub(super) id: NodeId,
    /// What the process that runs draws from, until it has begun.
    pub(super) chance: Option<Chance>,
    pub(super) inbox: Option<Arc<Inbox>>,
    pub(super) lines: Weak<Lines>,
}

/// Every host listens on this port.
const PORT: u16 = 9_092;

/// Where the host with this number is.
pub(super) fn address(index: usize) -> SocketAddr {
    let [.., high, low] = u32::try_from(index + 1).expect("clusters are small").to_be_bytes();
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, high, low)), PORT)
}

impl Ground {
    pub(super) fn new(cluster: &Cluster, dice: Dice, time: TimeHandle, places: Vec<Place>) -> Self {
        let held = Held { places, said: Vec::new(), listener: None, connections: 0, returning: Vec::new() };
        Self { cluster: cluster.clone(), dice, time, held: Mutex::new(held) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Moment {
        moment(&self.time)
    }

    /// States a fact. It gets its number when somebody listens.
    pub(super) fn state(&self, node: Option<Node>, what: What) {
        let now = self.now();
        let mut held = self.lock();
        held.said.push((now, node, what));
        if let Some(listener) = held.listener.take() {
            listener.wake();
        }
    }

    /// The place of a node.
    pub(super) fn index_of(&self, node: Node) -> Option<usize> {
        self.lock().places.iter().position(|place| place.host.node == node)
    }

    /// Something for the process on a host; lost if there is none.
    pub(super) fn offer(&self, index: usize, input: Input) {
        let inbox = self.lock().places[index].inbox.clone();
        if let Some(inbox) = inbox {
            inbox.push(input);
        }
    }

    /// Ends a process, with some endings more than that, and whoever runs in the same process. Its tasks are dropped
    /// by madsim in some order when their turn comes, and none of them runs any more.
    pub(super) fn end(&self, handle: &Handle, index: usize, how: Ending, doom: Option<&Doom>) {
        let (node, id, was_up) = {
            let mut held = self.lock();
            let place = &mut held.places[index];
            let was_up = place.host.condition == Condition::Up;
            if place.host.condition == Condition::Destroyed {
                return;
            }
            place.host.empty();
            place.inbox = None;
            place.lines = Weak::new();
            match how {
                Ending::Exited | Ending::Crashed | Ending::StorageFailed => {
                    place.host.disk.crash();
                    if was_up {
                        place.host.condition = Condition::Down;
                    }
                }
                Ending::PoweredOff => place.host.lose_power(self.dice, doom),
                Ending::Destroyed => {
                    place.host.disk.wipe();
                    place.host.condition = Condition::Destroyed;
                }
            }
            (place.host.node, place.id, was_up)
        };
        if was_up || how == Ending::Destroyed {
            self.state(Some(node), What::Stopped { how });
        }
        if !was_up {
            return;
        }
        handle.kill(id);
        let housemate = self.cluster.housemate(node).and_then(|other| self.index_of(other));
        match housemate.filter(|other| self.lock().places[*other].host.condition == Condition::Up) {
            Some(other) if how == Ending::Exited => self.offer(other, Input::Terminate),
            Some(other) => self.end(handle, other, how, None),
            None => {}
        }
    }
}
