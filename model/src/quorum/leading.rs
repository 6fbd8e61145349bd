//! Leading the quorum: records in, readers served, the high watermark (C5, C14-C19, C24). This file must not know what a record
//! means, nor how one comes to lead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::role::Role;
use super::store::{Reading, batch_of};
use super::{Hands, NotAppended, Quorum};
use crate::event::Event;
use crate::log::{Batch, Slices};
use crate::machine::Stop;
use crate::metadata::MetadataRecord;
use crate::names::{ControllerId, EndOffset, LeaderEpoch, Offset, Time, earliest};
use crate::wire::{
    Envelope, ErrorCode, FetchMetadataRequest, FetchMetadataResponse, FetchSnapshotRequest, FetchSnapshotResponse,
    LogReader, ReplyTo, Response, Voter,
};

/// Batches that wait for the linger are drained when there is so much (C17).
const DRAIN_BYTES: usize = 8 * 1024 * 1024;

/// A leader's part.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    /// Where its epoch begins: nothing is committed by counting below it (C18).
    epoch_start: EndOffset,
    /// Its high watermark, once it knows one.
    pub(super) high_watermark: Option<EndOffset>,
    /// What each other voter has, and when it was last heard.
    voters: BTreeMap<Voter, Progress>,
    /// Voters that have not confirmed that it leads (C15).
    pub(super) unaware: BTreeSet<ControllerId>,
    /// When those are told again.
    pub(super) announce_at: Time,
    /// When it gives up, if no majority is heard by then.
    pub(super) check_quorum_at: Time,
    /// What waits for the linger, each an event's batch.
    accumulated: Vec<Batch>,
    accumulated_bytes: usize,
    accumulated_records: u64,
    /// When that is appended.
    drain_at: Option<Time>,
    /// Fetches that wait for something to say.
    waiting: Vec<Waiting>,
}

/// What a voter has, as it said by fetching.
#[derive(Clone, Copy, Debug)]
struct Progress {
    end: EndOffset,
    heard: Option<Time>,
}

/// A fetch that waits.
#[derive(Clone, Debug)]
struct Waiting {
    reply_to: ReplyTo,
    request: FetchMetadataRequest,
    until: Time,
}

impl Leader {
    /// A leader that has just been elected.
    pub(super) fn elected(quorum: &Quorum, now: Time) -> Self {
        let others = quorum.voters.iter().filter(|&&voter| voter != quorum.own);
        let unknown = Progress { end: EndOffset::ZERO, heard: None };
        Self {
            epoch_start: quorum.store.end(),
            high_watermark: None,
            voters: others.clone().map(|&voter| (voter, unknown)).collect(),
            unaware: others.map(|voter| voter.id).collect(),
            announce_at: now,
            check_quorum_at: now + quorum.check_quorum_timeout(),
            accumulated: Vec::new(),
            accumulated_bytes: 0,
            accumulated_records: 0,
            drain_at: None,
            waiting: Vec::new(),
        }
    }

    /// It leads no more: whoever waits is told who does, if anybody.
    pub(super) fn dismiss(self, quorum: &Quorum, hands: &mut Hands<'_>) {
        for waiting in self.waiting {
            let response = quorum.nothing_but(ErrorCode::NotLeaderOrFollower);
            quorum.answer(&waiting.reply_to, Response::FetchMetadata(response), hands);
        }
    }

    /// When something is to be done.
    pub(super) fn deadline(&self, checks_quorum: bool) -> Option<Time> {
        let expires = self.waiting.iter().map(|waiting| waiting.until).min();
        let announces = (!self.unaware.is_empty()).then_some(self.announce_at);
        let checks = checks_quorum.then_some(self.check_quorum_at);
        earliest([expires, announces, checks, self.drain_at])
    }

    /// Who is to stand next: whoever has most (C16).
    pub(super) fn successors(&self) -> Vec<Voter> {
        let mut successors: Vec<(EndOffset, Voter)> =
            self.voters.iter().map(|(&voter, progress)| (progress.end, voter)).collect();
        successors.sort_by_key(|&(end, voter)| (std::cmp::Reverse(end), voter));
        successors.into_iter().map(|(_, voter)| voter).collect()
    }

    /// Forgets who waited over a connection that is gone: there is no way for an answer.
    pub(super) fn forget(&mut self, severed: &crate::machine::Severed) {
        self.waiting.retain(|waiting| waiting.reply_to.connection != severed.connection);
    }

    /// Where the next record will stand.
    pub(super) fn end(&self, log_end: EndOffset) -> EndOffset {
        EndOffset(log_end.0 + self.accumulated_records)
    }

    /// Counts a fetch of a voter as what it has (C18, C21), and as a sign of life.
    fn heard(&mut self, voter: Voter, end: EndOffset, now: Time) {
        if let Some(progress) = self.voters.get_mut(&voter) {
            *progress = Progress { end, heard: Some(now) };
        }
    }
}

impl Quorum {
    /// As leader: takes the records of one event, as one batch (C17, C31). Returns where the first of them will stand. They
    /// are committed once [`Quorum::high_watermark`] has passed them.
    ///
    /// # Errors
    /// [`NotAppended`]; there must be a record.
    pub(crate) fn append(&mut self, values: &[Bytes], hands: &mut Hands<'_>) -> Result<Offset, NotAppended> {
        let linger = self.config.controller_quorum_append_linger;
        let batch = batch_of(values, hands.now);
        let log_end = self.store.end();
        let takes = self.store.takes(&batch);
        let Role::Leader(leader) = &mut self.role else { return Err(NotAppended::NotLeader) };
        if !takes {
            return Err(NotAppended::TooLarge);
        }
        let first = leader.end(log_end).next();
        leader.accumulated_bytes += batch.size();
        leader.accumulated_records += values.len() as u64;
        leader.accumulated.push(batch);
        leader.drain_at.get_or_insert(hands.now + linger);
        if linger.is_zero() || leader.accumulated_bytes >= DRAIN_BYTES {
            self.drain(hands)?;
        }
        Ok(first)
    }

    /// The record with which a new leader begins (C14). It waits for nothing.
    pub(super) fn announce(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let record = MetadataRecord::LeaderChange { epoch: self.durable.epoch };
        let batch = batch_of(&[record.encode().into()], hands.now);
        if let Role::Leader(leader) = &mut self.role {
            leader.accumulated_records += 1;
            leader.accumulated.push(batch);
        }
        self.drain(hands)
    }

    /// Does what is due of a leader. It leads no more if no majority has fetched for too long (C5).
    pub(super) fn tick_leader(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let timeout = self.check_quorum_timeout();
        let checks_quorum = self.checks_quorum();
        let Role::Leader(leader) = &mut self.role else { return Ok(()) };
        if checks_quorum && hands.now >= leader.check_quorum_at {
            // When the last of the nearest majority was heard; this one always hears itself.
            let mut heard: Vec<Option<Time>> = leader.voters.values().map(|progress| progress.heard).collect();
            heard.sort_unstable_by_key(|&heard| std::cmp::Reverse(heard));
            let needed = self.voters.len() / 2;
            let last = heard.get(needed - 1).copied().flatten();
            match last.map(|last| last + timeout).filter(|&until| until > hands.now) {
                Some(until) => leader.check_quorum_at = until,
                None => {
                    let successors = leader.successors();
                    self.become_resigned(successors, hands);
                    return Ok(());
                }
            }
        }
        let Role::Leader(leader) = &mut self.role else { return Ok(()) };
        if leader.drain_at.is_some_and(|at| hands.now >= at) {
            self.drain(hands)?;
        }
        self.expire_fetches(hands)
    }

    /// Appends what has waited, and syncs it before anything else is taken in (C8).
    fn drain(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let Role::Leader(leader) = &mut self.role else { return Ok(()) };
        let batches = std::mem::take(&mut leader.accumulated);
        (leader.accumulated_bytes, leader.accumulated_records, leader.drain_at) = (0, 0, None);
        let epoch = self.durable.epoch;
        for batch in &batches {
            let batch = self.store.append(hands.disk, hands.now, epoch, batch).map_err(|error| match error {
                NotAppended::Stop(stop) => stop,
                NotAppended::TooLarge | NotAppended::NotLeader => unreachable!("it was looked at before"),
            })?;
            hands.effects.note(Event::MetadataAppended { epoch, batch, leads: true });
        }
        self.store.sync(hands.disk, hands.now)?;
        hands.effects.note(Event::MetadataSynced { upto: self.store.end() });
        self.raise_high_watermark(hands);
        self.wake_fetches(hands)
    }

    /// C18: as far as a majority has come, if a record of this epoch is among it.
    fn raise_high_watermark(&mut self, hands: &mut Hands<'_>) {
        let own = self.store.end();
        let Role::Leader(leader) = &mut self.role else { return };
        let ends = || leader.voters.values().map(|progress| progress.end).chain([own]);
        let of_majority = |&end: &EndOffset| ends().filter(|&other| other >= end).count() > self.voters.len() / 2;
        let Some(reached) = ends().filter(of_majority).max() else { return };
        let counts = !self.protocol.commitment.needs_own_epoch() || reached > leader.epoch_start;
        if counts && leader.high_watermark.is_none_or(|known| reached > known) {
            leader.high_watermark = Some(reached);
            self.learn_high_watermark(reached, true, hands);
        }
    }

    /// A fetch (C19).
    pub(super) fn serve_fetch(
        &mut self,
        reply_to: ReplyTo,
        request: FetchMetadataRequest,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        if let Some(error) = self.refuses_reader(request.current_leader_epoch) {
            self.answer(&reply_to, Response::FetchMetadata(self.nothing_but(error)), hands);
            return Ok(());
        }
        let before = self.leader_high_watermark();
        let response = self.read_for(&request, hands)?;
        if response.diverging_epoch.is_none() && response.snapshot.is_none() {
            self.count_fetch(&request, hands);
        }
        // What it has just said may be what was missing.
        let high_watermark = self.leader_high_watermark();
        let response = FetchMetadataResponse { high_watermark, ..response };
        if request.max_wait.is_zero() || says_something(&request, &response) {
            self.answer(&reply_to, Response::FetchMetadata(response), hands);
        } else if let Role::Leader(leader) = &mut self.role {
            leader.waiting.push(Waiting { reply_to, until: hands.now + request.max_wait, request });
        }
        if high_watermark == before { Ok(()) } else { self.wake_fetches(hands) }
    }

    /// A fetch of part of a snapshot (C24).
    pub(super) fn serve_snapshot(
        &mut self,
        reply_to: ReplyTo,
        request: FetchSnapshotRequest,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        let nothing = |error| FetchSnapshotResponse {
            error,
            leader: self.durable.leader,
            epoch: self.durable.epoch,
            snapshot: request.snapshot,
            size: 0,
            position: request.position,
            bytes: Bytes::new(),
        };
        let response = if let Some(error) = self.refuses_reader(request.current_leader_epoch) {
            nothing(error)
        } else {
            let most = self.config.controller_quorum_fetch_snapshot_max_bytes.min(u64::from(request.max_bytes));
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            match self.store.snapshot_part(hands.disk, request.snapshot, request.position, most)? {
                None => nothing(ErrorCode::SnapshotNotFound),
                Some((_, size)) if request.position >= size => nothing(ErrorCode::PositionOutOfRange),
                Some((bytes, size)) => FetchSnapshotResponse { size, bytes, ..nothing(ErrorCode::None) },
            }
        };
        let has_error = response.error != ErrorCode::None;
        let voter = match request.reader {
            LogReader::Controller(voter) => self.voter_like(voter),
            LogReader::Broker(_) => None,
        };
        if let (Some(voter), false, Role::Leader(leader)) = (voter, has_error, &mut self.role) {
            // It lives, and has nothing that counts.
            leader.heard(voter, EndOffset::ZERO, hands.now);
        }
        self.answer(&reply_to, Response::FetchSnapshot(response), hands);
        Ok(())
    }

    /// Why this node does not serve a reader of that epoch, if it does not.
    fn refuses_reader(&self, epoch: LeaderEpoch) -> Option<ErrorCode> {
        if epoch < self.durable.epoch {
            Some(ErrorCode::FencedLeaderEpoch)
        } else if epoch > self.durable.epoch {
            Some(ErrorCode::UnknownLeaderEpoch)
        } else if matches!(self.role, Role::Leader(_)) {
            None
        } else {
            Some(ErrorCode::NotLeaderOrFollower)
        }
    }

    /// An answer that says who leads, and nothing else.
    pub(super) fn nothing_but(&self, error: ErrorCode) -> FetchMetadataResponse {
        FetchMetadataResponse {
            error,
            leader: self.durable.leader.filter(|_| !matches!(self.role, Role::Resigned(_))),
            epoch: self.durable.epoch,
            high_watermark: None,
            log_start: self.store.start(),
            diverging_epoch: None,
            snapshot: None,
            records: Slices::default(),
        }
    }

    fn read_for(&self, request: &FetchMetadataRequest, hands: &mut Hands<'_>) -> Result<FetchMetadataResponse, Stop> {
        let most = u64::from(request.max_bytes).min(self.config.controller_quorum_fetch_max_bytes);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let reading = self.store.read_for(hands.disk, request.fetch_offset, request.last_fetched_epoch, most)?;
        let response = self.nothing_but(ErrorCode::None);
        Ok(match reading {
            Reading::Records(records) => FetchMetadataResponse { records, ..response },
            Reading::Diverging(diverging) => FetchMetadataResponse { diverging_epoch: Some(diverging), ..response },
            Reading::Snapshot(id) => FetchMetadataResponse { snapshot: Some(id), ..response },
        })
    }

    fn count_fetch(&mut self, request: &FetchMetadataRequest, hands: &mut Hands<'_>) {
        let LogReader::Controller(voter) = request.reader else { return };
        let Some(voter) = self.voter_like(voter) else { return };
        if let Role::Leader(leader) = &mut self.role {
            leader.heard(voter, request.fetch_offset.bound(), hands.now);
        }
        self.raise_high_watermark(hands);
    }

    pub(super) fn leader_high_watermark(&self) -> Option<EndOffset> {
        match &self.role {
            Role::Leader(leader) => leader.high_watermark,
            _ => None,
        }
    }

    /// Answers those who waited for what is there now, in the order in which they came.
    fn wake_fetches(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let high_watermark = self.leader_high_watermark();
        let end = self.store.end();
        let Role::Leader(leader) = &mut self.role else { return Ok(()) };
        let has_news = |waiting: &mut Waiting| {
            waiting.request.fetch_offset.bound() < end || high_watermark > waiting.request.high_watermark
        };
        let woken: Vec<Waiting> = leader.waiting.extract_if(.., has_news).collect();
        self.answer_waiting(woken, high_watermark, hands)
    }

    /// Answers those who have waited long enough.
    fn expire_fetches(&mut self, hands: &mut Hands<'_>) -> Result<(), Stop> {
        let high_watermark = self.leader_high_watermark();
        let Role::Leader(leader) = &mut self.role else { return Ok(()) };
        let expired: Vec<Waiting> = leader.waiting.extract_if(.., |waiting| waiting.until <= hands.now).collect();
        self.answer_waiting(expired, high_watermark, hands)
    }

    fn answer_waiting(
        &mut self,
        waiting: Vec<Waiting>,
        high_watermark: Option<EndOffset>,
        hands: &mut Hands<'_>,
    ) -> Result<(), Stop> {
        for Waiting { reply_to, request, .. } in waiting {
            let response = FetchMetadataResponse { high_watermark, ..self.read_for(&request, hands)? };
            self.answer(&reply_to, Response::FetchMetadata(response), hands);
        }
        Ok(())
    }

    pub(super) fn answer(&self, reply_to: &ReplyTo, response: Response, hands: &mut Hands<'_>) {
        hands.effects.send(Envelope::response(reply_to, self.own.id, response));
    }

    /// Whether a leader has to be heard: not if it is alone.
    pub(super) fn checks_quorum(&self) -> bool {
        self.voters.len() > 1 && self.protocol.yielding.checks_quorum()
    }

    /// C5: half as long again as a follower waits.
    pub(super) fn check_quorum_timeout(&self) -> Duration {
        self.config.controller_quorum_fetch_timeout * 3 / 2
    }
}

/// Whether there is a reason to answer at once.
fn says_something(request: &FetchMetadataRequest, response: &FetchMetadataResponse) -> bool {
    !response.records.is_empty()
        || response.diverging_epoch.is_some()
        || response.snapshot.is_some()
        || response.high_watermark > request.high_watermark
}
