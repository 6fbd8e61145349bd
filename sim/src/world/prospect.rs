//! What is yet to come of a world, put into a hash: who runs, what is on its way, which tasks wait, which faults are in force.
//!
//! Two worlds with the same prospect need not have the same future: of times only the order is seen, not how long it is until something
//! happens, and numbers of connections and of requests are not seen at all. What processes remember and what is on disks is
//! another's business. Nothing in a run depends on it.

use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};

use model::machine::Input;
use xxhash_rust::xxh3::Xxh3;

use super::{Happening, Observer, World};

impl<O: Observer> World<O> {
    /// Adds what is yet to come to a hash.
    pub fn hash_prospect(&self, hasher: &mut impl Hasher) {
        for host in &self.hosts {
            (host.condition as u8, host.paused.is_some(), host.inbox.len()).hash(hasher);
            for input in &host.inbox {
                content(input).hash(hasher);
            }
        }
        self.network.hash_prospect(self.now, hasher);
        // What happens first depends on times, which are not seen: a set, not a sequence.
        let mut waiting: Vec<u64> = self.queue.items().filter_map(|happening| self.name(happening)).collect();
        waiting.sort_unstable();
        waiting.hash(hasher);
    }

    /// A number for what is in the queue; none for what only wakes somebody.
    fn name(&self, happening: &Happening) -> Option<u64> {
        let mut hasher = Xxh3::new();
        match happening {
            Happening::Transit(transit) => self.network.hash_transit(transit, &mut hasher)?,
            Happening::Turn(host, life, task) if self.hosts[*host].life == *life => {
                (0, *host).hash(&mut hasher);
                Untimed::write(&mut hasher, task);
            }
            Happening::Submit(host, command) => {
                (1, *host).hash(&mut hasher);
                Untimed::write(&mut hasher, command);
            }
            Happening::Strike(truce, fault) if *truce == self.truce => {
                2.hash(&mut hasher);
                Untimed::write(&mut hasher, fault);
            }
            Happening::Done(host, step) if self.hosts[*host].busy && self.hosts[*host].steps == *step => {
                (3, *host).hash(&mut hasher);
            }
            Happening::Turn(..)
            | Happening::Strike(..)
            | Happening::Done(..)
            | Happening::Tick(_)
            | Happening::Resume(_) => return None,
        }
        Some(hasher.finish())
    }
}

/// A number for what a process is about to take in.
fn content(input: &Input) -> u64 {
    let mut hasher = Xxh3::new();
    match input {
        Input::Receive(envelope) => {
            (envelope.from, envelope.channel).hash(&mut hasher);
            Untimed::write(&mut hasher, &envelope.body);
        }
        Input::Severed(severed) => (severed.peer, severed.channel).hash(&mut hasher),
        other => Untimed::write(&mut hasher, other),
    }
    hasher.finish()
}

/// Takes in what something says of itself, without the times in it.
#[derive(Debug)]
pub struct Untimed<'a, H> {
    hasher: &'a mut H,
    /// A time is being told.
    skips: bool,
}

impl<'a, H: Hasher> Untimed<'a, H> {
    /// Adds this to the hash.
    pub fn write(hasher: &'a mut H, what: &impl fmt::Debug) {
        let mut writer = Self { hasher, skips: false };
        let _ = write!(writer, "{what:?}");
    }
}

impl<H: Hasher> Write for Untimed<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // A time is told as `Time`, `(`, a number and `)`.
        if self.skips {
            self.skips = text != ")";
            return Ok(());
        }
        self.skips = matches!(text, "Time" | "Moment");
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::names::{EndOffset, Time};

    use super::*;

    fn hashed(what: &impl fmt::Debug) -> u64 {
        let mut hasher = Xxh3::new();
        Untimed::write(&mut hasher, what);
        hasher.finish()
    }

    #[test]
    fn times_are_not_seen_and_everything_else_is() {
        let told = |time, end, more: Option<u32>| hashed(&(EndOffset(end), Some(Time(time)), more));
        assert_eq!(told(5, 1, None), told(700, 1, None));
        assert_ne!(told(5, 1, None), told(5, 2, None));
        assert_ne!(told(5, 1, None), told(5, 1, Some(3)));
    }
}
