//! A message in words, for transcripts. The only place in the house that looks into messages to print them.

use std::fmt::Write;

use model::log::Slices;
use model::names::EndOffset;
use model::wire::{Body, ErrorCode, FetchPartitionResponse, Fetcher, Request, Response};

/// A message in words: what matters of it to whoever reads a transcript.
#[must_use]
pub fn say(body: &Body) -> String {
    match body {
        Body::Request(request) => say_request(request),
        Body::Response(response) => say_response(response),
    }
}

fn say_request(request: &Request) -> String {
    let mut text = String::from(Body::Request(request.clone()).name());
    match request {
        Request::Produce(produce) => {
            for part in &produce.partitions {
                let _ = write!(text, " {}: {}", part.partition, batches(&part.records.clone().into()));
            }
        }
        Request::Fetch(fetch) => {
            for part in &fetch.partitions {
                let _ = write!(text, " {} from {}", part.partition, part.fetch_offset);
                if let Some(epoch) = part.current_leader_epoch {
                    let _ = write!(text, " in epoch {epoch}");
                }
                if let Some(epoch) = part.last_fetched_epoch {
                    let _ = write!(text, ", last record of epoch {epoch}");
                }
            }
            if fetch.fetcher == Fetcher::Consumer {
                text.push_str(" (consumer)");
            }
        }
        Request::ListOffsets(list) => {
            for part in &list.partitions {
                let _ = write!(text, " {} {:?}", part.partition, part.spec);
            }
        }
        Request::OffsetsForLeaderEpoch(asked) => {
            for part in &asked.partitions {
                let _ = write!(text, " {}: where does epoch {} end", part.partition, part.leader_epoch);
            }
        }
        Request::Metadata(metadata) => {
            let _ = write!(text, " {}", metadata.topics.join(" "));
        }
        Request::AlterPartition(alter) => {
            for part in &alter.partitions {
                let members: Vec<String> = part.new_isr.iter().map(|member| member.id.to_string()).collect();
                let _ = write!(text, " {}: ISR [{}] in epoch {}", part.partition, members.join(" "), part.leader_epoch);
            }
        }
        Request::BrokerRegistration(registration) => {
            let _ = write!(text, " {}", registration.broker);
            if let Some(epoch) = registration.previous_broker_epoch {
                let _ = write!(text, ", stopped in an orderly way in broker epoch {epoch}");
            }
        }
        Request::BrokerHeartbeat(heartbeat) => {
            let _ = write!(text, " {} has metadata up to {}", heartbeat.broker, heartbeat.metadata_offset);
            if heartbeat.want_fence {
                text.push_str(", wants to be fenced");
            }
            if heartbeat.want_shut_down {
                text.push_str(", wants to shut down");
            }
        }
        Request::CreateTopics(create) => {
            for topic in &create.topics {
                let _ = write!(text, " {} {} x {}", topic.name, topic.partitions, topic.replication_factor);
            }
        }
        Request::DeleteRecords(delete) => {
            for part in &delete.partitions {
                let _ = match part.before {
                    Some(before) => write!(text, " {} below {before}", part.partition),
                    None => write!(text, " {} below the high watermark", part.partition),
                };
            }
        }
        Request::Vote(vote) => {
            let kind = if vote.pre_vote { "would you vote for" } else { "vote for" };
            let _ = write!(
                text,
                " {kind} {} in epoch {}, log ends at {} (epoch {})",
                vote.candidate.id, vote.epoch, vote.last_offset, vote.last_epoch
            );
        }
        Request::BeginQuorumEpoch(begin) => {
            let _ = write!(text, " {} leads in epoch {}", begin.leader, begin.epoch);
        }
        Request::EndQuorumEpoch(end) => {
            let _ = write!(text, " {} led in epoch {}", end.leader, end.epoch);
        }
        Request::FetchMetadata(fetch) => {
            let _ = write!(text, " from {} in epoch {}", fetch.fetch_offset, fetch.current_leader_epoch);
        }
        Request::FetchSnapshot(fetch) => {
            let _ = write!(text, " {}-{} from byte {}", fetch.snapshot.end, fetch.snapshot.epoch, fetch.position);
        }
        Request::Administer(request) => {
            let _ = write!(text, " {request:?}");
        }
        Request::ZooKeeper(request) => {
            let _ = write!(text, " {request:?}");
        }
        Request::LeaderAndIsr(request) => {
            let _ =
                write!(text, " in controller epoch {}, {} partitions", request.sender.epoch, request.partitions.len());
        }
        Request::UpdateMetadata(request) => {
            let _ =
                write!(text, " in controller epoch {}, {} partitions", request.sender.epoch, request.partitions.len());
        }
        Request::StopReplica(request) => {
            let _ =
                write!(text, " in controller epoch {}, {} partitions", request.sender.epoch, request.partitions.len());
        }
        Request::ControlledShutdown(request) => {
            let _ = write!(text, " {} in broker epoch {}", request.broker, request.broker_epoch);
        }
    }
    text.trim_end().to_owned()
}

fn say_response(response: &Response) -> String {
    let mut text = String::from(Body::Response(response.clone()).name());
    match response {
        Response::Produce(produce) => {
            for part in &produce.partitions {
                let _ = write!(text, " {}: {}", part.partition, outcome(part.error));
                if let Some(base) = part.base_offset {
                    let _ = write!(text, " at {base}");
                }
            }
        }
        Response::Fetch(fetch) => {
            for part in &fetch.partitions {
                let _ = write!(text, " {}: {}", part.partition, fetched(part));
            }
        }
        Response::ListOffsets(list) => {
            for part in &list.partitions {
                let _ = write!(text, " {}: {} {}", part.partition, outcome(part.error), part.offset);
            }
        }
        Response::OffsetsForLeaderEpoch(answer) => {
            for part in &answer.partitions {
                match part.end {
                    Some(end) => {
                        let _ = write!(text, " {}: epoch {} ends at {}", part.partition, end.epoch, end.end);
                    }
                    None => {
                        let _ = write!(text, " {}: {}, unknown", part.partition, outcome(part.error));
                    }
                }
            }
        }
        Response::Metadata(metadata) => {
            for topic in &metadata.topics {
                let _ = write!(text, " {}: {}", topic.name, outcome(topic.error));
                for part in &topic.partitions {
                    let leader = part.leader.map_or_else(|| "nobody".to_owned(), |leader| leader.to_string());
                    let _ = write!(text, ", {} led by {leader} in epoch {}", part.index, part.leader_epoch);
                }
            }
        }
        Response::AlterPartition(alter) => {
            let _ = write!(text, " {}", outcome(alter.error));
            for part in &alter.partitions {
                match &part.result {
                    Ok(accepted) => {
                        let members: Vec<String> = accepted.isr.iter().map(ToString::to_string).collect();
                        let _ = write!(text, " {}: ISR [{}]", part.partition, members.join(" "));
                    }
                    Err(error) => {
                        let _ = write!(text, " {}: {}", part.partition, outcome(*error));
                    }
                }
            }
        }
        Response::BrokerRegistration(answer) => {
            let _ = write!(text, " {}", outcome(answer.error));
            if let Some(epoch) = answer.broker_epoch {
                let _ = write!(text, ", broker epoch {epoch}");
            }
        }
        Response::BrokerHeartbeat(answer) => {
            let _ = write!(text, " {}{}", outcome(answer.error), if answer.is_fenced { ", fenced" } else { "" });
        }
        Response::CreateTopics(create) => {
            for topic in &create.topics {
                match &topic.result {
                    Ok(id) => {
                        let _ = write!(text, " {} is t{}", topic.name, id.0);
                    }
                    Err((error, message)) => {
                        let _ = write!(text, " {}: {}: {message}", topic.name, outcome(*error));
                    }
                }
            }
        }
        Response::DeleteRecords(delete) => {
            for part in &delete.partitions {
                let _ = write!(text, " {}: {}", part.partition, outcome(part.error));
                if let Some(low) = part.low_watermark {
                    let _ = write!(text, ", low watermark {low}");
                }
            }
        }
        Response::Vote(vote) => {
            let granted = if vote.granted { "granted" } else { "refused" };
            let _ = write!(text, " {granted} by {} in epoch {}", vote.voter.id, vote.epoch);
        }
        Response::BeginQuorumEpoch(answer) | Response::EndQuorumEpoch(answer) => {
            let _ = write!(text, " {} in epoch {}", outcome(answer.error), answer.epoch);
        }
        Response::FetchMetadata(answer) => {
            let _ = write!(text, " {} in epoch {}", outcome(answer.error), answer.epoch);
            match (answer.diverging_epoch, answer.snapshot) {
                (Some(diverging), _) => {
                    let _ = write!(text, ", diverging, epoch {} ends at {}", diverging.epoch, diverging.end);
                }
                (None, Some(snapshot)) => {
                    let _ = write!(text, ", fetch snapshot {}-{}", snapshot.end, snapshot.epoch);
                }
                (None, None) => {
                    let high_watermark = answer.high_watermark.unwrap_or(EndOffset::ZERO);
                    let _ = write!(text, ", {}, high watermark {high_watermark}", batches(&answer.records));
                }
            }
        }
        Response::FetchSnapshot(answer) => {
            let _ = write!(text, " {}, {} of {} bytes", outcome(answer.error), answer.bytes.len(), answer.size);
        }
        Response::Administer(answer) => {
            let _ = write!(text, " {} {}", outcome(answer.error), answer.message);
        }
        Response::ZooKeeper(answer) => {
            let _ = write!(text, " {answer:?}");
        }
        Response::LeaderAndIsr(told) | Response::UpdateMetadata(told) | Response::StopReplica(told) => {
            let _ = write!(text, " {}", outcome(told.error));
        }
        Response::ControlledShutdown(answer) => {
            let _ = write!(text, " {}, {} partitions remain", outcome(answer.error), answer.remaining.len());
        }
    }
    text
}

fn fetched(part: &FetchPartitionResponse) -> String {
    if part.error != ErrorCode::None {
        return outcome(part.error).to_owned();
    }
    let high_watermark = part.high_watermark.unwrap_or(EndOffset::ZERO);
    match part.diverging_epoch {
        Some(diverging) => format!("diverging, epoch {} ends at {}", diverging.epoch, diverging.end),
        None => format!("{}, high watermark {high_watermark}", batches(&part.records)),
    }
}

fn outcome(error: ErrorCode) -> &'static str {
    if error == ErrorCode::None { "ok" } else { error.name() }
}

/// The batches in a run of bytes: `0..2 (epoch 0)`.
fn batches(bytes: &Slices) -> String {
    let batches = bytes.batches().map_while(Result::ok);
    let spans = batches.map(|batch| {
        let id = batch.id();
        // A producer's batch has no epoch yet.
        if id.epoch.0 < 0 {
            format!("{} records", id.records)
        } else {
            format!("{}..{} (epoch {})", id.base, id.end(), id.epoch)
        }
    });
    let spans: Vec<String> = spans.collect();
    if spans.is_empty() { "nothing".to_owned() } else { spans.join(" ") }
}
