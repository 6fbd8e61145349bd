//! The one door through which misfortunes come in. Each one is stated as a fact before it takes effect.

use model::disk::DiskError;
use model::machine::{Command, Input};
use model::names::Node;

use super::doom::Doom;
use super::hosts::Condition;
use super::{Observer, World};
use crate::disk::Side;
use crate::fact::{Chapter, Ending, What};
use crate::fault::{Fault, Stopping, Target};
use crate::hands::Verbs;
use crate::net::Rule;

impl<O: Observer> World<O> {
    /// Lets a misfortune befall whom it concerns, now.
    ///
    /// A fault of one target is stated once for each node that the target resolves to, with that node; a fault of links
    /// is stated once, with its targets resolved. One that finds nobody is stated with nobody.
    pub fn inflict(&mut self, fault: &Fault) {
        match fault {
            Fault::PowerOffAll => {
                self.state(None, What::Struck(fault.clone()));
                for index in 0..self.hosts.len() {
                    if !self.hosts[index].node.is_client() {
                        self.stop(index, Ending::PoweredOff);
                    }
                }
            }
            Fault::Heal => {
                self.state(None, What::Struck(fault.clone()));
                self.with_network(|network, out| network.heal(out));
            }
            Fault::Cut { from, to } => self.lay(fault, from, to, false, Rule::Cut),
            Fault::CutBoth { between, and } => self.lay(fault, between, and, true, Rule::Cut),
            Fault::Hold { from, to } => self.lay(fault, from, to, false, Rule::Hold),
            Fault::Delay { from, to, extra, jitter } => {
                self.lay(fault, from, to, false, Rule::Delay { extra: *extra, jitter: *jitter });
            }
            Fault::Lag { channel, from, to, extra } => {
                self.lay(fault, from, to, false, Rule::Lag { channel: *channel, extra: *extra });
            }
            Fault::Stall { channel, from, to, lasts } => {
                let until = self.now + *lasts;
                self.lay(fault, from, to, false, Rule::Stall { channel: *channel, until });
            }
            Fault::Slow { from, to, bytes_per_second } => {
                self.lay(fault, from, to, false, Rule::Slow(*bytes_per_second));
            }
            Fault::Release { from, to } => {
                for (from, to) in self.links(fault, from, to, false) {
                    self.with_network(|network, out| network.release(from, to, out));
                }
            }
            Fault::Mend { between, and } => {
                for (from, to) in self.links(fault, between, and, true) {
                    self.with_network(|network, out| network.lift(from, to, out));
                }
            }
            Fault::Sever { between, and } => {
                for (one, other) in self.links(fault, between, and, false) {
                    self.with_network(|network, out| network.sever(one, other, out));
                }
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
            | Fault::ClockSkew(target, _)
            | Fault::ClockDrift(target, _)
            | Fault::ClockJump(target, _)
            | Fault::Upgrade(target, _) => self.strike_each(*target, fault),
            Fault::Administer(request) => {
                let admin = self.admin().into();
                self.state(Some(admin), What::Struck(fault.clone()));
                self.submit(self.admin(), Command::Administer(request.clone()));
            }
        }
    }

    /// Takes back every fault: links are mended, pauses end, disks answer again, clocks stop drifting, and nothing that
    /// was armed will strike. Who is down stays down, what is lost stays lost, and a clock that is wrong stays as wrong
    /// as it is.
    pub fn mend(&mut self) {
        self.disarm();
        self.inflict(&Fault::Heal);
        let now = self.now;
        for index in 0..self.hosts.len() {
            let host = &mut self.hosts[index];
            host.disk.mend();
            host.spare();
            host.clock.drift(now, 0);
            self.wake(index);
            self.retime(index);
        }
    }

    /// Takes back every fault and starts every host that can return. Whoever was told to end before, and is still at it,
    /// is started again when it has ended.
    pub fn heal(&mut self) {
        self.mend();
        self.restart_all();
        for host in &mut self.hosts {
            host.wanted = host.condition == Condition::Up;
        }
        self.chapter(Chapter::Healed);
    }

    /// Starts every host that has no process, but can have one and has had one.
    pub fn restart_all(&mut self) {
        for index in 0..self.hosts.len() {
            let host = &self.hosts[index];
            if matches!(host.condition, Condition::Down | Condition::Off) && host.life > 0 {
                let node = host.node;
                self.inflict(&Fault::Restart(Target::Node(node)));
            }
        }
    }

    fn strike_each(&mut self, target: Target, fault: &Fault) {
        let nodes = self.with_housemates(self.resolve(target));
        if nodes.is_empty() {
            self.state(None, What::Struck(fault.clone()));
        }
        for node in nodes {
            self.state(Some(node), What::Struck(fault.clone()));
            if let Some(index) = self.index_of(node) {
                self.strike(index, fault);
            }
        }
    }

    /// A fault of one target befalls one host.
    fn strike(&mut self, index: usize, fault: &Fault) {
        let now = self.now;
        match fault {
            Fault::Crash(_) if self.hosts[index].condition == Condition::Up => self.stop(index, Ending::Crashed),
            Fault::PowerOff(_) => self.stop(index, Ending::PoweredOff),
            Fault::Restart(_) => {
                if self.hosts[index].condition == Condition::Up {
                    self.stop(index, Ending::Crashed);
                }
                self.start(index);
            }
            Fault::Start(_) if self.hosts[index].life > 0 => self.start(index),
            Fault::Upgrade(_, protocol) => self.hosts[index].program.upgrade(**protocol),
            // One process, one signal: the broker goes first, and the controller when it has gone.
            Fault::Terminate(_) if self.leaves_with_a_broker(index) => self.hosts[index].wanted = false,
            Fault::Terminate(_) => {
                self.hosts[index].wanted = false;
                self.offer(index, Input::Terminate);
            }
            Fault::Destroy(_) => self.stop(index, Ending::Destroyed),
            Fault::Wipe(_) if self.hosts[index].condition != Condition::Destroyed => {
                self.stop(index, Ending::PoweredOff);
                self.hosts[index].replace_disk();
            }
            Fault::Pause(_, span) => self.stand_still(index, *span),
            Fault::Isolate(_) => {
                let housemate = self.housemate_of(index);
                for other in (0..self.hosts.len()).filter(|other| *other != index && Some(*other) != housemate) {
                    self.network.impose(index, other, Rule::Cut);
                    self.network.impose(other, index, Rule::Cut);
                }
            }
            Fault::ClockSkew(_, nanos) => self.hosts[index].change_clock(now, |clock| clock.skew(now, *nanos)),
            Fault::ClockDrift(_, ppm) => self.hosts[index].clock.drift(now, i64::from(*ppm)),
            Fault::ClockJump(_, nanos) => self.hosts[index].change_clock(now, |clock| clock.jump(now, *nanos)),
            _ => self.spoil_disk(index, fault),
        }
        if matches!(fault, Fault::ClockSkew(..) | Fault::ClockDrift(..) | Fault::ClockJump(..)) {
            self.retime(index);
        }
    }

    fn spoil_disk(&mut self, index: usize, fault: &Fault) {
        let (now, dice) = (self.now, self.dice);
        let host = &mut self.hosts[index];
        match fault {
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

    fn lay(&mut self, fault: &Fault, from: &[Target], to: &[Target], both: bool, rule: Rule) {
        for (from, to) in self.links(fault, from, to, both) {
            self.network.impose(from, to, rule);
        }
    }

    /// States a fault of links, with its targets resolved, and says which links those are.
    fn links(&mut self, fault: &Fault, from: &[Target], to: &[Target], both: bool) -> Vec<(usize, usize)> {
        let from = self.resolve_all(from);
        let to = self.resolve_all(to);
        let named = |nodes: &[Node]| nodes.iter().map(|node| Target::Node(*node)).collect::<Vec<Target>>();
        let resolved = with_targets(fault, named(&from), named(&to));
        self.state(from.first().copied(), What::Struck(resolved));
        let mut links = Vec::new();
        for one in from.iter().filter_map(|node| self.index_of(*node)) {
            for other in to.iter().filter_map(|node| self.index_of(*node)) {
                if one != other && self.housemate_of(one) != Some(other) {
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
        let mut nodes: Vec<Node> = self.with_housemates(nodes);
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

    /// The host that stands for the other part of the same process.
    pub(super) fn housemate_of(&self, index: usize) -> Option<usize> {
        self.cluster.housemate(self.hosts[index].node).and_then(|node| self.index_of(node))
    }

    /// Whether this is the controller of a process whose broker is still there.
    fn leaves_with_a_broker(&self, index: usize) -> bool {
        let is_controller = matches!(self.hosts[index].node, Node::Controller(_));
        is_controller && self.housemate_of(index).is_some_and(|other| self.hosts[other].condition == Condition::Up)
    }
}

/// What a power cut in this call draws from. A host's cuts are drawn by their number, and without this all first cuts
/// of a run would be in the same mood, whichever call they strike; real counts stay far below.
pub(crate) fn cut_in(call: u64, side: Side) -> u64 {
    (1 << 32) + 4 * call + side as u64
}

/// The same fault of links, but between these.
pub(crate) fn with_targets(fault: &Fault, one: Vec<Target>, other: Vec<Target>) -> Fault {
    match fault {
        Fault::Cut { .. } => Fault::Cut { from: one, to: other },
        Fault::CutBoth { .. } => Fault::CutBoth { between: one, and: other },
        Fault::Hold { .. } => Fault::Hold { from: one, to: other },
        Fault::Release { .. } => Fault::Release { from: one, to: other },
        Fault::Sever { .. } => Fault::Sever { between: one, and: other },
        Fault::Delay { extra, jitter, .. } => Fault::Delay { from: one, to: other, extra: *extra, jitter: *jitter },
        Fault::Lag { channel, extra, .. } => Fault::Lag { channel: *channel, from: one, to: other, extra: *extra },
        Fault::Stall { channel, lasts, .. } => Fault::Stall { channel: *channel, from: one, to: other, lasts: *lasts },
        Fault::Slow { bytes_per_second, .. } => {
            Fault::Slow { from: one, to: other, bytes_per_second: *bytes_per_second }
        }
        Fault::Mend { .. } => Fault::Mend { between: one, and: other },
        other => other.clone(),
    }
}
