//! What a cluster promises, given its settings, and what the course of events excuses (G6-G17).
//!
//! One place decides both. It knows settings and a few facts about an election; it reads no trace.

use std::time::Duration;

use model::config::{Acks, BrokerConfig, Limit, Settings, TopicConfig};
use serde::{Deserialize, Serialize};

/// What follows from the settings of a cluster and of its clients.
#[derive(Clone, Debug)]
pub struct Promise {
    /// Whose word the producers wait for.
    pub acks: Acks,
    /// Whether one producer's records of one partition keep their order (G23), as far as topics take its batches whole.
    pub ordered: bool,
    /// Whether no record may be there twice (G27).
    pub at_most_once: bool,
    /// How often one batch may be sent: `retries` + 1 (P11).
    pub attempts: u64,
    /// How long after the last fault everything has come to rest (C.3 L1, L2, L8, L10).
    pub settles_within: Duration,
    /// How long after `send` its future is decided (C.3 L3).
    pub decides_within: Duration,
    /// When leaderless partitions that allow it have been elected uncleanly at the latest (R94).
    pub elects_uncleanly_within: Duration,
    /// How long a controller that no majority has fetched from may lead on (C5).
    pub unheard_leader_gives_up_within: Duration,
    /// Whether the controller writes no-op records, so that the metadata log never stands still (C27).
    pub metadata_moves: bool,
    /// Whether brokers apply a metadata log. In ZooKeeper mode the controller tells them what it has read (C65).
    pub has_metadata_log: bool,
    /// Whether who is fenced, or comes back, is out of every in-sync set in which it is not the last with the very decision
    /// that says so. In ZooKeeper mode the ensemble says so and the controller sees it later (C72): until then a replica that
    /// has lost what it had not synced counts as in sync (KIP-380, KAFKA-18106).
    pub vacates_seats_at_once: bool,
    defaults: BrokerConfig,
    /// The largest batch that may come back in pieces while later ones are under way; `None` if none are.
    overtaken: Option<u64>,
}

/// What a topic promises, given its own properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicPromise {
    /// In-sync replicas without which `acks=all` is refused; not yet clamped to the replication factor (R5).
    pub min_isr: u32,
    /// Whether a replica that is not in sync may lead (G14).
    pub unclean_election: bool,
    /// Whether one producer's records of one partition keep their order (G23). A batch that the leader finds too large is
    /// sent again in pieces, `retries` or not, and what was under way behind it overtakes it.
    pub ordered: bool,
    /// Whether old segments, and records on request, may be deleted (L72, L75).
    pub deletes: bool,
    /// Whether of several records of one key only the last is kept (L77).
    pub compacts: bool,
    /// How long records are kept at least; for ever if there is no bound.
    pub retention: Option<Duration>,
    /// How many bytes of a log are kept at least; all if there is no bound.
    pub retention_bytes: Option<u64>,
}

/// Why a record may be gone although it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Excuse {
    /// The topic allows a replica to lead that is not in sync, and one did (G14).
    UncleanElection,
    /// Every in-sync replica lost what it had not synced, or its whole disk, since it had the record (G7, G9, G11).
    NoReplicaLeft,
    /// Its topic was deleted (R99).
    TopicDeleted,
}

/// An election after which committed records are missing.
#[derive(Clone, Copy, Debug)]
pub struct Election {
    /// Whether the topic allows an unclean one.
    pub unclean_allowed: bool,
    /// Whether the new leader was not in the ISR, now or in an election since which not all have come together again.
    pub unclean: bool,
    /// Whether each member of the ISR out of which was elected had a lossy failure since it had the record.
    pub all_lost_it: bool,
}

impl Promise {
    /// What these settings promise.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let (producer, broker) = (&settings.producer, &settings.broker);
        let retries = u64::from(producer.retries);
        Self {
            acks: producer.acks,
            ordered: producer.max_in_flight_requests_per_connection == 1 || retries == 0,
            at_most_once: retries == 0,
            attempts: retries + 1,
            settles_within: settles_within(settings),
            decides_within: producer.max_block + producer.delivery_timeout + producer.request_timeout + MARGIN,
            elects_uncleanly_within: settings.controller.unclean_leader_election_interval + settles_within(settings),
            unheard_leader_gives_up_within: settings.controller.controller_quorum_fetch_timeout * 3 / 2 + IN_TIME,
            metadata_moves: !settings.controller.metadata_max_idle_interval.is_zero(),
            has_metadata_log: true,
            vacates_seats_at_once: true,
            defaults: broker.clone(),
            overtaken: (producer.max_in_flight_requests_per_connection > 1).then_some(producer.batch_size),
        }
    }

    /// The same in ZooKeeper mode (§3.10).
    #[must_use]
    pub fn with_zookeeper(self, settings: &Settings) -> Self {
        // After a session has ended another has to begin, and so does another controller.
        let settles_within = self.settles_within + settings.broker.zookeeper_session_timeout * 3;
        Self { has_metadata_log: false, vacates_seats_at_once: false, settles_within, ..self }
    }

    /// What a topic with these properties promises.
    #[must_use]
    pub fn topic(&self, config: &TopicConfig) -> TopicPromise {
        let effective = config.effective(&self.defaults);
        let largest = effective.max_message_bytes.min(effective.segment_bytes);
        TopicPromise {
            min_isr: effective.min_insync_replicas,
            unclean_election: effective.unclean_leader_election_enable,
            ordered: self.ordered && self.overtaken.is_none_or(|size| size <= largest),
            deletes: effective.cleanup_policy.delete,
            compacts: effective.cleanup_policy.compact,
            retention: bound(effective.retention),
            retention_bytes: bound(effective.retention_bytes),
        }
    }

    /// What holds on brokers from now on where a topic says nothing else (C48). What is no property of brokers changes nothing.
    pub fn configure_brokers(&mut self, name: &str, value: &str) {
        // The controller has refused what cannot be, and nothing changes then.
        let _ = self.defaults.set(name, value);
    }

    /// Whether the loss of a committed record at this election is within the contract.
    #[must_use]
    pub fn excuse(&self, election: Election) -> Option<Excuse> {
        if election.unclean && election.unclean_allowed {
            Some(Excuse::UncleanElection)
        } else if election.all_lost_it {
            Some(Excuse::NoReplicaLeft)
        } else {
            None
        }
    }
}

impl TopicPromise {
    /// What can be demanded once the properties were changed: what both promise. Who hears of a change when is open, and
    /// what was done under the old ones is not undone.
    #[must_use]
    pub fn or(self, now: Self) -> Self {
        Self {
            min_isr: self.min_isr.min(now.min_isr),
            unclean_election: self.unclean_election || now.unclean_election,
            ordered: self.ordered && now.ordered,
            deletes: self.deletes || now.deletes,
            compacts: self.compacts || now.compacts,
            retention: shorter(self.retention, now.retention),
            retention_bytes: shorter(self.retention_bytes, now.retention_bytes),
        }
    }

    /// Whether a replica's own retention may delete anything in a run whose clocks are right: runs are not days long.
    #[must_use]
    pub fn forgets(&self) -> bool {
        let soon = self.retention.is_some_and(|span| span < Duration::from_secs(86_400));
        self.deletes && (soon || self.retention_bytes.is_some())
    }
}

impl Excuse {
    /// In words, for reports.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::UncleanElection => "an unclean election, which the topic allows",
            Self::TopicDeleted => "its topic was deleted",
            Self::NoReplicaLeft => "every in-sync replica lost its disk or what it had not synced",
        }
    }
}

fn shorter<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

fn bound<T>(limit: Limit<T>) -> Option<T> {
    match limit {
        Limit::At(bound) => Some(bound),
        Limit::None => None,
    }
}

/// Timers of the world and of ours that are nobody's property: retries, heartbeats in flight, a slow disk's last calls.
const MARGIN: Duration = Duration::from_secs(15);

/// What is late by so much is in time.
const IN_TIME: Duration = Duration::from_millis(500);

/// The longest chain after a heal: somebody waits for an answer that never comes, is declared dead, registers anew,
/// fetches, and joins the ISR; a leader notices those who do not return only after one and a half lag times (R50).
fn settles_within(settings: &Settings) -> Duration {
    let broker = &settings.broker;
    let session = broker.broker_session_timeout.max(settings.controller.broker_session_timeout);
    broker.request_timeout
        + session * 2
        + broker.broker_heartbeat_interval * 2
        + broker.replica_socket_timeout
        + broker.replica_lag_time_max * 3 / 2
        + broker.replica_fetch_backoff
        + MARGIN
}

#[cfg(test)]
mod tests {
    use model::config::CleanupPolicy;

    use super::*;

    #[test]
    fn order_is_promised_to_those_who_have_one_request_in_flight_or_never_retry() {
        let mut settings = Settings::default();
        assert!(!Promise::of(&settings).ordered, "five in flight, and retries");
        settings.producer.max_in_flight_requests_per_connection = 1;
        assert!(Promise::of(&settings).ordered);
        settings.producer.max_in_flight_requests_per_connection = 5;
        settings.producer.retries = 0;
        assert!(Promise::of(&settings).ordered);
        assert!(Promise::of(&settings).at_most_once);
    }

    #[test]
    fn batches_that_come_back_in_pieces_are_overtaken_unless_they_are_alone() {
        let mut settings = Settings::default();
        settings.producer.retries = 0;
        let small = TopicConfig { segment_bytes: Some(4_096), ..TopicConfig::default() };
        let ordered = |settings: &Settings, topic: &TopicConfig| Promise::of(settings).topic(topic).ordered;
        assert!(ordered(&settings, &TopicConfig::default()));
        assert!(!ordered(&settings, &small), "batch.size is 16 KiB");
        settings.producer.max_in_flight_requests_per_connection = 1;
        assert!(ordered(&settings, &small));
    }

    #[test]
    fn a_topic_decides_for_itself_what_the_brokers_default_to() {
        let mut settings = Settings::default();
        settings.broker.min_insync_replicas = 2;
        let promise = Promise::of(&settings);
        let promised = promise.topic(&TopicConfig::default());
        assert_eq!((promised.min_isr, promised.unclean_election, promised.ordered), (2, false, false));
        let own = TopicConfig { unclean_leader_election_enable: Some(true), ..TopicConfig::default() };
        assert!(promise.topic(&own).unclean_election);
    }

    #[test]
    fn of_properties_that_were_changed_only_what_both_promise_can_be_demanded() {
        let promise = Promise::of(&Settings::default());
        let with = |min_insync_replicas, retention| TopicConfig {
            min_insync_replicas: Some(min_insync_replicas),
            unclean_leader_election_enable: Some(min_insync_replicas == 1),
            retention_bytes: Some(retention),
            ..TopicConfig::default()
        };
        let (one, other) = (promise.topic(&with(3, Limit::None)), promise.topic(&with(1, Limit::At(700))));
        for both in [one.or(other), other.or(one)] {
            assert_eq!((both.min_isr, both.unclean_election, both.retention_bytes), (1, true, Some(700)));
        }
        assert!(!one.or(one).unclean_election);
    }

    #[test]
    fn a_topic_forgets_if_it_deletes_by_size_or_within_a_day() {
        let promise = Promise::of(&Settings::default());
        let with = |config: TopicConfig| promise.topic(&config);
        assert!(!with(TopicConfig::default()).forgets(), "seven days are longer than any run");
        let small = Some(Limit::At(10_000));
        assert!(with(TopicConfig { retention_bytes: small, ..TopicConfig::default() }).forgets());
        let short = Some(Limit::At(Duration::from_secs(60)));
        assert!(with(TopicConfig { retention: short, ..TopicConfig::default() }).forgets());
        let kept =
            TopicConfig { cleanup_policy: Some(CleanupPolicy::COMPACT), retention: short, ..TopicConfig::default() };
        assert!(!with(kept.clone()).forgets() && with(kept).compacts);
    }

    #[test]
    fn an_unclean_election_excuses_only_where_it_is_allowed() {
        let promise = Promise::of(&Settings::default());
        let unclean = Election { unclean_allowed: false, unclean: true, all_lost_it: false };
        assert_eq!(promise.excuse(unclean), None);
        assert_eq!(promise.excuse(Election { unclean_allowed: true, ..unclean }), Some(Excuse::UncleanElection));
    }

    #[test]
    fn lost_disks_excuse_only_if_no_in_sync_replica_kept_the_record() {
        let promise = Promise::of(&Settings::default());
        let clean = Election { unclean_allowed: true, unclean: false, all_lost_it: false };
        assert_eq!(promise.excuse(clean), None);
        assert_eq!(promise.excuse(Election { all_lost_it: true, ..clean }), Some(Excuse::NoReplicaLeft));
    }
}
