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
    /// Bytes at which a segment of the metadata log is closed.
    "metadata.log.segment.bytes" =>
        metadata_log_segment_bytes: u64 = 1_073_741_824, in 12..=INT, kafka_minimum 8_388_608;
}
