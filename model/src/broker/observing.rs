//! Learning what the controller decided: reading the metadata log, late and at this broker's own pace (C24, C45, C46).
//!
//! Records are taken in as they come, up to the leader's log end, and handed to [`super::applying`] once they are committed,
//! so several fetches may end up in one change of the image (N7). A broker keeps no copy of the log on its disk: each life
//! reads it anew, from the latest snapshot on. Does not know what the records mean.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

use super::Process;
use super::rpc::{Asked, Backoff, Outstanding};
use super::step::Step;
use crate::disk::DiskError;
use crate::log::record::Record;
use crate::log::{EpochCache, Slices};
use crate::machine::{Severed, Stop, Task};
use crate::metadata::{Image, MetadataRecord};
use crate::names::{EndOffset, LeaderEpoch, Node, Offset, SnapshotId, Time};
use crate::wire::{
    Channel, ConnectionId, DivergingEpoch, Envelope, ErrorCode, FetchMetadataRequest, FetchMetadataResponse,
    FetchSnapshotRequest, FetchSnapshotResponse, LogReader, Request,
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
    /// Everything below is committed, as far as this broker knows (C23).
    committed: Option<EndOffset>,
    /// Everything below was handed on.
    handed_on: EndOffset,
    /// Where each epoch begins in what was fetched.
    epochs: EpochCache,
    /// Fetched, not handed on yet.
    pending: VecDeque<(Offset, MetadataRecord)>,
    /// A snapshot that is being fetched: what is there of it so far.
    partial: Option<(SnapshotId, BytesMut)>,
    /// A snapshot that was fetched, and not handed on yet: it comes before everything that is pending.
    snapshot: Option<Box<Image>>,
    /// Whether the image has been published to the replicas; not before it holds this life's registration (C44).
    published: bool,
    outstanding: Option<Asked>,
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

    /// Takes in what came, in order and without a gap: behind a batch that cannot be read, or that does not go on where the
    /// one before ended, nothing is taken. `false` if there was one.
    fn take_in(&mut self, records: Slices) -> bool {
        for batch in records.into_batches() {
            let Ok(batch) = batch else { return false };
            if !batch.is_valid() || batch.base_offset().bound() > self.fetched {
                return false;
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
            self.epochs.assign(batch.id().epoch, batch.base_offset().bound());
            self.fetched = batch.end();
        }
        true
    }

    /// How far the log is committed never falls (C23).
    fn commit(&mut self, high_watermark: Option<EndOffset>) {
        let high_watermark = high_watermark.map(|at| at.min(self.fetched));
        self.committed = self.committed.max(high_watermark);
    }

    /// Forgets what is not in the leader's log (C22). `false` if that was committed: then nothing is to be believed.
    fn cut(&mut self, diverging: DivergingEpoch) -> bool {
        let own = self.epochs.end_offset_for(diverging.epoch, self.fetched);
        let (epoch, end) = own.unwrap_or((LeaderEpoch::ZERO, EndOffset::ZERO));
        let end = if epoch == diverging.epoch { end.min(diverging.end) } else { end };
        if Some(end) < self.committed || end < self.handed_on {
            return false;
        }
        self.pending.retain(|(offset, _)| end.covers(*offset));
        self.epochs.truncate_from_end(end);
        self.fetched = end;
        true
    }

    /// Begins again with a snapshot (C24).
    fn begin_with(&mut self, id: SnapshotId, image: Image) {
        self.pending.clear();
        self.epochs = EpochCache::default();
        self.epochs.assign(id.epoch, id.end);
        (self.fetched, self.handed_on) = (id.end, id.end);
        self.committed = self.committed.max(Some(id.end));
        self.snapshot = Some(Box::new(image));
    }

    /// Whether there is something to apply.
    fn has_news(&self) -> bool {
        let next = self.pending.front().map(|(offset, _)| *offset);
        self.snapshot.is_some() || next.is_some_and(|next| self.committed.is_some_and(|end| end.covers(next)))
    }

    /// The snapshot with which to begin again, if one was fetched.
    pub(super) fn next_snapshot(&mut self) -> Option<Box<Image>> {
        self.snapshot.take()
    }

    /// The next record to apply, if one is there that is committed.
    pub(super) fn next(&mut self) -> Option<(Offset, MetadataRecord)> {
        let committed = self.committed?;
        let next = self.pending.pop_front_if(|(offset, _)| committed.covers(*offset))?;
        self.handed_on = next.0.end();
        Some(next)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.outstanding.map(|asked| asked.outstanding.deadline).or(self.retry_at)
    }
}

impl Process {
    /// Asks for what comes next: of whoever is believed to lead, or may know who does.
    pub(super) fn observe(&mut self, step: &mut Step<'_>) {
        let correlation = self.next_correlation();
        let reader = LogReader::Broker(self.own.id);
        let current_leader_epoch = self.controllers.epoch();
        let request = match &self.observer.partial {
            Some((snapshot, bytes)) => Request::FetchSnapshot(FetchSnapshotRequest {
                reader,
                current_leader_epoch,
                snapshot: *snapshot,
                position: bytes.len() as u64,
                max_bytes: MAX_BYTES,
            }),
            None => Request::FetchMetadata(FetchMetadataRequest {
                reader,
                current_leader_epoch,
                fetch_offset: self.observer.fetched.next(),
                last_fetched_epoch: self.observer.epochs.latest(),
                high_watermark: self.observer.committed,
                max_wait: MAX_WAIT,
                max_bytes: MAX_BYTES,
            }),
        };
        let of = self.controllers.node();
        let outstanding = Outstanding { correlation, deadline: step.now + FETCH_TIMEOUT };
        self.observer.retry_at = None;
        self.observer.outstanding = Some(Asked { outstanding, of });
        step.effects.send(Envelope::request(self.own.id, of, Channel::Metadata, correlation, request));
    }

    /// A controller's answer.
    ///
    /// # Errors
    /// The process halts if what it knows to be committed is not: no broker goes on from there.
    pub(super) fn observed(
        &mut self,
        correlation: u64,
        answer: FetchMetadataResponse,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let Some(of) = Asked::take(&mut self.observer.outstanding, correlation) else { return Ok(()) };
        self.controllers.hear(answer.epoch, answer.leader);
        if answer.error != ErrorCode::None || answer.epoch < self.controllers.epoch() {
            self.look_elsewhere(of, step);
            return Ok(());
        }
        if let Some(diverging) = answer.diverging_epoch {
            if !self.observer.cut(diverging) {
                return Err(Stop::Storage(DiskError::Io));
            }
            self.observe(step);
            return Ok(());
        }
        if let Some(id) = answer.snapshot {
            self.observer.partial = Some((id, BytesMut::new()));
            self.observe(step);
            return Ok(());
        }
        let sound = self.observer.take_in(answer.records);
        let obeying = self.own.protocol.quorum.obeying;
        self.observer.commit(obeying.bound(answer.high_watermark, self.observer.fetched));
        self.hand_on(step);
        if sound {
            self.observer.backoff.succeeded();
            self.observe(step);
        } else {
            self.observer_failed(step);
        }
        Ok(())
    }

    /// Part of a snapshot (C24).
    pub(super) fn snapshot_observed(&mut self, correlation: u64, answer: &FetchSnapshotResponse, step: &mut Step<'_>) {
        let Some(of) = Asked::take(&mut self.observer.outstanding, correlation) else { return };
        self.controllers.hear(answer.epoch, answer.leader);
        if answer.error != ErrorCode::None || answer.epoch < self.controllers.epoch() {
            // It may have a newer one by now: ask from the beginning.
            self.observer.partial = None;
            return self.look_elsewhere(of, step);
        }
        let Some((id, bytes)) = &mut self.observer.partial else { return self.observe(step) };
        if (*id, bytes.len() as u64) == (answer.snapshot, answer.position) {
            bytes.extend_from_slice(&answer.bytes);
        }
        if bytes.len() as u64 >= answer.size {
            let (id, bytes) = (*id, std::mem::take(bytes));
            self.observer.partial = None;
            match Image::decode(&bytes) {
                Ok(image) => self.observer.begin_with(id, image),
                Err(_) => return self.observer_failed(step),
            }
            self.hand_on(step);
        }
        self.observe(step);
    }

    /// The connection to a controller is gone.
    pub(super) fn observer_severed(&mut self, peer: Node, step: &mut Step<'_>) {
        if let Some(asked) = self.observer.outstanding.take_if(|asked| asked.of == peer) {
            self.look_elsewhere(asked.of, step);
        }
    }

    pub(super) fn tick_observer(&mut self, step: &mut Step<'_>) {
        if let Some(asked) = self.observer.outstanding.take_if(|asked| step.now >= asked.outstanding.deadline) {
            let (peer, channel) = (asked.of, Channel::Metadata);
            step.effects.close(Severed { peer, channel, connection: ConnectionId::UNSET });
            self.look_elsewhere(asked.of, step);
        } else if self.observer.retry_at.is_some_and(|at| step.now >= at) {
            self.observe(step);
        }
    }

    /// What is committed by now is applied by another thread, whenever it comes to it.
    fn hand_on(&mut self, step: &mut Step<'_>) {
        if self.observer.has_news() {
            step.effects.later(Task::ApplyMetadata { upto: self.observer.committed.unwrap_or_default() });
        }
    }

    /// This one does not lead, or is silent. If it has said who does, that one is asked at once.
    fn look_elsewhere(&mut self, of: Node, step: &mut Step<'_>) {
        self.controllers.give_up(of);
        self.observer_failed(step);
    }

    fn observer_failed(&mut self, step: &mut Step<'_>) {
        let (first, most) = RETRY_BACKOFF;
        self.observer.retry_at = Some(step.now + self.observer.backoff.failed(first, most));
    }
}
