//! Following the leader of the quorum: its log fetched, cut where it differs, begun anew with a snapshot (C19, C21-C24).
//! This file must not know what a record means, nor who is elected next.

use std::time::Duration;

use super::role::Role;
use super::{Hands, Quorum};
use crate::disk::DiskError;
use crate::event::Event;
use crate::machine::Stop;
use crate::names::{ControllerId, EndOffset};
use crate::wire::{
    ErrorCode, FetchMetadataRequest, FetchMetadataResponse, FetchSnapshotRequest, FetchSnapshotResponse, LogReader,
    Request,
};

/// How long the leader may hold a fetch (C19).
const MAX_WAIT: Duration = Duration::from_millis(500);

impl Quorum {
    /// What comes next, asked of the leader; or of anybody who may know the leader.
    pub(super) fn fetch_request(&self) -> Request {
        let reader = LogReader::Controller(self.own);
        let current_leader_epoch = self.durable.epoch;
        if let Some((snapshot, position)) = self.store.fetching() {
            let max_bytes = u32::try_from(self.config.controller_quorum_fetch_snapshot_max_bytes).unwrap_or(u32::MAX);
            return Request::FetchSnapshot(FetchSnapshotRequest {
                reader,
                current_leader_epoch,
                snapshot,
                position,
                max_bytes,
            });
        }
        Request::FetchMetadata(FetchMetadataRequest {
            reader,
            current_leader_epoch,
            fetch_offset: self.store.end().next(),
            last_fetched_epoch: self.store.last_epoch(),
            high_watermark: self.high_watermark,
            max_wait: MAX_WAIT,
            max_bytes: u32::try_from(self.config.controller_quorum_fetch_max_bytes).unwrap_or(u32::MAX),
        })
    }

    /// The leader's answer, or that of somebody who is not. `false`: ask again after a while.
    pub(super) fn fetched(
        &mut self,
        from: ControllerId,
        answer: FetchMetadataResponse,
        hands: &mut Hands<'_>,
    ) -> Result<bool, Stop> {
        self.hear(answer.epoch, answer.leader, hands)?;
        if answer.error != ErrorCode::None || answer.epoch < self.durable.epoch || !self.follows(from) {
            return Ok(answer.epoch >= self.durable.epoch && self.durable.leader.is_some_and(|leader| leader != from));
        }
        self.heard_leader(hands);
        if let Some(diverging) = answer.diverging_epoch {
            let end = self.store.cut_for(diverging);
            // What is committed is never cut: a leader that wants it was elected against the rules (C22).
            if self.high_watermark.is_some_and(|committed| end < committed) {
                return Err(Stop::Storage(DiskError::Io));
            }
            self.store.truncate(hands.disk, end, hands.now)?;
            hands.effects.note(Event::MetadataTruncated { end: self.store.end() });
            return Ok(true);
        }
        if let Some(id) = answer.snapshot {
            self.store.begin_fetching(hands.disk, id)?;
            return Ok(true);
        }
        if !answer.records.is_empty() {
            let epoch = self.durable.epoch;
            let Some(batches) = self.store.replicate(hands.disk, hands.now, epoch, &answer.records)? else {
                return Ok(false);
            };
            for batch in batches {
                hands.effects.note(Event::MetadataAppended { epoch, batch, leads: false });
            }
            // C21: the next fetch says that it has this. Whoever only looks on need not.
            if self.is_voter() && self.protocol.syncing.syncs_before_fetching() {
                self.store.sync(hands.disk, hands.now)?;
                hands.effects.note(Event::MetadataSynced { upto: self.store.end() });
            }
        }
        if let Some(high_watermark) = answer.high_watermark {
            self.learn_high_watermark(high_watermark.min(self.store.end()), false, hands);
        }
        Ok(true)
    }

    /// Part of a snapshot (C24). `false`: ask again after a while.
    pub(super) fn snapshot_fetched(
        &mut self,
        from: ControllerId,
        answer: FetchSnapshotResponse,
        hands: &mut Hands<'_>,
    ) -> Result<bool, Stop> {
        self.hear(answer.epoch, answer.leader, hands)?;
        if answer.epoch < self.durable.epoch || !self.follows(from) {
            return Ok(true);
        }
        if answer.error != ErrorCode::None {
            // It may have a newer one by now: ask from the beginning.
            self.store.stop_fetching();
            return Ok(false);
        }
        self.heard_leader(hands);
        if self.store.fetching() != Some((answer.snapshot, answer.position)) {
            return Ok(true);
        }
        let is_all = answer.position + answer.bytes.len() as u64 >= answer.size;
        self.store.add_part(hands.disk, answer.bytes)?;
        if is_all {
            self.store.finish_fetching(hands.disk, hands.now)?;
            let (id, log_start) = (answer.snapshot, self.store.start());
            hands.effects.note(Event::MetadataSnapshot { id, fetched: true, log_start });
            self.learn_high_watermark(id.end, false, hands);
        }
        Ok(true)
    }

    /// C23: it never falls within a process's life.
    pub(super) fn learn_high_watermark(&mut self, at: EndOffset, leads: bool, hands: &mut Hands<'_>) {
        if self.high_watermark.is_none_or(|known| at > known) {
            self.high_watermark = Some(at);
            hands.effects.note(Event::MetadataHighWatermark { epoch: self.durable.epoch, at, leads });
        }
    }

    fn follows(&self, leader: ControllerId) -> bool {
        matches!(&self.role, Role::Follower(follower) if follower.leader == leader)
    }

    /// The leader lives (C5).
    fn heard_leader(&mut self, hands: &mut Hands<'_>) {
        let fetch_until = hands.now + self.config.controller_quorum_fetch_timeout;
        if let Role::Follower(follower) = &mut self.role {
            follower.fetch_until = fetch_until;
            follower.has_fetched = true;
        }
    }
}
