//! What may befall a node on a stage.

use std::time::Duration;

use model::names::Node;

use super::Stage;
use crate::disk::Side;
use crate::fact::{Ending, What};
use crate::world::hosts::Condition;

/// What a power cut leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// What is drawn.
    AsDrawn,
    /// Nothing of it.
    Nothing,
    /// All of it.
    Everything,
}

impl Stage {
    /// All nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.hosts.iter().map(|host| host.node)
    }

    /// The power of a node goes.
    pub(super) fn power_off(&mut self, node: Node, kept: Kept) {
        self.stop_keeping(node, Ending::PoweredOff, kept);
    }

    /// The power goes and the disk is replaced by an empty one.
    pub(super) fn wipe(&mut self, node: Node) {
        self.stop(node, Ending::PoweredOff);
        if let Some(index) = self.index_of(node) {
            self.hosts[index].replace_disk();
        }
    }

    /// The process will be killed in its nth disk call from now, just before it has any effect.
    pub(super) fn kill_in_disk_call(&mut self, node: Node, nth: u64) {
        if let Some(index) = self.index_of(node) {
            self.hosts[index].disk.crash_at_call(nth, Side::Before);
        }
    }

    /// What the host believes the time is jumps ahead.
    pub(super) fn turn_clock(&mut self, node: Node, ahead: Duration) {
        let now = self.now;
        if let Some(index) = self.index_of(node) {
            let nanos = i64::try_from(ahead.as_nanos()).unwrap_or(i64::MAX);
            self.hosts[index].clock.jump(now, nanos);
        }
    }

    /// Nothing passes between a node and these others.
    pub(super) fn cut(&mut self, one: Node, others: &[Node]) {
        for &other in others {
            self.links.part(one, other);
        }
    }

    /// It does again.
    pub(super) fn mend(&mut self, one: Node, others: &[Node]) {
        for &other in others {
            self.links.join(one, other);
        }
    }

    /// Everything passes between all.
    pub(super) fn heal(&mut self) {
        self.links.heal();
    }

    pub(super) fn stop_keeping(&mut self, node: Node, how: Ending, kept: Kept) {
        let Some(index) = self.index_of(node) else { return };
        let dice = self.dice;
        let host = &mut self.hosts[index];
        if host.condition != Condition::Up {
            return;
        }
        host.empty();
        if how == Ending::PoweredOff {
            // The first two of all legal states are these corners. What is settled by one is not drawn any more.
            match kept {
                Kept::AsDrawn => {}
                Kept::Everything => host.leave(dice, 0, 2),
                Kept::Nothing => host.leave(dice, 1, 2),
            }
            host.lose_power(dice, None);
        } else {
            host.condition = Condition::Down;
            host.disk.crash();
        }
        self.tasks.retain(|(host, _, _)| *host != index);
        self.links.node_stopped(node, how != Ending::PoweredOff);
        self.state(node, What::Stopped { how });
    }
}
