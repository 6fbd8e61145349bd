//! Serving fetches, to followers and to consumers (R24-R32, R65-R67, L70).
//!
//! A follower's fetch takes three steps: read the bounds and find the stretch; count the follower (state, ISR, high
//! watermark); answer, reading the bytes only then. Kafka has more boundaries inside the second one (R141 b-d): they are
//! merged here, because between them it holds on to nothing that another thread could change to a different effect but
//! the ISR decision, which is a task of its own (`SendAlterPartition`).

use super::step::Step;
use super::waiting::{Bounds, FetchPart, Found, WaitingFetch};
use super::{Process, standing_in};
use crate::event::Event;
use crate::log::{Slices, Span};
use crate::machine::{Stop, Task, Ticket};
use crate::names::{BrokerEpoch, BrokerId, Partition};
use crate::protocol::Parting;
use crate::replica::{FollowerFetch, Replica, Role};
use crate::wire::{
    DivergingEpoch, ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse, Fetcher, ReplyTo,
    Response,
};

impl Process {
    /// A fetch request has come (R141 a).
    pub(super) fn fetch(&mut self, reply: ReplyTo, request: FetchRequest, step: &mut Step<'_>) {
        let mut fetch = WaitingFetch {
            reply,
            fetcher: request.fetcher,
            deadline: step.now + request.max_wait,
            min_bytes: if request.max_wait.is_zero() { 0 } else { request.min_bytes as usize },
            max_bytes: (request.max_bytes as usize)
                .min(usize::try_from(self.own.config.fetch_max_bytes).unwrap_or(usize::MAX)),
            parts: request
                .partitions
                .into_iter()
                .map(|asked| FetchPart { asked, found: Found::Refused(ErrorCode::None) })
                .collect(),
        };
        self.look(fetch.fetcher, fetch.max_bytes, &mut fetch.parts);
        let ticket = self.waiting.hold_fetch(fetch);
        match request.fetcher {
            Fetcher::Replica { .. } => step.effects.later(Task::CountFetch { ticket }),
            Fetcher::Consumer => self.decide_fetch(ticket, step),
        }
    }

    /// A follower's fetch was read; now its word counts (R27-R29). A fetch that found a divergence, or was refused, says
    /// nothing about the follower's log (KAFKA-13141).
    pub(super) fn count_fetch(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        let Some(fetch) = self.waiting.fetch_mut(ticket) else { return };
        let Fetcher::Replica { id, epoch } = fetch.fetcher else { return };
        let mut parts = std::mem::take(&mut fetch.parts);
        for part in &mut parts {
            if let Found::Records { bounds, .. } = &part.found {
                let bounds = *bounds;
                if let Err(error) = self.count_follower(id, epoch, part.asked, bounds, step) {
                    part.found = Found::Refused(error);
                }
            }
        }
        if let Some(fetch) = self.waiting.fetch_mut(ticket) {
            fetch.parts = parts;
        }
        self.decide_fetch(ticket, step);
    }

    /// Something changed in a partition: look again at the fetches that wait on it (R65).
    pub(super) fn wake_fetches(&mut self, partition: Partition, step: &mut Step<'_>) {
        for ticket in self.waiting.fetches_on(partition) {
            if self.look_again(ticket) {
                self.waiting.unpark_fetch(ticket);
                step.effects.later(Task::AnswerFetch { ticket });
            }
        }
    }

    /// The fetch has waited long enough: answer with what there is.
    pub(super) fn expire_fetch(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        self.look_again(ticket);
        self.waiting.unpark_fetch(ticket);
        step.effects.later(Task::AnswerFetch { ticket });
    }

    /// Reads the bytes and answers (R141 f). The log may have been cut and written anew since the look (L23).
    pub(super) fn answer_fetch(&mut self, ticket: Ticket, step: &mut Step<'_>) -> Result<(), Stop> {
        let Some(fetch) = self.waiting.take_fetch(ticket) else { return Ok(()) };
        let mut partitions = Vec::with_capacity(fetch.parts.len());
        for part in fetch.parts {
            partitions.push(self.answer_part(fetch.fetcher, fetch.reply, part, step)?);
        }
        self.respond(fetch.reply, Response::Fetch(FetchResponse { partitions }), step);
        Ok(())
    }

    /// Answers now if there is reason to, else lets the fetch wait (R32).
    fn decide_fetch(&mut self, ticket: Ticket, step: &mut Step<'_>) {
        // What came since a follower's fetch was read has woken nobody: without the second look it would be waited for
        // (R64).
        let satisfied = self.waiting.fetch_mut(ticket).is_some_and(|fetch| fetch.is_satisfied());
        if satisfied || self.look_again(ticket) {
            step.effects.later(Task::AnswerFetch { ticket });
        } else {
            self.waiting.park_fetch(ticket);
        }
    }

    /// Looks again at a held fetch: whether there is reason to answer by now. For a follower this does not count as a
    /// fetch (R65, N16).
    fn look_again(&mut self, ticket: Ticket) -> bool {
        let Some(fetch) = self.waiting.fetch_mut(ticket) else { return false };
        // Only its parts are lent: the rest stays where it is held.
        let mut parts = std::mem::take(&mut fetch.parts);
        let (fetcher, max_bytes) = (fetch.fetcher, fetch.max_bytes);
        self.look(fetcher, max_bytes, &mut parts);
        let Some(fetch) = self.waiting.fetch_mut(ticket) else { return false };
        fetch.parts = parts;
        fetch.is_satisfied()
    }

    /// Finds what each part of a fetch may read, within the limits of the whole.
    fn look(&self, fetcher: Fetcher, max_bytes: usize, parts: &mut [FetchPart]) {
        let mut left = max_bytes;
        let mut nothing_yet = true;
        for part in parts {
            part.found = self.look_at(fetcher, &part.asked, left, nothing_yet);
            let size = part.found.size();
            left = left.saturating_sub(size);
            nothing_yet &= size == 0;
        }
    }

    fn look_at(&self, fetcher: Fetcher, asked: &FetchPartition, left: usize, nothing_yet: bool) -> Found {
        let replica = match self.hosted(asked.partition) {
            Ok(replica) => replica,
            Err(error) => return Found::Refused(error),
        };
        if let Err(error) = self.may_fetch(replica, fetcher, asked) {
            return Found::Refused(error);
        }
        let log = &replica.log;
        let bounds = Bounds {
            epoch: replica.epoch(),
            high_watermark: replica.high_watermark,
            log_start: log.start(),
            log_end: log.end(),
        };
        if asked.fetch_offset.bound() < log.start() {
            return Found::Refused(ErrorCode::OffsetOutOfRange);
        }
        if let Some(last_epoch) = asked.last_fetched_epoch {
            let fetching = (last_epoch, asked.fetch_offset.bound());
            let known = log.end_offset_for(last_epoch);
            match self.own.protocol.truncation.parting(fetching, known, log.end()) {
                Parting::Nowhere => {}
                Parting::At(epoch, end) => return Found::Diverging { shared: DivergingEpoch { epoch, end }, bounds },
                // R25.
                Parting::Unplaced => return Found::Refused(ErrorCode::OffsetOutOfRange),
            }
        }
        if asked.fetch_offset.bound() > log.end() {
            return Found::Refused(ErrorCode::OffsetOutOfRange);
        }
        let upto = match fetcher {
            Fetcher::Replica { .. } => log.end(),
            Fetcher::Consumer => self.own.protocol.visibility.bound(replica.high_watermark, log.end()),
        };
        if asked.fetch_offset.bound() >= upto || (left == 0 && !nothing_yet) {
            return Found::Records { span: None, bounds };
        }
        match log.locate(asked.fetch_offset, upto, left.min(asked.max_bytes as usize), nothing_yet) {
            Ok(span) => Found::Records { span, bounds },
            Err(_) => Found::Refused(ErrorCode::OffsetOutOfRange),
        }
    }

    /// R21, R23.
    fn may_fetch(&self, replica: &Replica, fetcher: Fetcher, asked: &FetchPartition) -> Result<(), ErrorCode> {
        self.own.protocol.fencing.check(asked.current_leader_epoch, replica.epoch())?;
        let Role::Leader(leader) = &replica.role else { return Err(ErrorCode::NotLeaderOrFollower) };
        match fetcher {
            Fetcher::Consumer => Ok(()),
            Fetcher::Replica { id, .. } if leader.has_replica(id) => Ok(()),
            Fetcher::Replica { .. } if asked.current_leader_epoch.is_some() => Err(ErrorCode::UnknownLeaderEpoch),
            Fetcher::Replica { .. } => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// Counts one follower in one partition: its state, then the ISR, then the high watermark (R28, R29).
    fn count_follower(
        &mut self,
        from: BrokerId,
        broker_epoch: Option<BrokerEpoch>,
        asked: FetchPartition,
        bounds: Bounds,
        step: &mut Step<'_>,
    ) -> Result<(), ErrorCode> {
        let partition = asked.partition;
        let standing = standing_in(&self.image, from);
        if broker_epoch.is_some_and(|epoch| standing.registered_in.is_some_and(|registered| registered > epoch)) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let protocol = self.own.protocol;
        let awaited = self.waiting.has_deletions();
        let low_watermark = if awaited { self.low_watermark(partition) } else { None };
        let Some(replica) = self.replicas.get_mut(&partition) else { return Err(ErrorCode::NotLeaderOrFollower) };
        // The epoch may have changed since the read (R30). What the follower said then says nothing about this epoch.
        protocol.fencing.check(asked.current_leader_epoch.map(|_| bounds.epoch), replica.epoch())?;
        let high_watermark = replica.high_watermark;
        let Some(leader) = replica.leader_mut() else { return Err(ErrorCode::NotLeaderOrFollower) };
        let fetch = FollowerFetch {
            from,
            broker_epoch,
            end: asked.fetch_offset.bound(),
            log_start: asked.log_start,
            leader_end: bounds.log_end,
        };
        let moved = leader.count(&fetch, step.now);
        if leader.may_join(from, high_watermark, standing, &protocol) {
            leader.isr.grow(from);
            self.propose(partition, step);
        }
        if moved && self.try_high_watermark(partition, step) {
            step.effects.later(Task::Wake { partition, high_watermark_moved: true });
        }
        if awaited && self.low_watermark(partition) > low_watermark {
            self.wake_deletions_later(partition, step);
        }
        Ok(())
    }

    fn answer_part(
        &self,
        fetcher: Fetcher,
        reply: ReplyTo,
        part: FetchPart,
        step: &mut Step<'_>,
    ) -> Result<FetchPartitionResponse, Stop> {
        let partition = part.asked.partition;
        let mut response = FetchPartitionResponse {
            partition,
            error: ErrorCode::None,
            high_watermark: None,
            log_start: None,
            diverging_epoch: None,
            records: Slices::default(),
        };
        let bounds = match part.found {
            Found::Refused(error) => {
                response.error = error;
                return Ok(response);
            }
            Found::Diverging { shared, bounds } => {
                response.diverging_epoch = Some(shared);
                bounds
            }
            Found::Records { span, bounds } => {
                if let (Some(span), Some(replica)) = (span, self.replicas.get(&partition)) {
                    response.records = replica.log.read(step.disk, &span)?;
                    if fetcher == Fetcher::Consumer {
                        step.effects.note(served(reply, &part.asked, &span, bounds));
                    }
                }
                bounds
            }
        };
        response.high_watermark = Some(bounds.high_watermark);
        response.log_start = Some(bounds.log_start);
        Ok(response)
    }
}

fn served(reply: ReplyTo, asked: &FetchPartition, span: &Span, bounds: Bounds) -> Event {
    Event::Served {
        partition: asked.partition,
        epoch: bounds.epoch,
        client: reply.peer,
        from: asked.fetch_offset,
        upto: span.end(),
        high_watermark: bounds.high_watermark,
    }
}

impl WaitingFetch {
    /// Whether there is reason to answer: an error, a divergence, or enough bytes (R32).
    fn is_satisfied(&self) -> bool {
        let news = |part: &FetchPart| !matches!(part.found, Found::Records { .. });
        let bytes: usize = self.parts.iter().map(|part| part.found.size()).sum();
        self.parts.is_empty() || bytes >= self.min_bytes || self.parts.iter().any(news)
    }
}

impl Found {
    fn size(&self) -> usize {
        match self {
            Self::Records { span: Some(span), .. } => span.size(),
            Self::Refused(_) | Self::Diverging { .. } | Self::Records { span: None, .. } => 0,
        }
    }
}
