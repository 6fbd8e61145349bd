//! What is yet to come of a network, put into a hash: which rules lie on it, which connections there are, and what is on its way.
//!
//! Neither times nor the numbers of connections and requests are seen. Nothing in a run depends on it.

use std::hash::{Hash, Hasher};

use xxhash_rust::xxh3::Xxh3;

use super::{Connection, Network, Packet, Side, Transit, slot_of};
use crate::fact::Moment;
use crate::world::Untimed;

impl Network {
    /// Adds rules, connections and what waits on them to a hash.
    pub(crate) fn hash_prospect(&self, now: Moment, hasher: &mut impl Hasher) {
        for (place, link) in self.links.iter().enumerate() {
            let rules = (link.cut, link.held, link.extra, link.jitter, link.rate);
            if rules != (false, false, Default::default(), Default::default(), None) {
                (place, rules).hash(hasher);
            }
        }
        self.lags.hash(hasher);
        for (whose, _) in self.stalls.iter().filter(|(_, until)| **until > now) {
            whose.hash(hasher);
        }
        // In which slot a connection lies depends on what was before.
        let mut connections: Vec<u64> = self.connections.iter().flatten().map(Connection::prospect).collect();
        connections.sort_unstable();
        connections.hash(hasher);
    }

    /// Adds a packet on its way to a hash; nothing if it only has something tried again, or comes too late.
    pub(crate) fn hash_transit(&self, transit: &Transit, hasher: &mut impl Hasher) -> Option<()> {
        let Transit::Arrival(id, to, packet) = transit else { return None };
        let connection = self.connections.get(slot_of(*id))?.as_ref().filter(|known| known.id == *id)?;
        (connection.client, connection.server, connection.channel, *to == Side::Client).hash(hasher);
        packet.hash_prospect(hasher);
        Some(())
    }
}

impl Connection {
    fn prospect(&self) -> u64 {
        let mut hasher = Xxh3::new();
        (self.client, self.server, self.channel, self.heard).hash(&mut hasher);
        for side in [Side::Client, Side::Server] {
            (self.end(side) as u8).hash(&mut hasher);
            for packet in self.waiting(side) {
                packet.hash_prospect(&mut hasher);
            }
        }
        for envelope in &self.backlog {
            Untimed::write(&mut hasher, &envelope.body);
        }
        hasher.finish()
    }
}

impl Packet {
    fn hash_prospect(&self, hasher: &mut impl Hasher) {
        std::mem::discriminant(self).hash(hasher);
        if let Self::Data(envelope) = self {
            Untimed::write(hasher, &envelope.body);
        }
    }
}
