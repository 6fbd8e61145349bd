//! Replicas that come and go in ZooKeeper mode: the assignment is in another znode than who leads and who is in sync, and is
//! written in a transaction of its own (KIP-455).
//!
//! A part of the reconstruction that all checks share. It demands nothing.

use model::metadata::PartitionRegistration;
use model::names::BrokerId;

use super::partition::PartitionView;

impl PartitionView {
    /// It has other replicas.
    pub(super) fn assign(&mut self, replicas: &[BrokerId], adding: &[BrokerId], removing: &[BrokerId]) {
        let Some(registration) = self.registration.as_mut() else { return };
        let before = std::mem::take(&mut registration.replicas);
        let is_another = registration.adding != adding || registration.removing != removing;
        registration.assign(replicas, adding, removing);
        if is_another && !(adding.is_empty() && removing.is_empty()) {
            self.all_came = false;
        }
        let gone = before.into_iter().filter(|replica| !replicas.contains(replica));
        gone.for_each(|broker| self.let_go(broker));
        self.look_whether_all_came();
    }

    /// Who goes deletes what it has before it is a replica no more (KIP-455); and who was told late may be one
    /// again by now. In sync it is not.
    pub(crate) fn removed(&mut self, broker: BrokerId) {
        if !self.isr().contains(&broker) {
            self.let_go(broker);
        }
    }

    /// Its process is over. If it comes or goes and is not in sync it may have been told that it goes, and died before it said so.
    pub(super) fn may_have_gone(&mut self, broker: BrokerId) {
        let on_the_way = |registration: &PartitionRegistration| {
            let moves = registration.adding.iter().chain(&registration.removing).any(|replica| *replica == broker);
            moves && !registration.isr.contains(&broker)
        };
        if self.registration.as_ref().is_some_and(on_the_way) {
            self.let_go(broker);
        }
    }

    /// Whether all replicas that a reassignment wants are in sync, now or before since it began.
    pub(super) fn look_whether_all_came(&mut self) {
        let Some(registration) = &self.registration else { return };
        let wanted = registration.replicas.iter().filter(|replica| !registration.removing.contains(replica));
        self.all_came |= wanted.clone().all(|replica| registration.isr.contains(replica));
    }
}
