//! What a host asks of its disk, kept call by call for whoever wants to strike at one of them.

use model::names::Node;

use super::{Observer, World};
use crate::disk::{Call, SimDisk};
use crate::fact::Moment;

/// One disk call, and in whose life it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskCall {
    /// Which.
    pub call: Call,
    /// When the step began in which it was made.
    pub at: Moment,
    /// The how-manieth process of the host made it.
    pub life: u32,
}

/// The kept calls of one host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Vec<DiskCall>);

impl Heard {
    /// Takes over what was recorded in a step of this life that began `at` this moment.
    pub(super) fn take(&mut self, disk: &SimDisk, at: Moment, life: u32) {
        let fresh = disk.recorded()[self.0.len()..].iter();
        self.0.extend(fresh.map(|call| DiskCall { call: call.clone(), at, life }));
    }
}

impl<O: Observer> World<O> {
    /// Whether the disk calls of all hosts are kept from now on. They are not unless this is asked for.
    pub fn keep_disk_calls(&mut self, keep: bool) {
        for host in &mut self.hosts {
            host.disk.record_calls(false);
            host.disk.record_calls(keep);
            host.heard = keep.then(Heard::default);
        }
    }

    /// The kept disk calls of a host, in order.
    #[must_use]
    pub fn kept_disk_calls(&self, node: impl Into<Node>) -> &[DiskCall] {
        let heard = self.index_of(node.into()).and_then(|index| self.hosts[index].heard.as_ref());
        heard.map_or(&[], |heard| &heard.0)
    }
}
