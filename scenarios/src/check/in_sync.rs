//! The in-sync set: what the controller commits about it, what a leader makes of it, and who may be in it.
//!
//! Implements W4, W6, W7, W14, W19, R83, R122, R123, R128.

use model::names::{BrokerId, LeaderEpoch};
use sim::fact::Moment;

use super::durability::may_have_lost;
use super::replicas::{Replicas, Turn};
use super::verdicts::Verdicts;
use crate::guarantee::Guarantee;

/// Looks at in-sync sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct InSync {
    /// Brokers that were fenced at this moment; the records that take them out of in-sync sets are of the same batch.
    fenced: Vec<(BrokerId, Moment)>,
}

/// A leader's copy of the in-sync set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Whose.
    pub broker: BrokerId,
    /// The leader epoch.
    pub epoch: LeaderEpoch,
    /// What the controller has confirmed.
    pub committed: &'a [BrokerId],
    /// Whom a record must reach.
    pub required: &'a [BrokerId],
    /// Whether a proposal is under way.
    pub pending: bool,
}

impl InSync {
    /// The controller committed a record.
    pub(crate) fn committed(&mut self, shared: &mut Replicas, turn: &Turn, verdicts: &mut Verdicts) {
        let at_once = shared.promise.vacates_seats_at_once;
        if let Some(broker) = turn.fenced.filter(|_| at_once) {
            self.fenced.push((broker, verdicts.now()));
        }
        if let Some(place) = turn.partition {
            registration_is_sound(shared, place, turn, verdicts);
            replicas_were_reassigned(shared, place, turn, verdicts);
            newcomers_are_complete(shared, place, turn, verdicts);
            if at_once {
                newcomers_are_active(shared, place, turn, verdicts);
            }
        }
        if let Some(broker) = turn.unfenced.filter(|_| at_once) {
            seats_are_deserved(shared, broker, verdicts);
        }
    }

    /// Time has passed: whoever was fenced is out of every in-sync set in which it is not the last (R92, R93, R128).
    #[inline]
    pub(crate) fn time_passed(&mut self, shared: &Replicas, verdicts: &mut Verdicts) {
        while let Some(&(broker, at)) = self.fenced.last() {
            if at >= verdicts.now() {
                return;
            }
            self.fenced.pop();
            let fenced = shared.known_broker(broker).and_then(|known| known.registration.as_ref());
            if fenced.is_some_and(|registration| registration.fenced) {
                is_out(shared, broker, verdicts);
            }
        }
    }
}

fn is_out(shared: &Replicas, broker: BrokerId, verdicts: &mut Verdicts) {
    for view in &shared.partitions {
        let isr = view.isr();
        verdicts.demand(
            Guarantee::InSyncSet,
            isr.len() <= 1 || !isr.contains(&broker),
            "fenced-broker-in-sync",
            || format!("{broker} is fenced and still in sync on {}: {isr:?}", view.partition),
        );
    }
}

fn registration_is_sound(shared: &Replicas, place: usize, turn: &Turn, verdicts: &mut Verdicts) {
    let Some(now) = shared.partitions[place].registration.as_ref() else { return };
    let repeated = now.isr.iter().enumerate().any(|(at, member)| now.isr[..at].contains(member));
    let stranger = now.isr.iter().any(|member| !now.replicas.contains(member));
    // R83: with eligible leader replicas the set may be empty, while nobody leads.
    let known_instead = now.leader.is_none() && !(now.elr.is_empty() && now.last_known_elr.is_empty());
    // R86: whoever is known instead is forgotten when min.insync.replicas is altered. Then nobody may lead any more but by an
    // unclean election; that is Kafka's, too.
    let forgotten = turn.before.as_ref().is_some_and(|before| before.isr.is_empty() && now.leader.is_none());
    let empty = now.isr.is_empty() && !known_instead && !forgotten;
    verdicts.demand(Guarantee::InSyncSet, !empty && !repeated && !stranger, "isr-malformed", || {
        format!("the ISR of {} is {:?} out of {:?}", now.partition, now.isr, now.replicas)
    });
    let is_eligible = |broker: &BrokerId| now.replicas.contains(broker) && !now.isr.contains(broker);
    verdicts.demand(Guarantee::InSyncSet, now.elr.iter().all(is_eligible), "elr-malformed", || {
        format!("the ELR of {} is {:?} beside the ISR {:?} out of {:?}", now.partition, now.elr, now.isr, now.replicas)
    });
    if let Some(leader) = now.leader {
        verdicts.demand(Guarantee::InSyncSet, now.isr.contains(&leader), "leader-not-in-isr", || {
            format!("{leader} leads {} and is not in its ISR {:?}", now.partition, now.isr)
        });
    }
    let election = &shared.partitions[place].election;
    if election.unclean && !election.taken_up && election.epoch == now.leader_epoch {
        let allowed = shared.partitions[place].promise.unclean_election || election.by_last_known;
        verdicts.demand(Guarantee::LeaderCompleteness, allowed, "unclean-election", || {
            format!(
                "{:?} was elected for {} out of the ISR {:?}, and the topic allows no unclean election",
                now.leader, now.partition, election.electorate
            )
        });
    }
}

/// Replicas come and go by reassignment only, and it ends when those that were added are in sync (R94-R97).
fn replicas_were_reassigned(shared: &mut Replicas, place: usize, turn: &Turn, verdicts: &mut Verdicts) {
    let (Some(before), Some(now)) = (&turn.before, &shared.partitions[place].registration) else { return };
    let mut come = now.replicas.iter().filter(|replica| !before.replicas.contains(replica));
    let is_added = |replica: &BrokerId| now.adding.contains(replica) || now.isr.contains(replica);
    let same = before.replicas.len() == now.replicas.len() && come.clone().count() == 0;
    let asked = shared.was_to_be_reassigned(now.partition);
    let by_reassignment = same || (asked && come.all(is_added));
    verdicts.demand(Guarantee::InSyncSet, by_reassignment, "replicas-changed-outside-reassignment", || {
        format!("{} has the replicas {:?} after {:?}", now.partition, now.replicas, before.replicas)
    });
    let ends = now.adding.is_empty() && now.removing.is_empty();
    // In ZooKeeper mode that it ends is written after it was seen that it may, and somebody may have left the set in between.
    let all_came = shared.partitions[place].all_came && !shared.promise.has_metadata_log;
    // R97: a reassignment that is replaced is reckoned from all replicas there are by then. Who was still catching up counts as one
    // that was there before.
    let replaced = shared.reassignments_asked(now.partition) > 1;
    let is_in =
        |replica: &BrokerId| !before.adding.contains(replica) || now.isr.contains(replica) || all_came || replaced;
    verdicts.demand(
        Guarantee::InSyncSet,
        !ends || now.replicas.iter().all(is_in),
        "reassignment-ended-too-early",
        || format!("{} is no longer reassigned, to {:?}, and in sync are {:?}", now.partition, now.replicas, now.isr),
    );
    let partition = now.partition;
    if ends && !(before.adding.is_empty() && before.removing.is_empty()) {
        shared.reassignment_ended(partition);
    }
}

/// Who joins the ISR has everything that is committed (W7, W19); then it is trusted again.
fn newcomers_are_complete(shared: &mut Replicas, place: usize, turn: &Turn, verdicts: &mut Verdicts) {
    let before: Vec<BrokerId> = turn.before.as_ref().map(|before| before.isr.clone()).unwrap_or_default();
    let isr = shared.partitions[place].isr().to_vec();
    let unclean = shared.partitions[place].election.unclean;
    for broker in isr.into_iter().filter(|member| turn.before.is_some() && !before.contains(member)) {
        if unclean || !shared.runs_registered(broker) {
            continue;
        }
        let view = &mut shared.partitions[place];
        let partition = view.partition;
        // What was deleted by right nobody asks for: a newcomer may even have an older history there, until it learns from
        // its leader where the log begins (L25).
        let missing = view.first_missing(broker).and_then(|_| view.first_missing_of_what_is_left(broker));
        verdicts.demand(Guarantee::LeaderCompleteness, missing.is_none(), "newcomer-lacks-committed-record", || {
            let at = missing.map(|batch| batch.base);
            format!("{broker} joined the ISR of {partition} without the record committed at {at:?}")
        });
        shared.partitions[place].replica(broker).trust();
    }
}

/// Nobody joins a set that is fenced or on its way out, unless it is the only member (KIP-841, R71, R128).
fn newcomers_are_active(shared: &Replicas, place: usize, turn: &Turn, verdicts: &mut Verdicts) {
    let (Some(before), Some(now)) = (&turn.before, &shared.partitions[place].registration) else { return };
    for member in now.isr.iter().filter(|member| now.isr.len() > 1 && !before.isr.contains(member)) {
        let registration = shared.known_broker(*member).and_then(|known| known.registration.as_ref());
        let inactive = registration.is_some_and(|known| known.fenced || known.in_controlled_shutdown);
        verdicts.demand(Guarantee::InSyncSet, !inactive, "inactive-broker-joined", || {
            format!("{member} joined the ISR {:?} of {} while it was fenced or shutting down", now.isr, now.partition)
        });
    }
}

/// A broker that comes back and is still in sync somewhere has everything, or is all that is left (R90, R91).
fn seats_are_deserved(shared: &mut Replicas, broker: BrokerId, verdicts: &mut Verdicts) {
    for place in 0..shared.partitions.len() {
        let view = &mut shared.partitions[place];
        if !view.isr().contains(&broker) {
            continue;
        }
        let missing = view.first_missing(broker);
        let (partition, isr) = (view.partition, view.isr().to_vec());
        verdicts.exercised(Guarantee::LeaderCompleteness);
        if let Some(missing) = missing
            && !shared.partitions[place].election.unclean
            && !isr.iter().all(|member| may_have_lost(shared, place, *member, &missing))
        {
            verdicts.broken(Guarantee::LeaderCompleteness, "in-sync-replica-lacks-committed-record", || {
                format!(
                    "{broker} came back, still in the ISR {isr:?} of {partition}, without the record committed at {}",
                    missing.base
                )
            });
        }
    }
}

/// A leader knows this of its in-sync set (W6, R123).
pub(crate) fn known(shared: &mut Replicas, place: usize, known: &Known<'_>, verdicts: &mut Verdicts) {
    let view = &mut shared.partitions[place];
    let partition = view.partition;
    let Known { broker, epoch, committed, required, pending } = *known;
    let minimum = (view.min_isr(), view.highest_min_isr());
    view.replica(broker).knows_isr(epoch, committed, minimum);
    let covers = |set: &[BrokerId]| set.iter().all(|member| required.contains(member));
    verdicts.demand(Guarantee::InSyncSet, covers(committed), "leader-does-not-wait-for-member", || {
        format!("{broker} leads {partition} with the ISR {committed:?} and waits only for {required:?}")
    });
    if !pending && required.len() != committed.len() {
        verdicts.broken(Guarantee::InSyncSet, "waits-for-others-without-proposal", || {
            format!("{broker} leads {partition}, proposes nothing, and waits for {required:?} instead of {committed:?}")
        });
    }
    if view.is_legitimate(broker, epoch) {
        verdicts.demand(Guarantee::InSyncSet, covers(view.isr()), "leader-does-not-wait-for-in-sync-replica", || {
            format!("{broker} leads {partition} and waits for {required:?}, but the ISR is {:?}", view.isr())
        });
    }
}
