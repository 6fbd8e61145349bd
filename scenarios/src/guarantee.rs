//! The ledger's rows: every promise of Kafka's that this testbed can break, with its source and its small print.
//!
//! Text and names only. What breaks a guarantee is for `check/`, what a given cluster promises is for `promise`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A promise that Kafka's documentation, a KIP or its own invariants make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Guarantee {
    /// Committed records survive any number of crashes (G6).
    Durability,
    /// Committed records survive N-1 brokers that never return (G7a).
    NMinusOne,
    /// Power loss takes only what the contract allows (G9).
    PowerLoss,
    /// An acknowledgement of `acks=all` means committed, on at least `min.insync.replicas` (W17).
    AcksAll,
    /// Too few in-sync replicas refuse `acks=all` (mission 8).
    MinIsr,
    /// `acks=1`: appended by the leader, lost only with the leadership (G16).
    AcksOne,
    /// `acks=0`: no promise but that nothing is made up (G16).
    AcksNone,
    /// One producer's records of one partition keep their order (G23).
    Order,
    /// Records of one key keep their order, because they share a partition (G25).
    KeyOrder,
    /// Consumers see only what is committed, and it never changes (G18).
    CommittedReads,
    /// A consumer reads in offset order, nothing twice and nothing skipped (G26).
    ReadOrder,
    /// Same offset and epoch, same record, and the same before it (R124).
    LogMatching,
    /// At most one broker acts as leader in an epoch (W16).
    OneLeader,
    /// Whoever may lead has every committed record (R121, R122).
    LeaderCompleteness,
    /// The in-sync set is what the protocol says it is (R83, R123, R128).
    InSyncSet,
    /// Epochs never fall, and no broker is ahead of the controller (R127).
    Epochs,
    /// The controllers' logs agree, and what they have committed stays (W22, C19).
    MetadataLog,
    /// High watermarks keep to what is committed and do not fall in an epoch (W5, W18, R46).
    HighWatermark,
    /// What was refused for certain is never seen (H8, G1a).
    RefusedUnseen,
    /// What was acknowledged can be read (mission 10).
    AtLeastOnce,
    /// Without retries nothing is doubled (mission 10, G27).
    AtMostOnce,
    /// No record but those that were sent, no offset with two records (G17, G22, G27).
    NothingMadeUp,
    /// Once the faults are gone, everything comes to rest (R129).
    Progress,
    /// What was synced is there after any stop (W21).
    Storage,
    /// A start finds what was there, all of it and nothing else (L46-L56).
    Recovery,
    /// What is derived from a log is what its batches say (W20).
    DerivedState,
    /// Retention takes only what is old, or too much, and committed (G37).
    Retention,
    /// Compaction keeps the last record of every key (G38).
    Compaction,
    /// Records that were deleted on request stay deleted (G39).
    DeleteRecords,
}

/// A row of the ledger: id, sentence, source, preconditions.
type Row = (&'static str, &'static str, &'static str, &'static str);

impl Guarantee {
    /// All of them, in the order of the ledger.
    pub const ALL: [Self; 29] = [
        Self::Durability,
        Self::NMinusOne,
        Self::PowerLoss,
        Self::AcksAll,
        Self::MinIsr,
        Self::AcksOne,
        Self::AcksNone,
        Self::Order,
        Self::KeyOrder,
        Self::CommittedReads,
        Self::ReadOrder,
        Self::LogMatching,
        Self::OneLeader,
        Self::LeaderCompleteness,
        Self::InSyncSet,
        Self::Epochs,
        Self::MetadataLog,
        Self::HighWatermark,
        Self::RefusedUnseen,
        Self::AtLeastOnce,
        Self::AtMostOnce,
        Self::NothingMadeUp,
        Self::Progress,
        Self::Storage,
        Self::Recovery,
        Self::DerivedState,
        Self::Retention,
        Self::Compaction,
        Self::DeleteRecords,
    ];

    /// A short name that never changes: reports and fingerprints count on it.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// The promise, in one sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.row().1
    }

    /// Where it is documented.
    #[must_use]
    pub fn source(self) -> &'static str {
        self.row().2
    }

    /// What must be so for the promise to hold.
    #[must_use]
    pub fn preconditions(self) -> &'static str {
        self.row().3
    }

    /// The guarantee with this id.
    #[must_use]
    pub fn by_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guarantee| guarantee.id() == id)
    }

    /// The place in [`Self::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    fn row(self) -> Row {
        let special = self.row_of_durability().or_else(|| self.row_of_clients()).or_else(|| self.row_of_storage());
        special.unwrap_or_else(|| self.row_of_replication())
    }

    fn row_of_durability(self) -> Option<Row> {
        Some(match self {
            Self::Durability => (
                "durability",
                "A committed record is never lost or changed by crashes, partitions, pauses or wrong clocks, however many.",
                "Kafka docs, Design: Replication; KIP-101, KIP-279; G6",
                "unclean.leader.election.enable=false; no power loss, no lost disk",
            ),
            Self::NMinusOne => (
                "n-minus-1",
                "With replication factor N, up to N-1 brokers may be lost for good without losing any committed record.",
                "Kafka docs, Introduction and Design: Replication; G7",
                "the record was committed by a full ISR, or an in-sync replica is left; unclean.leader.election.enable=false",
            ),
            Self::PowerLoss => (
                "power-loss",
                "Power loss takes a committed record only if every replica that was in sync lost power before the record was synced.",
                "Kafka docs, Design: Availability and Durability; KIP-966; G9, G13",
                "unclean.leader.election.enable=false; disks honour fsync",
            ),
            Self::AcksAll => (
                "acks-all",
                "A record acknowledged with acks=all is committed: on every in-sync replica, and on at least min.insync.replicas.",
                "Kafka docs, Producer Configs: acks; W17",
                "acks=all",
            ),
            Self::MinIsr => (
                "min-isr",
                "With fewer in-sync replicas than min.insync.replicas, acks=all is refused and nothing is appended; other acks are not refused.",
                "Kafka docs, Topic Configs: min.insync.replicas; mission 8",
                "none",
            ),
            Self::AcksOne => (
                "acks-1",
                "A record acknowledged with acks=1 is in its leader's log, and goes only if the leadership changes or the leader's disk loses it.",
                "Kafka docs, Producer Configs: acks; G16",
                "acks=1",
            ),
            Self::AcksNone => (
                "acks-0",
                "With acks=0 a record may be lost without notice, but what is seen of it is what was sent.",
                "Kafka docs, Producer Configs: acks; G16",
                "acks=0",
            ),
            _ => return None,
        })
    }

    fn row_of_clients(self) -> Option<Row> {
        Some(match self {
            Self::Order => (
                "order",
                "Records sent by a producer to one partition are appended in the order in which they were sent.",
                "Kafka docs, Introduction: Guarantees; Producer Configs: max.in.flight.requests.per.connection; G23",
                "max.in.flight.requests.per.connection=1, or retries=0 and no batch that is refused for its size",
            ),
            Self::KeyOrder => (
                "key-order",
                "All records of one key go to one partition, so the order of a partition is the order of its keys.",
                "Kafka docs, Introduction; G25",
                "the number of partitions stays as it is",
            ),
            Self::CommittedReads => (
                "reads",
                "Consumers see, and are told of, only committed records; what one has seen at an offset is what everybody sees there, for ever.",
                "Kafka docs, Design: Replication; KIP-207; G18, L70, L76, W12",
                "no unclean election, no loss allowed by the contract",
            ),
            Self::ReadOrder => (
                "read-order",
                "A consumer sees the records of a partition in the order of its log, none twice and none left out.",
                "Kafka docs, Introduction: Guarantees; G26; Jepsen kafka: poll-skip, nonmonotonic-poll",
                "assigned partitions, no seek in between, no truncation under the position",
            ),
            Self::RefusedUnseen => (
                "refused",
                "A record whose send failed for certain is never read.",
                "G17, H8; Jepsen kafka: G1a",
                "no attempt ended in an ambiguous error",
            ),
            Self::AtLeastOnce => (
                "at-least-once",
                "A record that was acknowledged with acks=all can be read.",
                "Kafka docs, Design: Message Delivery Semantics; Jepsen kafka: lost-write, unseen",
                "acks=all; the record was not lost within the contract",
            ),
            Self::AtMostOnce => (
                "at-most-once",
                "A producer that does not retry never doubles a record.",
                "Kafka docs, Design: Message Delivery Semantics; G27; Jepsen kafka: duplicate",
                "retries=0",
            ),
            Self::NothingMadeUp => (
                "nothing-made-up",
                "Every record in a log was sent, no more often than it was sent, and no offset ever holds two records.",
                "G17, G22, G27; Jepsen kafka: inconsistent-offsets",
                "offsets: no unclean election, no loss allowed by the contract",
            ),
            _ => return None,
        })
    }

    fn row_of_storage(self) -> Option<Row> {
        Some(match self {
            Self::Storage => (
                "storage",
                "Every byte whose sync has completed is there after any stop, and no recovery point runs ahead of it.",
                "Kafka docs, Design: Persistence; Broker Configs: log.flush.*; W21, L9, L10, L31",
                "disks honour fsync: none has rotted, failed a sync or been replaced",
            ),
            Self::Recovery => (
                "recovery",
                "A start keeps every valid batch that the stop left behind and no other; only an orderly stop is believed without a look.",
                "KAFKA-10471; Kafka's log loader; L46-L56",
                "that everything is there: no power loss; no disk that rots",
            ),
            Self::DerivedState => (
                "derived-state",
                "Leader epochs, producers' state, indexes and the log start are what a fold over the log's batches gives, after every start and every cut.",
                "KIP-101, KIP-98, KIP-33; W20, L29, L37, L40, L53, L54",
                "a disk that neither rots nor fails a sync",
            ),
            Self::Retention => (
                "retention",
                "Retention deletes whole segments, oldest first, below the high watermark, and none younger than retention.ms unless the log exceeds retention.bytes.",
                "Kafka docs, Topic Configs: retention.ms, retention.bytes; G37, L72-L74",
                "cleanup.policy contains delete; ages: clocks that are right",
            ),
            Self::Compaction => (
                "compaction",
                "Compaction keeps offsets, order and at least the last committed record of every key; a reader from the start sees it.",
                "Kafka docs, Design: Log Compaction; G38, L77-L83",
                "cleanup.policy contains compact",
            ),
            Self::DeleteRecords => (
                "delete-records",
                "After a successful DeleteRecords nobody reads below its offset, all live replicas begin there, and nothing above the high watermark goes.",
                "KIP-107; G39, L75",
                "no unclean election; some replica has not crashed since within the interval of its log start checkpoint (L45)",
            ),
            _ => return None,
        })
    }

    fn row_of_replication(self) -> Row {
        match self {
            Self::LogMatching => (
                "log-matching",
                "Two replicas with the same leader epoch at an offset have the same records up to there; below both high watermarks they are identical.",
                "KIP-101, KIP-279; R124, W9",
                "the second half: no unclean election, no lost bytes",
            ),
            Self::OneLeader => (
                "one-leader",
                "In one leader epoch of a partition at most one broker acts as leader, the one the controller named.",
                "Kafka docs, Design: Replication; W16",
                "none",
            ),
            Self::LeaderCompleteness => (
                "leader-completeness",
                "Every running in-sync replica has every committed record, so that whoever is elected has it.",
                "Kafka docs, Design: Replicated Logs; KIP-497, KIP-903; R121, R122",
                "no unclean election; not the last in-sync replica after it lost its disk's tail",
            ),
            Self::InSyncSet => (
                "in-sync-set",
                "The leader is in sync, no fenced broker is unless it is the last, and a leader waits for everybody whom the controller counts as in sync.",
                "KIP-497, KIP-841; R83, R123, R128, W4, W6, W14",
                "none",
            ),
            Self::Epochs => (
                "epochs",
                "Leader, partition and controller epochs never fall, and no broker is ahead of the committed metadata log.",
                "KIP-320, KIP-631; R127",
                "the controller keeps its disk",
            ),
            Self::MetadataLog => (
                "metadata-log",
                "One controller leads in an epoch, with everything that is committed, while a majority hears it; the controllers' logs match, no committed decision goes again, and what a broker takes from them is what was committed.",
                "KIP-595, KIP-631; C3, C5, C18, C19, C22, W10, W22",
                "a majority of the controllers keeps its disks",
            ),
            Self::HighWatermark => (
                "high-watermark",
                "A leader's high watermark never falls within its epoch and never passes an in-sync replica; no replica's passes what is committed.",
                "Kafka docs, Design: Replication; KIP-497; W5, W18, R46",
                "no unclean election, no lost bytes",
            ),
            _ => (
                "progress",
                "Once faults are gone every partition is led, all live replicas are in sync, everything is committed, and every send has an answer.",
                "R129, C.3",
                "an in-sync replica is left, and a controller; enough replicas for min.insync.replicas",
            ),
        }
    }
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guarantee_has_an_id_of_its_own_and_can_be_found_by_it() {
        for (place, guarantee) in Guarantee::ALL.into_iter().enumerate() {
            assert_eq!(guarantee.index(), place);
            assert_eq!(Guarantee::by_id(guarantee.id()), Some(guarantee));
            assert!(guarantee.sentence().ends_with('.'), "{guarantee}");
            assert!(!guarantee.source().is_empty() && !guarantee.preconditions().is_empty());
        }
        assert_eq!(Guarantee::by_id("no such promise"), None);
    }
}
