//! Who reads along: brokers that fetch the metadata log, and wait where it ends (C19, C45).
//!
//! A fetch that waits is an entry in a list, with a deadline by the controller's clock. This file must not know what is in
//! the log.

use crate::log::Slices;

use super::journal::{Journal, Reading};
use crate::disk::{Disk, DiskError};
use crate::names::{Partition, Time};
use crate::wire::{
    ConnectionId, ErrorCode, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse, ReplyTo,
};

/// The fetches that wait for something to be committed.
#[derive(Clone, Debug, Default)]
pub(super) struct Observers {
    waiting: Vec<Waiting>,
}

/// One fetch that waits.
#[derive(Clone, Debug)]
struct Waiting {
    reply_to: ReplyTo,
    request: FetchRequest,
    until: Time,
}

/// An answer, and where it goes.
pub(super) type Answer = (ReplyTo, FetchResponse);

impl Observers {
    /// Answers a fetch, or lets it wait.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn fetch(
        &mut self,
        now: Time,
        reply_to: ReplyTo,
        request: FetchRequest,
        journal: &Journal,
        disk: &mut dyn Disk,
    ) -> Result<Option<FetchResponse>, DiskError> {
        let response = respond(&request, journal, disk)?;
        if request.max_wait.is_zero() || says_something(&response) {
            return Ok(Some(response));
        }
        self.waiting.push(Waiting { reply_to, until: now + request.max_wait, request });
        Ok(None)
    }

    /// Answers those who waited for what is committed now, in the order in which they came.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn wake(&mut self, journal: &Journal, disk: &mut dyn Disk) -> Result<Vec<Answer>, DiskError> {
        let mut answers = Vec::with_capacity(self.waiting.len());
        let mut still_waiting = Vec::new();
        for waiting in self.waiting.drain(..) {
            let response = respond(&waiting.request, journal, disk)?;
            if says_something(&response) {
                answers.push((waiting.reply_to, response));
            } else {
                still_waiting.push(waiting);
            }
        }
        self.waiting = still_waiting;
        Ok(answers)
    }

    /// Answers those who have waited long enough, with nothing.
    ///
    /// # Errors
    /// Whatever the disk says.
    pub(super) fn expire(
        &mut self,
        now: Time,
        journal: &Journal,
        disk: &mut dyn Disk,
    ) -> Result<Vec<Answer>, DiskError> {
        let expired = self.waiting.extract_if(.., |waiting| waiting.until <= now);
        expired.map(|waiting| Ok((waiting.reply_to, respond(&waiting.request, journal, disk)?))).collect()
    }

    /// Forgets what came over a connection that is gone: there is no way for an answer.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.waiting.retain(|waiting| waiting.reply_to.connection != connection);
    }

    /// When the first of them will have waited long enough.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }
}

/// Whether there is a reason to answer at once: records, an error, a divergence, or nothing that could come.
fn says_something(response: &FetchResponse) -> bool {
    let says = |partition: &FetchPartitionResponse| {
        partition.error != ErrorCode::None || partition.diverging_epoch.is_some() || !partition.records.is_empty()
    };
    response.partitions.is_empty() || response.partitions.iter().any(says)
}

fn respond(request: &FetchRequest, journal: &Journal, disk: &mut dyn Disk) -> Result<FetchResponse, DiskError> {
    let mut left = request.max_bytes as usize;
    let mut is_first = true;
    let mut partitions = Vec::with_capacity(request.partitions.len());
    for asked in &request.partitions {
        let reading = if asked.partition == Partition::METADATA {
            journal.read(disk, asked, left.min(asked.max_bytes as usize), is_first)?
        } else {
            Reading::Refused(ErrorCode::UnknownTopicOrPartition)
        };
        let response = partition_response(asked, reading, journal);
        left = left.saturating_sub(response.records.len());
        is_first &= response.records.is_empty();
        partitions.push(response);
    }
    Ok(FetchResponse { partitions })
}

fn partition_response(asked: &FetchPartition, reading: Reading, journal: &Journal) -> FetchPartitionResponse {
    let (error, diverging_epoch, records) = match reading {
        Reading::Records(records) => (ErrorCode::None, None, records),
        Reading::Diverging(diverging) => (ErrorCode::None, Some(diverging), Slices::default()),
        Reading::Refused(error) => (error, None, Slices::default()),
    };
    let sound = error == ErrorCode::None;
    FetchPartitionResponse {
        partition: asked.partition,
        error,
        high_watermark: sound.then(|| journal.committed()),
        log_start: sound.then(|| journal.start()),
        diverging_epoch,
        records,
    }
}
