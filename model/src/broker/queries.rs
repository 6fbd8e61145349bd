//! Questions that change nothing: where a log ends, where an epoch ended, who leads (L76, R42, C49).

use super::Process;
use super::step::Step;
use crate::machine::Stop;
use crate::names::{EndOffset, LeaderEpoch, Partition};
use crate::protocol::Listing;
use crate::replica::Replica;
use crate::wire::{
    DivergingEpoch, ErrorCode, Fetcher, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic, OffsetSpec,
    OffsetsForLeaderEpochPartition, OffsetsForLeaderEpochPartitionResponse, OffsetsForLeaderEpochRequest,
    OffsetsForLeaderEpochResponse, ReplyTo, Response,
};

impl Process {
    pub(super) fn list_offsets(
        &mut self,
        reply: ReplyTo,
        request: &ListOffsetsRequest,
        step: &mut Step<'_>,
    ) -> Result<(), Stop> {
        let mut partitions = Vec::with_capacity(request.partitions.len());
        for &ListOffsetsPartition { partition, current_leader_epoch, spec } in &request.partitions {
            let found = match self.led(partition, current_leader_epoch) {
                Ok(replica) => find(replica, (request.fetcher, spec), self.own.protocol.listing, step)?,
                Err(error) => Err(error),
            };
            let (error, Listed { offset, timestamp, leader_epoch }) = split(found);
            partitions.push(ListOffsetsPartitionResponse { partition, error, offset, timestamp, leader_epoch });
        }
        self.respond(reply, Response::ListOffsets(ListOffsetsResponse { partitions }), step);
        Ok(())
    }

    pub(super) fn offsets_for_leader_epoch(
        &mut self,
        reply: ReplyTo,
        request: &OffsetsForLeaderEpochRequest,
        step: &mut Step<'_>,
    ) {
        let answer = |asked: &OffsetsForLeaderEpochPartition| {
            let found = self.led(asked.partition, asked.current_leader_epoch).map(|replica| {
                replica.log.end_offset_for(asked.leader_epoch).map(|(epoch, end)| DivergingEpoch { epoch, end })
            });
            let (error, end) = split(found);
            OffsetsForLeaderEpochPartitionResponse { partition: asked.partition, error, end }
        };
        let partitions = request.partitions.iter().map(answer).collect();
        self.respond(reply, Response::OffsetsForLeaderEpoch(OffsetsForLeaderEpochResponse { partitions }), step);
    }

    /// Answers from this broker's own image, however old (C49).
    pub(super) fn metadata(&mut self, reply: ReplyTo, request: &MetadataRequest, step: &mut Step<'_>) {
        let brokers = self.image.brokers.iter().filter(|(_, broker)| broker.is_active()).map(|(id, _)| *id).collect();
        let topics = if request.topics.is_empty() {
            self.image.topics.values().map(|topic| self.describe(&topic.name)).collect()
        } else {
            request.topics.iter().map(|name| self.describe(name)).collect()
        };
        self.respond(reply, Response::Metadata(MetadataResponse { brokers, topics }), step);
    }

    fn describe(&self, name: &str) -> MetadataTopic {
        let Some((id, topic)) = self.image.topic(name) else {
            let error = ErrorCode::UnknownTopicOrPartition;
            return MetadataTopic { name: name.to_owned(), error, id: None, partitions: Vec::new() };
        };
        let partitions = (0..topic.partitions)
            .filter_map(|index| self.image.partitions.get(&Partition { topic: id, index }))
            .map(|registration| MetadataPartition {
                index: registration.partition.index,
                error: if registration.leader.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
                leader: registration.leader,
                leader_epoch: registration.leader_epoch,
                replicas: registration.replicas.clone(),
                isr: registration.isr.clone(),
            })
            .collect();
        MetadataTopic { name: name.to_owned(), error: ErrorCode::None, id: Some(id), partitions }
    }

    /// The replica, if it leads in the epoch that the asker knows (R21, R42).
    fn led(&self, partition: Partition, asked_epoch: Option<LeaderEpoch>) -> Result<&Replica, ErrorCode> {
        self.hosted(partition)?;
        let replica = self.replicas.get(&partition).ok_or(ErrorCode::NotLeaderOrFollower)?;
        self.own.protocol.fencing.check(asked_epoch, replica.epoch())?;
        if replica.leads() { Ok(replica) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }
}

/// What was found for one partition.
#[derive(Clone, Copy, Debug, Default)]
struct Listed {
    offset: EndOffset,
    timestamp: Option<i64>,
    leader_epoch: Option<LeaderEpoch>,
}

/// L76. The end is what the asker may read up to. A client is not told one before the high watermark has reached this
/// epoch, because it may be lower than what an earlier leader has shown (KIP-207), nor that there is no record where one
/// may be shown in a moment. A timestamp is looked for in all of the log, and what is found beyond that bound is not told:
/// a record that is not committed can hide the largest timestamp of those that are, as in Kafka.
fn find(
    replica: &Replica,
    (fetcher, spec): (Fetcher, OffsetSpec),
    listing: Listing,
    step: &mut Step<'_>,
) -> Result<Result<Listed, ErrorCode>, Stop> {
    let log = &replica.log;
    let (end, bound, lags) = match fetcher {
        Fetcher::Replica { .. } => (log.end(), log.end(), false),
        Fetcher::Consumer => {
            let epoch_start = replica.leader().map(|leader| leader.epoch_start).unwrap_or_default();
            let high_watermark = replica.high_watermark;
            (high_watermark, listing.bound(high_watermark), listing.waits(high_watermark, epoch_start))
        }
    };
    let place = |offset| Listed { offset, timestamp: None, leader_epoch: replica.leader_epoch };
    let found = match spec {
        OffsetSpec::Earliest => return Ok(Ok(place(log.start()))),
        OffsetSpec::Latest if lags => return Ok(Err(ErrorCode::OffsetNotAvailable)),
        OffsetSpec::Latest => return Ok(Ok(place(end))),
        OffsetSpec::MaxTimestamp => log.max_timestamp(step.disk, log.end())?,
        OffsetSpec::Timestamp(timestamp) => log.offset_for_timestamp(step.disk, timestamp, log.end())?,
    };
    Ok(match found.filter(|found| bound.covers(found.offset)) {
        Some(found) => Ok(Listed {
            offset: found.offset.bound(),
            timestamp: Some(found.timestamp),
            leader_epoch: Some(found.epoch),
        }),
        None if lags => Err(ErrorCode::OffsetNotAvailable),
        None => Ok(place(EndOffset::ZERO)),
    })
}

fn split<T: Default>(found: Result<T, ErrorCode>) -> (ErrorCode, T) {
    match found {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, T::default()),
    }
}
