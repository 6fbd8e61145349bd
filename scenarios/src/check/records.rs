//! Every record's story by its value: who sent it, what became of it, who read it; and which value lies at which offset.
//!
//! Shared by the checks of clients' histories, and no check itself.

use std::collections::BTreeMap;

use model::config::Acks;
use model::event::Value;
use model::names::{ClientId, LeaderEpoch, Offset};
use sim::fact::Moment;

/// All records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// By value, for the values that a load counts up.
    dense: Vec<Record>,
    /// Others.
    sparse: BTreeMap<Value, Record>,
    /// Which value lies at which offset, by partition's place: all that was read, and what `acks=all` acknowledged.
    versions: Vec<Vec<u64>>,
    /// How many records each client has sent.
    sent: BTreeMap<ClientId, u64>,
    /// How many of them nothing is known of yet.
    open: BTreeMap<ClientId, u64>,
}

/// One record.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record {
    /// Who sent it; nothing if nobody did.
    pub sent: Option<Sent>,
    /// In how many requests it left.
    pub requests: u32,
    /// What the producer was told.
    pub outcome: Outcome,
    /// At how many offsets it was read.
    pub copies: u32,
    /// Whether anybody has read it.
    pub read: bool,
    /// Whether the fresh consumer at the end has read it.
    pub read_back: bool,
    /// Whether its first place in a log was looked at for its order.
    pub followed: bool,
}

/// The sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent {
    /// By whom.
    pub by: ClientId,
    /// As its how-manieth record.
    pub nth: u64,
    /// A hash of its key.
    pub key: Option<u64>,
    /// When.
    pub at: Moment,
}

/// What a producer was told of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing yet.
    #[default]
    Open,
    /// It is there.
    Acked {
        /// As what was asked for.
        acks: Acks,
        /// In which partition, by place.
        partition: u32,
        /// Where; unknown with `acks=0`.
        offset: Option<Offset>,
        /// In which batch.
        crc: u32,
        /// The leader epoch in which it was appended, if that is known.
        epoch: Option<LeaderEpoch>,
    },
    /// It is not there and never will be.
    Refused,
    /// It may be there or not, or may yet come (G17).
    Unknown,
}

impl Outcome {
    /// In which partition it was acknowledged, by place.
    pub(crate) fn place(self) -> Option<usize> {
        match self {
            Self::Acked { partition, .. } => Some(partition as usize),
            Self::Open | Self::Refused | Self::Unknown => None,
        }
    }
}

/// Values below are kept in a list; a load counts from 0 or 1 upwards.
const DENSE: u64 = 1 << 22;
/// Nothing is known of an offset.
const NOTHING: u64 = u64::MAX;

impl Records {
    /// The record's story, to be continued.
    pub(crate) fn entry(&mut self, value: Value) -> &mut Record {
        if value.0 >= DENSE {
            return self.sparse.entry(value).or_default();
        }
        let at = value.0 as usize;
        if self.dense.len() <= at {
            self.dense.resize(at + 1, Record::default());
        }
        &mut self.dense[at]
    }

    /// A producer was handed a record.
    pub(crate) fn sent(&mut self, by: ClientId, value: Value, key: Option<u64>, at: Moment) {
        let count = self.sent.entry(by).or_default();
        *count += 1;
        let nth = *count;
        *self.open.entry(by).or_default() += 1;
        self.entry(value).sent = Some(Sent { by, nth, key, at });
    }

    /// A producer was told what became of a record.
    pub(crate) fn decide(&mut self, value: Value, outcome: Outcome) -> &mut Record {
        let record = self.entry(value);
        let was_open = std::mem::replace(&mut record.outcome, outcome) == Outcome::Open;
        if let Some(sent) = record.sent.filter(|_| was_open)
            && let Some(open) = self.open.get_mut(&sent.by)
        {
            *open = open.saturating_sub(1);
        }
        self.entry(value)
    }

    /// A client is no more: nobody will be told of what it has sent.
    pub(crate) fn abandon(&mut self, client: ClientId) {
        self.open.remove(&client);
    }

    /// Clients with sends that are not decided, and how many.
    pub(crate) fn open(&self) -> impl Iterator<Item = (ClientId, u64)> {
        self.open.iter().map(|(client, open)| (*client, *open)).filter(|(_, open)| *open > 0)
    }

    /// Every record that was sent, with its value.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Value, &Record)> {
        let dense = self.dense.iter().enumerate().map(|(value, record)| (Value(value as u64), record));
        let sparse = self.sparse.iter().map(|(value, record)| (*value, record));
        dense.chain(sparse).filter(|(_, record)| record.sent.is_some())
    }

    /// Says that `value` lies at `offset`. Answers what was known before: nothing, or a value.
    pub(crate) fn lies_at(&mut self, partition: usize, offset: Offset, value: Value) -> Option<Value> {
        let log = self.log(partition);
        let at = usize::try_from(offset.0).ok().filter(|at| *at < DENSE as usize)?;
        if log.len() <= at {
            log.resize(at + 1, NOTHING);
        }
        let before = log[at];
        if before == NOTHING {
            log[at] = value.0;
        }
        (before != NOTHING).then_some(Value(before))
    }

    /// The value that is known to lie at the offset.
    pub(crate) fn at(&self, partition: usize, offset: Offset) -> Option<Value> {
        let at = usize::try_from(offset.0).ok()?;
        self.versions.get(partition)?.get(at).filter(|value| **value != NOTHING).map(|value| Value(*value))
    }

    /// The record with this value, if it was ever heard of.
    pub(crate) fn find(&self, value: Value) -> Option<&Record> {
        match usize::try_from(value.0).ok().filter(|_| value.0 < DENSE) {
            Some(at) => self.dense.get(at),
            None => self.sparse.get(&value),
        }
    }

    /// When the record at the offset was handed to its producer, if it is known which that is.
    pub(crate) fn sent_at(&self, partition: usize, offset: u64) -> Option<Moment> {
        self.sent_as(partition, offset).map(|sent| sent.at)
    }

    /// The key of the record at the offset, if it is known which that is and it has one.
    pub(crate) fn key_at(&self, partition: usize, offset: u64) -> Option<u64> {
        self.sent_as(partition, offset)?.key
    }

    fn sent_as(&self, partition: usize, offset: u64) -> Option<Sent> {
        self.find(self.at(partition, Offset(offset))?)?.sent
    }

    /// The last offset below `upto` of every key that is known to lie in the partition.
    pub(crate) fn last_of_keys(&self, partition: usize, upto: u64) -> BTreeMap<u64, u64> {
        let known = self.versions.get(partition).map_or(0, Vec::len) as u64;
        (0..known.min(upto)).filter_map(|offset| Some((self.key_at(partition, offset)?, offset))).collect()
    }

    fn log(&mut self, partition: usize) -> &mut Vec<u64> {
        if self.versions.len() <= partition {
            self.versions.resize_with(partition + 1, Vec::new);
        }
        &mut self.versions[partition]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_any_size_has_a_story() {
        let mut records = Records::default();
        for value in [Value(0), Value(7), Value(u64::MAX - 1)] {
            records.sent(ClientId(1), value, None, Moment::ZERO);
        }
        let nths: Vec<u64> = records.all().filter_map(|(_, record)| record.sent.map(|sent| sent.nth)).collect();
        assert_eq!(nths, [1, 2, 3], "values in between were not sent");
    }

    #[test]
    fn the_first_value_at_an_offset_stays() {
        let mut records = Records::default();
        assert_eq!(records.lies_at(1, Offset(3), Value(9)), None);
        assert_eq!(records.lies_at(1, Offset(3), Value(8)), Some(Value(9)));
        assert_eq!(records.lies_at(1, Offset(3), Value(9)), Some(Value(9)));
    }
}
