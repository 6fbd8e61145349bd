//! What a controller is told.

use std::time::Duration;

use super::table::{config, no_contradictions};
use super::unsupported::SERVER;
use super::value::{INT, LONG, SHORT, ms};

config! {
    /// What a controller is told; defaults are those of Kafka 4 (§2.21, §3.9). Some names are a broker's too: one line
    /// in a file then sets both.
    pub struct ControllerConfig, ignoring SERVER, checked by no_contradictions;

    /// How long the controller takes a broker for alive without a heartbeat.
    "broker.session.timeout.ms" => broker_session_timeout: Duration = ms(9_000), in 1..=INT;
    /// Replicas of a topic that is created without saying how many.
    "default.replication.factor" => default_replication_factor: u16 = 1, in 1..=SHORT;
    /// Partitions of a topic that is created without saying how many.
    "num.partitions" => num_partitions: u32 = 1, in 1..=INT;
    /// The topic-level `min.insync.replicas` of a topic that does not say.
    "min.insync.replicas" => min_insync_replicas: u32 = 1, in 1..=INT;
    /// The topic-level `unclean.leader.election.enable` of a topic that does not say.
    "unclean.leader.election.enable" => unclean_leader_election_enable: bool = false;
    /// How often leaderless partitions are looked at for an unclean election.
    "unclean.leader.election.interval.ms" => unclean_leader_election_interval: Duration = ms(300_000), in 1..=LONG;
    /// How long the metadata log may stand still before a no-op record is written to it; zero for never.
    "metadata.max.idle.interval.ms" => metadata_max_idle_interval: Duration = ms(500), in 0..=INT;
    /// How long a controller waits for an election, from once to twice as long (C5).
    "controller.quorum.election.timeout.ms" => controller_quorum_election_timeout: Duration = ms(1_000), in 1..=INT;
    /// How long a follower waits for the leader before it stands for election; a leader that no majority has fetched from
    /// for half as long again resigns.
    "controller.quorum.fetch.timeout.ms" => controller_quorum_fetch_timeout: Duration = ms(2_000), in 1..=INT;
    /// How long a candidate that was not elected waits at most before it stands again.
    "controller.quorum.election.backoff.max.ms" => controller_quorum_election_backoff_max: Duration = ms(1_000), in 1..=INT;
    /// How long the leader lets records wait for others before it appends them.
    "controller.quorum.append.linger.ms" => controller_quorum_append_linger: Duration = ms(25), in 0..=INT;
    /// How long a controller waits for an answer of another.
    "controller.quorum.request.timeout.ms" => controller_quorum_request_timeout: Duration = ms(2_000), in 1..=INT;
    /// How long it waits before it asks again.
    "controller.quorum.retry.backoff.ms" => controller_quorum_retry_backoff: Duration = ms(20), in 1..=INT;
    /// Bytes of the metadata log in one answer.
    "controller.quorum.fetch.max.bytes" => controller_quorum_fetch_max_bytes: u64 = 8_388_608, in 1..=INT;
    /// Bytes of a snapshot in one answer.
    "controller.quorum.fetch.snapshot.max.bytes" => controller_quorum_fetch_snapshot_max_bytes: u64 = 8_388_608, in 1..=INT;
    /// Bytes of records after which a snapshot is made.
    "metadata.log.max.record.bytes.between.snapshots" =>
        metadata_log_max_record_bytes_between_snapshots: u64 = 20_971_520, in 1..=LONG;
    /// Time after which a snapshot is made; zero for never.
    "metadata.log.max.snapshot.interval.ms" => metadata_log_max_snapshot_interval: Duration = ms(3_600_000), in 0..=LONG;
    /// Bytes of snapshots and log above which the oldest are deleted.
    "metadata.max.retention.bytes" => metadata_max_retention_bytes: u64 = 104_857_600, in 1..=LONG;
    /// Age at which snapshots and log below the latest one are deleted.
    "metadata.max.retention.ms" => metadata_max_retention: Duration = ms(604_800_000), in 0..=LONG;
    /// Whether preferred leaders get their partitions back.
    "auto.leader.rebalance.enable" => auto_leader_rebalance_enable: bool = true;
    /// How often that is looked at.
    "leader.imbalance.check.interval.seconds" => leader_imbalance_check_interval_seconds: u32 = 300, in 1..=INT;
    /// Bytes at which a segment of the metadata log is closed.
    "metadata.log.segment.bytes" =>
        metadata_log_segment_bytes: u64 = 1_073_741_824, in 12..=INT, kafka_minimum 8_388_608;
}
