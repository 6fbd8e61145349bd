//! What the trace says of a message: its API, and the first error in it. Nothing more of a message is looked at.

use model::wire::{Body, ErrorCode, Request, Response};

use crate::fact::Api;

/// The API of a message.
pub(crate) fn api(body: &Body) -> Api {
    match body {
        Body::Request(request) => match request {
            Request::Produce(_) => Api::ProduceRequest,
            Request::Fetch(_) => Api::FetchRequest,
            Request::ListOffsets(_) => Api::ListOffsetsRequest,
            Request::OffsetsForLeaderEpoch(_) => Api::OffsetsForLeaderEpochRequest,
            Request::Metadata(_) => Api::MetadataRequest,
            Request::AlterPartition(_) => Api::AlterPartitionRequest,
            Request::BrokerRegistration(_) => Api::BrokerRegistrationRequest,
            Request::BrokerHeartbeat(_) => Api::BrokerHeartbeatRequest,
            Request::CreateTopics(_) => Api::CreateTopicsRequest,
            Request::DeleteRecords(_) => Api::DeleteRecordsRequest,
            Request::Vote(_) => Api::VoteRequest,
            Request::BeginQuorumEpoch(_) => Api::BeginQuorumEpochRequest,
            Request::EndQuorumEpoch(_) => Api::EndQuorumEpochRequest,
            Request::FetchMetadata(_) => Api::FetchMetadataRequest,
            Request::FetchSnapshot(_) => Api::FetchSnapshotRequest,
            Request::Administer(_) => Api::AdministerRequest,
            Request::ZooKeeper(_) => Api::ZooKeeperRequest,
            Request::LeaderAndIsr(_) => Api::LeaderAndIsrRequest,
            Request::UpdateMetadata(_) => Api::UpdateMetadataRequest,
            Request::StopReplica(_) => Api::StopReplicaRequest,
            Request::ControlledShutdown(_) => Api::ControlledShutdownRequest,
        },
        Body::Response(response) => match response {
            Response::Produce(_) => Api::ProduceResponse,
            Response::Fetch(_) => Api::FetchResponse,
            Response::ListOffsets(_) => Api::ListOffsetsResponse,
            Response::OffsetsForLeaderEpoch(_) => Api::OffsetsForLeaderEpochResponse,
            Response::Metadata(_) => Api::MetadataResponse,
            Response::AlterPartition(_) => Api::AlterPartitionResponse,
            Response::BrokerRegistration(_) => Api::BrokerRegistrationResponse,
            Response::BrokerHeartbeat(_) => Api::BrokerHeartbeatResponse,
            Response::CreateTopics(_) => Api::CreateTopicsResponse,
            Response::DeleteRecords(_) => Api::DeleteRecordsResponse,
            Response::Vote(_) => Api::VoteResponse,
            Response::BeginQuorumEpoch(_) => Api::BeginQuorumEpochResponse,
            Response::EndQuorumEpoch(_) => Api::EndQuorumEpochResponse,
            Response::FetchMetadata(_) => Api::FetchMetadataResponse,
            Response::FetchSnapshot(_) => Api::FetchSnapshotResponse,
            Response::Administer(_) => Api::AdministerResponse,
            Response::ZooKeeper(_) => Api::ZooKeeperResponse,
            Response::LeaderAndIsr(_) => Api::LeaderAndIsrResponse,
            Response::UpdateMetadata(_) => Api::UpdateMetadataResponse,
            Response::StopReplica(_) => Api::StopReplicaResponse,
            Response::ControlledShutdown(_) => Api::ControlledShutdownResponse,
        },
    }
}

/// The first error in a response, if there is one.
pub(crate) fn first_error(body: &Body) -> Option<ErrorCode> {
    let Body::Response(response) = body else { return None };
    match response {
        Response::Produce(answer) => first(answer.partitions.iter().map(|part| part.error)),
        Response::Fetch(answer) => first(answer.partitions.iter().map(|part| part.error)),
        Response::ListOffsets(answer) => first(answer.partitions.iter().map(|part| part.error)),
        Response::OffsetsForLeaderEpoch(answer) => first(answer.partitions.iter().map(|part| part.error)),
        Response::Metadata(answer) => first(
            answer
                .topics
                .iter()
                .flat_map(|topic| std::iter::once(topic.error).chain(topic.partitions.iter().map(|part| part.error))),
        ),
        Response::AlterPartition(answer) => {
            let parts = answer.partitions.iter().filter_map(|part| part.result.as_ref().err().copied());
            first(std::iter::once(answer.error).chain(parts))
        }
        Response::BrokerRegistration(answer) => first(std::iter::once(answer.error)),
        Response::BrokerHeartbeat(answer) => first(std::iter::once(answer.error)),
        Response::CreateTopics(answer) => {
            first(answer.topics.iter().filter_map(|topic| topic.result.as_ref().err().map(|(error, _)| *error)))
        }
        Response::DeleteRecords(answer) => first(answer.partitions.iter().map(|part| part.error)),
        Response::Vote(answer) => first(std::iter::once(answer.error)),
        Response::BeginQuorumEpoch(answer) => first(std::iter::once(answer.error)),
        Response::EndQuorumEpoch(answer) => first(std::iter::once(answer.error)),
        Response::FetchMetadata(answer) => first(std::iter::once(answer.error)),
        Response::FetchSnapshot(answer) => first(std::iter::once(answer.error)),
        Response::Administer(answer) => first(std::iter::once(answer.error)),
        // The ensemble has errors of its own, which are no error codes of Kafka.
        Response::ZooKeeper(_) => None,
        Response::LeaderAndIsr(told) | Response::UpdateMetadata(told) | Response::StopReplica(told) => {
            first(std::iter::once(told.error))
        }
        Response::ControlledShutdown(answer) => first(std::iter::once(answer.error)),
    }
}

fn first(mut errors: impl Iterator<Item = ErrorCode>) -> Option<ErrorCode> {
    errors.find(|error| *error != ErrorCode::None)
}
