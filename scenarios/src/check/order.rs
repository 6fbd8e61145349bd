//! Order: one producer's records of a partition lie in the order of sending, and a key stays in one partition.
//!
//! Implements G23-G25. Follows each log from its start, as far as it is known which value lies where, so that copies
//! made by retries come after their first and do not count.

use std::collections::{BTreeMap, BTreeSet};

use model::event::Value;
use model::names::{ClientId, Offset, TopicId};

use super::partition::PartitionView;
use super::records::{Outcome, Records};
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Follows the order of records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// By partition's place.
    logs: Vec<Log>,
    /// Where a key was first found.
    keys: BTreeMap<(TopicId, u64), usize>,
    /// Topics that have got more partitions: their keys have other homes from then on, and nobody knows which record left before.
    grown: BTreeSet<TopicId>,
}

/// One log, as far as it was followed.
#[derive(Clone, Debug, Default)]
struct Log {
    /// Everything below was looked at.
    next: u64,
    /// The last record of each producer, by number and value.
    last: Vec<(ClientId, u64, Value)>,
    /// The last offset that each producer was told.
    told: Vec<(ClientId, Offset)>,
}

impl Order {
    /// More is known of which value lies where.
    pub(crate) fn follow(
        &mut self,
        place: usize,
        view: &PartitionView,
        records: &mut Records,
        verdicts: &mut Verdicts,
    ) {
        loop {
            let offset = Offset(self.log(place).next);
            let Some(value) = records.at(place, offset) else {
                // Of what is gone nobody will ever know more.
                if view.released.covers(offset) || view.cleaned.is_removed(offset) {
                    self.log(place).next += 1;
                    continue;
                }
                return;
            };
            self.log(place).next += 1;
            let record = records.entry(value);
            if record.followed {
                continue;
            }
            record.followed = true;
            let given_up = record.outcome == Outcome::Unknown;
            let Some(sent) = record.sent else { continue };
            if view.promise.ordered && !view.is_history_broken_at(offset) {
                self.in_order(place, (sent.by, sent.nth, value), given_up, view, verdicts);
            }
            if let Some(key) = sent.key {
                self.at_home(place, key, value, view, verdicts);
            }
        }
    }

    /// The topic has got another partition.
    pub(crate) fn grew(&mut self, topic: TopicId) {
        self.grown.insert(topic);
    }

    /// A producer was told where its batch lies: not before the one it was told of before (`nonmonotonic-send`).
    pub(crate) fn told(
        &mut self,
        place: usize,
        (client, base): (ClientId, Offset),
        view: &PartitionView,
        verdicts: &mut Verdicts,
    ) {
        if !view.promise.ordered || view.is_history_broken_at(base) {
            return;
        }
        let log = self.log(place);
        let before = match log.told.iter_mut().find(|(known, _)| *known == client) {
            Some((_, last)) => Some(std::mem::replace(last, base)),
            None => {
                log.told.push((client, base));
                None
            }
        };
        verdicts.demand(Guarantee::Order, before.is_none_or(|before| before < base), "nonmonotonic-send", || {
            format!("{client} was told {base} of {} after {before:?}", view.partition)
        });
    }

    /// What its producer had given up may still be on its way, on a connection that is no more, and come in behind what
    /// was sent later: nothing is promised of it (G17, G24).
    fn in_order(
        &mut self,
        place: usize,
        (client, nth, value): (ClientId, u64, Value),
        given_up: bool,
        view: &PartitionView,
        verdicts: &mut Verdicts,
    ) {
        let log = self.log(place);
        let offset = log.next - 1;
        let before = match log.last.iter_mut().find(|(known, ..)| *known == client) {
            Some((_, last, before)) if *last < nth => {
                (*last, *before) = (nth, value);
                None
            }
            Some(_) if given_up => None,
            Some((_, _, before)) => Some(*before),
            None => {
                log.last.push((client, nth, value));
                None
            }
        };
        verdicts.demand(Guarantee::Order, before.is_none(), "sent-before-but-behind", || {
            let before = before.map_or(0, |before| before.0);
            format!(
                "{client} sent value {} before value {before}, but at {offset} of {} it lies behind it",
                value.0, view.partition
            )
        });
    }

    fn at_home(&mut self, place: usize, key: u64, value: Value, view: &PartitionView, verdicts: &mut Verdicts) {
        if self.grown.contains(&view.partition.topic) {
            return;
        }
        let home = *self.keys.entry((view.partition.topic, key)).or_insert(place);
        verdicts.demand(Guarantee::KeyOrder, home == place, "key-in-two-partitions", || {
            format!("value {} has a key whose records lay in another partition than {}", value.0, view.partition)
        });
    }

    fn log(&mut self, place: usize) -> &mut Log {
        if self.logs.len() <= place {
            self.logs.resize_with(place + 1, Log::default);
        }
        &mut self.logs[place]
    }
}
