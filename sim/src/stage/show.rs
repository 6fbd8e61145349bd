//! What can be looked at on a stage: logs as they are on disk, and what replicas have said of themselves.

use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use model::event::Value;
use model::log::checkpoint::Malformed;
use model::log::{Batches, EpochCache, epochs};
use model::names::{BrokerId, Node, Partition};

use super::Stage;
use crate::cast::Role;

impl Stage {
    /// The log of every replica on these brokers, record by record, as it lies in the page cache: `0/e0=1` is the
    /// record at offset 0, written in epoch 0, with value 1.
    #[must_use]
    pub fn show_log(&self, brokers: &[BrokerId]) -> Vec<String> {
        let replicas = brokers.iter().flat_map(|broker| {
            let replicas = self.cast.partitions().iter().map(|partition| (*broker, *partition));
            replicas.filter(|(broker, partition)| self.cast.replicas(*partition).contains(broker))
        });
        replicas
            .map(|(broker, partition)| format!("{broker} {partition}: {}", self.log_of(broker, partition)))
            .collect()
    }

    /// The leader-epoch checkpoint of every replica on these brokers, as it lies on disk: `e3@11` says that epoch 3 begins at
    /// offset 11.
    #[must_use]
    pub fn show_epochs(&self, brokers: &[BrokerId]) -> Vec<String> {
        let mut lines = Vec::new();
        for broker in brokers {
            for partition in self.cast.partitions() {
                let Some(text) = self.epoch_checkpoint(*broker, *partition) else { continue };
                let epochs = match EpochCache::parse(&text) {
                    Ok(cache) => cache.entries().iter().map(|(epoch, start)| format!(" e{epoch}@{start}")).collect(),
                    Err(Malformed(why)) => format!(" {why}"),
                };
                lines.push(format!("{broker} {partition}:{epochs}"));
            }
        }
        lines
    }

    /// Leader, epoch and ISR of every partition, as committed.
    #[must_use]
    pub fn show_isr(&self) -> Vec<String> {
        let registrations = self.cast.image().partitions.values();
        registrations
            .map(|known| {
                let leader = known.leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
                let isr: Vec<String> = known.isr.iter().map(ToString::to_string).collect();
                format!("{} led by {leader} in epoch {}, ISR [{}]", known.partition, known.leader_epoch, isr.join(" "))
            })
            .collect()
    }

    /// Role, high watermark and log end of every replica on these brokers, as they said last.
    #[must_use]
    pub fn show_high_watermark(&self, brokers: &[BrokerId]) -> Vec<String> {
        let mut lines = Vec::new();
        for broker in brokers {
            for partition in self.cast.partitions() {
                let Some(stand) = self.cast.stand(*partition, *broker) else { continue };
                let role = match stand.role {
                    Role::Idle => "idle".to_owned(),
                    Role::Leads(epoch) => format!("leads in epoch {epoch}"),
                    Role::Follows(epoch) => format!("follows in epoch {epoch}"),
                };
                let (high_watermark, end) = (stand.high_watermark, stand.end);
                lines.push(format!("{broker} {partition}: high watermark {high_watermark}, end {end}, {role}"));
            }
        }
        lines
    }

    /// The same text with partitions called by their topics' names, as in `records-0`: an id depends on everything that
    /// was committed before, and would hide what differs between two transcripts.
    #[must_use]
    pub fn by_topic_name(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in self.cast.topics() {
            text = text.replace(&format!(" t{}-", id.0), &format!(" {name}-"));
            if let Some(rest) = text.strip_prefix(&format!("t{}-", id.0)) {
                text = format!("{name}-{rest}");
            }
            text = text.replace(&format!("\nt{}-", id.0), &format!("\n{name}-"));
        }
        text
    }

    fn log_of(&self, broker: BrokerId, partition: Partition) -> String {
        let bytes = self.log_bytes(broker, partition);
        let mut text = String::new();
        for batch in Batches::new(bytes).map_while(Result::ok) {
            let epoch = batch.leader_epoch();
            for record in batch.records().map_while(Result::ok) {
                let value = record.value.as_deref().map_or(0, |payload| Value::of(payload).0);
                let _ = write!(text, " {}/e{epoch}={value}", record.offset);
            }
        }
        if text.is_empty() { "empty".to_owned() } else { text.trim_start().to_owned() }
    }

    fn epoch_checkpoint(&self, broker: BrokerId, partition: Partition) -> Option<String> {
        let host = &self.hosts[self.index_of(Node::from(broker))?];
        let directory = self.cast.image().directory(partition)?;
        let bytes = host.disk.peek(&format!("{directory}/{}", epochs::FILE))?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All segments of a log, one after the other.
    fn log_bytes(&self, broker: BrokerId, partition: Partition) -> Bytes {
        let mut bytes = BytesMut::new();
        let host = self.index_of(Node::from(broker)).map(|index| &self.hosts[index]);
        if let (Some(host), Some(directory)) = (host, self.cast.image().directory(partition)) {
            let segments = host.disk.files().map(|(path, _)| path.to_owned());
            for path in segments.filter(|path| path.starts_with(&format!("{directory}/")) && path.ends_with(".log")) {
                bytes.extend_from_slice(&host.disk.peek(&path).unwrap_or_default());
            }
        }
        bytes.freeze()
    }
}
