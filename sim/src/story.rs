//! A run in words: one line per fact, for people. Knows no world; what it prints, a fact says.

use std::fmt::{self, Write};

use model::config::Acks;
use model::event::{Event, QuorumRole, SeekReason, StartCause, Value};
use model::log::BatchId;
use model::machine::Command;
use model::metadata::{ConfigResource, MetadataRecord, PartitionChange};
use model::names::BrokerId;
use model::wire::{AdminRequest, AlteredResource, ErrorCode};

use crate::fact::{Chapter, Ending, Fact, What};

/// The facts that matter to a reader of a failure, one line each: no messages, no bookkeeping.
#[must_use]
pub fn story(trace: &[Fact]) -> Vec<String> {
    trace.iter().filter(|fact| matters(fact)).map(line).collect()
}

/// One fact in one line: `0.0338s  b1   appended 2..3 of t1-0 (epoch 1)`.
#[must_use]
pub fn line(fact: &Fact) -> String {
    let who = match (&fact.what, fact.node) {
        (What::Struck(_), _) => "!!".to_owned(),
        (_, Some(node)) => node.to_string(),
        (_, None) => "--".to_owned(),
    };
    let mut line = format!("{:>10}  {who:<5}", fact.at.to_string());
    say(&mut line, fact).expect("writing to a string does not fail");
    line
}

/// Whether a fact belongs into a story.
#[must_use]
pub fn matters(fact: &Fact) -> bool {
    match &fact.what {
        What::Delivered { .. } | What::Submitted(_) => false,
        What::Noted(event) => !matches!(
            event,
            Event::Flushed { .. }
                | Event::IsrKnown { pending: false, .. }
                | Event::ProduceAnswered { error: ErrorCode::None, .. }
                | Event::Served { .. }
                | Event::ImageChanged { .. }
                | Event::MetadataApplied { .. }
                | Event::Committed { record: MetadataRecord::NoOp, .. }
                | Event::MetadataAppended { .. }
                | Event::MetadataSynced { .. }
                | Event::MetadataHighWatermark { .. }
                | Event::ControllerAnswered { .. }
                | Event::QuorumOpened { .. }
                | Event::SendCalled { .. }
                | Event::BatchSent { attempt: 1, .. }
                | Event::Sought { reason: SeekReason::Initial, .. }
                | Event::Assigned { .. }
                | Event::TopicDescribed { .. }
        ),
        What::Severed { .. }
        | What::Started { .. }
        | What::Stopped { .. }
        | What::Paused
        | What::Resumed
        | What::Struck(_)
        | What::Chapter(_) => true,
    }
}

fn say(to: &mut String, fact: &Fact) -> fmt::Result {
    match &fact.what {
        What::Noted(event) => say_event(to, event),
        What::Delivered { from, api, error, .. } => {
            write!(to, "got {api:?} from {from}")?;
            if let Some(error) = error { write!(to, ": {}", error.name()) } else { Ok(()) }
        }
        What::Severed { peer, channel } => write!(to, "lost the connection to {peer} ({channel:?})"),
        What::Started { life } => write!(to, "started (life {life})"),
        What::Stopped { how } => to.write_str(match how {
            Ending::Exited => "exited",
            Ending::Crashed => "crashed",
            Ending::PoweredOff => "lost power",
            Ending::StorageFailed => "halted: its disk failed",
            Ending::Destroyed => "is gone for good",
        }),
        What::Paused => to.write_str("stands still"),
        What::Resumed => to.write_str("goes on"),
        What::Submitted(command) => say_command(to, command),
        What::Struck(fault) => match fact.node {
            Some(node) => write!(to, "{fault} [{node}]"),
            None => write!(to, "{fault}"),
        },
        What::Chapter(chapter) => to.write_str(match chapter {
            Chapter::Begun => "the scenario begins",
            Chapter::Healed => "everything is healed",
            Chapter::LoadEnded => "no more records are sent",
            Chapter::ReadBack => "everything is read back",
            Chapter::Ended => "the end",
        }),
    }
}

fn say_command(to: &mut String, command: &Command) -> fmt::Result {
    match command {
        Command::Send { topic, value, .. } => write!(to, "is asked to send value {} to {topic}", Value::of(value).0),
        Command::Flush => to.write_str("is asked to flush"),
        Command::Assign { topic, .. } => write!(to, "is assigned {topic}"),
        Command::Seek { topic, partition, offset } => write!(to, "is told to read {topic}-{partition} from {offset}"),
        Command::SeekToBeginning => to.write_str("is told to read from the beginning"),
        Command::CreateTopic { name, partitions, replication_factor, .. } => {
            write!(to, "is asked to create {name}: {partitions} x {replication_factor}")
        }
        Command::DescribeTopic { name } => write!(to, "is asked about {name}"),
        Command::Administer(request) => write!(to, "is asked to {}", Asked(request)),
        Command::DeleteRecords { topic, partition, before: Some(before) } => {
            write!(to, "is asked to delete what is below {before} of {topic}-{partition}")
        }
        Command::DeleteRecords { topic, partition, before: None } => {
            write!(to, "is asked to delete all of {topic}-{partition} that is committed")
        }
        Command::ListOffsets { topic, partition, spec } => {
            write!(to, "is asked for an offset of {topic}-{partition}: {spec:?}")
        }
    }
}

fn say_event(to: &mut String, event: &Event) -> fmt::Result {
    match event {
        Event::Opened { partition, start, end, high_watermark, .. } => {
            write!(to, "opened {partition}: {start}..{end}, high watermark {high_watermark}")
        }
        Event::AppendedAsLeader { partition, epoch, batch } => {
            write!(to, "appended {} to {partition} (epoch {epoch})", Span(batch))
        }
        Event::AppendedAsFollower { partition, batch, .. } => {
            write!(to, "replicated {} of {partition} (epoch {})", Span(batch), batch.epoch)
        }
        Event::Truncated { partition, from, end, .. } => write!(to, "cut {partition} from {from} down to {end}"),
        Event::Restarted { partition, start, .. } => write!(to, "threw {partition} away, starts again at {start}"),
        Event::Flushed { partition, upto } => write!(to, "synced {partition} up to {upto}"),
        Event::Led { partition, epoch, start, isr, .. } => {
            write!(to, "leads {partition} in epoch {epoch}, log ends at {start}, ISR {}", Brokers(isr))
        }
        Event::Followed { partition, epoch, leader, end, .. } => match leader {
            Some(leader) => write!(to, "follows {leader} in {partition}, epoch {epoch}, log ends at {end}"),
            None => write!(to, "follows nobody in {partition}, epoch {epoch}, log ends at {end}"),
        },
        Event::IsrKnown { partition, committed, required, pending, .. } => {
            write!(to, "knows ISR {} of {partition}", Brokers(committed))?;
            if *pending { write!(to, ", has proposed a change, requires {}", Brokers(required)) } else { Ok(()) }
        }
        Event::HighWatermark { partition, at, .. } => write!(to, "high watermark of {partition} is {at}"),
        Event::Diverged { partition, shared, end, .. } => {
            write!(to, "is told that {partition} diverges: epoch {shared} ends at {end}")
        }
        _ => say_storage(to, event),
    }
}

fn say_storage(to: &mut String, event: &Event) -> fmt::Result {
    match event {
        Event::Recovered { partition, clean: true, .. } => write!(to, "believes {partition} as it was left"),
        Event::Recovered { partition, recovery, .. } => {
            let (segments, batches) = (recovery.segments_scanned, recovery.batches_scanned);
            write!(to, "checked {segments} segments of {partition}, {batches} batches")?;
            if recovery.bytes_cut > 0 {
                write!(to, ", cut {} bytes", recovery.bytes_cut)?;
            }
            if recovery.segments_dropped > 0 {
                write!(to, ", dropped {} segments", recovery.segments_dropped)?;
            }
            Ok(())
        }
        Event::LogStartMoved { partition, start, cause, .. } => {
            let cause = match cause {
                StartCause::Retention => "by retention",
                StartCause::DeleteRecords => "as it was asked to",
                StartCause::Leader => "as its leader's does",
            };
            write!(to, "{partition} begins at {start} now, {cause}")
        }
        Event::SegmentsDeleted { partition, segments, .. } => match (segments.first(), segments.last()) {
            (Some(first), Some(last)) => {
                write!(to, "deleted {} segments of {partition}, {}..{}", segments.len(), first.base, last.end)
            }
            _ => write!(to, "deleted nothing of {partition}"),
        },
        Event::Cleaned { partition, upto, batches } => {
            write!(to, "cleaned {partition} up to {upto}: {} batches are not what they were", batches.len())
        }
        Event::DeleteRecordsAnswered { partition, error, .. } => {
            write!(to, "answers a DeleteRecords of {partition}: {}", error.name())
        }
        Event::RecordsDeleted { partition, low_watermark: Some(low), .. } => {
            write!(to, "is told that {partition} begins at {low} everywhere")
        }
        Event::RecordsDeleted { partition, error, .. } => {
            write!(to, "is told that nothing of {partition} was deleted: {}", error.name())
        }
        Event::OffsetListed { partition, spec, found: Some((offset, _)), .. } => {
            write!(to, "is told {offset} of {partition} for {spec:?}")
        }
        Event::OffsetListed { partition, spec, error, .. } => {
            write!(to, "is told no offset of {partition} for {spec:?}: {}", error.name())
        }
        Event::Strayed { directory } => write!(to, "puts {directory} aside: it is nobody's here"),
        _ => say_request_or_life(to, event),
    }
}

fn say_request_or_life(to: &mut String, event: &Event) -> fmt::Result {
    match event {
        Event::ProduceAnswered { partition, client, error, .. } => {
            write!(to, "answers {client}'s produce to {partition}: {}", error.name())
        }
        Event::Served { partition, client, from, upto, .. } => {
            write!(to, "serves {client} {from}..{upto} of {partition}")
        }
        Event::BrokerStarted { previous_broker_epoch: Some(epoch) } => {
            write!(to, "has read its disk, was stopped in an orderly way (broker epoch {epoch})")
        }
        Event::BrokerStarted { previous_broker_epoch: None } => to.write_str("has read its disk"),
        Event::Registered { epoch } => write!(to, "registered, broker epoch {epoch}"),
        Event::Fenced { fenced } => to.write_str(if *fenced { "is fenced" } else { "is unfenced" }),
        Event::ImageChanged { checksum } => write!(to, "has another image of the cluster ({checksum:08x})"),
        Event::MetadataApplied { upto } => write!(to, "applied metadata up to {upto}"),
        Event::ShutDown => to.write_str("stopped in an orderly way"),
        Event::ControllerLed { epoch } => write!(to, "controls in epoch {epoch}"),
        Event::Committed { offset, record } => {
            write!(to, "committed {offset}: ")?;
            say_record(to, record)
        }
        Event::Removed { partition } => write!(to, "removes {partition}: it is not its own any more"),
        Event::AlterPartitionRefused { broker, partition, error } => {
            write!(to, "refused {broker}'s ISR change of {partition}: {}", error.name())
        }
        _ => say_quorum_event(to, event),
    }
}

fn say_quorum_event(to: &mut String, event: &Event) -> fmt::Result {
    match event {
        Event::QuorumOpened { epoch, start, end, .. } => {
            write!(to, "opened the metadata log: {start}..{end}, epoch {epoch}")
        }
        Event::QuorumRole { epoch, role, leader } => {
            let role = match role {
                QuorumRole::Unattached => "knows no leader of the quorum",
                QuorumRole::Prospective => "asks whether it would be elected",
                QuorumRole::Candidate => "stands for election",
                QuorumRole::Leader => "was elected",
                QuorumRole::Resigned => "has given up to lead",
                QuorumRole::Follower => "follows",
            };
            write!(to, "{role}")?;
            if let Some(leader) = leader {
                write!(to, " {leader}")?;
            }
            write!(to, ", epoch {epoch}")
        }
        Event::Voted { epoch, candidate } => write!(to, "votes for {} in epoch {epoch}", candidate.id),
        Event::MetadataAppended { batch, epoch, .. } => write!(to, "metadata {} (epoch {epoch})", Span(batch)),
        Event::MetadataSynced { upto } => write!(to, "synced metadata up to {upto}"),
        Event::MetadataTruncated { end } => write!(to, "cut the metadata log down to {end}"),
        Event::MetadataHighWatermark { at, .. } => write!(to, "metadata is committed up to {at}"),
        Event::MetadataSnapshot { id, fetched, .. } => {
            let how = if *fetched { "fetched" } else { "wrote" };
            write!(to, "{how} the snapshot of metadata up to {}", id.end)
        }
        Event::ControllerResigned { epoch, unanswered } => {
            write!(to, "controls no more (epoch {epoch}), {unanswered} requests end in NOT_CONTROLLER")
        }
        Event::ControllerAnswered { peer, decided: (_, end), .. } => {
            write!(to, "answers {peer}: committed up to {end}")
        }
        _ => say_client_event(to, event),
    }
}

fn say_client_event(to: &mut String, event: &Event) -> fmt::Result {
    match event {
        Event::SendCalled { topic, value, .. } => write!(to, "takes value {} for {topic}", value.0),
        Event::BatchSent { partition, values, attempt, to: broker, acks } => {
            write!(
                to,
                "sends {} to {broker} for {partition} (attempt {attempt}, acks {})",
                Values(values),
                name_of(*acks)
            )
        }
        Event::Acked { partition, base: Some(base), values, .. } => {
            write!(to, "acked {} at offset {base} of {partition}", Values(values))
        }
        Event::Acked { partition, base: None, values, .. } => write!(to, "acked {} in {partition}", Values(values)),
        Event::SendFailed { values, error, definite, .. } => {
            let certainty = if *definite { "for certain" } else { "perhaps" };
            write!(to, "failed {} {certainty}: {}", Values(values), error.name())
        }
        Event::Assigned { partitions } => write!(to, "reads {} partitions", partitions.len()),
        Event::Sought { partition, position, reason } => write!(to, "reads {partition} from {position} ({reason:?})"),
        Event::Polled { partition, records, from } => match (records.first(), records.last()) {
            (Some((first, _)), Some((last, _))) => {
                write!(to, "polled {first}..{} of {partition} from {from}", last.end())
            }
            _ => write!(to, "polled nothing of {partition} from {from}"),
        },
        Event::TopicCreated { name, .. } => write!(to, "created topic {name}"),
        Event::TopicRefused { name, error, message } => {
            write!(to, "topic {name} was refused: {}: {message}", error.name())
        }
        Event::Administered { request, error: ErrorCode::None, .. } => {
            write!(to, "was asked to {}: done", Asked(request))
        }
        Event::Administered { request, error, message } => {
            write!(to, "was asked to {}: {}: {message}", Asked(request), error.name())
        }
        Event::TopicDescribed { name, .. } => write!(to, "described topic {name}"),
        // Every other event was said above.
        _ => write!(to, "{event:?}"),
    }
}

fn say_record(to: &mut String, record: &MetadataRecord) -> fmt::Result {
    match record {
        MetadataRecord::RegisterBroker { broker, epoch, .. } => write!(to, "registered {broker}, broker epoch {epoch}"),
        MetadataRecord::BrokerRegistrationChange { broker, fenced, in_controlled_shutdown, .. } => {
            let what = match (fenced, in_controlled_shutdown) {
                (Some(true), _) => "fenced",
                (Some(false), _) => "unfenced",
                (None, true) => "is letting go",
                (None, false) => "changed",
            };
            write!(to, "{what} {broker}")
        }
        MetadataRecord::Topic { name, id, .. } => write!(to, "topic {name} is t{}", id.0),
        MetadataRecord::Partition(created) => {
            write!(to, "{} is new, ISR {}", created.partition, Brokers(&created.isr))?;
            if let Some(leader) = created.leader { write!(to, ", led by {leader}") } else { Ok(()) }
        }
        MetadataRecord::PartitionChange(change) => {
            let PartitionChange { partition, leader, isr, .. } = change;
            write!(to, "{partition}")?;
            match leader {
                Some(Some(leader)) => write!(to, " led by {leader}")?,
                Some(None) => write!(to, " led by nobody")?,
                None => {}
            }
            let lists = [
                (" replicas", &change.replicas),
                (" ISR", isr),
                (" ELR", &change.elr),
                (" adding", &change.adding),
                (" removing", &change.removing),
            ];
            for (name, list) in lists {
                if let Some(list) = list {
                    write!(to, "{name} {}", Brokers(list))?;
                }
            }
            Ok(())
        }
        MetadataRecord::Assignment { partition, replicas, adding, removing } => {
            write!(
                to,
                "{partition} replicas {} adding {} removing {}",
                Brokers(replicas),
                Brokers(adding),
                Brokers(removing)
            )
        }
        MetadataRecord::RemoveTopic { id } => write!(to, "topic t{} is deleted", id.0),
        MetadataRecord::Config { resource, name, value } => {
            match resource {
                ConfigResource::Topic(id) => write!(to, "t{}", id.0)?,
                ConfigResource::Cluster => to.write_str("all brokers")?,
                ConfigResource::Broker(broker) => write!(to, "{broker}")?,
            }
            write!(to, ": {name} is {}", value.as_deref().unwrap_or("as by default"))
        }
        MetadataRecord::UnregisterBroker { broker, .. } => write!(to, "unregistered {broker}"),
        MetadataRecord::LeaderChange { epoch } => write!(to, "controller epoch {epoch}"),
        MetadataRecord::NoOp => to.write_str("nothing"),
    }
}

fn name_of(acks: Acks) -> &'static str {
    match acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "all",
    }
}

/// What an operator asks for.
pub(crate) struct Asked<'a>(pub(crate) &'a AdminRequest);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            AdminRequest::DeleteTopic { name } => write!(f, "delete topic {name}"),
            AdminRequest::CreatePartitions { name, partitions } => write!(f, "give {name} {partitions} partitions"),
            AdminRequest::AlterPartitionReassignments { topic, partition, replicas: Some(replicas) } => {
                write!(f, "reassign {topic}-{partition} to {}", Brokers(replicas))
            }
            AdminRequest::AlterPartitionReassignments { topic, partition, replicas: None } => {
                write!(f, "cancel the reassignment of {topic}-{partition}")
            }
            AdminRequest::ElectLeaders { topic, partition, unclean } => {
                let how = if *unclean { "whoever is there" } else { "the preferred leader" };
                write!(f, "elect {how} for {topic}-{partition}")
            }
            AdminRequest::IncrementalAlterConfigs { resource, name, value } => {
                match resource {
                    AlteredResource::Topic(topic) => write!(f, "set {name} of {topic}")?,
                    AlteredResource::Cluster => write!(f, "set {name} of all brokers")?,
                    AlteredResource::Broker(broker) => write!(f, "set {name} of {broker}")?,
                }
                write!(f, " to {}", value.as_deref().unwrap_or("its default"))
            }
            AdminRequest::UnregisterBroker { broker } => write!(f, "unregister {broker}"),
        }
    }
}

/// The offsets of a batch: `2..3`.
struct Span<'a>(&'a BatchId);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.base, self.0.end())
    }
}

/// Values: a few by number, many by count.
struct Values<'a>(&'a [Value]);

impl fmt::Display for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [one] => write!(f, "value {}", one.0),
            [first, .., last] => write!(f, "{} values {}..{}", self.0.len(), first.0, last.0),
            [] => f.write_str("nothing"),
        }
    }
}

/// Brokers: `[b1 b2]`.
struct Brokers<'a>(&'a [BrokerId]);

impl fmt::Display for Brokers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, broker) in self.0.iter().enumerate() {
            write!(f, "{}{broker}", if index == 0 { "" } else { " " })?;
        }
        f.write_str("]")
    }
}
