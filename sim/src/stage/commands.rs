//! The commands of a transcript: what a script may ask of a stage.
//!
//! ```text
//! cluster brokers=2 min_isr=1 protocol=KAFKA_0_10 [partitions=1] [rf=2] [producer.acks=1 ...]   boots it, too
//! run 500ms                    moves the clock, ticks and delivers whatever is not held
//! time 500ms                   moves the clock and ticks, delivers nothing
//! deliver [from=b1] [to=b2] [count=1] [only=Fetch] [number=12]     by hand; all that matches unless counted
//! hold b1 b2 · release b1 b2   what b1 sends to b2 waits for a hand, or no longer does
//! drop b1 b2                   resets every connection between the two
//! crash b1 · poweroff b1 · restart b1 · terminate b1
//! produce 2                    the producer is asked to send two records
//! show log|isr|hw|pile [b1 ..]
//! messages on|off              whether messages are told, too
//! ```

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use model::machine::{Command as Ask, Input};
use model::names::{BrokerId, ClientId, ControllerId, Node};
use model::protocol::Protocol;

use super::Stage;
use crate::cluster::Cluster;
use crate::fact::Ending;
use crate::script::Command;

/// Runs one command, on the stage that an earlier `cluster` command built, and says what came of it.
///
/// # Errors
/// What is wrong with the command.
pub fn run(stage: &mut Option<Stage>, command: &Command) -> Result<String, String> {
    if command.name == "cluster" {
        *stage = Some(booted(&cluster(command)?)?);
        return Ok("ok".to_owned());
    }
    let stage = stage.as_mut().ok_or("no cluster yet: begin with `cluster brokers=..`")?;
    let shown = match command.name.as_str() {
        "run" => wait(stage, command, true)?,
        "time" => wait(stage, command, false)?,
        "deliver" => deliver(stage, command)?,
        "hold" | "release" | "drop" => link(stage, command)?,
        "crash" | "poweroff" | "restart" | "terminate" => host(stage, command)?,
        "produce" => produce(stage, command)?,
        "show" => show(stage, command)?,
        "messages" => {
            stage.set_wordy(match command.words().as_slice() {
                ["on"] => true,
                ["off"] => false,
                _ => return Err("messages on, or messages off".to_owned()),
            });
            Vec::new()
        }
        other => return Err(format!("there is no command {other}")),
    };
    let mut lines = stage.take_said();
    lines.extend(shown);
    Ok(if lines.is_empty() { "ok".to_owned() } else { stage.by_topic_name(&lines.join("\n")) })
}

/// The cluster that a command describes.
fn cluster(command: &Command) -> Result<Cluster, String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("{text} is not a number"));
    let mut cluster = Cluster::of(number(command.value("brokers").unwrap_or("1"))?.max(1)).consumers(0);
    for (name, value) in command.pairs() {
        cluster = match name {
            "brokers" => cluster,
            "partitions" => cluster.partitions(number(value)?),
            "rf" => cluster.replication_factor(u16::try_from(number(value)?).map_err(|error| error.to_string())?),
            "consumers" => cluster.consumers(number(value)?),
            "min_isr" => cluster.try_property("min.insync.replicas", value).map_err(|error| error.to_string())?,
            "protocol" => cluster.protocol(match value {
                "LATEST" => Protocol::LATEST,
                "KAFKA_0_10" => Protocol::KAFKA_0_10,
                other => return Err(format!("there is no protocol {other}: LATEST or KAFKA_0_10")),
            }),
            property => cluster.try_property(property, value).map_err(|error| error.to_string())?,
        };
    }
    Ok(cluster)
}

/// The cluster, up, with its topics. What was said meanwhile is forgotten: booting is not what a script is about.
fn booted(cluster: &Cluster) -> Result<Stage, String> {
    let mut stage = Stage::new(cluster);
    cluster.controller_ids().for_each(|id| stage.start(id.into()));
    cluster.broker_ids().for_each(|id| stage.start(id.into()));
    until(&mut stage, |stage| cluster.broker_ids().all(|broker| stage.cast().image().is_active(broker)))?;
    stage.start(cluster.admin_id().into());
    for topic in cluster.all_topics() {
        let ask = Ask::CreateTopic {
            name: topic.name,
            partitions: topic.partitions,
            replication_factor: topic.replication_factor,
            config: topic.config,
        };
        stage.give(cluster.admin_id().into(), Input::Submit(ask));
    }
    let created = |stage: &Stage| cluster.all_topics().iter().all(|topic| stage.cast().is_created(&topic.name));
    until(&mut stage, created)?;
    until(&mut stage, |stage| stage.cast().partitions().iter().all(|known| stage.cast().settled(*known).is_ok()))?;
    for id in cluster.producer_ids().chain(cluster.consumer_ids()) {
        stage.start(id.into());
    }
    stage.take_said();
    Ok(stage)
}

/// Runs until something holds.
fn until(stage: &mut Stage, holds: impl Fn(&Stage) -> bool) -> Result<(), String> {
    for _ in 0..6_000 {
        if holds(stage) {
            return Ok(());
        }
        stage.pass(Duration::from_millis(10), true);
    }
    Err(format!("the cluster did not come up in a minute: {}", stage.take_said().join("; ")))
}

fn wait(stage: &mut Stage, command: &Command, delivering: bool) -> Result<Vec<String>, String> {
    let [span] = command.words()[..] else {
        return Err(format!("{} 500ms, or {} 2s", command.name, command.name));
    };
    let span = if let Some(millis) = span.strip_suffix("ms") {
        Duration::from_millis(millis.parse().map_err(|_| format!("{span} is not a time"))?)
    } else if let Some(seconds) = span.strip_suffix('s') {
        Duration::from_secs(seconds.parse().map_err(|_| format!("{span} is not a time"))?)
    } else {
        return Err(format!("{span} is not a time: 500ms, or 2s"));
    };
    stage.pass(span, delivering);
    Ok(Vec::new())
}

fn deliver(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let node_of = |name| command.value(name).map(node).transpose();
    let (from, to) = (node_of("from")?, node_of("to")?);
    let number = |name| command.value(name).map(str::parse::<u64>).transpose().map_err(|error| error.to_string());
    let (count, one) = (number("count")?, number("number")?);
    let only = command.value("only");
    let wanted = |(number, source, goal, what): &(u64, Node, Node, String)| {
        from.is_none_or(|from| from == *source)
            && to.is_none_or(|to| to == *goal)
            && one.is_none_or(|one| one == *number)
            && only.is_none_or(|only| what.split(' ').next() == Some(only))
    };
    // What is in the pile now; what comes of it is for the next command.
    let numbers: Vec<u64> = stage.pile().filter(wanted).map(|(number, ..)| number).collect();
    let count = usize::try_from(count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    if numbers.is_empty() {
        return Ok(vec!["nothing to deliver".to_owned()]);
    }
    for number in numbers.into_iter().take(count) {
        stage.deliver(number);
    }
    Ok(Vec::new())
}

fn link(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let [one, other] = command.words()[..] else {
        return Err(format!("{} b1 b2", command.name));
    };
    let (one, other) = (node(one)?, node(other)?);
    match command.name.as_str() {
        "hold" => stage.links.hold(one, other),
        "release" => stage.links.release(one, other),
        _ => stage.links.drop_between(one, other),
    }
    Ok(Vec::new())
}

fn host(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let words = command.words();
    if words.is_empty() {
        return Err(format!("{} b1", command.name));
    }
    for word in words {
        let node = node(word)?;
        match command.name.as_str() {
            "crash" => stage.stop(node, Ending::Crashed),
            "poweroff" => stage.stop(node, Ending::PoweredOff),
            "terminate" => stage.give(node, Input::Terminate),
            _ => {
                stage.stop(node, Ending::Crashed);
                stage.start(node);
            }
        }
    }
    Ok(Vec::new())
}

fn produce(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let [count] = command.words()[..] else { return Err("produce 2".to_owned()) };
    let count: u64 = count.parse().map_err(|_| format!("{count} is not a number"))?;
    let producer = stage.cluster.producer_ids().next().ok_or("the cluster has no producer")?;
    let topic = stage.cluster.all_topics().swap_remove(0).name;
    for _ in 0..count {
        stage.last_value += 1;
        let mut value = BytesMut::with_capacity(8);
        value.put_u64(stage.last_value);
        let send = Ask::Send { topic: topic.clone(), key: None, value: value.freeze() };
        stage.give(producer.into(), Input::Submit(send));
    }
    stage.give(producer.into(), Input::Submit(Ask::Flush));
    Ok(Vec::new())
}

fn show(stage: &Stage, command: &Command) -> Result<Vec<String>, String> {
    let words = command.words();
    let (what, names) = words.split_first().ok_or("show log, isr, hw or pile")?;
    let named: Result<Vec<BrokerId>, String> = names.iter().map(|name| broker(name)).collect();
    let brokers = if names.is_empty() { stage.cluster.broker_ids().collect() } else { named? };
    match *what {
        "log" => Ok(stage.show_log(&brokers)),
        "isr" => Ok(stage.show_isr()),
        "hw" => Ok(stage.show_high_watermark(&brokers)),
        "pile" => {
            let pile = stage.pile().map(|(number, from, to, what)| format!("#{number} {from} -> {to}  {what}"));
            let lines: Vec<String> = pile.collect();
            Ok(if lines.is_empty() { vec!["nothing".to_owned()] } else { lines })
        }
        other => Err(format!("{other} cannot be shown: log, isr, hw or pile")),
    }
}

fn broker(name: &str) -> Result<BrokerId, String> {
    node(name)?.broker().ok_or_else(|| format!("{name} is not a broker"))
}

/// A node by the name it has in traces: `b1`, `c1`, `ctl1`.
fn node(name: &str) -> Result<Node, String> {
    let number = |prefix| name.strip_prefix(prefix).and_then(|digits: &str| digits.parse::<u32>().ok());
    if let Some(id) = number("ctl") {
        return Ok(ControllerId(id).into());
    }
    if let Some(id) = number("b") {
        return Ok(BrokerId(id).into());
    }
    number("c").map(|id| ClientId(id).into()).ok_or_else(|| format!("{name} is nobody: b1, c1 or ctl1"))
}
