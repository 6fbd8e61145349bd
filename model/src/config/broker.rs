//! What a broker is told.

use std::time::Duration;

use super::table::{Contradiction, config};
use super::unsupported::SERVER;
use super::value::{INT, LONG, SHORT, ms};

config! {
    /// What a broker is told; defaults are those of Kafka 4 (§1.18, §2.21, §3.9). Intervals and timeouts
    /// are at least a millisecond, even where Kafka would take zero: simulated time must not stand still.
    pub struct BrokerConfig, ignoring SERVER, checked by contradictions;

    /// A follower that has not caught up with the leader's end for this long leaves the ISR.
    "replica.lag.time.max.ms" => replica_lag_time_max: Duration = ms(30_000), in 1..=LONG;
    /// How long a leader holds a follower's fetch that finds too little.
    "replica.fetch.wait.max.ms" => replica_fetch_wait_max: Duration = ms(500), in 0..=INT;
    /// Bytes for which a follower's fetch is answered at once.
    "replica.fetch.min.bytes" => replica_fetch_min_bytes: u64 = 1, in 0..=INT;
    /// Bytes per partition that a follower asks for; the first batch comes whole even if larger.
    "replica.fetch.max.bytes" => replica_fetch_max_bytes: u64 = 1_048_576, in 0..=INT;
    /// Bytes per response that a follower asks for; the first batch comes whole even if larger.
    "replica.fetch.response.max.bytes" => replica_fetch_response_max_bytes: u64 = 10_485_760, in 0..=INT;
    /// How long a follower leaves a partition alone after an error.
    "replica.fetch.backoff.ms" => replica_fetch_backoff: Duration = ms(1_000), in 0..=INT;
    /// How long a follower waits for an answer before it gives up the connection.
    "replica.socket.timeout.ms" => replica_socket_timeout: Duration = ms(30_000), in 1..=INT;
    /// How often high watermarks are written to disk.
    "replica.high.watermark.checkpoint.interval.ms" =>
        replica_high_watermark_checkpoint_interval: Duration = ms(5_000), in 1..=LONG;
    /// Replicas of a topic that is created without saying how many.
    "default.replication.factor" => default_replication_factor: u16 = 1, in 1..=SHORT;
    /// Partitions of a topic that is created without saying how many.
    "num.partitions" => num_partitions: u32 = 1, in 1..=INT;
    /// In-sync replicas without which `acks=all` is refused.
    "min.insync.replicas" => min_insync_replicas: u32 = 1, in 1..=INT;
    /// Whether a replica that is not in sync may lead when no other can.
    "unclean.leader.election.enable" => unclean_leader_election_enable: bool = false;
    /// How often a broker tells the controller that it is alive.
    "broker.heartbeat.interval.ms" => broker_heartbeat_interval: Duration = ms(2_000), in 1..=INT;
    /// How long the controller takes a broker for alive without a heartbeat; a broker retries one for as long.
    "broker.session.timeout.ms" => broker_session_timeout: Duration = ms(9_000), in 1..=INT;
    /// How long a starting broker tries to register before it gives up.
    "initial.broker.registration.timeout.ms" => initial_broker_registration_timeout: Duration = ms(60_000), in 1..=INT;
    /// Bytes at which a segment is closed and the next one begun.
    "log.segment.bytes" => log_segment_bytes: u64 = 1_073_741_824, in 1..=INT, kafka_minimum 1_048_576;
    /// Records after which a log is synced to disk.
    "log.flush.interval.messages" => log_flush_interval_messages: u64 = i64::MAX as u64, in 1..=LONG;
    /// How often recovery points are written to disk.
    "log.flush.offset.checkpoint.interval.ms" =>
        log_flush_offset_checkpoint_interval: Duration = ms(60_000), in 1..=INT;
    /// Bytes of the largest batch that a broker takes.
    "message.max.bytes" => message_max_bytes: u64 = 1_048_588, in 0..=INT;
    /// Bytes of the largest fetch response, whatever the fetcher asks for.
    "fetch.max.bytes" => fetch_max_bytes: u64 = 57_671_680, in 1_024..=INT;
    /// How long a broker waits for an answer of the controller.
    "request.timeout.ms" => request_timeout: Duration = ms(30_000), in 1..=INT;
    /// Whether a broker that is told to stop hands over its leaderships first.
    "controlled.shutdown.enable" => controlled_shutdown_enable: bool = true;
    /// Bytes at which a segment of the metadata log is closed.
    "metadata.log.segment.bytes" =>
        metadata_log_segment_bytes: u64 = 1_073_741_824, in 12..=INT, kafka_minimum 8_388_608;
}

/// What Kafka refuses when a broker starts.
fn contradictions(config: &BrokerConfig, prefix: &str) -> Vec<Contradiction> {
    let wait = config.replica_fetch_wait_max;
    let mut found = Vec::new();
    let bounds: [(&'static [&'static str], Duration); 2] = [
        (&["replica.fetch.wait.max.ms", "replica.socket.timeout.ms"], config.replica_socket_timeout),
        (&["replica.fetch.wait.max.ms", "replica.lag.time.max.ms"], config.replica_lag_time_max),
    ];
    for (properties, bound) in bounds {
        if wait > bound {
            let [lesser, greater] = [properties[0], properties[1]];
            let (wait, bound) = (wait.as_millis(), bound.as_millis());
            found.push(Contradiction {
                properties,
                says: format!("{prefix}{lesser} ({wait}) is more than {prefix}{greater} ({bound})"),
                remedy: format!("lower {prefix}{lesser} to {bound} or raise {prefix}{greater} to {wait}"),
            });
        }
    }
    found
}
