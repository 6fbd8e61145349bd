//! A controller's word to each broker: one queue, one request under way, in order, again until the broker is gone (C65, C81).
//!
//! It must not know what is said.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::machine::{Effects, Severed};
use crate::names::{BrokerEpoch, BrokerId, Node, Time};
use crate::wire::{Channel, ConnectionId, Envelope, Request};

/// Wait before a request is sent again.
const RESEND_AFTER: Duration = Duration::from_millis(100);

/// All queues.
#[derive(Clone, Debug)]
pub(super) struct Channels {
    own: BrokerId,
    /// `controller.socket.timeout.ms`.
    timeout: Duration,
    queues: BTreeMap<BrokerId, Queue>,
    correlations: u64,
    /// What is said to the broker that is the controller: it needs no wire.
    own_requests: VecDeque<Request>,
}

#[derive(Clone, Debug)]
struct Queue {
    epoch: BrokerEpoch,
    requests: VecDeque<Request>,
    under_way: Option<(u64, Time)>,
    retry_at: Option<Time>,
}

impl Channels {
    /// Nobody is there yet. Numbers start where those of an earlier reign have ended.
    pub(super) fn new(own: BrokerId, timeout: Duration, correlations: u64) -> Self {
        Self { own, timeout, queues: BTreeMap::new(), correlations, own_requests: VecDeque::new() }
    }

    pub(super) fn correlations(&self) -> u64 {
        self.correlations
    }

    /// A broker is there.
    pub(super) fn open(&mut self, broker: BrokerId, epoch: BrokerEpoch) {
        let queue = Queue { epoch, requests: VecDeque::new(), under_way: None, retry_at: None };
        self.queues.insert(broker, queue);
    }

    /// A broker is gone, and what was not said is not said any more.
    pub(super) fn close(&mut self, broker: BrokerId, effects: &mut Effects) {
        if self.queues.remove(&broker).is_some() && broker != self.own {
            hang_up(broker, effects);
        }
    }

    /// Everybody who is there, and in which registration.
    pub(super) fn brokers(&self) -> Vec<(BrokerId, BrokerEpoch)> {
        self.queues.iter().map(|(id, queue)| (*id, queue.epoch)).collect()
    }

    /// Says something.
    pub(super) fn say(&mut self, to: BrokerId, request: Request, now: Time, effects: &mut Effects) {
        if to == self.own {
            self.own_requests.push_back(request);
            return;
        }
        if let Some(queue) = self.queues.get_mut(&to) {
            queue.requests.push_back(request);
            self.send(to, now, effects);
        }
    }

    /// What the controller says to its own broker.
    pub(super) fn next_own(&mut self) -> Option<Request> {
        self.own_requests.pop_front()
    }

    /// A broker has answered; whatever it says, the next request follows. Returns the one that was answered.
    pub(super) fn answered(
        &mut self,
        from: BrokerId,
        correlation: u64,
        now: Time,
        effects: &mut Effects,
    ) -> Option<Request> {
        let queue = self.queues.get_mut(&from)?;
        queue.under_way.take_if(|(number, _)| *number == correlation)?;
        let request = queue.requests.pop_front();
        self.send(from, now, effects);
        request
    }

    /// The connection is gone: the request will be sent again.
    pub(super) fn severed(&mut self, peer: BrokerId, now: Time) {
        if let Some(queue) = self.queues.get_mut(&peer)
            && queue.under_way.take().is_some()
        {
            queue.retry_at = Some(now + RESEND_AFTER);
        }
    }

    pub(super) fn tick(&mut self, now: Time, effects: &mut Effects) {
        let brokers: Vec<BrokerId> = self.queues.keys().copied().collect();
        for broker in brokers {
            let Some(queue) = self.queues.get_mut(&broker) else { continue };
            if queue.under_way.take_if(|(_, deadline)| now >= *deadline).is_some() {
                hang_up(broker, effects);
                queue.retry_at = Some(now + RESEND_AFTER);
            }
            if queue.retry_at.take_if(|at| now >= *at).is_some() {
                self.send(broker, now, effects);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let due = |queue: &Queue| queue.under_way.map(|(_, deadline)| deadline).or(queue.retry_at);
        self.queues.values().filter_map(due).min()
    }

    fn send(&mut self, to: BrokerId, now: Time, effects: &mut Effects) {
        let Some(queue) = self.queues.get_mut(&to) else { return };
        if queue.under_way.is_some() || queue.retry_at.is_some() {
            return;
        }
        let Some(request) = queue.requests.front().cloned() else { return };
        self.correlations += 1;
        queue.under_way = Some((self.correlations, now + self.timeout));
        effects.send(Envelope::request(self.own, to, Channel::Control, self.correlations, request));
    }
}

fn hang_up(broker: BrokerId, effects: &mut Effects) {
    let (peer, channel) = (Node::Broker(broker), Channel::Control);
    effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
}
