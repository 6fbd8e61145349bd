//! Answers that wait for what they tell of to be committed (C30, C35, R73). It must not know what that is.

use std::collections::VecDeque;

use crate::event::Event;
use crate::names::{EndOffset, Offset};
use crate::wire::{
    AdminResponse, AlterPartitionResponse, BrokerHeartbeatResponse, BrokerRegistrationResponse, CreateTopicsResponse,
    CreatedTopic, ErrorCode, ReplyTo, Request, Response,
};

/// The answers that wait, in the order in which they were decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    answers: VecDeque<Held>,
}

/// One answer that waits.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// It leaves once everything below is committed.
    pub(super) upto: EndOffset,
    /// Where the decision's own records begin, if it has any. One without was made upon what others had decided.
    pub(super) decided: Option<Offset>,
    /// Where it goes.
    pub(super) reply_to: ReplyTo,
    /// What is answered.
    pub(super) response: Response,
    /// What is to be answered if this controller is deposed before.
    pub(super) refusal: Response,
    /// What is noted with the answer.
    pub(super) notes: Vec<Event>,
}

impl Pending {
    /// One more that waits, for no less than those before it.
    pub(super) fn hold(&mut self, held: Held) {
        self.answers.push_back(held);
    }

    /// The next answer that need not wait any longer.
    pub(super) fn next(&mut self, committed: EndOffset) -> Option<Held> {
        self.answers.pop_front_if(|held| held.upto <= committed)
    }

    /// All that will never leave as they are.
    pub(super) fn into_answers(self) -> VecDeque<Held> {
        self.answers
    }
}

/// What to answer to a request that is not served, in the form that its API has for it. `None` for what a controller does
/// not serve at all.
pub(crate) fn refusal(request: &Request, error: ErrorCode) -> Option<Response> {
    Some(match request {
        Request::BrokerRegistration(_) => Response::BrokerRegistration(BrokerRegistrationResponse::refused(error)),
        Request::BrokerHeartbeat(_) => Response::BrokerHeartbeat(BrokerHeartbeatResponse::refused(error)),
        Request::AlterPartition(_) => Response::AlterPartition(AlterPartitionResponse::refused(error)),
        Request::CreateTopics(request) => {
            let refused = |name: &String| CreatedTopic {
                name: name.clone(),
                result: Err((error, "this is not the active controller".to_owned())),
            };
            Response::CreateTopics(CreateTopicsResponse {
                topics: request.topics.iter().map(|topic| refused(&topic.name)).collect(),
            })
        }
        Request::Administer(_) => {
            Response::Administer(AdminResponse { error, message: "this is not the active controller".to_owned() })
        }
        Request::Produce(_)
        | Request::Fetch(_)
        | Request::ListOffsets(_)
        | Request::OffsetsForLeaderEpoch(_)
        | Request::Metadata(_)
        | Request::DeleteRecords(_)
        | Request::Vote(_)
        | Request::BeginQuorumEpoch(_)
        | Request::EndQuorumEpoch(_)
        | Request::FetchMetadata(_)
        | Request::FetchSnapshot(_)
        | Request::ZooKeeper(_)
        | Request::LeaderAndIsr(_)
        | Request::UpdateMetadata(_)
        | Request::StopReplica(_)
        | Request::ControlledShutdown(_) => return None,
    })
}
