//! Learning what the controller decided: fetching the metadata log, late and at this broker's own pace (C45, C46).
//!
//! Records are taken in as they come and handed to [`super::applying`] as one task, so several fetches may end up in one
//! change of the image (N7). Does not know what the records mean.

use std::collections::VecDeque;
use std::time::Duration;

use super::Process;
use super::rpc::{Backoff, Outstanding};
use super::step::Step;
use crate::log::record::Record;
use crate::machine::{Severed, Task};
use crate::metadata::MetadataRecord;
use crate::names::{EndOffset, Offset, Partition, Time};
use crate::wire::{
    Channel, ConnectionId, Envelope, ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse,
    Fetcher, Request,
};

/// How long the controller may hold a fetch of the metadata log (C19).
const MAX_WAIT: Duration = Duration::from_millis(500);
/// `controller.quorum.fetch.timeout.ms`: how long an observer waits for an answer.
const FETCH_TIMEOUT: Duration = Duration::from_millis(2_000);
/// Waits after a failure; as for a raft client, from `controller.quorum.retry.backoff.ms` up to a second.
const RETRY_BACKOFF: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(1_000));
/// More than any response of ours holds.
const MAX_BYTES: u32 = 8 * 1024 * 1024;

/// This broker as an observer of the metadata log.
#[derive(Clone, Debug, Default)]
pub(super) struct Observer {
    /// Everything below was fetched.
    fetched: EndOffset,
    /// Fetched, not applied yet.
    pending: VecDeque<(Offset, MetadataRecord)>,
    /// Whether the image has been published to the replicas; not before it holds this life's registration (C44).
    published: bool,
    outstanding: Option<Outstanding>,
    retry_at: Option<Time>,
    backoff: Backoff,
}

impl Observer {
    /// Whether replicas obey the image by now.
    pub(super) fn has_published(&self) -> bool {
        self.published
    }

    /// From now on they do.
    pub(super) fn publish(&mut self) {
        self.published = true;
    }

    /// Takes in what is committed (C45), in order and without a gap: behind a batch that cannot be read, or that does not
    /// go on where the one before ended, nothing is taken. `false` if there was one.
    fn take_in(&mut self, part: FetchPartitionResponse) -> bool {
        let committed = part.high_watermark.unwrap_or_default();
        for batch in part.records.batches() {
            let Ok(batch) = batch else { return false };
            if !batch.is_valid() || batch.base_offset().bound() > self.fetched {
                return false;
            }
            // A batch is committed as a whole (C31).
            if batch.end() > committed {
                break;
            }
            if batch.end() <= self.fetched {
                continue;
            }
            let read = |record: Result<Record, _>| {
                let record = record.ok()?;
                Some((record.offset, MetadataRecord::decode(record.value.as_deref()?).ok()?))
            };
            let Some(records) = batch.records().map(read).collect::<Option<Vec<_>>>() else { return false };
            self.pending.extend(records);
            self.fetched = batch.end();
        }
        true
    }

    /// The next record to apply, if one was fetched.
    pub(super) fn next(&mut self) -> Option<(Offset, MetadataRecord)> {
        self.pending.pop_front()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.outstanding.map(|outstanding| outstanding.deadline).or(self.retry_at)
    }
}

impl Process {
    /// Asks for what comes next.
    pub(super) fn observe(&mut self, step: &mut Step<'_>) {
        let correlation = self.next_correlation();
        let request = FetchRequest {
            fetcher: Fetcher::Replica { id: self.own.id, epoch: self.lifecycle.epoch() },
            max_wait: MAX_WAIT,
            min_bytes: 1,
            max_bytes: MAX_BYTES,
            partitions: vec![FetchPartition {
                partition: Partition::METADATA,
                fetch_offset: self.observer.fetched.next(),
                current_leader_epoch: None,
                last_fetched_epoch: None,
                log_start: EndOffset::ZERO,
                max_bytes: MAX_BYTES,
            }],
        };
        self.observer.retry_at = None;
        self.observer.outstanding = Some(Outstanding { correlation, deadline: step.now + FETCH_TIMEOUT });
        let (from, to) = (self.own.id, self.own.controller());
        step.effects.send(Envelope::request(from, to, Channel::Metadata, correlation, Request::Fetch(request)));
    }

    pub(super) fn observed(&mut self, correlation: u64, answer: FetchResponse, step: &mut Step<'_>) {
        if self.observer.outstanding.is_none_or(|outstanding| outstanding.correlation != correlation) {
            return;
        }
        self.observer.outstanding = None;
        let Some(part) = answer.partitions.into_iter().next().filter(|part| part.error == ErrorCode::None) else {
            return self.observer_failed(step);
        };
        let sound = self.observer.take_in(part);
        if !self.observer.pending.is_empty() {
            step.effects.later(Task::ApplyMetadata { upto: self.observer.fetched });
        }
        if sound {
            self.observer.backoff.succeeded();
            self.observe(step);
        } else {
            self.observer_failed(step);
        }
    }

    pub(super) fn observer_severed(&mut self, step: &mut Step<'_>) {
        if self.observer.outstanding.take().is_some() {
            self.observer_failed(step);
        }
    }

    pub(super) fn tick_observer(&mut self, step: &mut Step<'_>) {
        if self.observer.outstanding.is_some_and(|outstanding| step.now >= outstanding.deadline) {
            self.observer.outstanding = None;
            let (peer, channel) = (self.own.controller(), Channel::Metadata);
            step.effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
            self.observer_failed(step);
        } else if self.observer.retry_at.is_some_and(|at| step.now >= at) {
            self.observe(step);
        }
    }

    fn observer_failed(&mut self, step: &mut Step<'_>) {
        let (first, most) = RETRY_BACKOFF;
        self.observer.retry_at = Some(step.now + self.observer.backoff.failed(first, most));
    }
}
