//! Several voters, cranked by hand, and watched: whatever a schedule does, the promises of the quorum have to hold.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::MemoryDisk;
use crate::config::ControllerConfig;
use crate::event::{Event, QuorumRole};
use crate::log::BatchId;
use crate::machine::{Chance, Effect, Effects, Severed, Stop};
use crate::names::{ControllerId, DirectoryId, EndOffset, LeaderEpoch, Node, Time};
use crate::protocol;
use crate::quorum::{Hands, NotAppended, Quorum};
use crate::wire::{Channel, ConnectionId, Envelope, Voter};

/// What a schedule may do next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// The nth message on its way arrives.
    Deliver(usize),
    /// The nth message on its way is lost with its connection.
    Lose(usize),
    /// Time passes until the nth deadline, and that voter ticks.
    Tick(usize),
    /// Whoever leads is given a record.
    Append(usize),
    /// The process of the nth voter is killed, and starts again.
    Crash(usize),
    /// Its power goes: what was not synced is gone.
    PowerOff(usize),
}

/// The voters.
pub(super) struct Stage {
    voters: Vec<Voter>,
    config: ControllerConfig,
    protocol: protocol::Quorum,
    nodes: Vec<(Option<Quorum>, MemoryDisk)>,
    wires: Vec<Envelope>,
    now: Time,
    lives: u64,
    records: u64,
    seen: Seen,
}

/// What was noted, and what it breaks.
#[derive(Default)]
struct Seen {
    leaders: BTreeMap<LeaderEpoch, ControllerId>,
    votes: BTreeMap<(ControllerId, LeaderEpoch), Voter>,
    logs: BTreeMap<ControllerId, Vec<BatchId>>,
    /// What is committed, by whoever said so first.
    committed: Vec<BatchId>,
    broken: Option<String>,
    commits: u64,
}

impl Stage {
    pub(super) fn new(count: u32, protocol: protocol::Quorum) -> Self {
        let voters = (1..=count).map(|id| Voter { id: ControllerId(id), directory: DirectoryId(id.into()) }).collect();
        let nodes = (0..count).map(|_| (None, MemoryDisk::default())).collect();
        let mut stage = Self {
            voters,
            config: ControllerConfig::default(),
            protocol,
            nodes,
            wires: Vec::new(),
            now: Time(1_700_000_000_000_000_000),
            lives: 0,
            records: 0,
            seen: Seen::default(),
        };
        for nth in 0..count as usize {
            stage.start(nth);
        }
        stage
    }

    /// What was broken, if anything was.
    pub(super) fn broken(&self) -> Option<&str> {
        self.seen.broken.as_deref()
    }

    /// How often something more was committed.
    pub(super) fn commits(&self) -> u64 {
        self.seen.commits
    }

    pub(super) fn act(&mut self, act: Act) {
        match act {
            Act::Deliver(nth) if !self.wires.is_empty() => {
                let envelope = self.wires.remove(nth % self.wires.len());
                if let Some(to) = self.place_of(envelope.to) {
                    self.step(to, |quorum, hands| quorum.receive(envelope, hands));
                }
            }
            Act::Lose(nth) if !self.wires.is_empty() => {
                let lost = self.wires.remove(nth % self.wires.len());
                for (end, peer) in [(lost.from, lost.to), (lost.to, lost.from)] {
                    let severed = Severed { peer, channel: Channel::Quorum, connection: lost.connection };
                    if let Some(end) = self.place_of(end) {
                        self.step(end, |quorum, hands| quorum.severed(&severed, hands));
                    }
                }
            }
            Act::Tick(nth) => {
                let mut deadlines: Vec<(Time, usize)> = (0..self.nodes.len())
                    .filter_map(|place| Some((self.nodes[place].0.as_ref()?.deadline()?, place)))
                    .collect();
                deadlines.sort_unstable();
                if let Some(&(at, place)) = deadlines.get(nth % deadlines.len().max(1)) {
                    self.now = self.now.max(at);
                    self.step(place, Quorum::tick);
                }
            }
            Act::Append(nth) => {
                let place = nth % self.nodes.len();
                self.records += 1;
                let value = format!("record {}", self.records).into();
                self.step(place, |quorum, hands| match quorum.append(&[value], hands) {
                    Ok(_) | Err(NotAppended::NotLeader | NotAppended::TooLarge) => Ok(()),
                    Err(NotAppended::Stop(stop)) => Err(stop),
                });
            }
            Act::Crash(nth) => self.stop(nth % self.nodes.len(), false),
            Act::PowerOff(nth) => self.stop(nth % self.nodes.len(), true),
            Act::Deliver(_) | Act::Lose(_) => {}
        }
    }

    fn place_of(&self, node: Node) -> Option<usize> {
        self.voters.iter().position(|voter| Node::from(voter.id) == node)
    }

    fn stop(&mut self, place: usize, power: bool) {
        let node = Node::from(self.voters[place].id);
        self.wires.retain(|envelope| envelope.from != node && envelope.to != node);
        if power {
            self.nodes[place].1.power_cut(false);
        }
        self.start(place);
    }

    fn start(&mut self, place: usize) {
        self.lives += 1;
        let chance = Chance(self.lives.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let own = self.voters[place];
        let (node, disk) = &mut self.nodes[place];
        disk.restart();
        let mut effects = Effects::new();
        let mut hands = Hands { now: self.now, disk, effects: &mut effects };
        let started = Quorum::start(own, self.voters.clone(), &self.config, self.protocol, chance, &mut hands);
        *node = started.ok();
        self.take(place, effects);
    }

    fn step(&mut self, place: usize, act: impl FnOnce(&mut Quorum, &mut Hands<'_>) -> Result<(), Stop>) {
        let (node, disk) = &mut self.nodes[place];
        let Some(quorum) = node else { return };
        let mut effects = Effects::new();
        let mut hands = Hands { now: self.now, disk, effects: &mut effects };
        if act(quorum, &mut hands).is_err() {
            // It halts: a planted bug has made it learn of what must not be.
            *node = None;
        }
        self.take(place, effects);
    }

    fn take(&mut self, place: usize, mut effects: Effects) {
        let own = self.voters[place].id;
        for effect in effects.drain() {
            match effect {
                Effect::Send(mut envelope) => {
                    let ends = [envelope.from, envelope.to].map(|node| self.place_of(node).unwrap_or(0) as u64);
                    if envelope.connection == ConnectionId::UNSET {
                        envelope.connection = ConnectionId(1 + ends[0] * 10 + ends[1]);
                    }
                    self.wires.push(*envelope);
                }
                Effect::Note(event) => self.seen.note(own, &event),
                Effect::Close(_) | Effect::Later(_) | Effect::Exit => {}
            }
        }
    }
}

impl Seen {
    fn note(&mut self, own: ControllerId, event: &Event) {
        match event {
            Event::QuorumOpened { batches, .. } => {
                self.logs.insert(own, batches.clone());
            }
            Event::QuorumRole { epoch, role: QuorumRole::Leader, .. } => {
                let known = *self.leaders.entry(*epoch).or_insert(own);
                if known != own {
                    self.breaks(format!("{known} and {own} lead in epoch {epoch} (C28)"));
                }
                let log = self.logs.entry(own).or_default();
                if !self.committed.iter().all(|batch| log.contains(batch)) {
                    self.breaks(format!("{own} leads in epoch {epoch} without all that is committed (C28)"));
                }
            }
            Event::Voted { epoch, candidate } => {
                let known = *self.votes.entry((own, *epoch)).or_insert(*candidate);
                if known != *candidate {
                    self.breaks(format!("{own} votes for two in epoch {epoch} (C3)"));
                }
            }
            Event::MetadataAppended { batch, .. } => self.logs.entry(own).or_default().push(*batch),
            Event::MetadataTruncated { end } => {
                self.logs.entry(own).or_default().retain(|batch| batch.end() <= *end);
            }
            Event::MetadataHighWatermark { at, .. } => self.commit(own, *at),
            _ => {}
        }
    }

    fn commit(&mut self, own: ControllerId, at: EndOffset) {
        let log = self.logs.get(&own).cloned().unwrap_or_default();
        let known: BTreeSet<_> = self.committed.iter().map(|batch| (batch.base, batch.crc)).collect();
        for batch in log.into_iter().filter(|batch| batch.end() <= at) {
            match self.committed.iter().find(|committed| committed.base == batch.base) {
                Some(committed) if *committed != batch => {
                    self.breaks(format!("two batches are committed at {} (C28)", batch.base));
                }
                Some(_) => {}
                None => self.committed.push(batch),
            }
        }
        self.commits += u64::from(self.committed.len() > known.len());
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }
}
