//! The same plan without chance and without what is set for nothing: every delay alike, settings as Kafka has them.

use std::time::Duration;

use model::config::Settings;
use sim::disk::DiskTimings;
use sim::net::Weather;

use super::weaker::rounded;
use crate::run::Plan;

/// All ways.
pub(super) const WAYS: &[fn(&Plan) -> Vec<Plan>] =
    &[with_all_messages_alike, with_all_disk_calls_alike, with_small_records, with_settings_left_out, with_a_round_end];

/// One-way latencies that every message may have instead of a drawn one.
const LATENCIES: [Duration; 4] =
    [Duration::from_millis(1), Duration::from_micros(500), Duration::from_millis(2), Duration::from_millis(5)];

fn with_all_messages_alike(plan: &Plan) -> Vec<Plan> {
    let Weather { least, most, gust_one_in, .. } = plan.cluster.weather;
    if least == most && gust_one_in == 0 {
        return Vec::new();
    }
    let still = LATENCIES.into_iter().map(|latency| {
        let mut steadier = plan.clone();
        steadier.cluster.weather = Weather::still(latency);
        steadier
    });
    still.collect()
}

fn with_all_disk_calls_alike(plan: &Plan) -> Vec<Plan> {
    let drawn = plan.cluster.disk;
    let alike = |share: u64| DiskTimings {
        metadata_min: drawn.metadata_min,
        metadata_max: drawn.metadata_min,
        sync_min: drawn.sync_min * share,
        sync_max: drawn.sync_min * share,
        ..drawn
    };
    if drawn == alike(1) || drawn.sync_min == drawn.sync_max {
        return Vec::new();
    }
    let alike = [1, 2, 4].into_iter().map(|share| {
        let mut steadier = plan.clone();
        steadier.cluster.disk = alike(share);
        steadier
    });
    alike.collect()
}

fn with_small_records(plan: &Plan) -> Vec<Plan> {
    let usual = 100;
    let mut smaller = plan.clone();
    smaller.cluster.payload = usual;
    if plan.cluster.payload == usual { Vec::new() } else { vec![smaller] }
}

/// One property less that differs from Kafka's default: all of them, or each alone.
fn with_settings_left_out(plan: &Plan) -> Vec<Plan> {
    let set = set(&plan.cluster.settings);
    let mut without: Vec<Vec<&str>> = vec![Vec::new()];
    without.extend((0..set.len()).map(|left_out| {
        let others = set.iter().enumerate().filter(|(nth, _)| *nth != left_out);
        others.map(|(_, line)| line.as_str()).collect()
    }));
    let plans = without.into_iter().filter(|lines| lines.len() < set.len()).filter_map(|lines| {
        let mut simpler = plan.clone();
        simpler.cluster.settings = Settings::parse("settings", &lines.join("\n")).ok()?.0;
        (simpler.cluster.settings != plan.cluster.settings).then_some(simpler)
    });
    plans.collect()
}

/// The properties that differ from Kafka's defaults, each as a line of a file.
pub(crate) fn set(settings: &Settings) -> Vec<String> {
    let usual = Settings::default().to_properties();
    let usual: Vec<&str> = usual.lines().collect();
    settings.to_properties().lines().filter(|line| !usual.contains(line)).map(str::to_owned).collect()
}

fn with_a_round_end(plan: &Plan) -> Vec<Plan> {
    rounded(plan.length)
        .into_iter()
        .filter(|length| !length.is_zero())
        .map(|length| Plan { length, ..plan.clone() })
        .collect()
}
