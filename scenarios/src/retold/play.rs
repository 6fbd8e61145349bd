//! A kept failure as a transcript for the stage, as far as the stage has words for it.
//!
//! What happened is read off the trace, so ambushes have their time and roles their names. The stage's messages take no
//! time: whether the same promise breaks there is asked of the same judge, and if it does not, there is no transcript.

use std::fmt::Write;
use std::time::Duration;

use model::machine::Command as Ask;
use model::names::Node;
use model::protocol::Protocol;
use serde_json::Value;
use sim::cluster::Cluster;
use sim::fact::{Chapter, Ending, Fact, Moment, What};
use sim::fault::{Fault, Target};
use sim::{Observer, script, stage};

use crate::failure::Failure;
use crate::judge::Judge;
use crate::run::Outcome;
use crate::shrink::set;

/// How long the stage goes on after the last of it: longer than every timeout of a brisk cluster.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// The transcript of a failure, given the traced run of its plan, with the stage's answers.
///
/// # Errors
/// Why there is none.
pub fn transcript(failure: &Failure, outcome: &Outcome) -> Result<String, String> {
    let trace = outcome.trace.as_deref().filter(|trace| !trace.is_empty()).ok_or("a panic leaves no trace")?;
    let script = script_of(failure, trace)?;
    // A stage on which messages never end gives up by a panic: in a box it is only a reason.
    let played = sim::hermetic(0, || {
        let mut stage = None;
        let text = script::replay(&script, |command| stage::run(&mut stage, command))
            .map_err(|error| format!("the stage does not understand it: {error}"))?;
        let mut judge = Judge::new(&failure.plan.cluster.clone().consumers(0));
        stage.iter().flat_map(|stage| stage.trace()).for_each(|fact| judge.see(fact));
        let broken = judge.violations().iter().any(|violation| violation.guarantee.id() == failure.guarantee);
        Ok::<_, String>((text, broken))
    });
    match played.map_err(|panicked| format!("the stage gave it up: {}", panicked.message))?? {
        (text, true) => Ok(text),
        (_, false) => Err(format!("{} does not break where messages take no time", failure.guarantee)),
    }
}

/// The commands, without answers.
fn script_of(failure: &Failure, trace: &[Fact]) -> Result<String, String> {
    let mut text = format!(
        "# {}: {}\n# Told after a run with seed {}; its times are those of that run.\n\n",
        failure.guarantee,
        failure.sentence.lines().next().unwrap_or_default(),
        failure.plan.seed
    );
    let mut say = |command: &str| write!(text, "{command}\n----\n\n").expect("text grows");
    say(&cluster(&failure.plan.cluster)?);
    say("connections off");
    let begun = trace.iter().position(|fact| fact.what == What::Chapter(Chapter::Begun)).unwrap_or(0);
    let mut now = trace[begun].at;
    let mut sends = (0_u32, now);
    for fact in &trace[begun..] {
        if let What::Submitted(Ask::Send { .. }) = fact.what {
            sends = if sends.0 == 0 { (1, fact.at) } else { (sends.0 + 1, sends.1) };
        }
        let commands = commands(fact)?;
        if commands.is_empty() {
            continue;
        }
        produce(&mut say, &mut sends, &mut now);
        wait(&mut say, &mut now, fact.at);
        commands.iter().for_each(|command| say(command));
    }
    produce(&mut say, &mut sends, &mut now);
    let end = now + AFTERWARDS;
    wait(&mut say, &mut now, end);
    say("show log");
    Ok(text)
}

/// What was sent between two commands is sent at once.
fn produce(say: &mut impl FnMut(&str), sends: &mut (u32, Moment), now: &mut Moment) {
    if sends.0 > 0 {
        wait(say, now, sends.1);
        say(&format!("produce {}", sends.0));
        sends.0 = 0;
    }
}

/// The stage counts whole milliseconds.
fn wait(say: &mut impl FnMut(&str), now: &mut Moment, until: Moment) {
    let millis = until.since(*now).as_millis();
    if millis > 0 {
        say(&format!("run {millis}ms"));
        *now = *now + Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
    }
}

/// The commands for what happened, if it is no consequence of others.
fn commands(fact: &Fact) -> Result<Vec<String>, String> {
    let server = fact.node.filter(|node| !node.is_client());
    Ok(match (&fact.what, server) {
        (What::Stopped { how }, Some(node)) => match how {
            Ending::Exited => Vec::new(),
            Ending::Crashed | Ending::StorageFailed => vec![format!("crash {node}")],
            Ending::PoweredOff | Ending::Destroyed => vec![format!("poweroff {node}")],
        },
        (What::Started { .. }, Some(node)) => vec![format!("restart {node}")],
        (What::Struck(fault), _) => struck(fault, fact.node)?,
        _ => Vec::new(),
    })
}

/// The commands for a fault, but for those of which stops and starts tell.
fn struck(fault: &Fault, node: Option<Node>) -> Result<Vec<String>, String> {
    let pairs = |verb: &str, from: &[Target], to: &[Target]| -> Vec<String> {
        let pairs =
            from.iter().flat_map(|one| to.iter().filter(move |other| one != *other).map(move |other| (one, other)));
        pairs.map(|(one, other)| format!("{verb} {one} {other}")).collect()
    };
    let node = node.map(|node| node.to_string()).unwrap_or_default();
    Ok(match fault {
        Fault::Terminate(_) => vec![format!("terminate {node}")],
        Fault::Wipe(_) => vec![format!("wipe {node}")],
        Fault::Isolate(_) => vec![format!("isolate {node}")],
        Fault::CutBoth { between, and } => pairs("cut", between, and),
        Fault::Mend { between, and } => pairs("mend", between, and),
        Fault::Hold { from, to } => pairs("hold", from, to),
        Fault::Release { from, to } => pairs("release", from, to),
        Fault::Sever { between, and } => pairs("drop", between, and),
        Fault::Heal => vec!["heal".to_owned()],
        Fault::ClockJump(_, nanos @ 0..) => vec![format!("clock {node} +{}ms", nanos / 1_000_000)],
        // What they lead to is told: the process is over, or begins.
        Fault::Crash(_)
        | Fault::PowerOff(_)
        | Fault::PowerOffAll
        | Fault::Restart(_)
        | Fault::Start(_)
        | Fault::Destroy(_)
        | Fault::DiskFull(_)
        | Fault::DiskFree(_)
        | Fault::DiskError(..)
        | Fault::SyncError(_)
        | Fault::CrashAtDiskCall(..)
        | Fault::PowerOffAtDiskCall(..)
        | Fault::StopAtDiskCall { .. } => Vec::new(),
        other => return Err(format!("the stage has no word for `{other}`")),
    })
}

/// The command that builds the cluster.
fn cluster(cluster: &Cluster) -> Result<String, String> {
    if cluster.zookeeper || cluster.combined || !cluster.protocols.is_empty() || !cluster.topics.is_empty() {
        return Err("its cluster has ZooKeeper, housemates, several protocols or named topics".to_owned());
    }
    let mut text = format!("cluster brokers={}", cluster.brokers);
    let mut say = |name: &str, value: String| write!(text, " {name}={value}").expect("text grows");
    if cluster.controllers != 1 {
        say("controllers", cluster.controllers.to_string());
    }
    if cluster.partitions != 1 {
        say("partitions", cluster.partitions.to_string());
    }
    if let Some(replicas) = cluster.replication_factor {
        say("rf", replicas.to_string());
    }
    for line in set(&cluster.settings) {
        let (name, value) = line.split_once('=').unwrap_or((line.as_str(), ""));
        say(name, value.to_owned());
    }
    let releases =
        [("LATEST", Protocol::LATEST), ("KAFKA_4_1", Protocol::KAFKA_4_1), ("KAFKA_0_10", Protocol::KAFKA_0_10)];
    let answers = releases.map(|(name, release)| (name, answers(&cluster.protocol, &release)));
    let closest = answers.into_iter().min_by_key(|(_, answers)| answers.len());
    if let Some((name, answers)) = closest {
        say("protocol", name.to_owned());
        answers.into_iter().for_each(|(question, answer)| say(&format!("protocol.{question}"), answer));
    }
    Ok(text)
}

/// Where a protocol gives another answer than a release, by the names of the questions.
fn answers(protocol: &Protocol, release: &Protocol) -> Vec<(String, String)> {
    let value = |protocol: &Protocol| serde_json::to_value(protocol).expect("a protocol is plain data");
    let mut differing = Vec::new();
    differ(&value(protocol), &value(release), "", &mut differing);
    differing
}

fn differ(one: &Value, other: &Value, question: &str, differing: &mut Vec<(String, String)>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                let question = if question.is_empty() { name.clone() } else { format!("{question}.{name}") };
                differ(value, other.get(name).unwrap_or(&Value::Null), &question, differing);
            }
        }
        (Value::String(answer), other) if Some(answer.as_str()) != other.as_str() => {
            differing.push((question.to_owned(), answer.clone()));
        }
        _ => {}
    }
}
