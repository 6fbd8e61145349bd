//! Who leads, as far as this client knows: what brokers said, with what is newer kept over what is older (C49), and when
//! to ask again. It sends nothing itself, and knows nothing of records or positions.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backoff::Backoff;
use crate::machine::Chance;
use crate::names::{BrokerId, LeaderEpoch, Partition, Time, TopicId, earliest};
use crate::wire::{ErrorCode, MetadataPartition, MetadataRequest, MetadataResponse};

/// What a client knows of the cluster.
#[derive(Clone, Debug)]
pub(super) struct Routing {
    bootstrap: Vec<BrokerId>,
    /// Alive, as of the last answer.
    brokers: Vec<BrokerId>,
    /// The topics that this client uses.
    topics: BTreeMap<String, Topic>,
    leaders: BTreeMap<Partition, Known>,
    max_age: Duration,
    backoff: Backoff,
    chance: Chance,
    /// A request is under way; there is never a second one.
    asking: bool,
    /// Something is unknown or was found to be wrong.
    needed: bool,
    /// It is time to ask, but there was nobody to ask.
    stalled: bool,
    updated: Option<Time>,
    not_before: Time,
    /// Answers in a row that failed or brought nothing new.
    fruitless: u32,
    asked: u64,
}

/// What is known of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    /// Its identity; `None` before a broker knew it.
    pub(super) id: Option<TopicId>,
    /// How many partitions it has; 0 before a broker knew it.
    pub(super) partitions: u32,
    /// What the last broker said of it.
    pub(super) error: ErrorCode,
}

impl Topic {
    /// Whether a topic of that name cannot exist.
    pub(super) fn is_invalid(self) -> bool {
        self.error == ErrorCode::InvalidTopicException
    }
}

/// Who leads a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    /// The broker.
    pub(super) broker: BrokerId,
    /// Since which epoch.
    pub(super) epoch: LeaderEpoch,
}

/// The newest epoch that was heard of, and who leads in it, if anybody does and it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    epoch: LeaderEpoch,
    broker: Option<BrokerId>,
}

impl Routing {
    /// Knows nobody but the bootstrap brokers.
    pub(super) fn new(bootstrap: Vec<BrokerId>, max_age: Duration, backoff: Backoff) -> Self {
        Self {
            bootstrap,
            brokers: Vec::new(),
            topics: BTreeMap::new(),
            leaders: BTreeMap::new(),
            max_age,
            backoff,
            chance: Chance(0),
            asking: false,
            needed: false,
            stalled: false,
            updated: None,
            not_before: Time(0),
            fruitless: 0,
            asked: 0,
        }
    }

    /// From now on lots and jitter come from this.
    pub(super) fn start(&mut self, chance: Chance) {
        self.chance = chance;
        self.backoff.start(chance);
    }

    /// This client uses the topic from now on.
    pub(super) fn want(&mut self, topic: &str) {
        if !self.topics.contains_key(topic) {
            let unknown = Topic { id: None, partitions: 0, error: ErrorCode::None };
            self.topics.insert(topic.to_owned(), unknown);
            self.needed = true;
        }
    }

    /// What is known of a topic that this client uses.
    pub(super) fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.get(name).copied()
    }

    /// Who leads, if that is known.
    pub(super) fn leader(&self, partition: Partition) -> Option<Leader> {
        let known = self.leaders.get(&partition)?;
        Some(Leader { broker: known.broker?, epoch: known.epoch })
    }

    /// What is known is wrong or not enough: ask again, as soon as the backoff allows.
    pub(super) fn request_update(&mut self) {
        self.needed = true;
    }

    /// Whether it is time to ask, and nobody is asked yet.
    pub(super) fn due(&self, now: Time) -> bool {
        !self.asking && self.next_update().is_some_and(|at| at <= now)
    }

    /// When it will be time to ask. `None` while an answer is awaited or nobody can be asked.
    pub(super) fn deadline(&self) -> Option<Time> {
        if self.asking || self.stalled { None } else { self.next_update() }
    }

    /// Whom one could ask: the brokers of the last answer and the bootstrap brokers (KIP-899).
    pub(super) fn candidates(&self) -> Vec<BrokerId> {
        let mut candidates = self.brokers.clone();
        candidates.extend(self.bootstrap.iter().filter(|broker| !self.brokers.contains(broker)));
        candidates
    }

    /// A lot for choosing among equals.
    pub(super) fn lot(&self) -> u64 {
        self.chance.draw("metadata broker", self.asked)
    }

    /// Nobody can be asked now: whoever calls must come back when a connection is free.
    pub(super) fn nobody_to_ask(&mut self) {
        self.stalled = true;
    }

    /// Begins to ask: this is the request.
    pub(super) fn ask(&mut self) -> MetadataRequest {
        self.asking = true;
        self.needed = false;
        self.stalled = false;
        self.asked += 1;
        MetadataRequest { topics: self.topics.keys().cloned().collect() }
    }

    /// The request was lost.
    pub(super) fn unanswered(&mut self, now: Time) {
        self.asking = false;
        self.needed = true;
        self.fruitless = self.fruitless.saturating_add(1);
        self.not_before = now + self.backoff.after(self.fruitless);
    }

    /// An answer: takes in what is not older than what is known already. Says whether anything changed.
    pub(super) fn learn(&mut self, now: Time, answer: &MetadataResponse) -> bool {
        let mut changed = false;
        // As in Kafka, what was found wrong while the answer was under way counts as answered too.
        self.needed = false;
        for told in &answer.topics {
            let Some(topic) = self.topics.get_mut(&told.name) else { continue };
            topic.error = told.error;
            // A broker that does not know the topic, or not yet, takes nothing away from what others have told.
            let (Some(id), ErrorCode::None) = (told.id, told.error) else {
                self.needed = true;
                continue;
            };
            let partitions = u32::try_from(told.partitions.len()).unwrap_or(u32::MAX);
            if topic.id != Some(id) {
                changed = true;
                *topic = Topic { id: Some(id), partitions, error: told.error };
            } else if partitions > topic.partitions {
                changed = true;
                topic.partitions = partitions;
            }
            for partition in &told.partitions {
                changed |= self.learn_leader(id, partition);
            }
        }
        if self.topics.values().any(|topic| topic.partitions == 0) {
            self.needed = true;
        }
        if !answer.brokers.is_empty() && answer.brokers != self.brokers {
            self.brokers.clone_from(&answer.brokers);
        }
        self.asking = false;
        self.updated = Some(now);
        self.fruitless = if changed { 0 } else { self.fruitless.saturating_add(1) };
        self.not_before = now + self.backoff.after(self.fruitless.max(1));
        changed
    }

    /// A broker that refused a request says who leads instead (KIP-951). Says whether that is news.
    pub(super) fn hint(&mut self, partition: Partition, leader: BrokerId, epoch: LeaderEpoch) -> bool {
        let news = self.leaders.get(&partition).is_none_or(|known| epoch > known.epoch);
        if news {
            self.leaders.insert(partition, Known { epoch, broker: Some(leader) });
        }
        news
    }

    /// An epoch was seen in some answer: if it is newer than what is known, it is no longer known who leads (C49).
    pub(super) fn seen(&mut self, partition: Partition, epoch: LeaderEpoch) {
        if self.leaders.get(&partition).is_none_or(|known| epoch > known.epoch) {
            self.leaders.insert(partition, Known { epoch, broker: None });
            self.needed = true;
        }
    }

    fn learn_leader(&mut self, topic: TopicId, told: &MetadataPartition) -> bool {
        let partition = Partition { topic, index: told.index };
        let known = self.leaders.get(&partition).copied();
        if known.is_some_and(|known| told.leader_epoch < known.epoch) {
            // An older image: keep what is known, and ask again, for that one may be wrong by now as well (C49).
            self.needed = true;
            return false;
        }
        if told.leader.is_none() || told.error != ErrorCode::None {
            self.needed = true;
        }
        let new = Known { epoch: told.leader_epoch, broker: told.leader };
        self.leaders.insert(partition, new);
        known != Some(new)
    }

    fn next_update(&self) -> Option<Time> {
        if self.topics.is_empty() {
            return None;
        }
        let aged = self.updated.map(|updated| updated + self.max_age);
        let wanted = if self.needed { Some(Time(0)) } else { None };
        earliest([aged, wanted]).map(|at| at.max(self.not_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::stage::{metadata, millis};

    const P0: Partition = Partition { topic: TopicId(9), index: 0 };

    fn routing() -> Routing {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(1_000), "metadata");
        let mut routing = Routing::new(vec![BrokerId(1)], Duration::from_secs(300), backoff);
        routing.want("t");
        routing
    }

    fn leader(broker: u32, epoch: i32) -> Leader {
        Leader { broker: BrokerId(broker), epoch: LeaderEpoch(epoch) }
    }

    #[test]
    fn an_answer_with_an_older_leader_epoch_does_not_replace_what_is_known() {
        let mut routing = routing();
        assert!(routing.learn(millis(1), &metadata("t", &[Some((2, 5))])));
        assert!(!routing.learn(millis(2), &metadata("t", &[Some((1, 4))])));
        assert_eq!(routing.leader(P0), Some(leader(2, 5)));
        assert!(routing.needed, "an old answer is a reason to ask somebody else");
        assert!(routing.learn(millis(3), &metadata("t", &[Some((3, 6))])));
        assert_eq!(routing.leader(P0), Some(leader(3, 6)));
    }

    #[test]
    fn the_leader_that_a_broker_names_counts_only_if_its_epoch_is_newer() {
        let mut routing = routing();
        routing.learn(millis(1), &metadata("t", &[Some((2, 5))]));
        assert!(!routing.hint(P0, BrokerId(3), LeaderEpoch(5)));
        assert_eq!(routing.leader(P0), Some(leader(2, 5)));
        assert!(routing.hint(P0, BrokerId(3), LeaderEpoch(6)));
        assert_eq!(routing.leader(P0), Some(leader(3, 6)));
    }

    #[test]
    fn a_newer_epoch_seen_elsewhere_makes_the_leader_unknown() {
        let mut routing = routing();
        routing.learn(millis(1), &metadata("t", &[Some((2, 5))]));
        routing.seen(P0, LeaderEpoch(5));
        assert_eq!(routing.leader(P0), Some(leader(2, 5)));
        routing.seen(P0, LeaderEpoch(6));
        assert_eq!(routing.leader(P0), None);
        assert!(!routing.learn(millis(2), &metadata("t", &[Some((2, 5))])));
        assert_eq!(routing.leader(P0), None);
    }

    #[test]
    fn there_is_one_request_at_a_time_with_backoff_between_them() {
        let mut routing = routing();
        assert!(routing.due(millis(0)));
        assert_eq!(routing.ask().topics, ["t"]);
        routing.request_update();
        assert!(!routing.due(millis(10_000)), "one is under way");
        routing.unanswered(millis(10));
        assert!(!routing.due(millis(10 + 79)));
        assert!(routing.due(millis(10 + 121)));
        assert_eq!(routing.deadline(), Some(routing.not_before));
    }

    #[test]
    fn a_broker_that_does_not_know_the_topic_takes_nothing_away() {
        let mut routing = routing();
        routing.learn(millis(1), &metadata("t", &[Some((2, 5))]));
        let mut ignorant = metadata("t", &[]);
        ignorant.topics[0].error = ErrorCode::UnknownTopicOrPartition;
        ignorant.topics[0].id = None;
        routing.learn(millis(2), &ignorant);
        assert_eq!(routing.topic("t").unwrap().partitions, 1);
        assert_eq!(routing.leader(P0), Some(leader(2, 5)));
        assert!(routing.needed);
    }

    #[test]
    fn metadata_is_asked_for_again_when_it_is_old() {
        let mut routing = routing();
        routing.ask();
        routing.learn(millis(1), &metadata("t", &[Some((2, 5))]));
        assert_eq!(routing.deadline(), Some(millis(300_001)));
        assert!(!routing.due(millis(300_000)));
        assert!(routing.due(millis(300_001)));
    }

    #[test]
    fn the_bootstrap_brokers_can_still_be_asked_when_others_are_known() {
        let mut routing = routing();
        let mut answer = metadata("t", &[Some((2, 5))]);
        answer.brokers = vec![BrokerId(2), BrokerId(3)];
        routing.learn(millis(1), &answer);
        assert_eq!(routing.candidates(), [BrokerId(2), BrokerId(3), BrokerId(1)]);
    }
}
