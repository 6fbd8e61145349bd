//! What faults do to links, and what TCP makes of their end.

use std::time::Duration;

use model::wire::{Channel, ConnectionId};

use super::connection::Packet;
use super::connection::Side;
#[cfg(test)]
use super::link::Link;
use super::{Network, Outlet, Transit};
use crate::fact::Moment;

/// One rule on one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing gets through.
    Cut,
    /// Messages wait in the network.
    Hold,
    /// Messages take longer.
    Delay { extra: Duration, jitter: Duration },
    /// Messages of one channel take longer.
    Lag { channel: Channel, extra: Duration },
    /// Messages of one channel do not arrive before this moment.
    Stall { channel: Channel, until: Moment },
    /// Only so many bytes per second get through.
    Slow(u64),
}

impl Network {
    /// Lays a rule on the link from one host to another, on top of what lies on it.
    pub(crate) fn impose(&mut self, from: usize, to: usize, rule: Rule) {
        let count = self.nodes.len();
        let link = &mut self.links[from * count + to];
        match rule {
            Rule::Cut => link.cut = true,
            Rule::Hold => link.held = true,
            Rule::Delay { extra, jitter } => {
                link.extra = link.extra.saturating_add(extra);
                link.jitter = link.jitter.saturating_add(jitter);
            }
            Rule::Lag { channel, extra } => {
                let lag = self.lags.entry((from, to, channel)).or_default();
                *lag = lag.saturating_add(extra);
            }
            Rule::Stall { channel, until } => {
                let known = self.stalls.entry((from, to, channel)).or_default();
                *known = until.max(*known);
            }
            Rule::Slow(rate) => link.rate = Some(link.rate.map_or(rate, |known| known.min(rate))),
        }
    }

    /// What was held arrives now, in order.
    pub(crate) fn release(&mut self, from: usize, to: usize, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        if std::mem::take(&mut self.links[from * count + to].held) {
            self.resume(|source, goal| (source, goal) == (from, to), true, out);
        }
    }

    /// Lifts every rule on the link. What a cut stopped arrives when TCP tries again, what was held arrives now.
    pub(crate) fn lift(&mut self, from: usize, to: usize, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        let before = std::mem::take(&mut self.links[from * count + to]);
        self.lags.retain(|&(source, goal, _), _| (source, goal) != (from, to));
        let stalls = self.stalls.len();
        self.stalls.retain(|&(source, goal, _), until| (source, goal) != (from, to) || *until <= out.now);
        let was_stalled = self.stalls.len() < stalls;
        self.links[from * count + to].free_at = before.free_at.min(out.now);
        if !before.passes() || was_stalled {
            self.resume(|source, goal| (source, goal) == (from, to), !before.cut, out);
        }
    }

    /// Lifts every rule on every link.
    pub(crate) fn heal(&mut self, out: &mut Outlet<'_>) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                self.lift(from, to, out);
            }
        }
    }

    /// Until when the messages of one channel do not arrive, if they do not now.
    pub(super) fn stalled_until(&self, from: usize, to: usize, channel: Channel, now: Moment) -> Option<Moment> {
        if self.stalls.is_empty() {
            return None;
        }
        self.stalls.get(&(from, to, channel)).copied().filter(|until| *until > now)
    }

    /// Whether no rule lies on any link.
    #[cfg(test)]
    pub(crate) fn is_healed(&self) -> bool {
        self.lags.is_empty()
            && self.stalls.is_empty()
            && self.links.iter().all(|link| Link { free_at: Link::default().free_at, ..*link } == Link::default())
    }

    /// Resets every connection between two hosts, at both ends, now. What is under way on them is lost.
    pub(crate) fn sever(&mut self, one: usize, other: usize, out: &mut Outlet<'_>) {
        let between: Vec<ConnectionId> = self
            .connections
            .iter()
            .flatten()
            .filter(|known| {
                let ends = (known.client, known.server);
                ends == (one, other) || ends == (other, one)
            })
            .map(|known| known.id)
            .collect();
        for id in between {
            for side in [Side::Client, Side::Server] {
                (out.later)(out.now, Transit::Arrival(id, side, Packet::Abort));
            }
        }
    }

    /// Has everything that could not arrive on some links be tried again: at once, or when TCP does so.
    pub(super) fn resume(&mut self, concerns: impl Fn(usize, usize) -> bool, at_once: bool, out: &mut Outlet<'_>) {
        let count = self.nodes.len();
        for slot in 0..self.connections.len() {
            for to in [Side::Client, Side::Server] {
                let Some(known) = self.connections[slot].as_ref() else { continue };
                let (source, goal, channel) = (known.host(to.other()), known.host(to), known.channel);
                let stalled = self.stalled_until(source, goal, channel, out.now);
                let connection = self.connections[slot].as_mut().expect("known a moment ago");
                let flow = connection.flow(to);
                if flow.stalled.is_empty() || !concerns(source, goal) || !self.links[source * count + goal].passes() {
                    continue;
                }
                let since = flow.since;
                let mut at = out.now;
                if !at_once {
                    let index = ((connection.client * count + connection.server) * super::CHANNELS
                        + super::channel_index(connection.channel))
                        * 2;
                    let wire = self.wires[index + usize::from(to == Side::Client)].as_mut();
                    at = wire.expect("what stalls was sent").retransmission(since, out.now, &self.weather);
                }
                let at = stalled.map_or(at, |until| until.max(at));
                connection.flow(to).thaw = Some(at);
                (out.later)(at, Transit::Thaw(connection.id, to));
            }
        }
    }
}
