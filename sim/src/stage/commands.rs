//! The commands of a transcript: what a script may ask of a stage.
//!
//! ```text
//! cluster brokers=2 min_isr=1 protocol=KAFKA_0_10 [controllers=3] [partitions=1] [rf=2] [producer.acks=1 ..]   boots it, too
//! cluster brokers=2 protocol.shrinking=AtOnce [protocol.storage.marker=..]   another answer to a question of the protocol
//! run 500ms                    moves the clock, ticks and delivers whatever is not held
//! time 500ms                   moves the clock and ticks, delivers nothing
//! deliver [from=b1] [to=b2] [count=1] [only=Fetch] [number=12]     by hand; all that matches unless counted
//! hold b1 b2 · release b1 b2 [only=Fetch]   what b1 sends to b2 waits for a hand, or no longer does
//! drop b1 b2                   resets every connection between the two
//! cut b1 b2 [b3 ..]            nothing passes between b1 and the others; `isolate b1`: nor between it and anybody
//! mend b1 b2 [b3 ..]           it does again, and their old connections are reset; `heal`: everywhere
//! crash b1 · restart b1 · terminate b1 · wipe b1
//! poweroff b1 [keeping=nothing|everything]   of what was not synced; it is drawn unless this is said
//! dies b1 calls=3              the process will be killed in its third disk call from now
//! clock b1 +500ms              what the host believes the time is jumps
//! produce 2                    the producer is asked to send two records
//! reassign b2 b1 · elect · set min.insync.replicas=1 · delete-records 7   an operator asks, about the first partition
//! show log|epochs|isr|hw|pile [b1 ..]
//! messages on|off              whether messages are told, too
//! connections on|off           whether lost connections are told
//! ```

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use model::machine::{Command as Ask, Input};
use model::names::{BrokerId, ClientId, ControllerId, Node};

use super::{Kept, Stage, speaking};
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
        "cut" | "isolate" | "mend" | "heal" => part(stage, command)?,
        "crash" | "poweroff" | "restart" | "terminate" | "wipe" | "dies" | "clock" => host(stage, command)?,
        "produce" => produce(stage, command)?,
        "reassign" | "elect" | "set" | "delete-records" => ask(stage, command)?,
        "show" => show(stage, command)?,
        "messages" => {
            stage.set_wordy(switch(command)?);
            Vec::new()
        }
        "connections" => {
            stage.tells_lost_connections = switch(command)?;
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
    let mut protocol = speaking::release(command.value("protocol").unwrap_or("LATEST"))?;
    for (name, value) in command.pairs() {
        if let Some(question) = name.strip_prefix("protocol.") {
            protocol = speaking::answering(&protocol, question, value)?;
            continue;
        }
        cluster = match name {
            "brokers" | "protocol" => cluster,
            "controllers" => cluster.controllers(number(value)?),
            "partitions" => cluster.partitions(number(value)?),
            "rf" => cluster.replication_factor(u16::try_from(number(value)?).map_err(|error| error.to_string())?),
            "consumers" => cluster.consumers(number(value)?),
            "min_isr" => cluster.try_property("min.insync.replicas", value).map_err(|error| error.to_string())?,
            property => cluster.try_property(property, value).map_err(|error| error.to_string())?,
        };
    }
    let cluster = cluster.protocol(protocol);
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
    let span = self::span(span)?;
    stage.pass(span, delivering);
    Ok(Vec::new())
}

/// A span of time in words: `500ms`, `2s`, `+2s`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text} is not a time: 500ms, or 2s");
    let digits = text.trim_start_matches('+');
    if let Some(millis) = digits.strip_suffix("ms") {
        return millis.parse().map(Duration::from_millis).map_err(|_| wrong());
    }
    digits.strip_suffix('s').and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs).ok_or_else(wrong)
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
    let only = command.value("only").map(str::to_owned);
    match command.name.as_str() {
        "hold" => stage.links.hold(one, other, only),
        "release" => stage.links.release(one, other, only),
        _ => stage.links.drop_between(one, other),
    }
    Ok(Vec::new())
}

/// Parts nodes from each other, or brings them together again.
fn part(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let nodes: Vec<Node> = command.words().into_iter().map(node).collect::<Result<_, _>>()?;
    match (command.name.as_str(), nodes.as_slice()) {
        ("cut", [one, others @ ..]) if !others.is_empty() => stage.cut(*one, others),
        ("mend", [one, others @ ..]) if !others.is_empty() => stage.mend(*one, others),
        ("isolate", [one]) => {
            let others: Vec<Node> = stage.nodes().filter(|other| other != one).collect();
            stage.cut(*one, &others);
        }
        ("heal", []) => stage.heal(),
        _ => return Err("cut b1 b2 b3, mend b1 b2 b3, isolate b1, or heal".to_owned()),
    }
    Ok(Vec::new())
}

fn host(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    let mut words = command.words();
    let jump = if command.name == "clock" { words.pop().map(span).transpose()? } else { None };
    if words.is_empty() {
        return Err(format!("{} b1", command.name));
    }
    for word in words {
        let node = node(word)?;
        match command.name.as_str() {
            "crash" => stage.stop(node, Ending::Crashed),
            "poweroff" => stage.power_off(node, keeping(command)?),
            "terminate" => stage.give(node, Input::Terminate),
            "wipe" => stage.wipe(node),
            "dies" => {
                let calls = command.value("calls").and_then(|calls| calls.parse().ok()).ok_or("dies b1 calls=3")?;
                stage.kill_in_disk_call(node, calls);
            }
            "clock" => stage.turn_clock(node, jump.ok_or("clock b1 +500ms")?),
            _ => {
                stage.stop(node, Ending::Crashed);
                stage.start(node);
            }
        }
    }
    Ok(Vec::new())
}

/// What is left of what was not synced.
fn keeping(command: &Command) -> Result<Kept, String> {
    match command.value("keeping") {
        None => Ok(Kept::AsDrawn),
        Some("nothing") => Ok(Kept::Nothing),
        Some("everything") => Ok(Kept::Everything),
        Some(other) => Err(format!("keeping=nothing or keeping=everything, not {other}")),
    }
}

fn ask(stage: &mut Stage, command: &Command) -> Result<Vec<String>, String> {
    match (command.name.as_str(), command.words().as_slice()) {
        ("reassign", names) if !names.is_empty() => {
            let replicas: Result<Vec<BrokerId>, String> = names.iter().map(|name| broker(name)).collect();
            stage.reassign(replicas?);
        }
        ("elect", []) => stage.elect(),
        ("set", []) if command.pairs().next().is_some() => {
            for (name, value) in command.pairs() {
                stage.set(name, value);
            }
        }
        ("delete-records", [before]) => {
            stage.delete_records(before.parse().map_err(|_| format!("{before} is not an offset"))?);
        }
        _ => return Err("reassign b2 b1, elect, set min.insync.replicas=1, or delete-records 7".to_owned()),
    }
    Ok(Vec::new())
}

fn switch(command: &Command) -> Result<bool, String> {
    match command.words().as_slice() {
        ["on"] => Ok(true),
        ["off"] => Ok(false),
        _ => Err(format!("{0} on, or {0} off", command.name)),
    }
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
    let (what, names) = words.split_first().ok_or("show log, epochs, isr, hw or pile")?;
    let named: Result<Vec<BrokerId>, String> = names.iter().map(|name| broker(name)).collect();
    let brokers = if names.is_empty() { stage.cluster.broker_ids().collect() } else { named? };
    match *what {
        "log" => Ok(stage.show_log(&brokers)),
        "epochs" => Ok(stage.show_epochs(&brokers)),
        "isr" => Ok(stage.show_isr()),
        "hw" => Ok(stage.show_high_watermark(&brokers)),
        "pile" => {
            let pile = stage.pile().map(|(number, from, to, what)| format!("#{number} {from} -> {to}  {what}"));
            let lines: Vec<String> = pile.collect();
            Ok(if lines.is_empty() { vec!["nothing".to_owned()] } else { lines })
        }
        other => Err(format!("{other} cannot be shown: log, epochs, isr, hw or pile")),
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
