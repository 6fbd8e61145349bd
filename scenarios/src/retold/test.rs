//! A kept failure as a test that anybody may paste: the cluster by builder calls, the faults, the load, the seed, and what
//! must break.

use std::fmt::Write;

use model::config::Settings;
use sim::cluster::Cluster;
use sim::disk::DiskTimings;
use sim::net::Weather;

use super::source::{differing, protocol, source, strike};
use crate::failure::Failure;
use crate::load::Load;
use crate::shrink::set;

/// A test that fails for the same reason.
#[must_use]
pub fn test(failure: &Failure) -> String {
    let plan = &failure.plan;
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    for sentence in failure.sentence.lines().take(1) {
        line(&format!("/// {sentence}"));
    }
    line("#[test]");
    line(&format!("fn {}() {{", name(failure)));
    line("    use scenarios::prelude::*;");
    line("");
    line(&format!("    let cluster = {};", cluster(&plan.cluster)));
    let strikes: String = plan.storm.strikes.iter().map(|each| format!("        {},\n", strike(each, 8))).collect();
    match strikes.is_empty() {
        true => line("    let storm = [];"),
        false => line(&format!("    let storm = [\n{strikes}    ];")),
    }
    line("    Plan::of(cluster)");
    line("        .struck_by(storm)");
    line(&format!("        .under({})", differing(&plan.load, &Load::default(), "Load::default()", 8)));
    line(&format!("        .seeded({})", source(&plan.seed, 8)));
    line(&format!("        .lasting({})", source(&plan.length, 8)));
    line(&format!("        .must_break({:?});", failure.fingerprint));
    line("}");
    text
}

/// The name of that test: what broke, and digits of its plan. Two plans may well have the same digest, where what they
/// differ in shows in nothing but the broken promise.
#[must_use]
pub fn name(failure: &Failure) -> String {
    let words =
        failure.fingerprint.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    name.truncate(70);
    let plan = serde_json::to_vec(&failure.plan).expect("a plan is plain data, which always serialises");
    format!("{name}_{:08x}", crc32c::crc32c(&plan))
}

/// The calls that build a cluster.
fn cluster(cluster: &Cluster) -> String {
    let usual = Cluster::of(cluster.brokers);
    let mut calls = format!("Cluster::of({})", cluster.brokers);
    let mut call = |call: String| write!(calls, "\n        .{call}").expect("text grows");
    // First of all: it sets what others set again.
    if cluster.zookeeper {
        call("zookeeper()".to_owned());
    } else if cluster.controllers != usual.controllers {
        call(format!("controllers({})", cluster.controllers));
    }
    if cluster.combined {
        call("combined()".to_owned());
    }
    for (name, value, usual) in [
        ("producers", cluster.producers, usual.producers),
        ("consumers", cluster.consumers, usual.consumers),
        ("partitions", cluster.partitions, usual.partitions),
    ] {
        if value != usual {
            call(format!("{name}({value})"));
        }
    }
    if let Some(replicas) = cluster.replication_factor {
        call(format!("replication_factor({replicas})"));
    }
    for topic in &cluster.topics {
        let config: Vec<(&str, &str)> =
            topic.config.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        call(format!("topic({:?}, {}, {}, &{config:?})", topic.name, topic.partitions, topic.replication_factor));
    }
    if cluster.payload != usual.payload {
        call(format!("payload({})", cluster.payload));
    }
    let properties = properties(&cluster.settings);
    if !properties.is_empty() {
        call(format!("properties(&[\n{properties}        ])"));
    }
    if cluster.weather != usual.weather {
        call(format!("latency({})", weather(&cluster.weather)));
    }
    if cluster.disk != usual.disk {
        let timings = differing(&cluster.disk, &DiskTimings::default(), "DiskTimings::default()", 8);
        call(format!("disk_timings({timings})"));
    }
    call(format!("protocol({})", protocol(&cluster.protocol, 8)));
    for (broker, spoken) in &cluster.protocols {
        call(format!("protocol_of({}, {})", source(broker, 8), protocol(spoken, 8)));
    }
    calls
}

/// The lines that set them: those that differ from Kafka's defaults, or all where that does not say it.
fn properties(settings: &Settings) -> String {
    let differing = set(settings);
    let says_it = Settings::parse("settings", &differing.join("\n")).is_ok_and(|(parsed, _)| parsed == *settings);
    let lines = if says_it { differing } else { settings.to_properties().lines().map(str::to_owned).collect() };
    let pairs = lines.iter().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| format!("            ({name:?}, {value:?}),\n")).collect()
}

fn weather(weather: &Weather) -> String {
    if *weather == Weather::still(weather.least) {
        return format!("Weather::still({})", source(&weather.least, 8));
    }
    differing(weather, &Weather::FAIR, "Weather::FAIR", 8)
}
