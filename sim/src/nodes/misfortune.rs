//! What of all misfortunes can befall a cluster on madsim's nodes, and by which of madsim's means.
//!
//! Each is stated as a fact before it takes effect, as in our own world. What madsim has no means for is counted and
//! neither stated nor done: an excuse for what never happened would make the judge lenient.

use std::time::Duration;

use model::disk::DiskError;
use model::machine::{Command, Input};
use model::names::Node;

use super::{Errand, Nodes};
use crate::fact::{Chapter, Ending, Moment, What};
use crate::fault::{Fault, Stopping, Target};
use crate::world::doom::Doom;
use crate::world::hosts::Condition;
use crate::world::misfortune::{cut_in, with_targets};
use crate::world::{Observer, roles};

impl<O: Observer> Nodes<O> {
    /// Lets a misfortune befall whom it concerns, now; see [`Nodes::unsupported`].
    pub fn inflict(&mut self, fault: &Fault) {
        match fault {
            Fault::PowerOffAll => {
                self.ground.state(None, What::Struck(fault.clone()));
                for index in 0..self.hosts() {
                    if !self.node(index).is_client() {
                        self.stop(index, Ending::PoweredOff);
                    }
                }
            }
            Fault::Heal => {
                self.ground.state(None, What::Struck(fault.clone()));
                for (from, to) in std::mem::take(&mut self.cuts) {
                    self.network.unclog_link(self.id(from), self.id(to));
                }
            }
            // What is held waits on a clogged link as what is cut does: madsim loses neither.
            Fault::Cut { from, to } | Fault::Hold { from, to } => {
                for (from, to) in self.links(fault, from, to, false) {
                    self.cut(from, to);
                }
            }
            Fault::CutBoth { between, and } => {
                for (from, to) in self.links(fault, between, and, true) {
                    self.cut(from, to);
                }
            }
            Fault::Release { from, to } => {
                for (from, to) in self.links(fault, from, to, false) {
                    self.unclog(from, to);
                }
            }
            Fault::Mend { between, and } => {
                for (from, to) in self.links(fault, between, and, true) {
                    self.unclog(from, to);
                }
            }
            Fault::Sever { between, and } => {
                for (one, other) in self.links(fault, between, and, true) {
                    let lines = self.ground.lock().places[one].lines.upgrade();
                    if let Some(lines) = lines {
                        lines.sever(self.node(other));
                    }
                }
            }
            Fault::Administer(request) => {
                let admin = self.cluster.admin_id();
                self.ground.state(Some(admin.into()), What::Struck(fault.clone()));
                self.submit(admin, Command::Administer(request.clone()));
            }
            Fault::Delay { .. }
            | Fault::Lag { .. }
            | Fault::Stall { .. }
            | Fault::Slow { .. }
            | Fault::ClockSkew(..)
            | Fault::ClockDrift(..)
            | Fault::ClockJump(..) => {
                let name = format!("{fault:?}");
                let name = name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
                *self.unsupported.entry(name.to_owned()).or_default() += 1;
            }
            Fault::Crash(target)
            | Fault::PowerOff(target)
            | Fault::Restart(target)
            | Fault::Start(target)
            | Fault::Terminate(target)
            | Fault::Destroy(target)
            | Fault::Wipe(target)
            | Fault::Pause(target, _)
            | Fault::Isolate(target)
            | Fault::DiskStall(target, _)
            | Fault::DiskSlow(target, _)
            | Fault::DiskFull(target)
            | Fault::DiskFree(target)
            | Fault::DiskError(target, _)
            | Fault::SyncError(target)
            | Fault::Rot(target)
            | Fault::CrashAtDiskCall(target, _)
            | Fault::PowerOffAtDiskCall(target, _)
            | Fault::StopAtDiskCall { target, .. }
            | Fault::Upgrade(target, _) => {
                let nodes = self.with_housemates(self.resolve(*target));
                if nodes.is_empty() {
                    self.ground.state(None, What::Struck(fault.clone()));
                }
                for node in nodes {
                    self.ground.state(Some(node), What::Struck(fault.clone()));
                    if let Some(index) = self.ground.index_of(node) {
                        self.strike(index, fault);
                    }
                }
            }
        }
    }

    /// Takes back every fault and starts every host that can return.
    pub fn heal(&mut self) {
        self.armed.clear();
        self.ambushes.lift();
        self.truce += 1;
        self.inflict(&Fault::Heal);
        for index in 0..self.hosts() {
            {
                let mut held = self.ground.lock();
                let host = &mut held.places[index].host;
                host.disk.mend();
                host.spare();
            }
            self.resume(index, Moment(u64::MAX));
        }
        self.restart_all();
        for place in &mut self.ground.lock().places {
            place.host.wanted = place.host.condition == Condition::Up;
        }
        self.chapter(Chapter::Healed);
    }

    /// Starts every host that has no process, but can have one and has had one.
    pub fn restart_all(&mut self) {
        for index in 0..self.hosts() {
            let (node, returns) = {
                let host = &self.ground.lock().places[index].host;
                (host.node, matches!(host.condition, Condition::Down | Condition::Off) && host.life > 0)
            };
            if returns {
                self.inflict(&Fault::Restart(Target::Node(node)));
            }
        }
    }

    /// Whoever has ended in an orderly way since the cluster was healed, and is wanted, is started again.
    pub(super) fn return_the_wanted(&mut self) {
        for index in 0..self.hosts() {
            let back = {
                let host = &self.ground.lock().places[index].host;
                host.wanted && host.condition == Condition::Down
            };
            if back {
                self.start(index);
            }
        }
    }

    pub(super) fn resume(&mut self, index: usize, now: Moment) {
        let resumed = {
            let mut held = self.ground.lock();
            let host = &mut held.places[index].host;
            let due = host.paused.is_some_and(|end| end <= now);
            due.then(|| host.paused = None).map(|()| host.node)
        };
        if let Some(node) = resumed {
            self.ground.state(Some(node), What::Resumed);
            self.runtime.handle().resume(self.id(index));
        }
    }

    /// Whom a role resolves to now; nobody if nobody has it.
    #[must_use]
    pub fn resolve(&self, target: Target) -> Vec<Node> {
        let nodes: Vec<Node> = self.ground.lock().places.iter().map(|place| place.host.node).collect();
        roles::resolve(&self.cluster, self.cast(), &nodes, target)
    }

    fn strike(&mut self, index: usize, fault: &Fault) {
        let condition = self.ground.lock().places[index].host.condition;
        let is_up = condition == Condition::Up;
        match fault {
            Fault::Crash(_) if is_up => self.stop(index, Ending::Crashed),
            Fault::PowerOff(_) => self.stop(index, Ending::PoweredOff),
            Fault::Restart(_) => {
                if is_up {
                    self.stop(index, Ending::Crashed);
                }
                self.start(index);
            }
            Fault::Start(_) => {
                let has_run = self.ground.lock().places[index].host.life > 0;
                if has_run {
                    self.start(index);
                }
            }
            Fault::Terminate(_) => {
                self.ground.lock().places[index].host.wanted = false;
                // One process, one signal: the broker goes first, and the controller when it has gone.
                if !self.leaves_with_a_broker(index) {
                    self.ground.offer(index, Input::Terminate);
                }
            }
            Fault::Destroy(_) => self.stop(index, Ending::Destroyed),
            Fault::Wipe(_) if condition != Condition::Destroyed => {
                self.stop(index, Ending::PoweredOff);
                self.ground.lock().places[index].host.replace_disk();
            }
            Fault::Pause(_, span) if is_up => self.pause(index, *span),
            Fault::Isolate(_) => {
                let own = self.node(index);
                for other in 0..self.hosts() {
                    if other != index && self.cluster.housemate(own) != Some(self.node(other)) {
                        self.cut(index, other);
                        self.cut(other, index);
                    }
                }
            }
            _ => self.spoil(index, fault),
        }
    }

    /// What befalls a host without ending its process at once.
    fn spoil(&mut self, index: usize, fault: &Fault) {
        let (now, dice) = (self.now(), self.dice);
        let mut held = self.ground.lock();
        let host = &mut held.places[index].host;
        match fault {
            Fault::Upgrade(_, protocol) => host.program.upgrade(**protocol),
            Fault::DiskStall(_, span) => host.disk.stall_until(now + *span),
            Fault::DiskSlow(_, factor) => host.disk.slow_down(*factor),
            Fault::DiskFull(_) => host.disk.set_full(true),
            Fault::DiskFree(_) => host.disk.set_full(false),
            Fault::DiskError(_, calls) => host.disk.fail_next(u64::from(*calls), DiskError::Io),
            Fault::SyncError(_) => host.disk.fail_syncs(1),
            Fault::Rot(_) => {
                host.rots += 1;
                host.disk.flip_bit(dice, host.rots, ".log");
            }
            Fault::CrashAtDiskCall(_, nth) => host.doom_next(*nth, Stopping::Kill),
            Fault::PowerOffAtDiskCall(_, nth) => host.doom_next(*nth, Stopping::Power),
            Fault::StopAtDiskCall { call, side, how, back, .. } => {
                let doom = Doom { how: how.clone(), side: *side, back: Some(*back), cut: Some(cut_in(*call, *side)) };
                host.doom_call(*call, doom);
            }
            _ => {}
        }
    }

    fn pause(&mut self, index: usize, span: Duration) {
        let end = self.now() + span;
        let was_paused = {
            let mut held = self.ground.lock();
            let host = &mut held.places[index].host;
            if host.paused.is_some_and(|known| known >= end) {
                return;
            }
            host.paused.replace(end).is_some()
        };
        self.plan(end, Errand::Resume(index));
        if !was_paused {
            self.ground.state(Some(self.node(index)), What::Paused);
            self.runtime.handle().pause(self.id(index));
        }
    }

    fn stop(&mut self, index: usize, how: Ending) {
        self.ground.end(self.runtime.handle(), index, how, None);
    }

    fn cut(&mut self, from: usize, to: usize) {
        if self.cuts.insert((from, to)) {
            self.network.clog_link(self.id(from), self.id(to));
        }
    }

    fn unclog(&mut self, from: usize, to: usize) {
        if self.cuts.remove(&(from, to)) {
            self.network.unclog_link(self.id(from), self.id(to));
        }
    }

    /// States a fault of links, with its targets resolved, and says which links those are.
    fn links(&mut self, fault: &Fault, from: &[Target], to: &[Target], both: bool) -> Vec<(usize, usize)> {
        let (from, to) = (self.resolve_all(from), self.resolve_all(to));
        let named = |nodes: &[Node]| nodes.iter().map(|node| Target::Node(*node)).collect::<Vec<Target>>();
        let resolved = with_targets(fault, named(&from), named(&to));
        self.ground.state(from.first().copied(), What::Struck(resolved));
        let mut links = Vec::new();
        for one in from.iter().filter_map(|node| self.ground.index_of(*node)) {
            for other in to.iter().filter_map(|node| self.ground.index_of(*node)) {
                if one != other && self.cluster.housemate(self.node(one)) != Some(self.node(other)) {
                    links.push((one, other));
                    if both {
                        links.push((other, one));
                    }
                }
            }
        }
        links.sort_unstable();
        links.dedup();
        links
    }

    fn resolve_all(&self, targets: &[Target]) -> Vec<Node> {
        let nodes = targets.iter().flat_map(|target| self.resolve(*target)).collect();
        let mut nodes = self.with_housemates(nodes);
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// What befalls a process befalls all who run in it.
    fn with_housemates(&self, nodes: Vec<Node>) -> Vec<Node> {
        let mut all = nodes;
        for place in 0..all.len() {
            if let Some(housemate) = self.cluster.housemate(all[place])
                && !all.contains(&housemate)
            {
                all.push(housemate);
            }
        }
        all
    }

    /// Whether this is the controller of a process whose broker is still there.
    fn leaves_with_a_broker(&self, index: usize) -> bool {
        let node = self.node(index);
        let broker = self.cluster.housemate(node).filter(|_| matches!(node, Node::Controller(_)));
        broker.is_some_and(|broker| self.is_up(broker))
    }

    fn hosts(&self) -> usize {
        self.ground.lock().places.len()
    }

    fn node(&self, index: usize) -> Node {
        self.ground.lock().places[index].host.node
    }

    fn id(&self, index: usize) -> madsim::task::NodeId {
        self.ground.lock().places[index].id
    }
}
