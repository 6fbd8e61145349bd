//! A small world: where an exploration takes place, and all that may happen there.

use std::time::Duration;

use sim::Weather;
use sim::cluster::Cluster;

use super::super::Ground;
use super::deviation::Menu;
use crate::load::Load;
use crate::run::Plan;
use crate::storm::Storm;

/// A small world.
#[derive(Clone, Debug)]
pub struct SmallWorld {
    /// What is run if nothing deviates.
    plan: Plan,
    pub(super) menu: Menu,
}

/// How long every message takes.
const LATENCY: Duration = Duration::from_micros(500);
/// Records are due one a second.
const RATE: u32 = 1;
/// So many times as short as a brisk cluster's timeouts are those of a small world, so that an election lies between two records.
const SHORTER: u32 = 3;
/// The seed of every small world: chance decides only what a schedule does not, such as how long a step takes.
const SEED: u64 = 1;

impl SmallWorld {
    /// How many records if nobody says.
    pub const RECORDS: u32 = 3;
    /// Choices are made before that if nobody says.
    pub const HORIZON: Duration = Duration::from_secs(8);

    /// The small world of this ground: with its protocol, settings and families of faults, but with so many records, within this
    /// horizon, and with so many brokers and replicas if that is said.
    ///
    /// # Panics
    /// If the ground's settings contradict timeouts that are shorter; no ground of ours does.
    #[must_use]
    pub fn of(ground: &Ground, brokers: Option<u32>, records: u32, horizon: Duration) -> Self {
        let mut cluster = shortened(&ground.cluster).latency(Weather::still(LATENCY));
        if let Some(brokers) = brokers {
            cluster.brokers = brokers;
            cluster = cluster.replication_factor(u16::try_from(brokers).unwrap_or(u16::MAX));
        }
        let broker = &cluster.settings.broker;
        let session = if cluster.zookeeper { broker.zookeeper_session_timeout } else { broker.broker_session_timeout };
        let away = session.max(broker.replica_lag_time_max) * 5 / 4;
        let ends = Some(Duration::from_secs(records.into()));
        let load = Load { rate: RATE, keys: 1, ends, deletions: None, listings: ground.load.listings };
        let plan = Plan {
            scenario: format!("explore-{}", ground.name),
            cluster,
            storm: Storm { strikes: Vec::new() },
            load,
            seed: SEED,
            length: horizon,
        };
        Self { plan, menu: Menu::of(&ground.families, away) }
    }

    /// What is run if nothing deviates.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// The same cluster, with timeouts that are shorter in the same proportions.
fn shortened(cluster: &Cluster) -> Cluster {
    let (broker, producer) = (&cluster.settings.broker, &cluster.settings.producer);
    let consumer = &cluster.settings.consumer;
    let times = [
        ("broker.session.timeout.ms", broker.broker_session_timeout),
        ("broker.heartbeat.interval.ms", broker.broker_heartbeat_interval),
        ("zookeeper.session.timeout.ms", broker.zookeeper_session_timeout),
        ("replica.lag.time.max.ms", broker.replica_lag_time_max),
        ("replica.fetch.wait.max.ms", broker.replica_fetch_wait_max),
        ("replica.fetch.backoff.ms", broker.replica_fetch_backoff),
        ("replica.socket.timeout.ms", broker.replica_socket_timeout),
        ("request.timeout.ms", broker.request_timeout),
        ("producer.request.timeout.ms", producer.request_timeout),
        ("producer.delivery.timeout.ms", producer.delivery_timeout),
        ("consumer.request.timeout.ms", consumer.request_timeout),
    ];
    let texts = times.map(|(name, time)| (name, (time.as_millis() / u128::from(SHORTER)).max(1).to_string()));
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    cluster.clone().properties(&texts)
}
