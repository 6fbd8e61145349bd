//! A question of an admin client that only the leader of a partition can answer: first who leads, then the question.
//!
//! Which leader that is may be old news: whatever goes wrong, the brokers are asked anew. This file sends nothing.

use std::time::Duration;

use crate::event::Event;
use crate::names::{BrokerId, Offset, Partition, TopicId};
use crate::wire::{
    Body, DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsResponse, ErrorCode, Fetcher,
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, MetadataRequest, MetadataResponse, OffsetSpec,
    Request, Response,
};

/// A question about one partition, and how far it has come.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    topic: String,
    index: u32,
    question: Question,
    /// Known since a broker showed the topic.
    id: Option<TopicId>,
    /// Who led then; forgotten when it turns out to be old news.
    leader: Option<BrokerId>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Question {
    /// Delete the records below this offset; `None` for the high watermark (L75).
    DeleteRecords(Option<Offset>),
    /// Which offset is that (L76)?
    ListOffsets(OffsetSpec),
}

/// What an answer means.
pub(super) enum Told {
    /// The call is over.
    Done(Box<Event>),
    /// One step further.
    GoOn,
    /// Not this time.
    Retry(ErrorCode, String),
}

impl Ask {
    pub(super) fn new(topic: String, index: u32, question: Question) -> Self {
        Self { topic, index, question, id: None, leader: None }
    }

    /// What to send next, and to whom; `None` is any broker. A broker may wait for replicas as long as `patience`.
    pub(super) fn request(&self, patience: Duration) -> (Option<BrokerId>, Request) {
        let (Some(leader), Some(partition)) = (self.leader, self.partition()) else {
            return (None, Request::Metadata(MetadataRequest { topics: vec![self.topic.clone()] }));
        };
        let request = match self.question {
            Question::DeleteRecords(before) => Request::DeleteRecords(DeleteRecordsRequest {
                timeout: patience,
                partitions: vec![DeleteRecordsPartition { partition, before }],
            }),
            Question::ListOffsets(spec) => Request::ListOffsets(ListOffsetsRequest {
                fetcher: Fetcher::Consumer,
                partitions: vec![ListOffsetsPartition { partition, current_leader_epoch: None, spec }],
            }),
        };
        (Some(leader), request)
    }

    /// Takes an answer in.
    pub(super) fn hear(&mut self, body: &Body) -> Told {
        let told = match (body, self.question) {
            (Body::Response(Response::Metadata(metadata)), _) => self.learn_leader(metadata),
            (Body::Response(Response::DeleteRecords(answer)), Question::DeleteRecords(_)) => self.deleted(answer),
            (Body::Response(Response::ListOffsets(answer)), Question::ListOffsets(spec)) => self.listed(spec, answer),
            _ => Told::Retry(ErrorCode::UnknownServerError, "an answer to another question".to_owned()),
        };
        if matches!(told, Told::Retry(..)) {
            self.lost();
        }
        told
    }

    /// The request came to nothing: who leads is asked again.
    pub(super) fn lost(&mut self) {
        self.leader = None;
    }

    /// What is told to the application when the time is up.
    pub(super) fn given_up(&self, error: ErrorCode) -> Event {
        match self.partition() {
            Some(partition) => self.failed(partition, error),
            // Nobody ever knew the topic.
            None => Event::TopicDescribed { name: self.topic.clone(), partitions: Vec::new() },
        }
    }

    fn learn_leader(&mut self, metadata: &MetadataResponse) -> Told {
        let known = metadata.topics.iter().find(|topic| topic.name == self.topic && topic.error == ErrorCode::None);
        self.id = known.and_then(|topic| topic.id).or(self.id);
        let told = known.and_then(|topic| topic.partitions.iter().find(|told| told.index == self.index));
        self.leader = told.and_then(|told| told.leader);
        if self.leader.is_some() {
            Told::GoOn
        } else {
            Told::Retry(ErrorCode::LeaderNotAvailable, "no broker showed a leader of the partition in time".to_owned())
        }
    }

    fn deleted(&self, answer: &DeleteRecordsResponse) -> Told {
        let Some(part) = answer.partitions.iter().find(|part| Some(part.partition) == self.partition()) else {
            return nothing_said();
        };
        match part.error {
            ErrorCode::None => {
                let (partition, low_watermark) = (part.partition, part.low_watermark);
                Told::Done(Box::new(Event::RecordsDeleted { partition, low_watermark, error: ErrorCode::None }))
            }
            error => self.judge(part.partition, error),
        }
    }

    fn listed(&self, spec: OffsetSpec, answer: &ListOffsetsResponse) -> Told {
        let Some(part) = answer.partitions.iter().find(|part| Some(part.partition) == self.partition()) else {
            return nothing_said();
        };
        if part.error != ErrorCode::None {
            return self.judge(part.partition, part.error);
        }
        let is_lookup = matches!(spec, OffsetSpec::MaxTimestamp | OffsetSpec::Timestamp(_));
        let found = (!is_lookup || part.timestamp.is_some()).then_some((part.offset, part.timestamp));
        Told::Done(Box::new(Event::OffsetListed { partition: part.partition, spec, found, error: ErrorCode::None }))
    }

    fn judge(&self, partition: Partition, error: ErrorCode) -> Told {
        if error.is_retriable() {
            Told::Retry(error, error.name().to_owned())
        } else {
            Told::Done(Box::new(self.failed(partition, error)))
        }
    }

    fn failed(&self, partition: Partition, error: ErrorCode) -> Event {
        match self.question {
            Question::DeleteRecords(_) => Event::RecordsDeleted { partition, low_watermark: None, error },
            Question::ListOffsets(spec) => Event::OffsetListed { partition, spec, found: None, error },
        }
    }

    fn partition(&self) -> Option<Partition> {
        Some(Partition { topic: self.id?, index: self.index })
    }
}

fn nothing_said() -> Told {
    Told::Retry(ErrorCode::UnknownServerError, "the answer says nothing about the partition".to_owned())
}
