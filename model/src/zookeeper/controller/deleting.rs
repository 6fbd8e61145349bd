//! Topics that are deleted (C74): all replicas delete what they have, and only when each has said so do the znodes go, so that
//! the name is free. A broker that is not there is waited for; and so is the end of a reassignment.
//!
//! Which replicas are gone is known to this controller alone: the next one asks all of them again. It must not know who asked.

use super::jobs::Job;
use super::reading::names;
use super::reign::Reign;
use super::{Answers, Hands, Question};
use crate::names::{BrokerId, Partition, TopicId};
use crate::wire::{Call, Operation};
use crate::zookeeper::znodes::{DELETED_TOPICS, deleted_topic_path, state_path, topic_config_path, topic_path};

impl Reign {
    /// What is to be asked for a job of these; `None` if it is none.
    pub(super) fn deleting_calls(&self, job: &Job) -> Option<Vec<Call>> {
        Some(match job {
            Job::Deletions => vec![Call::Children { path: DELETED_TOPICS.to_owned(), watch: true }],
            Job::Erase(name) => {
                let topic = topic_path(name);
                let mut paths = Vec::new();
                if let Some(deletion) = self.context.deleting.get(name) {
                    let of = |index: &u32| [state_path(name, *index), format!("{topic}/partitions/{index}")];
                    paths.extend(deletion.written.iter().flat_map(of));
                    paths.extend([format!("{topic}/partitions"), topic, topic_config_path(name)]);
                }
                paths.push(deleted_topic_path(name));
                let delete = |path| Operation::Delete { path };
                vec![Call::Multi(std::iter::once(self.check()).chain(paths.into_iter().map(delete)).collect())]
            }
            _ => return None,
        })
    }

    /// These are to be deleted.
    pub(super) fn deletions_read<T: Clone + From<Question>>(&mut self, answers: &Answers, hands: &mut Hands<'_, T>) {
        let wanted: Vec<String> = names(answers).cloned().collect();
        self.context.deleting.retain(|name, _| wanted.contains(name));
        self.context.doomed.retain(|name| wanted.contains(name));
        for name in wanted {
            if self.context.deleting.contains_key(&name) {
                continue;
            }
            let Some(id) = self.context.named(&name) else {
                self.jobs.push_back(Job::Erase(name));
                continue;
            };
            if self.context.moving().iter().any(|partition| partition.topic == id) {
                self.context.doomed.insert(name);
                continue;
            }
            self.context.doomed.remove(&name);
            self.context.condemn(id);
            // A new controller first says who is alive (C64).
            if self.begun {
                for (broker, _) in self.channels.brokers() {
                    self.bury(broker, id, hands);
                }
                for (broker, _) in self.channels.brokers() {
                    self.dismiss_from(broker, &name, hands);
                }
            }
        }
    }

    /// After another controller: everybody is asked again.
    pub(super) fn go_on_deleting<T: Clone + From<Question>>(&mut self, hands: &mut Hands<'_, T>) {
        for (broker, _) in self.channels.brokers() {
            self.go_on_deleting_at(broker, hands);
        }
    }

    /// A broker is there: what it still has of what is deleted goes.
    pub(super) fn go_on_deleting_at<T: Clone + From<Question>>(&mut self, broker: BrokerId, hands: &mut Hands<'_, T>) {
        let deleting: Vec<(String, TopicId)> =
            self.context.deleting.iter().map(|(name, deletion)| (name.clone(), deletion.id)).collect();
        for (name, id) in deleting {
            self.bury(broker, id, hands);
            self.dismiss_from(broker, &name, hands);
        }
    }

    fn dismiss_from<T: Clone + From<Question>>(&mut self, broker: BrokerId, name: &str, hands: &mut Hands<'_, T>) {
        let Some(deletion) = self.context.deleting.get(name) else { return };
        let here = deletion.left.iter().filter(|(_, replica)| *replica == broker);
        let partitions = here.map(|(partition, _)| *partition).collect();
        self.dismiss(broker, partitions, hands);
    }

    /// A broker has deleted these replicas.
    pub(super) fn removed(&mut self, broker: BrokerId, partitions: &[Partition]) {
        for (name, deletion) in &mut self.context.deleting {
            let before = deletion.left.len();
            deletion.left.retain(|(partition, replica)| *replica != broker || !partitions.contains(partition));
            if before > 0 && deletion.left.is_empty() {
                self.jobs.push_back(Job::Erase(name.clone()));
            }
        }
    }

    /// The znodes of a topic are gone; or were, and the answer got lost.
    pub(super) fn erased(&mut self, name: String, answers: &Answers) {
        match answers.first() {
            Some(Ok(_)) => {
                self.context.deleting.remove(&name);
            }
            _ => self.jobs.push_back(Job::Deletions),
        }
    }
}
