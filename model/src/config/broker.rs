//! What a broker is told.

use std::time::Duration;

use super::cleanup::CleanupPolicy;
use super::limit::{Limit, Ratio};
use super::table::{Contradiction, config, not_more};
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
    /// ZooKeeper mode: after so long a silence the ensemble takes a broker's session for ended.
    "zookeeper.session.timeout.ms" => zookeeper_session_timeout: Duration = ms(18_000), in 1..=INT;
    /// Bytes at which a segment is closed and the next one begun.
    "log.segment.bytes" => log_segment_bytes: u64 = 1_073_741_824, in 1..=INT, kafka_minimum 1_048_576;
    /// Age at which a segment is closed although it is not full; counts before `log.roll.hours`.
    "log.roll.ms" => log_roll: Option<Duration> = None, in 1..=LONG;
    /// The same in hours.
    "log.roll.hours" => log_roll_hours: u32 = 168, in 1..=INT;
    /// Each segment is closed up to so much earlier; counts before `log.roll.jitter.hours`.
    "log.roll.jitter.ms" => log_roll_jitter: Option<Duration> = None, in 0..=LONG;
    /// The same in hours.
    "log.roll.jitter.hours" => log_roll_jitter_hours: u32 = 0, in 0..=INT;
    /// Bytes of an index at which its segment is closed.
    "log.index.size.max.bytes" => log_index_size_max_bytes: u64 = 10_485_760, in 4..=INT;
    /// Bytes of a segment between two entries of its index.
    "log.index.interval.bytes" => log_index_interval_bytes: u64 = 4_096, in 0..=INT;
    /// Records after which a log is synced to disk.
    "log.flush.interval.messages" => log_flush_interval_messages: u64 = i64::MAX as u64, in 1..=LONG;
    /// Age of the oldest record that is not synced at which a log is; without it, as often as it is looked at.
    "log.flush.interval.ms" => log_flush_interval: Option<Duration> = None, in 0..=LONG;
    /// How often logs are looked at for one that has to be synced.
    "log.flush.scheduler.interval.ms" =>
        log_flush_scheduler_interval: Duration = ms(i64::MAX as u64), in 1..=LONG;
    /// How often recovery points are written to disk.
    "log.flush.offset.checkpoint.interval.ms" =>
        log_flush_offset_checkpoint_interval: Duration = ms(60_000), in 1..=INT;
    /// How often log start offsets are written to disk.
    "log.flush.start.offset.checkpoint.interval.ms" =>
        log_flush_start_offset_checkpoint_interval: Duration = ms(60_000), in 1..=INT;
    /// How long after its start a broker begins to look after its logs from time to time.
    "log.initial.task.delay.ms" => log_initial_task_delay: Duration = ms(30_000), in 0..=LONG;
    /// What becomes of old records.
    "log.cleanup.policy" => log_cleanup_policy: CleanupPolicy = CleanupPolicy::DELETE;
    /// Bytes of a log above which its oldest segments are deleted; -1 for any number.
    "log.retention.bytes" => log_retention_bytes: Limit<u64> = Limit::None, in -1..=LONG;
    /// Age of its youngest record at which a segment is deleted, -1 for never; counts before `log.retention.minutes`.
    "log.retention.ms" => log_retention: Option<Limit<Duration>> = None, in -1..=LONG;
    /// The same in minutes; counts before `log.retention.hours`.
    "log.retention.minutes" => log_retention_minutes: Option<Limit<u32>> = None, in -1..=INT;
    /// The same in hours.
    "log.retention.hours" => log_retention_hours: Limit<u32> = Limit::At(168), in -1..=INT;
    /// How often logs are looked at for segments to delete.
    "log.retention.check.interval.ms" => log_retention_check_interval: Duration = ms(300_000), in 1..=LONG;
    /// How long the file of a deleted segment stays on disk.
    "log.segment.delete.delay.ms" => log_segment_delete_delay: Duration = ms(60_000), in 0..=LONG;
    /// Whether logs are compacted whose policy says so.
    "log.cleaner.enable" => log_cleaner_enable: bool = true;
    /// How long the cleaner waits when no log has to be cleaned.
    "log.cleaner.backoff.ms" => log_cleaner_backoff: Duration = ms(15_000), in 1..=LONG;
    /// Share of a compacted log that must be dirty before it is cleaned.
    "log.cleaner.min.cleanable.ratio" => log_cleaner_min_cleanable_ratio: Ratio = Ratio::HALF;
    /// How long a tombstone stays in a compacted log.
    "log.cleaner.delete.retention.ms" => log_cleaner_delete_retention: Duration = ms(86_400_000), in 0..=LONG;
    /// Age below which a record is not compacted away.
    "log.cleaner.min.compaction.lag.ms" => log_cleaner_min_compaction_lag: Duration = ms(0), in 0..=LONG;
    /// Age of a record at which its log is cleaned however little of it is dirty.
    "log.cleaner.max.compaction.lag.ms" =>
        log_cleaner_max_compaction_lag: Duration = ms(i64::MAX as u64), in 1..=LONG;
    /// Bytes of the map of keys that the cleaner makes, 24 for each.
    "log.cleaner.dedupe.buffer.size" =>
        log_cleaner_dedupe_buffer_size: u64 = 134_217_728, in 1..=LONG, kafka_minimum 1_048_577;
    /// How full that map may become.
    "log.cleaner.io.buffer.load.factor" => log_cleaner_io_buffer_load_factor: Ratio = Ratio::NINE_TENTHS;
    /// How long a partition remembers a producer that is silent.
    "producer.id.expiration.ms" => producer_id_expiration: Duration = ms(86_400_000), in 1..=INT;
    /// How often producers are looked at for one to forget.
    "producer.id.expiration.check.interval.ms" =>
        producer_id_expiration_check_interval: Duration = ms(600_000), in 1..=INT;
    /// Bytes of the largest batch that a broker takes.
    "message.max.bytes" => message_max_bytes: u64 = 1_048_588, in 0..=INT;
    /// Bytes of the largest fetch response, whatever the fetcher asks for.
    "fetch.max.bytes" => fetch_max_bytes: u64 = 57_671_680, in 1_024..=INT;
    /// How long a broker waits for an answer of the controller.
    "request.timeout.ms" => request_timeout: Duration = ms(30_000), in 1..=INT;
    /// Whether a broker that is told to stop hands over its leaderships first.
    "controlled.shutdown.enable" => controlled_shutdown_enable: bool = true;
    /// ZooKeeper mode: whether a controller gives preferred leaders their partitions back.
    "auto.leader.rebalance.enable" => auto_leader_rebalance_enable: bool = true;
    /// How often that is looked at.
    "leader.imbalance.check.interval.seconds" => leader_imbalance_check_interval_seconds: u32 = 300, in 1..=INT;
    /// Bytes at which a segment of the metadata log is closed.
    "metadata.log.segment.bytes" =>
        metadata_log_segment_bytes: u64 = 1_073_741_824, in 12..=INT, kafka_minimum 8_388_608;
}

impl BrokerConfig {
    /// Age at which a segment is closed: `log.roll.ms`, else `log.roll.hours`.
    #[must_use]
    pub fn roll(&self) -> Duration {
        self.log_roll.unwrap_or(hours(self.log_roll_hours))
    }

    /// How much earlier it may be: `log.roll.jitter.ms`, else `log.roll.jitter.hours`.
    #[must_use]
    pub fn roll_jitter(&self) -> Duration {
        self.log_roll_jitter.unwrap_or(hours(self.log_roll_jitter_hours))
    }

    /// Age of the oldest record that is not synced at which a log is: `log.flush.interval.ms`, else as often as logs are
    /// looked at.
    #[must_use]
    pub fn flush_interval(&self) -> Duration {
        self.log_flush_interval.unwrap_or(self.log_flush_scheduler_interval)
    }

    /// How long records are kept: `log.retention.ms`, else `log.retention.minutes`, else `log.retention.hours`.
    #[must_use]
    pub fn retention(&self) -> Limit<Duration> {
        let span = |limit: Limit<u32>, seconds: u64| match limit {
            Limit::At(count) => Limit::At(Duration::from_secs(u64::from(count) * seconds)),
            Limit::None => Limit::None,
        };
        let minutes = self.log_retention_minutes.map(|minutes| span(minutes, 60));
        self.log_retention.or(minutes).unwrap_or(span(self.log_retention_hours, 3_600))
    }

    /// Keys that the cleaner's map takes: `log.cleaner.dedupe.buffer.size` at 24 bytes each, as full as
    /// `log.cleaner.io.buffer.load.factor` allows, and at least one (L79).
    #[must_use]
    pub fn cleaner_map_entries(&self) -> usize {
        let slots = self.log_cleaner_dedupe_buffer_size.min(INT.unsigned_abs()) / 24;
        // At most a ninth of 10^9, which a float holds exactly.
        let entries = (slots as f64 * self.log_cleaner_io_buffer_load_factor.get()) as usize;
        entries.max(1)
    }
}

fn hours(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 3_600)
}

/// What Kafka refuses when a broker starts.
fn contradictions(config: &BrokerConfig, prefix: &str) -> Vec<Contradiction> {
    let wait = config.replica_fetch_wait_max;
    let least_lag = config.log_cleaner_min_compaction_lag;
    let most_lag = config.log_cleaner_max_compaction_lag;
    [
        not_more(
            &["replica.fetch.wait.max.ms", "replica.socket.timeout.ms"],
            wait,
            config.replica_socket_timeout,
            prefix,
        ),
        not_more(&["replica.fetch.wait.max.ms", "replica.lag.time.max.ms"], wait, config.replica_lag_time_max, prefix),
        not_more(
            &["log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"],
            least_lag,
            most_lag,
            prefix,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
