//! What a script has an operator ask for.

use model::machine::{Command as Ask, Input};
use model::names::{BrokerId, Offset};
use model::wire::{AdminRequest, AlteredResource};

use super::Stage;

impl Stage {
    /// The first partition of the first topic gets these replicas, the preferred leader first.
    pub(super) fn reassign(&mut self, replicas: Vec<BrokerId>) {
        let (topic, replicas) = (self.first_topic(), Some(replicas));
        self.ask(Ask::Administer(AdminRequest::AlterPartitionReassignments { topic, partition: 0, replicas }));
    }

    /// Its preferred leader is to lead it.
    pub(super) fn elect(&mut self) {
        let topic = self.first_topic();
        self.ask(Ask::Administer(AdminRequest::ElectLeaders { topic, partition: 0, unclean: false }));
    }

    /// The first topic gets this property.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let (resource, name, value) = (AlteredResource::Topic(self.first_topic()), name.to_owned(), value.to_owned());
        self.ask(Ask::Administer(AdminRequest::IncrementalAlterConfigs { resource, name, value: Some(value) }));
    }

    /// The first partition of the first topic loses its records below this offset.
    pub(super) fn delete_records(&mut self, before: u64) {
        let topic = self.first_topic();
        self.ask(Ask::DeleteRecords { topic, partition: 0, before: Some(Offset(before)) });
    }

    fn first_topic(&self) -> String {
        self.cluster.all_topics().swap_remove(0).name
    }

    fn ask(&mut self, ask: Ask) {
        self.give(self.cluster.admin_id().into(), Input::Submit(ask));
    }
}
