//! Questions that change nothing: where a log ends, where an epoch ended, who leads (L76, R42, C49).

use super::Process;
use super::step::Step;
use crate::names::{EndOffset, LeaderEpoch, Partition};
use crate::replica::Replica;
use crate::wire::{
    DivergingEpoch, ErrorCode, Fetcher, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic, OffsetSpec,
    OffsetsForLeaderEpochPartition, OffsetsForLeaderEpochPartitionResponse, OffsetsForLeaderEpochRequest,
    OffsetsForLeaderEpochResponse, ReplyTo, Response,
};

impl Process {
    pub(super) fn list_offsets(&mut self, reply: ReplyTo, request: &ListOffsetsRequest, step: &mut Step<'_>) {
        let answer = |asked: &ListOffsetsPartition| {
            let found = self.led(asked.partition, asked.current_leader_epoch).and_then(|replica| {
                bound(replica, request.fetcher, asked.spec).map(|bound| (bound, replica.leader_epoch))
            });
            let (error, (offset, leader_epoch)) = split(found);
            ListOffsetsPartitionResponse { partition: asked.partition, error, offset, timestamp: None, leader_epoch }
        };
        let partitions = request.partitions.iter().map(answer).collect();
        self.respond(reply, Response::ListOffsets(ListOffsetsResponse { partitions }), step);
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

/// L76: a client is not told a latest offset before the high watermark has reached this epoch, because it may be lower
/// than what an earlier leader has shown (KIP-207).
fn bound(replica: &Replica, fetcher: Fetcher, spec: OffsetSpec) -> Result<EndOffset, ErrorCode> {
    let epoch_start = replica.leader().map(|leader| leader.epoch_start).unwrap_or_default();
    match (spec, fetcher) {
        (OffsetSpec::Earliest, _) => Ok(replica.log.start()),
        (OffsetSpec::Latest, Fetcher::Replica { .. }) => Ok(replica.log.end()),
        (OffsetSpec::Latest, Fetcher::Consumer) if replica.high_watermark < epoch_start => {
            Err(ErrorCode::OffsetNotAvailable)
        }
        (OffsetSpec::Latest, Fetcher::Consumer) => Ok(replica.high_watermark),
        (OffsetSpec::MaxTimestamp | OffsetSpec::Timestamp(_), _) => Err(ErrorCode::UnknownServerError),
    }
}

fn split<T: Default>(found: Result<T, ErrorCode>) -> (ErrorCode, T) {
    match found {
        Ok(found) => (ErrorCode::None, found),
        Err(error) => (error, T::default()),
    }
}
